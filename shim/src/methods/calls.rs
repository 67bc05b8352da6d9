//! What the two lists of calls share: how they are chosen and ordered, and sent page by page.

use futures_util::TryStreamExt;
use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::v1::{
    Call as PricedCall, CallOrder, Disposition, ListCallsRequest, ListCallsResponse,
};

use crate::{
    call::Call,
    listing,
    method::{Input, Param},
    number, request,
    xml::Answer,
};

/// The period in which calls were asked for, as an answer says it.
#[derive(Clone, Serialize)]
pub(crate) struct Period {
    period_start: String,
    period_end: String,
}

impl Period {
    /// The one that the core took.
    pub(crate) fn of(first: &ListCallsResponse, zone: &TimeZone) -> Self {
        let shown = |time: &Option<Timestamp>| number::time(time.as_ref(), zone);
        Self { period_start: shown(&first.from), period_end: shown(&first.till) }
    }
}

/// The answer whose first calls are there: they and those of the pages after them.
pub(crate) fn pages<P: Serialize + Send + 'static>(
    call: Call,
    request: ListCallsRequest,
    first: ListCallsResponse,
    page: impl Fn(Vec<PricedCall>) -> P + Send + 'static,
) -> Answer {
    let first_page = page(first.calls);
    let rest = listing::following(first.next_page_token, move |page_token| {
        let mut core = call.calls();
        let request = ListCallsRequest { page_token, with_total: false, ..request.clone() };
        async move {
            let page = core.list_calls(request).await?.into_inner();
            Ok((page.calls, page.next_page_token))
        }
    });
    Answer::listing("page", "calls", &first_page, rest.map_ok(page))
}

/// A hangup cause to choose by, likewise ([`choice`](crate::method::choice)).
pub(crate) const fn hangup_cause(param: Param) -> Input<Option<i32>> {
    Input::new(param, |code| match code {
        "" | "all" => Some(None),
        code => i32::try_from(request::id(code)?).ok().map(Some),
    })
}

/// The disposition of calls of a kind, which must be one of these.
pub(crate) const fn disposition(param: Param) -> Input<Disposition> {
    Input::new(param, |call_type| {
        Some(match call_type {
            "" | "all" => Disposition::Unspecified,
            "answered" => Disposition::Answered,
            "no answer" => Disposition::NoAnswer,
            "failed" => Disposition::Failed,
            "busy" => Disposition::Busy,
            _ => return None,
        })
    })
}

/// A column to order calls by. Columns that there are not leave the order of time.
pub(crate) const fn order(param: Param) -> Input<CallOrder> {
    Input::new(param, |order_by| {
        Some(match order_by {
            "src" => CallOrder::Source,
            "dst" | "number" => CallOrder::Destination,
            "prefix" => CallOrder::Prefix,
            "nice_billsec" => CallOrder::Billsec,
            "hgc" => CallOrder::HangupCause,
            "p_name" => CallOrder::Terminator,
            "p_rate" => CallOrder::SelfCostRate,
            "p_price" => CallOrder::SelfCost,
            "user" => CallOrder::Originator,
            "u_rate" => CallOrder::Rate,
            "u_price" => CallOrder::Price,
            _ => CallOrder::Unspecified,
        })
    })
}

/// How a call ended, with its hangup cause: `ANSWERED(16)`.
pub(crate) fn dispod(call: &PricedCall) -> String {
    let disposition = match call.disposition() {
        Disposition::Answered => "ANSWERED",
        Disposition::Busy => "BUSY",
        Disposition::NoAnswer => "NO ANSWER",
        Disposition::Failed | Disposition::Unspecified => "FAILED",
    };
    format!("{disposition}({})", call.hangup_cause)
}

/// Seconds from answer to end; a begun one is a whole one.
pub(crate) fn billsec(call: &PricedCall) -> i64 {
    call.billsec_ms.div_euclid(1000) + i64::from(call.billsec_ms % 1000 > 0)
}
