//! What billing steps count from, and what that is called elsewhere.

use tollbook_proto::v1 as pb;

use crate::error::{Error, Result};

/// What billing steps count from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// The beginning of the call: 90/60 bills 120, 180, 240 seconds.
    #[default]
    FromZero,
    /// The end of the minimum time: 90/60 bills 90, 150, 210 seconds.
    AfterMinimum,
}

impl Steps {
    /// As a line of a deck and a person write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FromZero => "zero",
            Self::AfterMinimum => "minimum",
        }
    }

    pub(crate) fn to_proto(self) -> pb::BillingSteps {
        match self {
            Self::FromZero => pb::BillingSteps::Unspecified,
            Self::AfterMinimum => pb::BillingSteps::AfterMinimum,
        }
    }

    /// As the database has it.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::FromZero => 0,
            Self::AfterMinimum => 1,
        }
    }

    pub(crate) fn from_number(number: i64) -> Result<Self> {
        let mut all = [Self::FromZero, Self::AfterMinimum].into_iter();
        let unknown = || Error::internal("a stored rate has unknown billing steps");
        all.find(|steps| steps.number() == number).ok_or_else(unknown)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::FromZero, Self::AfterMinimum].into_iter().find(|steps| steps.name() == name)
    }
}
