//! Rating: what a call costs, by which tariff, prefix and rate.
//!
//! The engine ([`Deck`], [`Terms`]) knows nothing of databases and is public: whoever has
//! rates can rate calls. [`decks`] compiles the tariffs of the database and keeps them.

mod deck;
pub(crate) mod decks;
mod matcher;
mod price;
mod rater;
mod service;
mod steps;

pub use deck::{CallTime, Days, Deck, DeckRate, Found, LAST_SECOND};
pub use matcher::{MAX_PREFIX, is_prefix};
pub use price::{Terms, margin_percent, whole_seconds};
pub use steps::Steps;

pub(crate) use rater::{NoOffer, Offer, Rater};
pub(crate) use service::Service;
