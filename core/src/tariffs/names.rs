//! Names of destinations in memory: those of prefixes that somebody asked for.

use std::sync::Arc;

use arc_swap::ArcSwap;
use dashmap::DashMap;

use super::store;
use crate::{catalog::Snapshot, error::Result, store::Db};

/// How many names are kept; beyond it they are forgotten and asked for again.
const KEPT: usize = 50_000;

/// Names of destinations, by prefix. Whatever changes one changes the catalog, too.
#[derive(Default)]
pub(crate) struct Names(ArcSwap<Known>);

/// What is known as of a revision of the catalog.
#[derive(Default)]
struct Known {
    revision: i64,
    names: DashMap<String, Arc<str>>,
}

impl Names {
    /// The name of the destination of a prefix, at least as new as `snapshot`; empty: none.
    pub(crate) async fn get(&self, db: &Db, snapshot: &Snapshot, prefix: &str) -> Result<Arc<str>> {
        let mut known = self.0.load_full();
        if known.revision < snapshot.revision() || known.names.len() >= KEPT {
            let revision = known.revision.max(snapshot.revision());
            known = Arc::new(Known { revision, names: DashMap::new() });
            self.0.store(known.clone());
        }
        if let Some(name) = known.names.get(prefix) {
            return Ok(name.clone());
        }
        let name: Arc<str> = store::destination(db, prefix).await?.into();
        known.names.insert(prefix.to_owned(), name.clone());
        Ok(name)
    }
}
