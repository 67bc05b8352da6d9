//! Group "user", reading and deleting: `users_get`, `user_details_get`, `user_delete`.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    DeleteUserRequest, ErrorReason, GetUserRequest, ListUsersRequest, Role, User,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, id, optional, required, text},
    number,
    xml::Answer,
};

const USER_ID: Input<Option<i64>> = id(required("user_id", "\"all\", or an id"));

pub(crate) const USERS_GET: Method = Method {
    declaration: &legacy::m4::USERS_GET,
    group: "User",
    summary: "Lists the users that the caller may see, or one of them",
    params: &[USER_ID.param],
    wrap: Wrap::PageStatus,
    errors: &[(ErrorReason::BadLogin, "Access Denied")],
    handle: |call| Box::pin(users_get(call)),
};

#[derive(Serialize)]
struct UsersPage<T> {
    status: UsersStatus<T>,
}

#[derive(Serialize)]
struct UsersStatus<T> {
    users: Users<T>,
}

#[derive(Serialize)]
struct Users<T> {
    user: Vec<T>,
}

#[derive(Serialize)]
struct ListedUser {
    id: i64,
    username: String,
    first_name: String,
    last_name: String,
    balance: String,
    blocked: &'static str,
    tariff_id: i64,
    owner_id: i64,
    usertype: &'static str,
    user_status: String,
    hidden: &'static str,
}

/// How many users are asked for at once: each has many columns, and few are shown.
const USERS_AT_ONCE: i32 = 200;

async fn users_get(call: Call) -> Result<Answer, Failure> {
    match call.params.filled(USER_ID.param) {
        // Clients of the older rule (u+p) send none, and mean all.
        None | Some("all") => all_users(call, listed).await,
        Some(_) => {
            let Some(id) = call.read(&USER_ID)? else {
                return Err(not_found(Wrap::PageStatus));
            };
            let request = GetUserRequest { id: Some(id), ..Default::default() };
            let user = call.users().get_user(request).await?.into_inner().user;
            Ok(Answer::xml("page", &users_page(user.into_iter().collect(), listed)))
        }
    }
}

/// All users that the caller may see, each as the dialect lists one.
pub(crate) async fn all_users<T: Serialize + Send + 'static>(
    call: Call,
    listed: fn(User) -> T,
) -> Result<Answer, Failure> {
    let request = ListUsersRequest { page_size: USERS_AT_ONCE, ..Default::default() };
    let first = call.users().list_users(request.clone()).await?.into_inner();
    let rest = listing::following(first.next_page_token, move |page_token| {
        let (mut core, request) =
            (call.users(), ListUsersRequest { page_token, ..request.clone() });
        async move {
            let page = core.list_users(request).await?.into_inner();
            Ok((page.users, page.next_page_token))
        }
    });
    let first = users_page(first.users, listed);
    let rest = rest.map_ok(move |users| users_page(users, listed));
    Ok(Answer::listing("page", "users", &first, rest))
}

fn users_page<T>(users: Vec<User>, listed: fn(User) -> T) -> UsersPage<T> {
    let user = users.into_iter().map(listed).collect();
    UsersPage { status: UsersStatus { users: Users { user } } }
}

fn listed(user: User) -> ListedUser {
    ListedUser {
        id: user.id(),
        balance: number::plain(user.balance.as_ref()),
        blocked: number::switch(user.blocked),
        tariff_id: user.tariff_id,
        owner_id: user.owner_id,
        usertype: usertype(user.role()),
        user_status: user.legacy_columns.get("user_status").cloned().unwrap_or_default(),
        hidden: number::switch(user.hidden),
        username: user.username,
        first_name: user.first_name,
        last_name: user.last_name,
    }
}

/// A role as the database names it.
pub(crate) fn usertype(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Manager => "manager",
        Role::Reseller => "reseller",
        Role::Partner => "partner",
        Role::User | Role::Unspecified => "user",
    }
}

/// The answer where a parameter cannot name any user.
pub(crate) fn not_found(wrap: Wrap) -> Failure {
    Failure::Parameters(wrap.error("User was not found"))
}

const WHOSE_ID: Input<Option<i64>> = id(optional("user_id", "whose details: this or username"));
const USERNAME: Input<String> = text(optional("username", "whose details: this or user_id"));

pub(crate) const USER_DETAILS_GET: Method = Method {
    declaration: &legacy::m4::USER_DETAILS_GET,
    group: "User",
    summary: "A user's details; a simple user sees his own",
    params: &[WHOSE_ID.param, USERNAME.param],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::InvalidField, "User was not found")],
    handle: |call| Box::pin(user_details_get(call)),
};

#[derive(Serialize)]
struct DetailsPage {
    pagename: &'static str,
    language: String,
    userid: i64,
    details: Details,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are the original's")]
struct Details {
    main_detail: MainDetail,
    other_details: OtherDetails,
    registration: Registration,
}

#[derive(Serialize)]
struct MainDetail {
    account: &'static str,
    balance: String,
    balance_number: String,
    balance_currency: String,
    credit: String,
}

#[derive(Serialize)]
struct OtherDetails {
    username: String,
    first_name: String,
    surname: String,
    personalid: String,
    agreement_number: String,
    agreement_date: String,
    taxation_country: String,
    vat_reg_number: String,
    vat_percent: String,
}

#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are the original's")]
struct Registration {
    reg_address: String,
    reg_postcode: String,
    reg_city: String,
    reg_country: String,
    reg_state: String,
    reg_direction: String,
    reg_phone: String,
    reg_mobile: String,
    reg_fax: String,
    reg_email: String,
}

async fn user_details_get(call: Call) -> Result<Answer, Failure> {
    let id = match call.params.filled(WHOSE_ID.param) {
        None => None,
        Some(_) => Some(call.read(&WHOSE_ID)?.ok_or_else(|| not_found(Wrap::Page))?),
    };
    let username = call.read(&USERNAME)?;
    let request = GetUserRequest { id, username, exclude_self: false };
    let response = call.users().get_user(request).await?.into_inner();
    let user = response.user.unwrap_or_default();
    let address = user.address.clone().unwrap_or_default();
    let balance_number = number::balance(user.balance.as_ref());
    let page = DetailsPage {
        pagename: "Personal_details",
        userid: user.id(),
        details: Details {
            main_detail: MainDetail {
                account: if user.postpaid { "Postpaid" } else { "Prepaid" },
                balance: format!("{balance_number} {}", response.default_currency),
                balance_number,
                balance_currency: response.default_currency,
                credit: credit(&user),
            },
            other_details: OtherDetails {
                vat_percent: vat_percent(&user),
                username: user.username,
                first_name: user.first_name,
                surname: user.last_name,
                personalid: user.client_id,
                agreement_number: user.agreement_number,
                agreement_date: user.agreement_date,
                taxation_country: response.taxation_country_name,
                vat_reg_number: user.vat_number,
            },
            registration: Registration {
                reg_address: address.street,
                reg_postcode: address.postcode,
                reg_city: address.city,
                reg_country: address.county,
                reg_state: address.state,
                reg_direction: response.address_country_name,
                reg_phone: address.phone,
                reg_mobile: address.mobile_phone,
                reg_fax: address.fax,
                reg_email: address.email,
            },
        },
        language: user.language,
    };
    Ok(Answer::xml("page", &page))
}

/// A postpaid user without a limit has "Unlimited" credit, a prepaid one none.
fn credit(user: &User) -> String {
    match &user.credit {
        _ if !user.postpaid => number::balance(None),
        None => "Unlimited".to_owned(),
        Some(credit) if credit.value == "-1" => "Unlimited".to_owned(),
        credit => number::balance(credit.as_ref()),
    }
}

/// The percentage of the first tax.
pub(crate) fn vat_percent(user: &User) -> String {
    let first = user.taxes.as_ref().and_then(|taxes| taxes.taxes.first());
    number::plain(first.and_then(|tax| tax.percent.as_ref()))
}

const DELETED_ID: Input<Option<i64>> = id(required("user_id", "who"));

pub(crate) const USER_DELETE: Method = Method {
    declaration: &legacy::m4::USER_DELETE,
    group: "User",
    summary: "Deletes a user",
    params: &[DELETED_ID.param],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::UserInUse, "Cannot delete user"),
        (ErrorReason::UserHasCalls, "Cannot delete user - he has some calls"),
    ],
    handle: |call| Box::pin(user_delete(call)),
};

#[derive(Serialize)]
struct Deleted {
    status: &'static str,
}

async fn user_delete(call: Call) -> Result<Answer, Failure> {
    let id = call.read(&DELETED_ID)?.ok_or_else(|| not_found(Wrap::Page))?;
    call.users().delete_user(DeleteUserRequest { id: Some(id) }).await?;
    Ok(Answer::xml("page", &Deleted { status: "User deleted" }))
}
