//! The lines of a deck on its way in: packed, since there may be millions, and never moved once
//! they are there.

use super::{Rate, RateKey, rate_key};
use crate::rating::DeckRate;

/// A line that was read.
struct Line {
    rate: DeckRate,
    number: i64,
    /// Where its texts are.
    prefix: Piece,
    name: Piece,
}

/// A piece of a text; there is none longer than a line of a deck may have.
#[derive(Clone, Copy)]
struct Piece {
    start: usize,
    length: u32,
}

/// How many lines are in a block.
const BLOCK: usize = 4_096;

/// Lines, by their positions.
#[derive(Default)]
pub(super) struct Lines {
    blocks: Vec<Vec<Line>>,
    /// Prefixes and names, one behind the other.
    text: String,
    files: Vec<String>,
    /// From which position on lines are of which file.
    starts: Vec<(usize, usize)>,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(super) fn push(&mut self, number: i64, rate: Rate, name: &str) {
        // Lines of the same destination mostly stand together.
        let last = self.len().checked_sub(1).filter(|last| self.name(*last) == name);
        let name = match last {
            Some(last) => self.line(last).name,
            None => self.keep(name),
        };
        let prefix = self.keep(&rate.prefix);
        let line = Line { rate: rate.rate, number, prefix, name };
        match self.blocks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(line),
            _ => {
                let mut block = Vec::with_capacity(BLOCK);
                block.push(line);
                self.blocks.push(block);
            }
        }
    }

    fn keep(&mut self, text: &str) -> Piece {
        let start = self.text.len();
        self.text.push_str(text);
        Piece { start, length: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }

    /// How many files there have been.
    pub(super) fn files(&self) -> usize {
        self.files.len()
    }

    /// The lines that follow are of this file.
    pub(super) fn begin_file(&mut self, name: String) {
        let known = self.files.iter().rposition(|known| *known == name);
        let file = known.unwrap_or_else(|| {
            self.files.push(name);
            self.files.len() - 1
        });
        let start = self.len();
        match self.starts.last_mut() {
            Some(last) if last.0 == start => last.1 = file,
            Some(last) if last.1 == file => {}
            _ => self.starts.push((start, file)),
        }
    }

    /// The file of the lines that follow; empty: it has no name.
    pub(super) fn current_file(&self) -> &str {
        self.starts.last().map_or("", |(_, file)| &self.files[*file])
    }

    /// The file of a line; empty: it has no name.
    pub(super) fn file(&self, at: usize) -> &str {
        let next = self.starts.partition_point(|(start, _)| *start <= at);
        let start = next.checked_sub(1).map(|last| self.starts[last]);
        start.map_or("", |(_, file)| &self.files[file])
    }

    /// Where a file stands in the order in which the files came.
    pub(super) fn file_order(&self, name: &str) -> usize {
        self.files.iter().position(|known| known == name).unwrap_or_default()
    }

    fn line(&self, at: usize) -> &Line {
        &self.blocks[at / BLOCK][at % BLOCK]
    }

    fn text(&self, piece: Piece) -> &str {
        &self.text[piece.start..piece.start + piece.length as usize]
    }

    pub(super) fn prefix(&self, at: usize) -> &str {
        self.text(self.line(at).prefix)
    }

    /// The name of the destination; empty: none.
    pub(super) fn name(&self, at: usize) -> &str {
        self.text(self.line(at).name)
    }

    pub(super) fn rate(&self, at: usize) -> &DeckRate {
        &self.line(at).rate
    }

    /// Its number in the file.
    pub(super) fn number(&self, at: usize) -> i64 {
        self.line(at).number
    }

    pub(super) fn key(&self, at: usize) -> RateKey<'_> {
        rate_key(self.prefix(at), self.rate(at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use jiff::tz::TimeZone;
    use tollbook_proto::v1::RateLine;

    use super::*;
    use crate::tariffs::line;

    #[test]
    fn each_line_knows_its_file() {
        let mut lines = Lines::default();
        for file in ["a", "a", "b", "c", "a", "b"] {
            lines.begin_file(file.to_owned());
            if file == "c" {
                // A file may have no good line.
                continue;
            }
            let line =
                RateLine { prefix: "1".to_owned(), rate: "1".to_owned(), ..Default::default() };
            lines.push(1, line::read(&line, &TimeZone::UTC).unwrap(), "");
        }
        let files: Vec<_> = (0..lines.len()).map(|at| lines.file(at)).collect();
        assert_eq!(files, ["a", "a", "b", "a", "b"]);
        assert_eq!(["a", "b", "c"].map(|file| lines.file_order(file)), [0, 1, 2]);
        assert_eq!(Lines::default().current_file(), "");
    }
}
