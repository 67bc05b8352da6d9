//! Routing groups: names that origination points refer to (spec: `domain.md` §10).

mod service;
pub(crate) mod store;

pub(crate) use service::Service;
