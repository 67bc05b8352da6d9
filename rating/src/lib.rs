//! Rating: what a call costs, by which prefix and rate.
//!
//! It is pure: it knows no database, no clock and no network. Whoever has rates compiles them into
//! a [`Deck`], asks it for the rate of a number at a [`CallTime`], and has its [`Terms`] say what
//! is billed and what that costs (`docs/rules/rating.md`).

mod deck;
mod matcher;
mod price;
mod steps;

pub use deck::{Builder, CallTime, Days, Deck, DeckRate, Found, LAST_SECOND, deciding};
pub use matcher::{MAX_PREFIX, is_prefix};
pub use price::{Terms, margin_percent, whole_seconds};
pub use steps::Steps;
