//! Serves a listener, and holds its ground: whoever is slow, idle or one too many costs the
//! others nothing.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use axum::http::{HeaderValue, header::STRICT_TRANSPORT_SECURITY};
use futures_util::FutureExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;

use crate::http::{Server, serve};

/// How long a client may take to send the head of a request, or to send the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long browsers and other clients that heed it remember to come by TLS only.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// How long, once the server was asked to stop, connections stay open on which no request has come
/// yet: it may be on its way.
const FIRST_REQUEST: Duration = Duration::from_millis(250);
/// How long requests that are under way may take once the server was asked to stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long is waited when no connection can be taken, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many connections there are at once; further ones wait in the system's queue.
const MAX_CONNECTIONS: usize = 16_384;

/// Serves a listener until `shutdown`, then finishes the requests that are under way.
pub(crate) async fn run(
    server: Arc<Server>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let take = |(stream, client, place): Accepted| {
        let connection = Connection { server: server.clone(), client, is_secure: tls.is_some() };
        tokio::spawn(connection.run(stream, tls.clone(), graceful.watcher(), place));
    };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let Some(accepted) = accepted else { break };
        take(accepted);
    }
    // Whose connection the system has made already is served: he would not know that he was not.
    while let Some(Some(accepted)) = accept(&listener, &places).now_or_never() {
        take(accepted);
    }
    drop(listener);
    tokio::time::sleep(FIRST_REQUEST).await;
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
}

/// A connection, and how it is served.
struct Connection {
    server: Arc<Server>,
    client: SocketAddr,
    is_secure: bool,
}

impl Connection {
    /// Agrees on keys where that is asked for, and serves what comes.
    async fn run(
        self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        watcher: Watcher,
        place: OwnedSemaphorePermit,
    ) {
        let client = self.client;
        match tls {
            None => self.serve(stream, watcher).await,
            Some(tls) => {
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
                match handshake.await {
                    Ok(Ok(stream)) => self.serve(stream, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%client, %error, "no TLS"),
                    Err(_) => tracing::debug!(%client, "TLS took too long"),
                }
            }
        }
        drop(place);
    }

    async fn serve<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Self { server, client, is_secure } = self;
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let server = server.clone();
            async move {
                let mut response = serve(&server, client, request.map(Body::new)).await;
                if is_secure {
                    response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HSTS);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        // A client that went away, or was too slow: nothing that anybody can mend.
        let _ = watcher.watch(connection).await;
    }
}

/// A connection with its client and its place.
type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The next connection, once there is a place for it; none: the server has no places any more.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // Not fatal: without it answers may wait for more to send.
                let _ = stream.set_nodelay(true);
                return Some((stream, client, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
