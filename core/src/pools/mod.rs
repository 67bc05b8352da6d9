//! Number pools: named sets of numbers and patterns (`docs/rules/points-and-pools.md#number-pools`).

pub(crate) mod cache;
mod patterns;
mod service;
pub(crate) mod store;

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

pub use patterns::Patterns;
pub(crate) use service::Service;

use crate::ids::PoolId;

/// The longest number or pattern there may be.
const MAX_LENGTH: usize = 32;

/// A pool, without its numbers.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) id: PoolId,
    name: String,
    comment: String,
    /// How many it has.
    numbers: i64,
    /// Grows with every change of the numbers.
    revision: i64,
}

/// The pools that there are, with the revisions of their numbers.
pub(crate) type PoolRevisions = HashMap<PoolId, i64>;

impl Pool {
    fn to_proto(&self) -> pb::NumberPool {
        pb::NumberPool {
            id: self.id.0,
            name: self.name.clone(),
            comment: self.comment.clone(),
            numbers: self.numbers,
        }
    }
}

/// A number as it is stored: `#` becomes `_`, and a pattern ends with its only `%`. None: it
/// is none.
fn normalized(number: &str) -> Option<String> {
    let text = number.trim().replace('#', "_");
    let text = text.trim_start_matches('%');
    let begins = text.trim_end_matches('%');
    let is_pattern = begins.len() < text.len();
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '*' | '_');
    let fits = !begins.is_empty() && begins.len() < MAX_LENGTH && begins.chars().all(allowed);
    fits.then(|| if is_pattern { format!("{begins}%") } else { begins.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn numbers_have_one_form() {
        for (given, stored) in [
            ("370", Some("370")),
            (" 44% ", Some("44%")),
            ("%370%", Some("370%")),
            ("%370", Some("370")),
            ("44%%", Some("44%")),
            ("#14", Some("_14")),
            ("+44", Some("+44")),
            ("Unknown", Some("Unknown")),
            ("", None),
            ("%", None),
            ("4%4", None),
            ("4 4", None),
            ("44;", None),
            ("123456789012345678901234567890123", None),
        ] {
            assert_eq!(normalized(given).as_deref(), stored, "{given}");
        }
    }
}
