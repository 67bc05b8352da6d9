//! CLIs: the numbers and domains of callers by which devices are known
//! (`docs/rules/points-and-pools.md#clis`).

mod service;
pub(crate) mod store;

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    text::check_text,
};

/// A calling number as CLIs have it: with country code and without a plus before it.
pub(crate) fn number_of(source: &str) -> &str {
    source.strip_prefix('+').unwrap_or(source)
}

fn check_number(number: &str) -> Result<()> {
    check_text("cli.number", number)?;
    match number.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(()),
        false => Err(Error::invalid("cli.number", "must be digits")),
    }
}

fn check_domain(domain: &str) -> Result<()> {
    check_text("cli.domain", domain)?;
    match domain.chars().any(char::is_whitespace) {
        true => Err(Error::invalid("cli.domain", "must not contain blanks")),
        false => Ok(()),
    }
}
