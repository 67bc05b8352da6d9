//! Rates of the deck's prefixes for other hours or days than its lines have, which would go on
//! counting beside these, or in their place: within a date, those for some days or later hours win.

use std::cmp::Reverse;

use tollbook_proto::v1::OtherHours;

use super::{
    Rate, comparison::Comparison, hours::Hours, import::Changes, missing::Ended, rate_key,
};
use crate::rating::DeckRate;

/// How many prefixes are named.
const NAMED: usize = 20;

/// What is to become of such rates.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Stay,
    /// They go: at once where the deck counts from the same time, and what is older from here on.
    Go(i64),
}

/// The rates that no line sets, and that do not begin to count later, which are given by prefix and
/// in the order in which they count.
pub(super) struct Beside {
    prefix: String,
    rates: Vec<DeckRate>,
    report: OtherHours,
}

impl Beside {
    pub(super) fn new() -> Self {
        Self { prefix: String::new(), rates: Vec::new(), report: OtherHours::default() }
    }

    /// The prefix whose rates are being read; empty: none is.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn add(&mut self, rate: Rate) {
        self.prefix = rate.prefix;
        self.rates.push(rate.rate);
    }

    /// Decides about the rates of the prefix that is complete, of which the deck has some lines, with
    /// their positions, those that begin to count first first.
    pub(super) fn end_prefix(
        &mut self,
        lines: &[(usize, &DeckRate)],
        fate: Fate,
        changes: &mut Changes,
        prices: &mut Comparison<'_>,
    ) {
        let (prefix, rates) = (std::mem::take(&mut self.prefix), std::mem::take(&mut self.rates));
        let Some((_, first)) = lines.first() else { return };
        let first = first.effective_from;
        let of = Prefix { name: &prefix, lines, first, rates };
        let found = match fate {
            Fate::Stay => of.name_what_stays(prices),
            Fate::Go(from) => of.remove(from.max(first), changes, prices),
        };
        if found > 0 {
            self.report.rates += found;
            self.report.prefixes += 1;
            if self.report.first_prefixes.len() < NAMED {
                self.report.first_prefixes.push(prefix);
            }
        }
    }

    /// What there is of them; `None`: nothing.
    pub(super) fn finish(self) -> Option<OtherHours> {
        (self.report.rates > 0).then_some(self.report)
    }
}

/// A prefix with the lines that the deck has of it, and the rates beside them.
struct Prefix<'a> {
    name: &'a str,
    lines: &'a [(usize, &'a DeckRate)],
    /// When the first line begins to count.
    first: i64,
    rates: Vec<DeckRate>,
}

impl Prefix<'_> {
    fn is_with_first(&self, rate: &DeckRate) -> bool {
        self.lines
            .iter()
            .take_while(|(_, line)| line.effective_from == self.first)
            .any(|(_, line)| Hours::of(line).overlaps(rate))
    }

    fn is_with_any(&self, rate: &DeckRate) -> bool {
        self.lines.iter().any(|(_, line)| Hours::of(line).overlaps(rate))
    }

    /// Counts the rates that count at some hour when the deck has begun to, and tells of lines that
    /// count at none because of them.
    fn name_what_stays(&self, prices: &mut Comparison<'_>) -> i64 {
        let rates = self.rates.iter().filter(|rate| rate.effective_from <= self.first);
        let first = self.lines.iter().take_while(|(_, line)| line.effective_from == self.first);
        let mut all: Vec<(Option<usize>, &DeckRate)> = first
            .map(|(at, line)| (Some(*at), *line))
            .chain(rates.map(|rate| (None, rate)))
            .collect();
        all.sort_by_key(|(_, rate)| {
            let (_, from, start, days) = rate_key("", rate);
            Reverse((from, days, start))
        });
        // What is free is so after all, and after the lines alone.
        let (mut free, mut of_lines) = (Hours::whole(), Hours::whole());
        let mut found = 0;
        for (at, rate) in all {
            let counts = free.overlaps(rate);
            free.take(rate);
            let Some(at) = at else {
                // An end of hours that the deck has not either hides nothing.
                found += i64::from(counts && (!rate.ended || self.is_with_first(rate)));
                continue;
            };
            if !counts && of_lines.overlaps(rate) {
                prices.hide(at);
            }
            of_lines.take(rate);
        }
        found
    }

    /// Deletes what would count from the same time as the deck, and ends from then on what is older and
    /// would go on counting at hours or on days of which the deck has no line. Returns how many.
    fn remove(self, from: i64, changes: &mut Changes, prices: &mut Comparison<'_>) -> i64 {
        let goes = |rate: &DeckRate| {
            let is_with_first = self.is_with_first(rate);
            // What a line of a later time has stays until then.
            rate.effective_from == self.first
                && (is_with_first || !rate.ended && !self.is_with_any(rate))
        };
        let (mut gone, stays): (Vec<_>, Vec<_>) = self.rates.iter().cloned().partition(goes);
        let mut free = Hours::whole();
        for (_, line) in self.lines {
            free.take(line);
        }
        let (mut ending, mut found) = (Hours::none(), 0);
        for rate in stays.iter().filter(|rate| rate.effective_from <= from) {
            if !rate.ended && free.overlaps(rate) {
                ending.add(free.common(rate));
                prices.add_beside(self.name, rate, Some(&DeckRate::end(from)));
                found += 1;
            }
            free.take(rate);
        }
        for rate in &gone {
            if !rate.ended {
                prices.add_beside(self.name, rate, None);
                found += 1;
            }
        }
        for (hours, days) in ending.pieces() {
            let end = DeckRate { hours, days, ..DeckRate::end(from) };
            let key = rate_key("", &end);
            let same = gone.iter().position(|rate| rate_key("", rate) == key);
            let before = same.map(|at| super::imports::text::image(&gone.swap_remove(at)));
            let prefix = self.name.to_owned();
            changes.ended.push(Ended { prefix, end, before: before.unwrap_or_default() });
        }
        let gone = gone.into_iter().map(|rate| Rate { prefix: self.name.to_owned(), rate });
        changes.deleted.extend(gone);
        found
    }
}
