//! From the cells of a record to a call.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{
    By, Call, CallIds, CallOptions, Column, Disposition, Format, LONGEST_KEY, Leg, Party, Problem,
    Span, Unit, Whose, cause, channel,
    channel::Side,
    number::{Numbers, shown},
    time::{Moments, Times, Written, distance},
};
use crate::table::CellKind;

/// What a record says, by the meaning of its columns.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    cells: [&'a str; Column::ALL.len()],
    /// What the cells hold.
    kinds: [CellKind; Column::ALL.len()],
    /// Which columns there are, whatever is in them.
    there: [bool; Column::ALL.len()],
}

impl<'a> Values<'a> {
    pub(crate) fn new() -> Self {
        Self {
            cells: [""; Column::ALL.len()],
            kinds: [CellKind::Text; Column::ALL.len()],
            there: [false; Column::ALL.len()],
        }
    }

    /// What is there first stays: columns are set in the order of their precedence.
    pub(crate) fn set(&mut self, column: Column, text: &'a str) {
        self.set_as(column, text, CellKind::Text);
    }

    /// The same of the cell of a workbook.
    pub(crate) fn set_as(&mut self, column: Column, text: &'a str, kind: CellKind) {
        self.there[column as usize] = true;
        let cell = &mut self.cells[column as usize];
        if cell.is_empty() && !is_null(text) {
            *cell = text;
            self.kinds[column as usize] = kind;
        }
    }

    pub(crate) fn kind(&self, column: Column) -> CellKind {
        self.kinds[column as usize]
    }

    /// Whether the cells of a workbook hold what can be read from them: an error is no name, and of a
    /// number that was no amount a workbook may have lost digits (`1795514400.10` is `…0.1` there).
    pub(crate) fn check_kinds(&self) -> Result<(), Problem> {
        const DIGITS: usize = 15;
        for column in Column::ALL.iter().copied() {
            let (text, kind) = (self.get(column), self.kind(column));
            if let Some(trouble) = kind.trouble() {
                return Err(Problem::NoValue { column: column.name(), text: shown(text), trouble });
            }
            let is_name = matches!(column, Column::CallId | Column::LinkedId | Column::Destination);
            if is_name && kind == CellKind::Number && (text.contains('.') || text.len() > DIGITS) {
                return Err(Problem::LostDigits { column: column.name(), text: shown(text) });
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, column: Column) -> &'a str {
        self.cells[column as usize]
    }

    /// Whether there is such a column.
    fn has(&self, column: Column) -> bool {
        self.there[column as usize]
    }
}

/// What databases write where there is nothing.
fn is_null(text: &str) -> bool {
    matches!(text, "" | "NULL" | "\\N" | "(null)" | "<null>")
}

/// Two times that are this near to each other agree: switches round each for itself.
const ROUNDING: SignedDuration = SignedDuration::from_secs(2);

/// How records of one file become calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) format: Format,
    pub(crate) options: &'a CallOptions,
}

impl Reading<'_> {
    pub(crate) fn call(self, values: &Values<'_>, span: Span) -> Result<Call, Problem> {
        let problem = match self.read(values, span) {
            Err(problem) if !self.options.take_b_legs => problem,
            read => return read,
        };
        match self.leg(values) {
            Ok(Leg::Outer(local)) => Err(Problem::OfOuter(local, Box::new(problem))),
            _ => Err(problem),
        }
    }

    fn read(self, values: &Values<'_>, span: Span) -> Result<Call, Problem> {
        let options = self.options;
        if !matches!(values.get(Column::RecordType), "" | "1") {
            return Err(Problem::RecordType(shown(values.get(Column::RecordType))));
        }
        let leg = if options.take_b_legs { Leg::Unsaid } else { self.leg(values)? };
        let called = values.get(Column::Destination);
        let dialled = Numbers::dialled(called);
        if options.internal.has(&dialled) {
            return Err(Problem::Internal(dialled));
        }
        let ids = self.ids(values)?;
        let (hangup_cause, cause_said) = cause_of(values)?;
        let durations = Durations::read(values, options)?;
        let times = self.times(values, durations)?;
        let said = self.disposition(values)?;
        let billsec_ms = billsec(durations, &times, said)?;
        let disposition = said.or_else(|| self.concluded(&times, billsec_ms, cause_said));
        if let Some(disposition) = disposition
            && disposition != Disposition::Answered
            && billsec_ms > 0
        {
            return Err(Problem::BillsecOfUnanswered { disposition, billsec_ms });
        }
        let times = times.agreeing_with(durations.total, billsec_ms)?;
        let duration_ms = durations.total.or_else(|| {
            let end = times.end?;
            Some(milliseconds_between(times.start, end))
        });
        let answered = disposition == Some(Disposition::Answered);
        let originator = originator(values, options)?;
        let numbers = options.numbers_for(&originator);
        Ok(Call {
            span,
            bye_line: None,
            attempts: self.has_attempts(),
            leg,
            ids,
            zone_said: times.zone_said,
            guessed_hour: times.guessed,
            start_time: times.start,
            // Of calls that were not answered switches write times that mean nothing.
            answer_time: times.answer.filter(|_| answered),
            end_time: times.end,
            // Rounded each for itself, billsec may be a second above.
            duration_ms: duration_ms.map(|duration| duration.max(billsec_ms)),
            billsec_ms: Some(billsec_ms),
            disposition,
            hangup_cause,
            source: numbers.source(values.get(Column::Source)),
            destination: if originator.point.is_empty() && originator.point_id.is_none() {
                numbers.destination(called)?
            } else {
                numbers.destination_at_point(called)?
            },
            originator,
            terminator: terminator(values, options)?,
        })
    }

    /// Which leg of a call it is, as far as Asterisk and FreeSWITCH say so. A B leg is no call.
    fn leg(self, values: &Values<'_>) -> Result<Leg, Problem> {
        let get = |column| values.get(column).trim();
        if self.format.is_asterisk() {
            let of_end = |column, end| {
                let found = channel::local_end(get(column)).filter(|(_, found)| *found == end);
                found.map(|(name, _)| name.to_owned())
            };
            let onward = of_end(Column::DstChannel, '1');
            return Ok(match (of_end(Column::Channel, '2'), onward) {
                (Some(local), onward) => Leg::Inner { local, onward },
                (None, Some(onward)) => Leg::Outer(onward),
                (None, None) => Leg::Unsaid,
            });
        }
        let b_leg_of = |other: &str| {
            let own = format!("{}{}", self.options.id_prefix, get(Column::CallId));
            let of = format!("{}{other}", self.options.id_prefix);
            Err(Problem::BLeg { id: own, of })
        };
        let (of, b_leg, bond) = (get(Column::OriginatingLeg), get(Column::BLeg), get(Column::Bond));
        if !of.is_empty() {
            return b_leg_of(of);
        }
        if !b_leg.is_empty() {
            return Ok(Leg::A(format!("{}{b_leg}", self.options.id_prefix)));
        }
        // There B legs say whose they are.
        if matches!(self.format, Format::FreeswitchJson | Format::FreeswitchXml) {
            return Ok(Leg::Unsaid);
        }
        let ran = values.has(Column::LastApp).then(|| !get(Column::LastApp).is_empty());
        match get(Column::Direction).to_lowercase().as_str() {
            "inbound" => Ok(Leg::Unsaid),
            "outbound" if !bond.is_empty() => b_leg_of(bond),
            _ if values.has(Column::BLeg) => Ok(Leg::Lone { is_a: ran == Some(true) }),
            _ if ran == Some(false) && !get(Column::DstChannel).is_empty() => {
                b_leg_of(get(Column::DstChannel))
            }
            _ => Ok(Leg::Unsaid),
        }
    }

    /// An id of Asterisk's is that of a channel, on which several trunks may be tried; under one
    /// Call-ID Kamailio writes each INVITE that was answered or failed.
    fn has_attempts(self) -> bool {
        self.format.is_asterisk() || self.format == Format::KamailioAcc
    }

    fn ids(self, values: &Values<'_>) -> Result<CallIds, Problem> {
        let text = |column| values.get(column).to_owned();
        let own = |column| match values.get(column) {
            "" => String::new(),
            id => format!("{}{id}", self.options.id_prefix),
        };
        let mut ids = CallIds {
            unique: own(Column::CallId),
            linked: own(Column::LinkedId),
            sequence: text(Column::Sequence),
            channel: text(Column::Channel),
        };
        if self.options.make_ids && self.format.is_asterisk() && ids.key().is_none() {
            let [start, channel, called] =
                [Column::StartTime, Column::Channel, Column::Destination].map(|it| values.get(it));
            if let Some(made) = CallIds::made_of(start, channel, called) {
                ids.unique = format!("{}{made}", self.options.id_prefix);
            }
        }
        let none = if self.format.is_asterisk() { Problem::NoUniqueId } else { Problem::NoCallId };
        let key = ids.key().ok_or(none)?;
        for key in std::iter::once(key).chain(ids.record_key()) {
            if key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
                return Err(Problem::CallId(shown(&key)));
            }
        }
        Ok(ids)
    }

    fn times(self, values: &Values<'_>, durations: Durations) -> Result<CallTimes, Problem> {
        let zone = &self.options.zone;
        let times = Times { format: self.options.date_format.as_deref(), zone };
        let read =
            |column: Column| times.read(column.name(), values.get(column), values.kind(column));
        let (answer, end) = (read(Column::AnswerTime)?, read(Column::EndTime)?);
        // A template may leave out when a call began: then the first that is known.
        let (column, start) = match (read(Column::StartTime)?, answer, end) {
            (Some(start), ..) => (Column::StartTime, start),
            (None, Some(answer), _) => (Column::AnswerTime, answer),
            (None, None, Some(end)) => (Column::EndTime, end),
            (None, None, None) => return Err(Problem::NoStartTime),
        };
        let zone_said = [Some(start), answer, end]
            .into_iter()
            .flatten()
            .all(|written| matches!(written, Written::Moment(_)));
        let moments = |written: Option<Written>| written.map(|written| times.moments(written));
        let starts = times.moments(start);
        if starts.first().is_none() {
            return Err(Problem::NoSuchTime {
                column: column.name(),
                text: shown(values.get(column)),
                zone: zone.iana_name().unwrap_or("the time zone").to_owned(),
            });
        }
        let hint = self.format.is_asterisk().then(|| created(values.get(Column::CallId))).flatten();
        let answer = moments(answer);
        let ends = moments(end);
        let guessed = hint.is_none() && is_guess(starts, ends, durations.total);
        let (start, end) =
            resolve(starts, ends, durations.total, hint).ok_or(Problem::NoStartTime)?;
        Ok(CallTimes {
            start,
            answer: answer.and_then(|answer| {
                let after = answer.iter().filter(|moment| *moment >= start).min();
                after.or_else(|| answer.nearest(start))
            }),
            end,
            zone_said,
            guessed,
        })
    }

    fn disposition(self, values: &Values<'_>) -> Result<Option<Disposition>, Problem> {
        let text = values.get(Column::Disposition).trim();
        if text.is_empty() {
            return Ok(None);
        }
        if self.format == Format::Yeti {
            match text.to_lowercase().as_str() {
                "t" | "true" | "success" | "1" | "yes" => {
                    return Ok(Some(Disposition::Answered));
                }
                // Why it failed is in the code.
                "f" | "false" | "failure" | "0" | "no" => return Ok(None),
                _ => {}
            }
        }
        let words = Disposition::from_words(text);
        words.map(Some).ok_or_else(|| Problem::Disposition(shown(text)))
    }

    /// How a call ended, where the format does not say it in a word.
    fn concluded(
        self,
        times: &CallTimes,
        billsec_ms: i64,
        cause: Option<i32>,
    ) -> Option<Disposition> {
        // Asterisk and unknown switches may write a time of answer that means nothing.
        let says_answers = !self.format.is_asterisk()
            && !matches!(self.format, Format::Columns | Format::Tollbook);
        if billsec_ms > 0 || (says_answers && times.answer.is_some()) {
            return Some(Disposition::Answered);
        }
        match cause {
            Some(cause) => Some(Disposition::from_cause(cause)),
            None if says_answers => Some(Disposition::NoAnswer),
            None => None,
        }
    }
}

/// The code of why a call ended, and the same if the file says one.
fn cause_of(values: &Values<'_>) -> Result<(i32, Option<i32>), Problem> {
    let (first, other) = (values.get(Column::HangupCause), values.get(Column::OtherCause));
    let text = if matches!(first.trim(), "" | "0") && !other.is_empty() { other } else { first };
    let text = text.trim();
    if !text.is_empty() {
        let code = cause::code(text).ok_or_else(|| Problem::Cause(shown(text)))?;
        if code != 0 || values.get(Column::SipCode).is_empty() {
            // FreeSWITCH's names without a code say that it failed.
            return Ok((code, Some(code)));
        }
    }
    let status = values.get(Column::SipCode).trim();
    if status.is_empty() {
        return Ok((0, None));
    }
    let code = sip_status(status)?;
    let cause = cause::from_sip(code);
    Ok((cause, Some(cause)))
}

/// A SIP status, 100 to 699.
pub(crate) fn sip_status(text: &str) -> Result<u16, Problem> {
    let code = text.parse().ok().filter(|code| (100..700).contains(code));
    code.ok_or_else(|| Problem::SipCode(shown(text)))
}

/// The durations that a record gives, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Durations {
    total: Option<i64>,
    billsec: Option<i64>,
}

impl Durations {
    fn read(values: &Values<'_>, options: &CallOptions) -> Result<Self, Problem> {
        let read = |column: Column| {
            let (name, text) = (column.name(), values.get(column));
            // What a workbook has as a number or a time is not written in anybody's way.
            let is_written = values.kind(column) == CellKind::Text;
            if !is_written
                || options.decimal_mark == '.'
                || !text.contains(['.', options.decimal_mark])
            {
                return milliseconds(name, text, options.duration_unit);
            }
            if text.contains('.') {
                return Err(Problem::duration(name, text));
            }
            milliseconds(name, &text.replace(options.decimal_mark, "."), options.duration_unit)
        };
        Ok(Self { total: read(Column::Duration)?, billsec: read(Column::Billsec)? })
    }
}

/// A duration in milliseconds: a number of the unit, with or without places, or `hh:mm:ss`.
/// What is left of a millisecond counts as one.
fn milliseconds(column: &'static str, text: &str, unit: Unit) -> Result<Option<i64>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bad = || Problem::duration(column, text);
    let milliseconds = if text.contains(':') {
        let mut parts = text.split(':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (hours, minutes, seconds) =
            part().zip(part()).zip(part()).map(|((h, m), s)| (h, m, s)).ok_or_else(bad)?;
        if parts.next().is_some() {
            return Err(bad());
        }
        let whole = |text: &str, below: u32| {
            let digits = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number: &u32| digits && *number < below)
        };
        let hours = whole(hours, 100_000).ok_or_else(bad)?;
        let minutes = whole(minutes, 60).ok_or_else(bad)?;
        let seconds = plain(seconds).filter(|seconds| *seconds < Decimal::from(60));
        let seconds = seconds.ok_or_else(bad)?;
        (Decimal::from(hours) * Decimal::from(3_600) + Decimal::from(minutes * 60) + seconds)
            .checked_mul(Decimal::ONE_THOUSAND)
    } else {
        let factor = match unit {
            Unit::Seconds => 1_000,
            Unit::Milliseconds => 1,
            Unit::Minutes => 60_000,
        };
        plain(text).and_then(|number| number.checked_mul(Decimal::from(factor)))
    };
    milliseconds.and_then(|number| number.ceil().to_i64()).map(Some).ok_or_else(bad)
}

/// Digits with or without places; no sign.
fn plain(text: &str) -> Option<Decimal> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !digits || text.starts_with('.') || text.len() > 25 {
        return None;
    }
    Decimal::from_str_exact(text.trim_end_matches('.')).ok()
}

/// When a call began, was answered and ended, as far as is known.
#[derive(Clone, Copy, Debug)]
struct CallTimes {
    start: Timestamp,
    answer: Option<Timestamp>,
    end: Option<Timestamp>,
    /// Whether all of them say in which zone they are.
    zone_said: bool,
    /// Whether it may have begun an hour later as well.
    guessed: bool,
}

impl CallTimes {
    /// With an end that goes with the durations: they were measured, the end was read off a
    /// clock that may have been changed in between.
    fn agreeing_with(self, total: Option<i64>, billsec_ms: i64) -> Result<Self, Problem> {
        if let Some(duration_ms) = total
            && billsec_ms > duration_ms.saturating_add(1_000)
        {
            return Err(Problem::BillsecAboveDuration { billsec_ms, duration_ms });
        }
        let add = |time: Timestamp, ms: i64| time.checked_add(SignedDuration::from_millis(ms)).ok();
        let by_durations = match (total, self.answer) {
            (Some(total), _) => add(self.start, total),
            (None, Some(answer)) if billsec_ms > 0 => add(answer, billsec_ms),
            (None, _) if billsec_ms > 0 => add(self.start, billsec_ms),
            (None, _) => None,
        };
        let agrees = |end: Timestamp, made: Timestamp| {
            let rounding = u64::try_from(ROUNDING.as_micros()).unwrap_or(0);
            distance(end, made) <= rounding
        };
        let end = match (self.end, by_durations) {
            (Some(end), Some(made)) if agrees(end, made) && end >= self.start => Some(end),
            // Without a duration of the whole a call may have rung for long.
            (Some(end), Some(made)) if total.is_none() && end > made => Some(end),
            (_, Some(made)) => Some(made),
            (end, None) => end.filter(|end| *end >= self.start),
        };
        Ok(Self { end, ..self })
    }
}

fn milliseconds_between(start: Timestamp, end: Timestamp) -> i64 {
    let micros = end.as_microsecond().saturating_sub(start.as_microsecond()).max(0);
    micros / 1_000 + i64::from(micros % 1_000 > 0)
}

/// Of the moments that the beginning and the end may stand for, those that are as far apart as
/// the call was long; where that does not tell, the beginning nearest to the hint, or the first.
fn resolve(
    starts: Moments,
    ends: Option<Moments>,
    total_ms: Option<i64>,
    hint: Option<Timestamp>,
) -> Option<(Timestamp, Option<Timestamp>)> {
    let far = |start: Timestamp| hint.map_or(0, |hint| distance(start, hint));
    let ends: Vec<_> = ends.map(|ends| ends.iter().collect()).unwrap_or_default();
    if ends.is_empty() {
        let start = starts.iter().min_by_key(|start| (far(*start), *start))?;
        return Some((start, None));
    }
    let pairs = starts.iter().flat_map(|start| ends.iter().map(move |end| (start, *end)));
    let (start, end) = pairs
        .min_by_key(|(start, end)| (off(*start, *end, total_ms), far(*start), *start, *end))?;
    Some((start, Some(end)))
}

/// By how many minutes two moments are not as far apart as the call was long. Clocks are changed by half an
/// hour and more: what rounding may do decides nothing.
fn off(start: Timestamp, end: Timestamp, total_ms: Option<i64>) -> u64 {
    let length = end.as_microsecond().saturating_sub(start.as_microsecond());
    let off = match total_ms {
        Some(total) => length.abs_diff(total.saturating_mul(1_000)),
        // The shortest call that does not end before it begins.
        None if length < 0 => u64::MAX / 2 + length.unsigned_abs() / 2,
        None => length.unsigned_abs(),
    };
    off / 60_000_000
}

/// Whether a beginning may be two moments, and the end does not tell which.
fn is_guess(starts: Moments, ends: Option<Moments>, total_ms: Option<i64>) -> bool {
    let least = |start| {
        let ends = ends.into_iter().flat_map(Moments::iter);
        ends.map(|end| off(start, end, total_ms)).min()
    };
    let mut starts = starts.iter().map(least);
    starts.next().zip(starts.next()).is_some_and(|(first, second)| first == second)
}

/// When the channel of a uniqueid was created: Asterisk makes it of the seconds since 1970 and a
/// number, with the name of the system before it if there is one (`pbx1-1795514400.10`).
fn created(unique: &str) -> Option<Timestamp> {
    let number = unique.rsplit_once('-').map_or(unique, |(_, number)| number);
    let (seconds, _) = number.split_once('.')?;
    let digits = seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    Timestamp::from_second(seconds.parse().ok().filter(|_| digits)?).ok()
}

/// What is billed, in milliseconds.
fn billsec(
    durations: Durations,
    times: &CallTimes,
    said: Option<Disposition>,
) -> Result<i64, Problem> {
    if let Some(billsec) = durations.billsec {
        return Ok(billsec);
    }
    if said.is_some_and(|said| said != Disposition::Answered) {
        return Ok(0);
    }
    match (times.answer, times.end) {
        (Some(answer), Some(end)) if end < answer => Err(Problem::EndBeforeAnswer),
        (Some(answer), Some(end)) => Ok(milliseconds_between(answer, end)),
        (Some(_), None) => Err(Problem::NoBillsec),
        (None, _) if said.is_some() => Err(Problem::NoBillsec),
        (None, _) => Ok(0),
    }
}

fn originator(values: &Values<'_>, options: &CallOptions) -> Result<Party, Problem> {
    let whose = &options.originator;
    let party = Party {
        account: values.get(Column::Originator).trim().to_owned(),
        peer: channel::peer(values.get(Column::Channel), Side::Caller).to_owned(),
        channel: values.get(Column::Channel).to_owned(),
        point: values.get(Column::OriginationPoint).to_owned(),
        point_id: point_id(Column::OriginationPointId, values)?,
        name: String::new(),
    };
    let party = named(party, whose, options, values);
    let by_point = party.point_id.is_some() || !party.point.is_empty();
    if party.name.is_empty() && !by_point {
        return Err(Problem::NoOriginator);
    }
    Ok(party)
}

fn terminator(values: &Values<'_>, options: &CallOptions) -> Result<Party, Problem> {
    let party = Party {
        account: values.get(Column::Terminator).trim().to_owned(),
        peer: channel::peer(values.get(Column::DstChannel), Side::Called).to_owned(),
        channel: values.get(Column::DstChannel).to_owned(),
        point: values.get(Column::TerminationPoint).to_owned(),
        point_id: point_id(Column::TerminationPointId, values)?,
        name: String::new(),
    };
    Ok(named(party, &options.terminator, options, values))
}

/// With the first name that is said, in the order of the options. A point that the options do not ask
/// for says nothing: a switch writes gateways that nobody has made points of.
fn named(mut party: Party, whose: &Whose, options: &CallOptions, values: &Values<'_>) -> Party {
    if !whose.by.contains(&By::Point) {
        party.point.clear();
        party.point_id = None;
    }
    for by in &whose.by {
        let name = match by {
            By::Account => &party.account,
            By::Peer => &party.peer,
            By::Point if party.point_id.is_some() || !party.point.is_empty() => return party,
            By::Point => continue,
        };
        if !name.is_empty() {
            party.name = options.user_of(name).to_owned();
            return party;
        }
    }
    if party.point_id.is_none() {
        let called = values.get(Column::Destination);
        let by_prefix = options.numbers.user_by_prefix(called, &whose.by_prefix);
        by_prefix.unwrap_or(&whose.otherwise).clone_into(&mut party.name);
    }
    party
}

fn point_id(column: Column, values: &Values<'_>) -> Result<Option<i64>, Problem> {
    let text = values.get(column).trim();
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let id = text.parse().ok().filter(|id: &i64| *id > 0);
    let bad = || Problem::PointId { column: column.name(), text: shown(text) };
    id.map(Some).ok_or_else(bad)
}
