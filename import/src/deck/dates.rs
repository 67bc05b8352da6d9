//! The dates of a deck: in which order day and month stand, as far as the deck says it.

use jiff::{ToSpan, civil::Date};

use super::{fields::is_date_format, shortened};
use crate::{
    Error, Profile,
    table::Columns,
    values::{self, DateOrder, ValueError},
};

/// What is known of the order of day and month, in the columns of beginnings and of ends.
#[derive(Debug)]
pub(super) struct Dates {
    /// As it was said; then nothing has to be found out.
    said: Option<DateOrder>,
    columns: [Evidence; 2],
}

/// What the dates of a column show.
#[derive(Debug, Default)]
struct Evidence {
    /// The first date that can be read in one order alone, with its line.
    shown: Option<(DateOrder, u64, String)>,
    /// The first that can be read in another one alone.
    against: Option<(u64, String)>,
    /// Some date can be read in two.
    is_asked: bool,
    settled: Option<DateOrder>,
}

impl Dates {
    pub(super) fn new(said: Option<DateOrder>) -> Self {
        Self { said, columns: Default::default() }
    }

    /// The order in which a date is read, of the column of beginnings (0) or of ends (1). What other
    /// dates show holds for those of their form: `31/12/26` says nothing of `26-03-04`.
    pub(super) fn order(&self, column: usize, text: &str) -> Option<DateOrder> {
        let settled = || {
            let column = self.columns.get(column)?;
            let (_, _, shown) = column.shown.as_ref()?;
            let alike = values::may_begin_with_year(text) == values::may_begin_with_year(shown);
            column.settled.filter(|_| alike)
        };
        self.said.or_else(settled)
    }

    /// Takes note of the dates of a row. Returns whether one of them can be read in two ways.
    pub(super) fn waits(&mut self, line: u64, cells: [&str; 2]) -> bool {
        if self.said.is_some() {
            return false;
        }
        let mut waits = false;
        for (column, text) in
            self.columns.iter_mut().zip(cells).filter(|(_, text)| !text.is_empty())
        {
            match (values::date_order(text), &column.shown) {
                (Some(order), None) => column.shown = Some((order, line, shortened(text))),
                (Some(order), Some((shown, ..))) if order != *shown => {
                    column.against.get_or_insert_with(|| (line, shortened(text)));
                }
                (Some(_), Some(_)) => {}
                (None, _) => {
                    let moment = values::moment(text, None);
                    let is_asked = matches!(moment, Err(ValueError::AmbiguousDate(_)));
                    column.is_asked |= is_asked;
                    waits |= is_asked;
                }
            }
        }
        waits
    }

    /// Settles the orders that dates show without contradiction. Returns what was found out, and what
    /// contradicts itself; `names` are those of the columns.
    pub(super) fn settle(&mut self, names: &[String; 2]) -> Vec<String> {
        let mut notes = Vec::new();
        if let [Some((one, line, text)), Some((other, other_line, other_text))] =
            self.columns.each_ref().map(|column| column.shown.as_ref())
            && one != other
            && self.columns.iter().any(|column| column.is_asked)
        {
            // One of them would be read in an order that the deck does not have elsewhere.
            let [name, other_name] = names;
            return vec![format!(
                "the dates of columns {name:?} and {other_name:?} contradict each other ({text:?} in line \
                 {line}, {other_text:?} in line {other_line}): --date-format says in which order day and \
                 month stand"
            )];
        }
        for (column, name) in
            self.columns.iter_mut().zip(names).filter(|(column, _)| column.is_asked)
        {
            match (&column.shown, &column.against) {
                (Some((_, line, text)), Some((other_line, other))) => notes.push(format!(
                    "the dates of column {name:?} contradict each other ({text:?} in line {line}, {other:?} \
                     in line {other_line}): --date-format says in which order day and month stand"
                )),
                (Some((order, line, text)), None) => {
                    column.settled = Some(*order);
                    let order = match order {
                        DateOrder::Dmy => "day, month, year",
                        DateOrder::Mdy => "month, day, year",
                        DateOrder::Ymd => "year, month, day",
                    };
                    notes.push(format!(
                        "the dates of column {name:?} are read as {order}, as {text:?} in line {line} shows: \
                         --date-format says another order"
                    ));
                }
                (None, _) => {}
            }
        }
        notes
    }
}

pub(super) fn tomorrow(day: Date) -> Date {
    day.checked_add(1.day()).unwrap_or(day)
}

/// The order of dates and whether they are in UTC, as the profile says, or else the name of the
/// column: `Effective Date (DD/MM/YYYY GMT)`.
pub(super) fn dates(
    columns: &Columns,
    profile: &Profile,
) -> Result<(Option<DateOrder>, bool), Error> {
    let units = columns.units("effective_from");
    let of_name = || {
        let format: Vec<_> = units.split(' ').filter(|unit| is_date_format(unit)).collect();
        DateOrder::parse(&format.join(" "))
    };
    let utc = units.split(' ').any(|unit| matches!(unit, "utc" | "gmt"));
    Ok((profile.date_order()?.or_else(of_name), utc && profile.time_zone.is_none()))
}
