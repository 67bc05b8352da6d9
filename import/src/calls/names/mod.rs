//! By which names formats call their columns: a file for each who writes calls. Where a layout comes
//! from stands with its table.

mod asterisk;
mod cisco;
mod freeswitch;
mod general;
mod kamailio;
mod three_cx;
mod vos3000;
mod yeti;

use self::{
    asterisk::ASTERISK,
    cisco::CISCO,
    general::{SYNONYMS, TOLLBOOK},
    kamailio::KAMAILIO,
    vos3000::VOS3000,
    yeti::YETI,
};
pub(crate) use self::{cisco::CISCO_ENDS, freeswitch::FREESWITCH, three_cx::THREE_CX};
use super::{columns::Column, options::Format};

/// A name of a format's column with what it says; `None`: a call does not need it.
pub(crate) type Named = (&'static str, Option<Column>);

const fn with(name: &'static str, column: Column) -> Named {
    (name, Some(column))
}

const fn known(name: &'static str) -> Named {
    (name, None)
}

/// The columns by name of a format that has a header. Where two of one meaning are there, the
/// one that stands first here is used: a format's own order of precedence, not a guess.
pub(crate) fn of(format: Format) -> &'static [Named] {
    match format {
        Format::Tollbook => TOLLBOOK,
        Format::AsteriskTable | Format::AsteriskCsv | Format::AsteriskCustom => ASTERISK,
        Format::KamailioAcc => KAMAILIO,
        Format::Yeti => YETI,
        Format::Vos3000 => VOS3000,
        Format::ThreeCx => THREE_CX,
        Format::Cisco => CISCO,
        Format::FreeswitchTable
        | Format::FreeswitchSql
        | Format::FreeswitchExample
        | Format::FreeswitchSnom
        | Format::FreeswitchLinksys
        | Format::FreeswitchAsterisk
        | Format::FreeswitchOpencdrrate
        | Format::FreeswitchCustom
        | Format::FreeswitchJson
        | Format::FreeswitchXml => FREESWITCH,
        Format::Columns => SYNONYMS,
    }
}

/// The names by which a header shows its format: all of them are there.
pub(crate) const SIGNS: &[(Format, &[&str])] = &[
    (Format::Tollbook, &["call_id", "start_time", "destination"]),
    (Format::Cisco, &["cdrrecordtype", "globalcallid_callid"]),
    (Format::Vos3000, &["callere164", "calleee164"]),
    (Format::KamailioAcc, &["method", "callid", "sip_code"]),
    (Format::Yeti, &["time_start", "dst_prefix_routing"]),
    (Format::Yeti, &["time_start", "dst_prefix_in"]),
    (Format::Yeti, &["time_start", "time_connect"]),
    (Format::ThreeCx, &["historyid", "time_start"]),
    (Format::AsteriskTable, &["calldate", "dst"]),
    (Format::AsteriskTable, &["start", "dst", "uniqueid"]),
    (Format::FreeswitchTable, &["start_stamp", "destination_number"]),
    (Format::FreeswitchTable, &["start_timestamp", "destination_number"]),
];

/// A name of a header as the tables have it.
pub(crate) fn plain(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}').trim();
    name.to_lowercase().replace([' ', '-'], "_")
}
