//! Tables: rows of cells out of files of text and workbooks, each with the line it begins in.
//!
//! [`sources`] lists the files that paths name, [`Source::parts`] unpacks each into [`Part`]s, and
//! [`Table::open`] reads rows out of a part. [`columns`] then finds the row that names the columns
//! and says of each column what it is; what is not understood is an
//! [`Error::Columns`](crate::Error::Columns).

mod cell;
mod columns;
mod detect;
mod ods;
mod sheet;
mod shown;
mod source;
mod split;

use std::{collections::VecDeque, io};

use encoding_rs::Encoding;

pub use cell::CellKind;
pub(crate) use columns::columns_and_problems;
pub use columns::{ColumnProblem, ColumnRef, Columns, Field, Selection, Vocabulary, columns};
pub use sheet::SheetRef;
pub(crate) use source::limit_reached;
pub use source::{Limits, Part, Parts, PassedOver, Source, sources};

use crate::{
    Error,
    text::{Cells, Dialect, Encodings, Lines},
};
use sheet::SheetRows;
use split::Splitter;

/// How a table is to be read. The default finds out everything.
#[derive(Debug, Clone)]
pub struct TableOptions {
    /// Name of the encoding, as of HTML (`windows-1251`, `utf-16le`); `None`: UTF-8, UTF-16 if it
    /// looks like it, else the likeliest code page.
    pub encoding: Option<String>,
    /// What separates columns, an ASCII character; `None`: it is found out among comma,
    /// semicolon, tab and pipe.
    pub separator: Option<char>,
    /// Whether cells may stand in double quotes.
    pub quotes: bool,
    /// Whether a backslash takes the next character as it is, in a cell in quotes, as `MySQL` does.
    pub backslash: bool,
    /// Whether a cell in quotes may go on in the next line. Where it may not, as in the files of
    /// switches, a quote left open costs one line.
    pub several_lines: bool,
    /// How many lines to leave out before anything else.
    pub skip_lines: u64,
    /// Which sheet of a workbook; `None`: the only one that has rows and is not hidden.
    pub sheet: Option<SheetRef>,
    /// Limits of sizes.
    pub limits: Limits,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            encoding: None,
            separator: None,
            quotes: true,
            backslash: false,
            several_lines: true,
            skip_lines: 0,
            sheet: None,
            limits: Limits::default(),
        }
    }
}

/// Why nobody should trust how a row was split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// A quote is opened and not closed.
    #[error("a quote is left open")]
    QuoteOpen,
    /// Text follows a closing quote, as where quotes within a cell are not doubled.
    #[error("a quote is closed within a cell")]
    QuoteBroken,
    /// The last line, without a line end: the file may have been cut off within it.
    #[error(
        "the last line has no line end: the file may be cut off within it (--take-unfinished-line takes it)"
    )]
    Unfinished,
    /// Longer than the limit; the row is cut.
    #[error("the line is too long")]
    TooLong,
}

/// A row of a table. Rows without anything in them are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    line: u64,
    last_line: u64,
    cells: Cells,
    /// Of a workbook's row, up to its last cell that is not text.
    kinds: Vec<CellKind>,
    /// Those that cells of a workbook are shown in, by the position of the cell.
    currencies: Vec<(usize, String)>,
    raw: String,
    problem: Option<RowProblem>,
}

impl Row {
    /// The line that it begins in, from 1, as an editor counts; of a sheet its row.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The line that it ends in; another one if a cell has several lines.
    #[must_use]
    pub fn last_line(&self) -> u64 {
        self.last_line
    }

    /// How many cells it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// A cell by its position, from 0, without spaces around it; `None` if there is none.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<&str> {
        self.cells.get(position).map(str::trim)
    }

    /// Its cells, without spaces around them.
    #[must_use]
    pub fn cells(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.cells.iter().map(str::trim)
    }

    /// What a cell holds, by its position, from 0; text if there is none.
    #[must_use]
    pub fn kind(&self, position: usize) -> CellKind {
        self.kinds.get(position).copied().unwrap_or_default()
    }

    /// The currency that a number of a workbook is shown in, as a sign or code.
    #[must_use]
    pub fn currency(&self, position: usize) -> Option<&str> {
        let found = self.currencies.iter().find(|(at, _)| *at == position);
        found.map(|(_, currency)| currency.as_str())
    }

    /// Its lines as they are in the file, decoded; of a sheet its cells with tabs between them.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// What is wrong with it. Its cells are those that it seems to have.
    #[must_use]
    pub fn problem(&self) -> Option<RowProblem> {
        self.problem
    }

    fn clear(&mut self) {
        self.cells.clear();
        self.kinds.clear();
        self.currencies.clear();
        self.raw.clear();
        self.problem = None;
    }
}

/// A table being read.
pub struct Table {
    name: String,
    rows: Rows,
    ahead: VecDeque<Row>,
    failed: Option<Error>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

enum Rows {
    Text(Box<Splitter>),
    Sheet(SheetRows),
}

/// How many lines are looked at to find the separator.
const SAMPLE_LINES: usize = 100;
const SAMPLE_BYTES: usize = 64 * 1024;

impl Table {
    /// Opens a part. `known` says whether a text, as [`normalised`] gives it, is the name of a
    /// column: it helps to find the separator.
    pub fn open(
        part: Part,
        options: &TableOptions,
        known: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let name = part.name.clone();
        if let Some(kind) = not_a_table(&part.head) {
            return Err(Error::NotATable { name, kind });
        }
        let rows = if part.is_workbook {
            let skip = options.skip_lines;
            Rows::Sheet(SheetRows::open(part, options.sheet.as_ref(), skip, options.limits)?)
        } else {
            Rows::Text(Box::new(splitter(part, options, known)?))
        };
        let mut table = Self { name, rows, ahead: VecDeque::new(), failed: None };
        if table.peek(1)?.is_empty() {
            return Err(Error::Empty { name: table.name });
        }
        Ok(table)
    }

    /// Name of the part, for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What separates its columns; `None` for a workbook.
    #[must_use]
    pub fn separator(&self) -> Option<char> {
        match &self.rows {
            Rows::Text(splitter) => Some(splitter.dialect.separator),
            Rows::Sheet(_) => None,
        }
    }

    /// Name of its encoding as far as it is known by now; `None` for a workbook.
    #[must_use]
    pub fn encoding(&self) -> Option<&'static str> {
        match &self.rows {
            Rows::Text(splitter) => Some(splitter.lines.encoding()),
            Rows::Sheet(_) => None,
        }
    }

    /// Whether it is of a workbook that does not tell what its numbers are shown as, and so in which
    /// currency: XLS and XLSB.
    #[must_use]
    pub fn hides_formats(&self) -> bool {
        match &self.rows {
            Rows::Text(_) => false,
            Rows::Sheet(sheet) => sheet.hides_formats,
        }
    }

    /// Reads the next row into `row`; false at the end of the table.
    pub fn read_row(&mut self, row: &mut Row) -> Result<bool, Error> {
        if let Some(next) = self.ahead.pop_front() {
            *row = next;
            return Ok(true);
        }
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.read(row),
        }
    }

    /// The next row; `None` at the end of the table.
    pub fn next_row(&mut self) -> Result<Option<Row>, Error> {
        let mut row = Row::default();
        Ok(self.read_row(&mut row)?.then_some(row))
    }

    /// The next rows, at most `count`, which stay to be read.
    pub fn peek(&mut self, count: usize) -> Result<&[Row], Error> {
        while self.ahead.len() < count && self.failed.is_none() {
            let mut row = Row::default();
            match self.read(&mut row) {
                Ok(true) => self.ahead.push_back(row),
                Ok(false) => break,
                // The rows before it come first.
                Err(error) if !self.ahead.is_empty() => self.failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        let rows = self.ahead.make_contiguous();
        Ok(&rows[..count.min(rows.len())])
    }

    /// Its rows, for readers that take these, as [`CallFile::rows`](crate::calls::CallFile::rows)
    /// does of workbooks. A row that cannot be split ends it with an error: use
    /// [`read_row`](Self::read_row) for files of text.
    pub fn into_rows(mut self) -> impl Iterator<Item = io::Result<Row>> + Send {
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let row = match self.next_row() {
                Ok(Some(row)) => row,
                Ok(None) => return None,
                Err(error) => {
                    ended = true;
                    return Some(Err(io::Error::other(error)));
                }
            };
            if let Some(problem) = row.problem() {
                ended = true;
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, problem)));
            }
            Some(Ok(row))
        })
    }

    fn read(&mut self, row: &mut Row) -> Result<bool, Error> {
        match &mut self.rows {
            Rows::Text(splitter) => {
                splitter.read(row).map_err(|source| Error::io(&self.name, source))
            }
            Rows::Sheet(sheet) => Ok(sheet.read(row)),
        }
    }
}

fn splitter(
    part: Part,
    options: &TableOptions,
    known: &dyn Fn(&str) -> bool,
) -> Result<Splitter, Error> {
    let name = part.name.clone();
    let failed = |source| Error::io(&name, source);
    let encoding = options.encoding.as_deref().map(encoding).transpose()?;
    let encodings = encoding.map_or(Encodings::Found, Encodings::Said);
    let longest = options.limits.line;
    let mut lines = Lines::new(part.into_reader(), encodings, |_| longest).map_err(failed)?;
    for _ in 0..options.skip_lines {
        let Some(line) = lines.next().map_err(failed)? else { break };
        lines.reuse(line);
    }
    let said = match options.separator {
        Some(separator) => Some(one_byte(separator)?),
        None => sep_line(&mut lines).map_err(failed)?,
    };
    let separator = if let Some(separator) = said {
        separator
    } else {
        let sample = lines.peek_within(SAMPLE_LINES, SAMPLE_BYTES).map_err(failed)?;
        let texts: Vec<&str> = sample.iter().map(|line| line.text.as_str()).collect();
        detect::separator(&texts, known)
    };
    let separator = char::from(separator);
    let dialect = Dialect { separator, quotes: options.quotes, backslash: options.backslash };
    Ok(Splitter { lines, dialect, several_lines: options.several_lines })
}

fn encoding(label: &str) -> Result<&'static Encoding, Error> {
    Encoding::for_label(label.as_bytes())
        .ok_or_else(|| Error::Profile(format!("--encoding: there is no encoding {label:?}")))
}

fn one_byte(separator: char) -> Result<u8, Error> {
    let byte = u8::try_from(separator).ok().filter(|b| b.is_ascii() && !b"\"\r\n\\".contains(b));
    byte.ok_or_else(|| {
        Error::Profile(format!("--delimiter: columns cannot be separated by {separator:?}"))
    })
}

/// `sep=;`, which Excel writes before the first row.
fn sep_line(lines: &mut Lines) -> io::Result<Option<u8>> {
    let Some(first) = lines.peek(1)?.front() else { return Ok(None) };
    let text = first.text.trim_matches('"');
    let Some([separator]) = text.strip_prefix("sep=").map(str::as_bytes) else { return Ok(None) };
    let separator = one_byte(char::from(*separator)).ok();
    lines.next()?;
    Ok(separator)
}

/// What a file is that people take for a table.
fn not_a_table(head: &[u8]) -> Option<&'static str> {
    let start = head.trim_ascii_start();
    let is = |prefix: &[u8]| {
        start.len() >= prefix.len() && start[..prefix.len()].eq_ignore_ascii_case(prefix)
    };
    if is(b"%PDF-") {
        Some("a PDF document")
    } else if is(b"<!doctype html") || is(b"<html") || is(b"<table") {
        Some("a web page")
    } else if is(b"<?xml") {
        Some("XML")
    } else if is(b"{") || is(b"[{") {
        Some("JSON")
    } else {
        None
    }
}

/// The name of a column for comparison: small letters and digits, one space between words.
///
/// `"Effective_Date "` and `effective-date` are `effective date`, `Rate (USD/min)` is
/// `rate usd min`.
#[must_use]
pub fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_alphanumeric() || matches!(c, '$' | '€' | '£' | '#' | '%') {
            normal.extend(c.to_lowercase());
        } else if matches!(c, '\u{300}'..='\u{36f}') {
            // An accent that is written beside its letter.
        } else if !normal.is_empty() && !normal.ends_with(' ') {
            normal.push(' ');
        }
    }
    normal.truncate(normal.trim_end().len());
    normal
}
