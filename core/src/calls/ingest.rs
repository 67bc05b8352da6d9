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

use super::{
    Call, Exchange, Leg, Owners, Rejection, Reported, Share, Side,
    parties::{Parties, Party, Payer, Pricing},
    places::Places,
    record::{self, Record, Said},
    unpriced::{self, Explanation},
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
    rating::{CallTime, NoOffer, Offer, Rater},
    unrated::Brought,
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
    /// What whoever brought it should know beyond that.
    pub(super) notes: Vec<String>,
}

/// A call that may go into the books.
pub(super) struct Incoming {
    pub(super) call: Call,
    pub(super) said: Said,
    pub(super) brought: Brought,
}

/// A record that may not.
pub(super) struct Refused {
    pub(super) brought: Brought,
    pub(super) rejection: Rejection,
    /// The call, where only its price is missing.
    pub(super) call: Option<Box<(Call, Said)>>,
    /// Who would pay, if it is somebody whose calls the sender may bring.
    pub(super) payer: Option<UserId>,
    /// Whether it is kept as an unrated call. A manager of assigned users has no say about others.
    pub(super) is_kept: bool,
}

/// Checks and rates a batch. `scope` says whose calls the sender may bring.
pub(crate) async fn rate(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<Brought>>,
) -> Result<Rated> {
    let ids: Vec<&str> = batch.iter().map(|brought| brought.call.record.call_id.as_str()).collect();
    let authorized = live::store::under_way(&context.db, &ids).await?;
    rate_authorized(context, scope, batch, &authorized).await
}

/// Checks and rates a batch, of which some calls are `authorized`, by the switch's ids.
pub(crate) async fn rate_authorized(
    context: &Context,
    scope: Scope,
    batch: Vec<Numbered<Brought>>,
    authorized: &HashMap<String, ActiveCall>,
) -> Result<Rated> {
    let snapshot = context.catalog.load_full();
    let mut records = Vec::with_capacity(batch.len());
    let mut malformed = Vec::new();
    let mut places = Places::new(&snapshot.points, &snapshot.providers);
    let without = batch.iter().map(|brought| &brought.call.record);
    let without = without.filter(|record| !authorized.contains_key(&record.call_id));
    places.find_callers(context, without).await?;
    let now = clock::now();
    for Numbered { position, call: brought } in batch {
        let authorized = authorized.get(&brought.record.call_id);
        let latest = brought.first_seen.unwrap_or(now) + live::CLOCK_SKEW;
        match checked(&brought, authorized, &mut places, latest) {
            Ok(record) => records.push(Numbered { position, call: (record, brought) }),
            Err(rejection) => {
                let from = Payer::of(&brought.record, &mut places);
                malformed.push(Numbered { position, call: (brought, rejection, from) });
            }
        }
    }
    let payers = malformed.iter().map(|malformed| &malformed.call.2);
    let parties = Parties::of(context, &snapshot, scope, &records, payers, authorized).await?;
    let mut rated = Rated { notes: places.notes().collect(), ..Rated::default() };
    for Numbered { position, call: (brought, rejection, payer) } in malformed {
        let call = refused(brought, rejection, &parties, &payer);
        rated.rejected.push(Numbered { position, call });
    }
    let mut calls = Vec::with_capacity(records.len());
    let mut tariffs = HashSet::new();
    for Numbered { position, call: (record, brought) } in records {
        let authorized = authorized.get(&brought.record.call_id);
        match Sided::of(record, &parties, authorized, brought.payer) {
            Ok(call) => {
                for party in call.parties() {
                    if let Pricing::Tariffs(of_party) = party.pricing {
                        tariffs.insert(of_party);
                    }
                }
                calls.push(Numbered { position, call: (call, brought) });
            }
            Err((rejection, payer)) => {
                let call = refused(brought, rejection, &parties, &payer);
                rated.rejected.push(Numbered { position, call });
            }
        }
    }
    let decks = Rater::load(&context.db, &context.decks, &snapshot, tariffs).await?;
    for Numbered { position, call: (call, brought) } in calls {
        let said = call.said;
        match call.price(&decks, &snapshot, &parties) {
            Ok(call) => {
                rated.calls.push(Numbered { position, call: Incoming { call, said, brought } });
            }
            Err((call, rejection)) => {
                let payer = Some(call.originator);
                let call = Some(Box::new((call, said)));
                let call = Refused { brought, rejection, call, payer, is_kept: true };
                rated.rejected.push(Numbered { position, call });
            }
        }
    }
    Ok(rated)
}

/// A record that can be made a call of: readable, from and to known places, and over by `latest`.
fn checked(
    brought: &Brought,
    authorized: Option<&ActiveCall>,
    places: &mut Places<'_>,
    latest: i64,
) -> Result<Record, Rejection> {
    let mut record = record::read(&brought.record)?;
    places.settle(&mut record, authorized)?;
    // What was authorised began by our clock, of which the switch's durations know nothing.
    if authorized.is_none() && record.reported.ends_after(latest) {
        let field = "duration_ms".to_owned();
        return Err(Rejection::InvalidField { field, problem: "ends in the future" });
    }
    Ok(record)
}

/// A record that cannot be made a call of.
fn refused(
    brought: Brought,
    rejection: Rejection,
    parties: &Parties<'_>,
    payer: &Payer,
) -> Refused {
    // Who was to pay for what is brought again does not become another by a name that is given anew.
    let payer = brought.payer.or_else(|| parties.payer(payer));
    let is_kept = payer.is_some() || parties.may_bring_anybodys();
    Refused { brought, rejection, call: None, payer, is_kept }
}

/// A call of which it is known who pays and who earns.
struct Sided {
    reported: Reported,
    originator: Party,
    owners: Owners<Party>,
    terminator: Option<Party>,
    said: Said,
}

impl Sided {
    fn of(
        mut record: Record,
        parties: &Parties<'_>,
        authorized: Option<&ActiveCall>,
        payer: Option<UserId>,
    ) -> Result<Self, (Rejection, Payer)> {
        match parties.sides(&mut record, authorized) {
            Ok((originator, _)) if payer.is_some_and(|payer| payer != originator.user) => {
                Err((Rejection::UnknownOriginator(String::new()), Payer::of_record(record)))
            }
            Ok((originator, terminator)) => {
                let Record { reported, said, .. } = record;
                let owners = parties.owners(originator.user, authorized);
                Ok(Self { reported, originator, owners, terminator, said })
            }
            Err(rejection) => Err((rejection, Payer::of_record(record))),
        }
    }

    /// All of them.
    fn parties(&self) -> impl Iterator<Item = Party> {
        let owners = self.owners.each().map(|(_, party)| *party);
        std::iter::once(self.originator).chain(owners).chain(self.terminator)
    }

    /// Prices the call by the tariffs of its sides. Calls that were not answered cost
    /// nothing and need no rate. Where there is none, the call comes back without a price.
    fn price(
        self,
        rater: &Rater,
        snapshot: &Snapshot,
        parties: &Parties<'_>,
    ) -> Result<Call, (Call, Rejection)> {
        let Self { reported, originator, owners, terminator, .. } = self;
        let mut call = Call {
            id: 0,
            originator: originator.user,
            terminator: terminator.map(|party| party.user),
            prefix: String::new(),
            price: Leg::NONE,
            self_cost: Leg::NONE,
            owners: owners.map(|_, party| Box::new(Share { user: party.user, price: Leg::NONE })),
            import: None,
            reported,
        };
        if !call.is_charged() {
            return Ok(call);
        }
        let time = CallTime::new(call.reported.start_time, &snapshot.settings.time_zone);
        let leg = |party: Party, side| match party.pricing {
            Pricing::Tariffs(tariffs) => match offer(&call.reported, time, tariffs, rater) {
                Ok(offer) => leg_at(&call.reported, &offer),
                Err(why) => {
                    let of = Explanation { call: &call.reported, time, snapshot, parties, rater };
                    Err(of.rejection(why, side, party.user, tariffs))
                }
            },
            Pricing::Authorized(offer) => leg_at(&call.reported, &offer),
        };
        let mut sides = Vec::with_capacity(Side::ALL.len());
        sides.push((Side::Originator, leg(originator, Side::Originator)));
        sides.extend(owners.each().map(|(side, party)| (side, leg(*party, side))));
        sides.extend(terminator.map(|party| (Side::Terminator, leg(party, Side::Terminator))));
        let mut rejected: Option<Rejection> = None;
        for (side, leg) in sides {
            match leg {
                Ok((leg, prefix)) => {
                    if side == Side::Originator {
                        call.prefix = prefix;
                    }
                    call.set_leg(side, leg);
                }
                Err(also) => {
                    rejected = Some(match rejected {
                        Some(rejection) => unpriced::both(rejection, &also),
                        None => also,
                    });
                }
            }
        }
        match rejected {
            Some(rejection) => Err((call.unpriced(), rejection)),
            None => Ok(call),
        }
    }
}

/// The rate for one side of a call.
pub(super) fn offer(
    call: &Reported,
    time: CallTime,
    tariffs: SideTariffs,
    rater: &Rater,
) -> Result<Offer, NoOffer> {
    let offer = rater.offer(tariffs, &call.destination, time)?;
    match is_cut_short(&call.destination, offer.prefix_length) {
        true => Err(NoOffer::NoRate),
        false => Ok(offer),
    }
}

/// Whether a prefix ends within a technical prefix, `1234#37061234567`: what is before the mark routes
/// the call, and is no beginning of the number.
fn is_cut_short(number: &str, prefix_length: usize) -> bool {
    let rest = number.get(prefix_length..).unwrap_or_default();
    rest.find('#').is_some_and(|mark| mark + 1 < rest.len())
        && number.starts_with(|first: char| first.is_ascii_digit())
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
        exchange: Some(Exchange { currency: offer.currency, rate: offer.exchange_rate }),
        entry: EntryId(0),
    };
    Ok((leg, call.destination.get(..offer.prefix_length).unwrap_or_default().to_owned()))
}

/// A rated batch on its way into the books, and whence it comes.
pub(crate) struct Delivery {
    pub(super) origin: Arc<Origin>,
    pub(super) rated: Rated,
    import: Option<i64>,
}

impl Delivery {
    pub(crate) fn new(origin: Arc<Origin>, rated: Rated) -> Self {
        Self { origin, rated, import: None }
    }

    /// The same as a part of an import.
    pub(super) fn of_import(self, import: Option<i64>) -> Self {
        Self { import, ..self }
    }

    /// The import that it is a part of. What is brought again of the unrated calls is of none, though
    /// its records may be.
    pub(super) fn import(&self) -> Option<i64> {
        self.import
    }

    /// How many calls it brings.
    pub(crate) fn len(&self) -> usize {
        self.rated.calls.len() + self.rated.rejected.len()
    }

    /// The switch's ids of all calls, and of the records that have one of their own.
    pub(crate) fn call_ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.brought().flat_map(|brought| {
            [brought.record.call_id.as_str(), brought.record.record_id.as_str()]
        });
        ids.filter(|id| !id.is_empty())
    }

    /// What is brought again of the unrated calls, by their ids.
    pub(crate) fn brought_again(&self) -> impl Iterator<Item = i64> {
        self.brought().filter_map(|brought| brought.kept_as)
    }

    fn brought(&self) -> impl Iterator<Item = &Brought> {
        let fine = self.rated.calls.iter().map(|call| &call.call.brought);
        fine.chain(self.rated.rejected.iter().map(|rejected| &rejected.call.brought))
    }

    /// How many calls may go into the books.
    pub(crate) fn rated(&self) -> usize {
        self.rated.calls.len()
    }

    /// Whose balances the calls change, and on which side.
    pub(crate) fn parties(&self) -> impl Iterator<Item = (UserId, Side)> {
        let calls = self.rated.calls.iter().map(|numbered| &numbered.call.call);
        calls.flat_map(|call| call.legs().map(|(user, side, _)| (user, side)))
    }
}
