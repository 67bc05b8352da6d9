//! `SessionsService`: logging in and out.

use std::{net::IpAddr, sync::Arc};

use tollbook_proto::v1::{self as pb, sessions_service_server::SessionsService};
use tonic::{Request, Response, Status};

use super::{
    password::{self, Verdict},
    principal, store,
    tokens::{self, TokenKind},
};
use crate::{
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
        address: Option<IpAddr>,
    ) -> Result<pb::CreateSessionResponse> {
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
        let (_, token) =
            tokens::create(&mut tx, TokenKind::Session, "session", id, Some(expires_at)).await?;
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
        let address = principal(&request)?.address;
        Ok(Response::new(self.log_in(request.into_inner(), address).await?))
    }

    async fn end_sessions(
        &self,
        request: Request<pb::EndSessionsRequest>,
    ) -> Result<Response<pb::EndSessionsResponse>, Status> {
        let caller = principal(&request)?;
        let mut tx = self.0.db.begin().await?;
        let ended = store::delete_sessions(&mut tx, caller.user()?.id).await?;
        tx.commit().await?;
        self.0.tokens.forget();
        let ended = i32::try_from(ended).unwrap_or(i32::MAX);
        Ok(Response::new(pb::EndSessionsResponse { ended }))
    }
}
