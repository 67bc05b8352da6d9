//! Rates out of a row.

use std::collections::VecDeque;

use jiff::{Timestamp, tz::TimeZone};
use rust_decimal::Decimal;

use super::{
    DeckItem, DeckLine, DeckOptions, Idle, Note, Problem, Status,
    cells::{cell, clock_cell, date_cell, interval_cell, kind},
    dates::{Dates, dates, tomorrow},
    fields::{is_currency, is_date_format},
    languages::{is_cents, is_minutes, is_seconds},
    numbers::Numbers,
    shortened,
    titles::Titles,
    words::{self, NoRate, Said, blocked, is_total, no_rate},
};
use crate::{
    Error, Profile,
    profile::{NotOffered, Steps},
    table::{CellKind, ColumnProblem, Columns, Row, RowProblem},
    values::{self, Days, Hours, Moment, Prefixes, ValueError, same_currency},
};

/// How rows are read, with the position of each field.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) columns: Columns,
    pub(super) titles: Titles,
    at: Positions,
    numbers: Numbers,
    dates: Dates,
    zone: TimeZone,
    factor: Option<Decimal>,
    steps: Option<Steps>,
    increment: Option<u32>,
    minimum: Option<u32>,
    not_offered: Option<NotOffered>,
    effective_from: Option<Timestamp>,
    unfinished_line: bool,
    currency: Option<String>,
    prefixes: usize,
}

macro_rules! positions {
    ($($field:ident),*) => {
        /// Where each field is.
        #[derive(Debug)]
        struct Positions { $($field: Option<usize>),* }

        impl Positions {
            fn new(columns: &Columns) -> Self {
                Self { $($field: columns.position(stringify!($field))),* }
            }
        }
    };
}

positions!(
    prefix,
    country_code,
    area_code,
    country,
    destination,
    rate,
    connection_fee,
    increment,
    min_time,
    first_interval,
    next_interval,
    steps,
    effective_from,
    effective_until,
    start_time,
    end_time,
    hours,
    day_type,
    blocked,
    status,
    currency,
    origin
);

fn value<T>(column: &'static str, value: Result<T, ValueError>) -> Result<T, Problem> {
    value.map_err(|error| Problem::Value { column, error })
}

impl Reader {
    pub(super) fn new(
        columns: Columns,
        profile: &Profile,
        options: DeckOptions,
        sample: &[Row],
        mut problems: Vec<ColumnProblem>,
    ) -> Result<(Self, Vec<Error>), Error> {
        let at = Positions::new(&columns);
        let (order, utc) = dates(&columns, profile)?;
        let zone = if utc { TimeZone::UTC } else { profile.zone(&options.time_zone)? };
        let factor = profile.factor.as_deref().map(factor).transpose()?;
        problems.extend(check_columns(
            &columns,
            &at,
            options.currency.as_deref(),
            factor.is_some(),
        ));
        let mut complaints = Vec::new();
        if !problems.is_empty() {
            complaints.push(Error::Columns(problems));
        }
        let effective_from = profile
            .effective_from
            .as_deref()
            .map(|text| {
                values::moment(text, order)
                    .and_then(|moment| moment.resolve(&zone))
                    .map(|resolved| resolved.timestamp)
                    .map_err(|error| Error::Profile(format!("--effective-from: {error}")))
            })
            .transpose()?;
        let titles = Titles {
            currency: options.currency.clone(),
            has_factor: factor.is_some(),
            has_dates: at.effective_from.is_some() || effective_from.is_some(),
            has_increments: profile.increment.is_some()
                || at.increment.or(at.first_interval).or(at.next_interval).is_some(),
            order,
            passed_over: profile.columns.ignore_columns.clone(),
        };
        let above = columns.above().iter();
        complaints.extend(above.filter_map(|(line, text)| titles.problem(*line, text)));
        let of_money = [at.rate, at.connection_fee];
        let (numbers, contradiction) = Numbers::new(profile.numbers, sample, of_money);
        complaints.extend(contradiction);
        let reader = Self {
            columns,
            titles,
            at,
            numbers,
            dates: Dates::new(order),
            zone,
            factor,
            steps: profile.steps,
            increment: profile.increment,
            minimum: profile.minimum,
            not_offered: profile.not_offered,
            effective_from,
            unfinished_line: profile.unfinished_line,
            currency: options.currency,
            prefixes: options.limits.prefixes,
        };
        Ok((reader, complaints))
    }

    /// Whether a row has to wait until all dates of the deck are known, since its own can be read in two
    /// ways.
    pub(super) fn waits(&mut self, row: &Row) -> bool {
        let text = |at| match kind(row, at) {
            CellKind::Text => cell(row, at),
            _ => "",
        };
        let cells = [self.at.effective_from, self.at.effective_until].map(text);
        self.dates.waits(row.line(), cells)
    }

    /// Reads the dates of rows that have waited as the others show. Returns what a person should know.
    pub(super) fn settle_dates(&mut self) -> Vec<String> {
        let names = [self.at.effective_from, self.at.effective_until];
        let names = names.map(|at| at.and_then(|at| self.columns.names().get(at).cloned()));
        self.dates.settle(&names.map(Option::unwrap_or_default))
    }

    /// Adds what is in a row: at least one item.
    pub(super) fn read(&self, row: &Row, items: &mut VecDeque<DeckItem>) {
        if let Some(what) = self.idle(row) {
            let cells: Vec<_> = row.cells().filter(|cell| !cell.is_empty()).collect();
            let text = shortened(&cells.join(", "));
            items.push_back(DeckItem::Idle { line: row.line(), what, text });
            return;
        }
        let prefixes = self.row_prefixes(row);
        let lines = self.shape(row).and_then(|()| self.lines(row, &prefixes));
        match lines {
            Ok(lines) => items.extend(lines.into_iter().map(DeckItem::Line)),
            Err(problem) => items.push_back(DeckItem::Refused {
                line: row.line(),
                problem,
                prefixes: prefixes.map(|found| found.prefixes).unwrap_or_default(),
            }),
        }
    }

    fn shape(&self, row: &Row) -> Result<(), Problem> {
        match row.problem() {
            Some(RowProblem::Unfinished) if self.unfinished_line => {}
            Some(problem) => return Err(problem.into()),
            None => {}
        }
        for (column, position) in self.columns.fields() {
            if let Some(trouble) = row.kind(position).trouble() {
                let text = shortened(row.get(position).unwrap_or_default());
                return Err(Problem::NoValue { column, text, trouble });
            }
        }
        self.columns.misfit(row).map_or(Ok(()), |misfit| Err(Problem::Misfit(misfit)))
    }

    /// Whether a row is not meant to have a rate.
    fn idle(&self, row: &Row) -> Option<Idle> {
        if row.problem().is_some_and(|problem| problem != RowProblem::Unfinished) {
            return None;
        }
        if self.columns.is_header(row) {
            return Some(Idle::Header);
        }
        let digits = |text: &str| text.contains(|c: char| c.is_ascii_digit());
        let first = row.cells().find(|cell| !cell.is_empty()).unwrap_or_default();
        let code = |position| digits(cell(row, position));
        if code(self.at.prefix) || code(self.at.country_code) || code(self.at.area_code) {
            return None;
        }
        if is_total(first) {
            return Some(Idle::Total);
        }
        // A remark may stand in any column, so also in that of prefixes or rates.
        let filled = row.cells().filter(|cell| !cell.is_empty()).count();
        let rate = cell(row, self.at.rate);
        let remark = filled <= 1 && first.chars().count() > 3 && no_rate(first).is_none();
        let heading = rate.is_empty() && cell(row, self.at.prefix).is_empty() && filled <= 2;
        (remark && !digits(rate) || heading).then_some(Idle::Remark)
    }

    fn lines(
        &self,
        row: &Row,
        prefixes: &Result<Prefixes, Problem>,
    ) -> Result<Vec<DeckLine>, Problem> {
        let at = &self.at;
        let prefixes = prefixes.as_ref().map_err(Clone::clone)?;
        let origin = cell(row, at.origin);
        if !origin.is_empty() {
            let column = at.origin.and_then(|at| self.columns.names().get(at));
            let (column, origin) = (column.cloned().unwrap_or_default(), origin.to_owned());
            return Err(Problem::DependsOnCaller { column, origin });
        }
        self.check_currency(cell(row, at.currency))?;
        let offer = self.offer(row)?;
        let (minimum, increment, steps) = self.interval(row)?;
        let (effective_from, effective_until) = self.period(row)?;
        let days = value("day_type", values::days(cell(row, at.day_type)))?;
        let hours = self.hours(row)?;
        let mut notes = Vec::new();
        if prefixes.dialled {
            notes.push(Note::Dialled);
        }
        if prefixes.wildcard {
            notes.push(Note::Wildcard);
        }
        let area = cell(row, at.area_code);
        if area.starts_with('0') || prefixes.prefixes.iter().any(|p| p.starts_with('0')) {
            notes.push(Note::LeadingZero);
        }
        if hours.len() > 1 && days != Days::All {
            notes.push(Note::AcrossMidnight);
        }
        let line = DeckLine {
            line: row.line(),
            prefix: String::new(),
            destination: self.destination(row),
            rate: offer.rate,
            blocked: offer.blocked,
            closed: offer.closed,
            ended: offer.ended,
            connection_fee: self.fee(row)?,
            minimum,
            increment,
            steps,
            effective_from,
            effective_until,
            hours: Hours::DAY,
            days,
            status: offer.status,
            notes,
        };
        let each = prefixes.prefixes.iter().flat_map(|prefix| {
            let line = &line;
            hours.iter().map(move |hours| DeckLine {
                prefix: prefix.clone(),
                hours: *hours,
                ..line.clone()
            })
        });
        Ok(each.collect())
    }

    /// The prefixes of a row: of their own column, or country and area code together.
    fn row_prefixes(&self, row: &Row) -> Result<Prefixes, Problem> {
        let at = &self.at;
        if at.country_code.is_none() {
            let text = cell(row, at.prefix);
            if text.is_empty() {
                return Err(Problem::NoPrefix);
            }
            return value("prefix", values::prefixes(text, self.prefixes));
        }
        let (country, area) = (cell(row, at.country_code), cell(row, at.area_code));
        if country.is_empty() {
            return Err(Problem::NoPrefix);
        }
        let country = value("country_code", values::prefixes(country, self.prefixes))?;
        if area.is_empty() {
            return Ok(country);
        }
        let [code] = &country.prefixes[..] else {
            let problem = "several country codes with area codes of one".to_owned();
            return Err(Problem::Contradiction(problem));
        };
        let mut areas = value("area_code", values::area_codes(area, self.prefixes))?;
        for area in &mut areas.prefixes {
            // Of three digits no country has area codes that begin with its own code.
            if code.len() >= 3 && area.len() > code.len() && area.starts_with(code.as_str()) {
                let problem = format!("area code {area:?} already has the country code {code}");
                return Err(Problem::Contradiction(problem));
            }
            area.insert_str(0, code);
            if area.len() > 32 {
                let error = ValueError::NoPrefix(area.clone());
                return Err(Problem::Value { column: "area_code", error });
            }
        }
        areas.dialled = country.dialled;
        Ok(areas)
    }

    fn destination(&self, row: &Row) -> String {
        let country = cell(row, self.at.country);
        let destination = cell(row, self.at.destination);
        if country.is_empty() || destination.to_lowercase().starts_with(&country.to_lowercase()) {
            return destination.to_owned();
        }
        format!("{country} {destination}").trim_end().to_owned()
    }

    fn check_currency(&self, written: &str) -> Result<(), Problem> {
        match &self.currency {
            Some(tariff) if !written.is_empty() && !same_currency(written, tariff) => {
                Err(Problem::Currency { written: written.to_owned(), tariff: tariff.clone() })
            }
            _ => Ok(()),
        }
    }

    fn amount(
        &self,
        column: &'static str,
        row: &Row,
        position: Option<usize>,
    ) -> Result<Decimal, Problem> {
        let text = cell(row, position);
        let money = value(column, self.numbers.money(text, kind(row, position)))?;
        let shown = position.and_then(|position| row.currency(position));
        self.check_currency(shown.unwrap_or_default())?;
        self.check_currency(money.currency.as_deref().unwrap_or_default())?;
        if money.amount.is_sign_negative() {
            return Err(Problem::Negative { column, value: money.amount });
        }
        let Some(factor) = self.factor else { return Ok(money.amount) };
        let too_many = || ValueError::TooManyDigits(text.to_owned());
        value(column, money.amount.checked_mul(factor).map(|v| v.normalize()).ok_or_else(too_many))
    }

    fn fee(&self, row: &Row) -> Result<Option<Decimal>, Problem> {
        let text = cell(row, self.at.connection_fee);
        if text.is_empty() || matches!(no_rate(text), Some(NoRate::Unsaid)) {
            return Ok(None);
        }
        self.amount("connection_fee", row, self.at.connection_fee).map(Some)
    }

    /// The rate, and whether there is none.
    fn offer(&self, row: &Row) -> Result<Offer, Problem> {
        let text = cell(row, self.at.rate);
        let status = match cell(row, self.at.status) {
            "" | "-" => None,
            written => match Status::parse(written) {
                Some(status) => Some(status),
                None => return Err(Problem::Status(written.to_owned())),
            },
        };
        let written = cell(row, self.at.blocked);
        let said = blocked(written).ok_or_else(|| Problem::Blocked(written.to_owned()))?;
        let mut offer = Offer {
            rate: None,
            blocked: said == Said::Blocked || status == Some(Status::Blocked),
            closed: status == Some(Status::Closed),
            ended: said == Said::Ended,
            status,
        };
        match no_rate(text) {
            None => offer.rate = Some(self.amount("rate", row, self.at.rate)?),
            Some(NoRate::Blocked) => offer.blocked = true,
            Some(NoRate::Closed) => offer.closed = true,
            // Status or the column `blocked` say why there is none.
            Some(NoRate::Unsaid) if offer.blocked || offer.closed || offer.ended => {}
            Some(NoRate::Unsaid) if self.not_offered == Some(NotOffered::Block) => {
                offer.blocked = true;
            }
            Some(NoRate::Unsaid) => return Err(Problem::NoRate(text.to_owned())),
        }
        Ok(offer)
    }

    /// Minimum, increment, and what steps count from.
    fn interval(&self, row: &Row) -> Result<(Option<u32>, Option<u32>, Steps), Problem> {
        let at = &self.at;
        let text = |column, position| {
            let text = value(column, interval_cell(row, position))?;
            Ok::<_, Problem>(Some(text).filter(|text| !text.is_empty()))
        };
        let seconds = |column, position| {
            text(column, position)?.map(|text| value(column, values::seconds(text))).transpose()
        };
        let written = text("increment", at.increment)?
            .map(|text| value("increment", values::interval(text)))
            .transpose()?;
        let first = seconds("first_interval", at.first_interval)?;
        let next = seconds("next_interval", at.next_interval)?;
        let minimum = seconds("min_time", at.min_time)?;
        let pair = written.and_then(|interval| interval.minimum);
        let minimums = [pair, first, minimum];
        let increments = [written.map(|interval| interval.increment), next];
        let minimum = agreed("minimum", &minimums)?.or(self.minimum);
        let increment = agreed("increment", &increments)?.or(self.increment);
        if increment == Some(0) {
            let error = ValueError::NoInterval("0".to_owned());
            return Err(Problem::Value { column: "next_interval", error });
        }
        let as_written = if pair.is_some() || first.is_some() || next.is_some() {
            Steps::AfterMinimum
        } else {
            Steps::FromZero
        };
        let same = minimum.unwrap_or(0) % increment.unwrap_or(1) == 0;
        let said = match cell(row, at.steps) {
            "" => self.steps,
            written => match words::steps(written) {
                Some(steps) => Some(steps),
                None => return Err(Problem::Steps(written.to_owned())),
            },
        };
        let steps = if same { Steps::FromZero } else { said.unwrap_or(as_written) };
        Ok((minimum, increment, steps))
    }

    fn hours(&self, row: &Row) -> Result<Vec<Hours>, Problem> {
        let at = &self.at;
        let band = cell(row, at.hours);
        if band.is_empty() {
            let ends = [at.start_time, at.end_time].map(|at| clock_cell(row, at));
            return value("hours", values::hours(ends[0], ends[1]));
        }
        if !cell(row, at.start_time).is_empty() || !cell(row, at.end_time).is_empty() {
            return Err(Problem::Contradiction("hours in two columns".to_owned()));
        }
        let (from, to) = match band.to_lowercase().as_str() {
            "all" | "all day" | "24h" | "anytime" | "any" => ("", ""),
            _ => match band.split_once(['-', '–']) {
                Some(ends) => ends,
                None => return value("hours", Err(ValueError::NoHours(band.to_owned()))),
            },
        };
        value("hours", values::hours(from, to))
    }

    /// From when and until when a rate is valid.
    fn period(&self, row: &Row) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let moment_of = |place, column, position, text| {
            let order = match kind(row, position) {
                CellKind::Date => None,
                _ => self.dates.order(place, text),
            };
            value(column, values::moment(text, order))
        };
        let from = match date_cell(row, self.at.effective_from) {
            "" => self.effective_from,
            text => {
                let moment = moment_of(0, "effective_from", self.at.effective_from, text)?;
                Some(value("effective_from", moment.resolve(&self.zone))?.timestamp)
            }
        };
        let until = match date_cell(row, self.at.effective_until) {
            "" | "-" => None,
            // What databases write for never.
            text if text.starts_with("9999-12-31") || text.starts_with("0000-00-00") => None,
            text => {
                let moment = moment_of(1, "effective_until", self.at.effective_until, text)?;
                let after = match moment {
                    Moment::Day(day) => Moment::Day(tomorrow(day)),
                    moment => moment,
                };
                Some(value("effective_until", after.resolve(&self.zone))?.timestamp)
            }
        };
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            return Err(Problem::Contradiction("the rate ends before it begins".to_owned()));
        }
        Ok((from, until))
    }
}

struct Offer {
    rate: Option<Decimal>,
    blocked: bool,
    closed: bool,
    ended: bool,
    status: Option<Status>,
}

/// The one value that cells give, if any does.
fn agreed(what: &str, values: &[Option<u32>]) -> Result<Option<u32>, Problem> {
    let mut found = values.iter().flatten();
    let first = found.next().copied();
    match found.find(|other| Some(**other) != first) {
        Some(other) => {
            let first = first.unwrap_or_default();
            Err(Problem::Contradiction(format!("the {what} is {first} and {other} seconds")))
        }
        None => Ok(first),
    }
}

fn factor(text: &str) -> Result<Decimal, Error> {
    let factor: Option<Decimal> = text.trim().parse().ok();
    factor
        .filter(|factor| *factor > Decimal::ZERO)
        .ok_or_else(|| Error::Profile(format!("--factor {text:?} is no positive number")))
}

/// What the names of columns say that a deck cannot have.
fn check_columns(
    columns: &Columns,
    at: &Positions,
    currency: Option<&str>,
    has_factor: bool,
) -> Vec<ColumnProblem> {
    let mut problems = Vec::new();
    let mut refuse = |position: usize, reason: String| {
        let name = columns.names().get(position).cloned().unwrap_or_default();
        problems.push(ColumnProblem::Refused { position: position + 1, name, reason });
    };
    for (field, position) in columns.fields() {
        let units = columns.units(field);
        let money = matches!(field, "rate" | "connection_fee");
        for unit in units.split(' ').filter(|unit| !unit.is_empty()) {
            let (is_minutes, is_seconds) = (is_minutes(unit), is_seconds(unit));
            if is_currency(unit) {
                if let Some(tariff) = currency.filter(|tariff| !same_currency(unit, tariff)) {
                    refuse(position, format!("the tariff is in {tariff}"));
                }
            } else if is_cents(unit) {
                if !has_factor {
                    refuse(
                        position,
                        "--factor makes it the tariff's unit (0.01 for cents)".to_owned(),
                    );
                }
            } else if is_date_format(unit) || matches!(unit, "utc" | "gmt") {
                if !matches!(field, "effective_from" | "effective_until") {
                    refuse(position, "it is named as a date".to_owned());
                }
            } else if field == "rate" && is_seconds {
                refuse(position, "rates are per minute".to_owned());
            } else if !money && is_minutes {
                refuse(position, "intervals are in seconds".to_owned());
            }
        }
    }
    if let (Some(first), Some(second)) = (at.prefix, at.country_code.or(at.area_code)) {
        problems
            .push(ColumnProblem::Twice { field: "prefix", positions: vec![first + 1, second + 1] });
    }
    problems
}
