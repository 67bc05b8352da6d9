//! What can be wrong with a profile, as far as it shows without a file. A client that reads files
//! with it checks the rest.

use std::{collections::HashSet, hash::Hash};

use encoding_rs::Encoding;
use jiff::{
    Timestamp,
    fmt::strtime::{self, BrokenDownTime},
    tz::TimeZone,
};
use rust_decimal::Decimal;
use tollbook_proto::v1::{
    self as pb, CallColumn, CallFileFormat, DurationUnit, FileBillingSteps, PartySource,
    RateColumn, call_file_profile, file_column::Column, rate_file_profile::Sheet,
};

use super::Contents;
use crate::{
    enums,
    error::{Error, Result},
    text::{check_name, check_text},
};

/// How many entries a list of a profile may have.
const MOST: usize = 256;
/// The longest template of FreeSWITCH's, in characters.
const LONGEST_TEMPLATE: usize = 10_000;
/// The longest prefix of numbers.
const LONGEST_PREFIX: usize = 32;

/// A profile's name: one by which nobody takes it for a format.
pub(super) fn name(name: &str) -> Result<()> {
    check_name(name)?;
    let constant = format!("CALL_FILE_FORMAT_{}", name.to_uppercase().replace('-', "_"));
    match CallFileFormat::from_str_name(&constant) {
        Some(_) => Err(Error::invalid("name", "is that of a format")),
        None => Ok(()),
    }
}

pub(super) fn contents(contents: &Contents) -> Result<()> {
    match contents {
        Contents::Rates(profile) => rates(profile),
        Contents::Calls(profile) => calls(profile),
    }
}

fn rates(profile: &pb::RateFileProfile) -> Result<()> {
    let places = profile.columns.iter().map(|place| (place.meaning, place.column.as_ref()));
    columns::<RateColumn>("rates.columns", places)?;
    let is_named = |place: &pb::RateColumnPlace| {
        place.column.as_ref().is_some_and(|column| matches!(column.column, Some(Column::Name(_))))
    };
    if profile.no_header && profile.columns.iter().any(is_named) {
        return Err(Error::invalid("rates.columns", "are positions where no line names columns"));
    }
    at_most("rates.ignored_columns", &profile.ignored_columns)?;
    for ignored in &profile.ignored_columns {
        column("rates.ignored_columns", Some(ignored))?;
    }
    match profile.header_line {
        Some(..1) => return Err(Error::invalid("rates.header_line", "counts from 1")),
        Some(_) if profile.no_header => {
            return Err(Error::invalid("rates.header_line", "contradicts no_header"));
        }
        _ => {}
    }
    skipped("rates.skip_lines", profile.skip_lines)?;
    let is_separator = |char: char| char.is_ascii() && !"\"\\\r\n".contains(char);
    character("rates.separator", &profile.separator, is_separator)?;
    encoding("rates.encoding", &profile.encoding)?;
    match &profile.sheet {
        Some(Sheet::SheetNumber(number)) => sheet_number("rates.sheet_number", *number)?,
        Some(Sheet::SheetName(name)) => required_text("rates.sheet_name", name)?,
        None => {}
    }
    let decimal = character("rates.decimal_separator", &profile.decimal_separator, |char| {
        matches!(char, '.' | ',')
    })?;
    let thousands = character("rates.thousands_separator", &profile.thousands_separator, |char| {
        matches!(char, '.' | ',' | '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}')
    })?;
    if decimal.is_some() && decimal == thousands {
        return Err(Error::invalid("rates.thousands_separator", "is the decimal separator"));
    }
    check_text("rates.date_format", &profile.date_format)?;
    if !profile.date_format.is_empty() && !is_date_order(&profile.date_format) {
        return Err(Error::invalid("rates.date_format", "is no date format"));
    }
    time_zone("rates.time_zone", &profile.time_zone)?;
    check_text("rates.effective_from", &profile.effective_from)?;
    if let Some(factor) = &profile.factor {
        let number = factor.value.parse::<Decimal>().ok().filter(|number| *number > Decimal::ZERO);
        number
            .ok_or_else(|| Error::invalid("rates.factor", "is not a decimal number above zero"))?;
    }
    enums::known::<FileBillingSteps>("rates.steps", profile.steps)?;
    if profile.increment_seconds.is_some_and(|seconds| seconds < 1) {
        return Err(Error::invalid("rates.increment_seconds", "must be at least 1"));
    }
    if profile.min_time_seconds.is_some_and(|seconds| seconds < 0) {
        return Err(Error::invalid("rates.min_time_seconds", "must not be negative"));
    }
    Ok(())
}

fn calls(profile: &pb::CallFileProfile) -> Result<()> {
    let format = enums::known::<CallFileFormat>("calls.format", profile.format)?;
    template(&profile.template, format)?;
    let places = profile.columns.iter().map(|place| (place.meaning, place.column.as_ref()));
    columns::<CallColumn>("calls.columns", places)?;
    texts("calls.ignored_columns", &profile.ignored_columns, 255)?;
    skipped("calls.skip_lines", profile.skip_lines)?;
    character("calls.separator", &profile.separator, |char| !"\"\r\n".contains(char))?;
    encoding("calls.encoding", &profile.encoding)?;
    match &profile.sheet {
        Some(call_file_profile::Sheet::SheetNumber(number)) => {
            sheet_number("calls.sheet_number", *number)?;
        }
        Some(call_file_profile::Sheet::SheetName(name)) => {
            required_text("calls.sheet_name", name)?;
        }
        None => {}
    }
    check_text("calls.date_format", &profile.date_format)?;
    if !profile.date_format.is_empty() && !is_time_format(&profile.date_format) {
        return Err(Error::invalid("calls.date_format", "is no form of times as strptime has it"));
    }
    time_zone("calls.time_zone", &profile.time_zone)?;
    enums::known::<DurationUnit>("calls.duration_unit", profile.duration_unit)?;
    check_text("calls.originator", &profile.originator)?;
    sources("calls.originator_from", &profile.originator_from)?;
    check_text("calls.terminator", &profile.terminator)?;
    sources("calls.terminator_from", &profile.terminator_from)?;
    accounts(&profile.accounts)?;
    prefixes("calls.originators_by_prefix", &profile.originators_by_prefix)?;
    prefixes("calls.terminators_by_prefix", &profile.terminators_by_prefix)?;
    if profile.take_lone_legs {
        return Err(Error::invalid(
            "calls.take_lone_legs",
            "is not kept: it is said with each import that needs it",
        ));
    }
    internal(profile)?;
    texts("calls.tech_prefixes", &profile.tech_prefixes, LONGEST_PREFIX)?;
    texts("calls.international_prefixes", &profile.international_prefixes, LONGEST_PREFIX)?;
    national(profile)
}

/// Names of files, each once, and who is meant by each.
fn accounts(accounts: &[pb::CallAccount]) -> Result<()> {
    at_most("calls.accounts", accounts)?;
    let mut seen = HashSet::new();
    for pb::CallAccount { name, user } in accounts {
        for text in [name, user] {
            required_text("calls.accounts", text)?;
        }
        if !seen.insert(name.to_lowercase()) {
            return Err(Error::invalid("calls.accounts", "have one name twice"));
        }
    }
    Ok(())
}

/// Prefixes, each once, and who is meant by each.
fn prefixes(field: &str, prefixes: &[pb::CallPrefix]) -> Result<()> {
    at_most(field, prefixes)?;
    let mut seen = HashSet::new();
    for pb::CallPrefix { prefix, user } in prefixes {
        for text in [prefix, user] {
            required_text(field, text)?;
        }
        if prefix.chars().count() > LONGEST_PREFIX {
            return Err(Error::invalid(field, "are too long"));
        }
        if !seen.insert(prefix) {
            return Err(Error::invalid(field, "have one prefix twice"));
        }
    }
    Ok(())
}

/// Which numbers are internal.
fn internal(profile: &pb::CallFileProfile) -> Result<()> {
    texts("calls.internal_numbers", &profile.internal_numbers, LONGEST_PREFIX)?;
    let is_letter = |char: char| char.is_ascii_alphanumeric() || matches!(char, '*' | '#');
    if !profile.internal_numbers.iter().all(|number| number.chars().all(is_letter)) {
        return Err(Error::invalid("calls.internal_numbers", "are of letters, digits, * and #"));
    }
    match profile.internal_shorter_than {
        0..=32 => Ok(()),
        _ => Err(Error::invalid("calls.internal_shorter_than", "must be 0 to 32")),
    }
}

fn template(template: &str, format: CallFileFormat) -> Result<()> {
    if template.chars().count() > LONGEST_TEMPLATE {
        return Err(Error::invalid("calls.template", "is longer than 10000 characters"));
    }
    if template.contains('\0') {
        return Err(Error::invalid("calls.template", "contains a control character"));
    }
    match (template.is_empty(), format) {
        (true, CallFileFormat::FreeswitchCustom) => {
            Err(Error::invalid("calls.template", "is required for this format"))
        }
        (false, CallFileFormat::Unspecified | CallFileFormat::FreeswitchCustom) | (true, _) => {
            Ok(())
        }
        (false, _) => Err(Error::invalid("calls.template", "is for another format")),
    }
}

fn national(profile: &pb::CallFileProfile) -> Result<()> {
    let (prefix, code) = (&profile.national_prefix, &profile.country_code);
    if prefix.len() > LONGEST_PREFIX || prefix.chars().any(char::is_control) {
        return Err(Error::invalid("calls.national_prefix", "is no prefix of numbers"));
    }
    if code.len() > LONGEST_PREFIX || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid("calls.country_code", "is not of digits"));
    }
    if code.is_empty() && !prefix.is_empty() {
        return Err(Error::invalid("calls.country_code", "is required with a national prefix"));
    }
    Ok(())
}

/// Columns of known meanings, each once. No enum has a meaning for 0.
fn columns<'a, E: TryFrom<i32> + Eq + Hash>(
    field: &str,
    places: impl ExactSizeIterator<Item = (i32, Option<&'a pb::FileColumn>)>,
) -> Result<()> {
    if places.len() > MOST {
        return Err(Error::invalid(field, "are more than 256"));
    }
    let mut seen = HashSet::new();
    for (meaning, place) in places {
        if meaning == 0 {
            return Err(Error::invalid(field, "have each a meaning"));
        }
        if !seen.insert(enums::known::<E>(field, meaning)?) {
            return Err(Error::invalid(field, "have one meaning twice"));
        }
        column(field, place)?;
    }
    Ok(())
}

fn column(field: &str, column: Option<&pb::FileColumn>) -> Result<()> {
    match column.and_then(|column| column.column.as_ref()) {
        None => Err(Error::invalid(field, "have each a position or a name")),
        Some(Column::Position(..1)) => Err(Error::invalid(field, "have positions from 1")),
        Some(Column::Position(_)) => Ok(()),
        // Readers take such a name for a position.
        Some(Column::Name(name)) if name.trim().parse::<u64>().is_ok() => {
            Err(Error::invalid(field, "have names that are no numbers"))
        }
        Some(Column::Name(name)) => required_text(field, name),
    }
}

fn at_most<T>(field: &str, list: &[T]) -> Result<()> {
    match list.len() {
        ..=MOST => Ok(()),
        _ => Err(Error::invalid(field, "are more than 256")),
    }
}

fn required_text(field: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(field, "must not be empty"));
    }
    check_text(field, text)
}

fn texts(field: &str, texts: &[String], longest: usize) -> Result<()> {
    at_most(field, texts)?;
    for text in texts {
        required_text(field, text)?;
        if text.chars().count() > longest {
            return Err(Error::invalid(field, "are too long"));
        }
    }
    Ok(())
}

fn sheet_number(field: &str, number: i32) -> Result<()> {
    match number {
        1.. => Ok(()),
        _ => Err(Error::invalid(field, "counts from 1")),
    }
}

fn skipped(field: &str, lines: i64) -> Result<()> {
    match lines {
        0.. => Ok(()),
        _ => Err(Error::invalid(field, "must not be negative")),
    }
}

/// The only character of a text; `None` if it is empty.
fn character(field: &str, text: &str, allowed: impl Fn(char) -> bool) -> Result<Option<char>> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (None, _) => Ok(None),
        (Some(char), None) if allowed(char) => Ok(Some(char)),
        (Some(_), None) => Err(Error::invalid(field, "is a character that separates nothing")),
        (Some(_), Some(_)) => Err(Error::invalid(field, "must be one character")),
    }
}

fn encoding(field: &str, label: &str) -> Result<()> {
    if label.is_empty() || Encoding::for_label(label.as_bytes()).is_some() {
        return Ok(());
    }
    Err(Error::invalid(field, "is no encoding that the web knows"))
}

fn time_zone(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || TimeZone::get(name).is_ok() {
        return Ok(());
    }
    Err(Error::invalid(field, "is not an IANA time zone"))
}

fn sources(field: &str, sources: &[i32]) -> Result<()> {
    let mut seen = HashSet::new();
    for source in sources {
        if enums::known::<PartySource>(field, *source)? == PartySource::Unspecified {
            return Err(Error::invalid(field, "is unknown"));
        }
        if !seen.insert(source) {
            return Err(Error::invalid(field, "names one twice"));
        }
    }
    Ok(())
}

/// Whether a format of dates says whether the day, the month or the year is first, as
/// `DateOrder::parse` of the reader has it.
fn is_date_order(format: &str) -> bool {
    let mut letters = String::new();
    for char in format.to_lowercase().chars() {
        match char {
            // Behind the date, `m` is minutes.
            'd' | 'm' | 'b' | 'y' => {
                let char = if char == 'b' { 'm' } else { char };
                if !letters.contains(char) {
                    letters.push(char);
                }
            }
            other if other.is_alphabetic() && letters.len() < 3 => return false,
            _ => {}
        }
    }
    matches!(letters.as_str(), "dmy" | "mdy" | "ymd")
}

/// Whether a time that is written in this format can be read by it, with its date.
fn is_time_format(format: &str) -> bool {
    // 2001-02-03 04:05:06.
    let time = Timestamp::constant(981_173_106, 0).to_zoned_datetime(TimeZone::UTC);
    let written = strtime::format(format, &time).ok();
    let read = written.and_then(|text| BrokenDownTime::parse(format, text).ok());
    read.is_some_and(|read| read.to_datetime().is_ok() || read.to_timestamp().is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "the column of a place is optional")]
    fn at(position: i32) -> Option<pb::FileColumn> {
        Some(pb::FileColumn { column: Some(Column::Position(position)) })
    }

    #[allow(clippy::unnecessary_wraps, reason = "the column of a place is optional")]
    fn called(name: &str) -> Option<pb::FileColumn> {
        Some(pb::FileColumn { column: Some(Column::Name(name.to_owned())) })
    }

    fn rate(meaning: RateColumn, column: Option<pb::FileColumn>) -> pb::RateColumnPlace {
        pb::RateColumnPlace { meaning: meaning.into(), column }
    }

    /// What is wrong with a profile, in words.
    fn problem(contents: &Contents) -> String {
        super::contents(contents).unwrap_err().to_string()
    }

    #[test]
    fn profiles_of_decks() {
        type Change = fn(&mut pb::RateFileProfile);

        let good = pb::RateFileProfile {
            columns: vec![rate(RateColumn::Prefix, at(1)), rate(RateColumn::Rate, at(3))],
            ignored_columns: vec![called("Region").unwrap()],
            no_header: true,
            skip_lines: 2,
            separator: ";".to_owned(),
            encoding: "windows-1251".to_owned(),
            sheet: Some(Sheet::SheetNumber(2)),
            decimal_separator: ",".to_owned(),
            thousands_separator: ".".to_owned(),
            date_format: "DD.MM.YYYY HH:mm".to_owned(),
            time_zone: "Europe/Vilnius".to_owned(),
            factor: Some(pb::Decimal { value: "0.01".to_owned() }),
            steps: FileBillingSteps::Zero.into(),
            ..Default::default()
        };
        contents(&Contents::Rates(good.clone())).unwrap();
        contents(&Contents::Rates(pb::RateFileProfile::default())).unwrap();
        let cases: [(Change, &str); 24] = [
            (|p| p.columns[0].meaning = 99, "rates.columns is unknown"),
            (|p| p.columns[0].meaning = 0, "rates.columns have each a meaning"),
            (|p| p.columns[0].column = None, "rates.columns have each a position or a name"),
            (|p| p.columns[0].column = at(0), "rates.columns have positions from 1"),
            (|p| p.columns[0].column = called("3"), "rates.columns have names that are no numbers"),
            (|p| p.columns[0].column = called("Code"), "rates.columns are positions where"),
            (|p| p.columns[1].meaning = 1, "rates.columns have one meaning twice"),
            (|p| p.columns = vec![p.columns[0].clone(); 257], "rates.columns are more than 256"),
            (|p| p.ignored_columns[0] = called("").unwrap(), "rates.ignored_columns must not be"),
            (|p| p.header_line = Some(0), "rates.header_line counts from 1"),
            (|p| p.header_line = Some(3), "rates.header_line contradicts no_header"),
            (|p| p.skip_lines = -1, "rates.skip_lines must not be negative"),
            (|p| p.separator = ";;".to_owned(), "rates.separator must be one character"),
            (|p| p.separator = "\"".to_owned(), "rates.separator is a character that"),
            (|p| p.encoding = "latin-99".to_owned(), "rates.encoding is no encoding"),
            (|p| p.sheet = Some(Sheet::SheetNumber(0)), "rates.sheet_number counts from 1"),
            (|p| p.decimal_separator = "x".to_owned(), "rates.decimal_separator is a character"),
            (
                |p| p.thousands_separator = ",".to_owned(),
                "rates.thousands_separator is the decimal",
            ),
            (|p| p.date_format = "QQ/YYYY".to_owned(), "rates.date_format is no date format"),
            (|p| p.time_zone = "Mars/Base".to_owned(), "rates.time_zone is not an IANA time zone"),
            (
                |p| p.factor.as_mut().unwrap().value = "0".to_owned(),
                "rates.factor is not a decimal",
            ),
            (|p| p.steps = 9, "rates.steps is unknown"),
            (|p| p.increment_seconds = Some(0), "rates.increment_seconds must be at least 1"),
            (|p| p.min_time_seconds = Some(-1), "rates.min_time_seconds must not be negative"),
        ];
        for (change, said) in cases {
            let mut bad = good.clone();
            change(&mut bad);
            let problem = problem(&Contents::Rates(bad));
            assert!(problem.starts_with(said), "{problem}");
        }
    }

    #[test]
    fn profiles_of_files_of_calls() {
        type Change = fn(&mut pb::CallFileProfile);

        let place =
            |meaning: CallColumn, column| pb::CallColumnPlace { meaning: meaning.into(), column };
        let good = pb::CallFileProfile {
            columns: vec![
                place(CallColumn::CallId, called("Call Ref")),
                place(CallColumn::Billsec, at(4)),
            ],
            separator: ";".to_owned(),
            date_format: "%d/%m/%Y %H:%M:%S".to_owned(),
            duration_unit: DurationUnit::Minutes.into(),
            originator_from: vec![PartySource::Peer.into(), PartySource::Account.into()],
            tech_prefixes: vec!["1234#".to_owned()],
            national_prefix: "0".to_owned(),
            country_code: "370".to_owned(),
            terminators_by_prefix: vec![pb::CallPrefix {
                prefix: "7788".to_owned(),
                user: "colossus".to_owned(),
            }],
            internal_numbers: vec!["1xx".to_owned()],
            internal_shorter_than: 6,
            ..Default::default()
        };
        contents(&Contents::Calls(good.clone())).unwrap();
        let cases: [(Change, &str); 19] = [
            (|p| p.format = 99, "calls.format is unknown"),
            (|p| p.format = CallFileFormat::FreeswitchCustom.into(), "calls.template is required"),
            (
                |p| {
                    p.template = "\"${uuid}\"".to_owned();
                    p.format = CallFileFormat::Yeti.into();
                },
                "calls.template is for another format",
            ),
            (|p| p.columns[1].meaning = 1, "calls.columns have one meaning twice"),
            (|p| p.ignored_columns.push(String::new()), "calls.ignored_columns must not be empty"),
            (|p| p.date_format = "%Q!".to_owned(), "calls.date_format is no form of times"),
            (|p| p.duration_unit = 9, "calls.duration_unit is unknown"),
            (
                |p| {
                    let account = |name: &str| pb::CallAccount {
                        name: name.to_owned(),
                        user: "a".to_owned(),
                    };
                    p.accounts = vec![account("PBX1"), account("pbx1")];
                },
                "calls.accounts have one name twice",
            ),
            (|p| p.originator_from = vec![1, 1], "calls.originator_from names one twice"),
            (|p| p.tech_prefixes[0] = "9".repeat(33), "calls.tech_prefixes are too long"),
            (|p| p.country_code = "+370".to_owned(), "calls.country_code is not of digits"),
            (|p| p.country_code = String::new(), "calls.country_code is required"),
            (
                |p| p.terminators_by_prefix.push(p.terminators_by_prefix[0].clone()),
                "calls.terminators_by_prefix have one prefix twice",
            ),
            (
                |p| p.terminators_by_prefix[0].user = String::new(),
                "calls.terminators_by_prefix must not be empty",
            ),
            (|p| p.internal_numbers[0] = "1-9".to_owned(), "calls.internal_numbers are of letters"),
            (|p| p.take_lone_legs = true, "calls.take_lone_legs is not kept"),
            (
                |p| p.sheet = Some(call_file_profile::Sheet::SheetNumber(0)),
                "calls.sheet_number counts from 1",
            ),
            (
                |p| p.sheet = Some(call_file_profile::Sheet::SheetName(String::new())),
                "calls.sheet_name must not be empty",
            ),
            (|p| p.internal_shorter_than = -1, "calls.internal_shorter_than must be 0 to 32"),
        ];
        for (change, said) in cases {
            let mut bad = good.clone();
            change(&mut bad);
            let problem = problem(&Contents::Calls(bad));
            assert!(problem.starts_with(said), "{problem}");
        }
    }

    #[test]
    fn names_are_not_those_of_formats() {
        name("Carrier 1").unwrap();
        for taken in ["asterisk", "FreeSWITCH-json", "3cx", ""] {
            assert!(name(taken).is_err(), "{taken:?}");
        }
    }

    #[test]
    fn formats_of_times() {
        for good in ["%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%s", "%m/%d/%y %I:%M %p"] {
            assert!(is_time_format(good), "{good}");
        }
        for bad in ["%H:%M", "DD/MM/YYYY", "%d/%m", "%!"] {
            assert!(!is_time_format(bad), "{bad}");
        }
    }
}
