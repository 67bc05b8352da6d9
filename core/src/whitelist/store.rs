//! The whitelist in the database.

use super::{Whitelist, WhitelistedAddress};
use crate::{
    error::{Error, Result},
    ids::WhitelistedAddressId,
    network,
    store::{Query, Row, Tx},
};

fn read(row: &Row) -> Result<WhitelistedAddress> {
    let text: String = row.get(1)?;
    let (text, network) = network::normalized(&text)
        .ok_or_else(|| Error::internal("a stored network cannot be read"))?;
    Ok(WhitelistedAddress {
        id: WhitelistedAddressId(row.get(0)?),
        text,
        network,
        reason: row.get(2)?,
        api_access: row.get(3)?,
    })
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Whitelist> {
    let query =
        Query::new("SELECT id, network, reason, api_access FROM whitelisted_addresses ORDER BY id");
    let rows = tx.fetch_all(query).await?;
    Ok(Whitelist(rows.iter().map(read).collect::<Result<_>>()?))
}

pub(super) async fn insert(tx: &mut Tx, entry: &WhitelistedAddress) -> Result<()> {
    let query =
        Query::new("INSERT INTO whitelisted_addresses (id, network, reason, api_access) VALUES ")
            .rows([vec![
                entry.id.into(),
                entry.text.as_str().into(),
                entry.reason.as_str().into(),
                entry.api_access.into(),
            ]]);
    tx.execute(query).await.map(drop)
}

pub(super) async fn update(tx: &mut Tx, entry: &WhitelistedAddress) -> Result<()> {
    let query = Query::new(
        "UPDATE whitelisted_addresses SET network = $1, reason = $2, api_access = $3 WHERE id = $4",
    )
    .bind(entry.text.as_str())
    .bind(entry.reason.as_str())
    .bind(entry.api_access)
    .bind(entry.id);
    tx.execute(query).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: WhitelistedAddressId) -> Result<()> {
    let query = Query::new("DELETE FROM whitelisted_addresses WHERE id = $1").bind(id);
    tx.execute(query).await.map(drop)
}
