//! Calls: importing the files that switches write, rating stored ones again, and making up
//! traffic to try things with.

pub(crate) mod flags;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod rerate;
pub(crate) mod traffic;

/// The columns of Tollbook's own files, and the names that a header may use. Times are in
/// RFC 3339 or as `2026-11-24 21:34:51`, durations in seconds.
const COLUMNS: [&str; 14] = [
    "call_id",
    "start_time",
    "answer_time",
    "end_time",
    "duration",
    "billsec",
    "disposition",
    "hangup_cause",
    "source",
    "destination",
    "originator",
    "terminator",
    "origination_point_id",
    "termination_point_id",
];
