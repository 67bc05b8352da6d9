//! Group "statistics": `quickstats_get`, and `aggregates_get`, which MOR calls `aggregate_get`.

use futures_util::TryStreamExt;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    ActiveCallCount, Aggregate, AggregateCallsRequest, AggregateGrouping, ErrorReason,
    GetQuickStatsRequest, Traffic,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, Param, optional, optional_id, switch, text, time},
    number,
    xml::Answer,
};

pub(crate) const QUICKSTATS_GET: Method = Method {
    declaration: &legacy::m4::QUICKSTATS_GET,
    group: "Statistics",
    summary: "Calls and money of today and of this month, and the calls under way",
    params: &[],
    wrap: Wrap::Page,
    errors: &[],
    handle: |call| Box::pin(quickstats_get(call)),
};

#[derive(Serialize)]
struct QuickStatsPage {
    quickstats: QuickStats,
}

#[derive(Serialize)]
struct QuickStats {
    today: Period,
    month: Period,
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_calls: Option<ActiveCalls>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Period {
    /// As operators see it.
    Operator {
        calls: i64,
        duration: i64,
        revenue: String,
        self_cost: String,
        profit: String,
        margin: i64,
    },
    /// As a simple user sees it.
    User { calls: i64, duration: i64, price: String },
}

#[derive(Serialize)]
pub(crate) struct ActiveCalls {
    total: i64,
    answered_calls: i64,
}

impl From<ActiveCallCount> for ActiveCalls {
    fn from(count: ActiveCallCount) -> Self {
        Self { total: count.total, answered_calls: count.answered_calls }
    }
}

async fn quickstats_get(call: Call) -> Result<Answer, Failure> {
    let stats = call.statistics().get_quick_stats(GetQuickStatsRequest {}).await?.into_inner();
    // Only simple users are told a balance.
    let is_user = stats.balance.is_some();
    let period = |traffic: Option<Traffic>| {
        let traffic = traffic.unwrap_or_default();
        let (calls, duration) = (traffic.calls, traffic.billsec);
        if is_user {
            return Period::User { calls, duration, price: number::plain(traffic.price.as_ref()) };
        }
        Period::Operator {
            calls,
            duration,
            revenue: number::plain(traffic.price.as_ref()),
            self_cost: number::plain(traffic.self_cost.as_ref()),
            profit: number::plain(traffic.profit.as_ref()),
            margin: traffic.margin_percent,
        }
    };
    let quickstats = QuickStats {
        today: period(stats.today),
        month: period(stats.month),
        balance: is_user.then(|| number::plain(stats.balance.as_ref())),
        active_calls: stats.active_calls.map(ActiveCalls::from),
    };
    Ok(Answer::xml("page", &QuickStatsPage { quickstats }))
}

pub(crate) const FROM: Input<Option<Timestamp>> =
    time(optional("from", "unix time; default: today 00:00:00"));
pub(crate) const TILL: Input<Option<Timestamp>> =
    time(optional("till", "unix time; default: today 23:59:59"));
pub(crate) const A_CURRENCY: Input<String> =
    text(optional("a_currency", "currency code, in any case; default: the default currency"));
const GROUP_BY_ORIGINATOR: Input<bool> =
    switch(optional("group_by_originator", "1: group by originator"));
const GROUP_BY_OP: Input<bool> = switch(optional("group_by_op", "1: group by origination point"));
pub(crate) const GROUP_BY_TERMINATOR: Input<bool> =
    switch(optional("group_by_terminator", "1: group by terminator"));
const GROUP_BY_TP: Input<bool> = switch(optional("group_by_tp", "1: group by termination point"));
pub(crate) const GROUP_BY_DST_GROUP: Input<bool> =
    switch(optional("group_by_dst_group", "1: group by destination group"));
const GROUP_BY_DST: Input<bool> = switch(optional(
    "group_by_dst",
    "1: group by destination; without any of these: by originator, terminator and destination group",
));
const S_ORIGINATOR_ID: Input<Option<i64>> =
    optional_id(optional("s_originator_id", "only of this originator"));
pub(crate) const S_TERMINATOR_ID: Input<Option<i64>> =
    optional_id(optional("s_terminator_id", "only of this terminator"));
const S_OP_DEVICE: Input<Option<i64>> =
    optional_id(optional("s_op_device", "only of this origination point"));
const S_TP_DEVICE: Input<Option<i64>> =
    optional_id(optional("s_tp_device", "only of this termination point"));
pub(crate) const A_SRC: Input<String> =
    text(optional("a_src", "only from this caller id; % stands for anything"));
pub(crate) const A_DST: Input<String> =
    text(optional("a_dst", "only to this number; % stands for anything"));
pub(crate) const DST_GROUP: Input<String> =
    text(optional("dst_group", "only to destinations of this name; % stands for anything"));
pub(crate) const USE_REAL_BILLSEC: Input<bool> =
    switch(optional("use_real_billsec", "1: duration is from answer to end, not from INVITE"));
pub(crate) const FROM_USER_PERSPECTIVE: Param = optional(
    "from_user_perspective",
    "without effect: attempts at other terminators are not counted as calls",
);
pub(crate) const ANSWERED_CALLS: Input<Option<i64>> =
    optional_id(optional("answered_calls", "only groups with at least this many answered calls"));

pub(crate) const AGGREGATES_GET: Method = Method {
    declaration: &legacy::m4::AGGREGATES_GET,
    group: "Statistics",
    summary: "Calls and money of a period, in groups",
    params: &[
        FROM.param,
        TILL.param,
        A_CURRENCY.param,
        GROUP_BY_ORIGINATOR.param,
        GROUP_BY_OP.param,
        GROUP_BY_TERMINATOR.param,
        GROUP_BY_TP.param,
        GROUP_BY_DST_GROUP.param,
        GROUP_BY_DST.param,
        S_ORIGINATOR_ID.param,
        S_TERMINATOR_ID.param,
        S_OP_DEVICE.param,
        S_TP_DEVICE.param,
        A_SRC.param,
        A_DST.param,
        DST_GROUP.param,
        USE_REAL_BILLSEC.param,
        FROM_USER_PERSPECTIVE,
        ANSWERED_CALLS.param,
    ],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::CurrencyNotFound, "Currency was not found"),
        (ErrorReason::UserNotFound, "User was not found"),
        (ErrorReason::TerminatorNotFound, "Terminator was not found"),
        (ErrorReason::ConnectionPointNotFound, "Device was not found"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
    ],
    handle: |call| Box::pin(aggregates_get(call, &NAMES)),
};

#[derive(Serialize)]
struct AggregatesPage {
    pagename: &'static str,
    currency: String,
    aggregates: Aggregates,
    totals: Figures,
}

#[derive(Serialize)]
struct Aggregates {
    aggregate: Vec<ListedAggregate>,
}

/// A group; what is not grouped by is left out.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
struct ListedAggregate {
    #[serde(skip_serializing_if = "Option::is_none")]
    originator_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    originator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_device: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminator_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tp_device: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

/// What the calls of a group add up to.
#[derive(Serialize)]
struct Figures {
    originator_price: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminator_price: Option<String>,
    originator_billed_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminator_billed_time: Option<i64>,
    duration: i64,
    answered_calls: i64,
    total_calls: i64,
    asr: String,
    acd: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    profit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    margin: Option<i64>,
}

/// What the dialects call otherwise: the switches of groupings, with what they mean, and the filters
/// by points.
pub(crate) struct Names {
    pub(crate) groupings: [(Input<bool>, AggregateGrouping); 6],
    pub(crate) origination_point: Input<Option<i64>>,
    pub(crate) termination_point: Input<Option<i64>>,
}

const NAMES: Names = Names {
    groupings: [
        (GROUP_BY_ORIGINATOR, AggregateGrouping::Originator),
        (GROUP_BY_OP, AggregateGrouping::OriginationPoint),
        (GROUP_BY_TERMINATOR, AggregateGrouping::Terminator),
        (GROUP_BY_TP, AggregateGrouping::TerminationPoint),
        (GROUP_BY_DST_GROUP, AggregateGrouping::DestinationGroup),
        (GROUP_BY_DST, AggregateGrouping::Destination),
    ],
    origination_point: S_OP_DEVICE,
    termination_point: S_TP_DEVICE,
};

pub(crate) async fn aggregates_get(call: Call, names: &'static Names) -> Result<Answer, Failure> {
    let mut group_by = Vec::new();
    for (switch, grouping) in &names.groupings {
        if call.read(switch)? {
            group_by.push(*grouping);
        }
    }
    let request = AggregateCallsRequest {
        from: call.read(&FROM)?,
        till: call.read(&TILL)?,
        group_by: group_by.iter().map(|grouping| i32::from(*grouping)).collect(),
        originator_id: call.read(&S_ORIGINATOR_ID)?,
        terminator_id: call.read(&S_TERMINATOR_ID)?,
        origination_point_id: call.read(&names.origination_point)?,
        termination_point_id: call.read(&names.termination_point)?,
        source: call.read(&A_SRC)?,
        called_number: call.read(&A_DST)?,
        destination_group: call.read(&DST_GROUP)?,
        answered_calls: call.read(&ANSWERED_CALLS)?.unwrap_or_default(),
        currency: call.read(&A_CURRENCY)?,
        destination: String::new(),
    };
    let by_group = group_by.is_empty()
        || group_by.contains(&AggregateGrouping::DestinationGroup)
        || group_by.contains(&AggregateGrouping::Destination);
    let by_prefix = group_by.contains(&AggregateGrouping::Destination);
    let real_billsec = call.read(&USE_REAL_BILLSEC)?;
    let mut parts = call.statistics().aggregate_calls(request).await?.into_inner();
    let first = parts.message().await?.unwrap_or_default();
    let (currency, totals) = (first.currency, first.totals.unwrap_or_default());
    let page = move |groups: Vec<Aggregate>| {
        let groups = groups.into_iter();
        let groups = groups.map(|group| listed(group, by_group, by_prefix, real_billsec));
        AggregatesPage {
            pagename: "Aggregates",
            currency: currency.clone(),
            aggregates: Aggregates { aggregate: groups.collect() },
            totals: figures(&totals, real_billsec),
        }
    };
    let first = page(first.aggregates);
    let rest = parts.map_ok(move |part| page(part.aggregates));
    Ok(Answer::listing("page", "aggregates", &first, rest))
}

fn listed(
    group: Aggregate,
    by_group: bool,
    by_prefix: bool,
    real_billsec: bool,
) -> ListedAggregate {
    ListedAggregate {
        originator: group.originator_id.map(|_| group.originator),
        originator_id: group.originator_id,
        op_device: group.origination_point_id,
        terminator: group.terminator_id.map(|_| group.terminator),
        terminator_id: group.terminator_id,
        tp_device: group.termination_point_id,
        dst_group: by_group.then_some(group.destination_group),
        dst: by_prefix.then_some(group.prefix),
        figures: figures(&group.traffic.unwrap_or_default(), real_billsec),
    }
}

fn figures(traffic: &Traffic, real_billsec: bool) -> Figures {
    // Resellers are told what calls cost them, and nothing of terminators.
    let is_operator = traffic.partner_profit.is_some();
    let is_told = traffic.self_cost.is_some();
    Figures {
        originator_price: number::plain(traffic.price.as_ref()),
        terminator_price: is_told.then(|| number::plain(traffic.self_cost.as_ref())),
        originator_billed_time: traffic.originator_billed,
        terminator_billed_time: is_operator.then_some(traffic.terminator_billed),
        duration: if real_billsec { traffic.billsec } else { traffic.duration },
        answered_calls: traffic.answered_calls,
        total_calls: traffic.calls,
        asr: number::plain(traffic.asr.as_ref()),
        acd: number::plain(traffic.acd.as_ref()),
        profit: is_told.then(|| number::plain(traffic.profit.as_ref())),
        margin: is_told.then_some(traffic.margin_percent),
    }
}
