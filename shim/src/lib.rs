//! Speaks the XML API of M4 and MOR to their unchanged clients, and Tollbook's gRPC to
//! the core.
//!
//! The shim authenticates nothing on its own and holds no secrets: it passes what a
//! request claims to the core, which judges it ([`signature`]). Each legacy method is a
//! declaration and a function in the file of its group: under [`methods`] where both dialects
//! ([`Dialect`]) have it, under [`m4`] and [`mor`] what only one has, or declares otherwise. What
//! methods share is here: parameters ([`request`]), errors ([`error`]), XML ([`xml`]), HTTP ([`http`]).

mod call;
mod charset;
mod cors;
mod dialect;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gzip;
mod hmac;
mod http;
#[cfg(test)]
#[path = "../../tests/linear.rs"]
mod linear;
mod listing;
mod m4;
mod mask;
mod method;
mod methods;
mod mor;
mod number;
mod request;
mod server;
mod signature;
mod trace;
mod values;
mod xml;

use std::{pin::Pin, sync::Arc, time::Duration};

use ::http::StatusCode;
use ipnet::IpNet;
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tonic::{
    body::Body,
    metadata::{Ascii, MetadataValue, errors::InvalidMetadataValue},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::{Service, ServiceExt, util::BoxCloneSyncService};

pub use cors::InvalidOrigin;
pub use dialect::Dialect;
pub use method::{Method, Param};

use call::Signed;
use cors::Origins;

/// An error of the way to the core.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The way to the core: a channel, or the core's own service in the same process.
pub(crate) type Transport =
    BoxCloneSyncService<::http::Request<Body>, ::http::Response<Body>, BoxError>;

/// What a shim is made of.
#[derive(Clone)]
pub struct Shim {
    dialect: Dialect,
    core: Transport,
    token: MetadataValue<Ascii>,
    gzip_files: bool,
    trusted_proxies: Vec<IpNet>,
    origins: Origins,
    /// The HTTP status of the answer to a method that there is not.
    unknown_method: StatusCode,
    tls: Option<TlsAcceptor>,
    stop_timeout: Duration,
}

impl Shim {
    /// A shim that calls `core` with its own `token`.
    ///
    /// # Errors
    /// The token has characters that no token has.
    pub fn new<S>(dialect: Dialect, core: S, token: &str) -> Result<Self, InvalidMetadataValue>
    where
        S: Service<::http::Request<Body>, Response = ::http::Response<Body>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let mut token: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        token.set_sensitive(true);
        let core = BoxCloneSyncService::new(core.map_err(Into::into));
        Ok(Self {
            dialect,
            core,
            token,
            gzip_files: false,
            trusted_proxies: Vec::new(),
            origins: Origins::default(),
            unknown_method: StatusCode::OK,
            tls: None,
            stop_timeout: tollbook_net::DRAIN_TIMEOUT,
        })
    }

    /// Whether answers that the original puts in a gzipped file are such files, as its clients
    /// expect who unpack them by themselves. Otherwise they are XML, compressed for clients
    /// that ask for it.
    #[must_use]
    pub fn gzip_files(self, gzip_files: bool) -> Self {
        Self { gzip_files, ..self }
    }

    /// From these networks, the header `X-Forwarded-For` is believed: a client's address is the
    /// last one in it that is not of a proxy. Otherwise it is the one that the connection has.
    #[must_use]
    pub fn trusted_proxies(self, trusted_proxies: Vec<IpNet>) -> Self {
        Self { trusted_proxies, ..self }
    }

    /// How long requests that are under way may take once the server was asked to stop.
    #[must_use]
    pub fn stop_timeout(self, stop_timeout: Duration) -> Self {
        Self { stop_timeout, ..self }
    }

    /// Pages of these origins may call from a browser, or of all: `*`. Otherwise none may.
    ///
    /// # Errors
    /// Something in the list is not an origin.
    pub fn cors_origins(self, origins: &[String]) -> Result<Self, InvalidOrigin> {
        Ok(Self { origins: Origins::parse(origins)?, ..self })
    }

    /// Whether a method that there is not is answered with the HTTP status 404. Otherwise it is
    /// 200, as in the original, whose clients take anything else for a failure of the way.
    #[must_use]
    pub fn unknown_method_404(self, is_404: bool) -> Self {
        let unknown_method = if is_404 { StatusCode::NOT_FOUND } else { StatusCode::OK };
        Self { unknown_method, ..self }
    }

    /// Speaks TLS, and nothing else, with these settings.
    #[must_use]
    pub fn tls(self, config: Arc<ServerConfig>) -> Self {
        Self { tls: Some(config.into()), ..self }
    }

    /// Whether the core can be reached, and says that it serves.
    #[must_use]
    pub fn is_ready(&self) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        // Health is open to all: nothing need be signed.
        let unsigned = MetadataValue::from_bytes(&[]);
        let core = Signed::new(self.core.clone(), self.token.clone(), unsigned, "readyz");
        let mut core = HealthClient::new(core);
        Box::pin(async move {
            let answer = core.check(HealthCheckRequest::default()).await;
            answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
        })
    }

    /// Serves a listener until `shutdown`, then finishes the requests that are under way.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let (tls, stop_timeout) = (self.tls.clone(), self.stop_timeout);
        let server = Arc::new(http::Server::new(self));
        server::run(server, listener, tls, stop_timeout, shutdown).await;
    }
}
