//! Group "statistics": `quickstats_get`, and `aggregates_get`, which MOR calls `aggregate_get`.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    ActiveCallCount, Aggregate, AggregateCallsRequest, AggregateGrouping, ErrorReason,
    GetQuickStatsRequest, Traffic,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Method, optional},
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

pub(crate) const AGGREGATES_GET: Method = Method {
    declaration: &legacy::m4::AGGREGATES_GET,
    group: "Statistics",
    summary: "Calls and money of a period, in groups",
    params: &[
        optional("from", "unix time; default: today 00:00:00"),
        optional("till", "unix time; default: today 23:59:59"),
        optional("a_currency", "currency code, in any case; default: the default currency"),
        optional("group_by_originator", "1: group by originator"),
        optional("group_by_op", "1: group by origination point"),
        optional("group_by_terminator", "1: group by terminator"),
        optional("group_by_tp", "1: group by termination point"),
        optional("group_by_dst_group", "1: group by destination group"),
        optional(
            "group_by_dst",
            "1: group by destination; without any of these: by originator, terminator and destination group",
        ),
        optional("s_originator_id", "only of this originator"),
        optional("s_terminator_id", "only of this terminator"),
        optional("s_op_device", "only of this origination point"),
        optional("s_tp_device", "only of this termination point"),
        optional("a_src", "only from this caller id; % stands for anything"),
        optional("a_dst", "only to this number; % stands for anything"),
        optional("dst_group", "only to destinations of this name; % stands for anything"),
        optional("use_real_billsec", "1: duration is from answer to end, not from INVITE"),
        optional(
            "from_user_perspective",
            "without effect: attempts at other terminators are not counted as calls",
        ),
        optional("answered_calls", "only groups with at least this many answered calls"),
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
    pub(crate) groupings: [(&'static str, AggregateGrouping); 6],
    pub(crate) origination_point: &'static str,
    pub(crate) termination_point: &'static str,
}

const NAMES: Names = Names {
    groupings: [
        ("group_by_originator", AggregateGrouping::Originator),
        ("group_by_op", AggregateGrouping::OriginationPoint),
        ("group_by_terminator", AggregateGrouping::Terminator),
        ("group_by_tp", AggregateGrouping::TerminationPoint),
        ("group_by_dst_group", AggregateGrouping::DestinationGroup),
        ("group_by_dst", AggregateGrouping::Destination),
    ],
    origination_point: "s_op_device",
    termination_point: "s_tp_device",
};

pub(crate) async fn aggregates_get(call: Call, names: &'static Names) -> Result<Answer, Failure> {
    let params = &call.params;
    let group_by: Vec<AggregateGrouping> = names
        .groupings
        .into_iter()
        .filter(|(name, _)| params.switch(name))
        .map(|(_, grouping)| grouping)
        .collect();
    let request = AggregateCallsRequest {
        from: params.time("from", Wrap::Page)?,
        till: params.time("till", Wrap::Page)?,
        group_by: group_by.iter().map(|grouping| i32::from(*grouping)).collect(),
        originator_id: params.optional_id("s_originator_id", Wrap::Page)?,
        terminator_id: params.optional_id("s_terminator_id", Wrap::Page)?,
        origination_point_id: params.optional_id(names.origination_point, Wrap::Page)?,
        termination_point_id: params.optional_id(names.termination_point, Wrap::Page)?,
        source: params.text("a_src").to_owned(),
        called_number: params.text("a_dst").to_owned(),
        destination_group: params.text("dst_group").to_owned(),
        answered_calls: params.optional_id("answered_calls", Wrap::Page)?.unwrap_or_default(),
        currency: params.text("a_currency").to_owned(),
        destination: String::new(),
    };
    let by_group = group_by.is_empty()
        || group_by.contains(&AggregateGrouping::DestinationGroup)
        || group_by.contains(&AggregateGrouping::Destination);
    let by_prefix = group_by.contains(&AggregateGrouping::Destination);
    let real_billsec = params.switch("use_real_billsec");
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
    // Resellers are told nothing of what calls cost the operator.
    let is_told = traffic.self_cost.is_some();
    Figures {
        originator_price: number::plain(traffic.price.as_ref()),
        terminator_price: is_told.then(|| number::plain(traffic.self_cost.as_ref())),
        originator_billed_time: traffic.originator_billed,
        terminator_billed_time: is_told.then_some(traffic.terminator_billed),
        duration: if real_billsec { traffic.billsec } else { traffic.duration },
        answered_calls: traffic.answered_calls,
        total_calls: traffic.calls,
        asr: number::plain(traffic.asr.as_ref()),
        acd: number::plain(traffic.acd.as_ref()),
        profit: is_told.then(|| number::plain(traffic.profit.as_ref())),
        margin: is_told.then_some(traffic.margin_percent),
    }
}
