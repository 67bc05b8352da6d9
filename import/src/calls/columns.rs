//! What a column of a file of calls says.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::options::UnknownName;

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a column of a file of calls says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&str")]
        pub enum Column {
            $($(#[$doc])* $variant,)*
        }

        impl Column {
            /// All columns.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that options and messages use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

columns! {
    /// The id of the call.
    CallId = "call_id",
    /// Asterisk's linkedid.
    LinkedId = "linkedid",
    /// Asterisk's sequence.
    Sequence = "sequence",
    /// When the call began.
    StartTime = "start_time",
    /// When it was answered.
    AnswerTime = "answer_time",
    /// When it ended.
    EndTime = "end_time",
    /// From the beginning to the end.
    Duration = "duration",
    /// From the answer to the end.
    Billsec = "billsec",
    /// How it ended, in a word.
    Disposition = "disposition",
    /// Why it ended: a code of Q.850, or FreeSWITCH's name of one.
    HangupCause = "hangup_cause",
    /// The same of the other end, in Cisco's files: used where the first says 0.
    OtherCause = "other_cause",
    /// The SIP status that it ended with.
    SipCode = "sip_code",
    /// The calling number.
    Source = "source",
    /// The number called.
    Destination = "destination",
    /// Who pays: a login name, an account code.
    Originator = "originator",
    /// Who terminated it: a login name.
    Terminator = "terminator",
    /// The channel that it came in on.
    Channel = "channel",
    /// The channel that it went out on.
    DstChannel = "dstchannel",
    /// The id of the origination point.
    OriginationPointId = "origination_point_id",
    /// The id of the termination point.
    TerminationPointId = "termination_point_id",
    /// The gateway or address that it came from.
    OriginationPoint = "origination_point",
    /// The gateway or address that it went to.
    TerminationPoint = "termination_point",
    /// The SIP method, in Kamailio's `acc`.
    Method = "method",
    /// The tag of From, in Kamailio's `acc`.
    FromTag = "from_tag",
    /// The tag of To, in Kamailio's `acc`.
    ToTag = "to_tag",
    /// The leg that this one was made for, in FreeSWITCH's records of B legs.
    OriginatingLeg = "originating_leg",
    /// The kind of record, in Cisco's files: 1 is a call.
    RecordType = "record_type",
    /// The leg that was made for this one, in FreeSWITCH's records of A legs.
    BLeg = "b_leg",
    /// The leg that this one was bridged to, whichever of them was first (FreeSWITCH).
    Bond = "bond",
    /// Whether the leg came in or went out (FreeSWITCH).
    Direction = "direction",
    /// The last application of the dialplan that the leg ran (FreeSWITCH): B legs run none.
    LastApp = "last_app",
}

impl From<Column> for &str {
    fn from(column: Column) -> Self {
        column.name()
    }
}

impl TryFrom<String> for Column {
    type Error = UnknownName;

    fn try_from(name: String) -> Result<Self, UnknownName> {
        name.parse()
    }
}

impl FromStr for Column {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|column| column.name().eq_ignore_ascii_case(text));
        let names = || Self::ALL.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
        known.copied().ok_or_else(|| UnknownName { name: text.to_owned(), known: names() })
    }
}
