//! `ApiPermissionGroupsService`.

use std::sync::Arc;

use tollbook_proto::{
    legacy,
    v1::{self as pb, ApiAccess, api_permission_groups_service_server::ApiPermissionGroupsService},
};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    access::{Principal, keys, principal},
    changes::Change,
    context::Context,
    contract, enums,
    error::{Error, Result},
    ids::{self, ApiPermissionGroupId},
    paging::Page,
    resource::Resource,
    store::Sequence,
    text::{check_name, check_note},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// A group as it can be stored, with its methods by the names under which requests are checked.
fn checked(mut group: pb::ApiPermissionGroup) -> Result<pb::ApiPermissionGroup> {
    check_name(&group.name)?;
    check_note("description", &group.description)?;
    group.methods = keys::methods("methods", group.methods, check_access)?;
    Ok(group)
}

/// A right that can be given for a method.
fn check_access(method: &str, access: i32) -> Result<i32> {
    let field = || format!("methods.{method}");
    match enums::known("methods", access)? {
        ApiAccess::Unspecified => Err(Error::invalid(field(), "must be one of the rights")),
        ApiAccess::Write if legacy::only_reads(method) => {
            Err(Error::invalid(field(), "only reads: give the right to read"))
        }
        access => Ok(access.into()),
    }
}

/// A group after the changes that a request asks for, not yet checked.
fn changed(
    old: &pb::ApiPermissionGroup,
    request: pb::UpdateApiPermissionGroupRequest,
) -> Result<pb::ApiPermissionGroup> {
    let new = request.api_permission_group.unwrap_or_default();
    let mask = request.update_mask.filter(|mask| !mask.paths.is_empty());
    let Some(mask) = mask else {
        return Ok(pb::ApiPermissionGroup { id: old.id, ..new });
    };
    let (from, mut to) = (contract::to_dynamic(&new)?, contract::to_dynamic(old)?);
    for path in contract::paths(Some(&mask)) {
        let method = path.strip_prefix("methods.");
        // By another name, what a method may be given would stay as it is.
        let is_other = method.is_some_and(|name| legacy::own_name(name) != Some(name));
        if path == "id" || is_other || !contract::copy_field(&mut to, &from, path) {
            return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
        }
    }
    contract::from_dynamic(&to)
}

impl Service {
    async fn create(
        &self,
        caller: &Principal,
        request: pb::CreateApiPermissionGroupRequest,
    ) -> Result<pb::ApiPermissionGroup> {
        let mut group = checked(request.api_permission_group.unwrap_or_default())?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        group.id = Some(tx.next_id(Sequence::ApiPermissionGroups).await?);
        store::insert(&mut tx, &group).await?;
        let change = Change::creation(
            Resource::ApiPermissionGroup(ApiPermissionGroupId(group.id())),
            &group,
        )?;
        tx.commit(change).await?;
        Ok(group)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateApiPermissionGroupRequest,
    ) -> Result<pb::ApiPermissionGroup> {
        let id = request.api_permission_group.as_ref().and_then(|group| group.id);
        let id: ApiPermissionGroupId = ids::required("api_permission_group.id", id)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let groups = store::all(&mut tx).await?;
        let before = groups.by_id(id)?;
        let group = checked(changed(before, request)?)?;
        store::update(&mut tx, &group).await?;
        let change = Change::of(Resource::ApiPermissionGroup(id), before, &group)?;
        tx.commit(change).await?;
        Ok(group)
    }

    async fn delete(&self, caller: &Principal, id: ApiPermissionGroupId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let groups = store::all(&mut tx).await?;
        let before = groups.by_id(id)?;
        // Nobody is given it meanwhile: who changes a user holds the catalog.
        if store::in_use(&mut tx, id).await? {
            return Err(Error::ApiPermissionGroupInUse);
        }
        store::delete(&mut tx, id).await?;
        let change = Change::deletion(Resource::ApiPermissionGroup(id), before)?;
        tx.commit(change).await
    }
}

#[tonic::async_trait]
impl ApiPermissionGroupsService for Service {
    async fn list_api_permission_groups(
        &self,
        request: Request<pb::ListApiPermissionGroupsRequest>,
    ) -> Result<Response<pb::ListApiPermissionGroupsResponse>, Status> {
        let snapshot = self.0.catalog.load();
        let page = Page::of(request.get_ref())?;
        let all = snapshot.api_permission_groups.0.values();
        let (groups, next_page_token) = page.of_sorted(all, |group| group.id())?;
        let api_permission_groups = groups.into_iter().cloned().collect();
        let response =
            pb::ListApiPermissionGroupsResponse { api_permission_groups, next_page_token };
        Ok(Response::new(response))
    }

    async fn get_api_permission_group(
        &self,
        request: Request<pb::GetApiPermissionGroupRequest>,
    ) -> Result<Response<pb::GetApiPermissionGroupResponse>, Status> {
        let id = ids::required("id", request.get_ref().id)?;
        let snapshot = self.0.catalog.load();
        let api_permission_group = Some(snapshot.api_permission_groups.by_id(id)?.clone());
        Ok(Response::new(pb::GetApiPermissionGroupResponse { api_permission_group }))
    }

    async fn create_api_permission_group(
        &self,
        request: Request<pb::CreateApiPermissionGroupRequest>,
    ) -> Result<Response<pb::CreateApiPermissionGroupResponse>, Status> {
        let caller = principal(&request)?;
        let api_permission_group = Some(self.create(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::CreateApiPermissionGroupResponse { api_permission_group }))
    }

    async fn update_api_permission_group(
        &self,
        request: Request<pb::UpdateApiPermissionGroupRequest>,
    ) -> Result<Response<pb::UpdateApiPermissionGroupResponse>, Status> {
        let caller = principal(&request)?;
        let api_permission_group = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateApiPermissionGroupResponse { api_permission_group }))
    }

    async fn delete_api_permission_group(
        &self,
        request: Request<pb::DeleteApiPermissionGroupRequest>,
    ) -> Result<Response<pb::DeleteApiPermissionGroupResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required("id", request.get_ref().id)?;
        self.delete(&caller, id).await?;
        Ok(Response::new(pb::DeleteApiPermissionGroupResponse {}))
    }
}
