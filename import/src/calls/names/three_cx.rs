//! 3CX's log of calls.

use super::{Named, known, with};
use crate::calls::columns::Column;

/// The fields of 3CX's CDR, in the order in which it writes them by default: its manual, "CDR -
/// Call Data Records", and lines in public code. `duration` counts from the answer.
pub(crate) const THREE_CX: &[Named] = &[
    known("historyid"),
    with("callid", Column::CallId),
    with("duration", Column::Billsec),
    with("time_start", Column::StartTime),
    with("time_answered", Column::AnswerTime),
    with("time_end", Column::EndTime),
    known("reason_terminated"),
    with("from_no", Column::Source),
    known("to_no"),
    with("from_dn", Column::Originator),
    known("to_dn"),
    with("dial_no", Column::Destination),
    known("reason_changed"),
    known("final_number"),
    known("final_dn"),
    known("bill_code"),
    known("bill_rate"),
    known("bill_cost"),
    known("bill_name"),
    known("chain"),
    known("from_type"),
    known("to_type"),
    known("final_type"),
    known("from_dispname"),
    known("to_dispname"),
    known("final_dispname"),
    known("missed_queue_calls"),
];
