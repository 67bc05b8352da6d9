//! Workbooks: what their cells hold, as decks and as calls are read from it.
#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write as _,
    io::{Cursor, Write as _},
};

use tollbook_import::{
    Error, Part, Profile,
    calls::{CallFile, CallItem, CallOptions},
    deck::{Deck, DeckItem, DeckOptions},
    table::{Parts, Table, TableOptions, sources},
};

/// A cell of XLSX: its text, or its attributes and what is in it.
enum Cell<'a> {
    Text(&'a str),
    /// With the number of a style.
    Number(u8, &'a str),
    Raw(&'a str, &'a str),
}
use Cell::{Number, Raw, Text};

// Styles of `xlsx`.
const GENERAL: u8 = 0;
const DAY: u8 = 1;
const MOMENT: u8 = 2;
const DURATION: u8 = 3;
const CLOCK: u8 = 4;
const HOURS: u8 = 5;
const EURO: u8 = 6;
const DOLLAR: u8 = 7;
const LOCAL: u8 = 8;
const DAYS: u8 = 9;

/// An archive with these members.
fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in members {
        // As ODS has to have its first member.
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        archive.start_file(*name, options).unwrap();
        archive.write_all(contents.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn xlsx(rows: &[&[Cell<'_>]]) -> Vec<u8> {
    xlsx_with("", rows)
}

/// A workbook of one sheet, with what else its part `workbook` says.
fn xlsx_with(more: &str, rows: &[&[Cell<'_>]]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let mut sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>");
    for (row, number) in rows.iter().zip(1..) {
        write!(sheet, "<row r=\"{number}\">").unwrap();
        for (cell, column) in row.iter().zip('A'..) {
            let at = format!("r=\"{column}{number}\"");
            match cell {
                Text("") => Ok(()),
                Text(text) => write!(sheet, "<c {at} t=\"inlineStr\"><is><t>{text}</t></is></c>"),
                Number(style, value) => write!(sheet, "<c {at} s=\"{style}\"><v>{value}</v></c>"),
                Raw(attributes, inner) => write!(sheet, "<c {at} {attributes}>{inner}</c>"),
            }
            .unwrap();
        }
        sheet.push_str("</row>");
    }
    sheet.push_str("</sheetData></worksheet>");
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets><sheet name=\"S\" sheetId=\"1\" r:id=\"rId1\"/></sheets>{more}</workbook>"
    );
    let formats = ["[$€-407] #,##0.0000", "\"$\"#,##0.00", "0\" days\""];
    let formats: Vec<String> = formats
        .iter()
        .zip(164..)
        .map(|(code, id)| {
            let code = code.replace('"', "&quot;");
            format!("<numFmt numFmtId=\"{id}\" formatCode=\"{code}\"/>")
        })
        .collect();
    let styles: Vec<String> = [0, 14, 22, 46, 21, 20, 164, 165, 44, 166]
        .iter()
        .map(|id| format!("<xf numFmtId=\"{id}\"/>"))
        .collect();
    let styles = format!(
        "<styleSheet xmlns=\"{MAIN}\"><numFmts>{}</numFmts><cellXfs>{}</cellXfs></styleSheet>",
        formats.concat(),
        styles.concat(),
    );
    let links = |links: &[(&str, &str)]| {
        let links: Vec<String> = links
            .iter()
            .zip(1..)
            .map(|((kind, target), id)| {
                format!(
                    "<Relationship Id=\"rId{id}\" Type=\"{LINKS}/{kind}\" Target=\"{target}\"/>"
                )
            })
            .collect();
        format!(
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">{}</Relationships>",
            links.concat(),
        )
    };
    archive(&[
        ("_rels/.rels", &links(&[("officeDocument", "xl/workbook.xml")])),
        ("xl/workbook.xml", &book),
        (
            "xl/_rels/workbook.xml.rels",
            &links(&[("worksheet", "worksheets/sheet1.xml"), ("styles", "styles.xml")]),
        ),
        ("xl/styles.xml", &styles),
        ("xl/worksheets/sheet1.xml", &sheet),
    ])
}

/// A workbook whose rows are those of XML that is given.
fn ods(rows: &str) -> Vec<u8> {
    let content = format!(
        "<office:document-content><office:body><office:spreadsheet><table:table table:name=\"S\">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
    );
    archive(&[
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
        ("META-INF/manifest.xml", "<manifest:manifest/>"),
        ("content.xml", &content),
    ])
}

/// A row of ODS: each cell its attributes, and what it shows.
fn ods_row(cells: &[(&str, &str)]) -> String {
    let cells = cells.iter().map(|(attributes, text)| {
        let kind = if attributes.is_empty() { "office:value-type=\"string\"" } else { attributes };
        format!("<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>")
    });
    format!("<table:table-row>{}</table:table-row>", cells.collect::<String>())
}

/// Each row of a deck in a word: its rate, or why it is refused.
fn deck(book: Vec<u8>, profile: &Profile) -> Vec<String> {
    let part = Part::from_bytes("input", book).unwrap();
    let options = DeckOptions { currency: Some("EUR".to_owned()), ..DeckOptions::default() };
    let shown = |item: DeckItem| match item {
        DeckItem::Line(line) => {
            let mut text = format!("{} {}", line.prefix, line.rate.unwrap_or_default());
            let fee = line.connection_fee.map(|fee| format!(" fee {fee}"));
            let increment = line.increment.map(|seconds| format!(" /{seconds}"));
            let from = line.effective_from.map(|from| format!(" from {from}"));
            let until = line.effective_until.map(|until| format!(" until {until}"));
            text.extend([fee, increment, from, until].into_iter().flatten());
            if line.hours != tollbook_import::values::Hours::DAY {
                write!(text, " {}-{}", line.hours.from, line.hours.to).unwrap();
            }
            text
        }
        DeckItem::Refused { line, problem, .. } => format!("{line}: {problem}"),
        DeckItem::Idle { line, what, .. } => format!("{line}: {what:?}"),
    };
    Deck::open(part, profile, options).unwrap().map(|item| shown(item.unwrap())).collect()
}

/// Each row of calls in a word: when it began and what is billed, or why it is refused.
fn calls(book: Vec<u8>, options: &CallOptions) -> Vec<String> {
    let part = Part::from_bytes("input", book).unwrap();
    let table = Table::open(part, &TableOptions::default(), &|_| false).unwrap();
    let mut file = CallFile::rows(Box::new(table.into_rows()), options).unwrap();
    let mut found = Vec::new();
    while let Some(item) = file.next_item().unwrap() {
        found.push(match item {
            CallItem::Call(call) => {
                format!("{} {}", call.start_time, call.billsec_ms.unwrap_or_default())
            }
            CallItem::Refused { span, problem, .. } => format!("{}: {problem}", span.first),
            other => format!("{other:?}"),
        });
    }
    found
}

const CALLS: [Cell<'_>; 5] =
    [Text("call_id"), Text("start_time"), Text("billsec"), Text("destination"), Text("originator")];

fn call<'a>(id: &'a str, start: Cell<'a>, billsec: Cell<'a>) -> [Cell<'a>; 5] {
    [Text(id), start, billsec, Text("37061234567"), Text("acme")]
}

/// 2026-11-20 10:30.
const AT: Cell<'_> = Number(MOMENT, "46346.4375");

#[test]
fn durations_are_as_long_as_the_workbook_says() {
    let book = xlsx(&[
        &CALLS,
        &call("1", AT, Number(DURATION, "1.0416666666666667")),
        &call("2", AT, Number(CLOCK, "1.0416666666666667")),
        &call("3", AT, Number(CLOCK, "0.0007523148148148148")),
        &call("4", AT, Number(CLOCK, "0.0006944444444444445")),
        &call("5", AT, Number(GENERAL, "65.5")),
        // 65 minutes, or a minute and 5 seconds that a program took for them.
        &call("6", AT, Number(HOURS, "0.04513888888888889")),
        &call("7", AT, Number(HOURS, "0")),
        &call("8", AT, Number(MOMENT, "46346.4375")),
        &call("9", AT, Number(DURATION, "-0.5")),
    ]);
    // What durations are written with says nothing of numbers and times.
    for decimal_mark in ['.', ','] {
        let options = CallOptions { decimal_mark, ..CallOptions::default() };
        let found = calls(book.clone(), &options);
        let start = "2026-11-20T10:30:00Z";
        for (row, billed) in [90_000_000, 90_000_000, 65_000, 60_000, 65_500].iter().enumerate() {
            assert_eq!(found[row], format!("{start} {billed}"));
        }
        assert!(found[5].starts_with("7: billsec \"01:05\" is no duration (hours"), "{found:?}");
        assert_eq!(found[6], format!("{start} 0"));
        assert!(found[7].contains("is no duration"), "{found:?}");
        assert!(found[8].contains("is no duration"), "{found:?}");
    }
}

#[test]
fn times_of_calls_are_those_of_the_cells() {
    let book = xlsx(&[
        &CALLS,
        &call("1", Number(MOMENT, "46331.4375"), Number(0, "1")),
        &call("2", Number(MOMENT, "46331"), Number(0, "1")),
        &call("3", Number(DAY, "46331"), Number(0, "1")),
        &call("4", Number(CLOCK, "0.5"), Number(0, "1")),
        &call("5", Text("2026-05-11 10:30:00"), Number(0, "1")),
    ]);
    // Year, day, month: a form that the cells, which are no texts, are not of.
    let options =
        CallOptions { date_format: Some("%Y-%d-%m %H:%M:%S".to_owned()), ..CallOptions::default() };
    let found = calls(book, &options);
    assert_eq!(found[0], "2026-11-05T10:30:00Z 1000");
    assert_eq!(found[1], "2026-11-05T00:00:00Z 1000");
    assert!(
        found[2].starts_with("4: start_time \"2026-11-05\" is a day without a time"),
        "{found:?}"
    );
    assert!(found[3].contains("is no time"), "{found:?}");
    assert_eq!(found[4], "2026-11-05T10:30:00Z 1000");
}

#[test]
fn what_a_workbook_took_for_an_amount_is_no_id_and_no_number() {
    let amount = |id, to| [id, AT, Number(GENERAL, "1"), to, Text("acme")];
    let book = xlsx(&[
        &CALLS,
        &amount(Number(GENERAL, "1795514400.1"), Text("370")),
        &amount(Number(GENERAL, "1234567890123456"), Text("370")),
        &amount(Number(GENERAL, "12345"), Number(GENERAL, "37061234567")),
        &amount(Text("1795514400.10"), Number(GENERAL, "3706.5")),
    ]);
    let found = calls(book, &CallOptions::default());
    for (row, refused) in [(0, "call_id"), (1, "call_id"), (3, "destination")] {
        assert!(found[row].contains(&format!(": {refused} ")), "{found:?}");
        assert!(found[row].contains("lost digits"), "{found:?}");
    }
    assert_eq!(found[2], "2026-11-20T10:30:00Z 1000");
}

#[test]
fn calls_above_the_header_are_not_lost() {
    let book = || {
        xlsx(&[
            &[Text("Calls of November"), Text(""), Text("2026")],
            &call("0", AT, Number(GENERAL, "60")),
            &CALLS,
            &call("1", AT, Number(GENERAL, "60")),
        ])
    };
    let found = calls(book(), &CallOptions::default());
    assert_eq!(found, ["2: no header above it", "2026-11-20T10:30:00Z 60000"]);
    let options = CallOptions { skip_lines: 2, ..CallOptions::default() };
    assert_eq!(calls(book(), &options), ["2026-11-20T10:30:00Z 60000"]);
}

#[test]
fn skipped_lines_are_counted_as_the_workbook_numbers_them() {
    let book =
        || xlsx(&[&[Text("Calls")], &[], &[], &CALLS, &call("1", AT, Number(GENERAL, "60"))]);
    for skip_lines in [0, 1, 3] {
        let options = CallOptions { skip_lines, ..CallOptions::default() };
        assert_eq!(calls(book(), &options).len(), 1);
    }
    let options = CallOptions { skip_lines: 4, ..CallOptions::default() };
    let part = Part::from_bytes("input", book()).unwrap();
    let table = Table::open(part, &TableOptions::default(), &|_| false).unwrap();
    assert!(CallFile::rows(Box::new(table.into_rows()), &options).is_err());
}

/// Formulas that nobody calculated, and values that are errors.
const WITHOUT_VALUES: [Cell<'_>; 4] = [
    Raw("", "<f>A1*2</f>"),
    Raw("", "<f>A1*2</f><v></v>"),
    Raw("t=\"e\"", "<f>1/0</f><v>#DIV/0!</v>"),
    Raw("t=\"e\"", "<v>#N/A</v>"),
];

#[test]
fn cells_without_a_value_are_not_empty() {
    for cell in WITHOUT_VALUES {
        let account = [Text("1"), AT, Number(GENERAL, "60"), Text("370"), cell];
        let mut options = CallOptions::default();
        options.originator.otherwise = "globex".to_owned();
        let found = calls(xlsx(&[&CALLS, &account]), &options);
        assert!(found[0].starts_with("2: originator \""), "{found:?}");
    }
    let head = [Text("Prefix"), Text("Rate"), Text("Connection fee"), Text("Notes")];
    for cell in WITHOUT_VALUES {
        let book =
            xlsx(&[&head, &[Text("370"), Number(GENERAL, "0.1"), cell, Raw("", "<f>1</f>")]]);
        let mut profile = Profile::default();
        profile.columns.ignore_unknown_columns = true;
        let found = deck(book, &profile);
        assert!(found[0].starts_with("2: connection_fee: \""), "{found:?}");
    }
    // An empty text is a value, and what was calculated is one.
    let row = [
        Text("370"),
        Raw("", "<f>0.05*2</f><v>0.1</v>"),
        Raw("t=\"str\"", "<f>A1</f><v></v>"),
        Text(""),
    ];
    let mut profile = Profile::default();
    profile.columns.ignore_unknown_columns = true;
    assert_eq!(deck(xlsx(&[&head, &row]), &profile), ["370 0.1"]);
    // Programs that cannot calculate write 0, and that it has to be calculated.
    let stale = xlsx_with("<calcPr calcId=\"1\" fullCalcOnLoad=\"1\"/>", &[&head, &row]);
    let found = deck(stale, &profile);
    assert!(found[0].starts_with("2: rate: \"=0.05*2\" is a formula without a value"), "{found:?}");
}

#[test]
fn numbers_of_cells_have_no_decimal_comma() {
    let rows: &[&[Cell<'_>]] = &[
        &[Text("Prefix"), Text("Rate")],
        &[Text("370"), Text("0,05")],
        &[Text("371"), Text("0,07")],
        &[Text("372"), Number(GENERAL, "1.125")],
        &[Text("373"), Number(GENERAL, "1.7500000000000002E-2")],
        &[Text("374"), Text("1,125")],
    ];
    let read = ["370 0.05", "371 0.07", "372 1.125", "373 0.0175", "374 1.125"];
    assert_eq!(deck(xlsx(rows), &Profile::default()), read);
    let mut profile = Profile::default();
    profile.numbers.decimal = Some(',');
    assert_eq!(deck(xlsx(rows), &profile), read);
    // Numbers say nothing of how texts are written.
    let rows: &[&[Cell<'_>]] = &[
        &[Text("Prefix"), Text("Rate")],
        &[Text("370"), Number(GENERAL, "0.05")],
        &[Text("371"), Text("0,07")],
        &[Text("372"), Text("1,125")],
    ];
    assert_eq!(deck(xlsx(rows), &Profile::default()), ["370 0.05", "371 0.07", "372 1.125"]);
}

#[test]
fn currencies_that_cells_show_are_those_of_the_rates() {
    let head = [Text("Prefix"), Text("Rate")];
    for (style, refused) in [(EURO, false), (LOCAL, false), (DAYS, false), (DOLLAR, true)] {
        let found =
            deck(xlsx(&[&head, &[Text("370"), Number(style, "0.05")]]), &Profile::default());
        let expected = if refused { "2: in $, where the tariff is in EUR" } else { "370 0.05" };
        assert_eq!(found, [expected]);
    }
    let ods_head = ods_row(&[("", "Prefix"), ("", "Rate")]);
    for (currency, expected) in
        [("EUR", "370 0.05"), ("USD", "2: in USD, where the tariff is in EUR")]
    {
        let rate = format!(
            "office:value-type=\"currency\" office:currency=\"{currency}\" office:value=\"0.05\""
        );
        let row = ods_row(&[("", "370"), (&rate, "0,05")]);
        assert_eq!(deck(ods(&format!("{ods_head}{row}")), &Profile::default()), [expected]);
    }
}

#[test]
fn dates_and_hours_of_a_deck() {
    let names = ["Prefix", "Rate", "Effective Date", "End Date", "Start time", "End time"];
    let row = |prefix, from, until, start, end| {
        [Text(prefix), Number(GENERAL, "1"), from, until, start, end]
    };
    let (no, other) = (|| Text(""), || Text(""));
    let book = xlsx(&[
        &names.map(Text),
        &row("370", Number(DAY, "46331"), Number(MOMENT, "46346"), no(), other()),
        &row("371", no(), no(), Number(CLOCK, "0.75"), Number(DURATION, "1")),
        &row("372", no(), no(), Number(CLOCK, "0"), Number(HOURS, "0.75")),
        &row("373", no(), no(), Number(HOURS, "0.25"), Number(CLOCK, "0.749305556")),
    ]);
    // An order that the cells, which are no texts, do not have.
    let profile = Profile { date_format: Some("MM/DD/YYYY".to_owned()), ..Profile::default() };
    assert_eq!(
        deck(book, &profile),
        [
            "370 1 from 2026-11-05T00:00:00Z until 2026-11-21T00:00:00Z",
            "371 1 18:00:00-23:59:59",
            "372 1 00:00:00-17:59:59",
            "373 1 06:00:00-17:59:59",
        ]
    );
    // What a workbook made a time of was an interval of two parts.
    let head = [Text("Prefix"), Text("Rate"), Text("Increment")];
    let found = deck(
        xlsx(&[&head, &[Text("370"), Number(GENERAL, "1"), Number(HOURS, "0.000694444444")]]),
        &Profile::default(),
    );
    assert!(found[0].starts_with("2: increment: \"00:01"), "{found:?}");
}

#[test]
fn cells_of_ods() {
    let head = ods_row(
        &["call_id", "start_time", "billsec", "destination", "originator"].map(|name| ("", name)),
    );
    let time = |value: &str| format!("office:value-type=\"time\" office:time-value=\"{value}\"");
    let date = |value: &str| format!("office:value-type=\"date\" office:date-value=\"{value}\"");
    let row = |start: &str, shown: &str, billsec: &str, as_time: &str| {
        ods_row(&[("", "1"), (start, shown), (billsec, as_time), ("", "370"), ("", "acme")])
    };
    let at = date("2026-11-20T10:30:00");
    let rows = [
        row(&at, "x", &time("PT25H00M00S"), "25:00:00"),
        row(&at, "x", &time("PT00H01M00S"), "00:01:00"),
        row(&at, "x", &time("PT00H01M00S"), "01:00"),
        row(&at, "x", &time("PT01H05M00S"), "01:05"),
        row(&date("2026-11-20"), "20.11.2026 00:00", &time("PT1S"), "x"),
        row(&date("2026-11-20"), "20.11.2026", &time("PT1S"), "x"),
        row(&at, "x", "table:formula=\"of:=1+1\"", ""),
        row(
            &at,
            "x",
            "office:value-type=\"string\" office:string-value=\"\" calcext:value-type=\"error\"",
            "#N/A",
        ),
        row(&at, "x", "office:value-type=\"float\" office:value=\"65.5\"", "65,5"),
    ];
    let found = calls(ods(&format!("{head}{}", rows.concat())), &CallOptions::default());
    let start = "2026-11-20T10:30:00Z";
    for (row, billed) in [(0, 90_000_000), (1, 60_000), (2, 60_000), (8, 65_500)] {
        assert_eq!(found[row], format!("{start} {billed}"));
    }
    assert!(found[3].starts_with("5: billsec \"01:05\" is no duration"), "{found:?}");
    assert_eq!(found[4], "2026-11-20T00:00:00Z 1000");
    assert!(found[5].contains("is a day without a time"), "{found:?}");
    assert!(found[6].contains("billsec \"=1+1\" is a formula without a value"), "{found:?}");
    assert!(found[7].contains("billsec \"#N/A\" is an error"), "{found:?}");
}

/// Rows and cells that are there several times, remarks, and texts in pieces.
#[test]
fn cells_of_ods_that_are_repeated() {
    let rows = "\
        <table:table-header-rows><table:table-row><table:table-cell office:value-type=\"string\"><text:p>Pre<text:span>fix</text:span></text:p></table:table-cell><table:table-cell office:value-type=\"string\"><office:annotation><text:p>remark</text:p></office:annotation><text:p>Rate</text:p></table:table-cell><table:table-cell table:number-columns-repeated=\"16000\"/></table:table-row></table:table-header-rows>\
        <table:table-row table:number-rows-repeated=\"3\"><table:table-cell table:number-columns-repeated=\"2\"/></table:table-row>\
        <table:table-row table:number-rows-repeated=\"2\"><table:table-cell office:value-type=\"float\" office:value=\"370\" table:number-columns-repeated=\"2\"><text:p>370</text:p></table:table-cell></table:table-row>\
        <table:table-row><table:table-cell office:value-type=\"string\"><text:p>a &amp; b</text:p><text:p>c<text:s text:c=\"2\"/>d</text:p></table:table-cell></table:table-row>\
        <table:table-row table:number-rows-repeated=\"1048000\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>";
    let part = Part::from_bytes("input.ods", ods(rows)).unwrap();
    let table = Table::open(part, &TableOptions::default(), &|_| false).unwrap();
    let rows: Vec<_> = table.into_rows().map(Result::unwrap).collect();
    let found: Vec<(u64, Vec<&str>)> =
        rows.iter().map(|row| (row.line(), row.cells().collect())).collect();
    assert_eq!(
        found,
        [
            (1, vec!["Prefix", "Rate"]),
            (5, vec!["370", "370"]),
            (6, vec!["370", "370"]),
            (7, vec!["a & b\nc  d", ""]),
        ]
    );
}

#[test]
fn two_files_of_one_name_in_an_archive_are_refused() {
    // The writer refuses to make such an archive.
    let mut bytes = archive(&[("a.csv", "prefix,rate\n1,1\n"), ("b.csv", "prefix,rate\n2,1\n")]);
    while let Some(at) = bytes.windows(5).position(|window| window == b"b.csv") {
        bytes[at] = b'a';
    }
    let parts = Parts::new(
        "rates.zip".to_owned(),
        Box::new(Cursor::new(bytes)),
        tollbook_import::table::Limits::default(),
    );
    assert!(matches!(parts, Err(Error::Archive { .. })), "{parts:?}");
}

#[test]
fn what_is_not_read_is_named() {
    let folder = std::env::temp_dir().join(format!("tollbook-import-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("more")).unwrap();
    for name in ["a.csv", ".hidden.csv", "more/b.csv"] {
        std::fs::write(folder.join(name), "prefix,rate\n").unwrap();
    }
    #[cfg(unix)]
    for (to, link) in [("more", "linked"), ("nowhere", "broken"), ("a.csv", "c.csv")] {
        std::os::unix::fs::symlink(folder.join(to), folder.join(link)).unwrap();
    }
    let (files, passed_over) = sources(&[&folder]).unwrap();
    let name = |name: &str| folder.join(name).display().to_string();
    let files: Vec<_> = files.iter().map(tollbook_import::Source::name).collect();
    assert_eq!(files, ["a.csv", "c.csv", "more/b.csv"].map(name));
    let passed_over: Vec<_> = passed_over.into_iter().map(|what| what.name).collect();
    assert_eq!(passed_over, [".hidden.csv", "broken", "linked"].map(name));
    std::fs::remove_dir_all(&folder).unwrap();

    let bytes = archive(&[
        ("a.csv", "prefix,rate\n"),
        (".b.csv", "prefix,rate\n"),
        ("__MACOSX/._a.csv", "x"),
        ("e.csv/", "prefix,rate\n"),
        ("folder/", ""),
    ]);
    let limits = tollbook_import::table::Limits::default();
    let mut parts = Parts::new("z".to_owned(), Box::new(Cursor::new(bytes)), limits).unwrap();
    assert_eq!(parts.by_ref().flatten().count(), 1);
    let names: Vec<_> = parts.take_passed_over().into_iter().map(|what| what.name).collect();
    assert_eq!(names, ["z:.b.csv", "z:__MACOSX/._a.csv", "z:e.csv/"]);
}

#[test]
fn dates_that_two_columns_show_in_two_orders_are_refused() {
    let read = |text: &str| deck(text.as_bytes().to_vec(), &Profile::default());
    let head = "prefix,rate,effective date,end date";
    let found = read(&format!(
        "{head}\n370,1,31/03/2027,\n371,1,03/04/2027,\n372,1,,12/31/2027\n373,1,,10/11/2027\n"
    ));
    assert_eq!(found.iter().filter(|line| line.contains("--date-format")).count(), 2, "{found:?}");
    let found = read(&format!("{head}\n370,1,31/03/2027,\n371,1,03/04/2027,31/12/2027\n"));
    assert_eq!(found[1], "371 1 from 2027-04-03T00:00:00Z until 2028-01-01T00:00:00Z");
    // A form that may begin with the year is not that of the others.
    let found = read(&format!("{head}\n370,1,31/12/26,\n371,1,26-03-04,\n"));
    assert!(found[1].contains("can be two dates"), "{found:?}");
}
