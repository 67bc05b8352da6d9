//! Currencies in the database.

use super::{Currencies, Currency};
use crate::{
    error::Result,
    ids::CurrencyId,
    store::{Query, Row, Tx},
};

const COLUMNS: &str = "SELECT id, code, name, exchange_rate, active, automatic_update, updated_at \
                       FROM currencies";

fn read(row: &Row) -> Result<Currency> {
    Ok(Currency {
        id: CurrencyId(row.get(0)?),
        code: row.get(1)?,
        name: row.get(2)?,
        exchange_rate: row.get(3)?,
        active: row.get(4)?,
        automatic_update: row.get(5)?,
        updated_at: row.get(6)?,
    })
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Currencies> {
    let rows = tx.fetch_all(Query::new(COLUMNS).and(" ORDER BY id")).await?;
    Ok(Currencies(rows.iter().map(read).collect::<Result<_>>()?))
}

pub(crate) async fn insert(tx: &mut Tx, currency: &Currency) -> Result<()> {
    let query = Query::new(
        "INSERT INTO currencies \
         (id, code, name, exchange_rate, active, automatic_update, updated_at) VALUES ",
    )
    .rows([vec![
        currency.id.into(),
        currency.code.as_str().into(),
        currency.name.as_str().into(),
        currency.exchange_rate.into(),
        currency.active.into(),
        currency.automatic_update.into(),
        currency.updated_at.into(),
    ]]);
    tx.execute(query).await?;
    Ok(())
}

pub(crate) async fn update(tx: &mut Tx, currency: &Currency) -> Result<()> {
    let query = Query::new(
        "UPDATE currencies SET name = $1, exchange_rate = $2, active = $3, \
         automatic_update = $4, updated_at = $5 WHERE id = $6",
    )
    .bind(currency.name.as_str())
    .bind(currency.exchange_rate)
    .bind(currency.active)
    .bind(currency.automatic_update)
    .bind(currency.updated_at)
    .bind(currency.id);
    tx.execute(query).await?;
    Ok(())
}

/// Gives a currency another code, which becomes its name, too.
pub(super) async fn rename(tx: &mut Tx, id: CurrencyId, code: &str) -> Result<()> {
    let query = Query::new("UPDATE currencies SET code = $1, name = $2 WHERE id = $3");
    tx.execute(query.bind(code).bind(code).bind(id)).await?;
    Ok(())
}

/// Whether there are tariffs, or users beside the admin.
pub(super) async fn have_tariffs_or_users(tx: &mut Tx) -> Result<bool> {
    for query in ["SELECT id FROM tariffs LIMIT 1", "SELECT id FROM users WHERE id <> 0 LIMIT 1"] {
        if tx.fetch_optional(Query::new(query)).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
