//! How a file of calls is to be read.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Party, columns::Column, internal::Internal, number::Numbers};
use crate::table::SheetRef;

/// Who wrote a file, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&str")]
pub enum Format {
    /// CSV with Tollbook's own columns, named by a header.
    Tollbook,
    /// Asterisk's `cdr_csv`: `Master.csv`.
    AsteriskCsv,
    /// Asterisk's `cdr_custom` with the mapping of its sample configuration.
    AsteriskCustom,
    /// Asterisk's table `cdr` dumped from a database, with a header (`FreePBX`, Issabel, …).
    AsteriskTable,
    /// FreeSWITCH's `mod_cdr_csv`, template `sql`.
    FreeswitchSql,
    /// FreeSWITCH's `mod_cdr_csv`, template `example`.
    FreeswitchExample,
    /// FreeSWITCH's `mod_cdr_csv`, template `snom`.
    FreeswitchSnom,
    /// FreeSWITCH's `mod_cdr_csv`, template `linksys`.
    FreeswitchLinksys,
    /// FreeSWITCH's `mod_cdr_csv`, template `asterisk`.
    FreeswitchAsterisk,
    /// FreeSWITCH's `mod_cdr_csv`, template `opencdrrate`.
    FreeswitchOpencdrrate,
    /// FreeSWITCH's `mod_cdr_csv` with a template of the operator's, see
    /// [`CallOptions::template`].
    FreeswitchCustom,
    /// A table of FreeSWITCH's calls with a header that names channel variables.
    FreeswitchTable,
    /// FreeSWITCH's `mod_json_cdr`.
    FreeswitchJson,
    /// FreeSWITCH's `mod_xml_cdr`.
    FreeswitchXml,
    /// The table `acc` of Kamailio: a row for each transaction.
    KamailioAcc,
    /// The table `cdr.cdr` of Yeti, or its CDR export.
    Yeti,
    /// The CDR table of VOS3000.
    Vos3000,
    /// The CDR log of 3CX.
    ThreeCx,
    /// The CDR files of Cisco Unified Communications Manager.
    Cisco,
    /// Columns by the names of a header or by [`CallOptions::columns`].
    Columns,
}

impl Format {
    /// All formats with the names that options use for them.
    pub const NAMES: [(Self, &'static str); 20] = [
        (Self::Tollbook, "tollbook"),
        (Self::AsteriskCsv, "asterisk"),
        (Self::AsteriskCustom, "asterisk-custom"),
        (Self::AsteriskTable, "asterisk-table"),
        (Self::FreeswitchExample, "freeswitch"),
        (Self::FreeswitchSql, "freeswitch-sql"),
        (Self::FreeswitchSnom, "freeswitch-snom"),
        (Self::FreeswitchLinksys, "freeswitch-linksys"),
        (Self::FreeswitchAsterisk, "freeswitch-asterisk"),
        (Self::FreeswitchOpencdrrate, "freeswitch-opencdrrate"),
        (Self::FreeswitchCustom, "freeswitch-custom"),
        (Self::FreeswitchTable, "freeswitch-table"),
        (Self::FreeswitchJson, "freeswitch-json"),
        (Self::FreeswitchXml, "freeswitch-xml"),
        (Self::KamailioAcc, "kamailio"),
        (Self::Yeti, "yeti"),
        (Self::Vos3000, "vos3000"),
        (Self::ThreeCx, "3cx"),
        (Self::Cisco, "cisco"),
        (Self::Columns, "columns"),
    ];

    /// The name that options use for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(format, _)| *format == self).map_or("", |(_, name)| name)
    }

    /// Whether each leg of a call may have a record of its own.
    #[must_use]
    pub fn has_legs(self) -> bool {
        self.name().starts_with("freeswitch") || self.is_asterisk()
    }

    /// Whether it is one of Asterisk's.
    pub(crate) fn is_asterisk(self) -> bool {
        matches!(self, Self::AsteriskCsv | Self::AsteriskCustom | Self::AsteriskTable)
    }

    /// Where its layout comes from.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::Tollbook => "Tollbook's own columns, as `tollbook generate calls` writes them",
            Self::AsteriskCsv => "Asterisk's cdr/cdr_csv.c and the documentation of cdr.conf",
            Self::AsteriskCustom => "Asterisk's configs/samples/cdr_custom.conf.sample",
            Self::AsteriskTable => {
                "Asterisk's \"CDR Variables\" and \"CDR Storage Backends\", and the dumps that FreePBX, \
                 Issabel and others ship (asteriskcdrdb)"
            }
            Self::FreeswitchSql
            | Self::FreeswitchExample
            | Self::FreeswitchSnom
            | Self::FreeswitchLinksys
            | Self::FreeswitchAsterisk
            | Self::FreeswitchOpencdrrate => {
                "the template of FreeSWITCH's conf/vanilla/autoload_configs/cdr_csv.conf.xml"
            }
            Self::FreeswitchCustom => {
                "FreeSWITCH's \"Channel Variables\" and mod_cdr_csv, with a template of your own"
            }
            Self::FreeswitchTable => {
                "FreeSWITCH's \"Channel Variables\", and the schemas of mod_cdr_pg_csv"
            }
            Self::FreeswitchJson => "FreeSWITCH's \"mod_json_cdr - JSON CDR over HTTP\"",
            Self::FreeswitchXml => "FreeSWITCH's documentation of mod_xml_cdr, with its example",
            Self::KamailioAcc => {
                "the documentation of Kamailio's module acc, its acc-create.sql, and its default \
                 configuration"
            }
            Self::Yeti => "app/models/cdr/cdr.rb of yeti-switch/yeti-web, and its \"CDR History\"",
            Self::Vos3000 => {
                "the public script earlruby/extract_vos3000_data, and public copies of the schema"
            }
            Self::ThreeCx => "3CX's manual, \"CDR - Call Data Records\", and lines in public code",
            Self::Cisco => {
                "Cisco's \"Call Detail Records Administration Guide\", and a public example"
            }
            Self::Columns => "the names that headers use, and the columns that you name",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl From<Format> for &str {
    fn from(format: Format) -> Self {
        format.name()
    }
}

impl TryFrom<String> for Format {
    type Error = UnknownName;

    fn try_from(name: String) -> Result<Self, UnknownName> {
        name.parse()
    }
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        let unknown = || UnknownName { name: text.to_owned(), known: names() };
        known.map(|(format, _)| *format).ok_or_else(unknown)
    }
}

/// A name of a format or column that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not known; there are {known}")]
pub struct UnknownName {
    /// What is written.
    pub name: String,
    /// What might have been.
    pub known: String,
}

pub(crate) fn names() -> String {
    Format::NAMES.map(|(_, name)| name).join(", ")
}

/// By what the party of a call is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The account code, or the column that names the party.
    Account,
    /// The peer in the name of the channel, see [`super::channel::peer`].
    Peer,
    /// The connection point: its id, or the gateway or address that the file names. The reader
    /// leaves the name empty then; whose the point is the caller of this crate knows.
    Point,
}

/// Whose the calls are, on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Whose {
    /// By what a party is named: the first of these that a record says something for.
    pub by: Vec<By>,
    /// Who it is where a record says nothing, by what the number called begins with: the longest of these
    /// decides, see [`Numbers::user_by_prefix`].
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_prefix: BTreeMap<String, String>,
    /// Who it is where that says nothing either; empty: nobody.
    pub otherwise: String,
}

impl Default for Whose {
    fn default() -> Self {
        Self {
            by: vec![By::Account, By::Point],
            by_prefix: BTreeMap::new(),
            otherwise: String::new(),
        }
    }
}

/// Which column of a file something is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// By its place, from 1.
    Position(usize),
    /// By the name in the header, in any case.
    Name(String),
}

impl FromStr for At {
    type Err = std::convert::Infallible;

    /// Digits alone are a position.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(position) if position > 0 => Self::Position(position),
            _ => Self::Name(text.to_owned()),
        })
    }
}

/// The unit of durations that are plain numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Minutes.
    Minutes,
}

/// How a file of calls is read.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct CallOptions {
    /// Who wrote it; `None`: it is detected.
    pub format: Option<Format>,
    /// The template of `mod_cdr_csv`, as its configuration has it:
    /// `"${caller_id_name}","${caller_id_number}",…`. With it the format is
    /// [`Format::FreeswitchCustom`].
    pub template: Option<String>,
    /// Columns by name or position, before what is known of a format. With positions only, and no
    /// format that has a header, the file has none.
    pub columns: Vec<(Column, At)>,
    /// Between cells; `None`: detected among comma, semicolon, tab and pipe.
    pub separator: Option<char>,
    /// Whether the file has a header: `None`: detected.
    pub header: Option<bool>,
    /// The sheet of a workbook; `None`: the only one that has rows and is not hidden.
    pub sheet: Option<SheetRef>,
    /// Lines at the beginning of each file that are not read.
    pub skip_lines: u64,
    /// Columns that may stay unused, by their names in the header.
    pub ignore_columns: Vec<String>,
    /// Whether all columns that are not known may stay unused.
    pub ignore_unknown_columns: bool,
    /// The form of times, as `strptime` has it (`%d/%m/%Y %H:%M:%S`); times that can be meant in
    /// one way only are read beside it.
    pub date_format: Option<String>,
    /// The zone of times that say none.
    pub zone: TimeZone,
    /// The unit of durations that are plain numbers; `00:01:05` is always read.
    pub duration_unit: Unit,
    /// What stands before the places of durations: a point, or a comma (`60,5`).
    pub decimal_mark: char,
    /// What is put before the ids of the file, where switches would give the same ones.
    pub id_prefix: String,
    /// Whether calls of Asterisk's without an id get one of when they began, of their channel and of the
    /// number called. Two calls that have all of these in common are then one.
    pub make_ids: bool,
    /// How numbers are made into what rates are looked up by.
    pub numbers: Numbers,
    /// The same for the calls of one customer: by the originator's name, peer or connection
    /// point as the file has it (in any case), in this order.
    pub numbers_of: BTreeMap<String, Numbers>,
    /// Who pays for the calls.
    pub originator: Whose,
    /// Who terminated them.
    pub terminator: Whose,
    /// Whether a last line without its end is taken: the file is not one that is still written.
    pub take_unfinished_line: bool,
    /// Whether records of outgoing legs (FreeSWITCH's `legs = ab`) are calls of their own.
    pub take_b_legs: bool,
    /// Whether answered records of FreeSWITCH that name no B leg, where others of the format would,
    /// are calls ([`super::Legs`]); else they may be B legs whose A leg is in another file. Likewise those
    /// of Asterisk that began on the second end of a Local channel, without a first or apart from it.
    pub take_lone_legs: bool,
    /// Which numbers called are internal: records of calls to them are left out
    /// ([`super::CallItem::Internal`]).
    pub internal: Internal,
    /// Who is meant by the names in the file: login names by account codes or peers, which are in
    /// small letters here and in any case in the file.
    pub accounts: BTreeMap<String, String>,
    /// The encoding of text that is not UTF-8; `None`: Windows-1252.
    pub encoding: Option<&'static encoding_rs::Encoding>,
}

impl CallOptions {
    /// The login name that an account code or peer of the file stands for.
    pub(crate) fn user_of<'a>(&'a self, name: &'a str) -> &'a str {
        if self.accounts.is_empty() {
            return name;
        }
        self.accounts.get(&name.to_lowercase()).map_or(name, String::as_str)
    }

    /// How the numbers of a customer's calls are made.
    pub(crate) fn numbers_for(&self, originator: &Party) -> &Numbers {
        let Party { name, peer, point, .. } = originator;
        let mut said = [name, peer, point].into_iter().filter(|said| !said.is_empty());
        let of = |said: &String| {
            self.numbers_of.iter().find(|(of, _)| of.eq_ignore_ascii_case(said)).map(|(_, n)| n)
        };
        said.find_map(of).unwrap_or(&self.numbers)
    }
}

impl Default for CallOptions {
    fn default() -> Self {
        Self {
            format: None,
            template: None,
            columns: Vec::new(),
            separator: None,
            header: None,
            sheet: None,
            skip_lines: 0,
            ignore_columns: Vec::new(),
            ignore_unknown_columns: false,
            date_format: None,
            zone: TimeZone::UTC,
            duration_unit: Unit::default(),
            decimal_mark: '.',
            id_prefix: String::new(),
            make_ids: false,
            numbers: Numbers::default(),
            numbers_of: BTreeMap::new(),
            originator: Whose::default(),
            terminator: Whose::default(),
            take_unfinished_line: false,
            take_b_legs: false,
            take_lone_legs: false,
            internal: Internal::default(),
            accounts: BTreeMap::new(),
            encoding: None,
        }
    }
}
