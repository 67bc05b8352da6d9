//! Providers: connection points to which calls go, with what of them no point has
//! (`docs/rules/routing.md#providers`).

mod record;
mod rules;
mod service;
pub(crate) mod store;

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, ErrorReason};

pub(crate) use service::Service;

use crate::{
    access::Principal,
    error::{Error, Result},
    fault::Fault,
    ids::{PointId, TariffId, UserId},
    points::Points,
};

pub(crate) const NOT_FOUND: Fault =
    Fault::not_found(ErrorReason::ProviderNotFound, "no such provider");
const NAME_TAKEN: Fault =
    Fault::taken(ErrorReason::ProviderNameTaken, "another provider of the owner has this name");
pub(crate) const IN_USE: Fault = Fault::refused(
    ErrorReason::ProviderInUse,
    "calls went to the provider, or an LCR has it: it can only be hidden",
);
const RULE_NOT_FOUND: Fault =
    Fault::not_found(ErrorReason::ProviderRuleNotFound, "no such rule of a provider");

/// A provider, without its password.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) id: PointId,
    pub(crate) owner: UserId,
    /// Without what is its point's.
    message: pb::Provider,
    /// By ascending id.
    rules: Vec<pb::ProviderRule>,
    /// What they do to numbers, in the same order.
    number_rules: Vec<pb::NumberRule>,
}

impl Provider {
    /// Whose it is: the admin's, or a reseller's.
    pub(crate) fn owner(&self) -> UserId {
        self.owner
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        &self.message.name
    }

    /// The tariff by which a reseller pays for calls over it; none: he may not use it in common.
    pub(crate) fn common_tariff(&self, reseller: UserId) -> Option<TariffId> {
        let mut uses = self.message.common_uses.iter();
        let own = uses.find(|common| common.reseller_id() == reseller.0)?;
        Some(TariffId(own.tariff_id()))
    }

    /// Whether calls of an owner's users may go to it: it is his, or in common use with him.
    pub(crate) fn serves(&self, owner: UserId) -> bool {
        self.owner == owner || self.common_tariff(owner).is_some()
    }

    /// Whether the caller may change it.
    fn is_managed_by(&self, caller: &Principal) -> Result<bool> {
        Ok(caller.scope().is_staff_wide() || self.owner == caller.user()?.id)
    }

    /// Whether the caller may see that it is there.
    pub(crate) fn is_visible_to(&self, caller: &Principal) -> Result<bool> {
        Ok(self.is_managed_by(caller)? || self.serves(caller.user()?.id))
    }

    /// As the caller may see it: of one in common use a reseller is told what it is to him.
    fn to_proto(&self, caller: &Principal, points: &Points) -> Result<pb::Provider> {
        if self.is_managed_by(caller)? {
            let point = points.by_id(self.id).ok_or(NOT_FOUND)?;
            return Ok(record::complete(self.message.clone(), &point.to_proto()));
        }
        let tariff = self.common_tariff(caller.user()?.id);
        Ok(pb::Provider {
            id: Some(self.id.0),
            owner_id: self.owner.0,
            name: self.message.name.clone(),
            tech: self.message.tech,
            tariff_id: tariff.map(|tariff| tariff.0),
            ..Default::default()
        })
    }
}

/// All providers, by ascending id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Providers(Vec<Arc<Provider>>);

impl Providers {
    pub(crate) fn by_id(&self, id: PointId) -> Option<&Arc<Provider>> {
        let index = self.0.binary_search_by_key(&id, |provider| provider.id).ok()?;
        self.0.get(index)
    }

    /// The provider of an id, if the caller may see it.
    pub(crate) fn visible(&self, caller: &Principal, id: PointId) -> Result<&Arc<Provider>> {
        let provider = self.by_id(id).ok_or(NOT_FOUND)?;
        if provider.is_visible_to(caller)? { Ok(provider) } else { Err(NOT_FOUND.into()) }
    }

    /// The provider of an id, if the caller may change it. One that he may only see is not there.
    fn managed(&self, caller: &Principal, id: PointId) -> Result<&Arc<Provider>> {
        let provider = self.by_id(id).ok_or(NOT_FOUND)?;
        if provider.is_managed_by(caller)? { Ok(provider) } else { Err(NOT_FOUND.into()) }
    }
}

/// Checks that a tariff is one of an owner's by which providers are paid.
fn check_tariff(
    tariffs: &crate::tariffs::Tariffs,
    owner: UserId,
    id: TariffId,
    field: &'static str,
) -> Result<()> {
    let tariff = tariffs.by_id(id)?;
    if tariff.owner != owner {
        return Err(Error::TariffNotFound);
    }
    match tariff.purpose == crate::tariffs::Purpose::Provider {
        true => Ok(()),
        false => Err(Error::invalid(field, "is no tariff for providers")),
    }
}
