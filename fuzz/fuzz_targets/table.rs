//! Any bytes as a table: each line that says anything is in a row, and rows do not overlap.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use tollbook_import::{
    Part,
    table::{Table, TableOptions},
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(part) = Part::from_bytes("input", bytes.to_vec()) else { return };
    // These another library reads, whose panics are caught.
    if part.is_workbook() {
        return;
    }
    let Ok(mut table) = Table::open(part, &TableOptions::default(), &|name| name == "rate") else {
        return;
    };
    let (mut seen, mut last) = (HashSet::new(), 0);
    while let Ok(Some(row)) = table.next_row() {
        assert!(row.line() > last && row.last_line() >= row.line(), "rows overlap");
        last = row.last_line();
        seen.extend(row.line()..=last);
        // What is in a cell comes from the row.
        assert!(row.cells().map(str::len).sum::<usize>() <= row.raw().len());
    }
    // Lines of other encodings, of workbooks, and of files with CRs alone are others than these.
    if bytes.is_ascii() && !bytes.contains(&0) && !bytes.contains(&b'\r') {
        let text = String::from_utf8_lossy(bytes);
        for (index, line) in text.lines().enumerate() {
            let says = line.chars().any(|c| c.is_ascii_alphanumeric());
            let separator = index == 0 && line.trim_matches('"').starts_with("sep=");
            let number = index as u64 + 1;
            assert!(!says || separator || seen.contains(&number), "line {number}: {line:?}");
        }
    }
});
