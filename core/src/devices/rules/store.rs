//! Device rules in the database.

use tollbook_proto::v1 as pb;

use crate::{
    error::{Error, Result},
    ids::{DeviceRuleId, PointId},
    store::{Db, Query, Row, Tx, Value},
};

const COLUMNS: &str = "SELECT id, point_id, name, disabled, cut, added, min_length, max_length, \
                       kind, change_caller_name FROM device_rules";

fn read(row: &Row) -> Result<pb::DeviceRule> {
    let number = |index| Ok::<_, Error>(i32::try_from(row.get::<i64>(index)?).unwrap_or(i32::MAX));
    let rule = pb::NumberRule {
        name: row.get(2)?,
        disabled: row.get(3)?,
        cut: row.get(4)?,
        add: row.get(5)?,
        min_length: number(6)?,
        max_length: number(7)?,
        kind: number(8)?,
        change_caller_name: row.get(9)?,
    };
    Ok(pb::DeviceRule { id: Some(row.get(0)?), device_id: Some(row.get(1)?), rule: Some(rule) })
}

/// Rules of a device after an id, by ascending id; without a limit all of them.
pub(super) async fn list(
    db: &Db,
    device: PointId,
    after: Option<i64>,
    limit: Option<i64>,
) -> Result<Vec<pb::DeviceRule>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE point_id = ")
        .value(device)
        .and(" AND id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" ORDER BY id");
    let query = match limit {
        Some(limit) => query.and(" LIMIT ").value(limit),
        None => query,
    };
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// A rule.
///
/// # Errors
/// There is no such rule.
pub(super) async fn get(tx: &mut Tx, id: DeviceRuleId) -> Result<pb::DeviceRule> {
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id);
    read(&tx.fetch_optional(query).await?.ok_or(Error::DeviceRuleNotFound)?)
}

pub(super) async fn write(tx: &mut Tx, device_rule: &pb::DeviceRule) -> Result<()> {
    let rule = device_rule.rule.clone().unwrap_or_default();
    let values: Vec<Value> = vec![
        device_rule.id().into(),
        device_rule.device_id().into(),
        rule.name.into(),
        rule.disabled.into(),
        rule.cut.into(),
        rule.add.into(),
        i64::from(rule.min_length).into(),
        i64::from(rule.max_length).into(),
        i64::from(rule.kind).into(),
        rule.change_caller_name.into(),
    ];
    let query = Query::new(
        "INSERT INTO device_rules (id, point_id, name, disabled, cut, added, min_length, \
         max_length, kind, change_caller_name) VALUES ",
    )
    .rows([values])
    .and(
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name, disabled = excluded.disabled, \
         cut = excluded.cut, added = excluded.added, min_length = excluded.min_length, \
         max_length = excluded.max_length, kind = excluded.kind, \
         change_caller_name = excluded.change_caller_name",
    );
    tx.execute(query).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: DeviceRuleId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM device_rules WHERE id = ").value(id)).await.map(drop)
}
