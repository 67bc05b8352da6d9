//! Group "currencies": as in M4, but for the wrap of what is refused before the method runs.

use tollbook_proto::legacy::mor;

use crate::{error::Wrap, method::Method, methods::currencies};

pub(super) const EXCHANGE_RATE_UPDATE: Method = Method {
    declaration: &mor::EXCHANGE_RATE_UPDATE,
    wrap: Wrap::PageStatusAlways,
    ..currencies::EXCHANGE_RATE_UPDATE
};
