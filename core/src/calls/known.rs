//! Records under an id that is in the books already: the same call again, another attempt of it,
//! or something else that must not get lost.

use tollbook_proto::v1::{self as pb, CallRecord};

use super::{
    Call, Disposition,
    record::{self, Record, Said, UserRef},
};
use crate::{clock, points::Points};

/// So far apart two records of one call may be, in microseconds: switches round each for itself,
/// and so do the files that they write.
const ROUNDING: i64 = 2_000_000;

/// What a record is to the call that is in the books under its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// It says the same.
    Same,
    /// It is an unanswered attempt of the same call, which costs nothing.
    Absorbed,
    /// It is the answered attempt of a call of which only unanswered ones were known.
    Replaces,
    /// It says something else, in this.
    Differs(&'static str),
}

/// Compares a record, and what it says by itself, with the call that is known under its id.
pub(super) fn relation(known: &Call, new: &Call, said: Said) -> Relation {
    let Some(what) = difference(known, new, said) else { return Relation::Same };
    let of_one_call = said.attempt
        && known.originator == new.originator
        && known.reported.source == new.reported.source
        && known.reported.destination == new.reported.destination;
    match (is_answered(known), is_answered(new)) {
        (false, true) if of_one_call => Relation::Replaces,
        (_, false) if of_one_call => Relation::Absorbed,
        _ => Relation::Differs(what),
    }
}

/// Whether an answered call is that of a known one by when it was: from and for as long.
pub(super) fn is_told_again(known: &Call, new: &Call) -> bool {
    let (before, after) = (&known.reported, &new.reported);
    before.is_charged()
        && after.is_charged()
        && near(before.start_time, after.start_time, ROUNDING)
        && near(before.billsec, after.billsec, ROUNDING / 1_000)
}

/// Whether two times, or durations, are at most so far apart.
fn near(one: i64, other: i64, apart: i64) -> bool {
    (one - other).abs() <= apart
}

fn is_answered(call: &Call) -> bool {
    call.reported.disposition == Disposition::Answered
}

/// So far apart two records of one call may be where the time zone of one was wrong.
const ANOTHER_ZONE: i64 = 26 * 3_600_000_000;

/// Whether a record says no more than the call that is known under its id: it costs nothing, or was
/// answered for as long. So much can be told of a record whose users or numbers are wrong; nothing
/// of one that cannot be read, or that has another id of its own.
pub(crate) fn covers(known: &Call, record: &CallRecord) -> bool {
    let Ok(Record { reported: new, .. }) = record::read(record) else { return false };
    if !new.record_id.is_empty() && new.record_id != known.reported.record_id {
        return false;
    }
    let known = &known.reported;
    !new.is_charged()
        || known.is_charged()
            && near(known.billsec, new.billsec, ROUNDING / 1_000)
            && near(known.start_time, new.start_time, ANOTHER_ZONE)
}

/// In what two records of one call id disagree of which neither is in the books; `None` if they are of one
/// call, of two attempts of it, or of two calls that share the id, or if nobody can tell.
pub(crate) fn disagreement(one: &CallRecord, other: &CallRecord) -> Option<&'static str> {
    if one.attempt || other.attempt || one.record_id != other.record_id {
        return None;
    }
    let (one, other) = (record::read(one).ok()?, record::read(other).ok()?);
    let (before, after) = (&one.reported, &other.reported);
    let answered = |call: &Record| call.reported.disposition == Disposition::Answered;
    let is_said = |says: fn(Said) -> bool| says(one.said) && says(other.said);
    [
        (is_one_user(one.originator.as_ref(), other.originator.as_ref()), "originator"),
        (is_one_user(one.terminator.as_ref(), other.terminator.as_ref()), "terminator"),
        (before.destination == after.destination, "destination"),
        (!is_said(|said| said.disposition) || answered(&one) == answered(&other), "disposition"),
        (
            !is_said(|said| said.billsec) || near(before.billsec, after.billsec, ROUNDING / 1_000),
            "billsec",
        ),
        (near(before.start_time, after.start_time, ROUNDING), "start time"),
        (
            !is_said(|said| said.duration)
                || near(before.duration, after.duration, ROUNDING / 1_000),
            "duration",
        ),
    ]
    .into_iter()
    .find_map(|(is_same, what)| (!is_same).then_some(what))
}

/// Whether two records may name one user: by an id and by a name they may.
fn is_one_user(one: Option<&UserRef>, other: Option<&UserRef>) -> bool {
    match (one, other) {
        (Some(UserRef::Id(one)), Some(UserRef::Id(other))) => one == other,
        (Some(UserRef::Username(one)), Some(UserRef::Username(other))) => {
            one.to_lowercase() == other.to_lowercase()
        }
        _ => true,
    }
}

/// Whether a record, which for itself may say too little to be a call, says nothing that is
/// otherwise in the call that is known under its id: it is the same call, told again.
pub(super) fn agrees(known: &Call, record: &CallRecord, points: &Points) -> bool {
    let call = &known.reported;
    let is_at = |time: &Option<prost_types::Timestamp>, known: i64| match time {
        None => true,
        Some(time) => clock::from_proto("time", time).is_ok_and(|time| near(time, known, ROUNDING)),
    };
    let lasts = |duration: Option<i64>, known: i64| {
        duration.is_none_or(|duration| near(duration, known, ROUNDING / 1_000))
    };
    let disposition = record.disposition();
    let is_answered_too = (disposition == pb::Disposition::Answered) == is_answered(known);
    let is_there = |number: &str| number.is_empty() || number == call.destination;
    let mut rewritten = record.destination.clone();
    if let Some((_, rules)) = points.origination(call.origination_point) {
        rules.rewrite_destination(&mut rewritten);
    }
    (is_there(&record.destination) || is_there(&rewritten))
        && record.originator_id.is_none_or(|id| id == known.originator.0)
        && (disposition == pb::Disposition::Unspecified || is_answered_too)
        && is_at(&record.start_time, call.start_time)
        && is_at(&record.end_time, call.start_time + call.duration * 1_000)
        && lasts(record.duration_ms, call.duration)
        && lasts(record.billsec_ms, call.billsec)
}

/// In what a record differs from a call; none: in nothing that matters. One that names no
/// terminator does not say that there was none.
fn difference(known: &Call, new: &Call, said: Said) -> Option<&'static str> {
    let (before, after) = (&known.reported, &new.reported);
    [
        (known.originator == new.originator, "originator"),
        (new.terminator.is_none() || known.terminator == new.terminator, "terminator"),
        (before.destination == after.destination, "destination"),
        (!said.disposition || is_answered(known) == is_answered(new), "disposition"),
        (!said.billsec || near(before.billsec, after.billsec, ROUNDING / 1_000), "billsec"),
        (near(before.start_time, after.start_time, ROUNDING), "start time"),
        (!said.duration || near(before.duration, after.duration, ROUNDING / 1_000), "duration"),
    ]
    .into_iter()
    .find_map(|(is_same, what)| (!is_same).then_some(what))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;
    use crate::{
        calls::{Leg, Owners, Reported},
        ids::{PointId, UserId},
    };

    /// A call that was answered for so many seconds, or was not.
    fn call(seconds: i64, change: impl FnOnce(&mut Call)) -> Call {
        let mut call = Call {
            id: 0,
            originator: UserId(2),
            terminator: Some(UserId(3)),
            prefix: String::new(),
            price: Leg::NONE,
            self_cost: Leg::NONE,
            owners: Owners::NONE,
            import: None,
            reported: Reported {
                call_id: "1700000000.7".to_owned(),
                record_id: String::new(),
                start_time: 1_700_000_000_000_000,
                duration: seconds * 1_000 + 5_000,
                billsec: seconds * 1_000,
                disposition: if seconds > 0 { Disposition::Answered } else { Disposition::Busy },
                hangup_cause: 16,
                source: "37060000001".to_owned(),
                destination: "37061234567".to_owned(),
                origination_point: PointId(0),
                termination_point: PointId(0),
            },
        };
        change(&mut call);
        call
    }

    const ALL: Said = Said { attempt: false, billsec: true, duration: true, disposition: true };
    const ATTEMPT: Said = Said { attempt: true, ..ALL };

    #[test]
    fn what_rounding_makes_is_the_same() {
        let known = call(60, |_| {});
        for new in [
            call(60, |_| {}),
            call(61, |_| {}),
            call(60, |call| call.reported.start_time += 1_999_999),
            call(60, |call| call.terminator = None),
            call(60, |call| call.reported.hangup_cause = 31),
            call(60, |call| call.reported.source = "anonymous".to_owned()),
        ] {
            assert_eq!(relation(&known, &new, ALL), Relation::Same, "{new:?}");
        }
    }

    #[test]
    fn anything_else_is_named() {
        let known = call(60, |_| {});
        for (new, what) in [
            (call(60, |call| call.originator = UserId(9)), "originator"),
            (call(60, |call| call.terminator = Some(UserId(9))), "terminator"),
            (call(60, |call| call.reported.destination = "1".to_owned()), "destination"),
            (call(0, |_| {}), "disposition"),
            (call(63, |_| {}), "billsec"),
            (call(60, |call| call.reported.start_time += 86_400_000_000), "start time"),
            (call(60, |call| call.reported.duration += 9_000), "duration"),
        ] {
            assert_eq!(relation(&known, &new, ALL), Relation::Differs(what));
        }
    }

    #[test]
    fn of_several_attempts_the_answered_one_counts_whichever_comes_first() {
        let later = |call: &mut Call| call.reported.start_time += 30_000_000;
        assert_eq!(relation(&call(0, |_| {}), &call(60, later), ATTEMPT), Relation::Replaces);
        assert_eq!(relation(&call(60, later), &call(0, |_| {}), ATTEMPT), Relation::Absorbed);
        assert_eq!(relation(&call(0, |_| {}), &call(0, later), ATTEMPT), Relation::Absorbed);
        let answered_twice = relation(&call(60, |_| {}), &call(70, later), ATTEMPT);
        assert_eq!(answered_twice, Relation::Differs("billsec"));
    }

    proptest! {
        /// Whatever the order of the records, and in however many files they are.
        #[test]
        fn attempts_are_merged_in_any_order(
            (records, again) in (vec(0_i64..20, 0..5), option::of(0_i64..20)).prop_flat_map(
                |(unanswered, answered)| {
                    let unanswered = unanswered.into_iter().map(|start| (start, 0));
                    let records: Vec<_> =
                        unanswered.chain(answered.map(|start| (start, 60))).collect();
                    (Just(records.clone()).prop_shuffle(), Just(records).prop_shuffle())
                },
            ),
        ) {
            let mut known: Option<Call> = None;
            for (start, seconds) in records.iter().chain(&again) {
                let later = |call: &mut Call| call.reported.start_time += start * 1_000_000;
                let new = call(*seconds, later);
                match known.as_ref().map(|known| relation(known, &new, ATTEMPT)) {
                    None | Some(Relation::Replaces) => known = Some(new),
                    Some(Relation::Same | Relation::Absorbed) => {}
                    Some(Relation::Differs(what)) => prop_assert!(false, "{what}"),
                }
            }
            let billed = known.map(|call| call.reported.billsec / 1_000);
            prop_assert_eq!(billed, records.iter().map(|(_, seconds)| *seconds).max());
        }
    }

    #[test]
    fn another_call_is_no_attempt() {
        let other = |call: &mut Call| call.reported.destination = "1".to_owned();
        let relation_of = |said| relation(&call(0, |_| {}), &call(60, other), said);
        assert_eq!(relation_of(ATTEMPT), Relation::Differs("destination"));
        let unsaid = relation(&call(0, |_| {}), &call(60, |_| {}), ALL);
        assert_eq!(unsaid, Relation::Differs("disposition"));
    }

    #[test]
    fn a_record_says_no_more_than_a_call_that_was_answered_for_as_long() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let record = |seconds: i64| CallRecord {
            call_id: "1700000000.7".to_owned(),
            start_time: at(1_700_000_000),
            billsec_ms: Some(seconds * 1_000),
            destination: "061234567".to_owned(),
            originator: "nobody".to_owned(),
            ..CallRecord::default()
        };
        let (answered, busy) = (call(60, |_| {}), call(0, |_| {}));
        for new in [
            record(60),
            record(61),
            record(0),
            // The time zone was another one.
            CallRecord { start_time: at(1_700_000_000 - 7_200), ..record(60) },
        ] {
            assert!(covers(&answered, &new), "{new:?}");
        }
        // Nobody can tell what it says.
        assert!(!covers(&answered, &CallRecord { start_time: None, ..record(60) }));
        let next_week = CallRecord { start_time: at(1_700_604_800), ..record(60) };
        assert!(!covers(&answered, &record(90)) && !covers(&answered, &next_week));
        assert!(covers(&busy, &record(0)) && !covers(&busy, &record(60)));
    }

    /// The repeat of a call's end, which was completed by its authorisation when it came first.
    #[test]
    fn what_a_record_leaves_out_is_no_difference() {
        let nothing = Said { billsec: false, duration: false, disposition: false, ..ALL };
        assert_eq!(relation(&call(60, |_| {}), &call(0, |_| {}), nothing), Relation::Same);
        let unanswered = Said { disposition: true, ..nothing };
        let relation = relation(&call(60, |_| {}), &call(0, |_| {}), unanswered);
        assert_eq!(relation, Relation::Differs("disposition"));
    }
}
