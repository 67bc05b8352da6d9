//! `tollbook route`: says where a call of a device would go, and why.

use std::process::ExitCode;

use tollbook_proto::v1::{
    RouteCallRequest, SkipReason, routing_service_client::RoutingServiceClient,
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
    /// The id of the device, or of another point that calls come from
    device: i64,
    /// The number called, as it is dialled
    number: String,
    /// The number that calls
    #[arg(long, default_value = "")]
    source: String,
    /// The id of the call, by which providers are drawn where an LCR orders by percent
    #[arg(long, default_value = "")]
    call_id: String,
    /// When the call begins, for example 2026-12-01 or 2026-12-01T08:00:00 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The time zone of that
    #[arg(long, default_value = "UTC", requires = "at")]
    time_zone: String,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let zone = time_zone(&args.time_zone)?;
    let start_time = args.at.as_deref().map(|text| time(text, &zone, false)).transpose()?;
    let request = RouteCallRequest {
        origination_point_id: Some(args.device),
        destination: args.number,
        source: args.source,
        start_time,
        call_id: args.call_id,
    };
    let mut core = RoutingServiceClient::new(connect(config).await?);
    let answer = core.route_call(request).await.map_err(said)?.into_inner();
    say!("Number: {}", answer.destination)?;
    match answer.lcr_id {
        0 => say!("LCR: the device has none")?,
        id => say!("LCR: {id}")?,
    }
    match &answer.user_rate {
        Some(rate) => say!("The user pays {} a minute", rate.value)?,
        None => say!("The user has no rate")?,
    }
    for (place, route) in (1..).zip(&answer.routes) {
        let rate = decimal(route.rate.as_ref());
        let (name, id, sent) = (&route.provider_name, route.provider_id, &route.destination);
        let failover = if route.failover { ", when all others have failed" } else { "" };
        say!("{place}. {name} ({id}) at {rate} a minute, as {sent}{failover}")?;
    }
    for skipped in &answer.skipped_providers {
        let (name, id, why) = (&skipped.provider_name, skipped.provider_id, why(skipped.reason()));
        let rate = skipped.rate.as_ref().map(|rate| format!(" at {} a minute", rate.value));
        let rate = rate.unwrap_or_default();
        say!("-  {name} ({id}){rate}: {why} ({})", skipped.hangup_cause)?;
    }
    if answer.hangup_cause == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    say!("The call goes nowhere: hangup cause {}", answer.hangup_cause)?;
    Ok(ExitCode::FAILURE)
}

fn why(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Unspecified => "a reason of a later version",
        SkipReason::Disabled => "switched off",
        SkipReason::NotInUse => "not in use by the LCR's owner",
        SkipReason::NoRate => "no rate for the number",
        SkipReason::CallLimit => "as many calls as it may have",
        SkipReason::Loss => "dearer than the user pays, or too little margin",
        SkipReason::PercentLimit => "dearer than the first by more than the limit",
        SkipReason::NoFailover => "only the first is tried",
    }
}
