//! Who is calling, and what he may do.
//!
//! [`layer`] authenticates every request and puts a [`Principal`] into it; [`policy`]
//! holds the access rules of the contract. Services ask the principal, never the request,
//! whom it may see.

mod admission;
mod binding;
mod claim;
mod disclosure;
pub(crate) mod groups;
pub(crate) mod keys;
pub(crate) mod layer;
pub(crate) mod lockout;
mod owners;
mod password;
mod policy;
mod refusal;
mod scope;
mod service;
mod sessions;
mod signature;
pub(crate) mod store;
pub(crate) mod tokens;

use std::sync::Arc;

use tollbook_proto::v1::Permission;

pub use layer::RPC_IN_PROCESS;
pub(crate) use password::Password;
pub(crate) use refusal::Refusal;
pub(crate) use scope::Level;
pub(crate) use service::{LegacyService, TokenService};
pub(crate) use sessions::Service as SessionService;

use crate::{
    changes::Origin,
    error::{Error, Result},
    ids::UserId,
    managers::Permissions,
    users::{Identity, Role},
};

/// The authenticated caller of one request.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    caller: Caller,
    origin: Arc<Origin>,
    /// By what a repetition of the request is known, and how old what it repeats may be.
    replay: Option<Replay>,
}

/// What makes a repeated legacy request take effect once.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    /// The method and the hash, which holds the values that count.
    pub(crate) key: String,
    /// In seconds.
    pub(crate) window: i32,
}

#[derive(Clone, Debug)]
enum Caller {
    User(Arc<Identity>, Permissions),
    /// Nobody in particular: a public rpc, or a legacy request that names no caller.
    Anonymous,
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
        !self.origin.legacy_method.is_empty()
    }

    /// Whence the request, for the audit log.
    pub(crate) fn origin(&self) -> &Arc<Origin> {
        &self.origin
    }

    /// What makes the request take effect once where it is repeated; none: nothing does.
    pub(crate) fn replay(&self) -> Option<&Replay> {
        self.replay.as_ref()
    }

    /// Whether the caller may do what managers need a permission for.
    pub(crate) fn has(&self, permission: Permission) -> bool {
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
            Caller::User(identity, _) => Scope::of(identity),
            // Only rpcs that the contract opens to anonymous legacy requests get here, and
            // those name the user whom they ask for.
            Caller::Anonymous => Scope::All,
        }
    }

    /// The user, if the caller may see him; else the same error as for one who is not there.
    pub(crate) fn see(&self, user: Option<Arc<Identity>>) -> Result<Arc<Identity>> {
        user.filter(|user| self.scope().covers(user)).ok_or(Error::UserNotFound)
    }

    /// The user, if the caller may change what is his: of those whom he may see, resellers and
    /// partners not themselves.
    pub(crate) fn manage(&self, user: Option<Arc<Identity>>) -> Result<Arc<Identity>> {
        let user = self.see(user)?;
        match self.scope().owner() == Some(user.id) {
            true => Err(Error::RoleDenied),
            false => Ok(user),
        }
    }
}

/// A set of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody.
    All,
    /// All but staff: simple users, resellers and partners.
    Customers,
    /// Those of them with this responsible manager.
    AssignedTo(UserId),
    /// A reseller and his users.
    Owner(UserId),
    /// A partner, his resellers and users, and his resellers' users.
    Partner(UserId),
    /// One user.
    Only(UserId),
}

/// The principal that the layer put into a request.
pub(crate) fn principal<T>(request: &tonic::Request<T>) -> Result<Principal> {
    request.extensions().get::<Principal>().cloned().ok_or(Error::CredentialsMissing)
}

#[cfg(fuzzing)]
pub(crate) mod fuzzing {
    pub(crate) use super::signature::fits_any as fits;
}
