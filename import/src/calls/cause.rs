//! How calls end: words and codes of switches.

use std::fmt;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Disposition {
    /// It was answered, if only for less than a second.
    Answered,
    /// The called party was busy.
    Busy,
    /// Nobody answered, or the caller gave up.
    NoAnswer,
    /// It did not come about.
    Failed,
}

impl fmt::Display for Disposition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no answer",
            Self::Failed => "failed",
        })
    }
}

impl Disposition {
    /// From the words that Asterisk, its descendants and Tollbook's own files use, in any case.
    pub(crate) fn from_words(text: &str) -> Option<Self> {
        Some(match text.to_uppercase().replace(['_', '-'], " ").trim() {
            "ANSWERED" | "ANSWER" => Self::Answered,
            "BUSY" => Self::Busy,
            "NO ANSWER" | "NOANSWER" | "CANCEL" | "CANCELLED" => Self::NoAnswer,
            "FAILED" | "CONGESTION" | "CHANUNAVAIL" => Self::Failed,
            _ => return None,
        })
    }

    /// From a code of Q.850, of a call that was not answered.
    pub(crate) fn from_cause(code: i32) -> Self {
        match code {
            17 => Self::Busy,
            // Normal clearing before an answer: somebody gave up.
            16 | 18 | 19 | 312 | 487 => Self::NoAnswer,
            _ => Self::Failed,
        }
    }
}

/// The code of a cause: written as a number (0 to 999), or by the name that FreeSWITCH gives it.
/// `None` if it is neither.
pub(crate) fn code(text: &str) -> Option<i32> {
    if !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    named(text)
}

/// Names and codes as in the page "Hangup Cause Code Table" of FreeSWITCH's documentation.
fn named(name: &str) -> Option<i32> {
    Some(match name {
        "NONE" | "UNSPECIFIED" => 0,
        "UNALLOCATED_NUMBER" => 1,
        "NO_ROUTE_TRANSIT_NET" => 2,
        "NO_ROUTE_DESTINATION" => 3,
        "CHANNEL_UNACCEPTABLE" => 6,
        "CALL_AWARDED_DELIVERED" => 7,
        "NORMAL_CLEARING" => 16,
        "USER_BUSY" => 17,
        "NO_USER_RESPONSE" => 18,
        "NO_ANSWER" => 19,
        "SUBSCRIBER_ABSENT" => 20,
        "CALL_REJECTED" => 21,
        "NUMBER_CHANGED" => 22,
        "REDIRECTION_TO_NEW_DESTINATION" => 23,
        "EXCHANGE_ROUTING_ERROR" => 25,
        "DESTINATION_OUT_OF_ORDER" => 27,
        "INVALID_NUMBER_FORMAT" => 28,
        "FACILITY_REJECTED" => 29,
        "RESPONSE_TO_STATUS_ENQUIRY" => 30,
        "NORMAL_UNSPECIFIED" => 31,
        "NORMAL_CIRCUIT_CONGESTION" => 34,
        "NETWORK_OUT_OF_ORDER" => 38,
        "NORMAL_TEMPORARY_FAILURE" => 41,
        "SWITCH_CONGESTION" => 42,
        "ACCESS_INFO_DISCARDED" => 43,
        "REQUESTED_CHAN_UNAVAIL" => 44,
        "PRE_EMPTED" => 45,
        "FACILITY_NOT_SUBSCRIBED" => 50,
        "OUTGOING_CALL_BARRED" => 52,
        "INCOMING_CALL_BARRED" => 54,
        "BEARERCAPABILITY_NOTAUTH" => 57,
        "BEARERCAPABILITY_NOTAVAIL" => 58,
        "SERVICE_UNAVAILABLE" => 63,
        "BEARERCAPABILITY_NOTIMPL" => 65,
        "CHAN_NOT_IMPLEMENTED" => 66,
        "FACILITY_NOT_IMPLEMENTED" => 69,
        "SERVICE_NOT_IMPLEMENTED" => 79,
        "INVALID_CALL_REFERENCE" => 81,
        "INCOMPATIBLE_DESTINATION" => 88,
        "INVALID_MSG_UNSPECIFIED" => 95,
        "MANDATORY_IE_MISSING" => 96,
        "MESSAGE_TYPE_NONEXIST" => 97,
        "WRONG_MESSAGE" => 98,
        "IE_NONEXIST" => 99,
        "INVALID_IE_CONTENTS" => 100,
        "WRONG_CALL_STATE" => 101,
        "RECOVERY_ON_TIMER_EXPIRE" => 102,
        "MANDATORY_IE_LENGTH_ERROR" => 103,
        "PROTOCOL_ERROR" => 111,
        "INTERWORKING" => 127,
        // Of the caller, while it rang: 487 in FreeSWITCH, 312 in the list that Tollbook keeps.
        "ORIGINATOR_CANCEL" => 312,
        // FreeSWITCH has more of its own; what they have in common is that the call failed.
        other
            if !other.is_empty()
                && other.bytes().all(|byte| {
                    byte.is_ascii_uppercase() || matches!(byte, b'_' | b'0'..=b'9')
                })
                && other.contains('_') =>
        {
            0
        }
        _ => return None,
    })
}

/// The cause of Q.850 for a SIP status (RFC 3398, 7.2.4.1, and 8.2.6.1 for what it leaves out).
pub(crate) fn from_sip(status: u16) -> i32 {
    match status {
        200..=299 => 16,
        404 | 485 | 604 => 1,
        401..=403 | 407 | 603 => 21,
        408 | 504 => 102,
        410 => 22,
        405 => 63,
        406 | 415 | 501 => 79,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 312,
        502 => 38,
        400 | 481 | 500 | 503 => 41,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => 127,
        _ => 31,
    }
}
