//! Settings in the database: a name and a text each.

use jiff::tz::TimeZone;
use serde::{Serialize, de::DeserializeOwned};

use super::{Secret, Settings, time_zone};
use crate::{
    error::{Error, Result},
    network::Networks,
    resource::SecretOf,
    store::{Db, Query, Row, Tx, Value},
    users::taxes::TaxPlan,
};

/// The settings; what is missing has its default.
pub(crate) async fn all(tx: &mut Tx) -> Result<Settings> {
    let rows = tx.fetch_all(Query::new("SELECT name, value FROM settings")).await?;
    let mut settings = Settings::default();
    let (mut old_key, mut old_key_until) = (None, 0);
    for row in &rows {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        match name.as_str() {
            "allow_api" => settings.allow_api = decode(&value)?,
            "allow_get_api" => settings.allow_get_api = decode(&value)?,
            "api_secret_key" => {
                settings.api_secret_key =
                    Secret::new(tx.vault().open(SecretOf::Setting(&name), decode(&value)?)?);
            }
            "old_api_secret_key" => {
                old_key = Secret::new(tx.vault().open(SecretOf::Setting(&name), decode(&value)?)?);
            }
            "old_api_secret_key_until" => old_key_until = decode(&value)?,
            "api_addresses" => {
                let networks = Networks::parse(&decode::<String>(&value)?);
                settings.api_addresses =
                    networks.ok_or_else(|| Error::internal("stored addresses cannot be read"))?;
            }
            DEVICE_DIGEST_KEY => {
                settings.device_digest_key =
                    Secret::new(tx.vault().open(SecretOf::Setting(&name), decode(&value)?)?);
            }
            "restrict_api_by_ip" => settings.restrict_api_by_ip = decode(&value)?,
            "xml_api_extension" => settings.xml_api_extension = decode(&value)?,
            "allow_api_login_redirect" => settings.allow_api_login_redirect = decode(&value)?,
            "login_redirect_url" => settings.login_redirect_url = decode(&value)?,
            "disable_hash_checking" => settings.disable_hash_checking = decode(&value)?,
            "api_allow_payments" => settings.api_allow_payments = decode(&value)?,
            "api_allow_registration" => settings.api_allow_registration = decode(&value)?,
            "balance_over_http" => settings.balance_over_http = decode(&value)?,
            "rate_over_http" => settings.rate_over_http = decode(&value)?,
            "conflines_over_api" => settings.conflines_over_api = decode(&value)?,
            "providers_over_api" => settings.providers_over_api = decode(&value)?,
            "show_active_calls_for_users" => {
                settings.show_active_calls_for_users = decode(&value)?;
            }
            "default_taxes" => settings.default_taxes = decode::<TaxPlan>(&value)?,
            "time_zone" => settings.time_zone = time_zone("time_zone", &decode::<String>(&value)?)?,
            "shared_api_key" => settings.shared_api_key = decode(&value)?,
            "login_without_hash" => settings.login_without_hash = decode(&value)?,
            "allow_login_by_email" => settings.allow_login_by_email = decode(&value)?,
            "uniquehash_needs_hash" => settings.uniquehash_needs_hash = decode(&value)?,
            "uniquehash_as_hash" => settings.uniquehash_as_hash = decode(&value)?,
            "resellers_use_admin_tariffs" => {
                settings.resellers_use_admin_tariffs = decode(&value)?;
            }
            "replay_window_seconds" => settings.replay_window_seconds = decode(&value)?,
            "devices_per_user" => settings.devices_per_user = decode(&value)?,
            "emails_per_hour" => settings.emails_per_hour = decode(&value)?,
            // Of a newer version of the program.
            _ => {}
        }
    }
    settings.old_api_secret_key = old_key.map(|key| (key, old_key_until));
    Ok(settings)
}

/// The system's time zone alone, which is no secret: whoever has no encryption key may read it.
pub(crate) async fn system_time_zone(tx: &mut Tx) -> Result<TimeZone> {
    read_time_zone(&tx.fetch_all(asking_for_time_zone()).await?)
}

/// The query of [`system_time_zone`].
pub(crate) fn asking_for_time_zone() -> Query {
    Query::new("SELECT value FROM settings WHERE name = ").value("time_zone")
}

/// What [`asking_for_time_zone`] found.
pub(crate) fn read_time_zone(rows: &[Row]) -> Result<TimeZone> {
    match rows.first() {
        Some(row) => time_zone("time_zone", &decode::<String>(&row.get::<String>(0)?)?),
        None => Ok(Settings::default().time_zone),
    }
}

/// Stores all settings.
pub(crate) async fn write(tx: &mut Tx, settings: &Settings) -> Result<()> {
    let default_taxes = default_taxes(tx, &settings.default_taxes).await?;
    let sealed = |name: &str, secret: Option<&Secret>| {
        let text = secret.map(Secret::as_str).unwrap_or_default();
        encode(&tx.vault().seal(SecretOf::Setting(name), text)?)
    };
    let old_key = settings.old_api_secret_key.as_ref();
    let rows = [
        ("allow_api", encode(&settings.allow_api)?),
        ("allow_get_api", encode(&settings.allow_get_api)?),
        ("api_secret_key", sealed("api_secret_key", settings.api_secret_key.as_ref())?),
        ("old_api_secret_key", sealed("old_api_secret_key", old_key.map(|(key, _)| key))?),
        ("old_api_secret_key_until", encode(&old_key.map_or(0, |(_, until)| *until))?),
        ("api_addresses", encode(&settings.api_addresses.to_string())?),
        ("restrict_api_by_ip", encode(&settings.restrict_api_by_ip)?),
        ("xml_api_extension", encode(&settings.xml_api_extension)?),
        ("allow_api_login_redirect", encode(&settings.allow_api_login_redirect)?),
        ("login_redirect_url", encode(&settings.login_redirect_url)?),
        ("disable_hash_checking", encode(&settings.disable_hash_checking)?),
        ("api_allow_payments", encode(&settings.api_allow_payments)?),
        ("api_allow_registration", encode(&settings.api_allow_registration)?),
        ("balance_over_http", encode(&settings.balance_over_http)?),
        ("rate_over_http", encode(&settings.rate_over_http)?),
        ("conflines_over_api", encode(&settings.conflines_over_api)?),
        ("providers_over_api", encode(&settings.providers_over_api)?),
        ("show_active_calls_for_users", encode(&settings.show_active_calls_for_users)?),
        ("default_taxes", default_taxes),
        ("time_zone", encode(&settings.time_zone_name())?),
        ("shared_api_key", encode(&settings.shared_api_key)?),
        ("login_without_hash", encode(&settings.login_without_hash)?),
        ("allow_login_by_email", encode(&settings.allow_login_by_email)?),
        ("uniquehash_needs_hash", encode(&settings.uniquehash_needs_hash)?),
        ("uniquehash_as_hash", encode(&settings.uniquehash_as_hash)?),
        ("resellers_use_admin_tariffs", encode(&settings.resellers_use_admin_tariffs)?),
        ("replay_window_seconds", encode(&settings.replay_window_seconds)?),
        ("devices_per_user", encode(&settings.devices_per_user)?),
        ("emails_per_hour", encode(&settings.emails_per_hour)?),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![Value::from(name), Value::from(value)]);
    let query = Query::new("INSERT INTO settings (name, value) VALUES ")
        .rows(rows)
        .and(" ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    tx.execute(query).await?;
    Ok(())
}

/// The default taxes as they are to be stored: as they are where they do not change, for a later
/// version may have written more into them.
async fn default_taxes(tx: &mut Tx, taxes: &TaxPlan) -> Result<String> {
    let query = Query::new("SELECT value FROM settings WHERE name = ").value("default_taxes");
    if let Some(row) = tx.fetch_optional(query).await? {
        let stored: String = row.get(0)?;
        if decode::<TaxPlan>(&stored)? == *taxes {
            return Ok(stored);
        }
    }
    encode(taxes)
}

/// Seals again what another key has sealed, or none.
pub(crate) async fn reseal(tx: &mut Tx) -> Result<()> {
    let query = Query::new("SELECT name, value FROM settings WHERE name IN ").list([
        "api_secret_key",
        "old_api_secret_key",
        DEVICE_DIGEST_KEY,
    ]);
    for row in tx.fetch_all(query).await? {
        let (name, value): (String, String) = (row.get(0)?, row.get(1)?);
        if let Some(sealed) =
            tx.vault().resealed(SecretOf::Setting(&name), &decode::<String>(&value)?)?
        {
            let sealed = encode(&sealed)?;
            // Unless somebody has changed it meanwhile.
            let query = Query::new("UPDATE settings SET value = $1 WHERE name = $2 AND value = $3");
            tx.execute(query.bind(sealed).bind(name).bind(value)).await?;
        }
    }
    Ok(())
}

/// The setting, not the operator's, with which digests of devices' credentials are made: a random key,
/// so that they stay as they are when the encryption key is another.
const DEVICE_DIGEST_KEY: &str = "device_digest_key";

/// The key for digests of devices' credentials, which is made where there is none. The catalog must be
/// locked for a change.
pub(crate) async fn device_digest_key(tx: &mut Tx) -> Result<Secret> {
    if let Some(key) = all(tx).await?.device_digest_key {
        return Ok(key);
    }
    let key = hex::encode(rand::random::<[u8; 32]>());
    let sealed = encode(&tx.vault().seal(SecretOf::Setting(DEVICE_DIGEST_KEY), &key)?)?;
    let row = vec![Value::from(DEVICE_DIGEST_KEY), Value::from(sealed)];
    tx.execute(Query::new("INSERT INTO settings (name, value) VALUES ").rows([row])).await?;
    Secret::new(key).ok_or_else(|| Error::internal("a random key is empty"))
}

/// The setting, not the operator's, that says under which key the files of the database were
/// rid of what it seals.
const SCRUBBED_FOR: &str = "scrubbed_for";

/// Under which encryption key the files of the database were rid of what it seals.
pub(crate) async fn scrubbed_for(db: &Db) -> Result<Option<String>> {
    let query = Query::new("SELECT value FROM settings WHERE name = ").value(SCRUBBED_FOR);
    let row = db.fetch_optional(query).await?;
    row.map(|row| decode(&row.get::<String>(0)?)).transpose()
}

/// Remembers that.
pub(crate) async fn set_scrubbed_for(db: &Db, fingerprint: &str) -> Result<()> {
    let mut tx = db.begin().await?;
    let row = vec![Value::from(SCRUBBED_FOR), Value::from(encode(&fingerprint)?)];
    let query = Query::new("INSERT INTO settings (name, value) VALUES ")
        .rows([row])
        .and(" ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    tx.execute(query).await?;
    tx.commit().await
}

fn encode(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))
}

fn decode<T: DeserializeOwned>(value: &str) -> Result<T> {
    serde_json::from_str(value).map_err(|_| Error::internal("a stored setting cannot be read"))
}
