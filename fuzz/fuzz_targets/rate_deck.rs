//! Any bytes as a rate deck: each line is read or refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = std::env::temp_dir().join(format!("tollbook-fuzz-rate_deck-{}", std::process::id()));
    tollbook::fuzzing::rate_deck(bytes, Path::new(&file));
});
