//! Hours of the day and days of the week that a rate is for.

use jiff::civil::Time;

use super::{ValueError, cell, quote};

/// Days that a rate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Days {
    /// All.
    #[default]
    All,
    /// Monday to Friday, without holidays.
    Work,
    /// Saturday, Sunday and holidays.
    Free,
}

/// Hours of a day, both ends included, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// The first second.
    pub from: Time,
    /// The last second.
    pub to: Time,
}

impl Hours {
    /// The whole day.
    pub const DAY: Self = Self { from: Time::MIN, to: Time::constant(23, 59, 59, 0) };
}

/// The hours from one time to another: one piece, or two if they cross midnight.
///
/// An end written with seconds is the last second, as in exports (`17:59:59`); one written
/// without is when the hours end (`18:00` ends with `17:59:59`), unless it is the last minute of
/// an hour (`17:59`), which belongs to it. `24:00` and `00:00` as an end are the end of the day.
/// Empty texts are the beginning and the end of the day.
pub fn hours(from: &str, to: &str) -> Result<Vec<Hours>, ValueError> {
    let from = match cell(from) {
        "" => Time::MIN,
        text => {
            clock(text).map(|(time, _)| time).ok_or_else(|| ValueError::NoHours(quote(text)))?
        }
    };
    let to = end(cell(to))?;
    if from <= to {
        return Ok(vec![Hours { from, to }]);
    }
    Ok(vec![Hours { from, to: Hours::DAY.to }, Hours { from: Time::MIN, to }])
}

fn end(text: &str) -> Result<Time, ValueError> {
    if matches!(text, "" | "24:00" | "24:00:00" | "24" | "00:00" | "0:00" | "00:00:00") {
        return Ok(Hours::DAY.to);
    }
    let (time, seconds) = clock(text).ok_or_else(|| ValueError::NoHours(quote(text)))?;
    if seconds {
        return Ok(time);
    }
    if time.minute() % 10 == 9 {
        return Ok(time.with().second(59).build().unwrap_or(time));
    }
    let second = jiff::SignedDuration::from_secs(1);
    time.checked_sub(second).map_err(|_| ValueError::NoHours(quote(text)))
}

/// A time of day, and whether it has seconds.
fn clock(text: &str) -> Option<(Time, bool)> {
    let upper = text.to_ascii_uppercase();
    let (clock, half) = match (upper.strip_suffix("AM"), upper.strip_suffix("PM")) {
        (Some(clock), _) => (clock.trim(), Some(0)),
        (_, Some(clock)) => (clock.trim(), Some(12)),
        _ => (upper.as_str(), None),
    };
    let mut parts = Vec::new();
    for part in clock.split(':') {
        let ok = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(ok.then(|| part.parse::<i8>().ok()).flatten()?);
    }
    let (mut hour, minute, second) = match parts[..] {
        // An hour alone only with its half of the day: `8` could be anything.
        [hour] if half.is_some() => (hour, 0, 0),
        [hour, minute] => (hour, minute, 0),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    Some((Time::new(hour, minute, second, 0).ok()?, parts.len() == 3))
}

/// Days as people write them: empty or `all`, `WD`, `work days`, `Mon-Fri`, `FD`, `weekend`,
/// `Sat-Sun`. Others, as `Mon-Thu`, are refused.
pub fn days(text: &str) -> Result<Days, ValueError> {
    let plain: String = cell(text).to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
    let days = match plain.as_str() {
        "" | "all" | "alldays" | "any" | "anyday" | "every" | "everyday" | "daily" | "monsun"
        | "mondaysunday" | "1234567" | "17" => Days::All,
        "wd" | "workday" | "workdays" | "workingday" | "workingdays" | "weekday" | "weekdays"
        | "monfri" | "mofr" | "mondayfriday" | "montuewedthufri" | "12345" | "15" => Days::Work,
        "fd" | "freeday" | "freedays" | "weekend" | "weekends" | "satsun" | "sasu"
        | "saturdaysunday" | "67" => Days::Free,
        _ => return Err(ValueError::NoDays(quote(text))),
    };
    Ok(days)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(from: &str, to: &str) -> String {
        match hours(from, to) {
            Ok(pieces) => {
                let texts: Vec<_> = pieces.iter().map(|h| format!("{}-{}", h.from, h.to)).collect();
                texts.join(" ")
            }
            Err(_) => "none".to_owned(),
        }
    }

    #[test]
    fn hours_as_people_write_them() {
        for (from, to, value) in [
            ("", "", "00:00:00-23:59:59"),
            ("08:00", "18:00", "08:00:00-17:59:59"),
            ("08:00", "17:59", "08:00:00-17:59:59"),
            ("08:00:00", "17:59:59", "08:00:00-17:59:59"),
            ("18:00", "08:00", "18:00:00-23:59:59 00:00:00-07:59:59"),
            ("22:00", "24:00", "22:00:00-23:59:59"),
            ("22:00", "00:00", "22:00:00-23:59:59"),
            ("8 AM", "6:00 PM", "08:00:00-17:59:59"),
        ] {
            assert_eq!(read(from, to), value);
        }
        for (from, to) in [("8", "18"), ("25:00", ""), ("x", ""), ("", "18"), ("1:2:3:4", "")] {
            assert_eq!(read(from, to), "none");
        }
    }

    #[test]
    fn days_as_people_write_them() {
        for text in ["WD", "Mon-Fri", "mon - fri", "Weekdays"] {
            assert_eq!(days(text), Ok(Days::Work), "{text}");
        }
        assert_eq!(days(" Sat-Sun "), Ok(Days::Free));
        assert_eq!(days(""), Ok(Days::All));
        assert!(days("Mon-Thu").is_err());
    }
}
