//! Accounts, ledger entries and idempotency keys in the database.

use std::collections::{HashMap, HashSet};

use super::{Entry, Kind, posting::IdempotencyKey};
use crate::{
    error::{Error, Result},
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    store::{Db, Insert, Query, Row, Tx, Value},
};

/// An account inside a transaction, which nobody else changes until its end.
pub(crate) struct LockedAccount {
    pub(super) username: String,
    pub(crate) balance: Money,
}

/// Accounts inside a transaction, by user.
pub(crate) type Accounts = HashMap<UserId, LockedAccount>;

/// Locks the accounts of users, in the order of their ids so that two batches never wait
/// for one another. Users who do not exist are left out.
pub(crate) fn locking(tx: &Tx, users: impl IntoIterator<Item = UserId>) -> Query {
    asking(users).and(tx.lock_clause())
}

/// Asks for the accounts of users as they are at the moment.
pub(crate) fn asking(users: impl IntoIterator<Item = UserId>) -> Query {
    Query::new(
        "SELECT a.user_id, u.username, a.balance FROM accounts a JOIN users u ON u.id = a.user_id \
         WHERE u.deleted_at IS NULL AND a.user_id IN ",
    )
    .list(users)
    .and(" ORDER BY a.user_id")
}

/// What [`locking`] or [`asking`] found.
pub(crate) fn read_accounts(rows: &[Row]) -> Result<Accounts> {
    rows.iter()
        .map(|row| {
            let account = LockedAccount { username: row.get(1)?, balance: row.get(2)? };
            Ok((UserId(row.get(0)?), account))
        })
        .collect()
}

/// Stores new balances with the entries that made them.
pub(super) async fn update_accounts(
    tx: &mut Tx,
    accounts: impl IntoIterator<Item = (UserId, Money, EntryId)>,
) -> Result<()> {
    let rows = accounts.into_iter().map(|(user, balance, last_entry)| {
        vec![Value::from(user), balance.into(), last_entry.into()]
    });
    let query = Query::new(
        "UPDATE accounts SET balance = changed.column2, last_entry_id = changed.column3 FROM (VALUES ",
    )
    .set_of_rows(rows)
    .and(") AS changed WHERE accounts.user_id = changed.column1");
    tx.queue(query).await
}

/// All accounts with their balances and newest entries, for the audit.
pub(super) async fn accounts(tx: &mut Tx) -> Result<Vec<(UserId, Money, EntryId)>> {
    let query = Query::new("SELECT user_id, balance, last_entry_id FROM accounts ORDER BY user_id");
    let rows = tx.fetch_all(query).await?;
    rows.iter().map(|row| Ok((UserId(row.get(0)?), row.get(1)?, EntryId(row.get(2)?)))).collect()
}

const COLUMNS: &str = "SELECT id, user_id, amount, balance_after, kind, payment_id, actor_id, note, \
                       idempotency_key, created_at FROM ledger_entries";

fn read(row: &Row) -> Result<Entry> {
    Ok(Entry {
        id: EntryId(row.get(0)?),
        user: UserId(row.get(1)?),
        amount: row.get(2)?,
        balance_after: row.get(3)?,
        kind: Kind::from_name(&row.get::<String>(4)?)?,
        payment: row.get::<Option<i64>>(5)?.map(PaymentId),
        actor: row.get::<Option<i64>>(6)?.map(UserId),
        note: row.get(7)?,
        idempotency_key: row.get(8)?,
        created_at: row.get(9)?,
    })
}

pub(super) async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<()> {
    let rows = entries.iter().map(|entry| {
        vec![
            entry.id.into(),
            entry.user.into(),
            entry.amount.into(),
            entry.balance_after.into(),
            entry.kind.name().into(),
            entry.payment.map(|id| id.0).into(),
            entry.actor.map(|id| id.0).into(),
            entry.note.as_str().into(),
            entry.idempotency_key.as_str().into(),
            entry.created_at.into(),
        ]
    });
    let columns = &[
        "id",
        "user_id",
        "amount",
        "balance_after",
        "kind",
        "payment_id",
        "actor_id",
        "note",
        "idempotency_key",
        "created_at",
    ];
    let rows = rows.collect();
    tx.queue(Insert { table: "ledger_entries", columns, rows, on_conflict: "" }).await
}

pub(super) async fn get(tx: &mut Tx, id: EntryId) -> Result<Entry> {
    let row = tx.fetch_optional(Query::new(COLUMNS).and(" WHERE id = ").value(id)).await?;
    read(&row.ok_or_else(|| Error::internal("an idempotency key leads to no entry"))?)
}

/// A user's entries before an id, newest first.
pub(super) async fn newest(
    db: &Db,
    user: UserId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE user_id = ")
        .value(user)
        .and(" AND id < ")
        .value(before.unwrap_or(i64::MAX))
        .and(" ORDER BY id DESC LIMIT ")
        .value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// Entries in the order (user, id) after a position, for the audit.
pub(super) async fn after(
    tx: &mut Tx,
    position: (UserId, EntryId),
    limit: i64,
) -> Result<Vec<Entry>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE (user_id, id) > (")
        .value(position.0)
        .and(", ")
        .value(position.1)
        .and(") ORDER BY user_id, id LIMIT ")
        .value(limit);
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// What was done under some keys before.
#[derive(Default)]
pub(super) struct Known {
    /// What still counts: the fingerprint of the request, and its entry.
    pub(super) done: HashMap<(String, String), (String, EntryId)>,
    /// What was done so long ago that it counts no more.
    pub(super) outdated: Vec<(String, String)>,
}

/// Asks what was done under some keys.
pub(super) fn asking_for_keys(keys: &[&IdempotencyKey]) -> Option<Query> {
    let rows =
        keys.iter().map(|key| vec![Value::from(key.scope.as_str()), Value::from(key.key.as_str())]);
    let query = Query::new(
        "SELECT scope, key, fingerprint, entry_id, created_at FROM idempotency_keys \
         WHERE (scope, key) IN (VALUES ",
    );
    (!keys.is_empty()).then(|| query.set_of_rows(rows).and(")"))
}

/// What [`asking_for_keys`] found.
pub(super) fn read_keys(rows: &[Row], keys: &[&IdempotencyKey]) -> Result<Known> {
    let mut known = Known::default();
    let since: HashMap<_, _> =
        keys.iter().map(|key| ((key.scope.as_str(), key.key.as_str()), key.since)).collect();
    for row in rows {
        let (scope, key): (String, String) = (row.get(0)?, row.get(1)?);
        let created_at: i64 = row.get(4)?;
        let wanted_since = since.get(&(scope.as_str(), key.as_str()));
        if wanted_since.is_some_and(|since| *since <= created_at) {
            known.done.insert((scope, key), (row.get(2)?, EntryId(row.get(3)?)));
        } else {
            known.outdated.push((scope, key));
        }
    }
    Ok(known)
}

/// Makes room for keys whose use before counts no more.
pub(super) async fn forget_keys(tx: &mut Tx, keys: Vec<(String, String)>) -> Result<()> {
    for (scope, key) in keys {
        let query = Query::new("DELETE FROM idempotency_keys WHERE scope = $1 AND key = $2");
        tx.queue(query.bind(scope).bind(key)).await?;
    }
    Ok(())
}

/// Which of some keys clients have named; of those that count for a while only there are none.
pub(super) async fn named_keys<'a>(
    tx: &mut Tx,
    keys: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<HashSet<(String, String)>> {
    let query =
        Query::new("SELECT scope, key FROM idempotency_keys WHERE (scope, key) IN (VALUES ")
            .rows(keys.map(|(scope, key)| vec![scope.into(), key.into()]))
            .and(")");
    let rows = tx.fetch_all(query).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Forgets some keys of repeated legacy requests that count no more, whatever the settings are.
pub(crate) async fn forget_replays(tx: &mut Tx, before: i64, limit: i64) -> Result<u64> {
    let query = Query::new(
        "DELETE FROM idempotency_keys WHERE (scope, key) IN (SELECT scope, key \
         FROM idempotency_keys WHERE scope = 'replay' AND created_at < ",
    )
    .value(before)
    .and(" ORDER BY created_at LIMIT ")
    .value(limit)
    .and(")");
    tx.execute(query).await
}

pub(super) async fn insert_keys(
    tx: &mut Tx,
    keys: impl IntoIterator<Item = (&IdempotencyKey, EntryId)>,
    now: i64,
) -> Result<()> {
    let rows = keys.into_iter().map(|(key, entry)| {
        vec![
            key.scope.as_str().into(),
            key.key.as_str().into(),
            key.fingerprint.as_str().into(),
            entry.into(),
            now.into(),
        ]
    });
    let columns = &["scope", "key", "fingerprint", "entry_id", "created_at"];
    let rows = rows.collect();
    tx.queue(Insert { table: "idempotency_keys", columns, rows, on_conflict: "" }).await
}

/// Whether nothing has changed a balance yet.
pub(crate) async fn is_empty(tx: &mut Tx) -> Result<bool> {
    let query = Query::new("SELECT id FROM ledger_entries LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_none())
}
