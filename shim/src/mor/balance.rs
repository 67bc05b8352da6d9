//! Group "balance": as in M4, and for resellers, too; and by what a device is known.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{ErrorReason, GetBalanceRequest},
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, optional, required, text},
    methods::balance,
    number,
    xml::Answer,
};

pub(super) const USER_BALANCE_UPDATE: Method =
    Method { declaration: &mor::USER_BALANCE_UPDATE, ..balance::USER_BALANCE_UPDATE };

/// As in M4; with a reseller's own key as well, for his users and himself.
pub(super) const USER_BALANCE_GET: Method =
    Method { declaration: &mor::USER_BALANCE_GET, ..balance::USER_BALANCE_GET };

/// Likewise.
pub(super) const USER_SIMPLE_BALANCE_GET: Method =
    Method { declaration: &mor::USER_SIMPLE_BALANCE_GET, ..balance::USER_SIMPLE_BALANCE_GET };

const USER_NOT_FOUND: &str = "User was not found";

const PASSWORD: Input<String> = text(required(
    "id",
    "password of the device; behind the method's name: user_balance_get_by_psw/PASSWORD",
));

pub(super) const USER_BALANCE_GET_BY_PSW: Method = Method {
    declaration: &mor::USER_BALANCE_GET_BY_PSW,
    group: "Balance",
    summary: "The balance of the user whose one device has a password; if several devices \
              have it, nobody's",
    params: &[PASSWORD.param],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::InvalidField, USER_NOT_FOUND)],
    handle: |call| Box::pin(user_balance_get_by_psw(call)),
};

async fn user_balance_get_by_psw(call: Call) -> Result<Answer, Failure> {
    let device_password = call.read(&PASSWORD)?;
    answer(&call, GetBalanceRequest { device_password, ..Default::default() }).await
}

const DEVICE: Input<String> = text(required(
    "id",
    "user name of the device; behind the method's name: user_balance_get_by_username/USERNAME",
));
const CURRENCY: Input<String> = text(optional(
    "currency",
    "currency code, or USER for the user's own; default currency otherwise",
));

pub(super) const USER_BALANCE_GET_BY_USERNAME: Method = Method {
    declaration: &mor::USER_BALANCE_GET_BY_USERNAME,
    group: "Balance",
    summary: "The balance of the user whose device has a user name",
    params: &[DEVICE.param, CURRENCY.param],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::InvalidField, USER_NOT_FOUND)],
    handle: |call| Box::pin(user_balance_get_by_username(call)),
};

async fn user_balance_get_by_username(call: Call) -> Result<Answer, Failure> {
    let (device_username, currency) = (call.read(&DEVICE)?, call.read(&CURRENCY)?);
    answer(&call, GetBalanceRequest { device_username, currency, ..Default::default() }).await
}

#[derive(Serialize)]
struct BalancePage {
    balance: String,
}

async fn answer(call: &Call, request: GetBalanceRequest) -> Result<Answer, Failure> {
    let response = call.accounts().get_balance(request).await?.into_inner();
    let balance = number::balance(response.balance.as_ref());
    Ok(Answer::xml("page", &BalancePage { balance }))
}
