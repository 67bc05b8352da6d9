//! How many unrated calls there are, as far as this core knows, and how many there may be.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use tollbook_proto::v1::CallRejection;

use super::{Difference, store};
use crate::{calls::reason_name, context::Context, error::Result, measure, store::Db};

/// How often they are counted in the database: other cores keep some, too.
const COUNTED: Duration = Duration::from_secs(60);
/// How often the log says that there is no more room.
const SAID: Duration = Duration::from_secs(60);

/// What is known in memory of the table.
pub(crate) struct Shelf {
    /// How many there may be. Several cores, or deliveries at once, may exceed it by what they
    /// bring together.
    limit: i64,
    counts: Mutex<BTreeMap<CallRejection, i64>>,
    said: Mutex<Option<Instant>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shelf {
    pub(crate) fn new(limit: i64) -> Self {
        Self { limit, counts: Mutex::default(), said: Mutex::default() }
    }

    /// How many more may be kept.
    pub(super) fn room(&self) -> i64 {
        self.limit - locked(&self.counts).values().sum::<i64>()
    }

    /// A transaction has changed the table.
    pub(crate) fn changed(&self, difference: &Difference) {
        {
            let mut counts = locked(&self.counts);
            for (reason, change) in &difference.counts {
                let count = counts.entry(*reason).or_default();
                *count = (*count + change).max(0);
            }
        }
        if difference.dropped == 0 {
            return;
        }
        measure::unrated_dropped(difference.dropped);
        let mut said = locked(&self.said);
        if said.is_none_or(|said| said.elapsed() >= SAID) {
            *said = Some(Instant::now());
            tracing::error!(
                limit = self.limit,
                "there is no room for more unrated calls: those that are refused now are lost"
            );
        }
    }

    /// Counts them anew. What changes meanwhile may be counted twice or not at all, until the next
    /// time.
    pub(crate) async fn count(&self, db: &Db) -> Result<()> {
        let counts = store::counts(db).await?;
        *locked(&self.counts) = counts.into_iter().collect();
        Ok(())
    }

    /// Sets the gauges; those of reasons that no call has to 0.
    pub(crate) fn show(&self) {
        let counts = locked(&self.counts).clone();
        let reasons = (1..).map_while(|number| CallRejection::try_from(number).ok());
        for reason in reasons {
            measure::unrated(reason_name(reason), counts.get(&reason).copied().unwrap_or_default());
        }
        // So that the first one that is lost is seen to be one more.
        measure::unrated_dropped(0);
    }
}

/// Counts unrated calls, for as long as the context is in use.
pub(crate) async fn watch(context: Weak<Context>) {
    loop {
        tokio::time::sleep(COUNTED).await;
        let Some(context) = context.upgrade() else { return };
        if let Err(error) = context.unrated.count(&context.db).await {
            tracing::warn!(error = ?error, "cannot count unrated calls");
        }
        drop::<Arc<_>>(context);
    }
}
