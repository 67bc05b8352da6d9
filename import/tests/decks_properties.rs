//! What holds for every table and deck: nothing is lost, nothing panics, time grows with length.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashSet,
    fmt::Write as _,
    io::{Cursor, Write as _},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use rust_decimal::Decimal;
use tollbook_import::{
    Part, Profile,
    deck::{Deck, DeckItem, DeckOptions},
    table::{ColumnRef, Limits, Row, Table, TableOptions},
    values::{self, NumberFormat},
};

fn table(bytes: &[u8]) -> Option<Table> {
    let part = Part::from_bytes("input", bytes.to_vec()).unwrap();
    Table::open(part, &TableOptions::default(), &|_| false).ok()
}

fn deck(bytes: &[u8]) -> Option<Deck> {
    let part = Part::from_bytes("input", bytes.to_vec()).unwrap();
    let mut profile = Profile::default();
    profile.columns.ignore_unknown_columns = true;
    Deck::open(part, &profile, DeckOptions::default()).ok()
}

/// Pieces that files and attacks on their readers are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "\"",
        "\"\"",
        ",",
        ";",
        "\t",
        "|",
        "\n",
        "\r\n",
        "\r",
        " ",
        "\\",
        "a",
        "370",
        "0,02",
        "0.5",
        "prefix,rate\n",
        "370,0.1\n",
        "371,\"x\n",
        "Total",
        "é",
        "\u{feff}",
        "-",
        "n/a",
        "sep=;\n",
        "60/60",
        "7901-7905",
        "7900000-9999999",
        "2026-01-01",
        "370,0.1,03/04/2026,\n",
        "371,0.1,31/03/2026,\n",
        "372,0.1,03/31/2026,\n",
        "=1",
        "closed",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A cell of a workbook.
#[derive(Clone, Debug)]
enum Cell {
    Empty,
    Text(String),
    /// As the file has it.
    Number(&'static str),
}

fn cell() -> impl Strategy<Value = Cell> {
    let number = prop::sample::select(vec![
        "370",
        "0.02",
        "46357",
        "60",
        "1.7500000000000002E-2",
        "-1",
        "7E20",
        "1E400",
    ]);
    prop_oneof![
        1 => Just(Cell::Empty),
        2 => pieces().prop_map(Cell::Text),
        2 => number.prop_map(Cell::Number),
    ]
}

/// A workbook of one sheet with these rows.
fn workbook(rows: &[Vec<Cell>]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>");
    for (row, number) in rows.iter().zip(1..) {
        write!(sheet, "<row r=\"{number}\">").unwrap();
        for (cell, column) in row.iter().zip('A'..) {
            let escaped =
                |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('\r', "&#13;");
            match cell {
                Cell::Empty => Ok(()),
                Cell::Text(text) => write!(
                    sheet,
                    "<c r=\"{column}{number}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>",
                    escaped(text)
                ),
                Cell::Number(value) => write!(sheet, "<c r=\"{column}{number}\"><v>{value}</v></c>"),
            }
            .unwrap();
        }
        sheet.push_str("</row>");
    }
    sheet.push_str("</sheetData></worksheet>");
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets><sheet name=\"Rates\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let link = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{LINKS}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in [
        ("_rels/.rels", &link("officeDocument", "xl/workbook.xml")),
        ("xl/workbook.xml", &book),
        ("xl/_rels/workbook.xml.rels", &link("worksheet", "worksheets/sheet1.xml")),
        ("xl/worksheets/sheet1.xml", &sheet),
    ] {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(contents.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Each row of a table but its header is an item, or several, of the deck that it is.
fn every_row_is_an_item(name: &str, bytes: &[u8], profile: &Profile) -> Result<(), TestCaseError> {
    let part = || Part::from_bytes(name, bytes.to_vec()).unwrap();
    let options = profile.table_options(Limits::default());
    let mut table = Table::open(part(), &options, &|_| false).unwrap();
    let rows: Vec<u64> =
        std::iter::from_fn(|| table.next_row().unwrap()).map(|row| row.line()).collect();
    let Ok(deck) = Deck::open(part(), profile, DeckOptions::default()) else { return Ok(()) };
    let header = deck.columns().header_line();
    let mut seen = HashSet::new();
    for item in deck {
        // What remarks say of all rates is asked behind the last item.
        let Ok(item) = item else { break };
        match item {
            DeckItem::Line(line) => {
                prop_assert!((1..=32).contains(&line.prefix.len()));
                prop_assert!(line.rate.is_some() || line.blocked || line.closed || line.ended);
                prop_assert!(line.rate.is_none_or(|rate| rate >= Decimal::ZERO));
                prop_assert!(line.increment != Some(0));
                seen.insert(line.line);
            }
            DeckItem::Refused { line, .. } | DeckItem::Idle { line, .. } => {
                seen.insert(line);
            }
        }
    }
    for row in rows {
        let text = || String::from_utf8_lossy(bytes);
        prop_assert!(Some(row) == header || seen.contains(&row), "line {row} of {:?}", text());
    }
    Ok(())
}

proptest! {
    /// Each line that says anything is in a row.
    #[test]
    fn no_line_is_lost(text in pieces()) {
        let mut seen = HashSet::new();
        if let Some(mut table) = table(text.as_bytes()) {
            let mut last = 0;
            while let Some(row) = table.next_row().unwrap() {
                prop_assert!(row.line() > last, "rows overlap");
                prop_assert!(row.last_line() >= row.line());
                last = row.last_line();
                seen.extend(row.line()..=row.last_line());
            }
        }
        let text = text.trim_start_matches('\u{feff}');
        let ends = if text.contains('\n') { '\n' } else { '\r' };
        for (index, line) in text.split(ends).enumerate() {
            let says = line.chars().any(char::is_alphanumeric) && !line.trim_matches('"').starts_with("sep=");
            prop_assert!(!says || seen.contains(&(index as u64 + 1)), "{}: {line:?}", index + 1);
        }
    }

    /// Each row of a deck is an item, or several, of its line: with any separator, with names or positions,
    /// and in either width of letters.
    #[test]
    fn no_row_of_a_deck_is_lost(
        body in pieces(),
        separator in prop::sample::select(vec![',', ';', '\t', '|']),
        is_named in any::<bool>(),
        is_wide in any::<bool>(),
    ) {
        let head = if is_named { "prefix,rate,effective date,x\n" } else { "370,0.1,,\n" };
        let text = format!("{head}{body}\n").replace(',', &separator.to_string());
        let bytes = match is_wide {
            true => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            false => text.clone().into_bytes(),
        };
        let mut profile = Profile { separator: Some(separator), ..Profile::default() };
        profile.columns.ignore_unknown_columns = true;
        if !is_named {
            profile.columns.no_header = true;
            let places = [("prefix", 1), ("rate", 2), ("effective_from", 3)];
            let place = |(field, at): (&str, usize)| (field.to_owned(), ColumnRef::Position(at));
            profile.columns.columns = places.map(place).into();
        }
        every_row_is_an_item("input", &bytes, &profile)?;
    }

    /// The same of workbooks, in which a cell holds a text, a number or nothing.
    #[test]
    fn no_row_of_a_workbook_is_lost(
        rows in prop::collection::vec(prop::collection::vec(cell(), 1..6), 0..12),
    ) {
        let text = |text: &str| Cell::Text(text.to_owned());
        let head = ["prefix", "rate", "effective date", "x"].map(text).to_vec();
        let rows: Vec<Vec<Cell>> = [head].into_iter().chain(rows).collect();
        let mut profile = Profile::default();
        profile.columns.ignore_unknown_columns = true;
        let bytes = workbook(&rows);
        let part = Part::from_bytes("input.xlsx", bytes.clone()).unwrap();
        let table = Table::open(part, &TableOptions::default(), &|_| false).unwrap();
        let read: HashSet<u64> = table.into_rows().map(|row| row.unwrap().line()).collect();
        for (row, number) in rows.iter().zip(1..) {
            let says = row.iter().any(|cell| matches!(cell, Cell::Text(text) if !text.trim().is_empty()) || matches!(cell, Cell::Number(_)));
            prop_assert!(!says || read.contains(&number), "row {number} of {rows:?}");
        }
        every_row_is_an_item("input.xlsx", &bytes, &profile)?;
    }

    /// What a writer of CSV writes, with every quote doubled, comes back cell by cell.
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(prop::collection::vec("[a-z\",;\n\\\\ 0-9é]{0,8}", 3), 1..8),
    ) {
        let mut text = String::new();
        for row in &rows {
            let cells: Vec<_> =
                row.iter().map(|cell| format!("\"x{}\"", cell.replace('"', "\"\""))).collect();
            writeln!(text, "{}", cells.join(",")).unwrap();
        }
        let part = Part::from_bytes("input", text.into_bytes()).unwrap();
        let options = TableOptions { separator: Some(','), ..TableOptions::default() };
        let mut table = Table::open(part, &options, &|_| false).unwrap();
        let mut row = Row::default();
        for cells in rows {
            prop_assert!(table.read_row(&mut row).unwrap());
            prop_assert_eq!(row.problem(), None);
            let expected: Vec<String> =
                cells.iter().map(|cell| format!("x{cell}").trim().to_owned()).collect();
            prop_assert_eq!(row.cells().collect::<Vec<_>>(), expected);
        }
        prop_assert!(!table.read_row(&mut row).unwrap());
    }

    /// Any bytes at all.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(deck) = deck(&bytes) {
            deck.for_each(drop);
        }
        if let Ok(parts) = tollbook_import::table::Parts::new(
            "input".to_owned(),
            Box::new(std::io::Cursor::new([b"PK\x03\x04".as_slice(), &bytes].concat())),
            tollbook_import::table::Limits::default(),
        ) {
            parts.for_each(drop);
        }
    }

    /// No cell makes a reader of values panic, and what is read is as small as promised.
    #[test]
    fn any_cell(text in "\\PC{0,24}|[-+0-9.,:/ xXeE]{0,24}") {
        let _ = values::money(&text, NumberFormat::default());
        let _ = values::moment(&text, None);
        let _ = values::hours(&text, &text);
        let _ = values::days(&text);
        if let Ok(interval) = values::interval(&text) {
            prop_assert!((1..=3600).contains(&interval.increment));
        }
        if let Ok(found) = values::prefixes(&text, 50) {
            prop_assert!((1..=50).contains(&found.prefixes.len()));
        }
    }

    /// A range covers its numbers, each once, and no others.
    #[test]
    fn ranges_cover_their_numbers(from in 1000u32..100_000, width in 0u32..30_000) {
        let to = from + width;
        prop_assume!(from.to_string().len() == to.to_string().len());
        let found = values::prefixes(&format!("{from}-{to}"), 10_000).unwrap().prefixes;
        let covers = |number: u32| {
            let number = number.to_string();
            found.iter().filter(|prefix| number.starts_with(prefix.as_str())).count()
        };
        for number in [from, to, from + width / 2, from + width / 3] {
            prop_assert_eq!(covers(number), 1, "{} by {:?}", number, found);
        }
        for number in [from - 1, to + 1] {
            prop_assert_eq!(covers(number), 0, "{} by {:?}", number, found);
        }
    }

    /// A decimal that is printed is read as itself.
    #[test]
    fn decimals_are_read_as_they_are(number in 0i64..1_000_000_000_000, scale in 0u32..10) {
        let value = Decimal::new(number, scale);
        let format = NumberFormat { decimal: Some('.'), thousands: None };
        prop_assert_eq!(values::decimal(&value.to_string(), format), Ok(value));
        let format = NumberFormat { decimal: Some(','), thousands: None };
        prop_assert_eq!(values::decimal(&value.to_string().replace('.', ","), format), Ok(value));
    }
}

#[test]
fn decks_are_read_in_linear_time() {
    let time = |text: &str| {
        let once = || {
            let start = Instant::now();
            if let Some(deck) = deck(text.as_bytes()) {
                deck.for_each(drop);
            }
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let head = "prefix,destination,rate\n";
    for (head, part) in [
        (head, "370,\"a, b\",0.1\n"),
        (head, "370,\"a\n"),
        (head, "\"a\"\n\""),
        (head, "\"a\"b\n"),
        (head, "\"\"\"\n"),
        (head, ",\n"),
        (head, "\""),
        (head, ","),
        (head, "1,"),
        ("", ",,,,,,,"),
        ("", "prefix,rate,"),
        ("", "min min min "),
        ("", "\n"),
        ("", "\r"),
        ("prefix,rate\n370,", "1"),
        ("prefix,rate\n0.1,", "370-371;"),
    ] {
        let of = |count: usize| format!("{head}{}", part.repeat(count));
        let (few, many) = (time(&of(1_000)), time(&of(16_000)));
        // Sixteen times as much, with room for a busy machine.
        let most = few * 48 + Duration::from_millis(100);
        assert!(many < most, "{head:?} {part:?}: {few:?}, then {many:?}");
    }
}

/// Calls in a workbook are read by the reader of calls, decks on another thread than opened.
#[test]
fn a_table_feeds_the_reader_of_calls() {
    fn is_send<T: Send>(_: &T) {}
    let workbook = include_bytes!("decks/cases/workbooks/input.xlsx").to_vec();
    let part = Part::from_bytes("input.xlsx", workbook).unwrap();
    let table = Table::open(part, &TableOptions::default(), &|_| false).unwrap();
    is_send(&table);
    is_send(&deck(b"prefix,rate\n1,1\n").unwrap());
    let rows: tollbook_import::calls::SheetRows = Box::new(table.into_rows());
    let numbers: Vec<u64> = rows.map(|row| row.unwrap().line()).collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6, 8]);
}

/// What says that it is larger than the limit once unpacked is not unpacked.
#[test]
fn a_workbook_too_large_is_refused() {
    let workbook = include_bytes!("decks/cases/workbooks/input.xlsx").to_vec();
    let part = Part::from_bytes("input.xlsx", workbook.clone()).unwrap();
    let mut options = TableOptions::default();
    options.limits.held = workbook.len() as u64 + 1;
    let error = Table::open(part, &options, &|_| false).unwrap_err();
    assert!(matches!(error, tollbook_import::Error::TooLarge { .. }), "{error}");
}
