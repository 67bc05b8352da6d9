//! Values as people write them and as the contract holds them.

use anyhow::Context;
use jiff::tz::TimeZone;
use tollbook_proto::v1::Decimal;

/// The text of a decimal; empty where there is none.
pub(crate) fn decimal(number: Option<&Decimal>) -> &str {
    number.map_or("", |number| number.value.as_str())
}

/// The contract's form of a time, microseconds since 1970-01-01 UTC.
pub(crate) fn timestamp(micros: i64) -> prost_types::Timestamp {
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    prost_types::Timestamp { seconds: micros.div_euclid(1_000_000), nanos }
}

/// The time zone of an IANA name.
pub(crate) fn time_zone(name: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(name).with_context(|| format!("{name:?} is not an IANA time zone"))
}
