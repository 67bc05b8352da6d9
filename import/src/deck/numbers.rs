//! How the amounts of a deck are written: which sign separates their decimals.

use super::cells::{OF_NUMBERS, cell, kind};
use crate::{
    Error,
    table::{CellKind, Row},
    values::{self, Money, NumberFormat, ValueError, decimal_separator},
};

/// How the texts of amounts are read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Numbers {
    /// As it was said.
    Said(NumberFormat),
    /// By the amounts of the first rows that can be read in one way only: they all have this sign.
    Found(char),
    /// No amount of the first rows shows it.
    Unknown,
}

impl Numbers {
    /// What is said, or else what the amounts in those positions show; and what is to be asked, where they
    /// contradict each other.
    pub(super) fn new(
        said: NumberFormat,
        sample: &[Row],
        positions: [Option<usize>; 2],
    ) -> (Self, Option<Error>) {
        if said.decimal.is_some() || said.thousands.is_some() {
            return (Self::Said(said), None);
        }
        let mut found: [Option<(u64, &str)>; 2] = [None; 2];
        for row in sample {
            // How a workbook's numbers are written says nothing of its texts.
            let texts = positions.into_iter().filter(|at| kind(row, *at) == CellKind::Text);
            for text in texts.map(|position| cell(row, position)) {
                let is_amount = values::money(text, NumberFormat::default()).is_ok();
                let Some(sign) = decimal_separator(text).filter(|_| is_amount) else { continue };
                found[usize::from(sign == ',')].get_or_insert((row.line(), text));
            }
        }
        match found {
            [None, None] => (Self::Unknown, None),
            [Some(_), None] => (Self::Found('.'), None),
            [None, Some(_)] => (Self::Found(','), None),
            [Some((line, point)), Some((other_line, comma))] => {
                let problem = Error::Profile(format!(
                    "decimals are behind a point on line {line} ({point:?}) and behind a comma on line \
                     {other_line} ({comma:?}): --decimal . or --decimal , says which it is, and refuses the \
                     lines with the other"
                ));
                (Self::Unknown, Some(problem))
            }
        }
    }

    /// The amount in a cell.
    pub(super) fn money(self, text: &str, kind: CellKind) -> Result<Money, ValueError> {
        let ambiguous = || Err(ValueError::AmbiguousNumber(values::quote(text)));
        let format = match self {
            _ if kind == CellKind::Number => OF_NUMBERS,
            Self::Said(format) => format,
            Self::Unknown => NumberFormat::default(),
            Self::Found(sign) => {
                let other = if sign == ',' { '.' } else { ',' };
                // `1.234` among commas: a thousand, or what somebody wrote with a point.
                let is_single = text.matches(other).count() == 1 && !text.contains(sign);
                let is_amount = || values::money(text, NumberFormat::default()).is_ok();
                match decimal_separator(text) {
                    Some(shown) if shown != sign && is_amount() => return ambiguous(),
                    None if is_single => return ambiguous(),
                    _ => NumberFormat { decimal: Some(sign), thousands: None },
                }
            }
        };
        values::money(text, format)
    }
}
