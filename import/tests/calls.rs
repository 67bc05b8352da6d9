//! Files of calls as data: each folder of `calls/cases` holds `input.*` (several: `input2.*`, …),
//! the options it is read with, and what comes out. `BLESS=1` writes what comes out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{
    fmt::Write,
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use jiff::tz::TimeZone;
use tollbook_import::{
    Part,
    calls::{
        At, By, Call, CallFile, CallItem, CallOptions, Column, Dialogs, Format, Internal, National,
        Numbers, Party, Problem, Unit, Whose,
    },
    table::{Table, TableOptions},
};

#[test]
fn cases() {
    common::cases("calls/cases", run);
}

/// What a case gives: each item, and at the end what the calls add up to.
fn run(case: &Path) -> String {
    let options = options(&fs::read_to_string(case.join("options")).unwrap_or_default());
    let mut out = String::new();
    let (mut calls, mut billed) = (0, 0);
    for input in common::inputs(case) {
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
                    calls += 1;
                    billed += call.billsec_ms.unwrap_or_default();
                }
                CallItem::Refused { span, problem, .. } => {
                    let lines = if span.first == span.last {
                        span.first.to_string()
                    } else {
                        format!("{}-{}", span.first, span.last)
                    };
                    writeln!(out, "{lines}: refused: {problem}").unwrap();
                }
                CallItem::BLeg { span, id, of } => {
                    writeln!(out, "{}: the B leg {id:?} of {of:?}", span.first).unwrap();
                }
                CallItem::Internal { span, number, .. } => {
                    writeln!(out, "{}: internal: {number}", span.first).unwrap();
                }
                CallItem::Idle => {}
            }
        }
    }
    writeln!(out, "calls {calls}, billed {billed} ms").unwrap();
    out
}

fn shown(call: &Call) -> String {
    let party = |party: &Party| {
        let Party { name, peer, point, point_id, .. } = party;
        format!("{name:?} (peer {peer:?}, point {point:?} {point_id:?})")
    };
    format!(
        "{}{}: {:?}{} {} answer {} end {}\n   duration {:?} billsec {:?} {} cause {}\n   {:?} -> {:?}\n   \
         originator {}\n   terminator {}",
        call.span.first,
        call.bye_line.map(|line| format!("+{line}")).unwrap_or_default(),
        call.ids.key().unwrap(),
        call.ids.record_key().map(|key| format!(" ({key:?})")).unwrap_or_default(),
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
            "decimal-mark" => options.decimal_mark = value.chars().next().unwrap(),
            "make-ids" => options.make_ids = value == "yes",
            "id-prefix" => value.clone_into(&mut options.id_prefix),
            "tech-prefix" => options.numbers.tech_prefixes.push(value.to_owned()),
            "terminator-by-prefix" => {
                let (prefix, user) = value.split_once('=').unwrap();
                options.terminator.by_prefix.insert(prefix.to_owned(), user.to_owned());
            }
            "internal" => {
                let patterns: Vec<_> = value.split(',').map(str::to_owned).collect();
                options.internal = Internal::new(&patterns, 0).unwrap();
            }
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

#[test]
fn a_call_may_begin_in_one_file_and_end_in_the_next() {
    let head = "method,from_tag,to_tag,callid,sip_code,time,src_user,dst_user,accountcode\n";
    let row = |method: &str, call: &str, time: &str| {
        format!("{method},f,t,{call},200,2026-11-20 {time},3705,37061,globex\n")
    };
    let files = [
        head.to_owned() + &row("INVITE", "c1", "23:59:00") + &row("INVITE", "c2", "23:59:30"),
        "not of Kamailio: call_id,start_time\n".to_owned(),
        head.to_owned() + &row("BYE", "c3", "23:59:59") + &row("BYE", "c1", "23:59:40"),
    ];
    let options = CallOptions::default();
    let mut dialogs = Dialogs::default();
    let mut found = Vec::new();
    for text in files {
        let Ok(file) = CallFile::read(Box::new(std::io::Cursor::new(text)), &options) else {
            continue;
        };
        let mut file = file.with_dialogs(dialogs);
        while let Some(item) = file.next_item().unwrap() {
            found.push(item);
        }
        dialogs = file.into_dialogs();
    }
    assert_eq!(found, []);
    let left: Vec<_> = dialogs
        .finish(&options)
        .into_iter()
        .map(|(file, item)| match item {
            CallItem::Refused { span, problem, .. } => (file, span.first, Err(problem)),
            CallItem::Call(call) => (file, call.span.first, Ok(call.billsec_ms)),
            other => panic!("{other:?}"),
        })
        .collect();
    let call = (0, 2, Ok(Some(40_000)));
    assert_eq!(left, [call, (0, 3, Err(Problem::NoBye)), (1, 2, Err(Problem::NoInvite))]);
}

/// Rows of one dialog, each a method, a status and a time, and how long the call is: the same in any order.
#[test]
fn a_dialog_is_as_long_as_its_rows_say_in_whatever_order_they_come() {
    type Rows = &'static [(&'static str, u16, &'static str)];
    const INVITE: (&str, u16, &str) = ("INVITE", 200, "10:00:00");
    let cases: &[(Rows, Result<i64, &str>)] = &[
        // Who hangs up is asked who they are.
        (&[INVITE, ("BYE", 407, "10:00:01"), ("BYE", 200, "11:00:00")], Ok(3_600)),
        (&[INVITE, ("BYE", 401, "10:59:59"), ("BYE", 200, "11:00:00")], Ok(3_600)),
        (&[INVITE, ("BYE", 407, "10:00:01")], Err("its BYE is not in this file")),
        // One that was answered counts, whatever failed before or after it.
        (&[INVITE, ("BYE", 500, "10:00:01"), ("BYE", 200, "11:00:00")], Ok(3_600)),
        (&[INVITE, ("BYE", 200, "11:00:00"), ("BYE", 481, "11:00:05")], Ok(3_600)),
        // Where none was, the last.
        (&[INVITE, ("BYE", 408, "10:00:32")], Ok(32)),
        (&[INVITE, ("BYE", 503, "10:00:01"), ("BYE", 408, "10:30:00")], Ok(1_800)),
        // Both ends may hang up at once, and a row may be there twice.
        (&[INVITE, ("BYE", 200, "10:00:10"), ("BYE", 200, "10:00:11")], Ok(10)),
        (&[INVITE, ("BYE", 200, "10:00:10"), ("BYE", 200, "10:00:10")], Ok(10)),
        (
            &[INVITE, ("BYE", 200, "10:00:01"), ("BYE", 200, "11:00:00")],
            Err("two successful BYEs of the dialog"),
        ),
        // An INVITE within the call makes it no shorter.
        (&[INVITE, ("INVITE", 200, "10:30:00"), ("BYE", 200, "11:00:00")], Ok(3_600)),
    ];
    let head = "method,from_tag,to_tag,callid,sip_code,time,src_user,dst_user,accountcode\n";
    for (rows, expected) in cases {
        let lines: Vec<String> = rows
            .iter()
            .map(|(method, status, time)| {
                format!("{method},f,t,c,{status},2026-11-20 {time},3705,37061,globex\n")
            })
            .collect();
        for turn in 0..lines.len() * 2 {
            let mut lines = lines.clone();
            let count = lines.len();
            lines.rotate_left(turn % count);
            if turn >= count {
                lines.reverse();
            }
            let text = head.to_owned() + &lines.concat();
            let options = CallOptions::default();
            let reader = Box::new(std::io::Cursor::new(text.clone()));
            let mut file = CallFile::read(reader, &options).unwrap();
            let (mut calls, mut refused) = (Vec::new(), Vec::new());
            while let Some(item) = file.next_item().unwrap() {
                match item {
                    CallItem::Call(call) => calls.push(call.billsec_ms.unwrap() / 1_000),
                    CallItem::Refused { problem, .. } => refused.push(problem.to_string()),
                    other => panic!("{other:?}"),
                }
            }
            match expected {
                Ok(seconds) => {
                    assert_eq!(calls, [*seconds], "{text}");
                    let is_further = |problem: &String| problem.starts_with("a further INVITE");
                    assert!(refused.iter().all(is_further), "{text}{refused:?}");
                }
                Err(why) => {
                    assert_eq!(calls, [0; 0], "{text}");
                    assert!(refused.iter().all(|problem| problem.contains(why)), "{refused:?}");
                    assert!(!refused.is_empty());
                }
            }
        }
    }
}

#[test]
fn rows_of_a_spreadsheet() {
    let text = "Calls of November,,,,\n\
                Call ID,Start Time,Callee,Talk Time,Customer\n\
                a,2026-11-20 10:00:00,37061234567,60,globex\n\
                ,,,,\n\
                Total,,,60,\n";
    let part = Part::from_bytes("input", text.into()).unwrap();
    let rows = Table::open(part, &TableOptions::default(), &|_| false).unwrap().into_rows();
    let mut file = CallFile::rows(Box::new(rows), &CallOptions::default()).unwrap();
    assert_eq!(file.header_line(), Some(2));
    assert!(
        matches!(file.next_item().unwrap(), Some(CallItem::Call(call)) if call.span.first == 3)
    );
    let refused = file.next_item().unwrap();
    assert!(matches!(refused, Some(CallItem::Refused { span, .. }) if span.first == 5));
    assert!(file.next_item().unwrap().is_none());
}

#[test]
fn numbers_of_one_customer() {
    let text = "call_id,start_time,destination,billsec,originator\n\
                a,2026-11-20 10:00:00,77#0061234567,60,Globex\n\
                b,2026-11-20 10:00:00,0061234567,60,initech\n";
    let mut options = CallOptions::default();
    let national = National { prefix: String::new(), country_code: "370".to_owned() };
    let numbers = Numbers {
        tech_prefixes: vec!["77#00".to_owned()],
        national: Some(national),
        ..Numbers::default()
    };
    options.numbers_of.insert("globex".to_owned(), numbers);
    let mut file = CallFile::read(Box::new(std::io::Cursor::new(text)), &options).unwrap();
    let mut destinations = Vec::new();
    while let Some(CallItem::Call(call)) = file.next_item().unwrap() {
        destinations.push(call.destination);
    }
    assert_eq!(destinations, ["37061234567", "61234567"]);
}

#[test]
fn options_can_be_kept() {
    let columns =
        vec![(Column::CallId, At::Name("Ref".to_owned())), (Column::Destination, At::Position(4))];
    let text = serde_json::to_string(&columns).unwrap();
    assert_eq!(text, r#"[["call_id","Ref"],["destination",4]]"#);
    assert_eq!(serde_json::from_str::<Vec<(Column, At)>>(&text).unwrap(), columns);
    assert!(serde_json::from_str::<Column>("\"colour\"").is_err());
    let whose =
        Whose { by: vec![By::Peer, By::Account], otherwise: "a".to_owned(), ..Whose::default() };
    let text = serde_json::to_string(&(Format::ThreeCx, &whose, Unit::Minutes)).unwrap();
    assert_eq!(text, r#"["3cx",{"by":["peer","account"],"otherwise":"a"},"minutes"]"#);
    let numbers: Numbers = serde_json::from_str(r#"{"tech_prefixes":["1#"]}"#).unwrap();
    assert_eq!(numbers.international_prefixes, ["00"]);
    for (format, name) in Format::NAMES {
        assert_eq!(name.parse::<Format>().unwrap(), format);
    }
}

/// 2026-10-25 in Vilnius has the hour from 03:00 to 04:00 twice.
#[test]
fn an_hour_that_comes_twice_is_told_by_what_the_record_has() {
    const SECOND: &str = "2026-10-25T01:30:00Z";
    const FIRST: &str = "2026-10-25T00:30:00Z";
    let ids =
        [("pbx-1792891800.12", SECOND, false), ("1792888201.7", FIRST, false), ("a7", FIRST, true)];
    let of_asterisk = ids.map(|(id, start, guessed)| {
        let text = format!(
            "calldate,dst,billsec,accountcode,uniqueid\n2026-10-25 03:30:00,37061,60,globex,{id}\n"
        );
        (text, start, guessed)
    });
    let head = "call_id,start_time,end_time,duration,destination,billsec,originator\n";
    let of_table = [
        ("2026-10-25 03:30:00,2026-10-25 04:30:00,3600", SECOND, false),
        ("2026-10-25 03:30:00,2026-10-25 04:30:00,7200", FIRST, false),
        ("2026-10-25 03:30:00,2026-10-25 03:31:00,60", FIRST, true),
        ("2026-10-25T03:30:00+02:00,,60", SECOND, false),
        ("2026-10-25 03:30:00,,60", FIRST, true),
        ("2026-10-26 03:30:00,,60", "2026-10-26T01:30:00Z", false),
    ]
    .map(|(times, start, guessed)| (format!("{head}a,{times},37061,60,globex\n"), start, guessed));
    let options =
        CallOptions { zone: TimeZone::get("Europe/Vilnius").unwrap(), ..CallOptions::default() };
    for (text, start, guessed) in of_asterisk.into_iter().chain(of_table) {
        let reader = Box::new(std::io::Cursor::new(text.clone()));
        let mut file = CallFile::read(reader, &options).unwrap();
        let item = file.next_item().unwrap();
        let Some(CallItem::Call(call)) = item else { panic!("{text}{item:?}") };
        assert_eq!(
            (call.start_time.to_string().as_str(), call.guessed_hour),
            (start, guessed),
            "{text}"
        );
    }
}
