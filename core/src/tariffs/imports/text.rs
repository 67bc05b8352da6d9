//! What imports changed, as lines of text: `KEY`, what was there before, and what is there after it,
//! with tabs between; nothing where there was, or is, nothing. What is usual is left out: most lines
//! are hardly longer than a prefix and a price or two.
//!
//! Of a rate the key is its prefix, and behind an `@` when it begins to count, from which second of
//! the day and on which days; what it is like, its price, fee, increment, minimum time, last second
//! of the day, whether it is blocked (1) or has ended (2), and what its steps count from. Of a destination the key is its prefix, and what it is like
//! its name.

use std::fmt::Write;

use super::super::{Rate, RateKey, day_name, days_of};
use crate::{
    error::{Error, Result},
    rating::{Days, DeckRate, LAST_SECOND, Steps, Terms},
};

/// The key of a rate.
pub(in crate::tariffs) fn key(prefix: &str, rate: &DeckRate) -> String {
    let mut text = prefix.to_owned();
    text.push('@');
    let DeckRate { effective_from, hours: (start, _), days, .. } = rate;
    push(&mut text, "", effective_from, &i64::MIN);
    push(&mut text, ",", start, &0);
    push(&mut text, ",", &day_name(*days), &"");
    cut(&mut text, &['@', ',']);
    text
}

/// What a rate is like; two that are alike have the same text.
pub(in crate::tariffs) fn image(rate: &DeckRate) -> String {
    let DeckRate { terms, hours: (_, end), blocked, ended, effective_from: _, days: _ } = rate;
    let Terms { rate, connection_fee, increment, min_time, steps } = terms;
    let mut text = rate.normalize().to_string();
    push(&mut text, ",", &connection_fee.normalize().to_string().as_str(), &"0");
    push(&mut text, ",", increment, &1);
    push(&mut text, ",", min_time, &0);
    push(&mut text, ",", end, &LAST_SECOND);
    push(&mut text, ",", &(u8::from(*blocked) | u8::from(*ended) << 1), &0);
    push(&mut text, ",", &steps.number(), &0);
    cut(&mut text, &[',']);
    text
}

/// Adds a field; nothing where it is as usual.
fn push<T: std::fmt::Display + PartialEq>(
    text: &mut String,
    separator: &str,
    field: &T,
    usual: &T,
) {
    text.push_str(separator);
    if field != usual {
        // A text takes whatever is written to it.
        let _ = write!(text, "{field}");
    }
}

fn cut(text: &mut String, separators: &[char]) {
    text.truncate(text.trim_end_matches(separators).len());
}

/// Adds a line.
pub(in crate::tariffs) fn push_line(text: &mut String, key: &str, before: &str, after: &str) {
    for (part, end) in [(key, '\t'), (before, '\t'), (after, '\n')] {
        text.push_str(part);
        text.push(end);
    }
}

/// A line that was read.
struct Line {
    /// Where its parts are: where they begin, and how long they are.
    start: usize,
    key: u32,
    before: u32,
    after: u32,
    prefix: u32,
    start_time: u32,
    effective_from: i64,
    days: Days,
}

/// Lines that were read, by their positions.
#[derive(Default)]
pub(super) struct Lines {
    text: String,
    lines: Vec<Line>,
}

impl Lines {
    /// Adds lines that are stored.
    pub(super) fn extend(&mut self, text: &str) -> Result<()> {
        let mut start = self.text.len();
        for line in text.lines() {
            self.lines.push(read(line, start).ok_or_else(unreadable)?);
            start += line.len() + 1;
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Sorts them by their keys, in which [`Self::find`] finds them.
    pub(super) fn sort(&mut self) {
        let Self { text, lines } = self;
        // They are a few sorted sequences: an unstable sort would not make use of that.
        lines.sort_by(|one, other| one.key(text).cmp(&other.key(text)));
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn find(&self, key: RateKey<'_>) -> Option<usize> {
        self.lines.binary_search_by(|line| line.key(&self.text).cmp(&key)).ok()
    }

    /// The position of the name of a prefix.
    pub(super) fn find_prefix(&self, prefix: &str) -> Option<usize> {
        self.find((prefix, i64::MIN, 0, ""))
    }

    pub(super) fn prefix(&self, at: usize) -> &str {
        self.part(at, |line| (0, line.prefix))
    }

    pub(super) fn key(&self, at: usize) -> &str {
        self.part(at, |line| (0, line.key))
    }

    /// From when the rate of a line counts, as [`DeckRate::effective_from`].
    pub(super) fn effective_from(&self, at: usize) -> i64 {
        self.lines[at].effective_from
    }

    /// What was there before the import; empty: nothing.
    pub(super) fn before(&self, at: usize) -> &str {
        self.part(at, |line| (line.key + 1, line.before))
    }

    /// What is there after it; empty: nothing.
    pub(super) fn after(&self, at: usize) -> &str {
        self.part(at, |line| (line.key + line.before + 2, line.after))
    }

    fn part(&self, at: usize, part: impl FnOnce(&Line) -> (u32, u32)) -> &str {
        let line = &self.lines[at];
        let (offset, length) = part(line);
        let start = line.start + offset as usize;
        &self.text[start..start + length as usize]
    }

    /// The rate of a line's key that is as an image says.
    pub(super) fn rate(&self, at: usize, image: &str) -> Result<Rate> {
        let line = &self.lines[at];
        let rate = read_rate(line, image).ok_or_else(unreadable)?;
        Ok(Rate { prefix: self.prefix(at).to_owned(), rate })
    }
}

impl Line {
    fn key<'a>(&self, text: &'a str) -> RateKey<'a> {
        let prefix = &text[self.start..self.start + self.prefix as usize];
        (prefix, self.effective_from, self.start_time, day_name(self.days))
    }
}

fn read(line: &str, start: usize) -> Option<Line> {
    let mut parts = line.split('\t');
    let (key, before, after) = (parts.next()?, parts.next()?, parts.next()?);
    let (prefix, rest) = key.split_once('@').unwrap_or((key, ""));
    let mut fields = rest.split(',');
    let length = |text: &str| u32::try_from(text.len()).ok();
    Some(Line {
        start,
        key: length(key)?,
        before: length(before)?,
        after: length(after)?,
        prefix: length(prefix)?,
        effective_from: field(&mut fields, i64::MIN)?,
        start_time: field(&mut fields, 0)?,
        days: days_of(fields.next().unwrap_or_default())?,
    })
}

fn read_rate(line: &Line, image: &str) -> Option<DeckRate> {
    let mut fields = image.split(',');
    let rate = fields.next()?.parse().ok()?;
    let connection_fee = field(&mut fields, rust_decimal::Decimal::ZERO)?;
    let (increment, min_time) = (field(&mut fields, 1)?, field(&mut fields, 0)?);
    let end_time = field(&mut fields, LAST_SECOND)?;
    let state: u8 = field(&mut fields, 0)?;
    let steps = Steps::from_number(field(&mut fields, 0)?)?;
    Some(DeckRate {
        terms: Terms { rate, connection_fee, increment, min_time, steps },
        effective_from: line.effective_from,
        hours: (line.start_time, end_time),
        days: line.days,
        blocked: state & 1 != 0,
        ended: state & 2 != 0,
    })
}

/// The next field; as usual where it is empty or left out.
fn field<'a, T: std::str::FromStr>(
    fields: &mut impl Iterator<Item = &'a str>,
    usual: T,
) -> Option<T> {
    match fields.next() {
        None | Some("") => Some(usual),
        Some(text) => text.parse().ok(),
    }
}

fn unreadable() -> Error {
    Error::internal("a stored change of rates cannot be read")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn rates() -> impl Strategy<Value = DeckRate> {
        let number = prop_oneof![Just(0_u32), Just(1), 0..LAST_SECOND];
        let times = prop_oneof![Just(i64::MIN), Just(0), any::<i64>()];
        let days = prop_oneof![Just(Days::All), Just(Days::Work), Just(Days::Free)];
        let amounts = (0..2_000_000_u32, 0..2_000_u32);
        (
            amounts,
            [number.clone(), number.clone(), number.clone(), number],
            times,
            days,
            any::<bool>(),
        )
            .prop_map(|(amounts, numbers, effective_from, days, blocked)| DeckRate {
                terms: Terms {
                    rate: Decimal::new(amounts.0.into(), 6),
                    connection_fee: Decimal::new(amounts.1.into(), 3),
                    increment: numbers[0],
                    min_time: numbers[1],
                    steps: [Steps::FromZero, Steps::AfterMinimum][usize::from(blocked)],
                },
                effective_from,
                hours: (numbers[2], numbers[3]),
                days,
                blocked,
                ended: !blocked && numbers[0] == 0,
            })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(before in rates(), after in rates()) {
            let after = DeckRate {
                effective_from: before.effective_from,
                hours: (before.hours.0, after.hours.1),
                days: before.days,
                ..after
            };
            let mut text = String::new();
            push_line(&mut text, &key("370", &before), &image(&before), &image(&after));
            push_line(&mut text, &key("#1", &before), "", &image(&after));
            let mut lines = Lines::default();
            lines.extend(&text).unwrap();
            lines.extend(&text.replace("370", "371")).unwrap();
            lines.sort();
            prop_assert_eq!(lines.len(), 4);
            let found = lines.find(super::super::super::rate_key("370", &before)).unwrap();
            prop_assert_eq!(lines.rate(found, lines.before(found)).unwrap().rate, before);
            let rate = lines.rate(found, lines.after(found)).unwrap();
            prop_assert_eq!((rate.prefix.as_str(), rate.rate), ("370", after));
            prop_assert_eq!(lines.before(0), "");
        }
    }

    #[test]
    fn what_is_usual_takes_no_room() {
        let rate = DeckRate {
            terms: Terms {
                rate: Decimal::new(1250, 5),
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
        };
        assert_eq!((key("370", &rate), image(&rate)), ("370".to_owned(), "0.0125".to_owned()));
        let free = Terms { rate: Decimal::ZERO, ..rate.terms };
        let other = DeckRate { terms: free, days: Days::Work, blocked: true, ..rate };
        assert_eq!(
            (key("370", &other), image(&other)),
            ("370@,,WD".to_owned(), "0,,,,,1".to_owned())
        );
        assert_eq!(image(&DeckRate::end(7)), "0,,,,,2");
    }

    #[test]
    fn broken_lines_are_errors() {
        for line in ["370", "370\t1", "370@x\t\t1", "370@,,XX\t\t1"] {
            assert!(Lines::default().extend(line).is_err(), "{line}");
        }
    }
}
