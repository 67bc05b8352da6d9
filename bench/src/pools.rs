//! A number pool of a million in memory, against a binary search that knows no patterns.

use std::{hint::black_box, time::Instant};

use tollbook_core::Patterns;

use crate::traffic::Numbers;

/// How many numbers the pool has, and how many patterns beside them.
const NUMBERS: u64 = 1_000_000;
const PATTERNS: u64 = 1_000;
/// How many numbers are looked up in a round: half of them are not there.
const LOOK_UPS: u64 = 200_000;

/// What is compared.
pub(crate) struct Pool {
    patterns: Patterns,
    sorted: Vec<String>,
    asked: Vec<String>,
}

impl Pool {
    /// Numbers of eleven digits; beginnings of nine, and numbers with an unknown digit.
    pub(crate) fn new() -> Self {
        let mut numbers = Numbers::new(4711);
        let mut number = || format!("{:011}", numbers.below(100_000_000_000));
        let mut sorted: Vec<String> = (0..NUMBERS).map(|_| number()).collect();
        let patterns = (0..PATTERNS).map(|_| number()).enumerate().map(|(n, number)| match n % 2 {
            0 => format!("{}%", &number[..9]),
            _ => format!("{}_{}", &number[..6], &number[7..]),
        });
        let patterns: Vec<String> = patterns.collect();
        let known = sorted.iter().step_by(10).take(100_000).cloned();
        let mut asked: Vec<String> = known.collect();
        asked.extend((0..LOOK_UPS / 2).map(|_| number()));
        let patterns = Patterns::new(sorted.iter().cloned().chain(patterns).collect());
        sorted.sort_unstable();
        Self { patterns, sorted, asked }
    }

    /// Look-ups per second in the pool.
    pub(crate) fn by_patterns(&self) -> f64 {
        self.rate(|number| self.patterns.contain(number))
    }

    /// Look-ups per second of numbers alone.
    pub(crate) fn by_search(&self) -> f64 {
        self.rate(|number| self.sorted.binary_search_by(|known| known.as_str().cmp(number)).is_ok())
    }

    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn rate(&self, find: impl Fn(&str) -> bool) -> f64 {
        let start = Instant::now();
        for number in &self.asked {
            black_box(find(number));
        }
        self.asked.len() as f64 / start.elapsed().as_secs_f64()
    }
}
