//! Group "rates": `tariffs_get`, `tariff_rates_get`, `tariff_wholesale_update`, `rate_get`.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        Decimal, ErrorReason, ExportRatesRequest, ListTariffsRequest, RateCallRequest,
        RatingOutcome, Tariff,
    },
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, Param, optional, required, switch, text},
    methods::rates,
    number, request,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const NO_TARIFF: &str = rates::NO_TARIFF;
const NO_RATE: &str = "Rate was not found";

pub(super) const TARIFFS_GET: Method = Method {
    declaration: &mor::TARIFFS_GET,
    group: "Rates",
    summary: "Lists the tariffs that the caller owns; an accountant sees the admin's",
    params: &[],
    wrap: WRAP,
    errors: &[
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
        (ErrorReason::BadLogin, "Access Denied"),
    ],
    handle: |call| Box::pin(tariffs_get(call)),
};

#[derive(Serialize)]
struct TariffsPage {
    tariffs: Tariffs,
}

#[derive(Serialize)]
struct Tariffs {
    tariff: Vec<ListedTariff>,
}

#[derive(Serialize)]
struct ListedTariff {
    id: i64,
    name: String,
    purpose: &'static str,
    currency: String,
    /// When rates change is not kept with their tariff.
    last_update_date: &'static str,
}

async fn tariffs_get(call: Call) -> Result<Answer, Failure> {
    let request = ListTariffsRequest { page_size: 1000, own_only: true, ..Default::default() };
    let first = call.tariffs().list_tariffs(request.clone()).await?.into_inner();
    if first.tariffs.is_empty() {
        return Ok(WRAP.error("No Tariffs found"));
    }
    let rest = listing::following(first.next_page_token, move |page_token| {
        let (mut core, request) =
            (call.tariffs(), ListTariffsRequest { page_token, ..request.clone() });
        async move {
            let page = core.list_tariffs(request).await?.into_inner();
            Ok((page.tariffs, page.next_page_token))
        }
    });
    let first = tariffs_page(first.tariffs);
    Ok(Answer::listing("page", "tariffs", &first, rest.map_ok(tariffs_page)))
}

fn tariffs_page(tariffs: Vec<Tariff>) -> TariffsPage {
    let listed = |tariff: Tariff| ListedTariff {
        id: tariff.id,
        purpose: rates::purpose(&tariff),
        name: tariff.name,
        currency: tariff.currency,
        last_update_date: "",
    };
    TariffsPage { tariffs: Tariffs { tariff: tariffs.into_iter().map(listed).collect() } }
}

const TARIFF_ID: Param = optional("tariff_id", "which tariff; default for a reseller: his own");
const USER_ID: Param = optional("user_id", "the tariff of this user, in place of tariff_id");

pub(super) const TARIFF_RATES_GET: Method = Method {
    declaration: &mor::TARIFF_RATES_GET,
    summary: "A tariff with all its rates; a simple user sees his own",
    params: &[TARIFF_ID, USER_ID],
    wrap: WRAP,
    errors: &[
        (ErrorReason::TariffNotFound, NO_TARIFF),
        (ErrorReason::UserNotFound, NO_TARIFF),
        (ErrorReason::InvalidField, NO_TARIFF),
    ],
    handle: |call| Box::pin(tariff_rates_get(call)),
    ..rates::TARIFF_RATES_GET
};

async fn tariff_rates_get(call: Call) -> Result<Answer, Failure> {
    let id = |name| match call.params.filled(name) {
        None => Ok(None),
        Some(text) => {
            request::id(text).map(Some).ok_or_else(|| Failure::Parameters(WRAP.error(NO_TARIFF)))
        }
    };
    let request = ExportRatesRequest {
        tariff_id: id(TARIFF_ID)?,
        user_id: id(USER_ID)?,
        default_own: true,
        ..Default::default()
    };
    rates::export(call, request, rates::listed_with_codes).await
}

pub(super) const TARIFF_WHOLESALE_UPDATE: Method =
    Method { declaration: &mor::TARIFF_WHOLESALE_UPDATE, ..rates::TARIFF_WHOLESALE_UPDATE };

const USERNAME: Input<String> = text(required("username", "whose rate"));
const PREFIX: Input<String> = text(required("prefix", "of which prefix, exactly"));
const BY_FULL_DST: Input<bool> = switch(optional(
    "by_full_dst",
    "1: prefix is a whole number, and the longest prefix of it decides",
));

pub(super) const RATE_GET: Method = Method {
    declaration: &mor::RATE_GET,
    group: "Rates",
    summary: "The price of a prefix for a user, in his tariff's currency",
    params: &[USERNAME.param, PREFIX.param, BY_FULL_DST.param],
    wrap: WRAP,
    errors: &[(ErrorReason::TariffNotFound, NO_RATE), (ErrorReason::InvalidField, NO_RATE)],
    handle: |call| Box::pin(rate_get(call)),
};

#[derive(Serialize)]
struct RatePage {
    rate: String,
}

async fn rate_get(call: Call) -> Result<Answer, Failure> {
    let username = call.read(&USERNAME)?;
    if username.is_empty() {
        return Err(Failure::Parameters(WRAP.error("User was not found")));
    }
    let number = call.read(&PREFIX)?;
    let request = RateCallRequest {
        number: number.clone(),
        // Whatever its length: only the rate is asked for.
        duration: Some(Decimal { value: "0".to_owned() }),
        username,
        ..Default::default()
    };
    let leg = call.rating().rate_call(request).await?.into_inner().price.unwrap_or_default();
    let is_asked = call.read(&BY_FULL_DST)? || leg.prefix == number;
    if leg.outcome() != RatingOutcome::Priced || !is_asked {
        return Ok(WRAP.error(NO_RATE));
    }
    let rate = number::plain(leg.rate.as_ref());
    Ok(Answer::xml(
        "page",
        &RatePage { rate: format!("{rate}#{}#{}", leg.destination, leg.prefix) },
    ))
}
