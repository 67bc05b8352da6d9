//! Group "payments": `payment_create`, `payments_get`.

use jiff::tz::TimeZone;
use prost_types::Timestamp;
use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{
        Decimal, ErrorReason, ListPaymentsRequest, Payment, PaymentDirection, RecordPaymentRequest,
    },
};

use crate::{
    call::Call,
    error::{Failure, Wrap, reason, refused},
    method::{Input, Method, decimal, id, optional, optional_id, required, switch, text, time},
    methods::{payments, user::not_found},
    number,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const NOT_SAVED: &str = "Payment was not saved";

const USER_ID: Input<Option<i64>> = id(required("user_id", "whose payment"));
const CURRENCY: Input<String> = text(required("p_currency", "currency code"));
const GATEWAY: Input<String> = text(optional("paymenttype", "name of the payment gateway"));
const TAX_IN_AMOUNT: Input<bool> =
    switch(optional("tax_in_amount", "1: amount includes tax; default 0"));
const AMOUNT: Input<Option<Decimal>> = decimal(required("amount", "the amount, in p_currency"));
const TRANSACTION: Input<String> = text(optional("transaction", "the gateway's transaction id"));
const PAYER_EMAIL: Input<String> = text(optional("payer_email", "e-mail address of the payer"));
const COMMENT: Input<String> = text(optional("comments_for_user", "comment that the user sees"));

pub(super) const PAYMENT_CREATE: Method = Method {
    declaration: &mor::PAYMENT_CREATE,
    group: "Payments",
    summary: "Records a completed payment and changes the user's balance",
    params: &[
        USER_ID.param,
        CURRENCY.param,
        GATEWAY.param,
        TAX_IN_AMOUNT.param,
        AMOUNT.param,
        TRANSACTION.param,
        PAYER_EMAIL.param,
        COMMENT.param,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::CurrencyNotFound, "No currency"),
        (ErrorReason::FeatureDisabled, "Feature Disabled"),
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
    /// Nothing waits for a confirmation here.
    confirmed: &'static str,
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
    let request = RecordPaymentRequest {
        user_id: Some(call.read(&USER_ID)?.ok_or_else(|| not_found(WRAP))?),
        amount: call.read(&AMOUNT)?,
        amount_includes_tax: call.read(&TAX_IN_AMOUNT)?,
        currency: call.read(&CURRENCY)?,
        direction: PaymentDirection::FromClient.into(),
        comment: call.read(&COMMENT)?,
        gateway: call.read(&GATEWAY)?,
        transaction_id: call.read(&TRANSACTION)?,
        payer_email: call.read(&PAYER_EMAIL)?,
        ..Default::default()
    };
    let recorded = match call.payments().record_payment(request).await {
        Ok(response) => response.into_inner().payment.unwrap_or_default(),
        Err(status) if reason(&status) == ErrorReason::CurrencyNotFound => {
            return Err(status.into());
        }
        Err(status) => return refused(WRAP, NOT_SAVED, status),
    };
    let payment = CreatedPayment {
        currency: recorded.currency,
        payment_id: recorded.id,
        tax: number::plain(recorded.tax.as_ref()),
        amount: number::plain(recorded.amount.as_ref()),
        gross: number::plain(recorded.gross.as_ref()),
    };
    let response = CreatedResponse { status: "ok", confirmed: "Yes", payment };
    Ok(Answer::xml("page", &Created { response }))
}

const S_USER_ID: Input<Option<i64>> = optional_id(optional("s_user_id", "only of this user"));
const S_FROM: Input<Option<Timestamp>> =
    time(optional("s_from", "unix time, only together with s_till; default: today 00:00"));
const S_TILL: Input<Option<Timestamp>> =
    time(optional("s_till", "unix time, only together with s_from; default: today 23:59"));
const S_TRANSACTION: Input<String> =
    text(optional("s_transaction", "only with this transaction id"));
const S_COMPLETED: Input<String> =
    text(optional("s_completed", "1: completed ones, as all are; 0: others"));
const S_USERNAME: Input<String> = text(optional("s_username", "only of this login name"));
const S_FIRST_NAME: Input<String> = text(optional("s_first_name", "only of this first name"));
const S_LAST_NAME: Input<String> = text(optional("s_last_name", "only of this last name"));
const S_GATEWAY: Input<String> = text(optional("s_paymenttype", "only of this payment gateway"));
const S_AMOUNT_MIN: Input<Option<Decimal>> =
    decimal(optional("s_amount_min", "net amount at least"));
const S_AMOUNT_MAX: Input<Option<Decimal>> =
    decimal(optional("s_amount_max", "net amount at most"));
const S_CURRENCY: Input<String> = text(optional("s_currency", "only in this currency, a code"));
const S_NUMBER: Input<String> =
    text(optional("s_number", "only of this calling card's number: none is there"));
const S_PIN: Input<String> =
    text(optional("s_pin", "only of this calling card's PIN: none is there"));

pub(super) const PAYMENTS_GET: Method = Method {
    declaration: &mor::PAYMENTS_GET,
    group: "Payments",
    summary: "Lists payments",
    params: &[
        S_USER_ID.param,
        S_FROM.param,
        S_TILL.param,
        S_TRANSACTION.param,
        S_COMPLETED.param,
        S_USERNAME.param,
        S_FIRST_NAME.param,
        S_LAST_NAME.param,
        S_GATEWAY.param,
        S_AMOUNT_MIN.param,
        S_AMOUNT_MAX.param,
        S_CURRENCY.param,
        S_NUMBER.param,
        S_PIN.param,
    ],
    wrap: WRAP,
    errors: &[],
    handle: |call| Box::pin(payments_get(call)),
};

#[derive(Serialize)]
struct ListedPayment {
    user: String,
    payer: String,
    transaction_id: String,
    date: String,
    confirm_date: String,
    r#type: String,
    amount: String,
    fee: String,
    amount_with_tax: String,
    currency: String,
    /// Payments are completed when they are recorded, and wait for nobody.
    completed: &'static str,
    confirmed_by_admin: &'static str,
}

async fn payments_get(call: Call) -> Result<Answer, Failure> {
    let request = ListPaymentsRequest {
        user_id: call.read(&S_USER_ID)?,
        from: call.read(&S_FROM)?,
        till: call.read(&S_TILL)?,
        default_today: true,
        whole_period: true,
        username: call.read(&S_USERNAME)?,
        first_name: call.read(&S_FIRST_NAME)?,
        last_name: call.read(&S_LAST_NAME)?,
        amount_min: call.read(&S_AMOUNT_MIN)?,
        amount_max: call.read(&S_AMOUNT_MAX)?,
        currency: call.read(&S_CURRENCY)?,
        gateway: call.read(&S_GATEWAY)?,
        transaction_id: call.read(&S_TRANSACTION)?,
        ..Default::default()
    };
    let of_card = !call.read(&S_NUMBER)?.is_empty() || !call.read(&S_PIN)?.is_empty();
    let is_none = of_card || call.read(&S_COMPLETED)? == "0";
    payments::list(call, request, is_none, listed).await
}

fn listed(payment: Payment, zone: &TimeZone) -> ListedPayment {
    let date = number::time(payment.created_at.as_ref(), zone);
    ListedPayment {
        user: payment.username,
        payer: payment.payer_email,
        transaction_id: payment.transaction_id,
        confirm_date: date.clone(),
        date,
        r#type: payment.gateway,
        amount: number::plain(payment.amount.as_ref()),
        // Gateways take none here.
        fee: number::plain(None),
        amount_with_tax: number::plain(payment.gross.as_ref()),
        currency: payment.currency,
        completed: "1",
        confirmed_by_admin: "Yes",
    }
}
