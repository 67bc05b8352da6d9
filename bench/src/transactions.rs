//! What durable updates are compared with: the same three statements, on the same
//! database, in a transaction per update, without any server in between.

use std::{
    str::FromStr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rusqlite::TransactionBehavior;
use rust_decimal::Decimal;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, Statement};
use tollbook_core::DatabaseUrl;

/// A table of its own in the database that the server uses.
#[derive(Clone)]
pub(crate) enum Bare {
    Sqlite(Arc<Mutex<rusqlite::Connection>>),
    /// Where it is: each client has a connection.
    Postgres(String),
}

/// Ids of entries: far from those that anybody else gives out.
static NEXT_ENTRY: AtomicI64 = AtomicI64::new(1 << 40);

const TABLES: [&str; 3] = [
    "CREATE TABLE bench_accounts (id BIGINT PRIMARY KEY, balance TEXT NOT NULL)",
    "CREATE TABLE bench_entries (id BIGINT PRIMARY KEY, account BIGINT NOT NULL, \
     amount TEXT NOT NULL, balance TEXT NOT NULL, note TEXT NOT NULL, created_at BIGINT NOT NULL)",
    "CREATE INDEX bench_entries_by_account ON bench_entries (account, id)",
];
const ACCOUNT: &str =
    "INSERT INTO bench_accounts (id, balance) VALUES ($1, '0') ON CONFLICT DO NOTHING";
const UPDATE: &str = "UPDATE bench_accounts SET balance = $1 WHERE id = $2";
const ENTRY: &str = "INSERT INTO bench_entries (id, account, amount, balance, note, created_at) \
                     VALUES ($1, $2, $3, $4, '', 0)";

/// A client of the database.
enum Connection {
    Sqlite(Arc<Mutex<rusqlite::Connection>>),
    Postgres(Client, Box<[Statement; 3]>),
}

/// Connects to a PostgreSQL.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Bare {
    pub(crate) async fn open(database: &DatabaseUrl) -> anyhow::Result<Self> {
        match database {
            DatabaseUrl::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path)?;
                connection.busy_timeout(Duration::from_secs(10))?;
                connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
                connection.execute_batch(&TABLES.join(";"))?;
                for id in 0..3_i64 {
                    connection.execute(ACCOUNT, [id])?;
                }
                Ok(Self::Sqlite(Arc::new(Mutex::new(connection))))
            }
            DatabaseUrl::Postgres(url) => {
                let client = connect(url).await?;
                // What an earlier run has left.
                let anew = "SET client_min_messages = warning; \
                            DROP TABLE IF EXISTS bench_entries, bench_accounts";
                client.batch_execute(anew).await?;
                client.batch_execute(&TABLES.join(";")).await?;
                for id in 0..3_i64 {
                    client.execute(ACCOUNT, &[&id]).await?;
                }
                Ok(Self::Postgres(url.clone()))
            }
        }
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        match self {
            Self::Sqlite(connection) => Ok(Connection::Sqlite(connection.clone())),
            Self::Postgres(url) => {
                let client = connect(url).await?;
                let select = "SELECT balance FROM bench_accounts WHERE id = $1 FOR UPDATE";
                let statements = [
                    client.prepare(select).await?,
                    client.prepare(ENTRY).await?,
                    client.prepare(UPDATE).await?,
                ];
                Ok(Connection::Postgres(client, Box::new(statements)))
            }
        }
    }

    /// Updates for a while; returns updates per second.
    pub(crate) async fn run(&self, clients: usize, duration: Duration) -> anyhow::Result<f64> {
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            connections.push(self.connect().await?);
        }
        let start = Instant::now();
        let done = Arc::new(AtomicI64::new(0));
        let mut tasks = JoinSet::new();
        for (client, mut connection) in connections.into_iter().enumerate() {
            let done = done.clone();
            let account = i64::try_from(client % 3)?;
            tasks.spawn(async move {
                while start.elapsed() < duration {
                    connection.update(account).await?;
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
}

fn one_more(balance: &str) -> anyhow::Result<String> {
    Ok((Decimal::from_str(balance)? + Decimal::ONE).to_string())
}

fn update(connection: &mut rusqlite::Connection, account: i64, entry: i64) -> anyhow::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let select = "SELECT balance FROM bench_accounts WHERE id = $1";
    let balance: String = tx.prepare_cached(select)?.query_row([account], |row| row.get(0))?;
    let balance = one_more(&balance)?;
    tx.prepare_cached(ENTRY)?.execute((entry, account, "1", &balance))?;
    tx.prepare_cached(UPDATE)?.execute((&balance, account))?;
    Ok(tx.commit()?)
}

impl Connection {
    async fn update(&mut self, account: i64) -> anyhow::Result<()> {
        let entry = NEXT_ENTRY.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Sqlite(connection) => {
                let connection = connection.clone();
                tokio::task::spawn_blocking(move || {
                    let mut connection = connection.lock().map_err(|_| anyhow!("poisoned"))?;
                    update(&mut connection, account, entry)
                })
                .await??;
            }
            Self::Postgres(client, statements) => {
                let [select, new, update] = &**statements;
                let tx = client.transaction().await?;
                let balance: String = tx.query_one(select, &[&account]).await?.try_get(0)?;
                let balance = one_more(&balance)?;
                tx.execute(new, &[&entry, &account, &"1", &balance]).await?;
                tx.execute(update, &[&balance, &account]).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}
