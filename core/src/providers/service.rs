//! `ProvidersService`.

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, Permission, providers_service_server::ProvidersService};
use tonic::{Request, Response, Status};

use super::{
    IN_USE, NAME_TAKEN, NOT_FOUND, Provider, RULE_NOT_FOUND, check_tariff, record, rules, store,
};
use crate::{
    access::{Principal, principal},
    calls,
    catalog::Snapshot,
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, PointId, ProviderRuleId, TariffId, UserId},
    paging::Page,
    points,
    resource::Resource,
    store::{Sequence, Tx},
    tariffs,
    users::{self, Role},
};

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn list(
        &self,
        caller: &Principal,
        request: &pb::ListProvidersRequest,
    ) -> Result<pb::ListProvidersResponse> {
        check_credentials(caller, request.with_credentials)?;
        let snapshot = self.0.catalog.load_full();
        let own = owner_of(caller)?;
        let mut shown: Vec<&Arc<Provider>> = Vec::new();
        for provider in &snapshot.providers.0 {
            let is_own = !request.own || provider.owner == own;
            if is_own && provider.is_visible_to(caller)? {
                shown.push(provider);
            }
        }
        let page = Page::of(request)?;
        let (shown, next_page_token) = page.of_sorted(shown.into_iter(), |one| one.id.0)?;
        let providers = self.told(caller, &snapshot, &shown, request.with_credentials).await?;
        Ok(pb::ListProvidersResponse { providers, next_page_token })
    }

    /// Checks that legacy requests, whose hash is that of the key alone, may change providers.
    fn check_legacy(&self, caller: &Principal) -> Result<()> {
        let is_on = self.0.catalog.load().settings.providers_over_api;
        if caller.is_legacy() && !is_on { Err(Error::FeatureDisabled) } else { Ok(()) }
    }

    /// Some providers as the caller may see them.
    async fn told(
        &self,
        caller: &Principal,
        snapshot: &Snapshot,
        providers: &[&Arc<Provider>],
        with_credentials: bool,
    ) -> Result<Vec<pb::Provider>> {
        let told = providers.iter().map(|provider| provider.to_proto(caller, &snapshot.points));
        let mut told = told.collect::<Result<Vec<_>>>()?;
        if !with_credentials || self.check_legacy(caller).is_err() {
            return Ok(told);
        }
        let mut tx = self.0.db.snapshot().await?;
        let mut passwords = store::passwords(&mut tx, providers.iter().map(|one| one.id)).await?;
        for (provider, told) in providers.iter().zip(&mut told) {
            if provider.is_managed_by(caller)? {
                told.password = passwords.remove(&provider.id).unwrap_or_default();
            }
        }
        Ok(told)
    }

    async fn create(&self, caller: &Principal, provider: pb::Provider) -> Result<pb::Provider> {
        self.check_legacy(caller)?;
        let owner = owner_of(caller)?;
        let of_owner = pb::Provider { id: None, owner_id: owner.0, ..provider };
        let mut provider = record::checked(of_owner)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let is_pro = owner == UserId::ADMIN
            || users::ownership::is_pro(&users::store::get(&mut tx, owner).await?);
        if !is_pro {
            return Err(Error::RoleDenied);
        }
        self.check_references(&mut tx, &provider, None).await?;
        let password = std::mem::take(&mut provider.password);
        let point = points::insert(&mut tx, record::point_of(&provider, None)).await?;
        provider = record::complete(provider, &point);
        store::write(&mut tx, &provider, Some(&password)).await?;
        let id = PointId(provider.id());
        tx.commit(Change::creation(Resource::Provider(id), &provider)?).await?;
        Ok(provider)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: &pb::UpdateProviderRequest,
    ) -> Result<pb::Provider> {
        let id = request.provider.as_ref().and_then(|provider| provider.id);
        let id = ids::required::<PointId>("provider.id", id)?;
        self.check_legacy(caller)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let (before, point) = managed(&mut tx, caller, id).await?;
        let mut provider = record::changed(&before, request)?;
        let password = std::mem::take(&mut provider.password);
        let is_set =
            request.update_mask.iter().flat_map(|mask| &mask.paths).any(|path| path == "password");
        self.check_references(&mut tx, &provider, Some(&before)).await?;
        store::write(&mut tx, &provider, is_set.then_some(&password)).await?;
        let after = record::point_of(&provider, Some(&point));
        if after != point {
            points::replace(&mut tx, &point, after).await?;
        }
        let note = if is_set { "password changed" } else { "" };
        tx.commit(Change::of(Resource::Provider(id), &before, &provider)?.note(note)).await?;
        Ok(provider)
    }

    async fn delete(&self, caller: &Principal, id: PointId) -> Result<()> {
        self.check_legacy(caller)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let (provider, point) = managed(&mut tx, caller, id).await?;
        let is_routed_to = store::is_in_lcr(&mut tx, id).await?;
        if is_routed_to || calls::store::went_to(&mut tx, UserId(provider.owner_id), id).await? {
            return Err(IN_USE.into());
        }
        points::remove(&mut tx, &point).await?;
        tx.commit(Change::deletion(Resource::Provider(id), &provider)?).await
    }

    /// Checks that the name is free, and that what a provider refers to is there: of what it had before,
    /// nobody asks again.
    async fn check_references(
        &self,
        tx: &mut Tx,
        provider: &pb::Provider,
        before: Option<&pb::Provider>,
    ) -> Result<()> {
        let owner = UserId(provider.owner_id);
        let own_id = before.map(|before| PointId(before.id()));
        if store::is_named(tx, owner, &provider.name, own_id).await? {
            return Err(NAME_TAKEN.into());
        }
        let tariffs = tariffs::store::all(tx).await?;
        if before.is_none_or(|before| before.tariff_id != provider.tariff_id) {
            let tariff = TariffId(provider.tariff_id());
            check_tariff(&tariffs, owner, tariff, "provider.tariff_id")?;
        }
        let known = before.map(|before| before.common_uses.as_slice()).unwrap_or_default();
        for common in provider.common_uses.iter().filter(|common| !known.contains(common)) {
            let reseller = self.0.directory.by_id(UserId(common.reseller_id())).await?;
            if reseller.is_none_or(|user| user.role != Role::Reseller) {
                return Err(Error::UserNotFound);
            }
            let tariff = tariffs.by_id(TariffId(common.tariff_id()))?;
            if tariff.owner != UserId::ADMIN {
                return Err(Error::TariffNotFound);
            }
        }
        Ok(())
    }

    async fn create_rule(
        &self,
        caller: &Principal,
        rule: pb::ProviderRule,
    ) -> Result<pb::ProviderRule> {
        let mut rule = rules::checked(rule)?;
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let id = PointId(rule.provider_id());
        let provider = store::all(&mut tx).await?.managed(caller, id)?.clone();
        if rule.tariff_id != 0 {
            let tariffs = tariffs::store::all(&mut tx).await?;
            let tariff = TariffId(rule.tariff_id);
            check_tariff(&tariffs, provider.owner, tariff, "provider_rule.tariff_id")?;
        }
        rule.id = Some(tx.next_id(Sequence::ProviderRules).await?);
        store::insert_rule(&mut tx, &rule).await?;
        let resource = Resource::ProviderRule(ProviderRuleId(rule.id()));
        tx.commit(Change::creation(resource, &rule)?).await?;
        Ok(rule)
    }

    async fn delete_rule(&self, caller: &Principal, id: ProviderRuleId) -> Result<()> {
        let mut tx = self.0.begin_catalog_change(caller.origin()).await?;
        let rule = store::rule(&mut tx, id).await?.ok_or(RULE_NOT_FOUND)?;
        let provider = PointId(rule.provider_id());
        store::all(&mut tx).await?.managed(caller, provider).map_err(|_| RULE_NOT_FOUND)?;
        store::delete_rule(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::ProviderRule(id), &rule)?).await
    }
}

/// Whose the providers are that a caller creates.
fn owner_of(caller: &Principal) -> Result<UserId> {
    Ok(if caller.scope().is_staff_wide() { UserId::ADMIN } else { caller.user()?.id })
}

/// A provider that the caller may change, and its point, as they are now.
async fn managed(
    tx: &mut Tx,
    caller: &Principal,
    id: PointId,
) -> Result<(pb::Provider, pb::ConnectionPoint)> {
    let provider = store::all(tx).await?.managed(caller, id)?.message.clone();
    let point = points::store::messages(tx, [id]).await?.remove(&id).ok_or(NOT_FOUND)?;
    Ok((record::complete(provider, &point), point))
}

/// Checks that a caller may see credentials, where they are asked for.
fn check_credentials(caller: &Principal, asked: bool) -> Result<()> {
    match asked && !caller.has(Permission::ConnectionPointsManage) {
        true => Err(Error::PermissionMissing),
        false => Ok(()),
    }
}

#[tonic::async_trait]
impl ProvidersService for Service {
    async fn list_providers(
        &self,
        request: Request<pb::ListProvidersRequest>,
    ) -> Result<Response<pb::ListProvidersResponse>, Status> {
        let caller = principal(&request)?;
        Ok(Response::new(self.list(&caller, request.get_ref()).await?))
    }

    async fn get_provider(
        &self,
        request: Request<pb::GetProviderRequest>,
    ) -> Result<Response<pb::GetProviderResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.get_ref();
        check_credentials(&caller, request.with_credentials)?;
        let snapshot = self.0.catalog.load_full();
        let id = ids::required::<PointId>("id", request.id)?;
        let provider = snapshot.providers.visible(&caller, id)?;
        let told = self.told(&caller, &snapshot, &[provider], request.with_credentials).await?;
        Ok(Response::new(pb::GetProviderResponse { provider: told.into_iter().next() }))
    }

    async fn create_provider(
        &self,
        request: Request<pb::CreateProviderRequest>,
    ) -> Result<Response<pb::CreateProviderResponse>, Status> {
        let caller = principal(&request)?;
        let provider = request.into_inner().provider.unwrap_or_default();
        let provider = Some(self.create(&caller, provider).await?);
        Ok(Response::new(pb::CreateProviderResponse { provider }))
    }

    async fn update_provider(
        &self,
        request: Request<pb::UpdateProviderRequest>,
    ) -> Result<Response<pb::UpdateProviderResponse>, Status> {
        let caller = principal(&request)?;
        let provider = Some(self.update(&caller, request.get_ref()).await?);
        Ok(Response::new(pb::UpdateProviderResponse { provider }))
    }

    async fn delete_provider(
        &self,
        request: Request<pb::DeleteProviderRequest>,
    ) -> Result<Response<pb::DeleteProviderResponse>, Status> {
        let caller = principal(&request)?;
        self.delete(&caller, ids::required::<PointId>("id", request.get_ref().id)?).await?;
        Ok(Response::new(pb::DeleteProviderResponse {}))
    }

    async fn list_provider_rules(
        &self,
        request: Request<pb::ListProviderRulesRequest>,
    ) -> Result<Response<pb::ListProviderRulesResponse>, Status> {
        let caller = principal(&request)?;
        let request = request.get_ref();
        let id = ids::required::<PointId>("provider_id", request.provider_id)?;
        let snapshot = self.0.catalog.load_full();
        let rules = snapshot.providers.managed(&caller, id)?.rules.clone();
        let page = Page::of(request)?;
        let (provider_rules, next_page_token) =
            page.of_sorted(rules.into_iter(), pb::ProviderRule::id)?;
        Ok(Response::new(pb::ListProviderRulesResponse { provider_rules, next_page_token }))
    }

    async fn create_provider_rule(
        &self,
        request: Request<pb::CreateProviderRuleRequest>,
    ) -> Result<Response<pb::CreateProviderRuleResponse>, Status> {
        let caller = principal(&request)?;
        let rule = request.into_inner().provider_rule.unwrap_or_default();
        let provider_rule = Some(self.create_rule(&caller, rule).await?);
        Ok(Response::new(pb::CreateProviderRuleResponse { provider_rule }))
    }

    async fn delete_provider_rule(
        &self,
        request: Request<pb::DeleteProviderRuleRequest>,
    ) -> Result<Response<pb::DeleteProviderRuleResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<ProviderRuleId>("id", request.get_ref().id)?;
        self.delete_rule(&caller, id).await?;
        Ok(Response::new(pb::DeleteProviderRuleResponse {}))
    }
}
