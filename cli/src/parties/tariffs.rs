//! `tollbook tariffs`.

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use tollbook_proto::v1::{
    CreateTariffRequest, ListTariffsRequest, Tariff, TariffPurpose,
    tariffs_service_client::TariffsServiceClient,
};

use super::PAGE;
use crate::{
    client::{Core, connect, said},
    config::Config,
    out::say,
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Create a tariff without rates, and print its id
    Create(CreateArgs),
    /// List the tariffs
    List,
}

#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Its name
    name: String,
    /// Whether it says what calls cost the operator, or what customers pay
    #[arg(long, value_enum)]
    purpose: Purpose,
    /// Code of the currency that its rates are in [default: the default currency]
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    currency: String,
}

/// What a tariff is for.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Purpose {
    /// What customers pay
    Selling,
    /// What a carrier takes
    Buying,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    match command {
        Command::Create(CreateArgs { name, purpose, currency }) => {
            let purpose = match purpose {
                Purpose::Selling => TariffPurpose::UserWholesale,
                Purpose::Buying => TariffPurpose::Provider,
            };
            let tariff = Tariff { name, purpose: purpose.into(), currency, ..Default::default() };
            let request = CreateTariffRequest { tariff: Some(tariff) };
            let created = TariffsServiceClient::new(core).create_tariff(request).await;
            let created = created.map_err(said)?.into_inner();
            say!("{}", created.tariff.unwrap_or_default().id)
        }
        Command::List => all(&core).await?.iter().try_for_each(print),
    }
}

/// All tariffs that there are.
pub(crate) async fn all(core: &Core) -> anyhow::Result<Vec<Tariff>> {
    let mut core = TariffsServiceClient::new(core.clone());
    let mut request = ListTariffsRequest { page_size: PAGE, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let page = core.list_tariffs(request.clone()).await.map_err(said)?.into_inner();
        all.extend(page.tariffs);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(all);
        }
    }
}

/// The tariff that a text means: its name, or its id, which may be written `#7`. Where several fit, it is
/// refused.
pub(crate) async fn meant(core: &Core, text: &str) -> anyhow::Result<Tariff> {
    among(&all(core).await?, text)
}

/// The same among tariffs that are known.
pub(crate) fn among(all: &[Tariff], text: &str) -> anyhow::Result<Tariff> {
    let (is_id, digits) = text.strip_prefix('#').map_or((false, text), |digits| (true, digits));
    let id: Option<i64> = digits.parse().ok();
    let fits = |tariff: &&Tariff| Some(tariff.id) == id || (!is_id && tariff.name == text);
    match all.iter().filter(fits).collect::<Vec<_>>()[..] {
        [] => bail!("there is no tariff with the name or id {text:?}"),
        [tariff] => Ok(tariff.clone()),
        ref several => {
            let named = several.iter().map(|tariff| format!("#{} {:?}", tariff.id, tariff.name));
            bail!("{text:?} fits several tariffs: {}", named.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The id of the tariff that a text means, likewise. Who may not list tariffs can name them by their ids.
pub(crate) async fn id_meant(core: &Core, text: &str) -> anyhow::Result<i64> {
    match meant(core, text).await {
        Ok(tariff) => Ok(tariff.id),
        Err(why) => text.trim_start_matches('#').parse().map_err(|_| why),
    }
}

fn print(tariff: &Tariff) -> anyhow::Result<()> {
    let Tariff { id, name, currency, owner_id, .. } = tariff;
    let purpose = match tariff.purpose() {
        TariffPurpose::Provider => "buying",
        TariffPurpose::UserWholesale | TariffPurpose::Unspecified => "selling",
    };
    let owner = match owner_id {
        0 => String::new(),
        id => format!(" of user {id}"),
    };
    say!("{id} {name:?} {purpose} in {currency}{owner}")
}
