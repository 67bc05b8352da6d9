//! Rows out of lines: cells between separators, quotes around cells, cells of several lines.

use std::{collections::VecDeque, io};

use super::{
    Row, RowProblem,
    lines::{Line, Lines},
};

/// How many lines and bytes a cell in quotes may span. A quote that is left open would otherwise
/// swallow the file; with this only its own line is lost, and said to be.
const LONGEST_SPAN: usize = 64;
const LARGEST_SPAN: usize = 128 * 1024;

/// How cells are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) quotes: bool,
    pub(super) backslash: bool,
    pub(super) several_lines: bool,
}

/// Rows of a file of text.
pub(super) struct Splitter {
    pub(super) lines: Lines,
    pub(super) dialect: Dialect,
    /// Lines that were read too far.
    pending: VecDeque<Line>,
    spare: Vec<Line>,
}

impl Splitter {
    pub(super) fn new(lines: Lines, dialect: Dialect, pending: VecDeque<Line>) -> Self {
        Self { lines, dialect, pending, spare: Vec::new() }
    }

    fn line(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.pending.pop_front() {
            return Ok(Some(line));
        }
        let mut line = self.spare.pop().unwrap_or_default();
        Ok(self.lines.read(&mut line)?.then_some(line))
    }

    /// The next row that is not empty; false at the end of the file.
    pub(super) fn read(&mut self, row: &mut Row) -> io::Result<bool> {
        loop {
            let Some(line) = self.line()? else { return Ok(false) };
            if line.text.is_empty() && !line.too_long {
                self.spare.push(line);
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
        let mut cells = Cells { dialect: self.dialect, row };
        let mut open = cells.split(&first.text, false);
        let mut problem = problem_of(&first);
        let mut further = Vec::new();
        let mut size = first.text.len();
        while open && problem.is_none() {
            let fits = further.len() < LONGEST_SPAN && size < LARGEST_SPAN;
            let next = if fits && self.dialect.several_lines { self.line()? } else { None };
            let Some(next) = next else {
                problem = Some(RowProblem::QuoteOpen);
                break;
            };
            size += next.text.len();
            cells.row.text.push('\n');
            open = cells.split(&next.text, true);
            problem = problem_of(&next);
            cells.row.last_line = next.number;
            further.push(next);
        }
        // A cell of several lines that ends within one was none: its quote was left open.
        let broken = row_is_broken(cells.row) && !further.is_empty();
        if open || broken {
            // What a quote that is left open swallowed is read again without it.
            problem = Some(RowProblem::QuoteOpen);
            row.problem = None;
            row.clear_cells();
            row.last_line = first.number;
            let bare = Dialect { quotes: false, ..self.dialect };
            Cells { dialect: bare, row }.split(&first.text, false);
            for line in further.drain(..).rev() {
                self.pending.push_front(line);
            }
        }
        row.problem = problem.or(row.problem);
        row.raw.push_str(&first.text);
        for line in further {
            row.raw.push('\n');
            row.raw.push_str(&line.text);
            self.spare.push(line);
        }
        self.spare.push(first);
        Ok(())
    }
}

fn row_is_broken(row: &Row) -> bool {
    row.problem == Some(RowProblem::QuoteBroken)
}

fn problem_of(line: &Line) -> Option<RowProblem> {
    match line {
        Line { too_long: true, .. } => Some(RowProblem::TooLong),
        Line { ended: false, .. } => Some(RowProblem::Unfinished),
        _ => None,
    }
}

struct Cells<'a> {
    dialect: Dialect,
    row: &'a mut Row,
}

impl Cells<'_> {
    /// Adds the cells of a line; whether the last one is still open. `inside`: the line begins
    /// within a cell in quotes.
    fn split(&mut self, text: &str, inside: bool) -> bool {
        let mut rest = text;
        let mut inside = inside;
        loop {
            if !inside {
                let start = rest.trim_start_matches(' ');
                if self.dialect.quotes && start.starts_with('"') {
                    rest = &start[1..];
                } else {
                    match self.bare(rest) {
                        Some(next) => rest = next,
                        None => return false,
                    }
                    continue;
                }
            }
            match self.quoted(rest) {
                Quoted::Open => return true,
                Quoted::Last => return false,
                Quoted::More(next) => (rest, inside) = (next, false),
            }
        }
    }

    /// A cell without quotes; what follows its separator, `None` at the end of the line.
    fn bare<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let end = text.find(char::from(self.dialect.separator));
        self.row.text.push_str(end.map_or(text, |end| &text[..end]));
        self.row.end_cell();
        end.map(|end| &text[end + 1..])
    }

    /// A cell in quotes, from behind its first quote.
    fn quoted<'t>(&mut self, mut text: &'t str) -> Quoted<'t> {
        loop {
            let Some(at) = text.find(['"', '\\']) else {
                self.row.text.push_str(text);
                return Quoted::Open;
            };
            self.row.text.push_str(&text[..at]);
            let mut following = text[at + 1..].chars();
            let next = following.next();
            if text[at..].starts_with('\\') {
                if let Some(escaped) = next.filter(|_| self.dialect.backslash) {
                    self.row.text.push(escaped);
                    text = following.as_str();
                } else {
                    self.row.text.push('\\');
                    text = &text[at + 1..];
                }
            } else if next == Some('"') {
                self.row.text.push('"');
                text = following.as_str();
            } else {
                return self.after(&text[at + 1..]);
            }
        }
    }

    /// What is behind the closing quote: a separator or the end of the line.
    fn after<'t>(&mut self, text: &'t str) -> Quoted<'t> {
        let end = text.find(char::from(self.dialect.separator));
        let between = end.map_or(text, |end| &text[..end]);
        if !between.trim().is_empty() {
            // Kept, so that the row can be shown; nobody knows where the cell ends.
            self.row.text.push('"');
            self.row.text.push_str(between);
            self.row.problem = Some(RowProblem::QuoteBroken);
        }
        self.row.end_cell();
        end.map_or(Quoted::Last, |end| Quoted::More(&text[end + 1..]))
    }
}

enum Quoted<'t> {
    Open,
    Last,
    More(&'t str),
}
