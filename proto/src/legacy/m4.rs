//! The methods of the M4 dialect (docs/m4.md).

use super::{
    Binding, Declaration, EVERYBODY, Holds, METHOD, NOBODY, Rpc, WithoutHash, never, rpc, value,
};
use crate::v1::Disposition;

/// All methods, by group.
pub(super) const METHODS: &[&Declaration] = &[
    &USER_BALANCE_UPDATE,
    &USER_BALANCE_GET,
    &USER_SIMPLE_BALANCE_GET,
    &USER_CALLS_GET,
    &EXCHANGE_RATE_UPDATE,
    &DEVICES_GET,
    &DEVICE_DETAILS_GET,
    &CP_CREATE,
    &CP_UPDATE,
    &CP_DELETE,
    &NUMBER_POOLS_GET,
    &NUMBER_POOL_CREATE,
    &NUMBER_POOL_UPDATE,
    &NUMBER_POOL_DELETE,
    &NUMBER_POOL_NUMBERS_CREATE,
    &NUMBER_POOL_NUMBERS_DELETE,
    &USER_LOGIN,
    &USER_LOGOUT,
    &PAYMENT_CREATE,
    &PAYMENTS_GET,
    &TARIFF_RATES_GET,
    &TARIFF_WHOLESALE_UPDATE,
    &QUICKSTATS_GET,
    &AGGREGATES_GET,
    &USERS_GET,
    &USER_CREATE,
    &USER_DETAILS_GET,
    &USER_DETAILS_RAW_GET,
    &USER_DETAILS_UPDATE,
    &USER_DELETE,
];

/// The details of the caller.
const WHO_CALLS: Rpc =
    rpc("/tollbook.v1.UsersService/GetUser", &[value("u", "username"), never("u", "id")]);

/// Hashed parameters that no field stands for.
#[cfg(test)]
pub(super) const UNBOUND: &[(&str, &str)] = &[
    // There are no DIDs: whatever the answer, it is cut to none.
    ("user_calls_get", "only_did"),
    // It is for origination points only, and without effect on others.
    ("cp_create", "create_rg_for_op"),
];

/// `user_balance_update`
pub static USER_BALANCE_UPDATE: Declaration = Declaration {
    name: "user_balance_update",
    aliases: &["user_balance_change", "change_user_balance"],
    hash: &[&["user_id", "balance"]],
    rpcs: &[rpc(
        "/tollbook.v1.AccountsService/AdjustBalance",
        &[value("user_id", "user_id"), value("balance", "amount.value")],
    )],
    ..METHOD
};

/// `GetBalance` by a user's login name.
const BALANCE_BY_NAME: Rpc = rpc(
    "/tollbook.v1.AccountsService/GetBalance",
    &[
        value("username", "username"),
        never("username", "user_id"),
        never("username", "uniquehash"),
        never("username", "device_username"),
        never("username", "device_password"),
        // `user_currency` wins, as documented. It only changes how a number is shown.
        Binding { param: "currency", field: "currency", holds: Holds::ValueOr("USER") },
    ],
);

/// `user_balance_get`
pub static USER_BALANCE_GET: Declaration = Declaration {
    name: "user_balance_get",
    aliases: &["balance"],
    hash: &[&["username", "currency"]],
    roles: NOBODY,
    rpcs: &[BALANCE_BY_NAME],
    ..METHOD
};

/// `user_simple_balance_get`
pub static USER_SIMPLE_BALANCE_GET: Declaration = Declaration {
    name: "user_simple_balance_get",
    aliases: &["simple_balance"],
    // `username` is in all of them: where it names the user, no hash is right without it.
    hash: &[&["id", "currency", "username"], &["username"], &["username", "currency"]],
    without_hash: WithoutHash::Uniquehash("id"),
    roles: NOBODY,
    rpcs: &[rpc(
        "/tollbook.v1.AccountsService/GetBalance",
        &[
            value("id", "uniquehash"),
            value("username", "username"),
            never("username", "user_id"),
            never("username", "device_username"),
            never("username", "device_password"),
            value("currency", "currency"),
        ],
    )],
    ..METHOD
};

/// What clients call the ways in which calls end.
pub(super) const CALL_TYPES: &[(&str, i32)] = &[
    ("answered", Disposition::Answered as i32),
    ("no answer", Disposition::NoAnswer as i32),
    ("failed", Disposition::Failed as i32),
    ("busy", Disposition::Busy as i32),
];

/// `user_calls_get`
pub static USER_CALLS_GET: Declaration = Declaration {
    name: "user_calls_get",
    aliases: &["user_calls"],
    hash: &[&[
        "period_start",
        "period_end",
        "s_user",
        "s_call_type",
        "s_origination_point",
        "s_termination_point",
        "s_hgc",
        "s_destination",
        "order_desc",
        "only_did",
    ]],
    roles: EVERYBODY,
    rpcs: &[
        rpc(
            "/tollbook.v1.CallsService/ListCalls",
            &[
                value("period_start", "from.seconds"),
                value("period_end", "till.seconds"),
                // A simple user who names nobody means himself.
                Binding { param: "s_user", field: "originator_id", holds: Holds::ValueOrChosen },
                Binding {
                    param: "s_call_type",
                    field: "disposition",
                    holds: Holds::Word(CALL_TYPES),
                },
                Binding {
                    param: "s_origination_point",
                    field: "origination_point_id",
                    holds: Holds::ValueOrAll,
                },
                Binding {
                    param: "s_termination_point",
                    field: "termination_point_id",
                    holds: Holds::ValueOrAll,
                },
                Binding { param: "s_hgc", field: "hangup_cause", holds: Holds::ValueOrAll },
                value("s_destination", "destination_prefix"),
                Binding { param: "order_desc", field: "descending", holds: Holds::Switch },
            ],
        ),
        WHO_CALLS,
    ],
    ..METHOD
};

/// `exchange_rate_update`
pub static EXCHANGE_RATE_UPDATE: Declaration = Declaration {
    name: "exchange_rate_update",
    hash: &[&["currency", "rate"]],
    rpcs: &[rpc(
        "/tollbook.v1.CurrenciesService/SetExchangeRate",
        &[value("currency", "code"), value("rate", "exchange_rate.value")],
    )],
    ..METHOD
};

/// `devices_get`
pub static DEVICES_GET: Declaration = Declaration {
    name: "devices_get",
    aliases: &["device_list"],
    hash: &[&["user_id"]],
    rpcs: &[rpc(
        "/tollbook.v1.ConnectionPointsService/ListConnectionPoints",
        &[value("user_id", "user_id")],
    )],
    ..METHOD
};

/// `device_details_get`
pub static DEVICE_DETAILS_GET: Declaration = Declaration {
    name: "device_details_get",
    hash: &[&["device_id"]],
    rpcs: &[rpc(
        "/tollbook.v1.ConnectionPointsService/GetConnectionPoint",
        &[value("device_id", "id")],
    )],
    ..METHOD
};

/// `cp_create`
pub static CP_CREATE: Declaration = Declaration {
    name: "cp_create",
    // No page names what is hashed: the user, or whatever was sent.
    hash: &[
        &["user_id"],
        &["user_id", "op"],
        &["user_id", "description", "ipaddr", "op", "tp", "create_rg_for_op"],
    ],
    rpcs: &[rpc(
        "/tollbook.v1.ConnectionPointsService/CreateConnectionPoint",
        &[
            value("user_id", "connection_point.user_id"),
            Binding {
                param: "op",
                field: "connection_point.origination.active",
                holds: Holds::Switch,
            },
            Binding {
                param: "tp",
                field: "connection_point.termination.active",
                holds: Holds::Switch,
            },
            value("description", "connection_point.description"),
            value("ipaddr", "connection_point.address"),
        ],
    )],
    ..METHOD
};

/// `cp_update`
pub static CP_UPDATE: Declaration = Declaration {
    name: "cp_update",
    hash: &[&["cp_id"]],
    rpcs: &[rpc(
        "/tollbook.v1.ConnectionPointsService/UpdateConnectionPoint",
        &[value("cp_id", "connection_point.id")],
    )],
    ..METHOD
};

/// `cp_delete`
pub static CP_DELETE: Declaration = Declaration {
    name: "cp_delete",
    hash: &[&["cp_id"]],
    rpcs: &[rpc(
        "/tollbook.v1.ConnectionPointsService/DeleteConnectionPoint",
        &[value("cp_id", "id")],
    )],
    ..METHOD
};

/// `number_pools_get`
pub static NUMBER_POOLS_GET: Declaration = Declaration {
    name: "number_pools_get",
    hash: &[&[]],
    rpcs: &[
        rpc("/tollbook.v1.NumberPoolsService/ListNumberPools", &[]),
        rpc("/tollbook.v1.NumberPoolsService/ListPoolNumbers", &[]),
    ],
    ..METHOD
};

/// `number_pool_create`
pub static NUMBER_POOL_CREATE: Declaration = Declaration {
    name: "number_pool_create",
    hash: &[&[]],
    rpcs: &[rpc("/tollbook.v1.NumberPoolsService/CreateNumberPool", &[])],
    ..METHOD
};

/// The hash of what changes a pool: MOR, whose clients call these as well, has had the second since
/// December 2024.
const POOL_HASH: &[&[&str]] = &[&[], &["u", "number_pool_id"]];

/// `number_pool_update`
pub static NUMBER_POOL_UPDATE: Declaration = Declaration {
    name: "number_pool_update",
    hash: POOL_HASH,
    rpcs: &[rpc(
        "/tollbook.v1.NumberPoolsService/UpdateNumberPool",
        &[value("number_pool_id", "id")],
    )],
    ..METHOD
};

/// `number_pool_delete`
pub static NUMBER_POOL_DELETE: Declaration = Declaration {
    name: "number_pool_delete",
    hash: POOL_HASH,
    rpcs: &[rpc(
        "/tollbook.v1.NumberPoolsService/DeleteNumberPool",
        &[value("number_pool_id", "id")],
    )],
    ..METHOD
};

/// `number_pool_numbers_create`
pub static NUMBER_POOL_NUMBERS_CREATE: Declaration = Declaration {
    name: "number_pool_numbers_create",
    hash: POOL_HASH,
    rpcs: &[rpc(
        "/tollbook.v1.NumberPoolsService/AddPoolNumbers",
        &[value("number_pool_id", "number_pool_id")],
    )],
    ..METHOD
};

/// `number_pool_numbers_delete`
pub static NUMBER_POOL_NUMBERS_DELETE: Declaration = Declaration {
    name: "number_pool_numbers_delete",
    hash: POOL_HASH,
    rpcs: &[rpc(
        "/tollbook.v1.NumberPoolsService/DeletePoolNumbers",
        &[value("number_pool_id", "number_pool_id")],
    )],
    ..METHOD
};

/// `user_login`
pub static USER_LOGIN: Declaration = Declaration {
    name: "user_login",
    aliases: &["login"],
    hash: &[&["u", "p"], &[]],
    without_hash: WithoutHash::Password,
    roles: NOBODY,
    rpcs: &[rpc(
        "/tollbook.v1.SessionsService/CreateSession",
        &[value("u", "username"), value("p", "password")],
    )],
    ..METHOD
};

/// `user_logout`
pub static USER_LOGOUT: Declaration = Declaration {
    name: "user_logout",
    aliases: &["logout"],
    hash: &[&[]],
    roles: EVERYBODY,
    rpcs: &[rpc("/tollbook.v1.SessionsService/EndSessions", &[])],
    ..METHOD
};

/// `payment_create`
pub static PAYMENT_CREATE: Declaration = Declaration {
    name: "payment_create",
    aliases: &["create_payment"],
    hash: &[&["user_id", "amount", "currency"], &["user_id", "currency", "amount"]],
    // MOR's names.
    spellings: &[("currency", &["p_currency"]), ("amount_in_tax", &["tax_in_amount"])],
    rpcs: &[rpc(
        "/tollbook.v1.PaymentsService/RecordPayment",
        &[
            value("user_id", "user_id"),
            value("amount", "amount.value"),
            value("currency", "currency"),
        ],
    )],
    ..METHOD
};

/// `payments_get`
pub static PAYMENTS_GET: Declaration = Declaration {
    name: "payments_get",
    aliases: &["payments_list"],
    hash: &[
        &["user_id_s", "from_s", "till_s"],
        &[],
        &[
            "user_id_s",
            "from_s",
            "till_s",
            "username_s",
            "first_name_s",
            "last_name_s",
            "amount_min_s",
            "amount_max_s",
            "currency_s",
        ],
    ],
    roles: EVERYBODY,
    rpcs: &[rpc(
        "/tollbook.v1.PaymentsService/ListPayments",
        &[
            value("user_id_s", "user_id"),
            value("from_s", "from.seconds"),
            value("till_s", "till.seconds"),
            value("username_s", "username"),
            value("first_name_s", "first_name"),
            value("last_name_s", "last_name"),
            value("amount_min_s", "amount_min.value"),
            value("amount_max_s", "amount_max.value"),
            value("currency_s", "currency"),
        ],
    )],
    ..METHOD
};

/// `tariff_rates_get`
pub static TARIFF_RATES_GET: Declaration = Declaration {
    name: "tariff_rates_get",
    aliases: &["get_tariff"],
    hash: &[&["tariff_id", "device_id"]],
    roles: EVERYBODY,
    rpcs: &[rpc(
        "/tollbook.v1.TariffsService/ExportRates",
        &[value("tariff_id", "tariff_id"), value("device_id", "connection_point_id")],
    )],
    ..METHOD
};

/// `tariff_wholesale_update`
pub static TARIFF_WHOLESALE_UPDATE: Declaration = Declaration {
    name: "tariff_wholesale_update",
    aliases: &["wholesale_tariff"],
    hash: &[&["id", "currency"], &["id", "name", "currency"]],
    rpcs: &[
        rpc(
            "/tollbook.v1.TariffsService/UpdateTariff",
            &[value("id", "id"), value("name", "name"), value("currency", "currency")],
        ),
        rpc(
            "/tollbook.v1.TariffsService/CreateTariff",
            &[
                Binding { param: "id", field: "", holds: Holds::Only(&[""]) },
                value("name", "tariff.name"),
                value("currency", "tariff.currency"),
            ],
        ),
    ],
    ..METHOD
};

/// `quickstats_get`
pub static QUICKSTATS_GET: Declaration = Declaration {
    name: "quickstats_get",
    hash: &[&["u"], &[]],
    only_admin_signs_nothing: true,
    roles: EVERYBODY,
    rpcs: &[rpc("/tollbook.v1.StatisticsService/GetQuickStats", &[])],
    ..METHOD
};

/// `aggregates_get`
pub static AGGREGATES_GET: Declaration = Declaration {
    name: "aggregates_get",
    aliases: &["aggregate_get"],
    hash: &[&[]],
    rpcs: &[rpc("/tollbook.v1.StatisticsService/AggregateCalls", &[])],
    ..METHOD
};

/// `GetUser` by id.
const USER_BY_ID: Rpc = rpc(
    "/tollbook.v1.UsersService/GetUser",
    &[value("user_id", "id"), never("user_id", "username")],
);

/// `users_get`
pub static USERS_GET: Declaration = Declaration {
    name: "users_get",
    hash: &[&["u", "user_id"], &["u", "p"], &["u"]],
    rpcs: &[
        rpc(
            "/tollbook.v1.UsersService/ListUsers",
            &[Binding { param: "user_id", field: "", holds: Holds::Only(&["", "all"]) }],
        ),
        USER_BY_ID,
    ],
    ..METHOD
};

/// `user_create`
pub static USER_CREATE: Declaration = Declaration {
    name: "user_create",
    hash: &[&[], &["u"], &["username"], &["u", "username"]],
    rpcs: &[rpc("/tollbook.v1.UsersService/CreateUser", &[value("username", "user.username")])],
    ..METHOD
};

/// `user_details_get`
pub static USER_DETAILS_GET: Declaration = Declaration {
    name: "user_details_get",
    aliases: &["user_details"],
    hash: &[&["user_id", "username"]],
    roles: EVERYBODY,
    rpcs: &[rpc(
        "/tollbook.v1.UsersService/GetUser",
        &[value("user_id", "id"), value("username", "username")],
    )],
    ..METHOD
};

/// `user_details_raw_get`
pub static USER_DETAILS_RAW_GET: Declaration = Declaration {
    name: "user_details_raw_get",
    hash: &[&["u", "user_id"], &["user_id"]],
    rpcs: &[USER_BY_ID],
    ..METHOD
};

/// `user_details_update`
pub static USER_DETAILS_UPDATE: Declaration = Declaration {
    name: "user_details_update",
    hash: &[&["u", "user_id"], &["user_id"]],
    rpcs: &[rpc("/tollbook.v1.UsersService/UpdateUser", &[value("user_id", "user.id")])],
    ..METHOD
};

/// `user_delete`
pub static USER_DELETE: Declaration = Declaration {
    name: "user_delete",
    hash: &[&["user_id"]],
    rpcs: &[rpc("/tollbook.v1.UsersService/DeleteUser", &[value("user_id", "id")])],
    ..METHOD
};
