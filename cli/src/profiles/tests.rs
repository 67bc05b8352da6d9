//! A profile says what the flags said that it was made of.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use clap::Parser;
use jiff::tz::TimeZone;
use proptest::{collection::vec, option, prelude::*, sample::select};
use tollbook_import::{
    calls::{Column, Format},
    deck::FIELDS,
};
use tollbook_proto::v1::{CallColumn, CallFileFormat, RateColumn};

use crate::{calls, rates};

#[derive(Parser)]
struct Rates {
    #[command(flatten)]
    flags: rates::flags::Flags,
}

#[derive(Parser)]
struct Calls {
    #[command(flatten)]
    flags: calls::flags::Flags,
}

fn rates_of(words: &[String]) -> rates::flags::Flags {
    Rates::try_parse_from([String::new()].iter().chain(words)).map(|rates| rates.flags).unwrap()
}

fn calls_of(words: &[String]) -> calls::flags::Flags {
    Calls::try_parse_from([String::new()].iter().chain(words)).map(|calls| calls.flags).unwrap()
}

/// A flag with a value, or none.
fn flag(
    name: &'static str,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Vec<String>> {
    let given = option::of(value.prop_map(move |value| format!("{name}={value}")));
    given.prop_map(|word| word.into_iter().collect()).boxed()
}

/// A flag for each of some values.
fn flags(
    name: &'static str,
    value: impl Strategy<Value = String> + 'static,
) -> BoxedStrategy<Vec<String>> {
    vec(value.prop_map(move |value| format!("{name}={value}")), 0..4).boxed()
}

fn switch(name: &'static str) -> BoxedStrategy<Vec<String>> {
    any::<bool>().prop_map(move |on| on.then(|| name.to_owned()).into_iter().collect()).boxed()
}

/// Any text that a person may give, also one that shells and parsers stumble over.
fn text() -> impl Strategy<Value = String> {
    "[ -~äß’]{1,12}".prop_filter("a name is more than spaces", |text| !text.trim().is_empty())
}

fn one_of(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(str::to_owned)
}

fn column(names: Vec<String>) -> impl Strategy<Value = String> {
    let place = prop_oneof![(1_u16..).prop_map(|at| at.to_string()), text()];
    (select(names), place).prop_map(|(what, place)| format!("{what}={place}"))
}

fn words_of_rates() -> impl Strategy<Value = Vec<String>> {
    let names = FIELDS.fields.iter().map(|field| field.name.to_owned()).collect();
    let table = vec![
        flags("--column", column(names)),
        flags("--ignore-column", text()),
        switch("--ignore-unknown-columns"),
        flag("--header-line", (1_u32..).prop_map(|line| line.to_string())),
        switch("--no-header"),
        flag("--skip-lines", (1_u32..).prop_map(|lines| lines.to_string())),
        flag("--delimiter", one_of(&[";", ",", "\t", "|", "-"])),
        flag("--encoding", one_of(&["windows-1251", "utf-8"])),
        flag("--sheet", prop_oneof![(1_u16..).prop_map(|at| at.to_string()), text()]),
        switch("--take-unfinished-line"),
    ];
    let values = vec![
        flag("--decimal", one_of(&[".", ","])),
        flag("--thousands", one_of(&[".", ",", "'", " "])),
        flag("--date-format", one_of(&["DD/MM/YYYY", "ymd"])),
        flag("--time-zone", one_of(&["Europe/Vilnius", "UTC"])),
        flag("--effective-from", one_of(&["2026-12-31", "31.12.2026 12:00"])),
        flag("--factor", one_of(&["0.01", "100"])),
        flag("--steps", one_of(&["zero", "minimum"])),
        flag("--increment", (1_u16..).prop_map(|seconds| seconds.to_string())),
        flag("--minimum-time", any::<u16>().prop_map(|seconds| seconds.to_string())),
        switch("--block-not-offered"),
    ];
    table.into_iter().chain(values).collect::<Vec<_>>().prop_map(|words| words.concat())
}

fn words_of_calls() -> impl Strategy<Value = Vec<String>> {
    let names = Column::ALL.iter().map(|column| column.name().to_owned()).collect();
    let by = one_of(&["account", "peer,point", "point,account,peer"]);
    let table = vec![
        flag("--format", select(Format::NAMES.map(|(_, name)| name.to_owned()).to_vec())),
        flag("--template", one_of(&[r#""${caller_id_name}","${uuid}""#])),
        flags("--column", column(names)),
        flag("--delimiter", one_of(&[";", ",", "\t", "|"])),
        flag("--sheet", prop_oneof![(1_u16..).prop_map(|at| at.to_string()), text()]),
        flag("--skip-lines", (1_u32..).prop_map(|lines| lines.to_string())),
        flags("--ignore-column", text()),
        switch("--ignore-unknown-columns"),
        flag("--date-format", one_of(&["%d/%m/%Y %H:%M:%S", "%s"])),
        flag("--time-zone", one_of(&["Europe/Vilnius", "UTC"])),
        flag("--duration-unit", one_of(&["seconds", "milliseconds", "minutes"])),
        flag("--encoding", one_of(&["windows-1251", "UTF-16LE"])),
        switch("--take-unfinished-line"),
        switch("--take-b-legs"),
        switch("--take-lone-legs"),
    ];
    let parties = vec![
        flag("--originator", text()),
        flag("--originator-from", by),
        flags("--originator-by-prefix", one_of(&["7788=alice", "370=bob=2"])),
        flags("--terminator-by-prefix", one_of(&["7788#=colt", "44=x y"])),
        flag("--internal-numbers", one_of(&["1xx", "1xx,2xxx,*97"])),
        flag("--internal-shorter-than", one_of(&["6", "32"])),
        flag("--terminator", text()),
        flag("--terminator-from", one_of(&["account,point", "peer"])),
        flag("--map-account", one_of(&["PBX 1=alice", "1001=bob=2"])),
        flags("--tech-prefix", "[0-9#*-]{1,6}"),
        flags("--international-prefix", "[0-9+]{1,4}"),
        flag("--national-prefix", one_of(&["0", "8"])),
        flag("--country-code", one_of(&["370", "44"])),
    ];
    table.into_iter().chain(parties).collect::<Vec<_>>().prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn a_profile_of_decks_says_what_the_flags_said(words in words_of_rates()) {
        let flags = rates_of(&words);
        let kept = flags.to_proto().unwrap();
        prop_assert_eq!(&rates::flags::Flags::from_proto(kept).unwrap(), &flags);
        prop_assert_eq!(&rates_of(&flags.words()), &flags);
        // A profile that is used as it is changes nothing.
        prop_assert_eq!(&rates_of(&[]).over(flags.clone()), &flags);
    }

    #[test]
    fn a_profile_of_calls_says_what_the_flags_said(words in words_of_calls()) {
        let flags = calls_of(&words);
        let kept = flags.to_proto().unwrap();
        prop_assert_eq!(&calls::flags::Flags::from_proto(kept).unwrap(), &flags);
        prop_assert_eq!(&calls_of(&flags.words()), &flags);
        prop_assert_eq!(&calls_of(&[]).over(flags.clone()), &flags);
    }
}

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn flags_count_before_a_profile() {
    let base = "--column rate=3 --column prefix=1 --no-header --skip-lines 2 --delimiter ;";
    let given = "--column rate=4 --header-line 2 --delimiter |";
    let both = rates_of(&split(given)).over(rates_of(&split(base)));
    let expected = "--column rate=4 --column prefix=1 --header-line 2 --skip-lines 2 --delimiter |";
    assert_eq!(both.words(), split(expected));
    let both = rates_of(&split("--no-header=false")).over(rates_of(&split(base)));
    assert!(!both.profile().columns.no_header);

    let base = "--format yeti --take-b-legs --originator-from peer --tech-prefix 9 --originator x";
    let given = "--template ${uuid} --originator-from account --tech-prefix 8 --tech-prefix 7";
    let both = calls_of(&split(given)).over(calls_of(&split(base)));
    let expected = "--template ${uuid} --take-b-legs --originator x --originator-from account \
                    --tech-prefix 8 --tech-prefix 7";
    assert_eq!(both.words(), split(expected));
}

#[test]
fn a_national_prefix_needs_what_takes_its_place() {
    let flags = calls_of(&split("--national-prefix 0"));
    assert!(flags.options(TimeZone::UTC).unwrap_err().to_string().contains("--country-code"));
    flags.over(calls_of(&split("--country-code 370"))).options(TimeZone::UTC).unwrap();
}

/// The names of an enum of the contract, but that of nothing.
fn names<E: TryFrom<i32>>(name: impl Fn(E) -> &'static str, prefix: &str) -> BTreeSet<String> {
    let all = (1..).map_while(|number| E::try_from(number).ok());
    all.map(|one| name(one).strip_prefix(prefix).unwrap().to_lowercase()).collect()
}

/// Whatever the reader knows can be kept, and nothing else.
#[test]
fn the_contract_and_the_reader_have_the_same_names() {
    let of_reader: BTreeSet<_> = FIELDS.fields.iter().map(|field| field.name.to_owned()).collect();
    assert_eq!(names(|one: RateColumn| one.as_str_name(), "RATE_COLUMN_"), of_reader);
    let of_reader: BTreeSet<_> = Column::ALL.iter().map(|one| one.name().to_owned()).collect();
    assert_eq!(names(|one: CallColumn| one.as_str_name(), "CALL_COLUMN_"), of_reader);
    let of_reader = Format::NAMES.map(|(_, name)| name.replace('-', "_"));
    let of_contract = names(|one: CallFileFormat| one.as_str_name(), "CALL_FILE_FORMAT_");
    assert_eq!(of_contract, of_reader.into());
}
