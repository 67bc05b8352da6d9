//! Calls under way in the database.

use std::collections::HashMap;

use rust_decimal::Decimal;
use tollbook_proto::v1 as pb;

use super::{ActiveCall, FORGOTTEN, Hold};
use crate::{
    access::Scope,
    calls::Owners,
    clock,
    error::{Error, Result},
    ids::{CurrencyId, PointId, TariffId, UserId},
    money::Money,
    rating::{Offer, Terms, stored_steps},
    store::{Db, Insert, Query, Row, Tx, Value},
};

const COLUMNS: &str = "SELECT a.id, a.call_id, a.source, a.destination, a.originator_id, \
                       a.origination_point_id, a.terminator_id, a.authorized_at, a.answered_at, \
                       a.expires_at, a.max_duration, a.reserved, a.termination_point_id, \
                       a.price_tariff_id, a.price_prefix_length, a.price_rate, \
                       a.price_connection_fee, a.price_increment, a.price_min_time, \
                       a.price_grace_time, a.price_exchange_rate, a.price_steps, a.price_currency_id, \
                       a.self_cost_tariff_id, a.self_cost_prefix_length, a.self_cost_rate, a.self_cost_connection_fee, \
                       a.self_cost_increment, a.self_cost_min_time, a.self_cost_grace_time, \
                       a.self_cost_exchange_rate, a.self_cost_steps, a.self_cost_currency_id, \
                       a.reseller_id, a.reseller_reserved, a.reseller_tariff_id, a.reseller_prefix_length, \
                       a.reseller_rate, a.reseller_connection_fee, a.reseller_increment, a.reseller_min_time, \
                       a.reseller_grace_time, a.reseller_exchange_rate, a.reseller_steps, a.reseller_currency_id, \
                       a.partner_id, a.partner_reserved, a.partner_tariff_id, a.partner_prefix_length, \
                       a.partner_rate, a.partner_connection_fee, a.partner_increment, a.partner_min_time, \
                       a.partner_grace_time, a.partner_exchange_rate, a.partner_steps, a.partner_currency_id";
/// Where the columns behind [`COLUMNS`] begin.
const NEXT_COLUMN: usize = 57;

/// A number that is stored as a `BIGINT` and has fewer bits.
fn small<T: TryFrom<i64>>(row: &Row, index: usize) -> Result<T> {
    let number: i64 = row.get(index)?;
    number.try_into().map_err(|_| Error::internal("a stored call has a number out of range"))
}

/// The rate of one side, from ten columns; `None` if the call was authorised without it.
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
            steps: stored_steps(row.get(first + 8)?)?,
        },
        grace_time: small(row, first + 6)?,
        currency: CurrencyId(row.get(first + 9)?),
        exchange_rate: row.get(first + 7)?,
    }))
}

/// The columns that [`read_offer`] reads.
fn offer_values(offer: Option<&Offer>) -> Result<[Value; 10]> {
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
            none.clone(),
            one.into(),
            none.clone(),
            none,
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
        offer.terms.steps.number().into(),
        offer.currency.into(),
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
        self_cost: read_offer(row, 23)?,
        owners: Owners { reseller: read_hold(row, 33)?, partner: read_hold(row, 45)? },
    })
}

/// What somebody above the originator pays, from twelve columns.
fn read_hold(row: &Row, first: usize) -> Result<Option<Hold>> {
    let Some(user) = row.get::<Option<i64>>(first)? else { return Ok(None) };
    let price = read_offer(row, first + 2)?;
    let price =
        price.ok_or_else(|| Error::internal("a stored call has an owner without a rate"))?;
    Ok(Some(Hold { user: UserId(user), reserved: row.get(first + 1)?, price }))
}

/// The columns that [`read_hold`] reads.
fn hold_values(hold: Option<&Hold>) -> Result<Vec<Value>> {
    let Some(Hold { user, reserved, price }) = hold else {
        const INT: Value = Value::Int(None);
        const DECIMAL: Value = Value::Decimal(None);
        return Ok(vec![
            INT, DECIMAL, INT, INT, DECIMAL, DECIMAL, INT, INT, INT, DECIMAL, INT, INT,
        ]);
    };
    let mut values = vec![(*user).into(), (*reserved).into()];
    values.extend(offer_values(Some(price))?);
    Ok(values)
}

/// A call by the switch's id.
pub(super) async fn find(db: &Db, call_id: &str) -> Result<Option<ActiveCall>> {
    db.fetch_optional(asking([call_id])).await?.as_ref().map(read).transpose()
}

/// Which of some ids are those of calls under way, and what these were authorised for.
pub(crate) async fn under_way(db: &Db, call_ids: &[&str]) -> Result<HashMap<String, ActiveCall>> {
    read_calls(&db.fetch_all(asking(call_ids.iter().copied())).await?)
}

/// Asks for calls by the switch's ids.
pub(crate) fn asking<'a>(call_ids: impl IntoIterator<Item = &'a str>) -> Query {
    Query::new(COLUMNS).and(" FROM active_calls a WHERE a.call_id IN ").list(call_ids)
}

/// What [`asking`] found, by the switch's ids.
pub(crate) fn read_calls(rows: &[Row]) -> Result<HashMap<String, ActiveCall>> {
    let calls = rows.iter().map(|row| read(row).map(|call| (call.call_id.clone(), call)));
    calls.collect()
}

/// The columns of a new call.
const INSERTED: &[&str] = &[
    "id",
    "call_id",
    "source",
    "destination",
    "originator_id",
    "origination_point_id",
    "terminator_id",
    "termination_point_id",
    "authorized_at",
    "answered_at",
    "expires_at",
    "max_duration",
    "reserved",
    "price_tariff_id",
    "price_prefix_length",
    "price_rate",
    "price_connection_fee",
    "price_increment",
    "price_min_time",
    "price_grace_time",
    "price_exchange_rate",
    "price_steps",
    "price_currency_id",
    "self_cost_tariff_id",
    "self_cost_prefix_length",
    "self_cost_rate",
    "self_cost_connection_fee",
    "self_cost_increment",
    "self_cost_min_time",
    "self_cost_grace_time",
    "self_cost_exchange_rate",
    "self_cost_steps",
    "self_cost_currency_id",
    "reseller_id",
    "reseller_reserved",
    "reseller_tariff_id",
    "reseller_prefix_length",
    "reseller_rate",
    "reseller_connection_fee",
    "reseller_increment",
    "reseller_min_time",
    "reseller_grace_time",
    "reseller_exchange_rate",
    "reseller_steps",
    "reseller_currency_id",
    "partner_id",
    "partner_reserved",
    "partner_tariff_id",
    "partner_prefix_length",
    "partner_rate",
    "partner_connection_fee",
    "partner_increment",
    "partner_min_time",
    "partner_grace_time",
    "partner_exchange_rate",
    "partner_steps",
    "partner_currency_id",
];

/// Stores new calls, under their ids.
pub(super) async fn insert(
    tx: &mut Tx,
    calls: impl IntoIterator<Item = (i64, &ActiveCall)>,
) -> Result<()> {
    let rows = calls.into_iter().map(|(id, call)| {
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
        row.extend(hold_values(call.owners.reseller.as_ref())?);
        row.extend(hold_values(call.owners.partner.as_ref())?);
        Ok(row)
    });
    let rows = rows.collect::<Result<_>>()?;
    tx.queue(Insert { table: "active_calls", columns: INSERTED, rows, on_conflict: "" }).await
}

/// Gives back what is reserved for calls that are over, or will not be made as authorised.
pub(super) async fn delete(tx: &mut Tx, call_ids: &[&str]) -> Result<()> {
    let query = Query::new("DELETE FROM active_calls WHERE call_id IN ");
    tx.queue(query.list(call_ids.iter().copied())).await
}

/// Stores what changes of calls while they are under way.
pub(super) async fn update(tx: &mut Tx, calls: &[&ActiveCall]) -> Result<()> {
    let rows = calls.iter().map(|call| {
        vec![
            Value::from(call.call_id.as_str()),
            call.answered_at.into(),
            call.expires_at.into(),
            i64::from(call.max_duration).into(),
            call.reserved.into(),
            call.owners.reseller.map(|hold| hold.reserved).into(),
            call.owners.partner.map(|hold| hold.reserved).into(),
        ]
    });
    let query = Query::new(
        "UPDATE active_calls SET answered_at = changed.column2, expires_at = changed.column3, \
         max_duration = changed.column4, reserved = changed.column5, \
         reseller_reserved = changed.column6, partner_reserved = changed.column7 FROM (VALUES ",
    )
    .set_of_rows(rows)
    .and(") AS changed WHERE active_calls.call_id = changed.column1");
    tx.queue(query).await
}

/// Asks what is reserved for each call of some originators that has not expired, and of the money of
/// some owners.
pub(super) fn asking_for_reserved(users: &[UserId], owners: &[UserId], now: i64) -> Query {
    let query = Query::new(
        "SELECT a.originator_id, a.reserved FROM active_calls a WHERE a.originator_id IN ",
    );
    let query = query.list(users.iter().copied()).and(" AND a.expires_at > ").value(now);
    if owners.is_empty() {
        return query;
    }
    query
        .and(
            " UNION ALL SELECT a.reseller_id, a.reseller_reserved FROM active_calls a \
             WHERE a.reseller_id IN ",
        )
        .list(owners.iter().copied())
        .and(" AND a.expires_at > ")
        .value(now)
        .and(
            " UNION ALL SELECT a.partner_id, a.partner_reserved FROM active_calls a \
             WHERE a.partner_id IN ",
        )
        .list(owners.iter().copied())
        .and(" AND a.expires_at > ")
        .value(now)
}

/// Asks how many calls that have not expired go to some users.
pub(super) fn asking_for_terminated(users: &[UserId], now: i64) -> Query {
    Query::new("SELECT a.terminator_id, COUNT(*) FROM active_calls a WHERE a.terminator_id IN ")
        .list(users.iter().copied())
        .and(" AND a.expires_at > ")
        .value(now)
        .and(" GROUP BY a.terminator_id")
}

/// Asks how many calls that have not expired come from, and go to, some points.
pub(super) fn asking_for_points(points: &[PointId], now: i64) -> Query {
    Query::new(
        "SELECT a.origination_point_id, COUNT(*) FROM active_calls a \
         WHERE a.origination_point_id IN ",
    )
    .list(points.iter().copied())
    .and(" AND a.expires_at > ")
    .value(now)
    .and(
        " GROUP BY a.origination_point_id UNION ALL \
         SELECT a.termination_point_id, COUNT(*) FROM active_calls a \
         WHERE a.termination_point_id IN ",
    )
    .list(points.iter().copied())
    .and(" AND a.expires_at > ")
    .value(now)
    .and(" GROUP BY a.termination_point_id")
}

/// How many calls that have not expired come from, and go to, some points.
pub(crate) async fn under_way_at(
    db: &Db,
    points: &[PointId],
    now: i64,
) -> Result<HashMap<PointId, i64>> {
    let mut calls = HashMap::new();
    for row in db.fetch_all(asking_for_points(points, now)).await? {
        *calls.entry(PointId(row.get(0)?)).or_default() += row.get::<i64>(1)?;
    }
    Ok(calls)
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
    match scope.only() {
        // A customer sees those that go to him, too.
        Some(user) => query
            .and(" AND (a.originator_id = ")
            .value(user)
            .and(" OR a.terminator_id = ")
            .value(user)
            .and(")"),
        None if scope.is_staff_wide() => query,
        None => scope.condition(query, "u"),
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

/// What is reserved of the money of some users, by user.
pub(crate) async fn reserved(
    db: &Db,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, Money>> {
    add_up(&db.fetch_all(asking_for_sums(users)).await?)
}

/// What is reserved of the money of a user, inside a transaction.
pub(crate) async fn reserved_of(tx: &mut Tx, user: UserId) -> Result<Money> {
    let reserved = add_up(&tx.fetch_all(asking_for_sums([user])).await?)?;
    Ok(reserved.get(&user).copied().unwrap_or(Money::ZERO))
}

fn asking_for_sums(users: impl IntoIterator<Item = UserId>) -> Query {
    let users: Vec<UserId> = users.into_iter().collect();
    asking_for_reserved(&users, &users, clock::now())
}

fn add_up(rows: &[Row]) -> Result<HashMap<UserId, Money>> {
    let mut reserved = HashMap::new();
    for row in rows {
        let sum = reserved.entry(UserId(row.get(0)?)).or_insert(Money::ZERO);
        *sum = sum.plus(row.get(1)?)?;
    }
    Ok(reserved)
}
