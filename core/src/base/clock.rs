//! Time: stored as microseconds since the epoch, sent as protobuf timestamps.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::error::{Error, Result};

/// Now, in microseconds since 1970-01-01 UTC.
#[must_use]
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// The protobuf form of a stored time.
#[must_use]
pub(crate) fn to_proto(micros: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default(),
    }
}

/// The stored form of a protobuf time; below a microsecond it is cut off.
pub(crate) fn from_proto(field: &'static str, time: &prost_types::Timestamp) -> Result<i64> {
    let in_range = (0..1_000_000_000).contains(&time.nanos);
    time.seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(time.nanos) / 1_000))
        .filter(|_| in_range)
        .ok_or_else(|| Error::invalid(field, "is not a time"))
}

/// The first and the last microsecond of today in `zone`.
#[must_use]
pub(crate) fn today(zone: &TimeZone) -> (i64, i64) {
    let now = Timestamp::now().to_zoned_datetime(zone.clone());
    let start = now.start_of_day().unwrap_or_else(|_| now.clone());
    let end = start.tomorrow().and_then(|next| next.start_of_day()).unwrap_or(now);
    (start.timestamp().as_microsecond(), end.timestamp().as_microsecond() - 1)
}

/// When today and this month began in `zone`.
#[must_use]
pub(crate) fn today_and_month(zone: &TimeZone) -> (i64, i64) {
    let now = Timestamp::now().to_zoned_datetime(zone.clone());
    let month = now.first_of_month().and_then(|first| first.start_of_day());
    let month = month.unwrap_or_else(|_| now.clone()).timestamp().as_microsecond();
    (today(zone).0, month)
}

/// The whole of time.
pub(crate) const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// The first and the last microsecond of a period that a request gives; where it does not,
/// of today in `zone`. The last second counts as a whole.
pub(crate) fn period(
    from: Option<&prost_types::Timestamp>,
    till: Option<&prost_types::Timestamp>,
    zone: &TimeZone,
) -> Result<(i64, i64)> {
    period_within(today(zone), from, till)
}

/// The same, with bounds for what the request does not give.
pub(crate) fn period_within(
    bounds: (i64, i64),
    from: Option<&prost_types::Timestamp>,
    till: Option<&prost_types::Timestamp>,
) -> Result<(i64, i64)> {
    let given = |field, time| {
        let time = from_proto(field, time)?;
        let readable = Timestamp::from_microsecond(time).is_ok();
        readable.then_some(time).ok_or_else(|| Error::invalid(field, "is out of range"))
    };
    let from = from.map_or(Ok(bounds.0), |time| given("from", time))?;
    let till = match till {
        None => bounds.1,
        Some(time) => {
            let till = given("till", time)?;
            till.div_euclid(1_000_000).saturating_mul(1_000_000).saturating_add(999_999)
        }
    };
    if till < from {
        return Err(Error::invalid("till", "must not be before from"));
    }
    Ok((from, till))
}

/// Checks a day written as YYYY-MM-DD; empty means none.
pub(crate) fn check_day(field: &'static str, day: &str) -> Result<()> {
    if day.is_empty() {
        return Ok(());
    }
    day.parse::<Date>()
        .ok()
        .filter(|date| date.to_string() == day)
        .map(drop)
        .ok_or_else(|| Error::invalid(field, "must be a day, as YYYY-MM-DD"))
}
/// A moment as the clocks of a time zone show it.
pub(crate) fn local(micros: i64, zone: &TimeZone, format: &str) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    time.to_zoned_datetime(zone.clone()).strftime(format).to_string()
}

/// The same for people: a day alone if it begins then.
pub(crate) fn day_or_time(micros: i64, zone: &TimeZone) -> String {
    let text = local(micros, zone, "%Y-%m-%d %H:%M:%S");
    text.strip_suffix(" 00:00:00").map(str::to_owned).unwrap_or(text)
}
