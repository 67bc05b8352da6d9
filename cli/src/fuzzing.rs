//! What fuzzers reach: the way from a file to the core, given bytes.

use jiff::Timestamp;
use tollbook_import::{
    Part, Profile,
    deck::{Deck, DeckItem, DeckOptions},
};

/// Reads a rate deck; panics where the reader does, or where the core does with what was read.
pub fn rate_deck(bytes: &[u8]) {
    let Ok(part) = Part::from_bytes("deck", bytes.to_vec()) else { return };
    let Ok(deck) = Deck::open(part, &Profile::default(), DeckOptions::default()) else { return };
    for item in deck.map_while(Result::ok) {
        if let DeckItem::Line(line) = item {
            tollbook_core::fuzzing::rate_line(&crate::rates::import::rate_line(
                line,
                Timestamp::UNIX_EPOCH,
            ));
        }
    }
}
