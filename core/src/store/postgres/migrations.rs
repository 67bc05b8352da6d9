//! The schema, and how it is brought up to date: as sqlx would, so that databases that it has
//! migrated go on.

use std::collections::BTreeMap;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use tokio_postgres::{Client, error::SqlState, types::Type};

use crate::error::{Error, Result};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

/// The checksums of the migrations that were made, by version.
type Applied = BTreeMap<i64, Vec<u8>>;

async fn applied(client: &Client) -> Result<Applied, tokio_postgres::Error> {
    let query = "SELECT version, checksum FROM _sqlx_migrations WHERE success";
    let rows = client.query(query, &[]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Whether the schema is that of this version. A replica's is changed on its primary.
pub(super) async fn check_schema(client: &Client) -> Result<()> {
    let applied = match applied(client).await {
        // There is no such table: nothing was ever migrated.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Applied::new(),
        applied => applied?,
    };
    let same = MIGRATIONS.iter().all(|migration| {
        applied.get(&migration.version).is_some_and(|checksum| **checksum == *migration.checksum)
    });
    let none_is_newer = applied.len() == MIGRATIONS.iter().count();
    if same && none_is_newer { Ok(()) } else { Err(Error::ReplicaSchema) }
}

/// Brings the schema up to date, under a lock: cores that start together migrate once. They wait
/// for one another until the connection ends.
pub(super) async fn run(client: &Client) -> Result<()> {
    let database: String = client.query_one("SELECT current_database()", &[]).await?.try_get(0)?;
    client.query_typed("SELECT pg_advisory_lock($1)", &[(&lock_id(&database), Type::INT8)]).await?;
    client.batch_execute(TABLE).await?;
    let failed = "SELECT version FROM _sqlx_migrations WHERE NOT success ORDER BY version LIMIT 1";
    if let Some(row) = client.query_opt(failed, &[]).await? {
        return Err(MigrateError::Dirty(row.try_get(0)?).into());
    }
    let applied = applied(client).await?;
    if let Some(version) = applied.keys().find(|version| !MIGRATIONS.version_exists(**version)) {
        return Err(MigrateError::VersionMissing(*version).into());
    }
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            Some(checksum) if **checksum == *migration.checksum => {}
            Some(_) => return Err(MigrateError::VersionMismatch(migration.version).into()),
            None => apply(client, migration).await.map_err(|error| {
                let error = sqlx::Error::AnyDriverError(Box::new(error));
                MigrateError::ExecuteMigration(error, migration.version)
            })?,
        }
    }
    Ok(())
}

/// Makes a migration, and notes that, in one transaction. If it fails, the connection is dropped.
async fn apply(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    if !migration.no_tx {
        client.batch_execute("BEGIN").await?;
    }
    client.batch_execute(migration.sql.as_str()).await?;
    client
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ($1, $2, TRUE, $3, -1)",
            &[&migration.version, &&*migration.description, &&*migration.checksum],
        )
        .await?;
    if !migration.no_tx {
        client.batch_execute("COMMIT").await?;
    }
    Ok(())
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
