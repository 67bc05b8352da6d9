//! By whose settings of the API a legacy request is judged: by those of the reseller or partner to
//! whom its caller belongs, or who is the caller; else by the operator's alone.

use crate::{
    catalog::Snapshot,
    clock,
    error::{Error, Result},
    ids::UserId,
    settings::{Secret, owners::OwnerSettings},
    users::Identity,
};

/// Whose settings count beside the operator's.
#[derive(Clone, Copy)]
pub(super) enum Judge<'a> {
    /// Nobody's.
    Operator,
    /// Those of an owner.
    Owner(&'a OwnerSettings),
}

impl<'a> Judge<'a> {
    /// The judge of a caller's requests. The API is off for an owner's users until he allows it.
    pub(super) fn of(snapshot: &'a Snapshot, caller: &Identity) -> Result<Self> {
        let owner = if caller.role.is_owner() { caller.id } else { caller.owner };
        if owner == UserId::ADMIN {
            return Ok(Self::Operator);
        }
        let settings = snapshot.owner_settings.get(&owner).filter(|settings| settings.allow_api);
        settings.map(Self::Owner).ok_or(Error::ApiDisabled)
    }

    /// Whether hashes are not checked.
    pub(super) fn checks_nothing(self, snapshot: &Snapshot) -> bool {
        match self {
            Self::Operator => snapshot.settings.disable_hash_checking,
            Self::Owner(settings) => settings.disable_hash_checking,
        }
    }

    /// The secret keys that a hash may have been made with, where such count at all.
    pub(super) fn keys(self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Secret> {
        let settings = Some(&snapshot.settings).filter(|settings| settings.shared_api_key);
        let (operator, owner) = match self {
            Self::Operator => (settings, None),
            Self::Owner(owner) => (None, settings.and(owner.api_secret_key.as_ref())),
        };
        operator
            .into_iter()
            .flat_map(|settings| settings.api_secret_keys(clock::now()))
            .chain(owner)
    }
}
