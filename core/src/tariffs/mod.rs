//! Tariffs: rate decks in one currency, bought or sold (`docs/rules/rating.md#tariffs`).

mod beside;
mod comparison;
mod hours;
mod import;
mod imports;
mod largest;
mod later;
mod line;
mod lines;
mod listing;
mod missing;
mod names;
mod ownership;
mod seen;
mod service;
pub(crate) mod store;

use tollbook_proto::v1::{self as pb, TariffPurpose};

pub(crate) use names::Names;
pub(crate) use service::Service;

use crate::{
    currencies::Currencies,
    error::{Error, Result},
    ids::{CurrencyId, TariffId, UserId},
    money,
    rating::{Days, DeckRate, LAST_SECOND, steps_to_proto},
};

/// What a tariff is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    UserWholesale,
    Provider,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::UserWholesale => "user_wholesale",
            Self::Provider => "provider",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        [Self::UserWholesale, Self::Provider]
            .into_iter()
            .find(|purpose| purpose.name() == name)
            .ok_or_else(|| Error::internal("a stored tariff has an unknown purpose"))
    }
}

/// A tariff, without its rates.
#[derive(Clone, Debug)]
pub(crate) struct Tariff {
    pub(crate) id: TariffId,
    pub(crate) name: String,
    pub(crate) purpose: Purpose,
    pub(crate) currency: CurrencyId,
    /// The admin, or the reseller or partner whose it is.
    pub(crate) owner: UserId,
    /// Grows with every change of the rates.
    pub(crate) revision: i64,
}

impl Tariff {
    fn to_proto(&self, currencies: &Currencies) -> Result<pb::Tariff> {
        let currency = currencies.stored(self.currency)?;
        let purpose = match self.purpose {
            Purpose::UserWholesale => TariffPurpose::UserWholesale,
            Purpose::Provider => TariffPurpose::Provider,
        };
        Ok(pb::Tariff {
            id: self.id.0,
            name: self.name.clone(),
            purpose: purpose.into(),
            currency: currency.code.clone(),
            revision: self.revision,
            owner_id: self.owner.0,
        })
    }
}

/// All tariffs, by ascending id.
#[derive(Clone, Debug)]
pub(crate) struct Tariffs(Vec<Tariff>);

impl Tariffs {
    pub(crate) fn by_id(&self, id: TariffId) -> Result<&Tariff> {
        let index = self.0.binary_search_by_key(&id, |tariff| tariff.id);
        index.ok().and_then(|index| self.0.get(index)).ok_or(Error::TariffNotFound)
    }
}

/// A rate with what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) prefix: String,
    pub(crate) rate: DeckRate,
}

/// What a rate replaces: a rate with the same key.
type RateKey<'a> = (&'a str, i64, u32, &'static str);

fn rate_key<'a>(prefix: &'a str, rate: &DeckRate) -> RateKey<'a> {
    (prefix, rate.effective_from, rate.hours.0, day_name(rate.days))
}

impl Rate {
    fn key(&self) -> RateKey<'_> {
        rate_key(&self.prefix, &self.rate)
    }

    fn to_proto(&self, destination: String) -> pb::Rate {
        let rate = &self.rate;
        let terms = &rate.terms;
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        pb::Rate {
            prefix: self.prefix.clone(),
            destination,
            rate: Some(money::to_proto(terms.rate)),
            connection_fee: Some(money::to_proto(terms.connection_fee)),
            increment: number(terms.increment),
            min_time: number(terms.min_time),
            effective_from: (rate.effective_from != i64::MIN)
                .then(|| crate::clock::to_proto(rate.effective_from)),
            start_time: time_of_day(rate.hours.0),
            end_time: time_of_day(rate.hours.1.min(LAST_SECOND)),
            day_type: match rate.days {
                Days::All => pb::DayType::Unspecified,
                Days::Work => pb::DayType::WorkDay,
                Days::Free => pb::DayType::FreeDay,
            }
            .into(),
            blocked: rate.blocked,
            ended: rate.ended,
            steps: steps_to_proto(terms.steps).into(),
        }
    }
}

/// Days as the database names them.
fn day_name(days: Days) -> &'static str {
    match days {
        Days::All => "",
        Days::Work => "WD",
        Days::Free => "FD",
    }
}

fn days_of(name: &str) -> Option<Days> {
    [Days::All, Days::Work, Days::Free].into_iter().find(|days| day_name(*days) == name)
}

fn time_of_day(second: u32) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(fuzzing)]
pub(crate) mod fuzzing {
    pub(crate) use super::line::read;
}
