//! CLIs: the numbers and domains of callers by which devices are known
//! (`docs/rules/points-and-pools.md#clis`).

mod service;
pub(crate) mod store;

pub(crate) use service::Service;

use crate::{
    error::{Error, Result},
    text::check_text,
};

/// A number as CLIs have it: with country code, and without pluses or an international prefix (`00`)
/// before it.
pub(crate) fn number_of(source: &str) -> &str {
    let number = source.trim_start_matches('+');
    number.strip_prefix("00").unwrap_or(number)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_is_dialled() {
        for source in ["370", "+370", "++370", "00370", "+00370"] {
            assert_eq!(number_of(source), "370", "{source}");
        }
        for source in ["", "+", "00"] {
            assert_eq!(number_of(source), "", "{source}");
        }
    }
}
