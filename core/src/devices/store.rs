//! Devices in the database: what their connection points do not have.

use tollbook_proto::v1 as pb;

use super::credentials::digest;
use crate::{
    access::Scope,
    error::{Error, Result},
    ids::{PointId, UserId},
    resource::SecretOf,
    settings::{self, Secret},
    store::{Db, Query, Row, Tx, Value},
    stored, vault,
};

const COLUMNS: &str = "SELECT d.point_id, d.username, d.settings, d.password, d.pin, p.user_id, \
                       NOT EXISTS (SELECT 1 FROM connection_points q \
                       JOIN devices o ON o.point_id = q.id \
                       WHERE q.user_id = p.user_id AND q.id < p.id) \
                       FROM devices d JOIN connection_points p ON p.id = d.point_id \
                       JOIN users u ON u.id = p.user_id WHERE u.deleted_at IS NULL";

/// Which devices a list shows.
pub(super) struct Filter {
    pub(super) scope: Scope,
    pub(super) user: Option<UserId>,
    pub(super) after: Option<i64>,
    pub(super) without_blocked: bool,
    pub(super) limit: i64,
}

/// The part of a device that its row has; `with_credentials` says whether the password and the PIN
/// are among it.
fn read(tx: &Tx, row: &Row, with_credentials: bool) -> Result<pb::Device> {
    let id = PointId(row.get(0)?);
    let device: pb::Device = stored::read(&row.get::<String>(2)?)?;
    let (mut password, mut pin) = (String::new(), None);
    if with_credentials {
        password = tx.vault().open(SecretOf::DevicePassword(id), row.get(3)?)?;
        pin = Some(tx.vault().open(SecretOf::DevicePin(id), row.get(4)?)?);
    }
    Ok(pb::Device {
        id: Some(id.0),
        user_id: Some(row.get(5)?),
        username: row.get(1)?,
        primary: row.get(6)?,
        password,
        pin,
        ..device
    })
}

/// Devices by ascending id.
pub(super) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    with_credentials: bool,
) -> Result<Vec<pb::Device>> {
    let mut query = filter.scope.condition(Query::new(COLUMNS), "u");
    if let Some(user) = filter.user {
        query = query.and(" AND p.user_id = ").value(user);
    }
    if let Some(after) = filter.after {
        query = query.and(" AND d.point_id > ").value(after);
    }
    if filter.without_blocked {
        query = query.and(" AND p.op_active");
    }
    let query = query.and(" ORDER BY d.point_id LIMIT ").value(filter.limit);
    let rows = tx.fetch_all(query).await?;
    rows.iter().map(|row| read(tx, row, with_credentials)).collect()
}

/// The device of a point; `None` if that is none.
pub(super) async fn get(
    tx: &mut Tx,
    id: PointId,
    with_credentials: bool,
) -> Result<Option<pb::Device>> {
    let query = Query::new(COLUMNS).and(" AND d.point_id = ").value(id);
    let row = tx.fetch_optional(query).await?;
    row.as_ref().map(|row| read(tx, row, with_credentials)).transpose()
}

/// Whose a device is; `None` if there is no such device.
pub(super) async fn user_of(tx: &mut Tx, id: PointId) -> Result<Option<UserId>> {
    let query = Query::new(
        "SELECT p.user_id FROM devices d JOIN connection_points p ON p.id = d.point_id \
         WHERE d.point_id = ",
    );
    tx.fetch_optional(query.value(id)).await?.map(|row| row.get(0).map(UserId)).transpose()
}

/// The same, and the device stays until the end of the transaction.
pub(super) async fn lock(tx: &mut Tx, id: PointId) -> Result<Option<UserId>> {
    let lock = tx.lock_clause();
    let query = Query::new("SELECT 1 FROM devices WHERE point_id = ").value(id).and(lock);
    match tx.fetch_optional(query).await? {
        Some(_) => user_of(tx, id).await,
        None => Ok(None),
    }
}

/// The device of a user name.
pub(super) async fn id_of(tx: &mut Tx, username: &str) -> Result<Option<PointId>> {
    let query = Query::new("SELECT point_id FROM devices WHERE username = ").value(username);
    tx.fetch_optional(query).await?.map(|row| row.get(0).map(PointId)).transpose()
}

/// Something that a device is known by, and no other is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'a> {
    Username(&'a str),
    Password(&'a str),
    Pin(&'a str),
}

const HOLDERS: &str = "SELECT d.point_id FROM devices d JOIN connection_points p ON p.id = d.point_id \
                       JOIN users u ON u.id = p.user_id WHERE ";

impl Known<'_> {
    pub(super) fn is_empty(&self) -> bool {
        let (Self::Username(text) | Self::Password(text) | Self::Pin(text)) = self;
        text.is_empty()
    }

    /// A query of the devices that have it.
    fn holders(self, key: &Secret) -> Result<Query> {
        let query = Query::new(HOLDERS);
        Ok(match self {
            Self::Username(name) => query.and("d.username = ").value(name),
            Self::Password(text) => query.and("d.password_digest = ").value(digest(key, text)?),
            Self::Pin(text) => query.and("d.pin_digest = ").value(digest(key, text)?),
        })
    }
}

/// Whether any device has it. The catalog must be locked for a change.
pub(super) async fn is_held(tx: &mut Tx, known: Known<'_>) -> Result<bool> {
    let key = settings::store::device_digest_key(tx).await?;
    let query = known.holders(&key)?.and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether somebody's device has it who is not in a scope.
pub(super) async fn is_held_outside(
    db: &Db,
    key: &Secret,
    known: Known<'_>,
    scope: Scope,
) -> Result<bool> {
    let query = known.holders(key)?.and(" AND NOT (u.deleted_at IS NULL");
    let query = scope.condition(query, "u").and(") LIMIT 1");
    Ok(db.fetch_optional(query).await?.is_some())
}

/// Whether another device has a PIN that belongs to somebody of the same owner. Who dials in is looked for
/// among the devices of whose number it is; that others' devices have the PIN is not to be told.
async fn has_pin(tx: &mut Tx, digest: &str, but: PointId) -> Result<bool> {
    let query = Query::new(HOLDERS)
        .and("u.deleted_at IS NULL AND d.pin_digest = ")
        .value(digest)
        .and(" AND d.point_id <> ")
        .value(but)
        .and(
            " AND u.owner_id = (SELECT o.owner_id FROM users o JOIN connection_points q \
             ON q.user_id = o.id WHERE q.id = ",
        )
        .value(but)
        .and(") LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// How many devices a user has.
pub(super) async fn count_of(tx: &mut Tx, user: UserId) -> Result<i64> {
    let query = Query::new(
        "SELECT COUNT(*) FROM devices d JOIN connection_points p ON p.id = d.point_id \
         WHERE p.user_id = ",
    );
    tx.fetch_optional(query.value(user)).await?.map_or(Ok(0), |row| row.get(0))
}

/// Stores a device, over the one of its point. One without a password keeps the one that it has, and
/// one whose PIN is not set that. The catalog must be locked for the change.
pub(super) async fn write(tx: &mut Tx, device: &pb::Device) -> Result<()> {
    let id = PointId(device.id());
    let before = get(tx, id, true).await?.unwrap_or_default();
    let password = match device.password.as_str() {
        "" => before.password.as_str(),
        password => password,
    };
    let pin = device.pin.as_deref().unwrap_or(before.pin());
    let key = settings::store::device_digest_key(tx).await?;
    if id_of(tx, &device.username).await?.is_some_and(|known| known != id) {
        return Err(Error::DeviceUsernameTaken);
    }
    let pin_digest = if pin.is_empty() { None } else { Some(digest(&key, pin)?) };
    if let Some(digest) = &pin_digest
        && has_pin(tx, digest, id).await?
    {
        return Err(Error::PinTaken);
    }
    let values: Vec<Value> = vec![
        id.into(),
        device.username.as_str().into(),
        tx.vault().seal(SecretOf::DevicePassword(id), password)?.into(),
        digest(&key, password)?.into(),
        tx.vault().seal(SecretOf::DevicePin(id), pin)?.into(),
        written(tx, id, device).await?.into(),
    ];
    let query = Query::new(
        "INSERT INTO devices (point_id, username, password, password_digest, pin, settings) VALUES ",
    )
    .rows([values])
    .and(
        " ON CONFLICT (point_id) DO UPDATE SET username = excluded.username, \
         password = excluded.password, password_digest = excluded.password_digest, \
         pin = excluded.pin, settings = excluded.settings",
    );
    tx.execute(query).await?;
    let query = match pin_digest {
        Some(digest) => {
            Query::new("UPDATE devices SET pin_digest = $1 WHERE point_id = $2").bind(digest)
        }
        None => Query::new("UPDATE devices SET pin_digest = NULL WHERE point_id = $1"),
    };
    tx.execute(query.bind(id)).await.map(drop)
}

/// The JSON of what of a device neither columns nor its point have, with what of the stored one this
/// version does not know.
async fn written(tx: &mut Tx, id: PointId, device: &pb::Device) -> Result<String> {
    let rest = pb::Device {
        r#type: device.r#type,
        description: device.description.clone(),
        signaling: device.signaling.clone(),
        legacy_columns: device.legacy_columns.clone(),
        ..Default::default()
    };
    let query = Query::new("SELECT settings FROM devices WHERE point_id = ").value(id);
    match tx.fetch_optional(query).await? {
        None => stored::written(&rest),
        Some(row) => stored::rewritten(&rest, &row.get::<String>(0)?),
    }
}

const USERS: &str = "SELECT DISTINCT p.user_id FROM devices d \
                     JOIN connection_points p ON p.id = d.point_id \
                     JOIN users u ON u.id = p.user_id WHERE u.deleted_at IS NULL AND ";

/// Whose a device is, by its user name.
pub(super) async fn user_by_username(db: &Db, username: &str) -> Result<Option<UserId>> {
    let query = Query::new(USERS).and("d.username = ").value(username);
    db.fetch_optional(query).await?.map(|row| row.get(0).map(UserId)).transpose()
}

/// Whose the devices are that have a password; `None` if several users' have it: nobody guesses which is
/// meant.
pub(super) async fn user_by_password(
    db: &Db,
    key: Option<&Secret>,
    password: &str,
) -> Result<Option<UserId>> {
    let Some(key) = key else { return Ok(None) };
    let digest = digest(key, password)?;
    let query = Query::new(USERS).and("d.password_digest = ").value(digest).and(" LIMIT 2");
    match &db.fetch_all(query).await?[..] {
        [row] => Ok(Some(UserId(row.get(0)?))),
        _ => Ok(None),
    }
}

/// Seals again what another key has sealed, or none.
pub(crate) async fn reseal(tx: &mut Tx) -> Result<()> {
    let Some(key) = tx.vault().fingerprint() else { return Ok(()) };
    let current = format!("{}{key}:%", vault::SEALED);
    let query = Query::new(
        "SELECT point_id, password, pin FROM devices WHERE password NOT LIKE $1 \
         OR (pin <> '' AND pin NOT LIKE $2)",
    );
    for row in tx.fetch_all(query.bind(current.clone()).bind(current)).await? {
        let (id, password, pin): (_, String, String) =
            (PointId(row.get(0)?), row.get(1)?, row.get(2)?);
        let sealed =
            tx.vault().resealed(SecretOf::DevicePassword(id), &password)?.unwrap_or(password);
        let sealed_pin = tx.vault().resealed(SecretOf::DevicePin(id), &pin)?.unwrap_or(pin);
        let query = Query::new("UPDATE devices SET password = $1, pin = $2 WHERE point_id = $3");
        tx.execute(query.bind(sealed).bind(sealed_pin).bind(id)).await?;
    }
    Ok(())
}
