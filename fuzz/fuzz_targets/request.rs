//! Any query, content type, body and header: read or refused, and what is said of it is XML.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u8, &[u8], &str)| {
    let (query, kind, body, header) = input;
    let content_type = [
        "",
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data; boundary=X",
    ][usize::from(kind % 4)];
    if let Some(xml) = tollbook_shim::fuzzing::request(query, content_type, body, header) {
        roxmltree::Document::parse(&xml).expect("well-formed XML");
    }
});
