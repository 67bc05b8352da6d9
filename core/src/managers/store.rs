//! Manager groups in the database.

use tollbook_proto::v1::Permission;

use super::{ManagerGroup, ManagerGroups, Permissions};
use crate::{
    error::Result,
    ids::ManagerGroupId,
    store::{Query, Row, Tx},
    stored,
};

fn read(row: &Row) -> Result<ManagerGroup> {
    let permissions: String = row.get(3)?;
    Ok(ManagerGroup {
        id: ManagerGroupId(row.get(0)?),
        name: row.get(1)?,
        comment: row.get(2)?,
        permissions: permissions.split(',').filter_map(Permission::from_str_name).collect(),
    })
}

fn permission_names(permissions: Permissions) -> String {
    permissions.iter().map(|permission| permission.as_str_name()).collect::<Vec<_>>().join(",")
}

pub(crate) async fn all(tx: &mut Tx) -> Result<ManagerGroups> {
    let query = Query::new("SELECT id, name, comment, permissions FROM manager_groups ORDER BY id");
    let rows = tx.fetch_all(query).await?;
    Ok(ManagerGroups(rows.iter().map(read).collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &mut Tx, group: &ManagerGroup) -> Result<()> {
    let query = Query::new("INSERT INTO manager_groups (id, name, comment, permissions) VALUES ")
        .rows([vec![
            group.id.into(),
            group.name.as_str().into(),
            group.comment.as_str().into(),
            permission_names(group.permissions).into(),
        ]]);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, group: &ManagerGroup) -> Result<()> {
    let query = Query::new("SELECT permissions FROM manager_groups WHERE id = ").value(group.id);
    let row = tx.fetch_optional(query).await?;
    let stored = row.map_or(Ok(String::new()), |row| row.get(0))?;
    let is_known = |name: &str| Permission::from_str_name(name).is_some();
    let permissions =
        stored::rewritten_names(&permission_names(group.permissions), &stored, is_known);
    let query = Query::new(
        "UPDATE manager_groups SET name = $1, comment = $2, permissions = $3 WHERE id = $4",
    )
    .bind(group.name.as_str())
    .bind(group.comment.as_str())
    .bind(permissions)
    .bind(group.id);
    tx.execute(query).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: ManagerGroupId) -> Result<()> {
    let query = Query::new("DELETE FROM manager_groups WHERE id = $1").bind(id);
    tx.execute(query).await.map(drop)
}

/// Whether a manager belongs to the group.
pub(super) async fn in_use(tx: &mut Tx, id: ManagerGroupId) -> Result<bool> {
    let query = Query::new(
        "SELECT id FROM users WHERE manager_group_id = $1 AND deleted_at IS NULL LIMIT 1",
    )
    .bind(id);
    Ok(tx.fetch_optional(query).await?.is_some())
}
