//! Any bytes in place of a legacy signature: none fits a key that it was not made with.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tollbook_core::fuzzing::legacy_signature(bytes));
