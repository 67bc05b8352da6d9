//! The group-committing writer: postings queue, one task applies them in batches, each
//! batch in one transaction, and everybody is answered after the commit.
//!
//! Making a commit durable costs the same for one posting and for hundreds. While one
//! batch is on its way to the disk the next one gathers; nobody waits for a timer. Nothing
//! is acknowledged before it is durable.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};

use super::posting::{self, Posted, Posting};
use crate::{
    error::{Error, Result},
    measure,
    store::{self, Db},
    users::directory::Directory,
};

/// How many postings may wait. Beyond it, callers wait to queue.
const QUEUE: usize = 4096;
/// How many postings a transaction holds at most.
const BATCH: usize = 512;

struct Job {
    posting: Posting,
    answer: oneshot::Sender<Result<Posted>>,
}

/// A handle on the writer. Cheap to clone; the writer ends when the last one is gone.
#[derive(Clone)]
pub(crate) struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the writer's task.
    pub(crate) fn start(db: Db, directory: Arc<Directory>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(db, directory, receiver));
        Self(sender)
    }

    /// Applies a posting. The answer comes once it is durable; an error means that it was
    /// not applied, except [`Error::CommitUnknown`] and [`Error::Unavailable`], after which only
    /// a repetition under the same idempotency key tells.
    pub(crate) async fn post(&self, posting: Posting) -> Result<Posted> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Job { posting, answer }).await.map_err(|_| Error::Unavailable)?;
        answered.await.map_err(|_| Error::Unavailable)?
    }
}

async fn run(db: Db, directory: Arc<Directory>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        let (postings, answers): (Vec<_>, Vec<_>) =
            jobs.drain(..).map(|job| (job.posting, job.answer)).unzip();
        let begun = Instant::now();
        let results = commit(&db, &directory, &postings).await;
        measure::commit(postings.len(), begun, queue.len());
        for (answer, result) in answers.into_iter().zip(results) {
            // A caller who left does not want to know.
            let _ = answer.send(result);
        }
    }
}

/// Makes a batch durable, and returns what became of each posting.
pub(super) async fn commit(
    db: &Db,
    directory: &Directory,
    postings: &[Posting],
) -> Vec<Result<Posted>> {
    let error = match commit_together(db, directory, postings).await {
        Ok(results) => return results,
        Err(error) => error,
    };
    if postings.len() == 1 {
        return vec![Err(error)];
    }
    // Applied again, they would count twice if they were committed after all.
    if matches!(error, Error::CommitUnknown) {
        return postings.iter().map(|_| Err(Error::CommitUnknown)).collect();
    }
    // Nothing was done, and one posting may have spoiled it for all: each gets a transaction of
    // its own.
    tracing::warn!(error = ?error, postings = postings.len(), "batch failed, applying its postings one by one");
    let mut results: Vec<Result<Posted>> = Vec::with_capacity(postings.len());
    for posting in postings {
        // A database that has gone away is not waited for again and again.
        if results.last().is_some_and(|result| result.as_ref().is_err_and(store::is_away)) {
            results.push(Err(Error::Unavailable));
            continue;
        }
        let result = commit_together(db, directory, std::slice::from_ref(posting)).await;
        results
            .push(result.and_then(|mut results| results.pop().unwrap_or(Err(Error::Unavailable))));
    }
    results
}

async fn commit_together(
    db: &Db,
    directory: &Directory,
    postings: &[Posting],
) -> Result<Vec<Result<Posted>>> {
    let results = store::retrying(|| transaction(db, postings)).await?;
    for posted in results.iter().flatten() {
        directory.learn_posted(&posted.entry);
    }
    Ok(results)
}

async fn transaction(db: &Db, postings: &[Posting]) -> Result<Vec<Result<Posted>>> {
    let mut tx = db.begin().await?;
    let results = posting::apply(&mut tx, postings).await?;
    tx.commit().await?;
    Ok(results)
}
