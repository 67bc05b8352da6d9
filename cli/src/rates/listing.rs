//! The changes of a deck one by one: a few as text, more of them on a page, all as CSV.

use std::fmt::{self, Write};

use anyhow::Context;
use jiff::Timestamp;
use tollbook_proto::v1::{BillingSteps, DayType, Rate, RateChange, RateChangeKind};

use super::{
    export::state,
    report::{Report, escaped, size, write_rows},
};
use crate::{out::inert, values::decimal};

/// How many changes of each kind are shown as text, and how many on a page.
pub(super) const ON_SCREEN: i32 = 10;
pub(super) const ON_PAGE: i32 = 5_000;
/// How many changes of each kind the core lists at most.
pub(super) const ALL: i32 = 1_000_000;

/// The columns of changes as CSV (`docs/importing.md#what-becomes-of-prices`).
const COLUMNS: [&str; 26] = [
    "kind",
    "prefix",
    "destination",
    "effective_from",
    "start_time",
    "day_type",
    "old_state",
    "old_rate",
    "old_connection_fee",
    "old_increment",
    "old_min_time",
    "old_steps",
    "old_effective_from",
    "old_end_time",
    "new_state",
    "new_rate",
    "new_connection_fee",
    "new_increment",
    "new_min_time",
    "new_steps",
    "new_effective_from",
    "new_end_time",
    "change_percent",
    "file",
    "line",
    "currency",
];

/// What a kind is called, and what CSV calls it.
fn names(kind: RateChangeKind) -> (&'static str, &'static str) {
    match kind {
        RateChangeKind::Opened => ("New", "new"),
        RateChangeKind::Raised => ("Raised", "raised"),
        RateChangeKind::Lowered => ("Lowered", "lowered"),
        RateChangeKind::OtherTerms => ("Other terms", "other_terms"),
        RateChangeKind::Closed => ("Closed", "closed"),
        RateChangeKind::LaterDeleted => ("Later rates removed", "later_removed"),
        RateChangeKind::OtherHoursDeleted => {
            ("Rates for other hours or days removed", "other_hours_removed")
        }
        RateChangeKind::Unspecified => ("Other", "other"),
    }
}

/// The kinds whose changes the largest raises and drops do not show.
const OF_TEXT: [RateChangeKind; 5] = [
    RateChangeKind::Opened,
    RateChangeKind::OtherTerms,
    RateChangeKind::Closed,
    RateChangeKind::LaterDeleted,
    RateChangeKind::OtherHoursDeleted,
];
const OF_PAGE: [RateChangeKind; 7] = [
    RateChangeKind::Opened,
    RateChangeKind::Raised,
    RateChangeKind::Lowered,
    RateChangeKind::OtherTerms,
    RateChangeKind::Closed,
    RateChangeKind::LaterDeleted,
    RateChangeKind::OtherHoursDeleted,
];

/// Whether steps are other than of seconds without a minimum.
fn has_steps(rate: &Rate) -> bool {
    state(rate).is_empty() && (rate.min_time, rate.increment) != (0, 1)
}

/// What calls cost by a rate, as a person would say it.
fn terms(rate: &Rate, shows_steps: bool) -> String {
    let mut parts = match state(rate) {
        "" => vec![decimal(rate.rate.as_ref()).to_owned()],
        "ended" => return "closed".to_owned(),
        blocked => return blocked.to_owned(),
    };
    let fee = decimal(rate.connection_fee.as_ref());
    if !matches!(fee, "" | "0") {
        parts.push(format!("+ {fee}"));
    }
    if shows_steps {
        parts.push(format!("{}/{}", rate.min_time, rate.increment));
    }
    if rate.steps() == BillingSteps::AfterMinimum {
        parts.push("after the minimum".to_owned());
    }
    if (rate.start_time.as_str(), rate.end_time.as_str()) != ("00:00:00", "23:59:59") {
        parts.push(format!("{}-{}", rate.start_time, rate.end_time));
    }
    let days = day_type(rate);
    if !days.is_empty() {
        parts.push(days.to_owned());
    }
    parts.join(" ")
}

fn day_type(rate: &Rate) -> &'static str {
    match rate.day_type() {
        DayType::Unspecified => "",
        DayType::WorkDay => "WD",
        DayType::FreeDay => "FD",
    }
}

/// What a rate was, and what it is then.
fn before_and_after(change: &RateChange) -> [String; 2] {
    let sides = [&change.before, &change.after];
    // Where one side has them, a person wants to see those of the other, too.
    let shows_steps = sides.iter().any(|rate| rate.as_ref().is_some_and(has_steps));
    let [before, after] =
        sides.map(|rate| rate.as_ref().map(|rate| terms(rate, shows_steps)).unwrap_or_default());
    match change.kind() {
        RateChangeKind::Closed if after.is_empty() => [before, "closed".to_owned()],
        RateChangeKind::LaterDeleted | RateChangeKind::OtherHoursDeleted => {
            [before, "removed".to_owned()]
        }
        _ => [before, after],
    }
}

impl Report<'_> {
    /// The listed changes of a kind, `most` of them, and how many there are besides.
    fn of_kind(&self, kind: RateChangeKind, most: i32) -> (Vec<&RateChange>, i64) {
        let changes = self.imported.changes.as_ref();
        let all = changes.map_or(0, |changes| match kind {
            RateChangeKind::Opened => changes.opened,
            RateChangeKind::Raised => changes.raised,
            RateChangeKind::Lowered => changes.lowered,
            RateChangeKind::OtherTerms => changes.other_terms,
            RateChangeKind::Closed => changes.closed,
            _ => 0,
        });
        let listed = changes.map(|changes| &changes.listed[..]).unwrap_or_default();
        let most = usize::try_from(most).unwrap_or_default();
        let of_kind = listed.iter().filter(|change| change.kind() == kind);
        let shown: Vec<_> = of_kind.clone().take(most).collect();
        let all = all.max(i64::try_from(of_kind.count()).unwrap_or_default());
        let more = all - i64::try_from(shown.len()).unwrap_or_default();
        (shown, more)
    }

    /// From when a change is.
    fn from(&self, change: &RateChange) -> String {
        match (change.kind(), &change.after) {
            (RateChangeKind::Closed, None) => "at once".to_owned(),
            _ => self.valid_from(change),
        }
    }

    /// The first changes of the kinds that are not among the largest raises and drops.
    pub(super) fn write_listed(&self, out: &mut String) -> fmt::Result {
        for kind in OF_TEXT {
            let (changes, more) = self.of_kind(kind, ON_SCREEN);
            if changes.is_empty() {
                continue;
            }
            writeln!(out, "\n{}:", names(kind).0)?;
            let rows: Vec<[String; 5]> = changes
                .iter()
                .map(|change| {
                    let [before, after] = before_and_after(change);
                    let terms = match before.as_str() {
                        "" => after,
                        _ => format!("{before} -> {after}"),
                    };
                    let (prefix, destination) = (change.prefix.clone(), change.destination.clone());
                    [prefix, destination, terms, String::new(), self.from(change)]
                })
                .collect();
            write_rows(out, &rows)?;
            if more > 0 {
                writeln!(out, "  and {more} more: --changes FILE.csv writes all of them")?;
            }
        }
        Ok(())
    }

    /// The changes of each kind as tables.
    pub(super) fn write_listed_html(&self, out: &mut String) -> fmt::Result {
        for kind in OF_PAGE {
            let (changes, more) = self.of_kind(kind, ON_PAGE);
            if changes.is_empty() {
                continue;
            }
            writeln!(
                out,
                "<h2>{}</h2>\n<table>\n<tr><th>Prefix</th><th>Destination</th><th>Before</th>\
                 <th>After</th><th>Change</th><th>From</th><th>Where</th></tr>",
                names(kind).0
            )?;
            for change in changes {
                let [before, after] = before_and_after(change);
                let has_size = change.old_rate.is_some() && change.new_rate.is_some();
                let place = match change.number {
                    0 => String::new(),
                    number => self.place(&change.file, &number),
                };
                let cells = [
                    change.prefix.clone(),
                    change.destination.clone(),
                    before,
                    after,
                    if has_size { size(change) } else { String::new() },
                    self.from(change),
                    place,
                ];
                let cells = cells.map(|cell| format!("<td>{}</td>", escaped(&cell)));
                writeln!(out, "<tr>{}</tr>", cells.concat())?;
            }
            writeln!(out, "</table>")?;
            if more > 0 {
                writeln!(out, "<p>And {more} more: --changes FILE.csv writes all of them.</p>")?;
            }
        }
        Ok(())
    }

    /// All changes as CSV, with texts as they are if they are wanted `raw`.
    pub(super) fn csv(&self, raw: bool) -> anyhow::Result<String> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(COLUMNS)?;
        let changes = self.imported.changes.as_ref();
        for change in changes.map(|changes| &changes.listed[..]).unwrap_or_default() {
            out.write_record(self.record(change).into_iter().map(|cell| inert(cell, raw)))?;
        }
        let text = out.into_inner().context("the changes cannot be written")?;
        Ok(String::from_utf8(text)?)
    }

    fn record(&self, change: &RateChange) -> Vec<String> {
        let time = |time: Option<&prost_types::Timestamp>| {
            let time = time.and_then(|time| Timestamp::from_second(time.seconds).ok());
            time.map(|time| self.zone.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string())
                .unwrap_or_default()
        };
        let side = |rate: Option<&Rate>| -> [String; 8] {
            let Some(rate) = rate else { return std::array::from_fn(|_| String::new()) };
            let from = time(rate.effective_from.as_ref());
            if rate.ended {
                let mut cells = std::array::from_fn(|_| String::new());
                (cells[0], cells[6]) = ("ended".to_owned(), from);
                return cells;
            }
            let steps = match rate.steps() {
                BillingSteps::Unspecified => "zero",
                BillingSteps::AfterMinimum => "minimum",
            };
            [
                state(rate).to_owned(),
                decimal(rate.rate.as_ref()).to_owned(),
                decimal(rate.connection_fee.as_ref()).to_owned(),
                rate.increment.to_string(),
                rate.min_time.to_string(),
                steps.to_owned(),
                from,
                rate.end_time.clone(),
            ]
        };
        let either = change.after.as_ref().or(change.before.as_ref());
        let line = if change.number == 0 { String::new() } else { change.number.to_string() };
        let subject = [
            names(change.kind()).1.to_owned(),
            change.prefix.clone(),
            change.destination.clone(),
            time(change.effective_from.as_ref()),
            either.map(|rate| rate.start_time.clone()).unwrap_or_default(),
            either.map(day_type).unwrap_or_default().to_owned(),
        ];
        let percent = decimal(change.change_percent.as_ref()).to_owned();
        let origin = [percent, change.file.clone(), line, self.currency.clone()];
        let [before, after] = [&change.before, &change.after].map(|rate| side(rate.as_ref()));
        subject.into_iter().chain(before).chain(after).chain(origin).collect()
    }
}
