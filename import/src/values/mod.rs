//! What is in a cell: numbers, times, prefixes, intervals, as people and switches write them.
//!
//! Each function takes the text of one cell, with or without spaces around it, and returns its
//! value or a [`ValueError`] that quotes the cell. None guesses: what can be read in two ways is
//! refused until the profile says which it is.

mod date;
mod decimal;
mod interval;
mod prefix;
mod weekly;

pub use date::{DateOrder, Moment, Resolved, moment};
pub(crate) use date::{date_order, may_begin_with_year};
pub(crate) use decimal::{CURRENCIES, decimal_separator, names_currency, same_currency};
pub use decimal::{Money, NumberFormat, decimal, money};
pub use interval::{Interval, interval, seconds};
pub use prefix::{Prefixes, area_codes, prefix, prefixes};
pub use weekly::{Days, Hours, days, hours};

/// Why a cell cannot be read; the text of the cell is quoted, shortened to 60 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// No time, in no format that is known.
    #[error("{0:?} is no date or time")]
    NoTime(String),
    /// Day and month could be either way round.
    #[error("{0:?} can be two dates: --date-format says whether the day or the month is first")]
    AmbiguousDate(String),
    /// The date format of the profile says something else.
    #[error("{0:?} is not a date in the form of --date-format")]
    OtherDateFormat(String),
    /// No number.
    #[error("{0:?} is no number")]
    NoNumber(String),
    /// A comma or point could separate decimals or thousands.
    #[error("{0:?} can be two numbers: --decimal says which is the decimal separator")]
    AmbiguousNumber(String),
    /// More digits than can be kept.
    #[error("{0:?} has more digits than can be kept")]
    TooManyDigits(String),
    /// No number of seconds.
    #[error("{0:?} is no number of seconds")]
    NoDuration(String),
    /// No prefix of numbers.
    #[error("{0:?} is no prefix of phone numbers")]
    NoPrefix(String),
    /// One prefix or several, as the dash, the spaces or the commas are taken.
    #[error("{0:?} can be one prefix, a list, or a range: write each prefix out, with commas")]
    AmbiguousPrefix(String),
    /// More prefixes in a cell than the limit.
    #[error("{0:?} are too many prefixes")]
    TooManyPrefixes(String),
    /// No interval.
    #[error("{0:?} is no billing interval")]
    NoInterval(String),
    /// No hours of the day.
    #[error("{0:?} is no time of day")]
    NoHours(String),
    /// Days that are neither all, nor the work days, nor the others.
    #[error("{0:?} are no days that a rate can have: all, work days, or free days")]
    NoDays(String),
}

/// The text of a cell as an error quotes it.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The cell without spaces around it, and without the apostrophe that keeps Excel from turning
/// it into a number.
pub(crate) fn cell(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    text.strip_prefix('\'').unwrap_or(text).trim()
}
