//! `DirectionsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, directions_service_server::DirectionsService};
use tonic::{Request, Response, Status};

use crate::context::Context;

pub(crate) struct Service(pub(crate) Arc<Context>);

#[tonic::async_trait]
impl DirectionsService for Service {
    async fn list_directions(
        &self,
        _request: Request<pb::ListDirectionsRequest>,
    ) -> Result<Response<pb::ListDirectionsResponse>, Status> {
        Ok(Response::new(pb::ListDirectionsResponse { directions: self.0.directions.clone() }))
    }
}
