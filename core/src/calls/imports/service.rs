//! `CallImportsService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, call_imports_service_server::CallImportsService};
use tonic::{Request, Response, Status};

use super::{store, undo};
use crate::{
    access::{Principal, principal},
    context::Context,
    error::{Error, Result},
    ids::{self, UserId},
    paging::Page,
};

pub(crate) struct Service(pub(crate) Arc<Context>);

/// Whose imports a caller sees; none: those of all. An import is of customers of all kinds, so who may
/// see some of them sees what they brought themselves.
fn only_of(caller: &Principal) -> Result<Option<UserId>> {
    match caller.scope().is_staff_wide() {
        true => Ok(None),
        false => Ok(Some(caller.user()?.id)),
    }
}

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListCallImportsRequest,
    ) -> Result<pb::ListCallImportsResponse> {
        let page = Page::of(request)?;
        let size = page.size;
        let before = page.after()?.unwrap_or(i64::MAX);
        let db = self.0.db.long(caller.origin().actor);
        let rows = store::list(&db, only_of(caller)?, before, size + 1).await?;
        let (call_imports, next_page_token) = page.cut(rows, size, |import| import.id);
        Ok(pb::ListCallImportsResponse { call_imports, next_page_token })
    }

    async fn get(
        &self,
        caller: &Principal,
        request: &pb::GetCallImportRequest,
    ) -> Result<pb::GetCallImportResponse> {
        let id = ids::required("id", request.id)?;
        let import = store::get(&mut self.0.db.snapshot().await?, id).await?;
        match only_of(caller)? {
            Some(actor) if import.actor_id != Some(actor.0) => Err(Error::CallImportNotFound),
            _ => Ok(pb::GetCallImportResponse { call_import: Some(import) }),
        }
    }
}

#[tonic::async_trait]
impl CallImportsService for Service {
    async fn list_call_imports(
        &self,
        request: Request<pb::ListCallImportsRequest>,
    ) -> Result<Response<pb::ListCallImportsResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_call_import(
        &self,
        request: Request<pb::GetCallImportRequest>,
    ) -> Result<Response<pb::GetCallImportResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.get(&caller, request.get_ref()).await?))
    }

    async fn undo_call_import(
        &self,
        request: Request<pb::UndoCallImportRequest>,
    ) -> Result<Response<pb::UndoCallImportResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(undo::undo(&self.0, caller.origin(), request.get_ref()).await?))
    }
}
