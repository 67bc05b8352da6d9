//! `SessionsService`: logging in and out.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, sessions_service_server::SessionsService};
use tonic::{Request, Response, Status};

use super::{
    password::{self, Verdict},
    principal, store,
    tokens::{self, NewToken, TokenKind},
};
use crate::{
    changes::{self, Change, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    users,
};

/// 24 hours in microseconds.
const SESSION_LENGTH: i64 = 24 * 3600 * 1_000_000;

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn log_in(
        &self,
        request: pb::CreateSessionRequest,
        origin: &Origin,
    ) -> Result<pb::CreateSessionResponse> {
        let address = origin.address;
        let snapshot = self.0.catalog.load_full();
        let redirect = snapshot.settings.allow_api_login_redirect;
        if self.0.lockout.is_locked(address, &request.username) {
            return Err(Error::LoginFailed { redirect });
        }
        let stored = users::store::password_hash(&self.0.db, &request.username).await?;
        // Somebody unknown takes as long as somebody with a wrong password.
        let (id, hash) = match stored {
            Some((id, hash)) => (Some(id), hash),
            None => (None, String::new()),
        };
        let verdict = password::verify(request.password, hash).await?;
        let (Some(id), Verdict::Right | Verdict::Outdated(_)) = (id, &verdict) else {
            self.0.lockout.failed(address, &request.username);
            return Err(Error::LoginFailed { redirect });
        };
        let identity = self.0.directory.by_id(id).await?.ok_or(Error::LoginFailed { redirect })?;
        self.0.lockout.came_in(address, &request.username);
        let expires_at = clock::now() + SESSION_LENGTH;
        let mut tx = self.0.db.begin().await?;
        if let Verdict::Outdated(better) = verdict {
            users::store::set_password_hash(&mut tx, id, &better, false).await?;
        }
        let new = NewToken {
            kind: TokenKind::Session,
            name: "session",
            user: id,
            expires_at: Some(expires_at),
            certificate: None,
        };
        let (session, token) = tokens::create(&mut tx, new).await?;
        let resource = format!("users/{id}/sessions");
        let note = format!("session {} begun", session.id);
        let origin = Origin { actor: Some(id), ..origin.clone() };
        changes::record(&mut tx, &origin, Change::told(resource, note)).await?;
        tx.commit().await?;
        let login_redirect_url =
            if redirect { snapshot.settings.login_redirect_url.clone() } else { String::new() };
        Ok(pb::CreateSessionResponse {
            user_id: id.0,
            role: identity.role.to_proto().into(),
            token,
            expires_at: Some(clock::to_proto(expires_at)),
            login_redirect_url,
        })
    }
}

#[tonic::async_trait]
impl SessionsService for Service {
    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.log_in(request.into_inner(), caller.origin()).await?))
    }

    async fn end_sessions(
        &self,
        request: Request<pb::EndSessionsRequest>,
    ) -> Result<Response<pb::EndSessionsResponse>, Status> {
        let caller = principal(&request)?;
        let mut tx = self.0.db.begin().await?;
        let user = caller.user()?.id;
        let ended = store::delete_sessions(&mut tx, user).await?;
        let change = Change::told(format!("users/{user}/sessions"), "all sessions ended");
        changes::record(&mut tx, caller.origin(), change).await?;
        tx.commit().await?;
        self.0.tokens.forget();
        let ended = i32::try_from(ended).unwrap_or(i32::MAX);
        Ok(Response::new(pb::EndSessionsResponse { ended }))
    }
}
