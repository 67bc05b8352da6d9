//! Connections to a file, which are lent; and the threads that wait for it.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    error::{Error, Result},
    store::DatabaseError,
};

/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long another process that writes is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How many statements a connection keeps ready.
const STATEMENTS: usize = 512;

thread_local! {
    /// Whether this thread has nothing else to do while it waits for the disk.
    static MAY_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Runs a task on a thread of its own, on which statements run where they are asked for. Handing
/// each to another thread and back takes longer than most of them.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let runtime = Handle::current();
    let thread = std::thread::Builder::new().name("writer".to_owned());
    let run = move || {
        MAY_WAIT.set(true);
        runtime.block_on(task);
    };
    thread.spawn(run).map(drop).map_err(|error| Error::internal(error.to_string()))
}

/// Does work that waits for the disk: here where the thread may wait, else on another one. It is
/// done to its end whoever leaves.
pub(super) async fn wait<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    if !MAY_WAIT.get() {
        return wait_elsewhere(work).await;
    }
    // As on another thread: a panic is the end of the work, and not of this thread.
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| panicked())
}

/// Does work that waits, on another thread.
pub(super) async fn wait_elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    spawn_blocking(work).await.map_err(|error| match error.is_panic() {
        true => panicked(),
        // The process is stopping.
        false => Error::Unavailable,
    })
}

fn panicked() -> Error {
    Error::internal("a statement panicked")
}

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Reading,
    Writing,
}

/// Opens the file.
pub(super) fn open(path: &PathBuf, purpose: Purpose) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // FULL: a commit is on the disk before it is acknowledged.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA temp_store = MEMORY",
    )?;
    connection.execute_batch(match purpose {
        Purpose::Reading => "PRAGMA query_only = ON",
        // The indexes that new calls go into do not fit the small default cache; and pages that
        // one batch after the other changes go from the log into the file once, not each time.
        Purpose::Writing => "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16384",
    })?;
    Ok(connection)
}

/// Some connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections(Arc<Shared>);

struct Shared {
    path: PathBuf,
    purpose: Purpose,
    idle: Mutex<Vec<Connection>>,
    most: usize,
    places: Arc<Semaphore>,
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    pub(super) fn new(path: PathBuf, purpose: Purpose, most: usize) -> Self {
        let places = Arc::new(Semaphore::new(most));
        Self(Arc::new(Shared { path, purpose, idle: Mutex::default(), most, places }))
    }

    /// How many connections there are, and how many of them are idle.
    pub(super) fn count(&self) -> (usize, usize) {
        let idle = self.0.idle().len();
        (idle + self.0.most - self.0.places.available_permits(), idle)
    }

    /// Closes those that nobody uses.
    pub(super) fn close(&self) {
        let idle = std::mem::take(&mut *self.0.idle());
        drop(idle);
    }

    /// Borrows a connection.
    pub(super) async fn get(&self) -> Result<Lease> {
        let place = timeout(ACQUIRE_TIMEOUT, self.0.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(DatabaseError::NoConnection.into()) };
        let idle = self.0.idle().pop();
        let connection = if let Some(connection) = idle {
            connection
        } else {
            let shared = self.0.clone();
            wait(move || open(&shared.path, shared.purpose)).await??
        };
        Ok(Lease { connection: Some(connection), home: self.0.clone(), _place: place })
    }
}

/// A borrowed connection. Dropped, it goes back, and what it left unfinished is rolled back.
pub(super) struct Lease {
    /// There until it is dropped.
    connection: Option<Connection>,
    home: Arc<Shared>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn connection(&self) -> Result<&Connection, DatabaseError> {
        self.connection.as_ref().ok_or(DatabaseError::NoConnection)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // After some failures, as with a full disk, SQLite has rolled back by itself.
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a connection is given up: its transaction cannot be ended");
            return;
        }
        self.home.idle().push(connection);
    }
}
