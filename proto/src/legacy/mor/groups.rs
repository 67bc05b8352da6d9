//! The methods of reseller groups.

use super::super::{ADMIN, Declaration, METHOD, rpc, value};

/// `reseller_group_create`
pub static RESELLER_GROUP_CREATE: Declaration = Declaration {
    name: "reseller_group_create",
    hash: &[&["name"]],
    roles: ADMIN,
    rpcs: &[rpc(
        "/tollbook.v1.ResellerGroupsService/CreateResellerGroup",
        &[value("name", "reseller_group.name")],
    )],
    ..METHOD
};

/// `reseller_groups_get`
pub static RESELLER_GROUPS_GET: Declaration = Declaration {
    name: "reseller_groups_get",
    hash: &[&["u"]],
    roles: ADMIN,
    rpcs: &[rpc("/tollbook.v1.ResellerGroupsService/ListResellerGroups", &[])],
    ..METHOD
};
