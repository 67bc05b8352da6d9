//! Reading a switch's record of a call: what it must say, and what follows where it says
//! less.

use tollbook_proto::v1::{self as pb, CallRecord};

use super::{Disposition, Rejection, Reported};
use crate::{
    clock,
    error::Error,
    ids::{PointId, UserId},
    live::CLOCK_SKEW,
    text::check_text,
};

/// Calls are shorter than this: 31 days, in milliseconds.
const LONGEST: i64 = 31 * 24 * 3600 * 1000;
/// Normal clearing, of Q.850.
const NORMAL_CLEARING: i64 = 16;

/// A user as a record names him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserRef {
    Id(UserId),
    Username(String),
}

impl UserRef {
    /// None: the record names nobody.
    pub(crate) fn new(id: Option<i64>, username: &str) -> Option<Self> {
        match id {
            Some(id) => Some(Self::Id(UserId(id))),
            None if username.is_empty() => None,
            None => Some(Self::Username(username.to_owned())),
        }
    }
}

/// A checked record, with the users as it names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) reported: Reported,
    /// None: whose the origination point is.
    pub(crate) originator: Option<UserRef>,
    pub(crate) terminator: Option<UserRef>,
    /// The points as the switch names them; empty: it does not.
    pub(crate) origination_name: String,
    pub(crate) termination_name: String,
    pub(crate) said: Said,
}

/// What a record says by itself. The rest was concluded, and tells nothing of a call that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that a record may say")]
pub(crate) struct Said {
    /// It may be one of several attempts under one id.
    pub(crate) attempt: bool,
    /// How long the call was answered.
    pub(crate) billsec: bool,
    /// How long it lasted.
    pub(crate) duration: bool,
    /// Whether it was answered.
    pub(crate) disposition: bool,
}

impl Said {
    fn of(record: &CallRecord) -> Self {
        let duration = record.duration_ms.is_some() || record.end_time.is_some();
        let billsec = record.billsec_ms.is_some() || duration && record.answer_time.is_some();
        Self {
            attempt: record.attempt,
            billsec,
            duration,
            disposition: billsec || record.disposition() != pb::Disposition::Unspecified,
        }
    }
}

fn invalid(field: &str, problem: &'static str) -> Rejection {
    Rejection::InvalidField { field: field.to_owned(), problem }
}

fn text(field: &'static str, text: &str) -> Result<(), Rejection> {
    check_text(field, text).map_err(|error| match error {
        Error::InvalidField { field, problem } => Rejection::InvalidField { field, problem },
        _ => invalid(field, "is malformed"),
    })
}

/// Checks the id of a call.
pub(crate) fn check_call_id(call_id: &str) -> Result<(), Rejection> {
    if call_id.is_empty() {
        return Err(invalid("call_id", "is required"));
    }
    text("call_id", call_id)
}

/// Checks a record, and completes it.
pub(crate) fn read(record: &CallRecord) -> Result<Record, Rejection> {
    check_call_id(&record.call_id)?;
    text("record_id", &record.record_id)?;
    text("source", &record.source)?;
    if record.destination.is_empty() {
        return Err(invalid("destination", "is required"));
    }
    text("destination", &record.destination)?;
    let start_time = time("start_time", record.start_time.as_ref())?
        .ok_or_else(|| invalid("start_time", "is required"))?;
    let said = Said::of(record);
    let (duration, billsec) = durations(record, start_time)?;
    let disposition = pb::Disposition::try_from(record.disposition)
        .map_err(|_| invalid("disposition", "is unknown"))?;
    let disposition = match disposition {
        pb::Disposition::Unspecified if billsec > 0 => Disposition::Answered,
        pb::Disposition::Unspecified => Disposition::Failed,
        disposition => Disposition::from_proto(disposition)
            .ok_or_else(|| invalid("disposition", "is unknown"))?,
    };
    if billsec > 0 && disposition != Disposition::Answered {
        return Err(invalid("billsec_ms", "must be 0 for a call that was not answered"));
    }
    if !(0..=999).contains(&record.hangup_cause) {
        return Err(invalid("hangup_cause", "must be 0 to 999"));
    }
    let hangup_cause = match i64::from(record.hangup_cause) {
        0 if disposition == Disposition::Answered => NORMAL_CLEARING,
        cause => cause,
    };
    for (field, id) in [
        ("origination_point_id", record.origination_point_id),
        ("termination_point_id", record.termination_point_id),
    ] {
        if id < 0 {
            return Err(invalid(field, "must not be negative"));
        }
    }
    let originator = UserRef::new(record.originator_id, &record.originator);
    text("origination_point", &record.origination_point)?;
    text("termination_point", &record.termination_point)?;
    let has_point = record.origination_point_id != 0 || !record.origination_point.is_empty();
    // Who calls may be known by the calling number, which is for others to say.
    if originator.is_none() && !has_point && record.source.is_empty() {
        return Err(invalid("originator_id", "is required"));
    }
    Ok(Record {
        originator,
        terminator: UserRef::new(record.terminator_id, &record.terminator),
        origination_name: record.origination_point.clone(),
        termination_name: record.termination_point.clone(),
        said,
        reported: Reported {
            call_id: record.call_id.clone(),
            record_id: record.record_id.clone(),
            start_time,
            duration,
            billsec,
            disposition,
            hangup_cause,
            source: record.source.clone(),
            destination: record.destination.clone(),
            origination_point: PointId(record.origination_point_id),
            termination_point: PointId(record.termination_point_id),
        },
    })
}

fn time(
    field: &'static str,
    time: Option<&prost_types::Timestamp>,
) -> Result<Option<i64>, Rejection> {
    let micros = time.map(|time| clock::from_proto(field, time)).transpose();
    match micros.map_err(|_| invalid(field, "is not a time"))? {
        // Four-digit years, which every client can read.
        Some(micros) if !(0..253_402_300_800_000_000).contains(&micros) => {
            Err(invalid(field, "is out of range"))
        }
        // What is reported has happened: a time to come would have another day's sums and
        // another day's rates.
        Some(micros) if micros > clock::now() + CLOCK_SKEW => {
            Err(invalid(field, "is in the future"))
        }
        micros => Ok(micros),
    }
}

/// Milliseconds from INVITE and from answer to the end.
fn durations(record: &CallRecord, start: i64) -> Result<(i64, i64), Rejection> {
    let answer = time("answer_time", record.answer_time.as_ref())?;
    let end = time("end_time", record.end_time.as_ref())?;
    for (later, earlier, what) in [
        (end, Some(start), "end_time is before start_time"),
        (answer, Some(start), "answer_time is before start_time"),
        (end, answer, "end_time is before answer_time"),
    ] {
        if later.zip(earlier).is_some_and(|(later, earlier)| later < earlier) {
            return Err(Rejection::EndsBeforeStart { what });
        }
    }
    for (field, given) in [("duration_ms", record.duration_ms), ("billsec_ms", record.billsec_ms)] {
        if given.is_some_and(|given| given < 0) {
            return Err(Rejection::NegativeDuration { field });
        }
    }
    let between = |from: Option<i64>, till: Option<i64>| {
        from.zip(till).map(|(from, till)| (till - from) / 1_000)
    };
    let end = end.or_else(|| Some(start + record.duration_ms?.min(LONGEST) * 1_000));
    let billsec = record.billsec_ms.or_else(|| between(answer, end)).unwrap_or_default();
    let duration = record.duration_ms.or_else(|| between(Some(start), end)).unwrap_or(billsec);
    if billsec < 0 {
        return Err(Rejection::EndsBeforeStart { what: "the call ends before answer_time" });
    }
    if duration >= LONGEST || billsec >= LONGEST {
        return Err(invalid("duration_ms", "must be less than 31 days"));
    }
    if billsec > duration {
        return Err(invalid("billsec_ms", "must not be longer than the call"));
    }
    Ok((duration, billsec))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::v1::CallRejection;

    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "every time of the contract is optional")]
    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    /// Two minutes from now.
    #[allow(clippy::unnecessary_wraps, reason = "every time of the contract is optional")]
    fn ahead() -> Option<prost_types::Timestamp> {
        Some(clock::to_proto(clock::now() + 2 * CLOCK_SKEW))
    }

    fn record() -> CallRecord {
        CallRecord {
            call_id: "a".to_owned(),
            start_time: at(1_000),
            destination: "370".to_owned(),
            originator_id: Some(2),
            ..Default::default()
        }
    }

    fn summary(record: &CallRecord) -> (i64, i64, Disposition) {
        let reported = read(record).unwrap().reported;
        (reported.duration, reported.billsec, reported.disposition)
    }

    #[test]
    fn what_a_record_leaves_out_follows_from_the_rest() {
        use Disposition::{Answered, Failed};
        assert_eq!(summary(&record()), (0, 0, Failed));
        let times = CallRecord { answer_time: at(1_010), end_time: at(1_070), ..record() };
        assert_eq!(summary(&times), (70_000, 60_000, Answered));
        let durations = CallRecord { duration_ms: Some(9_500), billsec_ms: Some(1), ..record() };
        assert_eq!(summary(&durations), (9_500, 1, Answered));
        let mixed = CallRecord { answer_time: at(1_002), duration_ms: Some(5_000), ..record() };
        assert_eq!(summary(&mixed), (5_000, 3_000, Answered));
        let billsec = CallRecord { billsec_ms: Some(7), ..record() };
        assert_eq!(summary(&billsec), (7, 7, Answered));
    }

    #[test]
    fn each_fault_has_its_reason() {
        use CallRejection::{EndsBeforeStart, InvalidField, NegativeDuration};
        for (record, reason) in [
            (CallRecord { call_id: String::new(), ..record() }, InvalidField),
            (CallRecord { call_id: "\u{7}".to_owned(), ..record() }, InvalidField),
            (CallRecord { start_time: None, ..record() }, InvalidField),
            (CallRecord { start_time: at(i64::MAX), ..record() }, InvalidField),
            (CallRecord { start_time: at(99_999_999_999), ..record() }, InvalidField),
            (CallRecord { answer_time: ahead(), ..record() }, InvalidField),
            (CallRecord { end_time: ahead(), ..record() }, InvalidField),
            (CallRecord { destination: String::new(), ..record() }, InvalidField),
            (CallRecord { originator_id: None, ..record() }, InvalidField),
            (CallRecord { hangup_cause: -1, ..record() }, InvalidField),
            (CallRecord { duration_ms: Some(-1), ..record() }, NegativeDuration),
            (CallRecord { billsec_ms: Some(-1), ..record() }, NegativeDuration),
            (CallRecord { end_time: at(999), ..record() }, EndsBeforeStart),
            (CallRecord { answer_time: at(999), ..record() }, EndsBeforeStart),
            (
                CallRecord { answer_time: at(1_009), end_time: at(1_008), ..record() },
                EndsBeforeStart,
            ),
            (
                CallRecord { answer_time: at(1_009), duration_ms: Some(5), ..record() },
                EndsBeforeStart,
            ),
            (CallRecord { duration_ms: Some(1), billsec_ms: Some(2), ..record() }, InvalidField),
            (CallRecord { duration_ms: Some(i64::MAX), ..record() }, InvalidField),
            (
                CallRecord {
                    billsec_ms: Some(2),
                    disposition: pb::Disposition::Busy.into(),
                    ..record()
                },
                InvalidField,
            ),
        ] {
            let rejection = read(&record).unwrap_err();
            assert_eq!(rejection.to_proto(), reason, "{record:?}: {rejection}");
        }
    }
}
