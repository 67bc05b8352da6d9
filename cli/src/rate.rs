//! `tollbook rate`: rates a call, and explains its price.

use std::process::ExitCode;

use tollbook_proto::v1::{
    Decimal, RateCallRequest, RatedLeg, RatingOutcome, rating_service_client::RatingServiceClient,
};

use crate::{
    calls::rerate::time,
    client::{connect, said},
    config::Config,
    out::say,
    values::{decimal, time_zone},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number called, with country code
    number: String,
    /// How long the call lasted after it was answered, in seconds
    seconds: String,
    /// The tariff of the price
    #[arg(long, required_unless_present = "user")]
    tariff: Option<i64>,
    /// The id of the user whose tariff is that of the price
    #[arg(long, conflicts_with = "tariff")]
    user: Option<i64>,
    /// A tariff that wins where its prefix is as long or longer
    #[arg(long)]
    custom: Option<i64>,
    /// The tariff of the self-cost
    #[arg(long)]
    self_cost: Option<i64>,
    /// When the call begins, for example 2026-12-01 or 2026-12-01T08:00:00 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The time zone of that
    #[arg(long, default_value = "UTC", requires = "at")]
    time_zone: String,
    /// A call that is not longer costs nothing, in seconds
    #[arg(long, default_value_t = 0)]
    grace: i32,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let zone = time_zone(&args.time_zone)?;
    let start_time = args.at.as_deref().map(|text| time(text, &zone, false)).transpose()?;
    let request = RateCallRequest {
        number: args.number,
        duration: Some(Decimal { value: args.seconds }),
        start_time,
        tariff_id: args.tariff,
        custom_tariff_id: args.custom,
        self_cost_tariff_id: args.self_cost,
        user_id: args.user,
        grace_time: args.grace,
        ..Default::default()
    };
    let mut core = RatingServiceClient::new(connect(config).await?);
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
