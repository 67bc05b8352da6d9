//! Group "user": a list of its own, and the rest as in M4, for resellers, too.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{Role, User},
};

use crate::{
    method::{Method, optional},
    methods::{user, user_raw},
    number,
};

pub(super) const USERS_GET: Method = Method {
    declaration: &mor::USERS_GET,
    summary: "Lists the users that the caller may see",
    params: &[
        optional("p", "the caller's password: this or uniquehash"),
        optional("uniquehash", "the caller's uniquehash: this or p"),
    ],
    handle: |call| Box::pin(user::all_users(call, listed)),
    ..user::USERS_GET
};

#[derive(Serialize)]
struct ListedUser {
    id: i64,
    username: String,
    first_name: String,
    last_name: String,
    balance: String,
    blocked: &'static str,
    lcr_id: String,
    tariff_id: i64,
    owner_id: i64,
    usertype: &'static str,
    hidden: &'static str,
}

fn listed(user: User) -> ListedUser {
    ListedUser {
        id: user.id(),
        balance: number::plain(user.balance.as_ref()),
        blocked: number::switch(user.blocked),
        // Of themselves, resellers are not told what the operator has of them.
        lcr_id: user.legacy_columns.get("lcr_id").map_or("0", String::as_str).to_owned(),
        tariff_id: user.tariff_id,
        owner_id: user.owner_id,
        usertype: usertype(user.role()),
        hidden: number::switch(user.hidden),
        username: user.username,
        first_name: user.first_name,
        last_name: user.last_name,
    }
}

/// A role as MOR's database names it: its managers are accountants.
fn usertype(role: Role) -> &'static str {
    match role {
        Role::Manager => "accountant",
        other => user::usertype(other),
    }
}

pub(super) const USER_DETAILS_GET: Method =
    Method { declaration: &mor::USER_DETAILS_GET, ..user::USER_DETAILS_GET };

pub(super) const USER_DETAILS_RAW_GET: Method = Method {
    declaration: &mor::USER_DETAILS_RAW_GET,
    handle: |call| Box::pin(user_raw::user_details_raw_get(call, usertype)),
    ..user_raw::USER_DETAILS_RAW_GET
};

pub(super) const USER_DELETE: Method =
    Method { declaration: &mor::USER_DELETE, ..user::USER_DELETE };
