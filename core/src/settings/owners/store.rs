//! Settings of owners in the database.

use super::{AllOwnerSettings, OwnerSettings};
use crate::{
    error::Result,
    ids::UserId,
    settings::Secret,
    store::{Query, Tx},
};

/// What an owner's API secret key is called where it is sealed.
fn sealed_as(owner: i64) -> String {
    format!("owner_settings/{owner}")
}

/// The settings of all owners who have set any.
pub(crate) async fn all(tx: &mut Tx) -> Result<AllOwnerSettings> {
    let query = Query::new(
        "SELECT user_id, allow_api, api_secret_key, disable_hash_checking FROM owner_settings",
    );
    let rows = tx.fetch_all(query).await?;
    rows.iter()
        .map(|row| {
            let (owner, key): (i64, String) = (row.get(0)?, row.get(2)?);
            let settings = OwnerSettings {
                allow_api: row.get(1)?,
                api_secret_key: Secret::new(tx.vault().open(&sealed_as(owner), key)?),
                disable_hash_checking: row.get(3)?,
            };
            Ok((UserId(owner), settings))
        })
        .collect()
}

/// Stores the settings of an owner.
pub(in crate::settings) async fn write(
    tx: &mut Tx,
    owner: UserId,
    settings: &OwnerSettings,
) -> Result<()> {
    let key = settings.api_secret_key.as_ref().map(Secret::as_str).unwrap_or_default();
    let key = tx.vault().seal(&sealed_as(owner.0), key)?;
    let query = Query::new(
        "INSERT INTO owner_settings (user_id, allow_api, api_secret_key, disable_hash_checking) \
         VALUES ",
    )
    .rows([vec![
        owner.into(),
        settings.allow_api.into(),
        key.into(),
        settings.disable_hash_checking.into(),
    ]])
    .and(
        " ON CONFLICT (user_id) DO UPDATE SET allow_api = excluded.allow_api, \
         api_secret_key = excluded.api_secret_key, \
         disable_hash_checking = excluded.disable_hash_checking",
    );
    tx.execute(query).await.map(drop)
}

/// Forgets the settings of an owner who is deleted.
pub(crate) async fn delete(tx: &mut Tx, owner: UserId) -> Result<()> {
    let query = Query::new("DELETE FROM owner_settings WHERE user_id = ").value(owner);
    tx.execute(query).await.map(drop)
}

/// Seals again what another key has sealed, or none.
pub(crate) async fn reseal(tx: &mut Tx) -> Result<()> {
    for row in
        tx.fetch_all(Query::new("SELECT user_id, api_secret_key FROM owner_settings")).await?
    {
        let (owner, stored): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Some(sealed) = tx.vault().resealed(&sealed_as(owner), &stored)? {
            let query =
                Query::new("UPDATE owner_settings SET api_secret_key = $1 WHERE user_id = $2");
            tx.execute(query.bind(sealed).bind(owner)).await?;
        }
    }
    Ok(())
}
