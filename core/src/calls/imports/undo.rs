//! Taking an import of calls back, some hundred at a time.
//!
//! The state of the import comes first: from then on no batch brings a call of it. Then go the
//! unrated records, so that none of them becomes a call meanwhile, then the calls, each with what it is
//! charged now, in one transaction with the entries that take that back, the sums, and the count of what
//! is done. Cut short between two transactions it is started again, and finds the rest; of two at once
//! each finds what the other has left.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use tollbook_proto::v1 as pb;

use super::{
    super::{Call, Side, intake, store as calls},
    Locked, State, store,
};
use crate::{
    changes::{Change, Origin},
    context::Context,
    error::{Error, Result},
    ids::{self, UserId},
    ledger::posting::Posting,
    money::{self, Money},
    resource::Resource,
    settings,
    stats::{self, Total, rollup::Rollup},
    store::{Tx, retrying},
    unrated,
};

/// How many calls are read at once, without any lock.
const PAGE: i64 = 5_000;
/// How many calls a transaction takes out: until its end nobody authorises calls of their users.
const CHUNK: usize = if cfg!(test) { 10 } else { 500 };
/// How many balances a response has.
const BALANCES: usize = 1_000;

/// What was taken back so far.
#[derive(Default)]
pub(super) struct Done {
    pub(super) calls: i64,
    pub(super) unrated: i64,
    pub(super) price: Total,
    pub(super) self_cost: Total,
    /// What of that is each user's.
    balances: BTreeMap<UserId, (Total, Total)>,
}

impl Done {
    fn count(&mut self, call: &Call) {
        self.calls += 1;
        self.price += call.price.amount.into();
        self.self_cost += call.self_cost.amount.into();
        for (user, side, leg) in call.legs().filter(|(.., leg)| leg.amount != Money::ZERO) {
            let (paid, earned) = self.balances.entry(user).or_default();
            let sum = if side == Side::Terminator { earned } else { paid };
            *sum += leg.amount.into();
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.unrated += other.unrated;
        self.price += other.price;
        self.self_cost += other.self_cost;
        for (user, (price, self_cost)) in other.balances {
            let sums = self.balances.entry(user).or_default();
            sums.0 += price;
            sums.1 += self_cost;
        }
    }

    async fn into_response(self, context: &Context, id: i64) -> Result<pb::UndoCallImportResponse> {
        let changed = i64::try_from(self.balances.len()).unwrap_or(i64::MAX);
        let shown: Vec<_> = self.balances.into_iter().take(BALANCES).collect();
        let users: HashSet<UserId> = shown.iter().map(|(user, _)| *user).collect();
        let users = context.directory.by_ids(users).await?;
        let mut balances = Vec::with_capacity(shown.len());
        for (user, (price, self_cost)) in shown {
            let username = users.get(&user).map(|user| user.username.clone());
            balances.push(pb::CallImportBalance {
                user_id: user.0,
                username: username.unwrap_or_default(),
                price: Some(money::to_proto(price.value()?)),
                self_cost: Some(money::to_proto(self_cost.value()?)),
            });
        }
        Ok(pb::UndoCallImportResponse {
            calls: self.calls,
            unrated_calls: self.unrated,
            price: Some(money::to_proto(self.price.value()?)),
            self_cost: Some(money::to_proto(self.self_cost.value()?)),
            balances,
            balances_changed: changed,
            call_import: Some(store::get(&mut context.db.snapshot().await?, id).await?),
        })
    }
}

pub(super) async fn undo(
    context: &Context,
    origin: &Origin,
    request: &pb::UndoCallImportRequest,
) -> Result<pb::UndoCallImportResponse> {
    let id: i64 = ids::required("id", request.id)?;
    let undoing = Undoing { context, origin, id };
    let done = match request.dry_run {
        true => undoing.foresee().await?,
        false => undoing.run(request.stop).await?,
    };
    done.into_response(context, id).await
}

/// The note of ledger entries that take back what the calls of an import are charged.
fn note(import: i64) -> String {
    format!("import {import} taken back")
}

/// The import whose calls an entry with this note takes back.
pub(crate) fn import_of(note: &str) -> Option<i64> {
    note.strip_prefix("import ")?.strip_suffix(" taken back")?.parse().ok()
}

const UNDONE: Error = Error::CallImportUndone("has been taken back already");

struct Undoing<'a> {
    context: &'a Context,
    origin: &'a Origin,
    id: i64,
}

impl Undoing<'_> {
    async fn run(&self, stop: bool) -> Result<Done> {
        retrying(|| self.begin(stop)).await?;
        let mut done = Done::default();
        self.unrated(&mut done).await?;
        self.calls(&mut done).await?;
        retrying(|| self.finish()).await?;
        Ok(done)
    }

    /// What would be taken back, as of one moment.
    async fn foresee(&self) -> Result<Done> {
        let mut tx = self.context.db.long(self.origin.actor).snapshot().await?;
        let import = store::get(&mut tx, self.id).await?;
        if import.state() == pb::CallImportState::Undone {
            return Err(UNDONE);
        }
        let unrated = unrated::of_import_alone(&mut tx, self.id).await?;
        let mut done = Done { unrated, ..Done::default() };
        let mut after = i64::MIN;
        loop {
            let page = calls::of_import(&mut tx, self.id, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = last.id;
            for call in &page {
                done.count(call);
            }
        }
    }

    /// Sees to it that no further call of the import comes.
    async fn begin(&self, stop: bool) -> Result<()> {
        let mut tx = self.context.begin_change(self.origin).await?;
        match store::lock(&mut tx, self.id).await?.state {
            State::Undone => return Err(UNDONE),
            // It was cut short, or somebody else is at it.
            State::Undoing => return Ok(()),
            State::Running if !stop => return Err(Error::CallImportRunning),
            State::Running | State::Complete | State::BrokenOff => {}
        }
        store::begin_undo(&mut tx, self.id, self.origin.actor).await?;
        tx.commit(self.change(Resource::CallImport(self.id), "is being taken back")).await
    }

    async fn finish(&self) -> Result<()> {
        let mut tx = self.context.begin_change(self.origin).await?;
        if self.lock(&mut tx).await?.is_some() {
            store::end_undo(&mut tx, self.id).await?;
            tx.commit(self.change(Resource::CallImport(self.id), "taken back")).await?;
        }
        Ok(())
    }

    /// The import, if it is still being taken back: somebody else may have done all of it.
    async fn lock(&self, tx: &mut Tx) -> Result<Option<Locked>> {
        let import = store::lock(tx, self.id).await?;
        Ok(Some(import).filter(|import| import.state == State::Undoing))
    }

    fn change(&self, resource: Resource, note: &str) -> Change {
        Change::told(resource, format!("import {} of calls: {note}", self.id))
    }

    /// Deletes the unrated records that nobody else brought.
    async fn unrated(&self, done: &mut Done) -> Result<()> {
        let mut after = i64::MIN;
        loop {
            let mut tx = self.context.db.snapshot().await?;
            let ids = unrated::of_import(&mut tx, self.id, after).await?;
            drop(tx);
            let Some(last) = ids.last() else { return Ok(()) };
            after = *last;
            let begun = Instant::now();
            done.unrated += retrying(|| self.unrated_chunk(&ids)).await?;
            tokio::time::sleep(begun.elapsed()).await;
        }
    }

    /// Returns how many unrated records were deleted.
    async fn unrated_chunk(&self, ids: &[i64]) -> Result<i64> {
        let mut tx = self.context.begin_change(self.origin).await?;
        let Some(import) = self.lock(&mut tx).await? else { return Ok(0) };
        let back = unrated::take_back(&mut tx, self.id, ids).await?;
        let done = Done { unrated: back.deleted, ..Done::default() };
        store::count_undone(&mut tx, &import, &done).await?;
        let note = match back.shared {
            0 if back.deleted == 0 => return Ok(0),
            0 => format!("{} unrated calls deleted", back.deleted),
            shared => format!(
                "{} unrated calls deleted, and {shared} left that others brought, too",
                back.deleted
            ),
        };
        tx.commit(self.change(Resource::UnratedCalls, &note)).await?;
        self.context.unrated.changed(&back.difference);
        Ok(back.deleted)
    }

    /// Takes all calls out of the books.
    async fn calls(&self, done: &mut Done) -> Result<()> {
        let mut after = i64::MIN;
        loop {
            let mut tx = self.context.db.snapshot().await?;
            let mut page = calls::of_import(&mut tx, self.id, after, PAGE).await?;
            drop(tx);
            match page.last() {
                Some(last) => after = last.id,
                // None is left.
                None if after == i64::MIN => return Ok(()),
                None => {
                    after = i64::MIN;
                    continue;
                }
            }
            // So that a transaction has few users: it locks them all.
            page.sort_by_key(|call| (call.originator, call.terminator, call.id));
            for chunk in page.chunks(CHUNK) {
                let begun = Instant::now();
                let ids: Vec<&str> =
                    chunk.iter().map(|call| call.reported.call_id.as_str()).collect();
                match retrying(|| self.chunk(&ids)).await? {
                    Some(some) => done.add(some),
                    None => return Ok(()),
                }
                // Half of the time the accounts, and the database, are for those who call.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
    }

    /// Takes some calls out of the books as they are now, which may not be as they were read; `None`:
    /// somebody else has done all of it.
    async fn chunk(&self, ids: &[&str]) -> Result<Option<Done>> {
        let mut done = Done::default();
        let mut tx = self.context.begin_change(self.origin).await?;
        if let Some(lock) = stats::store::shared_lock(&tx) {
            tx.execute(lock).await?;
        }
        let Some(import) = self.lock(&mut tx).await? else { return Ok(None) };
        let mut gone = calls::lock(&mut tx, ids).await?;
        gone.retain(|call| call.import == Some(self.id));
        if gone.is_empty() {
            return Ok(Some(done));
        }
        // The zone of the stored days, not of a catalog that may be behind.
        let zone = settings::store::all(&mut tx).await?.time_zone;
        let mut rollup = Rollup::new(zone);
        for call in &gone {
            done.count(call);
            rollup.remove(call);
        }
        let posted = intake::post(&mut tx, &self.postings(&gone)?).await?;
        let ids = gone.iter().map(|call| call.reported.call_id.as_str());
        calls::take_out(&mut tx, ids).await?;
        store::count_undone(&mut tx, &import, &done).await?;
        let note = format!("{} calls taken out of the books", gone.len());
        rollup.write(&mut tx).await?;
        tx.commit(self.change(Resource::Calls, &note)).await?;
        for posted in posted {
            self.context.directory.learn_posted(&posted.entry);
        }
        Ok(Some(done))
    }

    /// What takes back what calls are charged: one posting for each user and side.
    fn postings(&self, gone: &[Call]) -> Result<Vec<Posting>> {
        let mut sums: BTreeMap<(UserId, Side), Money> = BTreeMap::new();
        for call in gone {
            for (user, side, leg) in call.legs().filter(|(.., leg)| leg.amount != Money::ZERO) {
                let sum = sums.entry((user, side)).or_insert(Money::ZERO);
                *sum = sum.minus(side.change(leg.amount))?;
            }
        }
        let note = note(self.id);
        let posting = |((user, side), amount): ((UserId, Side), Money)| -> Posting {
            intake::posting(user, side.reversed(), amount, note.clone())
        };
        let sums = sums.into_iter().filter(|(_, amount)| *amount != Money::ZERO);
        Ok(sums.map(posting).collect())
    }
}
