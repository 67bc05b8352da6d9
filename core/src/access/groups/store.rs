//! API permission groups in the database.

use tollbook_proto::v1 as pb;

use super::ApiPermissionGroups;
use crate::{
    error::{Error, Result},
    ids::ApiPermissionGroupId,
    store::{Query, Row, Tx},
    stored,
};

const COLUMNS: &str = "SELECT id, profile FROM api_permission_groups";

/// A group. A right that a later version has given, and this one does not know, is left out: it gives
/// nothing.
fn read(row: &Row) -> Result<pb::ApiPermissionGroup> {
    let id = Some(row.get(0)?);
    Ok(pb::ApiPermissionGroup { id, ..stored::read(&row.get::<String>(1)?)? })
}

/// What is stored of a group beside its id.
fn profile(group: &pb::ApiPermissionGroup) -> pb::ApiPermissionGroup {
    pb::ApiPermissionGroup { id: None, ..group.clone() }
}

pub(crate) async fn all(tx: &mut Tx) -> Result<ApiPermissionGroups> {
    let rows = tx.fetch_all(Query::new(COLUMNS)).await?;
    let groups = rows.iter().map(|row| Ok((ApiPermissionGroupId(row.get(0)?), read(row)?)));
    Ok(ApiPermissionGroups(groups.collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &mut Tx, group: &pb::ApiPermissionGroup) -> Result<()> {
    let query = Query::new("INSERT INTO api_permission_groups (id, profile) VALUES ")
        .rows([vec![group.id().into(), stored::written(&profile(group))?.into()]]);
    tx.execute(query).await.map(drop)
}

/// Stores a changed group, with what of the one that is there this version does not know.
pub(super) async fn update(tx: &mut Tx, group: &pb::ApiPermissionGroup) -> Result<()> {
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(group.id());
    let row = tx.fetch_optional(query).await?.ok_or(Error::ApiPermissionGroupNotFound)?;
    let profile = stored::rewritten(&profile(group), &row.get::<String>(1)?)?;
    let query = Query::new("UPDATE api_permission_groups SET profile = $1 WHERE id = $2");
    tx.execute(query.bind(profile).bind(group.id())).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: ApiPermissionGroupId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM api_permission_groups WHERE id = ").value(id))
        .await
        .map(drop)
}

/// Whether an account has the group.
pub(super) async fn in_use(tx: &mut Tx, id: ApiPermissionGroupId) -> Result<bool> {
    let query =
        Query::new("SELECT 1 FROM users WHERE deleted_at IS NULL AND api_permission_group_id = ")
            .value(id)
            .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}
