//! `tollbook generate calls`: a day of made-up calls, to try an installation with.

use anyhow::bail;
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use tollbook_bench::traffic::Traffic;
use tollbook_proto::v1::{
    CallRecord, Disposition, ExportRatesRequest, tariffs_service_client::TariffsServiceClient,
};

use super::COLUMNS;
use crate::{
    client::{connect, said},
    config::Config,
    out::{recorded, written},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many
    #[arg(long, default_value_t = 1_000_000)]
    count: u64,
    /// The day, in UTC
    #[arg(long)]
    day: Date,
    /// Other numbers give other calls
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Login names of the originators
    #[arg(long, value_delimiter = ',', required = true)]
    originators: Vec<String>,
    /// Login names of the terminators
    #[arg(long, value_delimiter = ',', required = true)]
    terminators: Vec<String>,
    /// The tariff whose prefixes are called; all users must have rates for them
    #[arg(long)]
    tariff: i64,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let prefixes = prefixes(config, args.tariff).await?;
    if prefixes.is_empty() {
        bail!("tariff {} has no rates", args.tariff);
    }
    let start = TimeZone::UTC.to_timestamp(args.day.to_datetime(Time::midnight()))?.as_second();
    let traffic =
        Traffic::new(args.seed, start, args.count, args.originators, args.terminators, prefixes);
    let mut out = csv::Writer::from_writer(std::io::BufWriter::new(std::io::stdout().lock()));
    recorded(out.write_record(COLUMNS))?;
    for call in traffic {
        recorded(out.write_record(record(call)?))?;
    }
    written(out.flush())?;
    Ok(())
}

/// The digits that rates are for.
async fn prefixes(config: &Config, tariff_id: i64) -> anyhow::Result<Vec<String>> {
    let mut core = TariffsServiceClient::new(connect(config).await?);
    let request = ExportRatesRequest { tariff_id: Some(tariff_id), ..Default::default() };
    let mut parts = core.export_rates(request).await.map_err(said)?.into_inner();
    let mut prefixes = Vec::new();
    while let Some(part) = parts.message().await.map_err(said)? {
        let open = part.rates.into_iter().filter(|rate| !rate.blocked && !rate.ended);
        prefixes.extend(open.map(|rate| rate.prefix));
    }
    Ok(prefixes)
}

fn record(call: CallRecord) -> anyhow::Result<[String; 14]> {
    let start = call.start_time.unwrap_or_default();
    let seconds = |milliseconds: Option<i64>| {
        let milliseconds = milliseconds.unwrap_or_default();
        format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
    };
    let disposition = match call.disposition() {
        Disposition::Answered => "ANSWERED",
        Disposition::Busy => "BUSY",
        Disposition::NoAnswer => "NO ANSWER",
        Disposition::Failed | Disposition::Unspecified => "FAILED",
    };
    Ok([
        call.call_id,
        Timestamp::new(start.seconds, start.nanos)?.to_string(),
        String::new(),
        String::new(),
        seconds(call.duration_ms),
        seconds(call.billsec_ms),
        disposition.to_owned(),
        call.hangup_cause.to_string(),
        call.source,
        call.destination,
        call.originator,
        call.terminator,
        call.origination_point_id.to_string(),
        call.termination_point_id.to_string(),
    ])
}
