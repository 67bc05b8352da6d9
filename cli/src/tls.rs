//! TLS, from the PEM files that the configuration names.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tonic::transport::{Certificate, ClientTlsConfig, Identity, ServerTlsConfig};

use crate::config::Config;

/// How long a client of the gRPC listener may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// For the XML API; none: it is not encrypted.
pub(crate) fn http(config: &Config) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let Some((certificate, key)) = files(config)? else { return Ok(None) };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow::anyhow!("{} holds no private key: {error}", key.display()))?;
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|tls| tls.with_no_client_auth().with_single_cert(chain, key))
        .context("configuration: tls_cert and tls_key")?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Arc::new(tls)))
}

/// For the gRPC service; none: it is not encrypted.
pub(crate) fn grpc(config: &Config) -> anyhow::Result<Option<ServerTlsConfig>> {
    let Some((certificate, key)) = files(config)? else {
        if config.grpc_client_ca.is_some() {
            bail!("configuration: grpc_client_ca needs tls_cert and tls_key");
        }
        return Ok(None);
    };
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(read(certificate)?, read(key)?))
        .timeout(HANDSHAKE_TIMEOUT);
    Ok(Some(match &config.grpc_client_ca {
        None => tls,
        Some(ca) => tls.client_ca_root(Certificate::from_pem(read(ca)?)),
    }))
}

/// For the way to a core whose URL is `https://…`.
pub(crate) fn to_core(config: &Config) -> anyhow::Result<ClientTlsConfig> {
    let tls = match &config.core_ca {
        None => ClientTlsConfig::new().with_native_roots(),
        Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca)?)),
    };
    Ok(match (&config.client_cert, &config.client_key) {
        (None, None) => tls,
        (Some(certificate), Some(key)) => {
            tls.identity(Identity::from_pem(read(certificate)?, read(key)?))
        }
        _ => bail!("configuration: client_cert and client_key go together"),
    })
}

/// The first certificate of a PEM file, in DER.
pub(crate) fn certificate(file: &Path) -> anyhow::Result<Vec<u8>> {
    let first = certificates(file)?.into_iter().next();
    let first = first.with_context(|| format!("{} holds no certificate", file.display()))?;
    Ok(first.as_ref().to_vec())
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let chain = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    chain.map_err(|error| anyhow::anyhow!("{} holds no certificates: {error}", file.display()))
}

fn files(config: &Config) -> anyhow::Result<Option<(&Path, &Path)>> {
    match (&config.tls_cert, &config.tls_key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        _ => bail!("configuration: tls_cert and tls_key go together"),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
