//! Made-up traffic, the same on every run: shares and durations as real traffic has them.

#![allow(clippy::float_arithmetic, reason = "shares and durations, not money")]

use prost_types::Timestamp;
use tollbook_proto::v1::{CallRecord, Disposition};

/// A generator that gives the same numbers on every run (splitmix64).
pub struct Numbers(u64);

impl Numbers {
    /// The numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// From 0 up to, not including, a limit, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// From 0 up to, not including, 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Which of `count` destinations a call goes to: the one of rank n gets a share of 1/n.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a position among some hundred thousands"
    )]
    pub fn zipf(&mut self, count: usize) -> usize {
        let rank = ((count + 1) as f64).powf(self.unit()) as usize;
        // Popular destinations do not stand side by side.
        rank.wrapping_mul(2_654_435_761) % count
    }

    /// The billed seconds of a call: four of ten are answered, for a minute in the median.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "capped at hours")]
    pub fn seconds(&mut self) -> u32 {
        if self.unit() >= 0.4 {
            return 0;
        }
        let normal =
            (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        (60.0 * (1.2 * normal).exp()).min(14_400.0) as u32
    }
}

/// A day of calls, in the order in which they began.
pub struct Traffic {
    numbers: Numbers,
    /// When the day begins, and how many microseconds lie between two calls.
    start: i64,
    step: i64,
    made: u64,
    count: u64,
    originators: Vec<String>,
    terminators: Vec<String>,
    prefixes: Vec<String>,
}

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

impl Traffic {
    /// `count` calls of a day that begins at `start`, seconds since 1970. No list may be
    /// empty. Originators and prefixes get shares by their place, the first ones most; each
    /// originator has a terminator or two.
    #[must_use]
    pub fn new(
        seed: u64,
        start: i64,
        count: u64,
        originators: Vec<String>,
        terminators: Vec<String>,
        prefixes: Vec<String>,
    ) -> Self {
        Self {
            numbers: Numbers::new(seed),
            start: start * 1_000_000,
            step: DAY / i64::try_from(count.max(1)).unwrap_or(i64::MAX),
            made: 0,
            count,
            originators,
            terminators,
            prefixes,
        }
    }
}

impl Iterator for Traffic {
    type Item = CallRecord;

    fn next(&mut self) -> Option<CallRecord> {
        if self.made == self.count {
            return None;
        }
        let numbers = &mut self.numbers;
        let start = self.start + i64::try_from(self.made).unwrap_or_default() * self.step;
        self.made += 1;
        let ringing = i64::try_from(1_000 + numbers.below(20_000)).unwrap_or_default();
        let billsec = i64::from(numbers.seconds()) * 1_000;
        let (disposition, hangup_cause) = match billsec {
            0 => match numbers.below(12) {
                0..5 => (Disposition::NoAnswer, 19),
                5..8 => (Disposition::Busy, 17),
                8..10 => (Disposition::Failed, 34),
                _ => (Disposition::Failed, 1),
            },
            _ => (Disposition::Answered, 16),
        };
        let prefix = &self.prefixes[numbers.zipf(self.prefixes.len())];
        let originator = numbers.zipf(self.originators.len());
        let route = usize::try_from(numbers.below(2)).unwrap_or_default();
        let terminator = (originator + route) % self.terminators.len();
        let nanos = i32::try_from(start.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
        let timestamp = Timestamp { seconds: start.div_euclid(1_000_000), nanos };
        Some(CallRecord {
            call_id: format!("{:016x}{:016x}", numbers.next(), numbers.next()),
            start_time: Some(timestamp),
            duration_ms: Some(ringing + billsec),
            billsec_ms: Some(billsec),
            disposition: disposition.into(),
            hangup_cause,
            source: format!("37060{:06}", numbers.below(1_000_000)),
            destination: format!("{prefix}{:06}", numbers.below(1_000_000)),
            originator: self.originators[originator].clone(),
            terminator: self.terminators[terminator].clone(),
            ..Default::default()
        })
    }
}
