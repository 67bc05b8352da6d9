//! Lines that are records by themselves, cut into cells strictly: a line that breaks the rules is
//! not guessed at.

use super::Problem;
use crate::text::{Cells, Dialect, Split};

/// The cells of a line.
///
/// # Errors
/// A quote is left open, or closed before its cell ends.
pub(crate) fn split(line: &str, dialect: Dialect) -> Result<Cells, Problem> {
    let mut cells = Cells::default();
    split_into(line, dialect, &mut cells)?;
    Ok(cells)
}

/// The same into cells that were there before.
pub(crate) fn split_into(line: &str, dialect: Dialect, cells: &mut Cells) -> Result<(), Problem> {
    cells.clear();
    match dialect.split(line, false, cells) {
        Split { broken: true, .. } => Err(Problem::StrayQuote),
        Split { open: true, .. } => Err(Problem::OpenQuote),
        Split { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_break_the_rules() {
        let cells = |line| split(line, Dialect::quoted(','));
        assert_eq!(cells("\"a,b\",c"), Ok(["a,b", "c"].into_iter().collect()));
        assert_eq!(cells("\"a,b"), Err(Problem::OpenQuote));
        assert_eq!(cells("\"a\"b,c"), Err(Problem::StrayQuote));
        // What comes first is what is wrong.
        assert_eq!(cells("\"a\"b,\"c"), Err(Problem::StrayQuote));
    }
}
