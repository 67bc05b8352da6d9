//! Who is calling, and what he may do.
//!
//! [`layer`] authenticates every request and puts a [`Principal`] into it; [`policy`]
//! holds the access rules of the contract. Services ask the principal, never the request,
//! whom it may see.

pub(crate) mod layer;
pub(crate) mod lockout;
mod password;
mod policy;
mod service;
mod sessions;
mod signature;
pub(crate) mod store;
pub(crate) mod tokens;

use std::{net::IpAddr, sync::Arc};

use tollbook_proto::v1::Permission;

pub(crate) use password::Password;
pub(crate) use service::{LegacyService, TokenService};
pub(crate) use sessions::Service as SessionService;

use crate::{
    error::{Error, Result},
    ids::UserId,
    managers::Permissions,
    users::{Identity, Role},
};

/// The authenticated caller of one request.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    caller: Caller,
    via: Via,
    /// Where the request came from, as far as it is known: behind a shim, what the shim says.
    address: Option<IpAddr>,
}

#[derive(Clone, Debug)]
enum Caller {
    User(Arc<Identity>, Permissions),
    /// Nobody in particular: a public rpc, or a legacy request that names no caller.
    Anonymous,
}

/// How a caller came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    /// With a credential of gRPC, or none.
    Grpc,
    /// With a legacy signature.
    Legacy,
}

impl Principal {
    /// The user who calls. Only public and anonymous rpcs have none.
    pub(crate) fn user(&self) -> Result<&Identity> {
        match &self.caller {
            Caller::User(identity, _) => Ok(identity),
            Caller::Anonymous => Err(Error::CredentialsMissing),
        }
    }

    /// Whether the request came with a legacy signature, so that the switches of the
    /// legacy API apply.
    pub(crate) fn is_legacy(&self) -> bool {
        self.via == Via::Legacy
    }

    fn has(&self, permission: Permission) -> bool {
        match &self.caller {
            Caller::User(identity, permissions) => {
                identity.role != Role::Manager || permissions.contains(permission)
            }
            Caller::Anonymous => false,
        }
    }

    /// Whom lists show to the caller.
    pub(crate) fn scope(&self) -> Scope {
        match &self.caller {
            Caller::User(identity, _) => match identity.role {
                Role::Admin => Scope::All,
                Role::Manager if identity.show_only_assigned_users => {
                    Scope::AssignedTo(identity.id)
                }
                Role::Manager => Scope::Customers,
                Role::User => Scope::Only(identity.id),
            },
            // Only rpcs that the contract opens to anonymous legacy requests get here, and
            // those name the user whom they ask for.
            Caller::Anonymous => Scope::All,
        }
    }

    /// The user, if the caller may see him; else the same error as for one who is not there.
    pub(crate) fn see(&self, user: Option<Arc<Identity>>) -> Result<Arc<Identity>> {
        user.filter(|user| self.scope().covers(user)).ok_or(Error::UserNotFound)
    }
}

/// A set of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody.
    All,
    /// All simple users.
    Customers,
    /// Simple users with this responsible manager.
    AssignedTo(UserId),
    /// One user.
    Only(UserId),
}

impl Scope {
    pub(crate) fn covers(self, user: &Identity) -> bool {
        match self {
            Self::All => true,
            Self::Customers => user.role == Role::User,
            Self::AssignedTo(manager) => {
                user.role == Role::User && user.responsible_manager == manager
            }
            Self::Only(id) => user.id == id,
        }
    }
}

/// The principal that the layer put into a request.
pub(crate) fn principal<T>(request: &tonic::Request<T>) -> Result<Principal> {
    request.extensions().get::<Principal>().cloned().ok_or(Error::CredentialsMissing)
}
