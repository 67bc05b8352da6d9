//! Whom a caller may see, as a condition of SQL and as a question about one user.
//!
//! Nothing else tells the scopes apart: a list that forgot one would show what it must not. Who has
//! to decide something else by them asks one of the questions here, which answer for every scope.

use super::Scope;
use crate::{
    ids::UserId,
    store::Query,
    users::{Identity, Role},
};

/// A link of the chain of those who pay for calls: each is paid by the one below, and pays the one above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Operator,
    Partner,
    Reseller,
    Customer,
}

impl Scope {
    /// Appends to a condition that a user is covered; `user` is what the query calls the table of
    /// users.
    pub(crate) fn condition(self, query: Query, user: &'static str) -> Query {
        match self {
            Self::All => query,
            Self::Customers => {
                query.and(" AND ").and(user).and(".role NOT IN ('admin', 'manager')")
            }
            Self::AssignedTo(manager) => Self::Customers
                .condition(query, user)
                .and(" AND ")
                .and(user)
                .and(".responsible_manager_id = ")
                .value(manager),
            Self::Owner(reseller) => owned(query.and(" AND ("), user, reseller).and(")"),
            Self::Partner(partner) => owned(query.and(" AND ("), user, partner)
                .and(" OR ")
                .and(user)
                .and(".owner_id IN (SELECT owned.id FROM users owned WHERE owned.owner_id = ")
                .value(partner)
                .and("))"),
            Self::Only(id) => query.and(" AND ").and(user).and(".id = ").value(id),
        }
    }

    /// Whether a user is covered.
    pub(crate) fn covers(self, user: &Identity) -> bool {
        let is_customer = !user.role.is_staff();
        match self {
            Self::All => true,
            Self::Customers => is_customer,
            Self::AssignedTo(manager) => is_customer && user.responsible_manager == manager,
            Self::Owner(reseller) => user.id == reseller || user.owner == reseller,
            Self::Partner(partner) => [user.id, user.owner, user.owner_of_owner].contains(&partner),
            Self::Only(id) => user.id == id,
        }
    }

    /// That of what the program itself asks for.
    pub(crate) const fn any() -> Self {
        Self::All
    }

    /// Of what one owner has to do with, whoever asks for it.
    pub(crate) const fn owned_by(owner: UserId) -> Self {
        Self::Owner(owner)
    }

    /// The scope of a user by what he is.
    pub(super) fn of(user: &Identity) -> Self {
        match user.role {
            Role::Admin => Self::All,
            Role::Manager if user.show_only_assigned_users => Self::AssignedTo(user.id),
            Role::Manager => Self::Customers,
            Role::Reseller => Self::Owner(user.id),
            Role::Partner => Self::Partner(user.id),
            Role::User => Self::Only(user.id),
        }
    }

    /// The one user that it covers; `None` if there are others.
    pub(crate) fn only(self) -> Option<UserId> {
        match self {
            Self::Only(user) => Some(user),
            Self::All
            | Self::Customers
            | Self::AssignedTo(_)
            | Self::Owner(_)
            | Self::Partner(_) => None,
        }
    }

    /// The reseller or partner whose it is: he is covered himself, and changes nothing of his own.
    pub(crate) fn owner(self) -> Option<UserId> {
        match self {
            Self::Owner(owner) | Self::Partner(owner) => Some(owner),
            Self::All | Self::Customers | Self::AssignedTo(_) | Self::Only(_) => None,
        }
    }

    /// Whether it covers all who make calls.
    pub(crate) fn is_staff_wide(self) -> bool {
        match self {
            Self::All | Self::Customers => true,
            Self::AssignedTo(_) | Self::Owner(_) | Self::Partner(_) | Self::Only(_) => false,
        }
    }

    /// Where in the chain of those who pay for calls whoever has it stands.
    pub(crate) fn level(self) -> Level {
        match self {
            Self::All | Self::Customers | Self::AssignedTo(_) => Level::Operator,
            Self::Partner(_) => Level::Partner,
            Self::Owner(_) => Level::Reseller,
            Self::Only(_) => Level::Customer,
        }
    }

    /// Whether it is that of the operator's people, who see where calls go and what that costs.
    pub(crate) fn is_staff(self) -> bool {
        match self {
            Self::All | Self::Customers | Self::AssignedTo(_) => true,
            Self::Owner(_) | Self::Partner(_) | Self::Only(_) => false,
        }
    }
}

/// That a user is somebody, or is owned by them.
fn owned(query: Query, user: &'static str, owner: UserId) -> Query {
    query
        .and(user)
        .and(".id = ")
        .value(owner)
        .and(" OR ")
        .and(user)
        .and(".owner_id = ")
        .value(owner)
}
