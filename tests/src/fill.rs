//! Filling a database beside the server, where rows by the hundred thousand are needed.

use rusqlite::Connection;
use tokio_postgres::{Client, NoTls};

use crate::server::Data;

/// The database of a server that does not run.
pub enum Database {
    /// The embedded one.
    Sqlite(Connection),
    /// A PostgreSQL.
    Postgres(Client),
}

impl Database {
    /// Opens the database of some data.
    pub async fn open(data: &Data) -> Self {
        if let Some(url) = data.database_url() {
            let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
            tokio::spawn(connection);
            return Self::Postgres(client);
        }
        let file = data.directory().join("tollbook.db");
        Self::Sqlite(Connection::open(file).unwrap())
    }

    /// Runs statements that both databases understand.
    pub async fn run(&mut self, sql: String) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch(&sql).unwrap(),
            Self::Postgres(client) => client.batch_execute(&sql).await.unwrap(),
        }
    }

    /// The texts of a query's one column.
    pub async fn texts(&mut self, sql: String) -> Vec<String> {
        match self {
            Self::Sqlite(connection) => {
                let mut statement = connection.prepare(&sql).unwrap();
                let rows = statement.query_map([], |row| row.get(0)).unwrap();
                rows.map(Result::unwrap).collect()
            }
            Self::Postgres(client) => {
                let rows = client.query(&sql, &[]).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// Adds so many copies of the row of a table that a condition describes. Columns have the
    /// values of that row but for those given, as expressions of `i`, which counts from 1.
    pub async fn multiply(
        &mut self,
        table: &str,
        condition: &str,
        count: usize,
        changed: &[(&str, &str)],
    ) {
        let columns = self
            .texts(match self {
                Self::Sqlite(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
                Self::Postgres(_) => format!(
                    "SELECT column_name::text FROM information_schema.columns \
                     WHERE is_generated = 'NEVER' AND table_name = '{table}' AND table_schema = current_schema()"
                ),
            })
            .await;
        let values = columns.iter().map(|column| {
            let expression = changed.iter().find(|(name, _)| name == column);
            expression.map_or_else(|| format!("t.{column}"), |(_, text)| (*text).to_owned())
        });
        let (names, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
        self.run(format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO {table} ({names}) SELECT {values} FROM n, \
             (SELECT * FROM {table} WHERE {condition} LIMIT 1) t WHERE n.i > 0"
        ))
        .await;
    }

    /// Ends the connection.
    pub fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().unwrap(),
            // Its connection ends with it.
            Self::Postgres(client) => drop(client),
        }
    }
}
