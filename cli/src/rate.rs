//! `tollbook rate`: rates a call, and explains its price.

use std::process::ExitCode;

use tollbook_proto::v1::{
    Decimal, RateCallRequest, RatedLeg, RatingOutcome, rating_service_client::RatingServiceClient,
};

use crate::{
    calls::rerate::time,
    client::{Core, connect, said, zone},
    config::Config,
    out::say,
    parties::{tariffs, user_meant},
    values::decimal,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number called, with country code
    number: String,
    /// How long the call lasted after it was answered, in seconds
    seconds: String,
    /// The tariff of the price: its name or id (`#7` where a name reads like that, too)
    #[arg(long, required_unless_present = "user")]
    tariff: Option<String>,
    /// Whose tariff is that of the price: a login name or an id
    #[arg(long, conflicts_with = "tariff")]
    user: Option<String>,
    /// A tariff that wins where its prefix is as long or longer, likewise
    #[arg(long, value_name = "TARIFF")]
    custom: Option<String>,
    /// The tariff of the self-cost, likewise
    #[arg(long, value_name = "TARIFF")]
    self_cost: Option<String>,
    /// When the call begins, for example 2026-12-01 or 2026-12-01T08:00:00 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The time zone of that [default: that of the settings]
    #[arg(long, requires = "at")]
    time_zone: Option<String>,
    /// A call that is not longer costs nothing, in seconds
    #[arg(long, default_value_t = 0)]
    grace: i32,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let core = connect(config).await?;
    let start_time = match args.at.as_deref() {
        Some(at) => Some(time(at, &zone(&core, args.time_zone.as_deref()).await?, false)?),
        None => None,
    };
    let user_id = match &args.user {
        Some(user) => Some(user_meant(&core, user).await?),
        None => None,
    };
    let request = RateCallRequest {
        number: args.number,
        duration: Some(Decimal { value: args.seconds }),
        start_time,
        tariff_id: tariff(&core, args.tariff.as_deref()).await?,
        custom_tariff_id: tariff(&core, args.custom.as_deref()).await?,
        self_cost_tariff_id: tariff(&core, args.self_cost.as_deref()).await?,
        user_id,
        grace_time: args.grace,
        ..Default::default()
    };
    let mut core = RatingServiceClient::new(core);
    let response = core.rate_call(request).await.map_err(said)?.into_inner();
    let mut has_all = print_leg("Price", &response.price.unwrap_or_default())?;
    if let Some(self_cost) = response.self_cost {
        has_all &= print_leg("Self-cost", &self_cost)?;
    }
    if let Some(profit) = response.profit {
        say!("Profit: {} ({} %)", profit.value, response.margin_percent.unwrap_or_default())?;
    }
    // A script asks for the price to go on with it.
    Ok(if has_all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The id of the tariff that a text means.
async fn tariff(core: &Core, text: Option<&str>) -> anyhow::Result<Option<i64>> {
    Ok(match text {
        Some(text) => Some(tariffs::id_meant(core, text).await?),
        None => None,
    })
}

/// Returns whether there is a price.
fn print_leg(name: &str, leg: &RatedLeg) -> anyhow::Result<bool> {
    match leg.outcome() {
        RatingOutcome::Priced => {
            say!("{name}: {} {} ({})", decimal(leg.price.as_ref()), leg.currency, leg.destination)?;
        }
        RatingOutcome::Blocked => say!("{name}: blocked ({})", leg.destination)?,
        RatingOutcome::NoRate | RatingOutcome::Unspecified => say!("{name}: no rate")?,
    }
    for step in &leg.steps {
        say!("  {step}")?;
    }
    Ok(leg.outcome() == RatingOutcome::Priced)
}
