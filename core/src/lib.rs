//! Tollbook's billing core: all billing logic behind the gRPC service that
//! `proto/tollbook/v1` defines.
//!
//! A folder per domain, each with the same files: `mod.rs` (types and rules), `service.rs`
//! (gRPC) and `store.rs` (SQL). A request passes the gate in [`access`], a domain's
//! service, and ends in the database: reads at once, changes of balances through the
//! group-committing [`writer`].

mod access;
mod base;
mod calls;
mod catalog;
mod changes;
mod context;
mod currencies;
mod demo;
mod devices;
mod directions;
mod emails;
pub mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod incoming;
mod ledger;
#[cfg(test)]
#[path = "../../tests/linear.rs"]
mod linear;
mod live;
mod managers;
mod measure;
mod payments;
mod points;
mod pools;
mod profiles;
mod providers;
mod rating;
mod reseller_groups;
mod routing;
mod routing_groups;
mod rules;
mod server;
mod settings;
mod setup;
mod stats;
mod store;
mod tariffs;
mod tidy;
mod trace;
mod unrated;
mod users;
mod warnings;
mod whitelist;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use tollbook_proto::v1 as pb;
use tonic::transport::ServerTlsConfig;

pub use access::RPC_IN_PROCESS;
pub use base::{
    error::{Error, Result},
    vault::Vault,
};
pub use emails::{Mail, MailError};
pub use pools::Patterns;
pub use server::CoreService;
pub use setup::{Credentials, SetUp};
pub use store::{DatabaseError, DatabaseUrl, MigrationError};

pub(crate) use base::{
    clock, contract, enums, error, fault, ids, money, network, paging, resource, shares, stored,
    tasks, text, vault,
};

use access::tokens::{self, NewToken, TokenKind, Tokens};
use catalog::Catalog;
use changes::{Change, Credential, Origin, Pending};
use context::Context;
use resource::Resource;
use server::Server;
use tasks::Tasks;
use unrated::Shelf;
use users::directory::Directory;
use writer::Writer;

/// How a core works.
#[derive(Clone)]
pub struct Options {
    /// What a new database gets.
    pub set_up: SetUp,
    /// What seals the secrets in the database.
    pub vault: Vault,
    /// How long a statement may take on PostgreSQL; those that work through a whole table may
    /// take longer.
    pub statement_timeout: Duration,
    /// How many calls that cannot be billed are kept.
    pub unrated_calls: i64,
    /// The mail server; none: no mail is sent.
    pub mail: Option<Mail>,
    /// How often balances are looked at for warnings, where there is a mail server.
    pub warning_interval: Duration,
    /// How long calls that are under way may take once the server was asked to stop.
    pub stop_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            set_up: SetUp::default(),
            vault: Vault::default(),
            statement_timeout: Duration::from_secs(30),
            unrated_calls: 1_000_000,
            mail: None,
            warning_interval: Duration::from_secs(15),
            stop_timeout: tollbook_net::DRAIN_TIMEOUT,
        }
    }
}

/// The database, for a command that works beside a server.
async fn open_beside(database: &DatabaseUrl) -> Result<store::Db> {
    store::Db::open_beside(database, Options::default().statement_timeout).await
}

/// A running core.
#[derive(Clone)]
pub struct Core {
    context: Arc<Context>,
    server: Server,
    stop_timeout: Duration,
    /// How to log in, where this start created the database.
    credentials: Option<Arc<Credentials>>,
}

impl Core {
    /// Opens the database, brings its schema up to date, fills it where it is new, and
    /// starts the writer. Call it inside a tokio runtime.
    pub async fn open(database: &DatabaseUrl, options: Options) -> Result<Self> {
        let db = store::Db::open(database, options.vault, options.statement_timeout).await?;
        let credentials = setup::first_start(&db, &options.set_up).await?;
        let read_only = db.is_read_only();
        if read_only {
            tracing::warn!(
                "the database is a replica: this core refuses whatever changes something"
            );
        } else {
            setup::reseal(&db).await?;
        }
        let catalog = Arc::new(Catalog::open(&db).await?);
        if !db.is_exclusive() {
            tokio::spawn(catalog.clone().follow(db.clone()));
        }
        let directory = Arc::new(Directory::new(db.clone()));
        let decks = Arc::default();
        let unrated = Arc::new(Shelf::new(options.unrated_calls));
        unrated.count(&db).await?;
        let writer = Writer::start(writer::Resources {
            db: db.clone(),
            catalog: Arc::clone(&catalog),
            directory: Arc::clone(&directory),
            decks: Arc::clone(&decks),
            pools: Arc::default(),
            held: Arc::default(),
            unrated: Arc::clone(&unrated),
        })?;
        let context = Arc::new(Context {
            catalog,
            tokens: Tokens::default(),
            lockout: access::lockout::Lockout::default(),
            writer,
            directory,
            decks,
            destinations: tariffs::Names::default(),
            tasks: Tasks::default(),
            sorted_calls: calls::sorted::SortedLists::default(),
            unrated,
            mail: options.mail,
            db,
        });
        context.prepare_decks().await?;
        if !read_only {
            tokio::spawn(live::watch(Arc::downgrade(&context)));
            tokio::spawn(tidy::watch(Arc::downgrade(&context)));
            // Those of a replica are warned of by a core of its primary.
            tokio::spawn(warnings::watch(Arc::downgrade(&context), options.warning_interval));
        }
        tokio::spawn(unrated::watch(Arc::downgrade(&context)));
        tokio::spawn(measure::watch(Arc::downgrade(&context)));
        let server = server::build(&context)?;
        if let Some(token) = credentials.as_ref().and_then(|credentials| credentials.token) {
            Box::pin(demo::fill(server.service(), token)).await?;
        }
        let stop_timeout = options.stop_timeout;
        Ok(Self { context, server, stop_timeout, credentials: credentials.map(Arc::new) })
    }

    /// The gRPC service, for a shim in the same process.
    #[must_use]
    pub fn service(&self) -> CoreService {
        self.server.service()
    }

    /// Serves gRPC on a listener until `shutdown`, then finishes the calls that are under way, for
    /// as long as the options say.
    /// With `tls` it speaks TLS and nothing else; client certificates are admitted as access
    /// tokens say.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<ServerTlsConfig>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), tonic::transport::Error> {
        self.server.serve(listener, tls, self.stop_timeout, shutdown).await
    }

    /// Waits for work whose clients have left meanwhile, but no longer than `patience`: the last
    /// thing before the process ends.
    pub async fn settle(&self, patience: Duration) {
        if !self.context.tasks.ended(patience).await {
            tracing::warn!("stopping with work that has not ended");
        }
        self.context.db.close();
    }

    /// Whether the database answers.
    pub async fn is_ready(&self) -> bool {
        self.context.db.answers().await
    }

    /// A token for a shim in the same process.
    #[must_use]
    pub fn embedded_shim_token(&self) -> String {
        self.context.tokens.embedded_shim()
    }

    /// How to log in, where this start created the database.
    #[must_use]
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_deref()
    }
}

/// Creates a token in a database that a server may be using: one that acts as a user, or
/// one for a shim where there is no user. Returns its secret; an empty one where it admits a
/// client certificate (in DER) instead.
pub async fn create_token(
    database: &DatabaseUrl,
    name: &str,
    username: Option<&str>,
    certificate: Option<&[u8]>,
) -> Result<String> {
    text::check_text("name", name)?;
    let db = open_beside(database).await?;
    let (kind, user) = match username {
        Some(username) => {
            let user = Directory::new(db.clone()).by_username(username).await?;
            (TokenKind::User, user.ok_or(Error::UserNotFound)?.id)
        }
        None => (TokenKind::Shim, ids::UserId::ADMIN),
    };
    let origin = Origin::operator(Credential::CommandLine);
    let mut tx = Pending::begin(&db, &origin).await?;
    let new = NewToken { kind, name, user, expires_at: None, certificate };
    let (token, secret) = tokens::create(&mut tx, new).await?;
    let note = match username {
        Some(username) => format!("token {name:?}, which acts as {username}"),
        None => format!("token {name:?} of a shim"),
    };
    let change = Change::told(Resource::AccessToken(token.id), note);
    tx.commit(change).await?;
    Ok(secret)
}

/// Writes an embedded database, as it is at one moment, into a new file; see the audit for
/// whether it is right. A server may be using the database meanwhile.
pub async fn backup(database: &Path, to: &Path) -> Result<()> {
    store::backup(database, to).await
}

/// Proves that the books in a file that nobody uses are right, or says what is wrong with them. Its
/// schema is brought up to date.
pub async fn audit_copy(file: PathBuf) -> Result<pb::AuditAccountsResponse> {
    let Options { vault, statement_timeout, .. } = Options::default();
    let db = store::Db::open(&DatabaseUrl::Sqlite(file), vault, statement_timeout).await?;
    let report = ledger::audit::audit(&db).await;
    db.close();
    report
}

/// Proves that the books of a database are right, or says what is wrong with them. A
/// server may be using it.
pub async fn audit(database: &DatabaseUrl) -> Result<pb::AuditAccountsResponse> {
    ledger::audit::audit(&open_beside(database).await?).await
}
