//! How a rate deck is read: as flags, as a profile of the contract, and as the reader has it.

use std::collections::BTreeMap;

use anyhow::Context;
use tollbook_import::{
    Profile,
    profile::{NotOffered, Steps},
    table::{ColumnRef, Selection, SheetRef},
    values::NumberFormat,
};
use tollbook_proto::v1::{
    self as pb, FileBillingSteps, FileColumn, RateColumn, RateColumnPlace, RateFileProfile,
    file_column::Column, rate_file_profile::Sheet,
};

use crate::profiles::{
    contract::{character, letter, number, of_later_version, position, said, sheet},
    words::{Words, sheet_word},
};

/// How a rate deck is read.
#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Flags {
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    values: ValueArgs,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "How the table is read")]
struct TableArgs {
    /// What a column is, by its name or by its number from 1, for example prefix=Breakout or rate=3;
    /// may be repeated
    #[arg(long = "column", value_name = "WHAT=COLUMN", value_parser = column)]
    columns: Vec<(RateColumn, ColumnRef)>,
    /// A column that is passed over, or a line around the table, by its text; may be repeated
    #[arg(long = "ignore-column", value_name = "COLUMN", value_parser = ignored)]
    ignored_columns: Vec<ColumnRef>,
    /// All columns that are not known are passed over, but those on which a price depends
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_unknown_columns: Option<bool>,
    /// The line that names the columns [default: found]
    #[arg(long, value_name = "LINE")]
    header_line: Option<u64>,
    /// No line names the columns: --column gives them all by number
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_header: Option<bool>,
    /// So many lines at the beginning are not read [default: 0]
    #[arg(long, value_name = "LINES")]
    skip_lines: Option<u64>,
    /// The column separator [default: detected]
    #[arg(long)]
    delimiter: Option<char>,
    /// The encoding, for example windows-1251 [default: detected]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// The sheet of a workbook, by its name or its number
    #[arg(long, value_name = "SHEET", value_parser = sheet)]
    sheet: Option<SheetRef>,
    /// Take a last line without its end, too
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    take_unfinished_line: Option<bool>,
}

#[derive(clap::Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "How cells are read")]
struct ValueArgs {
    /// The decimal separator, . or , [default: detected]
    #[arg(long)]
    decimal: Option<char>,
    /// What separates thousands [default: detected]
    #[arg(long)]
    thousands: Option<char>,
    /// What dates begin with, for example DD/MM/YYYY or MM/DD/YYYY, where both could be
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,
    /// The time zone of dates [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
    /// From when rates are valid whose line does not say it
    #[arg(long, value_name = "DATE")]
    effective_from: Option<String>,
    /// What rates and fees are multiplied by, for example 0.01 where they are in cents
    #[arg(long, value_name = "NUMBER")]
    factor: Option<String>,
    /// Whether billing steps count from the beginning of a call or from the end of the minimum time
    /// [default: as the columns' names say]; a column `steps` goes first
    #[arg(long, value_enum)]
    steps: Option<StepsFrom>,
    /// The billing step of lines that say none, in seconds [default: 1]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=LONGEST))]
    increment: Option<u32>,
    /// The shortest time that is billed of lines that say none, in seconds [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=LONGEST))]
    minimum_time: Option<u32>,
    /// Block prefixes whose rate is empty or n/a; else such lines are refused
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    block_not_offered: Option<bool>,
}

/// The longest interval that the contract has.
const LONGEST: i64 = 0x7fff_ffff;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum StepsFrom {
    Zero,
    Minimum,
}

impl StepsFrom {
    fn steps(self) -> Steps {
        match self {
            Self::Zero => Steps::FromZero,
            Self::Minimum => Steps::AfterMinimum,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Minimum => "minimum",
        }
    }
}

impl Flags {
    /// These, and what `base` says beside them.
    pub(crate) fn over(self, base: Self) -> Self {
        let Self { mut table, values } = self;
        // A header that is said where it is ends what a profile says of a file without one.
        let no_header = base.table.no_header.filter(|_| table.header_line.is_none());
        let header_line = base.table.header_line.filter(|_| table.no_header != Some(true));
        let others = base.table.columns.into_iter();
        let others = others.filter(|(what, _)| !table.columns.iter().any(|(said, _)| said == what));
        let others: Vec<_> = others.collect();
        table.columns.extend(others);
        table.ignored_columns.extend(base.table.ignored_columns);
        Self {
            table: TableArgs {
                ignore_unknown_columns: table
                    .ignore_unknown_columns
                    .or(base.table.ignore_unknown_columns),
                header_line: table.header_line.or(header_line),
                no_header: table.no_header.or(no_header),
                skip_lines: table.skip_lines.or(base.table.skip_lines),
                delimiter: table.delimiter.or(base.table.delimiter),
                encoding: table.encoding.or(base.table.encoding),
                sheet: table.sheet.or(base.table.sheet),
                take_unfinished_line: table
                    .take_unfinished_line
                    .or(base.table.take_unfinished_line),
                ..table
            },
            values: ValueArgs {
                decimal: values.decimal.or(base.values.decimal),
                thousands: values.thousands.or(base.values.thousands),
                date_format: values.date_format.or(base.values.date_format),
                time_zone: values.time_zone.or(base.values.time_zone),
                effective_from: values.effective_from.or(base.values.effective_from),
                factor: values.factor.or(base.values.factor),
                steps: values.steps.or(base.values.steps),
                increment: values.increment.or(base.values.increment),
                minimum_time: values.minimum_time.or(base.values.minimum_time),
                block_not_offered: values.block_not_offered.or(base.values.block_not_offered),
            },
        }
    }

    /// These, with the columns that were found beside those that are said: so a file with other columns
    /// is not read by guessing anew.
    pub(crate) fn with_places(mut self, places: &[(String, ColumnRef)]) -> Self {
        for (field, place) in places {
            let what = RateColumn::from_str_name(&format!("RATE_COLUMN_{}", field.to_uppercase()));
            let Some(what) = what else { continue };
            if !self.table.columns.iter().any(|(said, _)| *said == what) {
                self.table.columns.push((what, place.clone()));
            }
        }
        self
    }

    /// What the reader is told.
    pub(crate) fn profile(&self) -> Profile {
        let Self { table, values } = self;
        let columns = table.columns.iter().map(|(what, column)| (name(*what), column.clone()));
        Profile {
            columns: Selection {
                columns: columns.collect::<BTreeMap<_, _>>(),
                ignore_columns: table.ignored_columns.clone(),
                ignore_unknown_columns: table.ignore_unknown_columns.unwrap_or_default(),
                header_line: table.header_line,
                no_header: table.no_header.unwrap_or_default(),
            },
            encoding: table.encoding.clone(),
            separator: table.delimiter,
            skip_lines: table.skip_lines.unwrap_or_default(),
            unfinished_line: table.take_unfinished_line.unwrap_or_default(),
            sheet: table.sheet.clone(),
            numbers: NumberFormat { decimal: values.decimal, thousands: values.thousands },
            date_format: values.date_format.clone(),
            time_zone: values.time_zone.clone(),
            factor: values.factor.clone(),
            steps: values.steps.map(StepsFrom::steps),
            increment: values.increment,
            minimum: values.minimum_time,
            not_offered: (values.block_not_offered == Some(true)).then_some(NotOffered::Block),
            effective_from: values.effective_from.clone(),
            ..Profile::default()
        }
    }

    /// What the core keeps.
    pub(crate) fn to_proto(&self) -> anyhow::Result<RateFileProfile> {
        let Self { table, values } = self;
        let place = |(what, column): &(RateColumn, ColumnRef)| {
            let column = Some(written(column)?);
            anyhow::Ok(RateColumnPlace { meaning: (*what).into(), column })
        };
        let sheet = match &table.sheet {
            None => None,
            Some(SheetRef::Number(number)) => Some(Sheet::SheetNumber(position(*number)?)),
            Some(SheetRef::Name(name)) => Some(Sheet::SheetName(name.clone())),
        };
        let steps = match values.steps {
            None => FileBillingSteps::Unspecified,
            Some(StepsFrom::Zero) => FileBillingSteps::Zero,
            Some(StepsFrom::Minimum) => FileBillingSteps::Minimum,
        };
        Ok(RateFileProfile {
            columns: table.columns.iter().map(place).collect::<Result<_, _>>()?,
            ignored_columns: table.ignored_columns.iter().map(written).collect::<Result<_, _>>()?,
            ignore_unknown_columns: table.ignore_unknown_columns.unwrap_or_default(),
            header_line: table.header_line.map(number).transpose()?,
            no_header: table.no_header.unwrap_or_default(),
            skip_lines: number(table.skip_lines.unwrap_or_default())?,
            separator: letter(table.delimiter),
            encoding: table.encoding.clone().unwrap_or_default(),
            sheet,
            take_unfinished_line: table.take_unfinished_line.unwrap_or_default(),
            decimal_separator: letter(values.decimal),
            thousands_separator: letter(values.thousands),
            date_format: values.date_format.clone().unwrap_or_default(),
            time_zone: values.time_zone.clone().unwrap_or_default(),
            effective_from: values.effective_from.clone().unwrap_or_default(),
            factor: values.factor.clone().map(|value| pb::Decimal { value }),
            steps: steps.into(),
            increment_seconds: values.increment.map(i32::try_from).transpose()?,
            min_time_seconds: values.minimum_time.map(i32::try_from).transpose()?,
            block_not_offered: values.block_not_offered.unwrap_or_default(),
        })
    }

    /// The flags that say what a profile says.
    pub(crate) fn from_proto(profile: RateFileProfile) -> anyhow::Result<Self> {
        let place = |place: RateColumnPlace| {
            let what = RateColumn::try_from(place.meaning).ok();
            let what = what.filter(|what| *what != RateColumn::Unspecified);
            anyhow::Ok((what.with_context(of_later_version)?, column_of(place.column)?))
        };
        let steps = match FileBillingSteps::try_from(profile.steps).ok() {
            Some(FileBillingSteps::Unspecified) => None,
            Some(FileBillingSteps::Zero) => Some(StepsFrom::Zero),
            Some(FileBillingSteps::Minimum) => Some(StepsFrom::Minimum),
            None => anyhow::bail!(of_later_version()),
        };
        let sheet = match profile.sheet {
            None => None,
            Some(Sheet::SheetNumber(number)) => Some(SheetRef::Number(number.try_into()?)),
            Some(Sheet::SheetName(name)) => Some(SheetRef::Name(name)),
        };
        let ignored = profile.ignored_columns.into_iter();
        Ok(Self {
            table: TableArgs {
                columns: profile.columns.into_iter().map(place).collect::<Result<_, _>>()?,
                ignored_columns: ignored
                    .map(|column| column_of(Some(column)))
                    .collect::<Result<_, _>>()?,
                ignore_unknown_columns: profile.ignore_unknown_columns.then_some(true),
                header_line: profile.header_line.map(u64::try_from).transpose()?,
                no_header: profile.no_header.then_some(true),
                skip_lines: Some(profile.skip_lines.try_into()?).filter(|lines| *lines > 0),
                delimiter: character(&profile.separator)?,
                encoding: said(profile.encoding),
                sheet,
                take_unfinished_line: profile.take_unfinished_line.then_some(true),
            },
            values: ValueArgs {
                decimal: character(&profile.decimal_separator)?,
                thousands: character(&profile.thousands_separator)?,
                date_format: said(profile.date_format),
                time_zone: said(profile.time_zone),
                effective_from: said(profile.effective_from),
                factor: profile.factor.map(|factor| factor.value),
                steps,
                increment: profile.increment_seconds.map(u32::try_from).transpose()?,
                minimum_time: profile.min_time_seconds.map(u32::try_from).transpose()?,
                block_not_offered: profile.block_not_offered.then_some(true),
            },
        })
    }

    /// As one would type them.
    pub(crate) fn words(&self) -> Vec<String> {
        let Self { table, values } = self;
        let mut words = Words::default();
        for (what, column) in &table.columns {
            words.flag("--column", Some(format!("{}={}", name(*what), plain(column))));
        }
        words.flags("--ignore-column", table.ignored_columns.iter().map(plain));
        words.switch("--ignore-unknown-columns", table.ignore_unknown_columns);
        words.flag("--header-line", table.header_line);
        words.switch("--no-header", table.no_header);
        words.flag("--skip-lines", table.skip_lines);
        words.flag("--delimiter", table.delimiter);
        words.flag("--encoding", table.encoding.as_ref());
        words.flag("--sheet", table.sheet.as_ref().map(sheet_word));
        words.switch("--take-unfinished-line", table.take_unfinished_line);
        words.flag("--decimal", values.decimal);
        words.flag("--thousands", values.thousands);
        words.flag("--date-format", values.date_format.as_ref());
        words.flag("--time-zone", values.time_zone.as_ref());
        words.flag("--effective-from", values.effective_from.as_ref());
        words.flag("--factor", values.factor.as_ref());
        words.flag("--steps", values.steps.map(StepsFrom::name));
        words.flag("--increment", values.increment);
        words.flag("--minimum-time", values.minimum_time);
        words.switch("--block-not-offered", values.block_not_offered);
        words.into_vec()
    }
}

fn written(column: &ColumnRef) -> anyhow::Result<FileColumn> {
    let column = Some(match column {
        ColumnRef::Position(at) => Column::Position(position(*at)?),
        ColumnRef::Name(name) => Column::Name(name.clone()),
    });
    Ok(FileColumn { column })
}

fn column_of(column: Option<FileColumn>) -> anyhow::Result<ColumnRef> {
    match column.and_then(|column| column.column).with_context(of_later_version)? {
        Column::Position(at) => Ok(ColumnRef::Position(at.try_into()?)),
        Column::Name(name) => Ok(ColumnRef::Name(name)),
    }
}

fn plain(column: &ColumnRef) -> String {
    match column {
        ColumnRef::Position(at) => at.to_string(),
        ColumnRef::Name(name) => name.clone(),
    }
}

fn column(text: &str) -> Result<(RateColumn, ColumnRef), String> {
    let (what, column) = text.split_once('=').ok_or("a column is given as WHAT=COLUMN")?;
    let known = RateColumn::from_str_name(&format!("RATE_COLUMN_{}", what.to_uppercase()));
    let known = known.filter(|column| *column != RateColumn::Unspecified);
    let known = known.ok_or_else(|| {
        let all = (1..).map_while(|number| RateColumn::try_from(number).ok());
        let names: Vec<_> = all.map(name).collect();
        format!("{what:?} is not known; there are {}", names.join(", "))
    })?;
    Ok((known, ColumnRef::parse(column)))
}

/// What flags and messages call a column.
fn name(column: RateColumn) -> String {
    column.as_str_name().trim_start_matches("RATE_COLUMN_").to_lowercase()
}

#[allow(clippy::unnecessary_wraps, reason = "the form that clap calls")]
fn ignored(text: &str) -> Result<ColumnRef, String> {
    Ok(ColumnRef::parse(text))
}
