//! What is particular to SQLite.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use sqlx::{
    AssertSqlSafe, Connection, Executor, Row as _, Sqlite, SqliteConnection, SqlitePool,
    Transaction,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions,
        SqliteSynchronous,
    },
};

use super::{Insert, LONG_READS, Query, Row, RowBackend, Sequence, Value};
use crate::{
    error::{Error, Result},
    files,
};

/// Connections that read, and the one that writes: SQLite has one writer at a time, and
/// waiting for it in a pool is cheaper and fairer than waiting for a file lock.
#[derive(Clone)]
pub(super) struct Pools {
    read: SqlitePool,
    /// Those that read for long.
    pub(super) long: SqlitePool,
    write: SqlitePool,
    path: PathBuf,
}

impl Pools {
    /// Those for a read that may take long, or may not.
    pub(super) fn reading(&self, long: bool) -> &SqlitePool {
        if long { &self.long } else { &self.read }
    }
}

/// Writes the database as it is at one moment into a new file, beside whoever is using it.
pub(super) async fn backup(path: &Path, to: &str) -> Result<()> {
    // SQLite takes an empty file for one that is not there, and leaves its mode as it is.
    files::create(Path::new(to)).map_err(sqlx::Error::Io)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10));
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("VACUUM INTO $1").bind(to).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Removes what was deleted or overwritten from the file and from the log beside it: it is written
/// anew from what is there, and the log is emptied.
pub(super) async fn scrub(pools: &Pools) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(&pools.path)
        .busy_timeout(Duration::from_secs(10))
        .pragma("secure_delete", "ON");
    let mut connection = SqliteConnection::connect_with(&options).await?;
    for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
        let rows = sqlx::query(statement).fetch_all(&mut connection).await?;
        let busy: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        if busy != 0 {
            return Err(sqlx::Error::Io(io::ErrorKind::ResourceBusy.into()).into());
        }
    }
    Ok(connection.close().await?)
}

/// How many connections there are, and how many of them are idle.
pub(super) fn connections(pools: &Pools) -> (u32, usize) {
    let Pools { read, long, write, .. } = pools;
    let size = read.size() + long.size() + write.size();
    (size, read.num_idle() + long.num_idle() + write.num_idle())
}

/// Nobody but the owner may read the database. What SQLite puts beside it gets its mode.
fn keep_private(path: &Path) -> Result<(), sqlx::Error> {
    match files::create(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(sqlx::Error::Io(error)),
    }
    for suffix in files::DATABASE_SUFFIXES {
        let file = files::with_suffix(path, suffix);
        if let Some(remark) = files::keep_private(&file).remark(&file) {
            tracing::warn!("{remark}");
        }
    }
    Ok(())
}

pub(super) async fn open(path: &Path) -> Result<Pools> {
    keep_private(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // FULL: a commit is on the disk before it is acknowledged.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .pragma("temp_store", "MEMORY")
        // Batches of every size have a statement of their own.
        .statement_cache_capacity(1024);
    // The indexes that new calls go into do not fit the small default cache; and pages that one
    // batch after the other changes go from the log into the file once, not each time.
    let writing =
        options.clone().pragma("cache_size", "-65536").pragma("wal_autocheckpoint", "16384");
    let write = SqlitePoolOptions::new().max_connections(1).connect_with(writing).await?;
    sqlx::migrate!("migrations/sqlite").run(&write).await?;
    let reading = |most| SqlitePoolOptions::new().max_connections(most);
    let read = reading(4).connect_with(options.clone()).await?;
    let long = reading(u32::try_from(LONG_READS).unwrap_or(1)).connect_with(options).await?;
    Ok(Pools { read, long, write, path: path.to_owned() })
}

pub(super) async fn begin(pools: &Pools) -> Result<Transaction<'static, Sqlite>> {
    // IMMEDIATE: a transaction that reads first and writes later never fails half way
    // because another process wrote in between.
    const BEGIN: &str = "BEGIN IMMEDIATE";
    match pools.write.begin_with(BEGIN).await {
        // A commit has failed, as with a full disk. SQLite has rolled it back by itself; the
        // connection does not know, takes itself to be in it still, and would for ever.
        Err(sqlx::Error::InvalidSavePointStatement) => {
            tracing::warn!("the connection that writes is made anew after a failed commit");
            pools.write.acquire().await?.close().await?;
            Ok(pools.write.begin_with(BEGIN).await?)
        }
        begun => Ok(begun?),
    }
}

pub(super) async fn snapshot(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>> {
    Ok(pool.begin().await?)
}

pub(super) async fn fetch_all<'e, E>(executor: E, query: Query) -> Result<Vec<Row>>
where
    E: Executor<'e, Database = Sqlite>,
{
    let rows = bound(nameless(query)).fetch_all(executor).await?;
    Ok(rows.into_iter().map(|row| Row(RowBackend::Sqlite(row))).collect())
}

/// Gives all rows to `take`, none of which is held.
pub(super) async fn for_each(
    tx: &mut Transaction<'static, Sqlite>,
    query: Query,
    mut take: impl FnMut(&Row) -> Result<()>,
) -> Result<()> {
    let mut rows = bound(nameless(query)).fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        take(&Row(RowBackend::Sqlite(row)))?;
    }
    Ok(())
}

/// The first two columns of all rows, none of which is held.
pub(super) async fn fetch_pairs(pool: &SqlitePool, query: Query) -> Result<Vec<(i64, i64)>> {
    let mut rows = bound(nameless(query)).fetch(pool);
    let mut pairs = Vec::new();
    while let Some(row) = rows.try_next().await? {
        pairs.push((row.try_get(0)?, row.try_get(1)?));
    }
    Ok(pairs)
}

pub(super) async fn execute<'e, E>(executor: E, query: Query) -> Result<u64>
where
    E: Executor<'e, Database = Sqlite>,
{
    Ok(bound(nameless(query)).execute(executor).await?.rows_affected())
}

/// How many values a statement of [`insert`] binds at most: enough that the rows take
/// longer than the statement.
const INSERTED_VALUES: usize = 4096;

pub(super) async fn insert(tx: &mut Transaction<'static, Sqlite>, insert: Insert) -> Result<()> {
    let at_once = (INSERTED_VALUES / insert.columns.len()).max(1);
    // FAIL: who fails half way rolls the transaction back as a whole; SQLite need not keep a
    // copy of every page to take back the statement alone.
    let head =
        format!("INSERT OR FAIL INTO {} ({}) VALUES ", insert.table, insert.columns.join(", "));
    let row = format!("({})", vec!["?"; insert.columns.len()].join(", "));
    let mut rows = insert.rows.into_iter();
    while rows.len() > 0 {
        let count = rows.len().min(at_once);
        let places = vec![row.as_str(); count].join(", ");
        let query = Query {
            sql: format!("{head}{places}{}", insert.on_conflict).into(),
            values: rows.by_ref().take(count).flatten().collect(),
        };
        bound(query).execute(&mut **tx).await?;
    }
    Ok(())
}

pub(super) fn ask_for_ids(sequence: Sequence, count: i64) -> Query {
    Query::new("UPDATE sequences SET next_id = next_id + $1 WHERE name = $2 RETURNING next_id")
        .bind(count)
        .bind(sequence.name())
}

pub(super) fn ids(rows: &[Row], count: usize) -> Result<Vec<i64>> {
    let count = i64::try_from(count).map_err(|_| Error::internal("too many ids at once"))?;
    let row = rows.first().ok_or_else(|| Error::internal("a sequence is missing"))?;
    let next: i64 = row.get(0)?;
    Ok((next - count..next).collect())
}

/// The query with `?` for each `$n`. SQLite finds a parameter that has a name by walking
/// through all of them, once for each that is bound: with the thousands of a statement of
/// many rows that takes longer than the statement. Nameless ones it counts, so that they
/// must come in their order, each once, as all of ours do.
fn nameless(query: Query) -> Query {
    let mut parts = query.sql.split('$');
    let mut sql = String::with_capacity(query.sql.len());
    sql.push_str(parts.next().unwrap_or_default());
    for (number, part) in (1_usize..).zip(parts) {
        let end = part.find(|char: char| !char.is_ascii_digit()).unwrap_or(part.len());
        debug_assert_eq!(part[..end].parse(), Ok(number), "parameters out of order: {}", query.sql);
        sql.push('?');
        sql.push_str(&part[end..]);
    }
    Query { sql: sql.into(), values: query.values }
}

/// The query with its values.
fn bound(query: Query) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
    let mut bound = sqlx::query(AssertSqlSafe(query.sql.into_owned()));
    for value in query.values {
        bound = match value {
            Value::Bool(value) => bound.bind(value),
            Value::Int(value) => bound.bind(value),
            Value::Text(value) => bound.bind(value),
            Value::Decimal(value) => bound.bind(decimal_text(value)),
        };
    }
    bound
}

/// Money in SQLite: the shortest text of the exact value.
fn decimal_text(value: Decimal) -> String {
    value.normalize().to_string()
}

pub(super) fn read_decimal(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text)
        .map_err(|_| Error::internal("the database holds an amount that is not a number"))
}
