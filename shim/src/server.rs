//! Serves a listener, and holds its ground: whoever is slow, idle or one too many costs the
//! others nothing.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::http::{Server, serve};

/// How long a client may take to send the head of a request, or to send the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
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
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let Some((stream, client, place)) = accepted else { break };
        let server = server.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(serve(&server, client, request.map(Body::new)).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that went away, or was too slow: nothing that anybody can mend.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
}

/// The next connection, once there is a place for it; none: the server has no places any more.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
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
