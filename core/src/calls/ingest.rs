//! Taking calls into the books: rating, storing, charging and counting them.
//!
//! Calls are rated outside of any transaction. One transaction of the [writer](crate::writer)
//! then looks which of them are known already, changes the balances of their users with one
//! ledger entry for each user and side, stores the calls and adds them to the statistics. So a
//! call is either in all of them or in none, and a second copy of it is in none.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use tollbook_proto::v1::CallRecord;

use super::{
    Call, Leg, Rejection, Reported, Side,
    known::{self, Relation},
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
        Entry, Kind,
        posting::{self, Posted, Posting},
        store::Accounts,
    },
    live::{self, ActiveCall, ActiveCalls},
    money::Money,
    points::SideTariffs,
    rating::{CallTime, Offer, Rater},
    stats::rollup::Rollup,
    store::{Row, Tx},
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
    /// Calls that were in the books, and the answered attempts that are there instead.
    pub(crate) replaced: Vec<(Call, Call)>,
    pub(crate) duplicates: i64,
    /// How many were further attempts of known calls.
    pub(crate) merged: i64,
    /// By position.
    pub(crate) rejected: Vec<Numbered<(String, Rejection)>>,
}

impl Taken {
    fn reject(&mut self, position: i64, call_id: String, rejection: Rejection) {
        self.rejected.push(Numbered { position, call: (call_id, rejection) });
    }

    /// Whether it changes anything.
    fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.replaced.is_empty()
    }
}

/// A batch, rated, and what of it cannot be.
#[derive(Default)]
pub(crate) struct Rated {
    calls: Vec<Numbered<Incoming>>,
    rejected: Vec<Numbered<Refused>>,
}

impl Rated {
    fn reject(&mut self, position: i64, call_id: String, rejection: Rejection) {
        self.rejected.push(Numbered { position, call: Refused { call_id, rejection, call: None } });
    }
}

/// A call that may go into the books.
struct Incoming {
    call: Call,
    /// It may be one of several attempts under one id.
    attempt: bool,
}

/// A record that may not.
struct Refused {
    call_id: String,
    rejection: Rejection,
    /// The call, where only its price is missing.
    call: Option<Box<Incoming>>,
}

/// Checks and rates a batch. `scope` says whose calls the sender may bring.
pub(crate) async fn rate(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<CallRecord>>,
) -> Result<Rated> {
    let ids: Vec<&str> = batch.iter().map(|record| record.call.call_id.as_str()).collect();
    let authorized = live::store::under_way(&context.db, &ids).await?;
    rate_authorized(context, scope, batch, &authorized).await
}

/// Checks and rates a batch, of which some calls are `authorized`, by the switch's ids.
pub(crate) async fn rate_authorized(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<CallRecord>>,
    authorized: &HashMap<String, ActiveCall>,
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
    let parties = Parties::of(context, &snapshot, scope, &records, authorized).await?;
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
    let decks = Rater::load(&context.db, &context.decks, &snapshot, tariffs).await?;
    for Numbered { position, call } in calls {
        let call_id = call.reported.call_id.clone();
        let attempt = call.attempt;
        match call.price(&decks, &snapshot) {
            Ok(call) => {
                rated.calls.push(Numbered { position, call: Incoming { call, attempt } });
            }
            Err((call, rejection)) => {
                let call = Some(Box::new(Incoming { call, attempt }));
                let call = Refused { call_id, rejection, call };
                rated.rejected.push(Numbered { position, call });
            }
        }
    }
    Ok(rated)
}

/// A call whose two sides are known.
struct Sided {
    reported: Reported,
    originator: Party,
    terminator: Option<Party>,
    attempt: bool,
}

impl Sided {
    fn of(
        mut record: Record,
        parties: &Parties<'_>,
        authorized: Option<&ActiveCall>,
    ) -> Result<Self, (String, Rejection)> {
        match parties.sides(&mut record, authorized) {
            Ok((originator, terminator)) => {
                let attempt = record.attempt;
                Ok(Self { reported: record.reported, originator, terminator, attempt })
            }
            Err(rejection) => Err((record.reported.call_id, rejection)),
        }
    }

    /// Prices the call by the tariffs of its sides. Calls that were not answered cost
    /// nothing and need no rate. Where there is none, the call comes back without a price.
    fn price(self, rater: &Rater, snapshot: &Snapshot) -> Result<Call, (Call, Rejection)> {
        let Self { reported, originator, terminator, .. } = self;
        let call = Call {
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
        let price = leg(originator.pricing, Side::Originator);
        let self_cost = terminator
            .map_or(Ok((Leg::NONE, String::new())), |party| leg(party.pricing, Side::Terminator));
        match (price, self_cost) {
            (Ok((price, prefix)), Ok((self_cost, _))) => {
                Ok(Call { prefix, price, self_cost, ..call })
            }
            (Err(rejection), _) | (_, Err(rejection)) => Err((call, rejection)),
        }
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

/// A rated batch on its way into the books, and whence it comes.
pub(crate) struct Delivery {
    origin: Arc<Origin>,
    rated: Rated,
}

impl Delivery {
    pub(crate) fn new(origin: Arc<Origin>, rated: Rated) -> Self {
        Self { origin, rated }
    }

    /// How many calls it brings.
    pub(crate) fn len(&self) -> usize {
        self.rated.calls.len() + self.rated.rejected.len()
    }

    /// The switch's ids of all calls.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        let fine = self.rated.calls.iter().map(|call| call.call.call.reported.call_id.as_str());
        fine.chain(self.rated.rejected.iter().map(|rejected| rejected.call.call_id.as_str()))
    }

    /// How many calls may go into the books.
    pub(crate) fn rated(&self) -> usize {
        self.rated.calls.len()
    }

    /// Whose balances the calls change, and on which side.
    pub(crate) fn parties(&self) -> impl Iterator<Item = (UserId, Side)> {
        self.rated.calls.iter().flat_map(|Numbered { call: Incoming { call, .. }, .. }| {
            let terminator = call.terminator.map(|user| (user, Side::Terminator));
            std::iter::once((call.originator, Side::Originator)).chain(terminator)
        })
    }
}

/// What becomes of some deliveries, before anything is written.
pub(crate) struct Intake<'a> {
    origins: Vec<&'a Origin>,
    /// For each delivery.
    taken: Vec<Taken>,
    /// What is posted for the calls that are stored.
    pub(crate) charges: Vec<Posting>,
}

impl<'a> Intake<'a> {
    /// Sorts out which calls go into the books, and what they do to balances. `known` are the calls
    /// of these ids that are there already; `active`, those under way, are over if they go into the
    /// books.
    pub(crate) fn of(
        deliveries: &[&'a Delivery],
        mut known: HashMap<String, Call>,
        active: &mut ActiveCalls,
        accounts: &Accounts,
    ) -> Self {
        let mut charges = Charges::new(accounts);
        let mut all: Vec<Taken> = deliveries.iter().map(|_| Taken::default()).collect();
        // Where those are that come with these deliveries.
        let mut new: HashMap<&str, (usize, usize)> = HashMap::new();
        for (place, Delivery { rated, .. }) in deliveries.iter().enumerate() {
            for Numbered { position, call: Incoming { call, attempt } } in &rated.calls {
                let call_id = call.reported.call_id.as_str();
                let coming = new.get(call_id).copied();
                let before = coming.map(|(place, index)| &all[place].stored[index]);
                let before = before.or_else(|| known.get(call_id));
                let relation = before.map(|before| known::relation(before, call, *attempt));
                match relation {
                    Some(Relation::Same) => {
                        all[place].duplicates += 1;
                        continue;
                    }
                    Some(Relation::Absorbed) => {
                        all[place].merged += 1;
                        continue;
                    }
                    Some(Relation::Differs(what)) => {
                        let conflict = Rejection::Conflict(what);
                        all[place].reject(*position, call_id.to_owned(), conflict);
                        continue;
                    }
                    Some(Relation::Replaces) | None => {}
                }
                let result = as_authorized(call.clone(), active.get(call_id))
                    .and_then(|call| charges.add(&call).map(|()| call));
                let call = match result {
                    Ok(call) => call,
                    Err(rejection) => {
                        all[place].reject(*position, call_id.to_owned(), rejection);
                        continue;
                    }
                };
                active.remove(call_id);
                match (coming, relation.and_then(|_| known.remove(call_id))) {
                    (Some((place, index)), _) => all[place].stored[index] = call,
                    (None, Some(before)) => {
                        let call = Call { id: before.id, ..call };
                        known.insert(call_id.to_owned(), call.clone());
                        all[place].replaced.push((before, call));
                    }
                    (None, None) => {
                        new.insert(call_id, (place, all[place].stored.len()));
                        all[place].stored.push(call);
                    }
                }
                all[place].merged += i64::from(relation.is_some());
            }
            for Numbered { position, call: refused } in &rated.rejected {
                let Refused { call_id, rejection, call } = refused;
                let coming = new.get(call_id.as_str()).copied();
                let before = coming.map(|(place, index)| &all[place].stored[index]);
                let before = before.or_else(|| known.get(call_id));
                // What is in the books needs no rate any more, nor users who are gone since.
                let relation = before.map(|before| match call.as_deref() {
                    Some(Incoming { call, attempt }) => known::relation(before, call, *attempt),
                    None => Relation::Same,
                });
                let rejection = match relation {
                    Some(Relation::Same) => {
                        all[place].duplicates += 1;
                        continue;
                    }
                    Some(Relation::Differs(what)) => Rejection::Conflict(what),
                    Some(Relation::Absorbed | Relation::Replaces) | None => rejection.clone(),
                };
                all[place].reject(*position, call_id.clone(), rejection);
            }
            all[place].rejected.sort_by_key(|rejected| rejected.position);
        }
        let origins = deliveries.iter().map(|delivery| &*delivery.origin).collect();
        Self { origins, taken: all, charges: charges.into_postings() }
    }

    fn stored(&self) -> usize {
        self.taken.iter().map(|taken| taken.stored.len()).sum()
    }

    fn changes(&self) -> usize {
        self.taken.iter().filter(|taken| !taken.is_empty()).count()
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.iter().all(Taken::is_empty)
    }

    /// Writes the calls and counts them, by the days of a time zone, under ids for them and for
    /// their changes that were asked for. `entries` are those of the charges.
    pub(crate) async fn write(
        mut self,
        tx: &mut Tx,
        ids: &[Vec<Row>; 2],
        entries: &[Entry],
        zone: TimeZone,
    ) -> Result<Vec<Taken>> {
        if self.is_empty() {
            return Ok(self.taken);
        }
        let entries = Entries::of(entries);
        let mut call_ids = tx.ids(&ids[0], self.stored())?.into_iter();
        let mut rollup = Rollup::new(zone);
        let mut changes = Vec::with_capacity(self.changes());
        for (taken, origin) in self.taken.iter_mut().zip(&self.origins) {
            for (call, id) in taken.stored.iter_mut().zip(call_ids.by_ref()) {
                call.id = id;
                entries.enter(call);
                rollup.add(call);
            }
            for (before, call) in &mut taken.replaced {
                entries.enter(call);
                rollup.replace(before, call);
            }
            if let Some(note) = note(taken) {
                changes.push((*origin, Change::told("calls".to_owned(), note)));
            }
        }
        let replaced = || self.taken.iter().flat_map(|taken| &taken.replaced);
        if replaced().next().is_some() {
            let ids = replaced().map(|(before, _)| before.reported.call_id.as_str());
            store::take_out(tx, ids).await?;
        }
        let stored = self.taken.iter().flat_map(|taken| &taken.stored);
        store::insert(tx, stored.chain(replaced().map(|(_, call)| call))).await?;
        let change_ids = tx.ids(&ids[1], changes.len())?;
        changes::record_as(tx, change_ids, &changes).await?;
        // The sums come last: other cores wait for their rows.
        rollup.write(tx).await?;
        Ok(self.taken)
    }
}

/// What the log of changes says of what was taken; none: nothing has changed.
fn note(taken: &Taken) -> Option<String> {
    let stored = match taken.stored.as_slice() {
        [] => None,
        [call] => Some(format!("call {} stored", call.id)),
        [first, .., last] => {
            let count = taken.stored.len();
            Some(format!("{count} calls stored, ids {} to {}", first.id, last.id))
        }
    };
    let replaced = match taken.replaced.len() {
        0 => None,
        1 => Some("1 unanswered call replaced by its answered attempt".to_owned()),
        count => Some(format!("{count} unanswered calls replaced by their answered attempts")),
    };
    let parts: Vec<String> = stored.into_iter().chain(replaced).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
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
struct Charges<'a> {
    /// With the balances before the batch.
    accounts: &'a Accounts,
    /// What is posted, in this order, and how many calls it is of.
    sums: BTreeMap<(UserId, Side), (Money, i64)>,
}

impl<'a> Charges<'a> {
    fn new(accounts: &'a Accounts) -> Self {
        Self { accounts, sums: BTreeMap::new() }
    }

    /// Adds a call, or says why its users cannot have it; then nothing is added.
    fn add(&mut self, call: &Call) -> Result<(), Rejection> {
        if !self.accounts.contains_key(&call.originator) {
            return Err(Rejection::UnknownOriginator);
        }
        if call.terminator.is_some_and(|user| !self.accounts.contains_key(&user)) {
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
        let Some(account) = self.accounts.get(&user) else { return false };
        let paid = account.balance.plus(self.sum(user, Side::Originator).0);
        paid.and_then(|balance| balance.plus(self.sum(user, Side::Terminator).0)).is_ok()
    }

    fn into_postings(self) -> Vec<Posting> {
        self.sums
            .into_iter()
            .map(|((user, side), (amount, calls))| {
                let note = if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
                posting(user, side.charged(), amount, note)
            })
            .collect()
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
    pub(super) fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let entries = entries.into_iter();
        Self(entries.map(|entry| ((entry.user, entry.kind), entry.id)).collect())
    }

    /// Says of a call that costs something in which entries.
    fn enter(&self, call: &mut Call) {
        if call.price.amount != Money::ZERO {
            call.price.entry = self.get(call.originator, Side::Originator);
        }
        if let Some(user) = call.terminator.filter(|_| call.self_cost.amount != Money::ZERO) {
            call.self_cost.entry = self.get(user, Side::Terminator);
        }
    }

    /// The entry of a user and side; 0: there is none.
    pub(super) fn get(&self, user: UserId, side: Side) -> EntryId {
        self.0.get(&(user, side.charged())).copied().unwrap_or(EntryId(0))
    }
}
