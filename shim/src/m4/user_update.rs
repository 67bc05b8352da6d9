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
    method::{Method, Param, optional, required},
    methods::{
        user::not_found,
        user_changes::{date, taxes},
    },
    request::Params,
    xml::Answer,
};

/// What both methods take, beyond what names the user.
macro_rules! details {
    ($($first:expr),* $(,)?) => {
        &[
            $($first,)*
            optional("currency_id", "id of the currency"),
            optional("call_limit", "how many calls at once"),
            optional("hidden", "1 or 0"),
            optional("responsible_manager_id", "id of the responsible manager"),
            optional("hide_non_answered_calls", "1 or 0"),
            optional("blocked", "1: blocked, 2: not blocked"),
            optional("by", "block at: year"),
            optional("bm", "block at: month"),
            optional("bd", "block at: day"),
            optional("block_conditional_use", "1 or 0"),
            optional("vat_number", "tax registration number"),
            optional("language", "language code"),
            optional("clientid", "company or personal id"),
            optional("first_name", "first name, or name of the company"),
            optional("last_name", "last name"),
            optional("accounting_number", "number in the bookkeeping"),
            optional("agreement_number", "number of the agreement"),
            optional("ay", "agreement date: year"),
            optional("am", "agreement date: month"),
            optional("ad", "agreement date: day"),
            optional("taxation_country", "id of the country of taxation"),
            optional("address", "street and house"),
            optional("city", "city"),
            optional("postcode", "postcode"),
            optional("county", "county"),
            optional("mob_phone", "mobile phone"),
            optional("fax", "fax"),
            optional("direction_id", "id of the country"),
            optional("phone", "phone"),
            optional("state", "state"),
            optional("email", "main e-mail address"),
            optional("warning_email_active", "1 or 0"),
            optional("warning_email_balance", "balance at which the user is warned"),
            optional("warning_email_hour", "1 to 23: hour of the warning, -1: off"),
            optional("tax1_name", "name of the first tax; also tax2_name to tax4_name"),
            optional("tax1_value", "percentage of the first tax; also tax2_value to tax4_value"),
            optional("tax2_enabled", "1 or 0; also tax3_enabled and tax4_enabled"),
            optional("generate_invoice", "1 or 0"),
            optional("enable_static_source_list", "no, blacklist or whitelist"),
            optional("static_source_list_id", "number pool of caller ids"),
            optional("enable_static_list", "no, blacklist or whitelist"),
            optional("static_list_id", "number pool of destinations"),
            optional("comment", "the operator's note"),
        ]
    };
}

const UPDATE_PARAMS: &[Param] = details![required("user_id", "who")];

const CREATE_PARAMS: &[Param] = details![
    required("username", "login name"),
    required("password", "password, at least 6 characters"),
    optional("tariff_id", "id of the tariff"),
    optional("postpaid", "1 (default) or 0"),
    optional("credit", "how far below zero he may go; -1: without limit"),
    optional("balance_min", "balance at which his calls are refused"),
    optional("balance_max", "balance at which no more calls are sent to him"),
];

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
    let id = call.params.id("user_id").ok_or_else(|| not_found(WRAP))?;
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
    params.text("username").clone_into(&mut user.username);
    user.postpaid = params.filled("postpaid").is_none_or(|value| value == "1");
    user.tariff_id = match params.filled("tariff_id") {
        None => 0,
        Some(_) => params
            .id("tariff_id")
            .ok_or_else(|| Failure::unusable(WRAP, NOT_CREATED, "tariff_id must be a number"))?,
    };
    user.credit = params.decimal("credit");
    user.balance_min = params.decimal("balance_min");
    user.balance_max = params.decimal("balance_max");
    let password = params.text("password").to_owned();
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
    fn read(params: &'a Params) -> Result<Self, String> {
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
            ("vat_number", "vat_number", &mut user.vat_number),
            ("language", "language", &mut user.language),
            ("clientid", "client_id", &mut user.client_id),
            ("first_name", "first_name", &mut user.first_name),
            ("last_name", "last_name", &mut user.last_name),
            ("accounting_number", "accounting_number", &mut user.accounting_number),
            ("agreement_number", "agreement_number", &mut user.agreement_number),
            ("comment", "comment", &mut user.comment),
            ("address", "address.street", &mut address.street),
            ("city", "address.city", &mut address.city),
            ("postcode", "address.postcode", &mut address.postcode),
            ("county", "address.county", &mut address.county),
            ("mob_phone", "address.mobile_phone", &mut address.mobile_phone),
            ("fax", "address.fax", &mut address.fax),
            ("phone", "address.phone", &mut address.phone),
            ("state", "address.state", &mut address.state),
            ("email", "address.email", &mut address.email),
        ] {
            self.mask.text(name, path, field);
        }
    }

    fn numbers(&mut self, params: &Params) -> Result<(), String> {
        let user = &mut self.user;
        let mut call_limit = 0;
        let mut hour = 0;
        let address = user.address.get_or_insert_default();
        let source_list = user.source_list.get_or_insert_default();
        let destination_list = user.destination_list.get_or_insert_default();
        for (name, path, field) in [
            ("currency_id", "currency_id", &mut user.currency_id),
            ("call_limit", "call_limit", &mut call_limit),
            ("responsible_manager_id", "responsible_manager_id", &mut user.responsible_manager_id),
            ("taxation_country", "taxation_country", &mut user.taxation_country),
            ("direction_id", "address.direction_id", &mut address.direction_id),
            ("warning_email_hour", "balance_warning.hour", &mut hour),
            (
                "static_source_list_id",
                "source_list.number_pool_id",
                &mut source_list.number_pool_id,
            ),
            (
                "static_list_id",
                "destination_list.number_pool_id",
                &mut destination_list.number_pool_id,
            ),
        ] {
            self.mask.number(name, path, field)?;
        }
        let small = |name: &str, number: i64| {
            i32::try_from(number).map_err(|_| format!("{name} is out of range"))
        };
        user.call_limit = small("call_limit", call_limit)?;
        let warning = user.balance_warning.get_or_insert_default();
        // Off is -1 here and 0 in the contract.
        warning.hour = small("warning_email_hour", if hour == -1 { 0 } else { hour })?;
        if let Some(threshold) = params.decimal("warning_email_balance") {
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
            ("hidden", "hidden", "0", &mut user.hidden),
            // Not 0, as everywhere else.
            ("blocked", "blocked", "2", &mut user.blocked),
            (
                "hide_non_answered_calls",
                "hide_non_answered_calls",
                "0",
                &mut user.hide_non_answered_calls,
            ),
            (
                "block_conditional_use",
                "blocking.conditional_use",
                "0",
                &mut blocking.conditional_use,
            ),
            ("warning_email_active", "balance_warning.active", "0", &mut warning.active),
            ("generate_invoice", "generate_invoice", "0", &mut user.generate_invoice),
        ] {
            self.mask.switch(name, path, off, field)?;
        }
        Ok(())
    }

    fn dates(&mut self, params: &Params) -> Result<(), String> {
        if let Some(date) = date(params, ["by", "bm", "bd"])? {
            self.user.blocking.get_or_insert_default().block_at = date;
            self.mask.add("blocking.block_at");
        }
        if let Some(date) = date(params, ["ay", "am", "ad"])? {
            self.user.agreement_date = date;
            self.mask.add("agreement_date");
        }
        Ok(())
    }

    fn lists(&mut self, params: &Params) -> Result<(), String> {
        let source = self.user.source_list.get_or_insert_default();
        let destination = self.user.destination_list.get_or_insert_default();
        for (name, path, list) in [
            ("enable_static_source_list", "source_list.use", source),
            ("enable_static_list", "destination_list.use", destination),
        ] {
            if let Some(value) = params.filled(name) {
                list.set_use(match value {
                    "no" => ListUse::Unspecified,
                    "blacklist" => ListUse::Blacklist,
                    "whitelist" => ListUse::Whitelist,
                    _ => return Err(format!("{name} must be no, blacklist or whitelist")),
                });
                self.mask.add(path);
            }
        }
        Ok(())
    }
}
