//! What a legacy method declares.

use std::pin::Pin;

use tollbook_proto::v1::{ErrorReason, Role};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    xml::Answer,
};

/// The future of a method's answer.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// A method of a legacy API: everything about it but what it does with its answer.
pub struct Method {
    /// Its name in the URL.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// The group under which the original's documentation lists it.
    pub group: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// The accepted inputs of the hash: lists of parameters, whose values are concatenated.
    /// The documented one comes first.
    pub hash: &'static [&'static [&'static str]],
    /// Whether an empty input counts for the admin only.
    pub only_admin_signs_nothing: bool,
    /// Its parameters beyond `u` and `hash`.
    pub params: &'static [Param],
    /// The roles that it admits; empty: it needs no caller.
    pub(crate) roles: &'static [Role],
    /// The rpc that does its work, whose access rule it obeys.
    pub(crate) rpc: &'static str,
    /// How its own errors are wrapped.
    pub(crate) wrap: Wrap,
    /// Its own texts of errors, where they differ from the common ones.
    pub(crate) errors: &'static [(ErrorReason, &'static str)],
    /// Decodes the parameters, calls the core, renders the answer.
    pub(crate) handle: fn(Call) -> Answering,
}

/// A parameter of a method.
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Whether the method does nothing useful without it.
    pub required: bool,
    /// What it means, with its values and its default.
    pub meaning: &'static str,
}

/// A parameter that a method cannot do without.
pub(crate) const fn required(name: &'static str, meaning: &'static str) -> Param {
    Param { name, required: true, meaning }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str, meaning: &'static str) -> Param {
    Param { name, required: false, meaning }
}

/// The roles of operators' methods.
pub(crate) const STAFF: &[Role] = &[Role::Admin, Role::Manager];

/// Every role.
pub(crate) const EVERYBODY: &[Role] = &[Role::Admin, Role::Manager, Role::User];

/// No caller is named: the hash alone lets a request in.
pub(crate) const NOBODY: &[Role] = &[];
