//! A connection that ends when its client says nothing at first, or takes nothing later.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

use crate::{Limits, listener::Place};

/// A client's connection.
pub struct Connection {
    stream: TcpStream,
    client: SocketAddr,
    /// Until the first byte has come.
    first_byte: Option<Pin<Box<Sleep>>>,
    stall: Stall,
    _place: Place,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, client: SocketAddr, limits: Limits, place: Place) -> Self {
        let first_byte = Some(Box::pin(sleep(limits.first_byte)));
        let stall = Stall { limit: limits.stalled, timer: None };
        Self { stream, client, first_byte, stall, _place: place }
    }

    /// The address of the client.
    #[must_use]
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// The address that the client called, if it is known.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.stream.local_addr().ok()
    }
}

/// How long a client has been taking nothing.
struct Stall {
    limit: Duration,
    /// While there is no room for what is to be sent.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    /// What an attempt to send came to, or that it has taken too long.
    fn watch<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.timer = None;
            return attempt;
        }
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buffer) {
            this.first_byte = None;
            return Poll::Ready(read);
        }
        let Some(first_byte) = &mut this.first_byte else { return Poll::Pending };
        ready!(first_byte.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.stall.watch(cx, attempt)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.stall.watch(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_flush(cx);
        this.stall.watch(cx, attempt)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let attempt = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.stall.watch(cx, attempt)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::Listener;

    async fn connected(limits: Limits) -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Listener::new(listener, limits).accept().await, client)
    }

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn f15_who_says_nothing_is_hung_up_on() {
        let limits = Limits { connections: 16, first_byte: SHORT, stalled: LONG };
        let (mut connection, mut client) = connected(limits).await;
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let (mut talking, mut other) = connected(limits).await;
        other.write_all(b"x").await.unwrap();
        assert_eq!(talking.read_u8().await.unwrap(), b'x');
        // Who has said something may be silent for as long as they like.
        assert!(tokio::time::timeout(2 * SHORT, talking.read_u8()).await.is_err());
        client.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn f16_who_takes_nothing_is_hung_up_on() {
        let limits = Limits { connections: 16, first_byte: LONG, stalled: SHORT };
        let (mut connection, client) = connected(limits).await;
        let megabytes = vec![0; 64 * 1024 * 1024];
        let error = connection.write_all(&megabytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
        // Who takes their time, but takes it, gets all.
        let (mut connection, mut client) = connected(limits).await;
        let reader = tokio::spawn(async move {
            let (mut buffer, mut total) = (vec![0; 4 * 1024 * 1024], 0);
            loop {
                tokio::time::sleep(SHORT / 10).await;
                match client.read(&mut buffer).await.unwrap() {
                    0 => return total,
                    count => total += count,
                }
            }
        });
        connection.write_all(&megabytes).await.unwrap();
        drop(connection);
        assert_eq!(reader.await.unwrap(), megabytes.len());
    }
}
