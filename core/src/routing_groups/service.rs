//! `RoutingGroupsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, routing_groups_service_server::RoutingGroupsService};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    context::Context,
    error::{Error, Result},
    ids::RoutingGroupId,
    points,
    text::check_name,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(&self, name: String) -> Result<pb::RoutingGroup> {
        check_name(&name)?;
        let mut tx = self.0.db.begin().await?;
        let id = store::insert(&mut tx, &name).await?;
        tx.commit().await?;
        Ok(pb::RoutingGroup { id: id.0, name })
    }

    async fn delete(&self, id: RoutingGroupId) -> Result<()> {
        let mut tx = self.0.db.begin().await?;
        store::lock(&mut tx, id).await?;
        if points::store::use_routing_group(&mut tx, id).await? {
            return Err(Error::RoutingGroupInUse);
        }
        store::delete(&mut tx, id).await?;
        tx.commit().await
    }
}

#[tonic::async_trait]
impl RoutingGroupsService for Service {
    async fn list_routing_groups(
        &self,
        _request: Request<pb::ListRoutingGroupsRequest>,
    ) -> Result<Response<pb::ListRoutingGroupsResponse>, Status> {
        let routing_groups = store::all(&self.0.db).await?;
        Ok(Response::new(pb::ListRoutingGroupsResponse { routing_groups }))
    }

    async fn create_routing_group(
        &self,
        request: Request<pb::CreateRoutingGroupRequest>,
    ) -> Result<Response<pb::CreateRoutingGroupResponse>, Status> {
        let group = request.into_inner().routing_group.unwrap_or_default();
        let routing_group = Some(self.create(group.name).await?);
        Ok(Response::new(pb::CreateRoutingGroupResponse { routing_group }))
    }

    async fn delete_routing_group(
        &self,
        request: Request<pb::DeleteRoutingGroupRequest>,
    ) -> Result<Response<pb::DeleteRoutingGroupResponse>, Status> {
        self.delete(RoutingGroupId(request.get_ref().id)).await?;
        Ok(Response::new(pb::DeleteRoutingGroupResponse {}))
    }
}
