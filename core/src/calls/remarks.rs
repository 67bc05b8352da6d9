//! What whoever imports calls should know of those that went into the books: who is priced by a tariff
//! that is for the other side, and whose calls they are who is blocked.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use tollbook_proto::v1 as pb;

use super::{Call, Side, intake::Taken};
use crate::{
    access::Scope,
    context::Context,
    error::Result,
    ids::{TariffId, UserId},
    tariffs::Purpose,
    users,
};

/// How many of each are named.
const MOST_NAMED: usize = 100;

/// What is known of the calls of a stream.
#[derive(Default)]
pub(super) struct Remarks {
    /// How many calls were priced for whom by which tariff, on which side.
    priced: BTreeMap<(Side, UserId, TariffId), i64>,
    /// How many calls whose are.
    made: HashMap<UserId, i64>,
}

impl Remarks {
    pub(super) fn add(&mut self, taken: &Taken) {
        taken.in_the_books().for_each(|call| self.add_call(call));
    }

    fn add_call(&mut self, call: &Call) {
        *self.made.entry(call.originator).or_default() += 1;
        if !call.is_charged() {
            return;
        }
        let price = (Side::Originator, call.originator, call.price.tariff);
        let self_cost = call.terminator.map(|user| (Side::Terminator, user, call.self_cost.tariff));
        for key in std::iter::once(price).chain(self_cost) {
            *self.priced.entry(key).or_default() += 1;
        }
    }

    /// Puts into a response what of it is unusual, as far as it is of users whom a caller may see.
    pub(super) async fn report(
        self,
        context: &Context,
        scope: Scope,
        response: &mut pb::IngestCallsResponse,
    ) -> Result<()> {
        let snapshot = context.catalog.load_full();
        let mut odd = Vec::new();
        for ((side, user, tariff), calls) in self.priced {
            // It may be gone since.
            let Ok(tariff) = snapshot.tariffs.by_id(tariff) else { continue };
            let usual = match side {
                Side::Originator | Side::Reseller | Side::Partner => Purpose::UserWholesale,
                Side::Terminator => Purpose::Provider,
            };
            if tariff.purpose != usual {
                odd.push((side, user, tariff, calls));
            }
        }
        let blocked = users::store::blocked(&context.db, self.made.keys().copied()).await?;
        let wanted: HashSet<UserId> =
            odd.iter().map(|(_, user, ..)| *user).chain(blocked.iter().copied()).collect();
        let known = context.directory.by_ids(wanted).await?;
        let seen = |user: &UserId| known.get(user).filter(|user| scope.covers(user));
        for (side, user, tariff, calls) in odd {
            let Some(seen) = seen(&user) else { continue };
            let of_side = match side {
                Side::Originator | Side::Reseller | Side::Partner => {
                    &mut response.originators_at_provider_tariffs
                }
                Side::Terminator => &mut response.terminators_at_user_tariffs,
            };
            of_side.push(pb::OddPricing {
                user_id: user.0,
                username: seen.username.clone(),
                tariff_id: tariff.id.0,
                tariff_name: tariff.name.clone(),
                calls,
            });
        }
        let both = [
            &mut response.originators_at_provider_tariffs,
            &mut response.terminators_at_user_tariffs,
        ];
        for of_side in both {
            of_side.sort_by_key(|odd| (Reverse(odd.calls), odd.user_id));
            of_side.truncate(MOST_NAMED);
        }
        let blocked = blocked.iter().filter_map(|user| {
            let calls = self.made.get(user).copied().unwrap_or_default();
            Some(pb::BlockedOriginator {
                user_id: user.0,
                username: seen(user)?.username.clone(),
                calls,
            })
        });
        response.blocked_originators = blocked.collect();
        response.blocked_originators.sort_by_key(|one| (Reverse(one.calls), one.user_id));
        response.blocked_originators.truncate(MOST_NAMED);
        Ok(())
    }
}
