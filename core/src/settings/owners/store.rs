//! Settings of owners in the database.

use tollbook_proto::v1 as pb;

use super::{AllOwnerSettings, OwnerSettings};
use crate::{
    error::Result,
    ids::UserId,
    resource::SecretOf,
    settings::Secret,
    store::{Query, Tx},
    stored,
};

/// The settings of all owners who have set any.
pub(crate) async fn all(tx: &mut Tx) -> Result<AllOwnerSettings> {
    let query = Query::new(
        "SELECT user_id, allow_api, api_secret_key, disable_hash_checking, balance_over_http, \
         default_tariff_id, defaults FROM owner_settings",
    );
    let rows = tx.fetch_all(query).await?;
    rows.iter()
        .map(|row| {
            let (owner, key): (i64, String) = (row.get(0)?, row.get(2)?);
            let defaults: pb::OwnerSettings = stored::read(&row.get::<String>(6)?)?;
            let tariff_id = row.get(5)?;
            let settings = OwnerSettings {
                allow_api: row.get(1)?,
                api_secret_key: Secret::new(tx.vault().open(SecretOf::Owner(UserId(owner)), key)?),
                disable_hash_checking: row.get(3)?,
                balance_over_http: row.get(4)?,
                default_user: pb::DefaultUser {
                    tariff_id,
                    ..defaults.default_user.unwrap_or_default()
                },
                default_device: defaults.default_device.unwrap_or_default(),
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
    let key = tx.vault().seal(SecretOf::Owner(owner), key)?;
    let query = Query::new(
        "INSERT INTO owner_settings (user_id, allow_api, api_secret_key, disable_hash_checking, \
         balance_over_http, default_tariff_id, defaults) VALUES ",
    )
    .rows([vec![
        owner.into(),
        settings.allow_api.into(),
        key.into(),
        settings.disable_hash_checking.into(),
        settings.balance_over_http.into(),
        settings.default_user.tariff_id.into(),
        defaults(tx, owner, settings).await?.into(),
    ]])
    .and(
        " ON CONFLICT (user_id) DO UPDATE SET allow_api = excluded.allow_api, \
         api_secret_key = excluded.api_secret_key, \
         disable_hash_checking = excluded.disable_hash_checking, \
         balance_over_http = excluded.balance_over_http, \
         default_tariff_id = excluded.default_tariff_id, defaults = excluded.defaults",
    );
    tx.execute(query).await.map(drop)
}

/// The JSON of an owner's defaults, with what of the stored ones this version does not know.
async fn defaults(tx: &mut Tx, owner: UserId, settings: &OwnerSettings) -> Result<String> {
    let default_user = pb::DefaultUser { tariff_id: 0, ..settings.default_user.clone() };
    let rest = pb::OwnerSettings {
        default_user: Some(default_user),
        default_device: Some(settings.default_device.clone()),
        ..Default::default()
    };
    let query = Query::new("SELECT defaults FROM owner_settings WHERE user_id = ").value(owner);
    match tx.fetch_optional(query).await? {
        None => stored::written(&rest),
        Some(row) => stored::rewritten(&rest, &row.get::<String>(0)?),
    }
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
        if let Some(sealed) = tx.vault().resealed(SecretOf::Owner(UserId(owner)), &stored)? {
            let query =
                Query::new("UPDATE owner_settings SET api_secret_key = $1 WHERE user_id = $2");
            tx.execute(query.bind(sealed).bind(owner)).await?;
        }
    }
    Ok(())
}
