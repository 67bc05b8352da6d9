//! A core under measurement, called as the admin of the demo data set.

use std::net::SocketAddr;

use anyhow::Context;
use tollbook_proto::Bearer;
use tonic::{
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

/// A core, called with a token.
pub(crate) type Core = InterceptedService<Channel, Bearer>;

/// Connects to a core as the admin.
pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Core> {
    let url = format!("http://{address}");
    let channel = Endpoint::from_shared(url.clone())?.connect().await;
    let channel = channel.with_context(|| format!("no core answers at {url}"))?;
    Ok(Core::new(channel, Bearer::new("tb_demo")?))
}
