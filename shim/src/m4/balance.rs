//! Group "balance": `user_balance_update`, `user_balance_get`, `user_simple_balance_get`.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    AdjustBalanceRequest, Decimal, ErrorReason, GetBalanceRequest, GetBalanceResponse,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Method, optional, required},
    number,
    xml::Answer,
};

pub(super) const USER_BALANCE_UPDATE: Method = Method {
    declaration: &legacy::USER_BALANCE_UPDATE,
    group: "Balance",
    summary: "Adds a signed amount to a user's balance",
    params: &[
        required("user_id", "whose balance"),
        required("balance", "amount to add, default currency; negative takes away"),
    ],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::InvalidAmount, "User balance not updated"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
    ],
    handle: |call| Box::pin(user_balance_update(call)),
};

/// `<page><page>…</page></page>`: the doubled element is the original's.
#[derive(Serialize)]
struct Updated {
    page: UpdatedPage,
}

#[derive(Serialize)]
struct UpdatedPage {
    status: &'static str,
    user: UpdatedUser,
}

#[derive(Serialize)]
struct UpdatedUser {
    username: String,
    id: i64,
    balance: String,
}

async fn user_balance_update(call: Call) -> Result<Answer, Failure> {
    let Some(user_id) = call.params.id("user_id") else {
        return Err(Failure::Parameters(Wrap::Page.error("User was not found")));
    };
    let amount = Decimal { value: call.params.text("balance").to_owned() };
    let request =
        AdjustBalanceRequest { user_id: Some(user_id), amount: Some(amount), ..Default::default() };
    let response = call.accounts().adjust_balance(request).await?.into_inner();
    let entry = response.entry.unwrap_or_default();
    let user = UpdatedUser {
        username: response.username,
        id: entry.user_id,
        balance: number::plain(entry.balance_after.as_ref()),
    };
    let page = UpdatedPage { status: "User balance updated", user };
    Ok(Answer::xml("page", &Updated { page }))
}

pub(super) const USER_BALANCE_GET: Method = Method {
    declaration: &legacy::USER_BALANCE_GET,
    group: "Balance",
    summary: "A user's balance, while checking it over HTTP is allowed",
    params: &[
        required("username", "whose balance"),
        optional(
            "currency",
            "currency code, or USER for the user's own; default currency otherwise",
        ),
        optional("user_currency", "1: in the user's currency, which is named; wins over currency"),
    ],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::InvalidField, "User was not found")],
    handle: |call| Box::pin(user_balance_get(call)),
};

#[derive(Serialize)]
struct Balance {
    balance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

async fn user_balance_get(call: Call) -> Result<Answer, Failure> {
    let names_currency = call.params.switch("user_currency");
    let currency = if names_currency { "USER" } else { call.params.text("currency") };
    let response = get_balance(&call, currency, "").await?;
    let page = Balance {
        balance: number::balance(response.balance.as_ref()),
        currency: names_currency.then_some(response.currency),
    };
    Ok(Answer::xml("page", &page))
}

pub(super) const USER_SIMPLE_BALANCE_GET: Method = Method {
    declaration: &legacy::USER_SIMPLE_BALANCE_GET,
    group: "Balance",
    summary: "The same balance as bare text, for phones, which can only fetch a URL",
    params: &[
        optional(
            "id",
            "the user's uniquehash; also behind the method's name: simple_balance/UNIQUEHASH",
        ),
        optional("username", "whose balance, in the place of id; then a hash is needed"),
        optional(
            "currency",
            "currency code, or USER for the user's own; default currency otherwise",
        ),
    ],
    wrap: Wrap::Text,
    errors: &[(ErrorReason::InvalidField, "User was not found")],
    handle: |call| Box::pin(user_simple_balance_get(call)),
};

async fn user_simple_balance_get(call: Call) -> Result<Answer, Failure> {
    let response = get_balance(&call, call.params.text("currency"), call.params.text("id")).await?;
    Ok(Answer::Text(number::balance(response.balance.as_ref())))
}

async fn get_balance(
    call: &Call,
    currency: &str,
    uniquehash: &str,
) -> Result<GetBalanceResponse, Failure> {
    let request = GetBalanceRequest {
        uniquehash: uniquehash.to_owned(),
        username: call.params.text("username").to_owned(),
        currency: currency.to_owned(),
        ..Default::default()
    };
    Ok(call.accounts().get_balance(request).await?.into_inner())
}
