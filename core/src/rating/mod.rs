//! Rating: what a call costs, by which tariff, prefix and rate.
//!
//! The engine is a crate of its own, which knows of no database (`tollbook_rating`). Here
//! [`decks`] compiles the tariffs of the database for it and keeps them.

pub(crate) mod decks;
mod rater;
mod service;

use tollbook_proto::v1 as pb;
pub(crate) use tollbook_rating::{
    CallTime, Days, DeckRate, LAST_SECOND, Steps, Terms, is_prefix, margin_percent,
};

pub(crate) use rater::{Later, NoOffer, Offer, Rater};
pub(crate) use service::Service;

use crate::error::{Error, Result};

/// The steps as the contract has them.
pub(crate) fn steps_to_proto(steps: Steps) -> pb::BillingSteps {
    match steps {
        Steps::FromZero => pb::BillingSteps::Unspecified,
        Steps::AfterMinimum => pb::BillingSteps::AfterMinimum,
    }
}

/// The steps of a stored rate.
pub(crate) fn stored_steps(number: i64) -> Result<Steps> {
    let unknown = || Error::internal("a stored rate has unknown billing steps");
    Steps::from_number(number).ok_or_else(unknown)
}
