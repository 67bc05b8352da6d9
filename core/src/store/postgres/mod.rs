//! What is particular to PostgreSQL.

mod insert;
mod migrations;
mod pool;
mod request;
mod shared;

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_postgres::error::SqlState;

use self::{
    pool::{Connection, Connections, Lease, Maker, Usage},
    request::{Answer, Request},
    shared::Shared,
};
use super::{
    DatabaseError, Insert, LONG_READS, Query, Row, RowBackend, Schema, Sequence, Statement, Tx,
};
use crate::error::{Error, Result};

/// How long a server that is being started is waited for.
const STARTING: Duration = Duration::from_secs(30);
/// How long a transaction waits for rows that another one has locked.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer than the server a client waits for the end of a statement: the server
/// would have stopped it, so that it is the connection that is dead.
const GRACE: Duration = Duration::from_secs(5);

/// How long it is asked what became of a transaction whose commit was not answered.
const ASKING: Duration = Duration::from_secs(10);
/// How long an answer to that is waited for.
const ASKED: Duration = Duration::from_secs(3);
/// How long the keys of transactions are kept at least.
const KEYS_KEPT: Duration = Duration::from_secs(600);
/// How many connections change something, how many look something up, and how many see the
/// database as it was at a moment. Whoever reads for long has connections of their own, and keeps
/// nobody from any of these.
const WRITERS: usize = 10;
const READERS: usize = 4;
const SNAPSHOTS: usize = 4;

/// The connections to a server.
#[derive(Clone)]
pub(super) struct Pool {
    connections: Connections,
    /// Those that look something up.
    reading: Shared,
    snapshots: Connections,
    /// Those that read for long.
    long: Connections,
    watchdog: Watchdog,
    /// Longer than a transaction may wait for its commit.
    keys_kept: Duration,
    /// The server is a replica, which takes no changes.
    pub(super) read_only: bool,
}

/// Gives statements up that will not end any more. Whoever borrowed the connection drops it, and
/// it is looked at before anybody else gets it.
#[derive(Clone, Copy)]
struct Watchdog {
    /// None: statements take as long as they take.
    patience: Option<Duration>,
}

impl Watchdog {
    /// Waits for a statement, or gives it up with its connection.
    async fn watch<T, E>(self, work: impl Future<Output = Result<T, E>>) -> Result<T>
    where
        Error: From<E>,
    {
        let Some(patience) = self.patience else { return Ok(work.await?) };
        if let Ok(done) = timeout(patience, work).await {
            return Ok(done?);
        }
        tracing::error!(?patience, "the database does not answer: a statement is given up");
        Err(DatabaseError::TimedOut.into())
    }
}

/// Opens the connections, and brings the schema up to date.
pub(super) async fn open(url: &str, statement_timeout: Duration, schema: Schema) -> Result<Pool> {
    let config = pool::config(url)?;
    // Migrations take as long as they take.
    let migrating = timeout(STARTING, Connection::open(&config)).await;
    let migrating = migrating.map_err(|_| DatabaseError::NoConnection)??.client;
    let query = "SELECT pg_is_in_recovery()";
    let read_only: bool = migrating.query_one(query, &[]).await?.try_get(0)?;
    match schema {
        Schema::BroughtUpToDate if !read_only => migrations::run(&migrating).await?,
        _ => migrations::check_schema(&migrating).await?,
    }
    drop(migrating);
    let setup = format!(
        "SET TIME ZONE 'UTC'; SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = {statement}",
        statement = statement_timeout.as_millis(),
        lock = LOCK_TIMEOUT.as_millis(),
    );
    let maker = Maker { config, setup };
    Ok(Pool {
        connections: Connections::new(maker.clone(), WRITERS),
        reading: Shared::new(maker.clone(), READERS),
        snapshots: Connections::new(maker.clone(), SNAPSHOTS),
        long: Connections::new(maker, LONG_READS),
        watchdog: Watchdog { patience: Some(statement_timeout + GRACE) },
        // A session that waits for longer than a statement may take is ended by the server.
        keys_kept: KEYS_KEPT.max(2 * statement_timeout),
        read_only,
    })
}

/// Removes what was deleted or overwritten from the files of some tables: they are written anew. So
/// are the samples that the planner keeps, where the user may do that; else PostgreSQL warns, and
/// leaves it to its own cleaning.
pub(super) async fn scrub(pool: &Pool, tables: &[&str]) -> Result<()> {
    let statement = format!("VACUUM FULL {}, pg_catalog.pg_statistic", tables.join(", "));
    let work = async {
        let mut lease = pool.connections.get().await?;
        lease.usage = Usage::Statement;
        lease.connection().client.batch_execute(&statement).await?;
        lease.usage = Usage::None;
        Ok::<_, DatabaseError>(())
    };
    pool.watchdog.watch(work).await
}

/// How many connections there are, and how many of them are idle.
pub(super) fn connections(pool: &Pool) -> (usize, usize) {
    let lent = [&pool.connections, &pool.snapshots, &pool.long];
    let size: usize = lent.map(Connections::size).into_iter().sum();
    let idle: usize = lent.map(Connections::idle).into_iter().sum();
    (size + pool.reading.size(), idle + pool.reading.idle())
}

/// A transaction, and who watches over it. Dropped, it is rolled back.
pub(super) struct Transaction {
    lease: Lease,
    watchdog: Watchdog,
    pool: Pool,
    /// What goes with the next statement that is waited for. At first that is the BEGIN.
    queue: Vec<Request>,
    /// It has done more than read.
    has_written: bool,
    /// A statement failed, or nobody waited for its answer.
    has_failed: bool,
}

pub(super) async fn begin(pool: &Pool) -> Result<Transaction> {
    if pool.read_only {
        return Err(Error::ReadOnly);
    }
    Transaction::begin(pool, &pool.connections, "BEGIN").await
}

/// A transaction that sees the database as it was at its start, and may read it all.
pub(super) async fn snapshot(pool: &Pool, long: bool) -> Result<Transaction> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let connections = if long { &pool.long } else { &pool.snapshots };
    let mut snapshot = Transaction::begin(pool, connections, begin).await?;
    snapshot.take_its_time();
    Ok(snapshot)
}

impl Transaction {
    async fn begin(pool: &Pool, connections: &Connections, begin: &'static str) -> Result<Self> {
        let pool = pool.clone();
        Ok(Self {
            lease: pool.watchdog.watch(connections.get()).await?,
            watchdog: pool.watchdog,
            pool,
            queue: vec![begin.into()],
            has_written: false,
            has_failed: false,
        })
    }

    /// Sets the limit of its waiting.
    pub(super) fn wait_for_locks(&mut self, patience: Duration) {
        let statement = format!("SET LOCAL lock_timeout = {}", patience.as_millis());
        self.queue.push(Query { sql: statement.into(), values: Vec::new() }.into());
    }

    /// Lifts the limit of its statements.
    pub(super) fn take_its_time(&mut self) {
        self.queue.push("SET LOCAL statement_timeout = 0".into());
        self.watchdog.patience = None;
    }

    /// Sends a statement with the next one that is waited for.
    pub(super) fn queue(&mut self, statement: Statement) -> Result<()> {
        self.has_written = true;
        match statement {
            Statement::Query(query) => self.queue.push(query.into()),
            Statement::Insert(insert) => self.queue.extend(insert::requests(insert)?),
        }
        Ok(())
    }

    /// Sends what is queued, and returns the answers, of which the last are those to `queries`.
    async fn send(&mut self, queries: impl IntoIterator<Item = Query>) -> Result<Vec<Answer>> {
        if self.has_failed {
            return Err(DatabaseError::Aborted.into());
        }
        // Also if nobody waits for the end of this.
        self.has_failed = true;
        self.lease.usage = Usage::Transaction;
        let mut requests = std::mem::take(&mut self.queue);
        requests.extend(queries.into_iter().map(Request::from));
        let mut answers = Vec::with_capacity(requests.len());
        request::send(self.lease.connection(), self.watchdog, requests, &mut answers).await?;
        self.has_failed = false;
        Ok(answers)
    }

    /// The rows of queries, which are sent at once; none for one that is left out.
    pub(super) async fn fetch_each<const N: usize>(
        &mut self,
        queries: [Option<Query>; N],
    ) -> Result<[Vec<Row>; N]> {
        let asked = queries.each_ref().map(Option::is_some);
        let mut rows = [const { Vec::new() }; N];
        if !asked.contains(&true) {
            return Ok(rows);
        }
        let mut answers = self.send(queries.into_iter().flatten()).await?.into_iter().rev();
        let places = rows.iter_mut().zip(asked).rev().filter(|(_, asked)| *asked);
        for ((rows, _), answer) in places.zip(&mut answers) {
            *rows = rows_of(answer.rows);
        }
        Ok(rows)
    }

    pub(super) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        let [rows] = self.fetch_each([Some(query)]).await?;
        Ok(rows)
    }

    /// Gives all rows to `take`, none of which is held.
    pub(super) async fn for_each(
        &mut self,
        query: Query,
        mut take: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        self.send([]).await?;
        let mut refused = Ok(());
        let row = |row| {
            if refused.is_ok() {
                refused = take(&Row(RowBackend::Postgres(row)));
            }
            Ok(())
        };
        // Also if nobody waits for the end of this.
        self.has_failed = true;
        let work = request::for_each(self.lease.connection(), query.into(), row);
        self.watchdog.watch(work).await?;
        self.has_failed = false;
        refused
    }

    pub(super) async fn execute(&mut self, query: Query) -> Result<u64> {
        self.has_written = true;
        Ok(self.send([query]).await?.pop().unwrap_or_default().affected)
    }

    pub(super) async fn insert(&mut self, insert: Insert) -> Result<()> {
        self.queue(insert.into())?;
        self.send([]).await.map(drop)
    }

    /// Makes the changes durable. [`Error::CommitUnknown`] means that they may be, or may not be;
    /// any other error, that they are not and never will be.
    ///
    /// An answer can get lost after the server has committed. So each transaction leaves a key
    /// of its own, by which it is asked for then. The key goes with the COMMIT and with the writes
    /// before it: the server carries the COMMIT of a transaction of which something failed out as
    /// a ROLLBACK.
    pub(super) async fn commit(mut self) -> Result<()> {
        if !self.has_written {
            if self.lease.usage != Usage::None {
                self.send([Query::new("COMMIT")]).await?;
                self.lease.usage = Usage::None;
            }
            return Ok(());
        }
        if self.has_failed {
            return Err(DatabaseError::Aborted.into());
        }
        let key: i64 = rand::random();
        let Self { mut lease, watchdog, pool, mut queue, .. } = self;
        let leave = Query::new("INSERT INTO transaction_keys (key, committed) VALUES (");
        queue.push(leave.value(key).and(", TRUE)").into());
        let before = queue.len();
        queue.push("COMMIT".into());
        lease.usage = Usage::Commit;
        let mut answers = Vec::with_capacity(queue.len());
        let sent = request::send(lease.connection(), watchdog, queue, &mut answers).await;
        let Err(error) = sent else {
            lease.usage = Usage::None;
            return Ok(());
        };
        drop(lease);
        match error {
            Error::Database(error) if !is_refusal(&error, answers.len() < before) => {
                settle(&pool, key, error).await
            }
            error => Err(error),
        }
    }
}

/// Whether the server has said that it did not commit: it failed something before the COMMIT; or
/// the COMMIT itself, after a serialization failure, a deadlock or a broken constraint. Any other
/// error of the COMMIT may be of what came behind it, as when somebody cancelled it while it was
/// being made durable: then it is asked.
fn is_refusal(error: &DatabaseError, before_commit: bool) -> bool {
    let DatabaseError::Postgres(error) = error else { return false };
    error.code().is_some_and(|code| {
        let deadlock = &SqlState::T_R_DEADLOCK_DETECTED;
        let lost = code == &SqlState::T_R_SERIALIZATION_FAILURE || code == deadlock;
        before_commit || lost || code.code().starts_with("23")
    })
}

/// Finds out what became of a transaction whose commit was not answered.
async fn settle(pool: &Pool, key: i64, lost: DatabaseError) -> Result<()> {
    let begun = Instant::now();
    loop {
        match is_committed(pool, key).await {
            Ok(committed) => {
                tracing::warn!(error = ?lost, committed, "a commit was not answered");
                return if committed { Ok(()) } else { Err(Error::Database(lost)) };
            }
            Err(error) if begun.elapsed() > ASKING => {
                tracing::error!(error = ?error, "nobody knows whether a transaction was committed");
                return Err(Error::CommitUnknown);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether a transaction was committed. If not, it never will be: its key is taken from now on,
/// so that a COMMIT that is still on its way fails. One that is being worked on is waited for.
async fn is_committed(pool: &Pool, key: i64) -> Result<bool> {
    let watchdog = Watchdog { patience: Some(ASKED) };
    let take = Query::new("INSERT INTO transaction_keys (key, committed) VALUES ")
        .rows([vec![key.into(), false.into()]])
        .and(" ON CONFLICT DO NOTHING");
    fetch_alone(&pool.connections, watchdog, take).await?;
    let ask = Query::new("SELECT committed FROM transaction_keys WHERE key = ").value(key);
    let row = fetch_alone(&pool.connections, watchdog, ask).await?.into_iter().next();
    row.ok_or_else(|| Error::internal("the key of a transaction is gone"))?.get(0)
}

/// Forgets some keys of transactions that nobody asks for any more. Returns how many.
pub(super) async fn forget_keys(tx: &mut Tx, pool: &Pool, limit: i64) -> Result<u64> {
    let kept = i64::try_from(pool.keys_kept.as_secs()).unwrap_or(i64::MAX);
    let query = Query::new(
        "DELETE FROM transaction_keys WHERE key IN (SELECT key FROM transaction_keys \
         WHERE created_at < now() - make_interval(secs => ",
    )
    .value(kept)
    .and("::double precision) ORDER BY created_at LIMIT ")
    .value(limit)
    .and(")");
    tx.execute(query).await
}

fn rows_of(rows: Vec<tokio_postgres::Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(RowBackend::Postgres(row))).collect()
}

/// Takes rows one by one.
fn keep(
    rows: &mut Vec<Row>,
) -> impl FnMut(tokio_postgres::Row) -> Result<(), tokio_postgres::Error> {
    |row| {
        rows.push(Row(RowBackend::Postgres(row)));
        Ok(())
    }
}

/// Runs a statement on a connection of its own, and hands its rows over one by one.
async fn for_each(
    connections: &Connections,
    watchdog: Watchdog,
    query: Query,
    row: impl FnMut(tokio_postgres::Row) -> Result<(), tokio_postgres::Error>,
) -> Result<()> {
    let work = async {
        let mut lease = connections.get().await?;
        lease.usage = Usage::Statement;
        request::for_each(lease.connection(), query.into(), row).await?;
        lease.usage = Usage::None;
        Ok::<_, DatabaseError>(())
    };
    watchdog.watch(work).await
}

/// All rows of a query that has a connection of its own.
async fn fetch_alone(
    connections: &Connections,
    watchdog: Watchdog,
    query: Query,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for_each(connections, watchdog, query, keep(&mut rows)).await?;
    Ok(rows)
}

/// All rows of a query that looks something up, beside those of others.
async fn look_up(pool: &Pool, query: Query) -> Result<Vec<Row>> {
    let asking = pool.reading.get().await?;
    let mut rows = Vec::new();
    let work = request::for_each(asking.connection(), query.into(), keep(&mut rows));
    match pool.watchdog.watch(work).await {
        Ok(_) => asking.is_answered(),
        Err(error) => {
            if matches!(error, Error::Database(DatabaseError::TimedOut)) {
                asking.give_up();
            }
            return Err(error);
        }
    }
    Ok(rows)
}

/// All rows of a query that may take long, or may not.
pub(super) async fn fetch_all(pool: &Pool, long: bool, query: Query) -> Result<Vec<Row>> {
    match long {
        true => fetch_alone(&pool.long, pool.watchdog, query).await,
        false => look_up(pool, query).await,
    }
}

/// The first two columns of all rows of a query that takes long, none of which is held.
pub(super) async fn fetch_pairs(pool: &Pool, query: Query) -> Result<Vec<(i64, i64)>> {
    let mut pairs = Vec::new();
    let keep = |row: tokio_postgres::Row| {
        pairs.push((row.try_get(0)?, row.try_get(1)?));
        Ok(())
    };
    for_each(&pool.long, pool.watchdog, query, keep).await?;
    Ok(pairs)
}

pub(super) fn ask_for_ids(sequence: Sequence, count: i64) -> Query {
    Query::new("SELECT nextval($1::regclass) FROM generate_series(1, $2)")
        .bind(format!("{}_ids", sequence.name()))
        .bind(count)
}

pub(super) fn ids(rows: &[Row], count: usize) -> Result<Vec<i64>> {
    let rows = rows.get(..count).ok_or_else(|| Error::internal("too few ids were asked for"))?;
    rows.iter().map(|row| row.get(0)).collect()
}
