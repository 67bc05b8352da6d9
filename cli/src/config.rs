//! Configuration: flags win, then `TOLLBOOK_*` variables, then one TOML file.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use tollbook_core::{DatabaseUrl, Mail, Vault, files};

use crate::layers::Layers;

/// What nobody may see. Each may be in a file, which its name with `_file` behind it names.
const SECRETS: [&str; 7] = [
    "api_secret",
    "database_url",
    "encryption_key",
    "old_encryption_key",
    "shim_token",
    "smtp_url",
    "token",
];

/// Flags that every command takes.
#[derive(Args, Serialize)]
#[command(next_help_heading = "Flags of all commands")]
pub(crate) struct Flags {
    /// TOML file with the same names as the long flags, underscores for dashes
    #[arg(long, global = true, env = "TOLLBOOK_CONFIG")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Address of the legacy XML API [default: 127.0.0.1:8080]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    http_addr: Option<SocketAddr>,
    /// Address of the gRPC service [default: 127.0.0.1:50051]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_addr: Option<SocketAddr>,
    /// Address for metrics, `/healthz` and `/readyz` [default: none]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_addr: Option<SocketAddr>,
    /// postgres://... or sqlite:PATH [default: SQLite in the data directory]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    database_url: Option<String>,
    /// Where the embedded database lives [default: ./tollbook-data]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<PathBuf>,
    /// Fill an empty database with demo data and well-known passwords
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    demo: bool,
    /// The legacy API that the shim speaks [default: m4]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<Dialect>,
    /// Address of the XML API in the other dialect, beside the first [default: none]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    other_dialect_addr: Option<SocketAddr>,
    /// Answer `devices_get` and `tariff_rates_get` with a gzip file, as the original does
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    gzip_files: bool,
    /// Proxies whose `X-Forwarded-For` is believed, for example 10.0.0.0/8 [default: none]
    #[arg(long, global = true, value_name = "NETWORK", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trusted_proxies: Vec<IpNet>,
    /// Origins whose web pages may call the XML API, for example `https://portal.example.com`, or *
    /// [default: none]
    #[arg(long, global = true, value_name = "ORIGIN", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cors_origins: Vec<String>,
    /// Answer a method that there is not with HTTP 404 instead of 200
    #[arg(long = "unknown-method-404", global = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unknown_method_404: bool,
    /// Certificate of both listeners, as PEM, with its chain [default: none, not encrypted]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate, as PEM
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<PathBuf>,
    /// The gRPC listener takes only clients with a certificate of this CA (PEM) [default: all]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_client_ca: Option<PathBuf>,
    /// The CA (PEM) of a core at https://... [default: those of this machine]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    core_ca: Option<PathBuf>,
    /// Certificate (PEM) to call a core at https://... with [default: none]
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_key: Option<PathBuf>,
    /// OpenTelemetry collector (OTLP over gRPC) that gets traces [default: none]
    #[arg(long, global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    otlp_url: Option<String>,
    /// File with the key that seals secrets in the database, 64 hexadecimal digits
    #[arg(long, global = true, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_key_file: Option<PathBuf>,
    /// URL of the core, for the shim and for commands that call one [default: at --grpc-addr]
    #[arg(long = "core", global = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    core_url: Option<String>,
    /// Sender of the mails that `TOLLBOOK_SMTP_URL` takes, for example `Billing <billing@example.com>`
    #[arg(long, global = true, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from: Option<String>,
    /// What to log, as tracing filter directives [default: info]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    /// How to log [default: text]
    #[arg(long, global = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    log_format: Option<LogFormat>,
}

/// A legacy API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dialect {
    M4,
    Mor,
}

impl Dialect {
    /// The shim's dialect of this name.
    pub(crate) fn of_shim(self) -> tollbook_shim::Dialect {
        match self {
            Self::M4 => tollbook_shim::Dialect::M4,
            Self::Mor => tollbook_shim::Dialect::Mor,
        }
    }

    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::M4 => Self::Mor,
            Self::Mor => Self::M4,
        }
    }
}

/// A format of logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// The whole configuration.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) http_addr: SocketAddr,
    pub(crate) grpc_addr: SocketAddr,
    pub(crate) metrics_addr: Option<SocketAddr>,
    database_url: Option<String>,
    data_dir: PathBuf,
    pub(crate) demo: bool,
    pub(crate) dialect: Dialect,
    pub(crate) other_dialect_addr: Option<SocketAddr>,
    pub(crate) gzip_files: bool,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) unknown_method_404: bool,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) grpc_client_ca: Option<PathBuf>,
    pub(crate) core_ca: Option<PathBuf>,
    pub(crate) client_cert: Option<PathBuf>,
    pub(crate) client_key: Option<PathBuf>,
    pub(crate) otlp_url: Option<String>,
    /// Not a flag: others see the flags of a process. The name of its file is one.
    encryption_key: Option<String>,
    /// The key before it, until everything is sealed anew. Not a flag for the same reason.
    old_encryption_key: Option<String>,
    core_url: Option<String>,
    mail_from: Option<String>,
    pub(crate) log: String,
    pub(crate) log_format: LogFormat,
    /// Initial API secret key of the legacy API. Not a flag: others see the flags of a process.
    pub(crate) api_secret: Option<String>,
    /// A user's token, for commands that call a running core. Not a flag for the same reason.
    pub(crate) token: Option<String>,
    /// A shim's token. Not a flag for the same reason.
    pub(crate) shim_token: Option<String>,
    /// The mail server for warnings of balances. Not a flag for the same reason.
    smtp_url: Option<String>,
    /// How long a statement may take on PostgreSQL, in seconds.
    pub(crate) statement_timeout: u32,
    /// How long what is under way may take once the server was asked to stop, in seconds.
    pub(crate) stop_timeout: u32,
    /// How many calls that cannot be billed are kept.
    pub(crate) unrated_calls: u32,
    /// How often balances are looked at for warnings, in seconds.
    pub(crate) warning_interval: u32,
    /// What is to be said once there is a log.
    #[serde(skip)]
    pub(crate) remarks: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http_addr: SocketAddr::from(([127, 0, 0, 1], 8080)),
            grpc_addr: SocketAddr::from(([127, 0, 0, 1], 50051)),
            metrics_addr: None,
            database_url: None,
            data_dir: PathBuf::from("tollbook-data"),
            demo: false,
            dialect: Dialect::M4,
            other_dialect_addr: None,
            gzip_files: false,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            unknown_method_404: false,
            tls_cert: None,
            tls_key: None,
            grpc_client_ca: None,
            core_ca: None,
            client_cert: None,
            client_key: None,
            otlp_url: None,
            encryption_key: None,
            old_encryption_key: None,
            core_url: None,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            api_secret: None,
            token: None,
            shim_token: None,
            smtp_url: None,
            mail_from: None,
            statement_timeout: 30,
            stop_timeout: 30,
            unrated_calls: 1_000_000,
            warning_interval: 15,
            remarks: Vec::new(),
        }
    }
}

/// Puts flags, environment and file together. An error is one sentence for the operator.
pub(crate) fn load(flags: &Flags) -> anyhow::Result<Config> {
    let mut layers = Layers::of::<Config>(&SECRETS);
    if let Some(path) = &flags.config {
        if !path.is_file() {
            bail!("configuration file {} does not exist", path.display());
        }
        layers.file(path)?;
    }
    layers.environment(std::env::vars_os(), &["config"])?;
    layers.flags(flags)?;
    let unknown = layers.unknown().join(", ");
    let key_files = layers.secret_files();
    let mut config: Config = layers.read()?;
    if !unknown.is_empty() {
        let remark = format!("variables that mean nothing to this version are left out: {unknown}");
        config.remarks.push(remark);
    }
    let shared_keys: Vec<&PathBuf> = config.tls_key.iter().chain(&config.client_key).collect();
    let keys = key_files.iter().map(|key| files::keep_key_private(key).remark(key));
    let shared = shared_keys.into_iter().map(|key| files::keep_shared_key_private(key).remark(key));
    let remarks: Vec<String> = keys.chain(shared).flatten().collect();
    config.remarks.extend(remarks);
    if config.warning_interval == 0 {
        bail!("configuration: warning_interval must be at least 1 second");
    }
    if config.statement_timeout == 0 {
        bail!("configuration: statement_timeout must be at least 1 second");
    }
    let reachable =
        [config.http_addr, config.grpc_addr].iter().any(|addr| !addr.ip().is_loopback());
    if config.demo && reachable {
        bail!("--demo has well-known passwords and listens on loopback addresses only");
    }
    Ok(config)
}

impl Config {
    /// The URL of the core: the one that is said, else that of a core beside this command which has its
    /// address and certificate from the same configuration.
    pub(crate) fn core_url(&self) -> String {
        if let Some(url) = &self.core_url {
            return url.clone();
        }
        let ip = match self.grpc_addr.ip() {
            // It listens on all of them.
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(ip, self.grpc_addr.port()))
    }

    /// Where the XML API is to be found, in which dialect.
    pub(crate) fn http_addrs(
        &self,
    ) -> impl Iterator<Item = (tollbook_shim::Dialect, SocketAddr)> + use<> {
        let other = self.other_dialect_addr.map(|address| (self.dialect.other(), address));
        let first = (self.dialect, self.http_addr);
        [first].into_iter().chain(other).map(|(dialect, address)| (dialect.of_shim(), address))
    }

    /// The mail server; none: no mails are sent.
    pub(crate) fn mail(&self) -> anyhow::Result<Option<Mail>> {
        let (url, from) = match (&self.smtp_url, &self.mail_from) {
            (None, _) => return Ok(None),
            (Some(_), None) => bail!("configuration: TOLLBOOK_SMTP_URL needs --mail-from"),
            (Some(url), Some(from)) => (url, from),
        };
        Mail::new(url, from).map(Some).map_err(|error| anyhow::anyhow!("configuration: {error}"))
    }

    /// What seals the secrets in the database.
    pub(crate) fn vault(&self) -> anyhow::Result<Vault> {
        let current = self.encryption_key.as_deref();
        if current.is_none() && self.old_encryption_key.is_some() {
            bail!("configuration: TOLLBOOK_OLD_ENCRYPTION_KEY needs a new encryption key");
        }
        let keys = current.into_iter().chain(self.old_encryption_key.as_deref());
        Vault::new(keys)
            .context("configuration: an encryption key is 64 hexadecimal digits, as of `openssl rand -hex 32`")
    }

    /// Where the database is. The data directory is made where it is missing.
    pub(crate) fn database(&self) -> anyhow::Result<DatabaseUrl> {
        if let Some(url) = &self.database_url {
            return url.parse().map_err(|error| anyhow::anyhow!("configuration: {error}"));
        }
        files::create_directory(&self.data_dir).with_context(|| {
            format!("cannot make the data directory {}", self.data_dir.display())
        })?;
        Ok(DatabaseUrl::Sqlite(self.data_dir.join("tollbook.db")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn commands_look_for_the_core_where_it_is_said_to_be_or_to_listen() {
        let url = |config: Config| config.core_url();
        let listening =
            |addr: &str| Config { grpc_addr: addr.parse().unwrap(), ..Config::default() };
        assert_eq!(url(Config::default()), "http://127.0.0.1:50051");
        assert_eq!(url(listening("10.0.0.1:6000")), "http://10.0.0.1:6000");
        assert_eq!(url(listening("0.0.0.0:6000")), "http://127.0.0.1:6000");
        assert_eq!(url(listening("[::]:6000")), "http://[::1]:6000");
        let tls_cert = Some(PathBuf::from("cert.pem"));
        assert_eq!(url(Config { tls_cert, ..listening("10.0.0.1:6000") }), "https://10.0.0.1:6000");
        let core_url = Some("http://core:1".to_owned());
        assert_eq!(url(Config { core_url, ..listening("10.0.0.1:6000") }), "http://core:1");
    }
}
