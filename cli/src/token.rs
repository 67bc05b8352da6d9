//! `tollbook token`: makes access tokens, next to a running server or before its first call.

use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::{config::Config, out::say, tls};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the token is for
    name: String,
    /// The user as whom it acts
    #[arg(long, default_value = "admin", conflicts_with = "shim")]
    user: String,
    /// A shim's token: it presents legacy requests, and can do nothing else
    #[arg(long)]
    shim: bool,
    /// Admit this client certificate (PEM) instead of making a secret
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

pub(crate) async fn create(config: &Config, args: &Args) -> anyhow::Result<()> {
    if args.name.is_empty() {
        bail!("a token needs a name");
    }
    if matches!(args.name.as_str(), "list" | "revoke" | "delete") {
        bail!(
            "this command makes tokens; AccessTokensService of the gRPC API lists and revokes them"
        );
    }
    let user = (!args.shim).then_some(args.user.as_str());
    let certificate = args.certificate.as_deref().map(tls::certificate).transpose()?;
    let certificate = certificate.as_deref();
    let secret = tollbook_core::create_token(&config.database()?, &args.name, user, certificate)
        .await
        .context("no token was created")?;
    if certificate.is_none() {
        say!("{secret}")?;
    }
    Ok(())
}
