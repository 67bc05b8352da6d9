//! Group "user", changing: `user_details_update`, whose parameters are `u0` to `u33` and others.
//!
//! Only what was sent changes ([`Mask`]); what has no meaning here is kept as it came
//! (`User.legacy_columns`).

use tollbook_proto::{
    legacy::mor,
    v1::{ErrorReason, UpdateUserRequest, User},
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

const WRAP: Wrap = Wrap::PageStatus;
const NOT_UPDATED: &str = "User was not updated";

const USER_ID: Input<Option<i64>> = id(required("user_id", "who"));
const U0: Param = optional("u0", "vat number");
const U1: Param = optional("u1", "lcr id, kept only");
const U2: Param = optional("u2", "warning email hour: 1 to 23, -1: off");
const U3: Param = optional("u3", "hide destination end, kept only");
const U4: Param = optional("u4", "currency id");
const U5: Param = optional("u5", "tariff id");
const U6: Param = optional("u6", "warning email balance");
const U7: Param = optional("u7", "spy device id, kept only");
const U8: Param = optional("u8", "language");
const U9: Param = optional("u9", "username");
const U10: Param = optional("u10", "warning balance call, kept only");
const U11: Param = optional("u11", "acc group id, kept only");
const U12: Param = optional("u12", "generate invoice: 1 or 0");
const U13: Param = optional("u13", "usertype, which cannot be changed");
const U14: Param = optional("u14", "taxation country: its id");
const U15: Param = optional("u15", "blocked: 1 or 0");
const U16: Param = optional("u16", "quickforwards rule id, kept only");
const U17: Param = optional("u17", "last name");
const U18: Param = optional("u18", "call limit");
const U19: Param = optional("u19", "company or personal id");
const U20: Param = optional("u20", "recording hdd quota, kept only");
const U21: Param = optional("u21", "cyberplat active, kept only");
const U22: Param = optional("u22", "recordings email, kept only");
const U23: Param = optional("u23", "first name");
const U24: Param = optional("u24", "warning balance sound file id, kept only");
const U25: Param = optional("u25", "postpaid: 1 or 0");
const U26: Param = optional("u26", "accounting number");
const U27: Param = optional("u27", "agreement number");
const U28: Param = optional("u28", "hidden: 1 or 0");
const U29: Param = optional("u29", "pbx pool id, kept only");
const U30: Param = optional("u30", "hide non answered calls: 1 or 0");
const U31: Param = optional("u31", "responsible accountant id");
const U32: Param = optional("u32", "daily balance limit, 0 or less: unlimited");
const U33: Param = optional("u33", "comment");
const AY: Param = optional("ay", "agreement date: year");
const AM: Param = optional("am", "agreement date: month");
const AD: Param = optional("ad", "agreement date: day");
const BY: Param = optional("by", "block at: year");
const BM: Param = optional("bm", "block at: month");
const BD: Param = optional("bd", "block at: day");
const PSWD: Param = optional("pswd", "password, at least 6 characters");
const USER_WARNING_EMAIL_HOUR: Param = optional("user_warning_email_hour", "as u2");
const PGUI: Param = optional("pgui", "privacy gui, without effect");
const PCSV: Param = optional("pcsv", "privacy csv, without effect");
const PPDF: Param = optional("ppdf", "privacy pdf, without effect");
const RECORDING_FORCED_ENABLED: Param = optional("recording_forced_enabled", "1 or 0, kept only");
const I4: Param = optional("i4", "invoice detailed csv, without effect");
const ACCOUNTANT_TYPE_INVALID: Param = optional("accountant_type_invalid", "without effect");
const BLOCK_AT_CONDITIONAL: Param = optional("block_at_conditional", "day of the month");
const ACCOUNTANT_TYPE: Param = optional("accountant_type", "without effect");
const SHOW_ZERO_CALLS: Param = optional("show_zero_calls", "1 or 0, kept only");
const WARNING_EMAIL_ACTIVE: Param = optional("warning_email_active", "1 or 0");
const COMPOUND_TAX: Param = optional("compound_tax", "1 or 0");
const ALLOW_LOSS_CALLS: Param = optional("allow_loss_calls", "1 or 0");
const CREDIT: Param = optional("credit", "how far below zero he may go; -1: without limit");
const TOTAL_TAX_NAME: Param = optional("total_tax_name", "name of all taxes together");
const IGNORE_GLOBAL_MONITORINGS: Param = optional("ignore_global_monitorings", "1 or 0, kept only");
const I1: Param = optional("i1", "invoice pdf, without effect");
const CYBERPLAT_ACTIVE: Param = optional("cyberplat_active", "as u21");
const I2: Param = optional("i2", "invoice csv, without effect");

pub(super) const USER_DETAILS_UPDATE: Method = Method {
    declaration: &mor::USER_DETAILS_UPDATE,
    group: "User",
    summary: "Changes a user's details; not the caller's own",
    params: &[
        USER_ID.param,
        U0,
        U1,
        U2,
        U3,
        U4,
        U5,
        U6,
        U7,
        U8,
        U9,
        U10,
        U11,
        U12,
        U13,
        U14,
        U15,
        U16,
        U17,
        U18,
        U19,
        U20,
        U21,
        U22,
        U23,
        U24,
        U25,
        U26,
        U27,
        U28,
        U29,
        U30,
        U31,
        U32,
        U33,
        AY,
        AM,
        AD,
        BY,
        BM,
        BD,
        PSWD,
        USER_WARNING_EMAIL_HOUR,
        PGUI,
        PCSV,
        PPDF,
        RECORDING_FORCED_ENABLED,
        I4,
        TAX4_ENABLED,
        TAX2_ENABLED,
        ACCOUNTANT_TYPE_INVALID,
        BLOCK_AT_CONDITIONAL,
        TAX3_ENABLED,
        ACCOUNTANT_TYPE,
        TAX1_VALUE,
        SHOW_ZERO_CALLS,
        WARNING_EMAIL_ACTIVE,
        COMPOUND_TAX,
        TAX4_NAME,
        ALLOW_LOSS_CALLS,
        TAX3_NAME,
        TAX2_NAME,
        CREDIT,
        TAX1_NAME,
        TOTAL_TAX_NAME,
        TAX2_VALUE,
        TAX4_VALUE,
        IGNORE_GLOBAL_MONITORINGS,
        I1,
        TAX3_VALUE,
        CYBERPLAT_ACTIVE,
        I2,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::ManagerInvalid, "Manager is invalid"),
    ],
    handle: |call| Box::pin(user_details_update(call)),
};

/// Parameters with the legacy columns that keep them; the first that was sent counts.
const KEPT: &[(Param, &str)] = &[
    (U1, "lcr_id"),
    (U3, "hide_destination_end"),
    (U7, "spy_device_id"),
    (U10, "warning_balance_call"),
    (U11, "acc_group_id"),
    (U16, "quickforwards_rule_id"),
    (U20, "recording_hdd_quota"),
    (U21, "cyberplat_active"),
    (CYBERPLAT_ACTIVE, "cyberplat_active"),
    (U22, "recordings_email"),
    (U24, "warning_balance_sound_file_id"),
    (U29, "pbx_pool_id"),
    (RECORDING_FORCED_ENABLED, "recording_forced_enabled"),
    (SHOW_ZERO_CALLS, "invoice_zero_calls"),
    (IGNORE_GLOBAL_MONITORINGS, "ignore_global_alerts"),
];

async fn user_details_update(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let id = call.read(&USER_ID)?.ok_or_else(|| not_found(WRAP))?;
    let request =
        changes(id, params).map_err(|problem| Failure::unusable(WRAP, NOT_UPDATED, &problem))?;
    match call.users().update_user(request).await {
        Ok(_) => Ok(Answer::success("User was updated successfully")),
        Err(status) => refused(WRAP, NOT_UPDATED, status),
    }
}

/// The changes that a request asks for; the error says what is wrong with a parameter.
fn changes(id: i64, params: &Values) -> Result<UpdateUserRequest, String> {
    if params.filled(U13).is_some() {
        return Err("u13: the type of a user cannot be changed".to_owned());
    }
    let mut user = User { id: Some(id), ..User::default() };
    let mut mask = Mask::new(params);
    texts(&mut user, &mut mask);
    numbers(&mut user, &mut mask)?;
    amounts(&mut user, &mut mask, params);
    switches(&mut user, &mut mask)?;
    if let Some(date) = date(params, [BY, BM, BD])? {
        user.blocking.get_or_insert_default().block_at = date;
        mask.add("blocking.block_at");
    }
    if let Some(date) = date(params, [AY, AM, AD])? {
        user.agreement_date = date;
        mask.add("agreement_date");
    }
    for (name, column) in KEPT {
        let Some(value) = params.filled(*name) else { continue };
        if !user.legacy_columns.contains_key(*column) {
            user.legacy_columns.insert((*column).to_owned(), value.to_owned());
            mask.add(&format!("legacy_columns.{column}"));
        }
    }
    Ok(UpdateUserRequest {
        user: Some(user),
        update_mask: Some(mask.into_proto()),
        password: params.text(PSWD).to_owned(),
        exclude_self: true,
        tax_patches: taxes(params)?,
    })
}

fn texts(user: &mut User, mask: &mut Mask<'_>) {
    let total_name = &mut user.taxes.get_or_insert_default().total_name;
    for (name, path, field) in [
        (U0, "vat_number", &mut user.vat_number),
        (U8, "language", &mut user.language),
        (U9, "username", &mut user.username),
        (U17, "last_name", &mut user.last_name),
        (U19, "client_id", &mut user.client_id),
        (U23, "first_name", &mut user.first_name),
        (U26, "accounting_number", &mut user.accounting_number),
        (U27, "agreement_number", &mut user.agreement_number),
        (U33, "comment", &mut user.comment),
        (TOTAL_TAX_NAME, "taxes.total_name", total_name),
    ] {
        mask.text(name, path, field);
    }
}

fn numbers(user: &mut User, mask: &mut Mask<'_>) -> Result<(), String> {
    let (mut call_limit, mut day) = (0, 0);
    for (name, path, field) in [
        (U4, "currency_id", &mut user.currency_id),
        (U5, "tariff_id", &mut user.tariff_id),
        (U14, "taxation_country", &mut user.taxation_country),
        (U18, "call_limit", &mut call_limit),
        (U31, "responsible_manager_id", &mut user.responsible_manager_id),
        (BLOCK_AT_CONDITIONAL, "blocking.conditional_day", &mut day),
    ] {
        mask.id(name, path, field)?;
    }
    let small = |param: Param, id: i64| {
        i32::try_from(id).map_err(|_| format!("{} is out of range", param.name))
    };
    user.call_limit = small(U18, call_limit)?;
    user.blocking.get_or_insert_default().conditional_day = small(BLOCK_AT_CONDITIONAL, day)?;
    let warning = user.balance_warning.get_or_insert_default();
    for name in [USER_WARNING_EMAIL_HOUR, U2] {
        mask.number(name, "balance_warning.hour", &mut warning.hour)?;
    }
    // Off is -1 here and 0 in the contract.
    if warning.hour == -1 {
        warning.hour = 0;
    }
    Ok(())
}

fn amounts(user: &mut User, mask: &mut Mask<'_>, params: &Values) {
    if let Some(credit) = params.decimal(CREDIT) {
        user.credit = Some(credit);
        mask.add("credit");
    }
    if let Some(threshold) = params.decimal(U6) {
        user.balance_warning.get_or_insert_default().user_threshold = Some(threshold);
        mask.add("balance_warning.user_threshold");
    }
    if let Some(limit) = params.decimal(U32) {
        let daily = user.daily_limit.get_or_insert_default();
        // 0 or less is no limit, also of one that is enforced.
        (daily.enforced, daily.limit) = (true, Some(limit));
        mask.add("daily_limit.enforced");
        mask.add("daily_limit.limit");
    }
}

fn switches(user: &mut User, mask: &mut Mask<'_>) -> Result<(), String> {
    let warning = user.balance_warning.get_or_insert_default();
    let protection = user.loss_protection.get_or_insert_default();
    let taxes = user.taxes.get_or_insert_default();
    for (name, path, field) in [
        (U12, "generate_invoice", &mut user.generate_invoice),
        (U15, "blocked", &mut user.blocked),
        (U25, "postpaid", &mut user.postpaid),
        (U28, "hidden", &mut user.hidden),
        (U30, "hide_non_answered_calls", &mut user.hide_non_answered_calls),
        (WARNING_EMAIL_ACTIVE, "balance_warning.active", &mut warning.active),
        (COMPOUND_TAX, "taxes.compound", &mut taxes.compound),
        (ALLOW_LOSS_CALLS, "loss_protection.allow_loss_calls", &mut protection.allow_loss_calls),
    ] {
        mask.switch(name, path, "0", field)?;
    }
    Ok(())
}
