//! Rate decks as data: each folder of `decks/cases` holds `input.*` (several: `input2.*`, …), a
//! profile (`profile.json`) and the tariff's currency (`currency`) if there are any, and what comes
//! out. `BLESS=1` writes what comes out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{fmt::Write, fs, path::Path};

use tollbook_import::{
    Error, Profile,
    deck::{Deck, DeckItem, DeckLine, DeckOptions},
    profile::Steps,
    sources,
    table::Limits,
    values::{Days, Hours},
};

#[test]
fn cases() {
    common::cases("decks/cases", run);
}

fn run(case: &Path) -> String {
    let profile = match fs::read_to_string(case.join("profile.json")) {
        Ok(text) => serde_json::from_str(&text).unwrap(),
        Err(_) => Profile::default(),
    };
    let currency = fs::read_to_string(case.join("currency")).ok();
    let options = DeckOptions {
        currency: currency.map(|text| text.trim().to_owned()),
        ..DeckOptions::default()
    };
    let mut out = String::new();
    for input in common::inputs(case) {
        let name = input.file_name().unwrap().to_str().unwrap().to_owned();
        writeln!(out, "== {name}").unwrap();
        if let Err(error) = read(&input, &profile, &options, &mut out) {
            // The place of the sources is no part of what is expected.
            let text = error.to_string().replace(&format!("{}/", case.display()), "");
            writeln!(out, "error: {text}").unwrap();
        }
    }
    out
}

fn read(
    input: &Path,
    profile: &Profile,
    options: &DeckOptions,
    out: &mut String,
) -> Result<(), Error> {
    for source in sources(&[input])?.0 {
        for part in source.parts(Limits::default())? {
            let mut deck = Deck::open(part?, profile, options.clone())?;
            for item in deck.by_ref() {
                match item? {
                    DeckItem::Line(line) => writeln!(out, "{}", shown(&line)).unwrap(),
                    DeckItem::Refused { line, problem, prefixes } => {
                        let prefixes = prefixes.join(" ");
                        writeln!(out, "{line}: refused: {problem} [{prefixes}]").unwrap();
                    }
                    DeckItem::Idle { line, what, text } => {
                        writeln!(out, "{line}: {what:?}: {text:?}").unwrap();
                    }
                }
            }
            for remark in deck.remarks() {
                writeln!(out, "remark: {remark}").unwrap();
            }
        }
    }
    Ok(())
}

fn shown(line: &DeckLine) -> String {
    let mut text = format!("{}: {} {:?}", line.line, line.prefix, line.destination);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(text, " {name}={value}").unwrap();
        }
    };
    add("rate", line.rate.map(|rate| rate.to_string()));
    add("blocked", line.blocked.then(String::new));
    add("closed", line.closed.then(String::new));
    add("ended", line.ended.then(String::new));
    add("fee", line.connection_fee.map(|fee| fee.to_string()));
    add("min", line.minimum.map(|seconds| seconds.to_string()));
    add("step", line.increment.map(|seconds| seconds.to_string()));
    add("steps", (line.steps == Steps::AfterMinimum).then(|| "after minimum".to_owned()));
    add("from", line.effective_from.map(|time| time.to_string()));
    add("until", line.effective_until.map(|time| time.to_string()));
    let hours = line.hours;
    add("hours", (hours != Hours::DAY).then(|| format!("{}-{}", hours.from, hours.to)));
    add("days", (line.days != Days::All).then(|| format!("{:?}", line.days)));
    add("status", line.status.map(|status| format!("{status:?}")));
    let notes: Vec<_> = line.notes.iter().map(ToString::to_string).collect();
    add("note", (!notes.is_empty()).then(|| notes.join("; ")));
    text
}

/// The rates of a deck in which lines 2, 3, … have these, and what is asked of it; with `--decimal` nothing is.
#[test]
fn decimals_that_contradict_each_other_are_asked() {
    type Case = (&'static [&'static str], Result<&'static [&'static str], &'static str>);
    let cases: &[Case] = &[
        (&["0.05", "1.234", "12"], Ok(&["0.05", "1.234", "12"])),
        (&["0,05", "1,234", "12"], Ok(&["0.05", "1.234", "12"])),
        (&["0,05", "1.234,50"], Ok(&["0.05", "1234.50"])),
        (&["0.05", "1,234.50"], Ok(&["0.05", "1234.50"])),
        (&["1,234,567.5", "0.1"], Ok(&["1234567.5", "0.1"])),
        (
            &["0.05", "0,500", "1.234"],
            Err("on line 2 (\"0.05\") and behind a comma on line 3 (\"0,500\")"),
        ),
        (&["1.234,50", "0.05"], Err("on line 3 (\"0.05\") and behind a comma on line 2")),
        (&["0,05", "1.234", "2.500"], Err("line 3: ")),
        (&["0.05", "1,234"], Err("line 3: ")),
    ];
    for (rates, expected) in cases {
        let lines = rates.iter().enumerate().map(|(at, rate)| format!("{};{rate}\n", 370 + at));
        let text = format!("prefix;rate\n{}", lines.collect::<String>());
        let read = |profile: &Profile| -> Result<Vec<String>, String> {
            let part = tollbook_import::Part::from_bytes("input", text.clone().into()).unwrap();
            let deck = Deck::open(part, profile, DeckOptions::default());
            let deck = deck.map_err(|error| error.to_string())?;
            deck.map(|item| match item.map_err(|error| error.to_string())? {
                DeckItem::Line(line) => Ok(line.rate.unwrap().to_string()),
                DeckItem::Refused { line, problem, .. } => Err(format!("line {line}: {problem}")),
                DeckItem::Idle { .. } => panic!("{text}"),
            })
            .collect()
        };
        match (read(&Profile::default()), expected) {
            (Ok(found), Ok(rates)) => assert_eq!(found, *rates, "{text}"),
            (Err(found), Err(why)) => {
                assert!(found.contains(why) && found.contains("--decimal"), "{found}");
            }
            other => panic!("{text}{other:?}"),
        }
    }
    // An amount that is written otherwise far below is not read in silence, either.
    let many = "370;0.05\n".repeat(300) + "371;0,500\n";
    let part =
        tollbook_import::Part::from_bytes("input", format!("prefix;rate\n{many}").into()).unwrap();
    let mut deck = Deck::open(part, &Profile::default(), DeckOptions::default()).unwrap();
    assert!(deck.any(|item| matches!(item, Ok(DeckItem::Refused { line: 302, .. }))));
}
