//! The MOR dialect: what differs from M4 in the methods that both have, and the methods that only
//! MOR has, a file per method group. Names, texts and shapes are the original's, typos included
//! (tests/contract/mor, docs/mor.md).

mod active_calls;
mod balance;
mod calls;
mod clis;
mod conflines;
mod currencies;
mod device_rules;
mod device_update;
mod devices;
mod email;
mod lcrs;
mod login;
mod number_pools;
mod payments;
mod provider_rules;
mod providers;
mod rates;
mod registration;
mod resellers;
mod statistics;
mod system;
mod time_zones;
mod user;
mod user_update;

use crate::{method::Method, methods};

/// All methods, by group.
pub(crate) const METHODS: &[Method] = &[
    system::SYSTEM_VERSION_GET,
    balance::USER_BALANCE_UPDATE,
    balance::USER_BALANCE_GET,
    balance::USER_SIMPLE_BALANCE_GET,
    balance::USER_BALANCE_GET_BY_PSW,
    balance::USER_BALANCE_GET_BY_USERNAME,
    conflines::CONFLINES_UPDATE,
    currencies::EXCHANGE_RATE_UPDATE,
    devices::DEVICES_GET,
    devices::DEVICE_DETAILS_GET,
    devices::DEVICE_CREATE,
    device_update::DEVICE_UPDATE,
    devices::DEVICE_DELETE,
    clis::CLI_ADD,
    clis::CLI_DELETE,
    clis::CLI_INFO_GET,
    clis::DEVICE_CLIS_GET,
    device_rules::DEVICE_RULES_GET,
    device_rules::DEVICE_RULE_CREATE,
    device_rules::DEVICE_RULE_DELETE,
    number_pools::NUMBER_POOLS_GET,
    number_pools::NUMBER_POOL_CREATE,
    number_pools::NUMBER_POOL_UPDATE,
    number_pools::NUMBER_POOL_DELETE,
    number_pools::NUMBER_POOL_NUMBERS_CREATE,
    number_pools::NUMBER_POOL_NUMBERS_DELETE,
    email::EMAIL_SEND,
    lcrs::LCRS_GET,
    lcrs::LCR_CREATE,
    lcrs::LCR_UPDATE,
    lcrs::LCR_DELETE,
    lcrs::LCR_ADD_PROVIDER,
    lcrs::LCR_DELETE_PROVIDER,
    providers::PROVIDERS_GET,
    providers::PROVIDER_CREATE,
    providers::PROVIDER_UPDATE,
    providers::PROVIDER_DELETE,
    provider_rules::PROVIDER_RULES_GET,
    provider_rules::PROVIDER_RULE_CREATE,
    provider_rules::PROVIDER_RULE_DELETE,
    resellers::RESELLER_GROUP_CREATE,
    resellers::RESELLER_GROUPS_GET,
    methods::login::USER_LOGIN,
    login::USER_LOGOUT,
    payments::PAYMENT_CREATE,
    payments::PAYMENTS_GET,
    rates::TARIFFS_GET,
    rates::TARIFF_RATES_GET,
    rates::TARIFF_WHOLESALE_UPDATE,
    rates::RATE_GET,
    calls::USER_CALLS_GET,
    calls::LOCAL_CALLS_GET,
    active_calls::ACTIVE_CALLS_GET,
    statistics::QUICKSTATS_GET,
    statistics::AGGREGATE_GET,
    user::USERS_GET,
    user::USER_DETAILS_GET,
    user::USER_DETAILS_RAW_GET,
    user_update::USER_DETAILS_UPDATE,
    user::USER_DELETE,
    registration::USER_REGISTER,
];
