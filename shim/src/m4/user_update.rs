//! Group "user", writing: `user_create`, `user_details_update`.
//!
//! Both take the same parameters. Only what was sent changes ([`Mask`]); an empty date counts
//! as not sent, too.

use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    CreateUserRequest, ErrorReason, ListUse, TaxPatch, UpdateUserRequest, User,
};

use crate::{
    call::Call,
    error::{Failure, Wrap, refused},
    mask::Mask,
    method::{Input, Method, Param, id, optional, required},
    methods::{
        user::not_found,
        user_changes::{
            TAX1_NAME, TAX1_VALUE, TAX2_ENABLED, TAX2_NAME, TAX2_VALUE, TAX3_ENABLED, TAX3_NAME,
            TAX3_VALUE, TAX4_ENABLED, TAX4_NAME, TAX4_VALUE, date, taxes,
        },
    },
    values::Values,
    xml::Answer,
};

const CURRENCY_ID: Param = optional("currency_id", "id of the currency");
const CALL_LIMIT: Param = optional("call_limit", "how many calls at once");
const HIDDEN: Param = optional("hidden", "1 or 0");
const RESPONSIBLE_MANAGER_ID: Param =
    optional("responsible_manager_id", "id of the responsible manager");
const HIDE_NON_ANSWERED_CALLS: Param = optional("hide_non_answered_calls", "1 or 0");
const BLOCKED: Param = optional("blocked", "1: blocked, 2: not blocked");
const BY: Param = optional("by", "block at: year");
const BM: Param = optional("bm", "block at: month");
const BD: Param = optional("bd", "block at: day");
const BLOCK_CONDITIONAL_USE: Param = optional("block_conditional_use", "1 or 0");
const VAT_NUMBER: Param = optional("vat_number", "tax registration number");
const LANGUAGE: Param = optional("language", "language code");
const CLIENTID: Param = optional("clientid", "company or personal id");
const FIRST_NAME: Param = optional("first_name", "first name, or name of the company");
const LAST_NAME: Param = optional("last_name", "last name");
const ACCOUNTING_NUMBER: Param = optional("accounting_number", "number in the bookkeeping");
const AGREEMENT_NUMBER: Param = optional("agreement_number", "number of the agreement");
const AY: Param = optional("ay", "agreement date: year");
const AM: Param = optional("am", "agreement date: month");
const AD: Param = optional("ad", "agreement date: day");
const TAXATION_COUNTRY: Param = optional("taxation_country", "id of the country of taxation");
const ADDRESS: Param = optional("address", "street and house");
const CITY: Param = optional("city", "city");
const POSTCODE: Param = optional("postcode", "postcode");
const COUNTY: Param = optional("county", "county");
const MOB_PHONE: Param = optional("mob_phone", "mobile phone");
const FAX: Param = optional("fax", "fax");
const DIRECTION_ID: Param = optional("direction_id", "id of the country");
const PHONE: Param = optional("phone", "phone");
const STATE: Param = optional("state", "state");
const EMAIL: Param = optional("email", "main e-mail address");
const WARNING_EMAIL_ACTIVE: Param = optional("warning_email_active", "1 or 0");
const WARNING_EMAIL_BALANCE: Param =
    optional("warning_email_balance", "balance at which the user is warned");
const WARNING_EMAIL_HOUR: Param =
    optional("warning_email_hour", "1 to 23: hour of the warning, -1: off");
const GENERATE_INVOICE: Param = optional("generate_invoice", "1 or 0");
const ENABLE_STATIC_SOURCE_LIST: Param =
    optional("enable_static_source_list", "no, blacklist or whitelist");
const STATIC_SOURCE_LIST_ID: Param = optional("static_source_list_id", "number pool of caller ids");
const ENABLE_STATIC_LIST: Param = optional("enable_static_list", "no, blacklist or whitelist");
const STATIC_LIST_ID: Param = optional("static_list_id", "number pool of destinations");
const COMMENT: Param = optional("comment", "the operator's note");

/// What both methods take, beyond what names the user.
macro_rules! details {
    ($($first:expr),* $(,)?) => {
        &[
            $($first,)*
            CURRENCY_ID,
            CALL_LIMIT,
            HIDDEN,
            RESPONSIBLE_MANAGER_ID,
            HIDE_NON_ANSWERED_CALLS,
            BLOCKED,
            BY,
            BM,
            BD,
            BLOCK_CONDITIONAL_USE,
            VAT_NUMBER,
            LANGUAGE,
            CLIENTID,
            FIRST_NAME,
            LAST_NAME,
            ACCOUNTING_NUMBER,
            AGREEMENT_NUMBER,
            AY,
            AM,
            AD,
            TAXATION_COUNTRY,
            ADDRESS,
            CITY,
            POSTCODE,
            COUNTY,
            MOB_PHONE,
            FAX,
            DIRECTION_ID,
            PHONE,
            STATE,
            EMAIL,
            WARNING_EMAIL_ACTIVE,
            WARNING_EMAIL_BALANCE,
            WARNING_EMAIL_HOUR,
            TAX1_NAME,
            TAX1_VALUE,
            TAX2_ENABLED,
            TAX2_NAME,
            TAX2_VALUE,
            TAX3_ENABLED,
            TAX3_NAME,
            TAX3_VALUE,
            TAX4_ENABLED,
            TAX4_NAME,
            TAX4_VALUE,
            GENERATE_INVOICE,
            ENABLE_STATIC_SOURCE_LIST,
            STATIC_SOURCE_LIST_ID,
            ENABLE_STATIC_LIST,
            STATIC_LIST_ID,
            COMMENT,
        ]
    };
}

const USER_ID: Input<Option<i64>> = id(required("user_id", "who"));

const UPDATE_PARAMS: &[Param] = details![USER_ID.param];

const USERNAME: Param = required("username", "login name");
const PASSWORD: Param = required("password", "password, at least 6 characters");
const TARIFF_ID: Param = optional("tariff_id", "id of the tariff");
const POSTPAID: Param = optional("postpaid", "1 (default) or 0");
const CREDIT: Param = optional("credit", "how far below zero he may go; -1: without limit");
const BALANCE_MIN: Param = optional("balance_min", "balance at which his calls are refused");
const BALANCE_MAX: Param =
    optional("balance_max", "balance at which no more calls are sent to him");

const CREATE_PARAMS: &[Param] =
    details![USERNAME, PASSWORD, TARIFF_ID, POSTPAID, CREDIT, BALANCE_MIN, BALANCE_MAX,];

pub(super) const USER_DETAILS_UPDATE: Method = Method {
    declaration: &legacy::m4::USER_DETAILS_UPDATE,
    group: "User",
    summary: "Changes a user's details; not the caller's own",
    params: UPDATE_PARAMS,
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::ManagerInvalid, "Manager is invalid"),
    ],
    handle: |call| Box::pin(user_details_update(call)),
};

const WRAP: Wrap = Wrap::PageStatus;
const NOT_UPDATED: &str = "User was not updated";
const NOT_CREATED: &str = "User was not created";

async fn user_details_update(call: Call) -> Result<Answer, Failure> {
    let id = call.read(&USER_ID)?.ok_or_else(|| not_found(WRAP))?;
    let changes = Changes::read(&call.params)
        .map_err(|problem| Failure::unusable(WRAP, NOT_UPDATED, &problem))?;
    let request = UpdateUserRequest {
        user: Some(User { id: Some(id), ..changes.user }),
        update_mask: Some(changes.mask.into_proto()),
        exclude_self: true,
        tax_patches: changes.taxes,
        password: String::new(),
    };
    match call.users().update_user(request).await {
        Ok(_) => Ok(Answer::success("User was updated successfully")),
        Err(status) => refused(WRAP, NOT_UPDATED, status),
    }
}

pub(super) const USER_CREATE: Method = Method {
    declaration: &legacy::m4::USER_CREATE,
    group: "User",
    summary: "Creates a user",
    params: CREATE_PARAMS,
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::ManagerInvalid, "Manager is invalid"),
    ],
    handle: |call| Box::pin(user_create(call)),
};

#[derive(Serialize)]
struct CreatedPage {
    status: Created,
}

#[derive(Serialize)]
struct Created {
    success: &'static str,
    user_id: i64,
}

async fn user_create(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let changes =
        Changes::read(params).map_err(|problem| Failure::unusable(WRAP, NOT_CREATED, &problem))?;
    let mut user = changes.user;
    params.text(USERNAME).clone_into(&mut user.username);
    user.postpaid = params.filled(POSTPAID).is_none_or(|value| value == "1");
    user.tariff_id = match params.filled(TARIFF_ID) {
        None => 0,
        Some(_) => params
            .id(TARIFF_ID)
            .ok_or_else(|| Failure::unusable(WRAP, NOT_CREATED, "tariff_id must be a number"))?,
    };
    user.credit = params.decimal(CREDIT);
    user.balance_min = params.decimal(BALANCE_MIN);
    user.balance_max = params.decimal(BALANCE_MAX);
    let password = params.text(PASSWORD).to_owned();
    if password.is_empty() {
        return Err(Failure::unusable(WRAP, NOT_CREATED, "password is required"));
    }
    let request = CreateUserRequest {
        user: Some(user),
        password,
        tax_patches: changes.taxes,
        ..Default::default()
    };
    match call.users().create_user(request).await {
        Ok(response) => {
            let user_id = response.into_inner().user.unwrap_or_default().id();
            let status = Created { success: "User created", user_id };
            Ok(Answer::xml("page", &CreatedPage { status }))
        }
        Err(status) => refused(WRAP, NOT_CREATED, status),
    }
}

/// The details that a request sets.
struct Changes<'a> {
    user: User,
    /// The fields of `user` that were sent.
    mask: Mask<'a>,
    taxes: Vec<TaxPatch>,
}

impl<'a> Changes<'a> {
    /// Reads the parameters; the error says what is wrong with one of them.
    fn read(params: &'a Values) -> Result<Self, String> {
        let mut changes =
            Self { user: User::default(), mask: Mask::new(params), taxes: Vec::new() };
        changes.texts();
        changes.numbers(params)?;
        changes.switches()?;
        changes.dates(params)?;
        changes.lists(params)?;
        changes.taxes = taxes(params)?;
        Ok(changes)
    }

    fn texts(&mut self) {
        let user = &mut self.user;
        let address = user.address.get_or_insert_default();
        for (name, path, field) in [
            (VAT_NUMBER, "vat_number", &mut user.vat_number),
            (LANGUAGE, "language", &mut user.language),
            (CLIENTID, "client_id", &mut user.client_id),
            (FIRST_NAME, "first_name", &mut user.first_name),
            (LAST_NAME, "last_name", &mut user.last_name),
            (ACCOUNTING_NUMBER, "accounting_number", &mut user.accounting_number),
            (AGREEMENT_NUMBER, "agreement_number", &mut user.agreement_number),
            (COMMENT, "comment", &mut user.comment),
            (ADDRESS, "address.street", &mut address.street),
            (CITY, "address.city", &mut address.city),
            (POSTCODE, "address.postcode", &mut address.postcode),
            (COUNTY, "address.county", &mut address.county),
            (MOB_PHONE, "address.mobile_phone", &mut address.mobile_phone),
            (FAX, "address.fax", &mut address.fax),
            (PHONE, "address.phone", &mut address.phone),
            (STATE, "address.state", &mut address.state),
            (EMAIL, "address.email", &mut address.email),
        ] {
            self.mask.text(name, path, field);
        }
    }

    fn numbers(&mut self, params: &Values) -> Result<(), String> {
        let user = &mut self.user;
        let mut call_limit = 0;
        let mut hour = 0;
        let address = user.address.get_or_insert_default();
        let source_list = user.source_list.get_or_insert_default();
        let destination_list = user.destination_list.get_or_insert_default();
        for (name, path, field) in [
            (CURRENCY_ID, "currency_id", &mut user.currency_id),
            (CALL_LIMIT, "call_limit", &mut call_limit),
            (RESPONSIBLE_MANAGER_ID, "responsible_manager_id", &mut user.responsible_manager_id),
            (TAXATION_COUNTRY, "taxation_country", &mut user.taxation_country),
            (DIRECTION_ID, "address.direction_id", &mut address.direction_id),
            (WARNING_EMAIL_HOUR, "balance_warning.hour", &mut hour),
            (STATIC_SOURCE_LIST_ID, "source_list.number_pool_id", &mut source_list.number_pool_id),
            (
                STATIC_LIST_ID,
                "destination_list.number_pool_id",
                &mut destination_list.number_pool_id,
            ),
        ] {
            self.mask.number(name, path, field)?;
        }
        let small = |param: Param, number: i64| {
            i32::try_from(number).map_err(|_| format!("{} is out of range", param.name))
        };
        user.call_limit = small(CALL_LIMIT, call_limit)?;
        let warning = user.balance_warning.get_or_insert_default();
        // Off is -1 here and 0 in the contract.
        warning.hour = small(WARNING_EMAIL_HOUR, if hour == -1 { 0 } else { hour })?;
        if let Some(threshold) = params.decimal(WARNING_EMAIL_BALANCE) {
            warning.user_threshold = Some(threshold);
            self.mask.add("balance_warning.user_threshold");
        }
        Ok(())
    }

    fn switches(&mut self) -> Result<(), String> {
        let user = &mut self.user;
        let blocking = user.blocking.get_or_insert_default();
        let warning = user.balance_warning.get_or_insert_default();
        for (name, path, off, field) in [
            (HIDDEN, "hidden", "0", &mut user.hidden),
            // Not 0, as everywhere else.
            (BLOCKED, "blocked", "2", &mut user.blocked),
            (
                HIDE_NON_ANSWERED_CALLS,
                "hide_non_answered_calls",
                "0",
                &mut user.hide_non_answered_calls,
            ),
            (BLOCK_CONDITIONAL_USE, "blocking.conditional_use", "0", &mut blocking.conditional_use),
            (WARNING_EMAIL_ACTIVE, "balance_warning.active", "0", &mut warning.active),
            (GENERATE_INVOICE, "generate_invoice", "0", &mut user.generate_invoice),
        ] {
            self.mask.switch(name, path, off, field)?;
        }
        Ok(())
    }

    fn dates(&mut self, params: &Values) -> Result<(), String> {
        if let Some(date) = date(params, [BY, BM, BD])? {
            self.user.blocking.get_or_insert_default().block_at = date;
            self.mask.add("blocking.block_at");
        }
        if let Some(date) = date(params, [AY, AM, AD])? {
            self.user.agreement_date = date;
            self.mask.add("agreement_date");
        }
        Ok(())
    }

    fn lists(&mut self, params: &Values) -> Result<(), String> {
        let source = self.user.source_list.get_or_insert_default();
        let destination = self.user.destination_list.get_or_insert_default();
        for (name, path, list) in [
            (ENABLE_STATIC_SOURCE_LIST, "source_list.use", source),
            (ENABLE_STATIC_LIST, "destination_list.use", destination),
        ] {
            if let Some(value) = params.filled(name) {
                list.set_use(match value {
                    "no" => ListUse::Unspecified,
                    "blacklist" => ListUse::Blacklist,
                    "whitelist" => ListUse::Whitelist,
                    _ => return Err(format!("{} must be no, blacklist or whitelist", name.name)),
                });
                self.mask.add(path);
            }
        }
        Ok(())
    }
}
