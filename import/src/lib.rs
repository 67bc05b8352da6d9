//! Reads rate decks and call records as carriers and switches write them.
//!
//! - [`table`]: rows with their line numbers out of CSV, TSV, workbooks, archives, in any
//!   encoding; which column is what.
//! - [`values`]: what is in a cell: dates, amounts, prefixes, intervals.
//! - [`profile`]: what an operator says of the files of a carrier or switch.
//!
//! Nothing of a file is dropped in silence: a column that is not understood refuses the file until
//! it is said to be ignored, a line that is not understood is an item of its own, with its number.
//! Nothing here knows the database, so what is read is what is written there, no more.
#![forbid(unsafe_code)]

mod error;
pub mod profile;
pub mod table;
pub mod values;

pub use error::Error;
pub use profile::Profile;
