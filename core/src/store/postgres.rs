//! What is particular to PostgreSQL.

use sqlx::{Executor, PgPool, Postgres, Transaction, postgres::PgPoolOptions};

use super::{AssertSqlSafe, Query, Row, RowBackend, Sequence, Tx, Value, bound};
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
