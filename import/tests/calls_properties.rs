//! What holds for any file of calls: what is read and what is refused is all that was there, and
//! what is in a cell hides no call and moves none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_arithmetic)]

use std::{
    collections::BTreeMap,
    fmt::Write,
    io::Cursor,
    time::{Duration, Instant},
};

use proptest::{collection::vec, prelude::*, sample::select};
use tollbook_import::calls::{
    By, Call, CallFile, CallItem, CallOptions, Format, Internal, Problem, Span, Whose,
};

fn options(format: Option<Format>) -> CallOptions {
    let by_all = Whose { by: vec![By::Account, By::Peer, By::Point], ..Whose::default() };
    CallOptions { format, originator: by_all.clone(), terminator: by_all, ..CallOptions::default() }
}

fn open(text: &[u8], format: Option<Format>) -> Option<CallFile> {
    CallFile::read(Box::new(Cursor::new(text.to_vec())), &options(format)).ok()
}

fn items(text: &str, format: Option<Format>) -> Vec<CallItem> {
    read(text, &options(format))
}

fn read(text: &str, options: &CallOptions) -> Vec<CallItem> {
    let file = CallFile::read(Box::new(Cursor::new(text.as_bytes().to_vec())), options);
    let mut file = file.expect("a file that can be opened");
    let mut items = Vec::new();
    while let Some(item) = file.next_item().unwrap() {
        items.push(item);
    }
    items
}

/// How many items each line is in.
fn lines_of(items: &[CallItem]) -> BTreeMap<u64, usize> {
    let mut lines = BTreeMap::new();
    let mut count = |span: &Span| {
        for line in span.first..=span.last {
            *lines.entry(line).or_insert(0) += 1;
        }
    };
    for item in items {
        match item {
            CallItem::Call(call) => {
                count(&call.span);
                call.bye_line.iter().for_each(|line| count(&Span { first: *line, last: *line }));
            }
            CallItem::Refused { span, .. }
            | CallItem::BLeg { span, .. }
            | CallItem::Internal { span, .. } => count(span),
            CallItem::Idle => {}
        }
    }
    lines
}

const STAMPS: &str =
    r#""2026-11-20 10:00:00","2026-11-20 10:00:10","2026-11-20 10:01:10","70","60""#;

/// A line of a template with what a caller may write in its open cells.
fn template_line(format: Format, id: &str, hostile: &str) -> String {
    let core = format!(r#""3705","37061","default",{STAMPS},"NORMAL_CLEARING","{id}","""#);
    match format {
        Format::FreeswitchSql => {
            format!(r#"INSERT INTO cdr VALUES ("{hostile}",{core}, "globex");"#)
        }
        Format::FreeswitchExample => format!(r#""{hostile}",{core},"globex","PCMU","PCMU""#),
        Format::FreeswitchSnom => format!(
            r#""{hostile}",{core}, "globex","PCMU","PCMU","{hostile}","","","","{hostile}""#
        ),
        Format::FreeswitchLinksys => {
            format!(r#""{hostile}",{core},"globex","PCMU","PCMU","{hostile}","{hostile}""#)
        }
        Format::FreeswitchAsterisk => format!(
            r#""globex","3705","37061","default","{hostile}","c","d","bridge","{hostile}",{STAMPS},"NORMAL_CLEARING","3","{id}","{hostile}""#
        ),
        _ => format!(
            r#""{id}","","inbound","3705","37061","2026-11-20 10:00:10","2026-11-20 10:01:10","60","globex","{hostile}","192.0.2.1","{hostile}","gw""#
        ),
    }
}

const TEMPLATES: [Format; 6] = [
    Format::FreeswitchSql,
    Format::FreeswitchExample,
    Format::FreeswitchSnom,
    Format::FreeswitchLinksys,
    Format::FreeswitchAsterisk,
    Format::FreeswitchOpencdrrate,
];

/// The variables of a template of an operator's, and what they hold.
const CUSTOM: &[(&str, &str)] = &[
    ("caller_id_name", ""),
    ("sip_user_agent", ""),
    ("caller_id_number", "3705"),
    ("destination_number", "37061"),
    ("start_stamp", "2026-11-20 10:00:00"),
    ("answer_stamp", "2026-11-20 10:00:10"),
    ("end_stamp", "2026-11-20 10:01:10"),
    ("duration", "70"),
    ("billsec", "60"),
    ("hangup_cause", "NORMAL_CLEARING"),
    ("uuid", ""),
    ("accountcode", "globex"),
];

/// What a caller may try: quotes, commas, whole records.
fn hostile() -> impl Strategy<Value = String> {
    let part = select(vec![
        "\"",
        ",",
        "\",\"",
        "\", \"",
        "\",",
        ",\"",
        " ",
        "x",
        "",
        "\\",
        "\\\"",
        "\r",
        ";",
        "\t",
        "|",
        "é",
        "{",
        "}",
        "</cdr>",
        "<cdr>",
        "&lt;",
        "%22",
        "1",
        "2026-11-20 10:00:00",
        "ANSWERED",
        "\",\"1\",\"37061\",\"default\",\"2026-11-20 10:00:00\",\"\",\"\",\"1\",\"0\",\"USER_BUSY\",\"evil\",\"\",\"initech",
        "initech",
        "'",
        "--",
    ]);
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn same_call(call: &Call, id: &str) -> bool {
    call.ids.unique == id
        && call.destination == "37061"
        && call.originator.name == "globex"
        && call.billsec_ms == Some(60_000)
        && call.source == "3705"
}

/// The middle one of three records is hostile: the others are read as ever, and it is read as it
/// is or refused.
fn unharmed(items: &[CallItem], may_refuse: bool) -> Result<(), TestCaseError> {
    prop_assert_eq!(items.len(), 3, "{:?}", items);
    for (item, id) in items.iter().zip(["u1", "u2", "u3"]) {
        match item {
            CallItem::Call(call) => prop_assert!(same_call(call, id), "{:?}", call),
            CallItem::Refused { problem, .. } => {
                prop_assert!(may_refuse && id == "u2", "{:?}", problem);
            }
            CallItem::BLeg { .. } | CallItem::Internal { .. } | CallItem::Idle => {
                prop_assert!(false);
            }
        }
    }
    Ok(())
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_hide_and_move_nothing_in_templates(
        format in select(TEMPLATES.to_vec()),
        name in hostile(),
        said in any::<bool>(),
    ) {
        let lines = [("u1", "Cust"), ("u2", name.as_str()), ("u3", "")];
        let lines = lines.map(|(id, name)| template_line(format, id, name) + "\n");
        unharmed(&items(&lines.concat(), said.then_some(format)), true)?;
    }

    #[test]
    fn names_hide_and_move_nothing_in_templates_of_operators(
        variables in Just(CUSTOM.to_vec()).prop_shuffle(),
        (is_quoted, before, behind) in (any::<bool>(), select(vec!["", "cdr: "]), select(vec!["", ";"])),
        name in hostile(),
    ) {
        let row = |cells: Vec<String>| match is_quoted {
            true => format!("{before}\"{}\"{behind}", cells.join("\",\"")),
            false => format!("{before}{}{behind}", cells.join(",")),
        };
        let line = |id: &str, name: &str| {
            let cell = |(variable, value): &(&str, &str)| match *variable {
                "uuid" => id.to_owned(),
                "caller_id_name" | "sip_user_agent" => name.to_owned(),
                _ => (*value).to_owned(),
            };
            row(variables.iter().map(cell).collect()) + "\n"
        };
        let template = row(variables.iter().map(|(name, _)| format!("${{{name}}}")).collect());
        let text = line("u1", "Cust") + &line("u2", &name) + &line("u3", "x");
        unharmed(&read(&text, &CallOptions { template: Some(template), ..options(None) }), true)?;
    }

    #[test]
    fn names_hide_and_move_nothing_in_csv(name in hostile(), custom in any::<bool>()) {
        let line = |id: &str, name: &str| {
            let name = quoted(name);
            let times = STAMPS;
            if custom {
                format!("{name},\"3705\",\"37061\",\"c\",\"SIP/a-1\",\"SIP/b-1\",\"Dial\",{name},{times},\"ANSWERED\",\"3\",\"globex\",\"{id}\",{name}\n")
            } else {
                format!("\"globex\",\"3705\",\"37061\",\"c\",{name},\"SIP/a-1\",\"SIP/b-1\",\"Dial\",{name},{times},\"ANSWERED\",\"3\",\"{id}\",{name}\n")
            }
        };
        let text = line("u1", "a") + &line("u2", &name) + &line("u3", "b");
        unharmed(&items(&text, None), false)?;
    }

    #[test]
    fn names_hide_and_move_nothing_in_tables(name in hostile()) {
        let name = name.replace('\r', "\n");
        let line = |id: &str, name: &str| {
            format!("2026-11-20 10:00:00,{},3705,37061,60,ANSWERED,globex,{id}\n", quoted(name))
        };
        let text = "calldate,clid,src,dst,billsec,disposition,accountcode,uniqueid\n".to_owned()
            + &line("u1", "a") + &line("u2", &name) + &line("u3", "b");
        let items = items(&text, None);
        // A name with ends of lines may be refused with each of its lines.
        let of = |id: &str| items.iter().filter(|item| matches!(item, CallItem::Call(call) if same_call(call, id))).count();
        let calls = items.iter().filter(|item| matches!(item, CallItem::Call(_))).count();
        prop_assert_eq!((of("u1"), of("u3"), calls), (1, 1, 2 + of("u2")), "{:?}", items);
    }

    #[test]
    fn names_hide_and_move_nothing_in_trees(name in hostile(), json in any::<bool>()) {
        let record = |id: &str, name: &str| {
            if json {
                let name = serde_json::to_string(name).unwrap();
                format!("{{\"variables\":{{\"x\":{name},\"uuid\":\"{id}\",\"accountcode\":\"globex\",\"caller_id_name\":{name},\"start_epoch\":\"1795161600\",\"billsec\":\"60\",\"hangup_cause\":\"NORMAL_CLEARING\"}},\"callflow\":[{{\"caller_profile\":{{\"caller_id_name\":{name},\"caller_id_number\":\"3705\",\"destination_number\":\"37061\"}}}}]}}\n")
            } else {
                let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                format!("<?xml version=\"1.0\"?>\n<cdr><variables><x>{name}</x><uuid>{id}</uuid>\n<accountcode>globex</accountcode><start_epoch>1795161600</start_epoch><billsec>60</billsec><hangup_cause>NORMAL_CLEARING</hangup_cause></variables><callflow><caller_profile><caller_id_name>{name}</caller_id_name><caller_id_number>3705</caller_id_number><destination_number>37061</destination_number></caller_profile></callflow></cdr>\n")
            }
        };
        let text = record("u1", "a") + &record("u2", &name) + &record("u3", "b");
        unharmed(&items(&text, None), false)?;
    }

    #[test]
    fn each_line_is_in_one_item(
        format in select(Format::NAMES.map(|(format, _)| format).to_vec()),
        lines in vec(any_line(), 1..12),
        ends in any::<bool>(),
    ) {
        let mut text = String::new();
        let header = header_of(format);
        text.push_str(header);
        text.push_str(&lines.join("\n"));
        if ends {
            text.push('\n');
        }
        let read = options(Some(format));
        let Ok(mut file) = CallFile::read(Box::new(Cursor::new(text.clone().into_bytes())), &read) else {
            return Ok(());
        };
        let mut items = Vec::new();
        while let Some(item) = file.next_item().unwrap() {
            items.push(item);
        }
        let header_line = file.header_line().unwrap_or(0);
        let found = lines_of(&items);
        let one_of_many = matches!(format, Format::FreeswitchJson | Format::FreeswitchXml);
        for (index, line) in text.lines().enumerate() {
            let number = index as u64 + 1;
            let count = found.get(&number).copied().unwrap_or(0);
            // Trees may have more than one record on a line, and signs between them.
            if one_of_many {
                let signs = line.chars().all(|c| c.is_whitespace() || "[],".contains(c))
                    || line.starts_with("<?xml");
                prop_assert!(count >= 1 || signs, "line {number} of\n{text}\n{items:?}");
            } else if number > header_line
                && line.chars().any(|c| !c.is_whitespace() && !",\"".contains(c))
                && line != header.trim()
            {
                prop_assert_eq!(count, 1, "line {} of\n{}\n{:?}", number, text, items);
            }
        }
    }

    #[test]
    fn calls_to_internal_numbers_are_left_out_and_no_others(
        numbers in vec("[1-9][0-9]{1,10}", 1..20),
        shorter_than in 0_usize..12,
    ) {
        let mut text = "call_id,start_time,billsec,destination,originator\n".to_owned();
        for (id, number) in numbers.iter().enumerate() {
            writeln!(text, "c{id},2026-11-20 10:00:00,60,{number},globex").unwrap();
        }
        let internal = Internal::new(&["20x".to_owned()], shorter_than).unwrap();
        let read = CallOptions { internal, ..CallOptions::default() };
        let mut file = CallFile::read(Box::new(Cursor::new(text.into_bytes())), &read).unwrap();
        for number in &numbers {
            let is_internal =
                number.len() < shorter_than || (number.len() == 3 && number.starts_with("20"));
            match file.next_item().unwrap() {
                Some(CallItem::Internal { number: left_out, .. }) => {
                    prop_assert!(is_internal);
                    prop_assert_eq!(&left_out, number);
                }
                Some(CallItem::Call(call)) => {
                    prop_assert!(!is_internal);
                    prop_assert_eq!(&call.destination, number);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(file.next_item().unwrap(), None);
    }

    #[test]
    fn any_bytes_in_any_format(bytes in vec(any::<u8>(), 0..400)) {
        for format in Format::NAMES.map(|(format, _)| Some(format)).into_iter().chain([None]) {
            if let Some(mut file) = open(&bytes, format) {
                while file.next_item().unwrap().is_some() {}
            }
        }
    }

    #[test]
    fn numbers_are_digits_or_no_numbers(text in ".{0,40}") {
        if let Ok(number) = CallOptions::default().numbers.destination(&text) {
            prop_assert!(!number.is_empty() && number.len() <= 255);
            let first = number.starts_with(|c: char| c.is_ascii_digit());
            prop_assert!(!first || number.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }
}

fn header_of(format: Format) -> &'static str {
    match format {
        Format::Tollbook | Format::Columns => "call_id,start_time,destination,billsec,originator\n",
        Format::AsteriskTable => "calldate,dst,billsec,accountcode,uniqueid\n",
        Format::KamailioAcc => {
            "method,from_tag,to_tag,callid,sip_code,time,src_user,dst_user,src_ip\n"
        }
        Format::FreeswitchTable => "uuid,start_stamp,destination_number,billsec,accountcode\n",
        Format::Yeti => "uuid,time_start,dst_prefix_in,duration,customer_name\n",
        Format::Vos3000 => "flowno,starttime,calleee164,holdtime,customeraccount\n",
        Format::ThreeCx => "callid,time_start,dial_no,duration,from_dn\n",
        Format::Cisco => {
            "pkid,datetimeorigination,finalcalledpartynumber,duration,callingpartyunicodeloginuserid\n"
        }
        // They have no header.
        _ => "",
    }
}

/// No format is left out of what is tried: a file of each can be opened.
#[test]
fn a_file_of_each_format_is_opened() {
    for (format, name) in Format::NAMES {
        let text = format!("{}{}", header_of(format), "a,2026-11-20 10:00:00,37061,60,globex\n");
        let opened = open(text.as_bytes(), Some(format));
        let needs_more = format == Format::FreeswitchCustom;
        assert_eq!(opened.is_some(), !needs_more, "{name}");
    }
}

/// Lines of many formats, whole, broken and empty.
fn any_line() -> impl Strategy<Value = String> {
    let whole = select(vec![
        "a,2026-11-20 10:00:00,37061,60,globex".to_owned(),
        "2026-11-20 10:00:00,37061,60,globex,1795161600.1".to_owned(),
        "2026-11-20 10:00:00,\"37061,60,globex,1795161600.1".to_owned(),
        "\"a\nb\",37061,60,globex,1795161600.1".to_owned(),
        "INVITE,f,t,c,200,2026-11-20 10:00:00,3705,37061,192.0.2.1".to_owned(),
        "INVITE,f,t2,c,486,2026-11-20 10:00:00,3705,37061,192.0.2.1".to_owned(),
        "BYE,t,f,c,200,2026-11-20 10:01:00,3705,37061,192.0.2.1".to_owned(),
        "BYE,t,f,c,200,2026-11-20 09:01:00,3705,37061,192.0.2.1".to_owned(),
        "\"globex\",\"3705\",\"37061\",\"c\",\"n\",\"SIP/a-1\",\"SIP/b-1\",\"Dial\",\"x\",\"2026-11-20 10:00:00\",\"\",\"2026-11-20 10:00:01\",1,0,\"BUSY\",\"3\",\"1.1\",\"\"".to_owned(),
        template_line(Format::FreeswitchExample, "u1", "n"),
        template_line(Format::FreeswitchSnom, "u1", "\",\""),
        "{\"variables\":{\"uuid\":\"u\",\"accountcode\":\"g\",\"start_epoch\":\"1795161600\",\"billsec\":\"1\",\"destination_number\":\"370\"}}".to_owned(),
        "{\"variables\":{\"uuid\":\"u\"".to_owned(),
        "}".to_owned(),
        "[".to_owned(),
        "<?xml version=\"1.0\"?>".to_owned(),
        "<cdr><variables><uuid>u</uuid></variables></cdr>".to_owned(),
        "<cdr><variables>".to_owned(),
        "</cdr>".to_owned(),
        String::new(),
        "  ".to_owned(),
        "total,5".to_owned(),
        "\"".to_owned(),
    ]);
    prop_oneof![4 => whole.clone(), 1 => (whole, any::<proptest::sample::Index>()).prop_map(|(line, at)| {
        let chars: Vec<char> = line.chars().collect();
        chars[..at.index(chars.len() + 1)].iter().collect()
    })]
}

/// A caller whose name and number are names of columns makes no header of their record.
#[test]
fn names_of_columns_in_a_record() {
    let line = |src: &str, dst: &str, clid: &str, id: &str| {
        format!(
            "\"globex\",\"{src}\",\"{dst}\",\"c\",\"{clid}\",\"SIP/a-1\",\"SIP/b-1\",\"Dial\",\"start\",{STAMPS},\"ANSWERED\",\"3\",\"{id}\",\"uniqueid\"\n"
        )
    };
    let text = line("calldate", "dst", "start", "u1") + &line("3705", "37061", "n", "u2");
    let items = items(&text, None);
    assert!(matches!(&items[0], CallItem::Call(call) if call.destination == "dst"), "{items:?}");
    assert!(matches!(&items[1], CallItem::Call(call) if same_call(call, "u2")));
}

#[test]
fn an_open_quote_refuses_its_line_only() {
    let good = template_line(Format::FreeswitchExample, "u1", "n");
    let text = format!("{good}\n\"broken\n{good}\n");
    let items = items(&text, None);
    assert!(
        matches!(
            &items[1],
            CallItem::Refused { problem: Problem::OpenQuote | Problem::Cells { .. }, .. }
        ),
        "{:?}",
        items[1]
    );
    assert!(matches!(&items[2], CallItem::Call(_)));
}

/// Four times the text takes about four times the time, whatever is in it.
#[test]
fn files_of_calls_are_read_in_linear_time() {
    let time = |text: &str, format: Format| {
        let once = || {
            let start = Instant::now();
            if let Some(mut file) = open(text.as_bytes(), Some(format)) {
                while file.next_item().unwrap().is_some() {}
            }
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap()
    };
    let table = "calldate,dst,billsec,accountcode,uniqueid\n";
    for (format, head, part) in [
        (Format::FreeswitchExample, "", "\",\""),
        (Format::FreeswitchExample, "", "\",\"\n"),
        (Format::AsteriskCsv, "", "\"\""),
        (Format::AsteriskCsv, "", "\"a\n"),
        (Format::AsteriskTable, table, "\"a\n"),
        (Format::AsteriskTable, table, "\"a\"\n\""),
        (Format::AsteriskTable, table, ",\n"),
        (Format::FreeswitchJson, "", "{"),
        (Format::FreeswitchJson, "", "[{\"a\":"),
        (Format::FreeswitchJson, "", "{}x"),
        (Format::FreeswitchJson, "", "{\"a\n"),
        (Format::FreeswitchJson, "", "{\n"),
        (Format::FreeswitchXml, "", "<cdr>"),
        (Format::FreeswitchXml, "", "x<cdr ></cdr>"),
        (Format::FreeswitchXml, "", "<cdr>\n"),
        (Format::FreeswitchXml, "", "<cdr></cdr>"),
        (Format::FreeswitchXml, "", "<a>"),
        (Format::FreeswitchXml, "", "<?xml<cdr>"),
        (Format::FreeswitchXml, "", "<cdr><?xml ?>"),
        (Format::FreeswitchXml, "<cdr>", "<a>"),
        (Format::FreeswitchXml, "", "<?xml ?>"),
        (
            Format::KamailioAcc,
            header_of(Format::KamailioAcc),
            "BYE,t,f,c,200,2026-11-20 10:01:00,3705,37061,1\n",
        ),
    ] {
        let of = |count: usize| format!("{head}{}", part.repeat(count));
        let (small, large) = (time(&of(8_000), format), time(&of(32_000), format));
        let limit = small * 12 + Duration::from_millis(100);
        assert!(large <= limit, "{format} {part:?}: {small:?}, then {large:?}");
    }
}

/// Calls a second, for each format: `cargo test --release -p tollbook-import -- --ignored speed
/// --nocapture`.
#[test]
#[ignore = "measures, and tells"]
fn speed() {
    const COUNT: usize = 200_000;
    let asterisk = "\"globex\",\"3705\",\"37061\",\"c\",\"\"\"n\"\" <1>\",\"SIP/a-00000001\",\"SIP/b-00000001\",\"Dial\",\"SIP/b/37061,60\",\"2026-11-20 10:00:00\",\"2026-11-20 10:00:10\",\"2026-11-20 10:01:10\",70,60,\"ANSWERED\",\"DOCUMENTATION\",\"1795161600.1\",\"\"\n";
    let table =
        "2026-11-20 10:00:00,\"\"\"n\"\" <1>\",3705,37061,60,ANSWERED,globex,1795161600.1\n";
    let json = "{\"variables\":{\"uuid\":\"u1\",\"accountcode\":\"globex\",\"start_epoch\":\"1795161600\",\"billsec\":\"60\",\"hangup_cause\":\"NORMAL_CLEARING\"},\"callflow\":[{\"caller_profile\":{\"caller_id_number\":\"3705\",\"destination_number\":\"37061\"}}]}\n";
    let xml = "<cdr><variables><uuid>u1</uuid><accountcode>globex</accountcode><start_epoch>1795161600</start_epoch><billsec>60</billsec><hangup_cause>NORMAL_CLEARING</hangup_cause></variables><callflow><caller_profile><caller_id_number>3705</caller_id_number><destination_number>37061</destination_number></caller_profile></callflow></cdr>\n";
    for (name, head, line) in [
        ("asterisk", "", asterisk.to_owned()),
        (
            "table",
            "calldate,clid,src,dst,billsec,disposition,accountcode,uniqueid\n",
            table.to_owned(),
        ),
        ("freeswitch", "", template_line(Format::FreeswitchExample, "u1", "n") + "\n"),
        ("json", "", json.to_owned()),
        ("xml", "", xml.to_owned()),
    ] {
        let text = format!("{head}{}", line.repeat(COUNT)).into_bytes();
        let mut file = open(&text, None).unwrap();
        let start = Instant::now();
        let mut calls = 0;
        while let Some(item) = file.next_item().unwrap() {
            calls += usize::from(matches!(item, CallItem::Call(_)));
        }
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(calls, COUNT);
        println!("{name}: {:.0} calls/s", f64::from(u32::try_from(calls).unwrap()) / seconds);
    }
}
