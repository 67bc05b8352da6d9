//! `ResellerGroupsService`.

use std::sync::Arc;

use tollbook_proto::v1::{
    self as pb, ResellerAddon, reseller_groups_service_server::ResellerGroupsService,
};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    access::principal,
    changes::Change,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{self, ResellerGroupId},
    paging::Page,
    resource::Resource,
    store::Sequence,
    text::{check_name, check_note},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// A group as a request describes it, with each addon once.
fn checked(group: Option<pb::ResellerGroup>) -> Result<pb::ResellerGroup> {
    let mut group = group.unwrap_or_default();
    check_name(&group.name)?;
    check_note("description", &group.description)?;
    for addon in &group.addons {
        if enums::known::<ResellerAddon>("addons", *addon)? == ResellerAddon::Unspecified {
            return Err(Error::invalid("addons", "holds an unknown addon"));
        }
    }
    group.addons.sort_unstable();
    group.addons.dedup();
    Ok(group)
}

#[tonic::async_trait]
impl ResellerGroupsService for Service {
    async fn list_reseller_groups(
        &self,
        request: Request<pb::ListResellerGroupsRequest>,
    ) -> Result<Response<pb::ListResellerGroupsResponse>, Status> {
        let page = Page::of(request.get_ref())?;
        let (size, after) = (page.size, page.after()?);
        let groups = store::list(&self.0.db, after, size + 1).await?;
        let (reseller_groups, next_page_token) = page.cut(groups, size, pb::ResellerGroup::id);
        Ok(Response::new(pb::ListResellerGroupsResponse { reseller_groups, next_page_token }))
    }

    async fn create_reseller_group(
        &self,
        request: Request<pb::CreateResellerGroupRequest>,
    ) -> Result<Response<pb::CreateResellerGroupResponse>, Status> {
        let caller = principal(&request)?;
        if caller.is_legacy() && !self.0.catalog.load().settings.api_allow_registration {
            return Err(Error::FeatureDisabled.into());
        }
        let mut group = checked(request.into_inner().reseller_group)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        group.id = Some(tx.next_id(Sequence::ResellerGroups).await?);
        store::insert(&mut tx, &group).await?;
        let change =
            Change::creation(Resource::ResellerGroup(ResellerGroupId(group.id())), &group)?;
        tx.commit(change).await?;
        Ok(Response::new(pb::CreateResellerGroupResponse { reseller_group: Some(group) }))
    }

    async fn update_reseller_group(
        &self,
        request: Request<pb::UpdateResellerGroupRequest>,
    ) -> Result<Response<pb::UpdateResellerGroupResponse>, Status> {
        let caller = principal(&request)?;
        let group = request.into_inner().reseller_group;
        let id = group.as_ref().and_then(|group| group.id);
        let id = ids::required::<ResellerGroupId>("reseller_group.id", id)?;
        let group = checked(group)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let before = store::lock(&mut tx, id).await?;
        store::update(&mut tx, &group).await?;
        tx.commit(Change::of(Resource::ResellerGroup(id), &before, &group)?).await?;
        Ok(Response::new(pb::UpdateResellerGroupResponse { reseller_group: Some(group) }))
    }

    async fn delete_reseller_group(
        &self,
        request: Request<pb::DeleteResellerGroupRequest>,
    ) -> Result<Response<pb::DeleteResellerGroupResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<ResellerGroupId>("id", request.get_ref().id)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let group = store::lock(&mut tx, id).await?;
        if store::in_use(&mut tx, id).await? {
            return Err(Error::ResellerGroupInUse.into());
        }
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ResellerGroup(id), &group)?).await?;
        Ok(Response::new(pb::DeleteResellerGroupResponse {}))
    }
}
