//! Values as people write them and as the contract holds them.

use std::collections::HashMap;

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

/// The positions of the columns that a line names, if it is a header.
pub(crate) fn header(
    line: &csv::StringRecord,
    columns: &[&'static str],
) -> HashMap<&'static str, usize> {
    let names = line
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').to_lowercase().replace(' ', "_"));
    let known = |name: String| columns.iter().copied().find(|column| *column == name);
    names.enumerate().filter_map(|(position, name)| Some((known(name)?, position))).collect()
}
