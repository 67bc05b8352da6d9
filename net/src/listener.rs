//! Taking connections, no more than there are places.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::Connection;

/// How long is waited when no connection can be taken, as when there are too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How many files are left for everything but connections: the database, logs, the way to a core.
const OTHER_FILES: u64 = 128;
/// How many places a listener has however few files there are.
const FEWEST: usize = 16;

/// What the connections of a listener may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many there are at once; further ones wait in the system's queue.
    pub connections: usize,
    /// How long a client may take to send its first byte.
    pub first_byte: Duration,
    /// How long a client may take to make room for the next byte that it is sent.
    pub stalled: Duration,
}

/// A listener with so many places.
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
}

impl Listener {
    /// Takes connections of a listener within limits, and within half of the files that the
    /// process may open: who has used them all up cannot reach its database either.
    #[must_use]
    pub fn new(listener: TcpListener, limits: Limits) -> Self {
        let files = file_limit().map(|files| files.saturating_sub(OTHER_FILES) / 2);
        let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
        let connections = limits.connections.min(files.max(FEWEST));
        // One client, or one that many are behind, leaves a quarter to the others.
        let clients = Clients { most: connections / 4 * 3, connections: Mutex::default() };
        let places = Arc::new(Semaphore::new(connections));
        Self { socket: listener, limits, places, clients: Arc::new(clients) }
    }

    /// Stops listening. Returns the connections that the system has made already, as far as there
    /// are places: whoever has one may have sent a request, and would not know that nobody read it.
    #[must_use]
    pub fn last(self) -> Vec<Connection> {
        let mut last = Vec::new();
        // Asked of the system itself: the runtime hears later of connections than the client.
        let Ok(socket) = self.socket.into_std() else { return last };
        while let Ok(permit) = self.places.clone().try_acquire_owned() {
            let (stream, client) = match socket.accept() {
                Ok(accepted) => accepted,
                // Of one that has left meanwhile.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(_) => break,
            };
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            let Ok(stream) = stream else { continue };
            let _ = stream.set_nodelay(true);
            if let Some(place) = Place::take(permit, &self.clients, client.ip()) {
                last.push(Connection::new(stream, client, self.limits, place));
            }
        }
        last
    }

    /// The next connection, once there is a place for it.
    pub async fn accept(&self) -> Connection {
        let mut failing = false;
        loop {
            let Ok(permit) = self.places.clone().acquire_owned().await else {
                // Nobody closes the semaphore.
                return std::future::pending().await;
            };
            match self.socket.accept().await {
                Ok((stream, client)) => {
                    // Not fatal: without it answers may wait for more to send.
                    let _ = stream.set_nodelay(true);
                    let Some(place) = Place::take(permit, &self.clients, client.ip()) else {
                        tracing::debug!(%client, "a client has too many connections");
                        continue;
                    };
                    return Connection::new(stream, client, self.limits, place);
                }
                Err(error) => {
                    if !failing {
                        tracing::warn!(%error, "cannot take connections");
                    }
                    failing = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// How many files the process may open, once it has been allowed as many as it can be.
fn file_limit() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    // Where the system does not allow it, the limit stays what it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// How many connections each client has.
struct Clients {
    most: usize,
    connections: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of a connection, given back when it is dropped.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Place {
    /// `None` if the client has as many as one may have.
    fn take(permit: OwnedSemaphorePermit, clients: &Arc<Clients>, address: IpAddr) -> Option<Self> {
        let client = network_of(address);
        let mut connections = clients.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let count = connections.entry(client).or_default();
        if *count >= clients.most {
            return None;
        }
        *count += 1;
        drop(connections);
        Some(Self { _permit: permit, clients: clients.clone(), client })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections =
            self.clients.connections.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = connections.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.client);
            }
        }
    }
}

/// What counts as one client: an address, of IPv6 its /64, which every customer has whole.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn f15_one_client_leaves_places_to_the_others() {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { connections: 8, first_byte: second, stalled: second };
        let listener = Listener::new(inner, limits);
        let mut clients = Vec::new();
        let mut served = Vec::new();
        for _ in 0..6 {
            clients.push(TcpStream::connect(address).await.unwrap());
            served.push(listener.accept().await);
        }
        // A seventh is turned away, so that the next to be served comes from elsewhere.
        clients.push(TcpStream::connect(address).await.unwrap());
        let waiting = tokio::time::timeout(second / 5, listener.accept());
        assert!(waiting.await.is_err());
        // Once one has gone, there is a place again.
        drop((served.pop(), clients.pop()));
        clients.push(TcpStream::connect(address).await.unwrap());
        tokio::time::timeout(second, listener.accept()).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_connected_when_it_stops_is_served() {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let second = Duration::from_secs(1);
        let limits = Limits { connections: 8, first_byte: second, stalled: second };
        let listener = Listener::new(inner, limits);
        // Made without giving the runtime time to hear of them.
        let clients = [(); 3].map(|()| std::net::TcpStream::connect(address).unwrap());
        assert_eq!(listener.last().len(), clients.len());
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_customer_of_ipv6_has_many_addresses() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
        assert_ne!(network("10.0.0.2"), network("10.0.0.1"));
    }
}
