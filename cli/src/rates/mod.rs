//! Rate decks as files.

mod answers;
pub(crate) mod export;
pub(crate) mod file;
pub(crate) mod flags;
pub(crate) mod import;
pub(crate) mod imports;
mod listing;
mod report;
mod report_file;
mod tariff;

/// The columns of a deck, by the names that a header has for them.
const COLUMNS: [&str; 12] = [
    "prefix",
    "destination",
    "rate",
    "connection_fee",
    "increment",
    "min_time",
    "effective_from",
    "start_time",
    "end_time",
    "day_type",
    "blocked",
    "steps",
];
