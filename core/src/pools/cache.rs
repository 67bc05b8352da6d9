//! The numbers of pools in memory: loaded when they are first asked for, and again when they
//! have changed.

use std::sync::Arc;

use dashmap::DashMap;

use super::{Patterns, PoolRevisions, store};
use crate::{
    error::{Error, Result},
    ids::PoolId,
    store::Db,
};

#[derive(Default)]
pub(crate) struct Pools(DashMap<PoolId, (i64, Arc<Patterns>)>);

impl Pools {
    /// The numbers of a pool, if they are in memory and as new as `revisions` say; a pool that is
    /// gone is empty.
    pub(crate) fn ready(&self, revisions: &PoolRevisions, id: PoolId) -> Option<Arc<Patterns>> {
        let Some(revision) = revisions.get(&id) else {
            return Some(Arc::new(Patterns::new(Vec::new())));
        };
        let known = self.0.get(&id).filter(|known| known.0 >= *revision)?;
        Some(known.1.clone())
    }

    /// The numbers of a pool, at least as new as `revisions` say; a pool that is gone is empty.
    pub(crate) async fn get(
        &self,
        db: &Db,
        revisions: &PoolRevisions,
        id: PoolId,
    ) -> Result<Arc<Patterns>> {
        if let Some(known) = self.ready(revisions, id) {
            return Ok(known);
        }
        let (revision, numbers) = store::all_numbers(db, id).await?;
        let patterns = tokio::task::spawn_blocking(move || Arc::new(Patterns::new(numbers)));
        let patterns = patterns.await.map_err(|error| Error::internal(error.to_string()))?;
        self.0.insert(id, (revision, patterns.clone()));
        Ok(patterns)
    }
}
