//! Manager groups: which permissions managers have (`docs/rules/users-and-payments.md#managers`).

mod service;
pub(crate) mod store;

use tollbook_proto::v1::{self as pb, Permission};

pub(crate) use service::Service;

use crate::ids::ManagerGroupId;

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Permissions(u64);

impl Permissions {
    pub(crate) fn contains(self, permission: Permission) -> bool {
        self.0 & Self::bit(permission) != 0
    }

    fn bit(permission: Permission) -> u64 {
        1 << (permission as i32).unsigned_abs().min(63)
    }

    fn iter(self) -> impl Iterator<Item = Permission> {
        (1..64)
            .filter_map(|number| Permission::try_from(number).ok())
            .filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, permission| set | Self::bit(permission)))
    }
}

/// A manager group.
#[derive(Clone, Debug)]
pub(crate) struct ManagerGroup {
    pub(crate) id: ManagerGroupId,
    name: String,
    comment: String,
    pub(crate) permissions: Permissions,
}

impl ManagerGroup {
    fn to_proto(&self) -> pb::ManagerGroup {
        pb::ManagerGroup {
            id: Some(self.id.0),
            name: self.name.clone(),
            comment: self.comment.clone(),
            permissions: self.permissions.iter().map(i32::from).collect(),
        }
    }
}

/// All manager groups, by ascending id.
#[derive(Clone, Debug)]
pub(crate) struct ManagerGroups(Vec<ManagerGroup>);

impl ManagerGroups {
    pub(crate) fn by_id(&self, id: ManagerGroupId) -> Option<&ManagerGroup> {
        self.0.iter().find(|group| group.id == id)
    }
}
