//! A tariff, compiled: the matcher, and the rates of each prefix.

use jiff::{Timestamp, civil::Weekday, tz::TimeZone};
use rust_decimal::Decimal;

use super::{
    matcher::{Matcher, Prefixes},
    price::Terms,
    steps::Steps,
};

/// The days on which a rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Days {
    /// All.
    All,
    /// Monday to Friday.
    Work,
    /// Saturday and Sunday.
    Free,
}

/// The last second of a day.
pub const LAST_SECOND: u32 = 86_399;

/// A rate as it goes into a deck.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeckRate {
    /// What it costs.
    pub terms: Terms,
    /// From when it counts, microseconds since 1970; the least number: always.
    pub effective_from: i64,
    /// Seconds of the day between which it counts, both inclusive.
    pub hours: (u32, u32),
    /// The days on which it counts.
    pub days: Days,
    /// Calls are refused.
    pub blocked: bool,
    /// There is no rate: a shorter prefix decides.
    pub ended: bool,
}

impl DeckRate {
    /// The end of all rates of a prefix that count before it.
    #[must_use]
    pub fn end(effective_from: i64) -> Self {
        Self {
            terms: Terms {
                rate: Decimal::ZERO,
                connection_fee: Decimal::ZERO,
                increment: 1,
                min_time: 0,
                steps: Steps::FromZero,
            },
            effective_from,
            hours: (0, LAST_SECOND),
            days: Days::All,
            blocked: false,
            ended: true,
        }
    }

    /// Whether it ends all rates of its prefix that count before it.
    #[must_use]
    pub fn ends_prefix(&self) -> bool {
        self.ended && self.hours == (0, LAST_SECOND) && self.days == Days::All
    }
}

/// A rate in a deck, packed into a cache line: a deck of a large operator holds millions.
#[repr(align(64))]
struct Packed {
    rate: Decimal,
    connection_fee: Decimal,
    effective_from: i64,
    increment: u32,
    min_time: u32,
    from: u32,
    /// The last second of the day, with what else is to be known in the upper bits.
    till_and_flags: u32,
}

const TILL: u32 = (1 << 17) - 1;
const LAST_OF_PREFIX: u32 = 1 << 17;
const BLOCKED: u32 = 1 << 18;
const WORK_DAYS: u32 = 1 << 19;
const FREE_DAYS: u32 = 1 << 20;
const AFTER_MINIMUM: u32 = 1 << 21;
const ENDED: u32 = 1 << 22;

/// A compiled tariff. It never changes: a changed tariff gets a new one.
pub struct Deck {
    /// Leads to where the rates of a prefix begin.
    matcher: Matcher,
    rates: Vec<Packed>,
    prefixes: usize,
}

/// When a call starts: the moment, and what the clock says there where rates are looked up.
#[derive(Clone, Copy, Debug)]
pub struct CallTime {
    micros: i64,
    second_of_day: u32,
    weekend: bool,
}

impl CallTime {
    /// A moment, in microseconds since 1970, in the time zone of the settings.
    #[must_use]
    pub fn new(micros: i64, zone: &TimeZone) -> Self {
        let time = Timestamp::from_microsecond(micros).unwrap_or_default();
        let local = zone.to_datetime(time);
        let part = |number: i8| u32::from(number.unsigned_abs());
        Self {
            micros,
            second_of_day: part(local.hour()) * 3600
                + part(local.minute()) * 60
                + part(local.second()),
            weekend: matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday),
        }
    }
}

/// Of what several tariffs have for a call, what decides: the longest prefix, and of equally
/// long ones the last. The custom tariff comes last.
#[must_use]
pub fn deciding<T>(found: impl IntoIterator<Item = (Found, T)>) -> Option<(Found, T)> {
    found.into_iter().max_by_key(|(found, _)| found.prefix_length)
}

/// The rate that decides about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// How long its prefix is.
    pub prefix_length: usize,
    /// What it costs.
    pub terms: Terms,
    /// Calls are refused.
    pub blocked: bool,
}

impl Deck {
    /// Compiles rates. Prefixes are sorted by their bytes; the rates of a prefix stand
    /// together, those that begin to count later first.
    #[must_use]
    pub fn new<'a>(rates: impl IntoIterator<Item = (&'a str, DeckRate)>) -> Self {
        let mut builder = Builder::with_capacity(0);
        for (prefix, rate) in rates {
            builder.add(prefix, &rate);
        }
        builder.build()
    }

    /// The rate of the longest prefix that has one at that time; none: no prefix has.
    #[must_use]
    pub fn find(&self, number: &str, time: CallTime) -> Option<Found> {
        let (prefix_length, start) = self.matcher.longest(number)?;
        if let Some(rate) = self.rate_at(start, time) {
            return Some(rate.found(prefix_length));
        }
        // Rarely: the longest prefix has no rate yet, none any more, or none for this hour.
        self.matcher.matches(number).longest_first().skip(1).find_map(|(prefix_length, start)| {
            Some(self.rate_at(start, time)?.found(prefix_length))
        })
    }

    /// When a rate for a number begins to count that does not yet: that of the longest prefix which has
    /// one. Returns the length of the prefix as well.
    #[must_use]
    pub fn later(&self, number: &str, time: CallTime) -> Option<(usize, i64)> {
        self.matcher.matches(number).longest_first().find_map(|(prefix_length, start)| {
            let rates = &self.rates[start as usize..];
            let last = rates.iter().position(|rate| rate.till_and_flags & LAST_OF_PREFIX != 0)?;
            let rates = rates[..=last].iter().filter(|rate| rate.till_and_flags & ENDED == 0);
            let begins = rates.map(|rate| rate.effective_from);
            Some((prefix_length, begins.filter(|begin| *begin > time.micros).min()?))
        })
    }

    /// The first rate of a prefix that counts: they are sorted so that it is the latest.
    fn rate_at(&self, start: u32, time: CallTime) -> Option<&Packed> {
        for rate in &self.rates[start as usize..] {
            if rate.counts_at(time) {
                return (rate.till_and_flags & ENDED == 0).then_some(rate);
            }
            if rate.till_and_flags & LAST_OF_PREFIX != 0 {
                break;
            }
        }
        None
    }

    /// How many prefixes it has.
    #[must_use]
    pub fn prefixes(&self) -> usize {
        self.prefixes
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.matcher.bytes() + self.rates.capacity() * size_of::<Packed>()
    }
}

/// A deck that rates are added to.
pub struct Builder {
    prefixes: Prefixes,
    rates: Vec<Packed>,
}

impl Builder {
    /// With room for so many rates: with more, their memory is copied as it grows.
    #[must_use]
    pub fn with_capacity(rates: usize) -> Self {
        Self { prefixes: Prefixes::default(), rates: Vec::with_capacity(rates) }
    }

    /// Adds a rate. Returns whether its prefix is where it belongs by the order of bytes.
    pub fn add(&mut self, prefix: &str, rate: &DeckRate) -> bool {
        let last = self.prefixes.last();
        let in_order = last.is_none_or(|last| last.as_bytes() <= prefix.as_bytes());
        if last != Some(prefix) {
            self.end_prefix();
            self.prefixes.push(prefix, u32::try_from(self.rates.len()).unwrap_or(u32::MAX));
        }
        self.rates.push(Packed::new(rate));
        in_order
    }

    fn end_prefix(&mut self) {
        if let Some(last) = self.rates.last_mut() {
            last.till_and_flags |= LAST_OF_PREFIX;
        }
    }

    /// Compiles what was added.
    #[must_use]
    pub fn build(mut self) -> Deck {
        self.end_prefix();
        self.rates.shrink_to_fit();
        let matcher = Matcher::new(&self.prefixes);
        Deck { matcher, rates: self.rates, prefixes: self.prefixes.len() }
    }
}

impl Packed {
    fn new(rate: &DeckRate) -> Self {
        let (from, till) = rate.hours;
        let days = match rate.days {
            Days::All => WORK_DAYS | FREE_DAYS,
            Days::Work => WORK_DAYS,
            Days::Free => FREE_DAYS,
        };
        let steps = match rate.terms.steps {
            Steps::FromZero => 0,
            Steps::AfterMinimum => AFTER_MINIMUM,
        };
        let blocked = if rate.blocked { BLOCKED } else { 0 };
        let ended = if rate.ended { ENDED } else { 0 };
        Self {
            rate: rate.terms.rate,
            connection_fee: rate.terms.connection_fee,
            effective_from: rate.effective_from,
            increment: rate.terms.increment,
            min_time: rate.terms.min_time,
            from,
            till_and_flags: till.min(LAST_SECOND) | days | steps | blocked | ended,
        }
    }

    fn found(&self, prefix_length: usize) -> Found {
        Found {
            prefix_length,
            terms: Terms {
                rate: self.rate,
                connection_fee: self.connection_fee,
                increment: self.increment,
                min_time: self.min_time,
                steps: match self.till_and_flags & AFTER_MINIMUM {
                    0 => Steps::FromZero,
                    _ => Steps::AfterMinimum,
                },
            },
            blocked: self.till_and_flags & BLOCKED != 0,
        }
    }

    fn counts_at(&self, time: CallTime) -> bool {
        let day = if time.weekend { FREE_DAYS } else { WORK_DAYS };
        self.effective_from <= time.micros
            && self.till_and_flags & day != 0
            && (self.from..=self.till_and_flags & TILL).contains(&time.second_of_day)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rate(price: i64) -> DeckRate {
        DeckRate {
            terms: Terms {
                rate: Decimal::from(price),
                connection_fee: Decimal::ZERO,
                increment: 1,
                min_time: 0,
                steps: Steps::FromZero,
            },
            effective_from: i64::MIN,
            hours: (0, LAST_SECOND),
            days: Days::All,
            blocked: false,
            ended: false,
        }
    }

    /// The price and the prefix of the rate that decides.
    fn found(deck: &Deck, number: &str, time: &str) -> Option<(i64, usize)> {
        use rust_decimal::prelude::ToPrimitive;
        let micros = time.parse::<Timestamp>().unwrap().as_microsecond();
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        let found = deck.find(number, CallTime::new(micros, &zone))?;
        Some((found.terms.rate.to_i64()?, found.prefix_length))
    }

    #[test]
    fn the_latest_rate_that_has_begun_counts() {
        let from = |time: &str| time.parse::<Timestamp>().unwrap().as_microsecond();
        let deck = Deck::new([
            ("370", DeckRate { effective_from: from("2026-07-01T00:00:00Z"), ..rate(3) }),
            ("370", DeckRate { effective_from: from("2026-01-01T00:00:00Z"), ..rate(2) }),
            ("370", rate(1)),
            ("3706", DeckRate { effective_from: from("2026-03-01T00:00:00Z"), ..rate(9) }),
        ]);
        assert_eq!(found(&deck, "37051", "2025-12-31T23:59:59Z"), Some((1, 3)));
        assert_eq!(found(&deck, "37051", "2026-01-01T00:00:00Z"), Some((2, 3)));
        assert_eq!(found(&deck, "37051", "2026-08-01T00:00:00Z"), Some((3, 3)));
        // A longer prefix that has no rate yet leaves it to the shorter one.
        assert_eq!(found(&deck, "37061", "2026-02-01T00:00:00Z"), Some((2, 3)));
        assert_eq!(found(&deck, "37061", "2026-03-01T00:00:00Z"), Some((9, 4)));
        assert_eq!(found(&deck, "371", "2026-03-01T00:00:00Z"), None);
    }

    #[test]
    fn a_rate_that_begins_later_is_found_by_the_longest_prefix_that_has_one() {
        let from = |time: &str| time.parse::<Timestamp>().unwrap().as_microsecond();
        let begins = |time: &str| DeckRate { effective_from: from(time), ..rate(1) };
        let deck = Deck::new([
            ("370", begins("2026-12-01T00:00:00Z")),
            ("3706", begins("2027-02-01T00:00:00Z")),
            ("3706", begins("2027-01-01T00:00:00Z")),
            ("37061", begins("2026-01-01T00:00:00Z")),
        ]);
        let later = |number, time| deck.later(number, CallTime::new(from(time), &TimeZone::UTC));
        let now = "2026-11-26T00:00:00Z";
        assert_eq!(later("37062", now), Some((4, from("2027-01-01T00:00:00Z"))));
        assert_eq!(later("37062", "2027-01-01T00:00:00Z"), Some((4, from("2027-02-01T00:00:00Z"))));
        assert_eq!(later("37052", now), Some((3, from("2026-12-01T00:00:00Z"))));
        assert_eq!(later("37052", "2026-12-01T00:00:00Z"), None);
        assert_eq!(later("371", now), None);
    }

    #[test]
    fn a_prefix_that_has_ended_leaves_it_to_a_shorter_one() {
        let from = |time: &str| time.parse::<Timestamp>().unwrap().as_microsecond();
        let deck = Deck::new([
            ("370", rate(1)),
            ("3706", DeckRate { effective_from: from("2026-12-01T00:00:00Z"), ..rate(3) }),
            ("3706", DeckRate::end(from("2026-11-01T00:00:00Z"))),
            ("3706", rate(2)),
            ("44", DeckRate::end(from("2026-11-01T00:00:00Z"))),
            ("44", DeckRate { days: Days::Work, ..rate(2) }),
        ]);
        assert_eq!(found(&deck, "37061", "2026-10-31T23:59:59Z"), Some((2, 4)));
        assert_eq!(found(&deck, "37061", "2026-11-01T00:00:00Z"), Some((1, 3)));
        assert_eq!(found(&deck, "37061", "2026-12-01T00:00:00Z"), Some((3, 4)));
        let at = CallTime::new(from("2026-10-01T00:00:00Z"), &TimeZone::UTC);
        assert_eq!(deck.later("37061", at), Some((4, from("2026-12-01T00:00:00Z"))));
        // The end is that of rates for some hours and days, too.
        assert_eq!(found(&deck, "441", "2026-10-30T12:00:00Z"), Some((2, 2)));
        assert_eq!(found(&deck, "441", "2026-11-02T12:00:00Z"), None);
    }

    #[test]
    fn hours_and_days_are_those_of_the_time_zone() {
        let deck = Deck::new([
            ("1", DeckRate { days: Days::Free, ..rate(1) }),
            ("1", DeckRate { days: Days::Work, hours: (8 * 3600, 18 * 3600 - 1), ..rate(2) }),
            ("1", rate(3)),
        ]);
        // Friday 23 October 2026, UTC+3.
        assert_eq!(found(&deck, "12", "2026-10-23T04:59:59Z"), Some((3, 1)));
        assert_eq!(found(&deck, "12", "2026-10-23T05:00:00Z"), Some((2, 1)));
        assert_eq!(found(&deck, "12", "2026-10-23T14:59:59Z"), Some((2, 1)));
        assert_eq!(found(&deck, "12", "2026-10-23T15:00:00Z"), Some((3, 1)));
        // 21:00 UTC is Saturday there.
        assert_eq!(found(&deck, "12", "2026-10-23T21:00:00Z"), Some((1, 1)));
    }

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let now = CallTime::new(0, &TimeZone::UTC);
        for steps in [Steps::FromZero, Steps::AfterMinimum] {
            let terms = Terms { steps, increment: 60, min_time: 90, ..rate(7).terms };
            for blocked in [false, true] {
                let deck = Deck::new([("1", DeckRate { terms, blocked, ..rate(7) })]);
                assert_eq!(deck.find("12", now), Some(Found { prefix_length: 1, terms, blocked }));
            }
        }
        assert_eq!(size_of::<Packed>(), 64, "a rate is a cache line");
    }

    #[test]
    fn a_blocked_prefix_does_not_leave_it_to_a_shorter_one() {
        let deck = Deck::new([("370", rate(1)), ("370619", DeckRate { blocked: true, ..rate(1) })]);
        let now = CallTime::new(0, &TimeZone::UTC);
        assert!(deck.find("3706191", now).unwrap().blocked);
        assert!(!deck.find("3706181", now).unwrap().blocked);
    }
}
