//! Group "user", raw: `user_details_raw_get`.

use serde::{Serialize, Serializer, ser::SerializeMap};
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    ErrorReason, GetUserRequest, GetUserResponse, ListUse, Role, StaticList, User,
};

use super::user::{not_found, usertype, vat_percent};
use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, Method, id, required},
    number,
    xml::Answer,
};

const USER_ID: Input<Option<i64>> = id(required("user_id", "whose row"));

pub(crate) const USER_DETAILS_RAW_GET: Method = Method {
    declaration: &legacy::m4::USER_DETAILS_RAW_GET,
    group: "User",
    summary: "A user's row of the legacy database; not the caller's own",
    params: &[USER_ID.param],
    wrap: Wrap::PageStatus,
    errors: &[(ErrorReason::BadLogin, "Access Denied")],
    handle: |call| Box::pin(user_details_raw_get(call, usertype)),
};

#[derive(Serialize)]
struct Page {
    status: Status,
}

#[derive(Serialize)]
struct Status {
    user: RawUser,
}

/// The row, with the role as the dialect names it.
pub(crate) async fn user_details_raw_get(
    call: Call,
    usertype: fn(Role) -> &'static str,
) -> Result<Answer, Failure> {
    let id = call.read(&USER_ID)?.ok_or_else(|| not_found(Wrap::PageStatus))?;
    let request = GetUserRequest { id: Some(id), exclude_self: true, ..Default::default() };
    let response = call.users().get_user(request).await?.into_inner();
    Ok(Answer::xml("page", &Page { status: Status { user: RawUser::new(response, usertype) } }))
}

/// A row of the legacy `users` table, an element per column.
struct RawUser {
    user: User,
    time_zone: String,
    usertype: fn(Role) -> &'static str,
}

impl RawUser {
    fn new(response: GetUserResponse, usertype: fn(Role) -> &'static str) -> Self {
        let user = response.user.unwrap_or_default();
        Self { user, time_zone: response.time_zone, usertype }
    }
}

impl Serialize for RawUser {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(COLUMNS.len()))?;
        for column in COLUMNS {
            let value = match self.own_column(column) {
                Some(value) => value,
                None => self.user.legacy_columns.get(*column).cloned().unwrap_or_default(),
            };
            row.serialize_entry(column, &value)?;
        }
        row.end()
    }
}

/// The columns in the order of the original's answer. `password`, `uniquehash` and
/// `two_fa_authenticator_secret` are left out there, too.
#[rustfmt::skip]
const COLUMNS: &[&str] = &[
    "id", "username", "usertype", "logged", "first_name", "last_name", "calltime_normative",
    "show_in_realtime_stats", "balance", "frozen_balance", "lcr_id", "postpaid", "blocked",
    "tariff_id", "month_plan_perc", "month_plan_updated", "sales_this_month",
    "sales_this_month_planned", "show_billing_info", "primary_device_id", "credit", "clientid",
    "agreement_number", "agreement_date", "language", "taxation_country", "vat_number",
    "vat_percent", "address_id", "accounting_number", "owner_id", "hidden", "allow_loss_calls",
    "vouchers_disabled_till", "temporary_id", "send_invoice_types", "call_limit", "sms_tariff_id",
    "sms_lcr_id", "sms_service_active", "cyberplat_active", "call_center_agent",
    "generate_invoice", "tax_1", "tax_2", "tax_3", "tax_4", "block_at", "block_at_conditional",
    "block_conditional_use", "recording_enabled", "recording_forced_enabled", "recordings_email",
    "recording_hdd_quota", "warning_email_active", "warning_email_balance", "warning_email_sent",
    "tax_id", "invoice_zero_calls", "acc_group_id", "hide_destination_end", "warning_email_hour",
    "warning_balance_call", "warning_balance_sound_file_id", "own_providers", "currency_id",
    "quickforwards_rule_id", "spy_device_id", "time_zone", "minimal_charge",
    "minimal_charge_start_at", "webphone_allow_use", "webphone_device_id",
    "responsible_accountant_id", "blacklist_enabled", "blacklist_lcr", "routing_threshold",
    "pbx_pool_id", "hide_non_answered_calls", "balance_min", "balance_max", "routing_threshold_2",
    "blacklist_lcr_2", "routing_threshold_3", "blacklist_lcr_3", "main_email", "noc_email",
    "billing_email", "rates_email", "warning_email_balance_admin",
    "warning_email_balance_manager", "billing_period", "invoice_grace_period",
    "warning_email_sent_admin", "warning_email_sent_manager", "comment",
    "warning_balance_increases", "ignore_global_alerts", "manager_group_id", "phone",
    "enable_static_list", "static_list_id", "enable_static_source_list", "static_source_list_id",
    "generate_invoice_manually", "show_hangupcause", "max_call_rate", "password_changed_at",
    "show_only_assigned_users", "billing_dynamic_from", "billing_dynamic_days", "billing_run_at",
    "send_warning_balance_sms", "billing_dynamic_generation_time", "generate_prepaid_invoice",
    "web_address", "price_protection", "min_rate_margin", "min_rate_margin_percent",
    "digits_used_for_price", "digits_rounding_method", "user_status", "changes_present",
    "enforce_daily_limit", "daily_spend_limit_reached", "daily_spend_warning_reached",
    "daily_spend_warning_email_sent", "daily_spend_limit", "daily_spend_warning",
    "kill_calls_in_progress", "show_daily_limit", "allow_customer_to_edit",
    "daily_spend_limit_last_reset_at", "kill_calls_in_progress_flag", "allow_paypal",
    "paypal_need_approval", "paypal_credit_selection", "paypal_fee_selection",
    "paypal_charge_fee_on_entered_amount", "paypal_charge_fee_on_net_amount",
    "paypal_do_not_send_confirmation_email", "rate_notification_template_id", "two_fa_enabled",
    "hide_financial_data_in_quick_stats", "round_call_price_in_cdr",
    "show_calls_statistics_for_last_days", "time_format", "show_quick_stats",
    "two_fa_authentication_method", "two_fa_authenticator_verified",
    "two_fa_authenticator_last_otp_at",
];

impl RawUser {
    /// The value of a column that means something to Tollbook; none: it is one of those
    /// that are only kept.
    fn own_column(&self, column: &str) -> Option<String> {
        let user = &self.user;
        let switch = |on: bool| number::switch(on).to_owned();
        let amount = |value: &Option<_>| number::plain(value.as_ref());
        let optional_id = |id: i64| {
            if id == 0 { String::new() } else { id.to_string() }
        };
        Some(match column {
            // The address and the tax record belong to the user and go by his id.
            "id" | "address_id" | "tax_id" => user.id().to_string(),
            "username" => user.username.clone(),
            "usertype" => (self.usertype)(user.role()).to_owned(),
            "logged" => switch(user.logged_in),
            "first_name" => user.first_name.clone(),
            "last_name" => user.last_name.clone(),
            "balance" => amount(&user.balance),
            "frozen_balance" => amount(&user.frozen_balance),
            "postpaid" => switch(user.postpaid),
            "blocked" => switch(user.blocked),
            "hidden" => switch(user.hidden),
            "tariff_id" => user.tariff_id.to_string(),
            "owner_id" => user.owner_id.to_string(),
            "credit" if user.postpaid && user.credit.is_none() => "-1.0".to_owned(),
            "credit" => amount(&user.credit),
            "clientid" => user.client_id.clone(),
            "agreement_number" => user.agreement_number.clone(),
            "agreement_date" => user.agreement_date.clone(),
            "language" => user.language.clone(),
            "taxation_country" => optional_id(user.taxation_country),
            "vat_number" => user.vat_number.clone(),
            "vat_percent" => vat_percent(user),
            "accounting_number" => user.accounting_number.clone(),
            "call_limit" => user.call_limit.to_string(),
            "currency_id" => user.currency_id.to_string(),
            "time_zone" => user.time_zone.clone(),
            "generate_invoice" => switch(user.generate_invoice),
            "minimal_charge" => amount(&user.minimal_charge),
            "minimal_charge_start_at" => user.minimal_charge_start.clone(),
            "responsible_accountant_id" => user.responsible_manager_id.to_string(),
            "manager_group_id" => user.manager_group_id.to_string(),
            "show_only_assigned_users" => switch(user.show_only_assigned_users),
            "hide_non_answered_calls" => switch(user.hide_non_answered_calls),
            "balance_min" => amount(&user.balance_min),
            "balance_max" => amount(&user.balance_max),
            "comment" => user.comment.clone(),
            "password_changed_at" => self.password_changed_at(),
            _ => return self.nested_column(column),
        })
    }

    /// The same, of the columns that Tollbook keeps in groups.
    fn nested_column(&self, column: &str) -> Option<String> {
        let user = &self.user;
        let switch = |on: bool| number::switch(on).to_owned();
        let amount = |value: &Option<_>| number::plain(value.as_ref());
        let blocking = user.blocking.clone().unwrap_or_default();
        let warning = user.balance_warning.clone().unwrap_or_default();
        let address = user.address.clone().unwrap_or_default();
        let emails = user.emails.clone().unwrap_or_default();
        let protection = user.loss_protection.clone().unwrap_or_default();
        let daily = user.daily_limit.clone().unwrap_or_default();
        let source_list = user.source_list.unwrap_or_default();
        let destination_list = user.destination_list.unwrap_or_default();
        Some(match column {
            "block_at" => blocking.block_at,
            "block_at_conditional" => blocking.conditional_day.to_string(),
            "block_conditional_use" => switch(blocking.conditional_use),
            "warning_email_active" => switch(warning.active),
            "warning_email_balance" => amount(&warning.user_threshold),
            "warning_email_balance_admin" => amount(&warning.admin_threshold),
            "warning_email_balance_manager" => amount(&warning.manager_threshold),
            "warning_email_sent" => switch(warning.user_warned),
            "warning_email_sent_admin" => switch(warning.admin_warned),
            "warning_email_sent_manager" => switch(warning.manager_warned),
            "warning_email_hour" if warning.hour == 0 => "-1".to_owned(),
            "warning_email_hour" => warning.hour.to_string(),
            "warning_balance_increases" => switch(warning.on_increase),
            "send_warning_balance_sms" => switch(warning.send_sms),
            "phone" => address.phone,
            "main_email" => address.email,
            "noc_email" => emails.noc,
            "billing_email" => emails.billing,
            "rates_email" => emails.rates,
            "enable_static_list" => list_use(&destination_list).to_owned(),
            "static_list_id" => destination_list.number_pool_id.to_string(),
            "enable_static_source_list" => list_use(&source_list).to_owned(),
            "static_source_list_id" => source_list.number_pool_id.to_string(),
            "allow_loss_calls" => switch(protection.allow_loss_calls),
            "max_call_rate" => amount(&protection.max_call_rate),
            "price_protection" => switch(protection.price_protection),
            "min_rate_margin" => amount(&protection.min_rate_margin),
            "min_rate_margin_percent" => amount(&protection.min_rate_margin_percent),
            "enforce_daily_limit" => switch(daily.enforced),
            "daily_spend_limit" => amount(&daily.limit),
            "daily_spend_warning" => amount(&daily.warning),
            "kill_calls_in_progress" => switch(daily.kill_calls_in_progress),
            _ => return None,
        })
    }

    fn password_changed_at(&self) -> String {
        number::time(self.user.password_changed_at.as_ref(), &number::zone(&self.time_zone))
    }
}

/// How a list is used, as the API names it.
fn list_use(list: &StaticList) -> &'static str {
    match list.r#use() {
        ListUse::Unspecified => "no",
        ListUse::Blacklist => "blacklist",
        ListUse::Whitelist => "whitelist",
    }
}
