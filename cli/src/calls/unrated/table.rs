//! Unrated calls as a table of CSV (RFC 4180), with all that is known of each.

use std::io::Write;

use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{CallRecord, Disposition, UnratedCall};

use super::{reason_name, side_name};

/// The columns. What a record says has the names that an import knows.
pub(super) const COLUMNS: [&str; 31] = [
    "id",
    "reason",
    "side",
    "message",
    "user_id",
    "username",
    "first_seen",
    "last_seen",
    "deliveries",
    "brought_by",
    "call_id",
    "record_id",
    "start_time",
    "answer_time",
    "end_time",
    "duration",
    "billsec",
    "disposition",
    "hangup_cause",
    "source",
    "destination",
    "originator_id",
    "originator",
    "terminator_id",
    "terminator",
    "origination_point_id",
    "origination_point",
    "termination_point_id",
    "termination_point",
    "attempt",
    "time_zone",
];

/// A writer of such a table.
pub(in crate::calls) fn writer<W: Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out)
}

/// The cells of a call.
pub(super) fn row(call: &UnratedCall, zone: &TimeZone, zone_name: &str) -> [String; 31] {
    let time = |time: Option<&prost_types::Timestamp>| time_of(time, zone);
    let record = call.record.clone().unwrap_or_default();
    let disposition = disposition_name(record.disposition());
    let CallRecord { start_time, answer_time, end_time, .. } = &record;
    [
        call.id.to_string(),
        reason_name(call.reason()).to_owned(),
        side_name(call.side()).to_owned(),
        call.message.clone(),
        optional(call.user_id),
        call.username.clone(),
        time(call.first_seen.as_ref()),
        time(call.last_seen.as_ref()),
        call.deliveries.to_string(),
        optional(call.brought_by),
        record.call_id.clone(),
        record.record_id.clone(),
        time(start_time.as_ref()),
        time(answer_time.as_ref()),
        time(end_time.as_ref()),
        record.duration_ms.map(seconds).unwrap_or_default(),
        record.billsec_ms.map(seconds).unwrap_or_default(),
        disposition.to_owned(),
        record.hangup_cause.to_string(),
        record.source.clone(),
        record.destination.clone(),
        optional(record.originator_id),
        record.originator.clone(),
        optional(record.terminator_id),
        record.terminator.clone(),
        optional(Some(record.origination_point_id).filter(|id| *id != 0)),
        record.origination_point.clone(),
        optional(Some(record.termination_point_id).filter(|id| *id != 0)),
        record.termination_point.clone(),
        record.attempt.to_string(),
        zone_name.to_owned(),
    ]
}

fn optional(id: Option<i64>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

/// A time as an import reads it, to the microsecond if it is no whole second.
pub(in crate::calls) fn time_of(time: Option<&prost_types::Timestamp>, zone: &TimeZone) -> String {
    let time = time.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    time.map_or_else(String::new, |time| {
        time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()
    })
}

/// Milliseconds in seconds.
pub(in crate::calls) fn seconds(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let (whole, rest) = (milliseconds.unsigned_abs() / 1_000, milliseconds.unsigned_abs() % 1_000);
    match rest {
        0 => format!("{sign}{whole}"),
        rest => format!("{sign}{whole}.{rest:03}"),
    }
}

/// The name of how a call ended, as an import knows it; empty: it is not said.
pub(in crate::calls) fn disposition_name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Unspecified => "",
        Disposition::Answered => "ANSWERED",
        Disposition::Busy => "BUSY",
        Disposition::NoAnswer => "NO ANSWER",
        Disposition::Failed => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_cell_holds_is_read_again_as_it_was() {
        let record = CallRecord {
            call_id: "a \"b\", c".to_owned(),
            start_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 }),
            duration_ms: Some(61_250),
            billsec_ms: Some(60_000),
            destination: "1234#370".to_owned(),
            originator: "two\nlines".to_owned(),
            ..Default::default()
        };
        let call = UnratedCall { id: 7, record: Some(record), ..Default::default() };
        let mut table = writer(Vec::new());
        table.write_record(COLUMNS).unwrap();
        let zone = TimeZone::get("Europe/Vilnius").unwrap();
        table.write_record(row(&call, &zone, "Europe/Vilnius")).unwrap();
        let text = String::from_utf8(table.into_inner().unwrap()).unwrap();
        assert!(text.starts_with("id,reason,side,") && text.ends_with("\r\n"), "{text}");
        let mut read = csv::Reader::from_reader(text.as_bytes());
        let row = read.records().next().unwrap().unwrap();
        let headers = read.headers().unwrap().clone();
        let read_cell = |name| &row[headers.iter().position(|column| column == name).unwrap()];
        assert_eq!(read_cell("call_id"), "a \"b\", c");
        assert_eq!(read_cell("originator"), "two\nlines");
        assert_eq!(read_cell("start_time"), "2023-11-15T00:13:20.5+02:00");
        assert_eq!((read_cell("duration"), read_cell("billsec")), ("61.250", "60"));
        assert_eq!(
            (read_cell("user_id"), read_cell("end_time"), read_cell("time_zone")),
            ("", "", "Europe/Vilnius")
        );
    }
}
