//! Any bytes as a rate deck: each line is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tollbook::fuzzing::rate_deck(bytes));
