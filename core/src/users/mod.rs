//! Users: who they are, what they may see, and the many columns that describe them
//! (`docs/rules/users-and-payments.md#users`).

mod confirmation;
pub(crate) mod directory;
mod legacy_columns;
pub(crate) mod ownership;
pub(crate) mod record;
mod registration;
mod service;
pub(crate) mod store;
pub(crate) mod taxes;
mod uniquehash;

use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    ids::{ApiPermissionGroupId, CurrencyId, ManagerGroupId, TariffId, UserId},
};

/// What a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Admin,
    Manager,
    /// Owns users, to whom he sells what he buys of the operator or a partner.
    Reseller,
    /// Owns resellers and users.
    Partner,
    User,
}

impl Role {
    /// All of them.
    const ALL: [Self; 5] = [Self::Admin, Self::Manager, Self::Reseller, Self::Partner, Self::User];

    /// Whether it is that of the operator's own people.
    pub(crate) fn is_staff(self) -> bool {
        matches!(self, Self::Admin | Self::Manager)
    }

    /// Whether users of this role may own others.
    pub(crate) fn is_owner(self) -> bool {
        matches!(self, Self::Reseller | Self::Partner)
    }

    /// Whether users of another role may own those of this one.
    fn may_be_owned_by(self, owner: Self) -> bool {
        match self {
            Self::User => owner.is_owner(),
            Self::Reseller => owner == Self::Partner,
            Self::Admin | Self::Manager | Self::Partner => false,
        }
    }

    /// The role of a message; none where it is unspecified.
    pub(crate) fn from_proto(number: i32) -> Option<Self> {
        match pb::Role::try_from(number) {
            Ok(pb::Role::Admin) => Some(Self::Admin),
            Ok(pb::Role::Manager) => Some(Self::Manager),
            Ok(pb::Role::Reseller) => Some(Self::Reseller),
            Ok(pb::Role::Partner) => Some(Self::Partner),
            Ok(pb::Role::User) => Some(Self::User),
            Ok(pb::Role::Unspecified) | Err(_) => None,
        }
    }

    pub(crate) fn to_proto(self) -> pb::Role {
        match self {
            Self::Admin => pb::Role::Admin,
            Self::Manager => pb::Role::Manager,
            Self::Reseller => pb::Role::Reseller,
            Self::Partner => pb::Role::Partner,
            Self::User => pb::Role::User,
        }
    }

    /// The role as the database and the legacy API name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Reseller => "reseller",
            Self::Partner => "partner",
            Self::User => "user",
        }
    }

    pub(crate) fn from_name(name: &str) -> Result<Self> {
        Self::ALL
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
    /// The reseller or partner whose he is; the admin: nobody else's.
    pub(crate) owner: UserId,
    /// The partner whose reseller the owner is, likewise.
    pub(crate) owner_of_owner: UserId,
    pub(crate) responsible_manager: UserId,
    pub(crate) manager_group: ManagerGroupId,
    pub(crate) show_only_assigned_users: bool,
    /// "API restricted": what they may do, by the API permission group; 0: nothing. `None`: they are not
    /// restricted.
    pub(crate) api_restriction: Option<ApiPermissionGroupId>,
    pub(crate) currency: CurrencyId,
    pub(crate) tariff: TariffId,
    /// Grows with every change of the user.
    pub(crate) version: i64,
    pub(crate) deleted: bool,
}
