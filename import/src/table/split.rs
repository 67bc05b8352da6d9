//! Rows out of lines, of which a cell in quotes may have several.

use std::io;

use super::{Row, RowProblem};
use crate::text::{Dialect, Line, Lines};

/// How many lines and bytes a cell in quotes may span. A quote that is left open would otherwise
/// swallow the file; with this only its own line is lost, and said to be.
const LONGEST_SPAN: usize = 64;
const LARGEST_SPAN: usize = 128 * 1024;

/// Rows of a file of text.
pub(super) struct Splitter {
    pub(super) lines: Lines,
    pub(super) dialect: Dialect,
    /// Whether a cell in quotes may go on in the next line.
    pub(super) several_lines: bool,
}

impl Splitter {
    /// The next row that is not empty; false at the end of the file.
    pub(super) fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        loop {
            let Some(line) = self.lines.next()? else { return Ok(false) };
            if line.text.is_empty() && !line.too_long {
                self.lines.reuse(line);
                continue;
            }
            self.row(line, row)?;
            if row.problem.is_some() || row.cells().any(|cell| !cell.is_empty()) {
                return Ok(true);
            }
        }
    }

    fn row(&mut self, first: Line, row: &mut Row) -> io::Result<()> {
        row.clear();
        row.line = first.number;
        row.last_line = first.number;
        let split = self.dialect.split(&first.text, false, &mut row.cells);
        let (mut open, mut broken) = (split.open, split.broken);
        let mut problem = problem_of(&first);
        let mut further = Vec::new();
        let mut size = first.text.len();
        while open && problem.is_none() {
            let fits = further.len() < LONGEST_SPAN && size < LARGEST_SPAN;
            let next = if fits && self.several_lines { self.lines.next()? } else { None };
            let Some(next) = next else {
                problem = Some(RowProblem::QuoteOpen);
                break;
            };
            size += next.text.len();
            row.cells.push('\n');
            let split = self.dialect.split(&next.text, true, &mut row.cells);
            open = split.open;
            broken |= split.broken;
            problem = problem_of(&next);
            row.last_line = next.number;
            further.push(next);
        }
        // A cell of several lines that ends within one was none: its quote was left open.
        if open || broken && !further.is_empty() {
            // What a quote that is left open swallowed is read again without it.
            problem = Some(RowProblem::QuoteOpen);
            broken = false;
            row.cells.clear();
            row.last_line = first.number;
            Dialect { quotes: false, ..self.dialect }.split(&first.text, false, &mut row.cells);
            for line in further.drain(..).rev() {
                self.lines.put_back(line);
            }
        }
        row.problem = problem.or(broken.then_some(RowProblem::QuoteBroken));
        row.raw.push_str(&first.text);
        for line in further {
            row.raw.push('\n');
            row.raw.push_str(&line.text);
            self.lines.reuse(line);
        }
        self.lines.reuse(first);
        Ok(())
    }
}

fn problem_of(line: &Line) -> Option<RowProblem> {
    match line {
        Line { too_long: true, .. } => Some(RowProblem::TooLong),
        Line { ended: false, .. } => Some(RowProblem::Unfinished),
        _ => None,
    }
}
