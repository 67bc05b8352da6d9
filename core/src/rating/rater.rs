//! Prices calls by the tariffs of the database, many at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::tz::TimeZone;
use tollbook_rating::{CallTime, Deck, Terms, deciding};

use super::decks::Decks;
use crate::{
    catalog::Snapshot,
    clock,
    error::{Error, Result},
    ids::{CurrencyId, TariffId},
    money::{ExchangeRate, Money},
    points::SideTariffs,
    store::Db,
    tariffs::Tariff,
};

/// The compiled decks of the tariffs that some calls need, with their currencies.
#[derive(Default)]
pub(crate) struct Rater(HashMap<TariffId, (Arc<Deck>, CurrencyId, ExchangeRate)>);

/// The rate that decides about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The tariff that decided.
    pub(crate) tariff: TariffId,
    pub(crate) prefix_length: usize,
    pub(crate) terms: Terms,
    pub(crate) grace_time: u32,
    /// That the terms are in.
    pub(crate) currency: CurrencyId,
    pub(crate) exchange_rate: ExchangeRate,
}

/// Why there is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoOffer {
    /// The user has no tariff.
    NoTariff,
    /// No prefix has a rate at that time.
    NoRate,
    /// The prefix is blocked.
    Blocked,
}

/// A rate that begins to count only later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) tariff: TariffId,
    pub(crate) prefix_length: usize,
    /// Microseconds since 1970.
    pub(crate) from: i64,
}

impl Later {
    /// What it is to a number, by the clocks of a time zone.
    pub(crate) fn text(&self, number: &str, zone: &TimeZone) -> String {
        let prefix = number.get(..self.prefix_length).unwrap_or_default();
        let from = clock::day_or_time(self.from, zone);
        format!("tariff {} has a rate for {prefix} only from {from}", self.tariff)
    }
}

impl Rater {
    /// Loads the decks that some sides need.
    pub(crate) async fn load(
        db: &Db,
        compiled: &Decks,
        snapshot: &Snapshot,
        sides: HashSet<SideTariffs>,
    ) -> Result<Self> {
        let mut rater = Self::default();
        for tariff in tariffs(snapshot, sides) {
            let deck = compiled.get(db, tariff).await?;
            rater.add(snapshot, tariff, deck)?;
        }
        Ok(rater)
    }

    /// The decks that some sides need, as far as they are compiled, and the tariffs of the others.
    pub(crate) fn compiled(
        compiled: &Decks,
        snapshot: &Snapshot,
        sides: HashSet<SideTariffs>,
    ) -> Result<(Self, HashSet<TariffId>)> {
        let (mut rater, mut missing) = (Self::default(), HashSet::new());
        for tariff in tariffs(snapshot, sides) {
            match compiled.ready(tariff) {
                Some(deck) => rater.add(snapshot, tariff, deck)?,
                None => drop(missing.insert(tariff.id)),
            }
        }
        Ok((rater, missing))
    }

    fn add(&mut self, snapshot: &Snapshot, tariff: &Tariff, deck: Arc<Deck>) -> Result<()> {
        let currency = snapshot.currencies.stored(tariff.currency)?;
        self.0.insert(tariff.id, (deck, currency.id, currency.exchange_rate));
        Ok(())
    }

    /// The rate for a call: of the tariff, or of the custom one where its prefix is as long or
    /// longer.
    pub(crate) fn offer(
        &self,
        tariffs: SideTariffs,
        number: &str,
        time: CallTime,
    ) -> Result<Offer, NoOffer> {
        let find = |tariff| {
            let (deck, currency, exchange_rate) = self.0.get(&tariff)?;
            Some((deck.find(number, time), (tariff, *currency, *exchange_rate)))
        };
        let found = [find(tariffs.tariff), find(tariffs.custom)];
        if found.iter().all(Option::is_none) {
            return Err(NoOffer::NoTariff);
        }
        let found = found.into_iter().flatten();
        let found = deciding(found.filter_map(|(found, whose)| Some((found?, whose))));
        let (found, (tariff, currency, exchange_rate)) = found.ok_or(NoOffer::NoRate)?;
        if found.blocked {
            return Err(NoOffer::Blocked);
        }
        Ok(Offer {
            tariff,
            prefix_length: found.prefix_length,
            terms: found.terms,
            grace_time: tariffs.grace_time,
            currency,
            exchange_rate,
        })
    }

    /// Where there is no rate for a call: the one that there will be.
    pub(crate) fn later(
        &self,
        tariffs: SideTariffs,
        number: &str,
        time: CallTime,
    ) -> Option<Later> {
        let later = [tariffs.tariff, tariffs.custom].into_iter().filter_map(|tariff| {
            let (prefix_length, from) = self.0.get(&tariff)?.0.later(number, time)?;
            Some(Later { tariff, prefix_length, from })
        });
        later.max_by_key(|later| later.prefix_length)
    }
}

/// The tariffs that some sides name, each once, as far as there are any.
fn tariffs(
    snapshot: &Snapshot,
    sides: HashSet<SideTariffs>,
) -> impl Iterator<Item = &Tariff> + use<'_> {
    let ids = sides.into_iter().flat_map(|side| [side.tariff, side.custom]);
    let ids: HashSet<TariffId> = ids.collect();
    ids.into_iter().filter_map(|id| snapshot.tariffs.by_id(id).ok())
}

impl Offer {
    /// The price per minute in the default currency.
    pub(crate) fn rate(&self) -> Result<Money> {
        Money::new(self.terms.rate).ok_or(Error::OutOfRange)?.to_default(self.exchange_rate)
    }

    /// Seconds billed of an answered call, and their price in the default currency.
    pub(crate) fn price(&self, seconds: u32) -> Result<(u64, Money)> {
        self.price_of(self.terms.billed_seconds(seconds, self.grace_time))
    }

    fn price_of(&self, billed: u64) -> Result<(u64, Money)> {
        let price = self.terms.price(billed).and_then(Money::new).ok_or(Error::OutOfRange)?;
        Ok((billed, price.to_default(self.exchange_rate)?))
    }

    /// The longest duration up to `limit` seconds that costs at most `available`, and its
    /// price. Prices grow with the duration, so it is found by halving. The grace time is left
    /// out of account: whoever has nothing left does not call for nothing.
    pub(crate) fn longest(&self, available: Money, limit: u32) -> Result<(u32, Money)> {
        let price =
            |seconds| Ok::<_, Error>(self.price_of(self.terms.billed_seconds(seconds, 0))?.1);
        let affordable = |seconds| Ok::<_, Error>(price(seconds)? <= available);
        let (mut most, mut too_long) = (0, limit.saturating_add(1));
        if affordable(limit)? {
            most = limit;
        }
        while most + 1 < too_long && most < limit {
            let middle = most + (too_long - most) / 2;
            if affordable(middle)? { most = middle } else { too_long = middle }
        }
        Ok((most, price(most)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::rating::Steps;

    fn offer(rate: i64, fee: i64, (increment, min_time): (u32, u32), steps: Steps) -> Offer {
        let [rate, connection_fee] = [rate, fee].map(|number| Decimal::new(number, 4));
        Offer {
            tariff: TariffId(1),
            prefix_length: 3,
            terms: Terms { rate, connection_fee, increment, min_time, steps },
            grace_time: 0,
            currency: CurrencyId(2),
            exchange_rate: ExchangeRate::new(Decimal::new(7351, 4)).unwrap(),
        }
    }

    #[test]
    fn money_for_a_step_more_is_what_prolongs_a_call() {
        let money = |cents| Money::new(Decimal::new(cents, 2)).unwrap();
        let longest = |steps, cents| {
            let offer =
                Offer { exchange_rate: ExchangeRate::ONE, ..offer(600, 0, (60, 90), steps) };
            offer.longest(money(cents), 3_600).unwrap()
        };
        // 0.06 a minute, 90/60: 0.09 buys the minimum time, 0.15 a step more.
        assert_eq!(longest(Steps::AfterMinimum, 8), (0, money(0)));
        assert_eq!(longest(Steps::AfterMinimum, 9), (90, money(9)));
        assert_eq!(longest(Steps::AfterMinimum, 14), (90, money(9)));
        assert_eq!(longest(Steps::AfterMinimum, 15), (150, money(15)));
        assert_eq!(longest(Steps::FromZero, 11), (0, money(0)));
        assert_eq!(longest(Steps::FromZero, 12), (120, money(12)));
    }

    proptest! {
        /// What an amount of money buys is the longest call that it pays for.
        #[test]
        fn the_longest_call_is_paid_for_and_a_second_more_is_not(
            rate in 0_i64..100_000,
            fee in 0_i64..10_000,
            interval in (1_u32..=90, 0_u32..=120),
            after_minimum in any::<bool>(),
            available in 0_i64..1_000_000,
            limit in 1_u32..10_000,
        ) {
            let steps = if after_minimum { Steps::AfterMinimum } else { Steps::FromZero };
            let offer = offer(rate, fee, interval, steps);
            let available = Money::new(Decimal::new(available, 4)).unwrap();
            let (longest, price) = offer.longest(available, limit).unwrap();
            prop_assert!(longest <= limit && price <= available);
            prop_assert_eq!(offer.price(longest).unwrap().1, price);
            if longest < limit {
                prop_assert!(offer.price(longest + 1).unwrap().1 > available);
            }
        }
    }
}
