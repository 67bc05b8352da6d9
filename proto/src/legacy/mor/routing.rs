//! The methods of providers, their rules, and LCRs.

use super::super::{ADMIN, Binding, Declaration, Holds, METHOD, OWNERS, Rpc, SELLERS, rpc, value};

/// `providers_get`
pub static PROVIDERS_GET: Declaration = Declaration {
    name: "providers_get",
    hash: &[&[]],
    roles: SELLERS,
    rpcs: &[
        rpc("/tollbook.v1.ProvidersService/ListProviders", &[]),
        rpc("/tollbook.v1.ProvidersService/GetProvider", &[]),
    ],
    ..METHOD
};

/// `provider_create`
pub static PROVIDER_CREATE: Declaration = Declaration {
    name: "provider_create",
    hash: &[&[]],
    roles: ADMIN,
    rpcs: &[rpc("/tollbook.v1.ProvidersService/CreateProvider", &[])],
    ..METHOD
};

/// `provider_update`
pub static PROVIDER_UPDATE: Declaration = Declaration {
    name: "provider_update",
    hash: &[&[]],
    roles: ADMIN,
    rpcs: &[rpc("/tollbook.v1.ProvidersService/UpdateProvider", &[])],
    ..METHOD
};

/// `provider_delete`
pub static PROVIDER_DELETE: Declaration = Declaration {
    name: "provider_delete",
    // No page of it was found; its sister methods hash the key alone.
    hash: &[&["provider_id"], &[]],
    roles: ADMIN,
    rpcs: &[rpc("/tollbook.v1.ProvidersService/DeleteProvider", &[value("provider_id", "id")])],
    ..METHOD
};

/// `provider_rules_get`
pub static PROVIDER_RULES_GET: Declaration = Declaration {
    name: "provider_rules_get",
    hash: &[&["provider_id"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.ProvidersService/ListProviderRules",
        &[value("provider_id", "provider_id")],
    )],
    ..METHOD
};

/// `provider_rule_create`
pub static PROVIDER_RULE_CREATE: Declaration = Declaration {
    name: "provider_rule_create",
    hash: &[&["provider_id", "name", "cut", "add"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.ProvidersService/CreateProviderRule",
        &[
            value("provider_id", "provider_rule.provider_id"),
            // One without a name is named after what it does.
            Binding {
                param: "name",
                field: "provider_rule.rule.name",
                holds: Holds::ValueOrChosen,
            },
            value("cut", "provider_rule.rule.cut"),
            value("add", "provider_rule.rule.add"),
        ],
    )],
    ..METHOD
};

/// `provider_rule_delete`
pub static PROVIDER_RULE_DELETE: Declaration = Declaration {
    name: "provider_rule_delete",
    hash: &[&["provider_rule_id"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.ProvidersService/DeleteProviderRule",
        &[value("provider_rule_id", "id")],
    )],
    ..METHOD
};

/// `lcrs_get`
pub static LCRS_GET: Declaration = Declaration {
    name: "lcrs_get",
    hash: &[&["u"]],
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.RoutingService/ListLcrs", &[])],
    ..METHOD
};

/// `lcr_create`
pub static LCR_CREATE: Declaration = Declaration {
    name: "lcr_create",
    hash: &[&["u"]],
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.RoutingService/CreateLcr", &[])],
    ..METHOD
};

/// `lcr_update`
pub static LCR_UPDATE: Declaration = Declaration {
    name: "lcr_update",
    hash: &[&["u", "lcr_id"]],
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.RoutingService/UpdateLcr", &[value("lcr_id", "id")])],
    ..METHOD
};

/// `lcr_delete`
pub static LCR_DELETE: Declaration = Declaration {
    name: "lcr_delete",
    hash: &[&["u", "lcr_id"]],
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.RoutingService/DeleteLcr", &[value("lcr_id", "id")])],
    ..METHOD
};

const OF_LCR: &[Binding] = &[value("lcr_id", "lcr_id"), value("provider_id", "provider_id")];
const ADD: &[Rpc] = &[rpc("/tollbook.v1.RoutingService/AddLcrProvider", OF_LCR)];
const DELETE: &[Rpc] = &[rpc("/tollbook.v1.RoutingService/DeleteLcrProvider", OF_LCR)];

/// `lcr_add_provider`
pub static LCR_ADD_PROVIDER: Declaration = Declaration {
    name: "lcr_add_provider",
    hash: &[&["u", "lcr_id", "provider_id"]],
    roles: OWNERS,
    rpcs: ADD,
    ..METHOD
};

/// `lcr_delete_provider`
pub static LCR_DELETE_PROVIDER: Declaration =
    Declaration { name: "lcr_delete_provider", rpcs: DELETE, ..LCR_ADD_PROVIDER };
