//! The way from a command to a running core.

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use tollbook_proto::{
    Bearer,
    v1::{ListCallsRequest, ListCallsResponse, calls_service_client::CallsServiceClient},
};
use tonic::{
    Status,
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use crate::{
    config::Config,
    tls,
    values::{time_zone, timestamp},
};

/// A core, called with the token of the configuration.
pub(crate) type Core = InterceptedService<Channel, Bearer>;

/// Connects to the core.
pub(crate) async fn connect(config: &Config) -> anyhow::Result<Core> {
    if config.token.is_none() && config.client_cert.is_none() {
        bail!(
            "this command needs a user's token in TOLLBOOK_TOKEN: `tollbook token NAME` makes one"
        );
    }
    connect_at(endpoint(config)?, config.token.as_deref()).await
}

/// The core of the configuration.
pub(crate) fn endpoint(config: &Config) -> anyhow::Result<Endpoint> {
    let url = config.core_url();
    let endpoint = at(&url)?;
    match url.starts_with("https:") {
        true => endpoint.tls_config(tls::to_core(config)?).context("TLS to the core"),
        false => Ok(endpoint),
    }
}

fn at(url: &str) -> anyhow::Result<Endpoint> {
    Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("{url:?} is not the URL of a core"))
}

async fn connect_at(endpoint: Endpoint, token: Option<&str>) -> anyhow::Result<Core> {
    let bearer = token.map(Bearer::new).transpose().context("TOLLBOOK_TOKEN is not a token")?;
    let url = endpoint.uri().to_string();
    let channel = endpoint
        .connect()
        .await
        .with_context(|| format!("no core answers at {url}; --core names another"))?;
    Ok(Core::new(channel, bearer.unwrap_or_default()))
}

/// What the core says, in its words.
#[allow(clippy::needless_pass_by_value, reason = "the form that `map_err` calls")]
pub(crate) fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("the core says: {}", status.message())
}

/// The time zone and the currency of the settings, as a list of no calls has them: the settings
/// themselves are shown to the admin alone.
pub(crate) async fn settings(core: &Core) -> anyhow::Result<ListCallsResponse> {
    let epoch = Some(timestamp(0));
    let request = ListCallsRequest { from: epoch, till: epoch, page_size: 1, ..Default::default() };
    let answer = CallsServiceClient::new(core.clone()).list_calls(request).await;
    Ok(answer.map_err(said)?.into_inner())
}

/// The time zone that a command's times are in: the one that is said, else that of the settings.
pub(crate) async fn zone(core: &Core, said: Option<&str>) -> anyhow::Result<TimeZone> {
    if let Some(name) = said {
        return time_zone(name);
    }
    match settings(core).await {
        Ok(settings) => time_zone(&settings.time_zone),
        Err(why) => {
            eprintln!("Times are in UTC, since the settings' time zone is not to be had: {why:#}");
            Ok(TimeZone::UTC)
        }
    }
}
