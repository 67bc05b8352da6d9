//! Group "calls": `user_calls_get`, `local_calls_get`.

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        Call as PricedCall, ChargedLeg, Decimal, ErrorReason, ListCallsRequest, ListCallsResponse,
    },
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, id, optional, required, time},
    methods::{
        calls::{self, Period, choice},
        user::not_found,
    },
    number,
    request::Params,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const ERRORS: &[(ErrorReason, &str)] = &[(ErrorReason::BadLogin, "Access Denied")];

pub(super) const USER_CALLS_GET: Method = Method {
    declaration: &mor::USER_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user in a period",
    params: &[
        optional("period_start", "unix time; default: today 00:00"),
        optional("period_end", "unix time; default: today 23:59"),
        required("s_user", "whose calls, unless s_reseller is sent; in MOR 8 user_id"),
        optional(
            "s_call_type",
            "all (default), answered, no answer, failed or busy; in MOR 8 calltype",
        ),
        optional("s_device", "all (default), or the id of an origination point; in MOR 8 device"),
        optional("s_provider", "all (default), or the id of a termination point; admin only"),
        optional("s_hgc", "all (default), or a hangup cause; admin only"),
        optional("s_did", "all (default); of any other there are no calls"),
        optional("s_destination", "the number called begins like this"),
        optional("order_desc", "1: from the last to the first; default 0"),
        optional("only_did", "1: only calls to a DID, of which there are none; default 0"),
        optional(
            "order_by",
            "time (default), src, dst, number, prefix, nice_billsec, hgc, p_name, p_rate, p_price, user, u_rate or u_price",
        ),
        optional("s_reseller", "all, or a reseller's id: calls of his and of his users"),
        optional("s_uniqueid", "only the call with this unique id, whenever it was"),
        optional("s_callback_uniqueid", "all (default); of any other there are no calls"),
        optional("originator_codec_name", "all (default); of any other there are no calls"),
        optional("terminator_codec_name", "all (default); of any other there are no calls"),
    ],
    wrap: WRAP,
    errors: ERRORS,
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
    show_device: String,
    show_status: String,
    show_provider: String,
    show_hgc: String,
    show_reseller: String,
    show_did: String,
    show_destination: String,
    calls: Calls,
}

#[derive(Clone, Serialize)]
struct Calls {
    call: Vec<ListedCall>,
}

/// A call: when and from whom, and then everything by the names of the elements. What there is no
/// such thing of is as for calls that have none: DIDs, devices that are called, codecs, and prices of
/// resellers.
#[derive(Clone, Serialize)]
struct ListedCall {
    calldate2: String,
    timezone: String,
    clid: String,
    destination: String,
    did: &'static str,
    did_inc_price: String,
    did_price: String,
    did_prov_price: String,
    dispod: String,
    dst: String,
    dst_user_id: &'static str,
    lega_call_id: &'static str,
    legb_call_id: &'static str,
    nice_billsec: i64,
    nice_reseller: &'static str,
    originator_codec: &'static str,
    prefix: String,
    privacy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    profit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_rate: Option<String>,
    src: String,
    uniqueid: String,
    user: String,
    user_currency: String,
    user_exchange_rate: String,
    user_id: i64,
    user_price: String,
    user_rate: String,
}

/// What no call has: asked for by any of these, none is there.
const OF_NO_CALL: [&str; 4] =
    ["s_did", "s_callback_uniqueid", "originator_codec_name", "terminator_codec_name"];

async fn user_calls_get(mut call: Call) -> Result<Answer, Failure> {
    call.params.rename(&mor::USER_CALLS_GET);
    let params = &call.params;
    let user = |name| match params.text(name) {
        "" | "all" => Ok(None),
        _ => params.id(name).map(Some).ok_or_else(|| not_found(WRAP)),
    };
    let (originator_id, owner_id) = (user("s_user")?, user("s_reseller")?);
    if originator_id.is_none() && params.filled("s_reseller").is_none() {
        return Err(not_found(WRAP));
    }
    let all_of = |name| matches!(params.text(name), "" | "all");
    let is_none = params.switch("only_did") || !OF_NO_CALL.into_iter().all(all_of);
    let request = ListCallsRequest {
        from: params.time("period_start", WRAP)?,
        till: params.time("period_end", WRAP)?,
        originator_id,
        owner_id,
        origination_point_id: choice(params, "s_device")?,
        termination_point_id: choice(params, "s_provider")?,
        disposition: calls::disposition(params.text("s_call_type"))?.into(),
        hangup_cause: calls::hangup_cause(params)?,
        destination_prefix: params.text("s_destination").to_owned(),
        call_id: Some(params.text("s_uniqueid"))
            .filter(|id| *id != "all")
            .unwrap_or_default()
            .to_owned(),
        order: calls::order(params.text("order_by")).into(),
        descending: params.switch("order_desc"),
        page_size: if is_none { 1 } else { 1000 },
        with_total: !is_none,
        default_today: true,
        ..Default::default()
    };
    let mut first = call.calls().list_calls(request.clone()).await?.into_inner();
    if is_none {
        (first.calls, first.next_page_token) = (Vec::new(), String::new());
    }
    let zone = number::zone(&first.time_zone);
    let empty = empty_page(params, &first, &zone);
    let listed = move |calls: Vec<PricedCall>| {
        let mut page = empty.clone();
        let calls = calls.into_iter().map(|call| listed_call(call, &page.currency, &zone));
        page.calls_stat.calls.call = calls.collect();
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
            show_device: shown("s_device"),
            show_status: shown("s_call_type"),
            show_provider: shown("s_provider"),
            show_hgc: shown("s_hgc"),
            show_reseller: shown("s_reseller"),
            show_did: shown("s_did"),
            show_destination: params.text("s_destination").to_owned(),
            calls: Calls { call: Vec::new() },
        },
    }
}

/// What is left of a price; none: it is no number.
fn profit(price: Option<&Decimal>, cost: Option<&Decimal>) -> Option<String> {
    let number = |decimal: Option<&Decimal>| -> Option<rust_decimal::Decimal> {
        decimal.map_or("0", |decimal| decimal.value.as_str()).parse().ok()
    };
    let value = number(price)?.checked_sub(number(cost)?)?.normalize().to_string();
    Some(number::plain(Some(&Decimal { value })))
}

fn listed_call(call: PricedCall, currency: &str, zone: &TimeZone) -> ListedCall {
    let (dispod, nice_billsec) = (calls::dispod(&call), calls::billsec(&call));
    let price = call.price.unwrap_or_default();
    // The core tells resellers and customers nothing of it.
    let self_cost = call.self_cost.as_ref();
    let amount = |amount: fn(&ChargedLeg) -> Option<&Decimal>| {
        self_cost.map(|leg| number::plain(amount(leg)))
    };
    let start = call.start_time.as_ref();
    ListedCall {
        calldate2: start.map(|time| number::time(time, zone)).unwrap_or_default(),
        timezone: start.map(|time| number::offset(time, zone)).unwrap_or_default(),
        clid: call.source.clone(),
        destination: call.destination_name,
        did: "",
        did_inc_price: number::plain(None),
        did_price: number::plain(None),
        did_prov_price: number::plain(None),
        dispod,
        dst: call.destination,
        dst_user_id: "",
        lega_call_id: "",
        legb_call_id: "",
        nice_billsec,
        nice_reseller: "",
        originator_codec: "",
        prefix: call.prefix,
        privacy: "",
        profit: self_cost.and_then(|leg| profit(price.amount.as_ref(), leg.amount.as_ref())),
        provider_price: amount(|leg| leg.amount.as_ref()),
        provider_rate: amount(|leg| leg.rate.as_ref()),
        provider_name: self_cost.is_some().then_some(call.terminator),
        src: call.source,
        uniqueid: call.call_id,
        user: call.originator,
        // Calls are charged in the default currency, whatever the user's own is.
        user_currency: currency.to_owned(),
        user_exchange_rate: "1.0".to_owned(),
        user_id: call.originator_id,
        user_price: number::plain(price.amount.as_ref()),
        user_rate: number::plain(price.rate.as_ref()),
    }
}

const FROM: Input<Option<Timestamp>> = time(optional("from", "unix time; default: today 00:00"));
const TILL: Input<Option<Timestamp>> = time(optional("till", "unix time; default: today 23:59"));
const S_USER: Input<Option<i64>> = id(required("s_user", "whose calls"));

pub(super) const LOCAL_CALLS_GET: Method = Method {
    declaration: &mor::LOCAL_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user that stayed between devices: none is there, for all go out",
    params: &[FROM.param, TILL.param, S_USER.param],
    wrap: WRAP,
    errors: ERRORS,
    handle: |call| Box::pin(local_calls_get(call)),
};

#[derive(Serialize)]
struct LocalCallsPage {
    /// Every call goes to a terminator, or nowhere.
    local_calls: &'static str,
}

async fn local_calls_get(call: Call) -> Result<Answer, Failure> {
    let user = call.read(&S_USER)?.ok_or_else(|| not_found(WRAP))?;
    // The core judges who may ask, and for whom.
    let request = ListCallsRequest {
        from: call.read(&FROM)?,
        till: call.read(&TILL)?,
        originator_id: Some(user),
        default_today: true,
        page_size: 1,
        ..Default::default()
    };
    call.calls().list_calls(request).await?;
    Ok(Answer::xml("page", &LocalCallsPage { local_calls: "" }))
}
