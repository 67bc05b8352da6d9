//! A file of calls being read.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use encoding_rs::WINDOWS_1252;

use super::{
    Call, CallOptions, Column, Format, OpenError, Problem, Span, Unused,
    acc::{Dialogs, Pairs},
    detect::{Detected, LOOK, LOOK_FAR, detect},
    json,
    layout::{self, Layout},
    number::cut,
    record::{Reading, Values},
    strict::{split, split_into},
    template::{Template, is_broken},
    xml,
};
use crate::{
    table::{self, CellKind},
    text::{Cells, Dialect, Encodings, Line, Lines},
};

/// The longest line that is read, in bytes: a record of a call has a few hundred.
const LONGEST: usize = 1 << 20;

/// The same of JSON and XML, which may have all calls on one line.
const LONGEST_OF_TREES: usize = 64 << 20;

/// How much of a refused record is kept, in bytes.
const KEPT: usize = 4_096;

/// After so many lines without an item the reader says that it is still there.
const IDLE: usize = 10_000;

/// In a table of a database, a cell may go on over so many lines.
const JOINED: usize = 8;

/// What comes out of a file of calls.
#[derive(Clone, Debug, PartialEq)]
pub enum CallItem {
    /// A call.
    Call(Box<Call>),
    /// A record that is refused.
    Refused {
        /// The lines that it was read from.
        span: Span,
        /// Why.
        problem: Problem,
        /// The record as it is written, at most 4096 bytes of it.
        text: String,
        /// Up to the first end of which Local channel of Asterisk's it is, as [`super::Leg::Outer`]: so
        /// there may be a record of the other end.
        outer: Option<String>,
    },
    /// The B leg of a call, which is left out: its A leg is what is billed.
    BLeg {
        /// The lines that it was read from.
        span: Span,
        /// The id of the leg.
        id: String,
        /// That of the A leg, or what else the record says of it.
        of: String,
    },
    /// A call to an internal number, which is left out ([`CallOptions::internal`]).
    Internal {
        /// The lines that it was read from.
        span: Span,
        /// The number, as it was dialled.
        number: String,
        /// Up to the first end of which Local channel of Asterisk's it is, as [`super::Leg::Outer`]: so
        /// there may be a record of the other end.
        outer: Option<String>,
    },
    /// Nothing yet: many lines were read that hold no record of their own.
    Idle,
}

impl CallItem {
    pub(crate) fn refused(span: Span, problem: Problem, text: &str) -> Self {
        Self::Refused { span, problem, text: cut(text, KEPT).to_owned(), outer: None }
    }

    pub(crate) fn of(result: Result<Call, Problem>, span: Span, text: &str) -> Self {
        match result {
            Ok(call) => Self::Call(Box::new(call)),
            Err(Problem::BLeg { id, of }) => Self::BLeg { span, id, of },
            Err(Problem::Internal(number)) => Self::Internal { span, number, outer: None },
            Err(Problem::OfOuter(local, problem)) => match Self::of(Err(*problem), span, text) {
                Self::Refused { span, problem, text, .. } => {
                    Self::Refused { span, problem, text, outer: Some(local) }
                }
                Self::Internal { span, number, .. } => {
                    Self::Internal { span, number, outer: Some(local) }
                }
                item => item,
            },
            Err(problem) => Self::refused(span, problem, text),
        }
    }
}

/// A file of calls being read.
pub struct CallFile {
    format: Format,
    options: CallOptions,
    header_line: Option<u64>,
    ignored: Vec<String>,
    is_empty: bool,
    body: Body,
    /// Items that are due before the next record.
    due: VecDeque<CallItem>,
    /// Dialogs of other files, where this one has none.
    passing: Dialogs,
}

enum Body {
    Json(json::Records),
    Xml(xml::Records),
    Template(Lines, Box<Template>),
    Cells(Box<Places>),
    Header(Box<Header>, Rows),
}

/// A file whose cells are told by their places.
struct Places {
    lines: Lines,
    dialect: Dialect,
    /// The layout that positions give, and how many cells go with it; `None`: the format's.
    by_position: Option<(Layout, usize)>,
    /// Of the record being read.
    cells: Cells,
}

struct Header {
    names: Vec<String>,
    layout: Layout,
    /// Of the row being read.
    cells: Cells,
    /// What its cells hold; nothing of lines.
    kinds: Vec<CellKind>,
    /// Kamailio's transactions.
    pairs: Option<Pairs>,
}

/// The rows of a file with a header.
enum Rows {
    Lines(Lines, Dialect),
    /// Those of a spreadsheet.
    Cells(SheetRows),
}

/// The rows of a spreadsheet, as [`Table::into_rows`](table::Table::into_rows) gives them.
pub type SheetRows = Box<dyn Iterator<Item = io::Result<table::Row>> + Send>;

impl CallFile {
    /// Opens text: a file of lines, of JSON, or of XML.
    ///
    /// # Errors
    /// It cannot be read, its format is not known, or it has columns that are not understood.
    pub fn read(reader: Box<dyn Read + Send>, options: &CallOptions) -> Result<Self, OpenError> {
        let mut lines = lines(reader, options)?;
        for _ in 0..options.skip_lines {
            lines.next()?;
        }
        // However many empty lines there are above them, the first ones that say something.
        while lines.peek(1)?.front().is_some_and(|line| line.text.trim().is_empty()) {
            lines.next()?;
        }
        let near: Vec<Line> = filled(lines.peek(LOOK)?);
        let first: Vec<&Line> = near.iter().collect();
        if first.is_empty() {
            // An empty file has no calls, whoever wrote it.
            let body = Body::Json(json::Records::new(lines));
            return Ok(Self { is_empty: true, ..Self::new(Format::Columns, options, body) });
        }
        let mut detected = detect(&first, options);
        if first.iter().any(|line| is_broken(&line.text)) && options.format.is_none() {
            let far = filled(lines.peek(LOOK_FAR)?);
            detected = detect(&far.iter().collect::<Vec<_>>(), options);
        }
        let detected = match (detected, first.as_slice()) {
            (Ok(detected), _) => detected,
            // Half a line says nothing of who wrote it; the other half is on its way.
            (Err(OpenError::UnknownFormat), [line])
                if !line.ended && !options.take_unfinished_line =>
            {
                let item =
                    CallItem::refused(Span::line(line.number), Problem::Unfinished, &line.text);
                let nothing = lines_of_nothing()?;
                let body = Body::Json(json::Records::new(nothing));
                let mut file = Self::new(Format::Columns, options, body);
                file.due.push_back(item);
                return Ok(file);
            }
            (Err(error), _) => return Err(error),
        };
        if let Detected::Header { at, format, dialect, names } = detected {
            let line = first.get(at).map_or(0, |line| line.number);
            return Self::with_header(lines, line, format, dialect, names, options);
        }
        let (format, body) = match detected {
            Detected::Json => (Format::FreeswitchJson, Body::Json(json::Records::new(lines))),
            Detected::Xml => (Format::FreeswitchXml, Body::Xml(xml::Records::new(lines))),
            Detected::Template(format, template) => (format, Body::Template(lines, template)),
            Detected::Cells(format, dialect) => {
                let by_position = if format == Format::Columns {
                    let width = first.iter().filter_map(|line| split(&line.text, dialect).ok());
                    let width = width.map(|cells| cells.len()).next().unwrap_or(0);
                    let layout =
                        layout::by_positions(width, options).map_err(OpenError::Columns)?;
                    Some((layout, width))
                } else {
                    None
                };
                let cells = Cells::default();
                (format, Body::Cells(Box::new(Places { lines, dialect, by_position, cells })))
            }
            Detected::Header { .. } => return Err(OpenError::UnknownFormat),
        };
        Ok(Self::new(format, options, body))
    }

    fn new(format: Format, options: &CallOptions, body: Body) -> Self {
        Self {
            format,
            options: options.clone(),
            header_line: None,
            ignored: Vec::new(),
            is_empty: false,
            body,
            due: VecDeque::new(),
            passing: Dialogs::default(),
        }
    }

    fn with_header(
        mut lines: Lines,
        header_line: u64,
        format: Format,
        dialect: Dialect,
        names: Vec<String>,
        options: &CallOptions,
    ) -> Result<Self, OpenError> {
        let (layout, unused) =
            layout::by_header(format, &names, options).map_err(OpenError::Columns)?;
        let ignored = unused.iter().map(|position| names[*position].clone()).collect();
        let mut due = VecDeque::new();
        while let Some(line) = lines.next()? {
            if line.number >= header_line {
                break;
            }
            // A title is no record; what looks like one is not passed over.
            let alike = split(&line.text, dialect).is_ok_and(|cells| cells.len() == names.len());
            if alike && names.len() > 1 {
                let problem = Problem::Not("header above it");
                due.push_back(CallItem::refused(Span::line(line.number), problem, &line.text));
            }
        }
        let pairs = (format == Format::KamailioAcc).then(Pairs::default);
        let header =
            Box::new(Header { names, layout, cells: Cells::default(), kinds: Vec::new(), pairs });
        let mut file =
            Self::new(format, options, Body::Header(header, Rows::Lines(lines, dialect)));
        file.header_line = Some(header_line);
        file.ignored = ignored;
        file.due = due;
        Ok(file)
    }

    /// Opens the rows of a spreadsheet: the header is the first that names the columns of a call.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn rows(mut rows: SheetRows, options: &CallOptions) -> Result<Self, OpenError> {
        // As a line of text, so that a header is found in one way; a tab is in no cell's name.
        let dialect = Dialect { quotes: false, ..Dialect::quoted('\t') };
        let tabs = CallOptions { separator: Some('\t'), ..options.clone() };
        let mut above = Vec::new();
        for _ in 0..LOOK {
            let Some(row) = rows.next() else { break };
            let row = row?;
            if row.line() <= options.skip_lines {
                continue;
            }
            let text = row.cells().collect::<Vec<_>>().join("\t");
            let line = Line { number: row.line(), text, ended: true, too_long: false };
            let Ok(Detected::Header { format, names, .. }) = detect(&[&line], &tabs) else {
                above.push(row);
                continue;
            };
            let empty = lines_of_nothing()?;
            let mut file = Self::with_header(empty, row.line(), format, dialect, names, options)?;
            if let Body::Header(header, source) = &mut file.body {
                let records = above.iter().filter(|row| is_like_record(row, header));
                file.due.extend(records.map(|row| {
                    let problem = Problem::Not("header above it");
                    CallItem::refused(Span::line(row.line()), problem, row.raw())
                }));
                *source = Rows::Cells(rows);
            }
            return Ok(file);
        }
        Err(OpenError::UnknownFormat)
    }

    /// Goes on with the dialogs of files read before it, and leaves them and its own for
    /// [`Self::into_dialogs`] instead of ending them at its end. To be called before the first
    /// item is read; of use for Kamailio's `acc` only.
    #[must_use]
    pub fn with_dialogs(mut self, dialogs: Dialogs) -> Self {
        if let Body::Header(header, _) = &mut self.body
            && let Some(pairs) = &mut header.pairs
        {
            (pairs.dialogs, pairs.go_on) = (dialogs, true);
        } else {
            self.passing = dialogs;
        }
        self
    }

    /// The dialogs of this file and those before it, for the next one.
    #[must_use]
    pub fn into_dialogs(self) -> Dialogs {
        match self.body {
            Body::Header(header, _) => header.pairs.map_or(self.passing, Pairs::into_dialogs),
            _ => self.passing,
        }
    }

    /// Who wrote the file, by its first lines or by the options.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether nothing is in the file, or empty lines.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The line of the header, if the file has one.
    #[must_use]
    pub fn header_line(&self) -> Option<u64> {
        self.header_line
    }

    /// The columns of the header that nothing is read from: what the format has beside what a
    /// call needs, and what the options say to ignore.
    #[must_use]
    pub fn unused_columns(&self) -> &[String] {
        &self.ignored
    }

    /// The next call, or what is refused; `None` at the end.
    ///
    /// # Errors
    /// Reading fails. What was read before stands.
    pub fn next_item(&mut self) -> Result<Option<CallItem>, OpenError> {
        if let Some(item) = self.due.pop_front() {
            return Ok(Some(item));
        }
        let reading = Reading { format: self.format, options: &self.options };
        match &mut self.body {
            Body::Json(records) => Ok(records.next(reading)?),
            Body::Xml(records) => Ok(records.next(reading)?),
            Body::Template(lines, template) => {
                let read = |text: &str, span| {
                    let cells = template.split(text)?;
                    reading.call(&template.layout.values(&cells), span)
                };
                next_line(lines, reading.options, read)
            }
            Body::Cells(places) => {
                let Places { lines, dialect, by_position, cells } = &mut **places;
                let read = |text: &str, span| {
                    split_into(text, *dialect, cells)?;
                    let cells: Vec<&str> = cells.iter().collect();
                    let layout = match (by_position.as_ref(), reading.format) {
                        (Some((layout, width)), _) if cells.len() == *width => layout.clone(),
                        (Some((_, width)), _) => return Err(Problem::cells(cells.len(), *width)),
                        (None, Format::AsteriskCsv) => layout::asterisk_csv(&cells)?,
                        (None, Format::AsteriskCustom) => layout::asterisk_custom(&cells)?,
                        (None, _) => layout::three_cx(&cells)?,
                    };
                    reading.call(&layout.values(&cells), span)
                };
                next_line(lines, reading.options, read)
            }
            Body::Header(header, rows) => next_row(header, rows, reading),
        }
    }
}

/// The lines of a file. A mark at its beginning says the encoding; else text is UTF-8, and a line
/// that is not is of the encoding that is said.
fn lines(reader: Box<dyn Read + Send>, options: &CallOptions) -> io::Result<Lines> {
    let encodings = Encodings::Beside(options.encoding.unwrap_or(WINDOWS_1252));
    Lines::new(reader, encodings, |head| {
        let first = head.iter().find(|byte| !byte.is_ascii_whitespace());
        let tree = matches!(first, Some(b'{' | b'[' | b'<'));
        if tree { LONGEST_OF_TREES } else { LONGEST }
    })
}

fn lines_of_nothing() -> io::Result<Lines> {
    Lines::new(Box::new(io::empty()), Encodings::Found, |_| LONGEST)
}

fn filled(lines: &VecDeque<Line>) -> Vec<Line> {
    lines.iter().filter(|line| !line.text.trim().is_empty()).cloned().collect()
}

/// The next line that is not empty, read as a record of its own.
fn next_line(
    lines: &mut Lines,
    options: &CallOptions,
    mut read: impl FnMut(&str, Span) -> Result<Call, Problem>,
) -> Result<Option<CallItem>, OpenError> {
    for _ in 0..IDLE {
        let Some(line) = lines.next()? else { return Ok(None) };
        if line.text.trim().is_empty() && !line.too_long {
            lines.reuse(line);
            continue;
        }
        let span = Span::line(line.number);
        let result = whole(&line, lines.longest(), options).and_then(|()| read(&line.text, span));
        let item = CallItem::of(result, span, &line.text);
        lines.reuse(line);
        return Ok(Some(item));
    }
    Ok(Some(CallItem::Idle))
}

/// Whether a line is all there.
fn whole(line: &Line, longest: usize, options: &CallOptions) -> Result<(), Problem> {
    if line.too_long {
        return Err(Problem::LongLine(longest));
    }
    if !line.ended && !options.take_unfinished_line {
        return Err(Problem::Unfinished);
    }
    Ok(())
}

/// A row with the lines that it was read from. Its cells are in [`Header::cells`].
struct Row {
    span: Span,
    result: Result<(), Problem>,
    text: String,
}

fn next_row(
    header: &mut Header,
    rows: &mut Rows,
    reading: Reading<'_>,
) -> Result<Option<CallItem>, OpenError> {
    for _ in 0..IDLE {
        if let Some(item) = header.pairs.as_mut().and_then(Pairs::due) {
            return Ok(Some(item));
        }
        let Some(Row { span, result, text }) = rows.next(header, reading.options)? else {
            return Ok(header.pairs.as_mut().and_then(|pairs| pairs.left(reading.options)));
        };
        let Header { names, layout, cells, kinds, pairs } = &mut *header;
        let item = match result {
            Err(problem) => CallItem::refused(span, problem, &text),
            // The same header again, where files were put together.
            Ok(()) if is_blank(cells) || cells.iter().eq(names.iter()) => continue,
            Ok(()) if reading.format == Format::Cisco && are_types(cells) => continue,
            Ok(()) if cells.len() != names.len() => {
                CallItem::refused(span, Problem::cells(cells.len(), names.len()), &text)
            }
            Ok(()) => {
                let cells: Vec<&str> = cells.iter().collect();
                let values: Values<'_> = layout.values_of(&cells, kinds);
                match (values.check_kinds(), pairs) {
                    (Err(problem), _) => CallItem::refused(span, problem, &text),
                    (Ok(()), Some(pairs)) => {
                        pairs.take(&values, span.first, &text, reading);
                        continue;
                    }
                    (Ok(()), None) => CallItem::of(reading.call(&values, span), span, &text),
                }
            }
        };
        rows.reuse(text);
        return Ok(Some(item));
    }
    Ok(Some(CallItem::Idle))
}

impl Rows {
    /// The next row, with its cells in the header's.
    fn next(&mut self, header: &mut Header, options: &CallOptions) -> io::Result<Option<Row>> {
        match self {
            Self::Lines(lines, dialect) => next_joined(lines, *dialect, header, options),
            Self::Cells(rows) => {
                let Some(row) = rows.next() else { return Ok(None) };
                let row = row?;
                header.cells = row.cells().collect();
                header.kinds.clear();
                header.kinds.extend((0..row.len()).map(|position| row.kind(position)));
                let text = row.raw().to_owned();
                Ok(Some(Row { span: Span::line(row.line()), result: Ok(()), text }))
            }
        }
    }

    fn reuse(&mut self, text: String) {
        if let Self::Lines(lines, _) = self {
            lines.reuse(Line { text, ..Line::default() });
        }
    }
}

/// Whether a row above the header is no title, but has what a call has: all cells, or a number that was
/// called and a time.
fn is_like_record(row: &table::Row, header: &Header) -> bool {
    let cells: Vec<&str> = row.cells().collect();
    let count =
        |cells: &mut dyn Iterator<Item = &str>| cells.filter(|cell| !cell.is_empty()).count();
    let filled = count(&mut cells.iter().copied());
    let named = count(&mut header.names.iter().map(String::as_str));
    let values = header.layout.values(&cells);
    let has = |column| values.get(column).contains(|c: char| c.is_ascii_digit());
    let times = [Column::StartTime, Column::AnswerTime, Column::EndTime];
    filled > 1 && (filled >= named || has(Column::Destination) && times.into_iter().any(has))
}

fn is_blank(cells: &Cells) -> bool {
    cells.iter().all(|cell| cell.trim().is_empty())
}

/// Below its header a file of Cisco's has the types of the columns.
fn are_types(cells: &Cells) -> bool {
    let is_type = |cell: &str| {
        matches!(cell, "INTEGER" | "UNIQUEIDENTIFIER")
            || (cell.starts_with("VARCHAR(") && cell.ends_with(')'))
    };
    cells.iter().all(is_type)
}

/// The next row of text. In a table of a database a cell may hold ends of lines: a line with an
/// open quote goes on over the next ones, if together they make one row, and none of them is a
/// row by itself. Else only the line with the quote is refused.
fn next_joined(
    lines: &mut Lines,
    dialect: Dialect,
    header: &mut Header,
    options: &CallOptions,
) -> io::Result<Option<Row>> {
    let Some(line) = lines.next()? else { return Ok(None) };
    let span = Span::line(line.number);
    if line.text.trim().is_empty() && !line.too_long {
        header.cells.clear();
        return Ok(Some(Row { span, result: Ok(()), text: line.text }));
    }
    let (width, longest) = (header.names.len(), lines.longest());
    let result = whole(&line, longest, options)
        .and_then(|()| split_into(&line.text, dialect, &mut header.cells));
    if result != Err(Problem::OpenQuote) {
        return Ok(Some(Row { span, result, text: line.text }));
    }
    let mut text = line.text.clone();
    let ahead = lines.peek(JOINED)?;
    for (index, next) in ahead.iter().enumerate() {
        let alone = split(&next.text, dialect).is_ok_and(|cells| cells.len() == width);
        if alone || whole(next, longest, options).is_err() {
            break;
        }
        text.push('\n');
        text.push_str(&next.text);
        // Only a quote can end the cell.
        if !next.text.contains('"') {
            continue;
        }
        match split_into(&text, dialect, &mut header.cells) {
            Err(Problem::OpenQuote) => {}
            Ok(()) if header.cells.len() == width => {
                let span = Span { first: line.number, last: next.number };
                for _ in 0..=index {
                    lines.next()?;
                }
                return Ok(Some(Row { span, result: Ok(()), text }));
            }
            _ => break,
        }
    }
    Ok(Some(Row { span, result: Err(Problem::OpenQuote), text: line.text }))
}

impl std::fmt::Debug for CallFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("CallFile").field("format", &self.format).finish_non_exhaustive()
    }
}

impl Unused {
    /// Whether it is a column that the options may say to ignore.
    #[must_use]
    pub fn can_be_ignored(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}
