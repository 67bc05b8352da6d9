//! One transaction for what has gathered.
//!
//! All that the commands of a batch have to know is read at once, with the accounts of everybody
//! concerned locked, and with as many ids as may be needed; they are decided in memory, one on what
//! the other left; and all that has changed is written at once, with the commit. On PostgreSQL these
//! are two round trips, however many commands there are.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use jiff::tz::TimeZone;

use super::{Command, Outcome, Resources};
use crate::{
    calls::{
        self, Side,
        imports::Imports,
        ingest::Delivery,
        intake::{Intake, Taken},
    },
    clock,
    error::{Error, Result},
    ids::UserId,
    ledger::{
        self,
        posting::{Judgement, Keys, Posted, Posting},
        store::Accounts,
    },
    live::{self, ActiveCalls, Board, Concerned},
    measure, settings, stats,
    store::{Query, Row, Sequence, Tx, retrying},
    unrated::{self, Difference},
};

/// Does all commands of a batch, or with an error none; the inner errors are of single commands,
/// which change nothing. `patience` is for rows that others hold.
pub(super) async fn commit(
    resources: &Resources,
    commands: &[Command],
    patience: Option<Duration>,
) -> Result<Vec<Result<Outcome>>> {
    let sorted = Sorted::of(commands);
    let done = retrying(|| sorted.transaction(resources, patience)).await?;
    for posted in &done.charged {
        resources.directory.learn_posted(&posted.entry);
    }
    for posted in done.posted.iter().flatten() {
        resources.directory.learn_posted(&posted.entry);
    }
    for taken in &done.taken {
        measure::calls(taken);
    }
    resources.unrated.changed(&done.unrated);
    Ok(done.in_order_of(commands))
}

/// The commands of a batch by kind, in the order in which they are done: decisions about calls
/// under way, ends of calls, changes of balances.
#[derive(Default)]
struct Sorted<'a> {
    live: Vec<&'a live::Command>,
    deliveries: Vec<&'a Delivery>,
    postings: Vec<&'a Posting>,
}

/// What became of the commands of each kind.
struct Done {
    live: Vec<Result<live::Outcome>>,
    taken: Vec<Taken>,
    posted: Vec<Result<Posted>>,
    /// What the calls were charged.
    charged: Vec<Posted>,
    /// What has changed among the unrated calls.
    unrated: Difference,
}

impl Done {
    fn in_order_of(self, commands: &[Command]) -> Vec<Result<Outcome>> {
        let (mut live, mut taken) = (self.live.into_iter(), self.taken.into_iter());
        let mut posted = self.posted.into_iter();
        let missing = || Err(Error::internal("a command has no outcome"));
        let outcome = |command: &Command| match command {
            Command::Live(_) => live.next().map_or_else(missing, |done| done.map(Outcome::Live)),
            Command::Take(_) => {
                taken.next().map_or_else(missing, |taken| Ok(Outcome::Taken(taken)))
            }
            Command::Post(_) => posted
                .next()
                .map_or_else(missing, |posted| posted.map(Box::new).map(Outcome::Posted)),
        };
        commands.iter().map(outcome).collect()
    }
}

impl<'a> Sorted<'a> {
    fn of(commands: &'a [Command]) -> Self {
        let mut sorted = Self::default();
        for command in commands {
            match command {
                Command::Live(command) => sorted.live.push(command),
                Command::Take(delivery) => sorted.deliveries.push(delivery),
                Command::Post(posting) => sorted.postings.push(posting),
            }
        }
        sorted
    }

    /// The ids of all calls that the batch is about.
    fn call_ids(&self) -> Vec<&str> {
        let live = self.live.iter().map(|command| command.call_id());
        live.chain(self.deliveries.iter().flat_map(|delivery| delivery.call_ids())).collect()
    }

    /// Reads all that the commands have to know, and locks the accounts of all concerned.
    async fn read<'r>(&self, tx: &mut Tx, resources: &'r Resources) -> Result<Found<'r>> {
        let (snapshot, now) = (resources.catalog.load_full(), clock::now());
        let mut concerned = Concerned::default();
        for command in &self.live {
            command.concerns(&snapshot, &mut concerned);
        }
        let parties: HashSet<(UserId, Side)> =
            self.deliveries.iter().flat_map(|delivery| delivery.parties()).collect();
        let users = parties.iter().map(|(user, _)| *user);
        let users = users.chain(self.postings.iter().map(|posting| posting.user));
        let users: BTreeSet<UserId> = users.chain(concerned.users()).collect();
        let call_ids = self.call_ids();
        let ids = || (!call_ids.is_empty()).then(|| call_ids.iter().copied());
        let takes = !self.deliveries.is_empty();
        let again: Vec<i64> =
            self.deliveries.iter().flat_map(|delivery| delivery.brought_again()).collect();
        let [users_of_calls, reserved, terminated, points] = concerned.queries(now);
        let [entries, payments, changes, calls, call_changes, active] = self.ids(tx, parties.len());
        let rows = tx.fetch_each([
            // Before any account is locked: whoever counts all sums anew takes a while.
            stats::store::shared_lock(tx).filter(|_| takes),
            Imports::asked(tx, &self.deliveries),
            Some(ledger::store::locking(tx, users)),
            // All else is read once nobody changes the accounts, nor decides about their calls.
            Keys::asked(&self.postings),
            ids().map(calls::store::asking_for_known),
            ids().map(live::store::asking),
            users_of_calls,
            reserved,
            terminated,
            points,
            // The zone of the stored days, not of a catalog that may be behind.
            takes.then(settings::store::asking_for_time_zone),
            takes.then(unrated::store::asking_for_any),
            (!again.is_empty()).then(|| unrated::store::asking_for(tx, again)),
            // So that the ids of a user's entries ascend in the order in which they are made,
            // whichever core makes them.
            entries,
            payments,
            changes,
            calls,
            call_changes,
            active,
        ]);
        let [
            _,
            imports,
            accounts,
            keys,
            known,
            calls,
            users,
            reserved,
            terminated,
            points,
            zone,
            any_unrated,
            again,
            entry_ids,
            payment_ids,
            change_ids,
            call_ids,
            call_change_ids,
            active_ids,
        ] = rows.await?;
        let imports = Imports::read(&imports, &self.deliveries)?;
        let accounts = ledger::store::read_accounts(&accounts)?;
        let keys = Keys::read(&keys, &self.postings)?;
        let zone = settings::store::read_time_zone(&zone)?;
        let calls = ActiveCalls::new(live::store::read_calls(&calls)?);
        let known = calls::store::read_known(&known)?;
        let rows = [users, reserved, terminated, points];
        let mut board = Board::new(snapshot, now, &rows, &accounts, calls, known)?;
        board.complete(tx, resources, &self.live).await?;
        let ids = Ids {
            postings: [entry_ids, payment_ids, change_ids],
            calls: [call_ids, call_change_ids],
            active: active_ids,
        };
        let unrated = unrated::Table {
            shelf: &resources.unrated,
            is_empty: any_unrated.is_empty(),
            kept: unrated::store::read_kept(&again)?,
        };
        Ok(Found { board, accounts, keys, zone, unrated, ids, imports })
    }

    /// Asks for as many ids as may be needed: of entries, payments and their changes; of calls and
    /// their changes; of calls under way. The calls are charged to so many parties.
    fn ids(&self, tx: &Tx, parties: usize) -> [Option<Query>; 6] {
        let authorizing =
            |command: &&&live::Command| matches!(command, live::Command::Authorize(_));
        let with = |has: fn(&&&Posting) -> bool| self.postings.iter().filter(has).count();
        let calls = self.deliveries.iter().map(|delivery| delivery.rated()).sum();
        [
            tx.ask_for_ids(Sequence::LedgerEntries, self.postings.len() + parties),
            tx.ask_for_ids(Sequence::Payments, with(|posting| posting.payment.is_some())),
            tx.ask_for_ids(Sequence::Changes, with(|posting| posting.origin.is_some())),
            tx.ask_for_ids(Sequence::Calls, calls),
            tx.ask_for_ids(Sequence::Changes, self.deliveries.len()),
            tx.ask_for_ids(Sequence::ActiveCalls, self.live.iter().filter(authorizing).count()),
        ]
    }

    async fn transaction(&self, resources: &Resources, patience: Option<Duration>) -> Result<Done> {
        let mut tx = resources.db.begin().await?;
        if let Some(patience) = patience {
            tx.wait_for_locks(patience);
        }
        let found = self.read(&mut tx, resources).await?;
        let Found { mut board, mut accounts, keys, zone, unrated, ids, imports } = found;

        let live = self.live.iter().map(|command| command.run(&mut board)).collect();
        let snapshot = board.snapshot.clone();
        let (mut active, known) = board.into_calls();
        let points = &snapshot.points;
        let mut intake =
            Intake::of(&self.deliveries, known, &mut active, points, &accounts, &unrated.kept);
        let of_calls = std::mem::take(&mut intake.charges);
        let postings = of_calls.iter().chain(self.postings.iter().copied());
        let judgement = Judgement::of(postings, &mut accounts, &keys);

        let changes_nothing = active.is_unchanged()
            && intake.is_empty()
            && judgement.is_empty()
            && imports.is_empty();
        let written = judgement.write(&mut tx, keys, ids.postings).await?;
        active.write(&mut tx, &ids.active).await?;
        let entries = written.entries.get(..of_calls.len()).unwrap_or_default();
        let (taken, unrated) = intake.write(&mut tx, &ids.calls, entries, zone, &unrated).await?;
        imports.count(&mut tx, &self.deliveries, &taken).await?;
        let mut posted = judgement.results(&mut tx, &accounts, &written).await?;
        if !changes_nothing {
            tx.commit().await?;
        }
        let own = posted.split_off(of_calls.len());
        // They were found to be in range before.
        let charged = posted.into_iter().collect::<Result<_>>()?;
        Ok(Done { live, taken, posted: own, charged, unrated })
    }
}

/// What a batch has to know.
struct Found<'r> {
    board: Board,
    accounts: Accounts,
    keys: Keys,
    zone: TimeZone,
    unrated: unrated::Table<'r>,
    ids: Ids,
    imports: Imports,
}

/// The ids that a batch may use.
struct Ids {
    /// Of entries, of payments, and of their changes.
    postings: [Vec<Row>; 3],
    /// Of calls, and of their changes.
    calls: [Vec<Row>; 2],
    /// Of calls under way.
    active: Vec<Row>,
}
