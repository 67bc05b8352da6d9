//! For simulations: a process that dies between any two steps of its transactions, and answers to
//! commits that get lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DatabaseError;
use crate::error::Result;

/// What got lost on the way to the database or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The commit: nothing was done.
    Commit,
    /// Its answer: everything was done.
    Answer,
}

#[derive(Default)]
struct Fate {
    /// The process dies after so many steps.
    steps: Option<u32>,
    lost: Option<Lost>,
}

/// What happens, and when. All transactions of a database share it.
#[derive(Clone, Default)]
pub(crate) struct Crash(Arc<Mutex<Fate>>);

impl Crash {
    fn fate(&self) -> MutexGuard<'_, Fate> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process dies after so many more steps: nothing that it does later has an effect.
    pub(crate) fn after(&self, steps: u32) {
        self.fate().steps = Some(steps);
    }

    /// The next commit, or its answer, gets lost.
    pub(crate) fn lose(&self, lost: Lost) {
        self.fate().lost = Some(lost);
    }

    /// A new process, which lives, and loses nothing. Returns whether the old one had died.
    pub(crate) fn restart(&self) -> bool {
        std::mem::take(&mut *self.fate()).steps == Some(0)
    }

    /// What gets lost of the commit that is being made.
    pub(super) fn lost(&self) -> Option<Lost> {
        self.fate().lost.take()
    }

    /// A step of the process; an error if it is dead.
    pub(super) fn step(&self) -> Result<()> {
        match self.fate().steps.as_mut() {
            None => Ok(()),
            Some(0) => Err(DatabaseError::NoConnection.into()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}
