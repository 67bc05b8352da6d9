//! What is particular to PostgreSQL.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use sqlx::{
    Connection, Executor, PgConnection, PgPool, Postgres, Row as _, migrate::Migrator,
    postgres::PgPoolOptions,
};
use tokio::time::Instant;

use super::{
    AssertSqlSafe, Insert, LONG_READS, Query, Row, RowBackend, Sequence, Tx, Value, bound,
};
use crate::error::{Error, Result};

/// How long a connection is waited for.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
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
/// How many connections change something, and how many look something up. Whoever reads for long
/// has connections of their own, and keeps nobody from either.
const WRITERS: u32 = 10;
const READERS: u32 = 6;

/// The connections to a server.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) connections: PgPool,
    /// Those that look something up.
    pub(super) reading: PgPool,
    /// Those that read for long.
    pub(super) long: PgPool,
    pub(super) watchdog: Watchdog,
    /// Longer than a transaction may wait for its commit.
    keys_kept: Duration,
    /// The server is a replica, which takes no changes.
    pub(super) read_only: bool,
}

/// Gives statements up that will not end any more.
#[derive(Clone)]
pub(super) struct Watchdog {
    /// None: statements take as long as they take.
    patience: Option<Duration>,
    /// How many statements were given up whose connections have not been found dead yet. A
    /// connection that was alive after all is never found: from then on the pool looks twice.
    given_up: Arc<AtomicI64>,
}

impl Watchdog {
    /// Waits for a statement, or gives it up with its connection.
    async fn watch<T>(&self, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T> {
        let Some(patience) = self.patience else { return Ok(work.await?) };
        if let Ok(done) = tokio::time::timeout(patience, work).await {
            return Ok(done?);
        }
        self.given_up.fetch_add(1, Ordering::Relaxed);
        tracing::error!(?patience, "the database does not answer: a statement is given up");
        Err(Error::Database(timed_out()))
    }

    /// The same, however long it takes.
    fn unhurried(&self) -> Self {
        Self { patience: None, ..self.clone() }
    }

    /// Whether a connection that comes back to the pool is alive. The pool itself would wait
    /// for ever for one that is not.
    async fn is_alive(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        if self.given_up.load(Ordering::Relaxed) <= 0 {
            return Ok(true);
        }
        let alive = tokio::time::timeout(GRACE, connection.ping()).await;
        if matches!(alive, Ok(Ok(()))) {
            return Ok(true);
        }
        self.given_up.fetch_sub(1, Ordering::Relaxed);
        Err(timed_out())
    }
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::ErrorKind::TimedOut.into())
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Whether the schema is that of this version. A replica's is changed on its primary.
async fn check_schema(connection: &mut PgConnection) -> Result<()> {
    let query = sqlx::query("SELECT version, checksum FROM _sqlx_migrations WHERE success");
    let rows = match query.fetch_all(connection).await {
        Ok(rows) => rows,
        // There is no such table: nothing was ever migrated.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let applied = rows
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<BTreeMap<i64, Vec<u8>>, sqlx::Error>>()?;
    let same = MIGRATIONS.iter().all(|migration| {
        applied.get(&migration.version).is_some_and(|checksum| **checksum == *migration.checksum)
    });
    let none_is_newer = applied.len() == MIGRATIONS.iter().count();
    if same && none_is_newer { Ok(()) } else { Err(Error::ReplicaSchema) }
}

/// Opens the connections, and brings the schema up to date.
pub(super) async fn open(url: &str, statement_timeout: Duration) -> Result<Pool> {
    // Migrations take as long as they take. They are under an advisory lock: cores that start
    // together migrate once.
    let migrating = PgPoolOptions::new().max_connections(1).connect(url).await?;
    let mut connection = migrating.acquire().await?;
    let read_only: bool =
        sqlx::query("SELECT pg_is_in_recovery()").fetch_one(&mut *connection).await?.try_get(0)?;
    if read_only {
        check_schema(&mut connection).await?;
    } else {
        MIGRATIONS.run(&mut *connection).await?;
    }
    drop(connection);
    migrating.close().await;
    let limits = format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock}; \
         SET idle_in_transaction_session_timeout = {statement}",
        statement = statement_timeout.as_millis(),
        lock = LOCK_TIMEOUT.as_millis(),
    );
    let watchdog = Watchdog { patience: Some(statement_timeout + GRACE), given_up: Arc::default() };
    let released = watchdog.clone();
    let options = PgPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |connection, _| {
            let limits = limits.clone();
            Box::pin(async move {
                connection.execute(AssertSqlSafe(limits)).await?;
                Ok(())
            })
        })
        .after_release(move |connection, _| {
            let watchdog = released.clone();
            Box::pin(async move { watchdog.is_alive(connection).await })
        });
    let reading = options.clone().max_connections(READERS).connect(url).await?;
    let long = options.clone().max_connections(LONG_READS).connect(url).await?;
    let connections = options.max_connections(WRITERS).connect(url).await?;
    // A session that waits for longer than a statement may take is ended by the server.
    let keys_kept = KEYS_KEPT.max(2 * statement_timeout);
    Ok(Pool { connections, reading, long, watchdog, keys_kept, read_only })
}

/// Removes what was deleted or overwritten from the files of some tables: they are written anew. So
/// are the samples that the planner keeps, where the user may do that; else PostgreSQL warns, and
/// leaves it to its own cleaning.
pub(super) async fn scrub(pool: &Pool, tables: &[&str]) -> Result<()> {
    let statement = format!("VACUUM FULL {}, pg_catalog.pg_statistic", tables.join(", "));
    pool.watchdog.watch(pool.connections.execute(AssertSqlSafe(statement))).await?;
    Ok(())
}

/// How many connections there are, and how many of them are idle.
pub(super) fn connections(pool: &Pool) -> (u32, usize) {
    let Pool { connections, reading, long, .. } = pool;
    let size = connections.size() + reading.size() + long.size();
    (size, connections.num_idle() + reading.num_idle() + long.num_idle())
}

/// A transaction, and who watches over it.
pub(super) struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    watchdog: Watchdog,
    pool: Pool,
    /// It has done more than read.
    has_written: bool,
}

pub(super) async fn begin(pool: &Pool) -> Result<Transaction> {
    if pool.read_only {
        return Err(Error::ReadOnly);
    }
    let watchdog = pool.watchdog.clone();
    let inner = watchdog.watch(pool.connections.begin()).await?;
    Ok(Transaction { inner, watchdog, pool: pool.clone(), has_written: false })
}

/// A transaction that sees the database as it was at its start, and may read it all.
pub(super) async fn snapshot(pool: &Pool, reading: &PgPool) -> Result<Transaction> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let inner = pool.watchdog.watch(reading.begin_with(begin)).await?;
    let watchdog = pool.watchdog.clone();
    let mut snapshot = Transaction { inner, watchdog, pool: pool.clone(), has_written: false };
    snapshot.take_its_time().await?;
    Ok(snapshot)
}

impl Transaction {
    /// Lifts the limit of its statements.
    pub(super) async fn take_its_time(&mut self) -> Result<()> {
        let lift = self.inner.execute("SET LOCAL statement_timeout = 0");
        self.watchdog.watch(lift).await?;
        self.watchdog = self.watchdog.unhurried();
        Ok(())
    }

    pub(super) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        fetch_all(&mut *self.inner, &self.watchdog, query).await
    }

    pub(super) async fn execute(&mut self, query: Query) -> Result<u64> {
        self.has_written = true;
        let work = bound!(query, storable, std::convert::identity).execute(&mut *self.inner);
        Ok(self.watchdog.watch(work).await?.rows_affected())
    }

    pub(super) async fn insert(&mut self, insert: Insert) -> Result<()> {
        self.has_written = true;
        let Self { inner, watchdog, .. } = self;
        match insert.on_conflict.is_empty() {
            true => watchdog.watch(copy(inner, insert)).await,
            false => watchdog.watch(upsert(inner, insert)?).await,
        }
    }

    /// Makes the changes durable. [`Error::CommitUnknown`] means that they may be, or may not be;
    /// any other error, that they are not and never will be.
    ///
    /// An answer can get lost after the server has committed. So each transaction leaves a key
    /// of its own, by which it is asked for then. The key goes with the COMMIT in one message,
    /// and so does the BEGIN of an empty transaction, which sqlx takes back when ours is dropped.
    pub(super) async fn commit(self) -> Result<()> {
        let Self { mut inner, watchdog, pool, has_written } = self;
        if !has_written {
            return watchdog.watch(inner.commit()).await;
        }
        let key: i64 = rand::random();
        let commit = format!(
            "INSERT INTO transaction_keys (key, committed) VALUES ({key}, TRUE); COMMIT; BEGIN"
        );
        let answer = watchdog.watch(inner.execute(AssertSqlSafe(commit))).await;
        drop(inner);
        match answer {
            Ok(_) => Ok(()),
            Err(Error::Database(error)) if !is_refusal(&error) => settle(&pool, key, error).await,
            Err(error) => Err(error),
        }
    }
}

/// Whether the server has said that it did not commit: after a serialization failure, a deadlock or
/// a broken constraint. Any other error may be of what came behind the COMMIT, as when somebody
/// cancelled it while it was being made durable: then it is asked.
fn is_refusal(error: &sqlx::Error) -> bool {
    let said = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    said.is_some_and(|code| matches!(&*code, "40001" | "40P01") || code.starts_with("23"))
}

/// Finds out what became of a transaction whose commit was not answered.
async fn settle(pool: &Pool, key: i64, lost: sqlx::Error) -> Result<()> {
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
    let watchdog = Watchdog { patience: Some(ASKED), ..pool.watchdog.clone() };
    let take = Query::new("INSERT INTO transaction_keys (key, committed) VALUES ")
        .rows([vec![key.into(), false.into()]])
        .and(" ON CONFLICT DO NOTHING");
    fetch_all(&pool.connections, &watchdog, take).await?;
    let ask = Query::new("SELECT committed FROM transaction_keys WHERE key = ").value(key);
    let row = fetch_all(&pool.connections, &watchdog, ask).await?.into_iter().next();
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

pub(super) async fn fetch_all<'e, E>(
    executor: E,
    watchdog: &Watchdog,
    query: Query,
) -> Result<Vec<Row>>
where
    E: Executor<'e, Database = Postgres>,
{
    let work = bound!(query, storable, std::convert::identity).fetch_all(executor);
    let rows = watchdog.watch(work).await?;
    Ok(rows.into_iter().map(|row| Row(RowBackend::Postgres(row))).collect())
}

/// The first two columns of all rows, none of which is held.
pub(super) async fn fetch_pairs(
    pool: &PgPool,
    watchdog: &Watchdog,
    query: Query,
) -> Result<Vec<(i64, i64)>> {
    let work = async {
        let mut rows = bound!(query, storable, std::convert::identity).fetch(pool);
        let mut pairs = Vec::new();
        while let Some(row) = rows.try_next().await? {
            pairs.push((row.try_get(0)?, row.try_get(1)?));
        }
        Ok(pairs)
    };
    watchdog.watch(work).await
}

/// New rows go in by `COPY`, a fraction of the work of a statement.
async fn copy(tx: &mut PgConnection, insert: Insert) -> Result<(), sqlx::Error> {
    let statement = format!("COPY {} ({}) FROM STDIN", insert.table, insert.columns.join(", "));
    let mut data = String::with_capacity(insert.rows.len() * insert.columns.len() * 8);
    for row in insert.rows {
        let mut separator = "";
        for value in row {
            data.push_str(separator);
            separator = "\t";
            match value {
                Value::Bool(value) => data.push(if value { 't' } else { 'f' }),
                Value::Int(None) => data.push_str("\\N"),
                Value::Int(Some(value)) => write!(data, "{value}").unwrap_or_default(),
                Value::Decimal(value) => write!(data, "{value}").unwrap_or_default(),
                Value::Text(text) => push_escaped(&mut data, &text),
            }
        }
        data.push('\n');
    }
    let mut copy = tx.copy_in_raw(&statement).await?;
    copy.send(data.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

fn push_escaped(data: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '\\' => data.push_str("\\\\"),
            '\t' => data.push_str("\\t"),
            '\n' => data.push_str("\\n"),
            '\r' => data.push_str("\\r"),
            char => data.push(char),
        }
    }
}

/// Rows that may be there already go in as an array per column: one statement, however many
/// they are.
fn upsert(
    tx: &mut PgConnection,
    insert: Insert,
) -> Result<impl Future<Output = Result<(), sqlx::Error>>> {
    let mut columns: Vec<Column> = Vec::with_capacity(insert.columns.len());
    for row in insert.rows {
        for (index, value) in row.into_iter().enumerate() {
            if columns.len() == index {
                columns.push(Column::of(&value));
            }
            columns[index].push(value)?;
        }
    }
    let arrays: Vec<String> = (1..)
        .zip(&columns)
        .map(|(number, column)| format!("${number}::{}[]", column.type_name()))
        .collect();
    let sql = format!(
        "INSERT INTO {} ({}) SELECT * FROM UNNEST({}){}",
        insert.table,
        insert.columns.join(", "),
        arrays.join(", "),
        insert.on_conflict
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for column in columns {
        query = match column {
            Column::Bool(values) => query.bind(values),
            Column::Int(values) => query.bind(values),
            Column::Text(values) => query.bind(values),
            Column::Decimal(values) => query.bind(values),
        };
    }
    Ok(async move { query.execute(tx).await.map(drop) })
}

/// The values of a column.
enum Column {
    Bool(Vec<bool>),
    Int(Vec<Option<i64>>),
    Text(Vec<String>),
    Decimal(Vec<Decimal>),
}

impl Column {
    fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool(Vec::new()),
            Value::Int(_) => Self::Int(Vec::new()),
            Value::Text(_) => Self::Text(Vec::new()),
            Value::Decimal(_) => Self::Decimal(Vec::new()),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "BOOLEAN",
            Self::Int(_) => "BIGINT",
            Self::Text(_) => "TEXT",
            Self::Decimal(_) => "NUMERIC",
        }
    }

    fn push(&mut self, value: Value) -> Result<()> {
        match (self, value) {
            (Self::Bool(values), Value::Bool(value)) => values.push(value),
            (Self::Int(values), Value::Int(value)) => values.push(value),
            (Self::Text(values), Value::Text(value)) => values.push(value),
            (Self::Decimal(values), Value::Decimal(value)) => values.push(value),
            _ => return Err(Error::internal("the values of a column are of several kinds")),
        }
        Ok(())
    }
}

/// PostgreSQL refuses texts with a NUL. Stored texts are checked long before and have none,
/// so that a text to look for may have another character in its place: it fits nothing.
fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

pub(super) fn ask_for_ids(sequence: Sequence, count: i64) -> Query {
    Query::new("SELECT nextval($1::regclass) FROM generate_series(1, $2)")
        .bind(format!("{}_ids", sequence.name()))
        .bind(count)
}

pub(super) fn is_retriable(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    // serialization_failure, deadlock_detected
    matches!(error.code().as_deref(), Some("40001" | "40P01"))
}
