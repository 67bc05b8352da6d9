//! The memory that the bodies of all requests share.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How much of each body is not counted: nearly all requests are shorter, and find room whoever
/// else is sending large ones.
const FREE: usize = 8 * 1024;

/// How long a body waits for room before it is refused.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// So many bytes for the bodies of requests, however many there are. They are taken as a body
/// comes, and given back when it is dropped.
#[derive(Clone)]
pub struct Budget(Arc<Semaphore>);

/// A whole body, and its part of the budget.
#[derive(Default)]
pub struct Held {
    /// What was sent.
    pub bytes: Bytes,
    room: Option<OwnedSemaphorePermit>,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is longer than one may be.
    #[error("the body is too large")]
    TooLarge,
    /// Other bodies take all the memory that there is for them.
    #[error("there is no room for the body")]
    NoRoom,
    /// The client broke off.
    #[error("the body broke off: {0}")]
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

impl Budget {
    /// A budget of so many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    /// Reads a body of at most `limit` bytes. How long that may take is for the caller to say.
    ///
    /// # Errors
    /// The body is too large, there is no room for it, or it broke off.
    pub async fn collect<B>(&self, body: B, limit: usize) -> Result<Held, Refusal>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = std::pin::pin!(body);
        let (mut bytes, mut room) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::Broken(error.into()))?;
            let Ok(mut data) = frame.into_data() else { continue };
            let needed = bytes.len() + data.remaining();
            if needed > limit {
                return Err(Refusal::TooLarge);
            }
            if needed > bytes.capacity() {
                let wanted = needed.next_power_of_two().min(limit);
                self.make_room(&mut room, wanted).await?;
                bytes.reserve_exact(wanted - bytes.len());
            }
            while data.has_remaining() {
                let chunk = data.chunk();
                bytes.extend_from_slice(chunk);
                let taken = chunk.len();
                data.advance(taken);
            }
        }
        Ok(Held { bytes: bytes.into(), room })
    }

    /// Takes what a body of a size needs beyond what it has.
    async fn make_room(
        &self,
        room: &mut Option<OwnedSemaphorePermit>,
        wanted: usize,
    ) -> Result<(), Refusal> {
        let has = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = wanted.saturating_sub(FREE + has);
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| Refusal::TooLarge)?;
        let taking = tokio::time::timeout(MAX_WAIT, self.0.clone().acquire_many_owned(more));
        let Ok(Ok(more)) = taking.await else { return Err(Refusal::NoRoom) };
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }
}

impl Held {
    /// How much of the budget it holds.
    #[must_use]
    pub fn room(&self) -> usize {
        self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http_body_util::Full;

    use super::*;

    fn body(size: usize) -> Full<Bytes> {
        Full::new(vec![7; size].into())
    }

    #[tokio::test]
    async fn f17_large_bodies_share_one_budget_and_small_ones_always_find_room() {
        let budget = Budget::new(100_000);
        let limit = 1_000_000;
        let first = budget.collect(body(60_000), limit).await.unwrap();
        assert_eq!((first.bytes.len(), first.room()), (60_000, 65_536 - FREE));
        assert!(matches!(budget.collect(body(60_000), limit).await, Err(Refusal::NoRoom)));
        let small = budget.collect(body(FREE), limit).await.unwrap();
        assert_eq!((small.bytes.len(), small.room()), (FREE, 0));
        drop(first);
        assert!(budget.collect(body(60_000), limit).await.is_ok());
        assert!(matches!(budget.collect(body(1_000), 999).await, Err(Refusal::TooLarge)));
        assert!(budget.collect(body(0), 0).await.unwrap().bytes.is_empty());
    }
}
