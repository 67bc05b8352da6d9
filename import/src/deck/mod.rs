//! Rate decks.
//!
//! A [`Deck`] gives an item for each row of a table: one [`DeckLine`] for each prefix and each part
//! of the day that the row has a rate for, or why the row is refused, or that it has no rate.
//!
//! | written | read as |
//! | --- | --- |
//! | `7901-7905, 7908` | a line for each prefix |
//! | country code and area code | one prefix |
//! | `60/60`, `30-6`, `1+1`, `0/1/1`, or first and next interval | minimum time and increment, steps counted after the minimum |
//! | `zero`, `minimum` in a column `steps` | what steps count from |
//! | `22:00` to `06:00` | two lines, to midnight and from midnight on |
//! | `closed`, `deleted` | a line that ends the rate |
//! | `blocked`, `not offered`, `-1` | a line that blocks the prefix |
//! | `ended` in a column `blocked` | a line from which on a shorter prefix decides |
//! | `N/A`, nothing | refused until [`Profile::not_offered`] says what it means |
//! | inter/intra state, origin | refused: a rate has no such condition |

mod fields;
mod line;
mod words;

use std::collections::VecDeque;

use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;

pub use fields::FIELDS;
pub use words::Status;

use crate::{
    Error, Profile,
    profile::Steps,
    table::{self, Columns, Limits, Part, Row, RowProblem, Table},
    values::{Days, Hours, ValueError},
};
use line::Reader;

/// What the importer knows, and no file says.
#[derive(Debug, Clone)]
pub struct DeckOptions {
    /// Code of the tariff's currency; a deck or line in another is refused. `None`: any is taken.
    pub currency: Option<String>,
    /// Time zone of times without one, if the profile names none.
    pub time_zone: TimeZone,
    /// Limits of sizes.
    pub limits: Limits,
}

impl Default for DeckOptions {
    fn default() -> Self {
        Self { currency: None, time_zone: TimeZone::UTC, limits: Limits::default() }
    }
}

/// One rate for one prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeckLine {
    /// Its line in the file, from 1; several lines of a deck may come of one.
    pub line: u64,
    /// The prefix: 1 to 32 digits, letters, `*` and `#`.
    pub prefix: String,
    /// Name of the destination, country first if that has a column of its own; may be empty.
    pub destination: String,
    /// Per minute, times the factor of the profile; not negative. `None`: blocked, closed or ended.
    pub rate: Option<Decimal>,
    /// Calls are refused.
    pub blocked: bool,
    /// The rate ends at `effective_from`, or now if that is `None`.
    pub closed: bool,
    /// There is no rate from `effective_from` on, so that a shorter prefix decides: what an export
    /// of Tollbook says of it.
    pub ended: bool,
    /// Once a call, times the factor of the profile; `None` if the deck does not say it.
    pub connection_fee: Option<Decimal>,
    /// What is billed at least, in seconds; `None` if the deck does not say it.
    pub minimum: Option<u32>,
    /// In steps of how many seconds is billed; `None` if the deck does not say it.
    pub increment: Option<u32>,
    /// What the steps count from. `FromZero` where that is the same.
    pub steps: Steps,
    /// From when; `None`: the deck does not say it.
    pub effective_from: Option<Timestamp>,
    /// Until when, this moment excluded; an end that is a day includes the day. `None`: open.
    pub effective_until: Option<Timestamp>,
    /// Which hours of the day.
    pub hours: Hours,
    /// Which days.
    pub days: Days,
    /// What the status column says.
    pub status: Option<Status>,
    /// What was read, but should be seen by a person.
    pub notes: Vec<Note>,
}

/// What should be seen by a person, though it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// `00` of international dialling was dropped from the prefix.
    #[error("00 before the prefix was dropped: numbers arrive without it")]
    Dialled,
    /// `x` or `*` behind the prefix was dropped.
    #[error("x or * for any digit behind the prefix was dropped")]
    Wildcard,
    /// The prefix or area code begins with 0, as numbers are dialled within a country.
    #[error("the prefix or area code begins with 0: most numbers arrive without it")]
    LeadingZero,
    /// The hours cross midnight and hold for some days only: what is after midnight holds for the
    /// same days as what is before, not for the mornings after.
    #[error("hours across midnight: both parts hold on the days given")]
    AcrossMidnight,
}

/// What is in a row of a deck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeckItem {
    /// A rate.
    Line(DeckLine),
    /// A row that cannot be used.
    Refused {
        /// Its line in the file, from 1.
        line: u64,
        /// Why.
        problem: Problem,
        /// The prefixes that it is of, whose rates must not be deleted for its sake. Empty: not
        /// even these can be read, so nothing may be deleted.
        prefixes: Vec<String>,
    },
    /// A row that has no rate and is not meant to have one.
    Idle {
        /// Its line in the file, from 1.
        line: u64,
        /// What it is.
        what: Idle,
        /// Its text, at most 200 characters.
        text: String,
    },
}

/// A row without a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Idle {
    /// Above the row that names the columns.
    Above,
    /// The names of the columns once more.
    Header,
    /// A sum of others.
    Total,
    /// A heading or a remark: neither prefix nor rate.
    Remark,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It cannot be split into cells.
    #[error(transparent)]
    Row(#[from] RowProblem),
    /// It has not the columns of the table.
    #[error("{0}")]
    Misfit(String),
    /// A cell cannot be read.
    #[error("{column}: {error}")]
    Value {
        /// The field.
        column: &'static str,
        /// Why.
        error: ValueError,
    },
    /// No prefix, but a rate.
    #[error("no prefix")]
    NoPrefix,
    /// A prefix, but no rate, and nothing that says why.
    #[error("no rate ({0:?}): --block-not-offered says that it blocks the prefix")]
    NoRate(String),
    /// A word in the status column that is not known.
    #[error("status {0:?} is not known")]
    Status(String),
    /// A word in the column `blocked` that is not known.
    #[error("blocked {0:?} is neither yes nor no nor ended")]
    Blocked(String),
    /// A word in the column `steps` that is not known.
    #[error("steps {0:?} is neither zero nor minimum")]
    Steps(String),
    /// Another currency than the tariff's.
    #[error("in {written}, where the tariff is in {tariff}")]
    Currency {
        /// As written.
        written: String,
        /// Code of the tariff's currency.
        tariff: String,
    },
    /// A rate for calls from some origins only.
    #[error(
        "column {column:?}: a rate for calls from {origin:?} only: rates that depend on the caller \
         are not supported: leave such lines out with --skip-bad-lines, or take them for all calls \
         with --ignore-column"
    )]
    DependsOnCaller {
        /// The column's name.
        column: String,
        /// What it says.
        origin: String,
    },
    /// Less than nothing.
    #[error("{column} is negative: {value}")]
    Negative {
        /// The field.
        column: &'static str,
        /// The value.
        value: Decimal,
    },
    /// Two cells contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

/// A deck being read.
#[derive(Debug)]
pub struct Deck {
    table: Table,
    reader: Reader,
    row: Row,
    ready: VecDeque<DeckItem>,
    ended: bool,
}

impl Deck {
    /// Opens a deck: finds its columns, and fails with [`Error::Columns`] if any is not
    /// understood.
    pub fn open(part: Part, profile: &Profile, options: DeckOptions) -> Result<Self, Error> {
        let known = |name: &str| FIELDS.field(name).is_some();
        let mut table = Table::open(part, &profile.table_options(options.limits), &known)?;
        let columns = table::columns(&mut table, &FIELDS, &profile.columns)?;
        let sample = table.peek(SAMPLE)?;
        let reader = Reader::new(columns, profile, options, sample)?;
        let above = reader.columns.above().iter();
        let ready = above
            .map(|(line, text)| DeckItem::Idle {
                line: *line,
                what: Idle::Above,
                text: shortened(text),
            })
            .collect();
        Ok(Self { table, reader, row: Row::default(), ready, ended: false })
    }

    /// What each column is, to show it to the operator.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.reader.columns
    }

    /// The table that it is read from: name, separator, encoding.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }
}

/// How many rows are looked at to find out how numbers are written.
const SAMPLE: usize = 200;

impl Iterator for Deck {
    type Item = Result<DeckItem, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() && !self.ended {
            match self.table.read_row(&mut self.row) {
                Ok(true) => self.reader.read(&self.row, &mut self.ready),
                Ok(false) => self.ended = true,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

/// The text of a row as an item has it.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
