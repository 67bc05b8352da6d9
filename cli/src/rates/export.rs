//! `tollbook export rates`: a tariff as CSV, in the form that the import reads.

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use tollbook_proto::v1::{
    BillingSteps, DayType, ExportRatesRequest, Rate, tariffs_service_client::TariffsServiceClient,
};

use super::COLUMNS;
use crate::{
    client::{connect, said},
    config::Config,
    out::{inert, recorded, written},
    parties::tariffs,
    values::{decimal, time_zone},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tariff: its name or id (`#7` where a name reads like that, too)
    #[arg(long, value_name = "TARIFF")]
    tariff: String,
    /// The time zone that times are shown in, with its offset
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// Write texts as they are, also those that a spreadsheet program would calculate; without it such a
    /// cell has an apostrophe before it, which an import takes off
    #[arg(long)]
    raw: bool,
}

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let zone = time_zone(&args.time_zone)?;
    let core = connect(config).await?;
    let tariff_id = Some(tariffs::meant(&core, &args.tariff).await?.id);
    let mut core = TariffsServiceClient::new(core);
    let request = ExportRatesRequest { tariff_id, ..Default::default() };
    let mut parts = core.export_rates(request).await.map_err(said)?.into_inner();
    let mut out = csv::Writer::from_writer(std::io::stdout().lock());
    recorded(out.write_record(COLUMNS))?;
    while let Some(part) = parts.message().await.map_err(said)? {
        for rate in part.rates {
            recorded(out.write_record(record(rate, &zone).map(|cell| kept(cell, args.raw))))?;
        }
    }
    written(out.flush())?;
    Ok(())
}

/// A cell from which an import reads the text: it takes one apostrophe off.
fn kept(cell: String, raw: bool) -> String {
    if !raw && cell.starts_with('\'') { format!("'{cell}") } else { inert(cell, raw) }
}

/// What the column `blocked` says.
pub(super) fn state(rate: &Rate) -> &'static str {
    match (rate.ended, rate.blocked) {
        (true, _) => "ended",
        (false, true) => "blocked",
        (false, false) => "",
    }
}

fn record(rate: Rate, zone: &TimeZone) -> [String; 12] {
    let effective_from = rate.effective_from.as_ref().and_then(|time| {
        let time = Timestamp::from_second(time.seconds).ok()?.to_zoned_datetime(zone.clone());
        strtime::format("%Y-%m-%dT%H:%M:%S%:z", &time).ok()
    });
    let day_type = match rate.day_type() {
        DayType::Unspecified => "",
        DayType::WorkDay => "WD",
        DayType::FreeDay => "FD",
    };
    let steps = match rate.steps() {
        BillingSteps::Unspecified => "zero",
        BillingSteps::AfterMinimum => "minimum",
    };
    let state = state(&rate).to_owned();
    [
        rate.prefix,
        rate.destination,
        decimal(rate.rate.as_ref()).to_owned(),
        decimal(rate.connection_fee.as_ref()).to_owned(),
        rate.increment.to_string(),
        rate.min_time.to_string(),
        effective_from.unwrap_or_default(),
        rate.start_time,
        rate.end_time,
        day_type.to_owned(),
        state,
        steps.to_owned(),
    ]
}
