//! Methods that both dialects have: a file per method group. They are declared as M4 has them; what
//! MOR has otherwise is said in [`crate::mor`].

pub(crate) mod balance;
pub(crate) mod calls;
pub(crate) mod currencies;
pub(crate) mod devices;
pub(crate) mod login;
pub(crate) mod number_pools;
pub(crate) mod payments;
pub(crate) mod rates;
pub(crate) mod statistics;
pub(crate) mod user;
pub(crate) mod user_changes;
pub(crate) mod user_raw;
