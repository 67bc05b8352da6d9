//! Directions in the database. The migration fills them; nothing changes them.

use tollbook_proto::v1 as pb;

use crate::{
    error::Result,
    store::{Db, Query},
};

pub(crate) async fn all(db: &Db) -> Result<Vec<pb::Direction>> {
    let rows =
        db.fetch_all(Query::new("SELECT id, code, name FROM directions ORDER BY id")).await?;
    rows.iter()
        .map(|row| Ok(pb::Direction { id: row.get(0)?, code: row.get(1)?, name: row.get(2)? }))
        .collect()
}
