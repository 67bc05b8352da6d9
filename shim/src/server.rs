//! Serves the XML API on a listener.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header::STRICT_TRANSPORT_SECURITY},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tollbook_net::http1;

use crate::http::{Server, serve};

/// How long browsers and other clients that heed it remember to come by TLS only.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// How many connections there are at once; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 16_384;

/// Serves a listener until `shutdown`, then finishes the requests that are under way.
pub(crate) async fn run(
    server: Arc<Server>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    stop_timeout: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let is_secure = tls.is_some();
    let answer = move |client, request: hyper::Request<hyper::body::Incoming>| {
        let server = server.clone();
        async move {
            let mut response = serve(&server, client, request.map(Body::new)).await;
            if is_secure {
                response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
            }
            response
        }
    };
    let limits = http1::Limits { connections: MAX_CONNECTIONS, stop_timeout };
    http1::serve(listener, limits, tls, answer, shutdown).await;
}
