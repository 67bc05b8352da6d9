//! What is wrong with a file, and with a record.

use super::{
    Disposition,
    number::shown,
    options::{Format, names},
};

/// Why a record is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Asterisk was told to write no ids.
    #[error(
        "no uniqueid, without which a call cannot be told from a second copy of it: set `loguniqueid = yes` \
         in Asterisk's cdr.conf, and reload it; for what is written already, --make-call-ids makes ids of \
         beginning, channel and number called"
    )]
    NoUniqueId,
    /// No id.
    #[error("no call id")]
    NoCallId,
    /// An id that no call may have.
    #[error("call id {0:?} is too long, or has control characters")]
    CallId(String),
    /// No time at which it began.
    #[error("no start time")]
    NoStartTime,
    /// A time that is not understood.
    #[error("{column} {text:?} is no time{hint}", hint = if *ambiguous {
        ": --date-format says which is the day and which the month"
    } else {
        " (--date-format says in which form times are)"
    })]
    Time {
        /// Which time.
        column: &'static str,
        /// What is written, cut.
        text: String,
        /// Whether it is a date whose day and month could be confused.
        ambiguous: bool,
    },
    /// A time that clocks skipped: the zone is not the file's.
    #[error("{column} {text:?} is not on the clock of {zone}: --time-zone says the file's zone")]
    NoSuchTime {
        /// Which time.
        column: &'static str,
        /// What is written.
        text: String,
        /// The zone.
        zone: String,
    },
    /// A day of a workbook, without a time of day.
    #[error(
        "{column} {text:?} is a day without a time: where calls began at midnight, let the cells show the \
         time of day (in XLSX or ODS)"
    )]
    Day {
        /// Which time.
        column: &'static str,
        /// What is in the cell.
        text: String,
    },
    /// A cell of a workbook without a value.
    #[error("{column} {text:?} {trouble}")]
    NoValue {
        /// Which.
        column: &'static str,
        /// What is in it.
        text: String,
        /// Why it has none.
        trouble: &'static str,
    },
    /// An id or number that a workbook holds as an amount.
    #[error(
        "{column} {text} is a number of the workbook, which may have lost digits: let the cells be text when \
         the file is made"
    )]
    LostDigits {
        /// Which.
        column: &'static str,
        /// What is in the cell.
        text: String,
    },
    /// A duration that is not understood.
    #[error("{column} {text:?} is no duration{hint}", hint = if text.matches(':').count() == 1 {
        " (hours and minutes, or minutes and seconds? h:mm:ss says it)"
    } else {
        ""
    })]
    Duration {
        /// Which.
        column: &'static str,
        /// What is written, cut.
        text: String,
    },
    /// Neither how long it was answered nor from when to when.
    #[error("answered, but there is no billsec, nor a time of answer and of end")]
    NoBillsec,
    /// It ended before it was answered, and no duration is given.
    #[error("it ended before it was answered, and no billsec is given")]
    EndBeforeAnswer,
    /// It was answered for longer than it lasted.
    #[error("billsec {billsec_ms} ms is longer than duration {duration_ms} ms")]
    BillsecAboveDuration {
        /// From the answer to the end.
        billsec_ms: i64,
        /// From the beginning to the end.
        duration_ms: i64,
    },
    /// A disposition that is not understood.
    #[error("disposition {0:?} is not known")]
    Disposition(String),
    /// Not answered, with seconds to bill.
    #[error("{disposition}, but billsec is {billsec_ms} ms")]
    BillsecOfUnanswered {
        /// What the file says.
        disposition: Disposition,
        /// From the answer to the end.
        billsec_ms: i64,
    },
    /// A hangup cause that is not understood.
    #[error("hangup cause {0:?} is not known")]
    Cause(String),
    /// A number that cannot be billed.
    #[error("destination {text:?} {why}")]
    Destination {
        /// What is written, cut.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody is named who pays.
    #[error(
        "no account code: --originator, --originator-by-prefix or --originator-from says who pays for such \
         calls"
    )]
    NoOriginator,
    /// A connection point that is no id.
    #[error("{column} {text:?} is no id")]
    PointId {
        /// Which.
        column: &'static str,
        /// What is written, cut.
        text: String,
    },
    /// The leg of a call that goes out. A reader makes an item of its own of it.
    #[error("the B leg of the call {of:?}, whose A leg has a record of its own")]
    BLeg {
        /// The id of the leg.
        id: String,
        /// That of the A leg, or what else the record says of it.
        of: String,
    },
    /// A call within the switch. A reader makes an item of its own of it.
    #[error("a call to the internal number {0:?}")]
    Internal(String),
    /// An answered record that may be a B leg or not.
    #[error(
        "answered, and it names no B leg: it may be the B leg of a call in another file, or of a refused \
         line: import the files together, or say --take-lone-legs if it is a call of its own"
    )]
    LoneLeg,
    /// The same of a record up to the first end of a Local channel. A reader makes an item of it.
    #[error("{1}")]
    OfOuter(String, Box<Problem>),
    /// The answered record of the second end of a Local channel of Asterisk's without that of the first.
    #[error(
        "answered, and it began on the second end of a Local channel, of which no record of the first end          was read: import them together, or say --take-lone-legs if the switch began such calls itself"
    )]
    LoneLocalEnd,
    /// The record of the second end of a Local channel of Asterisk's, which is of another call than that
    /// of the first.
    #[error(
        "the second record of a call through a Local channel, with another number or payer than the first:          --take-lone-legs takes such records for calls of their own"
    )]
    OtherLocalEnd,
    /// The same, which is longer than the first one, or not the only one.
    #[error(
        "the second record of a call through a Local channel, longer than the first or after another:          --take-b-legs takes all records for calls of their own"
    )]
    LongerLocalEnd,
    /// FreeSWITCH: a record that names one as its B leg by which it is named as such.
    #[error(
        "it and an earlier record name each other as their B leg, of which that one is billed:          --take-b-legs takes all records for calls of their own"
    )]
    MutualLegs,
    /// A record of another kind than a call.
    #[error("a record of type {0:?}, which is no call")]
    RecordType(String),
    /// Fewer or more cells than the format has.
    #[error("{found} cells where the format has {expected}")]
    Cells {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: String,
    },
    /// Something behind the cells that the format has.
    #[error("cell {position} {text:?} is none of the format's")]
    MoreCell {
        /// From 1.
        position: usize,
        /// What is written, cut.
        text: String,
    },
    /// A quote that is not closed on its line.
    #[error("a quote is left open")]
    OpenQuote,
    /// Text behind a quote, or a quote that is not doubled.
    #[error("a quote is closed before its cell ends")]
    StrayQuote,
    /// A record that can be cut into cells in more than one way, or in none.
    #[error("{0}: a name in it may hold quotes and commas, which FreeSWITCH does not escape")]
    Unescaped(&'static str),
    /// The last line has no end: it may be half a record.
    #[error(
        "the last line has no end: it comes whole with the next import, or is taken as it is with \
         --take-unfinished-line"
    )]
    Unfinished,
    /// A line that is too long.
    #[error("a line of more than {0} bytes")]
    LongLine(usize),
    /// Text that is not what the format is made of.
    #[error("no {0}")]
    Not(&'static str),
    /// JSON or XML that breaks off.
    #[error("it breaks off: it comes whole with the next import")]
    Breaks,
    /// The same member twice.
    #[error("{0:?} is there twice")]
    Twice(String),
    /// Kamailio: an INVITE that was answered, without its BYE.
    #[error("answered, but its BYE is not in this file: import the files together")]
    NoBye,
    /// Kamailio: a BYE without its INVITE.
    #[error("a BYE whose INVITE is not in this file: import the files together")]
    NoInvite,
    /// Kamailio: a further answered INVITE or BYE of one dialog.
    #[error("a further {0} of the dialog, whose first is on line {1}")]
    Further(&'static str, u64),
    /// Kamailio: two successful BYEs of one dialog, at different times.
    #[error(
        "two successful BYEs of the dialog, on lines {0} and {1}, say different ends: take out the one that is \
         wrong"
    )]
    OtherBye(u64, u64),
    /// Kamailio: a request that is no call.
    #[error("a {0:?}, which is no call")]
    Method(String),
    /// Kamailio: a status that is none.
    #[error("sip_code {0:?} is no SIP status")]
    SipCode(String),
}

impl Problem {
    pub(crate) fn cells(found: usize, expected: usize) -> Self {
        Self::Cells { found, expected: expected.to_string() }
    }

    pub(crate) fn duration(column: &'static str, text: &str) -> Self {
        Self::Duration { column, text: shown(text) }
    }
}

/// A column that nothing is read from, or that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unused {
    /// The file has it, and nothing is known of it.
    Unknown {
        /// From 1.
        position: usize,
        /// Its name in the header.
        name: String,
    },
    /// Two columns of one meaning.
    Twice {
        /// What they say.
        meaning: &'static str,
        /// Their names or positions.
        columns: Vec<String>,
    },
    /// A column that the options name, and that the file has not.
    NotThere {
        /// What it says.
        meaning: &'static str,
        /// Its name or position.
        column: String,
    },
    /// What calls cannot be read without.
    Missing {
        /// What it says.
        meaning: &'static str,
    },
}

impl std::fmt::Display for Unused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { position, name } => {
                // Without a header it has no name, but a number.
                let at = if name.is_empty() { position.to_string() } else { shown(name) };
                write!(
                    formatter,
                    "column {position} {:?} is not known (--column says what it is, or --ignore-column \
                     {at:?} that it may stay unused)",
                    shown(name),
                )
            }
            Self::Twice { meaning, columns } => {
                write!(
                    formatter,
                    "{meaning} is in more than one column, --column {meaning}=… says in which: {}",
                    columns.join(", ")
                )
            }
            Self::NotThere { meaning, column } => {
                write!(formatter, "there is no column {column:?} for {meaning} (--column)")
            }
            Self::Missing { meaning } => {
                write!(formatter, "no column says {meaning} (--column {meaning}=… names it)")
            }
        }
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Reading it failed.
    #[error("it cannot be read")]
    Read(#[from] std::io::Error),
    /// Nobody knows who wrote it.
    #[error("who wrote this file? --format says so ({list}), or --column which column is what", list = names())]
    UnknownFormat,
    /// A dump of a database, as statements.
    #[error(
        "it is an SQL dump, of which no calls are read: have the rows written with their column names, for \
         example by mysql -B -e 'select * from cdr' asteriskcdrdb > cdr.tsv (MySQL, MariaDB) or \
         psql -c '\\copy (select * from cdr) to cdr.csv csv header' (PostgreSQL)"
    )]
    SqlDump,
    /// Rows of a table without the names of its columns.
    #[error(
        "no line of it names the columns, as files of the format {0} do: export it with a header, for example \
         by mysql -B -e 'select * from cdr' asteriskcdrdb > cdr.tsv, or say which column is what \
         (--format columns --column start_time=1 …)"
    )]
    NoHeader(Format),
    /// Its first lines may have been written by more than one.
    #[error("who wrote this file? It may be {list}: --format says which", list = join(.0))]
    AmbiguousFormat(Vec<Format>),
    /// Columns that are not understood.
    #[error("columns that are not understood: {list}", list = list(.0))]
    Columns(Vec<Unused>),
    /// A template that is none of `mod_cdr_csv`.
    #[error("the template (--template) {0}")]
    Template(String),
}

fn join(formats: &[Format]) -> String {
    formats.iter().map(|format| format.name()).collect::<Vec<_>>().join(" or ")
}

fn list(columns: &[Unused]) -> String {
    columns.iter().map(Unused::to_string).collect::<Vec<_>>().join("; ")
}
