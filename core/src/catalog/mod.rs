//! What every request needs and few change: settings, currencies, manager groups, API keys,
//! tariffs (not their rates), connection points and which number pools there are, kept in memory.
//!
//! A change bumps the revision in its own transaction. The process that made it reloads at
//! once; other cores of the same database see the new revision when they next look, well
//! within a second.

mod store;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(crate) use store::{lock_for_change, revision_in};

use arc_swap::ArcSwap;
use tokio::time::timeout;

use crate::{
    access::{self, groups::ApiPermissionGroups, keys::ApiKeys},
    currencies::{self, Currencies},
    error::{Error, Result},
    managers::{self, ManagerGroups},
    points::{self, Points},
    pools::{self, PoolRevisions},
    providers::{self, Providers},
    routing::{self, Lcrs},
    settings::{self, Settings, owners::AllOwnerSettings},
    store::{Db, Tx},
    tariffs::{self, Tariffs},
    whitelist::{self, Whitelist},
};

/// How often other processes' changes are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// How long an answer to that is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Everything in the catalog, as of one revision.
#[derive(Debug)]
pub(crate) struct Snapshot {
    revision: i64,
    pub(crate) settings: Settings,
    pub(crate) owner_settings: AllOwnerSettings,
    pub(crate) currencies: Currencies,
    pub(crate) manager_groups: ManagerGroups,
    pub(crate) api_keys: ApiKeys,
    pub(crate) api_permission_groups: ApiPermissionGroups,
    pub(crate) tariffs: Tariffs,
    pub(crate) points: Points,
    pub(crate) pools: PoolRevisions,
    pub(crate) providers: Providers,
    pub(crate) lcrs: Lcrs,
    pub(crate) whitelist: Whitelist,
}

/// The newest known snapshot.
pub(crate) struct Catalog {
    newest: ArcSwap<Snapshot>,
    /// How many changes this process has made, and how many of them the snapshot has for certain.
    changes: AtomicU64,
    read: AtomicU64,
}

impl Snapshot {
    /// Which state of the catalog it is; later ones have higher numbers.
    pub(crate) fn revision(&self) -> i64 {
        self.revision
    }
}

impl Catalog {
    pub(crate) async fn open(db: &Db) -> Result<Self> {
        Ok(Self {
            newest: ArcSwap::from_pointee(read(db, None).await?),
            changes: AtomicU64::new(0),
            read: AtomicU64::new(0),
        })
    }

    /// The newest known snapshot. Load it once per request, so that the request sees one state.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.newest.load()
    }

    /// The same, for as long as wanted: across other tasks' work.
    pub(crate) fn load_full(&self) -> Arc<Snapshot> {
        self.newest.load_full()
    }

    /// This process has committed a change: what is in memory is behind until it is read again.
    pub(crate) fn outdate(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Takes in the changes of this process that are not in memory yet: at once after a change,
    /// and before the next request where that has failed.
    pub(crate) async fn catch_up(&self, db: &Db) -> Result<()> {
        match self.read.load(Ordering::SeqCst) < self.changes.load(Ordering::SeqCst) {
            true => self.reload(db).await,
            false => Ok(()),
        }
    }

    /// The catalog as it is until a transaction ends: what is checked against it is still there
    /// when it is written. To be asked for before anything else is locked.
    pub(crate) async fn hold(&self, db: &Db, tx: &mut Tx) -> Result<Arc<Snapshot>> {
        if self.load().revision < store::hold(tx).await? {
            self.reload(db).await?;
        }
        Ok(self.load_full())
    }

    /// Takes in what is in the database.
    async fn reload(&self, db: &Db) -> Result<()> {
        let changes = self.changes.load(Ordering::SeqCst);
        let known = self.load_full();
        let new = Arc::new(read(db, Some(&known)).await?);
        // Two reloads may overtake one another; the newer state stays.
        self.newest.rcu(|old| if old.revision < new.revision { new.clone() } else { old.clone() });
        self.read.fetch_max(changes, Ordering::SeqCst);
        Ok(())
    }

    /// Follows changes made by other processes, for as long as the catalog is in use.
    pub(crate) async fn follow(self: Arc<Self>, db: Db) {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            // On a connection that has gone deaf nobody would hear of changes for long.
            let looked = timeout(PATIENCE, store::revision(&db)).await;
            let current = match looked.unwrap_or(Err(Error::Busy)) {
                Ok(revision) => revision,
                Err(error) => {
                    tracing::warn!(error = ?error, "cannot look for changed settings");
                    continue;
                }
            };
            if current > self.load().revision
                && let Err(error) = self.reload(&db).await
            {
                tracing::warn!(error = ?error, "cannot reload settings");
            }
        }
    }
}

/// Reads everything; of the points, which may be many, only what changed since `known`.
async fn read(db: &Db, known: Option<&Snapshot>) -> Result<Snapshot> {
    let mut tx = db.snapshot().await?;
    let revision = store::revision_in(&mut tx).await?;
    let settings = settings::store::all(&mut tx).await?;
    let owner_settings = settings::owners::store::all(&mut tx).await?;
    let currencies = currencies::store::all(&mut tx).await?;
    let manager_groups = managers::store::all(&mut tx).await?;
    let api_keys = access::keys::store::all(&mut tx).await?;
    let api_permission_groups = access::groups::store::all(&mut tx).await?;
    let tariffs = tariffs::store::all(&mut tx).await?;
    let points = match known {
        Some(known) => points::store::since(&mut tx, &known.points, known.revision).await?,
        None => points::store::since(&mut tx, &Points::default(), -1).await?,
    };
    let pools = pools::store::revisions(&mut tx).await?;
    let providers = providers::store::all(&mut tx).await?;
    let lcrs = routing::store::all(&mut tx).await?;
    let whitelist = whitelist::store::all(&mut tx).await?;
    Ok(Snapshot {
        revision,
        settings,
        owner_settings,
        currencies,
        manager_groups,
        api_keys,
        api_permission_groups,
        tariffs,
        points,
        pools,
        providers,
        lcrs,
        whitelist,
    })
}
