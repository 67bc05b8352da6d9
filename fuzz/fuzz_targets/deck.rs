//! Any bytes as a rate deck: each row is a rate, refused, or said to have none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rust_decimal::Decimal;
use tollbook_import::{
    Part, Profile,
    deck::{Deck, DeckItem, DeckOptions},
    table::ColumnRef,
};

fuzz_target!(|bytes: &[u8]| {
    let named = Profile::default();
    let mut positions = Profile::default();
    positions.columns.columns = [("prefix", 1), ("rate", 2)]
        .map(|(field, position)| (field.to_owned(), ColumnRef::Position(position)))
        .into();
    for mut profile in [named, positions] {
        profile.columns.ignore_unknown_columns = true;
        let Ok(part) = Part::from_bytes("input", bytes.to_vec()) else { continue };
        // These another library reads, whose panics are caught.
        if part.is_workbook() {
            continue;
        }
        let options = DeckOptions { currency: Some("EUR".to_owned()), ..DeckOptions::default() };
        let Ok(deck) = Deck::open(part, &profile, options) else { continue };
        for item in deck.map_while(Result::ok) {
            let DeckItem::Line(line) = item else { continue };
            assert!((1..=32).contains(&line.prefix.len()), "{line:?}");
            assert!(line.rate.is_some() || line.blocked || line.closed || line.ended, "{line:?}");
            assert!(line.rate.is_none_or(|rate| rate >= Decimal::ZERO), "{line:?}");
            assert!(line.increment != Some(0) && line.hours.from <= line.hours.to, "{line:?}");
        }
    }
});
