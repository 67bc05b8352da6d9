//! Group "calls": `user_calls_get`.

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    Call as PricedCall, CallOrder, ChargedLeg, Decimal, Disposition, ErrorReason, GetUserRequest,
    ListCallsRequest, ListCallsResponse, Role,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, choice, id, optional, required, switch, text, time},
    methods::calls::{self, Period},
    number,
    values::Values,
    xml::Answer,
};

const PERIOD_START: Input<Option<Timestamp>> =
    time(optional("period_start", "unix time; default: today 00:00"));
const PERIOD_END: Input<Option<Timestamp>> =
    time(optional("period_end", "unix time; default: today 23:59"));
const S_USER: Input<Option<i64>> =
    id(required("s_user", "whose calls; default for a simple user: his own"));
const S_CALL_TYPE: Input<Disposition> = calls::disposition(optional(
    "s_call_type",
    "all (default), answered, no answer, failed or busy",
));
const S_ORIGINATION_POINT: Input<Option<i64>> =
    choice(optional("s_origination_point", "all (default), or an id"));
const S_TERMINATION_POINT: Input<Option<i64>> =
    choice(optional("s_termination_point", "all (default), or an id; not for simple users"));
const S_HGC: Input<Option<i32>> = calls::hangup_cause(optional(
    "s_hgc",
    "all (default), or a hangup cause; not for simple users",
));
const S_DESTINATION: Input<String> =
    text(optional("s_destination", "the number called begins like this"));
const ORDER_DESC: Input<bool> =
    switch(optional("order_desc", "1: from the last to the first; default 0"));
const ONLY_DID: Input<bool> =
    switch(optional("only_did", "1: only calls through a DID, of which there are none; default 0"));
const ORDER_BY: Input<CallOrder> = calls::order(optional(
    "order_by",
    "time (default), src, dst, prefix, nice_billsec, hgc, p_name, p_rate, p_price, user, u_rate or u_price",
));

pub(super) const USER_CALLS_GET: Method = Method {
    declaration: &legacy::m4::USER_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user in a period; a simple user sees his own",
    params: &[
        PERIOD_START.param,
        PERIOD_END.param,
        S_USER.param,
        S_CALL_TYPE.param,
        S_ORIGINATION_POINT.param,
        S_TERMINATION_POINT.param,
        S_HGC.param,
        S_DESTINATION.param,
        ORDER_DESC.param,
        ONLY_DID.param,
        ORDER_BY.param,
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
    let not_found = || Failure::Parameters(Wrap::Page.error("User was not found"));
    let originator_id = match call.params.filled(S_USER.param) {
        Some(_) => call.read(&S_USER)?.ok_or_else(not_found)?,
        None => own_id(&call).await?.ok_or_else(not_found)?,
    };
    // There are no DIDs: no call came through one.
    let only_did = call.read(&ONLY_DID)?;
    let request = ListCallsRequest {
        from: call.read(&PERIOD_START)?,
        till: call.read(&PERIOD_END)?,
        originator_id: Some(originator_id),
        origination_point_id: call.read(&S_ORIGINATION_POINT)?,
        termination_point_id: call.read(&S_TERMINATION_POINT)?,
        disposition: call.read(&S_CALL_TYPE)?.into(),
        hangup_cause: call.read(&S_HGC)?,
        destination_prefix: call.read(&S_DESTINATION)?,
        order: call.read(&ORDER_BY)?.into(),
        descending: call.read(&ORDER_DESC)?,
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
    let empty = empty_page(&call.params, &first, &zone);
    let listed = move |calls: Vec<PricedCall>| {
        let mut page = empty.clone();
        page.calls_stat.calls.call =
            calls.into_iter().map(|call| listed_call(call, &zone)).collect();
        page
    };
    Ok(calls::pages(call, request, first, listed))
}

/// The answer without its calls.
fn empty_page(params: &Values, first: &ListCallsResponse, zone: &TimeZone) -> Page {
    let shown = |name| params.filled(name).unwrap_or("all").to_owned();
    Page {
        pagename: "Calls",
        language: "en",
        error_msg: "",
        userid: first.caller_id,
        username: params.caller().to_owned(),
        total_calls: first.total,
        currency: first.currency.clone(),
        calls_stat: CallsStat {
            period: Period::of(first, zone),
            show_user: shown(S_USER.param),
            show_origination_point: shown(S_ORIGINATION_POINT.param),
            show_termination_point: shown(S_TERMINATION_POINT.param),
            show_status: shown(S_CALL_TYPE.param),
            show_hgc: shown(S_HGC.param),
            show_destination: params.text(S_DESTINATION.param).to_owned(),
            calls: Calls { call: Vec::new() },
        },
    }
}

/// The id of the caller, if he is a simple user.
async fn own_id(call: &Call) -> Result<Option<i64>, Failure> {
    let username = call.params.caller().to_owned();
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
        calldate2: number::time(start, zone),
        timezone: number::offset(start, zone),
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
