//! Times of calls: when a call began, was answered and ended, from what a switch wrote.

use jiff::{
    Timestamp,
    civil::DateTime,
    fmt::strtime::BrokenDownTime,
    tz::{Offset, TimeZone},
};

use super::{Problem, number::shown};
use crate::table::CellKind;

/// A time as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Written {
    /// With an offset, in UTC, or as seconds since 1970: one moment.
    Moment(Timestamp),
    /// By the clock on the wall: one moment, or none or two when clocks are changed.
    Clock(DateTime),
}

/// How the times of a file are read.
#[derive(Clone, Debug)]
pub(crate) struct Times<'a> {
    /// As `strptime` has it; tried first.
    pub(crate) format: Option<&'a str>,
    /// Of times that say none.
    pub(crate) zone: &'a TimeZone,
}

/// What databases and switches write for a time that is not there.
fn is_none(text: &str) -> bool {
    matches!(text, "" | "0" | "0.0" | "-" | "NULL" | "null" | "\\N" | "(null)")
        || text.starts_with("0000-00-00")
        || text.starts_with("1970-01-01 00:00:00")
}

impl Times<'_> {
    /// The time that a cell holds; `None` if it holds none.
    pub(crate) fn read(
        &self,
        column: &'static str,
        text: &str,
        kind: CellKind,
    ) -> Result<Option<Written>, Problem> {
        let text = text.trim();
        if is_none(text) {
            return Ok(None);
        }
        // A workbook's date can be meant in one way only, whatever form is said for texts.
        if kind == CellKind::Date {
            let day = || Problem::Day { column, text: shown(text) };
            return parse(text).map(Some).ok_or_else(day);
        }
        let formatted = self.format.and_then(|format| parse_as(format, text));
        let ambiguous = || looks_like_day_and_month(text);
        let bad = || Problem::Time { column, text: shown(text), ambiguous: ambiguous() };
        formatted.or_else(|| parse(text)).map(Some).ok_or_else(bad)
    }

    /// The moments that a written time may stand for: one, or none or two around a change of
    /// clocks, the earlier first.
    pub(crate) fn moments(&self, written: Written) -> Moments {
        let time = match written {
            Written::Moment(moment) => return Moments([Some(moment), None]),
            Written::Clock(time) => time,
        };
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let at = |offset: Offset| offset.to_timestamp(time).ok();
        Moments(match ambiguous.offset() {
            jiff::tz::AmbiguousOffset::Unambiguous { offset } => [at(offset), None],
            jiff::tz::AmbiguousOffset::Gap { .. } => [None, None],
            jiff::tz::AmbiguousOffset::Fold { before, after } => [at(before), at(after)],
        })
    }
}

/// At most two moments, the earlier first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments([Option<Timestamp>; 2]);

impl Moments {
    pub(crate) fn iter(self) -> impl Iterator<Item = Timestamp> + Clone {
        self.0.into_iter().flatten()
    }

    pub(crate) fn first(self) -> Option<Timestamp> {
        self.iter().next()
    }

    /// The one nearest to a moment.
    pub(crate) fn nearest(self, to: Timestamp) -> Option<Timestamp> {
        self.iter().min_by_key(|moment| distance(*moment, to))
    }
}

/// Microseconds between two moments.
pub(crate) fn distance(one: Timestamp, other: Timestamp) -> u64 {
    one.as_microsecond().abs_diff(other.as_microsecond())
}

/// By the operator's format; with an offset (`%z`) it is a moment.
fn parse_as(format: &str, text: &str) -> Option<Written> {
    let broken = BrokenDownTime::parse(format, text).ok()?;
    if broken.offset().is_some() || broken.timestamp().is_some() {
        return broken.to_timestamp().ok().map(Written::Moment);
    }
    broken.to_datetime().ok().map(Written::Clock)
}

/// What can be meant in one way only.
fn parse(text: &str) -> Option<Written> {
    let byte = |at: usize| text.as_bytes().get(at).copied();
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return number(text);
    }
    // Year, month and day, with `-` or `/` between them.
    let separator = byte(4).filter(|byte| matches!(byte, b'-' | b'/' | b'.'))?;
    if byte(7) != Some(separator) || !text.is_ascii() {
        return None;
    }
    let date = text.get(..10)?;
    if !date.bytes().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| date.get(from..to)?.parse::<i16>().ok();
    let small = |from, to| part(from, to).and_then(|part| i8::try_from(part).ok());
    let date = jiff::civil::Date::new(part(0, 4)?, small(5, 7)?, small(8, 10)?).ok()?;
    let rest = text.get(10..)?;
    let rest = rest.strip_prefix(['T', 't', ' ', ','])?.trim_start();
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | ',')))
        .unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(end);
    let clock = clock.replace(',', ".");
    if clock.len() < 5 || clock.as_bytes().get(2) != Some(&b':') {
        return None;
    }
    let time: jiff::civil::Time = clock.parse().ok()?;
    let time = date.to_datetime(time);
    match offset(zone.trim()) {
        Zone::None => Some(Written::Clock(time)),
        Zone::Offset(offset) => offset.to_timestamp(time).ok().map(Written::Moment),
        Zone::Unknown => None,
    }
}

enum Zone {
    None,
    Offset(Offset),
    Unknown,
}

/// `Z`, `UTC`, `GMT`, `+02`, `+02:00`, `+0200`. Other letters (`EST`) mean more than one zone.
fn offset(text: &str) -> Zone {
    match text {
        "" => return Zone::None,
        "Z" | "z" | "UTC" | "utc" | "GMT" | "gmt" => return Zone::Offset(Offset::UTC),
        _ => {}
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Zone::Unknown,
    };
    let digits = text[1..].replace(':', "");
    if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Zone::Unknown;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(0, |part| part.parse().unwrap_or(99));
    let (hours, minutes, seconds): (i32, i32, i32) = (part(0), part(2), part(4));
    if minutes > 59 || seconds > 59 {
        return Zone::Unknown;
    }
    match Offset::from_seconds(sign * (hours * 3_600 + minutes * 60 + seconds)) {
        Ok(offset) => Zone::Offset(offset),
        Err(_) => Zone::Unknown,
    }
}

/// Seconds since 1970 (9 or 10 digits, with places or without), milliseconds (13 digits),
/// microseconds (16), or a date and time without separators (14, `YYYYMMDDhhmmss`).
fn number(text: &str) -> Option<Written> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    if places.contains('.') || places.len() > 9 {
        return None;
    }
    let value: i64 = whole.parse().ok()?;
    let nanos: i32 = format!("{places:0<9}").parse().ok()?;
    let moment = match whole.len() {
        9 | 10 => Timestamp::new(value, nanos),
        13 if places.is_empty() => Timestamp::from_millisecond(value),
        16 if places.is_empty() => Timestamp::from_microsecond(value),
        14 if places.is_empty() => {
            return parse_as("%Y%m%d%H%M%S", text);
        }
        _ => return None,
    };
    moment.ok().map(Written::Moment)
}

/// `20/11/2026`, `11.20.2026 …`: read only when the format is said.
fn looks_like_day_and_month(text: &str) -> bool {
    let date = text.split([' ', 'T', ',']).next().unwrap_or_default();
    let mut parts = 0;
    date.split(['/', '.', '-']).all(|part| {
        parts += 1;
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    }) && parts == 3
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, format: Option<&str>) -> Result<Vec<i64>, Problem> {
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        let times = Times { format, zone: &zone };
        let written = times.read("start", text, CellKind::Text)?.unwrap();
        Ok(times.moments(written).iter().map(Timestamp::as_microsecond).collect())
    }

    #[test]
    fn times_as_switches_write_them() {
        let ten = 1_795_161_600_000_000; // 2026-11-20 10:00:00 in Vilnius
        for text in [
            "2026-11-20 10:00:00",
            "2026-11-20T10:00:00+02:00",
            "2026-11-20 08:00:00 UTC",
            "2026-11-20 08:00:00Z",
            "2026-11-20 08:00:00+00",
            "2026-11-20 10:00:00.000000 +0200",
            "2026/11/20 10:00:00",
            "2026/11/20 10:00",
            "1795161600",
            "1795161600.0",
            "1795161600000",
            "1795161600000000",
            "20261120100000",
        ] {
            assert_eq!(read(text, None), Ok(vec![ten]), "{text}");
        }
        let day_first = Some("%d/%m/%Y %H:%M:%S");
        assert_eq!(read("20/11/2026 10:00:00", day_first), Ok(vec![ten]));
        assert_eq!(read("2026-11-20 10:00:00", day_first), Ok(vec![ten]));
        assert_eq!(read("1795161600.25", None), Ok(vec![ten + 250_000]));
        for text in ["20/11/2026 10:00:00", "11.20.2026 10:00", "1/2/26 10:00"] {
            assert!(matches!(read(text, None), Err(Problem::Time { ambiguous: true, .. })));
        }
        for text in ["yesterday", "2026-11-20 10:00:00 EST", "2026-13-20 10:00:00", "2026-11-20"] {
            assert!(read(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn clocks_that_are_changed() {
        assert_eq!(read("2026-10-25 03:30:00", None).unwrap().len(), 2);
        assert_eq!(read("2026-03-29 03:30:00", None).unwrap().len(), 0);
        assert_eq!(read("2026-10-25 03:30:00+03", None).unwrap().len(), 1);
    }
}
