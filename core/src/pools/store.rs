//! Number pools in the database.

use super::{Pool, PoolRevisions};
use crate::{
    error::Result,
    ids::PoolId,
    store::{Db, Insert, Query, Row, Sequence, Tx, Value},
};

const COLUMNS: &str = "SELECT id, name, comment, numbers, revision FROM number_pools";
/// How many numbers a statement looks at.
const CHUNK: usize = 1_000;

fn read(row: &Row) -> Result<Pool> {
    Ok(Pool {
        id: PoolId(row.get(0)?),
        name: row.get(1)?,
        comment: row.get(2)?,
        numbers: row.get(3)?,
        revision: row.get(4)?,
    })
}

/// Pools after an id, or one of them, by ascending id.
pub(super) async fn list(
    db: &Db,
    id: Option<PoolId>,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Pool>> {
    let mut query = Query::new(COLUMNS).and(" WHERE id > ").value(after.unwrap_or(i64::MIN));
    if let Some(id) = id {
        query = query.and(" AND id = ").value(id);
    }
    let query = query.and(" ORDER BY id LIMIT ").value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// Which pools there are.
pub(crate) async fn revisions(tx: &mut Tx) -> Result<PoolRevisions> {
    let rows = tx.fetch_all(Query::new("SELECT id, revision FROM number_pools")).await?;
    rows.iter().map(|row| Ok((PoolId(row.get(0)?), row.get(1)?))).collect()
}

async fn get(tx: &mut Tx, id: PoolId) -> Result<Option<Pool>> {
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// A pool that nobody else changes until the end of the transaction.
pub(crate) async fn lock(tx: &mut Tx, id: PoolId) -> Result<Option<Pool>> {
    let lock = tx.lock_clause();
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id).and(lock);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(super) async fn insert(tx: &mut Tx, pool: &Pool) -> Result<()> {
    let query = Query::new(
        "INSERT INTO number_pools (id, name, comment, numbers, revision) VALUES ",
    )
    .rows([vec![
        pool.id.into(),
        pool.name.as_str().into(),
        pool.comment.as_str().into(),
        pool.numbers.into(),
        pool.revision.into(),
    ]]);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, pool: &Pool) -> Result<()> {
    let query = Query::new(
        "UPDATE number_pools SET name = $1, comment = $2, numbers = $3, revision = $4 WHERE id = $5",
    )
    .bind(pool.name.as_str())
    .bind(pool.comment.as_str())
    .bind(pool.numbers)
    .bind(pool.revision)
    .bind(pool.id);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: PoolId) -> Result<()> {
    delete_all_numbers(tx, id).await?;
    tx.execute(Query::new("DELETE FROM number_pools WHERE id = ").value(id)).await?;
    Ok(())
}

/// Numbers of a pool after an id, by ascending id.
pub(super) async fn numbers(
    db: &Db,
    pool: PoolId,
    search: Option<&str>,
    after: Option<i64>,
    offset: i64,
    limit: i64,
) -> Result<Vec<(i64, String)>> {
    let mut query = Query::new("SELECT id, number FROM pool_numbers WHERE pool_id = ")
        .value(pool)
        .and(" AND id > ")
        .value(after.unwrap_or(0));
    if let Some(search) = search {
        query = query.and(" AND number LIKE ").value(search);
    }
    let query = query.and(" ORDER BY id LIMIT ").value(limit).and(" OFFSET ").value(offset);
    let rows = db.fetch_all(query).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// All numbers of a pool, and the revision of which they are.
pub(super) async fn all_numbers(db: &Db, pool: PoolId) -> Result<(i64, Vec<String>)> {
    const PAGE: i64 = 10_000;
    let mut tx = db.snapshot().await?;
    let revision = get(&mut tx, pool).await?.map_or(0, |pool| pool.revision);
    let (mut numbers, mut after) = (Vec::new(), 0_i64);
    loop {
        let query = Query::new("SELECT id, number FROM pool_numbers WHERE pool_id = ")
            .value(pool)
            .and(" AND id > ")
            .value(after)
            .and(" ORDER BY id LIMIT ")
            .value(PAGE);
        let rows = tx.fetch_all(query).await?;
        let Some(last) = rows.last() else { return Ok((revision, numbers)) };
        after = last.get(0)?;
        for row in &rows {
            numbers.push(row.get(1)?);
        }
    }
}

/// Adds numbers, of which each comes once. Returns how many there were not before.
pub(super) async fn add_numbers(tx: &mut Tx, pool: PoolId, numbers: Vec<String>) -> Result<i64> {
    let ids = tx.next_ids(Sequence::PoolNumbers, numbers.len()).await?;
    // What was there before keeps its id, which is a smaller one: what is new can be counted
    // without a look at the whole pool.
    let Some(first) = ids.first().copied() else { return Ok(0) };
    let rows = ids
        .into_iter()
        .zip(numbers)
        .map(|(id, number)| vec![Value::from(id), pool.into(), number.into()])
        .collect();
    tx.insert(Insert {
        table: "pool_numbers",
        columns: &["id", "pool_id", "number"],
        rows,
        on_conflict: " ON CONFLICT (pool_id, number) DO NOTHING",
    })
    .await?;
    let query = Query::new("SELECT COUNT(*) FROM pool_numbers WHERE pool_id = ")
        .value(pool)
        .and(" AND id >= ")
        .value(first);
    tx.fetch_optional(query).await?.map_or(Ok(0), |row| row.get(0))
}

/// Deletes numbers by id. Returns how many there were.
pub(super) async fn delete_ids(tx: &mut Tx, pool: PoolId, ids: &[i64]) -> Result<u64> {
    let mut deleted = 0;
    for ids in ids.chunks(CHUNK) {
        let query = Query::new("DELETE FROM pool_numbers WHERE pool_id = ")
            .value(pool)
            .and(" AND id IN ")
            .list(ids.iter().copied());
        deleted += tx.execute(query).await?;
    }
    Ok(deleted)
}

/// Deletes numbers by themselves. Returns how many there were.
pub(super) async fn delete_numbers(tx: &mut Tx, pool: PoolId, numbers: &[String]) -> Result<u64> {
    let mut deleted = 0;
    for numbers in numbers.chunks(CHUNK) {
        let query = Query::new("DELETE FROM pool_numbers WHERE pool_id = ")
            .value(pool)
            .and(" AND number IN ")
            .list(numbers.iter().map(String::as_str));
        deleted += tx.execute(query).await?;
    }
    Ok(deleted)
}

pub(super) async fn delete_all_numbers(tx: &mut Tx, pool: PoolId) -> Result<u64> {
    tx.execute(Query::new("DELETE FROM pool_numbers WHERE pool_id = ").value(pool)).await
}
