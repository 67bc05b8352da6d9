//! How the files of one carrier or switch are to be read, as an operator keeps it.

use serde::{Deserialize, Serialize};

use crate::{
    Error,
    table::{Limits, Selection, SheetRef, TableOptions},
    values::{DateOrder, NumberFormat},
};

/// What an operator says of a file. Everything has a default: it is found out, or refused where
/// it cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Which column is what, where the header is, what is passed over.
    pub columns: Selection,
    /// Name of the encoding, as of HTML.
    pub encoding: Option<String>,
    /// What separates columns.
    pub separator: Option<char>,
    /// Cells are not in quotes; a quote is a character as any other.
    pub no_quotes: bool,
    /// A backslash takes the next character as it is, in a cell in quotes.
    pub backslash: bool,
    /// Lines to leave out at the beginning.
    pub skip_lines: u64,
    /// A last line without a line end is taken as it is.
    pub unfinished_line: bool,
    /// Sheet of a workbook.
    pub sheet: Option<SheetRef>,
    /// Decimal and thousands separators.
    pub numbers: NumberFormat,
    /// Which of day, month and year is first, as [`DateOrder::parse`] reads it.
    pub date_format: Option<String>,
    /// Name of the time zone of times that have none; else the caller's.
    pub time_zone: Option<String>,
    /// What rates and fees are multiplied by, as `0.01` where they are in pence. Decimal.
    pub factor: Option<String>,
    /// Whether billing steps count from zero or after the minimum time; else what the columns
    /// mean by their names.
    pub steps: Option<Steps>,
    /// What empty cells and words such as `n/a` for a rate mean; else they are refused. Words
    /// that say so (`blocked`, `not offered`) always block.
    pub not_offered: Option<NotOffered>,
    /// The billing step of lines that say none, in seconds, from 1.
    pub increment: Option<u32>,
    /// The shortest time that is billed of lines that say none, in seconds.
    pub minimum: Option<u32>,
    /// From when rates are valid that do not say it themselves; a date.
    pub effective_from: Option<String>,
}

/// What billing steps count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steps {
    /// From the beginning of the call: with 90/60 are billed 120, 180, 240 seconds.
    #[default]
    FromZero,
    /// From the end of the minimum time: with 90/60 are billed 90, 150, 210 seconds.
    AfterMinimum,
}

/// What a rate means that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotOffered {
    /// Calls are blocked.
    Block,
    /// The line is refused.
    Refuse,
}

impl Profile {
    /// How the table is to be opened.
    #[must_use]
    pub fn table_options(&self, limits: Limits) -> TableOptions {
        TableOptions {
            encoding: self.encoding.clone(),
            separator: self.separator,
            quotes: !self.no_quotes,
            backslash: self.backslash,
            several_lines: true,
            skip_lines: self.skip_lines,
            sheet: self.sheet.clone(),
            limits,
        }
    }

    /// Which of day, month and year is first, if the profile says it.
    pub fn date_order(&self) -> Result<Option<DateOrder>, Error> {
        let Some(format) = &self.date_format else { return Ok(None) };
        match DateOrder::parse(format) {
            Some(order) => Ok(Some(order)),
            None => Err(Error::Profile(format!("--date-format {format:?} is no date format"))),
        }
    }

    /// Its time zone, or the one given.
    pub fn zone(&self, default: &jiff::tz::TimeZone) -> Result<jiff::tz::TimeZone, Error> {
        let Some(name) = &self.time_zone else { return Ok(default.clone()) };
        jiff::tz::TimeZone::get(name)
            .map_err(|_| Error::Profile(format!("--time-zone: there is no time zone {name:?}")))
    }
}
