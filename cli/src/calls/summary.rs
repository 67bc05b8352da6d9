//! What an import of calls says at its end.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
};

use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{CallRejection, Decimal, IngestCallsResponse, OddPricing, RejectionCount};

use super::{
    import::{Read, SHORT},
    unrated,
};
use crate::{
    out::say,
    values::{decimal, time_zone},
};

/// How many files without anything in them are named, and internal numbers.
const MOST_NAMED: usize = 20;

/// The name of the zone of times that say none, and who says it.
pub(super) enum Zone {
    /// The flag.
    Said(String),
    OfProfile(String),
    OfSettings(String),
}

impl Zone {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Said(name) | Self::OfProfile(name) | Self::OfSettings(name) => name,
        }
    }

    fn why(&self) -> &'static str {
        match self {
            Self::Said(_) => "as --time-zone says",
            Self::OfProfile(_) => "as the profile says; --time-zone says another",
            Self::OfSettings(_) => "the time zone of the settings; --time-zone says another",
        }
    }
}

pub(super) struct Summary<'a> {
    pub(super) read: &'a Read,
    pub(super) report: &'a IngestCallsResponse,
    pub(super) zone: Zone,
    /// That of prices; empty: not known.
    pub(super) currency: String,
    pub(super) dry_run: bool,
    /// It was said from how many digits on numbers are no internal ones.
    pub(super) says_shortest: bool,
}

/// Names, the first of many.
fn listed(named: impl ExactSizeIterator<Item = String>) -> String {
    let more = named.len().saturating_sub(MOST_NAMED);
    let mut all: Vec<String> = named.take(MOST_NAMED).collect();
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all.join(", ")
}

impl Summary<'_> {
    /// Returns whether calls were rejected.
    pub(super) fn print(&self) -> anyhow::Result<bool> {
        let Self { read, report, .. } = self;
        let count = read.bad_count + usize::try_from(report.rejected)?;
        self.print_rejected(count)?;
        self.print_files()?;
        self.print_notes()?;
        let merged = match report.merged {
            0 => String::new(),
            merged => format!(" {merged} further attempts of known calls,"),
        };
        // What calls cost is kept in the currency of the settings, whatever that of a tariff is.
        let amount = |amount: Option<&Decimal>| {
            format!("{} {}", decimal(amount), self.currency).trim_end().to_owned()
        };
        say!(
            "{} calls: {} stored, {} duplicates,{merged} {count} rejected; price {}, self-cost {}{}",
            read.sent.len() + read.bad_count,
            report.stored,
            report.duplicates,
            amount(report.price.as_ref()),
            amount(report.self_cost.as_ref()),
            if self.dry_run { " - nothing was changed" } else { "" },
        )?;
        for note in &report.notes {
            say!("note: {note}")?;
        }
        if report.unrated > 0 {
            self.advice()?;
        }
        if let id @ 1.. = report.import_id {
            say!("import {id}: `tollbook import undo {id}` takes it back")?;
        }
        Ok(count > 0)
    }

    fn print_rejected(&self, count: usize) -> anyhow::Result<()> {
        let Self { read, report, .. } = self;
        let mut rejected = read.bad.clone();
        for call in &report.rejected_calls {
            let position = usize::try_from(call.position - 1)?;
            let place = read.sent.get(position).copied().unwrap_or_default();
            rejected.push((place, format!("{} (call {})", call.message, call.call_id)));
        }
        rejected.sort();
        for ((file, line), problem) in &rejected {
            match read.files.as_slice() {
                [_] => say!("line {line}: {problem}")?,
                files => say!("{} line {line}: {problem}", files[usize::try_from(*file)?])?,
            }
        }
        let alike = read.without_id.saturating_sub(1);
        if alike > 0 {
            say!("{alike} more lines have no uniqueid either")?;
        }
        if rejected.len() + alike < count {
            say!("… and {} more", count - rejected.len() - alike)?;
        }
        let of_core = report.rejections.iter().map(|one| {
            let reason = CallRejection::try_from(one.reason).unwrap_or_default();
            let name = reason.as_str_name().trim_start_matches("CALL_REJECTION_");
            format!("{} {name}", one.calls)
        });
        let of_reader = (read.bad_count > 0).then(|| format!("{} not read", read.bad_count));
        let reasons: Vec<_> = of_core.chain(of_reader).collect();
        if reasons.is_empty() {
            return Ok(());
        }
        say!("rejected: {}", reasons.join(", "))?;
        let of_points = |one: &RejectionCount| one.reason() == CallRejection::UnknownPoint;
        match report.rejections.iter().any(of_points) {
            true => say!(
                "where connection points are not known: `tollbook points create USER --address …` makes one; \
                 --originator-from account and --terminator-from account go by account codes alone, whatever \
                 address a file names"
            ),
            false => Ok(()),
        }
    }

    /// What to do about calls that are kept as unrated.
    fn advice(&self) -> anyhow::Result<()> {
        let report = self.report;
        let conflict = i32::from(CallRejection::Conflict);
        let reasons: Vec<i32> = report.rejections.iter().map(|one| one.reason).collect();
        if reasons == [conflict] {
            return unrated::advice_on_conflicts(report.unrated, report.import_id);
        }
        unrated::advice(report.unrated)
    }

    /// Calls to numbers that may be within a switch, and are billed as if they began with a country code.
    fn print_short(&self) -> anyhow::Result<()> {
        let Self { read, report, .. } = self;
        let refused: HashSet<i64> =
            report.rejected_calls.iter().map(|call| call.position).collect();
        let is_refused = |at: usize| i64::try_from(at).is_ok_and(|at| refused.contains(&at));
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, number) in read.to_short.iter().filter(|(at, _)| !is_refused(*at)) {
            *numbers.entry(number).or_default() += 1;
        }
        let count: usize = numbers.values().sum();
        if count == 0 || self.says_shortest {
            return Ok(());
        }
        say!(
            "warning: {count} answered calls are to numbers of at most {SHORT} digits, and are billed by what \
             these begin with, as 101 is by the rate of 1: {}; if they are within the switch, \
             --internal-shorter-than {} leaves them out (0: they are not)",
            named(&numbers),
            SHORT + 1
        )
    }

    /// The internal numbers that calls were left out of, the most frequent first.
    fn print_internal(&self) -> anyhow::Result<()> {
        let internal = &self.read.internal;
        let count: usize = internal.values().sum();
        if count == 0 {
            return Ok(());
        }
        say!("{count} calls to internal numbers left out: {}", named(internal))
    }

    fn print_files(&self) -> anyhow::Result<()> {
        let Read { files, empty, without_records, .. } = self.read;
        let empty = empty.iter().map(|file| (file, "is empty"));
        let all = empty.chain(without_records.iter().map(|file| (file, "has no record of a call")));
        let count = all.clone().count();
        for (file, what) in all.take(MOST_NAMED) {
            say!("{} {what}", files[*file])?;
        }
        match count.checked_sub(MOST_NAMED) {
            None | Some(0) => Ok(()),
            Some(more) => say!("and {more} more files have none"),
        }
    }

    /// Who earns by what customers pay, pays what carriers are paid, or is blocked.
    fn print_parties(&self) -> anyhow::Result<()> {
        let report = self.report;
        let would = if self.dry_run { "would be" } else { "were" };
        for (parties, done, advice) in [
            (
                &report.terminators_at_user_tariffs,
                "credited as carriers by tariffs that say what users pay",
                "are these calls from one customer to another? --terminator-from account (or point) does not \
                 take their phones for carriers, --terminator names the carrier of the others",
            ),
            (
                &report.originators_at_provider_tariffs,
                "charged by tariffs that say what providers are paid",
                "`tollbook users change USER --tariff TARIFF` gives them one of selling prices",
            ),
        ] {
            if parties.is_empty() {
                continue;
            }
            let calls: i64 = parties.iter().map(|party| party.calls).sum();
            let named = parties.iter().map(|party| {
                let OddPricing { username, tariff_id, tariff_name, calls, .. } = party;
                format!("{username} ({calls}, tariff {tariff_id} {tariff_name:?})")
            });
            let undo = match report.import_id {
                0 => String::new(),
                id => format!("; `tollbook import undo {id}` takes the calls back"),
            };
            say!("warning: {calls} calls {would} {done}, to {}: {advice}{undo}", listed(named))?;
        }
        let blocked = &report.blocked_originators;
        if !blocked.is_empty() {
            let calls: i64 = blocked.iter().map(|one| one.calls).sum();
            let named = blocked.iter().map(|one| format!("{} ({})", one.username, one.calls));
            say!("{calls} calls of blocked users {would} charged all the same: {}", listed(named))?;
        }
        Ok(())
    }

    fn print_notes(&self) -> anyhow::Result<()> {
        let Self { read, report, zone, .. } = self;
        let without = read.left_out.without_a_leg;
        let with = read.left_out.b_legs.saturating_sub(without);
        if with > 0 {
            say!(
                "{with} B legs left out, since their A leg is read: --take-b-legs takes all legs for calls of \
                 their own"
            )?;
        }
        if without > 0 {
            say!(
                "warning: {without} B legs left out whose A leg is in none of these files: is it imported from \
                 others? (--take-b-legs takes all legs for calls of their own)"
            )?;
        }
        self.print_internal()?;
        self.print_short()?;
        if read.left_out.lone_local_ends > 0 {
            say!(
                "warning: {} calls began on the second end of a Local channel whose first end is in none of these \
                 files: if there is a record of it, importing that bills them once more",
                read.left_out.lone_local_ends
            )?;
        }
        if read.needed_zone {
            say!("times without a zone are those of {}, {}", zone.name(), zone.why())?;
        }
        if let (true, Some(from), Some(till)) = (self.dry_run, read.from, read.till) {
            let clock = time_zone(zone.name()).unwrap_or(TimeZone::UTC);
            let at =
                |time: Timestamp| clock.to_datetime(time).strftime("%Y-%m-%d %H:%M:%S").to_string();
            say!("calls that began from {} to {} ({})", at(from), at(till), zone.name())?;
        }
        if read.guessed_hours > 0 {
            say!(
                "warning: {} calls began in the hour that comes twice as clocks are set back, and nothing says in \
                 which of them: the first is taken (times with an offset, or unix seconds, say it)",
                read.guessed_hours
            )?;
        }
        if read.to_themselves > 0 {
            say!(
                "warning: {} calls name one user on both sides, who pays for them and earns by them: are these \
                 calls within his own switch? (--terminator-from says what names terminators)",
                read.to_themselves
            )?;
        }
        self.print_parties()?;
        if report.without_terminator > 0 {
            say!(
                "warning: {} calls have no terminator and no termination point: their self-cost is 0 \
                 (--terminator, --terminator-from)",
                report.without_terminator
            )?;
        }
        Ok(())
    }
}

/// Numbers with how many calls are to each, the most frequent first.
fn named(numbers: &BTreeMap<impl AsRef<str>, usize>) -> String {
    let mut numbers: Vec<_> = numbers.iter().collect();
    numbers.sort_by_key(|(_, calls)| Reverse(**calls));
    let shown = numbers.iter().take(MOST_NAMED);
    let shown: Vec<_> =
        shown.map(|(number, calls)| format!("{} ({calls})", number.as_ref())).collect();
    match numbers.len().saturating_sub(MOST_NAMED) {
        0 => shown.join(", "),
        more => format!("{}, and to {more} other numbers", shown.join(", ")),
    }
}
