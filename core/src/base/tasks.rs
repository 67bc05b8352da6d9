//! Work that runs to its end whoever leaves.
//!
//! A future is dropped when its client hangs up, gives up by a time-out, or is a shim that goes
//! away. Between a commit and what follows from it (memory that takes the change in) nothing may
//! be dropped: such work runs in a task of its own.

use std::time::Duration;

use tokio::sync::watch;
use tracing::Instrument;

use crate::error::{Error, Result};

/// Tasks, counted, so that a process that stops waits for them.
pub(crate) struct Tasks(watch::Sender<usize>);

impl Default for Tasks {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

/// Counts a task for as long as it lives.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Tasks {
    /// Runs work in a task of its own and waits for it. Whoever stops waiting does not stop the
    /// work. An error means that it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let counted = Counted::new(&self.0);
        let task = async move {
            let _counted = counted;
            work.await
        };
        finished(tokio::spawn(task.in_current_span())).await
    }

    /// Runs work in a task of its own, for which nobody waits but a process that stops.
    pub(crate) fn start(&self, work: impl Future<Output = ()> + Send + 'static) {
        let counted = Counted::new(&self.0);
        let task = async move {
            let _counted = counted;
            work.await;
        };
        drop(tokio::spawn(task.in_current_span()));
    }

    /// Waits until all tasks have ended, but no longer than `patience`. Returns whether they have.
    pub(crate) async fn ended(&self, patience: Duration) -> bool {
        let mut count = self.0.subscribe();
        tokio::time::timeout(patience, count.wait_for(|count| *count == 0)).await.is_ok()
    }
}

/// Runs work that is not part of a request, likewise.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    finished(tokio::spawn(work.in_current_span())).await?
}

async fn finished<T>(task: tokio::task::JoinHandle<T>) -> Result<T> {
    task.await.map_err(|error| match error.is_panic() {
        true => Error::internal("the work on a request panicked"),
        // The process is stopping.
        false => Error::Unavailable,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;

    #[tokio::test]
    async fn f05_work_goes_on_when_nobody_waits_for_it() {
        let tasks = Tasks::default();
        let done = Arc::new(AtomicBool::new(false));
        let seen = done.clone();
        let work = tasks.run(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen.store(true, Ordering::Relaxed);
        });
        assert!(tokio::time::timeout(Duration::from_millis(5), work).await.is_err());
        assert!(!done.load(Ordering::Relaxed));
        assert!(tasks.ended(Duration::from_secs(5)).await);
        assert!(done.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn f05_a_panic_is_an_answer() {
        let tasks = Tasks::default();
        let answer = tasks.run(async { panic!("on purpose") }).await;
        assert!(matches!(answer, Err::<(), _>(Error::Internal(_))));
        assert!(tasks.ended(Duration::ZERO).await);
    }
}
