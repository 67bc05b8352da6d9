//! Which fields of a message a request sets: a mask, made while the parameters are read.
//!
//! An empty text empties its field; an empty number, id or switch counts as not sent, as forms
//! send what nobody filled in. An error says what is wrong with a parameter.

use std::str::FromStr;

use prost_types::FieldMask;

use crate::{method::Param, values::Values};

/// The fields that were sent so far.
pub(crate) struct Mask<'a> {
    params: &'a Values,
    paths: Vec<String>,
}

impl<'a> Mask<'a> {
    pub(crate) fn new(params: &'a Values) -> Self {
        Self { params, paths: Vec::new() }
    }

    /// A field was set.
    pub(crate) fn add(&mut self, path: &str) {
        self.paths.push(path.to_owned());
    }

    /// A whole message was set: what was set in it does not count any more.
    pub(crate) fn replace(&mut self, path: &str) {
        let inside = format!("{path}.");
        self.paths.retain(|known| !known.starts_with(&inside));
        self.add(path);
    }

    /// Takes a text.
    pub(crate) fn text(&mut self, param: Param, path: &str, field: &mut String) {
        if let Some(value) = self.params.get(param) {
            value.clone_into(field);
            self.add(path);
        }
    }

    /// Takes a number.
    pub(crate) fn number<T: FromStr>(
        &mut self,
        param: Param,
        path: &str,
        field: &mut T,
    ) -> Result<(), String> {
        if let Some(value) = self.params.filled(param) {
            *field = value.parse().map_err(|_| format!("{} must be a number", param.name))?;
            self.add(path);
        }
        Ok(())
    }

    /// Takes an id, in its one spelling.
    pub(crate) fn id(&mut self, param: Param, path: &str, field: &mut i64) -> Result<(), String> {
        if self.params.filled(param).is_some() {
            *field =
                self.params.id(param).ok_or_else(|| format!("{} must be a number", param.name))?;
            self.add(path);
        }
        Ok(())
    }

    /// Takes a switch that is 1 for on, and `off` for off.
    pub(crate) fn switch(
        &mut self,
        param: Param,
        path: &str,
        off: &str,
        field: &mut bool,
    ) -> Result<(), String> {
        if let Some(on) = self.params.toggled(param, off)? {
            *field = on;
            self.add(path);
        }
        Ok(())
    }

    pub(crate) fn into_proto(self) -> FieldMask {
        FieldMask { paths: self.paths }
    }
}
