//! A line of CSV, cut into its cells, strictly: a line that breaks the rules is not guessed at.

use std::borrow::Cow;

use super::Problem;

/// How the cells of a line are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between cells.
    pub(crate) separator: char,
    /// Whether cells may be in quotes.
    pub(crate) quotes: bool,
}

/// The cells of a line.
///
/// # Errors
/// A quote is left open, or closed before its cell ends.
pub(crate) fn split(line: &str, dialect: Dialect) -> Result<Vec<Cow<'_, str>>, Problem> {
    let mut cells = Vec::with_capacity(24);
    let mut rest = line;
    loop {
        let quoted = dialect.quotes && rest.trim_start_matches(' ').starts_with('"');
        let (cell, after) = if quoted {
            let inner = &rest.trim_start_matches(' ')[1..];
            in_quotes(inner, dialect.separator)?
        } else {
            match rest.split_once(dialect.separator) {
                Some((cell, after)) => (cell.trim().into(), Some(after)),
                None => (rest.trim().into(), None),
            }
        };
        cells.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Ok(cells),
        }
    }
}

/// What is in quotes, and what comes behind the separator after them.
fn in_quotes(text: &str, separator: char) -> Result<(Cow<'_, str>, Option<&str>), Problem> {
    let mut cell = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"').ok_or(Problem::OpenQuote)?;
        cell += before;
        if let Some(next) = after.strip_prefix('"') {
            cell += "\"";
            rest = next;
            continue;
        }
        let after = after.trim_start_matches(' ');
        if after.is_empty() {
            return Ok((cell, None));
        }
        let after = after.strip_prefix(separator).ok_or(Problem::StrayQuote)?;
        return Ok((cell, Some(after)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(line: &str) -> Result<Vec<Cow<'_, str>>, Problem> {
        split(line, Dialect { separator: ',', quotes: true })
    }

    #[test]
    fn lines() {
        let owned =
            |cells: &[&str]| Ok(cells.iter().map(|cell| Cow::Owned((*cell).to_owned())).collect());
        assert_eq!(cells("a,,\"b,\"\"c\"\"\",d"), owned(&["a", "", "b,\"c\"", "d"]));
        assert_eq!(cells("\"a\", \"b\" ,"), owned(&["a", "b", ""]));
        assert_eq!(cells(""), owned(&[""]));
        assert_eq!(cells("5\" pipe,x"), owned(&["5\" pipe", "x"]));
        assert_eq!(cells("\"a,b"), Err(Problem::OpenQuote));
        assert_eq!(cells("\"a\"b,c"), Err(Problem::StrayQuote));
    }
}
