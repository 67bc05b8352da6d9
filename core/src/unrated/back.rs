//! Taking back the records that an import of calls brought.

use super::{Difference, store};
use crate::{error::Result, store::Tx};

/// How many records are looked at together.
const PAGE: i64 = 1_000;

/// What was taken back.
pub(crate) struct Back {
    /// How many records were deleted: others were brought by somebody else, too.
    pub(crate) deleted: i64,
    /// How many were, and are not of this import any more.
    pub(crate) shared: i64,
    /// What has changed in the table.
    pub(crate) difference: Difference,
}

/// The ids of some records of an import, ascending behind one. It may go through the whole table, which
/// no lock should wait for.
pub(crate) async fn of_import(tx: &mut Tx, import: i64, after: i64) -> Result<Vec<i64>> {
    store::ids_of_import(tx, import, after, PAGE).await
}

/// Takes back those of some records that are still of an import.
pub(crate) async fn take_back(tx: &mut Tx, import: i64, ids: &[i64]) -> Result<Back> {
    let found = store::lock_of_import(tx, import, ids).await?;
    let mut difference = Difference::default();
    let (alone, with_others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|record| record.is_of_one);
    for record in &alone {
        difference.count(record.reason, -1);
    }
    let count = |records: usize| i64::try_from(records).unwrap_or(i64::MAX);
    let (deleted, shared) = (count(alone.len()), count(with_others.len()));
    store::delete(tx, alone.into_iter().map(|record| record.id)).await?;
    store::forget_import(tx, import, with_others.into_iter().map(|record| record.id)).await?;
    Ok(Back { deleted, shared, difference })
}

/// How many records an import alone brought.
pub(crate) async fn of_import_alone(tx: &mut Tx, import: i64) -> Result<i64> {
    store::count_of_import(tx, import).await
}
