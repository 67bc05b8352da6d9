//! Providers in the database: what their connection points do not have.

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::v1 as pb;

use super::{Provider, Providers};
use crate::{
    error::Result,
    ids::{PointId, ProviderRuleId, UserId},
    resource::SecretOf,
    store::{Query, Row, Tx, Value},
    stored, vault,
};

const COLUMNS: &str = "SELECT point_id, owner_id, name, settings FROM providers";
const RULES: &str = "SELECT id, provider_id, tariff_id, settings FROM provider_rules";
const COMMON_USES: &str = "SELECT provider_id, reseller_id, tariff_id FROM provider_common_uses";

fn read(row: &Row) -> Result<Provider> {
    let (id, owner) = (PointId(row.get(0)?), UserId(row.get(1)?));
    let settings: pb::Provider = stored::read(&row.get::<String>(3)?)?;
    let message = pb::Provider { id: Some(id.0), owner_id: owner.0, name: row.get(2)?, ..settings };
    Ok(Provider { id, owner, message, rules: Vec::new(), number_rules: Vec::new() })
}

fn read_rule(row: &Row) -> Result<pb::ProviderRule> {
    let settings: pb::ProviderRule = stored::read(&row.get::<String>(3)?)?;
    Ok(pb::ProviderRule {
        id: Some(row.get(0)?),
        provider_id: Some(row.get(1)?),
        tariff_id: row.get::<Option<i64>>(2)?.unwrap_or_default(),
        ..settings
    })
}

/// All providers, with their rules and who may use them.
pub(crate) async fn all(tx: &mut Tx) -> Result<Providers> {
    let rows = tx.fetch_all(Query::new(COLUMNS).and(" ORDER BY point_id")).await?;
    let mut all = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let (mut rules, mut uses) = (HashMap::new(), HashMap::new());
    for row in tx.fetch_all(Query::new(RULES).and(" ORDER BY id")).await? {
        let rule = read_rule(&row)?;
        rules.entry(PointId(rule.provider_id())).or_insert_with(Vec::new).push(rule);
    }
    let query = Query::new(COMMON_USES).and(" ORDER BY provider_id, reseller_id");
    for row in tx.fetch_all(query).await? {
        let common =
            pb::ProviderCommonUse { reseller_id: Some(row.get(1)?), tariff_id: Some(row.get(2)?) };
        uses.entry(PointId(row.get(0)?)).or_insert_with(Vec::new).push(common);
    }
    for provider in &mut all {
        provider.set_rules(rules.remove(&provider.id).unwrap_or_default());
        provider.message.common_uses = uses.remove(&provider.id).unwrap_or_default();
    }
    Ok(Providers(all.into_iter().map(Arc::new).collect()))
}

/// The passwords of some providers.
pub(super) async fn passwords(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = PointId>,
) -> Result<HashMap<PointId, String>> {
    let query = Query::new("SELECT point_id, password FROM providers WHERE point_id IN ").list(ids);
    let rows = tx.fetch_all(query).await?;
    let open = |row: &Row| {
        let id = PointId(row.get(0)?);
        Ok((id, tx.vault().open(SecretOf::ProviderPassword(id), row.get(1)?)?))
    };
    rows.iter().map(open).collect()
}

/// Whether another provider of an owner has a name.
pub(super) async fn is_named(
    tx: &mut Tx,
    owner: UserId,
    name: &str,
    but: Option<PointId>,
) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM providers WHERE owner_id = ")
        .value(owner)
        .and(" AND name = ")
        .value(name)
        .and(" AND point_id <> ")
        .value(but.map_or(0, |id| id.0))
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Stores a provider whose point is there, over the one with its id; without a password it keeps the one
/// that it has. The catalog must be locked for the change.
pub(super) async fn write(
    tx: &mut Tx,
    provider: &pb::Provider,
    password: Option<&str>,
) -> Result<()> {
    let id = PointId(provider.id());
    let rest = super::record::rest(provider);
    let query = Query::new("SELECT settings, password FROM providers WHERE point_id = ").value(id);
    let (settings, sealed) = match tx.fetch_optional(query).await? {
        None => (stored::written(&rest)?, String::new()),
        Some(row) => (stored::rewritten(&rest, &row.get::<String>(0)?)?, row.get(1)?),
    };
    let sealed = match password {
        Some(password) => tx.vault().seal(SecretOf::ProviderPassword(id), password)?,
        None => sealed,
    };
    let values: Vec<Value> = vec![
        id.into(),
        provider.owner_id.into(),
        provider.name.as_str().into(),
        sealed.into(),
        settings.into(),
    ];
    let query =
        Query::new("INSERT INTO providers (point_id, owner_id, name, password, settings) VALUES ")
            .rows([values])
            .and(
                " ON CONFLICT (point_id) DO UPDATE SET name = excluded.name, \
                 password = excluded.password, settings = excluded.settings",
            );
    tx.execute(query).await?;
    let query = Query::new("DELETE FROM provider_common_uses WHERE provider_id = ").value(id);
    tx.execute(query).await?;
    if provider.common_uses.is_empty() {
        return Ok(());
    }
    let rows = provider
        .common_uses
        .iter()
        .map(|common| vec![id.into(), common.reseller_id().into(), common.tariff_id().into()]);
    let query = Query::new(
        "INSERT INTO provider_common_uses (provider_id, reseller_id, tariff_id) VALUES ",
    );
    tx.execute(query.rows(rows)).await.map(drop)
}

pub(super) async fn insert_rule(tx: &mut Tx, rule: &pb::ProviderRule) -> Result<()> {
    let rest = pb::ProviderRule { id: None, provider_id: None, tariff_id: 0, ..rule.clone() };
    let tariff = (rule.tariff_id != 0).then_some(rule.tariff_id);
    let values: Vec<Value> = vec![
        rule.id().into(),
        rule.provider_id().into(),
        tariff.into(),
        stored::written(&rest)?.into(),
    ];
    let query =
        Query::new("INSERT INTO provider_rules (id, provider_id, tariff_id, settings) VALUES ");
    tx.execute(query.rows([values])).await.map(drop)
}

/// A rule of whichever provider.
pub(super) async fn rule(tx: &mut Tx, id: ProviderRuleId) -> Result<Option<pb::ProviderRule>> {
    let query = Query::new(RULES).and(" WHERE id = ").value(id);
    tx.fetch_optional(query).await?.as_ref().map(read_rule).transpose()
}

pub(super) async fn delete_rule(tx: &mut Tx, id: ProviderRuleId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM provider_rules WHERE id = ").value(id)).await.map(drop)
}

/// Seals again what another key has sealed, or none.
pub(crate) async fn reseal(tx: &mut Tx) -> Result<()> {
    let Some(key) = tx.vault().fingerprint() else { return Ok(()) };
    let current = format!("{}{key}:%", vault::SEALED);
    let query = Query::new("SELECT point_id, password FROM providers WHERE password NOT LIKE ");
    for row in tx.fetch_all(query.value(current)).await? {
        let (id, password): (_, String) = (PointId(row.get(0)?), row.get(1)?);
        let Some(sealed) = tx.vault().resealed(SecretOf::ProviderPassword(id), &password)? else {
            continue;
        };
        let query = Query::new("UPDATE providers SET password = $1 WHERE point_id = $2");
        tx.execute(query.bind(sealed).bind(id)).await?;
    }
    Ok(())
}

/// Whether an LCR has a provider.
pub(crate) async fn is_in_lcr(tx: &mut Tx, id: PointId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM lcr_providers WHERE provider_id = ")
        .value(id)
        .and(" UNION ALL SELECT 1 FROM lcrs WHERE failover_provider_id = ")
        .value(id)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}
