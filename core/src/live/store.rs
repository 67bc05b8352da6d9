//! Calls under way in the database.

use std::collections::HashMap;

use rust_decimal::Decimal;
use tollbook_proto::v1 as pb;

use super::{ActiveCall, FORGOTTEN};
use crate::{
    access::Scope,
    clock,
    error::{Error, Result},
    ids::{PointId, TariffId, UserId},
    money::Money,
    rating::{Offer, Terms},
    store::{Db, Query, Row, Sequence, Tx, Value},
};

const COLUMNS: &str = "SELECT a.id, a.call_id, a.source, a.destination, a.originator_id, \
                       a.origination_point_id, a.terminator_id, a.authorized_at, a.answered_at, \
                       a.expires_at, a.max_duration, a.reserved, a.termination_point_id, \
                       a.price_tariff_id, a.price_prefix_length, a.price_rate, \
                       a.price_connection_fee, a.price_increment, a.price_min_time, \
                       a.price_grace_time, a.price_exchange_rate, a.self_cost_tariff_id, \
                       a.self_cost_prefix_length, a.self_cost_rate, a.self_cost_connection_fee, \
                       a.self_cost_increment, a.self_cost_min_time, a.self_cost_grace_time, \
                       a.self_cost_exchange_rate";
/// Where the columns behind [`COLUMNS`] begin.
const NEXT_COLUMN: usize = 29;

/// How many ids a statement looks for at once.
const LOOKED_UP: usize = 1024;

/// A number that is stored as a `BIGINT` and has fewer bits.
fn small<T: TryFrom<i64>>(row: &Row, index: usize) -> Result<T> {
    let number: i64 = row.get(index)?;
    number.try_into().map_err(|_| Error::internal("a stored call has a number out of range"))
}

/// The rate of one side, from eight columns; `None` if the call was authorised without it.
fn read_offer(row: &Row, first: usize) -> Result<Option<Offer>> {
    let tariff = TariffId(row.get(first)?);
    if tariff == TariffId(0) {
        return Ok(None);
    }
    Ok(Some(Offer {
        tariff,
        prefix_length: small(row, first + 1)?,
        terms: Terms {
            rate: row.get(first + 2)?,
            connection_fee: row.get(first + 3)?,
            increment: small(row, first + 4)?,
            min_time: small(row, first + 5)?,
        },
        grace_time: small(row, first + 6)?,
        exchange_rate: row.get(first + 7)?,
    }))
}

/// The columns that [`read_offer`] reads.
fn offer_values(offer: Option<&Offer>) -> Result<[Value; 8]> {
    let Some(offer) = offer else {
        let (zero, one) = (Decimal::ZERO, Decimal::ONE);
        let [none, second] = [Value::from(0), Value::from(1)];
        return Ok([
            none.clone(),
            none.clone(),
            zero.into(),
            zero.into(),
            second,
            none.clone(),
            none,
            one.into(),
        ]);
    };
    let length = i64::try_from(offer.prefix_length)
        .map_err(|_| Error::internal("a prefix is longer than a number may be"))?;
    Ok([
        offer.tariff.into(),
        length.into(),
        offer.terms.rate.into(),
        offer.terms.connection_fee.into(),
        i64::from(offer.terms.increment).into(),
        i64::from(offer.terms.min_time).into(),
        i64::from(offer.grace_time).into(),
        offer.exchange_rate.into(),
    ])
}

fn read(row: &Row) -> Result<ActiveCall> {
    let terminator: i64 = row.get(6)?;
    Ok(ActiveCall {
        id: row.get(0)?,
        call_id: row.get(1)?,
        source: row.get(2)?,
        destination: row.get(3)?,
        originator: UserId(row.get(4)?),
        origination_point: PointId(row.get(5)?),
        terminator: (terminator != 0).then_some(UserId(terminator)),
        authorized_at: row.get(7)?,
        answered_at: row.get(8)?,
        expires_at: row.get(9)?,
        max_duration: small(row, 10)?,
        reserved: row.get(11)?,
        termination_point: PointId(row.get(12)?),
        price: read_offer(row, 13)?,
        self_cost: read_offer(row, 21)?,
    })
}

/// A call by the switch's id.
pub(super) async fn get(tx: &mut Tx, call_id: &str) -> Result<Option<ActiveCall>> {
    let query = Query::new(COLUMNS).and(" FROM active_calls a WHERE a.call_id = ").value(call_id);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// Which of some ids are those of calls under way, and what these were authorised for.
pub(crate) async fn under_way(
    tx: &mut Tx,
    call_ids: &[&str],
) -> Result<HashMap<String, ActiveCall>> {
    let mut found = HashMap::new();
    if !has_any(tx).await? {
        return Ok(found);
    }
    for ids in call_ids.chunks(LOOKED_UP) {
        let query = Query::new(COLUMNS)
            .and(" FROM active_calls a WHERE a.call_id IN ")
            .list(ids.iter().copied());
        for row in tx.fetch_all(query).await? {
            let call = read(&row)?;
            found.insert(call.call_id.clone(), call);
        }
    }
    Ok(found)
}

/// Whether any call is under way. Mostly there are none, as where a switch brings all its
/// calls at night.
async fn has_any(tx: &mut Tx) -> Result<bool> {
    Ok(tx.fetch_optional(Query::new("SELECT id FROM active_calls LIMIT 1")).await?.is_some())
}

pub(super) async fn insert(tx: &mut Tx, call: &ActiveCall) -> Result<()> {
    let id = tx.next_id(Sequence::ActiveCalls).await?;
    let mut row = vec![
        id.into(),
        call.call_id.as_str().into(),
        call.source.as_str().into(),
        call.destination.as_str().into(),
        call.originator.into(),
        call.origination_point.into(),
        call.terminator.map_or(0, |user| user.0).into(),
        call.termination_point.into(),
        call.authorized_at.into(),
        call.answered_at.into(),
        call.expires_at.into(),
        i64::from(call.max_duration).into(),
        call.reserved.into(),
    ];
    row.extend(offer_values(call.price.as_ref())?);
    row.extend(offer_values(call.self_cost.as_ref())?);
    let query = Query::new(
        "INSERT INTO active_calls (id, call_id, source, destination, originator_id, \
         origination_point_id, terminator_id, termination_point_id, authorized_at, answered_at, \
         expires_at, max_duration, reserved, price_tariff_id, price_prefix_length, price_rate, \
         price_connection_fee, price_increment, price_min_time, price_grace_time, \
         price_exchange_rate, self_cost_tariff_id, self_cost_prefix_length, self_cost_rate, \
         self_cost_connection_fee, self_cost_increment, self_cost_min_time, \
         self_cost_grace_time, self_cost_exchange_rate) VALUES ",
    )
    .rows([row]);
    tx.execute(query).await?;
    Ok(())
}

/// Gives back what is reserved for a call that will not be made as it was authorised.
pub(super) async fn delete(tx: &mut Tx, call_id: &str) -> Result<()> {
    tx.execute(Query::new("DELETE FROM active_calls WHERE call_id = $1").bind(call_id)).await?;
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, call: &ActiveCall) -> Result<()> {
    let query = Query::new(
        "UPDATE active_calls SET answered_at = $1, expires_at = $2, max_duration = $3, \
         reserved = $4 WHERE call_id = $5",
    )
    .bind(call.answered_at)
    .bind(call.expires_at)
    .bind(i64::from(call.max_duration))
    .bind(call.reserved)
    .bind(call.call_id.as_str());
    tx.execute(query).await?;
    Ok(())
}

/// Gives back what is reserved for calls that are now in the books.
pub(crate) async fn settle(tx: &mut Tx, call_ids: &[&str]) -> Result<()> {
    if !has_any(tx).await? {
        return Ok(());
    }
    for ids in call_ids.chunks(LOOKED_UP) {
        let query =
            Query::new("DELETE FROM active_calls WHERE call_id IN ").list(ids.iter().copied());
        tx.execute(query).await?;
    }
    Ok(())
}

/// What a user has under way.
pub(super) struct Usage {
    /// Calls that he originated.
    pub(super) originated: i64,
    /// What is reserved for them.
    pub(super) reserved: Money,
    /// Calls that go to him.
    pub(super) terminated: i64,
}

/// The calls of a user, without those that have expired and without the one that is just
/// looked at.
pub(super) async fn usage(tx: &mut Tx, user: UserId, except: &str, now: i64) -> Result<Usage> {
    let query = Query::new(
        "SELECT a.originator_id, a.reserved FROM active_calls a WHERE (a.originator_id = ",
    )
    .value(user)
    .and(" OR a.terminator_id = ")
    .value(user)
    .and(") AND a.expires_at > ")
    .value(now)
    .and(" AND a.call_id <> ")
    .value(except);
    let mut usage = Usage { originated: 0, reserved: Money::ZERO, terminated: 0 };
    for row in tx.fetch_all(query).await? {
        if row.get::<i64>(0)? == user.0 {
            usage.originated += 1;
            usage.reserved = usage.reserved.plus(row.get(1)?)?;
        } else {
            usage.terminated += 1;
        }
    }
    Ok(usage)
}

/// How many calls come from or go to a point, without those that have expired and without
/// the one that is just looked at.
pub(super) async fn usage_of_point(
    tx: &mut Tx,
    point: PointId,
    except: &str,
    now: i64,
) -> Result<i64> {
    let query = Query::new("SELECT COUNT(*) FROM active_calls a WHERE (a.origination_point_id = ")
        .value(point)
        .and(" OR a.termination_point_id = ")
        .value(point)
        .and(") AND a.expires_at > ")
        .value(now)
        .and(" AND a.call_id <> ")
        .value(except);
    let row = tx.fetch_optional(query).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// How many calls are under way, without those that have expired.
pub(crate) async fn count(db: &Db, scope: Scope) -> Result<pb::ActiveCallCount> {
    let query = Query::new("SELECT COUNT(*), COUNT(a.answered_at) FROM active_calls a");
    let query = conditions(query, scope).and(" AND a.expires_at > ").value(clock::now());
    let row = db.fetch_optional(query).await?;
    let row = row.ok_or_else(|| Error::internal("a count has no row"))?;
    Ok(pb::ActiveCallCount { total: row.get(0)?, answered_calls: row.get(1)? })
}

fn conditions(query: Query, scope: Scope) -> Query {
    let query = query.and(" JOIN users u ON u.id = a.originator_id WHERE 1 = 1");
    match scope {
        Scope::All | Scope::Customers => query,
        Scope::AssignedTo(manager) => query.and(" AND u.responsible_manager_id = ").value(manager),
        Scope::Only(user) => query
            .and(" AND (a.originator_id = ")
            .value(user)
            .and(" OR a.terminator_id = ")
            .value(user)
            .and(")"),
    }
}

/// Which calls a list shows.
pub(super) struct Filter {
    pub(super) scope: Scope,
    pub(super) originator: Option<UserId>,
    /// Only those that expired after the first time, up to the second.
    pub(super) expired: Option<(i64, i64)>,
    pub(super) after: Option<i64>,
    pub(super) limit: i64,
}

/// Calls under way with the names of their originators, oldest first.
pub(super) async fn list(db: &Db, filter: &Filter) -> Result<Vec<(ActiveCall, String)>> {
    let query = Query::new(COLUMNS).and(", u.username FROM active_calls a");
    let mut query = conditions(query, filter.scope);
    if let Some(user) = filter.originator {
        query = query.and(" AND a.originator_id = ").value(user);
    }
    if let Some((after, until)) = filter.expired {
        query = query.and(" AND a.expires_at > ").value(after);
        query = query.and(" AND a.expires_at <= ").value(until);
    }
    if let Some(after) = filter.after {
        query = query.and(" AND a.id > ").value(after);
    }
    let query = query.and(" ORDER BY a.id LIMIT ").value(filter.limit);
    let rows = db.fetch_all(query).await?;
    rows.iter().map(|row| Ok((read(row)?, row.get(NEXT_COLUMN)?))).collect()
}

/// Forgets calls that were never answered and expired a day ago.
pub(super) async fn forget(tx: &mut Tx, now: i64) -> Result<u64> {
    let query = Query::new("DELETE FROM active_calls WHERE answered_at IS NULL AND expires_at <= ")
        .value(now - FORGOTTEN);
    tx.execute(query).await
}

/// What is reserved for the calls of some users, by user.
pub(crate) async fn reserved(
    db: &Db,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, Money>> {
    let query =
        Query::new("SELECT a.originator_id, a.reserved FROM active_calls a WHERE a.expires_at > ")
            .value(clock::now())
            .and(" AND a.originator_id IN ")
            .list(users);
    let mut reserved = HashMap::new();
    for row in db.fetch_all(query).await? {
        let sum = reserved.entry(UserId(row.get(0)?)).or_insert(Money::ZERO);
        *sum = sum.plus(row.get(1)?)?;
    }
    Ok(reserved)
}
