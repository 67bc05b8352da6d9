//! The methods of devices, of those who ask for balances by them, and of those who register with one.

use super::super::{
    Binding, Declaration, Holds, Judge, METHOD, NOBODY, OWNERS, SELLERS, WithoutHash, m4, never,
    rpc, value,
};
use crate::v1::DeviceType;

/// `user_balance_get_by_psw`
pub static USER_BALANCE_GET_BY_PSW: Declaration = Declaration {
    name: "user_balance_get_by_psw",
    hash: &[&["id"]],
    without_hash: WithoutHash::DevicePassword("id"),
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

/// `device_create`
pub static DEVICE_CREATE: Declaration = Declaration {
    name: "device_create",
    hash: &[&["user_id"]],
    roles: SELLERS,
    rpcs: &[rpc("/tollbook.v1.DevicesService/CreateDevice", &[value("user_id", "device.user_id")])],
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
    // As of 2017, and as of 2015.
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
