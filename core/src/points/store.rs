//! Connection points in the database.
//!
//! What lists and joins use are columns; the rest of a point is one JSON document, in the
//! form of the contract's own message, as users have it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1 as pb;

use super::{Point, Points};
use crate::{
    error::Result,
    ids::{PointId, PoolId, RoutingGroupId, UserId},
    store::{Query, Row, Tx, Value},
    stored,
};

fn number(row: &Row, index: usize) -> Result<i32> {
    Ok(i32::try_from(row.get::<i64>(index)?).unwrap_or(i32::MAX))
}

fn read(row: &Row) -> Result<Point> {
    let rest: pb::ConnectionPoint = stored::read(&row.get::<String>(12)?)?;
    let origination = match row.get(3)? {
        false => None,
        true => Some(pb::OriginationPoint {
            active: row.get(4)?,
            tariff_id: row.get(5)?,
            custom_tariff_id: row.get(6)?,
            capacity: number(row, 7)?,
            ..rest.origination.unwrap_or_default()
        }),
    };
    let termination = match row.get(8)? {
        false => None,
        true => Some(pb::TerminationPoint {
            active: row.get(9)?,
            tariff_id: row.get(10)?,
            capacity: number(row, 11)?,
            ..rest.termination.unwrap_or_default()
        }),
    };
    Point::new(pb::ConnectionPoint {
        id: Some(row.get(0)?),
        user_id: Some(row.get(1)?),
        description: row.get(2)?,
        origination,
        termination,
        ..rest
    })
}

const COLUMNS: &str = "SELECT id, user_id, description, op, op_active, op_tariff_id, \
                       op_custom_tariff_id, op_capacity, tp, tp_active, tp_tariff_id, \
                       tp_capacity, settings FROM connection_points";

/// One point.
pub(super) async fn get(tx: &mut Tx, id: PointId) -> Result<Option<Point>> {
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// The messages of some points.
pub(crate) async fn messages(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = PointId>,
) -> Result<HashMap<PointId, pb::ConnectionPoint>> {
    let query = Query::new(COLUMNS).and(" WHERE id IN ").list(ids);
    let rows = tx.fetch_all(query).await?;
    rows.iter().map(|row| read(row).map(|point| (point.id, point.message))).collect()
}

/// All points, given those of an earlier revision of the catalog: only what was written since
/// is read.
pub(crate) async fn since(tx: &mut Tx, known: &Points, revision: i64) -> Result<Points> {
    let query = Query::new(COLUMNS).and(" WHERE revision > ").value(revision).and(" ORDER BY id");
    let rows = tx.fetch_all(query).await?;
    let written = rows.iter().map(|row| Ok(Arc::new(read(row)?))).collect::<Result<Vec<_>>>()?;
    let all = known.with(written);
    let count = tx.fetch_optional(Query::new("SELECT COUNT(*) FROM connection_points")).await?;
    let count: i64 = count.map_or(Ok(0), |row| row.get(0))?;
    if i64::try_from(all.0.len()) == Ok(count) {
        return Ok(all);
    }
    // Some are gone.
    let rows = tx.fetch_all(Query::new("SELECT id FROM connection_points")).await?;
    let ids = rows.iter().map(|row| Ok(PointId(row.get(0)?))).collect::<Result<HashSet<_>>>()?;
    Ok(Points(all.0.into_iter().filter(|point| ids.contains(&point.id)).collect()))
}

/// Stores a point, over the one with its id. The catalog must be locked for the change.
pub(super) async fn write(tx: &mut Tx, point: &Point) -> Result<()> {
    let mut rest = point.message.clone();
    (rest.id, rest.user_id) = (None, None);
    let description = std::mem::take(&mut rest.description);
    let sides = (rest.origination.is_some(), rest.termination.is_some());
    let op = rest.origination.clone().unwrap_or_default();
    let tp = rest.termination.clone().unwrap_or_default();
    if let Some(op) = &mut rest.origination {
        (op.active, op.tariff_id, op.custom_tariff_id, op.capacity) = (false, 0, 0, 0);
    }
    if let Some(tp) = &mut rest.termination {
        (tp.active, tp.tariff_id, tp.capacity) = (false, 0, 0);
    }
    let settings = written(tx, point.id, &rest).await?;
    let values: Vec<Value> = vec![
        point.id.into(),
        point.user.into(),
        description.into(),
        sides.0.into(),
        op.active.into(),
        op.tariff_id.into(),
        op.custom_tariff_id.into(),
        i64::from(op.capacity).into(),
        sides.1.into(),
        tp.active.into(),
        tp.tariff_id.into(),
        i64::from(tp.capacity).into(),
        settings.into(),
    ];
    // Never deleted and made anew: the device that it may be would go with it.
    let query = Query::new(
        "INSERT INTO connection_points (id, user_id, description, op, op_active, op_tariff_id, \
         op_custom_tariff_id, op_capacity, tp, tp_active, tp_tariff_id, tp_capacity, settings) \
         VALUES ",
    )
    .rows([values])
    .and(
        " ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, \
         description = excluded.description, op = excluded.op, op_active = excluded.op_active, \
         op_tariff_id = excluded.op_tariff_id, op_custom_tariff_id = excluded.op_custom_tariff_id, \
         op_capacity = excluded.op_capacity, tp = excluded.tp, tp_active = excluded.tp_active, \
         tp_tariff_id = excluded.tp_tariff_id, tp_capacity = excluded.tp_capacity, \
         settings = excluded.settings",
    );
    tx.execute(query).await?;
    let query = Query::new(
        "UPDATE connection_points SET revision = (SELECT revision FROM revisions WHERE id = 1) \
         WHERE id = ",
    );
    tx.execute(query.value(point.id)).await?;
    Ok(())
}

/// The settings of a point, with what of those that it has this version does not know.
async fn written(tx: &mut Tx, id: PointId, rest: &pb::ConnectionPoint) -> Result<String> {
    let query = Query::new("SELECT settings FROM connection_points WHERE id = ").value(id);
    match tx.fetch_optional(query).await? {
        None => stored::written(rest),
        Some(row) => stored::rewritten(rest, &row.get::<String>(0)?),
    }
}

pub(super) async fn delete(tx: &mut Tx, id: PointId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM connection_points WHERE id = ").value(id)).await?;
    Ok(())
}

/// Deletes the points of a user.
pub(crate) async fn delete_of(tx: &mut Tx, user: UserId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM connection_points WHERE user_id = ").value(user)).await?;
    Ok(())
}

/// Whether a point takes its caller ids from a pool.
pub(crate) async fn use_pool(tx: &mut Tx, pool: PoolId) -> Result<bool> {
    mention(tx, format!("\"numberPoolId\":\"{pool}\"")).await
}

/// Whether a point has a routing group.
pub(crate) async fn use_routing_group(tx: &mut Tx, group: RoutingGroupId) -> Result<bool> {
    mention(tx, format!("\"routingGroupId\":\"{group}\"")).await
}

/// Whether a point's settings, JSON in which 64-bit numbers are texts, have this in them.
/// Quotes inside of texts are escaped there, so that no text can look like it.
async fn mention(tx: &mut Tx, what: String) -> Result<bool> {
    let query = Query::new("SELECT id FROM connection_points WHERE settings LIKE ")
        .value(format!("%{what}%"))
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}
