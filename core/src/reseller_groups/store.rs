//! Reseller groups in the database.

use tollbook_proto::v1::{self as pb, ResellerAddon};

use crate::{
    error::{Error, Result},
    ids::ResellerGroupId,
    store::{Db, Query, Row, Tx},
    stored,
};

const COLUMNS: &str = "SELECT id, name, description, addons FROM reseller_groups";

fn read(row: &Row) -> Result<pb::ResellerGroup> {
    let addons: String = row.get(3)?;
    let addons = addons.split(',').filter_map(ResellerAddon::from_str_name).map(i32::from);
    Ok(pb::ResellerGroup {
        id: Some(row.get(0)?),
        name: row.get(1)?,
        description: row.get(2)?,
        addons: addons.collect(),
    })
}

fn addon_names(group: &pb::ResellerGroup) -> String {
    group.addons().map(|addon| addon.as_str_name()).collect::<Vec<_>>().join(",")
}

/// Groups after an id, by ascending id.
pub(super) async fn list(
    db: &Db,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<pb::ResellerGroup>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" ORDER BY id LIMIT ")
        .value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// A group, which stays as it is until the end of the transaction.
///
/// # Errors
/// There is no such group.
pub(crate) async fn lock(tx: &mut Tx, id: ResellerGroupId) -> Result<pb::ResellerGroup> {
    let lock = tx.lock_clause();
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id).and(lock);
    read(&tx.fetch_optional(query).await?.ok_or(Error::ResellerGroupNotFound)?)
}

pub(super) async fn insert(tx: &mut Tx, group: &pb::ResellerGroup) -> Result<()> {
    let query = Query::new("INSERT INTO reseller_groups (id, name, description, addons) VALUES ")
        .rows([vec![
            group.id().into(),
            group.name.as_str().into(),
            group.description.as_str().into(),
            addon_names(group).into(),
        ]]);
    tx.execute(query).await.map(drop)
}

pub(super) async fn update(tx: &mut Tx, group: &pb::ResellerGroup) -> Result<()> {
    let query = Query::new("SELECT addons FROM reseller_groups WHERE id = ").value(group.id());
    let row = tx.fetch_optional(query).await?.ok_or(Error::ResellerGroupNotFound)?;
    let is_known = |name: &str| ResellerAddon::from_str_name(name).is_some();
    let addons = stored::rewritten_names(&addon_names(group), &row.get::<String>(0)?, is_known);
    let query = Query::new(
        "UPDATE reseller_groups SET name = $1, description = $2, addons = $3 WHERE id = $4",
    )
    .bind(group.name.as_str())
    .bind(group.description.as_str())
    .bind(addons)
    .bind(group.id());
    tx.execute(query).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: ResellerGroupId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM reseller_groups WHERE id = ").value(id)).await.map(drop)
}

/// Whether a reseller belongs to the group.
pub(super) async fn in_use(tx: &mut Tx, id: ResellerGroupId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM users WHERE deleted_at IS NULL AND reseller_group_id = ")
        .value(id)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}
