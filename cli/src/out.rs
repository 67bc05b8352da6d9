//! What a command prints.

use std::{
    fmt,
    io::{self, Write},
};

/// Nobody reads what a command prints any more, as where `head` has seen enough: it ends quietly.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads what is printed")]
pub(crate) struct Unread;

/// Prints a line on standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}
pub(crate) use say;

pub(crate) fn line(text: fmt::Arguments<'_>) -> anyhow::Result<()> {
    written(writeln!(io::stdout(), "{text}"))
}

/// What became of writing a record of CSV to standard output.
pub(crate) fn recorded(result: csv::Result<()>) -> anyhow::Result<()> {
    written(result.map_err(|error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }))
}

/// A cell of CSV that a spreadsheet program takes for text: one that it would calculate (`=HYPERLINK(…)` for a
/// destination's name) has an apostrophe before it, as OWASP advises, unless the text is wanted as it is. Numbers
/// stay.
pub(crate) fn inert(cell: String, raw: bool) -> String {
    const BEGINNINGS: [char; 11] =
        ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    if raw || !cell.starts_with(BEGINNINGS) || is_number(&cell) {
        return cell;
    }
    format!("'{cell}")
}

/// Whether a cell is digits with a sign before them, and at most one point among them.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let mut parts = digits.splitn(2, '.');
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.all(is_digits)
}

/// What became of writing to standard output.
pub(crate) fn written<T>(result: io::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Unread.into(),
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_text() {
        for cell in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            "\tx",
            "\rx",
            "\nx",
            "- Mobile",
            "-",
            "+1.2.3",
            "＝1",
        ] {
            assert_eq!(inert(cell.to_owned(), false), format!("'{cell}"));
            assert_eq!(inert(cell.to_owned(), true), cell);
        }
        for cell in
            ["", "370", "-0.05", "+37061234567", "-1", "Lithuania", "a=b", "'x", "2026-11-20"]
        {
            assert_eq!(inert(cell.to_owned(), false), cell);
        }
    }
}
