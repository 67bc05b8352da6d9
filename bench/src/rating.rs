//! Rating alone, in memory and on one core: the compiled deck against a plain hash map that
//! is probed by every prefix length.

use std::{collections::HashMap, hint::black_box, time::Instant};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use tollbook_rating::{CallTime, Days, Deck, DeckRate, LAST_SECOND, Steps, Terms};

use crate::traffic::Numbers;

/// How many prefixes the deck has.
const PREFIXES: usize = 300_000;
/// How many calls are rated in a round.
const CALLS: usize = 1_000_000;

/// What is compared.
pub(crate) struct Rating {
    deck: Deck,
    map: HashMap<String, Terms>,
    calls: Vec<(String, u32)>,
    time: CallTime,
}

impl Rating {
    /// A deck of distinct prefixes of 1 to 9 digits, most of them long as in real decks, and
    /// calls to numbers behind them, in the
    /// shares of real traffic.
    pub(crate) fn new() -> Self {
        let mut numbers = Numbers::new(4711);
        let mut map = HashMap::with_capacity(PREFIXES);
        while map.len() < PREFIXES {
            let length = 9 - (numbers.below(64).trailing_zeros().min(8) as usize);
            let digits = 10_u64.pow(u32::try_from(length).unwrap_or(1));
            let terms = Terms {
                rate: Decimal::new(i64::try_from(numbers.below(1_000_000)).unwrap_or(0), 6),
                connection_fee: Decimal::ZERO,
                increment: [1, 6, 60][usize::try_from(numbers.below(3)).unwrap_or(0)],
                min_time: 0,
                steps: Steps::FromZero,
            };
            map.insert(format!("{:0length$}", numbers.below(digits)), terms);
        }
        let mut prefixes: Vec<&String> = map.keys().collect();
        prefixes.sort();
        let deck = Deck::new(prefixes.iter().map(|prefix| {
            let rate = DeckRate {
                terms: map[*prefix],
                effective_from: i64::MIN,
                hours: (0, LAST_SECOND),
                days: Days::All,
                blocked: false,
                ended: false,
            };
            (prefix.as_str(), rate)
        }));
        let calls = (0..CALLS).map(|_| {
            let prefix = prefixes[numbers.zipf(PREFIXES)];
            let number = format!("{prefix}{:06}", numbers.below(1_000_000));
            (number, numbers.seconds())
        });
        let calls = calls.collect();
        Self { deck, map, calls, time: CallTime::new(0, &TimeZone::UTC) }
    }

    /// Calls per second by the deck.
    pub(crate) fn by_deck(&self) -> f64 {
        self.rate(|number| self.deck.find(number, self.time).map(|found| found.terms))
    }

    /// Calls per second by the map.
    pub(crate) fn by_map(&self) -> f64 {
        self.rate(|number| {
            (1..=number.len()).rev().find_map(|length| self.map.get(&number[..length]).copied())
        })
    }

    #[allow(clippy::cast_precision_loss, reason = "a million")]
    fn rate(&self, find: impl Fn(&str) -> Option<Terms>) -> f64 {
        let start = Instant::now();
        for (number, seconds) in &self.calls {
            let price =
                find(number).and_then(|terms| terms.price(terms.billed_seconds(*seconds, 0)));
            black_box(price);
        }
        CALLS as f64 / start.elapsed().as_secs_f64()
    }

    /// Bytes per prefix.
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn bytes_per_prefix(&self) -> f64 {
        self.deck.bytes() as f64 / self.deck.prefixes() as f64
    }
}
