//! Cells out of a line: between separators, with quotes around them or not.

/// The cells of a row, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The cell at a position, from 0, as it is in the file: bare ones without spaces around them.
    pub(crate) fn get(&self, position: usize) -> Option<&str> {
        let end = *self.ends.get(position)?;
        let start = position.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        (0..self.len()).map(|position| self.get(position).unwrap_or_default())
    }

    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds to the cell that is not ended.
    pub(crate) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn push(&mut self, c: char) {
        self.text.push(c);
    }

    pub(crate) fn end_cell(&mut self) {
        self.ends.push(self.text.len());
    }
}

impl<S: AsRef<str>> FromIterator<S> for Cells {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        let mut cells = Self::default();
        for text in texts {
            cells.push_str(text.as_ref());
            cells.end_cell();
        }
        cells
    }
}

/// How cells are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between cells.
    pub(crate) separator: char,
    /// Whether cells may be in quotes.
    pub(crate) quotes: bool,
    /// Whether a backslash takes the next character as it is, in a cell in quotes.
    pub(crate) backslash: bool,
}

/// What a line was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// It ends within a cell in quotes, which is not ended.
    pub(crate) open: bool,
    /// Text follows a closing quote: nobody knows where the cell ends. It is taken to the next
    /// separator, with its quote.
    pub(crate) broken: bool,
}

impl Dialect {
    /// Cells in quotes, without backslashes.
    pub(crate) fn quoted(separator: char) -> Self {
        Self { separator, quotes: true, backslash: false }
    }

    /// Adds the cells of a line. `inside`: the line begins within a cell in quotes.
    pub(crate) fn split(self, line: &str, mut inside: bool, cells: &mut Cells) -> Split {
        let (mut rest, mut split) = (line, Split::default());
        loop {
            if !inside && let Some(quoted) = self.opens(rest) {
                (rest, inside) = (quoted, true);
            }
            let after = if inside {
                match self.quoted_cell(rest, cells) {
                    Some(behind) => self.after_quote(behind, cells, &mut split),
                    None => return Split { open: true, ..split },
                }
            } else {
                let (cell, after) = self.cut(rest);
                cells.push_str(cell.trim());
                after
            };
            cells.end_cell();
            match after {
                Some(after) => (rest, inside) = (after, false),
                None => return split,
            }
        }
    }

    /// What is behind the quote with which a cell begins, if it does.
    fn opens(self, text: &str) -> Option<&str> {
        text.trim_start_matches(' ').strip_prefix('"').filter(|_| self.quotes)
    }

    /// What is before and behind the next separator.
    fn cut(self, text: &str) -> (&str, Option<&str>) {
        match text.split_once(self.separator) {
            Some((cell, after)) => (cell, Some(after)),
            None => (text, None),
        }
    }

    /// A cell in quotes, from behind its first quote; what is behind its last one.
    fn quoted_cell<'t>(self, mut text: &'t str, cells: &mut Cells) -> Option<&'t str> {
        loop {
            let sign = if self.backslash { text.find(['"', '\\']) } else { text.find('"') };
            let Some(at) = sign else {
                cells.push_str(text);
                return None;
            };
            cells.push_str(&text[..at]);
            let behind = &text[at + 1..];
            if text[at..].starts_with('\\') {
                let mut following = behind.chars();
                cells.push(following.next().unwrap_or('\\'));
                text = following.as_str();
            } else if let Some(next) = behind.strip_prefix('"') {
                cells.push('"');
                text = next;
            } else {
                return Some(behind);
            }
        }
    }

    /// What is behind the separator that follows a closing quote.
    fn after_quote<'t>(
        self,
        text: &'t str,
        cells: &mut Cells,
        split: &mut Split,
    ) -> Option<&'t str> {
        let (between, after) = self.cut(text);
        if !between.trim().is_empty() {
            cells.push('"');
            cells.push_str(between);
            split.broken = true;
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str, dialect: Dialect) -> (Vec<String>, Split) {
        let mut cells = Cells::default();
        let split = dialect.split(line, false, &mut cells);
        (cells.iter().map(str::to_owned).collect(), split)
    }

    #[test]
    fn lines() {
        let whole = Split::default();
        let (open, broken) = (Split { open: true, ..whole }, Split { broken: true, ..whole });
        for (line, expected, split) in [
            ("a,,\"b,\"\"c\"\"\",d", &["a", "", "b,\"c\"", "d"][..], whole),
            ("\"a\", \"b\" ,", &["a", "b", ""], whole),
            ("", &[""], whole),
            ("5\" pipe,x", &["5\" pipe", "x"], whole),
            (" a , \" b \"", &["a", " b "], whole),
            ("x,\"a,b", &["x"], open),
            ("\"a\"b,c", &["a\"b", "c"], broken),
            ("\"a\\\"b\",c", &["a\\\"b\"", "c"], broken),
        ] {
            let expected = expected.iter().map(|cell| (*cell).to_owned()).collect();
            assert_eq!(cells(line, Dialect::quoted(',')), (expected, split), "{line}");
        }
        let mysql = Dialect { backslash: true, ..Dialect::quoted(',') };
        assert_eq!(cells("\"a\\\"b\",c", mysql).0, ["a\"b", "c"]);
        let bare = Dialect { quotes: false, ..Dialect::quoted(';') };
        assert_eq!(cells("\"a;b\"", bare), (vec!["\"a".to_owned(), "b\"".to_owned()], whole));
    }

    #[test]
    fn a_cell_goes_on_in_the_next_line() {
        let (mut cells, dialect) = (Cells::default(), Dialect::quoted(';'));
        assert!(dialect.split("1;\"two", false, &mut cells).open);
        cells.push('\n');
        assert_eq!(dialect.split("lines\";3", true, &mut cells), Split::default());
        assert_eq!(cells.iter().collect::<Vec<_>>(), ["1", "two\nlines", "3"]);
    }
}
