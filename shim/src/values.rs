//! What a request sent, as its method may read it: by the parameters that the method declares, and by
//! no name of its own.

use tollbook_proto::v1::Decimal;

use crate::{
    charset::Sent,
    method::{Method, Param},
    request::{self, Params},
};

/// The values of the parameters of a method.
pub(crate) struct Values {
    method: &'static Method,
    params: Params,
}

impl Values {
    pub(crate) fn new(method: &'static Method, params: Params) -> Self {
        Self { method, params }
    }

    /// The value of a parameter, under whichever of its spellings it was sent; none: it was not
    /// sent.
    pub(crate) fn get(&self, param: Param) -> Option<&str> {
        let declared = self.method.params.iter().any(|declared| declared.name == param.name);
        debug_assert!(
            declared,
            "{} reads {}, and declares it not",
            self.method.declaration.name, param.name
        );
        let is_filled = |name: &str| self.params.filled(name).is_some();
        let sent_as = self.method.declaration.sent_as(param.name, is_filled);
        self.params.get(sent_as.unwrap_or(param.name))
    }

    /// The value of a parameter; empty where it was not sent.
    pub(crate) fn text(&self, param: Param) -> &str {
        self.get(param).unwrap_or_default()
    }

    /// The value of a parameter, where it was sent and is not empty.
    pub(crate) fn filled(&self, param: Param) -> Option<&str> {
        self.get(param).filter(|value| !value.is_empty())
    }

    /// An id: digits only, so that it has one spelling; none where it is anything else.
    pub(crate) fn id(&self, param: Param) -> Option<i64> {
        request::id(self.text(param))
    }

    /// A decimal for the core to read; none where it is empty or was not sent.
    pub(crate) fn decimal(&self, param: Param) -> Option<Decimal> {
        self.filled(param).map(|value| Decimal { value: value.to_owned() })
    }

    /// A switch that is 1 for on, and `off` for off; none where it is empty or was not sent.
    /// The error says what it must be.
    pub(crate) fn toggled(&self, param: Param, off: &str) -> Result<Option<bool>, String> {
        match self.filled(param) {
            None => Ok(None),
            Some("1") => Ok(Some(true)),
            Some(value) if value == off => Ok(Some(false)),
            Some(_) => Err(format!("{} must be 1 or {off}", param.name)),
        }
    }

    /// The login name of the caller, which every method takes; empty where it was not sent.
    pub(crate) fn caller(&self) -> &str {
        self.params.text("u")
    }

    /// Names and values of all that was sent, in the order of the request: for what takes whatever
    /// parameters there are.
    pub(crate) fn sent(&self) -> impl Iterator<Item = (&str, &Sent)> {
        self.params.sent()
    }
}
