//! `ManagerGroupsService`.

use std::sync::Arc;

use tollbook_proto::v1::{
    self as pb, Permission, manager_groups_service_server::ManagerGroupsService,
};
use tonic::{Request, Response, Status};

use super::{ManagerGroup, store};
use crate::{
    access::principal,
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, ManagerGroupId},
    paging::Page,
    resource::Resource,
    store::{Sequence, Tx},
    text::{check_name, check_note},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

fn decode(id: ManagerGroupId, group: pb::ManagerGroup) -> Result<ManagerGroup> {
    check_name(&group.name)?;
    check_note("comment", &group.comment)?;
    let permissions = group
        .permissions
        .iter()
        .map(|number| {
            Permission::try_from(*number)
                .ok()
                .filter(|permission| *permission != Permission::Unspecified)
                .ok_or_else(|| Error::invalid("permissions", "holds an unknown permission"))
        })
        .collect::<Result<_>>()?;
    Ok(ManagerGroup { id, name: group.name, comment: group.comment, permissions })
}

/// A group as it is now.
async fn locked(tx: &mut Tx, id: ManagerGroupId) -> Result<pb::ManagerGroup> {
    let groups = store::all(tx).await?;
    groups.by_id(id).map(ManagerGroup::to_proto).ok_or(Error::ManagerGroupNotFound)
}

#[tonic::async_trait]
impl ManagerGroupsService for Service {
    async fn list_manager_groups(
        &self,
        request: Request<pb::ListManagerGroupsRequest>,
    ) -> Result<Response<pb::ListManagerGroupsResponse>, Status> {
        let snapshot = self.0.catalog.load();
        let page = Page::of(request.get_ref())?;
        let all = snapshot.manager_groups.0.iter();
        let (groups, next_page_token) = page.of_sorted(all, |group| group.id.0)?;
        let manager_groups = groups.into_iter().map(ManagerGroup::to_proto).collect();
        Ok(Response::new(pb::ListManagerGroupsResponse { manager_groups, next_page_token }))
    }

    async fn create_manager_group(
        &self,
        request: Request<pb::CreateManagerGroupRequest>,
    ) -> Result<Response<pb::CreateManagerGroupResponse>, Status> {
        let caller = principal(&request)?;
        let group = request.into_inner().manager_group.unwrap_or_default();
        let mut group = decode(ManagerGroupId(0), group)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        group.id = ManagerGroupId(tx.next_id(Sequence::ManagerGroups).await?);
        store::insert(&mut tx, &group).await?;
        tx.commit(Change::creation(Resource::ManagerGroup(group.id), &group.to_proto())?).await?;
        let manager_group = Some(group.to_proto());
        Ok(Response::new(pb::CreateManagerGroupResponse { manager_group }))
    }

    async fn update_manager_group(
        &self,
        request: Request<pb::UpdateManagerGroupRequest>,
    ) -> Result<Response<pb::UpdateManagerGroupResponse>, Status> {
        let caller = principal(&request)?;
        let group = request.into_inner().manager_group.unwrap_or_default();
        let group = decode(ids::required("manager_group.id", group.id)?, group)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = locked(&mut tx, group.id).await?;
        store::update(&mut tx, &group).await?;
        tx.commit(Change::of(Resource::ManagerGroup(group.id), &before, &group.to_proto())?)
            .await?;
        let manager_group = Some(group.to_proto());
        Ok(Response::new(pb::UpdateManagerGroupResponse { manager_group }))
    }

    async fn delete_manager_group(
        &self,
        request: Request<pb::DeleteManagerGroupRequest>,
    ) -> Result<Response<pb::DeleteManagerGroupResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required("id", request.into_inner().id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let before = locked(&mut tx, id).await?;
        if store::in_use(&mut tx, id).await? {
            return Err(Error::ManagerGroupInUse.into());
        }
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ManagerGroup(id), &before)?).await?;
        Ok(Response::new(pb::DeleteManagerGroupResponse {}))
    }
}
