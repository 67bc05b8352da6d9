//! The M4 dialect: a file per method group. Names, texts and shapes are the original's,
//! typos included (tests/contract/m4, docs/m4.md).

mod calls;
mod connection_points;
mod devices;
mod payments;
mod user_update;

use crate::{
    method::Method,
    methods::{balance, currencies, login, number_pools, rates, statistics, user, user_raw},
};

/// All methods, by group.
pub(crate) const METHODS: &[Method] = &[
    balance::USER_BALANCE_UPDATE,
    balance::USER_BALANCE_GET,
    balance::USER_SIMPLE_BALANCE_GET,
    calls::USER_CALLS_GET,
    currencies::EXCHANGE_RATE_UPDATE,
    devices::DEVICES_GET,
    devices::DEVICE_DETAILS_GET,
    connection_points::CP_CREATE,
    connection_points::CP_UPDATE,
    connection_points::CP_DELETE,
    number_pools::NUMBER_POOLS_GET,
    number_pools::NUMBER_POOL_CREATE,
    number_pools::NUMBER_POOL_UPDATE,
    number_pools::NUMBER_POOL_DELETE,
    number_pools::NUMBER_POOL_NUMBERS_CREATE,
    number_pools::NUMBER_POOL_NUMBERS_DELETE,
    login::USER_LOGIN,
    login::USER_LOGOUT,
    payments::PAYMENT_CREATE,
    payments::PAYMENTS_GET,
    rates::TARIFF_RATES_GET,
    rates::TARIFF_WHOLESALE_UPDATE,
    statistics::QUICKSTATS_GET,
    statistics::AGGREGATES_GET,
    user::USERS_GET,
    user_update::USER_CREATE,
    user::USER_DETAILS_GET,
    user_raw::USER_DETAILS_RAW_GET,
    user_update::USER_DETAILS_UPDATE,
    user::USER_DELETE,
];
