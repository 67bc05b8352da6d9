//! Device rules: [number rules](crate::rules) of calls that go to a device
//! (`docs/rules/points-and-pools.md#number-rules`).

mod service;
mod store;

pub(crate) use service::Service;
