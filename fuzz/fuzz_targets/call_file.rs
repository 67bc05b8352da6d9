//! Any bytes as a file of calls, in each format: each line is read or refused.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = std::env::temp_dir().join(format!("tollbook-fuzz-call_file-{}", std::process::id()));
    tollbook::fuzzing::call_file(bytes, Path::new(&file));
});
