//! Rows out of workbooks: XLSX, XLSB, XLS and ODS.

use std::{
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{Data, ExcelDateTime, Reader, SheetType, SheetVisible, Sheets};
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

/// The rows of one sheet: its cells that are not empty, in order.
///
/// A sheet is as large as its last cell is far away, so that of a few cells somebody can make one
/// that no memory holds; the cells themselves are as many as the file has.
#[derive(Default)]
pub(super) struct SheetRows {
    text: String,
    cells: Vec<Cell>,
    next: usize,
    width: u32,
}

#[derive(Clone, Copy)]
struct Cell {
    row: u32,
    column: u32,
    start: usize,
    end: usize,
}

type Book = Sheets<Cursor<Vec<u8>>>;

/// More columns than any deck has; cells behind them are kept, but empty ones are not made up.
const WIDEST: u32 = 256;

impl SheetRows {
    pub(super) fn open(
        part: Part,
        sheet: Option<&SheetRef>,
        skip: u64,
        limits: Limits,
    ) -> Result<Self, Error> {
        let (name, bytes) = part.held(limits)?;
        if unpacked(&bytes) > limits.held {
            return Err(Error::TooLarge { name, limit: limits.held });
        }
        // The library trusts lengths and offsets in old workbooks, and panics where they lie. It
        // also trusts their sizes, so that one made to exhaust memory can: read workbooks where
        // that ends one command, not a server.
        let read = AssertUnwindSafe(|| Self::read_book(&name, bytes, sheet, limits));
        let mut rows =
            catch_unwind(read).unwrap_or_else(|_| Err(workbook_error(&name, "it is damaged")))?;
        rows.next = rows.cells.partition_point(|cell| u64::from(cell.row) < skip);
        Ok(rows)
    }

    fn read_book(
        name: &str,
        bytes: Vec<u8>,
        sheet: Option<&SheetRef>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes));
        let mut book = book.map_err(|error| workbook_error(name, &error.to_string()))?;
        match sheet {
            Some(sheet) => {
                let title = chosen(&book, sheet, name)?;
                Self::read_sheet(&mut book, &title, name, limits)
            }
            None => only(&mut book, name, limits),
        }
    }

    fn read_sheet(book: &mut Book, title: &str, name: &str, limits: Limits) -> Result<Self, Error> {
        let mut rows = Self::default();
        let failed = |error: &dyn std::fmt::Display| workbook_error(name, &error.to_string());
        let limit = limits.held;
        match book {
            Sheets::Xlsx(book) => {
                let mut cells = book.worksheet_cells_reader(title).map_err(|e| failed(&e))?;
                while let Some(cell) = cells.next_cell().map_err(|e| failed(&e))? {
                    rows.push(cell.get_position(), &Data::from(cell.get_value().clone()));
                    rows.check(name, limit)?;
                }
            }
            Sheets::Xlsb(book) => {
                let mut cells = book.worksheet_cells_reader(title).map_err(|e| failed(&e))?;
                while let Some(cell) = cells.next_cell().map_err(|e| failed(&e))? {
                    rows.push(cell.get_position(), &Data::from(cell.get_value().clone()));
                    rows.check(name, limit)?;
                }
            }
            Sheets::Xls(_) | Sheets::Ods(_) => {
                let range = book.worksheet_range(title).map_err(|e| failed(&e))?;
                let (top, left) = range.start().unwrap_or_default();
                for (row, column, cell) in range.used_cells() {
                    let at = |start: u32, offset: usize| {
                        start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
                    };
                    rows.push((at(top, row), at(left, column)), cell);
                    rows.check(name, limit)?;
                }
            }
        }
        let place = |cell: &Cell| (cell.row, cell.column);
        rows.cells.sort_by_key(place);
        if rows.cells.windows(2).any(|pair| place(&pair[0]) == place(&pair[1])) {
            return Err(workbook_error(name, "a cell is there twice"));
        }
        let columns = rows.cells.iter().map(|cell| cell.column.saturating_add(1));
        rows.width = columns.max().unwrap_or_default().min(WIDEST);
        Ok(rows)
    }

    fn push(&mut self, (row, column): (u32, u32), cell: &Data) {
        let start = self.text.len();
        self.text.push_str(text(cell).trim());
        let end = self.text.len();
        if end > start {
            self.cells.push(Cell { row, column, start, end });
        }
    }

    fn check(&self, name: &str, limit: u64) -> Result<(), Error> {
        let size = self.text.len() + self.cells.len() * size_of::<Cell>();
        if size as u64 > limit {
            return Err(Error::TooLarge { name: name.to_owned(), limit });
        }
        Ok(())
    }

    /// The next row with anything in it; false at the end.
    pub(super) fn read(&mut self, row: &mut Row) -> bool {
        row.clear();
        let Some(first) = self.cells.get(self.next).copied() else { return false };
        row.line = u64::from(first.row) + 1;
        row.last_line = row.line;
        while let Some(cell) = self.cells.get(self.next).filter(|cell| cell.row == first.row) {
            // Columns count from the sheet's first one, used or not.
            while row.len() < cell.column as usize {
                row.cells.end_cell();
            }
            row.cells.push_str(&self.text[cell.start..cell.end]);
            row.cells.end_cell();
            self.next += 1;
        }
        while row.len() < self.width as usize {
            row.cells.end_cell();
        }
        let raw: Vec<&str> = row.cells().collect();
        row.raw.push_str(raw.join("\t").trim_end());
        true
    }
}

/// How large what is packed in a workbook says to be; 0 of one that is not packed, or damaged.
fn unpacked(bytes: &[u8]) -> u64 {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return 0 };
    let sizes = (0..archive.len()).map(|at| archive.by_index_raw(at).map_or(0, |file| file.size()));
    sizes.fold(0, u64::saturating_add)
}

fn workbook_error(name: &str, reason: &str) -> Error {
    Error::Workbook { name: name.to_owned(), reason: reason.to_owned() }
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
            SheetRef::Number(number) => format!("there is no sheet {number} (--sheet)"),
            SheetRef::Name(wanted) => format!("there is no sheet {wanted:?} (--sheet)"),
        };
        Error::Sheet { name: name.to_owned(), problem, sheets }
    })
}

/// The one sheet that has rows and is not hidden.
fn only(book: &mut Book, name: &str, limits: Limits) -> Result<SheetRows, Error> {
    let visible: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.clone())
        .collect();
    let mut found = None;
    for title in visible {
        let rows = SheetRows::read_sheet(book, &title, name, limits)?;
        if rows.cells.is_empty() {
            continue;
        }
        if found.is_some() {
            // Which one is meant is not to be guessed: decks have one of changes, one of all.
            let problem = "several sheets have rows: --sheet says which one is meant".to_owned();
            return Err(Error::Sheet { name: name.to_owned(), problem, sheets: sheets(book) });
        }
        found = Some(rows);
    }
    found.ok_or_else(|| Error::Empty { name: name.to_owned() })
}

/// A cell as text that the readers of values understand.
fn text(cell: &Data) -> String {
    match cell {
        Data::Int(number) => number.to_string(),
        // The shortest text that is this number, without an exponent.
        Data::Float(number) => number.to_string(),
        Data::String(text) | Data::DateTimeIso(text) => text.clone(),
        Data::DurationIso(text) => time_of_day(text).unwrap_or_else(|| text.clone()),
        Data::Bool(truth) => truth.to_string(),
        Data::DateTime(time) => date(*time),
        Data::Error(error) => error.to_string(),
        Data::Empty => String::new(),
    }
}

/// `PT08H30M00S`, as ODS has times of day, as `08:30`.
fn time_of_day(text: &str) -> Option<String> {
    let (hours, rest) = text.strip_prefix("PT")?.split_once('H')?;
    let (minutes, rest) = rest.split_once('M')?;
    let seconds = rest.strip_suffix('S')?;
    let whole = seconds.trim_end_matches(['0', '.', ',']).is_empty();
    Some(if whole { format!("{hours}:{minutes}") } else { format!("{hours}:{minutes}:{seconds}") })
}

fn date(time: ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let clock = match (second, milli) {
        // As people write it: only who writes seconds means them.
        (0, 0) => format!("{hour:02}:{minute:02}"),
        (_, 0) => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    };
    // Times of day have no day: before 1900-01-01 is what Excel makes of a number below 1.
    if time.as_f64() < 1.0 {
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
