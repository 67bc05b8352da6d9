//! How a file of calls is read: as flags, as a profile of the contract, and as the reader has it.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use encoding_rs::Encoding;
use jiff::tz::TimeZone;
use tollbook_import::{
    calls::{At, CallOptions, Column, Format, Internal, National, Numbers, Whose},
    table::SheetRef,
};
use tollbook_proto::v1::{
    CallAccount, CallColumn, CallColumnPlace, CallFileFormat, CallFileProfile, CallPrefix,
    DurationUnit, FileColumn, call_file_profile::Sheet, file_column,
};

use super::choices::{DurationIn, NamedBy};
use crate::{
    profiles::{
        contract::{character, letter, number, of_later_version, position, said, sheet},
        words::{Words, sheet_word},
    },
    values::time_zone,
};

/// How a file of calls is read.
#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Flags {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    whose: WhoseArgs,
    #[command(flatten)]
    numbers: NumberArgs,
    #[command(flatten)]
    internal: InternalArgs,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "How the files are read")]
struct TableArgs {
    #[arg(long, value_name = "NAME", help = formats())]
    format: Option<Format>,
    /// The template of FreeSWITCH's `mod_cdr_csv`, where it is one of your own
    #[arg(long)]
    template: Option<String>,
    /// What a column is, by its name or by its number from 1, for example billsec=Seconds or
    /// originator=3; may be repeated
    #[arg(long = "column", value_name = "WHAT=COLUMN", value_parser = column)]
    columns: Vec<(Column, At)>,
    /// The column separator [default: detected]
    #[arg(long)]
    delimiter: Option<char>,
    /// The sheet of a workbook, by its name or its number
    #[arg(long, value_name = "SHEET", value_parser = sheet)]
    sheet: Option<SheetRef>,
    /// So many lines at the beginning of each file are not read [default: 0]
    #[arg(long, value_name = "LINES")]
    skip_lines: Option<u64>,
    /// A column that may stay unused; may be repeated
    #[arg(long = "ignore-column", value_name = "NAME")]
    ignored_columns: Vec<String>,
    /// All columns that are not known may stay unused
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_unknown_columns: Option<bool>,
    /// The form of times, as strptime has it, for example %d/%m/%Y %H:%M:%S
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,
    /// The time zone of times that say none [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
    /// The unit of durations that are plain numbers [default: seconds]
    #[arg(long, value_enum)]
    duration_unit: Option<DurationIn>,
    /// The encoding of text that is not UTF-8, for example windows-1251 [default: windows-1252]
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static Encoding>,
    /// Take a last line without its end, too: nobody writes to the file any more
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    take_unfinished_line: Option<bool>,
    /// Take records of outgoing legs (FreeSWITCH's B legs) for calls of their own
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    take_b_legs: Option<bool>,
    /// Take answered records of FreeSWITCH that name no B leg for calls (to voice mail and the like), and
    /// not for B legs whose A leg is in another file; and those of Asterisk that began on the second end
    /// of a Local channel, where no record of the first end was read, or it has another number or payer
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    take_lone_legs: Option<bool>,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Whose calls they are")]
struct WhoseArgs {
    /// Login name of who pays for calls that name nobody
    #[arg(long)]
    originator: Option<String>,
    /// What names who pays, the first that says something: the account code, the peer in the name of
    /// the channel, the origination point by its id, address or description [default: account,point]
    #[arg(long, value_enum, value_delimiter = ',')]
    originator_from: Vec<NamedBy>,
    /// Who pays for calls that name nobody, by what the number called begins with: a technical prefix that
    /// --tech-prefix takes off, or the number as it is rated, and a login name; the longest decides; may
    /// be repeated
    #[arg(long = "originator-by-prefix", value_name = "PREFIX=USER", value_parser = prefix)]
    originators_by_prefix: Vec<(String, String)>,
    /// Login name of the terminator of calls that name none
    #[arg(long)]
    terminator: Option<String>,
    /// What names the terminator, likewise, of the channel that the call went out on
    /// [default: account,point]
    #[arg(long, value_enum, value_delimiter = ',')]
    terminator_from: Vec<NamedBy>,
    /// The terminator of calls that name none, likewise, for example 7788=carrier or 370=carrier; may be
    /// repeated
    #[arg(long = "terminator-by-prefix", value_name = "PREFIX=USER", value_parser = prefix)]
    terminators_by_prefix: Vec<(String, String)>,
    /// Who is meant by a name in the files: an account code or peer, in any capitals, and the login
    /// name of the user; may be repeated
    #[arg(long = "map-account", value_name = "OLD=NEW", value_parser = account)]
    accounts: Vec<(String, String)>,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "How numbers are read")]
struct NumberArgs {
    /// A prefix that routes a call and is no part of the number; may be repeated
    #[arg(long = "tech-prefix", value_name = "PREFIX")]
    tech_prefixes: Vec<String>,
    /// What stands for + [default: 00]
    #[arg(long = "international-prefix", value_name = "PREFIX")]
    international_prefixes: Vec<String>,
    /// What numbers within the country begin with, for example 0; needs --country-code
    #[arg(long, value_name = "PREFIX")]
    national_prefix: Option<String>,
    /// The digits that take the place of the national prefix; without one, they go before every
    /// number that is not international
    #[arg(long, value_name = "DIGITS")]
    country_code: Option<String>,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "What is left out")]
struct InternalArgs {
    /// Leave out, and count, calls to these numbers of the switch's own, in which x stands for any digit,
    /// for example 1xx,2xxx,*97
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    internal_numbers: Vec<String>,
    /// Leave out, and count, calls to numbers that have fewer digits
    #[arg(long, value_name = "DIGITS", value_parser = clap::value_parser!(u8).range(0..=32))]
    internal_shorter_than: Option<u8>,
}

fn formats() -> String {
    let names = Format::NAMES.map(|(_, name)| name).join(", ");
    format!("Who wrote them [default: detected]: {names}")
}

fn column(text: &str) -> Result<(Column, At), String> {
    let (what, column) = text.split_once('=').ok_or("a column is given as WHAT=COLUMN")?;
    let what = what.parse::<Column>().map_err(|unknown| unknown.to_string())?;
    let Ok(at) = column.parse::<At>();
    Ok((what, at))
}

fn account(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').map(|(old, new)| (old.trim(), new.trim())) {
        Some((old, new)) if !old.is_empty() && !new.is_empty() => {
            Ok((old.to_owned(), new.to_owned()))
        }
        _ => {
            Err("an account is given as OLD=NEW, its name in the file and a login name".to_owned())
        }
    }
}

fn prefix(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').map(|(prefix, user)| (prefix.trim(), user.trim())) {
        Some((prefix, user)) if !prefix.is_empty() && !user.is_empty() => {
            // As it is rated, a number has none.
            let prefix = prefix.strip_prefix('+').unwrap_or(prefix);
            Ok((prefix.to_owned(), user.to_owned()))
        }
        _ => {
            Err("it is given as PREFIX=USER, the beginning of numbers and a login name".to_owned())
        }
    }
}

fn encoding(name: &str) -> Result<&'static Encoding, String> {
    Encoding::for_label(name.as_bytes())
        .ok_or_else(|| format!("{name:?} is no encoding that the web knows"))
}

impl Flags {
    /// Those that say nothing but who wrote a file.
    pub(crate) fn of_format(format: Format) -> Self {
        let table = TableArgs { format: Some(format), ..TableArgs::default() };
        Self { table, ..Self::default() }
    }

    /// These, and what `base` says beside them. A list that is given takes the place of another; of
    /// columns, those that are given do.
    pub(crate) fn over(self, base: Self) -> Self {
        Self {
            table: self.table.over(base.table),
            whose: WhoseArgs {
                originator: self.whose.originator.or(base.whose.originator),
                originator_from: list(self.whose.originator_from, base.whose.originator_from),
                originators_by_prefix: beside(
                    self.whose.originators_by_prefix,
                    base.whose.originators_by_prefix,
                ),
                terminator: self.whose.terminator.or(base.whose.terminator),
                terminator_from: list(self.whose.terminator_from, base.whose.terminator_from),
                terminators_by_prefix: beside(
                    self.whose.terminators_by_prefix,
                    base.whose.terminators_by_prefix,
                ),
                accounts: beside(self.whose.accounts, base.whose.accounts),
            },
            numbers: NumberArgs {
                tech_prefixes: list(self.numbers.tech_prefixes, base.numbers.tech_prefixes),
                international_prefixes: list(
                    self.numbers.international_prefixes,
                    base.numbers.international_prefixes,
                ),
                national_prefix: self.numbers.national_prefix.or(base.numbers.national_prefix),
                country_code: self.numbers.country_code.or(base.numbers.country_code),
            },
            internal: InternalArgs {
                internal_numbers: list(
                    self.internal.internal_numbers,
                    base.internal.internal_numbers,
                ),
                internal_shorter_than: self
                    .internal
                    .internal_shorter_than
                    .or(base.internal.internal_shorter_than),
            },
        }
    }

    /// These, with the format that was detected where none is said.
    pub(crate) fn with_format(mut self, format: Option<Format>) -> Self {
        self.table.format = self.table.format.or(format);
        self
    }

    /// Whether lone legs are taken for calls.
    pub(crate) fn takes_lone_legs(&self) -> bool {
        self.table.take_lone_legs.unwrap_or_default()
    }

    /// These, as a profile keeps them: without what is said with each import.
    pub(crate) fn kept(mut self) -> Self {
        self.table.take_lone_legs = None;
        self
    }

    /// Whether it is said from how many digits on numbers are no internal ones.
    pub(crate) fn says_shortest(&self) -> bool {
        self.internal.internal_shorter_than.is_some()
    }

    /// The name of the time zone of times that say none, if it is said.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.table.time_zone.as_deref()
    }

    /// What the reader is told, with the zone of times that say none where it is not said.
    pub(crate) fn options(&self, zone_of_settings: TimeZone) -> anyhow::Result<CallOptions> {
        let Self { table, whose, numbers, internal } = self;
        let party = |otherwise: &Option<String>, by: &[NamedBy], by_prefix| Whose {
            by: match by {
                [] => Whose::default().by,
                by => by.iter().map(|by| by.by()).collect(),
            },
            by_prefix,
            otherwise: otherwise.clone().unwrap_or_default(),
        };
        let by_prefix = |flag, users| meant(flag, users, str::to_owned);
        let originators = by_prefix("--originator-by-prefix", &whose.originators_by_prefix)?;
        let terminators = by_prefix("--terminator-by-prefix", &whose.terminators_by_prefix)?;
        let shorter_than = internal.internal_shorter_than.unwrap_or_default();
        Ok(CallOptions {
            format: table.format,
            template: table.template.clone(),
            columns: table.columns.clone(),
            separator: table.delimiter,
            sheet: table.sheet.clone(),
            skip_lines: table.skip_lines.unwrap_or_default(),
            ignore_columns: table.ignored_columns.clone(),
            ignore_unknown_columns: table.ignore_unknown_columns.unwrap_or_default(),
            date_format: table.date_format.clone(),
            zone: self.zone().map(time_zone).transpose()?.unwrap_or(zone_of_settings),
            duration_unit: table.duration_unit.map(DurationIn::unit).unwrap_or_default(),
            numbers: numbers.numbers()?,
            originator: party(&whose.originator, &whose.originator_from, originators),
            terminator: party(&whose.terminator, &whose.terminator_from, terminators),
            take_unfinished_line: table.take_unfinished_line.unwrap_or_default(),
            take_b_legs: table.take_b_legs.unwrap_or_default(),
            take_lone_legs: table.take_lone_legs.unwrap_or_default(),
            accounts: meant("--map-account", &whose.accounts, str::to_lowercase)?,
            internal: Internal::new(&internal.internal_numbers, shorter_than.into())
                .context("--internal-numbers")?,
            encoding: table.encoding,
            ..CallOptions::default()
        })
    }

    /// What the core keeps.
    pub(crate) fn to_proto(&self) -> anyhow::Result<CallFileProfile> {
        let Self { table, whose, numbers, internal } = self;
        let sources = |by: &[NamedBy]| by.iter().map(|by| by.to_proto()).collect();
        let format = match table.format {
            None => CallFileFormat::Unspecified,
            Some(format) => CallFileFormat::from_str_name(&format_constant(format))
                .with_context(|| format!("the contract has no format {format}"))?,
        };
        let sheet = match &table.sheet {
            None => None,
            Some(SheetRef::Number(number)) => Some(Sheet::SheetNumber(position(*number)?)),
            Some(SheetRef::Name(name)) => Some(Sheet::SheetName(name.clone())),
        };
        let unit = table.duration_unit.map_or(DurationUnit::Unspecified, DurationIn::to_proto);
        Ok(CallFileProfile {
            format: format.into(),
            template: table.template.clone().unwrap_or_default(),
            columns: table.columns.iter().map(written).collect::<Result<_, _>>()?,
            ignored_columns: table.ignored_columns.clone(),
            ignore_unknown_columns: table.ignore_unknown_columns.unwrap_or_default(),
            sheet,
            skip_lines: number(table.skip_lines.unwrap_or_default())?,
            separator: letter(table.delimiter),
            encoding: table.encoding.map_or("", Encoding::name).to_owned(),
            take_unfinished_line: table.take_unfinished_line.unwrap_or_default(),
            date_format: table.date_format.clone().unwrap_or_default(),
            time_zone: table.time_zone.clone().unwrap_or_default(),
            duration_unit: unit.into(),
            take_b_legs: table.take_b_legs.unwrap_or_default(),
            take_lone_legs: table.take_lone_legs.unwrap_or_default(),
            accounts: whose
                .accounts
                .iter()
                .map(|(name, user)| CallAccount { name: name.clone(), user: user.clone() })
                .collect(),
            originator: whose.originator.clone().unwrap_or_default(),
            originator_from: sources(&whose.originator_from),
            terminator: whose.terminator.clone().unwrap_or_default(),
            terminator_from: sources(&whose.terminator_from),
            originators_by_prefix: prefixes(&whose.originators_by_prefix),
            terminators_by_prefix: prefixes(&whose.terminators_by_prefix),
            internal_numbers: internal.internal_numbers.clone(),
            internal_shorter_than: internal.internal_shorter_than.unwrap_or_default().into(),
            tech_prefixes: numbers.tech_prefixes.clone(),
            international_prefixes: numbers.international_prefixes.clone(),
            national_prefix: numbers.national_prefix.clone().unwrap_or_default(),
            country_code: numbers.country_code.clone().unwrap_or_default(),
        })
    }

    /// The flags that say what a profile says.
    pub(crate) fn from_proto(profile: CallFileProfile) -> anyhow::Result<Self> {
        let sources =
            |by: Vec<i32>| by.into_iter().map(NamedBy::from_proto).collect::<Result<Vec<_>, _>>();
        let encoding = match profile.encoding.as_str() {
            "" => None,
            label => Some(encoding(label).map_err(anyhow::Error::msg)?),
        };
        let sheet = match profile.sheet {
            None => None,
            Some(Sheet::SheetNumber(number)) => Some(SheetRef::Number(number.try_into()?)),
            Some(Sheet::SheetName(name)) => Some(SheetRef::Name(name)),
        };
        Ok(Self {
            table: TableArgs {
                format: format_of(profile.format)?,
                template: said(profile.template),
                columns: profile.columns.into_iter().map(read).collect::<Result<_, _>>()?,
                delimiter: character(&profile.separator)?,
                sheet,
                skip_lines: Some(profile.skip_lines.try_into()?).filter(|lines| *lines > 0),
                ignored_columns: profile.ignored_columns,
                ignore_unknown_columns: profile.ignore_unknown_columns.then_some(true),
                date_format: said(profile.date_format),
                time_zone: said(profile.time_zone),
                duration_unit: DurationIn::from_proto(profile.duration_unit)?,
                encoding,
                take_unfinished_line: profile.take_unfinished_line.then_some(true),
                take_b_legs: profile.take_b_legs.then_some(true),
                take_lone_legs: profile.take_lone_legs.then_some(true),
            },
            whose: WhoseArgs {
                originator: said(profile.originator),
                originator_from: sources(profile.originator_from)?,
                originators_by_prefix: pairs(profile.originators_by_prefix),
                terminator: said(profile.terminator),
                terminator_from: sources(profile.terminator_from)?,
                terminators_by_prefix: pairs(profile.terminators_by_prefix),
                accounts: profile.accounts.into_iter().map(|one| (one.name, one.user)).collect(),
            },
            numbers: NumberArgs {
                tech_prefixes: profile.tech_prefixes,
                international_prefixes: profile.international_prefixes,
                national_prefix: said(profile.national_prefix),
                country_code: said(profile.country_code),
            },
            internal: InternalArgs {
                internal_numbers: profile.internal_numbers,
                internal_shorter_than: Some(profile.internal_shorter_than.try_into()?)
                    .filter(|digits| *digits > 0),
            },
        })
    }

    /// As one would type them.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self { table, whose, numbers, internal } = self;
        let mut words = Words::default();
        words.flag("--format", table.format);
        words.flag("--template", table.template.as_ref());
        for (what, at) in &table.columns {
            let at = match at {
                At::Position(position) => position.to_string(),
                At::Name(name) => name.clone(),
            };
            words.flag("--column", Some(format!("{}={at}", what.name())));
        }
        words.flag("--delimiter", table.delimiter);
        words.flag("--sheet", table.sheet.as_ref().map(sheet_word));
        words.flag("--skip-lines", table.skip_lines);
        words.flags("--ignore-column", &table.ignored_columns);
        words.switch("--ignore-unknown-columns", table.ignore_unknown_columns);
        words.flag("--date-format", table.date_format.as_ref());
        words.flag("--time-zone", table.time_zone.as_ref());
        words.flag("--duration-unit", table.duration_unit.map(DurationIn::name));
        words.flag("--encoding", table.encoding.map(Encoding::name));
        words.switch("--take-unfinished-line", table.take_unfinished_line);
        words.switch("--take-b-legs", table.take_b_legs);
        words.switch("--take-lone-legs", table.take_lone_legs);
        words.flag("--originator", whose.originator.as_ref());
        words.flag("--originator-from", joined(&whose.originator_from));
        words.flags("--originator-by-prefix", joined_pairs(&whose.originators_by_prefix));
        words.flag("--terminator", whose.terminator.as_ref());
        words.flag("--terminator-from", joined(&whose.terminator_from));
        words.flags("--terminator-by-prefix", joined_pairs(&whose.terminators_by_prefix));
        words.flags("--map-account", joined_pairs(&whose.accounts));
        words.flags("--tech-prefix", &numbers.tech_prefixes);
        words.flags("--international-prefix", &numbers.international_prefixes);
        words.flag("--national-prefix", numbers.national_prefix.as_ref());
        words.flag("--country-code", numbers.country_code.as_ref());
        let numbers = &internal.internal_numbers;
        words.flag("--internal-numbers", (!numbers.is_empty()).then(|| numbers.join(",")));
        words.flag("--internal-shorter-than", internal.internal_shorter_than);
        words.into_vec()
    }
}

impl TableArgs {
    fn over(mut self, base: Self) -> Self {
        let others = base.columns.into_iter();
        let others = others.filter(|(what, _)| !self.columns.iter().any(|(said, _)| said == what));
        let others: Vec<_> = others.collect();
        self.columns.extend(others);
        self.ignored_columns.extend(base.ignored_columns);
        // A template is of one format alone.
        let format = base.format.filter(|_| self.template.is_none());
        let template = base.template.filter(|_| self.format.is_none());
        Self {
            format: self.format.or(format),
            template: self.template.or(template),
            delimiter: self.delimiter.or(base.delimiter),
            sheet: self.sheet.or(base.sheet),
            skip_lines: self.skip_lines.or(base.skip_lines),
            ignore_unknown_columns: self.ignore_unknown_columns.or(base.ignore_unknown_columns),
            date_format: self.date_format.or(base.date_format),
            time_zone: self.time_zone.or(base.time_zone),
            duration_unit: self.duration_unit.or(base.duration_unit),
            encoding: self.encoding.or(base.encoding),
            take_unfinished_line: self.take_unfinished_line.or(base.take_unfinished_line),
            take_b_legs: self.take_b_legs.or(base.take_b_legs),
            take_lone_legs: self.take_lone_legs.or(base.take_lone_legs),
            ..self
        }
    }
}

impl NumberArgs {
    fn numbers(&self) -> anyhow::Result<Numbers> {
        let usual = Numbers::default();
        if self.national_prefix.is_some() && self.country_code.is_none() {
            bail!("--national-prefix needs --country-code, which takes its place");
        }
        Ok(Numbers {
            tech_prefixes: self.tech_prefixes.clone(),
            international_prefixes: match self.international_prefixes.as_slice() {
                [] => usual.international_prefixes,
                given => given.to_vec(),
            },
            national: self.country_code.clone().map(|country_code| National {
                prefix: self.national_prefix.clone().unwrap_or_default(),
                country_code,
            }),
        })
    }
}

/// Those that are given, and those of `base` of which none is.
fn beside(mut given: Vec<(String, String)>, base: Vec<(String, String)>) -> Vec<(String, String)> {
    let others = base.into_iter().filter(|(old, _)| {
        !given.iter().any(|(said, _)| said.to_lowercase() == old.to_lowercase())
    });
    let others: Vec<_> = others.collect();
    given.extend(others);
    given
}

/// Who is meant by each of the names or prefixes of a flag, in the form in which files have them.
fn meant(
    flag: &str,
    given: &[(String, String)],
    form: impl Fn(&str) -> String,
) -> anyhow::Result<BTreeMap<String, String>> {
    let mut users = BTreeMap::new();
    for (what, user) in given {
        let before = users.insert(form(what), user.clone());
        if before.is_some_and(|before| before != *user) {
            bail!("{flag} says twice who {what:?} is");
        }
    }
    Ok(users)
}

fn prefixes(given: &[(String, String)]) -> Vec<CallPrefix> {
    let given = given.iter().cloned();
    given.map(|(prefix, user)| CallPrefix { prefix, user }).collect()
}

fn pairs(prefixes: Vec<CallPrefix>) -> Vec<(String, String)> {
    prefixes.into_iter().map(|CallPrefix { prefix, user }| (prefix, user)).collect()
}

/// Values as one would type them.
fn joined_pairs(pairs: &[(String, String)]) -> impl Iterator<Item = String> {
    pairs.iter().map(|(one, other)| format!("{one}={other}"))
}

fn list<T>(given: Vec<T>, base: Vec<T>) -> Vec<T> {
    if given.is_empty() { base } else { given }
}

fn joined(by: &[NamedBy]) -> Option<String> {
    let names: Vec<_> = by.iter().map(|by| by.name()).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// What the contract calls a format.
fn format_constant(format: Format) -> String {
    format!("CALL_FILE_FORMAT_{}", format.name().to_uppercase().replace('-', "_"))
}

fn format_of(number: i32) -> anyhow::Result<Option<Format>> {
    let format = CallFileFormat::try_from(number).ok().with_context(of_later_version)?;
    if format == CallFileFormat::Unspecified {
        return Ok(None);
    }
    let known = Format::NAMES.map(|(format, _)| format).into_iter();
    let found = known.into_iter().find(|known| format_constant(*known) == format.as_str_name());
    found.with_context(of_later_version).map(Some)
}

fn written((what, at): &(Column, At)) -> anyhow::Result<CallColumnPlace> {
    let constant = format!("CALL_COLUMN_{}", what.name().to_uppercase());
    let meaning = CallColumn::from_str_name(&constant);
    let meaning = meaning.with_context(|| format!("the contract has no {constant}"))?;
    let column = Some(match at {
        At::Position(at) => file_column::Column::Position(position(*at)?),
        At::Name(name) => file_column::Column::Name(name.clone()),
    });
    Ok(CallColumnPlace { meaning: meaning.into(), column: Some(FileColumn { column }) })
}

fn read(place: CallColumnPlace) -> anyhow::Result<(Column, At)> {
    let meaning = CallColumn::try_from(place.meaning).ok().with_context(of_later_version)?;
    let name = meaning.as_str_name().trim_start_matches("CALL_COLUMN_");
    let what = name.parse::<Column>().ok().with_context(of_later_version)?;
    let column = place.column.and_then(|column| column.column);
    let at = match column.with_context(of_later_version)? {
        file_column::Column::Position(at) => At::Position(at.try_into()?),
        file_column::Column::Name(name) => At::Name(name),
    };
    Ok((what, at))
}
