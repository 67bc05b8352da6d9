//! Users: who they are, what they may see, and the many columns that describe them
//! (`docs/rules/users-and-payments.md#users`).

pub(crate) mod directory;
mod legacy_columns;
pub(crate) mod record;
mod service;
pub(crate) mod store;
pub(crate) mod taxes;
mod uniquehash;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    ids::{CurrencyId, ManagerGroupId, TariffId, UserId},
};

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Manager,
    User,
}

impl Role {
    /// The role of a message; none where it is unspecified.
    pub(crate) fn from_proto(number: i32) -> Option<Self> {
        match pb::Role::try_from(number) {
            Ok(pb::Role::Admin) => Some(Self::Admin),
            Ok(pb::Role::Manager) => Some(Self::Manager),
            Ok(pb::Role::User) => Some(Self::User),
            Ok(pb::Role::Unspecified) | Err(_) => None,
        }
    }

    pub(crate) fn to_proto(self) -> pb::Role {
        match self {
            Self::Admin => pb::Role::Admin,
            Self::Manager => pb::Role::Manager,
            Self::User => pb::Role::User,
        }
    }

    /// The role as the database and the legacy API name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::User => "user",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self> {
        [Self::Admin, Self::Manager, Self::User]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| Error::internal("a stored user has an unknown role"))
    }
}

/// The few facts of a user that nearly every request needs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: UserId,
    pub(crate) username: String,
    pub(crate) role: Role,
    pub(crate) responsible_manager: UserId,
    pub(crate) manager_group: ManagerGroupId,
    pub(crate) show_only_assigned_users: bool,
    pub(crate) currency: CurrencyId,
    pub(crate) tariff: TariffId,
    /// Grows with every change of the user.
    pub(crate) version: i64,
    pub(crate) deleted: bool,
}
