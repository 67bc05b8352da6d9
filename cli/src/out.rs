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

/// What became of writing to standard output.
pub(crate) fn written<T>(result: io::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Unread.into(),
        _ => error.into(),
    })
}
