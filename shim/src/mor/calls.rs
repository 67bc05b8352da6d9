//! Group "calls": `user_calls_get`, `local_calls_get`.

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        Call as PricedCall, CallOrder, ChargedLeg, Decimal, Disposition, ErrorReason,
        ListCallsRequest, ListCallsResponse,
    },
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, Param, choice, id, optional, required, switch, text, time},
    methods::{
        calls::{self, Period},
        user::not_found,
    },
    number,
    values::Values,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const ERRORS: &[(ErrorReason, &str)] = &[(ErrorReason::BadLogin, "Access Denied")];

const PERIOD_START: Input<Option<Timestamp>> =
    time(optional("period_start", "unix time; default: today 00:00"));
const PERIOD_END: Input<Option<Timestamp>> =
    time(optional("period_end", "unix time; default: today 23:59"));
const S_USER: Param =
    required("s_user", "whose calls, unless s_reseller is sent; in MOR 8 user_id");
const S_CALL_TYPE: Input<Disposition> = calls::disposition(optional(
    "s_call_type",
    "all (default), answered, no answer, failed or busy; in MOR 8 calltype",
));
const S_DEVICE: Input<Option<i64>> = choice(optional(
    "s_device",
    "all (default), or the id of an origination point; in MOR 8 device",
));
const S_PROVIDER: Input<Option<i64>> =
    choice(optional("s_provider", "all (default), or the id of a termination point; admin only"));
const S_HGC: Input<Option<i32>> =
    calls::hangup_cause(optional("s_hgc", "all (default), or a hangup cause; admin only"));
const S_DID: Param = optional("s_did", "all (default); of any other there are no calls");
const S_DESTINATION: Input<String> =
    text(optional("s_destination", "the number called begins like this"));
const ORDER_DESC: Input<bool> =
    switch(optional("order_desc", "1: from the last to the first; default 0"));
const ONLY_DID: Input<bool> =
    switch(optional("only_did", "1: only calls to a DID, of which there are none; default 0"));
const ORDER_BY: Input<CallOrder> = calls::order(optional(
    "order_by",
    "time (default), src, dst, number, prefix, nice_billsec, hgc, p_name, p_rate, p_price, user, u_rate or u_price",
));
const S_RESELLER: Param =
    optional("s_reseller", "all, or a reseller's id: calls of his and of his users");
const S_UNIQUEID: Input<String> =
    text(optional("s_uniqueid", "only the call with this unique id, whenever it was"));
const S_CALLBACK_UNIQUEID: Param =
    optional("s_callback_uniqueid", "all (default); of any other there are no calls");
const ORIGINATOR_CODEC_NAME: Param =
    optional("originator_codec_name", "all (default); of any other there are no calls");
const TERMINATOR_CODEC_NAME: Param =
    optional("terminator_codec_name", "all (default); of any other there are no calls");

pub(super) const USER_CALLS_GET: Method = Method {
    declaration: &mor::USER_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user in a period",
    params: &[
        PERIOD_START.param,
        PERIOD_END.param,
        S_USER,
        S_CALL_TYPE.param,
        S_DEVICE.param,
        S_PROVIDER.param,
        S_HGC.param,
        S_DID,
        S_DESTINATION.param,
        ORDER_DESC.param,
        ONLY_DID.param,
        ORDER_BY.param,
        S_RESELLER,
        S_UNIQUEID.param,
        S_CALLBACK_UNIQUEID,
        ORIGINATOR_CODEC_NAME,
        TERMINATOR_CODEC_NAME,
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
/// such thing of is as for calls that have none: DIDs, devices that are called, and codecs.
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
    nice_reseller: String,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller_price: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reseller_rate: Option<String>,
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
const OF_NO_CALL: [Param; 4] =
    [S_DID, S_CALLBACK_UNIQUEID, ORIGINATOR_CODEC_NAME, TERMINATOR_CODEC_NAME];

async fn user_calls_get(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let user = |name| match params.text(name) {
        "" | "all" => Ok(None),
        _ => params.id(name).map(Some).ok_or_else(|| not_found(WRAP)),
    };
    let (originator_id, owner_id) = (user(S_USER)?, user(S_RESELLER)?);
    if originator_id.is_none() && params.filled(S_RESELLER).is_none() {
        return Err(not_found(WRAP));
    }
    let all_of = |name| matches!(params.text(name), "" | "all");
    let is_none = call.read(&ONLY_DID)? || !OF_NO_CALL.into_iter().all(all_of);
    let call_id = Some(call.read(&S_UNIQUEID)?).filter(|id| id != "all").unwrap_or_default();
    let request = ListCallsRequest {
        from: call.read(&PERIOD_START)?,
        till: call.read(&PERIOD_END)?,
        originator_id,
        owner_id,
        origination_point_id: call.read(&S_DEVICE)?,
        termination_point_id: call.read(&S_PROVIDER)?,
        disposition: call.read(&S_CALL_TYPE)?.into(),
        hangup_cause: call.read(&S_HGC)?,
        destination_prefix: call.read(&S_DESTINATION)?,
        call_id,
        order: call.read(&ORDER_BY)?.into(),
        descending: call.read(&ORDER_DESC)?,
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
    let empty = empty_page(&call.params, &first, &zone);
    let listed = move |calls: Vec<PricedCall>| {
        let mut page = empty.clone();
        let calls = calls.into_iter().map(|call| listed_call(call, &page.currency, &zone));
        page.calls_stat.calls.call = calls.collect();
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
            show_user: shown(S_USER),
            show_device: shown(S_DEVICE.param),
            show_status: shown(S_CALL_TYPE.param),
            show_provider: shown(S_PROVIDER.param),
            show_hgc: shown(S_HGC.param),
            show_reseller: shown(S_RESELLER),
            show_did: shown(S_DID),
            show_destination: params.text(S_DESTINATION.param).to_owned(),
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

/// What whoever asks keeps of a call: what he is paid less what he pays, as far as the core tells him; none:
/// he keeps nothing of it. The operator is paid by the partner, a partner by the reseller, and who has none above
/// him by the user.
fn profit_of(call: &PricedCall) -> Option<String> {
    let (user, reseller) = (call.price.as_ref(), call.reseller_price.as_ref());
    let partner = call.partner_price.as_ref();
    let (income, cost) = match (call.self_cost.as_ref(), partner, reseller) {
        (Some(cost), ..) => (partner.or(reseller).or(user), cost),
        (None, Some(cost), _) => (reseller.or(user), cost),
        (None, None, Some(cost)) => (user, cost),
        (None, None, None) => return None,
    };
    profit(income?.amount.as_ref(), cost.amount.as_ref())
}

fn listed_call(call: PricedCall, currency: &str, zone: &TimeZone) -> ListedCall {
    let (dispod, nice_billsec) = (calls::dispod(&call), calls::billsec(&call));
    let profit = profit_of(&call);
    let price = call.price.unwrap_or_default();
    let of_reseller = call.reseller_price.as_ref();
    // The core tells resellers and customers nothing of it.
    let self_cost = call.self_cost.as_ref();
    let amount = |amount: fn(&ChargedLeg) -> Option<&Decimal>| {
        self_cost.map(|leg| number::plain(amount(leg)))
    };
    let start = call.start_time.as_ref();
    ListedCall {
        calldate2: number::time(start, zone),
        timezone: number::offset(start, zone),
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
        reseller_price: of_reseller.map(|leg| number::plain(leg.amount.as_ref())),
        reseller_rate: of_reseller.map(|leg| number::plain(leg.rate.as_ref())),
        nice_reseller: call.reseller,
        originator_codec: "",
        prefix: call.prefix,
        privacy: "",
        profit,
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
const LOCAL_USER: Input<Option<i64>> = id(required("s_user", "whose calls"));

pub(super) const LOCAL_CALLS_GET: Method = Method {
    declaration: &mor::LOCAL_CALLS_GET,
    group: "Calls",
    summary: "Calls of a user that stayed between devices: none is there, for all go out",
    params: &[FROM.param, TILL.param, LOCAL_USER.param],
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
    let user = call.read(&LOCAL_USER)?.ok_or_else(|| not_found(WRAP))?;
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
