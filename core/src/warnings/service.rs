//! `BalanceWarningsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, balance_warnings_service_server::BalanceWarningsService};
use tonic::{Request, Response, Status};

use super::{Warning, store};
use crate::{access::principal, context::Context, ids::UserId, paging::Page};

pub(crate) struct Service(pub(crate) Arc<Context>);

#[tonic::async_trait]
impl BalanceWarningsService for Service {
    async fn list_balance_warnings(
        &self,
        request: Request<pb::ListBalanceWarningsRequest>,
    ) -> Result<Response<pb::ListBalanceWarningsResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.get_ref();
        let page = Page::of(request)?;
        let size = page.size;
        let before = page.after()?;
        let user = request.user_id.map(UserId);
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::list(&db, caller.scope(), user, before, size + 1).await?;
        let (warnings, next_page_token) = page.cut(rows, size, |warning| warning.id);
        let mails = warnings.into_iter().map(Warning::into_proto).collect();
        Ok(Response::new(pb::ListBalanceWarningsResponse { mails, next_page_token }))
    }
}
