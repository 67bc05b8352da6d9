//! Whose tariffs are, who may see and change them, and to whom they may be given.

use super::{Purpose, Tariff, Tariffs};
use crate::{
    access::Principal,
    error::{Error, Result},
    ids::{TariffId, UserId},
    settings::Settings,
    users::{Identity, Role},
};

impl Tariff {
    /// Whether it is one of the admin's that resellers and partners may give to their users.
    fn is_shared(&self, settings: &Settings) -> bool {
        settings.resellers_use_admin_tariffs
            && self.owner == UserId::ADMIN
            && self.purpose == Purpose::UserWholesale
    }

    /// Whether an owner's users may have it: it is his, or one of the admin's that others may use.
    fn may_be_given(&self, owner: UserId, settings: &Settings) -> bool {
        self.owner == owner || self.is_shared(settings)
    }

    /// Whether a user may see it: what he pays by, and what is his.
    fn is_visible_to(&self, user: &Identity, settings: &Settings) -> bool {
        match user.role {
            Role::Admin | Role::Manager => true,
            Role::Reseller | Role::Partner => {
                self.id == user.tariff || self.owner == user.id || self.is_shared(settings)
            }
            Role::User => self.id == user.tariff,
        }
    }
}

impl Tariffs {
    /// The tariffs that the caller may see.
    pub(super) fn visible<'a>(
        &'a self,
        caller: &'a Principal,
        settings: &'a Settings,
    ) -> Result<impl Iterator<Item = &'a Tariff>> {
        let user = caller.user()?;
        Ok(self.0.iter().filter(move |tariff| tariff.is_visible_to(user, settings)))
    }

    /// The tariffs that are the caller's; a manager's are the admin's.
    pub(super) fn owned<'a>(
        &'a self,
        caller: &Principal,
    ) -> Result<impl Iterator<Item = &'a Tariff> + use<'a>> {
        let user = caller.user()?;
        let owner = if user.role.is_staff() { UserId::ADMIN } else { user.id };
        Ok(self.0.iter().filter(move |tariff| tariff.owner == owner))
    }

    /// The tariff of an id, if the caller may see it.
    pub(crate) fn visible_by_id(
        &self,
        caller: &Principal,
        settings: &Settings,
        id: TariffId,
    ) -> Result<&Tariff> {
        let tariff = self.by_id(id)?;
        match tariff.is_visible_to(caller.user()?, settings) {
            true => Ok(tariff),
            false => Err(Error::TariffNotFound),
        }
    }

    /// Checks that the caller may give a tariff to one of an owner's: it is the owner's, or one of
    /// the admin's that others may use.
    pub(crate) fn check_given(
        &self,
        caller: &Principal,
        settings: &Settings,
        owner: UserId,
        id: TariffId,
        field: &'static str,
    ) -> Result<()> {
        let tariff = self.visible_by_id(caller, settings, id)?;
        match tariff.may_be_given(owner, settings) {
            true => Ok(()),
            false => Err(Error::invalid(field, "is a tariff of somebody else than the owner")),
        }
    }

    /// Checks that an owner's new users may have a tariff: it is his, or one of the admin's that others
    /// may use.
    pub(crate) fn check_default(
        &self,
        settings: &Settings,
        owner: UserId,
        id: TariffId,
    ) -> Result<()> {
        match self.by_id(id)?.may_be_given(owner, settings) {
            true => Ok(()),
            false => Err(Error::TariffNotFound),
        }
    }

    /// The tariff of an id, if the caller may change it: resellers and partners their own.
    pub(super) fn changeable(
        &self,
        caller: &Principal,
        settings: &Settings,
        id: TariffId,
    ) -> Result<&Tariff> {
        let tariff = self.visible_by_id(caller, settings, id)?;
        let user = caller.user()?;
        match user.role.is_staff() || tariff.owner == user.id {
            true => Ok(tariff),
            false => Err(Error::RoleDenied),
        }
    }
}
