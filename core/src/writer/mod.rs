//! The group-committing writer: whatever changes often queues, one task does it in batches, each
//! batch in one transaction, and everybody is answered after the commit.
//!
//! Making a commit durable costs the same for one change and for hundreds. While one
//! batch is on its way to the disk the next one gathers. Where commits take long, those who were
//! just answered are waited for, for a part of that time: else they would find the next batch
//! gone, and each batch would have half of them. Who comes alone never waits. Nothing is
//! acknowledged before it is durable.

mod batch;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    calls::ingest::{Delivery, Taken},
    catalog::Catalog,
    error::{Error, Result},
    ledger::posting::{Posted, Posting},
    live, measure,
    pools::cache::Pools,
    rating::decks::Decks,
    store::{self, Db},
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

struct Job {
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
            let mut outcomes = commit(&self.resources, &[command]).await;
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

    async fn ask(&self, command: Command) -> Result<Outcome> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Job { command, answer }).await.map_err(|_| Error::Unavailable)?;
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
        let (commands, answers): (Vec<_>, Vec<_>) =
            jobs.drain(..).map(|job| (job.command, job.answer)).unzip();
        let begun = Instant::now();
        let outcomes = commit(&resources, &commands).await;
        measure::commit(commands.len(), begun, queue.len());
        crowd = Crowd { count: commands.len() + queue.len(), patience: begun.elapsed() / 2 };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // A caller who left does not want to know.
            let _ = answer.send(outcome);
        }
    }
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

/// Makes a batch durable, and returns what became of each command.
pub(crate) async fn commit(resources: &Resources, commands: &[Command]) -> Vec<Result<Outcome>> {
    let error = match batch::commit(resources, commands).await {
        Ok(outcomes) => return outcomes,
        Err(error) => error,
    };
    if commands.len() == 1 {
        return vec![Err(error)];
    }
    // Done again, they would count twice if they were committed after all.
    if matches!(error, Error::CommitUnknown) {
        return commands.iter().map(|_| Err(Error::CommitUnknown)).collect();
    }
    // Nothing was done, and one command may have spoiled it for all: each gets a transaction of
    // its own.
    tracing::warn!(error = ?error, commands = commands.len(), "batch failed, doing its commands one by one");
    let mut outcomes: Vec<Result<Outcome>> = Vec::with_capacity(commands.len());
    for command in commands {
        // A database that has gone away is not waited for again and again.
        if outcomes.last().is_some_and(|outcome| outcome.as_ref().is_err_and(store::is_away)) {
            outcomes.push(Err(Error::Unavailable));
            continue;
        }
        let outcome = batch::commit(resources, std::slice::from_ref(command)).await;
        outcomes.push(
            outcome.and_then(|mut outcomes| outcomes.pop().unwrap_or(Err(Error::Unavailable))),
        );
    }
    outcomes
}
