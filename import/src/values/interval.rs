//! Billing intervals.

use super::{ValueError, cell, quote};

/// A minimum time, then steps, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// What is billed at least; `None` if only the step was written.
    pub minimum: Option<u32>,
    /// What is billed in steps of.
    pub increment: u32,
}

/// The longest time that an interval may have: an hour. More is a column of something else.
const LONGEST: u32 = 3600;

/// An interval in one cell: `60/60`, `6/6`, `30-6`, `1+1`, `6x6`, `60:60`, `30 s / 6 s`; of three
/// numbers (`0/1/1`) the last two, if the first, which is what a call has free, is 0 or as long
/// as the second; a number alone is the step; `per minute` and `per second` are 60/60 and 1/1.
pub fn interval(text: &str) -> Result<Interval, ValueError> {
    let text = cell(text);
    let wrong = || ValueError::NoInterval(quote(text));
    match text.to_ascii_lowercase().as_str() {
        "per minute" | "full minute" | "minute" => {
            return Ok(Interval { minimum: Some(60), increment: 60 });
        }
        "per second" | "second" => return Ok(Interval { minimum: Some(1), increment: 1 }),
        _ => {}
    }
    if text.len() > 40 {
        return Err(wrong());
    }
    let parts: Vec<&str> =
        text.split(['/', '-', '+', 'x', 'X', '*', ':', ';', '|', '\\', ',']).collect();
    let numbers: Vec<u32> =
        parts.iter().map(|part| seconds(part)).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let (minimum, increment) = match numbers[..] {
        [increment] => (None, increment),
        [minimum, increment] => (Some(minimum), increment),
        [free, minimum, increment] if free == 0 || free == minimum => (Some(minimum), increment),
        _ => return Err(wrong()),
    };
    if increment == 0 {
        return Err(wrong());
    }
    Ok(Interval { minimum, increment })
}

/// A whole number of seconds, at most an hour: `60`, `60.0`, `60s`, `60 sec`, `1 min`.
pub fn seconds(text: &str) -> Result<u32, ValueError> {
    let text = cell(text);
    let wrong = || ValueError::NoDuration(quote(text));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    // What a spreadsheet makes of whole numbers.
    let rest = match rest.strip_prefix('.') {
        Some(places) => {
            let after = places.trim_start_matches('0');
            if after.len() == places.len() || after.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(wrong());
            }
            after
        }
        None => rest,
    };
    let factor = match rest.trim().to_ascii_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" | "\"" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        _ => return Err(wrong()),
    };
    if !(1..=4).contains(&digits.len()) {
        return Err(wrong());
    }
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    let seconds = number * factor;
    if seconds <= LONGEST { Ok(seconds) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_in_one_cell() {
        for (text, minimum, increment) in [
            ("60/60", Some(60), 60),
            ("6/6", Some(6), 6),
            ("30-6", Some(30), 6),
            ("1+1", Some(1), 1),
            ("6x6", Some(6), 6),
            ("0/1/1", Some(1), 1),
            ("1/1/1", Some(1), 1),
            ("30 sec / 6 sec", Some(30), 6),
            ("60", None, 60),
            ("1.0", None, 1),
            ("1 min", None, 60),
            ("per second", Some(1), 1),
        ] {
            assert_eq!(interval(text), Ok(Interval { minimum, increment }), "{text}");
        }
        for text in
            ["", "x", "60/0", "0", "1/2/3/4", "30/6/6", "1.5", "60/", "/60", "99999", "-6", "1e2"]
        {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
