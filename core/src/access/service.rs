//! `AccessTokensService` and `LegacyService`.

use std::sync::Arc;

use tollbook_proto::v1::{
    self as pb, AccessTokenKind, access_tokens_service_server::AccessTokensService,
    legacy_service_server,
};
use tonic::{Request, Response, Status};

use super::{
    claim::Claim,
    layer::Gate,
    principal, store,
    tokens::{self, NewToken, Token, TokenKind},
};
use crate::{
    changes::Change,
    clock,
    context::Context,
    enums,
    error::Error,
    ids::{self, UserId},
    paging::Page,
    resource::Resource,
    text::check_text,
};

pub(crate) struct TokenService(pub(crate) Arc<Context>);

fn to_proto(token: &Token) -> pb::AccessToken {
    let kind = match token.kind {
        TokenKind::Shim => AccessTokenKind::Shim,
        TokenKind::User | TokenKind::Session => AccessTokenKind::User,
    };
    pb::AccessToken {
        id: token.id,
        name: token.name.clone(),
        kind: kind.into(),
        user_id: token.user.0,
        created_at: Some(clock::to_proto(token.created_at)),
        expires_at: token.expires_at.map(clock::to_proto),
        of_certificate: token.of_certificate,
    }
}

#[tonic::async_trait]
impl AccessTokensService for TokenService {
    async fn create_access_token(
        &self,
        request: Request<pb::CreateAccessTokenRequest>,
    ) -> Result<Response<pb::CreateAccessTokenResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.into_inner();
        let kind = match enums::known("kind", request.kind)? {
            AccessTokenKind::Shim => TokenKind::Shim,
            AccessTokenKind::User | AccessTokenKind::Unspecified => TokenKind::User,
        };
        let user = match kind {
            // It acts as whoever signed the request in front of it.
            TokenKind::Shim => UserId(request.user_id.unwrap_or_default()),
            TokenKind::User | TokenKind::Session => {
                ids::required::<UserId>("user_id", request.user_id)?
            }
        };
        if request.name.is_empty() {
            return Err(Error::invalid("name", "is required").into());
        }
        check_text("name", &request.name)?;
        let expires_at =
            request.expires_at.map(|time| clock::from_proto("expires_at", &time)).transpose()?;
        if kind == TokenKind::Shim && !caller.scope().is_staff() {
            return Err(Error::RoleDenied.into());
        }
        caller.see(self.0.directory.by_id(user).await?)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let certificate = Some(request.certificate.as_slice()).filter(|bytes| !bytes.is_empty());
        let new = NewToken { kind, name: &request.name, user, expires_at, certificate };
        let (token, secret) = tokens::create(&mut tx, new).await?;
        let token = to_proto(&token);
        tx.commit(Change::creation(Resource::AccessToken(token.id), &token)?).await?;
        Ok(Response::new(pb::CreateAccessTokenResponse { access_token: Some(token), secret }))
    }

    async fn list_access_tokens(
        &self,
        request: Request<pb::ListAccessTokensRequest>,
    ) -> Result<Response<pb::ListAccessTokensResponse>, Status> {
        let page = Page::of(request.get_ref())?;
        let (size, after) = (page.size, page.after()?);
        let scope = principal(&request)?.scope();
        let tokens = store::list(&self.0.db, scope, after, size + 1).await?;
        let (tokens, next_page_token) = page.cut(tokens, size, |token| token.id);
        let access_tokens = tokens.iter().map(to_proto).collect();
        Ok(Response::new(pb::ListAccessTokensResponse { access_tokens, next_page_token }))
    }

    async fn revoke_access_token(
        &self,
        request: Request<pb::RevokeAccessTokenRequest>,
    ) -> Result<Response<pb::RevokeAccessTokenResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required("id", request.get_ref().id)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let token =
            store::delete(&mut tx, caller.scope(), id).await?.ok_or(Error::AccessTokenNotFound)?;
        tx.commit(Change::deletion(Resource::AccessToken(id), &to_proto(&token))?).await?;
        self.0.tokens.forget();
        Ok(Response::new(pb::RevokeAccessTokenResponse {}))
    }
}

pub(crate) struct LegacyService(pub(crate) Arc<Gate>);

#[tonic::async_trait]
impl legacy_service_server::LegacyService for LegacyService {
    async fn check_access(
        &self,
        request: Request<pb::CheckAccessRequest>,
    ) -> Result<Response<pb::CheckAccessResponse>, Status> {
        let claim = request.extensions().get::<Claim>();
        let claim = claim.ok_or(Error::SignatureRefused)?;
        self.0.check_legacy(claim).await?;
        Ok(Response::new(pb::CheckAccessResponse {}))
    }
}
