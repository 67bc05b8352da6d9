//! `tollbook rerate`: prices calls again, by the tariffs of today and the exchange rates of then: stored ones,
//! or with `--unrated` those that could not be billed.

use anyhow::Context;
use clap::ValueEnum;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use tollbook_proto::v1::{
    CallRejection, RateUnratedCallsRequest, RerateCallsRequest, RerateSide, UnratedCallFilter,
    calls_service_client::CallsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
};

use super::unrated::{reason, reason_name};
use crate::{
    client::{Core, connect, said, zone},
    config::Config,
    out::say,
    parties::{tariffs, user_meant},
    values::{decimal, timestamp},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls that began then or later, for example 2026-11-01 or 2026-11-01T08:00:00
    #[arg(long, required_unless_present = "unrated")]
    from: Option<String>,
    /// Calls that began before or in this second; a day alone counts to its end [default: now]
    #[arg(long)]
    till: Option<String>,
    /// The time zone of both [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
    /// Only calls of this user: a login name or an id (`#42` where a login name reads like that, too)
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only prices that were worked out by this tariff, or would be today: its name or id, of either
    /// purpose
    #[arg(long, value_name = "TARIFF", conflicts_with = "unrated")]
    tariff: Option<String>,
    /// Convert rates in other currencies at the exchange rates of today [default: at those that the calls
    /// were rated at]
    #[arg(long, conflicts_with = "unrated")]
    current_exchange_rates: bool,
    /// Only what originators, their resellers or partners pay, or what terminators earn [default: all]
    #[arg(long, value_enum)]
    side: Option<Side>,
    /// Bring those into the books that could not be billed, as far as they can be now; without a
    /// period, all of them
    #[arg(long, conflicts_with = "side")]
    unrated: bool,
    /// Only those that could not be billed for this reason, for example `NO_RATE`
    #[arg(long, requires = "unrated", value_parser = reason)]
    reason: Option<CallRejection>,
    /// Only those of this account, as the records name it: a login name, `id 42` or `point 7`
    #[arg(long, requires = "unrated")]
    account: Option<String>,
    /// Only those to numbers that begin with this
    #[arg(long, value_name = "DIGITS", requires = "unrated")]
    prefix: Option<String>,
    /// Rate those that were kept with an account as calls of another, for example alicia=alice; may
    /// be repeated
    #[arg(long = "map-account", value_name = "OLD=NEW", requires = "unrated", value_parser = reassignment)]
    accounts: Vec<(String, String)>,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Side {
    Originator,
    Reseller,
    Partner,
    Terminator,
}

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let zone = zone(&core, args.time_zone.as_deref()).await?;
    let at =
        |text: &Option<String>, end| text.as_deref().map(|text| time(text, &zone, end)).transpose();
    let (from, till) = (at(&args.from, false)?, at(&args.till, true)?);
    let user_id = match &args.user {
        Some(user) => Some(user_meant(&core, user).await?),
        None => None,
    };
    if args.unrated {
        return rate_unrated(core, args, user_id, from, till).await;
    }
    let tariff_id = match &args.tariff {
        Some(tariff) => Some(tariffs::meant(&core, tariff).await?.id),
        None => None,
    };
    let till = till.or_else(|| Some(timestamp(Timestamp::now().as_microsecond())));
    let request = RerateCallsRequest {
        from,
        till,
        user_id,
        side: match args.side {
            None => RerateSide::Unspecified,
            Some(Side::Originator) => RerateSide::Originator,
            Some(Side::Reseller) => RerateSide::Reseller,
            Some(Side::Partner) => RerateSide::Partner,
            Some(Side::Terminator) => RerateSide::Terminator,
        }
        .into(),
        dry_run: args.dry_run,
        tariff_id,
        current_exchange_rates: args.current_exchange_rates,
    };
    let mut core = CallsServiceClient::new(core);
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
    if report.at_current_exchange_rates > 0 {
        say!(
            "warning: {} calls by rates of another currency at the exchange rate of today: what they were \
             rated at is not known",
            report.at_current_exchange_rates
        )?;
    }
    Ok(())
}

/// Says what became of calls that could not be billed.
async fn rate_unrated(
    core: Core,
    args: &Args,
    user_id: Option<i64>,
    from: Option<prost_types::Timestamp>,
    till: Option<prost_types::Timestamp>,
) -> anyhow::Result<()> {
    let reason = args.reason.unwrap_or_default().into();
    let filter = UnratedCallFilter {
        reason,
        user_id,
        from,
        till,
        account: args.account.clone().unwrap_or_default(),
        destination_prefix: args.prefix.clone().unwrap_or_default(),
        ..Default::default()
    };
    let request = RateUnratedCallsRequest {
        filter: Some(filter),
        dry_run: args.dry_run,
        accounts: args.accounts.iter().cloned().collect(),
    };
    let mut core = UnratedCallsServiceClient::new(core);
    let report = core.rate_unrated_calls(request).await.map_err(said)?.into_inner();
    let stay: i64 = report.unrated.iter().map(|count| count.calls).sum();
    let known = match report.known {
        0 => String::new(),
        known => format!(" {known} were in the books already,"),
    };
    say!(
        "{} unrated calls: {} rated,{known} {stay} stay unrated; price {}, self-cost {}{}",
        report.examined,
        report.rated,
        decimal(report.price.as_ref()),
        decimal(report.self_cost.as_ref()),
        if args.dry_run { " - nothing was changed" } else { "" }
    )?;
    if !args.accounts.is_empty() {
        say!("  {} were tried as calls of another account", report.reassigned)?;
    }
    for count in &report.unrated {
        say!("  {} {}", reason_name(count.reason()), count.calls)?;
    }
    Ok(())
}

/// An account, and the one whose its calls are to be.
fn reassignment(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => {
            Ok((old.to_owned(), new.to_owned()))
        }
        _ => Err("must be OLD=NEW, two accounts".to_owned()),
    }
}

/// A change with its sign.
fn signed(change: &str) -> String {
    if change.starts_with('-') { change.to_owned() } else { format!("+{change}") }
}

/// A time; a day alone is its beginning or its end.
pub(crate) fn time(
    text: &str,
    zone: &TimeZone,
    end: bool,
) -> anyhow::Result<prost_types::Timestamp> {
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
