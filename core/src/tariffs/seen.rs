//! What a change of rates was compared with: it is written if that still stands.

use super::Tariff;
use crate::{catalog, error::Result, store::Tx};

/// The revisions of a tariff and of the catalog in which a change was worked out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    tariff: i64,
    catalog: i64,
}

impl Seen {
    pub(super) async fn of(tx: &mut Tx, tariff: &Tariff) -> Result<Self> {
        Ok(Self { tariff: tariff.revision, catalog: catalog::revision_in(tx).await? })
    }

    /// Whether it still stands in a transaction that has begun to change the catalog. Names of
    /// destinations are of all tariffs: a change of these needs the same catalog.
    pub(super) async fn stands(self, tx: &mut Tx, tariff: &Tariff, names: bool) -> Result<bool> {
        let same_catalog = !names || catalog::revision_in(tx).await? == self.catalog + 1;
        Ok(same_catalog && tariff.revision == self.tariff)
    }
}
