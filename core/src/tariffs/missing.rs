//! Prefixes that a deck does not have, on their way out: at once, or from the day on which the deck
//! begins to count.

use super::{Rate, comparison::Comparison, import::Changes, rate_key};
use crate::rating::DeckRate;

/// A prefix that ends, or does at some hours.
pub(super) struct Ended {
    pub(super) prefix: String,
    /// Its end.
    pub(super) end: DeckRate,
    /// The text of the rate whose place the end takes; empty: none.
    pub(super) before: String,
}

/// The rates of missing prefixes, which are given by prefix, those that begin to count later first.
pub(super) struct Missing {
    /// From when they end; `None`: at once.
    from: Option<i64>,
    /// The prefix whose rates are being read, and these.
    prefix: String,
    rates: Vec<DeckRate>,
}

impl Missing {
    pub(super) fn new(from: Option<i64>) -> Self {
        Self { from, prefix: String::new(), rates: Vec::new() }
    }

    /// Takes the next rate of a prefix that is missing.
    pub(super) fn add(&mut self, rate: Rate, changes: &mut Changes, prices: &mut Comparison<'_>) {
        if self.from.is_none() {
            prices.add_missing(&rate.prefix, Some(&rate.rate), None);
            changes.deleted.push(rate);
            return;
        }
        if rate.prefix != self.prefix {
            self.end_prefix(changes, prices);
            self.prefix = rate.prefix;
        }
        self.rates.push(rate.rate);
    }

    /// Ends the prefix whose rates are complete: what counts before the day stays as it is, what
    /// would begin to count then or later goes, and where anything is left to end, an end follows it.
    pub(super) fn end_prefix(&mut self, changes: &mut Changes, prices: &mut Comparison<'_>) {
        let Some(from) = self.from else { return };
        let rates = std::mem::take(&mut self.rates);
        let (late, earlier) =
            rates.split_at(rates.partition_point(|rate| rate.effective_from >= from));
        let needs_end = earlier.first().is_some_and(|rate| !rate.ends_prefix());
        let end = DeckRate::end(from);
        let (mut is_ended, mut before) = (!needs_end, String::new());
        let mut closes = false;
        for rate in late {
            if needs_end && *rate == end {
                is_ended = true;
                continue;
            }
            closes |= !rate.ended;
            if needs_end && rate_key("", rate) == rate_key("", &end) {
                before = super::imports::text::image(rate);
                continue;
            }
            changes.deleted.push(Rate { prefix: self.prefix.clone(), rate: rate.clone() });
        }
        if !is_ended {
            closes = true;
            changes.ended.push(Ended { prefix: self.prefix.clone(), end: end.clone(), before });
        }
        if closes {
            let before = earlier.first().filter(|rate| !rate.ended).or(rates.first());
            prices.add_missing(&self.prefix, before, needs_end.then_some(&end));
        }
    }
}
