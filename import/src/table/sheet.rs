//! Rows out of workbooks: XLSX, XLSB, XLS and ODS.

use std::{
    collections::HashSet,
    io::{Cursor, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{
    Data, Reader, SheetType, SheetVisible, Sheets, Xls, Xlsb, Xlsx, XlsxFormulaMetadata,
};
use serde::{Deserialize, Serialize};

use super::{
    Limits, Part, Row,
    cell::{CellKind, MIDNIGHT, NO_SECONDS, written},
    ods,
    shown::Shown,
    source::twice,
};
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
    currencies: Vec<String>,
    next: usize,
    width: u32,
    /// What its numbers are shown as is not known.
    pub(super) hides_formats: bool,
}

#[derive(Clone, Copy)]
struct Cell {
    row: u32,
    column: u32,
    start: usize,
    end: usize,
    kind: CellKind,
    /// Which of the currencies it is shown in.
    currency: Option<u16>,
}

type Bytes = Cursor<Vec<u8>>;
type Book = Sheets<Bytes>;

/// A workbook being read.
struct Open<'a> {
    name: &'a str,
    limits: Limits,
    book: Book,
    /// As it is, packed, where the library does not say enough of it (ODS).
    bytes: Vec<u8>,
    /// Whether it says that its formulas are to be calculated anew.
    is_stale: bool,
}

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
        if twice(&bytes) {
            return Err(workbook_error(name, "two of its parts have one name"));
        }
        let book = calamine::open_workbook_auto_from_rs(Cursor::new(bytes.clone()));
        let book = book.map_err(|error| workbook_error(name, &error.to_string()))?;
        let is_stale = is_stale(&bytes);
        let bytes = if matches!(book, Sheets::Ods(_)) { bytes } else { Vec::new() };
        let mut open = Open { name, limits, book, bytes, is_stale };
        match sheet {
            Some(sheet) => {
                let title = chosen(&open.book, sheet, name)?;
                Self::read_sheet(&mut open, &title)
            }
            None => only(&mut open),
        }
    }

    fn read_sheet(open: &mut Open<'_>, title: &str) -> Result<Self, Error> {
        let mut rows = Self::default();
        let limit = (open.name, open.limits.held);
        let read = match &mut open.book {
            Sheets::Xlsx(book) => rows.read_xlsx(book, title, open.is_stale, limit),
            Sheets::Xlsb(book) => rows.read_xlsb(book, title, limit),
            Sheets::Xls(book) => rows.read_xls(book, title, limit),
            Sheets::Ods(_) => rows.read_ods(open.bytes.clone(), title, limit),
        };
        read?;
        rows.cells.sort_by_key(Cell::place);
        if rows.cells.windows(2).any(|pair| pair[0].place() == pair[1].place()) {
            return Err(workbook_error(open.name, "a cell is there twice"));
        }
        if let Sheets::Xlsx(book) = &mut open.book {
            rows.see_formats(book, title).map_err(|e| workbook_error(open.name, &e.to_string()))?;
        }
        rows.hides_formats = matches!(open.book, Sheets::Xls(_) | Sheets::Xlsb(_));
        let columns = rows.cells.iter().map(|cell| cell.column.saturating_add(1));
        rows.width = columns.max().unwrap_or_default().min(WIDEST);
        Ok(rows)
    }

    fn read_xlsx(
        &mut self,
        book: &mut Xlsx<Bytes>,
        title: &str,
        is_stale: bool,
        (name, limit): (&str, u64),
    ) -> Result<(), Error> {
        let failed = |error: calamine::XlsxError| workbook_error(name, &error.to_string());
        let mut cells = book.worksheet_cells_reader(title).map_err(failed)?;
        while let Some(cell) = cells.next_cell_with_formula_metadata().map_err(failed)? {
            let value = Data::from(cell.value);
            match cell.formula {
                Some(formula) if is_stale || value == Data::Empty => {
                    let text = match &formula {
                        XlsxFormulaMetadata::Normal { formula }
                        | XlsxFormulaMetadata::Shared { formula, .. } => formula.as_str(),
                        _ => "",
                    };
                    self.push(cell.pos, &format!("={text}"), CellKind::Formula);
                }
                _ => self.push_value(cell.pos, &value),
            }
            self.check(name, limit)?;
        }
        Ok(())
    }

    fn read_xlsb(
        &mut self,
        book: &mut Xlsb<Bytes>,
        title: &str,
        (name, limit): (&str, u64),
    ) -> Result<(), Error> {
        let failed = |error: calamine::XlsbError| workbook_error(name, &error.to_string());
        let mut cells = book.worksheet_cells_reader(title).map_err(failed)?;
        let mut valued = HashSet::new();
        while let Some(cell) = cells.next_cell().map_err(failed)? {
            valued.insert(cell.get_position());
            self.push_value(cell.get_position(), &Data::from(cell.get_value().clone()));
            self.check(name, limit)?;
        }
        drop(cells);
        // The library passes over formulas whose value is an error.
        let mut cells = book.worksheet_cells_reader(title).map_err(failed)?;
        while let Some(cell) = cells.next_formula().map_err(failed)? {
            if !valued.contains(&cell.get_position()) {
                self.push(
                    cell.get_position(),
                    &format!("={}", cell.get_value()),
                    CellKind::Formula,
                );
                self.check(name, limit)?;
            }
        }
        Ok(())
    }

    fn read_xls(
        &mut self,
        book: &mut Xls<Bytes>,
        title: &str,
        (name, limit): (&str, u64),
    ) -> Result<(), Error> {
        let failed = |error: calamine::XlsError| workbook_error(name, &error.to_string());
        let values = book.worksheet_range(title).map_err(failed)?;
        let formulas = book.worksheet_formula(title).map_err(failed)?;
        let at = |start: Option<(u32, u32)>, (row, column): (usize, usize)| {
            let (top, left) = start.unwrap_or_default();
            let place = |start: u32, offset| {
                start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
            };
            (place(top, row), place(left, column))
        };
        for (row, column, value) in values.used_cells() {
            self.push_value(at(values.start(), (row, column)), value);
            self.check(name, limit)?;
        }
        // There a formula that was not calculated looks as one whose value is an empty text.
        for (row, column, formula) in formulas.used_cells() {
            let place = at(formulas.start(), (row, column));
            let value = values.get_value(place);
            if value.is_none_or(|value| written(value).0.is_empty()) {
                self.push(place, &format!("={formula}"), CellKind::Formula);
                self.check(name, limit)?;
            }
        }
        Ok(())
    }

    fn read_ods(
        &mut self,
        bytes: Vec<u8>,
        title: &str,
        (name, limit): (&str, u64),
    ) -> Result<(), Error> {
        let read = ods::read(bytes, title, |row, cells| {
            for cell in cells {
                let before = self.cells.len();
                self.push((row, cell.column), &cell.text, cell.kind);
                if self.cells.len() > before {
                    self.show(before, &cell.shown);
                }
                self.check(name, limit)?;
            }
            Ok(())
        });
        read.map_err(|error| workbook_error(name, &error.to_string()))?
    }

    fn push_value(&mut self, place: (u32, u32), value: &Data) {
        let (text, kind) = written(value);
        self.push(place, &text, kind);
    }

    /// A cell with a text; an empty one is none. That a time is midnight, or has no seconds, stays to be
    /// shown.
    fn push(&mut self, (row, column): (u32, u32), text: &str, kind: CellKind) {
        let start = self.text.len();
        self.text.push_str(text.trim());
        let mut end = self.text.len();
        if end == start {
            return;
        }
        if kind == CellKind::Date && self.text[start..].ends_with(MIDNIGHT) {
            end -= MIDNIGHT.len();
        }
        self.cells.push(Cell { row, column, start, end, kind, currency: None });
    }

    /// Takes in what a cell is shown with.
    fn show(&mut self, index: usize, shown: &Shown) {
        let Some(cell) = self.cells.get_mut(index) else { return };
        let text = &self.text[cell.start..cell.end];
        match cell.kind {
            CellKind::Date if shown.hours && self.text[cell.end..].starts_with(MIDNIGHT) => {
                cell.end += MIDNIGHT.len();
            }
            CellKind::Time
                if shown.hours
                    && !shown.seconds
                    && text != "00:00:00"
                    && text.ends_with(NO_SECONDS) =>
            {
                cell.end -= NO_SECONDS.len();
            }
            CellKind::Number => {
                let Some(currency) = &shown.currency else { return };
                let known = self.currencies.iter().position(|known| known == currency);
                let at = known.unwrap_or_else(|| {
                    self.currencies.push(currency.clone());
                    self.currencies.len() - 1
                });
                cell.currency = u16::try_from(at).ok();
            }
            _ => {}
        }
    }

    /// How the cells of a sheet are shown, which are sorted.
    fn see_formats(
        &mut self,
        book: &mut Xlsx<Bytes>,
        title: &str,
    ) -> Result<(), calamine::XlsxError> {
        let mut cells = book.worksheet_cells_reader(title)?;
        let formats: Vec<Option<Shown>> = cells.styles().iter().map(shown).collect();
        if formats.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut styled = Vec::new();
        while let Some((row, column, style)) = cells.next_style_id()? {
            if formats.get(style).is_some_and(Option::is_some) {
                styled.push(((row, column), style));
            }
        }
        styled.sort_unstable();
        let mut styled = styled.into_iter().peekable();
        for index in 0..self.cells.len() {
            let place = self.cells[index].place();
            while styled.next_if(|(other, _)| *other < place).is_some() {}
            if let Some((_, style)) = styled.next_if(|(other, _)| *other == place)
                && let Some(Some(shown)) = formats.get(style)
            {
                self.show(index, shown);
            }
        }
        Ok(())
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
            row.kinds.resize(row.len(), CellKind::Text);
            row.kinds.push(cell.kind);
            if let Some(currency) =
                cell.currency.and_then(|at| self.currencies.get(usize::from(at)))
            {
                row.currencies.push((row.len(), currency.clone()));
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

impl Cell {
    fn place(&self) -> (u32, u32) {
        (self.row, self.column)
    }
}

/// What numbers of a style are shown with; `None` if nothing depends on it.
fn shown(style: &calamine::Style) -> Option<Shown> {
    let format = style.number_format.as_ref()?;
    // Without a format of its own these are of the currency of whoever looks at them.
    let is_local =
        matches!(format.format_id, Some(5..=8 | 37..=44)) && format.format_code.starts_with("_($*");
    let shown = Shown::by_format(&format.format_code);
    Some(shown).filter(|shown| !is_local && *shown != Shown::default())
}

/// Whether a workbook (XLSX) says that its formulas have to be calculated when it is opened, as what
/// wrote them has not: their values are not those of the formulas.
fn is_stale(bytes: &[u8]) -> bool {
    const LONGEST: u64 = 16 << 20;
    let text = || {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
        let mut text = String::new();
        let book = archive.by_name("xl/workbook.xml").ok()?;
        book.take(LONGEST).read_to_string(&mut text).ok()?;
        Some(text)
    };
    let said = |text: String| {
        let (_, said) = text.split_once("fullCalcOnLoad")?;
        let said = said.trim_start().strip_prefix('=')?.trim_start();
        Some(said.starts_with("\"1") || said.starts_with("\"true") || said.starts_with("'1"))
    };
    text().and_then(said).unwrap_or(false)
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
fn only(open: &mut Open<'_>) -> Result<SheetRows, Error> {
    let visible: Vec<String> = open
        .book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet)
        .map(|sheet| sheet.name.clone())
        .collect();
    let name = open.name.to_owned();
    let mut found = None;
    for title in visible {
        let rows = SheetRows::read_sheet(open, &title)?;
        if rows.cells.is_empty() {
            continue;
        }
        if found.is_some() {
            // Which one is meant is not to be guessed: decks have one of changes, one of all.
            let problem = "several sheets have rows: --sheet says which one is meant".to_owned();
            return Err(Error::Sheet { name, problem, sheets: sheets(&open.book) });
        }
        found = Some(rows);
    }
    found.ok_or(Error::Empty { name })
}
