//! What a legacy method declares.

use std::pin::Pin;

use prost_types::Timestamp;
use tollbook_proto::{
    legacy::Declaration,
    v1::{Decimal, ErrorReason},
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    request,
    xml::Answer,
};

/// The future of a method's answer.
pub(crate) type Answering = Pin<Box<dyn Future<Output = Result<Answer, Failure>> + Send>>;

/// A method of a legacy API: everything about it but what it does with its answer.
pub struct Method {
    /// Its names, what its hash is made of, and the rpcs that do its work: what the core knows
    /// of it, too.
    pub declaration: &'static Declaration,
    /// The group under which the original's documentation lists it.
    pub group: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Its parameters beyond `u` and `hash`.
    pub params: &'static [Param],
    /// How its own errors are wrapped.
    pub(crate) wrap: Wrap,
    /// Its own texts of errors, where they differ from the common ones.
    pub(crate) errors: &'static [(ErrorReason, &'static str)],
    /// Decodes the parameters, calls the core, renders the answer.
    pub(crate) handle: fn(Call) -> Answering,
}

/// A parameter of a method.
#[derive(Clone, Copy)]
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

/// A parameter with the type of its values: declared once, and read by that ([`Call::read`]).
pub(crate) struct Input<T> {
    /// What the method declares.
    pub(crate) param: Param,
    /// Reads a value, which is empty where none was sent; none: it cannot be one.
    pub(crate) read: fn(&str) -> Option<T>,
}

impl<T> Input<T> {
    pub(crate) const fn new(param: Param, read: fn(&str) -> Option<T>) -> Self {
        Self { param, read }
    }
}

/// A text, empty where it was not sent.
pub(crate) const fn text(param: Param) -> Input<String> {
    Input::new(param, |value| Some(value.to_owned()))
}

/// A switch: "1" is on, everything else off.
pub(crate) const fn switch(param: Param) -> Input<bool> {
    Input::new(param, |value| Some(value == "1"))
}

/// The id of something: none where it is none or was not sent, which is for the method to say.
pub(crate) const fn id(param: Param) -> Input<Option<i64>> {
    Input::new(param, |value| Some(request::id(value)))
}

/// An id that may be left out.
pub(crate) const fn optional_id(param: Param) -> Input<Option<i64>> {
    Input::new(param, |value| match value {
        "" => Some(None),
        value => request::id(value).map(Some),
    })
}

/// An id to choose by; none where all are meant, which is to send `all` or nothing.
pub(crate) const fn choice(param: Param) -> Input<Option<i64>> {
    Input::new(param, |value| match value {
        "" | "all" => Some(None),
        value => request::id(value).map(Some),
    })
}

/// A decimal for the core to read; none where it was not sent.
pub(crate) const fn decimal(param: Param) -> Input<Option<Decimal>> {
    Input::new(param, |value| {
        Some((!value.is_empty()).then(|| Decimal { value: value.to_owned() }))
    })
}

/// A unix time; none where it was not sent.
pub(crate) const fn time(param: Param) -> Input<Option<Timestamp>> {
    Input::new(param, |value| match value {
        "" => Some(None),
        value => request::time(value).map(Some),
    })
}
