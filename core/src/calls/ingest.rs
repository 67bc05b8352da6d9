//! Taking calls into the books: rating, storing, charging and counting them.
//!
//! Calls are rated outside of any transaction. One transaction then looks which of them are
//! known already, changes the balances of their users with one ledger entry for each user
//! and side, stores the calls and adds them to the statistics. So a call is either in all of
//! them or in none, and a second copy of it is in none.

use std::collections::{BTreeMap, HashMap, HashSet};

use tollbook_proto::v1::CallRecord;

use super::{
    Call, Leg, Rejection, Reported, Side,
    parties::{Parties, Party, Pricing},
    record::{self, Record},
    store,
};
use crate::{
    access::Scope,
    catalog::Snapshot,
    changes::{self, Change, Origin},
    context::Context,
    error::Result,
    ids::{EntryId, UserId},
    ledger::{
        self, Kind,
        posting::{self, Posted, Posting},
    },
    live::{self, ActiveCall},
    measure,
    money::Money,
    points::SideTariffs,
    rating::{CallTime, Offer, Rater},
    settings,
    stats::{self, rollup::Rollup},
    store::{Sequence, Tx, retrying},
};

/// A call on its way in, with its position among those that were sent.
#[derive(Clone)]
pub(crate) struct Numbered<T> {
    pub(crate) position: i64,
    pub(crate) call: T,
}

/// What became of a batch.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) stored: Vec<Call>,
    pub(crate) duplicates: i64,
    /// By position.
    pub(crate) rejected: Vec<Numbered<(String, Rejection)>>,
}

/// A batch, rated, and what of it cannot be.
#[derive(Default)]
pub(crate) struct Rated {
    calls: Vec<Numbered<Call>>,
    rejected: Vec<Numbered<(String, Rejection)>>,
}

impl Rated {
    fn reject(&mut self, position: i64, call_id: String, rejection: Rejection) {
        self.rejected.push(Numbered { position, call: (call_id, rejection) });
    }
}

/// Checks and rates a batch. `scope` says whose calls the sender may bring.
pub(crate) async fn rate(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<CallRecord>>,
) -> Result<Rated> {
    let snapshot = context.catalog.load_full();
    let mut rated = Rated::default();
    let mut records = Vec::with_capacity(batch.len());
    for Numbered { position, call } in batch {
        let call_id = call.call_id.clone();
        match record::read(call) {
            Ok(call) => records.push(Numbered { position, call }),
            Err(rejection) => rated.reject(position, call_id, rejection),
        }
    }
    let authorized = authorized(context, &records).await?;
    let parties = Parties::of(context, &snapshot, scope, &records, &authorized).await?;
    let mut calls = Vec::with_capacity(records.len());
    let mut tariffs = HashSet::new();
    for Numbered { position, call: record } in records {
        let authorized = authorized.get(&record.reported.call_id);
        match Sided::of(record, &parties, authorized) {
            Ok(call) => {
                for party in std::iter::once(call.originator).chain(call.terminator) {
                    if let Pricing::Tariffs(of_party) = party.pricing {
                        tariffs.insert(of_party);
                    }
                }
                calls.push(Numbered { position, call });
            }
            Err((call_id, rejection)) => rated.reject(position, call_id, rejection),
        }
    }
    let decks = Rater::load(context, &snapshot, tariffs).await?;
    for Numbered { position, call } in calls {
        let call_id = call.reported.call_id.clone();
        match call.price(&decks, &snapshot) {
            Ok(call) => rated.calls.push(Numbered { position, call }),
            Err(rejection) => rated.reject(position, call_id, rejection),
        }
    }
    Ok(rated)
}

/// What the calls of some records were authorised for, by the switch's ids.
async fn authorized(
    context: &Context,
    records: &[Numbered<Record>],
) -> Result<HashMap<String, ActiveCall>> {
    let ids: Vec<&str> =
        records.iter().map(|record| record.call.reported.call_id.as_str()).collect();
    live::store::under_way(&mut context.db.snapshot().await?, &ids).await
}

/// A call whose two sides are known.
struct Sided {
    reported: Reported,
    originator: Party,
    terminator: Option<Party>,
}

impl Sided {
    fn of(
        mut record: Record,
        parties: &Parties<'_>,
        authorized: Option<&ActiveCall>,
    ) -> Result<Self, (String, Rejection)> {
        match parties.sides(&mut record, authorized) {
            Ok((originator, terminator)) => {
                Ok(Self { reported: record.reported, originator, terminator })
            }
            Err(rejection) => Err((record.reported.call_id, rejection)),
        }
    }

    /// Prices the call by the tariffs of its sides. Calls that were not answered cost
    /// nothing and need no rate.
    fn price(self, rater: &Rater, snapshot: &Snapshot) -> Result<Call, Rejection> {
        let Self { reported, originator, terminator } = self;
        let mut call = Call {
            id: 0,
            originator: originator.user,
            terminator: terminator.map(|party| party.user),
            prefix: String::new(),
            price: Leg::NONE,
            self_cost: Leg::NONE,
            reported,
        };
        if !call.is_charged() {
            return Ok(call);
        }
        let time = CallTime::new(call.reported.start_time, &snapshot.settings.time_zone);
        let leg = |pricing, side| match pricing {
            Pricing::Tariffs(tariffs) => leg(&call.reported, time, tariffs, side, rater),
            Pricing::Authorized(offer) => leg_at(&call.reported, &offer),
        };
        let (price, prefix) = leg(originator.pricing, Side::Originator)?;
        if let Some(party) = terminator {
            call.self_cost = leg(party.pricing, Side::Terminator)?.0;
        }
        call.price = price;
        call.prefix = prefix;
        Ok(call)
    }
}

/// Prices one side of an answered call. Returns the prefix as well.
pub(super) fn leg(
    call: &Reported,
    time: CallTime,
    tariffs: SideTariffs,
    side: Side,
    rater: &Rater,
) -> Result<(Leg, String), Rejection> {
    let offer = rater
        .offer(tariffs, &call.destination, time)
        .map_err(|why| Rejection::unpriced(why, side))?;
    leg_at(call, &offer)
}

/// Prices one side of an answered call at a rate. Returns the prefix as well.
fn leg_at(call: &Reported, offer: &Offer) -> Result<(Leg, String), Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let (billed, amount) = offer.price(call.billsec_seconds()).map_err(out_of_range)?;
    let leg = Leg {
        tariff: offer.tariff,
        rate: offer.rate().map_err(out_of_range)?,
        billed_seconds: i64::try_from(billed).unwrap_or(i64::MAX),
        amount,
        entry: EntryId(0),
    };
    Ok((leg, call.destination.get(..offer.prefix_length).unwrap_or_default().to_owned()))
}

/// Takes a rated batch into the books: all that is left of it, or with an error nothing.
pub(crate) async fn store(context: &Context, origin: &Origin, rated: Rated) -> Result<Taken> {
    let (mut taken, posted) = retrying(|| transaction(context, origin, &rated)).await?;
    for posted in posted {
        context.directory.learn_posted(&posted.entry);
    }
    taken.rejected.sort_by_key(|rejected| rejected.position);
    measure::calls(&taken);
    Ok(taken)
}

/// Sorts out which calls of a batch are in the books already.
async fn fresh<'a>(tx: &mut Tx, rated: &'a Rated) -> Result<(Vec<&'a Numbered<Call>>, Taken)> {
    let fine = rated.calls.iter().map(|call| call.call.reported.call_id.as_str());
    let faulty = rated.rejected.iter().map(|rejected| rejected.call.0.as_str());
    let ids: Vec<&str> = fine.chain(faulty).collect();
    let mut known = store::known(tx, &ids).await?;
    let mut taken = Taken::default();
    let mut fresh = Vec::with_capacity(rated.calls.len());
    for call in &rated.calls {
        if known.insert(call.call.reported.call_id.clone()) {
            fresh.push(call);
        } else {
            taken.duplicates += 1;
        }
    }
    // What is in the books needs no rate any more.
    for rejected in &rated.rejected {
        if known.contains(&rejected.call.0) {
            taken.duplicates += 1;
        } else {
            taken.rejected.push(rejected.clone());
        }
    }
    Ok((fresh, taken))
}

async fn transaction(
    context: &Context,
    origin: &Origin,
    rated: &Rated,
) -> Result<(Taken, Vec<Posted>)> {
    let mut tx = context.db.begin().await?;
    // Before any account is locked: whoever counts all sums anew takes a while.
    stats::store::lock_shared(&mut tx).await?;
    let (fresh, mut taken) = fresh(&mut tx, rated).await?;
    if fresh.is_empty() {
        return Ok((taken, Vec::new()));
    }
    // The zone of the stored days, not of a catalog that may be behind.
    let zone = settings::store::all(&mut tx).await?.time_zone;
    let mut charges = Charges::lock(&mut tx, &fresh).await?;
    // Once more, now that nobody authorises calls of these users.
    let ids: Vec<&str> = fresh.iter().map(|call| call.call.reported.call_id.as_str()).collect();
    let authorized = live::store::under_way(&mut tx, &ids).await?;
    for Numbered { position, call } in fresh {
        let call_id = &call.reported.call_id;
        let result = as_authorized(call.clone(), authorized.get(call_id))
            .and_then(|call| charges.add(&call).map(|()| call));
        match result {
            Ok(call) => taken.stored.push(call),
            Err(rejection) => taken
                .rejected
                .push(Numbered { position: *position, call: (call_id.clone(), rejection) }),
        }
    }
    let posted = charges.post(&mut tx).await?;
    let entries = Entries::of(&posted);
    let ids = tx.next_ids(Sequence::Calls, taken.stored.len()).await?;
    let mut rollup = Rollup::new(zone);
    for (call, id) in taken.stored.iter_mut().zip(ids) {
        call.id = id;
        if call.price.amount != Money::ZERO {
            call.price.entry = entries.get(call.originator, Side::Originator);
        }
        if let Some(user) = call.terminator.filter(|_| call.self_cost.amount != Money::ZERO) {
            call.self_cost.entry = entries.get(user, Side::Terminator);
        }
        rollup.add(call);
    }
    let note = match taken.stored.as_slice() {
        [] => return Ok((taken, Vec::new())),
        [call] => format!("call {} stored", call.id),
        [first, .., last] => {
            format!("{} calls stored, ids {} to {}", taken.stored.len(), first.id, last.id)
        }
    };
    store::insert(&mut tx, &taken.stored).await?;
    let stored: Vec<&str> =
        taken.stored.iter().map(|call| call.reported.call_id.as_str()).collect();
    live::store::settle(&mut tx, &stored).await?;
    changes::record(&mut tx, origin, Change::told("calls".to_owned(), note)).await?;
    // The sums come last: other cores wait for their rows.
    rollup.write(&mut tx).await?;
    tx.commit().await?;
    Ok((taken, posted))
}

/// A rated call at the rates at which it was authorised, or why it is not that call. Where it
/// was rated and where it is stored, the authorisation may be another: the latter counts.
fn as_authorized(mut call: Call, authorized: Option<&ActiveCall>) -> Result<Call, Rejection> {
    let Some(authorized) = authorized else { return Ok(call) };
    if let Some(what) = authorized.difference(call.originator, &call.reported) {
        return Err(Rejection::NotAuthorized(what));
    }
    if !call.is_charged() {
        return Ok(call);
    }
    if let Some(offer) = &authorized.price {
        (call.price, call.prefix) = leg_at(&call.reported, offer)?;
    }
    let terminated = (call.terminator, call.reported.termination_point);
    if terminated == (authorized.terminator, authorized.termination_point)
        && let Some(offer) = &authorized.self_cost
    {
        call.self_cost = leg_at(&call.reported, offer)?.0;
    }
    Ok(call)
}

/// What the calls of a batch do to balances: one posting for each user and side.
struct Charges {
    /// The balances before the batch.
    balances: HashMap<UserId, Money>,
    /// What is posted, in this order, and how many calls it is of.
    sums: BTreeMap<(UserId, Side), (Money, i64)>,
}

impl Charges {
    async fn lock(tx: &mut Tx, calls: &[&Numbered<Call>]) -> Result<Self> {
        let mut users: Vec<UserId> = calls
            .iter()
            .flat_map(|call| std::iter::once(call.call.originator).chain(call.call.terminator))
            .collect();
        users.sort_unstable();
        users.dedup();
        let accounts = ledger::store::lock_accounts(tx, users).await?;
        let balances = accounts.into_iter().map(|(user, account)| (user, account.balance));
        Ok(Self { balances: balances.collect(), sums: BTreeMap::new() })
    }

    /// Adds a call, or says why its users cannot have it; then nothing is added.
    fn add(&mut self, call: &Call) -> Result<(), Rejection> {
        if !self.balances.contains_key(&call.originator) {
            return Err(Rejection::UnknownOriginator);
        }
        if call.terminator.is_some_and(|user| !self.balances.contains_key(&user)) {
            return Err(Rejection::UnknownTerminator);
        }
        let paid = (call.originator, Side::Originator, call.price.amount.negated());
        let earned = call.terminator.map(|user| (user, Side::Terminator, call.self_cost.amount));
        let changes: Vec<_> = std::iter::once(paid).chain(earned).collect();
        let mut sums = Vec::with_capacity(2);
        for (user, side, amount) in &changes {
            if *amount != Money::ZERO {
                let (sum, calls) = self.sum(*user, *side);
                let sum = sum.plus(*amount).map_err(|_| Rejection::AmountOutOfRange)?;
                sums.push(((*user, *side), (sum, calls + 1)));
            }
        }
        let before: Vec<_> =
            sums.iter().map(|(key, _)| (*key, self.sums.get(key).copied())).collect();
        self.sums.extend(sums);
        if changes.iter().all(|(user, ..)| self.is_in_range(*user)) {
            return Ok(());
        }
        for (key, sum) in before {
            match sum {
                Some(sum) => self.sums.insert(key, sum),
                None => self.sums.remove(&key),
            };
        }
        Err(Rejection::AmountOutOfRange)
    }

    fn sum(&self, user: UserId, side: Side) -> (Money, i64) {
        self.sums.get(&(user, side)).copied().unwrap_or((Money::ZERO, 0))
    }

    /// Whether each of a user's postings leaves a balance that there may be.
    fn is_in_range(&self, user: UserId) -> bool {
        let Some(balance) = self.balances.get(&user) else { return false };
        let paid = balance.plus(self.sum(user, Side::Originator).0);
        paid.and_then(|balance| balance.plus(self.sum(user, Side::Terminator).0)).is_ok()
    }

    async fn post(self, tx: &mut Tx) -> Result<Vec<Posted>> {
        let postings: Vec<Posting> = self
            .sums
            .into_iter()
            .map(|((user, side), (amount, calls))| {
                let note = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
                posting(user, side.charged(), amount, note)
            })
            .collect();
        post(tx, &postings).await
    }
}

/// A change of a balance that calls make.
pub(super) fn posting(user: UserId, kind: Kind, amount: Money, note: String) -> Posting {
    Posting { user, amount, kind, origin: None, note, payment: None, idempotency: None }
}

/// Applies postings, all or none; there may be none.
pub(super) async fn post(tx: &mut Tx, postings: &[Posting]) -> Result<Vec<Posted>> {
    if postings.is_empty() {
        return Ok(Vec::new());
    }
    posting::apply(tx, postings).await?.into_iter().collect()
}

/// The ledger entries in which calls are charged.
pub(super) struct Entries(HashMap<(UserId, Kind), EntryId>);

impl Entries {
    pub(super) fn of(posted: &[Posted]) -> Self {
        let entries = posted.iter().map(|posted| &posted.entry);
        Self(entries.map(|entry| ((entry.user, entry.kind), entry.id)).collect())
    }

    /// The entry of a user and side; 0: there is none.
    pub(super) fn get(&self, user: UserId, side: Side) -> EntryId {
        self.0.get(&(user, side.charged())).copied().unwrap_or(EntryId(0))
    }
}
