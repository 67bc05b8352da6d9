//! Groups "statistics" and "aggregate": `quickstats_get`, `aggregate_get`.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{AggregateGrouping, ErrorReason, GetQuickStatsRequest},
};

use crate::{
    call::Call,
    error::{Failure, Wrap, reason},
    method::{Input, Method, Param, optional, optional_id, switch},
    methods::statistics::{self, ActiveCalls, Names},
    number,
    xml::Answer,
};

const DENIED: &str = "Access Denied";

pub(super) const QUICKSTATS_GET: Method = Method {
    declaration: &mor::QUICKSTATS_GET,
    summary: "Calls and money of today, and the calls under way; resellers see what \
              they pay themselves, simple users no costs",
    errors: &[(ErrorReason::BadLogin, DENIED)],
    handle: |call| Box::pin(quickstats_get(call)),
    ..statistics::QUICKSTATS_GET
};

#[derive(Serialize)]
struct QuickStatsPage {
    quickstats: QuickStats,
}

#[derive(Serialize)]
struct QuickStats {
    today: Today,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_calls: Option<ActiveCalls>,
}

#[derive(Serialize)]
struct Today {
    calls: i64,
    duration: i64,
    revenue: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_cost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin: Option<i64>,
}

async fn quickstats_get(call: Call) -> Result<Answer, Failure> {
    let stats = call.statistics().get_quick_stats(GetQuickStatsRequest {}).await?.into_inner();
    let today = stats.today.unwrap_or_default();
    // The core tells simple users of no costs, and resellers of their own.
    let is_told = today.self_cost.is_some();
    let today = Today {
        calls: today.calls,
        duration: today.billsec,
        revenue: number::plain(today.income.as_ref().or(today.price.as_ref())),
        self_cost: is_told.then(|| number::plain(today.self_cost.as_ref())),
        profit: is_told.then(|| number::plain(today.profit.as_ref())),
        margin: is_told.then_some(today.margin_percent),
    };
    let active_calls = stats.active_calls.map(ActiveCalls::from);
    Ok(Answer::xml("page", &QuickStatsPage { quickstats: QuickStats { today, active_calls } }))
}

const BY_DAY: Param = optional("group_by_day", "not there yet: only 0");
const BY_HOUR: Param = optional("group_by_hour", "not there yet: only 0");
const BY_USER_RATE: Param = optional("group_by_user_rate", "not there yet: only 0");
const BY_PROVIDER_RATE: Param = optional("group_by_provider_rate", "not there yet: only 0");
const DURATION: Param = optional("s_duration", "not there yet: only 0");

/// What is not there yet: better an error than other figures than asked for.
const REFUSED: [Param; 5] = [BY_DAY, BY_HOUR, BY_USER_RATE, BY_PROVIDER_RATE, DURATION];

const GROUP_BY_USER: Input<bool> = switch(optional("group_by_user", "1: group by user"));
const GROUP_BY_DEVICE: Input<bool> = switch(optional("group_by_device", "1: group by device"));
const GROUP_BY_PROVIDER: Input<bool> =
    switch(optional("group_by_provider", "1: group by provider, which is a termination point"));
const GROUP_BY_DST: Input<bool> = switch(optional(
    "group_by_dst",
    "1: group by destination; without any of these: by user, terminator and destination group",
));
const S_ORIGINATOR_ID: Input<Option<i64>> =
    optional_id(optional("s_originator_id", "only of this user"));
const S_DEVICE: Input<Option<i64>> = optional_id(optional("s_device", "only of this device"));
const S_PROVIDER: Input<Option<i64>> = optional_id(optional("s_provider", "only of this provider"));

pub(super) const AGGREGATE_GET: Method = Method {
    declaration: &mor::AGGREGATE_GET,
    group: "Aggregate",
    params: &[
        statistics::FROM.param,
        statistics::TILL.param,
        statistics::A_CURRENCY.param,
        GROUP_BY_USER.param,
        GROUP_BY_DEVICE.param,
        statistics::GROUP_BY_TERMINATOR.param,
        GROUP_BY_PROVIDER.param,
        statistics::GROUP_BY_DST_GROUP.param,
        GROUP_BY_DST.param,
        BY_DAY,
        BY_HOUR,
        BY_USER_RATE,
        BY_PROVIDER_RATE,
        S_ORIGINATOR_ID.param,
        statistics::S_TERMINATOR_ID.param,
        S_DEVICE.param,
        S_PROVIDER.param,
        statistics::A_SRC.param,
        statistics::A_DST.param,
        DURATION,
        statistics::DST_GROUP.param,
        statistics::USE_REAL_BILLSEC.param,
        statistics::FROM_USER_PERSPECTIVE,
        statistics::ANSWERED_CALLS.param,
    ],
    errors: &[
        (ErrorReason::CurrencyNotFound, "Currency was not found"),
        (ErrorReason::UserNotFound, "User was not found"),
        (ErrorReason::TerminatorNotFound, "Terminator was not found"),
        (ErrorReason::ConnectionPointNotFound, "Device was not found"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
        (ErrorReason::BadLogin, DENIED),
    ],
    handle: |call| Box::pin(aggregate_get(call)),
    ..statistics::AGGREGATES_GET
};

const NAMES: Names = Names {
    groupings: [
        (GROUP_BY_USER, AggregateGrouping::Originator),
        (GROUP_BY_DEVICE, AggregateGrouping::OriginationPoint),
        (statistics::GROUP_BY_TERMINATOR, AggregateGrouping::Terminator),
        (GROUP_BY_PROVIDER, AggregateGrouping::TerminationPoint),
        (statistics::GROUP_BY_DST_GROUP, AggregateGrouping::DestinationGroup),
        (GROUP_BY_DST, AggregateGrouping::Destination),
    ],
    origination_point: S_DEVICE,
    termination_point: S_PROVIDER,
};

async fn aggregate_get(call: Call) -> Result<Answer, Failure> {
    for param in REFUSED {
        // Clients send switches that are off, too.
        if call.params.filled(param).is_some_and(|value| value != "0") {
            let text = format!("{} is not supported", param.name);
            return Err(Failure::Parameters(Wrap::Page.error(&text)));
        }
    }
    // The core does not say which of two points there is not: the first of them, then.
    let is_device = call.params.filled(S_DEVICE.param).is_some();
    match statistics::aggregates_get(call, &NAMES).await {
        Err(Failure::Core(status))
            if reason(&status) == ErrorReason::ConnectionPointNotFound && !is_device =>
        {
            Ok(Wrap::Page.error("Provider was not found"))
        }
        result => result,
    }
}
