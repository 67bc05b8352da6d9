//! Numbers and times as the original writes them.
//!
//! The core sends decimals in their shortest form. The original pads them, and never
//! rounds: "all API methods return data straight from the database".

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use tollbook_proto::v1::Decimal;

/// With at least one place behind the point: `96` is `96.0`, as Ruby prints numbers.
pub(crate) fn plain(number: Option<&Decimal>) -> String {
    padded(number, 1)
}

/// With at least four places behind the point: `66` is `66.0000`, as balances are shown.
pub(crate) fn balance(number: Option<&Decimal>) -> String {
    padded(number, 4)
}

fn padded(number: Option<&Decimal>, places: usize) -> String {
    let text = number.map(|number| number.value.as_str()).filter(|text| !text.is_empty());
    let (whole, fraction) =
        text.unwrap_or("0").split_once('.').unwrap_or((text.unwrap_or("0"), ""));
    format!("{whole}.{fraction:0<places$}")
}

/// A switch as the database holds it.
pub(crate) fn switch(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

/// A time as the database holds it: `2026-11-24 21:34:51`, in the system's time zone; empty where
/// there is none.
pub(crate) fn time(time: Option<&prost_types::Timestamp>, zone: &TimeZone) -> String {
    formatted(time, zone, "%Y-%m-%d %H:%M:%S")
}

/// The same with what the zone is ahead of Greenwich: `2026-11-24 21:34:51 +0200`.
pub(crate) fn time_and_offset(time: Option<&prost_types::Timestamp>, zone: &TimeZone) -> String {
    formatted(time, zone, "%Y-%m-%d %H:%M:%S %z")
}

/// What a time zone is ahead of Greenwich at a time: `GMT +02:00`; empty where there is none.
pub(crate) fn offset(time: Option<&prost_types::Timestamp>, zone: &TimeZone) -> String {
    formatted(time, zone, "GMT %:z")
}

fn formatted(time: Option<&prost_types::Timestamp>, zone: &TimeZone, format: &str) -> String {
    let time = time.and_then(|time| Timestamp::from_second(time.seconds).ok());
    let text = time.map(|time| strtime::format(format, &time.to_zoned_datetime(zone.clone())));
    text.and_then(Result::ok).unwrap_or_default()
}

/// The time zone of an IANA name.
pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f21_times_name_their_zone() {
        for (seconds, name, said) in [
            (1_768_471_200, "UTC", "GMT +00:00"),
            (1_768_471_200, "Europe/Vilnius", "GMT +02:00"),
            (1_784_109_600, "Europe/Vilnius", "GMT +03:00"),
            (1_768_471_200, "America/St_Johns", "GMT -03:30"),
        ] {
            let time = prost_types::Timestamp { seconds, nanos: 0 };
            assert_eq!(offset(Some(&time), &zone(name)), said);
        }
    }

    #[test]
    fn pads_and_never_rounds() {
        let decimal = |text: &str| Some(Decimal { value: text.to_owned() });
        for (number, as_plain, as_balance) in [
            (decimal("96"), "96.0", "96.0000"),
            (decimal("-0.5"), "-0.5", "-0.5000"),
            (decimal("66.123456789"), "66.123456789", "66.123456789"),
            (None, "0.0", "0.0000"),
        ] {
            assert_eq!(plain(number.as_ref()), as_plain);
            assert_eq!(balance(number.as_ref()), as_balance);
        }
    }
}
