//! `tollbook users`.

use anyhow::{Context, bail};
use clap::{Subcommand, ValueEnum};
use rand::distr::{Alphanumeric, SampleString};
use tollbook_proto::v1::{
    CreateUserRequest, Decimal, GetUserRequest, ListCurrenciesRequest, ListUsersRequest, Role,
    User, currencies_service_client::CurrenciesServiceClient,
    users_service_client::UsersServiceClient,
};

use super::{
    PAGE,
    user_changes::{self, ChangeArgs},
};
use crate::{
    client::{Core, connect, said},
    config::Config,
    out::say,
};

/// Letters and digits of a password that is made up: some 119 bits.
pub(super) const PASSWORD_LENGTH: usize = 20;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a user, customer or carrier, and print his id
    Create(CreateArgs),
    /// Change a user, and print him as he is then
    Change(Box<ChangeArgs>),
    /// Block a user: he cannot make calls
    Block {
        /// His login name, or his id
        user: String,
    },
    /// Let a blocked user make calls again
    Unblock {
        /// His login name, or his id
        user: String,
    },
    /// Delete a user who has no calls; his ledger and payments stay
    Delete {
        /// His login name, or his id
        user: String,
        /// Delete him, and do not only say whom
        #[arg(long)]
        yes: bool,
    },
    /// Give a user a uniquehash, or take it away: what stands in the place of a hash in the XML API
    Uniquehash(super::uniquehash::Args),
    /// Show a user
    Show {
        /// His login name, or his id
        user: String,
    },
    /// List the users
    List {
        /// Only users of this role
        #[arg(long, value_enum)]
        role: Option<RoleName>,
    },
}

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// His login name, by which calls name him, too
    username: String,
    /// First name, or the name of the company
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// The tariff, by its name or id, by which his calls are priced, or where he is a carrier of what he takes
    /// [default: none]
    #[arg(long, value_name = "TARIFF")]
    tariff: Option<String>,
    /// Code of the currency that he sees amounts in [default: the default currency]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// He pays in advance: his calls are refused once his balance is used up
    #[arg(long)]
    prepaid: bool,
    /// How far below zero he may go, in the default currency [default: without limit]
    #[arg(long, value_name = "AMOUNT", conflicts_with = "prepaid")]
    credit: Option<String>,
    /// Make up a password with which he can log in, and print it, too
    #[arg(long)]
    password: bool,
}

/// A role, as the commands name it.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    Admin,
    Manager,
    Reseller,
    Partner,
    User,
}

impl RoleName {
    fn to_proto(self) -> Role {
        match self {
            Self::Admin => Role::Admin,
            Self::Manager => Role::Manager,
            Self::Reseller => Role::Reseller,
            Self::Partner => Role::Partner,
            Self::User => Role::User,
        }
    }
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    match command {
        Command::Create(args) => create(core, args).await,
        Command::Change(args) => user_changes::change(core, *args).await,
        Command::Block { user } => user_changes::block(core, &user, true).await,
        Command::Unblock { user } => user_changes::block(core, &user, false).await,
        Command::Delete { user, yes } => user_changes::delete(core, &user, yes).await,
        Command::Uniquehash(args) => super::uniquehash::run(core, args).await,
        Command::Show { user } => show(core, &user).await,
        Command::List { role } => list(core, role).await,
    }
}

async fn create(core: Core, args: CreateArgs) -> anyhow::Result<()> {
    let CreateArgs { username, name, tariff, currency, prepaid, credit, password } = args;
    let currency_id = match currency {
        Some(currency) => currency_id(&core, &currency).await?,
        None => 0,
    };
    let tariff_id = match tariff {
        Some(tariff) => super::tariffs::meant(&core, &tariff).await?.id,
        None => 0,
    };
    let password = match password {
        true => Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH),
        false => String::new(),
    };
    let user = User {
        username,
        first_name: name,
        tariff_id,
        currency_id,
        postpaid: !prepaid,
        credit: credit.map(|value| Decimal { value }),
        ..Default::default()
    };
    let request =
        CreateUserRequest { user: Some(user), password: password.clone(), ..Default::default() };
    let created = UsersServiceClient::new(core).create_user(request).await.map_err(said)?;
    let created = created.into_inner();
    say!("{}", created.user.unwrap_or_default().id())?;
    if !password.is_empty() {
        say!("{password}")?;
    }
    warn_of_similar(&created.similar_usernames);
    Ok(())
}

/// Warns of other users who are called so but for capitals, apart from what is printed for scripts.
pub(super) fn warn_of_similar(usernames: &[String]) {
    if !usernames.is_empty() {
        let names: Vec<_> = usernames.iter().map(|name| format!("{name:?}")).collect();
        eprintln!(
            "warning: {} differs in capitals alone: calls that name such a user in other capitals again are \
             refused",
            names.join(", ")
        );
    }
}

/// The id of a currency. A code that nobody set up is refused: the amounts would be others.
pub(super) async fn currency_id(core: &Core, wanted: &str) -> anyhow::Result<i64> {
    let request = ListCurrenciesRequest { page_size: PAGE, ..Default::default() };
    let mut currencies = CurrenciesServiceClient::new(core.clone());
    let all = currencies.list_currencies(request).await.map_err(said)?.into_inner().currencies;
    let found = all.iter().find(|currency| currency.code.eq_ignore_ascii_case(wanted));
    found.map(|currency| currency.id).with_context(|| {
        let codes: Vec<_> = all.iter().map(|currency| currency.code.as_str()).collect();
        format!("there is no currency {wanted:?}, only {}", codes.join(", "))
    })
}

/// All that operators set of a user, a line for each; what is as usual is left out.
async fn show(core: Core, user: &str) -> anyhow::Result<()> {
    let id = Some(super::user_meant(&core, user).await?);
    let request = GetUserRequest { id, ..Default::default() };
    let user = UsersServiceClient::new(core).get_user(request).await.map_err(said)?.into_inner();
    let user = user.user.context("the core knows no such user")?;
    print(&user)?;
    let amount = |value: &Option<Decimal>| {
        value.as_ref().map(|value| value.value.clone()).unwrap_or_default()
    };
    let reserved = Some(amount(&user.frozen_balance)).filter(|value| value != "0");
    let credit = match amount(&user.credit).as_str() {
        "-1" => "without limit".to_owned(),
        credit => credit.to_owned(),
    };
    let id = |id: i64| if id == 0 { String::new() } else { id.to_string() };
    for (what, value) in [
        ("pays", if user.postpaid { "later" } else { "in advance" }.to_owned()),
        ("credit", if user.postpaid { credit } else { String::new() }),
        ("reserved for calls under way", reserved.unwrap_or_default()),
        ("currency", id(user.currency_id)),
        ("calls at once, at most", id(user.call_limit.into())),
        ("time zone", user.time_zone.clone()),
        ("language", user.language.clone()),
        ("agreement", user.agreement_number.clone()),
        ("VAT number", user.vat_number.clone()),
        ("e-mail for invoices", user.emails.clone().unwrap_or_default().billing),
        ("comment", user.comment.clone()),
    ] {
        if !value.is_empty() {
            say!("  {what}: {value}")?;
        }
    }
    Ok(())
}

async fn list(core: Core, role: Option<RoleName>) -> anyhow::Result<()> {
    let mut users = UsersServiceClient::new(core);
    let role = role.map_or(0, |role| role.to_proto().into());
    let mut request = ListUsersRequest { page_size: PAGE, role, ..Default::default() };
    loop {
        let page = users.list_users(request.clone()).await.map_err(said)?.into_inner();
        for user in &page.users {
            print(user)?;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
}

pub(super) fn print(user: &User) -> anyhow::Result<()> {
    let User { username, first_name, last_name, tariff_id, owner_id, .. } = user;
    let Some(balance) = &user.balance else { bail!("the core says nothing of balances") };
    let role = user.role().as_str_name().trim_start_matches("ROLE_").to_lowercase();
    let name = format!("{first_name} {last_name}");
    let tariff = match tariff_id {
        0 => "no tariff".to_owned(),
        id => format!("tariff {id}"),
    };
    let owner = match owner_id {
        0 => String::new(),
        id => format!(" of user {id}"),
    };
    let blocked = if user.blocked { " blocked" } else { "" };
    let id = user.id();
    let name = name.trim();
    say!("{id} {username:?} {name:?} {role}{owner} {tariff} balance {}{blocked}", balance.value)
}
