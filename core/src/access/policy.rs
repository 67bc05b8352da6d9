//! The access rules of the contract, read from its descriptors.

use std::{collections::HashMap, sync::Arc};

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};
use prost_types::method_options::IdempotencyLevel;
use tollbook_proto::v1::Permission;

use super::{Caller, Principal};
use crate::{
    contract,
    error::{Error, Result},
    measure,
    users::Role,
};

/// The rule of one rpc.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own in the contract")]
pub(super) struct Rule {
    /// `SERVICE/RPC`, without the package.
    pub(super) name: Arc<str>,
    pub(super) measured: measure::Rpc,
    roles: Vec<Role>,
    permission: Permission,
    /// The rpc is marked as free of side effects.
    pub(super) changes_nothing: bool,
    /// Needs no credential.
    pub(super) public: bool,
    /// Open to legacy requests that name no caller.
    pub(super) legacy_anonymous: bool,
    /// Takes nothing but legacy signatures.
    pub(super) legacy_only: bool,
    /// The caller sends a stream of messages, as long as they like.
    pub(super) is_upload: bool,
}

impl Rule {
    /// Whether the principal may call it.
    pub(super) fn check(&self, principal: &Principal) -> Result<()> {
        let Caller::User(identity, _) = &principal.caller else {
            return Ok(());
        };
        if !self.roles.is_empty() && !self.roles.contains(&identity.role) {
            return Err(Error::RoleDenied);
        }
        if self.permission != Permission::Unspecified && !principal.has(self.permission) {
            return Err(Error::PermissionMissing);
        }
        Ok(())
    }
}

/// The rules of all rpcs of our packages, by path.
pub(super) struct Policy(HashMap<String, Rule>);

impl Policy {
    /// Reads the rules. An rpc without one is an error: what nobody thought about stays shut.
    pub(super) fn load() -> Result<Self> {
        let pool = contract::pool()?;
        let access = pool
            .get_extension_by_name("tollbook.v1.access")
            .ok_or_else(|| Error::internal("the contract has no access option"))?;
        let mut rules = HashMap::new();
        let services = pool.services().filter(|service| is_ours(service.package_name()));
        for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let options = method.options();
            if !options.has_extension(&access) {
                return Err(Error::internal(format!("rpc {path} has no access rule")));
            }
            let value = options.get_extension(&access);
            let rule =
                value.as_message().and_then(|access| read(&method, access)).ok_or_else(|| {
                    Error::internal(format!("rpc {path} has an unreadable access rule"))
                })?;
            rules.insert(path, rule);
        }
        Ok(Self(rules))
    }

    /// The rule of an rpc; none: there is no such rpc.
    pub(super) fn rule(&self, path: &str) -> Option<&Rule> {
        self.0.get(path)
    }
}

/// Whether a package is ours: whatever it is called, it is `tollbook` or below it.
fn is_ours(package: &str) -> bool {
    package.split('.').next() == Some("tollbook")
}

fn read(method: &MethodDescriptor, access: &DynamicMessage) -> Option<Rule> {
    let options = method.options();
    let effects = options.get_field_by_name("idempotency_level")?.as_enum_number()?;
    let field = |name: &str| access.get_field_by_name(name);
    let roles = field("roles")?
        .as_list()?
        .iter()
        .map(|role| role.as_enum_number().and_then(Role::from_proto))
        .collect::<Option<_>>()?;
    Some(Rule {
        name: format!("{}/{}", method.parent_service().name(), method.name()).into(),
        measured: measure::Rpc::default(),
        changes_nothing: effects == i32::from(IdempotencyLevel::NoSideEffects),
        roles,
        permission: Permission::try_from(field("permission")?.as_enum_number()?).ok()?,
        public: field("public").as_deref().and_then(Value::as_bool)?,
        legacy_anonymous: field("legacy_anonymous").as_deref().and_then(Value::as_bool)?,
        legacy_only: field("legacy_only").as_deref().and_then(Value::as_bool)?,
        is_upload: method.is_client_streaming(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_only_reads_is_marked_as_free_of_side_effects() {
        for rule in Policy::load().unwrap().0.values() {
            let (_, rpc) = rule.name.split_once('/').unwrap();
            let reads =
                ["Get", "List", "Export", "Check", "Aggregate", "Audit", "RateCall", "RouteCall"];
            let reads = reads.iter().any(|verb| rpc.starts_with(verb));
            assert_eq!(rule.changes_nothing, reads, "{}", rule.name);
        }
    }
}
