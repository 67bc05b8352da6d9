//! `tollbook users change`, `block`, `unblock` and `delete`.

use anyhow::bail;
use prost_types::FieldMask;
use rand::distr::{Alphanumeric, SampleString};
use tollbook_proto::v1::{
    Decimal, DeleteUserRequest, GetUserRequest, Tariff, TariffPurpose, UpdateUserRequest, User,
    users_service_client::UsersServiceClient,
};

use super::{
    points, tariffs, user_meant,
    users::{PASSWORD_LENGTH, currency_id, print, warn_of_similar},
};
use crate::{
    client::{Core, said},
    out::say,
};

#[derive(clap::Args)]
pub(crate) struct ChangeArgs {
    /// His login name, or his id (`#42` where a login name reads like that, too)
    user: String,
    /// A new login name
    #[arg(long, value_name = "USERNAME")]
    username: Option<String>,
    /// First name, or the name of the company
    #[arg(long)]
    name: Option<String>,
    /// The tariff by which his calls are priced, or where he is a carrier of what he takes: its name or
    /// id, or `none`
    #[arg(long)]
    tariff: Option<String>,
    /// Code of the currency that he sees amounts in
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// He pays in advance: his calls are refused once his balance is used up
    #[arg(long)]
    prepaid: bool,
    /// He pays later
    #[arg(long, conflicts_with = "prepaid")]
    postpaid: bool,
    /// How far below zero he may go, in the default currency, or `unlimited`
    #[arg(long, value_name = "AMOUNT", conflicts_with = "prepaid")]
    credit: Option<String>,
    /// Make up a new password with which he can log in, and print it; who is logged in by the old one is out
    #[arg(long)]
    password: bool,
}

pub(super) async fn change(core: Core, args: ChangeArgs) -> anyhow::Result<()> {
    let mut user = User { id: Some(user_meant(&core, &args.user).await?), ..Default::default() };
    let mut paths = Vec::new();
    if let Some(username) = args.username {
        user.username = username;
        paths.push("username");
    }
    if let Some(name) = args.name {
        user.first_name = name;
        paths.push("first_name");
    }
    if let Some(tariff) = args.tariff {
        user.tariff_id = match tariff.as_str() {
            "none" => 0,
            name => {
                let tariff = tariffs::meant(&core, name).await?;
                warn_of_purpose(&core, &args.user, user.id(), &tariff).await?;
                tariff.id
            }
        };
        paths.push("tariff_id");
    }
    if let Some(currency) = args.currency {
        user.currency_id = currency_id(&core, &currency).await?;
        paths.push("currency_id");
    }
    if args.prepaid || args.postpaid {
        user.postpaid = args.postpaid;
        paths.push("postpaid");
    }
    if let Some(credit) = args.credit {
        let value = if credit == "unlimited" { "-1".to_owned() } else { credit };
        user.credit = Some(Decimal { value });
        paths.push("credit");
    }
    let password = match args.password {
        true => Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH),
        false => String::new(),
    };
    if paths.is_empty() && password.is_empty() {
        bail!("say what is to change: --tariff, --credit, … (--help lists all)");
    }
    update(core, user, paths, password).await
}

/// Warns where a user gets a tariff of another purpose than that which he has: customers do not pay what
/// carriers are paid, nor the other way round.
async fn warn_of_purpose(core: &Core, user: &str, id: i64, new: &Tariff) -> anyhow::Result<()> {
    let request = GetUserRequest { id: Some(id), ..Default::default() };
    let found = UsersServiceClient::new(core.clone()).get_user(request).await.map_err(said)?;
    let before = found.into_inner().user.unwrap_or_default().tariff_id;
    let all = tariffs::all(core).await?;
    // Who may not look at points is warned by the tariff alone.
    let points = points::all(core, Some(id)).await.unwrap_or_default();
    let has = |purpose| all.iter().any(|known| known.id == before && known.purpose() == purpose);
    let calls = points.iter().any(|point| point.origination.is_some());
    let terminates = points.iter().any(|point| point.termination.is_some());
    let problem = match new.purpose() {
        // Whose points say what he is knows what he gets; whoever is both has one for each side.
        TariffPurpose::Provider if !terminates && (calls || has(TariffPurpose::UserWholesale)) => {
            "says what providers are paid: his calls are charged at that"
        }
        TariffPurpose::UserWholesale if !calls && (terminates || has(TariffPurpose::Provider)) => {
            "says what users pay: it is what he earns as a carrier"
        }
        _ => return Ok(()),
    };
    eprintln!(
        "warning: tariff {} {:?} {problem}; is it {user:?} who is to have it?",
        new.id, new.name
    );
    Ok(())
}

/// Blocks or unblocks a user.
pub(super) async fn block(core: Core, user: &str, blocked: bool) -> anyhow::Result<()> {
    let id = Some(user_meant(&core, user).await?);
    update(core, User { id, blocked, ..Default::default() }, vec!["blocked"], String::new()).await
}

/// Prints the user as he is then.
async fn update(core: Core, user: User, paths: Vec<&str>, password: String) -> anyhow::Result<()> {
    let mask = FieldMask { paths: paths.into_iter().map(str::to_owned).collect() };
    let request = UpdateUserRequest {
        user: Some(user),
        update_mask: Some(mask),
        password: password.clone(),
        ..Default::default()
    };
    let updated = UsersServiceClient::new(core).update_user(request).await.map_err(said)?;
    let updated = updated.into_inner();
    print(&updated.user.unwrap_or_default())?;
    if !password.is_empty() {
        say!("{password}")?;
    }
    warn_of_similar(&updated.similar_usernames);
    Ok(())
}

/// Deletes a user; without `sure`, says whom.
pub(super) async fn delete(core: Core, user: &str, sure: bool) -> anyhow::Result<()> {
    let id = Some(user_meant(&core, user).await?);
    let mut users = UsersServiceClient::new(core);
    let request = GetUserRequest { id, ..Default::default() };
    let found = users.get_user(request).await.map_err(said)?.into_inner().user;
    let user = found.unwrap_or_default();
    if !sure {
        print(&user)?;
        return say!("would be deleted: --yes deletes him");
    }
    users.delete_user(DeleteUserRequest { id }).await.map_err(said)?;
    say!("deleted user {} {:?}", user.id(), user.username)
}
