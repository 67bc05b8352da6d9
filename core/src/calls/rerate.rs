//! Pricing stored calls again, by the tariffs of today and the exchange rates of then
//! (`docs/rules/rating.md#pricing-again`).
//!
//! What changes is reversed and charged anew: the ledger keeps both, and the balance moves
//! by the difference. A call is compared with what is stored, so that a second run finds
//! nothing to do. Cut short between two transactions, it may be started again: each leaves
//! calls, balances and sums in agreement.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use tollbook_proto::v1::{self as pb, RerateSide};

use super::{
    Call, Exchange, Leg, Side, ingest,
    intake::{self, Entries},
    parties, store,
};
use crate::{
    catalog::Snapshot,
    changes::{Change, Origin},
    clock,
    context::Context,
    enums,
    error::{Error, Result},
    ids::{CurrencyId, TariffId, UserId},
    ledger::posting::{Posted, Posting},
    money::{self, Money},
    points::SideTariffs,
    rating::{CallTime, Offer, Rater},
    resource::Resource,
    settings,
    stats::{self, Total, rollup::Rollup},
    store::{Tx, retrying},
    users::Identity,
};

/// How many calls are read and rated at once, without any lock.
const PAGE: i64 = 1_000;
/// How many calls a transaction changes: until its end nobody authorises calls of their users.
const CHUNK: usize = 100;

/// What has been done so far.
#[derive(Clone, Copy, Default)]
struct Done {
    examined: i64,
    changed: i64,
    unratable: i64,
    /// Whose own exchange rate is not known.
    at_current_rates: i64,
    price_change: Total,
    reseller_price_change: Total,
    partner_price_change: Total,
    self_cost_change: Total,
}

impl Done {
    /// Counts a call that has another price now.
    fn change(&mut self, before: &Call, after: &Call) {
        self.changed += 1;
        for ((_, side, old), (.., new)) in before.legs().zip(after.legs()) {
            let sum = match side {
                Side::Originator => &mut self.price_change,
                Side::Reseller => &mut self.reseller_price_change,
                Side::Partner => &mut self.partner_price_change,
                Side::Terminator => &mut self.self_cost_change,
            };
            *sum += Total::from(new.amount) - old.amount.into();
        }
    }
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.examined += other.examined;
        self.changed += other.changed;
        self.unratable += other.unratable;
        self.at_current_rates += other.at_current_rates;
        self.price_change += other.price_change;
        self.reseller_price_change += other.reseller_price_change;
        self.partner_price_change += other.partner_price_change;
        self.self_cost_change += other.self_cost_change;
    }
}

pub(super) async fn rerate(
    context: &Context,
    origin: &Origin,
    request: &pb::RerateCallsRequest,
) -> Result<pb::RerateCallsResponse> {
    for (field, time) in [("from", &request.from), ("till", &request.till)] {
        if time.is_none() {
            return Err(Error::invalid(field, "is required"));
        }
    }
    let zone = context.catalog.load().settings.time_zone.clone();
    let period = clock::period(request.from.as_ref(), request.till.as_ref(), &zone)?;
    let user = request.user_id.map(UserId);
    if let Some(user) = user {
        context.directory.by_id(user).await?.ok_or(Error::UserNotFound)?;
    }
    let tariff = request.tariff_id.map(TariffId);
    if let Some(tariff) = tariff {
        context.catalog.load().tariffs.by_id(tariff)?;
    }
    let sides: &[Side] = match enums::known("side", request.side)? {
        RerateSide::Unspecified => &Side::ALL,
        RerateSide::Originator => &[Side::Originator],
        RerateSide::Reseller => &[Side::Reseller],
        RerateSide::Partner => &[Side::Partner],
        RerateSide::Terminator => &[Side::Terminator],
    };
    let mut filter =
        store::Rerated { period, user, sides, after: (period.0, i64::MIN), limit: PAGE };
    let rerating = Rerating {
        context,
        origin,
        sides,
        user,
        tariff,
        current_rates: request.current_exchange_rates,
        dry_run: request.dry_run,
    };
    let mut done = Done::default();
    loop {
        let page = store::answered(&context.db, &filter).await?;
        let Some(last) = page.last() else { break };
        filter.after = (last.reported.start_time, last.id);
        done += rerating.page(page).await?;
    }
    Ok(pb::RerateCallsResponse {
        examined: done.examined,
        changed: done.changed,
        unratable: done.unratable,
        price_change: Some(money::to_proto(done.price_change.value()?)),
        self_cost_change: Some(money::to_proto(done.self_cost_change.value()?)),
        reseller_price_change: Some(money::to_proto(done.reseller_price_change.value()?)),
        partner_price_change: Some(money::to_proto(done.partner_price_change.value()?)),
        at_current_exchange_rates: done.at_current_rates,
    })
}

struct Rerating<'a> {
    context: &'a Context,
    origin: &'a Origin,
    sides: &'a [Side],
    /// Only the prices of this user.
    user: Option<UserId>,
    /// Only prices by this tariff, then or now.
    tariff: Option<TariffId>,
    /// Whether amounts are converted at the exchange rates of today.
    current_rates: bool,
    dry_run: bool,
}

impl Rerating<'_> {
    /// Rates a page again, and stores what has changed a few calls at a time.
    async fn page(&self, page: Vec<Call>) -> Result<Done> {
        let prices = Prices::load(self, &page).await?;
        let mut done = Done::default();
        let mut changed: Vec<Call> = Vec::new();
        for before in page {
            let (after, found) = prices.again(self, &before);
            done.examined += i64::from(found.concerns);
            done.unratable += i64::from(found.unratable);
            done.at_current_rates += i64::from(found.at_current_rates);
            if before != after {
                if self.dry_run {
                    done.change(&before, &after);
                }
                changed.push(before);
            }
        }
        if self.dry_run {
            return Ok(done);
        }
        // So that a transaction has few users: it locks them all.
        changed.sort_by_key(|call| (call.originator, call.terminator, call.id));
        for chunk in changed.chunks(CHUNK) {
            let begun = Instant::now();
            let ids: Vec<&str> = chunk.iter().map(|call| call.reported.call_id.as_str()).collect();
            done += retrying(|| self.chunk(&ids, &prices)).await?;
            // Half of the time the accounts, and the database, are for those who call.
            tokio::time::sleep(begun.elapsed()).await;
        }
        Ok(done)
    }

    /// Rates some calls again as they are now, which may not be as they were read, and stores
    /// what has changed. Of two at once the second one finds nothing to do.
    async fn chunk(&self, ids: &[&str], prices: &Prices) -> Result<Done> {
        let mut done = Done::default();
        let mut tx = self.context.begin_change(self.origin).await?;
        if let Some(lock) = stats::store::shared_lock(&tx) {
            tx.execute(lock).await?;
        }
        let mut repriced = Repriced::default();
        for before in store::lock(&mut tx, ids).await? {
            let (after, _) = prices.again(self, &before);
            if before != after {
                done.change(&before, &after);
                repriced.add(before, after)?;
            }
        }
        if repriced.calls.is_empty() {
            return Ok(done);
        }
        // The zone of the stored days, not of a catalog that may be behind.
        let zone = settings::store::all(&mut tx).await?.time_zone;
        let note = format!("{} calls rated again", repriced.calls.len());
        let (posted, rollup) = repriced.write(&mut tx, Rollup::new(zone)).await?;
        let change = Change::told(Resource::Calls, note);
        rollup.write(&mut tx).await?;
        tx.commit(change).await?;
        for posted in posted {
            self.context.directory.learn_posted(&posted.entry);
        }
        Ok(done)
    }
}

/// The prices of today of some calls.
struct Prices {
    snapshot: Arc<Snapshot>,
    users: HashMap<UserId, Arc<Identity>>,
    rater: Rater,
}

impl Prices {
    async fn load(rerating: &Rerating<'_>, page: &[Call]) -> Result<Self> {
        let context = rerating.context;
        let snapshot = context.catalog.load_full();
        let users: HashSet<UserId> =
            page.iter().flat_map(Call::legs).map(|(user, ..)| user).collect();
        let users = context.directory.by_ids(users).await?;
        let mut sides = HashSet::new();
        for call in page {
            let of_call = rerating.sides.iter();
            sides.extend(of_call.filter_map(|side| tariffs(call, *side, &users, &snapshot)));
        }
        let rater = Rater::load(&context.db, &context.decks, &snapshot, sides).await?;
        Ok(Self { snapshot, users, rater })
    }

    /// A call at its price of today, and what was found of its sides.
    fn again(&self, rerating: &Rerating<'_>, before: &Call) -> (Call, Found) {
        let mut after = before.clone();
        // Without a tariff all calls of the period are meant.
        let mut found = Found { concerns: rerating.tariff.is_none(), ..Found::default() };
        for side in rerating.sides {
            self.side_again(rerating, *side, &mut after, &mut found);
        }
        (after, found)
    }

    /// Prices one side of a call again.
    fn side_again(&self, rerating: &Rerating<'_>, side: Side, call: &mut Call, found: &mut Found) {
        let Some((whose, before)) = call.leg(side) else { return };
        if rerating.user.is_some_and(|user| user != whose) {
            return;
        }
        let offer = self.offer(call, side);
        let is_meant = |by| rerating.tariff.is_none_or(|tariff| tariff == by);
        if !is_meant(before.tariff) && !offer.is_some_and(|offer| is_meant(offer.tariff)) {
            return;
        }
        found.concerns = true;
        // A level that has another owner by now would pay for old calls what is agreed for new ones, and
        // the others what was agreed before.
        if call.has_moved_payer(&self.users) {
            found.unratable = true;
            return;
        }
        let offer = offer.map(|offer| match rerating.current_rates {
            true => offer,
            false => at_rate_of(before, offer, found),
        });
        let leg = offer.and_then(|offer| ingest::leg_at(&call.reported, &offer).ok());
        let Some((leg, prefix)) = leg else {
            found.unratable = true;
            return;
        };
        let leg = Leg { entry: before.entry, ..leg };
        // What was paid stays known as what it was, also where that is less than would be known now.
        let is_same = Leg { exchange: before.exchange, ..leg } == before;
        if !is_same || (side == Side::Originator && prefix != call.prefix) {
            call.set_leg(side, leg);
        }
        if side == Side::Originator {
            call.prefix = prefix;
        }
    }

    /// The rate of today for a side; `None` if there is none. A deleted user keeps their books as they
    /// are.
    fn offer(&self, call: &Call, side: Side) -> Option<Offer> {
        let tariffs = tariffs(call, side, &self.users, &self.snapshot)?;
        let time = CallTime::new(call.reported.start_time, &self.snapshot.settings.time_zone);
        ingest::offer(&call.reported, time, tariffs, &self.rater).ok()
    }
}

/// What was found of the sides of a call.
#[derive(Default)]
struct Found {
    /// Whether it is one of those that are meant.
    concerns: bool,
    unratable: bool,
    at_current_rates: bool,
}

/// A rate of today at the exchange rate that a side was rated at. Where that is not known, at the one
/// of today.
fn at_rate_of(before: Leg, offer: Offer, found: &mut Found) -> Offer {
    match before.exchange {
        Some(Exchange { currency, rate }) if currency == offer.currency => {
            Offer { exchange_rate: rate, ..offer }
        }
        _ => {
            // The default currency has no other rate than 1.
            found.at_current_rates |= offer.currency != CurrencyId::DEFAULT;
            offer
        }
    }
}

/// By which tariffs a side is priced today; none: there is no such user any more.
fn tariffs(
    call: &Call,
    side: Side,
    users: &HashMap<UserId, Arc<Identity>>,
    snapshot: &Snapshot,
) -> Option<SideTariffs> {
    let user = users.get(&call.leg(side)?.0)?;
    Some(parties::tariffs_today(call, side, user, &snapshot.points))
}

/// What a batch changes.
#[derive(Default)]
struct Repriced {
    calls: Vec<(Call, Call)>,
    /// What is taken back and what is charged instead, as amounts of the calls.
    sums: BTreeMap<(UserId, Side), (Money, Money)>,
}

impl Repriced {
    fn add(&mut self, before: Call, after: Call) -> Result<()> {
        for ((user, side, old), (.., new)) in before.legs().zip(after.legs()) {
            if old.amount == new.amount {
                continue;
            }
            let zero = (Money::ZERO, Money::ZERO);
            let (taken_back, charged) = self.sums.entry((user, side)).or_insert(zero);
            *taken_back = taken_back.plus(old.amount)?;
            *charged = charged.plus(new.amount)?;
        }
        self.calls.push((before, after));
        Ok(())
    }

    /// Posts the differences and stores the calls. What the sums change by comes back: they
    /// come last, as others wait for their rows.
    async fn write(self, tx: &mut Tx, mut rollup: Rollup) -> Result<(Vec<Posted>, Rollup)> {
        let posted = intake::post(tx, &postings(&self.sums)).await?;
        let entries = Entries::of(posted.iter().map(|posted| &posted.entry));
        let mut calls = Vec::with_capacity(self.calls.len());
        for (before, mut after) in self.calls {
            for (user, side, old) in before.legs() {
                if let Some((_, new)) = after.leg(side).filter(|(_, new)| new.amount != old.amount)
                {
                    after.set_leg(side, Leg { entry: entries.get(user, side), ..new });
                }
            }
            rollup.change(&before, &after);
            calls.push(after);
        }
        store::reprice(tx, &calls).await?;
        Ok((posted, rollup))
    }
}

/// What takes the old amounts back, and what charges the new ones.
fn postings(sums: &BTreeMap<(UserId, Side), (Money, Money)>) -> Vec<Posting> {
    let mut postings = Vec::new();
    for ((user, side), (taken_back, charged)) in sums {
        let (taken_back, charged) = (side.change(*taken_back).negated(), side.change(*charged));
        for (kind, amount) in [(side.reversed(), taken_back), (side.charged(), charged)] {
            if amount != Money::ZERO {
                postings.push(intake::posting(*user, kind, amount, "rated again".to_owned()));
            }
        }
    }
    postings
}
