//! What would become of calls, batch after batch, where nothing is stored.

use std::collections::HashMap;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Call,
    ingest::Delivery,
    intake::{self, Taken},
};
use crate::{
    context::Context,
    error::{Error, Result},
};

/// How many dry runs there are at a time, and how many calls each takes: what it would have stored is
/// kept in memory, so that a second copy of a call is found.
static PLACES: Semaphore = Semaphore::const_new(2);
const MOST: usize = 500_000;

/// A dry run.
pub(super) struct DryRun {
    /// What would be in the books, by the ids of the calls.
    coming: HashMap<String, Call>,
    taken: usize,
    _place: SemaphorePermit<'static>,
}

impl DryRun {
    pub(super) fn begin() -> Result<Self> {
        let place = PLACES.try_acquire().map_err(|_| Error::Busy)?;
        Ok(Self { coming: HashMap::new(), taken: 0, _place: place })
    }

    /// What would become of a delivery after those before it.
    pub(super) async fn take(&mut self, context: &Context, delivery: &Delivery) -> Result<Taken> {
        self.taken += delivery.len();
        if self.taken > MOST {
            return Err(Error::invalid("calls", "are more than the 500000 that a dry run takes"));
        }
        let coming = |id: &str| self.coming.get(id).cloned();
        let taken = intake::foresee(context, delivery, coming).await?;
        let calls = taken.in_the_books().cloned();
        self.coming.extend(calls.map(|call| (call.reported.call_id.clone(), call)));
        Ok(taken)
    }
}
