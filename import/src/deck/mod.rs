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

mod answer;
mod cells;
mod dates;
mod fields;
mod languages;
mod line;
mod measure_words;
mod measures;
mod numbers;
mod phrases;
mod titles;
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
    /// A cell of a workbook without a value.
    #[error("{column}: {text:?} {trouble}")]
    NoValue {
        /// The field.
        column: &'static str,
        /// What is in it.
        text: String,
        /// Why it has none.
        trouble: &'static str,
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
    /// Rows whose dates can be read in two ways, until the others have been seen.
    waiting: Vec<Row>,
    remarks: Vec<String>,
    /// What remarks below say of all rates, and no flag answers.
    unanswered: Vec<Error>,
    /// Some line has no date, though there is a column of dates.
    undated: bool,
    ended: bool,
}

impl Deck {
    /// Opens a deck: finds its columns, and fails with [`Error::Columns`] if any is not
    /// understood. Where more than that has to be answered, all of it is in [`Error::Several`], with
    /// what would be refused of the lines.
    pub fn open(part: Part, profile: &Profile, options: DeckOptions) -> Result<Self, Error> {
        let known = |name: &str| FIELDS.field(name).is_some();
        let mut table = Table::open(part, &profile.table_options(options.limits), &known)?;
        let (columns, problems) =
            table::columns_and_problems(&mut table, &FIELDS, &profile.columns)?;
        let sample = table.peek(SAMPLE)?;
        let (reader, complaints) = Reader::new(columns, profile, options, sample, problems)?;
        let above = reader.columns.above().iter();
        let ready = above
            .map(|(line, text)| DeckItem::Idle {
                line: *line,
                what: Idle::Above,
                text: shortened(text),
            })
            .collect();
        let deck = Self {
            table,
            reader,
            row: Row::default(),
            ready,
            waiting: Vec::new(),
            remarks: Vec::new(),
            unanswered: Vec::new(),
            undated: false,
            ended: false,
        };
        if complaints.is_empty() { Ok(deck) } else { Err(deck.complain(complaints)) }
    }

    /// All that has to be answered: what is wrong with the file, and with its lines as far as they can
    /// be read all the same.
    fn complain(mut self, mut complaints: Vec<Error>) -> Error {
        let has = |field| self.columns().position(field).is_some();
        if has("rate") && (has("prefix") || has("country_code")) {
            let of_lines = self.line_complaints();
            complaints.append(&mut self.unanswered);
            complaints.extend(of_lines);
        }
        together(complaints)
    }

    /// What is wrong with lines, once for each answer.
    fn line_complaints(&mut self) -> Vec<Error> {
        let mut found: Vec<(u64, u64, Option<String>, Problem)> = Vec::new();
        while let Some(Ok(item)) = self.next_item() {
            let DeckItem::Refused { line, problem, .. } = item else { continue };
            let answer = self.answer(&problem);
            match found.iter_mut().find(|(_, _, known, _)| *known == answer) {
                Some((lines, ..)) => *lines += 1,
                None => found.push((1, line, answer, problem)),
            }
        }
        let complaint = |(lines, first, answer, problem): (u64, u64, Option<String>, Problem)| {
            Error::Lines { lines, first, problem: problem.to_string(), answer }
        };
        found.into_iter().map(complaint).collect()
    }

    /// What each column is, to show it to the operator.
    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.reader.columns
    }

    /// The flags that would answer the problem of a row; `None` if the row has to be mended.
    #[must_use]
    pub fn answer(&self, problem: &Problem) -> Option<String> {
        self.reader.answer(problem)
    }

    /// What was found out of the deck as a whole, once all its items are taken.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What a person should know of a workbook whose currencies cannot be seen.
    fn hidden_currencies(&self) -> Option<String> {
        let currency = self.reader.titles.currency.as_deref()?;
        let is_said = self.columns().position("currency").is_some();
        (self.table.hides_formats() && !is_said).then(|| {
            format!(
                "a currency that numbers are shown with cannot be seen in workbooks of this kind: they are \
                 taken as {currency}; saved as XLSX, the workbook tells it"
            )
        })
    }

    /// The table that it is read from: name, separator, encoding.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }
}

/// How many rows are looked at to find out how numbers are written.
const SAMPLE: usize = 200;

impl Deck {
    fn next_item(&mut self) -> Option<Result<DeckItem, Error>> {
        while self.ready.is_empty() && !self.ended {
            match self.table.read_row(&mut self.row) {
                Ok(true) if self.reader.waits(&self.row) => self.waiting.push(self.row.clone()),
                Ok(true) => self.reader.read(&self.row, &mut self.ready),
                Ok(false) => {
                    self.ended = true;
                    self.remarks = self.reader.settle_dates();
                    self.remarks.extend(self.hidden_currencies());
                    for row in std::mem::take(&mut self.waiting) {
                        self.reader.read(&row, &mut self.ready);
                    }
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let item = self.ready.pop_front()?;
        let has_dates = self.reader.titles.has_dates;
        self.undated |=
            matches!(&item, DeckItem::Line(line) if has_dates && line.effective_from.is_none());
        if let DeckItem::Idle { line, what: Idle::Remark | Idle::Total, text } = &item {
            self.unanswered.extend(self.reader.titles.problem(*line, text));
        }
        Some(Ok(item))
    }
}

impl Iterator for Deck {
    type Item = Result<DeckItem, Error>;

    /// What remarks say of all rates is asked once all lines are read: the deck cannot be used then.
    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_item();
        if item.is_none() && std::mem::take(&mut self.undated) {
            // A date above counts for the lines whose cell is empty.
            self.reader.titles.has_dates = false;
            let Reader { titles, columns, .. } = &self.reader;
            let above = columns.above().iter();
            self.unanswered.extend(above.filter_map(|(line, text)| titles.problem(*line, text)));
        }
        if item.is_none() && !self.unanswered.is_empty() {
            return Some(Err(together(std::mem::take(&mut self.unanswered))));
        }
        item
    }
}

fn together(mut errors: Vec<Error>) -> Error {
    match errors.pop() {
        Some(only) if errors.is_empty() => only,
        last => {
            errors.extend(last);
            Error::Several(errors)
        }
    }
}

/// The text of a row as an item has it.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
