//! What all services share.

use std::sync::Arc;

use crate::{
    access::{lockout::Lockout, tokens::Tokens},
    calls::sorted::SortedLists,
    catalog::Catalog,
    changes::{Origin, Pending},
    emails::Mail,
    error::Result,
    rating::decks::Decks,
    store::Db,
    tariffs::{self, Names},
    tasks::Tasks,
    unrated::Shelf,
    users::directory::Directory,
    writer::Writer,
};

/// What all services share. One per process.
pub(crate) struct Context {
    pub(crate) db: Db,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: Tokens,
    pub(crate) lockout: Lockout,
    pub(crate) writer: Writer,
    pub(crate) decks: Arc<Decks>,
    pub(crate) destinations: Names,
    /// What changes something, until it is done.
    pub(crate) tasks: Tasks,
    pub(crate) sorted_calls: SortedLists,
    pub(crate) unrated: Arc<Shelf>,
    /// The mail server; none: no mail is sent.
    pub(crate) mail: Option<Mail>,
}

impl Context {
    /// Begins a change of what the catalog does not hold, on somebody's behalf.
    pub(crate) async fn begin_change<'a>(&self, origin: &'a Origin) -> Result<Pending<'a>> {
        Pending::begin(&self.db, origin).await
    }

    /// Begins a change of what the catalog holds. Such changes take turns.
    pub(crate) async fn begin_catalog_change<'a>(
        &'a self,
        origin: &'a Origin,
    ) -> Result<Pending<'a>> {
        Pending::of_catalog(self, origin).await
    }

    /// Compiles the decks of the tariffs that users and points have: the first call after a start
    /// is not to wait for that.
    pub(crate) async fn prepare_decks(&self) -> Result<()> {
        let used = tariffs::store::used(&mut self.db.snapshot().await?).await?;
        let snapshot = self.catalog.load_full();
        let used = used.into_iter().filter_map(|id| snapshot.tariffs.by_id(id).ok().cloned());
        self.decks.clone().prepare(self.db.clone(), used.collect()).await;
        Ok(())
    }

    /// Has the catalog take in what this process may have changed, before anybody is answered.
    pub(crate) async fn renew_catalog(&self) {
        self.catalog.outdate();
        if let Err(error) = self.catalog.catch_up(&self.db).await {
            // The change is made, and whoever asked for it is told so. Nothing else is answered
            // before the catalog has been read.
            tracing::warn!(error = ?error, "the catalog could not be read after a change");
        }
    }
}
