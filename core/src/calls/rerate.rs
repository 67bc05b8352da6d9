//! Pricing stored calls again, by the tariffs of today (spec: `domain.md` §13, rerating).
//!
//! What changes is reversed and charged anew: the ledger keeps both, and the balance moves
//! by the difference. A call is compared with what is stored, so that a second run finds
//! nothing to do.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1::{self as pb, RerateSide};

use super::{
    Call, Leg, Side,
    ingest::{self, Entries},
    parties, store,
};
use crate::{
    catalog::Snapshot,
    changes::{self, Change, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    ids::UserId,
    ledger::posting::{Posted, Posting},
    money::{self, Money},
    points::SideTariffs,
    rating::{CallTime, Rater},
    settings,
    stats::{Total, rollup::Rollup},
    store::{Tx, retrying},
    users::Identity,
};

/// How many calls a transaction looks at.
const BATCH: i64 = 1_000;

/// What has been done so far.
#[derive(Clone, Copy, Default)]
struct Done {
    examined: i64,
    changed: i64,
    unratable: i64,
    price_change: Total,
    self_cost_change: Total,
}

pub(super) async fn rerate(
    context: &Context,
    origin: &Origin,
    request: &pb::RerateCallsRequest,
) -> Result<pb::RerateCallsResponse> {
    for (field, time) in [("from", &request.from), ("till", &request.till)] {
        if time.is_none() {
            return Err(Error::invalid(field, "is required"));
        }
    }
    let zone = context.catalog.load().settings.time_zone.clone();
    let period = clock::period(request.from.as_ref(), request.till.as_ref(), &zone)?;
    let user = request.user_id.map(UserId);
    if let Some(user) = user {
        context.directory.by_id(user).await?.ok_or(Error::UserNotFound)?;
    }
    let sides: &[Side] = match request.side() {
        RerateSide::Unspecified => &[Side::Originator, Side::Terminator],
        RerateSide::Originator => &[Side::Originator],
        RerateSide::Terminator => &[Side::Terminator],
    };
    let mut filter = store::Rerated {
        period,
        originator: user.filter(|_| sides.contains(&Side::Originator)),
        terminator: user.filter(|_| sides.contains(&Side::Terminator)),
        after: (period.0, i64::MIN),
        limit: BATCH,
    };
    let rerating = Rerating { context, origin, sides, user, dry_run: request.dry_run };
    let mut done = Done::default();
    loop {
        let (last, after_batch) = retrying(|| rerating.batch(&filter, done)).await?;
        done = after_batch;
        match last {
            Some(position) => filter.after = position,
            None => break,
        }
    }
    Ok(pb::RerateCallsResponse {
        examined: done.examined,
        changed: done.changed,
        unratable: done.unratable,
        price_change: Some(money::to_proto(done.price_change.value()?)),
        self_cost_change: Some(money::to_proto(done.self_cost_change.value()?)),
    })
}

struct Rerating<'a> {
    context: &'a Context,
    origin: &'a Origin,
    sides: &'a [Side],
    /// Only the prices of this user.
    user: Option<UserId>,
    dry_run: bool,
}

impl Rerating<'_> {
    /// Rates a page again. Returns where the next one begins, if there is one.
    async fn batch(
        &self,
        filter: &store::Rerated,
        mut done: Done,
    ) -> Result<(Option<(i64, i64)>, Done)> {
        let snapshot = self.context.catalog.load_full();
        let mut tx = match self.dry_run {
            true => self.context.db.snapshot().await?,
            false => self.context.db.begin().await?,
        };
        if !self.dry_run {
            // Two at once would both take the old price back.
            tx.lock_table("calls").await?;
        }
        let page = store::answered(&mut tx, filter).await?;
        let Some(last) = page.last() else { return Ok((None, done)) };
        let position = (last.reported.start_time, last.id);
        let users: HashSet<UserId> = page
            .iter()
            .flat_map(|call| [Some(call.originator), call.terminator])
            .flatten()
            .collect();
        let users = self.context.directory.by_ids(users).await?;
        let mut sides = HashSet::new();
        for call in &page {
            sides.extend(
                self.sides.iter().filter_map(|side| tariffs(call, *side, &users, &snapshot)),
            );
        }
        let rater = Rater::load(self.context, &snapshot, sides).await?;
        let mut repriced = Repriced::default();
        for before in page {
            done.examined += 1;
            let mut after = before.clone();
            let mut unratable = false;
            for side in self.sides {
                unratable |= !self.again(*side, &mut after, &users, &rater, &snapshot);
            }
            done.unratable += i64::from(unratable);
            if before != after {
                done.changed += 1;
                done.price_change += Total::from(after.price.amount) - before.price.amount.into();
                done.self_cost_change +=
                    Total::from(after.self_cost.amount) - before.self_cost.amount.into();
                repriced.add(before, after)?;
            }
        }
        if !self.dry_run && !repriced.calls.is_empty() {
            // The zone of the stored days, not of a catalog that may be behind.
            let zone = settings::store::all(&mut tx).await?.time_zone;
            let note = format!("{} calls rated again", repriced.calls.len());
            let posted = repriced.write(&mut tx, Rollup::new(zone)).await?;
            let change = Change::told("calls".to_owned(), note);
            changes::record(&mut tx, self.origin, change).await?;
            tx.commit().await?;
            for posted in posted {
                self.context.directory.learn_posted(&posted.entry);
            }
        }
        Ok((Some(position), done))
    }

    /// Prices one side of a call again. Returns whether there is a price.
    fn again(
        &self,
        side: Side,
        call: &mut Call,
        users: &HashMap<UserId, Arc<Identity>>,
        rater: &Rater,
        snapshot: &Snapshot,
    ) -> bool {
        let whose = whose(call, side);
        if whose.is_none_or(|whose| self.user.is_some_and(|user| user != whose)) {
            return true;
        }
        // A deleted user keeps his books as they are.
        let Some(tariffs) = tariffs(call, side, users, snapshot) else { return false };
        let time = CallTime::new(call.reported.start_time, &snapshot.settings.time_zone);
        let Ok((leg, prefix)) = ingest::leg(&call.reported, time, tariffs, side, rater) else {
            return false;
        };
        match side {
            Side::Originator => {
                call.price = Leg { entry: call.price.entry, ..leg };
                call.prefix = prefix;
            }
            Side::Terminator => {
                call.self_cost = Leg { entry: call.self_cost.entry, ..leg };
            }
        }
        true
    }
}

fn whose(call: &Call, side: Side) -> Option<UserId> {
    match side {
        Side::Originator => Some(call.originator),
        Side::Terminator => call.terminator,
    }
}

/// By which tariffs a side is priced today; none: there is no such user any more.
fn tariffs(
    call: &Call,
    side: Side,
    users: &HashMap<UserId, Arc<Identity>>,
    snapshot: &Snapshot,
) -> Option<SideTariffs> {
    let user = users.get(&whose(call, side)?)?;
    Some(parties::tariffs_today(call, side, user, &snapshot.points))
}

/// What a batch changes.
#[derive(Default)]
struct Repriced {
    calls: Vec<(Call, Call)>,
    /// What is taken back and what is charged instead, as amounts of the calls.
    sums: BTreeMap<(UserId, Side), (Money, Money)>,
}

impl Repriced {
    fn add(&mut self, before: Call, after: Call) -> Result<()> {
        for (user, side, old, new) in [
            (Some(before.originator), Side::Originator, before.price, after.price),
            (before.terminator, Side::Terminator, before.self_cost, after.self_cost),
        ] {
            let Some(user) = user.filter(|_| old.amount != new.amount) else { continue };
            let zero = (Money::ZERO, Money::ZERO);
            let (taken_back, charged) = self.sums.entry((user, side)).or_insert(zero);
            *taken_back = taken_back.plus(old.amount)?;
            *charged = charged.plus(new.amount)?;
        }
        self.calls.push((before, after));
        Ok(())
    }

    async fn write(self, tx: &mut Tx, mut rollup: Rollup) -> Result<Vec<Posted>> {
        let posted = ingest::post(tx, &postings(&self.sums)).await?;
        let entries = Entries::of(&posted);
        let mut calls = Vec::with_capacity(self.calls.len());
        for (before, mut after) in self.calls {
            if before.price.amount != after.price.amount {
                after.price.entry = entries.get(after.originator, Side::Originator);
            }
            if let Some(user) = after.terminator
                && before.self_cost.amount != after.self_cost.amount
            {
                after.self_cost.entry = entries.get(user, Side::Terminator);
            }
            rollup.change(&before, &after);
            calls.push(after);
        }
        store::reprice(tx, &calls).await?;
        rollup.write(tx).await?;
        Ok(posted)
    }
}

/// What takes the old amounts back, and what charges the new ones.
fn postings(sums: &BTreeMap<(UserId, Side), (Money, Money)>) -> Vec<Posting> {
    let mut postings = Vec::new();
    for ((user, side), (taken_back, charged)) in sums {
        let (taken_back, charged) = match side {
            Side::Originator => (*taken_back, charged.negated()),
            Side::Terminator => (taken_back.negated(), *charged),
        };
        for (kind, amount) in [(side.reversed(), taken_back), (side.charged(), charged)] {
            if amount != Money::ZERO {
                postings.push(ingest::posting(*user, kind, amount, "rated again".to_owned()));
            }
        }
    }
    postings
}
