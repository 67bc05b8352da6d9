//! Any prefixes and any number: the compiled deck finds what a naive search does.
#![no_main]

use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;
use rust_decimal::Decimal;
use tollbook_rating::{CallTime, Days, Deck, DeckRate, LAST_SECOND, Steps, Terms, is_prefix};

fuzz_target!(|input: (Vec<&str>, &str)| {
    let (mut prefixes, number) = input;
    prefixes.retain(|prefix| is_prefix(prefix));
    prefixes.sort_unstable();
    prefixes.dedup();
    let rate = |index: usize| DeckRate {
        terms: Terms {
            rate: Decimal::from(index),
            connection_fee: Decimal::ZERO,
            increment: 1,
            min_time: 0,
            steps: Steps::FromZero,
        },
        effective_from: 0,
        hours: (0, LAST_SECOND),
        days: Days::All,
        blocked: false,
        ended: false,
    };
    let rates = prefixes.iter().enumerate().map(|(index, prefix)| (*prefix, rate(index)));
    let deck = Deck::new(rates);
    let found = deck.find(number, CallTime::new(1_768_471_200_000_000, &TimeZone::UTC));
    let naive = prefixes
        .iter()
        .enumerate()
        .filter(|(_, prefix)| number.starts_with(**prefix))
        .max_by_key(|(_, prefix)| prefix.len());
    assert_eq!(
        found.map(|found| (found.prefix_length, found.terms.rate)),
        naive.map(|(index, prefix)| (prefix.len(), Decimal::from(index))),
        "{number:?} in {prefixes:?}"
    );
});
