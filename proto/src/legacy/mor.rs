//! The methods of the MOR dialect (docs/mor.md). What is the same in M4 is declared there.

mod devices;
mod groups;
mod routing;
mod traffic;

pub use devices::{
    CLI_ADD, CLI_DELETE, CLI_INFO_GET, CONFLINES_UPDATE, DEVICE_CLIS_GET, DEVICE_CREATE,
    DEVICE_DELETE, DEVICE_DETAILS_GET, DEVICE_RULE_CREATE, DEVICE_RULE_DELETE, DEVICE_RULES_GET,
    DEVICE_TYPES, DEVICE_UPDATE, DEVICES_GET, REGISTERED_TYPES, USER_BALANCE_GET,
    USER_BALANCE_GET_BY_PSW, USER_BALANCE_GET_BY_USERNAME, USER_REGISTER, USER_SIMPLE_BALANCE_GET,
};
pub use groups::{RESELLER_GROUP_CREATE, RESELLER_GROUPS_GET};
pub use routing::{
    LCR_ADD_PROVIDER, LCR_CREATE, LCR_DELETE, LCR_DELETE_PROVIDER, LCR_UPDATE, LCRS_GET,
    PROVIDER_CREATE, PROVIDER_DELETE, PROVIDER_RULE_CREATE, PROVIDER_RULE_DELETE,
    PROVIDER_RULES_GET, PROVIDER_UPDATE, PROVIDERS_GET,
};
pub use traffic::{
    ACTIVE_CALLS_GET, AGGREGATE_GET, LOCAL_CALLS_GET, QUICKSTATS_GET, RATE_GET, TARIFF_RATES_GET,
    TARIFF_WHOLESALE_UPDATE, TARIFFS_GET, USER_CALLS_GET,
};

use super::{
    ADMIN, ANYBODY, Binding, Declaration, Holds, METHOD, OWNERS, SELLERS, entry, m4, rpc, value,
};
use crate::v1::Role;

/// All methods, by group.
pub(super) const METHODS: &[&Declaration] = &[
    &SYSTEM_VERSION_GET,
    &USER_BALANCE_UPDATE,
    &USER_BALANCE_GET,
    &USER_SIMPLE_BALANCE_GET,
    &USER_BALANCE_GET_BY_PSW,
    &USER_BALANCE_GET_BY_USERNAME,
    &CONFLINES_UPDATE,
    &EXCHANGE_RATE_UPDATE,
    &DEVICES_GET,
    &DEVICE_DETAILS_GET,
    &DEVICE_CREATE,
    &DEVICE_UPDATE,
    &DEVICE_DELETE,
    &CLI_ADD,
    &CLI_DELETE,
    &CLI_INFO_GET,
    &DEVICE_CLIS_GET,
    &DEVICE_RULES_GET,
    &DEVICE_RULE_CREATE,
    &DEVICE_RULE_DELETE,
    &NUMBER_POOLS_GET,
    &NUMBER_POOL_CREATE,
    &NUMBER_POOL_UPDATE,
    &NUMBER_POOL_DELETE,
    &NUMBER_POOL_NUMBERS_CREATE,
    &NUMBER_POOL_NUMBERS_DELETE,
    &EMAIL_SEND,
    &LCRS_GET,
    &LCR_CREATE,
    &LCR_UPDATE,
    &LCR_DELETE,
    &LCR_ADD_PROVIDER,
    &LCR_DELETE_PROVIDER,
    &PROVIDERS_GET,
    &PROVIDER_CREATE,
    &PROVIDER_UPDATE,
    &PROVIDER_DELETE,
    &PROVIDER_RULES_GET,
    &PROVIDER_RULE_CREATE,
    &PROVIDER_RULE_DELETE,
    &RESELLER_GROUP_CREATE,
    &RESELLER_GROUPS_GET,
    &m4::USER_LOGIN,
    &USER_LOGOUT,
    &PAYMENT_CREATE,
    &PAYMENTS_GET,
    &TARIFFS_GET,
    &TARIFF_RATES_GET,
    &TARIFF_WHOLESALE_UPDATE,
    &RATE_GET,
    &USER_CALLS_GET,
    &LOCAL_CALLS_GET,
    &ACTIVE_CALLS_GET,
    &QUICKSTATS_GET,
    &AGGREGATE_GET,
    &USERS_GET,
    &USER_DETAILS_GET,
    &USER_DETAILS_RAW_GET,
    &USER_DETAILS_UPDATE,
    &USER_DELETE,
    &USER_REGISTER,
];

/// The one order in which the original's page of 2012 lists what it hashes. Where a request has
/// its parameters otherwise, a hash of them in this order counts, too.
pub const GLOBAL_ORDER: &[&str] = &[
    "user_id",
    "period_start",
    "period_end",
    "direction",
    "calltype",
    "device",
    "balance",
    "monitoring_id",
    "users",
    "block",
    "email",
    "mtype",
    "tariff_id",
    "u0",
    "u1",
    "u2",
    "u3",
    "u4",
    "u5",
    "u6",
    "u7",
    "u8",
    "u9",
    "u10",
    "u11",
    "u12",
    "u13",
    "u14",
    "u15",
    "u16",
    "u17",
    "u18",
    "u19",
    "u20",
    "u21",
    "u22",
    "u23",
    "u24",
    "u25",
    "u26",
    "u27",
    "u28",
    "ay",
    "am",
    "ad",
    "by",
    "bm",
    "bd",
    "pswd",
    "user_warning_email_hour",
    "pgui",
    "pcsv",
    "ppdf",
    "recording_forced_enabled",
    "i4",
    "tax4_enabled",
    "tax2_enabled",
    "accountant_type_invalid",
    "block_at_conditional",
    "tax3_enabled",
    "accountant_type",
    "tax1_value",
    "show_zero_calls",
    "warning_email_active",
    "compound_tax",
    "tax4_name",
    "allow_loss_calls",
    "tax3_name",
    "tax2_name",
    "credit",
    "tax1_name",
    "total_tax_name",
    "tax2_value",
    "tax4_value",
    "ignore_global_monitorings",
    "i1",
    "tax3_value",
    "cyberplat_active",
    "i2",
    "i3",
    "recording_enabled",
    "email_warning_sent_test",
    "own_providers",
    "a0",
    "a1",
    "a2",
    "a3",
    "a4",
    "a5",
    "a6",
    "a7",
    "a8",
    "a9",
    "s_user",
    "s_call_type",
    "s_device",
    "s_provider",
    "s_hgc",
    "s_did",
    "s_destination",
    "order_by",
    "order_desc",
    "only_did",
    "description",
    "pin",
    "type",
    "devicegroup_id",
    "phonebook_id",
    "number",
    "name",
    "speeddial",
    "s_user_id",
    "s_from",
    "s_till",
    "s_transaction",
    "s_completed",
    "s_username",
    "s_first_name",
    "s_last_name",
    "s_paymenttype",
    "s_amount_max",
    "s_currency",
    "s_number",
    "s_pin",
];

/// Hashed parameters that no field stands for.
#[cfg(test)]
pub(super) const UNBOUND: &[(&str, &str)] = &[
    // What no call has: whatever the answer, it is cut to none. The order changes nothing of what is
    // told.
    ("user_calls_get", "s_did"),
    ("user_calls_get", "order_by"),
    ("user_calls_get", "s_callback_uniqueid"),
    ("user_calls_get", "originator_codec_name"),
    ("user_calls_get", "terminator_codec_name"),
    // There are no locations: one that is named is refused.
    ("user_register", "device_location_id"),
    // Nor groups of devices.
    ("device_create", "devicegroup_id"),
    // It is the password of the caller, as `p` is.
    ("users_get", "uniquehash"),
    // All payments are completed, and none is made with a card: whatever the answer, it is cut to
    // none.
    ("payments_get", "s_completed"),
    ("payments_get", "s_number"),
    ("payments_get", "s_pin"),
    // Parts of dates and of taxes, which no field has alone; what is only kept, in a map of names;
    // what is without effect.
    ("user_details_update", "u1"),
    ("user_details_update", "u2"),
    ("user_details_update", "u3"),
    ("user_details_update", "u7"),
    ("user_details_update", "u10"),
    ("user_details_update", "u11"),
    ("user_details_update", "u13"),
    ("user_details_update", "u16"),
    ("user_details_update", "u20"),
    ("user_details_update", "u21"),
    ("user_details_update", "u22"),
    ("user_details_update", "u24"),
    ("user_details_update", "u29"),
    ("user_details_update", "ay"),
    ("user_details_update", "am"),
    ("user_details_update", "ad"),
    ("user_details_update", "by"),
    ("user_details_update", "bm"),
    ("user_details_update", "bd"),
    ("user_details_update", "user_warning_email_hour"),
    ("user_details_update", "pgui"),
    ("user_details_update", "pcsv"),
    ("user_details_update", "ppdf"),
    ("user_details_update", "recording_forced_enabled"),
    ("user_details_update", "i4"),
    ("user_details_update", "tax4_enabled"),
    ("user_details_update", "tax2_enabled"),
    ("user_details_update", "accountant_type_invalid"),
    ("user_details_update", "tax3_enabled"),
    ("user_details_update", "accountant_type"),
    ("user_details_update", "tax1_value"),
    ("user_details_update", "show_zero_calls"),
    ("user_details_update", "tax4_name"),
    ("user_details_update", "tax3_name"),
    ("user_details_update", "tax2_name"),
    ("user_details_update", "tax1_name"),
    ("user_details_update", "tax2_value"),
    ("user_details_update", "tax4_value"),
    ("user_details_update", "ignore_global_monitorings"),
    ("user_details_update", "i1"),
    ("user_details_update", "tax3_value"),
    ("user_details_update", "cyberplat_active"),
    ("user_details_update", "i2"),
];

/// `system_version_get`
pub static SYSTEM_VERSION_GET: Declaration = Declaration {
    name: "system_version_get",
    aliases: &["get_version"],
    // A client program in the field puts `u` before the secret.
    hash: &[&[], &["u"]],
    roles: ANYBODY,
    rpcs: &[rpc("/tollbook.v1.SettingsService/GetVersion", &[])],
    ..METHOD
};

/// `user_balance_update`
pub static USER_BALANCE_UPDATE: Declaration =
    Declaration { roles: OWNERS, ..m4::USER_BALANCE_UPDATE };

/// `exchange_rate_update`
pub static EXCHANGE_RATE_UPDATE: Declaration =
    Declaration { roles: ADMIN, ..m4::EXCHANGE_RATE_UPDATE };

/// `user_logout`
pub static USER_LOGOUT: Declaration = Declaration {
    // The key alone, says its page; the caller, too, did an earlier one.
    hash: &[&[], &["u"]],
    roles: ANYBODY,
    ..m4::USER_LOGOUT
};

/// `users_get`
pub static USERS_GET: Declaration = Declaration {
    name: "users_get",
    // With a uniquehash it is not hashed, but was in revisions of October 2025.
    hash: &[&["u", "p"], &["u"], &["u", "uniquehash"]],
    checks_password: true,
    roles: &[Role::Admin, Role::Manager, Role::Reseller, Role::Partner],
    rpcs: &[rpc("/tollbook.v1.UsersService/ListUsers", &[])],
    ..METHOD
};

/// `user_details_get`
pub static USER_DETAILS_GET: Declaration =
    Declaration { roles: &[Role::Admin, Role::Reseller, Role::User], ..m4::USER_DETAILS_GET };

/// `user_details_raw_get`
pub static USER_DETAILS_RAW_GET: Declaration =
    Declaration { roles: SELLERS, ..m4::USER_DETAILS_RAW_GET };

/// All that `user_details_update` takes, in the order of older pages, which do not say where the
/// hashed ones end.
const ALL_USER_DETAILS: &[&str] = &[
    "user_id",
    "u0",
    "u1",
    "u2",
    "u3",
    "u4",
    "u5",
    "u6",
    "u7",
    "u8",
    "u9",
    "u10",
    "u11",
    "u12",
    "u13",
    "u14",
    "u15",
    "u16",
    "u17",
    "u18",
    "u19",
    "u20",
    "u21",
    "u22",
    "u23",
    "u24",
    "u25",
    "u26",
    "u27",
    "u28",
    "u29",
    "u30",
    "u31",
    "u32",
    "u33",
    "ay",
    "am",
    "ad",
    "by",
    "bm",
    "bd",
    "pswd",
    "user_warning_email_hour",
    "pgui",
    "pcsv",
    "ppdf",
    "recording_forced_enabled",
    "i4",
    "tax4_enabled",
    "tax2_enabled",
    "accountant_type_invalid",
    "block_at_conditional",
    "tax3_enabled",
    "accountant_type",
    "tax1_value",
    "show_zero_calls",
    "warning_email_active",
    "compound_tax",
    "tax4_name",
    "allow_loss_calls",
    "tax3_name",
    "tax2_name",
    "credit",
    "tax1_name",
    "total_tax_name",
    "tax2_value",
    "tax4_value",
    "ignore_global_monitorings",
    "i1",
    "tax3_value",
    "cyberplat_active",
    "i2",
];

/// What it hashes, as far as its page was seen: up to `pgui`.
const USER_DETAILS: &[&str] = ALL_USER_DETAILS.split_at(44).0;

/// A switch of a user.
const fn on(param: &'static str, field: &'static str) -> Binding {
    Binding { param, field, holds: Holds::Switch }
}

/// `user_details_update`
pub static USER_DETAILS_UPDATE: Declaration = Declaration {
    name: "user_details_update",
    aliases: &["user_update_api"],
    hash: &[USER_DETAILS, ALL_USER_DETAILS],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.UsersService/UpdateUser",
        &[
            value("user_id", "user.id"),
            value("pswd", "password"),
            value("u0", "user.vat_number"),
            value("u4", "user.currency_id"),
            value("u5", "user.tariff_id"),
            value("u6", "user.balance_warning.user_threshold.value"),
            value("u8", "user.language"),
            value("u9", "user.username"),
            value("u14", "user.taxation_country"),
            value("u17", "user.last_name"),
            value("u18", "user.call_limit"),
            value("u19", "user.client_id"),
            value("u23", "user.first_name"),
            value("u26", "user.accounting_number"),
            value("u27", "user.agreement_number"),
            value("u31", "user.responsible_manager_id"),
            value("u32", "user.daily_limit.limit.value"),
            value("u33", "user.comment"),
            value("credit", "user.credit.value"),
            value("block_at_conditional", "user.blocking.conditional_day"),
            value("total_tax_name", "user.taxes.total_name"),
            on("u12", "user.generate_invoice"),
            on("u15", "user.blocked"),
            on("u25", "user.postpaid"),
            on("u28", "user.hidden"),
            on("u30", "user.hide_non_answered_calls"),
            on("warning_email_active", "user.balance_warning.active"),
            on("compound_tax", "user.taxes.compound"),
            on("allow_loss_calls", "user.loss_protection.allow_loss_calls"),
        ],
    )],
    ..METHOD
};

/// `user_delete`
pub static USER_DELETE: Declaration = Declaration { roles: SELLERS, ..m4::USER_DELETE };

/// `payment_create`
pub static PAYMENT_CREATE: Declaration = Declaration {
    name: "payment_create",
    aliases: &["create_payment"],
    hash: &[
        &[
            "user_id",
            "p_currency",
            "paymenttype",
            "tax_in_amount",
            "amount",
            "transaction",
            "payer_email",
        ],
        // Whether the comment is hashed is not documented.
        &[
            "user_id",
            "p_currency",
            "paymenttype",
            "tax_in_amount",
            "amount",
            "transaction",
            "payer_email",
            "comments_for_user",
        ],
    ],
    roles: OWNERS,
    rpcs: &[rpc(
        "/tollbook.v1.PaymentsService/RecordPayment",
        &[
            value("user_id", "user_id"),
            value("p_currency", "currency"),
            value("paymenttype", "gateway"),
            Binding { param: "tax_in_amount", field: "amount_includes_tax", holds: Holds::Switch },
            value("amount", "amount.value"),
            value("transaction", "transaction_id"),
            value("payer_email", "payer_email"),
            value("comments_for_user", "comment"),
        ],
    )],
    ..METHOD
};

/// `payments_get`
pub static PAYMENTS_GET: Declaration = Declaration {
    name: "payments_get",
    aliases: &["payments_list"],
    hash: &[
        &[
            "s_user_id",
            "s_from",
            "s_till",
            "s_transaction",
            "s_completed",
            "s_username",
            "s_first_name",
            "s_last_name",
            "s_paymenttype",
            "s_amount_min",
            "s_amount_max",
            "s_currency",
            "s_number",
            "s_pin",
        ],
        // The only one that a sample has.
        &["s_user_id"],
    ],
    roles: &[Role::Admin, Role::Manager, Role::Reseller, Role::User],
    rpcs: &[rpc(
        "/tollbook.v1.PaymentsService/ListPayments",
        &[
            value("s_user_id", "user_id"),
            value("s_from", "from.seconds"),
            value("s_till", "till.seconds"),
            value("s_transaction", "transaction_id"),
            value("s_username", "username"),
            value("s_first_name", "first_name"),
            value("s_last_name", "last_name"),
            value("s_paymenttype", "gateway"),
            value("s_amount_min", "amount_min.value"),
            value("s_amount_max", "amount_max.value"),
            value("s_currency", "currency"),
        ],
    )],
    ..METHOD
};

/// The hash of what asks for pools or makes one: of the caller since December 2024, of nothing in
/// the examples, which are older.
const CALLER_HASH: &[&[&str]] = &[&["u"], &[]];

/// `number_pools_get`
pub static NUMBER_POOLS_GET: Declaration =
    Declaration { hash: CALLER_HASH, ..m4::NUMBER_POOLS_GET };

/// `number_pool_create`
pub static NUMBER_POOL_CREATE: Declaration =
    Declaration { hash: CALLER_HASH, ..m4::NUMBER_POOL_CREATE };

/// The hash of what changes a pool, in the same two ages.
const POOL_HASH: &[&[&str]] = &[&["u", "number_pool_id"], &[]];

/// `number_pool_update`
pub static NUMBER_POOL_UPDATE: Declaration =
    Declaration { hash: POOL_HASH, ..m4::NUMBER_POOL_UPDATE };

/// `number_pool_delete`
pub static NUMBER_POOL_DELETE: Declaration =
    Declaration { hash: POOL_HASH, ..m4::NUMBER_POOL_DELETE };

/// `number_pool_numbers_create`
pub static NUMBER_POOL_NUMBERS_CREATE: Declaration =
    Declaration { hash: POOL_HASH, ..m4::NUMBER_POOL_NUMBERS_CREATE };

/// `number_pool_numbers_delete`
pub static NUMBER_POOL_NUMBERS_DELETE: Declaration =
    Declaration { hash: POOL_HASH, ..m4::NUMBER_POOL_NUMBERS_DELETE };

/// `email_send`: variables that are not listed travel beside the hash.
pub static EMAIL_SEND: Declaration = Declaration {
    name: "email_send",
    aliases: &["send_email"],
    hash: &[&["server_ip", "login_url", "login_username", "email_name", "email_to_user_id"], &[]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.EmailTemplatesService/SendEmail",
        &[
            entry("server_ip", "variables"),
            entry("login_url", "variables"),
            entry("login_username", "variables"),
            value("email_name", "template_name"),
            value("email_to_user_id", "user_id"),
        ],
    )],
    ..METHOD
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_that_are_surely_hashed_end_with_pgui() {
        assert_eq!((USER_DETAILS.first(), USER_DETAILS.last()), (Some(&"user_id"), Some(&"pgui")));
    }
}
