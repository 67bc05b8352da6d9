//! Group "payments": `payment_create`, `payments_get`.

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    Decimal, ErrorReason, ListPaymentsRequest, Payment, PaymentDirection, RecordPaymentRequest,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{
        Input, Method, Param, decimal, id, optional, optional_id, required, switch, text, time,
    },
    methods::payments,
    number,
    xml::Answer,
};

const USER_ID: Input<Option<i64>> = id(required("user_id", "whose payment"));
const AMOUNT: Input<String> = text(required("amount", "the amount, in currency"));
const CURRENCY: Input<String> = text(required("currency", "currency code"));
const P_CURRENCY: Param = optional("p_currency", "another name of currency, from MOR");
const AMOUNT_IN_TAX: Input<bool> =
    switch(optional("amount_in_tax", "1: amount includes tax; default 0"));
const TAX_IN_AMOUNT: Param = optional("tax_in_amount", "another name of amount_in_tax, from MOR");
const COMMENT: Input<String> = text(optional("comment", "free text"));
const PAYMENT_TO_PROVIDER: Input<bool> =
    switch(optional("payment_to_provider", "1: paid to a provider; default 0: from a client"));
const EXCHANGE_RATE: Input<Option<Decimal>> =
    decimal(optional("exchange_rate", "default: that of the currency"));

pub(super) const PAYMENT_CREATE: Method = Method {
    declaration: &legacy::m4::PAYMENT_CREATE,
    group: "Payments",
    summary: "Records a payment and changes the user's balance",
    params: &[
        USER_ID.param,
        AMOUNT.param,
        CURRENCY.param,
        P_CURRENCY,
        AMOUNT_IN_TAX.param,
        TAX_IN_AMOUNT,
        COMMENT.param,
        PAYMENT_TO_PROVIDER.param,
        EXCHANGE_RATE.param,
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
    let Some(user_id) = call.read(&USER_ID)? else {
        return Err(Failure::Parameters(Wrap::Page.error("User was not found")));
    };
    let direction = match call.read(&PAYMENT_TO_PROVIDER)? {
        true => PaymentDirection::ToProvider,
        false => PaymentDirection::FromClient,
    };
    let request = RecordPaymentRequest {
        user_id: Some(user_id),
        amount: Some(Decimal { value: call.read(&AMOUNT)? }),
        amount_includes_tax: call.read(&AMOUNT_IN_TAX)?,
        currency: call.read(&CURRENCY)?,
        exchange_rate: call.read(&EXCHANGE_RATE)?,
        direction: direction.into(),
        comment: call.read(&COMMENT)?,
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

const USER_ID_S: Input<Option<i64>> = optional_id(optional("user_id_s", "only of this user"));
const FROM_S: Input<Option<Timestamp>> =
    time(optional("from_s", "unix time; default: today 00:00"));
const TILL_S: Input<Option<Timestamp>> =
    time(optional("till_s", "unix time; default: today 23:59"));
const USERNAME_S: Input<String> = text(optional("username_s", "only of this login name"));
const FIRST_NAME_S: Input<String> = text(optional("first_name_s", "only of this first name"));
const LAST_NAME_S: Input<String> = text(optional("last_name_s", "only of this last name"));
const AMOUNT_MIN_S: Input<Option<Decimal>> =
    decimal(optional("amount_min_s", "net amount at least"));
const AMOUNT_MAX_S: Input<Option<Decimal>> =
    decimal(optional("amount_max_s", "net amount at most"));
const CURRENCY_S: Input<String> = text(optional("currency_s", "only in this currency, a code"));

pub(super) const PAYMENTS_GET: Method = Method {
    declaration: &legacy::m4::PAYMENTS_GET,
    group: "Payments",
    summary: "Lists payments",
    params: &[
        USER_ID_S.param,
        FROM_S.param,
        TILL_S.param,
        USERNAME_S.param,
        FIRST_NAME_S.param,
        LAST_NAME_S.param,
        AMOUNT_MIN_S.param,
        AMOUNT_MAX_S.param,
        CURRENCY_S.param,
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
    let request = ListPaymentsRequest {
        user_id: call.read(&USER_ID_S)?,
        from: call.read(&FROM_S)?,
        till: call.read(&TILL_S)?,
        default_today: true,
        username: call.read(&USERNAME_S)?,
        first_name: call.read(&FIRST_NAME_S)?,
        last_name: call.read(&LAST_NAME_S)?,
        amount_min: call.read(&AMOUNT_MIN_S)?,
        amount_max: call.read(&AMOUNT_MAX_S)?,
        currency: call.read(&CURRENCY_S)?,
        ..Default::default()
    };
    payments::list(call, request, false, listed).await
}

fn listed(payment: Payment, zone: &TimeZone) -> ListedPayment {
    ListedPayment {
        user: payment.username,
        date: number::time(payment.created_at.as_ref(), zone),
        amount: number::plain(payment.amount.as_ref()),
        amount_with_tax: number::plain(payment.gross.as_ref()),
        comment: payment.comment,
        currency: payment.currency,
        user_balance_before_payment: number::plain(payment.balance_before.as_ref()),
        user_balance_after_payment: number::plain(payment.balance_after.as_ref()),
    }
}
