//! What is particular to SQLite.

mod pool;

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{
    CachedStatement, Connection, ErrorCode, OpenFlags,
    types::{FromSql, ToSql, Value as Stored},
};
use rust_decimal::Decimal;
use tokio::sync::mpsc;

use self::pool::{Connections, Lease, Purpose, wait, wait_elsewhere};
use super::{
    DatabaseError, Insert, LONG_READS, Query, Row, RowBackend, Schema, Sequence, Value,
    migrations::{self, Applied, LEAST, Migration, MigrationError},
};
use crate::{
    error::{Error, Result},
    files,
};

/// How many connections look something up.
const READERS: usize = 4;
/// How many rows go from one thread to another at once.
const CHUNK: usize = 256;

/// Connections that read, and the one that writes: SQLite has one writer at a time, and
/// waiting for it in a pool is cheaper and fairer than waiting for a file lock.
#[derive(Clone)]
pub(super) struct Pools {
    read: Connections,
    /// Those that read for long.
    long: Connections,
    write: Connections,
    path: PathBuf,
}

impl Pools {
    /// Those for a read that may take long, or may not.
    fn reading(&self, long: bool) -> &Connections {
        if long { &self.long } else { &self.read }
    }
}

/// Runs the task that writes most, on a thread of its own.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    pool::spawn(task)
}

/// Writes the database as it is at one moment into a new file, beside whoever is using it.
pub(super) async fn backup(path: &Path, to: &str) -> Result<()> {
    // SQLite takes an empty file for one that is not there, and leaves its mode as it is.
    files::create(Path::new(to)).map_err(|error| Error::internal(error.to_string()))?;
    let (path, to) = (path.to_owned(), to.to_owned());
    let work = move || -> rusqlite::Result<()> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.execute("VACUUM INTO ?1", [to])?;
        Ok(())
    };
    Ok(wait(work).await??)
}

/// Removes what was deleted or overwritten from the file and from the log beside it: it is written
/// anew from what is there, and the log is emptied.
pub(super) async fn scrub(pools: &Pools) -> Result<()> {
    let path = pools.path.clone();
    let work = move || -> Result<(), DatabaseError> {
        let connection = pool::open(&path, Purpose::Writing)?;
        connection.execute_batch("PRAGMA secure_delete = ON; VACUUM")?;
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy: bool = connection.query_row(checkpoint, [], |row| row.get(0))?;
        if is_busy { Err(DatabaseError::Busy) } else { Ok(()) }
    };
    Ok(wait(work).await??)
}

/// Closes the connections that nobody uses. The last one that is closed writes the log into the
/// file, and removes it.
pub(super) fn close(pools: &Pools) {
    for connections in [&pools.read, &pools.long, &pools.write] {
        connections.close();
    }
}

/// How many connections there are, and how many of them are idle.
pub(super) fn connections(pools: &Pools) -> (usize, usize) {
    let counts = [&pools.read, &pools.long, &pools.write].map(Connections::count);
    counts.into_iter().fold((0, 0), |(all, idle), one| (all + one.0, idle + one.1))
}

/// Nobody but the owner may read the database. What SQLite puts beside it gets its mode.
fn keep_private(path: &Path) -> io::Result<()> {
    match files::create(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    for suffix in files::DATABASE_SUFFIXES {
        let file = files::with_suffix(path, suffix);
        if let Some(remark) = files::keep_private(&file).remark(&file) {
            tracing::warn!("{remark}");
        }
    }
    Ok(())
}

pub(super) async fn open(path: &Path, schema: Schema) -> Result<Pools> {
    if schema == Schema::BroughtUpToDate {
        keep_private(path).map_err(|error| {
            Error::internal(format!("the database {} cannot be opened: {error}", path.display()))
        })?;
    } else if !path.exists() {
        return Err(Error::OtherSchema);
    }
    let path = path.to_owned();
    let checked = path.clone();
    wait(move || match schema {
        Schema::BroughtUpToDate => Ok(migrate(&pool::open(&checked, Purpose::Writing)?)?),
        Schema::AsItIs => check_schema(&checked),
    })
    .await??;
    Ok(Pools {
        read: Connections::new(path.clone(), Purpose::Reading, READERS),
        long: Connections::new(path.clone(), Purpose::Reading, LONG_READS),
        write: Connections::new(path.clone(), Purpose::Writing, 1),
        path,
    })
}

const MIGRATIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// Brings the schema up to date, in one transaction. Others who open the file meanwhile wait.
fn migrate(connection: &Connection) -> Result<(), MigrationError> {
    let failed =
        |version| move |error: rusqlite::Error| MigrationError::Failed(error.into(), version);
    let begin = || {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        connection.execute_batch(MIGRATIONS_TABLE)?;
        applied(connection)
    };
    let missing = begin().map_err(failed(0))?.missing(migrations::sqlite())?;
    for migration in &missing {
        apply(connection, migration).map_err(failed(migration.version))?;
    }
    connection.execute_batch("COMMIT").map_err(failed(0))
}

/// Whether this version can work with the schema as it is. Changes nothing of the file, whatever it is.
fn check_schema(path: &Path) -> Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    match applied(&connection).map(|applied| applied.missing(migrations::sqlite())) {
        Ok(Ok(missing)) if missing.is_empty() => Ok(()),
        Ok(Err(error @ MigrationError::TooNew { .. })) => Err(error.into()),
        _ => Err(Error::OtherSchema),
    }
}

fn applied(connection: &Connection) -> rusqlite::Result<Applied> {
    let mut applied = Applied::default();
    let query = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
    let mut statement = connection.prepare(query)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match row.get(1)? {
            true => drop(applied.whole.insert(row.get(0)?, row.get(2)?)),
            false => applied.half.push(row.get(0)?),
        }
    }
    if applied.says_least() {
        applied.least = Some(connection.query_row(LEAST, [], |row| row.get(0))?);
    }
    Ok(applied)
}

fn apply(connection: &Connection, migration: &Migration) -> rusqlite::Result<()> {
    connection.execute_batch(migration.sql)?;
    connection.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (?1, ?2, TRUE, ?3, -1)",
        (migration.version, migration.description(), migration.checksum()),
    )?;
    Ok(())
}

/// A transaction. Dropped, it is rolled back.
pub(super) struct Transaction {
    /// The connection, unless a statement has gone off with it. Never locked: a connection can be
    /// sent between threads, and not shared.
    lease: Mutex<Option<Lease>>,
}

/// A transaction that may write.
pub(super) async fn begin(pools: &Pools) -> Result<Transaction> {
    // IMMEDIATE: a transaction that reads first and writes later never fails half way
    // because another process wrote in between.
    Transaction::begin(&pools.write, "BEGIN IMMEDIATE").await
}

/// A transaction that reads, maybe for long.
pub(super) async fn snapshot(pools: &Pools, long: bool) -> Result<Transaction> {
    Transaction::begin(pools.reading(long), "BEGIN").await
}

/// All rows of a query that may take long, or may not.
pub(super) async fn fetch_all(pools: &Pools, long: bool, query: Query) -> Result<Vec<Row>> {
    let lease = pools.reading(long).get().await?;
    Ok(wait(move || rows(lease.connection()?, query)).await??)
}

/// The first two columns of all rows of a query that takes long, none of which is held.
pub(super) async fn fetch_pairs(pools: &Pools, query: Query) -> Result<Vec<(i64, i64)>> {
    let lease = pools.long.get().await?;
    let work = move || {
        let mut pairs = Vec::new();
        each(lease.connection()?, query, |row| {
            pairs.push((row.get(0)?, row.get(1)?));
            Ok(true)
        })?;
        Ok::<_, DatabaseError>(pairs)
    };
    Ok(wait_elsewhere(work).await??)
}

impl Transaction {
    async fn begin(connections: &Connections, begin: &'static str) -> Result<Self> {
        let mut tx = Self { lease: Mutex::new(Some(connections.get().await?)) };
        tx.with(|connection| Ok(connection.execute_batch(begin)?)).await?;
        Ok(tx)
    }

    fn lease(&mut self) -> &mut Option<Lease> {
        self.lease.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with the connection.
    async fn with<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
    ) -> Result<T> {
        let lease = self.lease().take().ok_or(DatabaseError::Aborted)?;
        let work = move || {
            let done = lease.connection().and_then(work);
            (lease, done)
        };
        let (lease, done) = wait(work).await?;
        *self.lease() = Some(lease);
        Ok(done?)
    }

    pub(super) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        self.with(|connection| rows(connection, query)).await
    }

    /// Gives all rows to `take`, none of which is held.
    pub(super) async fn for_each(
        &mut self,
        query: Query,
        mut take: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        let (chunks, mut read) = mpsc::channel::<Vec<Row>>(1);
        let lease = self.lease().take().ok_or(DatabaseError::Aborted)?;
        let reading = wait_elsewhere(move || {
            let done = lease.connection().and_then(|connection| send(connection, query, &chunks));
            (lease, done)
        });
        let taking = async move {
            while let Some(chunk) = read.recv().await {
                chunk.iter().try_for_each(&mut take)?;
            }
            Ok(())
        };
        let (done, taken) = tokio::join!(reading, taking);
        let (lease, done) = done?;
        *self.lease() = Some(lease);
        done?;
        taken
    }

    /// How many rows a statement changes.
    pub(super) async fn execute(&mut self, query: Query) -> Result<u64> {
        let changed = self.with(|connection| {
            let mut statement = prepare(connection, &query)?;
            bind(&mut statement, query.values)?;
            let changed = statement.raw_execute()?;
            put_back(statement, &query.sql);
            Ok(changed)
        });
        Ok(u64::try_from(changed.await?).unwrap_or(u64::MAX))
    }

    pub(super) async fn insert(&mut self, insert: Insert) -> Result<()> {
        self.with(move |connection| {
            let places = vec!["?"; insert.columns.len()].join(", ");
            // FAIL: who fails half way rolls the transaction back as a whole; SQLite need not keep
            // a copy of every page to take back the statement alone.
            let sql = format!(
                "INSERT OR FAIL INTO {} ({}) VALUES ({places}){}",
                insert.table,
                insert.columns.join(", "),
                insert.on_conflict,
            );
            let mut statement = connection.prepare_cached(&sql)?;
            for row in insert.rows {
                bind(&mut statement, row)?;
                statement.raw_execute()?;
            }
            Ok(())
        })
        .await
    }

    /// Makes the changes durable. Whatever fails is rolled back; but where the disk did not keep
    /// what it was given, all of it may be in the log, and be found there after a crash.
    pub(super) async fn commit(mut self) -> Result<()> {
        let committed = self.with(|connection| Ok(connection.execute_batch("COMMIT")?)).await;
        let Err(Error::Database(DatabaseError::Sqlite(error))) = &committed else {
            return committed;
        };
        if error.sqlite_error_code() != Some(ErrorCode::SystemIoFailure) {
            return committed;
        }
        let overwritten = self.with(|connection| {
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            Ok(connection.execute_batch(OVERWRITE)?)
        });
        match overwritten.await {
            Ok(()) => committed,
            Err(_) => Err(Error::CommitUnknown),
        }
    }
}

/// Takes the place of what another transaction left in the log.
const OVERWRITE: &str = "BEGIN IMMEDIATE; \
     UPDATE sequences SET next_id = next_id + 1 WHERE name = 'changes'; COMMIT";

/// All rows of a query.
fn rows(connection: &Connection, query: Query) -> Result<Vec<Row>, DatabaseError> {
    let mut rows = Vec::new();
    each(connection, query, |row| {
        rows.push(held(row)?);
        Ok(true)
    })?;
    Ok(rows)
}

/// Sends all rows of a query, some at a time, until nobody wants them.
fn send(
    connection: &Connection,
    query: Query,
    chunks: &mpsc::Sender<Vec<Row>>,
) -> Result<(), DatabaseError> {
    let mut chunk = Vec::with_capacity(CHUNK);
    each(connection, query, |row| {
        chunk.push(held(row)?);
        if chunk.len() < CHUNK {
            return Ok(true);
        }
        let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
        Ok(chunks.blocking_send(full).is_ok())
    })?;
    // Whoever left does not want the rest either.
    let _ = chunks.blocking_send(chunk);
    Ok(())
}

/// Gives the rows of a query to `take`, until it wants no more.
fn each(
    connection: &Connection,
    query: Query,
    mut take: impl FnMut(&rusqlite::Row) -> rusqlite::Result<bool>,
) -> Result<(), DatabaseError> {
    let mut statement = prepare(connection, &query)?;
    bind(&mut statement, query.values)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        if !take(row)? {
            break;
        }
    }
    drop(rows);
    put_back(statement, &query.sql);
    Ok(())
}

/// How long a statement may be that is kept ready. Longer ones hardly ever come twice.
const LONGEST: usize = 8_192;

fn prepare<'c>(
    connection: &'c Connection,
    query: &Query,
) -> Result<CachedStatement<'c>, DatabaseError> {
    Ok(connection.prepare_cached(&sql(query)?)?)
}

/// Keeps a statement ready, unless it is too long.
fn put_back(statement: CachedStatement<'_>, sql: &str) {
    if sql.len() > LONGEST {
        statement.discard();
    }
}

/// A row with copies of its values.
fn held(row: &rusqlite::Row) -> rusqlite::Result<Row> {
    let columns = 0..row.as_ref().column_count();
    let values = columns.map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?;
    Ok(Row(RowBackend::Sqlite(values)))
}

/// A column of such a row.
pub(super) fn read<T: FromSql>(values: &[Stored], column: usize) -> Result<T> {
    let value = values.get(column).ok_or_else(|| Error::internal("a column is missing"))?;
    T::column_result(value.into())
        .map_err(|error| Error::internal(format!("a stored value cannot be read: {error}")))
}

pub(super) fn ask_for_ids(sequence: Sequence, count: i64) -> Query {
    Query::new(
        "UPDATE sequences SET next_id = next_id + $1 WHERE name = $2 \
         RETURNING next_id - $3, next_id",
    )
    .bind(count)
    .bind(sequence.name())
    .bind(count)
}

pub(super) fn ids(rows: &[Row], count: usize) -> Result<Vec<i64>> {
    let row = rows.first().ok_or_else(|| Error::internal("a sequence is missing"))?;
    let (first, end): (i64, i64) = (row.get(0)?, row.get(1)?);
    let ids: Vec<i64> = (first..end).take(count).collect();
    if ids.len() == count { Ok(ids) } else { Err(Error::internal("too few ids were asked for")) }
}

/// How many parameters may have names. SQLite walks through all that it knows for each that it
/// meets: with thousands, that takes longer than the statement.
const NAMED: usize = 64;

/// The statement, with `?` for each `$n` where they are many. Nameless ones are counted, so that
/// they must come in their order, each once, as all of ours do.
fn sql(query: &Query) -> Result<Cow<'_, str>, DatabaseError> {
    if query.values.len() <= NAMED {
        return Ok(Cow::Borrowed(&query.sql));
    }
    let mut parts = query.sql.split('$');
    let mut sql = String::with_capacity(query.sql.len());
    sql.push_str(parts.next().unwrap_or_default());
    for (number, part) in (1_usize..).zip(parts) {
        let end = part.find(|char: char| !char.is_ascii_digit()).unwrap_or(part.len());
        if part[..end].parse() != Ok(number) {
            return Err(DatabaseError::Disordered);
        }
        sql.push('?');
        sql.push_str(&part[end..]);
    }
    Ok(Cow::Owned(sql))
}

/// Binds values in their order.
fn bind(statement: &mut rusqlite::Statement, values: Vec<Value>) -> rusqlite::Result<()> {
    for (number, value) in (1..).zip(values) {
        let value: &dyn ToSql = match &value {
            Value::Bool(value) => value,
            Value::Int(value) => value,
            Value::Text(value) => value,
            Value::Bytes(value) => value,
            // The shortest text of the exact value.
            Value::Decimal(value) => &value.map(|value| value.normalize().to_string()),
        };
        statement.raw_bind_parameter(number, value)?;
    }
    Ok(())
}

pub(super) fn read_decimal(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text)
        .map_err(|_| Error::internal("the database holds an amount that is not a number"))
}
