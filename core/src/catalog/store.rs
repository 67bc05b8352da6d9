//! The revision of the catalog in the database.

use crate::{
    error::{Error, Result},
    store::{Db, Query, Row, Tx},
};

const REVISION: &str = "SELECT revision FROM revisions WHERE id = 1";

fn read(row: Option<Row>) -> Result<i64> {
    row.ok_or_else(|| Error::internal("the database has no revision"))?.get(0)
}

pub(super) async fn revision(db: &Db) -> Result<i64> {
    read(db.fetch_optional(Query::new(REVISION)).await?)
}

pub(crate) async fn revision_in(tx: &mut Tx) -> Result<i64> {
    read(tx.fetch_optional(Query::new(REVISION)).await?)
}

/// The revision of the catalog, which does not change before the transaction ends.
pub(super) async fn hold(tx: &mut Tx) -> Result<i64> {
    let query = Query::new(REVISION).and(tx.share_clause());
    read(tx.fetch_optional(query).await?)
}

/// Announces a change of the catalog in the transaction that makes it. Also makes changes
/// take turns: the row stays locked until the commit.
pub(crate) async fn lock_for_change(tx: &mut Tx) -> Result<()> {
    tx.execute(Query::new("UPDATE revisions SET revision = revision + 1 WHERE id = 1")).await?;
    Ok(())
}
