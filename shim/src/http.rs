//! The HTTP side: `/billing/api/METHOD`, by POST or GET, in the spellings that clients in
//! the field use (`docs/rules/legacy-requests.md#requests`).

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::OnceLock,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method as Verb, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, LOCATION},
    },
    response::Response,
};
use futures_util::{StreamExt, stream};
use ipnet::IpNet;
use metrics::{Counter, Histogram, counter, histogram};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tollbook_net::{Budget, Held, Refusal};
use tollbook_proto::{REQUEST_ID_HEADER, is_request_id};
use tonic::metadata::{Binary, MetadataValue};
use tracing::Instrument;

use crate::{
    BoxError, Dialect, Shim,
    call::{Call, Signed},
    cors,
    error::{self, Failure, Wrap},
    gzip, hmac,
    method::Method,
    request::Params,
    signature::{self, Presented},
    trace,
    xml::{Answer, DECLARATION},
};

/// The longest body that is read.
const MAX_BODY: usize = 1024 * 1024;
/// How much memory the bodies of all requests take together.
const BODIES: usize = 40 * 1024 * 1024;
/// How long a client may take to send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How many requests are worked on at once.
const MAX_IN_FLIGHT: usize = 1024;
/// How long a request waits for its turn. Whoever waits longer would not wait for the answer
/// either: it is refused before it costs anything.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// What a request hears that is one too many.
const BUSY: &str = "Service is temporarily unavailable";

/// A shim as it serves.
pub(crate) struct Server {
    shim: Shim,
    /// Methods by name and by alias.
    methods: HashMap<&'static str, &'static Method>,
    /// What is measured of each method, by its name.
    measured: HashMap<&'static str, Measured>,
    turns: Semaphore,
    bodies: Budget,
}

impl Server {
    pub(crate) fn new(shim: Shim) -> Self {
        let (mut methods, mut measured) = (HashMap::new(), HashMap::new());
        for method in shim.dialect.methods() {
            let declaration = method.declaration;
            measured.insert(declaration.name, Measured::default());
            for name in std::iter::once(&declaration.name).chain(declaration.aliases) {
                methods.insert(*name, method);
            }
        }
        let bodies = Budget::new(BODIES);
        Self { shim, methods, measured, turns: Semaphore::new(MAX_IN_FLIGHT), bodies }
    }

    /// A method was answered, after this long.
    fn answered(&self, method: &'static str, status: StatusCode, begun: Instant) {
        if let Some(measured) = self.measured.get(method) {
            measured.answered(method, status, begun);
        }
    }
}

/// A method as it is measured. What every request of it needs is looked up once.
#[derive(Default)]
struct Measured {
    succeeded: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

impl Measured {
    fn answered(&self, method: &'static str, status: StatusCode, begun: Instant) {
        let seconds = || histogram!("tollbook_xml_seconds", "method" => method);
        self.seconds.get_or_init(seconds).record(begun.elapsed());
        let answered = || {
            let status = status.as_str().to_owned();
            counter!("tollbook_xml_total", "method" => method, "status" => status)
        };
        match status {
            StatusCode::OK => self.succeeded.get_or_init(answered).increment(1),
            _ => answered().increment(1),
        }
    }
}

/// Answers a request.
///
/// There is no axum router: it would match paths that clients do not keep to, and has a
/// price that every request pays.
pub(crate) async fn serve(server: &Server, client: SocketAddr, request: Request) -> Response {
    let origins = &server.shim.origins;
    let origin = origins.admitted(request.headers());
    let mut response = match *request.method() {
        Verb::OPTIONS => cors::preflight(origin.is_some()),
        _ => serve_method(server, client, request).await,
    };
    if let Some(origin) = origin {
        cors::admit(&mut response, origin);
    }
    if !origins.is_empty() {
        cors::vary(&mut response);
    }
    response
}

/// What the path of a request names.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    /// A method by any of its names, and the parameter `id` if it stands behind the name.
    Method(&'a str, Option<&'a str>),
    Health,
    Nothing,
}

impl<'a> Target<'a> {
    /// Reads a path as the original's routes do: clients double slashes and add one at the end,
    /// and whoever wants to may say the format of the answer, of which there is one.
    fn of(dialect: Dialect, path: &'a str) -> Self {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        let mut next = || segments.next();
        let plain = |last: &'a str| last.strip_suffix(".xml").unwrap_or(last);
        let (first, second) = (next(), next());
        let (method, id) = match (first, second) {
            (Some("healthz"), None) => return Self::Health,
            (Some("api"), method) if dialect.has_bare_api() => (method, next()),
            (Some(root), Some("api")) if dialect.has_root(root) => (next(), next()),
            _ => return Self::Nothing,
        };
        match (method, id, next()) {
            (None, ..) => Self::Method("", None),
            (Some(name), None, _) => Self::Method(plain(name), None),
            (Some(name), Some(id), None) => Self::Method(name, Some(plain(id))),
            (_, Some(_), Some(_)) => Self::Nothing,
        }
    }
}

async fn serve_method(server: &Server, client: SocketAddr, request: Request) -> Response {
    let dialect = server.shim.dialect;
    let (name, id) = match Target::of(dialect, request.uri().path()) {
        Target::Method(name, id) => (name, id),
        Target::Health => {
            return respond(StatusCode::OK, Answer::Text("ok\n".to_owned()), false, Gzip::No);
        }
        Target::Nothing => return refuse(StatusCode::NOT_FOUND, Wrap::Status, "Not found"),
    };
    let named_by = dialect.names_method().filter(|_| name.is_empty());
    let method = server.methods.get(name).copied();
    if method.is_none() && named_by.is_none() {
        return unknown_method(server);
    }
    let wrap = method.map_or(Wrap::Status, |method| method.wrap);
    if ![Verb::GET, Verb::HEAD, Verb::POST].contains(request.method()) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, wrap, "Use POST or GET");
    }
    let mut called = name.to_owned();
    let id = id.map(str::to_owned);
    let (head, body) = request.into_parts();
    // Its part of the memory is given back once the request is answered.
    let received = match receive(&server.bodies, body).await {
        Ok(received) => received,
        Err((status, text)) => return refuse(status, wrap, text),
    };
    let body = received.bytes.clone();
    let client = client_address(&server.shim.trusted_proxies, client.ip(), &head.headers);
    let sent = body.clone();
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::to_str);
    let content_type = content_type.and_then(Result::ok).unwrap_or_default();
    let query = head.uri.query().unwrap_or_default();
    let params = Params::read(query, content_type, body).await;
    let params = match params.and_then(|params| params.with_path_argument(id.as_deref())) {
        Ok(params) => params,
        Err(unreadable) => {
            return refuse(StatusCode::BAD_REQUEST, wrap, &unreadable.to_string());
        }
    };
    if let Some(param) = named_by {
        called = params.text(param).to_owned();
    }
    let Some(method) = method.or_else(|| server.methods.get(called.as_str()).copied()) else {
        return unknown_method(server);
    };
    let hmac = hmac::of(&head.headers).map(|signature| (signature, Sha256::digest(&sent).to_vec()));
    let presented = Presented { called: &called, verb: head.method.clone(), client, hmac };
    let claim = signature::of(dialect, method.declaration, &params, presented);
    let Some(claim) = claim else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, method.wrap, "What is signed is too long");
    };
    let Ok(Ok(_turn)) = tokio::time::timeout(MAX_WAIT, server.turns.acquire()).await else {
        counter!("tollbook_xml_refused_total").increment(1);
        return refuse(StatusCode::SERVICE_UNAVAILABLE, method.wrap, BUSY);
    };
    respond_by(server, method, params, claim, &head.headers, client).await
}

/// Has a method answer, and writes down how long that took.
async fn respond_by(
    server: &Server,
    method: &'static Method,
    params: Params,
    claim: MetadataValue<Binary>,
    headers: &HeaderMap,
    client: IpAddr,
) -> Response {
    let gzip = match server.shim.gzip_files {
        true => Gzip::Files,
        false if gzip::is_accepted(headers) => Gzip::Accepted,
        false => Gzip::No,
    };
    let begun = Instant::now();
    let id = request_id(headers);
    // Of the highest level, so that every line of the log has the id.
    let span = tracing::error_span!("request", method = method.declaration.name, request_id = %id, %client);
    trace::continue_from(&span, headers);
    let answered = answer(server, method, params, claim, &id).instrument(span);
    let (status, answer, html_wrap) = answered.await;
    server.answered(method.declaration.name, status, begun);
    let mut response = respond(status, answer, html_wrap, gzip);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID_HEADER, id);
    }
    response
}

/// The answer where no method has the name that was called.
fn unknown_method(server: &Server) -> Response {
    counter!("tollbook_xml_unknown_method_total").increment(1);
    refuse(server.shim.unknown_method, Wrap::Status, "There is no such API")
}

/// Reads the body of a request, or says why not.
async fn receive(bodies: &Budget, body: Body) -> Result<Held, (StatusCode, &'static str)> {
    let Ok(read) = tokio::time::timeout(BODY_TIMEOUT, bodies.collect(body, MAX_BODY)).await else {
        return Err((StatusCode::REQUEST_TIMEOUT, "Request took too long"));
    };
    read.map_err(|refusal| match refusal {
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "Request is too large"),
        Refusal::NoRoom => {
            counter!("tollbook_xml_refused_total").increment(1);
            (StatusCode::SERVICE_UNAVAILABLE, BUSY)
        }
        Refusal::Broken(_) => (StatusCode::BAD_REQUEST, "Request broke off"),
    })
}

/// The id that a request came with, if it is one; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID_HEADER).and_then(|id| id.to_str().ok());
    match given.filter(|id| is_request_id(id)) {
        Some(id) => id.to_owned(),
        None => hex::encode(rand::random::<[u8; 8]>()),
    }
}

async fn answer(
    server: &Server,
    method: &'static Method,
    params: Params,
    claim: MetadataValue<Binary>,
    request_id: &str,
) -> (StatusCode, Answer, bool) {
    let shim = &server.shim;
    let core = Signed::new(shim.core.clone(), shim.token.clone(), claim, request_id);
    let (status, answer) = match (method.handle)(Call::new(method, params, core.clone())).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(Failure::Core(status)) => error::answer(method, &status),
        Err(Failure::Parameters(answer)) => match core.check_access().await {
            Ok(()) => (StatusCode::OK, answer),
            Err(status) => error::answer(method, &status),
        },
    };
    (status, answer, core.html_wrap())
}

/// The address of a client, also behind proxies that are trusted.
fn client_address(proxies: &[IpNet], connection: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_proxy = |address: &IpAddr| proxies.iter().any(|network| network.contains(address));
    let connection = connection.to_canonical();
    if !is_proxy(&connection) {
        return connection;
    }
    // Each proxy adds the address that it was called from at the end. What does not look like
    // one ends what can be believed.
    let said = headers.get_all("x-forwarded-for").iter().filter_map(|list| list.to_str().ok());
    let said: Vec<&str> = said.flat_map(|list| list.split(',')).map(str::trim).collect();
    let addresses = said.iter().rev().map_while(|text| text.parse::<IpAddr>().ok());
    let mut client = connection;
    for address in addresses {
        client = address.to_canonical();
        if !is_proxy(&client) {
            break;
        }
    }
    client
}

/// How answers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gzip {
    /// Not at all.
    No,
    /// As the client asked, by `Content-Encoding`.
    Accepted,
    /// What the original puts in a file is a gzip file, whatever the client asked.
    Files,
}

/// An answer to a request that never reached a method; `wrap` is of the method, if there is one.
fn refuse(status: StatusCode, wrap: Wrap, text: &str) -> Response {
    respond(status, wrap.of_checks().error(text), false, Gzip::No)
}

fn respond(status: StatusCode, answer: Answer, html_wrap: bool, gzip: Gzip) -> Response {
    let xml = HeaderValue::from_static(match html_wrap {
        true => "text/html; charset=utf-8",
        false => "text/xml; charset=utf-8",
    });
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = match answer {
        Answer::Xml { declaration, root } => {
            let (before, after) = Answer::frame(declaration, html_wrap);
            with_body(Body::from([before.as_str(), &root, after].concat()), xml)
        }
        Answer::Listing { parts, is_file } => {
            let (before, after) = Answer::frame(DECLARATION, html_wrap);
            let parts = parts.map(|part| {
                part.map(Bytes::from).map_err(|status| {
                    // The answer breaks off, so that nobody takes it for a whole one.
                    tracing::error!(code = ?status.code(), message = status.message(), "the core failed in the middle of an answer");
                    BoxError::from(status)
                })
            });
            let before = stream::iter([Ok(Bytes::from(before))]);
            let after = stream::iter([Ok(Bytes::from_static(after.as_bytes()))]);
            let body = before.chain(parts).chain(after);
            match gzip {
                Gzip::Files if is_file => {
                    let gzip_file = HeaderValue::from_static("application/gzip");
                    with_body(Body::from_stream(gzip::compress(body)), gzip_file)
                }
                Gzip::Accepted => {
                    let mut response = with_body(Body::from_stream(gzip::compress(body)), xml);
                    let encoding = HeaderValue::from_static("gzip");
                    response.headers_mut().insert(CONTENT_ENCODING, encoding);
                    response
                }
                Gzip::No | Gzip::Files => with_body(Body::from_stream(body), xml),
            }
        }
        Answer::Text(content) => with_body(Body::from(content), text),
        Answer::Redirect(url) => {
            let mut response = with_body(Body::empty(), text);
            if let Ok(url) = HeaderValue::from_str(&url) {
                response.headers_mut().insert(LOCATION, url);
            }
            *response.status_mut() = StatusCode::FOUND;
            return response;
        }
    };
    *response.status_mut() = status;
    response
}

fn with_body(body: Body, content_type: HeaderValue) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    // Answers hold balances and names: no proxy keeps them.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f22_paths_are_read_as_clients_write_them() {
        let named = |name| Target::Method(name, None);
        for (path, target) in [
            ("/billing/api/users_get", named("users_get")),
            ("//billing//api/users_get/", named("users_get")),
            ("/billing/api/users_get.xml", named("users_get")),
            ("/billing/api/users_get.xml/", named("users_get")),
            ("/billing/api/users_get.json", named("users_get.json")),
            ("/billing/api", named("")),
            ("/billing/api/simple_balance/a1B2", Target::Method("simple_balance", Some("a1B2"))),
            ("/billing/api/simple_balance/a.xml", Target::Method("simple_balance", Some("a"))),
            ("/billing/api/simple_balance/a/b", Target::Nothing),
            ("/billing", Target::Nothing),
            ("/healthz", Target::Health),
            ("/healthz/deep", Target::Nothing),
            ("/", Target::Nothing),
        ] {
            assert_eq!(Target::of(Dialect::M4, path), target, "{path}");
            assert_eq!(Target::of(Dialect::Mor, path), target, "{path}");
        }
    }

    #[test]
    fn mor_is_below_its_old_root_and_below_none_too() {
        for (path, found) in [
            ("/mor/api/users_get", Target::Method("users_get", None)),
            ("/mor/api/", Target::Method("", None)),
            ("/mor/api/simple_balance/a", Target::Method("simple_balance", Some("a"))),
            ("/api/users_get", Target::Method("users_get", None)),
            ("/api/simple_balance/a", Target::Method("simple_balance", Some("a"))),
            ("/api/simple_balance/a/b", Target::Nothing),
            ("/api/", Target::Method("", None)),
            ("/mor", Target::Nothing),
        ] {
            assert_eq!(Target::of(Dialect::Mor, path), found, "{path}");
            assert_eq!(Target::of(Dialect::M4, path), Target::Nothing, "{path}");
        }
    }

    #[test]
    fn only_proxies_are_believed() {
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        for (connection, said, client) in [
            ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, nonsense, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            let found = client_address(&proxies, connection.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{connection}: {said}");
        }
    }
}
