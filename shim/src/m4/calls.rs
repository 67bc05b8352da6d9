//! Group "calls": `user_calls_get`.

use jiff::tz::TimeZone;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    Call as PricedCall, ChargedLeg, Decimal, ErrorReason, GetUserRequest, ListCallsRequest,
    ListCallsResponse, Role,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Method, optional, required},
    methods::calls::{self, Period},
    number,
    request::Params,
    xml::Answer,
};

pub(super) const USER_CALLS_GET: Method = Method {
    declaration: &legacy::m4::USER_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user in a period; a simple user sees his own",
    params: &[
        optional("period_start", "unix time; default: today 00:00"),
        optional("period_end", "unix time; default: today 23:59"),
        required("s_user", "whose calls; default for a simple user: his own"),
        optional("s_call_type", "all (default), answered, no answer, failed or busy"),
        optional("s_origination_point", "all (default), or an id"),
        optional("s_termination_point", "all (default), or an id; not for simple users"),
        optional("s_hgc", "all (default), or a hangup cause; not for simple users"),
        optional("s_destination", "the number called begins like this"),
        optional("order_desc", "1: from the last to the first; default 0"),
        optional("only_did", "1: only calls through a DID, of which there are none; default 0"),
        optional(
            "order_by",
            "time (default), src, dst, prefix, nice_billsec, hgc, p_name, p_rate, p_price, user, u_rate or u_price",
        ),
    ],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::BadLogin, "User was not found")],
    handle: |call| Box::pin(user_calls_get(call)),
};

#[derive(Clone, Serialize)]
struct Page {
    pagename: &'static str,
    language: &'static str,
    error_msg: &'static str,
    /// The caller, as the name is.
    userid: i64,
    username: String,
    total_calls: i64,
    currency: String,
    calls_stat: CallsStat,
}

/// What was asked for, and the calls.
#[derive(Clone, Serialize)]
struct CallsStat {
    period: Period,
    show_user: String,
    show_origination_point: String,
    show_termination_point: String,
    show_status: String,
    show_hgc: String,
    show_destination: String,
    calls: Calls,
}

#[derive(Clone, Serialize)]
struct Calls {
    call: Vec<ListedCall>,
}

/// A call: when and from whom, and then everything by the names of the elements.
#[derive(Clone, Serialize)]
struct ListedCall {
    calldate2: String,
    timezone: String,
    clid: String,
    destination: String,
    dispod: String,
    dst: String,
    nice_billsec: i64,
    prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_billsec: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_rate: Option<String>,
    user: String,
    user_billsec: i64,
    user_id: i64,
    user_price: String,
    user_rate: String,
}

async fn user_calls_get(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let not_found = || Failure::Parameters(Wrap::Page.error("User was not found"));
    let originator_id = match params.filled("s_user") {
        Some(_) => params.id("s_user").ok_or_else(not_found)?,
        None => own_id(&call).await?.ok_or_else(not_found)?,
    };
    // There are no DIDs: no call came through one.
    let only_did = params.switch("only_did");
    let request = ListCallsRequest {
        from: params.time("period_start", Wrap::Page)?,
        till: params.time("period_end", Wrap::Page)?,
        originator_id: Some(originator_id),
        origination_point_id: calls::choice(params, "s_origination_point")?,
        termination_point_id: calls::choice(params, "s_termination_point")?,
        disposition: calls::disposition(params.text("s_call_type"))?.into(),
        hangup_cause: calls::hangup_cause(params)?,
        destination_prefix: params.text("s_destination").to_owned(),
        order: calls::order(params.text("order_by")).into(),
        descending: params.switch("order_desc"),
        page_size: if only_did { 1 } else { 1000 },
        with_total: !only_did,
        default_today: true,
        ..Default::default()
    };
    let mut first = call.calls().list_calls(request.clone()).await?.into_inner();
    if only_did {
        (first.calls, first.next_page_token) = (Vec::new(), String::new());
    }
    let zone = number::zone(&first.time_zone);
    let empty = empty_page(params, &first, &zone);
    let listed = move |calls: Vec<PricedCall>| {
        let mut page = empty.clone();
        page.calls_stat.calls.call =
            calls.into_iter().map(|call| listed_call(call, &zone)).collect();
        page
    };
    Ok(calls::pages(call, request, first, listed))
}

/// The answer without its calls.
fn empty_page(params: &Params, first: &ListCallsResponse, zone: &TimeZone) -> Page {
    let shown = |name| params.filled(name).unwrap_or("all").to_owned();
    Page {
        pagename: "Calls",
        language: "en",
        error_msg: "",
        userid: first.caller_id,
        username: params.text("u").to_owned(),
        total_calls: first.total,
        currency: first.currency.clone(),
        calls_stat: CallsStat {
            period: Period::of(first, zone),
            show_user: shown("s_user"),
            show_origination_point: shown("s_origination_point"),
            show_termination_point: shown("s_termination_point"),
            show_status: shown("s_call_type"),
            show_hgc: shown("s_hgc"),
            show_destination: params.text("s_destination").to_owned(),
            calls: Calls { call: Vec::new() },
        },
    }
}

/// The id of the caller, if he is a simple user.
async fn own_id(call: &Call) -> Result<Option<i64>, Failure> {
    let username = call.params.text("u").to_owned();
    let request = GetUserRequest { username, ..Default::default() };
    let user = call.users().get_user(request).await?.into_inner().user.unwrap_or_default();
    Ok((user.role() == Role::User).then_some(user.id()))
}

fn listed_call(call: PricedCall, zone: &TimeZone) -> ListedCall {
    let (dispod, nice_billsec) = (calls::dispod(&call), calls::billsec(&call));
    let price = call.price.unwrap_or_default();
    // The core tells customers nothing of it.
    let self_cost = call.self_cost.as_ref();
    let amount = |amount: fn(&ChargedLeg) -> Option<&Decimal>| {
        self_cost.map(|leg| number::plain(amount(leg)))
    };
    let start = call.start_time.as_ref();
    ListedCall {
        calldate2: start.map(|time| number::time(time, zone)).unwrap_or_default(),
        timezone: start.map(|time| number::offset(time, zone)).unwrap_or_default(),
        clid: call.source,
        destination: call.destination_name,
        dispod,
        dst: call.destination,
        nice_billsec,
        prefix: call.prefix,
        provider_billsec: self_cost.map(|leg| leg.billed_seconds),
        provider_price: amount(|leg| leg.amount.as_ref()),
        provider_rate: amount(|leg| leg.rate.as_ref()),
        provider_name: self_cost.is_some().then_some(call.terminator),
        user: call.originator,
        user_billsec: price.billed_seconds,
        user_id: call.originator_id,
        user_price: number::plain(price.amount.as_ref()),
        user_rate: number::plain(price.rate.as_ref()),
    }
}
