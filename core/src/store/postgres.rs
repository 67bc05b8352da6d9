//! What is particular to PostgreSQL.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use sqlx::{Executor, PgPool, Postgres, Transaction, postgres::PgPoolOptions};

use super::{AssertSqlSafe, Insert, Query, Row, RowBackend, Sequence, Tx, Value, bound};
use crate::error::{Error, Result};

pub(super) async fn open(url: &str) -> Result<PgPool> {
    let pool = PgPoolOptions::new().max_connections(16).connect(url).await?;
    // Takes an advisory lock: cores that start together migrate once.
    sqlx::migrate!("migrations/postgres").run(&pool).await?;
    Ok(pool)
}

pub(super) async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
    Ok(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
}

pub(super) async fn fetch_all<'e, E>(executor: E, query: Query) -> Result<Vec<Row>>
where
    E: Executor<'e, Database = Postgres>,
{
    let rows = bound!(query, storable, std::convert::identity).fetch_all(executor).await?;
    Ok(rows.into_iter().map(|row| Row(RowBackend::Postgres(row))).collect())
}

pub(super) async fn execute<'e, E>(executor: E, query: Query) -> Result<u64>
where
    E: Executor<'e, Database = Postgres>,
{
    Ok(bound!(query, storable, std::convert::identity).execute(executor).await?.rows_affected())
}

pub(super) async fn insert(tx: &mut Transaction<'static, Postgres>, insert: Insert) -> Result<()> {
    if insert.on_conflict.is_empty() { copy(tx, insert).await } else { upsert(tx, insert).await }
}

/// New rows go in by `COPY`, a fraction of the work of a statement.
async fn copy(tx: &mut Transaction<'static, Postgres>, insert: Insert) -> Result<()> {
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
async fn upsert(tx: &mut Transaction<'static, Postgres>, insert: Insert) -> Result<()> {
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
    query.execute(&mut **tx).await?;
    Ok(())
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

pub(super) async fn next_ids(tx: &mut Tx, sequence: Sequence, count: usize) -> Result<Vec<i64>> {
    let count = i64::try_from(count).map_err(|_| Error::internal("too many ids at once"))?;
    let name = format!("{}_ids", sequence.name());
    let rows = tx
        .fetch_all(
            Query::new("SELECT nextval($1::regclass) FROM generate_series(1, $2)")
                .bind(name)
                .bind(count),
        )
        .await?;
    rows.iter().map(|row| row.get(0)).collect()
}

pub(super) fn is_retriable(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    // serialization_failure, deadlock_detected
    matches!(error.code().as_deref(), Some("40001" | "40P01"))
}
