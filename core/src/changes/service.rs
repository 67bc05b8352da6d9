//! `ChangesService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, changes_service_server::ChangesService};
use tonic::{Request, Response, Status};

use super::store;
use crate::{
    access::{Principal, principal},
    clock,
    context::Context,
    error::Result,
    paging::Page,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListChangesRequest,
    ) -> Result<pb::ListChangesResponse> {
        let time = |field, time: &Option<_>, default| {
            time.as_ref().map_or(Ok(default), |time| clock::from_proto(field, time))
        };
        let page = Page::of(request)?;
        let size = page.size;
        let filter = store::Filter {
            actor: request.actor_id,
            resource: &request.resource,
            period: (
                time("from", &request.from, i64::MIN)?,
                time("till", &request.till, i64::MAX)?,
            ),
            before: page.after()?.unwrap_or(i64::MAX),
            limit: size + 1,
        };
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::list(&db, &filter).await?;
        let (changes, next_page_token) = page.cut(rows, size, |change| change.id);
        Ok(pb::ListChangesResponse { changes, next_page_token })
    }
}

#[tonic::async_trait]
impl ChangesService for Service {
    async fn list_changes(
        &self,
        request: Request<pb::ListChangesRequest>,
    ) -> Result<Response<pb::ListChangesResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }
}
