//! Dates and times.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

use super::{ValueError, cell, quote};

/// In which order day, month and year stand in dates of numbers such as `03/04/2026`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateOrder {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day.
    Ymd,
}

impl DateOrder {
    /// Reads a date format as people write it: `dmy`, `DD/MM/YYYY`, `%d.%m.%Y`, `m/d/yy`. Only the
    /// order in it counts. `None` if it is no format.
    #[must_use]
    pub fn parse(format: &str) -> Option<Self> {
        // `hh:mm` comes behind the date, and has the letter of the month.
        let mut letters: Vec<char> = Vec::new();
        for c in format.to_lowercase().chars() {
            if matches!(c, 'd' | 'm' | 'b' | 'y') {
                let c = if c == 'b' { 'm' } else { c };
                if !letters.contains(&c) {
                    letters.push(c);
                }
            } else if c.is_alphabetic() && letters.len() < 3 {
                return None;
            }
        }
        match letters[..] {
            ['d', 'm', 'y'] => Some(Self::Dmy),
            ['m', 'd', 'y'] => Some(Self::Mdy),
            ['y', 'm', 'd'] => Some(Self::Ymd),
            _ => None,
        }
    }
}

/// A time as precise as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A day.
    Day(Date),
    /// A local time.
    Local(DateTime),
    /// A time with an offset, or of unix seconds.
    Instant(Timestamp),
}

/// When a time is in a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// When; of two possible times the earlier one.
    pub timestamp: Timestamp,
    /// The later one, where clocks were put back and the time of day came twice.
    pub again: Option<Timestamp>,
}

impl Moment {
    /// When it is; a day begins at midnight. A time that clocks skipped counts from before the
    /// change. Fails only at the ends of time.
    pub fn resolve(&self, zone: &TimeZone) -> Result<Resolved, ValueError> {
        let local = match self {
            Self::Instant(timestamp) => {
                return Ok(Resolved { timestamp: *timestamp, again: None });
            }
            Self::Day(date) => date.at(0, 0, 0, 0),
            Self::Local(local) => *local,
        };
        let out_of_range = |_| ValueError::NoTime(local.to_string());
        let found = zone.to_ambiguous_timestamp(local);
        let again = match found.offset() {
            AmbiguousOffset::Fold { after, .. } => {
                Some(after.to_timestamp(local).map_err(out_of_range)?)
            }
            _ => None,
        };
        let timestamp = found.compatible().map_err(out_of_range)?;
        Ok(Resolved { timestamp, again })
    }
}

/// A date or a time.
///
/// Read are `2026-03-31`, `2026/03/31`, `20260331`, `31.03.2026`, `31-Mar-2026`, `March 31, 2026`,
/// `3/31/2026` and, if `order` says which is first, `03/04/2026`; years of two digits are of this
/// century. Behind a date may stand a time of day (`10:00`, `10:00:00.25`, `T10:00`, `10:00 PM`)
/// and behind that `Z`, `UTC`, `GMT` or an offset (`+02:00`, `+0200`, `+02`). Numbers alone are
/// `20260331100000` or unix seconds (10 digits, with or without places), milliseconds (13) or
/// microseconds (16).
///
/// Dates with points are day, month, year: nobody writes others.
pub fn moment(text: &str, order: Option<DateOrder>) -> Result<Moment, ValueError> {
    let text = cell(text);
    let unknown = || ValueError::NoTime(quote(text));
    if text.len() > 64 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Err(unknown());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.matches('.').count() <= 1
    {
        return number(text).ok_or_else(unknown);
    }
    let (date, rest) = split_date(text).ok_or_else(unknown)?;
    let date = match date.date(order) {
        Ok(date) => date.ok_or_else(unknown)?,
        Err(Ambiguous::Unsaid) => return Err(ValueError::AmbiguousDate(quote(text))),
        Err(Ambiguous::Contradicted) => return Err(ValueError::OtherDateFormat(quote(text))),
    };
    let rest = rest.trim_start_matches(',').trim_start();
    if rest.is_empty() {
        return Ok(Moment::Day(date));
    }
    let (time, zone) = time_of_day(rest).ok_or_else(unknown)?;
    let local = date.to_datetime(time);
    match zone {
        None => Ok(Moment::Local(local)),
        Some(offset) => offset.to_timestamp(local).map(Moment::Instant).map_err(|_| unknown()),
    }
}

/// In which order alone day, month and year can stand in a date of numbers such as `31/03/2026`; `None`
/// if several are possible, or none has to be known.
pub(crate) fn date_order(text: &str) -> Option<DateOrder> {
    let text = cell(text);
    if text.len() > 64 || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    split_date(text)?.0.only_order()
}

/// Whether a date of numbers has the form of one that may begin with the year: `26-03-04`.
pub(crate) fn may_begin_with_year(text: &str) -> bool {
    let Some((parts, _)) = split_date(cell(text)) else { return false };
    let is_short = |word: &Word| matches!(word, Word::Number { digits: 1 | 2, .. });
    parts.separator == '-' && parts.parts.iter().all(is_short)
}

/// A year out of a phone number or a typing error would begin a rate in the past or never.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2200;

/// A time out of a text of digits, with places or without; what has two points is a date for
/// others to read.
fn number(text: &str) -> Option<Moment> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let part = |from: usize, to: usize| whole[from..to].parse::<i16>().ok();
    let small = |from, to| part(from, to).and_then(|part| i8::try_from(part).ok());
    let date = || {
        let year = part(0, 4).filter(|year| YEARS.contains(year))?;
        Date::new(year, small(4, 6)?, small(6, 8)?).ok()
    };
    let number: i64 = whole.parse().ok()?;
    match (whole.len(), places.is_empty()) {
        (8, true) => date().map(Moment::Day),
        (14, true) => date().and_then(|date| {
            let time = Time::new(small(8, 10)?, small(10, 12)?, small(12, 14)?, 0).ok()?;
            Some(Moment::Local(date.to_datetime(time)))
        }),
        (10, _) if places.len() <= 9 => {
            let nanos = format!("{places:0<9}").parse().ok()?;
            Timestamp::new(number, nanos).ok().map(Moment::Instant)
        }
        (13, true) => Timestamp::from_millisecond(number).ok().map(Moment::Instant),
        (16, true) => Timestamp::from_microsecond(number).ok().map(Moment::Instant),
        // `31.03` is no time.
        _ => None,
    }
}

/// The three parts of a date, each a number or a month's name.
struct Parts {
    parts: [Word; 3],
    separator: char,
}

#[derive(Clone, Copy)]
enum Word {
    Number { value: i16, digits: usize },
    Month(i8),
}

enum Ambiguous {
    Unsaid,
    Contradicted,
}

/// Splits the date off the front of a text.
fn split_date(text: &str) -> Option<(Parts, &str)> {
    let mut rest = text;
    // `Tue, 31 Mar 2026` and `Tue Mar 31 2026`: the day of the week says nothing more.
    let word = rest.find(|c: char| !c.is_ascii_alphabetic()).map_or("", |end| &rest[..end]);
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let lower = word.to_lowercase();
    if word.len() >= 3 && days.iter().any(|day| lower.starts_with(day)) {
        rest = rest[word.len()..].trim_start_matches([',', '.', ' ']);
    }
    let mut parts = [Word::Month(0); 3];
    let mut separator = '\0';
    for (index, part) in parts.iter_mut().enumerate() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        // In `2026-03-31T10:00` the time begins at the letter, in `31Mar2026` the month does.
        let first_is_digit = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = if first_is_digit {
            rest[..end].find(|c: char| !c.is_ascii_digit()).unwrap_or(end)
        } else {
            rest[..end].find(|c: char| c.is_ascii_digit()).unwrap_or(end)
        };
        *part = word_of(&rest[..end])?;
        rest = &rest[end..];
        if index == 2 {
            break;
        }
        rest = strip_ordinal(rest);
        let first = rest.chars().next()?;
        match first {
            '-' | '/' | '.' | ' ' | ',' => {
                separator = if index == 0 || separator == first { first } else { ' ' };
                rest = rest[1..].trim_start_matches(' ');
            }
            c if c.is_ascii_alphanumeric() => separator = ' ',
            _ => return None,
        }
    }
    let ends = rest.is_empty() || rest.starts_with([' ', 'T', 't', ',']);
    ends.then_some((Parts { parts, separator }, rest.trim_start_matches(['T', 't'])))
}

/// `1st`, `2nd`, `3rd`, `4th`.
fn strip_ordinal(text: &str) -> &str {
    ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|ending| text.strip_prefix(ending).filter(|rest| rest.starts_with([' ', ','])))
        .unwrap_or(text)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

fn word_of(text: &str) -> Option<Word> {
    if (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Word::Number { value: text.parse().ok()?, digits: text.len() });
    }
    let lower = text.to_lowercase();
    let lower = if lower == "sept" { "sep".to_owned() } else { lower };
    let is = |month: &str| lower.len() >= 3 && (lower == month || lower == month[..3]);
    let index = MONTHS.iter().position(|month| is(month))?;
    i8::try_from(index + 1).ok().map(Word::Month)
}

impl Parts {
    fn date(&self, order: Option<DateOrder>) -> Result<Option<Date>, Ambiguous> {
        use Word::{Month, Number};
        let (year, month, day) = match self.parts {
            [year @ Number { digits: 4, .. }, Month(month), Number { value: day, .. }]
            | [Number { value: day, .. }, Month(month), year @ Number { digits: 2 | 4, .. }]
            | [Month(month), Number { value: day, .. }, year @ Number { digits: 2 | 4, .. }] => {
                (year, i16::from(month), day)
            }
            [
                year @ Number { digits: 4, .. },
                Number { value: month, .. },
                Number { value: day, .. },
            ] => (year, month, day),
            [Number { value: a, digits: 1 | 2 }, Number { value: b, digits: 1 | 2 }, year]
                if matches!(year, Number { digits: 2 | 4, .. }) =>
            {
                return self.of_numbers((a, b, year), order);
            }
            _ => return Ok(None),
        };
        Ok(date(year, month, day))
    }

    fn only_order(&self) -> Option<DateOrder> {
        use Word::Number;
        let [Number { value: a, digits: 1 | 2 }, Number { value: b, digits: 1 | 2 }, last] =
            self.parts
        else {
            return None;
        };
        let Number { value: day, digits: digits @ (2 | 4) } = last else { return None };
        // Dates with points are day, month, year, whatever others are.
        if self.separator == '.' {
            return None;
        }
        let year_first = digits == 2 && self.separator == '-';
        let ymd = year_first.then(|| date(Number { value: a, digits: 2 }, b, day)).flatten();
        let mut possible = [
            (DateOrder::Dmy, date(last, b, a)),
            (DateOrder::Mdy, date(last, a, b)),
            (DateOrder::Ymd, ymd),
        ]
        .into_iter()
        .filter(|(_, date)| date.is_some());
        let (order, _) = possible.next()?;
        possible.next().is_none().then_some(order)
    }

    /// A date of numbers whose year is last, or which has no year of four digits.
    fn of_numbers(
        &self,
        (a, b, last): (i16, i16, Word),
        order: Option<DateOrder>,
    ) -> Result<Option<Date>, Ambiguous> {
        let year_first = matches!(last, Word::Number { digits: 2, .. });
        let (dmy, mdy) = (date(last, b, a), date(last, a, b));
        let ymd = match (year_first, last) {
            (true, Word::Number { value, .. }) => {
                date(Word::Number { value: a, digits: 2 }, b, value)
            }
            _ => None,
        };
        match order {
            Some(DateOrder::Ymd) if year_first => return Ok(ymd),
            _ if self.separator == '.' => return Ok(dmy),
            Some(DateOrder::Dmy) => {
                return if dmy.is_some() || mdy.is_none() {
                    Ok(dmy)
                } else {
                    Err(Ambiguous::Contradicted)
                };
            }
            Some(DateOrder::Mdy) => {
                return if mdy.is_some() || dmy.is_none() {
                    Ok(mdy)
                } else {
                    Err(Ambiguous::Contradicted)
                };
            }
            Some(DateOrder::Ymd) | None => {}
        }
        // `26-03-31` may begin with the year, unless slashes separate.
        let ymd = ymd.filter(|_| self.separator == '-');
        let mut possible = [dmy, mdy, ymd].into_iter().flatten();
        let first = possible.next();
        if possible.any(|other| Some(other) != first) {
            return Err(Ambiguous::Unsaid);
        }
        Ok(first)
    }
}

fn date(year: Word, month: i16, day: i16) -> Option<Date> {
    let Word::Number { value, digits } = year else { return None };
    let year = if digits == 2 { 2000 + value } else { value };
    if !YEARS.contains(&year) {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// A time of day and the offset behind it.
fn time_of_day(text: &str) -> Option<(Time, Option<Offset>)> {
    let end =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let mut rest = rest.trim();
    let (hour, minute, second, nanos) = clock_of(clock)?;
    let mut hour = hour;
    let upper = rest.to_ascii_uppercase();
    for (half, afternoon) in [("AM", false), ("PM", true)] {
        if upper.starts_with(half) {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if afternoon { 12 } else { 0 };
            rest = rest[2..].trim();
        }
    }
    let time = Time::new(hour, minute, second, nanos).ok()?;
    let offset = match rest {
        "" => None,
        zone => Some(offset(zone)?),
    };
    Some((time, offset))
}

fn clock_of(clock: &str) -> Option<(i8, i8, i8, i32)> {
    let (clock, places) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = clock.split(':').map(|part| match part.len() {
        1 | 2 => part.parse::<i8>().ok(),
        _ => None,
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None if places.is_empty() => 0,
        None => return None,
    };
    if parts.next().is_some() || places.len() > 9 || !places.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos = if places.is_empty() { 0 } else { format!("{places:0<9}").parse().ok()? };
    Some((hour, minute, second, nanos))
}

/// `Z`, `UTC`, `GMT`, `+02:00`, `+0200`, `+02`, `UTC+2`.
fn offset(text: &str) -> Option<Offset> {
    let upper = text.trim_matches(['(', ')']).to_ascii_uppercase();
    let rest = upper
        .strip_prefix("UTC")
        .or_else(|| upper.strip_prefix("GMT"))
        .or_else(|| upper.strip_prefix('Z'))
        .unwrap_or(&upper)
        .trim();
    if rest.is_empty() {
        return Some(Offset::UTC);
    }
    let (sign, digits) = match rest.as_bytes()[0] {
        b'+' => (1, &rest[1..]),
        b'-' => (-1, &rest[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let number = |text: &str| -> Option<i32> {
        let ok = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        ok.then(|| text.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    if hours > 14 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, order: Option<DateOrder>) -> String {
        match moment(text, order) {
            Ok(Moment::Day(date)) => date.to_string(),
            Ok(Moment::Local(local)) => local.to_string(),
            Ok(Moment::Instant(timestamp)) => timestamp.to_string(),
            Err(ValueError::AmbiguousDate(_)) => "ambiguous".to_owned(),
            Err(_) => "none".to_owned(),
        }
    }

    #[test]
    fn dates_in_every_usual_format() {
        for text in [
            "2026-03-31",
            "2026/03/31",
            "2026.03.31",
            "20260331",
            "31.03.2026",
            "31.3.26",
            "31-Mar-2026",
            "31 March 2026",
            "31-MAR-26",
            "Mar 31, 2026",
            "March 31 2026",
            "3/31/2026",
            "31/3/2026",
            "03/31/26",
            "Tue, 31 Mar 2026",
            "Tuesday March 31st, 2026",
            "2026-Mar-31",
            "31Mar2026",
            " '2026-03-31 ",
        ] {
            assert_eq!(read(text, None), "2026-03-31", "{text}");
        }
        for text in [
            "",
            "x",
            "31.02.2026",
            "2026-13-01",
            "31/31/2026",
            "12345",
            "1.2",
            "2026-03",
            "3/31",
            "20261331",
            "0026-03-31",
            "3026-03-31",
            "2026-03-31x",
            "1/2/3/4",
            "99999999999999",
            "2026-03-31 25:00",
            "2026-03-31 10",
            "2026-03-31 10:00 MEST",
            "٢٠٢٦-٠٣-٣١",
        ] {
            assert_eq!(read(text, None), "none", "{text}");
        }
    }

    #[test]
    fn two_dates_in_one_are_refused_until_the_format_is_said() {
        for text in ["03/04/2026", "3-4-2026", "03/04/26", "3/4/2026 10:00"] {
            assert_eq!(read(text, None), "ambiguous", "{text}");
        }
        assert_eq!(read("03/04/2026", Some(DateOrder::Dmy)), "2026-04-03");
        assert_eq!(read("03/04/2026", Some(DateOrder::Mdy)), "2026-03-04");
        assert_eq!(read("26/03/04", Some(DateOrder::Ymd)), "2026-03-04");
        assert_eq!(read("03/03/2026", None), "2026-03-03");
        // A format that is wrong for one line is not to be trusted for the others.
        assert_eq!(read("3/31/2026", Some(DateOrder::Dmy)), "none");
        assert_eq!(read("31.03.2026", Some(DateOrder::Mdy)), "2026-03-31");
    }

    #[test]
    fn times_and_their_zones() {
        for (text, time) in [
            ("2026-11-20 10:00:00", "2026-11-20T10:00:00"),
            ("20/11/2026 10:00", "2026-11-20T10:00:00"),
            ("2026/11/20 10:00:00.25", "2026-11-20T10:00:00.25"),
            ("11/20/2026 10:00:00 PM", "2026-11-20T22:00:00"),
            ("20261120100000", "2026-11-20T10:00:00"),
            ("2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
            ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
            ("2026-11-20 10:00:00 +0200", "2026-11-20T08:00:00Z"),
            ("2026-11-20 10:00:00 UTC", "2026-11-20T10:00:00Z"),
            ("2026-11-20 10:00:00-05", "2026-11-20T15:00:00Z"),
            ("1795168800", "2026-11-20T10:00:00Z"),
            ("1795168800.25", "2026-11-20T10:00:00.25Z"),
            ("1795168800250", "2026-11-20T10:00:00.25Z"),
        ] {
            assert_eq!(read(text, None), time, "{text}");
        }
    }

    #[test]
    fn the_hour_that_comes_twice() {
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        let twice = moment("2026-10-25 03:30:00", None).unwrap().resolve(&zone).unwrap();
        assert_eq!(twice.timestamp.to_string(), "2026-10-25T00:30:00Z");
        assert_eq!(twice.again.unwrap().to_string(), "2026-10-25T01:30:00Z");
        let once = moment("2026-10-25 04:30:00", None).unwrap().resolve(&zone).unwrap();
        assert_eq!(once.again, None);
    }

    #[test]
    fn formats_as_people_write_them() {
        for (text, order) in [
            ("dmy", Some(DateOrder::Dmy)),
            ("DD/MM/YYYY", Some(DateOrder::Dmy)),
            ("%m/%d/%Y", Some(DateOrder::Mdy)),
            ("yyyy-mm-dd hh:mm:ss", Some(DateOrder::Ymd)),
            ("d-b-Y", Some(DateOrder::Dmy)),
            ("european", None),
            ("", None),
        ] {
            assert_eq!(DateOrder::parse(text), order, "{text}");
        }
    }
}
