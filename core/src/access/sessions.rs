//! `SessionsService`: logging in and out.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, sessions_service_server::SessionsService};
use tonic::{Request, Response, Status};

use super::{
    Principal,
    password::{self, Verdict},
    principal, store,
    tokens::{self, NewToken, TokenKind},
};
use crate::{
    changes::{Change, Credential, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    ids::UserId,
    resource::Resource,
    users::{self, store::StoredPassword},
};

/// 24 hours in microseconds.
const SESSION_LENGTH: i64 = 24 * 3600 * 1_000_000;

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn log_in(
        &self,
        request: pb::CreateSessionRequest,
        caller: &Principal,
    ) -> Result<pb::CreateSessionResponse> {
        let address = caller.origin().address;
        let snapshot = self.0.catalog.load_full();
        let redirect = snapshot.settings.allow_api_login_redirect;
        let failed = || Error::LoginFailed { redirect };
        let lockout = &self.0.lockout;
        let (username, stored) = self.account(&request.username).await?;
        let attempt = lockout.attempt(address, Some(&username), !vouches(caller)).await;
        let attempt = attempt.ok_or_else(failed)?;
        let checked = check(stored, request.password).await;
        if !matches!(checked, Ok(None)) {
            attempt.give_back();
        }
        let Checked { id, changed_at, better } = checked?.ok_or_else(failed)?;
        let expires_at = clock::now() + SESSION_LENGTH;
        let origin = Origin { actor: Some(id), ..Origin::clone(caller.origin()) };
        let mut tx = self.0.begin_change(&origin).await?;
        // Whoever changes the password or deletes the user meanwhile ends the sessions there are,
        // and this one must not come after.
        let identity = users::store::lock(&mut tx, id).await?.ok_or_else(failed)?;
        if users::store::password_changed_at(&mut tx, id).await? != changed_at {
            return Err(failed());
        }
        lockout.came_in(address, &username);
        if let Some(better) = better {
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
        let resource = Resource::UserSessions(id);
        let note = format!("session {} begun", session.id);
        tx.commit(Change::told(resource, note)).await?;
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

    /// The user whom a login names, by the name under which their logins are counted, however it is
    /// spelled, and what is stored of their password.
    async fn account(&self, name: &str) -> Result<(String, Option<StoredPassword>)> {
        let by_name = users::store::password(&self.0.db, name).await?;
        let by_email = self.0.catalog.load().settings.allow_login_by_email;
        if by_name.is_some() || !by_email || !name.contains('@') {
            return Ok((name.to_owned(), by_name));
        }
        let email = name.to_lowercase();
        match users::store::username_by_email(&self.0.db, &email).await? {
            Some(username) => {
                let stored = users::store::password(&self.0.db, &username).await?;
                Ok((username, stored))
            }
            None => Ok((email, None)),
        }
    }
}

/// Compares a login's password with what is stored; `None` if it is wrong. A user who is not there takes
/// as long as one with another password.
async fn check(stored: Option<StoredPassword>, password: String) -> Result<Option<Checked>> {
    let hash = stored.as_ref().map(|stored| stored.hash.clone()).unwrap_or_default();
    let better = match password::verify(password, hash).await? {
        Verdict::Wrong => return Ok(None),
        Verdict::Right => None,
        Verdict::Outdated(better) => Some(better),
    };
    Ok(stored.map(|stored| Checked { id: stored.user, changed_at: stored.changed_at, better }))
}

/// A login with the right password.
struct Checked {
    id: UserId,
    /// When the user got that password.
    changed_at: Option<i64>,
    /// A better hash, to be stored in the place of the one that it was compared with.
    better: Option<String>,
}

/// Whether a login comes through somebody who has proven that they are the operator's: a portal,
/// whose address is that of all its visitors. Wrong passwords do not count against it.
fn vouches(caller: &Principal) -> bool {
    let is_staff = || caller.user().is_ok_and(|user| user.role.is_staff());
    match caller.origin().credential {
        Credential::ApiSecretKey => true,
        Credential::ApiKey(_) | Credential::AccessToken(_) | Credential::Certificate(_) => {
            is_staff()
        }
        _ => false,
    }
}

#[tonic::async_trait]
impl SessionsService for Service {
    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.log_in(request.into_inner(), &caller).await?))
    }

    async fn end_sessions(
        &self,
        request: Request<pb::EndSessionsRequest>,
    ) -> Result<Response<pb::EndSessionsResponse>, Status> {
        let caller = principal(&request)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let user = caller.user()?.id;
        let ended = store::delete_sessions(&mut tx, user).await?;
        tx.commit(Change::told(Resource::UserSessions(user), "all sessions ended")).await?;
        self.0.tokens.forget();
        let ended = i32::try_from(ended).unwrap_or(i32::MAX);
        Ok(Response::new(pb::EndSessionsResponse { ended }))
    }
}
