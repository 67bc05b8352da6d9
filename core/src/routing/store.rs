//! LCRs in the database: what their routing groups do not have.

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::v1 as pb;

use super::{Lcr, Lcrs};
use crate::{
    error::Result,
    ids::RoutingGroupId,
    store::{Query, Row, Tx, Value},
    stored,
};

const COLUMNS: &str = "SELECT l.group_id, l.owner_id, g.name, l.failover_provider_id, l.settings \
                       FROM lcrs l JOIN routing_groups g ON g.id = l.group_id ORDER BY l.group_id";

fn read(row: &Row) -> Result<pb::Lcr> {
    let settings: pb::Lcr = stored::read(&row.get::<String>(4)?)?;
    Ok(pb::Lcr {
        id: Some(row.get(0)?),
        owner_id: row.get(1)?,
        name: row.get(2)?,
        failover_provider_id: row.get::<Option<i64>>(3)?.unwrap_or_default(),
        ..settings
    })
}

/// All LCRs, with their providers.
pub(crate) async fn all(tx: &mut Tx) -> Result<Lcrs> {
    let rows = tx.fetch_all(Query::new(COLUMNS)).await?;
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let query = Query::new(
        "SELECT lcr_id, provider_id, priority, percent FROM lcr_providers \
         ORDER BY lcr_id, priority, provider_id",
    );
    let mut members: HashMap<i64, Vec<pb::LcrProvider>> = HashMap::new();
    for row in tx.fetch_all(query).await? {
        let member = pb::LcrProvider {
            provider_id: Some(row.get(1)?),
            priority: i32::try_from(row.get::<i64>(2)?).unwrap_or(i32::MAX),
            percent: Some(pb::Decimal { value: row.get(3)? }),
        };
        members.entry(row.get(0)?).or_default().push(member);
    }
    for lcr in &mut all {
        lcr.providers = members.remove(&lcr.id()).unwrap_or_default();
    }
    Ok(Lcrs(all.into_iter().map(|lcr| Arc::new(Lcr::new(lcr))).collect()))
}

/// Whether a routing group is an LCR.
pub(crate) async fn is_lcr(tx: &mut Tx, id: RoutingGroupId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM lcrs WHERE group_id = ").value(id);
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Stores an LCR whose routing group is there, over the one with its id, and its providers. The catalog must
/// be locked for the change.
pub(super) async fn write(tx: &mut Tx, lcr: &pb::Lcr) -> Result<()> {
    let rest = pb::Lcr {
        order: lcr.order,
        no_failover: lcr.no_failover,
        first_provider_percent_limit: lcr.first_provider_percent_limit.clone(),
        minimal_rate_margin_percent: lcr.minimal_rate_margin_percent.clone(),
        allow_loss_calls: lcr.allow_loss_calls,
        ..Default::default()
    };
    let query = Query::new("SELECT settings FROM lcrs WHERE group_id = ").value(lcr.id());
    let settings = match tx.fetch_optional(query).await? {
        None => stored::written(&rest)?,
        Some(row) => stored::rewritten(&rest, &row.get::<String>(0)?)?,
    };
    let failover = (lcr.failover_provider_id != 0).then_some(lcr.failover_provider_id);
    let values: Vec<Value> =
        vec![lcr.id().into(), lcr.owner_id.into(), failover.into(), settings.into()];
    let query =
        Query::new("INSERT INTO lcrs (group_id, owner_id, failover_provider_id, settings) VALUES ")
            .rows([values])
            .and(
                " ON CONFLICT (group_id) DO UPDATE SET settings = excluded.settings, \
                 failover_provider_id = excluded.failover_provider_id",
            );
    tx.execute(query).await?;
    tx.execute(Query::new("DELETE FROM lcr_providers WHERE lcr_id = ").value(lcr.id())).await?;
    if lcr.providers.is_empty() {
        return Ok(());
    }
    let rows = lcr.providers.iter().map(|member| {
        let percent = member.percent.clone().unwrap_or_default().value;
        let priority = i64::from(member.priority);
        vec![lcr.id().into(), member.provider_id().into(), priority.into(), percent.into()]
    });
    let query =
        Query::new("INSERT INTO lcr_providers (lcr_id, provider_id, priority, percent) VALUES ");
    tx.execute(query.rows(rows)).await.map(drop)
}

pub(super) async fn delete(tx: &mut Tx, id: RoutingGroupId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM lcrs WHERE group_id = ").value(id)).await.map(drop)
}
