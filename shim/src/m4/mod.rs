//! The M4 dialect: a file per method group. Names, texts and shapes are the original's,
//! typos included (tests/contract/m4, docs/m4.md).

mod balance;
mod calls;
mod connection_points;
mod currencies;
mod devices;
mod login;
mod number_pools;
mod payments;
mod rates;
mod statistics;
mod user;
mod user_raw;
mod user_update;

use crate::method::Method;

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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tollbook_proto::{legacy, v1::LegacyDialect};

    use super::METHODS;

    #[test]
    fn every_declared_method_is_there() {
        let declared = legacy::methods(LegacyDialect::M4).iter().map(|method| method.name);
        let there: HashSet<_> = METHODS.iter().map(|method| method.declaration.name).collect();
        assert_eq!(declared.collect::<HashSet<_>>(), there);
    }

    #[test]
    fn every_hashed_parameter_is_declared() {
        for method in METHODS {
            for name in method.declaration.hash.iter().copied().flatten() {
                let declared = method.params.iter().any(|param| param.name == *name);
                let name_of_method = method.declaration.name;
                assert!(declared || ["u", "p"].contains(name), "{name_of_method}: {name}");
            }
        }
    }
}
