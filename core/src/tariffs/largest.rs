//! The largest of many changes of prices.

use std::{cmp::Reverse, collections::BinaryHeap};

use rust_decimal::Decimal;
use tollbook_proto::v1::{RateChange, RateChangeKind};

use super::{
    lines::Lines,
    listing::{self, percent},
};
use crate::{clock, money};

/// A change by its size: in percent, by the amount, and by its place in the deck.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sized {
    percent: Decimal,
    amount: Decimal,
    place: Reverse<usize>,
    old: Decimal,
    at: usize,
}

impl Sized {
    pub(super) fn new(old: Decimal, new: Decimal, place: usize, at: usize) -> Self {
        // What was free has risen by more than any percentage.
        let percent = percent(old, new).map_or(Decimal::MAX, |percent| percent.abs());
        Self { percent, amount: (new - old).abs(), place: Reverse(place), old, at }
    }

    pub(super) fn change(&self, lines: &Lines) -> RateChange {
        let rate = lines.rate(self.at);
        let new = rate.terms.rate;
        let kind = match new > self.old {
            true => RateChangeKind::Raised,
            false => RateChangeKind::Lowered,
        };
        let change = RateChange {
            kind: kind.into(),
            old_rate: Some(money::to_proto(self.old)),
            new_rate: Some(money::to_proto(new)),
            change_percent: listing::percent_to_proto(self.old, new),
            effective_from: (rate.effective_from != i64::MIN)
                .then(|| clock::to_proto(rate.effective_from)),
            ..Default::default()
        };
        listing::of_line(change, lines, self.at)
    }
}

/// The largest of many changes.
pub(super) struct Largest {
    most: usize,
    kept: BinaryHeap<Reverse<Sized>>,
}

impl Largest {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: BinaryHeap::new() }
    }

    pub(super) fn add(&mut self, sized: Sized) {
        self.kept.push(Reverse(sized));
        if self.kept.len() > self.most {
            self.kept.pop();
        }
    }

    /// The largest first.
    pub(super) fn sorted(self) -> impl Iterator<Item = Sized> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(sized)| sized)
    }
}
