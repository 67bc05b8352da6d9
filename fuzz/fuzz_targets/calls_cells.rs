//! Any bytes as a file of Asterisk's or 3CX's: each line is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbook_import::calls::Format;

#[path = "common/calls.rs"]
mod calls;

fuzz_target!(|bytes: &[u8]| calls::read(
    bytes,
    &[Format::AsteriskCsv, Format::AsteriskCustom, Format::ThreeCx]
));
