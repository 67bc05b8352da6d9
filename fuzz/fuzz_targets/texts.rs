//! Amounts and networks: what is read is written and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| tollbook_core::fuzzing::texts(text));
