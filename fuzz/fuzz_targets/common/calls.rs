//! What each fuzz target of files of calls does: it reads bytes as a file of each of its formats,
//! and sees that no line is lost.

use std::{
    collections::HashSet,
    io::{BufRead, Cursor},
};

use tollbook_import::calls::{By, CallFile, CallItem, CallOptions, Format, Whose};

/// Reads bytes in each of the formats, and as a file of whom nobody knows.
pub fn read(bytes: &[u8], formats: &[Format]) {
    for format in formats.iter().copied().map(Some).chain([None]) {
        let whose = Whose { by: vec![By::Account, By::Peer, By::Point], otherwise: "a".to_owned() };
        let options = CallOptions {
            format,
            originator: whose.clone(),
            terminator: whose,
            ignore_unknown_columns: true,
            ..CallOptions::default()
        };
        let Ok(mut file) = CallFile::read(Box::new(Cursor::new(bytes.to_vec())), &options) else {
            continue;
        };
        let mut seen = HashSet::new();
        while let Ok(Some(item)) = file.next_item() {
            let (span, more) = match &item {
                CallItem::Call(call) => (call.span, call.bye_line),
                CallItem::Refused { span, .. } | CallItem::BLeg { span, .. } => (*span, None),
                CallItem::Idle => continue,
            };
            seen.extend((span.first..=span.last).chain(more));
            if let CallItem::Call(call) = item {
                let key = call.ids.key().expect("a call has an id");
                assert!(
                    (1..=255).contains(&key.len()) && (1..=255).contains(&call.destination.len())
                );
                assert!(call.source.len() <= 255 && (0..=999).contains(&call.hangup_cause));
                assert!(call.billsec_ms.is_some_and(|billsec| billsec >= 0));
            }
        }
        let is_tree = matches!(file.format(), Format::FreeswitchJson | Format::FreeswitchXml);
        // Only a byte order mark moves lines; a file with CRs alone has other lines than this.
        if !is_tree && bytes.is_ascii() && !bytes.contains(&b'\r') {
            assert_lines(bytes, &file, &seen);
        }
    }
}

/// Each line that says something is in an item.
fn assert_lines(bytes: &[u8], file: &CallFile, seen: &HashSet<u64>) {
    let header = file.header_line().unwrap_or(0);
    let lines: Vec<String> = Cursor::new(bytes).lines().map_while(Result::ok).collect();
    let first = usize::try_from(header).ok().and_then(|at| lines.get(at.wrapping_sub(1)));
    // The header again, in any of the ways to write it.
    let bare = |line: &str| line.replace(['"', ' '], "").to_lowercase();
    let head = first.map(|line| bare(line));
    for (index, line) in lines.iter().enumerate() {
        let number = index as u64 + 1;
        let says = line.chars().any(|c| !c.is_whitespace() && !",;|\"".contains(c));
        let types = line.contains("INTEGER")
            || line.contains("UNIQUEIDENTIFIER")
            || line.contains("VARCHAR");
        if number > header && says && !types && head.as_deref() != Some(&bare(line)) {
            assert!(seen.contains(&number), "line {number} is lost: {line:?}");
        }
    }
}
