//! What a deck makes of prices, as a person would check it: how many rise and fall, by how much, and
//! which most. Deck and tariff are read past one another in the order of prefixes, so that no more
//! is kept than the stored rates of one prefix and the largest changes.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use tollbook_proto::v1::{ImportRatesOptions, RateChangeBand, RateChangeKind, RateChanges};

use super::{
    Rate,
    largest::{Largest, Sized},
    lines::Lines,
    listing::{Listing, Subject},
};
use crate::{
    error::{Error, Result},
    money::SCALE,
    rating::DeckRate,
};

/// How many of the largest changes a person looks at.
const LOOKED_AT: usize = 20;
const MAX_LARGEST: usize = 1_000;
/// What changes of prices are more than and up to, in percent, but for [`SAME`] and the one before it,
/// which have no change in common.
const BANDS: [(Option<i32>, Option<i32>); 12] = [
    (None, Some(-50)),
    (Some(-50), Some(-20)),
    (Some(-20), Some(-10)),
    (Some(-10), Some(-5)),
    (Some(-5), Some(0)),
    (Some(0), Some(0)),
    (Some(0), Some(5)),
    (Some(5), Some(10)),
    (Some(10), Some(20)),
    (Some(20), Some(50)),
    (Some(50), Some(100)),
    (Some(100), None),
];
/// How many prefixes are named that a newer rate decides about.
const NAMED: usize = 20;
/// The band of prices that stay.
const SAME: usize = 5;

/// How many of the largest changes are asked for.
pub(super) fn largest_changes(options: &ImportRatesOptions) -> Result<usize> {
    let Some(asked) = options.largest_changes else {
        return Ok(if options.dry_run { LOOKED_AT } else { 0 });
    };
    let most = usize::try_from(asked).ok().filter(|most| *most <= MAX_LARGEST);
    most.ok_or_else(|| Error::invalid("options.largest_changes", "must be 0 to 1000"))
}

/// A comparison under way.
pub(super) struct Comparison<'a> {
    lines: &'a Lines,
    /// The lines that count, by their keys.
    rates: &'a [usize],
    /// How many of them are compared.
    compared: usize,
    /// When the deck is imported, and whether later rates than the deck's are removed then.
    now: i64,
    replaces_later: bool,
    /// The prefix whose stored rates are being read, and these, the later first.
    prefix: String,
    stored: Vec<DeckRate>,
    /// Lines of the prefix, or of the one before, that count at no hour.
    hidden: Vec<usize>,
    report: RateChanges,
    bands: [i64; BANDS.len()],
    raises: Largest,
    drops: Largest,
    listing: Listing,
}

/// What a comparison is asked for.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// How many of the largest changes are named, and how many of each kind are listed.
    pub(super) largest: usize,
    pub(super) listed: usize,
    /// When the deck is imported.
    pub(super) now: i64,
    /// Whether later rates than the deck's are removed.
    pub(super) replaces_later: bool,
}

impl<'a> Comparison<'a> {
    /// Compares the lines that count, which are sorted by their keys.
    pub(super) fn new(lines: &'a Lines, rates: &'a [usize], asked: Asked) -> Self {
        let Asked { largest, listed, now, replaces_later } = asked;
        Self {
            lines,
            rates,
            compared: 0,
            now,
            replaces_later,
            prefix: String::new(),
            stored: Vec::new(),
            hidden: Vec::new(),
            report: RateChanges::default(),
            bands: [0; BANDS.len()],
            raises: Largest::new(largest),
            drops: Largest::new(largest),
            listing: Listing::new(listed),
        }
    }

    /// Takes the next stored rate: by prefix, those that begin to count later first.
    pub(super) fn add_stored(&mut self, rate: &Rate) {
        if rate.prefix != self.prefix {
            self.end_prefix();
            self.prefix.clone_from(&rate.prefix);
        }
        self.stored.push(rate.rate.clone());
    }

    /// Counts a rate that is deleted or ended as missing.
    pub(super) fn add_missing(
        &mut self,
        prefix: &str,
        before: Option<&DeckRate>,
        after: Option<&DeckRate>,
    ) {
        self.report.closed += 1;
        self.report.missing += 1;
        self.listing.add(RateChangeKind::Closed, Subject::Prefix(prefix), before, after);
    }

    /// Takes in a rate that is deleted since it counts later than the deck.
    pub(super) fn add_later(&mut self, Rate { prefix, rate }: &Rate) {
        let subject = Subject::Prefix(prefix);
        self.listing.add(RateChangeKind::LaterDeleted, subject, Some(rate), None);
    }

    /// Takes in a rate for other hours or days than the deck's lines have, which is deleted, or ended by
    /// another.
    pub(super) fn add_beside(&mut self, prefix: &str, rate: &DeckRate, end: Option<&DeckRate>) {
        let subject = Subject::Prefix(prefix);
        self.listing.add(RateChangeKind::OtherHoursDeleted, subject, Some(rate), end);
    }

    /// Takes a line for one that counts at no hour: it changes no price.
    pub(super) fn hide(&mut self, at: usize) {
        self.hidden.push(at);
    }

    /// Compares the lines up to the prefix whose stored rates are complete.
    fn end_prefix(&mut self) {
        while let Some(at) = self.rates.get(self.compared).copied() {
            let before = match self.lines.prefix(at).cmp(&self.prefix) {
                Ordering::Less => None,
                Ordering::Equal => in_effect(&self.stored, self.lines.rate(at), self.now).cloned(),
                Ordering::Greater => break,
            };
            match self.lines.prefix(at) == self.prefix && self.is_superseded(at, before.as_ref()) {
                true => self.supersede(at),
                false => self.compare(at, before.as_ref()),
            }
            self.compared += 1;
        }
        self.stored.clear();
        self.hidden.clear();
    }

    /// Whether a line of the prefix whose stored rates are being read would change something, were there
    /// not a rate from a later date that counts already, and stays.
    fn is_superseded(&self, at: usize, before: Option<&DeckRate>) -> bool {
        let line = self.lines.rate(at);
        let newer = counting(&self.stored, line, self.now)
            .is_some_and(|newer| newer.effective_from > line.effective_from);
        newer && !self.replaces_later && !self.hidden.contains(&at) && kind(before, line).is_some()
    }

    fn supersede(&mut self, at: usize) {
        self.report.superseded += 1;
        let first = &mut self.report.first_superseded_prefixes;
        let prefix = self.lines.prefix(at);
        if first.len() < NAMED && first.last().is_none_or(|last| last != prefix) {
            first.push(prefix.to_owned());
        }
    }

    fn compare(&mut self, at: usize, before: Option<&DeckRate>) {
        if self.hidden.contains(&at) {
            self.report.without_effect += 1;
            return;
        }
        let after = self.lines.rate(at);
        let kind = kind(before, after);
        let count = match kind {
            None => &mut self.report.unchanged,
            Some(RateChangeKind::Opened) => &mut self.report.opened,
            Some(RateChangeKind::Closed) => &mut self.report.closed,
            Some(RateChangeKind::Raised) => &mut self.report.raised,
            Some(RateChangeKind::Lowered) => &mut self.report.lowered,
            Some(_) => &mut self.report.other_terms,
        };
        *count += 1;
        if let Some(kind) = kind {
            self.listing.add(kind, Subject::Line(at), before, Some(after));
        }
        let Some(before) = before.filter(|before| !before.blocked) else { return };
        if after.blocked || after.ended {
            return;
        }
        let (old, new) = (before.terms.rate, after.terms.rate);
        self.bands[band(old, new)] += 1;
        let sized = match new.cmp(&old) {
            Ordering::Greater => &mut self.raises,
            Ordering::Less => &mut self.drops,
            Ordering::Equal => return,
        };
        sized.add(Sized::new(old, new, self.compared, at));
    }

    /// What came of it, when all stored rates have been read.
    pub(super) fn finish(mut self) -> RateChanges {
        self.end_prefix();
        while let Some(at) = self.rates.get(self.compared).copied() {
            self.compare(at, None);
            self.compared += 1;
        }
        let bands = BANDS.iter().zip(self.bands).map(|((above, up_to), rates)| RateChangeBand {
            above_percent: *above,
            up_to_percent: *up_to,
            rates,
        });
        let lines = self.lines;
        let listed = |largest: Largest| largest.sorted().map(|sized| sized.change(lines)).collect();
        RateChanges {
            bands: bands.collect(),
            raises: listed(self.raises),
            drops: listed(self.drops),
            listed: self.listing.finish(lines),
            ..self.report
        }
    }
}

/// What becomes of a rate that had a price, or refused calls; `None`: nothing.
fn kind(before: Option<&DeckRate>, after: &DeckRate) -> Option<RateChangeKind> {
    let Some(before) = before else {
        return match (after.blocked, after.ended) {
            (_, true) => None,
            (true, false) => Some(RateChangeKind::Closed),
            (false, false) => Some(RateChangeKind::Opened),
        };
    };
    if *before == (DeckRate { effective_from: before.effective_from, ..after.clone() }) {
        return None;
    }
    Some(match (before.blocked, after.blocked || after.ended) {
        (false, true) => RateChangeKind::Closed,
        (true, false) => RateChangeKind::Opened,
        (true, true) => RateChangeKind::OtherTerms,
        (false, false) => match after.terms.rate.cmp(&before.terms.rate) {
            Ordering::Greater => RateChangeKind::Raised,
            Ordering::Less => RateChangeKind::Lowered,
            Ordering::Equal => RateChangeKind::OtherTerms,
        },
    })
}

/// The stored rate that a line is compared with: the one that counts when the line begins to, or
/// for a line that counts always and takes no other's place the one that counts now.
fn in_effect<'a>(stored: &'a [DeckRate], line: &DeckRate, now: i64) -> Option<&'a DeckRate> {
    let at = |time| counting(stored, line, time);
    let always = line.effective_from == i64::MIN;
    let found = at(line.effective_from).or_else(|| at(now).filter(|_| always));
    found.filter(|rate| !rate.ended)
}

/// The stored rate that counts at a time, of the same prefix, hours and days. They are sorted so that
/// it is the first.
fn counting<'a>(stored: &'a [DeckRate], line: &DeckRate, time: i64) -> Option<&'a DeckRate> {
    let same = |rate: &DeckRate| rate.hours.0 == line.hours.0 && rate.days == line.days;
    stored.iter().find(|rate| rate.effective_from <= time && (same(rate) || rate.ends_prefix()))
}

/// An amount in its smallest units. It has at most 12 digits before and 15 behind the point.
fn units(amount: Decimal) -> i128 {
    amount.mantissa() * 10_i128.pow(SCALE.saturating_sub(amount.scale()))
}

/// In which band a change of a price is, exactly.
fn band(old: Decimal, new: Decimal) -> usize {
    let (old, new) = (units(old), units(new));
    let change = (new - old) * 100;
    let is_up_to = |(_, up_to): &(_, Option<i32>)| {
        up_to.is_none_or(|percent| change <= i128::from(percent) * old)
    };
    let (first, bands) = match change.cmp(&0) {
        Ordering::Less => (0, &BANDS[..SAME]),
        Ordering::Equal => return SAME,
        Ordering::Greater => (SAME + 1, &BANDS[SAME + 1..]),
    };
    first + bands.iter().position(is_up_to).unwrap_or(bands.len() - 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cmp::Reverse;

    use jiff::tz::TimeZone;
    use proptest::prelude::*;
    use tollbook_proto::v1::{RateChange, RateLine};

    use super::*;
    use crate::tariffs::{RateKey, line, rate_key};

    /// A line `prefix rate [from] [increment] [day type]`; `-` is a default.
    fn written(text: &str) -> RateLine {
        let mut words = text.split(' ').map(|word| if word == "-" { "" } else { word }.to_owned());
        let mut word = || words.next().unwrap_or_default();
        RateLine {
            prefix: word(),
            rate: word(),
            effective_from: word(),
            increment: word(),
            day_type: word(),
            ..Default::default()
        }
    }

    fn read(text: &str) -> Rate {
        line::read(&written(text), &TimeZone::UTC).unwrap()
    }

    /// What a deck of such lines makes of such stored rates.
    fn compared(stored: &[String], deck: &[String], largest: usize) -> RateChanges {
        compared_at("2000-01-01T00:00:00Z", stored, deck, largest)
    }

    /// The same at some time.
    fn compared_at(now: &str, stored: &[String], deck: &[String], largest: usize) -> RateChanges {
        compared_with(now, false, stored, deck, largest)
    }

    /// The same, where later rates may be removed.
    fn compared_with(
        now: &str,
        replaces_later: bool,
        stored: &[String],
        deck: &[String],
        largest: usize,
    ) -> RateChanges {
        let now = now.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let mut stored: Vec<Rate> = stored.iter().map(|text| read(text)).collect();
        stored.sort_by(|one, other| {
            let later = |rate: &Rate| Reverse(rate.rate.effective_from);
            (&one.prefix, later(one)).cmp(&(&other.prefix, later(other)))
        });
        let mut lines = Lines::default();
        for (number, text) in (1..).zip(deck) {
            lines.push(number, read(text), "");
        }
        let mut rates: Vec<usize> = (0..lines.len()).collect();
        rates.sort_by(|one, other| lines.key(*one).cmp(&lines.key(*other)));
        let mut comparison =
            Comparison::new(&lines, &rates, Asked { largest, listed: 3, now, replaces_later });
        for rate in &stored {
            comparison.add_stored(rate);
        }
        comparison.finish()
    }

    fn counts(changes: &RateChanges) -> [i64; 6] {
        let RateChanges { opened, raised, lowered, other_terms, unchanged, closed, .. } = changes;
        [*opened, *raised, *lowered, *other_terms, *unchanged, *closed]
    }

    #[test]
    fn a_line_is_compared_with_the_rate_that_counts_when_it_begins_to() {
        let stored = [
            "37 1",
            "37 2 2026-03-01",
            "37 4 2026-06-01",
            "37 9 2026-01-01 - WD",
            "44 0",
            "5 blocked",
            "6 1 2026-06-01",
        ];
        let stored = stored.map(str::to_owned);
        let [opened, raised, lowered, other, unchanged, closed] =
            [0, 1, 2, 3, 4, 5].map(|kind| [0, 1, 2, 3, 4, 5].map(|at| i64::from(at == kind)));
        for (line, expected) in [
            ("37 1.5", raised),
            ("37 1.5 2026-02-28", raised),
            ("37 1.5 2026-03-01", lowered),
            ("37 3 2026-05-31", raised),
            ("37 3 2026-06-01", lowered),
            ("37 4 2027-01-01", unchanged),
            ("37 4 2027-01-01 60", other),
            ("37 4 2027-01-01 - WD", lowered),
            ("37 9 2026-01-01 - WD", unchanged),
            ("37 9 2025-12-31 - WD", opened),
            ("37 blocked 2026-07-01", closed),
            ("371 1", opened),
            ("3 blocked", closed),
            ("44 0.1", raised),
            ("44 0", unchanged),
            ("5 0.1", opened),
            ("5 blocked", unchanged),
            ("5 blocked - 60", other),
            // It begins to have a price half a year before.
            ("6 1", opened),
            ("6 1 2026-07-01", unchanged),
        ] {
            let changes = compared(&stored, &[line.to_owned()], 20);
            assert_eq!(counts(&changes), expected, "{line}");
            let in_bands: i64 = changes.bands.iter().map(|band| band.rates).sum();
            let has_both = ![opened, closed].contains(&expected) && !line.contains("blocked");
            assert_eq!(in_bands, i64::from(has_both), "{line}");
        }
    }

    /// What is not dated is compared with what it is to be from now on.
    #[test]
    fn a_line_without_a_date_is_compared_with_the_rate_of_today() {
        let stored =
            ["6 1 2026-01-01", "6 3 2026-06-01", "6 9 2026-01-01 - WD", "7 2", "7 3 2026-01-01"];
        let stored = stored.map(str::to_owned);
        for (line, now, expected) in [
            ("6 2", "2025-12-31T00:00:00Z", [1, 0, 0, 0, 0, 0]),
            ("6 3", "2026-06-01T00:00:00Z", [0, 0, 0, 0, 1, 0]),
            // Whose place it takes comes first: the same deck again changes nothing.
            ("7 2", "2026-06-01T00:00:00Z", [0, 0, 0, 0, 1, 0]),
            ("7 2.5", "2025-12-31T00:00:00Z", [0, 1, 0, 0, 0, 0]),
        ] {
            let changes = compared_at(now, &stored, &[line.to_owned()], 20);
            assert_eq!(counts(&changes), expected, "{line} {now}");
            assert_eq!(changes.superseded, 0, "{line} {now}");
        }
        // A rate from a later date counts already: the line changes no price, unless that is removed.
        for (line, replaced) in [
            ("6 2", [0, 0, 1, 0, 0, 0]),
            ("6 2 2026-05-31", [0, 1, 0, 0, 0, 0]),
            ("6 blocked", [0, 0, 0, 0, 0, 1]),
            ("6 3 - - WD", [0, 0, 1, 0, 0, 0]),
            ("7 2.5", [0, 1, 0, 0, 0, 0]),
        ] {
            let compared = |replaces| {
                let now = "2026-06-01T00:00:00Z";
                compared_with(now, replaces, &stored, &[line.to_owned()], 20)
            };
            let changes = compared(false);
            assert_eq!((counts(&changes), changes.superseded), ([0; 6], 1), "{line}");
            assert_eq!(changes.first_superseded_prefixes, [&line[..1]], "{line}");
            assert!(changes.raises.is_empty() && changes.drops.is_empty(), "{line}");
            assert_eq!(counts(&compared(true)), replaced, "{line}");
        }
    }

    #[test]
    fn changes_are_listed_by_prefix_and_kind() {
        let stored = ["1 1", "2 2 - 60", "3 1", "4 1"].map(str::to_owned);
        let deck =
            ["5 1", "4 2", "3 blocked 2026-01-01", "2 2", "12 1", "13 1", "11 blocked", "9 1"];
        let changes = compared(&stored, &deck.map(str::to_owned), 0);
        let shown: Vec<_> = changes
            .listed
            .iter()
            .map(|change| {
                let price = |rate: Option<&tollbook_proto::v1::Decimal>| {
                    rate.map_or("-", |it| &it.value).to_owned()
                };
                let prices = [change.old_rate.as_ref(), change.new_rate.as_ref()].map(price);
                (change.prefix.as_str(), change.kind(), prices.join(" "))
            })
            .collect();
        let expected = [
            ("11", RateChangeKind::Closed, "- -"),
            ("12", RateChangeKind::Opened, "- 1"),
            ("13", RateChangeKind::Opened, "- 1"),
            ("2", RateChangeKind::OtherTerms, "2 2"),
            ("3", RateChangeKind::Closed, "1 -"),
            ("4", RateChangeKind::Raised, "1 2"),
            // There is a fourth new one.
            ("5", RateChangeKind::Opened, "- 1"),
        ];
        assert_eq!(shown, expected.map(|(prefix, kind, prices)| (prefix, kind, prices.to_owned())));
        let increments = |rate: &Option<tollbook_proto::v1::Rate>| rate.as_ref().unwrap().increment;
        let other = &changes.listed[3];
        assert_eq!((increments(&other.before), increments(&other.after)), (60, 1));
    }

    #[test]
    fn bands_end_where_they_are_said_to() {
        let change = |old: &str, new: &str| {
            let [old, new] = [old, new].map(|text| Decimal::from_str_exact(text).unwrap());
            BANDS[band(old, new)]
        };
        for (new, above, up_to) in [
            ("0", None, Some(-50)),
            ("0.5", None, Some(-50)),
            ("0.500000000000001", Some(-50), Some(-20)),
            ("0.8", Some(-50), Some(-20)),
            ("0.9", Some(-20), Some(-10)),
            ("0.95", Some(-10), Some(-5)),
            ("0.950000000000001", Some(-5), Some(0)),
            ("0.999999999999999", Some(-5), Some(0)),
            ("1", Some(0), Some(0)),
            ("1.000000000000001", Some(0), Some(5)),
            ("1.05", Some(0), Some(5)),
            ("1.050000000000001", Some(5), Some(10)),
            ("1.2", Some(10), Some(20)),
            ("1.5", Some(20), Some(50)),
            ("2", Some(50), Some(100)),
            ("2.000000000000001", Some(100), None),
        ] {
            assert_eq!(change("1.000", new), (above, up_to), "{new}");
        }
        assert_eq!(change("0", "0.000000000000001"), (Some(100), None));
        assert_eq!(change("0", "0"), (Some(0), Some(0)));
        // 27 digits, and a fraction of the last of them.
        assert_eq!(change("999999999999.999999999999999", "0.000000000000001").1, Some(-50));
        assert_eq!(change("0.000000000000001", "999999999999.999999999999999").0, Some(100));
    }

    #[test]
    fn the_largest_changes_are_named() {
        let stored = ["1 0", "2 0.3", "3 0.01", "4 0.02", "5 0.4", "6 0.2"].map(str::to_owned);
        let deck = ["1 0.001", "2 0.4", "3 0.02", "4 0.04", "5 0.1", "6 0"].map(str::to_owned);
        let changes = compared(&stored, &deck, 3);
        let shown = |changes: &[RateChange]| -> Vec<(String, String, i64)> {
            let percent = |change: &RateChange| change.change_percent.clone().map(|it| it.value);
            changes
                .iter()
                .map(|it| (it.prefix.clone(), percent(it).unwrap_or_default(), it.number))
                .collect()
        };
        let expected = |changes: &[(&str, &str, i64)]| -> Vec<(String, String, i64)> {
            changes.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), *c)).collect()
        };
        // Of changes by the same percentage the one by more money is larger.
        let raises = [("1", "", 1), ("4", "100", 4), ("3", "100", 3)];
        assert_eq!(shown(&changes.raises), expected(&raises));
        assert_eq!(shown(&changes.drops), expected(&[("6", "-100", 6), ("5", "-75", 5)]));
        let all = compared(&stored, &deck, 20);
        assert_eq!(shown(&all.raises)[3], ("2".to_owned(), "33.33".to_owned(), 2));
        assert!(compared(&stored, &deck, 0).raises.is_empty());
    }

    fn any_rates() -> impl Strategy<Value = Vec<String>> {
        let prefix = prop::sample::select(vec!["1", "12", "2", "3"]);
        let rate = prop::sample::select(vec!["0", "0.1", "0.11", "0.3", "blocked"]);
        let from = prop::sample::select(vec!["-", "2026-01-01", "2026-01-02", "2026-01-03"]);
        let days = prop::sample::select(vec!["-", "WD"]);
        let line = (prefix, rate, from, days)
            .prop_map(|(prefix, rate, from, days)| format!("{prefix} {rate} {from} - {days}"));
        prop::collection::vec(line, 0..12).prop_map(|mut lines| {
            let key = |text: &String| {
                let rate = read(text);
                let (prefix, from, start, days): RateKey<'_> = rate_key(&rate.prefix, &rate.rate);
                (prefix.to_owned(), from, start, days)
            };
            lines.sort_by_key(key);
            lines.dedup_by_key(|line| key(line));
            lines
        })
    }

    proptest! {
        /// Reading past one another finds what looking everywhere does, and counts each line once.
        #[test]
        fn a_merge_finds_what_a_search_does(stored in any_rates(), deck in any_rates()) {
            let changes = compared(&stored, &deck, 3);
            let mut expected = [0; 6];
            for line in &deck {
                let one = compared(&stored, std::slice::from_ref(line), 0);
                for (count, sum) in counts(&one).into_iter().zip(&mut expected) {
                    *sum += count;
                }
            }
            prop_assert_eq!(counts(&changes), expected);
            prop_assert_eq!(expected.iter().sum::<i64>(), i64::try_from(deck.len()).unwrap());
        }
    }
}
