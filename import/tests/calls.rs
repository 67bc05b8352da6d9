//! Files of calls as data: each folder of `calls/cases` holds `input.*` (several: `input2.*`, …),
//! the options it is read with, and what comes out. `BLESS=1` writes what comes out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use jiff::tz::TimeZone;
use tollbook_import::calls::{
    By, Call, CallFile, CallItem, CallOptions, Party, Unit,
    legs::{self, Leg},
};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calls/cases");
    let mut wrong = Vec::new();
    for case in sorted(&folder) {
        let found = run(&case);
        let expected = case.join("expected");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}\n--- found\n{found}--- expected\n{expected}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// What a case gives: each item, and at the end the calls that would be in the books.
fn run(case: &Path) -> String {
    let options = options(&fs::read_to_string(case.join("options")).unwrap_or_default());
    let mut out = String::new();
    let mut books = BTreeMap::new();
    let is_input =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("input");
    for input in sorted(case).into_iter().filter(is_input) {
        let reader = BufReader::new(File::open(&input).unwrap());
        let mut file = match CallFile::read(Box::new(reader), &options) {
            Ok(file) => file,
            Err(error) => {
                writeln!(out, "error: {error}").unwrap();
                continue;
            }
        };
        writeln!(out, "{}", file.format()).unwrap();
        while let Some(item) = file.next_item().unwrap() {
            match item {
                CallItem::Call(call) => {
                    writeln!(out, "{}", shown(&call)).unwrap();
                    store(&mut books, *call, &mut out);
                }
                CallItem::Refused { span, problem, .. } => {
                    let lines = if span.first == span.last {
                        span.first.to_string()
                    } else {
                        format!("{}-{}", span.first, span.last)
                    };
                    writeln!(out, "{lines}: refused: {problem}").unwrap();
                }
                CallItem::Idle => {}
            }
        }
    }
    let billed: i64 = books.values().filter_map(|call: &Call| call.billsec_ms).sum();
    writeln!(out, "calls {}, billed {} ms", books.len(), billed).unwrap();
    out
}

fn store(books: &mut BTreeMap<String, Call>, call: Call, out: &mut String) {
    let key = call.ids.key().unwrap();
    let Some(known) = books.get(&key) else {
        books.insert(key, call);
        return;
    };
    let leg = legs::compare(known, &call);
    writeln!(out, "   {leg:?}").unwrap();
    if leg == Leg::Replaces {
        books.insert(key, call);
    }
}

fn shown(call: &Call) -> String {
    let party = |party: &Party| {
        let Party { name, peer, point, point_id, .. } = party;
        format!("{name:?} (peer {peer:?}, point {point:?} {point_id:?})")
    };
    format!(
        "{}{}: {:?} {} answer {} end {}\n   duration {:?} billsec {:?} {} cause {}\n   {:?} -> {:?}\n   \
         originator {}\n   terminator {}",
        call.span.first,
        call.bye_line.map(|line| format!("+{line}")).unwrap_or_default(),
        call.ids.key().unwrap(),
        call.start_time,
        call.answer_time.map_or("-".to_owned(), |time| time.to_string()),
        call.end_time.map_or("-".to_owned(), |time| time.to_string()),
        call.duration_ms.unwrap_or(-1),
        call.billsec_ms.unwrap_or(-1),
        call.disposition.map_or("-".to_owned(), |disposition| disposition.to_string()),
        call.hangup_cause,
        call.source,
        call.destination,
        party(&call.originator),
        party(&call.terminator),
    )
}

fn options(text: &str) -> CallOptions {
    let mut options = CallOptions::default();
    let by = |value: &str| -> Vec<By> {
        value
            .split(' ')
            .map(|by| match by {
                "account" => By::Account,
                "peer" => By::Peer,
                "point" => By::Point,
                other => panic!("{other}"),
            })
            .collect()
    };
    for line in text.lines() {
        let (name, value) = line.split_once(' ').unwrap();
        match name {
            "format" => options.format = Some(value.parse().unwrap()),
            "zone" => options.zone = TimeZone::get(value).unwrap(),
            "originator" => value.clone_into(&mut options.originator.otherwise),
            "terminator" => value.clone_into(&mut options.terminator.otherwise),
            "originator-by" => options.originator.by = by(value),
            "terminator-by" => options.terminator.by = by(value),
            "date-format" => options.date_format = Some(value.to_owned()),
            "template" => options.template = Some(value.to_owned()),
            "separator" => options.separator = value.chars().next(),
            "skip-lines" => options.skip_lines = value.parse().unwrap(),
            "tech-prefix" => options.numbers.tech_prefixes.push(value.to_owned()),
            "ignore-column" => options.ignore_columns.push(value.to_owned()),
            "duration-unit" => {
                options.duration_unit = match value {
                    "minutes" => Unit::Minutes,
                    "milliseconds" => Unit::Milliseconds,
                    _ => Unit::Seconds,
                }
            }
            "column" => {
                let (column, at) = value.split_once('=').unwrap();
                options.columns.push((column.parse().unwrap(), at.parse().unwrap()));
            }
            other => panic!("{other}"),
        }
    }
    options
}
