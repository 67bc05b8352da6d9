//! Durations of calls.

use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

use super::{ValueError, cell, quote};

/// What a duration without a unit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DurationUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Minutes.
    Minutes,
}

impl DurationUnit {
    fn milliseconds(self) -> Decimal {
        match self {
            Self::Seconds => Decimal::ONE_THOUSAND,
            Self::Milliseconds => Decimal::ONE,
            Self::Microseconds => Decimal::new(1, 3),
            Self::Minutes => Decimal::from(60_000),
        }
    }
}

/// A duration in milliseconds, rounded to the nearest: `65`, `65.25`, `65,25` in `unit`, `65s`,
/// `00:01:05`, `1:05` (minutes and seconds), `00:01:05.250`. Never negative.
pub fn milliseconds(text: &str, unit: DurationUnit) -> Result<i64, ValueError> {
    let text = cell(text);
    let wrong = || ValueError::NoDuration(quote(text));
    if text.contains(':') {
        return clock(text).ok_or_else(wrong);
    }
    let lower = text.to_ascii_lowercase();
    let units = [
        ("milliseconds", DurationUnit::Milliseconds),
        ("seconds", DurationUnit::Seconds),
        ("minutes", DurationUnit::Minutes),
        ("secs", DurationUnit::Seconds),
        ("sec", DurationUnit::Seconds),
        ("min", DurationUnit::Minutes),
        ("ms", DurationUnit::Milliseconds),
        ("s", DurationUnit::Seconds),
    ];
    let said = units.iter().find_map(|(word, unit)| Some((lower.strip_suffix(word)?, *unit)));
    let (number, unit) = said.unwrap_or((&lower, unit));
    let number = number.trim_end().replace(',', ".");
    let shape = |c: char| c.is_ascii_digit() || c == '.';
    if number.len() > 24
        || !number.starts_with(|c: char| c.is_ascii_digit())
        || !number.chars().all(shape)
    {
        return Err(wrong());
    }
    let value: Decimal = number.parse().map_err(|_| wrong())?;
    let value = value.checked_mul(unit.milliseconds()).ok_or_else(wrong)?;
    value.round().to_i64().ok_or_else(wrong)
}

fn clock(text: &str) -> Option<i64> {
    let (clock, places) = text.split_once('.').unwrap_or((text, ""));
    let digits =
        |text: &str| (1..=6).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let mut parts: Vec<i64> = Vec::new();
    for part in clock.split(':') {
        parts.push(digits(part).then(|| part.parse().ok()).flatten()?);
    }
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes, seconds] if minutes < 60 => (hours, minutes, seconds),
        [minutes, seconds] => (0, minutes, seconds),
        _ => return None,
    };
    if seconds >= 60 || !places.is_empty() && !digits(places) {
        return None;
    }
    let milli: i64 =
        if places.is_empty() { 0 } else { format!("{places:0<3}")[..3].parse().ok()? };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + milli)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_switches_write_them() {
        let seconds = DurationUnit::Seconds;
        for (text, unit, ms) in [
            ("65", seconds, 65_000),
            ("65.25", seconds, 65_250),
            ("65,5", seconds, 65_500),
            ("65 s", seconds, 65_000),
            ("00:01:05", seconds, 65_000),
            ("1:05", seconds, 65_000),
            ("100:00:00", seconds, 360_000_000),
            ("00:01:05.25", seconds, 65_250),
            ("1.5", DurationUnit::Minutes, 90_000),
            ("1500", DurationUnit::Milliseconds, 1_500),
            ("1500000", DurationUnit::Microseconds, 1_500),
        ] {
            assert_eq!(milliseconds(text, unit), Ok(ms), "{text}");
        }
        for text in [
            "",
            "x",
            "-1",
            "1:60",
            "1:2:3:4",
            "1:99:00",
            "1e5",
            "ANSWERED",
            "99999999999999999999999",
        ] {
            assert!(milliseconds(text, seconds).is_err(), "{text}");
        }
    }
}
