//! For simulations: a process that dies between any two steps of its transactions.

use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};

/// When the process dies. All transactions of a database share it.
#[derive(Clone, Default)]
pub(crate) struct Crash(Arc<Mutex<Option<u32>>>);

impl Crash {
    /// It dies after so many more steps: nothing that it does later has an effect.
    pub(crate) fn after(&self, steps: u32) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(steps);
    }

    /// A new process, which lives. Returns whether the old one had died.
    pub(crate) fn restart(&self) -> bool {
        let mut left = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        left.take() == Some(0)
    }

    /// A step of the process; an error if it is dead.
    pub(super) fn step(&self) -> Result<()> {
        let mut left = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match left.as_mut() {
            None => Ok(()),
            Some(0) => Err(Error::Database(sqlx::Error::WorkerCrashed)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}
