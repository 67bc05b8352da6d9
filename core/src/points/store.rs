//! Connection points in the database.

use super::{Origination, Point, Points, Termination};
use crate::{
    error::Result,
    ids::{PointId, TariffId, UserId},
    store::{Query, Row, Tx, Value},
};

fn read(row: &Row) -> Result<Point> {
    let is_origination: bool = row.get(3)?;
    let is_termination: bool = row.get(8)?;
    Ok(Point {
        id: PointId(row.get(0)?),
        user: UserId(row.get(1)?),
        description: row.get(2)?,
        origination: match is_origination {
            false => None,
            true => Some(Origination {
                active: row.get(4)?,
                tariff: TariffId(row.get(5)?),
                custom_tariff: TariffId(row.get(6)?),
                capacity: row.get(7)?,
            }),
        },
        termination: match is_termination {
            false => None,
            true => Some(Termination {
                active: row.get(9)?,
                tariff: TariffId(row.get(10)?),
                capacity: row.get(11)?,
            }),
        },
    })
}

/// All points.
pub(crate) async fn all(tx: &mut Tx) -> Result<Points> {
    let query = Query::new(
        "SELECT id, user_id, description, op, op_active, op_tariff_id, op_custom_tariff_id, \
         op_capacity, tp, tp_active, tp_tariff_id, tp_capacity FROM connection_points ORDER BY id",
    );
    let rows = tx.fetch_all(query).await?;
    Ok(Points(rows.iter().map(read).collect::<Result<_>>()?))
}

/// Stores a point, over the one with its id.
pub(super) async fn write(tx: &mut Tx, point: &Point) -> Result<()> {
    let (op, tp) = (point.origination, point.termination);
    let none = TariffId(0);
    let values: Vec<Value> = vec![
        point.id.into(),
        point.user.into(),
        point.description.as_str().into(),
        op.is_some().into(),
        op.is_some_and(|op| op.active).into(),
        op.map_or(none, |op| op.tariff).into(),
        op.map_or(none, |op| op.custom_tariff).into(),
        op.map_or(0, |op| op.capacity).into(),
        tp.is_some().into(),
        tp.is_some_and(|tp| tp.active).into(),
        tp.map_or(none, |tp| tp.tariff).into(),
        tp.map_or(0, |tp| tp.capacity).into(),
    ];
    delete(tx, point.id).await?;
    let query = Query::new(
        "INSERT INTO connection_points (id, user_id, description, op, op_active, op_tariff_id, \
         op_custom_tariff_id, op_capacity, tp, tp_active, tp_tariff_id, tp_capacity) VALUES ",
    )
    .rows([values]);
    tx.execute(query).await?;
    Ok(())
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
