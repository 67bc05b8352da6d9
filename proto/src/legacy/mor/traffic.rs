//! What is declared of tariffs, rates, calls and statistics.

use super::{
    super::{BUYERS, Binding, Declaration, Holds, METHOD, SELLERS, m4, never, rpc, value},
    on,
};
use crate::v1::Role;

/// `tariffs_get`
pub static TARIFFS_GET: Declaration = Declaration {
    name: "tariffs_get",
    // Whether the caller is hashed, its page says both ways.
    hash: &[&["u"], &[]],
    roles: SELLERS,
    rpcs: &[rpc("/tollbook.v1.TariffsService/ListTariffs", &[])],
    ..METHOD
};

/// `tariff_rates_get`
pub static TARIFF_RATES_GET: Declaration = Declaration {
    name: "tariff_rates_get",
    aliases: &["get_tariff"],
    hash: &[&["tariff_id", "user_id"]],
    roles: BUYERS,
    rpcs: &[rpc(
        "/tollbook.v1.TariffsService/ExportRates",
        &[value("tariff_id", "tariff_id"), value("user_id", "user_id")],
    )],
    ..METHOD
};

/// `tariff_wholesale_update`
pub static TARIFF_WHOLESALE_UPDATE: Declaration = Declaration {
    hash: &[&["id", "name", "currency"]],
    roles: SELLERS,
    ..m4::TARIFF_WHOLESALE_UPDATE
};

/// `rate_get`
pub static RATE_GET: Declaration = Declaration {
    name: "rate_get",
    aliases: &["rate"],
    // Since it takes whole numbers its page says "username", and "params" before.
    hash: &[&["username", "prefix"], &["username"]],
    roles: BUYERS,
    rpcs: &[rpc(
        "/tollbook.v1.RatingService/RateCall",
        &[
            value("username", "username"),
            never("username", "user_id"),
            never("username", "tariff_id"),
            value("prefix", "number"),
        ],
    )],
    ..METHOD
};

/// All that the hash of `user_calls_get` may be made of.
const CALLS_HASHED: &[&str] = &[
    "period_start",
    "period_end",
    "s_user",
    "s_call_type",
    "s_device",
    "s_provider",
    "s_hgc",
    "s_did",
    "s_destination",
    "order_by",
    "order_desc",
    "only_did",
    "s_uniqueid",
    "s_callback_uniqueid",
    "originator_codec_name",
    "terminator_codec_name",
];

/// Without what only a client program in the field adds, at the end.
const CALLS_ORDERED: &[&str] = CALLS_HASHED.split_at(12).0;

/// As its page lists them: without the order, which other lists have.
const CALLS_LISTED: [&str; 11] = {
    let (before, rest) = CALLS_ORDERED.split_at(9);
    let mut listed = [""; 11];
    let (first, last) = listed.split_at_mut(before.len());
    first.copy_from_slice(before);
    last.copy_from_slice(rest.split_at(1).1);
    listed
};

/// The hash of `user_calls_get`; the documented list comes first.
const CALLS_HASH: &[&[&str]] = &[&CALLS_LISTED, CALLS_ORDERED, CALLS_HASHED];

/// A field that holds a parameter as it is, and nothing where it is `all`.
const fn chosen(param: &'static str, field: &'static str) -> Binding {
    Binding { param, field, holds: Holds::ValueOrAll }
}

/// `user_calls_get`
pub static USER_CALLS_GET: Declaration = Declaration {
    name: "user_calls_get",
    aliases: &["user_calls", "calls"],
    hash: CALLS_HASH,
    // Their names in MOR 8, which the example on the page of hashes still has.
    spellings: &[
        ("s_user", &["user_id"]),
        ("s_call_type", &["calltype"]),
        ("s_device", &["device"]),
    ],
    roles: &[Role::Admin, Role::Reseller, Role::User],
    rpcs: &[rpc(
        "/tollbook.v1.CallsService/ListCalls",
        &[
            value("period_start", "from.seconds"),
            value("period_end", "till.seconds"),
            chosen("s_user", "originator_id"),
            Binding {
                param: "s_call_type",
                field: "disposition",
                holds: Holds::Word(m4::CALL_TYPES),
            },
            chosen("s_device", "origination_point_id"),
            chosen("s_provider", "termination_point_id"),
            chosen("s_hgc", "hangup_cause"),
            value("s_destination", "destination_prefix"),
            on("order_desc", "descending"),
            chosen("s_uniqueid", "call_id"),
        ],
    )],
    ..METHOD
};

/// `local_calls_get`
pub static LOCAL_CALLS_GET: Declaration = Declaration {
    name: "local_calls_get",
    // Its sample hashes nothing.
    hash: &[&["from", "till", "s_user"], &[]],
    roles: &[Role::Admin, Role::Reseller, Role::User],
    rpcs: &[rpc(
        "/tollbook.v1.CallsService/ListCalls",
        &[
            value("from", "from.seconds"),
            value("till", "till.seconds"),
            value("s_user", "originator_id"),
        ],
    )],
    ..METHOD
};

/// `active_calls_get`
pub static ACTIVE_CALLS_GET: Declaration = Declaration {
    name: "active_calls_get",
    // Its sample hashes nothing.
    hash: &[&["u"], &[]],
    roles: &[Role::Admin, Role::Reseller, Role::User],
    rpcs: &[rpc("/tollbook.v1.LiveCallsService/ListActiveCalls", &[])],
    ..METHOD
};

/// `quickstats_get`
pub static QUICKSTATS_GET: Declaration =
    Declaration { roles: &[Role::Admin, Role::Reseller, Role::User], ..m4::QUICKSTATS_GET };

/// `aggregate_get`, which is another name of the method in M4.
pub static AGGREGATE_GET: Declaration =
    Declaration { name: "aggregate_get", aliases: &[], roles: SELLERS, ..m4::AGGREGATES_GET };
