//! Bringing unrated calls again, by the same way as those of switches.
//!
//! A page is read and rated without any lock; one transaction takes what can be into the books and out
//! of the table. Of two that bring the same one at once the second finds it gone, or its call known.

use std::collections::BTreeMap;

use tollbook_proto::v1::{self as pb, CallRejection};

use super::{
    accounts::Accounts,
    store::{self, Filter},
};
use crate::{
    access::Principal,
    calls::{
        ingest::{self, Delivery, Numbered},
        intake::{self, Taken},
    },
    context::Context,
    error::Result,
    money,
    stats::Total,
};

/// How many are brought at once.
const PAGE: i64 = 1_000;

/// What has been done so far.
#[derive(Default)]
struct Done {
    examined: i64,
    reassigned: i64,
    rated: i64,
    unrated: BTreeMap<CallRejection, i64>,
    price: Total,
    self_cost: Total,
}

impl Done {
    fn add(&mut self, examined: usize, taken: &Taken) {
        self.examined += i64::try_from(examined).unwrap_or_default();
        for reason in &taken.unrated {
            *self.unrated.entry(*reason).or_default() += 1;
        }
        for call in taken.in_the_books() {
            self.rated += 1;
            self.price += call.price.amount.into();
            self.self_cost += call.self_cost.amount.into();
        }
    }

    fn into_response(self) -> Result<pb::RateUnratedCallsResponse> {
        let stay: i64 = self.unrated.values().sum();
        let unrated = self
            .unrated
            .into_iter()
            .map(|(reason, calls)| pb::UnratedCallCount { reason: reason.into(), calls });
        Ok(pb::RateUnratedCallsResponse {
            examined: self.examined,
            reassigned: self.reassigned,
            rated: self.rated,
            known: self.examined - self.rated - stay,
            unrated: unrated.collect(),
            price: Some(money::to_proto(self.price.value()?)),
            self_cost: Some(money::to_proto(self.self_cost.value()?)),
        })
    }
}

/// Brings those again that a filter lets through, some as calls of other accounts; a dry run says what would become of them.
pub(super) async fn rate(
    context: &Context,
    caller: &Principal,
    filter: &Filter,
    accounts: &Accounts,
    dry_run: bool,
) -> Result<pb::RateUnratedCallsResponse> {
    let mut done = Done::default();
    // What comes meanwhile was refused a moment ago.
    let till = store::last_id(&context.db).await?;
    let mut after = 0;
    loop {
        let mut page = store::page(&context.db, filter, after, till, PAGE).await?;
        let Some(last) = page.last().and_then(|brought| brought.kept_as) else { break };
        after = last;
        let examined = page.len();
        for brought in &mut page {
            done.reassigned += i64::from(accounts.reassign(brought));
        }
        let batch = (1..).zip(page).map(|(position, call)| Numbered { position, call });
        let rated = ingest::rate(context, caller.scope(), batch.collect()).await?;
        let delivery = Delivery::new(caller.origin().clone(), rated);
        let taken = match dry_run {
            true => intake::foresee(context, &delivery, |_| None).await?,
            false => context.writer.take(delivery).await?,
        };
        done.add(examined, &taken);
    }
    done.into_response()
}
