//! Columns of the legacy `users` table that mean nothing here.
//!
//! They are kept and returned as they are, for clients that read or set them; a user who
//! never had one set has the value given here.

use std::collections::HashMap;

use crate::error::{Error, Result};

/// The columns with their values for a new user.
const COLUMNS: &[(&str, &str)] = &[
    ("calltime_normative", "3.0"),
    ("show_in_realtime_stats", "0"),
    ("lcr_id", "0"),
    ("month_plan_perc", "0.0"),
    ("month_plan_updated", ""),
    ("sales_this_month", "0.0"),
    ("sales_this_month_planned", "0.0"),
    ("show_billing_info", "1"),
    ("primary_device_id", "0"),
    ("vouchers_disabled_till", ""),
    ("temporary_id", ""),
    ("send_invoice_types", "0"),
    ("sms_tariff_id", ""),
    ("sms_lcr_id", ""),
    ("sms_service_active", "0"),
    ("cyberplat_active", "0"),
    ("call_center_agent", "0"),
    ("tax_1", "0"),
    ("tax_2", "0"),
    ("tax_3", "0"),
    ("tax_4", "0"),
    ("recording_enabled", "0"),
    ("recording_forced_enabled", "0"),
    ("recordings_email", ""),
    ("recording_hdd_quota", "100"),
    ("invoice_zero_calls", "1"),
    ("acc_group_id", "0"),
    ("hide_destination_end", "0"),
    ("warning_balance_call", "0"),
    ("warning_balance_sound_file_id", "0"),
    ("own_providers", "0"),
    ("quickforwards_rule_id", "0"),
    ("spy_device_id", "0"),
    ("webphone_allow_use", "0"),
    ("webphone_device_id", "0"),
    ("blacklist_enabled", ""),
    ("blacklist_lcr", "0"),
    ("routing_threshold", "0"),
    ("pbx_pool_id", "0"),
    ("routing_threshold_2", "0"),
    ("blacklist_lcr_2", "0"),
    ("routing_threshold_3", "0"),
    ("blacklist_lcr_3", "0"),
    ("billing_period", ""),
    ("invoice_grace_period", "0"),
    ("ignore_global_alerts", "0"),
    ("generate_invoice_manually", "0"),
    ("show_hangupcause", "1"),
    ("billing_dynamic_from", ""),
    ("billing_dynamic_days", ""),
    ("billing_run_at", ""),
    ("billing_dynamic_generation_time", ""),
    ("generate_prepaid_invoice", "0"),
    ("web_address", ""),
    ("digits_used_for_price", ""),
    ("digits_rounding_method", ""),
    ("user_status", ""),
    ("changes_present", "0"),
    ("daily_spend_limit_reached", "0"),
    ("daily_spend_warning_reached", "0"),
    ("daily_spend_warning_email_sent", "0"),
    ("show_daily_limit", "0"),
    ("allow_customer_to_edit", "0"),
    ("daily_spend_limit_last_reset_at", ""),
    ("kill_calls_in_progress_flag", "0"),
    ("allow_paypal", "0"),
    ("paypal_need_approval", "0"),
    ("paypal_credit_selection", "0"),
    ("paypal_fee_selection", "0"),
    ("paypal_charge_fee_on_entered_amount", "0"),
    ("paypal_charge_fee_on_net_amount", "0"),
    ("paypal_do_not_send_confirmation_email", "0"),
    ("rate_notification_template_id", ""),
    ("two_fa_enabled", "0"),
    ("hide_financial_data_in_quick_stats", "0"),
    ("round_call_price_in_cdr", "0"),
    ("show_calls_statistics_for_last_days", "0"),
    ("time_format", ""),
    ("show_quick_stats", "1"),
    ("two_fa_authentication_method", ""),
    ("two_fa_authenticator_verified", "0"),
    ("two_fa_authenticator_last_otp_at", ""),
];

/// Adds the columns that are missing.
pub(super) fn fill(columns: &mut HashMap<String, String>) {
    for (name, default) in COLUMNS {
        if !columns.contains_key(*name) {
            columns.insert((*name).to_owned(), (*default).to_owned());
        }
    }
}

/// Refuses names that are not in the legacy set.
pub(super) fn check(columns: &HashMap<String, String>) -> Result<()> {
    let unknown = columns.keys().find(|name| !COLUMNS.iter().any(|(known, _)| known == name));
    match unknown {
        Some(name) => {
            Err(Error::invalid(format!("legacy_columns.{name}"), "is not a known column"))
        }
        None => Ok(()),
    }
}
