//! Places that nobody can have all of: so many at once, and of these so many for one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{Error, Result};

/// Some places, of which one `K` has a share at most.
pub(crate) struct Shares<K> {
    all: Arc<Semaphore>,
    limits: Limits,
    /// The places of each who has some, or waits for one.
    of_each: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// How many places there are.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// For all together.
    pub(crate) all: usize,
    /// For one.
    pub(crate) one: usize,
    /// How many of one may have a place or wait for one.
    pub(crate) line: usize,
}

/// A place, until it is dropped.
pub(crate) struct Place(#[expect(dead_code, reason = "held")] [OwnedSemaphorePermit; 2]);

impl<K: Eq + Hash> Shares<K> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { all: Arc::new(Semaphore::new(limits.all)), limits, of_each: Mutex::default() }
    }

    /// Waits for a place, but not for long: [`Error::Busy`]. Others do not wait behind one who
    /// has their share already.
    pub(crate) async fn wait(&self, who: K, patience: Duration) -> Result<Place> {
        let own = self.places_of(who)?;
        let both = async {
            let own = own.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>(Place([
                own,
                self.all.clone().acquire_owned().await?,
            ]))
        };
        let place = tokio::time::timeout(patience, both).await;
        place.ok().and_then(Result::ok).ok_or(Error::Busy)
    }

    /// Takes a place that is free now.
    pub(crate) fn at_once(&self, who: K) -> Result<Place> {
        let own = self.places_of(who)?.try_acquire_owned().map_err(|_| Error::Busy)?;
        let all = self.all.clone().try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Place([own, all]))
    }

    /// The places of one. Whoever has one of them or waits for one keeps them known.
    fn places_of(&self, who: K) -> Result<Arc<Semaphore>> {
        let mut of_each = self.of_each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = of_each.get(&who).and_then(Weak::upgrade) {
            return match Arc::strong_count(&own) > self.limits.line {
                true => Err(Error::Busy),
                false => Ok(own),
            };
        }
        of_each.retain(|_, own| own.strong_count() > 0);
        let own = Arc::new(Semaphore::new(self.limits.one));
        of_each.insert(who, Arc::downgrade(&own));
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn f16_one_has_a_share_and_others_find_the_rest() {
        let shares = Shares::new(Limits { all: 4, one: 2, line: 3 });
        let held = [shares.at_once('a').unwrap(), shares.at_once('a').unwrap()];
        assert!(shares.at_once('a').is_err());
        assert!(shares.wait('a', SOON).await.is_err());
        // One may wait, and the next one is too many.
        let (waiting, refused) =
            tokio::join!(shares.wait('a', SOON), async { shares.places_of('a').is_err() });
        assert!(waiting.is_err() && refused);
        let others = [shares.at_once('b').unwrap(), shares.wait('c', SOON).await.unwrap()];
        assert!(shares.wait('d', SOON).await.is_err());
        drop(held);
        assert!(shares.at_once('d').is_ok());
        drop(others);
        drop(shares.at_once('e').unwrap());
        assert_eq!(shares.of_each.lock().unwrap().len(), 1);
    }
}
