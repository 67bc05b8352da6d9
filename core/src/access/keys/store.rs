//! API keys and used nonces in the database.

use tollbook_proto::v1 as pb;

use super::{ApiKey, ApiKeys};
use crate::{
    clock,
    error::{Error, Result},
    ids::UserId,
    resource::SecretOf,
    settings::Secret,
    store::{Db, Query, Tx, retrying},
    stored, tasks,
};

pub(crate) async fn all(tx: &mut Tx) -> Result<ApiKeys> {
    let rows =
        tx.fetch_all(Query::new("SELECT id, secret, profile, user_id FROM api_keys")).await?;
    rows.iter()
        .map(|row| {
            let (id, secret): (i64, String) = (row.get(0)?, row.get(1)?);
            let secret = Secret::new(tx.vault().open(SecretOf::ApiKey(id), secret)?);
            let secret = secret.ok_or_else(|| Error::internal("a stored API key is empty"))?;
            let mut message = read(&row.get::<String>(2)?)?;
            // Profiles of before this field had presence leave the admin's id out.
            message.user_id = Some(row.get(3)?);
            ApiKey::new(message, secret)
        })
        .collect()
}

/// A key as it is stored. An access that a later version has given, and this one does not know, opens
/// nothing: left out, it would be that of the key, or to read.
fn read(profile: &str) -> Result<pb::ApiKey> {
    let mut key: pb::ApiKey = stored::read(profile)?;
    let said = stored::fields(profile)?;
    let disabled = pb::ApiAccess::Disabled;
    let access = said.get("access").and_then(serde_json::Value::as_str);
    if access.is_some_and(|name| pb::ApiAccess::from_str_name(name).is_none()) {
        key.set_access(disabled);
    }
    let methods = said.get("methods").and_then(serde_json::Value::as_object);
    for method in methods.into_iter().flat_map(serde_json::Map::keys) {
        key.methods.entry(method.clone()).or_insert(disabled.into());
    }
    Ok(key)
}

pub(super) async fn insert(tx: &mut Tx, key: &ApiKey) -> Result<()> {
    let secret = tx.vault().seal(SecretOf::ApiKey(key.id()), key.secret.as_str())?;
    let query =
        Query::new("INSERT INTO api_keys (id, user_id, secret, profile) VALUES ").rows([vec![
            key.id().into(),
            key.user().into(),
            secret.into(),
            stored::written(&key.message)?.into(),
        ]]);
    tx.execute(query).await?;
    Ok(())
}

/// Seals again what another key has sealed, or none.
pub(crate) async fn reseal(tx: &mut Tx) -> Result<()> {
    for row in tx.fetch_all(Query::new("SELECT id, secret FROM api_keys")).await? {
        let (id, stored): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Some(sealed) = tx.vault().resealed(SecretOf::ApiKey(id), &stored)? {
            let query = Query::new("UPDATE api_keys SET secret = $1 WHERE id = $2");
            tx.execute(query.bind(sealed).bind(id)).await?;
        }
    }
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: i64) -> Result<()> {
    tx.execute(Query::new("DELETE FROM api_keys WHERE id = $1").bind(id)).await?;
    Ok(())
}

/// Deletes the keys of a user, when he is deleted.
pub(crate) async fn delete_all_of(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM api_keys WHERE user_id = $1").bind(user)).await?;
    Ok(())
}

/// What a signed request is told by from all others of its key.
#[derive(Clone)]
pub(in crate::access) struct Nonce {
    pub(in crate::access) key: i64,
    pub(in crate::access) text: String,
    /// Tells the calls that one request takes from a request that comes twice. It is the shim's
    /// word, so that it is believed of calls that change nothing alone.
    pub(in crate::access) presentation: Option<i64>,
    /// Until when it could be sent again, in microseconds since 1970.
    pub(in crate::access) expires_at: i64,
}

/// Uses a nonce up, for as long as it could be sent again.
pub(in crate::access) async fn use_nonce(db: &Db, nonce: Nonce) -> Result<()> {
    let db = db.clone();
    // Whoever hangs up does not leave a transaction half way.
    tasks::detached(async move { retrying(|| use_up(&db, nonce.clone())).await }).await
}

async fn use_up(db: &Db, nonce: Nonce) -> Result<()> {
    let Nonce { key, text: nonce, presentation, expires_at } = nonce;
    let mut tx = db.begin().await?;
    let now = clock::now();
    let known = Query::new(
        "SELECT presentation FROM api_nonces WHERE key_id = $1 AND nonce = $2 AND expires_at >= $3",
    );
    if let Some(row) = tx.fetch_optional(known.bind(key).bind(&*nonce).bind(now)).await? {
        let same = Some(row.get::<i64>(0)?) == presentation;
        return if same { Ok(()) } else { Err(Error::RequestReplayed) };
    }
    // It may have been used so long ago that it counts again.
    let outdated =
        Query::new("DELETE FROM api_nonces WHERE key_id = $1 AND nonce = $2 AND expires_at < $3");
    tx.execute(outdated.bind(key).bind(&*nonce).bind(now)).await?;
    let query =
        Query::new("INSERT INTO api_nonces (key_id, nonce, presentation, expires_at) VALUES ")
            .rows([vec![
                key.into(),
                nonce.into(),
                presentation.unwrap_or_else(rand::random).into(),
                expires_at.into(),
            ]]);
    tx.execute(query).await?;
    tx.commit().await
}

/// Forgets some nonces that have expired. Returns how many.
pub(crate) async fn forget_nonces(tx: &mut Tx, now: i64, limit: i64) -> Result<u64> {
    let query = Query::new(
        "DELETE FROM api_nonces WHERE (key_id, nonce) IN (SELECT key_id, nonce FROM api_nonces \
         WHERE expires_at < ",
    )
    .value(now)
    .and(" ORDER BY expires_at LIMIT ")
    .value(limit)
    .and(")");
    tx.execute(query).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_access_of_a_later_version_opens_nothing() {
        let stored = r#"{"access":"API_ACCESS_WRITE","methods":{"users_get":"API_ACCESS_NIGHTLY",
            "payments_get":"API_ACCESS_READ"}}"#;
        let key = ApiKey::new(read(stored).unwrap(), Secret::new("s".to_owned()).unwrap()).unwrap();
        assert!(matches!(key.check("users_get", true), Err(Error::ApiKeyRestricted)));
        key.check("payments_get", true).unwrap();
        key.check("user_create", false).unwrap();

        let stored = r#"{"access":"API_ACCESS_NIGHTLY"}"#;
        let key = ApiKey::new(read(stored).unwrap(), Secret::new("s".to_owned()).unwrap()).unwrap();
        assert!(matches!(key.check("users_get", true), Err(Error::ApiKeyRestricted)));
    }
}
