//! Warnings in the database.

use super::{ATTEMPTS, Recipient, Warning};
use crate::{
    access::Scope,
    error::{Error, Result},
    ids::UserId,
    store::{Db, Query, Row, Sequence, Tx},
};

const COLUMNS: &str = "SELECT w.id, w.user_id, u.username, w.recipient, w.address, w.balance, \
                       w.threshold, w.rose_above, w.created_at, w.sent_at, w.attempts, \
                       w.next_attempt_at, w.problem \
                       FROM balance_warnings w JOIN users u ON u.id = w.user_id";

fn read(row: &Row) -> Result<Warning> {
    let recipient: String = row.get(3)?;
    Ok(Warning {
        id: row.get(0)?,
        user: UserId(row.get(1)?),
        username: row.get(2)?,
        recipient: Recipient::from_name(&recipient)
            .ok_or_else(|| Error::internal("a stored warning has an unknown recipient"))?,
        address: row.get(4)?,
        balance: row.get(5)?,
        threshold: row.get(6)?,
        above: row.get(7)?,
        created_at: row.get(8)?,
        sent_at: row.get(9)?,
        attempts: row.get(10)?,
        next_attempt_at: row.get(11)?,
        problem: row.get(12)?,
    })
}

pub(super) async fn insert(tx: &mut Tx, warning: &Warning) -> Result<()> {
    let id = tx.next_id(Sequence::BalanceWarnings).await?;
    let query = Query::new(
        "INSERT INTO balance_warnings (id, user_id, recipient, address, balance, threshold, \
         rose_above, created_at, attempts, next_attempt_at, problem) VALUES ",
    )
    .rows([vec![
        id.into(),
        warning.user.into(),
        warning.recipient.name().into(),
        warning.address.as_str().into(),
        warning.balance.into(),
        warning.threshold.into(),
        warning.above.into(),
        warning.created_at.into(),
        warning.attempts.into(),
        warning.next_attempt_at.into(),
        warning.problem.as_str().into(),
    ]]);
    tx.execute(query).await?;
    Ok(())
}

/// When a recipient was last warned of a user.
pub(super) async fn last(tx: &mut Tx, user: UserId, recipient: Recipient) -> Result<Option<i64>> {
    let query = Query::new("SELECT created_at FROM balance_warnings WHERE user_id = ")
        .value(user)
        .and(" AND recipient = ")
        .value(recipient.name())
        .and(" ORDER BY id DESC LIMIT 1");
    tx.fetch_optional(query).await?.map(|row| row.get(0)).transpose()
}

/// Warnings to be sent now, the oldest first.
pub(super) async fn pending(db: &Db, now: i64) -> Result<Vec<Warning>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE w.sent_at IS NULL AND w.attempts < ")
        .value(ATTEMPTS)
        .and(" AND w.next_attempt_at <= ")
        .value(now)
        .and(" ORDER BY w.id LIMIT 100");
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// Makes a change of its own. Returns how many warnings it changed.
async fn change(db: &Db, query: Query) -> Result<u64> {
    let mut tx = db.begin().await?;
    let changed = tx.execute(query).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Takes a warning to send it; false: somebody else has taken it.
pub(super) async fn claim(db: &Db, warning: &Warning, until: i64) -> Result<bool> {
    let query = Query::new(
        "UPDATE balance_warnings SET next_attempt_at = $1 \
         WHERE id = $2 AND next_attempt_at = $3 AND sent_at IS NULL",
    )
    .bind(until)
    .bind(warning.id)
    .bind(warning.next_attempt_at);
    Ok(change(db, query).await? > 0)
}

pub(super) async fn set_sent(db: &Db, id: i64, now: i64) -> Result<()> {
    let query = Query::new(
        "UPDATE balance_warnings SET sent_at = $1, attempts = attempts + 1, problem = '' \
         WHERE id = $2",
    )
    .bind(now)
    .bind(id);
    change(db, query).await.map(drop)
}

pub(super) async fn set_failed(
    db: &Db,
    id: i64,
    attempts: i64,
    next_attempt_at: i64,
    problem: &str,
) -> Result<()> {
    let query = Query::new(
        "UPDATE balance_warnings SET attempts = $1, next_attempt_at = $2, problem = $3 \
         WHERE id = $4",
    )
    .bind(attempts)
    .bind(next_attempt_at)
    .bind(problem)
    .bind(id);
    change(db, query).await.map(drop)
}

/// A page of warnings, the newest first.
pub(super) async fn list(
    db: &Db,
    scope: Scope,
    user: Option<UserId>,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Warning>> {
    let mut query = Query::new(COLUMNS).and(" WHERE w.id < ").value(before.unwrap_or(i64::MAX));
    query = scope.condition(query, "u");
    if let Some(user) = user {
        query = query.and(" AND w.user_id = ").value(user);
    }
    let query = query.and(" ORDER BY w.id DESC LIMIT ").value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}
