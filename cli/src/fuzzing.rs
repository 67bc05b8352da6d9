//! What fuzzers reach: the readers of files, given bytes.

use std::{fs, path::Path};

use jiff::tz::TimeZone;

use crate::{calls::file as calls, rates::file as rates};

/// Reads a file of calls in each format; panics where a reader does.
pub fn call_file(bytes: &[u8], file: &Path) {
    if fs::write(file, bytes).is_err() {
        return;
    }
    let formats = [calls::Format::Tollbook, calls::Format::Asterisk, calls::Format::Freeswitch];
    for format in formats.map(Some).into_iter().chain([None]) {
        let options = calls::Options {
            format,
            zone: TimeZone::UTC,
            terminator: String::new(),
            terminator_from_channel: true,
        };
        let Ok(mut calls) = calls::CallFile::open(file, options) else { continue };
        while let Ok(Some(_)) = calls.next() {}
    }
}

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
