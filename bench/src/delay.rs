//! A network between a core and its database: a proxy that holds whatever passes for a while.
//!
//! Threads, for a timer of tokio ends at whole milliseconds.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;

/// The URL of a PostgreSQL database as it is reached through a proxy that adds a delay to each
/// round trip, half of it on either way. The proxy runs as long as the process.
pub(crate) fn through_proxy(url: &str, round_trip: Duration) -> anyhow::Result<String> {
    let (scheme, rest) = url.split_once("://").context("a URL of a database")?;
    let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match server.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), server),
    };
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:5432") };
    let to = host.to_socket_addrs()?.next().context("the database has an address")?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A connection that fails is the database's to report.
            let _ = join(client, to, round_trip / 2);
        }
    });
    Ok(format!("{scheme}://{user}{address}/{path}"))
}

fn join(client: TcpStream, to: SocketAddr, delay: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(to)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    carry(client.try_clone()?, server.try_clone()?, delay);
    carry(server, client, delay);
    Ok(())
}

/// Carries what comes from one end to the other, each piece as much later as the network is long.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    thread::spawn(move || {
        for (due, piece) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        // One end has gone; gone already is as good.
        let _ = to.shutdown(Shutdown::Both);
    });
}
