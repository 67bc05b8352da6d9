//! Load: clients that ask again as soon as they have an answer.
//!
//! The HTTP client is a socket and the bytes of a request. The less the client costs, the
//! more a ratio says of the servers.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tollbook_proto::v1::{GetBalanceRequest, accounts_service_client::AccountsServiceClient};
use tonic::{Request, metadata::MetadataValue, transport::Endpoint};

/// The bytes of a POST of a form.
pub(crate) fn post(path: &str, form: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    )
    .into_bytes()
}

/// Clients of the XML API, each with a connection and a request.
pub(crate) struct Http(Vec<(TcpStream, Vec<u8>)>);

impl Http {
    /// Clients that all send the same request.
    pub(crate) async fn connect(
        address: SocketAddr,
        clients: usize,
        request: Vec<u8>,
    ) -> anyhow::Result<Self> {
        Self::connect_each(address, vec![request; clients]).await
    }

    /// A client per request.
    pub(crate) async fn connect_each(
        address: SocketAddr,
        requests: Vec<Vec<u8>>,
    ) -> anyhow::Result<Self> {
        let mut clients = Vec::with_capacity(requests.len());
        for request in requests {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            clients.push((stream, request));
        }
        Ok(Self(clients))
    }

    /// Asks for a while; returns answers per second.
    pub(crate) async fn run(self, duration: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for (mut stream, request) in self.0 {
            clients.spawn(async move {
                let mut answers = 0_u32;
                let mut buffer = vec![0; 4096];
                while start.elapsed() < duration {
                    stream.write_all(&request).await?;
                    read_answer(&mut stream, &mut buffer).await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            });
        }
        rate(clients, start).await
    }
}

/// Reads one answer, and checks that it is one of success.
pub(crate) async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<()> {
    let mut read = 0;
    loop {
        let more = stream.read(&mut buffer[read..]).await?;
        if more == 0 {
            bail!("the server closed a connection, or sent a long answer");
        }
        read += more;
        let answer = &buffer[..read];
        let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let head = std::str::from_utf8(&answer[..end]).context("headers are no text")?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("an answer without a length")?;
        if read < end + 4 + length.parse::<usize>()? {
            continue;
        }
        if !head.starts_with("HTTP/1.1 200") || answer.windows(7).any(|bytes| bytes == b"<error>") {
            bail!("an answer of failure: {}", String::from_utf8_lossy(answer));
        }
        return Ok(());
    }
}

/// Clients of the gRPC service, a few to a connection.
pub(crate) struct Grpc(Vec<AccountsServiceClient<tonic::transport::Channel>>);

impl Grpc {
    const PER_CONNECTION: usize = 16;

    pub(crate) async fn connect(address: SocketAddr, clients: usize) -> anyhow::Result<Self> {
        let mut all = Vec::with_capacity(clients);
        for _ in 0..clients / Self::PER_CONNECTION {
            let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
            let channel = endpoint.tcp_nodelay(true).connect().await?;
            let client = AccountsServiceClient::new(channel);
            all.extend(std::iter::repeat_n(client, Self::PER_CONNECTION));
        }
        Ok(Self(all))
    }

    /// Asks for the demo user's balance for a while; returns answers per second.
    pub(crate) async fn run(self, duration: Duration) -> anyhow::Result<f64> {
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for mut client in self.0 {
            clients.spawn(async move {
                let token = MetadataValue::from_static("Bearer tb_demo");
                let mut answers = 0_u32;
                while start.elapsed() < duration {
                    let message = GetBalanceRequest { user_id: Some(2), ..Default::default() };
                    let mut request = Request::new(message);
                    request.metadata_mut().insert("authorization", token.clone());
                    client.get_balance(request).await?;
                    answers += 1;
                }
                anyhow::Ok(answers)
            });
        }
        rate(clients, start).await
    }
}

/// How often something was done per second, by all clients.
pub(crate) async fn rate(
    clients: JoinSet<anyhow::Result<u32>>,
    start: Instant,
) -> anyhow::Result<f64> {
    let answers = clients.join_all().await.into_iter().sum::<anyhow::Result<u32>>()?;
    Ok(f64::from(answers) / start.elapsed().as_secs_f64())
}
