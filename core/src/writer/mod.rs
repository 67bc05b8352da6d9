//! The group-committing writer: whatever changes often queues, one task does it in batches, each
//! batch in one transaction, and everybody is answered after the commit.
//!
//! Making a commit durable costs the same for one change and for hundreds. While one
//! batch is on its way to the disk the next one gathers. Where commits take long, those who were
//! just answered are waited for, for a part of that time: else they would find the next batch
//! gone, and each batch would have half of them. Who comes alone never waits. Nothing is
//! acknowledged before it is durable.

mod batch;
mod held;

pub(crate) use held::Held;

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    calls::{ingest::Delivery, intake::Taken},
    catalog::{Catalog, Snapshot},
    error::{Error, Result},
    ids::UserId,
    ledger::posting::{Posted, Posting},
    live, measure,
    pools::cache::Pools,
    rating::{Rater, decks::Decks},
    store::{self, DatabaseError, Db},
    unrated::Shelf,
    users::directory::Directory,
};

/// How many commands may wait. Beyond it, callers wait to queue.
const QUEUE: usize = 4096;
/// How many commands a transaction does at most.
const BATCH: usize = 512;
/// How many calls a delivery may bring to share a transaction with others. One with more is worth
/// a transaction of its own, and would keep the others waiting.
const SMALL: usize = 16;

/// What the writer works with.
#[derive(Clone)]
pub(crate) struct Resources {
    pub(crate) db: Db,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) decks: Arc<Decks>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) held: Arc<Held>,
    pub(crate) unrated: Arc<Shelf>,
}

/// What can be asked of the writer.
pub(crate) enum Command {
    /// To change a balance.
    Post(Box<Posting>),
    /// To take calls into the books.
    Take(Delivery),
    /// To decide about a call under way.
    Live(live::Command),
}

impl Command {
    /// Whose accounts it wants.
    fn users(&self, snapshot: &Snapshot) -> HashSet<UserId> {
        match self {
            Self::Post(posting) => HashSet::from([posting.user]),
            Self::Take(delivery) => delivery.parties().map(|(user, _)| user).collect(),
            Self::Live(command) => {
                let mut concerned = live::Concerned::default();
                command.concerns(snapshot, &mut concerned);
                concerned.users().collect()
            }
        }
    }
}

/// What a command came to.
pub(crate) enum Outcome {
    Posted(Box<Posted>),
    Taken(Taken),
    Live(live::Outcome),
}

/// For how long clients who were just answered are waited for: half as long as a commit takes, in
/// these limits. Less than a timer can tell is not worth it.
const GATHERING: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_millis(5);

/// For how long a batch waits for rows that somebody else holds, and then each command of it for
/// its own, and all of them together: nobody waits for what others want.
const TOGETHER: Duration = Duration::from_secs(1);
const ALONE: Duration = Duration::from_millis(100);
const ALL_ALONE: Duration = Duration::from_secs(2);
/// For how long a command may wait for its turn. Whoever asked has given up by then, or will ask
/// again.
const TURN: Duration = Duration::from_secs(10);

struct Job {
    queued: Instant,
    command: Command,
    answer: oneshot::Sender<Result<Outcome>>,
}

/// A handle on the writer. Cheap to clone; the writer ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Job>,
    resources: Resources,
}

impl Writer {
    /// Starts the writer's task.
    pub(crate) fn start(resources: Resources) -> Result<Self> {
        let (queue, receiver) = mpsc::channel(QUEUE);
        resources.db.spawn(run(resources.clone(), receiver))?;
        Ok(Self { queue, resources })
    }

    /// Applies a posting. As with the others, the answer comes once it is durable; an error means
    /// that it was not done, except [`Error::CommitUnknown`] and [`Error::Unavailable`], after
    /// which only a repetition under the same idempotency key tells.
    pub(crate) async fn post(&self, posting: Posting) -> Result<Posted> {
        match self.ask(Command::Post(Box::new(posting))).await? {
            Outcome::Posted(posted) => Ok(*posted),
            _ => Err(other_answer()),
        }
    }

    /// Takes calls into the books: all that is left of a delivery, or with an error nothing.
    pub(crate) async fn take(&self, delivery: Delivery) -> Result<Taken> {
        let is_small = delivery.len() <= SMALL;
        let command = Command::Take(delivery);
        let outcome = if is_small {
            self.ask(command).await?
        } else {
            let mut outcomes = commit(&self.resources, &[command], None).await;
            outcomes.pop().unwrap_or(Err(Error::Unavailable))?
        };
        match outcome {
            Outcome::Taken(taken) => Ok(taken),
            _ => Err(other_answer()),
        }
    }

    /// Decides about a call under way.
    pub(crate) async fn live(&self, command: live::Command) -> Result<live::Outcome> {
        match self.ask(Command::Live(command)).await? {
            Outcome::Live(outcome) => Ok(outcome),
            _ => Err(other_answer()),
        }
    }

    /// Takes into memory what decisions need, so that nobody in the queue waits for it.
    pub(crate) async fn prepare(&self, missing: live::Missing) -> Result<()> {
        let Resources { db, catalog, decks, pools, .. } = &self.resources;
        let snapshot = catalog.load_full();
        for pool in missing.pools {
            pools.get(db, &snapshot.pools, pool).await?;
        }
        Rater::load(db, decks, &snapshot, missing.sides).await.map(drop)
    }

    async fn ask(&self, command: Command) -> Result<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.queue
            .send(Job { queued: Instant::now(), command, answer })
            .await
            .map_err(|_| Error::Unavailable)?;
        answered.await.map_err(|_| Error::Unavailable)?
    }
}

fn other_answer() -> Error {
    Error::internal("the writer has answered something else")
}

async fn run(resources: Resources, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    let mut crowd = Crowd::default();
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        crowd.gather(&mut queue, &mut jobs).await;
        set_aside(&resources, &mut jobs);
        let mut answers = Vec::with_capacity(jobs.len());
        let mut commands = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            if job.queued.elapsed() > TURN {
                let _ = job.answer.send(Err(Error::Busy));
                continue;
            }
            answers.push(job.answer);
            commands.push(job.command);
        }
        if commands.is_empty() {
            continue;
        }
        let begun = Instant::now();
        let outcomes = commit(&resources, &commands, Some(TOGETHER)).await;
        measure::commit(commands.len(), begun, queue.len());
        crowd = Crowd { count: commands.len() + queue.len(), patience: begun.elapsed() / 2 };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // A caller who left does not want to know.
            let _ = answer.send(outcome);
        }
    }
}

/// Takes those jobs out that want what somebody else was found to hold, and does them beside the
/// batches: in transactions of their own, as another core would.
fn set_aside(resources: &Resources, jobs: &mut Vec<Job>) {
    if resources.held.is_empty() {
        return;
    }
    let snapshot = resources.catalog.load_full();
    let held: Vec<Job> =
        jobs.extract_if(.., |job| resources.held.has_any(&job.command.users(&snapshot))).collect();
    if held.is_empty() {
        return;
    }
    let resources = resources.clone();
    tokio::spawn(async move {
        let (answers, commands): (Vec<_>, Vec<_>) =
            held.into_iter().map(|job| (job.answer, job.command)).unzip();
        let outcomes = match resources.held.turn() {
            Some(_turn) => around_locks(&resources, &commands).await,
            None => commands.iter().map(|_| Err(Error::Busy)).collect(),
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            let _ = answer.send(outcome);
        }
    });
}

/// Those who may ask soon: who was answered last, and who waited meanwhile.
#[derive(Default)]
struct Crowd {
    count: usize,
    patience: Duration,
}

impl Crowd {
    /// Waits for them, where that pays.
    async fn gather(&self, queue: &mut mpsc::Receiver<Job>, jobs: &mut Vec<Job>) {
        let count = self.count.min(BATCH);
        if self.patience < *GATHERING.start() {
            return;
        }
        let gathering = async {
            while jobs.len() < count && queue.recv_many(jobs, count - jobs.len()).await > 0 {}
        };
        // Who has not come by then is in the next batch.
        let _ = timeout(self.patience.min(*GATHERING.end()), gathering).await;
    }
}

/// Makes a batch durable, and returns what became of each command. It waits so long for rows that
/// somebody else holds; none: as long as any transaction.
pub(crate) async fn commit(
    resources: &Resources,
    commands: &[Command],
    patience: Option<Duration>,
) -> Vec<Result<Outcome>> {
    let error = match batch::commit(resources, commands, patience).await {
        Ok(outcomes) => return outcomes,
        Err(error) => error,
    };
    if let [_] = commands {
        let is_held = patience.is_some() && store::is_locked(&error);
        return vec![Err(if is_held { Error::Busy } else { error })];
    }
    // Done again, they would count twice if they were committed after all.
    if matches!(error, Error::CommitUnknown) {
        return commands.iter().map(|_| Err(Error::CommitUnknown)).collect();
    }
    if store::is_locked(&error) {
        return around_locks(resources, commands).await;
    }
    // Nothing was done, and one command may have spoiled it for all: each gets a transaction of
    // its own.
    tracing::warn!(error = ?error, commands = commands.len(), "batch failed, doing its commands one by one");
    let mut outcomes: Vec<Result<Outcome>> = Vec::with_capacity(commands.len());
    for command in commands {
        // A database that has gone away is not waited for again and again.
        if outcomes.last().is_some_and(|outcome| outcome.as_ref().is_err_and(store::is_away)) {
            outcomes.push(Err(DatabaseError::NoConnection.into()));
            continue;
        }
        outcomes.push(alone(resources, command, None).await);
    }
    outcomes
}

async fn alone(
    resources: &Resources,
    command: &Command,
    patience: Option<Duration>,
) -> Result<Outcome> {
    let outcomes = batch::commit(resources, std::slice::from_ref(command), patience).await;
    outcomes?.pop().unwrap_or(Err(Error::Unavailable))
}

/// Does commands of which some want what somebody else holds: those that do are refused, without
/// waiting for the same rows twice.
async fn around_locks(resources: &Resources, commands: &[Command]) -> Vec<Result<Outcome>> {
    tracing::warn!(commands = commands.len(), "somebody holds rows that a batch wants");
    let begun = Instant::now();
    let mut held: HashSet<UserId> = HashSet::new();
    let mut outcomes = Vec::with_capacity(commands.len());
    for command in commands {
        let users = command.users(&resources.catalog.load());
        // On SQLite it is the whole database that is held.
        let is_hopeless = resources.db.is_exclusive() || begun.elapsed() > ALL_ALONE;
        if is_hopeless || users.iter().any(|user| held.contains(user)) {
            outcomes.push(Err(Error::Busy));
            continue;
        }
        let outcome = alone(resources, command, Some(ALONE)).await;
        let is_held = outcome.as_ref().is_err_and(store::is_locked);
        if is_held {
            resources.held.add(&users);
            held.extend(users);
        } else {
            resources.held.remove(&users);
        }
        outcomes.push(if is_held { Err(Error::Busy) } else { outcome });
    }
    outcomes
}
