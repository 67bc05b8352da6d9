//! Any bytes as a table of calls with a header: each line is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbook_import::calls::Format;

#[path = "common/calls.rs"]
mod calls;

fuzz_target!(|bytes: &[u8]| calls::read(
    bytes,
    &[
        Format::Tollbook,
        Format::AsteriskTable,
        Format::FreeswitchTable,
        Format::Yeti,
        Format::Vos3000,
        Format::ThreeCx,
        Format::Cisco,
        Format::Columns
    ]
));
