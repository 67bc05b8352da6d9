//! Directions: the countries that addresses and taxation name by id.

mod service;
pub(crate) mod store;

pub(crate) use service::Service;
