//! The tower layer that authenticates every call of `tollbook.v1` before its own code runs.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Instant,
};

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{
    Extensions, HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION, request::Parts,
};
use tollbook_net::Held;
use tollbook_proto::{HTML_WRAP_HEADER, LEGACY_SIGNATURE_METADATA, REQUEST_ID_HEADER};
use tonic::{
    Code, Status,
    body::Body,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::{Layer, Service};
use tracing::{Instrument, Span};

use super::{
    Caller, Principal, Refusal,
    admission::Admission,
    binding::{Bindings, RpcBindings},
    claim::{Claim, Lists},
    policy::{Policy, Rule},
    signature,
    tokens::{Token, TokenKind},
};
use crate::{
    changes::{Credential, Origin},
    context::Context,
    error::{Error, Result},
    managers::Permissions,
    trace,
    users::Identity,
};

/// The target of the spans of rpcs that a shim calls in its own process.
pub const RPC_IN_PROCESS: &str = "tollbook_core::rpc_in_process";

const METADATA_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who was let in.
enum Admitted<'a> {
    /// Whoever it is: the rpc is open to all.
    Stranger,
    /// A caller with a credential.
    Known,
    /// A legacy request, which must do what it signed.
    Bound { bindings: &'a RpcBindings, claim: Box<Claim>, lists: Lists },
}

/// Decides who gets in, and when.
pub(crate) struct Gate {
    policy: Policy,
    bindings: Bindings,
    context: Arc<Context>,
    admission: Admission,
}

impl Gate {
    /// Reads the access rules; fails where the contract leaves one out.
    pub(crate) fn new(context: Arc<Context>) -> Result<Self> {
        let (policy, bindings) = (Policy::load()?, Bindings::load()?);
        Ok(Self { policy, bindings, context, admission: Admission::new() })
    }

    /// Lets a call in: with who calls, and with its message, unless it sends many.
    async fn open(
        &self,
        rule: &Rule,
        request: Request<Body>,
        request_id: &Arc<str>,
    ) -> Result<(Request<Body>, Held), Status> {
        let (mut parts, body) = request.into_parts();
        let check = self.admission.check().await?;
        // What is answered is never older than what this process has changed.
        self.context.catalog.catch_up(&self.context.db).await?;
        let admitted = self.admit(rule, &mut parts, request_id).await?;
        drop(check);
        let request = Request::from_parts(parts, body);
        if rule.is_upload && !matches!(admitted, Admitted::Bound { .. }) {
            return Ok((request, Held::default()));
        }
        let is_stranger = matches!(admitted, Admitted::Stranger);
        let (request, held) = self.admission.receive(request, is_stranger).await?;
        let Admitted::Bound { bindings, claim, lists } = admitted else {
            return Ok((request, held));
        };
        let (parts, body) = request.into_parts();
        let body = bindings.hold(&claim, lists, body).await?;
        Ok((Request::from_parts(parts, body), held))
    }

    /// Finds out who calls, and puts it into the call; or says why they are turned away.
    async fn admit(
        &self,
        rule: &Rule,
        parts: &mut Parts,
        request_id: &Arc<str>,
    ) -> Result<Admitted<'_>> {
        let token = self.token(&parts.headers, &parts.extensions).await?;
        let Some(claim) = parts.headers.get(LEGACY_SIGNATURE_METADATA) else {
            let extensions = &parts.extensions;
            let principal = self.admit_direct(rule, token, extensions, request_id).await?;
            let is_stranger = matches!(principal.caller, Caller::Anonymous);
            parts.extensions.insert(principal);
            return Ok(if is_stranger { Admitted::Stranger } else { Admitted::Known });
        };
        let claim = decode_claim(token.as_deref(), claim)?;
        if parts.uri.path() == CHECK_ACCESS {
            parts.extensions.insert(claim);
            return Ok(Admitted::Known);
        }
        let bindings = self.bindings.of(&claim, parts.uri.path());
        let bindings = bindings.ok_or(Error::SignatureRefused)?;
        let (principal, lists) = self.admit_legacy(rule, &claim, request_id).await?;
        parts.extensions.insert(principal);
        Ok(Admitted::Bound { bindings, claim: Box::new(claim), lists })
    }

    /// The principal of a call that carries no legacy signature.
    async fn admit_direct(
        &self,
        rule: &Rule,
        token: Option<Arc<Token>>,
        extensions: &Extensions,
        request_id: &Arc<str>,
    ) -> Result<Principal> {
        if rule.legacy_only {
            return Err(Error::SignatureRefused);
        }
        let (caller, credential) = match token {
            Some(token) if token.kind != TokenKind::Shim => {
                let user = self.context.directory.lately_by_id(token.user).await?;
                let user = user.ok_or(Refusal::UserDeleted)?;
                // Its group speaks of legacy methods, and is not to be got round.
                if user.api_restriction.is_some() && !rule.public {
                    return Err(Error::ApiRestricted);
                }
                let permissions = self.permissions_of(&user);
                (Caller::User(user, permissions), token.credential())
            }
            // A shim has no powers of its own.
            Some(_) => return Err(Error::ShimToken),
            None if rule.public => (Caller::Anonymous, Credential::None),
            None if certificate(extensions).is_some() => {
                return Err(Refusal::CertificateUnknown.into());
            }
            None => return Err(Error::CredentialsMissing),
        };
        let origin = Origin {
            actor: match &caller {
                Caller::User(user, _) => Some(user.id),
                Caller::Anonymous => None,
            },
            credential,
            address: address_of(extensions),
            rpc: rule.name.clone(),
            legacy_method: String::new(),
            request_id: request_id.clone(),
        };
        let principal = Principal { caller, origin: Arc::new(origin), replay: None };
        rule.check(&principal)?;
        Ok(principal)
    }

    /// The principal of a legacy request, and the lists of parameters that it signed.
    async fn admit_legacy(
        &self,
        rule: &Rule,
        claim: &Claim,
        request_id: &Arc<str>,
    ) -> Result<(Principal, Lists)> {
        let snapshot = self.context.catalog.load_full();
        let request = signature::Verifier {
            claim,
            request_id,
            snapshot: &snapshot,
            directory: &self.context.directory,
            lockout: &self.context.lockout,
            db: &self.context.db,
        };
        let admitted = request.verify(rule, |user| self.permissions_of(user)).await;
        let (principal, lists) = admitted.inspect_err(|error| {
            let (method, client) = (claim.method.name, claim.client_address());
            tracing::info!(method, client, %error, "legacy request refused");
        })?;
        rule.check(&principal)?;
        Ok((principal, lists))
    }

    /// Whether a legacy request would be let through to the rpc that does its method's work.
    pub(super) async fn check_legacy(&self, claim: &Claim) -> Result<()> {
        let rpc = claim.method.rpcs.first().and_then(|rpc| self.policy.rule(rpc.path));
        let rule = rpc.ok_or(Error::SignatureRefused)?;
        self.admit_legacy(rule, claim, &"".into()).await.map(drop)
    }

    /// The valid token that the headers carry, or that admits the client's certificate; none:
    /// there is neither.
    async fn token(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Arc<Token>>> {
        let Context { tokens, db, .. } = &*self.context;
        let Some(header) = headers.get(AUTHORIZATION) else {
            return match certificate(extensions) {
                Some(certificate) => tokens.of_certificate(db, &certificate).await,
                None => Ok(None),
            };
        };
        let secret = header.to_str().ok().and_then(|text| {
            let (scheme, secret) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
        });
        let secret = secret.ok_or(Refusal::Scheme)?;
        let token = tokens.find(db, secret).await?;
        Ok(Some(token.ok_or(Refusal::TokenUnknown)?))
    }

    fn permissions_of(&self, user: &Identity) -> Permissions {
        let snapshot = self.context.catalog.load();
        let group = snapshot.manager_groups.by_id(user.manager_group);
        group.map(|group| group.permissions).unwrap_or_default()
    }
}

/// The certificate with which the client opened the connection, in DER.
fn certificate(extensions: &Extensions) -> Option<Vec<u8>> {
    let connection = extensions.get::<TlsConnectInfo<TcpConnectInfo>>();
    let certificates = connection.and_then(TlsConnectInfo::peer_certs)?;
    certificates.first().map(|certificate| certificate.to_vec())
}

/// Where a call came from; none: from this process.
pub(super) fn address_of(extensions: &Extensions) -> Option<IpAddr> {
    let plain = extensions.get::<TcpConnectInfo>();
    let secured =
        || extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref);
    let connection = plain.or_else(secured)?;
    connection.remote_addr().map(|peer| peer.ip().to_canonical())
}

/// The span of an rpc, of the highest level so that every line of the log has the request's id.
/// In a shim's own process its span has the id already: a second one, which would cost one part
/// in twenty of a short answer, is made only where traces or such details are collected.
fn span_of(rule: &Rule, request_id: &str) -> Span {
    if Span::current().is_none() {
        tracing::error_span!("rpc", rpc = %rule.name, request_id)
    } else {
        tracing::debug_span!(target: RPC_IN_PROCESS, "rpc", rpc = %rule.name)
    }
}

/// The id that a request came with, if it is one; else a new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID_HEADER).and_then(|id| id.to_str().ok());
    match given.filter(|id| tollbook_proto::is_request_id(id)) {
        Some(id) => id.into(),
        None => hex::encode(rand::random::<[u8; 8]>()).into(),
    }
}

/// Reads a legacy signature, which only a shim may present.
fn decode_claim(token: Option<&Token>, claim: &HeaderValue) -> Result<Claim> {
    if token.is_none_or(|token| token.kind != TokenKind::Shim) {
        return Err(Error::SignatureRefused);
    }
    // Binary metadata travels as base64, with padding or without.
    let bytes = METADATA_BASE64.decode(claim).map_err(|_| Error::SignatureRefused)?;
    Claim::read(&bytes)
}

/// Puts the gate in front of a service.
#[derive(Clone)]
pub(crate) struct AccessLayer(pub(crate) Arc<Gate>);

impl<S> Layer<S> for AccessLayer {
    type Service = AccessService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        AccessService { gate: self.0.clone(), inner }
    }
}

/// A service with the gate in front.
#[derive(Clone)]
pub struct AccessService<S> {
    gate: Arc<Gate>,
    inner: S,
}

/// Whether a path without a rule is open to all: health and reflection, and nothing else.
fn is_open(path: &str) -> bool {
    ["/grpc.health.v1.Health/", "/grpc.reflection."].iter().any(|open| path.starts_with(open))
}

/// The code of a response that has failed at once; a stream that fails later is a success here.
fn code_of<B>(response: &Response<B>) -> Code {
    let code = response.headers().get("grpc-status");
    code.map_or(Code::Ok, |code| Code::from_bytes(code.as_bytes()))
}

/// The one rpc whose rule is that of another, which the claim names: its own code makes the
/// checks.
const CHECK_ACCESS: &str = "/tollbook.v1.LegacyService/CheckAccess";

impl<S> Service<Request<Body>> for AccessService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gate = self.gate.clone();
        // The clone may not be ready; the one that was polled is.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let Some(rule) = gate.policy.rule(request.uri().path()) else {
                return match is_open(request.uri().path()) {
                    true => match gate.admission.admit_stranger(request) {
                        Ok(request) => inner.call(request).await,
                        Err(error) => Ok(Status::from(error).into_http()),
                    },
                    false => Ok(Status::unimplemented("there is no such rpc").into_http()),
                };
            };
            let begun = Instant::now();
            let legacy = request.headers().contains_key(LEGACY_SIGNATURE_METADATA);
            let id = request_id(request.headers());
            let span = span_of(rule, &id);
            trace::continue_from(&span, request.headers());
            let mut response = async {
                match gate.open(rule, request, &id).await {
                    Ok((request, held)) => {
                        // Who sends a stream may be silent for long: it holds up nobody.
                        let turn = match rule.is_upload {
                            true => None,
                            false => match gate.admission.turn().await {
                                Ok(turn) => Some(turn),
                                Err(error) => return Ok(Status::from(error).into_http()),
                            },
                        };
                        let work = async move {
                            let _taken = (turn, held);
                            inner.call(request).await
                        };
                        if rule.changes_nothing {
                            return work.await;
                        }
                        // Whoever leaves does not stop what commits and then publishes.
                        let done = gate.context.tasks.run(work).await;
                        done.unwrap_or_else(|error| Ok(Status::from(error).into_http()))
                    }
                    Err(status) => Ok(status.into_http()),
                }
            }
            .instrument(span)
            .await?;
            if let Ok(id) = HeaderValue::from_str(&id) {
                response.headers_mut().insert(REQUEST_ID_HEADER, id);
            }
            rule.measured.answered(&rule.name, code_of(&response), begun);
            if legacy && gate.context.catalog.load().settings.xml_api_extension {
                response.headers_mut().insert(HTML_WRAP_HEADER, HeaderValue::from_static("1"));
            }
            Ok(response)
        })
    }
}
