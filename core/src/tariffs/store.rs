//! Tariffs, rates and destinations in the database.

use std::collections::HashSet;

use super::{Purpose, Rate, Tariff, Tariffs, day_name, days_of, imports};
use crate::{
    error::{Error, Result},
    ids::{CurrencyId, TariffId, UserId},
    rating::{DeckRate, Terms, stored_steps},
    store::{Db, Insert, Query, Row, Tx, Value},
};

/// Rows per statement: below the number of parameters that both backends take.
const CHUNK: usize = 1_000;

pub(crate) async fn all(tx: &mut Tx) -> Result<Tariffs> {
    let query = Query::new(
        "SELECT id, name, purpose, currency_id, revision, owner_id FROM tariffs ORDER BY id",
    );
    let rows = tx.fetch_all(query).await?;
    let tariffs = rows.iter().map(|row| {
        Ok(Tariff {
            id: TariffId(row.get(0)?),
            name: row.get(1)?,
            purpose: Purpose::from_name(&row.get::<String>(2)?)?,
            currency: CurrencyId(row.get(3)?),
            revision: row.get(4)?,
            owner: UserId(row.get(5)?),
        })
    });
    Ok(Tariffs(tariffs.collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &mut Tx, tariff: &Tariff) -> Result<()> {
    let query = Query::new(
        "INSERT INTO tariffs (id, name, purpose, currency_id, revision, owner_id) VALUES ",
    )
    .rows([vec![
        tariff.id.into(),
        tariff.name.as_str().into(),
        tariff.purpose.name().into(),
        tariff.currency.into(),
        tariff.revision.into(),
        tariff.owner.into(),
    ]]);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, tariff: &Tariff) -> Result<()> {
    let query =
        Query::new("UPDATE tariffs SET name = $1, currency_id = $2, revision = $3 WHERE id = $4")
            .bind(tariff.name.as_str())
            .bind(tariff.currency)
            .bind(tariff.revision)
            .bind(tariff.id);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: TariffId) -> Result<()> {
    imports::forget(tx, id).await?;
    tx.execute(Query::new("DELETE FROM rates WHERE tariff_id = ").value(id)).await?;
    tx.execute(Query::new("DELETE FROM tariffs WHERE id = ").value(id)).await?;
    Ok(())
}

/// Whether a user or a connection point has the tariff, or those get it who register.
pub(super) async fn in_use(tx: &mut Tx, id: TariffId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM users WHERE deleted_at IS NULL AND tariff_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM connection_points WHERE op_tariff_id = ")
        .value(id)
        .and(" OR op_custom_tariff_id = ")
        .value(id)
        .and(" OR tp_tariff_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM provider_common_uses WHERE tariff_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM provider_rules WHERE tariff_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM owner_settings WHERE default_tariff_id = ")
        .value(id)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether a user owns tariffs.
pub(crate) async fn is_owner(tx: &mut Tx, user: UserId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM tariffs WHERE owner_id = ").value(user).and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// The tariffs of users and of connection points.
pub(crate) async fn used(tx: &mut Tx) -> Result<HashSet<TariffId>> {
    let query = Query::new(
        "SELECT tariff_id FROM users WHERE deleted_at IS NULL \
         UNION SELECT op_tariff_id FROM connection_points \
         UNION SELECT op_custom_tariff_id FROM connection_points \
         UNION SELECT tp_tariff_id FROM connection_points \
         UNION SELECT tariff_id FROM provider_common_uses \
         UNION SELECT tariff_id FROM provider_rules WHERE tariff_id IS NOT NULL",
    );
    let rows = tx.fetch_all(query).await?;
    rows.iter().map(|row| Ok(TariffId(row.get(0)?))).collect()
}

/// The columns that [`read_rate`] reads.
macro_rules! rate {
    () => {
        "SELECT r.prefix, r.effective_from, r.start_time, r.end_time, r.day_type, r.rate, \
         r.connection_fee, r.increment_s, r.min_time, r.blocked, r.steps, \
         r.ended"
    };
}

fn read_rate(row: &Row) -> Result<Rate> {
    let number = |index: usize| -> Result<u32> {
        u32::try_from(row.get::<i64>(index)?)
            .map_err(|_| Error::internal("a stored rate has a number out of range"))
    };
    let rate = DeckRate {
        terms: Terms {
            rate: row.get(5)?,
            connection_fee: row.get(6)?,
            increment: number(7)?,
            min_time: number(8)?,
            steps: stored_steps(row.get(10)?)?,
        },
        effective_from: row.get(1)?,
        hours: (number(2)?, number(3)?),
        days: days_of(&row.get::<String>(4)?)
            .ok_or_else(|| Error::internal("a stored rate has an unknown day type"))?,
        blocked: row.get(9)?,
        ended: row.get(11)?,
    };
    Ok(Rate { prefix: row.get(0)?, rate })
}

/// A page of a tariff's rates with their destinations, by prefix, those that begin to count
/// later first. A whole prefix is never cut: the page is longer where one would be.
pub(crate) async fn rates_page(
    tx: &mut Tx,
    tariff: TariffId,
    after_prefix: Option<&str>,
) -> Result<Vec<(Rate, String)>> {
    let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    let page = |query: Query| match after_prefix {
        None => query,
        Some(prefix) => query.and(" AND r.prefix > ").value(prefix),
    };
    let query = page(Query::new("SELECT r.prefix FROM rates r WHERE r.tariff_id = ").value(tariff))
        .and(" ORDER BY r.prefix LIMIT ")
        .value(limit);
    let prefixes = tx.fetch_all(query).await?;
    let Some(last) = prefixes.last() else { return Ok(Vec::new()) };
    let query = Query::new(concat!(
        rate!(),
        ", d.name FROM rates r LEFT JOIN destinations d ON d.prefix = r.prefix WHERE r.tariff_id = "
    ));
    let query = page(query.value(tariff))
        .and(" AND r.prefix <= ")
        .value(last.get::<String>(0)?)
        .and(" ORDER BY r.prefix, r.effective_from DESC, r.day_type DESC, r.start_time DESC");
    let rows = tx.fetch_all(query).await?;
    let rates = rows.iter().map(|row| {
        let destination = row.get::<Option<String>>(12)?.unwrap_or_default();
        Ok((read_rate(row)?, destination))
    });
    rates.collect()
}

pub(crate) async fn count_rates(tx: &mut Tx, tariff: TariffId) -> Result<usize> {
    let query = Query::new("SELECT COUNT(*) FROM rates WHERE tariff_id = ").value(tariff);
    let count = tx.fetch_optional(query).await?.map_or(Ok(0), |row| row.get::<i64>(0))?;
    usize::try_from(count).map_err(|_| Error::internal("a count is below zero"))
}

/// Of how many rates or fewer each prefix is looked up by itself.
const FEW: usize = 500;

/// The prefixes of some changes in their order, where they are so few that the database is asked for
/// each of them rather than for all that it has.
pub(super) fn few<'a>(prefixes: impl ExactSizeIterator<Item = &'a str>) -> Option<Vec<&'a str>> {
    (prefixes.len() <= FEW).then(|| {
        let mut prefixes: Vec<&str> = prefixes.collect();
        prefixes.dedup();
        prefixes
    })
}

/// Gives the rates of a tariff to `take`, in the order that a deck wants: all, or those of some
/// prefixes.
pub(crate) async fn for_each_rate(
    tx: &mut Tx,
    tariff: TariffId,
    prefixes: Option<&[&str]>,
    mut take: impl FnMut(Rate) -> Result<()> + Send,
) -> Result<()> {
    let mut query =
        Query::new(concat!(rate!(), " FROM rates r WHERE r.tariff_id = ")).value(tariff);
    if let Some(prefixes) = prefixes {
        query = query.and(" AND r.prefix IN ").list(prefixes.iter().copied());
    }
    let query = query
        .and(" ORDER BY r.prefix")
        .and(tx.by_bytes())
        .and(", r.effective_from DESC, r.day_type DESC, r.start_time DESC");
    tx.for_each(query, |row| take(read_rate(row)?)).await
}

/// Stores rates, over those with the same key.
pub(super) async fn upsert_rates<'a>(
    tx: &mut Tx,
    tariff: TariffId,
    rates: impl Iterator<Item = (&'a str, &'a DeckRate)> + Send,
) -> Result<()> {
    let rows = rates.map(|(prefix, rate)| {
        vec![
            Value::from(tariff),
            prefix.into(),
            rate.effective_from.into(),
            i64::from(rate.hours.0).into(),
            i64::from(rate.hours.1).into(),
            day_name(rate.days).into(),
            rate.terms.rate.into(),
            rate.terms.connection_fee.into(),
            i64::from(rate.terms.increment).into(),
            i64::from(rate.terms.min_time).into(),
            rate.blocked.into(),
            rate.terms.steps.number().into(),
            rate.ended.into(),
        ]
    });
    let insert = Insert {
        table: "rates",
        columns: &[
            "tariff_id",
            "prefix",
            "effective_from",
            "start_time",
            "end_time",
            "day_type",
            "rate",
            "connection_fee",
            "increment_s",
            "min_time",
            "blocked",
            "steps",
            "ended",
        ],
        rows: Vec::new(),
        on_conflict: " ON CONFLICT (tariff_id, prefix, effective_from, start_time, day_type) DO \
                      UPDATE SET end_time = excluded.end_time, rate = excluded.rate, \
                      connection_fee = excluded.connection_fee, \
                      increment_s = excluded.increment_s, min_time = excluded.min_time, \
                      blocked = excluded.blocked, steps = excluded.steps, ended = excluded.ended",
    };
    insert_in_chunks(tx, insert, rows).await
}

/// Inserts rows, of which a chunk is in memory at a time.
async fn insert_in_chunks(
    tx: &mut Tx,
    Insert { table, columns, on_conflict, .. }: Insert,
    mut rows: impl Iterator<Item = Vec<Value>> + Send,
) -> Result<()> {
    loop {
        let rows: Vec<_> = rows.by_ref().take(CHUNK).collect();
        if rows.is_empty() {
            return Ok(());
        }
        tx.insert(Insert { table, columns, rows, on_conflict }).await?;
    }
}

/// Deletes rates.
pub(super) async fn delete_rates(tx: &mut Tx, tariff: TariffId, rates: &[Rate]) -> Result<()> {
    for chunk in rates.chunks(CHUNK) {
        let rows = chunk.iter().map(|rate| {
            let (prefix, effective_from, start_time, days) = rate.key();
            vec![
                Value::from(prefix),
                effective_from.into(),
                i64::from(start_time).into(),
                days.into(),
            ]
        });
        // The prefixes once more: SQLite would not look for the rows by its index, but go through
        // the whole tariff.
        let query = Query::new("DELETE FROM rates WHERE tariff_id = ")
            .value(tariff)
            .and(" AND prefix IN ")
            .list(chunk.iter().map(|rate| rate.prefix.as_str()))
            .and(" AND (prefix, effective_from, start_time, day_type) IN (VALUES ")
            .rows(rows)
            .and(")");
        tx.execute(query).await?;
    }
    Ok(())
}

/// Gives prefixes with the names of their destinations to `take`: all, or some.
pub(super) async fn for_each_destination(
    tx: &mut Tx,
    prefixes: Option<&[&str]>,
    mut take: impl FnMut(String, String) -> Result<()> + Send,
) -> Result<()> {
    let mut query = Query::new("SELECT prefix, name FROM destinations");
    if let Some(prefixes) = prefixes {
        query = query.and(" WHERE prefix IN ").list(prefixes.iter().copied());
    }
    tx.for_each(query, |row| take(row.get(0)?, row.get(1)?)).await
}

/// Stores names of destinations, over those there are.
pub(super) async fn name_destinations<'a>(
    tx: &mut Tx,
    names: impl Iterator<Item = (&'a str, &'a str)> + Send,
) -> Result<()> {
    let rows = names.map(|(prefix, name)| vec![Value::from(prefix), Value::from(name)]);
    let insert = Insert {
        table: "destinations",
        columns: &["prefix", "name"],
        rows: Vec::new(),
        on_conflict: " ON CONFLICT (prefix) DO UPDATE SET name = excluded.name",
    };
    insert_in_chunks(tx, insert, rows).await
}

/// Removes the names of destinations.
pub(super) async fn forget_destinations<'a>(
    tx: &mut Tx,
    prefixes: impl Iterator<Item = &'a str> + Send,
) -> Result<()> {
    let query = Query::new("DELETE FROM destinations WHERE prefix IN ").list(prefixes);
    tx.execute(query).await.map(drop)
}

/// Which of some prefixes have rates in another tariff.
pub(super) async fn used_elsewhere<'a>(
    tx: &mut Tx,
    tariff: TariffId,
    prefixes: impl Iterator<Item = &'a str> + Send,
) -> Result<Vec<String>> {
    // CROSS: SQLite takes the tables in this order, and does not go through all rates.
    let query = Query::new(
        "SELECT DISTINCT r.prefix FROM tariffs t CROSS JOIN rates r WHERE r.tariff_id = t.id AND t.id <> ",
    )
    .value(tariff)
    .and(" AND r.prefix IN ")
    .list(prefixes);
    tx.fetch_all(query).await?.iter().map(|row| row.get(0)).collect()
}

/// The name of the destination of a prefix; empty: none.
pub(super) async fn destination(db: &Db, prefix: &str) -> Result<String> {
    let query = Query::new("SELECT name FROM destinations WHERE prefix = ").value(prefix);
    let row = db.fetch_optional(query).await?;
    row.map_or(Ok(String::new()), |row| row.get(0))
}
