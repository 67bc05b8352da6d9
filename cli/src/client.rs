//! The way from a command to a running core.

use anyhow::Context;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::config::Config;

/// A core, called with the token of the configuration.
pub(crate) type Core = InterceptedService<Channel, Token>;

/// Adds a token to every call.
#[derive(Clone)]
pub(crate) struct Token(MetadataValue<Ascii>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Connects to the core.
pub(crate) async fn connect(config: &Config) -> anyhow::Result<Core> {
    let token = config.token.as_ref().context(
        "this command needs a user's token in TOLLBOOK_TOKEN: `tollbook token NAME` makes one",
    )?;
    connect_as(&config.core_url, token).await
}

/// Connects to a core at a URL with a token.
pub(crate) async fn connect_as(url: &str, token: &str) -> anyhow::Result<Core> {
    let mut bearer: MetadataValue<Ascii> =
        format!("Bearer {token}").parse().context("TOLLBOOK_TOKEN is not a token")?;
    bearer.set_sensitive(true);
    let channel = Endpoint::from_shared(url.to_owned())
        .with_context(|| format!("{url:?} is not the URL of a core"))?
        .connect()
        .await
        .with_context(|| format!("no core answers at {url}"))?;
    Ok(Core::new(channel, Token(bearer)))
}

/// What the core says, in its words.
#[allow(clippy::needless_pass_by_value, reason = "the form that `map_err` calls")]
pub(crate) fn said(status: Status) -> anyhow::Error {
    anyhow::anyhow!("the core says: {}", status.message())
}
