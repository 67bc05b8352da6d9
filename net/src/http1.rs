//! HTTP/1: requests and their answers.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{Connection, FIRST_REQUEST, Listener};

/// How long a client may take to send the head of a request, or to send the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to take the next part of an answer.
const STALLED: Duration = Duration::from_secs(30);
/// How long the head of a request may be, and how much is read ahead of who reads a body.
const MAX_HEAD: usize = 64 * 1024;

/// How much a listener may take, and how long it may take to stop.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many connections there are at once.
    pub connections: usize,
    /// How long what is under way may take once the server was asked to stop.
    pub stop_timeout: Duration,
}

/// Answers the requests of a listener with `answer` until `shutdown`, then finishes what is under
/// way, for as long as the limits say.
pub async fn serve<A, F, B>(
    listener: TcpListener,
    limits: Limits,
    tls: Option<TlsAcceptor>,
    answer: A,
    shutdown: impl Future<Output = ()>,
) where
    A: Fn(SocketAddr, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connections = crate::Limits {
        connections: limits.connections,
        first_byte: HEAD_TIMEOUT,
        stalled: STALLED,
    };
    let listener = Listener::new(listener, connections);
    let graceful = GracefulShutdown::new();
    let answer = Arc::new(answer);
    let take = |connection| {
        tokio::spawn(run(connection, tls.clone(), answer.clone(), graceful.watcher()));
    };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            connection = listener.accept() => take(connection),
            () = &mut shutdown => break,
        }
    }
    listener.last().into_iter().for_each(take);
    tokio::time::sleep(FIRST_REQUEST).await;
    if tokio::time::timeout(limits.stop_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
}

/// Agrees on keys where that is asked for, and serves what comes.
async fn run<A, F, B>(
    connection: Connection,
    tls: Option<TlsAcceptor>,
    answer: Arc<A>,
    watcher: Watcher,
) where
    A: Fn(SocketAddr, Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let client = connection.client();
    match tls {
        None => serve_stream(connection, client, answer, watcher).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(connection)).await {
            Ok(Ok(stream)) => serve_stream(stream, client, answer, watcher).await,
            Ok(Err(error)) => tracing::debug!(%client, %error, "no TLS"),
            Err(_) => tracing::debug!(%client, "TLS took too long"),
        },
    }
}

async fn serve_stream<S, A, F, B>(stream: S, client: SocketAddr, answer: Arc<A>, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Fn(SocketAddr, Request<Incoming>) -> F,
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = service_fn(move |request| answer(client, request).map(Ok::<_, Infallible>));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client that went away, or was too slow: nothing that anybody can mend.
    let _ = watcher.watch(connection).await;
}
