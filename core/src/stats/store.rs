//! Sums of calls in the database.

use std::collections::{BTreeMap, HashMap};

use super::{
    Sums, Total,
    rollup::{Party, Rollup, Route},
};
use crate::{
    access::Scope,
    calls::Side,
    error::{Error, Result},
    ids::{PointId, UserId},
    money::Money,
    store::{Db, Insert, Query, Row, TableLock, Tx, Value},
};

macro_rules! sum_columns {
    ($($key:literal),*) => {
        &[
            $($key,)*
            "calls",
            "answered_calls",
            "duration",
            "billsec",
            "originator_billed",
            "terminator_billed",
            "price_millionths",
            "price_rest",
            "self_cost_millionths",
            "self_cost_rest",
            "reseller_margin_millionths",
            "reseller_margin_rest",
            "partner_margin_millionths",
            "partner_margin_rest",
        ]
    };
}

macro_rules! add_to {
    ($table:literal, $key:literal) => {
        concat!(
            " ON CONFLICT (",
            $key,
            ") DO UPDATE SET calls = ",
            $table,
            ".calls + excluded.calls, answered_calls = ",
            $table,
            ".answered_calls + excluded.answered_calls, duration = ",
            $table,
            ".duration + excluded.duration, billsec = ",
            $table,
            ".billsec + excluded.billsec, originator_billed = ",
            $table,
            ".originator_billed + excluded.originator_billed, terminator_billed = ",
            $table,
            ".terminator_billed + excluded.terminator_billed, price_millionths = ",
            $table,
            ".price_millionths + excluded.price_millionths, price_rest = ",
            $table,
            ".price_rest + excluded.price_rest, self_cost_millionths = ",
            $table,
            ".self_cost_millionths + excluded.self_cost_millionths, self_cost_rest = ",
            $table,
            ".self_cost_rest + excluded.self_cost_rest, reseller_margin_millionths = ",
            $table,
            ".reseller_margin_millionths + excluded.reseller_margin_millionths, reseller_margin_rest = ",
            $table,
            ".reseller_margin_rest + excluded.reseller_margin_rest, partner_margin_millionths = ",
            $table,
            ".partner_margin_millionths + excluded.partner_margin_millionths, partner_margin_rest = ",
            $table,
            ".partner_margin_rest + excluded.partner_margin_rest"
        )
    };
}

/// The columns of sums, added up, in the order in which [`read_sums`] wants them. Without a
/// type the databases would choose one that is not an integer of ours.
pub(super) const SUMMED: &str = "CAST(COALESCE(SUM(t.calls), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.answered_calls), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.duration), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.billsec), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.originator_billed), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.terminator_billed), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.price_millionths), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.price_rest), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.self_cost_millionths), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.self_cost_rest), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.reseller_margin_millionths), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.reseller_margin_rest), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.partner_margin_millionths), 0) AS BIGINT), \
     CAST(COALESCE(SUM(t.partner_margin_rest), 0) AS BIGINT)";

/// The sums that begin at a column.
pub(super) fn read_sums(row: &Row, first: usize) -> Result<Sums> {
    let total = |column: usize| {
        Ok::<_, Error>(Total::from_columns(row.get(first + column)?, row.get(first + column + 1)?))
    };
    Ok(Sums {
        calls: row.get(first)?,
        answered_calls: row.get(first + 1)?,
        duration: row.get(first + 2)?,
        billsec: row.get(first + 3)?,
        originator_billed: row.get(first + 4)?,
        terminator_billed: row.get(first + 5)?,
        price: total(6)?,
        self_cost: total(8)?,
        reseller_margin: total(10)?,
        partner_margin: total(12)?,
    })
}

/// A row of sums behind its key.
fn row(mut key: Vec<Value>, sums: &Sums) -> Result<Vec<Value>> {
    key.extend([
        sums.calls.into(),
        sums.answered_calls.into(),
        sums.duration.into(),
        sums.billsec.into(),
        sums.originator_billed.into(),
        sums.terminator_billed.into(),
    ]);
    for total in [sums.price, sums.self_cost, sums.reseller_margin, sums.partner_margin] {
        let (millionths, rest) = total.to_columns()?;
        key.extend([millionths.into(), rest.into()]);
    }
    Ok(key)
}

fn party_columns(party: Party) -> (&'static str, UserId) {
    match party {
        Party::All => ("all", UserId(0)),
        Party::Side(side, user) => (side.name(), user),
    }
}

fn route_values(start: i64, route: &Route) -> Vec<Value> {
    vec![
        start.into(),
        route.originator.into(),
        route.origination_point.into(),
        route.terminator.into(),
        route.termination_point.into(),
    ]
}

/// Begins to add to the sums, beside others who do. Whoever counts the sums anew, by the days
/// of another time zone, is waited for: the time zone is read behind this lock.
pub(crate) fn shared_lock(tx: &Tx) -> Option<Query> {
    tx.table_lock("traffic_days", TableLock::Shared)
}

/// Keeps everybody else from adding to the sums. They may still be read.
pub(super) async fn lock_alone(tx: &mut Tx) -> Result<()> {
    match tx.table_lock("traffic_days", TableLock::Alone) {
        Some(lock) => tx.execute(lock).await.map(drop),
        None => Ok(()),
    }
}

/// Adds a rollup to the sums there are.
pub(super) async fn add(tx: &mut Tx, rollup: Rollup) -> Result<()> {
    let changed = |sums: &Sums| *sums != Sums::default();
    let hours = rollup.by_hour.iter().filter(|(_, sums)| changed(sums));
    let hours = hours.map(|((hour, route), sums)| row(route_values(*hour, route), sums));
    let destinations = rollup.by_destination.iter().filter(|(_, sums)| changed(sums));
    let destinations = destinations.map(|((day, route, prefix), sums)| {
        let mut key = route_values(*day, route);
        key.push(prefix.as_str().into());
        row(key, sums)
    });
    // The sums of all calls come last: other cores wait for their row.
    let days = rollup.by_day.iter().rev().filter(|(_, sums)| changed(sums));
    let days = days.map(|((party, day), sums)| {
        let (side, user) = party_columns(*party);
        row(vec![side.into(), user.into(), (*day).into()], sums)
    });
    tx.queue(Insert {
        table: "traffic_hours",
        columns: sum_columns!(
            "hour",
            "originator_id",
            "origination_point_id",
            "terminator_id",
            "termination_point_id"
        ),
        rows: hours.collect::<Result<_>>()?,
        on_conflict: add_to!(
            "traffic_hours",
            "hour, originator_id, origination_point_id, terminator_id, termination_point_id"
        ),
    })
    .await?;
    tx.queue(Insert {
        table: "traffic_destinations",
        columns: sum_columns!(
            "day",
            "originator_id",
            "origination_point_id",
            "terminator_id",
            "termination_point_id",
            "prefix"
        ),
        rows: destinations.collect::<Result<_>>()?,
        on_conflict: "",
    })
    .await?;
    tx.queue(Insert {
        table: "traffic_days",
        columns: sum_columns!("side", "user_id", "day"),
        rows: days.collect::<Result<_>>()?,
        on_conflict: add_to!("traffic_days", "side, user_id, day"),
    })
    .await
}

/// Forgets all sums.
pub(super) async fn clear(tx: &mut Tx) -> Result<()> {
    tx.execute(Query::new("DELETE FROM traffic_days")).await?;
    tx.execute(Query::new("DELETE FROM traffic_hours")).await?;
    tx.execute(Query::new("DELETE FROM traffic_destinations")).await?;
    Ok(())
}

/// The sums of the days from one on.
pub(crate) async fn days(db: &Db, party: Party, from: i64) -> Result<Vec<(i64, Sums)>> {
    let (side, user) = party_columns(party);
    let query = Query::new("SELECT t.day, ")
        .and(SUMMED)
        .and(" FROM traffic_days t WHERE t.side = ")
        .value(side)
        .and(" AND t.user_id = ")
        .value(user)
        .and(" AND t.day >= ")
        .value(from)
        .and(" GROUP BY t.day");
    read_days(&db.fetch_all(query).await?)
}

/// The sums of the days from one on, of the calls that the users of a scope originated.
pub(super) async fn days_of_scope(db: &Db, scope: Scope, from: i64) -> Result<Vec<(i64, Sums)>> {
    let query = Query::new("SELECT t.day, ")
        .and(SUMMED)
        .and(
            " FROM traffic_days t JOIN users u ON u.id = t.user_id \
             WHERE t.side = 'originator' AND t.day >= ",
        )
        .value(from);
    let query = scope.condition(query, "u").and(" GROUP BY t.day");
    read_days(&db.fetch_all(query).await?)
}

fn read_days(rows: &[Row]) -> Result<Vec<(i64, Sums)>> {
    rows.iter().map(|row| Ok((row.get(0)?, read_sums(row, 1)?))).collect()
}

/// What users spent as originators since a day began, inside a transaction; those are left out
/// who had no calls.
pub(crate) async fn spent_since(
    tx: &mut Tx,
    users: &[UserId],
    day: i64,
) -> Result<HashMap<UserId, Money>> {
    let query = Query::new("SELECT t.user_id, ")
        .and(SUMMED)
        .and(" FROM traffic_days t WHERE t.side = 'originator' AND t.user_id IN ")
        .list(users.iter().copied())
        .and(" AND t.day >= ")
        .value(day)
        .and(" GROUP BY t.user_id");
    let rows = tx.fetch_all(query).await?;
    rows.iter()
        .map(|row| {
            let spent = read_sums(row, 1)?.price.value()?;
            Ok((UserId(row.get(0)?), Money::rounded(spent)?))
        })
        .collect()
}

/// All sums of days, for the audit.
pub(crate) async fn all_days(tx: &mut Tx) -> Result<BTreeMap<(Party, i64), Sums>> {
    let query = Query::new("SELECT t.side, t.user_id, t.day, ")
        .and(SUMMED)
        .and(" FROM traffic_days t GROUP BY t.side, t.user_id, t.day");
    tx.fetch_all(query)
        .await?
        .iter()
        .map(|row| {
            let user = UserId(row.get(1)?);
            let side = row.get::<String>(0)?;
            let party = match (side.as_str(), Side::from_name(&side)) {
                ("all", _) => Party::All,
                (_, Some(side)) => Party::Side(side, user),
                (_, None) => return Err(Error::internal("stored sums have an unknown side")),
            };
            Ok(((party, row.get(2)?), read_sums(row, 3)?))
        })
        .collect()
}

/// All sums of hours, for the audit.
pub(crate) async fn all_hours(tx: &mut Tx) -> Result<BTreeMap<(i64, Route), Sums>> {
    let query = Query::new(
        "SELECT t.hour, t.originator_id, t.origination_point_id, t.terminator_id, \
         t.termination_point_id, ",
    )
    .and(SUMMED)
    .and(
        " FROM traffic_hours t GROUP BY t.hour, t.originator_id, t.origination_point_id, \
         t.terminator_id, t.termination_point_id",
    );
    tx.fetch_all(query)
        .await?
        .iter()
        .map(|row| {
            let route = Route {
                originator: UserId(row.get(1)?),
                origination_point: PointId(row.get(2)?),
                terminator: UserId(row.get(3)?),
                termination_point: PointId(row.get(4)?),
            };
            Ok(((row.get(0)?, route), read_sums(row, 5)?))
        })
        .collect()
}

/// The sums of all destinations per day, for the audit.
pub(crate) async fn destinations_by_day(tx: &mut Tx) -> Result<BTreeMap<i64, Sums>> {
    let query =
        Query::new("SELECT t.day, ").and(SUMMED).and(" FROM traffic_destinations t GROUP BY t.day");
    Ok(read_days(&tx.fetch_all(query).await?)?.into_iter().collect())
}
