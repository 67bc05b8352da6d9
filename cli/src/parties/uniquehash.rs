//! `tollbook users uniquehash`.

use tollbook_proto::v1::{RotateUniquehashRequest, users_service_client::UsersServiceClient};

use super::user_meant;
use crate::{
    client::{Core, said},
    out::say,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Login name or id of the user: a customer whose phone shows the balance, or an owner with whom people register
    user: String,
    /// The uniquehash that the user had in the old system, 10 to 64 letters and digits [default: a new one is made up]
    #[arg(long, value_name = "UNIQUEHASH", conflicts_with = "revoke")]
    keep: Option<String>,
    /// The user has none from now on
    #[arg(long)]
    revoke: bool,
}

/// Gives a user a uniquehash, and prints it: it is not shown again.
pub(super) async fn run(core: Core, args: Args) -> anyhow::Result<()> {
    let Args { user, keep, revoke } = args;
    let id = user_meant(&core, &user).await?;
    let request =
        RotateUniquehashRequest { id: Some(id), uniquehash: keep.unwrap_or_default(), revoke };
    let given = UsersServiceClient::new(core).rotate_uniquehash(request).await.map_err(said)?;
    match given.into_inner().uniquehash {
        uniquehash if uniquehash.is_empty() => Ok(()),
        uniquehash => say!("{uniquehash}"),
    }
}
