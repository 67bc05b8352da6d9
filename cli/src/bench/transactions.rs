//! What durable updates are compared with: the same three statements, on the same
//! database, in a transaction per update, without any server in between.

use std::{
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rust_decimal::Decimal;
use sqlx::{
    PgPool, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::task::JoinSet;
use tollbook_core::DatabaseUrl;

/// A table of its own in the database that the server uses.
#[derive(Clone)]
pub(super) enum Bare {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Ids of entries: far from those that anybody else gives out.
static NEXT_ENTRY: AtomicI64 = AtomicI64::new(1 << 40);

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS bench_accounts (id BIGINT PRIMARY KEY, balance TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS bench_entries (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, \
     amount TEXT NOT NULL, balance TEXT NOT NULL, note TEXT NOT NULL, created_at BIGINT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS bench_entries_by_account ON bench_entries (account, id)",
];
const ACCOUNT: &str =
    "INSERT INTO bench_accounts (id, balance) VALUES ($1, '0') ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE bench_accounts SET balance = $1 WHERE id = $2";
const ENTRY: &str = "INSERT INTO bench_entries (id, account, amount, balance, note, created_at) \
                     VALUES ($1, $2, $3, $4, '', 0)";

/// One update; a macro because the two kinds of transactions share no trait.
macro_rules! update {
    ($tx:expr, $select:expr, $account:expr, $entry:expr) => {
        let mut tx = $tx;
        let balance: String =
            sqlx::query_scalar($select).bind($account).fetch_one(&mut *tx).await?;
        let balance = (Decimal::from_str(&balance)? + Decimal::ONE).to_string();
        let entry = sqlx::query(ENTRY).bind($entry).bind($account).bind("1").bind(&balance);
        entry.execute(&mut *tx).await?;
        sqlx::query(UPDATE).bind(&balance).bind($account).execute(&mut *tx).await?;
        tx.commit().await?;
    };
}

impl Bare {
    pub(super) async fn open(database: &DatabaseUrl) -> anyhow::Result<Self> {
        match database {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(10));
                let pool =
                    SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
                for table in TABLES {
                    sqlx::query(table).execute(&pool).await?;
                }
                for id in 0..3_i64 {
                    sqlx::query(ACCOUNT).bind(id).execute(&pool).await?;
                }
                Ok(Self::Sqlite(pool))
            }
            DatabaseUrl::Postgres(url) => {
                let pool = PgPoolOptions::new().max_connections(64).connect(url).await?;
                for table in TABLES {
                    sqlx::query(table).execute(&pool).await?;
                }
                for id in 0..3_i64 {
                    sqlx::query(ACCOUNT).bind(id).execute(&pool).await?;
                }
                Ok(Self::Postgres(pool))
            }
        }
    }

    /// Updates for a while; returns updates per second.
    pub(super) async fn run(&self, clients: usize, duration: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let done = Arc::new(AtomicI64::new(0));
        let mut tasks = JoinSet::new();
        for client in 0..clients {
            let (bare, done) = (self.clone(), done.clone());
            let account = i64::try_from(client % 3)?;
            tasks.spawn(async move {
                while start.elapsed() < duration {
                    bare.update(account).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                anyhow::Ok(())
            });
        }
        for task in tasks.join_all().await {
            task?;
        }
        let done = u32::try_from(done.load(Ordering::Relaxed))?;
        Ok(f64::from(done) / start.elapsed().as_secs_f64())
    }

    async fn update(&self, account: i64) -> anyhow::Result<()> {
        let entry = NEXT_ENTRY.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Sqlite(pool) => {
                let tx = pool.begin_with("BEGIN IMMEDIATE").await?;
                update!(tx, "SELECT balance FROM bench_accounts WHERE id = $1", account, entry);
            }
            Self::Postgres(pool) => {
                let tx = pool.begin().await?;
                let select = "SELECT balance FROM bench_accounts WHERE id = $1 FOR UPDATE";
                update!(tx, select, account, entry);
            }
        }
        Ok(())
    }
}
