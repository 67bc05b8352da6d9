//! What core and shim both know of the legacy methods: their names, what their hash is made of,
//! which rpcs do their work, and which field of an rpc's request holds which hashed parameter.
//!
//! The shim translates by it; the core takes a legacy request's claim for nothing else than what
//! is declared here. So a shim in the wrong hands cannot use a hash that it saw for another rpc,
//! or with other values than those that were hashed.

mod hash;
pub mod m4;
pub mod mor;

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

pub use hash::Order;
use prost::Message;
use prost_types::{FileDescriptorSet, method_options::IdempotencyLevel};

use crate::{
    DESCRIPTORS,
    v1::{LegacyDialect, Role},
};

/// The most bytes that the claim of one legacy request may have, encoded: it travels as metadata.
pub const MAX_CLAIM: usize = 40 * 1024;

/// A legacy method, as far as core and shim share it.
#[derive(Debug)]
pub struct Declaration {
    /// Its name in the URL.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// The accepted inputs of the hash: lists of parameters, whose values are concatenated; one
    /// that was not sent counts as empty. The documented list comes first, and is accepted in the
    /// order in which the request sent it, too.
    pub hash: &'static [&'static [&'static str]],
    /// Parameters that have other names as well: each name with its others.
    pub spellings: &'static [(&'static str, &'static [&'static str])],
    /// Whether an empty input counts for the admin only.
    pub only_admin_signs_nothing: bool,
    /// What may stand in the place of a hash.
    pub without_hash: WithoutHash,
    /// Whether callers give their password, in `p`, or their uniquehash, in `uniquehash`, as well.
    pub checks_password: bool,
    /// The roles that it admits; empty: it needs no caller. They narrow the access rules of its
    /// rpcs and never widen them.
    pub roles: &'static [Role],
    /// By whose settings of the API a request is judged.
    pub judge: Judge,
    /// The rpcs that it may call. The first does its work, and its access rule is the method's.
    pub rpcs: &'static [Rpc],
}

/// By whose settings of the API a request is judged: whether it is on, the key, and whether hashes are
/// checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judge {
    /// Those of the caller or of his owner; the operator's where no caller is named.
    Owner,
    /// The operator's, whoever calls.
    Operator,
    /// Those of the owner whose uniquehash is in this parameter, whose users the operator's key
    /// may make as well; the operator's where it is empty.
    OwnerIn(&'static str),
    /// The operator's; the key of the owner counts as well whose user this parameter names, as the
    /// method does in the place of a hash or else by login name.
    OwnerOf(&'static str),
}

/// What may stand in the place of a legacy method's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutHash {
    /// Nothing.
    Never,
    /// A password, while the setting `login_without_hash` is on.
    Password,
    /// The uniquehash of a user, in this parameter, unless the setting `uniquehash_needs_hash` is
    /// on.
    Uniquehash(&'static str),
    /// The user name of a device, likewise.
    DeviceUsername(&'static str),
    /// The password of a device, likewise.
    DevicePassword(&'static str),
}

/// An rpc that a legacy method calls.
#[derive(Debug)]
pub struct Rpc {
    /// As `/tollbook.v1.AccountsService/AdjustBalance`.
    pub path: &'static str,
    /// What stands for the hashed parameters in its request.
    pub bindings: &'static [Binding],
}

/// What stands for a hashed parameter in an rpc's request.
#[derive(Debug)]
pub struct Binding {
    /// The parameter.
    pub param: &'static str,
    /// The field, as `amount.value`.
    pub field: &'static str,
    /// How it holds the parameter's value.
    pub holds: Holds,
}

/// How a field holds a parameter's value.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// As it is. Where the parameter is empty, the field is not set.
    Value,
    /// As it is; where the parameter is empty, the method chooses the value.
    ValueOrChosen,
    /// As it is, or this value, which another parameter of the method asks for.
    ValueOr(&'static str),
    /// As it is, but `all` is not set either.
    ValueOrAll,
    /// 1 is true, everything else false.
    Switch,
    /// The number of an enum's value, by the parameter's words; other words are not set.
    Word(&'static [(&'static str, i32)]),
    /// As the value of the parameter's name in a map; where the parameter is empty, the map has
    /// none of that name, or an empty one.
    Entry,
    /// There is no such field: the rpc is only for these values of the parameter.
    Only(&'static [&'static str]),
    /// Not at all: the field would say otherwise what the parameter says, and is never set.
    Never,
}

impl Binding {
    /// Whether it holds whatever the hash was made of: of the caller, and of what is never set.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.param == "u" || matches!(self.holds, Holds::Never)
    }
}

impl Declaration {
    /// The name under which the hash has a parameter: its own, or that of which it is another
    /// spelling.
    #[must_use]
    pub fn canonical<'a>(&self, param: &'a str) -> &'a str {
        let known = self.spellings.iter().find(|(_, others)| others.contains(&param));
        known.map_or(param, |(name, _)| name)
    }

    /// The name under which a parameter was sent: of its own and its other spellings the first
    /// whose value is not empty, which `is_filled` knows; none: none was.
    pub fn sent_as(
        &self,
        param: &'static str,
        is_filled: impl Fn(&str) -> bool,
    ) -> Option<&'static str> {
        let others = self.spellings.iter().find(|(name, _)| *name == param);
        let others = others.map(|(_, others)| *others).unwrap_or_default();
        std::iter::once(param).chain(others.iter().copied()).find(|name| is_filled(name))
    }

    /// The name by which API keys know it: that of the method which any dialect has under its name.
    #[must_use]
    pub fn known_as(&self) -> &'static str {
        own_name(self.name).unwrap_or(self.name)
    }

    /// Whether it only reads: none of its rpcs changes anything, as the contract says of them.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.rpcs.iter().all(|rpc| READING_RPCS.contains(rpc.path))
    }

    /// Whether the hash may be made of a parameter, under this name of it.
    #[must_use]
    pub fn hashes(&self, param: &str) -> bool {
        let name = self.canonical(param);
        self.hash.iter().any(|names| names.contains(&name))
    }

    /// Whether the core judges a request by a parameter, under this name of it.
    #[must_use]
    pub fn judges_by(&self, param: &str) -> bool {
        let is_password = self.checks_password && matches!(param, "p" | "uniquehash");
        matches!(param, "u" | "hash") || is_password || self.hashes(param)
    }

    /// What it declares of an rpc; none: it has no business with it.
    #[must_use]
    pub fn rpc(&self, path: &str) -> Option<&'static Rpc> {
        self.rpcs.iter().find(|rpc| rpc.path == path)
    }
}

/// All methods of a dialect.
#[must_use]
pub fn methods(dialect: LegacyDialect) -> &'static [&'static Declaration] {
    match dialect {
        LegacyDialect::M4 => m4::METHODS,
        LegacyDialect::Mor => mor::METHODS,
        LegacyDialect::Unspecified => &[],
    }
}

type ByName = HashMap<&'static str, &'static Declaration>;

static M4_BY_NAME: LazyLock<ByName> = LazyLock::new(|| by_name(m4::METHODS));
static MOR_BY_NAME: LazyLock<ByName> = LazyLock::new(|| by_name(mor::METHODS));

fn by_name(methods: &[&'static Declaration]) -> ByName {
    let named = |method: &&'static Declaration| {
        let names = std::iter::once(method.name).chain(method.aliases.iter().copied());
        names.map(|name| (name, *method)).collect::<Vec<_>>()
    };
    methods.iter().flat_map(named).collect()
}

/// The method that a dialect knows by this name, its own or another of its names.
#[must_use]
pub fn find(dialect: LegacyDialect, name: &str) -> Option<&'static Declaration> {
    match dialect {
        LegacyDialect::M4 => M4_BY_NAME.get(name).copied(),
        LegacyDialect::Mor => MOR_BY_NAME.get(name).copied(),
        LegacyDialect::Unspecified => None,
    }
}

/// The dialects there are.
pub const DIALECTS: [LegacyDialect; 2] = [LegacyDialect::M4, LegacyDialect::Mor];

/// What a method is called of which any dialect knows this name: what bears one name in both does
/// the same.
#[must_use]
pub fn own_name(name: &str) -> Option<&'static str> {
    DIALECTS.into_iter().find_map(|dialect| find(dialect, name)).map(|method| method.name)
}

/// Whether a method only reads in every dialect that has it, by the name by which API keys know it.
#[must_use]
pub fn only_reads(known_as: &str) -> bool {
    let mut methods = DIALECTS.into_iter().flat_map(methods);
    methods.all(|method| method.known_as() != known_as || method.only_reads())
}

/// The paths of the rpcs that the contract marks as free of side effects.
static READING_RPCS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    // Where they could not be read, every method would be one that changes something.
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap_or_default().file;
    let mut paths = HashSet::new();
    for file in &files {
        for service in &file.service {
            let reads = service.method.iter().filter(|rpc| {
                let options = rpc.options.as_ref();
                options
                    .is_some_and(|rpc| rpc.idempotency_level() == IdempotencyLevel::NoSideEffects)
            });
            let path = |rpc: &str| format!("/{}.{}/{rpc}", file.package(), service.name());
            paths.extend(reads.map(|rpc| path(rpc.name())));
        }
    }
    paths
});

/// What most methods declare; the rest is said per method.
const METHOD: Declaration = Declaration {
    name: "",
    aliases: &[],
    hash: &[],
    spellings: &[],
    only_admin_signs_nothing: false,
    without_hash: WithoutHash::Never,
    checks_password: false,
    roles: STAFF,
    judge: Judge::Owner,
    rpcs: &[],
};

/// A field that is never set, beside the one that holds the parameter.
const fn never(param: &'static str, field: &'static str) -> Binding {
    Binding { param, field, holds: Holds::Never }
}

/// A field that holds a parameter as it is.
const fn value(param: &'static str, field: &'static str) -> Binding {
    Binding { param, field, holds: Holds::Value }
}

/// A map that holds a parameter under the parameter's name.
const fn entry(param: &'static str, field: &'static str) -> Binding {
    Binding { param, field, holds: Holds::Entry }
}

/// An rpc with its bindings.
const fn rpc(path: &'static str, bindings: &'static [Binding]) -> Rpc {
    Rpc { path, bindings }
}

/// The roles of operators' methods.
const STAFF: &[Role] = &[Role::Admin, Role::Manager];

/// The admin alone.
const ADMIN: &[Role] = &[Role::Admin];

/// Those who own users.
const OWNERS: &[Role] = &[Role::Admin, Role::Reseller];

/// The operator's people, and resellers.
const SELLERS: &[Role] = &[Role::Admin, Role::Manager, Role::Reseller];

/// Those who are told of prices.
const BUYERS: &[Role] = &[Role::Admin, Role::Manager, Role::Reseller, Role::User];

/// Every role there is in MOR.
const ANYBODY: &[Role] = &[Role::Admin, Role::Manager, Role::Reseller, Role::Partner, Role::User];

/// Every role there is in M4.
const EVERYBODY: &[Role] = &[Role::Admin, Role::Manager, Role::User];

/// No caller is named: the hash alone lets a request in.
const NOBODY: &[Role] = &[];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_leads_to_one_method() {
        for dialect in DIALECTS {
            let mut seen = HashSet::new();
            for method in methods(dialect) {
                for name in std::iter::once(&method.name).chain(method.aliases) {
                    assert!(seen.insert(*name), "{name} is declared twice");
                    assert_eq!(find(dialect, name).map(|found| found.name), Some(method.name));
                    // Whoever may call it by one of its names may by all, in both dialects.
                    assert_eq!(own_name(name), Some(method.known_as()), "{name}");
                }
            }
        }
    }

    #[test]
    fn what_one_dialect_calls_by_an_alias_of_the_other_is_one_method_to_keys() {
        let aggregates = find(LegacyDialect::Mor, "aggregate_get").map(Declaration::known_as);
        assert_eq!(aggregates, Some("aggregates_get"));
        assert_eq!(own_name("aggregate_get"), aggregates);
    }

    /// A hashed parameter that stands in no field of an rpc could be replaced in it.
    #[test]
    fn f06_every_hashed_parameter_is_bound_in_every_rpc() {
        for method in DIALECTS.into_iter().flat_map(methods) {
            // Those that tell callers about themselves have the caller alone.
            let of_caller = |rpc: &&Rpc| rpc.bindings.iter().any(|binding| binding.param == "u");
            let is_login = method.name == "user_login";
            for rpc in method.rpcs.iter().filter(|rpc| is_login || !of_caller(rpc)) {
                for name in method.hash.iter().copied().flatten() {
                    let bound = rpc.bindings.iter().any(|binding| binding.param == *name);
                    // Who calls is the core's own business.
                    let of_the_caller = !is_login && ["u", "p"].contains(name);
                    let unbound = m4::UNBOUND.iter().chain(mor::UNBOUND);
                    let unbound = unbound.into_iter().any(|known| *known == (method.name, *name));
                    assert!(bound || of_the_caller || unbound, "{} {name}", method.name);
                }
            }
        }
    }

    /// Who may only read by a method may by its namesake in the other dialect as well.
    #[test]
    fn a_method_reads_or_writes_in_both_dialects_alike() {
        for method in DIALECTS.into_iter().flat_map(methods) {
            assert_eq!(method.only_reads(), only_reads(method.known_as()), "{}", method.name);
        }
        for (name, reads) in [("users_get", true), ("user_login", false), ("user_register", false)]
        {
            assert_eq!(only_reads(name), reads, "{name}");
        }
    }

    #[test]
    fn f07_a_parameter_has_one_value_under_all_its_names() {
        let payment = &m4::PAYMENT_CREATE;
        let name = |sent: &'static [&str]| payment.sent_as("currency", |name| sent.contains(&name));
        assert_eq!(name(&["p_currency"]), Some("p_currency"));
        assert_eq!(name(&["p_currency", "currency"]), Some("currency"));
        assert_eq!(name(&["amount"]), None);
        assert!(payment.hashes("p_currency") && !payment.hashes("comment"));
    }
}
