//! API permission groups: what accounts with "API restricted" may do with the methods of the legacy API
//! (`docs/rules/users-and-payments.md#restricted-accounts`).

mod service;
pub(crate) mod store;

use std::collections::BTreeMap;

use tollbook_proto::{
    legacy::Declaration,
    v1::{self as pb, ApiAccess},
};

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    ids::ApiPermissionGroupId,
};

/// All API permission groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiPermissionGroups(BTreeMap<ApiPermissionGroupId, pb::ApiPermissionGroup>);

impl ApiPermissionGroups {
    pub(crate) fn by_id(&self, id: ApiPermissionGroupId) -> Result<&pb::ApiPermissionGroup> {
        self.0.get(&id).ok_or(Error::ApiPermissionGroupNotFound)
    }

    /// Whether a restricted account with this group may call a method. What is not named is disabled,
    /// and so is everything where there is no such group.
    pub(super) fn check(&self, id: ApiPermissionGroupId, method: &Declaration) -> Result<()> {
        let group = self.0.get(&id);
        let access = group.and_then(|group| group.methods.get(method.known_as()));
        let access = access.and_then(|access| ApiAccess::try_from(*access).ok());
        match access {
            Some(ApiAccess::Write) => Ok(()),
            Some(ApiAccess::Read) if method.only_reads() => Ok(()),
            Some(ApiAccess::Read | ApiAccess::Disabled | ApiAccess::Unspecified) | None => {
                Err(Error::ApiRestricted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::{legacy, v1::LegacyDialect};

    use super::*;

    #[test]
    fn what_is_not_given_is_denied() {
        let group = |access: ApiAccess| {
            let names = ["users_get", "payment_create"].map(str::to_owned);
            pb::ApiPermissionGroup {
                methods: names.into_iter().map(|name| (name, access.into())).collect(),
                ..Default::default()
            }
        };
        let accesses = [ApiAccess::Disabled, ApiAccess::Read, ApiAccess::Write];
        let groups = (1..).map(ApiPermissionGroupId).zip(accesses.map(group)).collect();
        let groups = ApiPermissionGroups(groups);
        for dialect in [LegacyDialect::M4, LegacyDialect::Mor] {
            let is_given = |id, name| {
                let method = legacy::find(dialect, name).unwrap();
                groups.check(ApiPermissionGroupId(id), method).is_ok()
            };
            assert_eq!(
                [0, 1, 2, 3].map(|id| is_given(id, "users_get")),
                [false, false, true, true]
            );
            // Also by an alias.
            for name in ["payment_create", "create_payment"] {
                assert_eq!([0, 1, 2, 3].map(|id| is_given(id, name)), [false, false, false, true]);
            }
            assert!(!is_given(3, "user_delete"));
        }
    }
}
