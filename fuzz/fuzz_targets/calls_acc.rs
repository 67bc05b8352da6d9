//! Any bytes as Kamailio's table acc: each line is read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbook_import::calls::Format;

#[path = "common/calls.rs"]
mod calls;

fuzz_target!(|bytes: &[u8]| calls::read(bytes, &[Format::KamailioAcc]));
