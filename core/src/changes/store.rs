//! The audit log in the database.

use tollbook_proto::v1 as pb;

use super::{Change, Origin};
use crate::{
    clock,
    error::Result,
    store::{Db, Insert, Query, Row, Tx, Value},
};

const COLUMNS: &[&str] = &[
    "id",
    "created_at",
    "actor_id",
    "credential",
    "address",
    "rpc",
    "legacy_method",
    "request_id",
    "resource",
    "before",
    "after",
    "note",
];

pub(super) async fn insert<'a>(
    tx: &mut Tx,
    now: i64,
    changes: impl Iterator<Item = (i64, &'a (&'a Origin, Change))>,
) -> Result<()> {
    let row = |(id, (origin, change)): (i64, &'a (&'a Origin, Change))| -> Vec<Value> {
        vec![
            id.into(),
            now.into(),
            origin.actor.map(|user| user.0).into(),
            origin.credential.to_string().into(),
            origin.address.map(|address| address.to_string()).unwrap_or_default().into(),
            (&*origin.rpc).into(),
            origin.legacy_method.as_str().into(),
            (&*origin.request_id).into(),
            change.resource.to_string().into(),
            change.before.as_str().into(),
            change.after.as_str().into(),
            (&*change.note).into(),
        ]
    };
    let rows = changes.map(row).collect();
    tx.queue(Insert { table: "changes", columns: COLUMNS, rows, on_conflict: "" }).await
}

/// Which changes a list shows.
pub(super) struct Filter<'a> {
    pub(super) actor: Option<i64>,
    pub(super) resource: &'a str,
    /// From when until when, in microseconds.
    pub(super) period: (i64, i64),
    pub(super) before: i64,
    pub(super) limit: i64,
}

/// Changes, newest first.
pub(super) async fn list(db: &Db, filter: &Filter<'_>) -> Result<Vec<pb::Change>> {
    let mut query = Query::new(
        "SELECT id, created_at, actor_id, credential, address, rpc, legacy_method, request_id, \
         resource, before, after, note FROM changes WHERE id < ",
    )
    .value(filter.before)
    .and(" AND created_at >= ")
    .value(filter.period.0)
    .and(" AND created_at <= ")
    .value(filter.period.1);
    if let Some(actor) = filter.actor {
        query = query.and(" AND actor_id = ").value(actor);
    }
    if !filter.resource.is_empty() {
        query = query.and(" AND resource = ").value(filter.resource);
    }
    let query = query.and(" ORDER BY id DESC LIMIT ").value(filter.limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<pb::Change> {
    Ok(pb::Change {
        id: row.get(0)?,
        created_at: Some(clock::to_proto(row.get(1)?)),
        actor_id: row.get(2)?,
        credential: row.get(3)?,
        address: row.get(4)?,
        rpc: row.get(5)?,
        legacy_method: row.get(6)?,
        request_id: row.get(7)?,
        resource: row.get(8)?,
        before: row.get(9)?,
        after: row.get(10)?,
        note: row.get(11)?,
    })
}
