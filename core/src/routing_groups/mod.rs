//! Routing groups: names that origination points refer to
//! (`docs/rules/points-and-pools.md#routing-groups`).

mod service;
pub(crate) mod store;

pub(crate) use service::Service;
