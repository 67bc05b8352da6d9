//! `tollbook serve`, `tollbook core` and `tollbook shim`.

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tollbook_core::{Core, Options, SetUp};
use tollbook_shim::{Dialect, Shim};
use tonic::transport::ServerTlsConfig;

use crate::{client, config::Config, lock, observe::Observer, tls};

/// How long a core that stops waits for changes whose clients have left.
const SETTLE: Duration = Duration::from_secs(10);

/// The core and the shim in one process: the shim calls the core's service directly.
pub(crate) async fn both(config: Config) -> anyhow::Result<()> {
    let _lock = lock::lock(&config.database()?)?;
    let http = config.http_addrs();
    check_free([config.grpc_addr].into_iter().chain(http.map(|(_, address)| address))).await?;
    let core = open(&config).await?;
    let grpc = listen("gRPC", config.grpc_addr).await?;
    let token = core.embedded_shim_token();
    let apis = open_apis(&config, |dialect| Shim::new(dialect, core.service(), &token)).await?;
    greet(&core, &config)?;
    let stop = stop_signal()?;
    tokio::try_join!(
        serve_grpc(&core, grpc, tls::grpc(&config)?, stop.clone()),
        serve_apis(apis, stop)
    )?;
    core.settle(SETTLE.min(Duration::from_secs(config.stop_timeout.into()))).await;
    Ok(())
}

/// The core alone.
pub(crate) async fn core(config: Config) -> anyhow::Result<()> {
    let _lock = lock::lock(&config.database()?)?;
    check_free([config.grpc_addr]).await?;
    let core = open(&config).await?;
    let grpc = listen("gRPC", config.grpc_addr).await?;
    greet(&core, &config)?;
    serve_grpc(&core, grpc, tls::grpc(&config)?, stop_signal()?).await?;
    core.settle(SETTLE.min(Duration::from_secs(config.stop_timeout.into()))).await;
    Ok(())
}

/// The shim alone.
pub(crate) async fn shim(config: Config) -> anyhow::Result<()> {
    let Some(token) = &config.shim_token else {
        bail!(
            "the shim needs its token in TOLLBOOK_SHIM_TOKEN: `tollbook token --shim NAME` makes one"
        );
    };
    let core = client::endpoint(&config)?.tcp_nodelay(true).connect_lazy();
    let shim = |dialect| Shim::new(dialect, core.clone(), token);
    if let Some(address) = config.metrics_addr {
        let shim = shim(config.dialect.of_shim()).context("TOLLBOOK_SHIM_TOKEN is not a token")?;
        Observer::start(address)?.serve(move || shim.is_ready()).await?;
    }
    let apis = open_apis(&config, shim).await.context("TOLLBOOK_SHIM_TOKEN is not a token")?;
    serve_apis(apis, stop_signal()?).await
}

/// A shim, and where it listens.
type Api = (Shim, TcpListener);

/// Opens the XML API in each dialect that is asked for.
async fn open_apis<E: Into<anyhow::Error>>(
    config: &Config,
    shim: impl Fn(Dialect) -> Result<Shim, E>,
) -> anyhow::Result<Vec<Api>> {
    let mut apis = Vec::new();
    for (dialect, address) in config.http_addrs() {
        let shim = configured(shim(dialect).map_err(Into::into)?, config)?;
        let what = match apis.is_empty() {
            true => "XML API".to_owned(),
            false => format!("XML API ({})", dialect.name()),
        };
        apis.push((shim, listen(&what, address).await?));
    }
    Ok(apis)
}

/// A shim with everything else that the configuration says of it.
fn configured(shim: Shim, config: &Config) -> anyhow::Result<Shim> {
    let shim = shim
        .gzip_files(config.gzip_files)
        .trusted_proxies(config.trusted_proxies.clone())
        .stop_timeout(Duration::from_secs(config.stop_timeout.into()))
        .unknown_method_404(config.unknown_method_404)
        .cors_origins(&config.cors_origins)
        .context("configuration: cors_origins")?;
    Ok(match tls::http(config)? {
        Some(tls) => shim.tls(tls),
        None => shim,
    })
}

async fn open(config: &Config) -> anyhow::Result<Core> {
    let mail = config.mail()?;
    let observer = config.metrics_addr.map(Observer::start).transpose()?;
    let set_up = SetUp { api_secret_key: config.api_secret.clone(), demo: config.demo };
    let options = Options {
        set_up,
        vault: config.vault()?,
        statement_timeout: Duration::from_secs(config.statement_timeout.into()),
        unrated_calls: config.unrated_calls.into(),
        mail,
        warning_interval: Duration::from_secs(config.warning_interval.into()),
        stop_timeout: Duration::from_secs(config.stop_timeout.into()),
    };
    let core =
        Core::open(&config.database()?, options).await.context("cannot open the database")?;
    if let Some(observer) = observer {
        let core = core.clone();
        let is_ready = move || {
            let core = core.clone();
            async move { core.is_ready().await }
        };
        observer.serve(is_ready).await?;
    }
    Ok(core)
}

/// Fails where somebody listens already: before a first start makes a database, whose password it
/// would show to nobody.
async fn check_free(addresses: impl IntoIterator<Item = SocketAddr>) -> anyhow::Result<()> {
    // All at once, so that one that is named twice is found.
    let mut held = Vec::new();
    for address in addresses {
        let listener = TcpListener::bind(address).await;
        held.push(listener.with_context(|| format!("cannot listen on {address}"))?);
    }
    Ok(())
}

/// Opens a listener and prints where it is: port 0 stands for any free one.
async fn listen(what: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} for {what}"))?;
    writeln!(std::io::stdout(), "{what} listening on {}", listener.local_addr()?)?;
    Ok(listener)
}

/// Says how to log in, where this start created the database.
fn greet(core: &Core, config: &Config) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    if let Some(credentials) = core.credentials() {
        writeln!(
            out,
            "New database. Log in as {} with password {}",
            credentials.username, credentials.password
        )?;
        match (&credentials.api_secret_key, &config.api_secret) {
            // The demo's, which everybody knows.
            (Some(key), None) => writeln!(out, "The XML API is on; its secret key is {key}")?,
            // The operator has it, and this may be read by those who read logs.
            (Some(_), Some(_)) => {
                writeln!(out, "The XML API is on, with the secret key of this start")?;
            }
            (None, _) => writeln!(
                out,
                "The XML API is off until an API secret key is set (TOLLBOOK_API_SECRET at the first \
                 start, or SettingsService.UpdateSettings)"
            )?,
        }
        if let Some(token) = credentials.token {
            writeln!(out, "Demo token for gRPC: {token}")?;
        }
    }
    writeln!(out, "Ready")?;
    Ok(())
}

/// Turns true when the process is asked to stop.
fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let (sender, receiver) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping: finishing what is under way");
        // Everybody who listens may be gone already.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the signal task is gone, and with it the runtime.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve_grpc(
    core: &Core,
    listener: TcpListener,
    tls: Option<ServerTlsConfig>,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    core.serve(listener, tls, stopped(stop)).await.context("gRPC")
}

async fn serve_apis(apis: Vec<Api>, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let serve = |(shim, listener): Api| shim.serve(listener, stopped(stop.clone()));
    futures_util::future::join_all(apis.into_iter().map(serve)).await;
    Ok(())
}
