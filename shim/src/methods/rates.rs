//! Group "rates": `tariff_rates_get`, `tariff_wholesale_update`.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    CreateTariffRequest, DayType, ErrorReason, ExportRatesRequest, Rate, Tariff, TariffPurpose,
    UpdateTariffRequest,
};
use tonic::Status;

use crate::{
    call::Call,
    error::{Failure, Wrap, reason},
    method::{Input, Method, Param, id, optional},
    number,
    xml::Answer,
};

const TARIFF_ID: Param = optional("tariff_id", "which tariff");
const DEVICE_ID: Param =
    optional("device_id", "the tariff of a connection point, in place of tariff_id");

pub(crate) const TARIFF_RATES_GET: Method = Method {
    declaration: &legacy::m4::TARIFF_RATES_GET,
    group: "Rates",
    summary: "A tariff with all its rates; a simple user sees his own",
    params: &[TARIFF_ID, DEVICE_ID],
    wrap: Wrap::PageStatus,
    errors: &[
        (ErrorReason::TariffNotFound, NO_TARIFF),
        (ErrorReason::ConnectionPointNotFound, NO_TARIFF),
        (ErrorReason::InvalidField, NO_TARIFF),
    ],
    handle: |call| Box::pin(tariff_rates_get(call)),
};

pub(crate) const NO_TARIFF: &str = "No tariff found";

#[derive(Serialize)]
struct TariffPage {
    pagename: &'static str,
    tariff_name: String,
    purpose: &'static str,
    currency: String,
    rates: Rates,
}

#[derive(Serialize)]
struct Rates {
    rate: Vec<ListedRate>,
}

#[derive(Serialize)]
pub(crate) struct ListedRate {
    direction: &'static str,
    destination: String,
    prefix: String,
    /// Only MOR has these two, and nothing in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    subcode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    tariff_rate: String,
    con_fee: String,
    increment: i32,
    min_time: i32,
    start_time: String,
    end_time: String,
    daytype: &'static str,
}

async fn tariff_rates_get(call: Call) -> Result<Answer, Failure> {
    let id = |name| match call.params.filled(name) {
        None => Ok(None),
        Some(_) => call
            .params
            .id(name)
            .filter(|id| *id > 0)
            .map(Some)
            .ok_or_else(|| Failure::Parameters(Wrap::PageStatus.error(NO_TARIFF))),
    };
    // Where both are sent, the device wins.
    let request = ExportRatesRequest {
        tariff_id: id(TARIFF_ID)?,
        connection_point_id: id(DEVICE_ID)?,
        ..Default::default()
    };
    export(call, request, listed).await
}

/// A tariff with its rates, each as the dialect lists one.
pub(crate) async fn export(
    call: Call,
    request: ExportRatesRequest,
    listed: fn(Rate) -> ListedRate,
) -> Result<Answer, Failure> {
    let mut parts = call.tariffs().export_rates(request).await?.into_inner();
    let first = parts.message().await?.unwrap_or_default();
    let tariff = first.tariff.unwrap_or_default();
    let first = page(&tariff, first.rates, listed);
    let rest = parts.map_ok(move |part| page(&tariff, part.rates, listed));
    Ok(Answer::listing("page", "rates", &first, rest).into_file())
}

/// What a tariff is for, as the database names it.
pub(crate) fn purpose(tariff: &Tariff) -> &'static str {
    match tariff.purpose() {
        TariffPurpose::Provider => "provider",
        TariffPurpose::UserWholesale | TariffPurpose::Unspecified => "user_wholesale",
    }
}

fn page(tariff: &Tariff, rates: Vec<Rate>, listed: fn(Rate) -> ListedRate) -> TariffPage {
    TariffPage {
        pagename: "Tariff",
        tariff_name: tariff.name.clone(),
        purpose: purpose(tariff),
        currency: tariff.currency.clone(),
        // The end of a rate has no price, and no place in this list.
        rates: Rates { rate: rates.into_iter().filter(|rate| !rate.ended).map(listed).collect() },
    }
}

/// A rate as MOR lists it.
pub(crate) fn listed_with_codes(rate: Rate) -> ListedRate {
    ListedRate { subcode: Some(""), code: Some(""), ..listed(rate) }
}

fn listed(rate: Rate) -> ListedRate {
    ListedRate {
        direction: "",
        subcode: None,
        code: None,
        tariff_rate: number::plain(rate.rate.as_ref()),
        con_fee: number::plain(rate.connection_fee.as_ref()),
        daytype: match rate.day_type() {
            DayType::Unspecified => "",
            DayType::WorkDay => "WD",
            DayType::FreeDay => "FD",
        },
        destination: rate.destination,
        prefix: rate.prefix,
        increment: rate.increment,
        min_time: rate.min_time,
        start_time: rate.start_time,
        end_time: rate.end_time,
    }
}

const ID: Input<Option<i64>> = id(optional("id", "which tariff; without it a new one is made"));
const NAME: Param = optional("name", "name");
const CURRENCY: Param = optional("currency", "code of the currency that its rates are in");

pub(crate) const TARIFF_WHOLESALE_UPDATE: Method = Method {
    declaration: &legacy::m4::TARIFF_WHOLESALE_UPDATE,
    group: "Rates",
    summary: "Changes the name and currency of a tariff, or creates one",
    params: &[ID.param, NAME, CURRENCY],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::TariffNotFound, "Tariff not found")],
    handle: |call| Box::pin(tariff_wholesale_update(call)),
};

#[derive(Serialize)]
struct Done {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tariff_id: Option<i64>,
}

async fn tariff_wholesale_update(call: Call) -> Result<Answer, Failure> {
    let text = |name| call.params.filled(name).map(str::to_owned);
    let (name, currency) = (text(NAME), text(CURRENCY));
    let result = if call.params.filled(ID.param).is_some() {
        let Some(id) = call.read(&ID)? else {
            return Err(Failure::Parameters(Wrap::Page.error("Tariff not found")));
        };
        let request = UpdateTariffRequest { id: Some(id), name, currency };
        call.tariffs().update_tariff(request).await.map(|_| None)
    } else {
        let tariff = Tariff {
            name: name.unwrap_or_default(),
            currency: currency.unwrap_or_default(),
            purpose: TariffPurpose::UserWholesale.into(),
            ..Default::default()
        };
        let request = CreateTariffRequest { tariff: Some(tariff) };
        let created = call.tariffs().create_tariff(request).await;
        created.map(|response| response.into_inner().tariff.map(|tariff| tariff.id))
    };
    match result {
        Ok(tariff_id) => Ok(Answer::xml("page", &Done { status: "ok", tariff_id })),
        Err(status) => not_saved(status),
    }
}

/// `<response><error><message>…</message></error></response>`, as for nothing else.
#[derive(Serialize)]
struct NotSaved {
    error: Message,
}

#[derive(Serialize)]
struct Message {
    message: String,
}

fn not_saved(status: Status) -> Result<Answer, Failure> {
    match reason(&status) {
        ErrorReason::InvalidField | ErrorReason::CurrencyNotFound => {
            let error = Message { message: status.message().to_owned() };
            Ok(Answer::xml("response", &NotSaved { error }))
        }
        _ => Err(status.into()),
    }
}
