//! The cells of a row, with what a workbook's cells hold.

use crate::{
    table::{CellKind, Row},
    values::{self, NumberFormat, ValueError},
};

/// The cell at a position; empty if there is none.
pub(super) fn cell(row: &Row, position: Option<usize>) -> &str {
    position.and_then(|position| row.get(position)).map_or("", values::cell)
}

/// What a number cell of a workbook is written with, whatever texts beside it are.
pub(super) const OF_NUMBERS: NumberFormat = NumberFormat { decimal: Some('.'), thousands: None };

/// The cell of a date. One at midnight is a day: how cells are shown says little of it.
pub(super) fn date_cell(row: &Row, position: Option<usize>) -> &str {
    let text = cell(row, position);
    match kind(row, position) {
        CellKind::Date => text.strip_suffix(" 00:00:00").unwrap_or(text),
        _ => text,
    }
}

/// The cell of a time of day. A workbook's time has seconds though nobody wrote any.
pub(super) fn clock_cell(row: &Row, position: Option<usize>) -> &str {
    let text = cell(row, position);
    match kind(row, position) {
        CellKind::Time if text.len() > 5 => text.strip_suffix(":00").unwrap_or(text),
        _ => text,
    }
}

pub(super) fn kind(row: &Row, position: Option<usize>) -> CellKind {
    position.map(|position| row.kind(position)).unwrap_or_default()
}

/// The cell of an interval. What a workbook made a date or a time of is none: `1:1` has become an hour.
pub(super) fn interval_cell(row: &Row, position: Option<usize>) -> Result<&str, ValueError> {
    let text = cell(row, position);
    match kind(row, position) {
        CellKind::Date | CellKind::Time => Err(ValueError::NoInterval(text.to_owned())),
        _ => Ok(text),
    }
}
