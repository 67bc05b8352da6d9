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
    method::{Method, optional, required},
    methods::{
        user::not_found,
        user_changes::{date, taxes},
    },
    request::Params,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;
const NOT_UPDATED: &str = "User was not updated";

pub(super) const USER_DETAILS_UPDATE: Method = Method {
    declaration: &mor::USER_DETAILS_UPDATE,
    group: "User",
    summary: "Changes a user's details; not the caller's own",
    params: &[
        required("user_id", "who"),
        optional("u0", "vat number"),
        optional("u1", "lcr id, kept only"),
        optional("u2", "warning email hour: 1 to 23, -1: off"),
        optional("u3", "hide destination end, kept only"),
        optional("u4", "currency id"),
        optional("u5", "tariff id"),
        optional("u6", "warning email balance"),
        optional("u7", "spy device id, kept only"),
        optional("u8", "language"),
        optional("u9", "username"),
        optional("u10", "warning balance call, kept only"),
        optional("u11", "acc group id, kept only"),
        optional("u12", "generate invoice: 1 or 0"),
        optional("u13", "usertype, which cannot be changed"),
        optional("u14", "taxation country: its id"),
        optional("u15", "blocked: 1 or 0"),
        optional("u16", "quickforwards rule id, kept only"),
        optional("u17", "last name"),
        optional("u18", "call limit"),
        optional("u19", "company or personal id"),
        optional("u20", "recording hdd quota, kept only"),
        optional("u21", "cyberplat active, kept only"),
        optional("u22", "recordings email, kept only"),
        optional("u23", "first name"),
        optional("u24", "warning balance sound file id, kept only"),
        optional("u25", "postpaid: 1 or 0"),
        optional("u26", "accounting number"),
        optional("u27", "agreement number"),
        optional("u28", "hidden: 1 or 0"),
        optional("u29", "pbx pool id, kept only"),
        optional("u30", "hide non answered calls: 1 or 0"),
        optional("u31", "responsible accountant id"),
        optional("u32", "daily balance limit, 0 or less: unlimited"),
        optional("u33", "comment"),
        optional("ay", "agreement date: year"),
        optional("am", "agreement date: month"),
        optional("ad", "agreement date: day"),
        optional("by", "block at: year"),
        optional("bm", "block at: month"),
        optional("bd", "block at: day"),
        optional("pswd", "password, at least 6 characters"),
        optional("user_warning_email_hour", "as u2"),
        optional("pgui", "privacy gui, without effect"),
        optional("pcsv", "privacy csv, without effect"),
        optional("ppdf", "privacy pdf, without effect"),
        optional("recording_forced_enabled", "1 or 0, kept only"),
        optional("i4", "invoice detailed csv, without effect"),
        optional("tax4_enabled", "1 or 0"),
        optional("tax2_enabled", "1 or 0"),
        optional("accountant_type_invalid", "without effect"),
        optional("block_at_conditional", "day of the month"),
        optional("tax3_enabled", "1 or 0"),
        optional("accountant_type", "without effect"),
        optional("tax1_value", "percentage of the first tax"),
        optional("show_zero_calls", "1 or 0, kept only"),
        optional("warning_email_active", "1 or 0"),
        optional("compound_tax", "1 or 0"),
        optional("tax4_name", "name of the fourth tax"),
        optional("allow_loss_calls", "1 or 0"),
        optional("tax3_name", "name of the third tax"),
        optional("tax2_name", "name of the second tax"),
        optional("credit", "how far below zero he may go; -1: without limit"),
        optional("tax1_name", "name of the first tax"),
        optional("total_tax_name", "name of all taxes together"),
        optional("tax2_value", "percentage of the second tax"),
        optional("tax4_value", "percentage of the fourth tax"),
        optional("ignore_global_monitorings", "1 or 0, kept only"),
        optional("i1", "invoice pdf, without effect"),
        optional("tax3_value", "percentage of the third tax"),
        optional("cyberplat_active", "as u21"),
        optional("i2", "invoice csv, without effect"),
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::ManagerInvalid, "Manager is invalid"),
    ],
    handle: |call| Box::pin(user_details_update(call)),
};

/// Parameters with the legacy columns that keep them; the first that was sent counts.
const KEPT: &[(&str, &str)] = &[
    ("u1", "lcr_id"),
    ("u3", "hide_destination_end"),
    ("u7", "spy_device_id"),
    ("u10", "warning_balance_call"),
    ("u11", "acc_group_id"),
    ("u16", "quickforwards_rule_id"),
    ("u20", "recording_hdd_quota"),
    ("u21", "cyberplat_active"),
    ("cyberplat_active", "cyberplat_active"),
    ("u22", "recordings_email"),
    ("u24", "warning_balance_sound_file_id"),
    ("u29", "pbx_pool_id"),
    ("recording_forced_enabled", "recording_forced_enabled"),
    ("show_zero_calls", "invoice_zero_calls"),
    ("ignore_global_monitorings", "ignore_global_alerts"),
];

async fn user_details_update(call: Call) -> Result<Answer, Failure> {
    let params = &call.params;
    let id = params.id("user_id").ok_or_else(|| not_found(WRAP))?;
    let request =
        changes(id, params).map_err(|problem| Failure::unusable(WRAP, NOT_UPDATED, &problem))?;
    match call.users().update_user(request).await {
        Ok(_) => Ok(Answer::success("User was updated successfully")),
        Err(status) => refused(WRAP, NOT_UPDATED, status),
    }
}

/// The changes that a request asks for; the error says what is wrong with a parameter.
fn changes(id: i64, params: &Params) -> Result<UpdateUserRequest, String> {
    if params.filled("u13").is_some() {
        return Err("u13: the type of a user cannot be changed".to_owned());
    }
    let mut user = User { id: Some(id), ..User::default() };
    let mut mask = Mask::new(params);
    texts(&mut user, &mut mask);
    numbers(&mut user, &mut mask)?;
    amounts(&mut user, &mut mask, params);
    switches(&mut user, &mut mask)?;
    if let Some(date) = date(params, ["by", "bm", "bd"])? {
        user.blocking.get_or_insert_default().block_at = date;
        mask.add("blocking.block_at");
    }
    if let Some(date) = date(params, ["ay", "am", "ad"])? {
        user.agreement_date = date;
        mask.add("agreement_date");
    }
    for (name, column) in KEPT {
        let Some(value) = params.filled(name) else { continue };
        if !user.legacy_columns.contains_key(*column) {
            user.legacy_columns.insert((*column).to_owned(), value.to_owned());
            mask.add(&format!("legacy_columns.{column}"));
        }
    }
    Ok(UpdateUserRequest {
        user: Some(user),
        update_mask: Some(mask.into_proto()),
        password: params.text("pswd").to_owned(),
        exclude_self: true,
        tax_patches: taxes(params)?,
    })
}

fn texts(user: &mut User, mask: &mut Mask<'_>) {
    let total_name = &mut user.taxes.get_or_insert_default().total_name;
    for (name, path, field) in [
        ("u0", "vat_number", &mut user.vat_number),
        ("u8", "language", &mut user.language),
        ("u9", "username", &mut user.username),
        ("u17", "last_name", &mut user.last_name),
        ("u19", "client_id", &mut user.client_id),
        ("u23", "first_name", &mut user.first_name),
        ("u26", "accounting_number", &mut user.accounting_number),
        ("u27", "agreement_number", &mut user.agreement_number),
        ("u33", "comment", &mut user.comment),
        ("total_tax_name", "taxes.total_name", total_name),
    ] {
        mask.text(name, path, field);
    }
}

fn numbers(user: &mut User, mask: &mut Mask<'_>) -> Result<(), String> {
    let (mut call_limit, mut day) = (0, 0);
    for (name, path, field) in [
        ("u4", "currency_id", &mut user.currency_id),
        ("u5", "tariff_id", &mut user.tariff_id),
        ("u14", "taxation_country", &mut user.taxation_country),
        ("u18", "call_limit", &mut call_limit),
        ("u31", "responsible_manager_id", &mut user.responsible_manager_id),
        ("block_at_conditional", "blocking.conditional_day", &mut day),
    ] {
        mask.id(name, path, field)?;
    }
    let small =
        |name: &str, id: i64| i32::try_from(id).map_err(|_| format!("{name} is out of range"));
    user.call_limit = small("u18", call_limit)?;
    user.blocking.get_or_insert_default().conditional_day = small("block_at_conditional", day)?;
    let warning = user.balance_warning.get_or_insert_default();
    for name in ["user_warning_email_hour", "u2"] {
        mask.number(name, "balance_warning.hour", &mut warning.hour)?;
    }
    // Off is -1 here and 0 in the contract.
    if warning.hour == -1 {
        warning.hour = 0;
    }
    Ok(())
}

fn amounts(user: &mut User, mask: &mut Mask<'_>, params: &Params) {
    if let Some(credit) = params.decimal("credit") {
        user.credit = Some(credit);
        mask.add("credit");
    }
    if let Some(threshold) = params.decimal("u6") {
        user.balance_warning.get_or_insert_default().user_threshold = Some(threshold);
        mask.add("balance_warning.user_threshold");
    }
    if let Some(limit) = params.decimal("u32") {
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
        ("u12", "generate_invoice", &mut user.generate_invoice),
        ("u15", "blocked", &mut user.blocked),
        ("u25", "postpaid", &mut user.postpaid),
        ("u28", "hidden", &mut user.hidden),
        ("u30", "hide_non_answered_calls", &mut user.hide_non_answered_calls),
        ("warning_email_active", "balance_warning.active", &mut warning.active),
        ("compound_tax", "taxes.compound", &mut taxes.compound),
        ("allow_loss_calls", "loss_protection.allow_loss_calls", &mut protection.allow_loss_calls),
    ] {
        mask.switch(name, path, "0", field)?;
    }
    Ok(())
}
