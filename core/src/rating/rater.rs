//! Prices calls by the tariffs of the database, many at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{CallTime, Deck, Terms, deck::deciding, decks::Decks};
use crate::{
    catalog::Snapshot,
    error::{Error, Result},
    ids::TariffId,
    money::{ExchangeRate, Money},
    points::SideTariffs,
    store::Db,
    tariffs::Tariff,
};

/// The compiled decks of the tariffs that some calls need, with their currencies.
#[derive(Default)]
pub(crate) struct Rater(HashMap<TariffId, (Arc<Deck>, ExchangeRate)>);

/// The rate that decides about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The tariff that decided.
    pub(crate) tariff: TariffId,
    pub(crate) prefix_length: usize,
    pub(crate) terms: Terms,
    pub(crate) grace_time: u32,
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
        self.0.insert(tariff.id, (deck, currency.exchange_rate));
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
            let (deck, exchange_rate) = self.0.get(&tariff)?;
            Some((deck.find(number, time), (tariff, *exchange_rate)))
        };
        let found = [find(tariffs.tariff), find(tariffs.custom)];
        if found.iter().all(Option::is_none) {
            return Err(NoOffer::NoTariff);
        }
        let found = found.into_iter().flatten();
        let found = deciding(found.filter_map(|(found, whose)| Some((found?, whose))));
        let (found, (tariff, exchange_rate)) = found.ok_or(NoOffer::NoRate)?;
        if found.blocked {
            return Err(NoOffer::Blocked);
        }
        Ok(Offer {
            tariff,
            prefix_length: found.prefix_length,
            terms: found.terms,
            grace_time: tariffs.grace_time,
            exchange_rate,
        })
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
