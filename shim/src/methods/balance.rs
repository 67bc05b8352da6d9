//! Group "balance": `user_balance_update`, `user_balance_get`, `user_simple_balance_get`.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    AdjustBalanceRequest, Decimal, ErrorReason, GetBalanceRequest, GetBalanceResponse,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, id, optional, required, switch, text},
    number,
    xml::Answer,
};

const USER_ID: Input<Option<i64>> = id(required("user_id", "whose balance"));
const BALANCE: Input<String> =
    text(required("balance", "amount to add, default currency; negative takes away"));

pub(crate) const USER_BALANCE_UPDATE: Method = Method {
    declaration: &legacy::m4::USER_BALANCE_UPDATE,
    group: "Balance",
    summary: "Adds a signed amount to a user's balance",
    params: &[USER_ID.param, BALANCE.param],
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
    let Some(user_id) = call.read(&USER_ID)? else {
        return Err(Failure::Parameters(Wrap::Page.error("User was not found")));
    };
    let amount = Decimal { value: call.read(&BALANCE)? };
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

const USERNAME: Input<String> = text(required("username", "whose balance"));
const CURRENCY: Input<String> = text(optional(
    "currency",
    "currency code, or USER for the user's own; default currency otherwise",
));
const USER_CURRENCY: Input<bool> = switch(optional(
    "user_currency",
    "1: in the user's currency, which is named; wins over currency",
));

pub(crate) const USER_BALANCE_GET: Method = Method {
    declaration: &legacy::m4::USER_BALANCE_GET,
    group: "Balance",
    summary: "A user's balance, while checking it over HTTP is allowed",
    params: &[USERNAME.param, CURRENCY.param, USER_CURRENCY.param],
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
    let names_currency = call.read(&USER_CURRENCY)?;
    let currency = if names_currency { "USER".to_owned() } else { call.read(&CURRENCY)? };
    let username = call.read(&USERNAME)?;
    let response = get_balance(&call, username, currency, String::new()).await?;
    let page = Balance {
        balance: number::balance(response.balance.as_ref()),
        currency: names_currency.then_some(response.currency),
    };
    Ok(Answer::xml("page", &page))
}

const UNIQUEHASH: Input<String> = text(optional(
    "id",
    "the user's uniquehash; also behind the method's name: simple_balance/UNIQUEHASH",
));
const USERNAME_INSTEAD: Input<String> =
    text(optional("username", "whose balance, in the place of id; then a hash is needed"));

pub(crate) const USER_SIMPLE_BALANCE_GET: Method = Method {
    declaration: &legacy::m4::USER_SIMPLE_BALANCE_GET,
    group: "Balance",
    summary: "The same balance as bare text, for phones, which can only fetch a URL",
    params: &[UNIQUEHASH.param, USERNAME_INSTEAD.param, CURRENCY.param],
    wrap: Wrap::Text,
    errors: &[(ErrorReason::InvalidField, "User was not found")],
    handle: |call| Box::pin(user_simple_balance_get(call)),
};

async fn user_simple_balance_get(call: Call) -> Result<Answer, Failure> {
    let (username, currency) = (call.read(&USERNAME_INSTEAD)?, call.read(&CURRENCY)?);
    let response = get_balance(&call, username, currency, call.read(&UNIQUEHASH)?).await?;
    Ok(Answer::Text(number::balance(response.balance.as_ref())))
}

async fn get_balance(
    call: &Call,
    username: String,
    currency: String,
    uniquehash: String,
) -> Result<GetBalanceResponse, Failure> {
    let request = GetBalanceRequest { uniquehash, username, currency, ..Default::default() };
    Ok(call.accounts().get_balance(request).await?.into_inner())
}
