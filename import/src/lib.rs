//! Reads the files of carriers and switches: rate decks and calls.
//!
//! - [`table`]: rows with their line numbers out of CSV, TSV, workbooks, archives, in any
//!   encoding; which column is what.
//! - [`values`]: what is in a cell: dates, amounts, prefixes, intervals.
//! - [`profile`]: what an operator says of the decks of a carrier.
//! - [`deck`]: rate decks.
//! - [`calls`]: calls as switches write them.
//!
//! Nothing of a file is dropped in silence: a column that is not understood refuses the file until
//! it is said to be ignored, a line that is not understood is an item of its own, with its number.
//! Nothing here knows the database, so what is read is what is written there, no more.
//!
//! # A deck
//! ```
//! use tollbook_import::{Part, Profile, deck::{Deck, DeckItem, DeckOptions}};
//!
//! let part = Part::from_bytes("rates.csv", b"Code;Rate\n+370;0,02\n371;x\n".to_vec())?;
//! let mut deck = Deck::open(part, &Profile::default(), DeckOptions::default())?;
//! let items = deck.collect::<Result<Vec<_>, _>>()?;
//! assert!(matches!(&items[0], DeckItem::Line(line) if line.prefix == "370"));
//! assert!(matches!(&items[1], DeckItem::Refused { line: 3, .. }));
//! # Ok::<_, tollbook_import::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod calls;
pub mod deck;
mod error;
pub mod profile;
pub mod table;
mod text;
pub mod values;

pub use error::Error;
pub use profile::Profile;
pub use table::{Part, Source, sources};
