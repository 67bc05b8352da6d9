//! What flags of an import of calls choose among.

use anyhow::bail;
use tollbook_import::calls::{By, Unit};
use tollbook_proto::v1::{DurationUnit, PartySource};

use crate::profiles::contract::of_later_version;

/// By what a party is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum NamedBy {
    Account,
    Peer,
    Point,
}

impl NamedBy {
    pub(super) fn by(self) -> By {
        match self {
            Self::Account => By::Account,
            Self::Peer => By::Peer,
            Self::Point => By::Point,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Peer => "peer",
            Self::Point => "point",
        }
    }

    pub(super) fn to_proto(self) -> i32 {
        match self {
            Self::Account => PartySource::Account,
            Self::Peer => PartySource::Peer,
            Self::Point => PartySource::Point,
        }
        .into()
    }

    pub(super) fn from_proto(source: i32) -> anyhow::Result<Self> {
        match PartySource::try_from(source) {
            Ok(PartySource::Account) => Ok(Self::Account),
            Ok(PartySource::Peer) => Ok(Self::Peer),
            Ok(PartySource::Point) => Ok(Self::Point),
            Ok(PartySource::Unspecified) | Err(_) => bail!(of_later_version()),
        }
    }
}

/// What plain numbers of durations count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum DurationIn {
    Seconds,
    Milliseconds,
    Minutes,
}

impl DurationIn {
    pub(super) fn unit(self) -> Unit {
        match self {
            Self::Seconds => Unit::Seconds,
            Self::Milliseconds => Unit::Milliseconds,
            Self::Minutes => Unit::Minutes,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
            Self::Minutes => "minutes",
        }
    }

    pub(super) fn to_proto(self) -> DurationUnit {
        match self {
            Self::Seconds => DurationUnit::Seconds,
            Self::Milliseconds => DurationUnit::Milliseconds,
            Self::Minutes => DurationUnit::Minutes,
        }
    }

    pub(super) fn from_proto(unit: i32) -> anyhow::Result<Option<Self>> {
        match DurationUnit::try_from(unit) {
            Ok(DurationUnit::Unspecified) => Ok(None),
            Ok(DurationUnit::Seconds) => Ok(Some(Self::Seconds)),
            Ok(DurationUnit::Milliseconds) => Ok(Some(Self::Milliseconds)),
            Ok(DurationUnit::Minutes) => Ok(Some(Self::Minutes)),
            Err(_) => bail!(of_later_version()),
        }
    }
}
