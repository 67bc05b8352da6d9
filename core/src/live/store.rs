//! Calls under way in the database.

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

use super::{ActiveCall, FORGOTTEN};
use crate::{
    access::Scope,
    clock,
    error::{Error, Result},
    ids::{PointId, UserId},
    money::Money,
    store::{Db, Query, Row, Sequence, Tx},
};

const COLUMNS: &str = "SELECT a.id, a.call_id, a.source, a.destination, a.originator_id, \
                       a.origination_point_id, a.terminator_id, a.authorized_at, a.answered_at, \
                       a.expires_at, a.max_duration, a.reserved, a.termination_point_id";

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
        max_duration: u32::try_from(row.get::<i64>(10)?)
            .map_err(|_| Error::internal("a stored call has a duration out of range"))?,
        reserved: row.get(11)?,
        termination_point: PointId(row.get(12)?),
    })
}

/// A call by the switch's id.
pub(super) async fn get(tx: &mut Tx, call_id: &str) -> Result<Option<ActiveCall>> {
    let query = Query::new(COLUMNS).and(" FROM active_calls a WHERE a.call_id = ").value(call_id);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(super) async fn insert(tx: &mut Tx, call: &ActiveCall) -> Result<()> {
    let id = tx.next_id(Sequence::ActiveCalls).await?;
    let query = Query::new(
        "INSERT INTO active_calls (id, call_id, source, destination, originator_id, \
         origination_point_id, terminator_id, termination_point_id, authorized_at, answered_at, \
         expires_at, max_duration, reserved) VALUES ",
    )
    .rows([vec![
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
    ]]);
    tx.execute(query).await?;
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
    // Mostly there are none, as where a switch brings all its calls at night.
    let any = tx.fetch_optional(Query::new("SELECT id FROM active_calls LIMIT 1")).await?;
    if any.is_none() {
        return Ok(());
    }
    for ids in call_ids.chunks(1024) {
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
    rows.iter().map(|row| Ok((read(row)?, row.get(13)?))).collect()
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
