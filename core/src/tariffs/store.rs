//! Tariffs, rates and destinations in the database.

use std::collections::HashMap;

use super::{Purpose, Rate, RateKey, Tariff, Tariffs, day_name, days_of};
use crate::{
    error::{Error, Result},
    ids::{CurrencyId, TariffId},
    rating::{DeckRate, Terms},
    store::{Db, Query, Row, Tx, Value},
};

/// Rows per statement: below the number of parameters that both backends take.
const CHUNK: usize = 1_000;

pub(crate) async fn all(tx: &mut Tx) -> Result<Tariffs> {
    let query =
        Query::new("SELECT id, name, purpose, currency_id, revision FROM tariffs ORDER BY id");
    let rows = tx.fetch_all(query).await?;
    let tariffs = rows.iter().map(|row| {
        Ok(Tariff {
            id: TariffId(row.get(0)?),
            name: row.get(1)?,
            purpose: Purpose::from_name(&row.get::<String>(2)?)?,
            currency: CurrencyId(row.get(3)?),
            revision: row.get(4)?,
        })
    });
    Ok(Tariffs(tariffs.collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &mut Tx, tariff: &Tariff) -> Result<()> {
    let query = Query::new(
        "INSERT INTO tariffs (id, name, purpose, currency_id, revision) VALUES ",
    )
    .rows([vec![
        tariff.id.into(),
        tariff.name.as_str().into(),
        tariff.purpose.name().into(),
        tariff.currency.into(),
        tariff.revision.into(),
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
    tx.execute(Query::new("DELETE FROM rates WHERE tariff_id = ").value(id)).await?;
    tx.execute(Query::new("DELETE FROM tariffs WHERE id = ").value(id)).await?;
    Ok(())
}

/// Whether a user or a connection point has the tariff.
pub(super) async fn in_use(tx: &mut Tx, id: TariffId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM users WHERE deleted_at IS NULL AND tariff_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM connection_points WHERE op_tariff_id = ")
        .value(id)
        .and(" OR op_custom_tariff_id = ")
        .value(id)
        .and(" OR tp_tariff_id = ")
        .value(id)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

const RATES: &str = "SELECT r.prefix, r.effective_from, r.start_time, r.end_time, r.day_type, \
                     r.rate, r.connection_fee, r.increment_s, r.min_time, r.blocked, d.name \
                     FROM rates r LEFT JOIN destinations d ON d.prefix = r.prefix";

fn read(row: &Row) -> Result<(Rate, String)> {
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
        },
        effective_from: row.get(1)?,
        hours: (number(2)?, number(3)?),
        days: days_of(&row.get::<String>(4)?)
            .ok_or_else(|| Error::internal("a stored rate has an unknown day type"))?,
        blocked: row.get(9)?,
    };
    let destination = row.get::<Option<String>>(10)?.unwrap_or_default();
    Ok((Rate { prefix: row.get(0)?, rate }, destination))
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
    let query = page(Query::new(RATES).and(" WHERE r.tariff_id = ").value(tariff))
        .and(" AND r.prefix <= ")
        .value(last.get::<String>(0)?)
        .and(" ORDER BY r.prefix, r.effective_from DESC, r.day_type DESC, r.start_time DESC");
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// All rates of a tariff, in the order that a deck wants.
pub(crate) async fn rates(tx: &mut Tx, tariff: TariffId) -> Result<Vec<Rate>> {
    let mut rates: Vec<Rate> = Vec::new();
    loop {
        let after = rates.last().map(|rate| rate.prefix.clone());
        let page = rates_page(tx, tariff, after.as_deref()).await?;
        if page.is_empty() {
            return Ok(rates);
        }
        rates.extend(page.into_iter().map(|(rate, _)| rate));
    }
}

/// Stores rates, over those with the same key.
pub(super) async fn upsert_rates(tx: &mut Tx, tariff: TariffId, rates: &[&Rate]) -> Result<()> {
    for chunk in rates.chunks(CHUNK) {
        let rows = chunk.iter().map(|rate| {
            let (terms, deck) = (&rate.rate.terms, &rate.rate);
            vec![
                Value::from(tariff),
                rate.prefix.as_str().into(),
                deck.effective_from.into(),
                i64::from(deck.hours.0).into(),
                i64::from(deck.hours.1).into(),
                day_name(deck.days).into(),
                terms.rate.into(),
                terms.connection_fee.into(),
                i64::from(terms.increment).into(),
                i64::from(terms.min_time).into(),
                deck.blocked.into(),
            ]
        });
        let query = Query::new(
            "INSERT INTO rates (tariff_id, prefix, effective_from, start_time, end_time, day_type, \
             rate, connection_fee, increment_s, min_time, blocked) VALUES ",
        )
        .rows(rows)
        .and(
            " ON CONFLICT (tariff_id, prefix, effective_from, start_time, day_type) DO UPDATE SET \
             end_time = excluded.end_time, rate = excluded.rate, \
             connection_fee = excluded.connection_fee, increment_s = excluded.increment_s, \
             min_time = excluded.min_time, blocked = excluded.blocked",
        );
        tx.execute(query).await?;
    }
    Ok(())
}

/// Deletes rates by their keys.
pub(super) async fn delete_rates(tx: &mut Tx, tariff: TariffId, keys: &[RateKey]) -> Result<()> {
    for chunk in keys.chunks(CHUNK) {
        let rows = chunk.iter().map(|(prefix, effective_from, start_time, days)| {
            vec![
                Value::from(prefix.as_str()),
                (*effective_from).into(),
                i64::from(*start_time).into(),
                (*days).into(),
            ]
        });
        let query = Query::new("DELETE FROM rates WHERE tariff_id = ")
            .value(tariff)
            .and(" AND (prefix, effective_from, start_time, day_type) IN (VALUES ")
            .rows(rows)
            .and(")");
        tx.execute(query).await?;
    }
    Ok(())
}

/// Names of all destinations, by prefix.
pub(super) async fn destinations(tx: &mut Tx) -> Result<HashMap<String, String>> {
    let rows = tx.fetch_all(Query::new("SELECT prefix, name FROM destinations")).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Stores names of destinations, over those there are.
pub(super) async fn name_destinations(tx: &mut Tx, names: &[(&str, &str)]) -> Result<()> {
    for chunk in names.chunks(CHUNK) {
        let rows =
            chunk.iter().map(|(prefix, name)| vec![Value::from(*prefix), Value::from(*name)]);
        let query = Query::new("INSERT INTO destinations (prefix, name) VALUES ")
            .rows(rows)
            .and(" ON CONFLICT (prefix) DO UPDATE SET name = excluded.name");
        tx.execute(query).await?;
    }
    Ok(())
}

/// The name of the destination of a prefix; empty: none.
pub(super) async fn destination(db: &Db, prefix: &str) -> Result<String> {
    let query = Query::new("SELECT name FROM destinations WHERE prefix = ").value(prefix);
    let row = db.fetch_optional(query).await?;
    row.map_or(Ok(String::new()), |row| row.get(0))
}
