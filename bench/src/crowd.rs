//! A server that is crowded: by connections that are idle or slow, and by more requests than
//! it can serve.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::load::read_answer;

/// Idle and slow connections, for as long as this is kept.
pub(crate) struct Crowd {
    _connections: JoinSet<()>,
}

impl Crowd {
    /// Half of the connections say nothing; the others send the head of a request byte by byte.
    pub(crate) async fn gather(address: SocketAddr, connections: usize) -> anyhow::Result<Self> {
        let mut crowd = JoinSet::new();
        for number in 0..connections {
            let mut stream = TcpStream::connect(address)
                .await
                .with_context(|| format!("only {number} connections can be held"))?;
            crowd.spawn(async move {
                if number % 2 == 0 {
                    return std::future::pending().await;
                }
                let head = b"POST /billing/api/users_get HTTP/1.1\r\nhost: slow\r\nx: ";
                for byte in head.iter().chain(std::iter::repeat(&b'x')) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if stream.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { _connections: crowd })
    }
}

/// The median time of a request, in microseconds, asked by one client again and again.
#[allow(clippy::cast_precision_loss, reason = "microseconds")]
pub(crate) async fn median_latency(
    address: SocketAddr,
    request: &[u8],
    duration: Duration,
) -> anyhow::Result<f64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed() < duration {
        let asked = Instant::now();
        stream.write_all(request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).context("no request was answered")?;
    Ok(median.as_nanos() as f64 / 1_000.0)
}

/// Offers requests at a rate, over many connections, whether or not the server keeps up.
/// Returns how many per second were answered with success, and how many were not.
#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(crate) async fn flood(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    rate: f64,
    duration: Duration,
) -> anyhow::Result<(f64, f64)> {
    let pause = Duration::from_secs_f64(requests.len() as f64 / rate);
    let mut streams = Vec::with_capacity(requests.len());
    for request in requests {
        streams.push((TcpStream::connect(address).await?, request));
    }
    let (stop, stopped) = watch::channel(());
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for (mut stream, request) in streams {
        let mut stopped = stopped.clone();
        clients.spawn(async move {
            let (mut answered, mut refused) = (0_u64, 0_u64);
            let mut buffer = vec![0; 4096];
            let mut clock = interval(pause);
            // Who is late asks at once, as often as he is behind.
            clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let ask = async {
                while stream.set_nodelay(true).is_ok() {
                    clock.tick().await;
                    if stream.write_all(&request).await.is_err() {
                        break;
                    }
                    match read_answer(&mut stream, &mut buffer).await {
                        Ok(()) => answered += 1,
                        Err(_) => refused += 1,
                    }
                }
            };
            tokio::select! {
                () = ask => {}
                _ = stopped.changed() => {}
            }
            (answered, refused)
        });
    }
    tokio::time::sleep(duration).await;
    let elapsed = start.elapsed().as_secs_f64();
    drop(stop);
    let sums = clients.join_all().await.into_iter();
    let (answered, refused) = sums.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    Ok((answered as f64 / elapsed, refused as f64 / elapsed))
}
