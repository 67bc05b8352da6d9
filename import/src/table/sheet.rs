//! Rows out of workbooks: XLSX, XLSB, XLS and ODS.

use std::io::Cursor;

use calamine::{Data, ExcelDateTime, Range, Reader, SheetType, SheetVisible, Sheets};
use serde::{Deserialize, Serialize};

use super::{Limits, Part, Row};
use crate::Error;

/// A sheet of a workbook, by its number from 1 or its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SheetRef {
    /// By its number, from 1, hidden ones counted.
    Number(usize),
    /// By its name, without regard to capitals.
    Name(String),
}

/// The rows of one sheet.
pub(super) struct SheetRows {
    range: Range<Data>,
    next: usize,
}

type Book = Sheets<Cursor<Vec<u8>>>;

impl SheetRows {
    pub(super) fn open(
        part: Part,
        sheet: Option<&SheetRef>,
        skip: u64,
        limits: Limits,
    ) -> Result<Self, Error> {
        let (name, bytes) = part.held(limits)?;
        let failed = |error: calamine::Error| Error::Workbook {
            name: name.clone(),
            reason: error.to_string(),
        };
        let mut book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes)).map_err(failed)?;
        let range = match sheet {
            Some(sheet) => {
                let title = chosen(&book, sheet, &name)?;
                book.worksheet_range(&title).map_err(failed)?
            }
            None => only(&mut book, &name)?,
        };
        let mut rows = Self { range, next: 0 };
        while rows.next < rows.range.height() && rows.number(rows.next) <= skip {
            rows.next += 1;
        }
        Ok(rows)
    }

    fn number(&self, index: usize) -> u64 {
        u64::from(self.range.start().unwrap_or_default().0) + index as u64 + 1
    }

    /// The next row with anything in it; false at the end.
    pub(super) fn read(&mut self, row: &mut Row) -> bool {
        row.clear();
        while self.next < self.range.height() {
            let index = self.next;
            self.next += 1;
            let cells = &self.range[index];
            if cells.iter().all(|cell| text(cell).trim().is_empty()) {
                continue;
            }
            row.line = self.number(index);
            row.last_line = row.line;
            // Columns count from the sheet's first one, used or not.
            for _ in 0..self.range.start().unwrap_or_default().1 {
                row.end_cell();
            }
            for cell in cells {
                row.text.push_str(&text(cell));
                row.end_cell();
            }
            let raw: Vec<&str> = row.cells().collect();
            row.raw = raw.join("\t");
            return true;
        }
        false
    }
}

fn sheets(book: &Book) -> Vec<String> {
    book.sheets_metadata().iter().map(|sheet| sheet.name.clone()).collect()
}

/// The title of the sheet that was asked for.
fn chosen(book: &Book, sheet: &SheetRef, name: &str) -> Result<String, Error> {
    let sheets = sheets(book);
    let by_name = |wanted: &String| {
        let same = |title: &&String| title.trim().to_lowercase() == wanted.trim().to_lowercase();
        sheets.iter().find(same).cloned()
    };
    let found = match sheet {
        SheetRef::Number(number) => number.checked_sub(1).and_then(|at| sheets.get(at).cloned()),
        SheetRef::Name(wanted) => by_name(wanted).or_else(|| {
            let number: usize = wanted.trim().parse().ok()?;
            sheets.get(number.checked_sub(1)?).cloned()
        }),
    };
    found.ok_or_else(|| {
        let problem = match sheet {
            SheetRef::Number(number) => format!("there is no sheet {number}"),
            SheetRef::Name(wanted) => format!("there is no sheet {wanted:?}"),
        };
        Error::Sheet { name: name.to_owned(), problem, sheets }
    })
}

/// The one sheet that has rows and is not hidden.
fn only(book: &mut Book, name: &str) -> Result<Range<Data>, Error> {
    let visible: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.clone())
        .collect();
    let mut found = None;
    for title in visible {
        let range = book.worksheet_range(&title).map_err(|error| Error::Workbook {
            name: name.to_owned(),
            reason: error.to_string(),
        })?;
        if range.is_empty() {
            continue;
        }
        if found.is_some() {
            // Which one is meant is not to be guessed: decks have one of changes, one of all.
            let problem = "several sheets have rows: say which one is meant".to_owned();
            return Err(Error::Sheet { name: name.to_owned(), problem, sheets: sheets(book) });
        }
        found = Some(range);
    }
    found.ok_or_else(|| Error::Empty { name: name.to_owned() })
}

/// A cell as text that the readers of values understand.
fn text(cell: &Data) -> String {
    match cell {
        Data::Int(number) => number.to_string(),
        // The shortest text that is this number, without an exponent.
        Data::Float(number) => number.to_string(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Bool(truth) => truth.to_string(),
        Data::DateTime(time) => date(*time),
        Data::Error(error) => error.to_string(),
        Data::Empty => String::new(),
    }
}

fn date(time: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let places = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{places}");
    // Times of day have no day; before 1900-01-01 is what Excel makes of a number below 1.
    let of_day = time.as_f64() < 1.0;
    if of_day {
        return clock;
    }
    if time.is_duration() {
        return time.as_f64().to_string();
    }
    if (hour, minute, second, milli) == (0, 0, 0, 0) {
        return format!("{year:04}-{month:02}-{day:02}");
    }
    format!("{year:04}-{month:02}-{day:02} {clock}")
}
