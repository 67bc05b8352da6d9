//! What goes into the books of the calls that are brought: each once, at its price, to the charge of
//! its users.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::tz::TimeZone;

use tollbook_proto::v1::{CallRecord, CallRejection};

use super::{
    Call, Leg, Rejection, Side,
    ingest::{Delivery, Incoming, Numbered, Refused, leg_at},
    known::{self, Relation},
    places,
    record::Said,
    store,
};
use crate::{
    changes::{self, Change, Origin},
    context::Context,
    error::Result,
    ids::{EntryId, UserId},
    ledger::{
        self, Entry, Kind,
        posting::{self, Posted, Posting},
        store::Accounts,
    },
    live::{self, ActiveCall, ActiveCalls},
    money::Money,
    points::Points,
    resource::Resource,
    stats::rollup::Rollup,
    store::{Row, Tx},
    unrated::{self, Kept, KeptCall},
};

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
    /// How many of the rejected are kept as unrated calls.
    pub(crate) kept: i64,
    /// Of unrated calls that were brought again, why they stay what they are.
    pub(crate) unrated: Vec<CallRejection>,
}

impl Taken {
    /// Whether it changes anything.
    fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.replaced.is_empty()
    }

    /// The calls that went into the books.
    pub(crate) fn in_the_books(&self) -> impl Iterator<Item = &Call> {
        self.stored.iter().chain(self.replaced.iter().map(|(_, call)| call))
    }
}

/// What becomes of some deliveries, before anything is written.
pub(crate) struct Intake<'a> {
    origins: Vec<&'a Origin>,
    /// For each delivery.
    taken: Vec<Taken>,
    /// What is posted for the calls that are stored.
    pub(crate) charges: Vec<Posting>,
    unrated: unrated::Outcome<'a>,
}

impl<'a> Intake<'a> {
    /// Sorts out which calls go into the books, and what they do to balances. `known` are the calls
    /// of these ids that are there already; `active`, those under way, are over if they go into the
    /// books; `kept` are the unrated calls that are brought again.
    pub(crate) fn of(
        deliveries: &[&'a Delivery],
        known: HashMap<String, Call>,
        active: &mut ActiveCalls,
        points: &Points,
        accounts: &Accounts,
        kept: &Kept,
    ) -> Self {
        let mut books = Books {
            known,
            coming: HashMap::new(),
            taken: deliveries.iter().map(|_| Taken::default()).collect(),
            active,
            points,
            charges: Charges::new(accounts),
            unrated: unrated::Outcome::default(),
        };
        for (place, Delivery { rated, .. }) in deliveries.iter().enumerate() {
            for Numbered { position, call } in &rated.calls {
                books.enter(place, *position, &Read::Call(call), kept);
            }
            for Numbered { position, call } in &rated.rejected {
                books.enter(place, *position, &Read::Refused(call), kept);
            }
            books.taken[place].rejected.sort_by_key(|rejected| rejected.position);
        }
        let Books { taken, charges, unrated, .. } = books;
        let origins = deliveries.iter().map(|delivery| &*delivery.origin).collect();
        Self { origins, taken, charges: charges.into_postings(), unrated }
    }

    fn stored(&self) -> usize {
        self.taken.iter().map(|taken| taken.stored.len()).sum()
    }

    fn changes(&self) -> usize {
        self.taken.iter().filter(|taken| !taken.is_empty()).count()
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.takes_nothing() && self.unrated.is_empty()
    }

    fn takes_nothing(&self) -> bool {
        self.taken.iter().all(Taken::is_empty)
    }

    /// Writes the calls and counts them, by the days of a time zone, under ids for them and for
    /// their changes that were asked for; and what could not be taken. `entries` are those of the
    /// charges.
    pub(crate) async fn write(
        mut self,
        tx: &mut Tx,
        ids: &[Vec<Row>; 2],
        entries: &[Entry],
        zone: TimeZone,
        unrated: &unrated::Table<'_>,
    ) -> Result<(Vec<Taken>, unrated::Difference)> {
        if self.is_empty() {
            return Ok((self.taken, unrated::Difference::default()));
        }
        let rollup = match self.takes_nothing() {
            true => None,
            false => Some(self.write_calls(tx, ids, entries, zone).await?),
        };
        let outcome = std::mem::take(&mut self.unrated);
        let stored = self.taken.iter().flat_map(Taken::in_the_books);
        let difference = outcome.write(tx, unrated, &self.origins, stored).await?;
        for place in &difference.kept {
            self.taken[*place].kept += 1;
        }
        for (place, position, why) in &difference.contested {
            let mut rejected = self.taken[*place].rejected.iter_mut();
            if let Some(one) = rejected.find(|one| one.position == *position) {
                one.call.1 = why.clone();
            }
        }
        // The sums come last: other cores wait for their rows.
        if let Some(rollup) = rollup {
            rollup.write(tx).await?;
        }
        Ok((self.taken, difference))
    }

    /// Writes the calls. Returns what they add up to.
    async fn write_calls(
        &mut self,
        tx: &mut Tx,
        ids: &[Vec<Row>; 2],
        entries: &[Entry],
        zone: TimeZone,
    ) -> Result<Rollup> {
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
                changes.push((*origin, Change::told(Resource::Calls, note)));
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
        Ok(rollup)
    }
}

/// What would become of a delivery now, after the calls that `coming` says what they are of its ids;
/// nothing is changed.
pub(crate) async fn foresee(
    context: &Context,
    delivery: &Delivery,
    coming: impl Fn(&str) -> Option<Call>,
) -> Result<Taken> {
    let ids: Vec<&str> = delivery.call_ids().collect();
    let users: BTreeSet<UserId> = delivery.parties().map(|(user, _)| user).collect();
    let snapshot = context.catalog.load_full();
    let mut tx = context.db.snapshot().await?;
    let rows = [
        Some(store::asking_for_known(ids.iter().copied())),
        Some(live::store::asking(ids.iter().copied())),
        Some(ledger::store::asking(users)),
    ];
    let [known, active, accounts] = tx.fetch_each(rows).await?;
    let mut active = ActiveCalls::new(live::store::read_calls(&active)?);
    let accounts = ledger::store::read_accounts(&accounts)?;
    let kept = KeptCall { reason: CallRejection::Unspecified, import: None };
    let again = delivery.brought_again().map(|id| (id, kept)).collect();
    let mut known = store::read_known(&known)?;
    known.extend(ids.iter().filter_map(|id| Some(((*id).to_owned(), coming(id)?))));
    let points = &snapshot.points;
    let mut intake = Intake::of(&[delivery], known, &mut active, points, &accounts, &again);
    Ok(intake.taken.pop().unwrap_or_default())
}

/// The books as the deliveries of a batch leave them, one after the other.
struct Books<'a, 'b> {
    /// The calls of their ids that were there before.
    known: HashMap<String, Call>,
    /// Where among `taken` those are that come with them.
    coming: HashMap<&'a str, (usize, usize)>,
    /// For each delivery.
    taken: Vec<Taken>,
    active: &'b mut ActiveCalls,
    points: &'b Points,
    charges: Charges<'b>,
    unrated: unrated::Outcome<'a>,
}

/// A record that was read.
enum Read<'a> {
    Call(&'a Incoming),
    Refused(&'a Refused),
}

impl<'a> Books<'a, '_> {
    /// Takes a record in, or keeps it as it is.
    fn enter(&mut self, place: usize, position: i64, record: &Read<'a>, kept: &Kept) {
        let (brought, payer, is_kept) = match record {
            Read::Call(incoming) => (&incoming.brought, Some(incoming.call.originator), true),
            Read::Refused(refused) => (&refused.brought, refused.payer, refused.is_kept),
        };
        // Somebody has deleted it meanwhile, or billed it.
        if brought.kept_as.is_some_and(|id| !kept.contains_key(&id)) {
            return;
        }
        let done = match record {
            Read::Call(incoming) => {
                let stored = brought.kept_as.and_then(|id| kept.get(&id));
                let import = stored.map_or(brought.import, |stored| stored.import);
                self.take(place, incoming, import)
            }
            Read::Refused(refused) => self.refuse(place, refused),
        };
        let Err(rejection) = done else {
            self.unrated.settled.extend(brought.kept_as);
            return;
        };
        if brought.kept_as.is_some() {
            self.taken[place].unrated.push(rejection.to_proto());
        } else {
            let call_id = brought.record.call_id.clone();
            let rejected = Numbered { position, call: (call_id, rejection.clone()) };
            self.taken[place].rejected.push(rejected);
        }
        // What cannot be rated as another's either stays as it was.
        if is_kept && !brought.reassigned {
            self.unrated.refused.push(unrated::Refusal {
                brought,
                rejection,
                payer,
                place,
                position,
            });
        }
    }

    /// The call that is in the books under an id, or comes into them.
    fn present(&self, id: &str) -> Option<&Call> {
        let coming = self.coming.get(id);
        let coming = coming.map(|(place, index)| &self.taken[*place].stored[*index]);
        coming.or_else(|| self.known.get(id))
    }

    /// What a record is to the call that has its id, with that id; `None`: no call has. A record with
    /// an id of its own has that one where it is known under it, or where another call has the
    /// first.
    fn relation<'r>(
        &self,
        record: &'r CallRecord,
        call: &Call,
        said: Said,
    ) -> (&'r str, Option<Relation>) {
        let CallRecord { call_id, record_id, .. } = record;
        if !record_id.is_empty()
            && let Some(relation) = self.relation_under(record_id, record, call, said)
        {
            return (record_id, Some(relation));
        }
        match self.relation_under(call_id, record, call, said) {
            Some(Relation::Differs(what)) if self.is_another(record, call, what) => {
                (record_id, None)
            }
            relation => (call_id, relation),
        }
    }

    /// Whether a record with an id of its own is of another call than the one under its call id,
    /// from which it differs. Where that one came without an id of its own, only other parties or
    /// numbers tell, and of an answered call only at another time: times may be those of a mistake, and
    /// so may parties and numbers, which the options of an import say.
    fn is_another(&self, record: &CallRecord, call: &Call, what: &'static str) -> bool {
        if record.record_id.is_empty() {
            return false;
        }
        match self.present(&record.call_id) {
            Some(known) if known.reported.record_id.is_empty() => {
                matches!(what, "originator" | "destination") && !known::is_told_again(known, call)
            }
            None => matches!(what, "originator" | "destination"),
            Some(known) => known.reported.record_id != record.record_id,
        }
    }

    fn relation_under(
        &self,
        id: &str,
        record: &CallRecord,
        call: &Call,
        said: Said,
    ) -> Option<Relation> {
        let known = self.present(id)?;
        let relation = known::relation(known, call, said);
        if !matches!(relation, Relation::Differs(_)) {
            return Some(relation);
        }
        // A switch may say the number that was called, or the one that came of it, with the point
        // or without.
        let from_there = places::as_from_point_of(known, call, self.points);
        std::iter::once(places::as_sent(record, call))
            .chain(from_there)
            .map(|call| known::relation(known, &call, said))
            .find(|other| !matches!(other, Relation::Differs(_)))
            .or(Some(relation))
    }

    /// Takes a call in, as one of an import, or says why it cannot be.
    fn take(
        &mut self,
        place: usize,
        incoming: &'a Incoming,
        import: Option<i64>,
    ) -> Result<(), Rejection> {
        let Incoming { call, said, brought } = incoming;
        let (call_id, relation) = self.relation(&brought.record, call, *said);
        match relation {
            Some(Relation::Same) => self.taken[place].duplicates += 1,
            Some(Relation::Absorbed) => self.taken[place].merged += 1,
            Some(Relation::Differs(what)) => return Err(Rejection::Conflict(what)),
            Some(Relation::Replaces) | None => {
                if call_id != brought.record.call_id {
                    self.unrated.own_ids.insert(call_id, &brought.record.call_id);
                }
                let mut call = Call { import, ..incoming.call.clone() };
                call_id.clone_into(&mut call.reported.call_id);
                let call = as_authorized(call, self.active.get(call_id))?;
                self.charges.add(&call)?;
                self.active.remove(call_id);
                if relation.is_some() {
                    self.replace(place, call);
                    self.taken[place].merged += 1;
                } else {
                    self.coming.insert(call_id, (place, self.taken[place].stored.len()));
                    self.taken[place].stored.push(call);
                }
            }
        }
        Ok(())
    }

    /// Puts a call in the place of the one that has its id, which has cost nothing.
    fn replace(&mut self, place: usize, call: Call) {
        let call_id = call.reported.call_id.as_str();
        if let Some((place, index)) = self.coming.get(call_id) {
            self.taken[*place].stored[*index] = call;
        } else if let Some(known) = self.known.get_mut(call_id) {
            let call = Call { id: known.id, ..call };
            let before = std::mem::replace(known, call.clone());
            self.taken[place].replaced.push((before, call));
        }
    }

    /// Counts a record that cannot be taken as a duplicate, or says why it cannot.
    fn refuse(&mut self, place: usize, refused: &Refused) -> Result<(), Rejection> {
        let record = &refused.brought.record;
        // What is in the books needs no rate any more, nor users who are gone since.
        let relation = if let Some((call, said)) = refused.call.as_deref() {
            self.relation(record, call, *said).1
        } else {
            // Of one that has an id of its own, the call under the other may be another one.
            let id = if record.record_id.is_empty() { &record.call_id } else { &record.record_id };
            let known = self.present(id);
            let known = known.filter(|known| known::agrees(known, record, self.points));
            known.map(|_| Relation::Same)
        };
        match relation {
            Some(Relation::Same) => {
                self.taken[place].duplicates += 1;
                Ok(())
            }
            Some(Relation::Differs(what)) => Err(Rejection::Conflict(what)),
            Some(Relation::Absorbed | Relation::Replaces) | None => Err(refused.rejection.clone()),
        }
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
    // Whose accounts are changed was found out where it was rated.
    let owners = authorized.owners.map(|_, hold| hold.user);
    if owners != call.owner_ids() {
        return Err(Rejection::NotAuthorized("reseller or partner"));
    }
    if !call.is_charged() {
        return Ok(call);
    }
    if let Some(offer) = &authorized.price {
        (call.price, call.prefix) = leg_at(&call.reported, offer)?;
    }
    for (side, hold) in authorized.owners.each() {
        call.set_leg(side, leg_at(&call.reported, &hold.price)?.0);
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
            return Err(Rejection::UnknownOriginator(String::new()));
        }
        if call.terminator.is_some_and(|user| !self.accounts.contains_key(&user)) {
            return Err(Rejection::UnknownTerminator(String::new()));
        }
        if let Some((side, _)) =
            call.owners.each().find(|(_, share)| !self.accounts.contains_key(&share.user))
        {
            return Err(Rejection::UnknownOriginator(format!(": the {side} is gone")));
        }
        let mut sums = Vec::with_capacity(4);
        for (user, side, leg) in call.legs() {
            if leg.amount != Money::ZERO {
                let (sum, calls) = self.sum(user, side);
                let sum = sum.plus(side.change(leg.amount));
                let sum = sum.map_err(|_| Rejection::AmountOutOfRange)?;
                sums.push(((user, side), (sum, calls + 1)));
            }
        }
        let before: Vec<_> =
            sums.iter().map(|(key, _)| (*key, self.sums.get(key).copied())).collect();
        self.sums.extend(sums);
        if call.legs().all(|(user, ..)| self.is_in_range(user)) {
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
        let mut sides = Side::ALL.into_iter();
        sides.try_fold(account.balance, |sum, side| sum.plus(self.sum(user, side).0)).is_ok()
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
        for side in Side::ALL {
            if let Some((user, leg)) = call.leg(side).filter(|(_, leg)| leg.amount != Money::ZERO) {
                call.set_leg(side, Leg { entry: self.get(user, side), ..leg });
            }
        }
    }

    /// The entry of a user and side; 0: there is none.
    pub(super) fn get(&self, user: UserId, side: Side) -> EntryId {
        self.0.get(&(user, side.charged())).copied().unwrap_or(EntryId(0))
    }
}
