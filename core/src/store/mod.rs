//! The database, as the rest of the core sees it: one interface, two backends.
//!
//! SQL is written once, with `$1` parameters, in the `store` module of each domain.
//! What the backends do differently lives in [`sqlite`] and [`postgres`], and nowhere else.

#[cfg(test)]
pub(crate) mod crash;
mod error;
mod migrations;
mod postgres;
mod query;
mod row;
mod sqlite;
mod url;

use std::{path::Path, sync::Arc, time::Duration};

use self::row::RowBackend;
pub use self::{error::DatabaseError, migrations::MigrationError, url::DatabaseUrl};
pub(crate) use self::{
    query::{Insert, Query, Sequence, Statement, Value},
    row::Row,
};
use crate::{
    error::{Error, Result},
    ids::UserId,
    shares::{Limits, Place, Shares},
    tasks,
    vault::Vault,
};

/// Writes an embedded database, as it is at one moment, into a new file. A server may be using
/// it meanwhile.
pub(crate) async fn backup(path: &Path, to: &Path) -> Result<()> {
    let to = to.to_str().ok_or_else(|| Error::invalid("file", "must be named in UTF-8"))?;
    sqlite::backup(path, to).await
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Db {
    backend: Backend,
    vault: Arc<Vault>,
    long_reads: Arc<Shares<Reader>>,
    reading: Reading,
    #[cfg(test)]
    pub(crate) crash: crash::Crash,
}

/// How many long reads there are at once, for all together and for one user: each has a
/// connection. Others of the user wait, up to so many and for so long.
const LONG_READS: usize = 4;
const SHARES: Limits = Limits { all: LONG_READS, one: 2, line: 64 };
const LONG_READS_WAIT: Duration = Duration::from_secs(5);

/// Whose long reads are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    /// A user's, or those of all who name none.
    User(Option<UserId>),
    /// Audits, whoever asks: they take the longest, and the one who asks goes on with other work.
    Audit,
}

impl From<Option<UserId>> for Reader {
    fn from(user: Option<UserId>) -> Self {
        Self::User(user)
    }
}

/// What the reads of a [`Db`] are like.
#[derive(Clone, Copy)]
enum Reading {
    /// They look something up by its key.
    Short,
    /// They may go through a whole table.
    Long(Reader),
}

#[derive(Clone)]
enum Backend {
    Sqlite(sqlite::Pools),
    Postgres(postgres::Pool),
}

/// A transaction that may write. Dropped without [`Tx::commit`], it is rolled back.
pub(crate) struct Tx {
    backend: TxBackend,
    vault: Arc<Vault>,
    /// Its turn, where it reads for long.
    _turn: Option<Place>,
    #[cfg(test)]
    crash: crash::Crash,
}

enum TxBackend {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
}

/// What becomes of the schema of a database that is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schema {
    /// It is made, or brought up to date.
    BroughtUpToDate,
    /// It must be that of this version.
    AsItIs,
}

/// How a table is locked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TableLock {
    /// Others who lock it in the same way may write to it, too.
    Shared,
    /// Nobody else writes to it.
    Alone,
}

impl Backend {
    /// All rows of a query that may take long, or may not.
    async fn fetch_all(&self, query: Query, long: bool) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite(pools) => sqlite::fetch_all(pools, long, query).await,
            Self::Postgres(pool) => postgres::fetch_all(pool, long, query).await,
        }
    }
}

impl Db {
    /// Opens the database and brings its schema up to date. Secrets in it are sealed by `vault`;
    /// on PostgreSQL a statement that takes longer than `statement_timeout` is stopped.
    pub(crate) async fn open(
        url: &DatabaseUrl,
        vault: Vault,
        statement_timeout: Duration,
    ) -> Result<Self> {
        Self::open_as(url, vault, statement_timeout, Schema::BroughtUpToDate).await
    }

    /// Opens a database that is there, with the schema that it has: a server may be using it.
    pub(crate) async fn open_beside(
        url: &DatabaseUrl,
        statement_timeout: Duration,
    ) -> Result<Self> {
        Self::open_as(url, Vault::default(), statement_timeout, Schema::AsItIs).await
    }

    async fn open_as(
        url: &DatabaseUrl,
        vault: Vault,
        statement_timeout: Duration,
        schema: Schema,
    ) -> Result<Self> {
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(sqlite::open(path, schema).await?),
            DatabaseUrl::Postgres(url) => {
                Backend::Postgres(postgres::open(url, statement_timeout, schema).await?)
            }
        };
        Ok(Self {
            backend,
            vault: Arc::new(vault),
            long_reads: Arc::new(Shares::new(SHARES)),
            reading: Reading::Short,
            #[cfg(test)]
            crash: crash::Crash::default(),
        })
    }

    /// Whether this process is the only one that writes to the database, so that what it
    /// keeps in memory is never behind.
    #[must_use]
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(self.backend, Backend::Sqlite(_))
    }

    /// Whether the database is a replica, which takes no changes: [`Self::begin`] refuses.
    #[must_use]
    pub(crate) fn is_read_only(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(_) => false,
            Backend::Postgres(pool) => pool.read_only,
        }
    }

    /// How many connections there are, and how many of them are idle.
    pub(crate) fn connections(&self) -> (u32, u32) {
        let (open, idle) = match &self.backend {
            Backend::Sqlite(pools) => sqlite::connections(pools),
            Backend::Postgres(pool) => postgres::connections(pool),
        };
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        (count(open), count(idle))
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        self.fetch_optional(Query::new("SELECT id FROM revisions")).await.is_ok()
    }

    /// Runs a task that waits for this database most of the time.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(_) => sqlite::spawn(task),
            Backend::Postgres(_) => {
                tokio::spawn(task);
                Ok(())
            }
        }
    }

    /// Begins a transaction that may write.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let backend = match &self.backend {
            Backend::Sqlite(pools) => TxBackend::Sqlite(sqlite::begin(pools).await?),
            Backend::Postgres(pool) => TxBackend::Postgres(postgres::begin(pool).await?),
        };
        Ok(self.tx(backend, None))
    }

    /// Forgets some of what the backend keeps of past transactions. Returns how much.
    pub(crate) async fn forget_transactions(&self, limit: i64) -> Result<u64> {
        let Backend::Postgres(pool) = &self.backend else { return Ok(0) };
        let mut tx = self.begin().await?;
        let forgotten = postgres::forget_keys(&mut tx, pool, limit).await?;
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Begins a transaction that only reads, and sees the database as it was at its start.
    pub(crate) async fn snapshot(&self) -> Result<Tx> {
        let turn = self.turn().await?;
        let long = turn.is_some();
        let backend = match &self.backend {
            Backend::Sqlite(pools) => TxBackend::Sqlite(sqlite::snapshot(pools, long).await?),
            Backend::Postgres(pool) => TxBackend::Postgres(postgres::snapshot(pool, long).await?),
        };
        Ok(self.tx(backend, turn))
    }

    /// The same database, for reads that may take long: lists, counts, statistics, exports,
    /// audits. They have connections of their own, of which one user has a part at most; who has
    /// it waits for a while, and then hears [`Error::Busy`]. What others look up never waits for
    /// them.
    #[must_use]
    pub(crate) fn long(&self, reader: impl Into<Reader>) -> Self {
        Self { reading: Reading::Long(reader.into()), ..self.clone() }
    }

    /// Waits for the turn of a read, where it takes one.
    async fn turn(&self) -> Result<Option<Place>> {
        match self.reading {
            Reading::Short => Ok(None),
            Reading::Long(reader) => self.long_reads.wait(reader, LONG_READS_WAIT).await.map(Some),
        }
    }

    fn tx(&self, backend: TxBackend, turn: Option<Place>) -> Tx {
        Tx {
            backend,
            vault: self.vault.clone(),
            _turn: turn,
            #[cfg(test)]
            crash: self.crash.clone(),
        }
    }

    /// Removes what was deleted or overwritten in some tables from the files of the database, as
    /// far as it is here to do.
    pub(crate) async fn scrub(&self, tables: &[&str]) -> Result<()> {
        match &self.backend {
            Backend::Sqlite(pools) => sqlite::scrub(pools).await,
            Backend::Postgres(pool) => postgres::scrub(pool, tables).await,
        }
    }

    /// What seals secrets and opens them.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Closes the connections that nobody uses: the last thing before a process ends.
    pub(crate) fn close(&self) {
        if let Backend::Sqlite(pools) = &self.backend {
            sqlite::close(pools);
        }
    }

    /// All rows of a reading query.
    pub(crate) async fn fetch_all(&self, query: Query) -> Result<Vec<Row>> {
        let Some(turn) = self.turn().await? else {
            return self.backend.fetch_all(query, false).await;
        };
        let backend = self.backend.clone();
        held(turn, async move { backend.fetch_all(query, true).await }).await
    }

    /// The first two columns of a long query, of however many rows: sixteen bytes of each are
    /// kept.
    pub(crate) async fn fetch_pairs(&self, query: Query) -> Result<Vec<(i64, i64)>> {
        let turn = self.turn().await?;
        let backend = self.backend.clone();
        held(turn, async move {
            match backend {
                Backend::Sqlite(pools) => sqlite::fetch_pairs(&pools, query).await,
                Backend::Postgres(pool) => postgres::fetch_pairs(&pool, query).await,
            }
        })
        .await
    }

    /// The first row of a reading query.
    pub(crate) async fn fetch_optional(&self, query: Query) -> Result<Option<Row>> {
        Ok(self.fetch_all(query).await?.into_iter().next())
    }
}

/// Runs a read to its end, and keeps its turn until then. The database goes on with a statement
/// whoever has left: one who asks and leaves would otherwise have more than their share.
async fn held<T: Send + 'static>(
    turn: impl Send + 'static,
    read: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tasks::detached(async move {
        let result = read.await;
        drop(turn);
        result
    })
    .await
}

impl Tx {
    /// What seals secrets and opens them.
    pub(crate) fn vault(&self) -> &Vault {
        &self.vault
    }

    /// All rows of a query.
    pub(crate) async fn fetch_all(&mut self, query: Query) -> Result<Vec<Row>> {
        #[cfg(test)]
        self.crash.step()?;
        match &mut self.backend {
            TxBackend::Sqlite(tx) => tx.fetch_all(query).await,
            TxBackend::Postgres(tx) => tx.fetch_all(query).await,
        }
    }

    /// The first row of a query.
    pub(crate) async fn fetch_optional(&mut self, query: Query) -> Result<Option<Row>> {
        Ok(self.fetch_all(query).await?.into_iter().next())
    }

    /// Gives all rows of a query to `take`, one after the other: none is held.
    pub(crate) async fn for_each(
        &mut self,
        query: Query,
        take: impl FnMut(&Row) -> Result<()> + Send,
    ) -> Result<()> {
        #[cfg(test)]
        self.crash.step()?;
        match &mut self.backend {
            TxBackend::Sqlite(tx) => tx.for_each(query, take).await,
            TxBackend::Postgres(tx) => tx.for_each(query, take).await,
        }
    }

    /// What to append to a text in an `ORDER BY` so that texts are sorted by their bytes.
    #[must_use]
    pub(crate) fn by_bytes(&self) -> &'static str {
        match &self.backend {
            TxBackend::Sqlite(_) => "",
            TxBackend::Postgres(_) => " COLLATE \"C\"",
        }
    }

    /// Runs a query and returns how many rows it changed.
    pub(crate) async fn execute(&mut self, query: Query) -> Result<u64> {
        #[cfg(test)]
        self.crash.step()?;
        match &mut self.backend {
            TxBackend::Sqlite(tx) => tx.execute(query).await,
            TxBackend::Postgres(tx) => tx.execute(query).await,
        }
    }

    /// Writes many rows.
    pub(crate) async fn insert(&mut self, insert: Insert) -> Result<()> {
        if insert.rows.is_empty() {
            return Ok(());
        }
        #[cfg(test)]
        self.crash.step()?;
        match &mut self.backend {
            TxBackend::Sqlite(tx) => tx.insert(insert).await,
            TxBackend::Postgres(tx) => tx.insert(insert).await,
        }
    }

    /// The rows of several queries, which are sent at once; none for one that is left out.
    pub(crate) async fn fetch_each<const N: usize>(
        &mut self,
        queries: [Option<Query>; N],
    ) -> Result<[Vec<Row>; N]> {
        if let TxBackend::Postgres(tx) = &mut self.backend {
            #[cfg(test)]
            self.crash.step()?;
            return tx.fetch_each(queries).await;
        }
        let mut rows = [const { Vec::new() }; N];
        for (rows, query) in rows.iter_mut().zip(queries) {
            if let Some(query) = query {
                *rows = self.fetch_all(query).await?;
            }
        }
        Ok(rows)
    }

    /// Writes at the latest before the next query is answered or the commit is made: what is wrong
    /// with the statement may be said there.
    pub(crate) async fn queue(&mut self, statement: impl Into<Statement>) -> Result<()> {
        let statement = statement.into();
        if let TxBackend::Postgres(tx) = &mut self.backend {
            #[cfg(test)]
            self.crash.step()?;
            return tx.queue(statement);
        }
        match statement {
            Statement::Query(query) => self.execute(query).await.map(drop),
            Statement::Insert(insert) => self.insert(insert).await,
        }
    }

    /// Asks for `count` new ids, to be taken out of the answer by [`Self::ids`]; there is nothing
    /// to ask for none.
    #[must_use]
    pub(crate) fn ask_for_ids(&self, sequence: Sequence, count: usize) -> Option<Query> {
        let asked = i64::try_from(count).unwrap_or(i64::MAX);
        (count > 0).then(|| match &self.backend {
            TxBackend::Sqlite(_) => sqlite::ask_for_ids(sequence, asked),
            TxBackend::Postgres(_) => postgres::ask_for_ids(sequence, asked),
        })
    }

    /// The first of the ids that were asked for, ascending. Those that are not taken are lost, as
    /// are those of a transaction that fails.
    pub(crate) fn ids(&self, rows: &[Row], count: usize) -> Result<Vec<i64>> {
        match &self.backend {
            _ if count == 0 => Ok(Vec::new()),
            TxBackend::Sqlite(_) => sqlite::ids(rows, count),
            TxBackend::Postgres(_) => postgres::ids(rows, count),
        }
    }

    /// Takes `count` new ids, ascending. Ids of a transaction that fails are lost.
    pub(crate) async fn next_ids(&mut self, sequence: Sequence, count: usize) -> Result<Vec<i64>> {
        let [rows] = self.fetch_each([self.ask_for_ids(sequence, count)]).await?;
        self.ids(&rows, count)
    }

    /// Takes one new id.
    pub(crate) async fn next_id(&mut self, sequence: Sequence) -> Result<i64> {
        let ids = self.next_ids(sequence, 1).await?;
        ids.first().copied().ok_or_else(|| Error::internal("a sequence gave no id"))
    }

    /// What to append to a `SELECT` so that its rows stay as they are until the commit.
    #[must_use]
    pub(crate) fn lock_clause(&self) -> &'static str {
        match &self.backend {
            // The whole database is locked already: one writer at a time.
            TxBackend::Sqlite(_) => "",
            TxBackend::Postgres(_) => " FOR UPDATE",
        }
    }

    /// What to append to a `SELECT` so that nobody changes its rows until the commit; others may hold
    /// them likewise.
    #[must_use]
    pub(crate) fn share_clause(&self) -> &'static str {
        match &self.backend {
            TxBackend::Sqlite(_) => "",
            TxBackend::Postgres(_) => " FOR SHARE",
        }
    }

    /// The statement that locks a table until the commit; nobody is kept from reading it. None: it
    /// needs no lock.
    pub(crate) fn table_lock(&self, table: &'static str, lock: TableLock) -> Option<Query> {
        match &self.backend {
            // The whole database is locked already: one writer at a time.
            TxBackend::Sqlite(_) => None,
            TxBackend::Postgres(_) => {
                let mode = match lock {
                    TableLock::Shared => " IN ROW EXCLUSIVE MODE",
                    TableLock::Alone => " IN SHARE ROW EXCLUSIVE MODE",
                };
                Some(Query::new("LOCK TABLE ").and(table).and(mode))
            }
        }
    }

    /// How long the transaction waits for rows that others hold, before anything was asked of it.
    pub(crate) fn wait_for_locks(&mut self, patience: Duration) {
        match &mut self.backend {
            // It has the whole database.
            TxBackend::Sqlite(_) => {}
            TxBackend::Postgres(tx) => tx.wait_for_locks(patience),
        }
    }

    /// Lets the statements of the transaction take as long as they take: it works through a whole
    /// table.
    pub(crate) fn take_its_time(&mut self) {
        match &mut self.backend {
            TxBackend::Sqlite(_) => {}
            TxBackend::Postgres(tx) => tx.take_its_time(),
        }
    }

    /// Makes the changes durable. [`Error::CommitUnknown`] means that it is not known whether they
    /// are; any other error, that they are not and never will be.
    pub(crate) async fn commit(self) -> Result<()> {
        #[cfg(test)]
        self.crash.step()?;
        #[cfg(test)]
        let lost = self.crash.lost();
        #[cfg(test)]
        if lost == Some(crash::Lost::Commit) {
            return Err(Error::CommitUnknown);
        }
        match self.backend {
            TxBackend::Sqlite(tx) => tx.commit().await?,
            TxBackend::Postgres(tx) => tx.commit().await?,
        }
        // Durable, and nobody knows yet.
        #[cfg(test)]
        self.crash.step()?;
        #[cfg(test)]
        if lost.is_some() {
            return Err(Error::CommitUnknown);
        }
        Ok(())
    }
}

/// How often a transaction is tried that loses to other cores of the same database.
const TRIES: u32 = 10;

/// Runs a transaction, and again where it failed through no fault of its own: because of a
/// serialization failure or a deadlock between several cores, or because another one stored
/// the same key meanwhile, which the next try will find. All of these mean that nothing was
/// done. A transaction that may have been committed is never run again: that is
/// [`Error::CommitUnknown`].
pub(crate) async fn retrying<T, F>(mut transaction: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match transaction().await {
            Err(Error::Database(error)) if tries < TRIES && is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(5) * tries).await;
            }
            done => return done,
        }
    }
}

/// Whether somebody else held what was to be changed for too long.
pub(crate) fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Database(error) if error.is_locked())
}

/// Whether the database cannot be reached, which is no fault of what was asked for.
pub(crate) fn is_away(error: &Error) -> bool {
    match error {
        Error::CommitUnknown | Error::Unavailable => true,
        Error::Database(error) => error.is_away(),
        _ => false,
    }
}

fn is_passing(error: &DatabaseError) -> bool {
    error.is_unique_violation() || error.is_retriable()
}
