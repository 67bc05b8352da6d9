//! The methods of devices, of those who ask for balances by them, and of those who register with one.

use super::super::{
    Binding, Declaration, Holds, Judge, METHOD, NOBODY, OWNERS, SELLERS, WithoutHash, m4, never,
    rpc, value,
};
use crate::v1::DeviceType;

/// `user_balance_get`
pub static USER_BALANCE_GET: Declaration =
    Declaration { judge: Judge::OwnerOf("username"), ..m4::USER_BALANCE_GET };

/// `user_simple_balance_get`
pub static USER_SIMPLE_BALANCE_GET: Declaration =
    Declaration { judge: Judge::OwnerOf("username"), ..m4::USER_SIMPLE_BALANCE_GET };

/// `user_balance_get_by_psw`
pub static USER_BALANCE_GET_BY_PSW: Declaration = Declaration {
    name: "user_balance_get_by_psw",
    hash: &[&["id"]],
    without_hash: WithoutHash::DevicePassword("id"),
    judge: Judge::OwnerOf("id"),
    roles: NOBODY,
    rpcs: &[rpc(
        "/tollbook.v1.AccountsService/GetBalance",
        &[
            value("id", "device_password"),
            never("id", "device_username"),
            never("id", "username"),
            never("id", "user_id"),
            never("id", "uniquehash"),
        ],
    )],
    ..METHOD
};

/// `user_balance_get_by_username`
pub static USER_BALANCE_GET_BY_USERNAME: Declaration = Declaration {
    name: "user_balance_get_by_username",
    hash: &[&["id", "currency"]],
    without_hash: WithoutHash::DeviceUsername("id"),
    judge: Judge::OwnerOf("id"),
    roles: NOBODY,
    rpcs: &[rpc(
        "/tollbook.v1.AccountsService/GetBalance",
        &[
            value("id", "device_username"),
            never("id", "device_password"),
            never("id", "username"),
            never("id", "user_id"),
            never("id", "uniquehash"),
            value("currency", "currency"),
        ],
    )],
    ..METHOD
};

/// `conflines_update`
pub static CONFLINES_UPDATE: Declaration = Declaration {
    name: "conflines_update",
    hash: &[&[]],
    // A reseller need not have allowed the API for himself, and signs with the admin's key.
    judge: Judge::Operator,
    roles: OWNERS,
    rpcs: &[rpc(
        "/tollbook.v1.SettingsService/UpdateOwnerSettings",
        &[never("u", "user_id"), never("u", "force")],
    )],
    ..METHOD
};

/// `devices_get`
pub static DEVICES_GET: Declaration = Declaration {
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.DevicesService/ListDevices", &[value("user_id", "user_id")])],
    ..m4::DEVICES_GET
};

/// `device_details_get`
pub static DEVICE_DETAILS_GET: Declaration = Declaration {
    // What is hashed where a device is named by its user name is not documented.
    hash: &[&["device_id", "device_u"]],
    roles: OWNERS,
    rpcs: &[rpc(
        "/tollbook.v1.DevicesService/GetDevice",
        &[value("device_id", "id"), value("device_u", "username")],
    )],
    ..m4::DEVICE_DETAILS_GET
};

/// The types of devices, by their names in requests.
pub const DEVICE_TYPES: [(&str, i32); 7] = [
    ("SIP", DeviceType::Sip as i32),
    ("IAX2", DeviceType::Iax2 as i32),
    ("FAX", DeviceType::Fax as i32),
    ("Virtual", DeviceType::Virtual as i32),
    ("H323", DeviceType::H323 as i32),
    ("ZAP", DeviceType::Zap as i32),
    ("Skype", DeviceType::Skype as i32),
];

/// `device_create`
pub static DEVICE_CREATE: Declaration = Declaration {
    name: "device_create",
    hash: &[
        // Its page says "params", and the page of 2012 about hashes lists these in this order.
        &["user_id", "description", "pin", "type", "devicegroup_id"],
        // All that its example has.
        &["user_id"],
        // As a client program in the field signs.
        &["user_id", "description", "pin", "type", "devicegroup_id", "caller_id"],
    ],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.DevicesService/CreateDevice",
        &[
            value("user_id", "device.user_id"),
            value("description", "device.description"),
            value("pin", "device.pin"),
            Binding { param: "type", field: "device.type", holds: Holds::Word(&DEVICE_TYPES) },
            value("caller_id", "device.caller_number"),
        ],
    )],
    ..METHOD
};

/// A hashed parameter that is empty where an rpc is called.
const fn not_sent(param: &'static str) -> Binding {
    Binding { param, field: "", holds: Holds::Only(&[""]) }
}

/// `device_update`
pub static DEVICE_UPDATE: Declaration = Declaration {
    name: "device_update",
    hash: &[&["device", "authentication", "username", "host", "port"]],
    roles: SELLERS,
    rpcs: &[
        rpc(
            "/tollbook.v1.DevicesService/UpdateDevice",
            &[
                value("device", "device.id"),
                // By credentials, or by an address: which of those is set says it.
                Binding {
                    param: "authentication",
                    field: "device.address",
                    holds: Holds::Only(&["", "0", "1"]),
                },
                value("username", "device.username"),
                value("host", "device.address"),
                value("port", "device.port"),
            ],
        ),
        // Where nothing else is sent.
        rpc(
            "/tollbook.v1.DevicesService/GetDevice",
            &[
                value("device", "id"),
                not_sent("authentication"),
                not_sent("username"),
                not_sent("host"),
                not_sent("port"),
            ],
        ),
    ],
    ..METHOD
};

/// `device_delete`
pub static DEVICE_DELETE: Declaration = Declaration {
    name: "device_delete",
    aliases: &["device_destroy"],
    hash: &[&["device"]],
    roles: SELLERS,
    rpcs: &[rpc("/tollbook.v1.DevicesService/DeleteDevice", &[value("device", "id")])],
    ..METHOD
};

/// `cli_add`
pub static CLI_ADD: Declaration = Declaration {
    name: "cli_add",
    hash: &[&["device_id", "cli_number"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.ClisService/CreateCli",
        &[value("device_id", "cli.device_id"), value("cli_number", "cli.number")],
    )],
    ..METHOD
};

/// `cli_delete`
pub static CLI_DELETE: Declaration = Declaration {
    name: "cli_delete",
    hash: &[&["cli_number"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.ClisService/DeleteCli",
        &[value("cli_number", "number"), never("cli_number", "id")],
    )],
    ..METHOD
};

/// `cli_info_get`
pub static CLI_INFO_GET: Declaration = Declaration {
    name: "cli_info_get",
    aliases: &["cli_get_info"],
    hash: &[&[]],
    roles: OWNERS,
    rpcs: &[rpc("/tollbook.v1.ClisService/GetCli", &[])],
    ..METHOD
};

/// `device_clis_get`
pub static DEVICE_CLIS_GET: Declaration = Declaration {
    name: "device_clis_get",
    hash: &[&[]],
    roles: SELLERS,
    rpcs: &[rpc("/tollbook.v1.ClisService/ListClis", &[])],
    ..METHOD
};

/// `device_rules_get`
pub static DEVICE_RULES_GET: Declaration = Declaration {
    name: "device_rules_get",
    hash: &[&["device_id"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.DeviceRulesService/ListDeviceRules",
        &[value("device_id", "device_id")],
    )],
    ..METHOD
};

/// `device_rule_create`
pub static DEVICE_RULE_CREATE: Declaration = Declaration {
    name: "device_rule_create",
    // As of today, and as of 2019.
    hash: &[&["device_id"], &["device_id", "name", "cut", "add"]],
    // So in the sample of 2019.
    spellings: &[("device_id", &["device"])],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.DeviceRulesService/CreateDeviceRule",
        &[
            value("device_id", "device_rule.device_id"),
            value("name", "device_rule.rule.name"),
            value("cut", "device_rule.rule.cut"),
            value("add", "device_rule.rule.add"),
        ],
    )],
    ..METHOD
};

/// `device_rule_delete`
pub static DEVICE_RULE_DELETE: Declaration = Declaration {
    name: "device_rule_delete",
    hash: &[&["device_rule_id"]],
    roles: SELLERS,
    rpcs: &[rpc(
        "/tollbook.v1.DeviceRulesService/DeleteDeviceRule",
        &[value("device_rule_id", "id")],
    )],
    ..METHOD
};

/// The types of devices that users register with, by their names in requests.
pub const REGISTERED_TYPES: [(&str, i32); 3] = [
    ("SIP", DeviceType::Sip as i32),
    ("IAX2", DeviceType::Iax2 as i32),
    ("Virtual", DeviceType::Virtual as i32),
];

/// `user_register`
pub static USER_REGISTER: Declaration = Declaration {
    name: "user_register",
    aliases: &["registration"],
    // As of 2017 and later, and as of 2015.
    hash: &[
        &[
            "email",
            "id",
            "lcr_id",
            "device_type",
            "username",
            "first_name",
            "last_name",
            "caller_id",
            "state",
            "device_location_id",
        ],
        &["email", "id", "device_type", "username", "first_name", "last_name"],
    ],
    judge: Judge::OwnerIn("id"),
    roles: NOBODY,
    rpcs: &[rpc(
        "/tollbook.v1.UsersService/RegisterUser",
        &[
            value("email", "address.email"),
            value("id", "owner_uniquehash"),
            value("lcr_id", "routing_group_id"),
            Binding {
                param: "device_type",
                field: "device_type",
                holds: Holds::Word(&REGISTERED_TYPES),
            },
            value("username", "username"),
            value("first_name", "first_name"),
            value("last_name", "last_name"),
            value("caller_id", "caller_number"),
            value("state", "address.state"),
        ],
    )],
    ..METHOD
};
