//! Connections to a server, which are lent.

use std::{
    env,
    future::poll_fn,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, config::SslMode, error::SqlState};

use super::{GRACE, request::Statements};
use crate::store::DatabaseError;

/// How long a connection is waited for.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may be idle and is still taken to be alive.
pub(super) const FRESH: Duration = Duration::from_secs(1);
/// How long a connection is used: the server's side of it grows.
const LIFETIME: Duration = Duration::from_secs(1800);

/// What a URL says, completed as `psql` would.
pub(super) fn config(url: &str) -> Result<Config, DatabaseError> {
    let mut config: Config = url.parse()?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(DatabaseError::NoTls);
    }
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if config.get_ports().is_empty()
        && let Some(port) = variable("PGPORT").and_then(|port| port.parse().ok())
    {
        config.port(port);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let sockets = ["/var/run/postgresql", "/private/tmp", "/tmp"].into_iter();
        let mut sockets =
            sockets.filter(|path| Path::new(path).join(format!(".s.PGSQL.{port}")).exists());
        let found = || sockets.next().unwrap_or("localhost").to_owned();
        config.host(variable("PGHOST").unwrap_or_else(found));
    }
    if config.get_user().is_none()
        && let Some(user) = variable("PGUSER")
    {
        config.user(user);
    }
    if config.get_password().is_none()
        && let Some(password) = variable("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_dbname().is_none()
        && let Some(name) = variable("PGDATABASE")
    {
        config.dbname(name);
    }
    Ok(config)
}

/// A connection, and what it has seen.
pub(super) struct Connection {
    pub(super) client: Client,
    statements: Mutex<Statements>,
    /// Carries what the client says, and the answers.
    task: AbortHandle,
    made: Instant,
}

impl Connection {
    /// Makes a connection.
    pub(super) async fn open(config: &Config) -> Result<Self, DatabaseError> {
        let (client, mut connection) = config.connect(NoTls).await?;
        let carrying = tokio::spawn(async move {
            while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) => tracing::debug!(%notice, "PostgreSQL"),
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(error = ?error, "a connection to the database broke");
                        return;
                    }
                }
            }
        });
        let task = carrying.abort_handle();
        Ok(Self { client, statements: Mutex::default(), task, made: Instant::now() })
    }

    pub(super) fn statements(&self) -> MutexGuard<'_, Statements> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can still be used, as far as that is known here.
    fn is_open(&self) -> bool {
        !self.client.is_closed() && self.made.elapsed() <= LIFETIME
    }

    /// Whether a connection that nobody has used since `used` can be taken to work.
    pub(super) fn is_fresh(&self, used: Instant) -> bool {
        self.is_open() && used.elapsed() < FRESH
    }

    /// Whether a connection that nobody has used since `used` still works.
    pub(super) async fn is_alive(&self, used: Instant) -> bool {
        if self.is_fresh(used) || !self.is_open() {
            return self.is_open();
        }
        let alive = timeout(ACQUIRE_TIMEOUT / 2, self.client.batch_execute("")).await;
        if alive.is_err() {
            self.give_up();
        }
        matches!(alive, Ok(Ok(())))
    }

    /// Drops it, with all that is asked on it.
    pub(super) fn give_up(&self) {
        self.task.abort();
    }

    /// Ends what was left unfinished, so that the connection can be used again; `false` if it
    /// cannot, and is given up.
    async fn recover(&self, usage: Usage) -> bool {
        let end = if usage == Usage::Statement { "" } else { "ROLLBACK" };
        if let Ok(ended) = timeout(GRACE, self.client.batch_execute(end)).await {
            return ended.is_ok();
        }
        // The server may be at work for nobody any more. A commit, though, is not to be hurried:
        // it may be waiting for a replica, and somebody will ask what became of it.
        if usage != Usage::Commit {
            let _ = timeout(GRACE, self.client.cancel_token().cancel_query(NoTls)).await;
        }
        self.give_up();
        false
    }
}

/// What makes connections.
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) config: Config,
    /// The first thing that each connection says.
    pub(super) setup: String,
}

impl Maker {
    /// A new connection; waits for a server that is being started.
    pub(super) async fn make(&self) -> Result<Arc<Connection>, DatabaseError> {
        let mut pause = Duration::from_millis(10);
        loop {
            // On the heap: it is large, and hardly ever needed.
            let connected = Box::pin(async {
                let connection = Connection::open(&self.config).await?;
                connection.client.batch_execute(&self.setup).await?;
                Ok(Arc::new(connection))
            });
            match connected.await {
                Err(DatabaseError::Postgres(error)) if is_starting(&error) => {
                    tracing::debug!(error = ?error, "the database takes no connection yet");
                    sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                done => return done,
            }
        }
    }
}

/// So many connections at most. Cheap to clone.
#[derive(Clone)]
pub(in crate::store) struct Connections(Arc<Inner>);

struct Inner {
    maker: Maker,
    most: usize,
    permits: Arc<Semaphore>,
    /// Since when, and which. The last one is lent first.
    idle: Mutex<Vec<(Instant, Arc<Connection>)>>,
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Arc<Connection>)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection, or a new one.
    async fn connection(&self) -> Result<Arc<Connection>, DatabaseError> {
        loop {
            let Some((used, connection)) = self.idle().pop() else { break };
            if connection.is_alive(used).await {
                return Ok(connection);
            }
        }
        self.maker.make().await
    }
}

/// Whether a server that is being started would fail a connection in this way.
fn is_starting(error: &tokio_postgres::Error) -> bool {
    if let Some(code) = error.code() {
        return matches!(*code, SqlState::CANNOT_CONNECT_NOW | SqlState::TOO_MANY_CONNECTIONS);
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
    })
}

impl Connections {
    /// Up to `most` connections, which are made when they are needed.
    pub(super) fn new(maker: Maker, most: usize) -> Self {
        let permits = Arc::new(Semaphore::new(most));
        Self(Arc::new(Inner { maker, most, permits, idle: Mutex::default() }))
    }

    /// Borrows a connection; waits for one if all are in use.
    pub(super) async fn get(&self) -> Result<Lease, DatabaseError> {
        let pool = &self.0;
        let lease = async {
            let permit = pool.permits.clone().acquire_owned().await;
            let permit = permit.map_err(|_| DatabaseError::NoConnection)?;
            let connection = pool.connection().await?;
            Ok(Lease { connection, pool: pool.clone(), permit: Some(permit), usage: Usage::None })
        };
        timeout(ACQUIRE_TIMEOUT, lease).await.unwrap_or(Err(DatabaseError::NoConnection))
    }

    /// How many connections there are.
    pub(super) fn size(&self) -> usize {
        self.0.most - self.0.permits.available_permits() + self.idle()
    }

    /// How many connections are idle.
    pub(super) fn idle(&self) -> usize {
        self.0.idle().len()
    }
}

/// What a borrowed connection is being used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// Nothing: it can be used by others.
    None,
    /// A statement was sent.
    Statement,
    /// A transaction was begun.
    Transaction,
    /// A COMMIT was sent.
    Commit,
}

/// A borrowed connection. One that is dropped in the middle of something goes back once that is
/// ended, or is given up.
pub(super) struct Lease {
    connection: Arc<Connection>,
    pool: Arc<Inner>,
    permit: Option<OwnedSemaphorePermit>,
    pub(super) usage: Usage,
}

impl Lease {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (connection, pool) = (self.connection.clone(), self.pool.clone());
        if connection.client.is_closed() {
            return;
        }
        if self.usage == Usage::None {
            pool.idle().push((Instant::now(), connection));
            return;
        }
        let Ok(runtime) = Handle::try_current() else {
            connection.give_up();
            return;
        };
        let (usage, permit) = (self.usage, self.permit.take());
        runtime.spawn(async move {
            if connection.recover(usage).await {
                pool.idle().push((Instant::now(), connection));
            }
            drop(permit);
        });
    }
}
