//! `RoutingGroupsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, routing_groups_service_server::RoutingGroupsService};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, RoutingGroupId},
    paging::Page,
    points,
    resource::Resource,
    routing,
    text::check_name,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(&self, caller: &Principal, name: String) -> Result<pb::RoutingGroup> {
        check_name(&name)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let id = store::insert(&mut tx, &name).await?;
        let group = pb::RoutingGroup { id: id.0, name };
        tx.commit(Change::creation(Resource::RoutingGroup(id), &group)?).await?;
        Ok(group)
    }

    async fn delete(&self, caller: &Principal, id: RoutingGroupId) -> Result<()> {
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let name = store::lock(&mut tx, id).await?;
        let is_lcr = routing::store::is_lcr(&mut tx, id).await?;
        if is_lcr || points::store::use_routing_group(&mut tx, id).await? {
            return Err(Error::RoutingGroupInUse);
        }
        store::delete(&mut tx, id).await?;
        let group = pb::RoutingGroup { id: id.0, name };
        tx.commit(Change::deletion(Resource::RoutingGroup(id), &group)?).await
    }
}

#[tonic::async_trait]
impl RoutingGroupsService for Service {
    async fn list_routing_groups(
        &self,
        request: Request<pb::ListRoutingGroupsRequest>,
    ) -> Result<Response<pb::ListRoutingGroupsResponse>, Status> {
        let page = Page::of(request.get_ref())?;
        let (size, after) = (page.size, page.after()?);
        let groups = store::list(&self.0.db, after, size + 1).await?;
        let (routing_groups, next_page_token) = page.cut(groups, size, |group| group.id);
        Ok(Response::new(pb::ListRoutingGroupsResponse { routing_groups, next_page_token }))
    }

    async fn create_routing_group(
        &self,
        request: Request<pb::CreateRoutingGroupRequest>,
    ) -> Result<Response<pb::CreateRoutingGroupResponse>, Status> {
        let caller = principal(&request)?;
        let group = request.into_inner().routing_group.unwrap_or_default();
        let routing_group = Some(self.create(&caller, group.name).await?);
        Ok(Response::new(pb::CreateRoutingGroupResponse { routing_group }))
    }

    async fn delete_routing_group(
        &self,
        request: Request<pb::DeleteRoutingGroupRequest>,
    ) -> Result<Response<pb::DeleteRoutingGroupResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<RoutingGroupId>("id", request.get_ref().id)?;
        self.delete(&caller, id).await?;
        Ok(Response::new(pb::DeleteRoutingGroupResponse {}))
    }
}
