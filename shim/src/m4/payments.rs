//! Group "payments": `payment_create`, `payments_get`.

use jiff::tz::TimeZone;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    Decimal, ErrorReason, ListPaymentsRequest, Payment, PaymentDirection, RecordPaymentRequest,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Method, optional, required},
    methods::payments,
    number,
    xml::Answer,
};

pub(super) const PAYMENT_CREATE: Method = Method {
    declaration: &legacy::m4::PAYMENT_CREATE,
    group: "Payments",
    summary: "Records a payment and changes the user's balance",
    params: &[
        required("user_id", "whose payment"),
        required("amount", "the amount, in currency"),
        required("currency", "currency code"),
        optional("p_currency", "another name of currency, from MOR"),
        optional("amount_in_tax", "1: amount includes tax; default 0"),
        optional("tax_in_amount", "another name of amount_in_tax, from MOR"),
        optional("comment", "free text"),
        optional("payment_to_provider", "1: paid to a provider; default 0: from a client"),
        optional("exchange_rate", "default: that of the currency"),
    ],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::CurrencyNotFound, "Currency was not foundy"),
        (ErrorReason::InvalidAmount, "Payment was not saved"),
        (ErrorReason::InvalidExchangeRate, "Payment was not saved"),
        (ErrorReason::InvalidField, "Payment was not saved"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
    ],
    handle: |call| Box::pin(payment_create(call)),
};

#[derive(Serialize)]
struct Created {
    response: CreatedResponse,
}

#[derive(Serialize)]
struct CreatedResponse {
    status: &'static str,
    payment: CreatedPayment,
}

#[derive(Serialize)]
struct CreatedPayment {
    #[serde(rename = "@currency")]
    currency: String,
    payment_id: i64,
    tax: String,
    amount: String,
    gross: String,
}

async fn payment_create(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let Some(user_id) = params.id("user_id") else {
        return Err(Failure::Parameters(Wrap::Page.error("User was not found")));
    };
    let direction = match params.switch("payment_to_provider") {
        true => PaymentDirection::ToProvider,
        false => PaymentDirection::FromClient,
    };
    let spelled = |name| params.spelled(&legacy::m4::PAYMENT_CREATE, name);
    let request = RecordPaymentRequest {
        user_id: Some(user_id),
        amount: Some(Decimal { value: params.text("amount").to_owned() }),
        amount_includes_tax: spelled("amount_in_tax") == "1",
        currency: spelled("currency").to_owned(),
        exchange_rate: params.decimal("exchange_rate"),
        direction: direction.into(),
        comment: params.text("comment").to_owned(),
        ..Default::default()
    };
    let payment = call.payments().record_payment(request).await?.into_inner().payment;
    let payment = payment.unwrap_or_default();
    let payment = CreatedPayment {
        currency: payment.currency,
        payment_id: payment.id,
        tax: number::plain(payment.tax.as_ref()),
        amount: number::plain(payment.amount.as_ref()),
        gross: number::plain(payment.gross.as_ref()),
    };
    let response = CreatedResponse { status: "ok", payment };
    Ok(Answer::xml("page", &Created { response }))
}

pub(super) const PAYMENTS_GET: Method = Method {
    declaration: &legacy::m4::PAYMENTS_GET,
    group: "Payments",
    summary: "Lists payments",
    params: &[
        optional("user_id_s", "only of this user"),
        optional("from_s", "unix time; default: today 00:00"),
        optional("till_s", "unix time; default: today 23:59"),
        optional("username_s", "only of this login name"),
        optional("first_name_s", "only of this first name"),
        optional("last_name_s", "only of this last name"),
        optional("amount_min_s", "net amount at least"),
        optional("amount_max_s", "net amount at most"),
        optional("currency_s", "only in this currency, a code"),
    ],
    wrap: Wrap::Page,
    errors: &[],
    handle: |call| Box::pin(payments_get(call)),
};

#[derive(Serialize)]
struct ListedPayment {
    user: String,
    date: String,
    amount: String,
    amount_with_tax: String,
    comment: String,
    currency: String,
    user_balance_before_payment: String,
    user_balance_after_payment: String,
}

async fn payments_get(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let request = ListPaymentsRequest {
        user_id: params.optional_id("user_id_s", Wrap::Page)?,
        from: params.time("from_s", Wrap::Page)?,
        till: params.time("till_s", Wrap::Page)?,
        default_today: true,
        username: params.text("username_s").to_owned(),
        first_name: params.text("first_name_s").to_owned(),
        last_name: params.text("last_name_s").to_owned(),
        amount_min: params.decimal("amount_min_s"),
        amount_max: params.decimal("amount_max_s"),
        currency: params.text("currency_s").to_owned(),
        ..Default::default()
    };
    payments::list(call, request, false, listed).await
}

fn listed(payment: Payment, zone: &TimeZone) -> ListedPayment {
    ListedPayment {
        user: payment.username,
        date: payment.created_at.as_ref().map(|time| number::time(time, zone)).unwrap_or_default(),
        amount: number::plain(payment.amount.as_ref()),
        amount_with_tax: number::plain(payment.gross.as_ref()),
        comment: payment.comment,
        currency: payment.currency,
        user_balance_before_payment: number::plain(payment.balance_before.as_ref()),
        user_balance_after_payment: number::plain(payment.balance_after.as_ref()),
    }
}
