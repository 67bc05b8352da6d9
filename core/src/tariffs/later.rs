//! Rates that count later than the deck which is imported, and which it does not set.

use tollbook_proto::v1::LaterRates;

use super::Rate;
use crate::clock;

/// How many prefixes are named.
const NAMED: usize = 20;

/// Counts later rates, which are given by prefix.
pub(super) struct Later {
    now: i64,
    report: LaterRates,
    first: Option<i64>,
    last_prefix: String,
    /// The last prefix of which such a rate counts already.
    last_by_now: String,
}

impl Later {
    pub(super) fn new(now: i64) -> Self {
        Self {
            now,
            report: LaterRates::default(),
            first: None,
            last_prefix: String::new(),
            last_by_now: String::new(),
        }
    }

    pub(super) fn add(&mut self, rate: &Rate) {
        let Rate { prefix, rate } = rate;
        self.report.rates += 1;
        self.first = Some(self.first.map_or(rate.effective_from, |f| f.min(rate.effective_from)));
        if self.last_prefix != *prefix {
            self.last_prefix.clone_from(prefix);
            self.report.prefixes += 1;
            if self.report.first_prefixes.len() < NAMED {
                self.report.first_prefixes.push(prefix.clone());
            }
        }
        if rate.effective_from <= self.now && self.last_by_now != *prefix {
            self.last_by_now.clone_from(prefix);
            self.report.prefixes_by_now += 1;
        }
    }

    /// What there is of them; `None`: nothing.
    pub(super) fn finish(self) -> Option<LaterRates> {
        let first_from = Some(clock::to_proto(self.first?));
        Some(LaterRates { first_from, ..self.report })
    }
}
