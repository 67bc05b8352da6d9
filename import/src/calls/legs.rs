//! Records under one id: the same one again, attempts of one call, or a conflict.
//!
//! The rule, which does not depend on the order of the records nor on the files they are in:
//!
//! - the same contents: a **duplicate**;
//! - Asterisk tries one trunk after the other under one uniqueid, and `cdr_csv` writes a record
//!   for each attempt. If at most one of two records was answered, they come from the same
//!   channel, account and number, and go to the same number, then they are attempts of one call:
//!   the answered one stays, or of two unanswered ones the later; the other is absorbed, for it
//!   costs nothing;
//! - anything else is a **conflict**, which nobody but the operator can settle: two answered
//!   records above all, of which each may be owed.

use super::{Call, Disposition};

/// How a record relates to the one that is known under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// It says the same: nothing to do.
    Duplicate,
    /// It takes the place of the known one, an earlier or unanswered attempt of the same call.
    Replaces,
    /// It is an unanswered attempt of the known call: nothing to do.
    Absorbed,
    /// It says something else: to be reported and refused.
    Conflict,
}

/// Compares a record with the known one of the same [`super::CallIds::key`].
#[must_use]
pub fn compare(known: &Call, new: &Call) -> Leg {
    if same_contents(known, new) {
        return Leg::Duplicate;
    }
    if !attempts_of_one_call(known, new) {
        return Leg::Conflict;
    }
    match (is_answered(known), is_answered(new)) {
        (true, true) => Leg::Conflict,
        (false, true) => Leg::Replaces,
        (false, false) if rank(new) > rank(known) => Leg::Replaces,
        (_, false) => Leg::Absorbed,
    }
}

/// Whether two records say the same of a call; where in which file they stand does not count.
#[must_use]
pub fn same_contents(one: &Call, other: &Call) -> bool {
    // Listed by name, so that a field that is added to a call is thought of here.
    let Call {
        span: _,
        bye_line: _,
        attempts: _,
        ids,
        start_time,
        answer_time,
        end_time,
        duration_ms,
        billsec_ms,
        disposition,
        hangup_cause,
        source,
        destination,
        originator,
        terminator,
    } = other;
    one.ids.key() == ids.key()
        && one.start_time == *start_time
        && one.answer_time == *answer_time
        && one.end_time == *end_time
        && one.duration_ms == *duration_ms
        && one.billsec_ms == *billsec_ms
        && one.disposition == *disposition
        && one.hangup_cause == *hangup_cause
        && one.source == *source
        && one.destination == *destination
        && one.originator == *originator
        && one.terminator == *terminator
}

fn is_answered(call: &Call) -> bool {
    call.disposition == Some(Disposition::Answered) || call.billsec_ms.is_some_and(|ms| ms > 0)
}

/// Whether both come from a format whose ids are those of channels, from the same channel, and
/// for the same number: then one is an attempt before or after the other.
fn attempts_of_one_call(known: &Call, new: &Call) -> bool {
    known.attempts
        && new.attempts
        && known.source == new.source
        && known.destination == new.destination
        && known.originator == new.originator
}

/// Of unanswered attempts the last stays; what they say beside it only breaks ties.
fn rank(call: &Call) -> impl Ord {
    (
        call.start_time,
        call.end_time,
        call.duration_ms,
        call.disposition,
        call.hangup_cause,
        call.terminator.clone(),
        call.answer_time,
        call.billsec_ms,
    )
}
