//! Reading the files in which switches write their calls.

use std::{collections::HashMap, fs::File, path::Path};

use anyhow::{Context, bail};
use clap::ValueEnum;
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rust_decimal::{Decimal, prelude::ToPrimitive};
use tollbook_proto::v1::{CallRecord, Disposition};

use super::COLUMNS;
use crate::values::{header, timestamp};

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// CSV with a header that names the columns
    Tollbook,
    /// Asterisk's `Master.csv`, with unique ids (loguniqueid = yes in cdr.conf)
    Asterisk,
    /// FreeSWITCH's `mod_cdr_csv` with its example template
    Freeswitch,
}

/// Asterisk: accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata,
/// start, answer, end, duration, billsec, disposition, amaflags, uniqueid, userfield.
const ASTERISK: [(&str, usize); 10] = [
    ("originator", 0),
    ("source", 1),
    ("destination", 2),
    ("start_time", 9),
    ("answer_time", 10),
    ("end_time", 11),
    ("duration", 12),
    ("billsec", 13),
    ("disposition", 14),
    ("call_id", 16),
];
/// Where Asterisk names the channel that a call went to.
const ASTERISK_DSTCHANNEL: usize = 6;

/// FreeSWITCH: caller id name, caller id number, destination number, context, start, answer,
/// end, duration, billsec, hangup cause, uuid, bleg uuid, accountcode, codecs.
const FREESWITCH: [(&str, usize); 10] = [
    ("source", 1),
    ("destination", 2),
    ("start_time", 4),
    ("answer_time", 5),
    ("end_time", 6),
    ("duration", 7),
    ("billsec", 8),
    ("hangup_cause", 9),
    ("call_id", 10),
    ("originator", 12),
];

/// How a file is to be read.
pub(crate) struct Options {
    /// None: it is detected.
    pub(crate) format: Option<Format>,
    /// Of times that say none.
    pub(crate) zone: TimeZone,
    /// Who terminates the calls that name nobody.
    pub(crate) terminator: String,
    /// Asterisk: who terminates a call is the peer of its channel.
    pub(crate) terminator_from_channel: bool,
}

/// A file being read.
pub(crate) struct CallFile {
    reader: csv::Reader<File>,
    positions: HashMap<&'static str, usize>,
    format: Format,
    options: Options,
    /// A first line that is no header, to be read as a call.
    first: Option<csv::StringRecord>,
}

impl CallFile {
    pub(crate) fn open(path: &Path, options: Options) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(file);
        let mut first = csv::StringRecord::new();
        if !reader.read_record(&mut first).context("the first line cannot be read")? {
            bail!("{} is empty", path.display());
        }
        let format = match options.format {
            Some(format) => format,
            None => detect(&first)?,
        };
        let positions = match format {
            Format::Asterisk => HashMap::from(ASTERISK),
            Format::Freeswitch => HashMap::from(FREESWITCH),
            Format::Tollbook => header(&first, &COLUMNS),
        };
        for column in ["call_id", "start_time", "destination"] {
            if !positions.contains_key(column) {
                bail!("the first line names no column {column}");
            }
        }
        let first = (format != Format::Tollbook).then_some(first);
        Ok(Self { reader, positions, format, options, first })
    }

    /// The next call with the number of its line, or what is wrong with it; none: the file is
    /// at its end.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<(u64, Result<CallRecord, String>)>> {
        let line = if let Some(first) = self.first.take() {
            first
        } else {
            let mut line = csv::StringRecord::new();
            if !self.reader.read_record(&mut line).context("the file is not CSV in UTF-8")? {
                return Ok(None);
            }
            line
        };
        let number = line.position().map_or(0, csv::Position::line);
        Ok(Some((number, self.call(&line))))
    }

    fn call(&self, line: &csv::StringRecord) -> Result<CallRecord, String> {
        let text = |column: &str| {
            let position = self.positions.get(column);
            position.and_then(|position| line.get(*position)).unwrap_or_default()
        };
        let time = |column| time(column, text(column), &self.options.zone);
        let call_id = text("call_id");
        if call_id.is_empty() && self.format == Format::Asterisk {
            return Err("no unique id: set loguniqueid = yes in cdr.conf".to_owned());
        }
        let cause = text("hangup_cause");
        let (hangup_cause, by_cause) = match cause.parse() {
            Ok(code) => (code, Disposition::Unspecified),
            Err(_) if cause.is_empty() => (0, Disposition::Unspecified),
            Err(_) => named_cause(cause).ok_or_else(|| format!("hangup cause {cause:?}"))?,
        };
        let billsec_ms = milliseconds("billsec", text("billsec"))?;
        let disposition = match text("disposition") {
            // FreeSWITCH says it with the cause and the seconds.
            "" if billsec_ms.is_some_and(|billsec| billsec > 0) => Disposition::Answered,
            "" => by_cause,
            name => disposition(name).ok_or_else(|| format!("disposition {name:?}"))?,
        };
        let terminator = match line.get(ASTERISK_DSTCHANNEL) {
            Some(channel) if self.options.terminator_from_channel => peer(channel),
            _ => text("terminator"),
        };
        let point = |column: &str| match text(column) {
            "" => Ok(0),
            id => id.parse().map_err(|_| format!("{column} {id:?} is no id")),
        };
        Ok(CallRecord {
            call_id: call_id.to_owned(),
            start_time: time("start_time")?,
            // Of calls that were not answered switches write times that mean nothing.
            answer_time: match billsec_ms {
                None => time("answer_time")?,
                Some(_) => None,
            },
            end_time: time("end_time")?,
            duration_ms: milliseconds("duration", text("duration"))?,
            billsec_ms,
            disposition: disposition.into(),
            hangup_cause,
            source: text("source").to_owned(),
            destination: text("destination").trim_start_matches('+').to_owned(),
            originator_id: None,
            originator: text("originator").to_owned(),
            terminator_id: None,
            terminator: match terminator {
                "" => self.options.terminator.clone(),
                name => name.to_owned(),
            },
            origination_point_id: point("origination_point_id")?,
            termination_point_id: point("termination_point_id")?,
        })
    }
}

/// Who wrote a file, from its first line.
fn detect(line: &csv::StringRecord) -> anyhow::Result<Format> {
    let is_time =
        |position| line.get(position).is_some_and(|text: &str| text.parse::<DateTime>().is_ok());
    if header(line, &COLUMNS).contains_key("call_id") {
        Ok(Format::Tollbook)
    } else if is_time(9) && line.len() >= 16 {
        Ok(Format::Asterisk)
    } else if is_time(4) && line.len() >= 13 {
        Ok(Format::Freeswitch)
    } else {
        bail!("who wrote this file? Say so with --format");
    }
}

fn time(
    column: &str,
    text: &str,
    zone: &TimeZone,
) -> Result<Option<prost_types::Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = match text.parse::<Timestamp>() {
        Ok(time) => Some(time),
        Err(_) => text.parse::<DateTime>().ok().and_then(|time| zone.to_timestamp(time).ok()),
    };
    let time = time.ok_or_else(|| format!("{column} {text:?} is no time"))?;
    Ok(Some(timestamp(time.as_microsecond())))
}

/// Seconds, with or without places behind the point.
fn milliseconds(column: &str, text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = Decimal::from_str_exact(text).ok();
    let milliseconds =
        seconds.and_then(|seconds| seconds.checked_mul(Decimal::ONE_THOUSAND)?.ceil().to_i64());
    milliseconds.map(Some).ok_or_else(|| format!("{column} {text:?} is no number of seconds"))
}

fn disposition(name: &str) -> Option<Disposition> {
    Some(match name.to_uppercase().replace('_', " ").as_str() {
        "ANSWERED" => Disposition::Answered,
        "BUSY" => Disposition::Busy,
        "NO ANSWER" | "NOANSWER" => Disposition::NoAnswer,
        "FAILED" | "CONGESTION" => Disposition::Failed,
        _ => return None,
    })
}

/// The code of a cause that FreeSWITCH names, and how the call ended if it was not answered.
fn named_cause(name: &str) -> Option<(i32, Disposition)> {
    use Disposition::{Busy, Failed, NoAnswer};
    Some(match name {
        "NONE" | "UNSPECIFIED" => (0, Failed),
        "UNALLOCATED_NUMBER" => (1, Failed),
        "NO_ROUTE_TRANSIT_NET" => (2, Failed),
        "NO_ROUTE_DESTINATION" => (3, Failed),
        "CHANNEL_UNACCEPTABLE" => (6, Failed),
        "NORMAL_CLEARING" => (16, NoAnswer),
        "USER_BUSY" => (17, Busy),
        "NO_USER_RESPONSE" => (18, NoAnswer),
        "NO_ANSWER" => (19, NoAnswer),
        "SUBSCRIBER_ABSENT" => (20, Failed),
        "CALL_REJECTED" => (21, Failed),
        "NUMBER_CHANGED" => (22, Failed),
        "DESTINATION_OUT_OF_ORDER" => (27, Failed),
        "INVALID_NUMBER_FORMAT" => (28, Failed),
        "FACILITY_REJECTED" => (29, Failed),
        "NORMAL_UNSPECIFIED" => (31, Failed),
        "NORMAL_CIRCUIT_CONGESTION" => (34, Failed),
        "NETWORK_OUT_OF_ORDER" => (38, Failed),
        "NORMAL_TEMPORARY_FAILURE" => (41, Failed),
        "SWITCH_CONGESTION" => (42, Failed),
        "REQUESTED_CHAN_UNAVAIL" => (44, Failed),
        "BEARERCAPABILITY_NOTAUTH" => (57, Failed),
        "BEARERCAPABILITY_NOTAVAIL" => (58, Failed),
        "INCOMPATIBLE_DESTINATION" => (88, Failed),
        "RECOVERY_ON_TIMER_EXPIRE" => (102, Failed),
        "INTERWORKING" => (127, Failed),
        // Of the caller, while it rang.
        "ORIGINATOR_CANCEL" => (312, NoAnswer),
        // FreeSWITCH has more of its own; what they have in common is that it failed.
        other if other.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => (0, Failed),
        _ => return None,
    })
}

/// The peer of an Asterisk channel: `SIP/carrier-0000002a` is `carrier`.
fn peer(channel: &str) -> &str {
    let name = channel.split_once('/').map_or(channel, |(_, name)| name);
    name.rsplit_once('-').map_or(name, |(peer, _)| peer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;
    use crate::linear;

    fn read(
        text: &str,
        options: Options,
    ) -> anyhow::Result<Vec<(u64, Result<CallRecord, String>)>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let mut calls = CallFile::open(file.path(), options)?;
        let mut read = Vec::new();
        while let Some(call) = calls.next()? {
            read.push(call);
        }
        Ok(read)
    }

    fn options() -> Options {
        Options {
            format: None,
            zone: TimeZone::get("Europe/Vilnius").unwrap(),
            terminator: "carrier".to_owned(),
            terminator_from_channel: false,
        }
    }

    fn seconds(time: Option<prost_types::Timestamp>) -> i64 {
        time.unwrap().seconds
    }

    #[test]
    fn asterisk_master_csv() {
        let answered = r#""acme","37061234567","442071234567","from-acme","""A"" <37061234567>","SIP/acme-00000001","SIP/colt-uk-00000002","Dial","SIP/x","2026-11-24 12:00:00","2026-11-24 12:00:05","2026-11-24 12:01:10",70,65,"ANSWERED","DOCUMENTATION","1763978400.1","""#;
        let unanswered = r#""acme","1","+2","c","","SIP/a-1","","Dial","","2026-11-24 12:00:00",,"2026-11-24 12:00:20",20,0,"NO ANSWER","DOCUMENTATION","1763978400.2","""#;
        let text = format!("{answered}\n{unanswered}\n");
        let calls = read(&text, options()).unwrap();
        let call = calls[0].1.clone().unwrap();
        assert_eq!((calls[0].0, call.call_id.as_str()), (1, "1763978400.1"));
        assert_eq!(seconds(call.start_time), 1_795_514_400);
        assert_eq!((call.duration_ms, call.billsec_ms), (Some(70_000), Some(65_000)));
        assert_eq!((call.originator.as_str(), call.terminator.as_str()), ("acme", "carrier"));
        assert_eq!(call.disposition(), Disposition::Answered);
        let call = calls[1].1.clone().unwrap();
        assert_eq!((call.destination.as_str(), call.billsec_ms), ("2", Some(0)));
        assert_eq!(call.disposition(), Disposition::NoAnswer);
        let by_channel = Options { terminator_from_channel: true, ..options() };
        let calls = read(&text, by_channel).unwrap();
        assert_eq!(calls[0].1.clone().unwrap().terminator, "colt-uk");
        assert_eq!(calls[1].1.clone().unwrap().terminator, "carrier");
    }

    #[test]
    fn freeswitch_cdr_csv() {
        let text = r#""A","1000","442071234567","default","2026-11-24 12:00:00","2026-11-24 12:00:05","2026-11-24 12:01:10","70","65","NORMAL_CLEARING","c60a1f09-ce61-47d3-a806-82bd2c9a4b6a","","acme","PCMU","PCMU"
"A","1000","442071234567","default","2026-11-24 12:00:00","","2026-11-24 12:00:02","2","0","USER_BUSY","d60a1f09","","acme","",""
"A","1000","442071234567","default","2026-11-24 12:00:00","","2026-11-24 12:00:02","2","0","a lot","e","","acme","",""
"#;
        let calls = read(text, options()).unwrap();
        let call = calls[0].1.clone().unwrap();
        assert_eq!((call.disposition(), call.hangup_cause), (Disposition::Answered, 16));
        assert_eq!((call.billsec_ms, call.originator.as_str()), (Some(65_000), "acme"));
        let call = calls[1].1.clone().unwrap();
        assert_eq!((call.disposition(), call.hangup_cause), (Disposition::Busy, 17));
        assert_eq!(calls[2], (3, Err("hangup cause \"a lot\"".to_owned())));
    }

    #[test]
    fn own_files_name_their_columns() {
        let text = "Destination,call_id,start_time,billsec,originator,terminator\n\
                    370,a,2026-11-24T10:00:00.5Z,1.2345,acme,x\n\
                    370,b,yesterday,1,acme,\n\
                    370,c,2026-11-24 12:00:00,abc,acme,\n";
        let calls = read(text, options()).unwrap();
        let call = calls[0].1.clone().unwrap();
        assert_eq!((call.billsec_ms, call.terminator.as_str()), (Some(1_235), "x"));
        assert_eq!(call.start_time.unwrap().nanos, 500_000_000);
        assert_eq!(calls[1], (3, Err("start_time \"yesterday\" is no time".to_owned())));
        assert_eq!(calls[2], (4, Err("billsec \"abc\" is no number of seconds".to_owned())));
        for (text, named) in [("", "is empty"), ("a,b\n", "--format"), ("call_id\n", "start_time")]
        {
            let error = read(text, options()).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn f14_files_of_calls_are_read_in_linear_time() {
        for line in ["370,a,2026-11-24T10:00:00Z,1.5,acme,x\n", ",\n", "\"370\n"] {
            linear::assert(
                line,
                1_000,
                |count| {
                    let head = "destination,call_id,start_time,billsec,originator,terminator";
                    format!("{head}\n{}", line.repeat(count))
                },
                |text| drop(read(text, options()).unwrap()),
            );
        }
    }
}
