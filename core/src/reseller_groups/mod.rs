//! Reseller groups: which addons resellers may use (`docs/rules/users-and-payments.md#owners`).

mod service;
pub(crate) mod store;

pub(crate) use service::Service;
