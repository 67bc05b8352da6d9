//! `tollbook rerate`: prices stored calls again, by the tariffs of today.

use anyhow::Context;
use clap::ValueEnum;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use tollbook_proto::v1::{
    RerateCallsRequest, RerateSide, calls_service_client::CallsServiceClient,
};

use crate::{
    client::{connect, said},
    config::Config,
    out::say,
    values::{decimal, time_zone},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls that began then or later, for example 2026-11-01 or 2026-11-01T08:00:00
    #[arg(long)]
    from: String,
    /// Calls that began before or in this second; a day alone counts to its end
    #[arg(long)]
    till: String,
    /// The time zone of both
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// Only calls of the user with this id
    #[arg(long)]
    user: Option<i64>,
    /// Only what originators pay, or what terminators earn [default: both]
    #[arg(long, value_enum)]
    side: Option<Side>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Side {
    Originator,
    Terminator,
}

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let zone = time_zone(&args.time_zone)?;
    let request = RerateCallsRequest {
        from: Some(time(&args.from, &zone, false)?),
        till: Some(time(&args.till, &zone, true)?),
        user_id: args.user,
        side: match args.side {
            None => RerateSide::Unspecified,
            Some(Side::Originator) => RerateSide::Originator,
            Some(Side::Terminator) => RerateSide::Terminator,
        }
        .into(),
        dry_run: args.dry_run,
    };
    let mut core = CallsServiceClient::new(connect(config).await?);
    let report = core.rerate_calls(request).await.map_err(said)?.into_inner();
    say!(
        "{} calls: {} changed, {} without a rate; price {}, self-cost {}{}",
        report.examined,
        report.changed,
        report.unratable,
        signed(decimal(report.price_change.as_ref())),
        signed(decimal(report.self_cost_change.as_ref())),
        if args.dry_run { " - nothing was changed" } else { "" }
    )?;
    Ok(())
}

/// A change with its sign.
fn signed(change: &str) -> String {
    if change.starts_with('-') { change.to_owned() } else { format!("+{change}") }
}

/// A time; a day alone is its beginning or its end.
fn time(text: &str, zone: &TimeZone, end: bool) -> anyhow::Result<prost_types::Timestamp> {
    let seconds = if let Ok(time) = text.parse::<Timestamp>() {
        time.as_second()
    } else {
        let local: DateTime =
            text.parse().with_context(|| format!("{text:?} is neither a day nor a time"))?;
        let whole_day = end && !text.contains(':');
        let local = if whole_day { local.tomorrow()? } else { local };
        zone.to_timestamp(local)?.as_second() - i64::from(whole_day)
    };
    Ok(prost_types::Timestamp { seconds, nanos: 0 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn days_begin_and_end_where_they_should() {
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        let at = |text, end| time(text, &zone, end).unwrap().seconds;
        assert_eq!(at("2026-11-24", false), 1_795_471_200);
        assert_eq!(at("2026-11-24", true), 1_795_471_200 + 86_399);
        assert_eq!(at("2026-11-24T00:00:00", true), 1_795_471_200);
        assert_eq!(at("2026-11-23T22:00:00Z", true), 1_795_471_200);
        assert!(time("soon", &zone, false).is_err());
    }
}
