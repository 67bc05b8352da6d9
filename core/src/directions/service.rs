//! `DirectionsService`.

use tollbook_proto::v1::{self as pb, directions_service_server::DirectionsService};
use tonic::{Request, Response, Status};

pub(crate) struct Service;

#[tonic::async_trait]
impl DirectionsService for Service {
    async fn list_directions(
        &self,
        _request: Request<pb::ListDirectionsRequest>,
    ) -> Result<Response<pb::ListDirectionsResponse>, Status> {
        let directions = super::all().collect();
        Ok(Response::new(pb::ListDirectionsResponse { directions }))
    }
}
