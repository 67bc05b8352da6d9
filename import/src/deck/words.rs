//! Words in the cells of rate decks.

use crate::profile::Steps;

/// What a line says of its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// As it was.
    Current,
    /// New.
    New,
    /// Higher than before.
    Increase,
    /// Lower than before.
    Decrease,
    /// Otherwise different than before.
    Changed,
    /// No longer offered from the effective date on.
    Closed,
    /// Calls are refused.
    Blocked,
}

impl Status {
    /// The status of a cell; `None` if it is not known. Given without spaces around it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match crate::table::normalised(text).as_str() {
            "current" | "no change" | "nochange" | "unchanged" | "same" | "active" | "open"
            | "existing" | "stable" | "no changes" | "not changed" | "equal" | "nc" | "n c"
            | "enabled" | "offered" | "available" => Self::Current,
            "new" | "added" | "add" | "new code" | "new destination" | "newly added"
            | "new prefix" | "opened" => Self::New,
            "increase" | "increased" | "up" | "higher" | "inc" | "raised" | "raise"
            | "pending increase" | "increase pending" | "rate increase" | "price increase" => {
                Self::Increase
            }
            "decrease" | "decreased" | "down" | "lower" | "dec" | "lowered" | "reduced"
            | "reduction" | "pending decrease" | "decrease pending" | "rate decrease"
            | "price decrease" => Self::Decrease,
            "changed" | "change" | "updated" | "update" | "modified" | "code change"
            | "increment change" | "name change" | "pending" => Self::Changed,
            "closed" | "close" | "closing" | "deleted" | "delete" | "removed" | "remove"
            | "discontinued" | "withdrawn" | "expired" | "terminated" | "code deleted"
            | "deleted code" | "dropped" | "obsolete" | "code removed" | "code closed" | "end"
            | "ended" | "cancelled" | "canceled" => Self::Closed,
            "blocked" | "block" | "suspended" | "disabled" | "not offered" | "no service"
            | "barred" | "not available" | "unavailable" | "inactive" | "restricted" => {
                Self::Blocked
            }
            other => return super::languages::status(other),
        })
    }
}

/// What stands where a rate should.
pub(super) enum NoRate {
    /// A word that says that calls are refused.
    Blocked,
    /// A word that says that the rate ends.
    Closed,
    /// Nothing, or a word that leaves open why.
    Unsaid,
}

/// What a cell without a rate says; `None` if it is to be read as one.
pub(super) fn no_rate(text: &str) -> Option<NoRate> {
    // The own way of a deck to block a prefix.
    if text == "-1" {
        return Some(NoRate::Blocked);
    }
    if !text.contains(|c: char| c.is_alphanumeric()) && !text.contains(['$', '€', '£']) {
        let dashes = |c: char| matches!(c, '-' | '–' | '—' | '.' | '/' | '?' | '*');
        return text.chars().all(dashes).then_some(NoRate::Unsaid);
    }
    match crate::table::normalised(text).as_str() {
        "n a" | "na" | "none" | "null" | "tba" | "tbd" | "tbc" | "nil" | "on request" | "nan"
        | "no rate" | "no price" | "ask" | "poa" | "n v t" | "not applicable" => {
            Some(NoRate::Unsaid)
        }
        "not supported" | "no route" | "not served" | "no termination" | "out of service"
        | "not routed" | "no access" | "no offer" | "not offering" => Some(NoRate::Blocked),
        _ => match Status::parse(text) {
            Some(Status::Blocked) => Some(NoRate::Blocked),
            Some(Status::Closed) => Some(NoRate::Closed),
            _ => None,
        },
    }
}

/// What a cell of the column `blocked` says.
#[derive(PartialEq, Eq)]
pub(super) enum Said {
    /// Calls are let through.
    Open,
    /// Calls are refused.
    Blocked,
    /// A shorter prefix decides.
    Ended,
}

/// What a cell of the column `blocked` says; `None` if it is not known.
pub(super) fn blocked(text: &str) -> Option<Said> {
    match text.to_lowercase().as_str() {
        "" | "0" | "no" | "n" | "false" | "unblock" | "unblocked" | "open" | "active" => {
            Some(Said::Open)
        }
        "1" | "yes" | "y" | "true" | "block" | "blocked" | "x" => Some(Said::Blocked),
        // As exports write it.
        "ended" => Some(Said::Ended),
        _ => None,
    }
}

/// What a cell of the column `steps` says that steps count from; `None` if it is not known.
pub(super) fn steps(text: &str) -> Option<Steps> {
    match crate::table::normalised(text).as_str() {
        "zero" | "0" | "from zero" | "beginning" | "start" => Some(Steps::FromZero),
        "minimum" | "after minimum" | "min" => Some(Steps::AfterMinimum),
        _ => None,
    }
}

/// Whether the first cell of a row says that the row sums up others.
pub(super) fn is_total(text: &str) -> bool {
    let text = crate::table::normalised(text);
    let first = text.split(' ').next().unwrap_or_default();
    matches!(first, "total" | "totals" | "subtotal" | "sum" | "average" | "count")
        || text.starts_with("grand total")
        || text.starts_with("sub total")
}
