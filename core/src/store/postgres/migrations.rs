//! How the schema is brought up to date: as sqlx would, so that databases that it has migrated go
//! on.

use tokio_postgres::{Client, error::SqlState, types::Type};

use crate::{
    error::{Error, Result},
    store::migrations::{self, Applied, LEAST, Migration, MigrationError},
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

async fn applied(client: &Client) -> Result<Applied, tokio_postgres::Error> {
    let query = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
    let mut applied = Applied::default();
    for row in client.query(query, &[]).await? {
        match row.try_get(1)? {
            true => drop(applied.whole.insert(row.try_get(0)?, row.try_get(2)?)),
            false => applied.half.push(row.try_get(0)?),
        }
    }
    if applied.says_least() {
        applied.least = Some(client.query_one(LEAST, &[]).await?.try_get(0)?);
    }
    Ok(applied)
}

/// Whether this version can work with the schema as it is.
pub(super) async fn check_schema(client: &Client) -> Result<()> {
    let applied = match applied(client).await {
        // There is no such table: nothing was ever migrated.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Applied::default(),
        applied => applied?,
    };
    match applied.missing(migrations::postgres()) {
        Ok(missing) if missing.is_empty() => Ok(()),
        Err(error @ MigrationError::TooNew { .. }) => Err(error.into()),
        _ => Err(Error::OtherSchema),
    }
}

/// Brings the schema up to date, under a lock: cores that start together migrate once. They wait
/// for one another until the connection ends.
pub(super) async fn run(client: &Client) -> Result<()> {
    let database: String = client.query_one("SELECT current_database()", &[]).await?.try_get(0)?;
    client.query_typed("SELECT pg_advisory_lock($1)", &[(&lock_id(&database), Type::INT8)]).await?;
    client.batch_execute(TABLE).await?;
    for migration in applied(client).await?.missing(migrations::postgres())? {
        apply(client, &migration)
            .await
            .map_err(|error| MigrationError::Failed(error.into(), migration.version))?;
    }
    Ok(())
}

/// Makes a migration, and notes that, in one transaction. If it fails, the connection is dropped.
async fn apply(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    client.batch_execute(migration.sql).await?;
    client
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ($1, $2, TRUE, $3, -1)",
            &[&migration.version, &migration.description(), &migration.checksum()],
        )
        .await?;
    client.batch_execute("COMMIT").await
}

/// What sqlx locks, so that earlier versions wait, too: a number of its own times the CRC-32 of
/// the database's name.
fn lock_id(database: &str) -> i64 {
    let crc = database.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    });
    0x3d32_ad9e * i64::from(!crc)
}

#[cfg(test)]
mod tests {
    use super::lock_id;

    #[test]
    fn the_lock_is_that_of_sqlx() {
        // The check value of CRC-32.
        assert_eq!(lock_id("123456789"), 0x3d32_ad9e * 0xcbf4_3926);
    }
}
