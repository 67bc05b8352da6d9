//! Text: lines out of bytes, and cells out of lines, for decks and for calls alike.

mod cells;
mod lines;

pub(crate) use cells::{Cells, Dialect, Split};
pub(crate) use lines::{Encodings, Line, Lines};
