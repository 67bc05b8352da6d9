//! Files in which switches write their calls.
//!
//! [`CallFile::read`] finds out who wrote a file, or is told, and [`CallFile::next_item`] gives
//! one item for each record: a [`Call`], or why the record is refused. What is read and what is
//! refused together is all that was in the file: each [`Span`] says from which lines it came.
//!
//! What is in a cell cannot hide or move a call: a record is a line (a quote that is left open
//! refuses its line and no other), a record has exactly as many cells as its format, and a record
//! of FreeSWITCH, which escapes nothing, is read only if it can be understood in one way.
//!
//! | format | detected by | where its layout comes from |
//! | --- | --- | --- |
//! | [`Format::AsteriskCsv`], [`Format::AsteriskCustom`], [`Format::ThreeCx`] | what stands where | `layout.rs` |
//! | the templates of FreeSWITCH's `mod_cdr_csv` | their cells | `template.rs` |
//! | tables with a header | the names in it | `names` |
//! | [`Format::KamailioAcc`] | its header | `acc.rs`, `names` |
//! | [`Format::FreeswitchJson`], [`Format::FreeswitchXml`] | their first sign | `json.rs`, `xml.rs` |
//!
//! Whose a call is, the options say ([`Whose`]). By default the account code does, and nothing
//! that a caller can write: [`By::Peer`] trusts the names of channels, and so is for switches
//! that take no calls of strangers (Asterisk calls the channel of a guest by what they wrote into
//! From).

mod acc;
mod cause;
pub mod channel;
mod columns;
mod detect;
mod file;
mod ids;
mod internal;
mod json;
mod layout;
mod legs;
mod names;
mod number;
mod options;
mod problem;
mod record;
mod strict;
mod template;
mod time;
mod xml;

use jiff::Timestamp;

pub use self::{
    acc::Dialogs,
    cause::Disposition,
    columns::Column,
    file::{CallFile, CallItem, SheetRows},
    ids::{CallIds, LONGEST_KEY},
    internal::{Internal, NotAPattern},
    legs::{LeftOut, Legs},
    number::{National, Numbers},
    options::{At, By, CallOptions, Format, Unit, UnknownName, Whose},
    problem::{OpenError, Problem, Unused},
};

/// A call as a file has it: all that a `CallRecord` needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The lines that it was read from.
    pub span: Span,
    /// Kamailio's `acc`: the line of its BYE.
    pub bye_line: Option<u64>,
    /// Whether the switch writes a record for each attempt under one id.
    pub attempts: bool,
    /// Which leg of the call the record is of.
    pub leg: Leg,
    /// Whether its times say in which zone they are; else they are of that of the options.
    pub zone_said: bool,
    /// Whether it began in the hour that comes twice when clocks are set back, and nothing tells in which of
    /// them: the first is taken.
    pub guessed_hour: bool,
    /// What identifies it; [`CallIds::key`] is the id of the call, and is there.
    pub ids: CallIds,
    /// When it began.
    pub start_time: Timestamp,
    /// When it was answered, if it was.
    pub answer_time: Option<Timestamp>,
    /// When it ended. Where durations are given they decide, and an end that does not go with
    /// them (clocks were changed) is made from them.
    pub end_time: Option<Timestamp>,
    /// From the beginning to the end, in milliseconds.
    pub duration_ms: Option<i64>,
    /// From the answer to the end, in milliseconds: what is billed.
    pub billsec_ms: Option<i64>,
    /// How it ended.
    pub disposition: Option<Disposition>,
    /// Why it ended, 0 to 999; 0: not said.
    pub hangup_cause: i32,
    /// The calling number, at most 255 bytes.
    pub source: String,
    /// The number called, 1 to 255 bytes.
    pub destination: String,
    /// Who pays.
    pub originator: Party,
    /// Who terminated it.
    pub terminator: Party,
}

/// Which leg of a call a record is of. Records of B legs are no calls ([`CallItem::BLeg`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Nothing says that it might be a B leg.
    #[default]
    Unsaid,
    /// An A leg, with the id of its B leg.
    A(String),
    /// It was dialled through a Local channel of Asterisk's, by the name of that without its ends: the
    /// call goes on in the record of the other end, which is no second one.
    Outer(String),
    /// It began on the other end of such a channel.
    Inner {
        /// The channel's name.
        local: String,
        /// The name of another such channel, through which it went on.
        onward: Option<String>,
    },
    /// It names no B leg, as B legs do not: what other records name shows which it is, see [`Legs`].
    Lone {
        /// Whether something else says that it is no B leg, unless it is named as one.
        is_a: bool,
    },
}

/// One side of a call: who it is by the options, and all that the file says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Party {
    /// Who it is, by [`Whose`]: a login name, in the case in which it is written; empty: nobody
    /// is named, or a connection point has to say it.
    pub name: String,
    /// The account code or the column that names the party.
    pub account: String,
    /// The peer in the name of the channel.
    pub peer: String,
    /// The channel.
    pub channel: String,
    /// The gateway or address, as it is written.
    pub point: String,
    /// The id of the connection point.
    pub point_id: Option<i64>,
}

/// The lines that a record was read from, as an editor counts them, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Span {
    pub(crate) fn line(line: u64) -> Self {
        Self { first: line, last: line }
    }
}
