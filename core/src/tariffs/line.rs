//! A line of a rate deck, as written, made a rate.

use jiff::{civil::DateTime, tz::TimeZone};
use rust_decimal::Decimal;
use tollbook_proto::v1::RateLine;

use super::{Rate, days_of};
use crate::{
    money::{self, Money},
    rating::{DeckRate, LAST_SECOND, Steps, Terms, is_prefix},
    text::clip,
};

/// Names of real decks list dozens of towns.
const MAX_DESTINATION: usize = 1_000;

/// Reads a line; the error says what is wrong with it.
pub(crate) fn read(line: &RateLine, zone: &TimeZone) -> Result<Rate, String> {
    if !is_prefix(&line.prefix) {
        return Err(format!(
            "prefix {:?} is not 1 to 32 letters, digits, * or #",
            clip(&line.prefix)
        ));
    }
    let blocked_price = line.rate == "-1" || line.rate.eq_ignore_ascii_case("blocked");
    let (blocked, ended) = match line.blocked.to_ascii_lowercase().as_str() {
        "" => (blocked_price, false),
        "block" | "blocked" => (true, false),
        "unblock" | "unblocked" => (false, false),
        "ended" => (false, true),
        _ => {
            return Err(format!(
                "blocked {:?} is not block, unblock or ended",
                clip(&line.blocked)
            ));
        }
    };
    let rate = if blocked_price { Decimal::ZERO } else { amount("rate", &line.rate, None)? };
    let hours = (
        second_of_day("start_time", &line.start_time, 0)?,
        second_of_day("end_time", &line.end_time, LAST_SECOND)?,
    );
    if hours.0 > hours.1 {
        return Err("start_time is after end_time".to_owned());
    }
    let rate = DeckRate {
        terms: Terms {
            rate,
            connection_fee: amount("connection_fee", &line.connection_fee, Some(Decimal::ZERO))?,
            increment: seconds("increment", &line.increment, 1, 1)?,
            min_time: seconds("min_time", &line.min_time, 0, 0)?,
            steps: steps(&line.steps)?,
        }
        .normalised(),
        effective_from: effective_from(&line.effective_from, zone)?,
        hours,
        days: days_of(&line.day_type)
            .ok_or_else(|| format!("day_type {:?} is not WD or FD", clip(&line.day_type)))?,
        blocked,
        ended,
    };
    if line.destination.chars().count() > MAX_DESTINATION
        || line.destination.chars().any(char::is_control)
    {
        return Err("destination is too long, or has a control character".to_owned());
    }
    Ok(Rate { prefix: line.prefix.clone(), rate })
}

fn amount(name: &str, text: &str, default: Option<Decimal>) -> Result<Decimal, String> {
    match default {
        Some(default) if text.is_empty() => Ok(default),
        _ => money::parse(text)
            .and_then(Money::new)
            .filter(|amount| *amount >= Money::ZERO)
            .map(Money::value)
            .ok_or_else(|| {
                format!("{name} {:?} is not a decimal number of zero or more", clip(text))
            }),
    }
}

fn seconds(name: &str, text: &str, default: u32, least: u32) -> Result<u32, String> {
    if text.is_empty() {
        return Ok(default);
    }
    let number = text.parse::<u32>().ok().filter(|number| (least..=LAST_SECOND).contains(number));
    number.ok_or_else(|| format!("{name} {:?} is not a number of seconds from {least}", clip(text)))
}

fn steps(text: &str) -> Result<Steps, String> {
    if text.is_empty() {
        return Ok(Steps::default());
    }
    Steps::from_name(text).ok_or_else(|| format!("steps {:?} is not zero or minimum", clip(text)))
}

fn second_of_day(name: &str, text: &str, default: u32) -> Result<u32, String> {
    if text.is_empty() {
        return Ok(default);
    }
    let parts: Vec<Option<u32>> = text.split(':').map(|part| part.parse().ok()).collect();
    match parts[..] {
        [Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..60)] => {
            Ok(hour * 3600 + minute * 60 + second)
        }
        _ => Err(format!("{name} {:?} is not a time, as HH:MM:SS", clip(text))),
    }
}

fn effective_from(text: &str, zone: &TimeZone) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(i64::MIN);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_microsecond());
    }
    let midnight = format!("{text} 00:00:00");
    let time = [text, &midnight].into_iter().find_map(|text| text.parse::<DateTime>().ok());
    // Of a time that clocks show twice the first is meant, of one that they skip the next.
    let time = time.and_then(|time| zone.to_timestamp(time).ok());
    time.map(jiff::Timestamp::as_microsecond).ok_or_else(|| {
        format!("effective_from {:?} is not a time, as YYYY-MM-DD HH:MM:SS", clip(text))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn line(prefix: &str, rate: &str) -> RateLine {
        RateLine { prefix: prefix.to_owned(), rate: rate.to_owned(), ..Default::default() }
    }

    fn read_utc(line: &RateLine) -> Result<Rate, String> {
        read(line, &TimeZone::UTC)
    }

    #[test]
    fn defaults_and_blocked_prices() {
        let rate = read_utc(&line("370", "0.0125")).unwrap().rate;
        assert_eq!((rate.terms.increment, rate.terms.min_time, rate.hours), (1, 0, (0, 86_399)));
        assert_eq!(rate.effective_from, i64::MIN);
        for blocked in ["-1", "Blocked", "blocked"] {
            assert!(read_utc(&line("370", blocked)).unwrap().rate.blocked);
        }
        let ended = RateLine { blocked: "ended".to_owned(), ..line("370", "0") };
        let ended = read_utc(&ended).unwrap().rate;
        assert!(ended == DeckRate::end(i64::MIN) && ended.ends_prefix());
        let kept = RateLine { blocked: "Block".to_owned(), ..line("370", "0.5") };
        let kept = read_utc(&kept).unwrap().rate;
        assert!(kept.blocked && kept.terms.rate == Decimal::new(5, 1), "the price stays visible");
    }

    #[test]
    fn steps_that_make_no_difference_are_those_from_zero() {
        for (min_time, increment, steps, read) in [
            ("90", "60", "", Steps::FromZero),
            ("90", "60", "zero", Steps::FromZero),
            ("90", "60", "minimum", Steps::AfterMinimum),
            ("60", "60", "minimum", Steps::FromZero),
            ("30", "6", "minimum", Steps::FromZero),
            ("", "60", "minimum", Steps::FromZero),
        ] {
            let [min_time, increment, steps] = [min_time, increment, steps].map(str::to_owned);
            let line = RateLine { min_time, increment, steps, ..line("49", "1") };
            assert_eq!(read_utc(&line).unwrap().rate.terms.steps, read, "{line:?}");
        }
    }

    #[test]
    fn times_are_those_of_the_time_zone() {
        let dated = RateLine { effective_from: "2026-07-01 00:00:00".to_owned(), ..line("1", "1") };
        let utc = read_utc(&dated).unwrap().rate.effective_from;
        let vilnius = read(&dated, &TimeZone::get("Europe/Vilnius").unwrap()).unwrap();
        assert_eq!(utc - vilnius.rate.effective_from, 3 * 3600 * 1_000_000);
        let day = RateLine { effective_from: "2026-07-01".to_owned(), ..line("1", "1") };
        assert_eq!(read_utc(&day).unwrap().rate.effective_from, utc);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let good = line("370", "1");
        for (bad, named) in [
            (line("", "1"), "prefix"),
            (line("37-0", "1"), "prefix"),
            (line("370", "abc"), "rate \"abc\""),
            (line("370", "-2"), "rate"),
            (line("370", ""), "rate"),
            (RateLine { connection_fee: "x".to_owned(), ..good.clone() }, "connection_fee"),
            (RateLine { increment: "0".to_owned(), ..good.clone() }, "increment"),
            (RateLine { min_time: "-1".to_owned(), ..good.clone() }, "min_time"),
            (RateLine { steps: "Minimum".to_owned(), ..good.clone() }, "steps \"Minimum\""),
            (RateLine { effective_from: "soon".to_owned(), ..good.clone() }, "effective_from"),
            (RateLine { start_time: "24:00:00".to_owned(), ..good.clone() }, "start_time"),
            (
                RateLine {
                    start_time: "10:00:00".to_owned(),
                    end_time: "09:00:00".to_owned(),
                    ..good.clone()
                },
                "start_time",
            ),
            (RateLine { day_type: "XX".to_owned(), ..good.clone() }, "day_type"),
            (RateLine { blocked: "perhaps".to_owned(), ..good }, "blocked"),
        ] {
            let reason = read_utc(&bad).unwrap_err();
            assert!(reason.contains(named), "{reason}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(prefix in ".{0,40}", rate in ".{0,20}", time in ".{0,20}", number in ".{0,10}") {
            let line = RateLine {
                prefix,
                rate,
                effective_from: time.clone(),
                start_time: time,
                increment: number.clone(),
                min_time: number,
                ..Default::default()
            };
            let _ = read_utc(&line);
        }
    }
}
