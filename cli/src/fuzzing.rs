//! What fuzzers reach: the readers of files, given bytes.

use std::{fs, path::Path};

use crate::rates::file as rates;

/// Reads a rate deck; panics where the reader does.
pub fn rate_deck(bytes: &[u8], file: &Path) {
    let format = rates::Format { columns: Vec::new(), delimiter: None, decimal: None };
    if fs::write(file, bytes).is_err() {
        return;
    }
    let Ok(mut deck) = rates::Deck::open(file, &format) else { return };
    while let Ok(Some(line)) = deck.next() {
        tollbook_core::fuzzing::rate_line(&line);
    }
}
