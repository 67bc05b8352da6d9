//! Routing groups in the database.

use tollbook_proto::v1 as pb;

use crate::{
    error::{Error, Result},
    ids::RoutingGroupId,
    store::{Db, Query, Sequence, Tx},
};

/// Groups after an id, by ascending id.
pub(super) async fn list(db: &Db, after: Option<i64>, limit: i64) -> Result<Vec<pb::RoutingGroup>> {
    let query = Query::new("SELECT id, name FROM routing_groups WHERE id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" ORDER BY id LIMIT ")
        .value(limit);
    let rows = db.fetch_all(query).await?;
    rows.iter().map(|row| Ok(pb::RoutingGroup { id: row.get(0)?, name: row.get(1)? })).collect()
}

/// Keeps a group as it is until the end of the transaction, and returns its name.
///
/// # Errors
/// There is no such group.
pub(crate) async fn lock(tx: &mut Tx, id: RoutingGroupId) -> Result<String> {
    let lock = tx.lock_clause();
    let query = Query::new("SELECT name FROM routing_groups WHERE id = ").value(id).and(lock);
    tx.fetch_optional(query).await?.ok_or(Error::RoutingGroupNotFound)?.get(0)
}

pub(crate) async fn insert(tx: &mut Tx, name: &str) -> Result<RoutingGroupId> {
    let id = RoutingGroupId(tx.next_id(Sequence::RoutingGroups).await?);
    let query = Query::new("INSERT INTO routing_groups (id, name) VALUES ")
        .rows([vec![id.into(), name.into()]]);
    tx.execute(query).await?;
    Ok(id)
}

pub(crate) async fn rename(tx: &mut Tx, id: RoutingGroupId, name: &str) -> Result<()> {
    let query = Query::new("UPDATE routing_groups SET name = $1 WHERE id = $2").bind(name).bind(id);
    tx.execute(query).await.map(drop)
}

pub(crate) async fn delete(tx: &mut Tx, id: RoutingGroupId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM routing_groups WHERE id = ").value(id)).await?;
    Ok(())
}
