//! Any bytes as a file of FreeSWITCH's mod_cdr_csv: each line is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbook_import::calls::Format;

#[path = "common/calls.rs"]
mod calls;

fuzz_target!(|bytes: &[u8]| calls::read(
    bytes,
    &[
        Format::FreeswitchSql,
        Format::FreeswitchExample,
        Format::FreeswitchSnom,
        Format::FreeswitchLinksys,
        Format::FreeswitchAsterisk,
        Format::FreeswitchOpencdrrate
    ]
));
