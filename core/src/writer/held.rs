//! Users whose accounts somebody else holds: another core that hangs in the middle of something, an
//! operator at a prompt. What is asked of them shares no batch with others, who would wait along.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::ids::UserId;

/// How long it is remembered.
const REMEMBERED: Duration = Duration::from_secs(5);

pub(crate) struct Held {
    users: Mutex<HashMap<UserId, Instant>>,
    turn: Semaphore,
}

impl Default for Held {
    fn default() -> Self {
        Self { users: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl Held {
    fn users(&self) -> MutexGuard<'_, HashMap<UserId, Instant>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anybody at all: hardly ever.
    pub(super) fn is_empty(&self) -> bool {
        let mut users = self.users();
        users.retain(|_, since| since.elapsed() < REMEMBERED);
        users.is_empty()
    }

    pub(super) fn has_any(&self, of: &HashSet<UserId>) -> bool {
        let users = self.users();
        of.iter().any(|user| users.contains_key(user))
    }

    pub(super) fn add(&self, held: &HashSet<UserId>) {
        self.users().extend(held.iter().map(|user| (*user, Instant::now())));
    }

    pub(super) fn remove(&self, free: &HashSet<UserId>) {
        self.users().retain(|user, _| !free.contains(user));
    }

    /// The right to wait for them; none: somebody does already.
    pub(super) fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turn.try_acquire().ok()
    }
}
