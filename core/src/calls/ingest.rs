//! Checking and rating the calls that switches bring.
//!
//! That is outside of any transaction. One transaction of the [writer](crate::writer) then looks
//! which of them are known already ([`intake`](super::intake)), changes the balances of their users
//! with one ledger entry for each user and side, stores the calls and adds them to the statistics. So
//! a call is either in all of them or in none, and a second copy of it is in none.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1::CallRecord;

use super::{
    Call, Leg, Rejection, Reported, Side,
    parties::{Parties, Party, Pricing},
    places::Places,
    record::{self, Record, Said},
};
use crate::{
    access::Scope,
    catalog::Snapshot,
    changes::Origin,
    clock,
    context::Context,
    error::Result,
    ids::{EntryId, UserId},
    live::{self, ActiveCall},
    points::SideTariffs,
    rating::{CallTime, Offer, Rater},
};

/// A call on its way in, with its position among those that were sent.
#[derive(Clone)]
pub(crate) struct Numbered<T> {
    pub(crate) position: i64,
    pub(crate) call: T,
}

/// A batch, rated, and what of it cannot be.
#[derive(Default)]
pub(crate) struct Rated {
    pub(super) calls: Vec<Numbered<Incoming>>,
    pub(super) rejected: Vec<Numbered<Refused>>,
}

impl Rated {
    fn reject(&mut self, position: i64, ids: Ids, rejection: Rejection) {
        self.rejected.push(Numbered { position, call: Refused { ids, rejection, call: None } });
    }
}

/// The ids that a record has.
#[derive(Clone)]
pub(super) struct Ids {
    /// Of the call.
    pub(super) call: String,
    /// Of the record alone; empty: none.
    pub(super) record: String,
}

/// A call that may go into the books.
pub(super) struct Incoming {
    pub(super) call: Call,
    /// Under which it is a call of its own where another call has its id; empty: it has none.
    pub(super) record_id: String,
    pub(super) said: Said,
}

/// A record that may not.
pub(super) struct Refused {
    pub(super) ids: Ids,
    pub(super) rejection: Rejection,
    /// The call, where only its price is missing.
    pub(super) call: Option<Box<Incoming>>,
}

/// Checks and rates a batch. `scope` says whose calls the sender may bring.
pub(crate) async fn rate(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<CallRecord>>,
) -> Result<Rated> {
    let ids: Vec<&str> = batch.iter().map(|record| record.call.call_id.as_str()).collect();
    let authorized = live::store::under_way(&context.db, &ids).await?;
    rate_authorized(context, scope, batch, &authorized).await
}

/// Checks and rates a batch, of which some calls are `authorized`, by the switch's ids.
pub(crate) async fn rate_authorized(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<CallRecord>>,
    authorized: &HashMap<String, ActiveCall>,
) -> Result<Rated> {
    let snapshot = context.catalog.load_full();
    let mut rated = Rated::default();
    let mut records = Vec::with_capacity(batch.len());
    let mut places = Places::new(&snapshot.points);
    let latest = clock::now() + live::CLOCK_SKEW;
    for Numbered { position, call } in batch {
        let ids = Ids { call: call.call_id.clone(), record: call.record_id.clone() };
        let authorized = authorized.get(&call.call_id);
        let record = record::read(call).and_then(|mut record| {
            places.settle(&mut record, authorized)?;
            // What was authorised began by our clock, of which the switch's durations know nothing.
            if authorized.is_none() && record.reported.ends_after(latest) {
                return Err(Rejection::InvalidField {
                    field: "duration_ms".to_owned(),
                    problem: "ends in the future",
                });
            }
            Ok(record)
        });
        match record {
            Ok(call) => records.push(Numbered { position, call }),
            Err(rejection) => rated.reject(position, ids, rejection),
        }
    }
    let parties = Parties::of(context, &snapshot, scope, &records, authorized).await?;
    let mut calls = Vec::with_capacity(records.len());
    let mut tariffs = HashSet::new();
    for Numbered { position, call: record } in records {
        let authorized = authorized.get(&record.reported.call_id);
        match Sided::of(record, &parties, authorized) {
            Ok(call) => {
                for party in std::iter::once(call.originator).chain(call.terminator) {
                    if let Pricing::Tariffs(of_party) = party.pricing {
                        tariffs.insert(of_party);
                    }
                }
                calls.push(Numbered { position, call });
            }
            Err((ids, rejection)) => rated.reject(position, ids, rejection),
        }
    }
    let decks = Rater::load(&context.db, &context.decks, &snapshot, tariffs).await?;
    for Numbered { position, call } in calls {
        let ids = Ids { call: call.reported.call_id.clone(), record: call.record_id.clone() };
        let (record_id, said) = (call.record_id.clone(), call.said);
        match call.price(&decks, &snapshot) {
            Ok(call) => {
                rated.calls.push(Numbered { position, call: Incoming { call, record_id, said } });
            }
            Err((call, rejection)) => {
                let call = Some(Box::new(Incoming { call, record_id, said }));
                let call = Refused { ids, rejection, call };
                rated.rejected.push(Numbered { position, call });
            }
        }
    }
    Ok(rated)
}

/// A call whose two sides are known.
struct Sided {
    reported: Reported,
    record_id: String,
    originator: Party,
    terminator: Option<Party>,
    said: Said,
}

impl Sided {
    fn of(
        mut record: Record,
        parties: &Parties<'_>,
        authorized: Option<&ActiveCall>,
    ) -> Result<Self, (Ids, Rejection)> {
        match parties.sides(&mut record, authorized) {
            Ok((originator, terminator)) => {
                let Record { reported, record_id, said, .. } = record;
                Ok(Self { reported, record_id, originator, terminator, said })
            }
            Err(rejection) => {
                let ids = Ids { call: record.reported.call_id, record: record.record_id };
                Err((ids, rejection))
            }
        }
    }

    /// Prices the call by the tariffs of its sides. Calls that were not answered cost
    /// nothing and need no rate. Where there is none, the call comes back without a price.
    fn price(self, rater: &Rater, snapshot: &Snapshot) -> Result<Call, (Call, Rejection)> {
        let Self { reported, originator, terminator, .. } = self;
        let call = Call {
            id: 0,
            originator: originator.user,
            terminator: terminator.map(|party| party.user),
            prefix: String::new(),
            price: Leg::NONE,
            self_cost: Leg::NONE,
            reported,
        };
        if !call.is_charged() {
            return Ok(call);
        }
        let time = CallTime::new(call.reported.start_time, &snapshot.settings.time_zone);
        let leg = |pricing, side| match pricing {
            Pricing::Tariffs(tariffs) => leg(&call.reported, time, tariffs, side, rater),
            Pricing::Authorized(offer) => leg_at(&call.reported, &offer),
        };
        let price = leg(originator.pricing, Side::Originator);
        let self_cost = terminator
            .map_or(Ok((Leg::NONE, String::new())), |party| leg(party.pricing, Side::Terminator));
        match (price, self_cost) {
            (Ok((price, prefix)), Ok((self_cost, _))) => {
                Ok(Call { prefix, price, self_cost, ..call })
            }
            (Err(rejection), _) | (_, Err(rejection)) => Err((call, rejection)),
        }
    }
}

/// Prices one side of an answered call. Returns the prefix as well.
pub(super) fn leg(
    call: &Reported,
    time: CallTime,
    tariffs: SideTariffs,
    side: Side,
    rater: &Rater,
) -> Result<(Leg, String), Rejection> {
    let offer = rater
        .offer(tariffs, &call.destination, time)
        .map_err(|why| Rejection::unpriced(why, side))?;
    leg_at(call, &offer)
}

/// Prices one side of an answered call at a rate. Returns the prefix as well.
pub(super) fn leg_at(call: &Reported, offer: &Offer) -> Result<(Leg, String), Rejection> {
    let out_of_range = |_| Rejection::AmountOutOfRange;
    let (billed, amount) = offer.price(call.billsec_seconds()).map_err(out_of_range)?;
    let leg = Leg {
        tariff: offer.tariff,
        rate: offer.rate().map_err(out_of_range)?,
        billed_seconds: i64::try_from(billed).unwrap_or(i64::MAX),
        amount,
        entry: EntryId(0),
    };
    Ok((leg, call.destination.get(..offer.prefix_length).unwrap_or_default().to_owned()))
}

/// A rated batch on its way into the books, and whence it comes.
pub(crate) struct Delivery {
    pub(super) origin: Arc<Origin>,
    pub(super) rated: Rated,
}

impl Delivery {
    pub(crate) fn new(origin: Arc<Origin>, rated: Rated) -> Self {
        Self { origin, rated }
    }

    /// How many calls it brings.
    pub(crate) fn len(&self) -> usize {
        self.rated.calls.len() + self.rated.rejected.len()
    }

    /// The switch's ids of all calls, and of the records that have one of their own.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        let fine = self.rated.calls.iter().map(|Numbered { call, .. }| {
            [call.call.reported.call_id.as_str(), call.record_id.as_str()]
        });
        let rejected = self.rated.rejected.iter();
        let rejected = rejected.map(|Numbered { call: Refused { ids, .. }, .. }| {
            [ids.call.as_str(), ids.record.as_str()]
        });
        fine.chain(rejected).flatten().filter(|id| !id.is_empty())
    }

    /// How many calls may go into the books.
    pub(crate) fn rated(&self) -> usize {
        self.rated.calls.len()
    }

    /// Whose balances the calls change, and on which side.
    pub(crate) fn parties(&self) -> impl Iterator<Item = (UserId, Side)> {
        self.rated.calls.iter().flat_map(|Numbered { call: Incoming { call, .. }, .. }| {
            let terminator = call.terminator.map(|user| (user, Side::Terminator));
            std::iter::once((call.originator, Side::Originator)).chain(terminator)
        })
    }
}
