//! CLIs in the database. Calls look them up by their number or domain, each in an index.

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

use crate::{
    access::Scope,
    clock,
    error::Result,
    ids::{CliId, PointId, UserId},
    store::{Db, Query, Row, Tx, Value},
    stored,
};

const COLUMNS: &str = "SELECT c.id, c.point_id, p.user_id, d.username, d.settings, c.number, \
                       c.domain, c.description, c.comment, c.banned, c.created_at, c.updated_at \
                       FROM clis c JOIN devices d ON d.point_id = c.point_id \
                       JOIN connection_points p ON p.id = c.point_id \
                       JOIN users u ON u.id = p.user_id WHERE u.deleted_at IS NULL";

/// What names a CLI.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    Id(CliId),
    Number(&'a str),
    Domain(&'a str),
}

/// Which CLIs a list shows.
pub(super) struct Filter {
    pub(super) scope: Scope,
    pub(super) user: Option<UserId>,
    pub(super) device: Option<PointId>,
    pub(super) after: Option<i64>,
    pub(super) limit: i64,
}

fn read(row: &Row) -> Result<pb::Cli> {
    let device: pb::Device = stored::read(&row.get::<String>(4)?)?;
    Ok(pb::Cli {
        id: Some(row.get(0)?),
        device_id: Some(row.get(1)?),
        user_id: Some(row.get(2)?),
        device_type: device.r#type,
        device_username: row.get(3)?,
        number: row.get(5)?,
        domain: row.get(6)?,
        description: row.get(7)?,
        comment: row.get(8)?,
        banned: row.get(9)?,
        created_at: Some(clock::to_proto(row.get(10)?)),
        updated_at: Some(clock::to_proto(row.get(11)?)),
    })
}

/// CLIs by ascending id.
pub(super) async fn list(db: &Db, filter: &Filter) -> Result<Vec<pb::Cli>> {
    let mut query = filter.scope.condition(Query::new(COLUMNS), "u");
    if let Some(user) = filter.user {
        query = query.and(" AND p.user_id = ").value(user);
    }
    if let Some(device) = filter.device {
        query = query.and(" AND c.point_id = ").value(device);
    }
    if let Some(after) = filter.after {
        query = query.and(" AND c.id > ").value(after);
    }
    let query = query.and(" ORDER BY c.id LIMIT ").value(filter.limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// A CLI; `None` if there is none of this name.
pub(super) async fn get(tx: &mut Tx, named: Named<'_>) -> Result<Option<pb::Cli>> {
    let query = Query::new(COLUMNS);
    let query = match named {
        Named::Id(id) => query.and(" AND c.id = ").value(id),
        Named::Number(number) => query.and(" AND c.number <> '' AND c.number = ").value(number),
        Named::Domain(domain) => query.and(" AND c.domain <> '' AND c.domain = ").value(domain),
    };
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(super) async fn insert(tx: &mut Tx, cli: &pb::Cli, now: i64) -> Result<()> {
    let values: Vec<Value> = vec![
        cli.id().into(),
        cli.device_id().into(),
        cli.number.as_str().into(),
        cli.domain.as_str().into(),
        cli.description.as_str().into(),
        cli.comment.as_str().into(),
        cli.banned.into(),
        now.into(),
        now.into(),
    ];
    let query = Query::new(
        "INSERT INTO clis (id, point_id, number, domain, description, comment, banned, created_at, \
         updated_at) VALUES ",
    );
    tx.execute(query.rows([values])).await.map(drop)
}

pub(super) async fn update(tx: &mut Tx, cli: &pb::Cli, now: i64) -> Result<()> {
    let query = Query::new(
        "UPDATE clis SET description = $1, comment = $2, banned = $3, updated_at = $4 \
         WHERE id = $5",
    )
    .bind(cli.description.as_str())
    .bind(cli.comment.as_str())
    .bind(cli.banned)
    .bind(now)
    .bind(cli.id());
    tx.execute(query).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: CliId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM clis WHERE id = ").value(id)).await.map(drop)
}

/// Whether a device has a CLI that is banned.
pub(in crate::devices) async fn has_banned(tx: &mut Tx, device: PointId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM clis WHERE banned AND point_id = ").value(device);
    Ok(tx.fetch_optional(query.and(" LIMIT 1")).await?.is_some())
}

const CALLERS: &str = "SELECT c.number, c.point_id, p.user_id, u.owner_id, c.banned FROM clis c \
                       JOIN connection_points p ON p.id = c.point_id \
                       JOIN users u ON u.id = p.user_id";

/// The device that a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) device: PointId,
    user: UserId,
    owner: UserId,
    pub(crate) banned: bool,
}

impl Caller {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            device: PointId(row.get(1)?),
            user: UserId(row.get(2)?),
            owner: UserId(row.get(3)?),
            banned: row.get(4)?,
        })
    }

    /// Whether he may call through a trunk of a user: one of somebody else's customer has none of his
    /// callers, whatever CLIs are given to them.
    pub(crate) fn is_of_trunk(&self, user: UserId, owner: UserId) -> bool {
        self.user == user || self.owner == owner
    }
}

/// The devices that have some numbers as their CLIs.
pub(crate) async fn callers(
    db: &Db,
    numbers: impl IntoIterator<Item = &str>,
) -> Result<HashMap<String, Caller>> {
    let numbers = numbers.into_iter().map(Value::from);
    let query = Query::new(CALLERS).and(" WHERE c.number <> '' AND c.number IN ").list(numbers);
    let rows = db.fetch_all(query).await?;
    rows.iter().map(|row| Ok((row.get(0)?, Caller::read(row)?))).collect()
}

/// The device that has a number or a domain as its CLI, of those whose calls may come from where they
/// do; the number counts first.
pub(crate) async fn caller(
    db: &Db,
    number: &str,
    domain: &str,
    is_admitted: impl Fn(&Caller) -> bool,
) -> Result<Option<Caller>> {
    for (text, condition) in [
        (number, " WHERE c.number <> '' AND c.number = "),
        (domain, " WHERE c.domain <> '' AND c.domain = "),
    ] {
        if text.is_empty() {
            continue;
        }
        let query = Query::new(CALLERS).and(condition).value(text);
        let caller = db.fetch_optional(query).await?.as_ref().map(Caller::read).transpose()?;
        if let Some(caller) = caller.filter(&is_admitted) {
            return Ok(Some(caller));
        }
    }
    Ok(None)
}
