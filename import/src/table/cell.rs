//! What a cell of a workbook holds beside its text, so that nothing has to be guessed of it again.

use calamine::{Data, ExcelDateTime};
use rust_decimal::{Decimal, prelude::ToPrimitive};

/// What a cell holds. A file of text has text alone; of a workbook's cell the text is written in one
/// form, whatever the program shows it as, or the profile says of how people write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CellKind {
    /// Text, as people write it.
    #[default]
    Text,
    /// A number: digits, and a point before its places.
    Number,
    /// A day (`2026-03-31`), with its time (`2026-03-31 10:00:00`) unless that is midnight and the cell
    /// is not known to show it.
    Date,
    /// A time of day or a duration: hours, minutes, seconds (`25:00:00`). Of a cell that is known to show
    /// no seconds, and has none, hours and minutes (`08:30`).
    Time,
    /// An error, as `#N/A`.
    Error,
    /// A formula without a value, as programs write them that do not calculate: `=A1*2`.
    Formula,
}

impl CellKind {
    /// Why a cell has no value to be read; `None` if it has one.
    #[must_use]
    pub fn trouble(self) -> Option<&'static str> {
        match self {
            Self::Error => Some("is an error of the workbook"),
            Self::Formula => Some(
                "is a formula without a value: a spreadsheet program that opens and saves the workbook \
                 calculates it",
            ),
            Self::Text | Self::Number | Self::Date | Self::Time => None,
        }
    }
}

/// The time of a day that is not said to have another one.
pub(super) const MIDNIGHT: &str = " 00:00:00";
/// The seconds of a time that is not said to have others.
pub(super) const NO_SECONDS: &str = ":00";

/// A cell as it is written, and what it holds. A day has its time, too, whether it is shown or not.
pub(super) fn written(cell: &Data) -> (String, CellKind) {
    match cell {
        Data::Int(number) => (number.to_string(), CellKind::Number),
        // The shortest text that is this number, without an exponent.
        Data::Float(number) => (number.to_string(), CellKind::Number),
        Data::String(text) => (text.clone(), CellKind::Text),
        Data::DateTimeIso(text) => (moment(text), CellKind::Date),
        Data::DurationIso(text) => match duration(text) {
            Some(text) => (text, CellKind::Time),
            None => (text.clone(), CellKind::Text),
        },
        Data::Bool(truth) => (truth.to_string(), CellKind::Text),
        Data::DateTime(time) => serial(*time),
        Data::Error(error) => (error.to_string(), CellKind::Error),
        Data::Empty => (String::new(), CellKind::Text),
    }
}

/// `2026-03-31T10:00:00` with a space between day and time, and `2026-03-31` with its time.
pub(super) fn moment(text: &str) -> String {
    match text.split_once('T') {
        Some((day, time)) => format!("{day} {time}"),
        None if text.len() == 10 => format!("{text}{MIDNIGHT}"),
        None => text.to_owned(),
    }
}

/// `P1DT01H30M05.5S` as `25:30:05.5`.
pub(super) fn duration(text: &str) -> Option<String> {
    let (days, mut rest) = text.strip_prefix('P')?.split_once('T')?;
    let mut hours: u64 = match days.strip_suffix('D') {
        Some(days) => days.parse::<u32>().ok().map(|days| u64::from(days) * 24)?,
        None if days.is_empty() => 0,
        None => return None,
    };
    let mut part = |unit: char| match rest.split_once(unit) {
        Some((number, behind)) => {
            rest = behind;
            number
        }
        None => "0",
    };
    let (of_day, minutes, seconds) = (part('H'), part('M'), part('S').replace(',', "."));
    if !rest.is_empty() {
        return None;
    }
    let (minutes, seconds): (u64, Decimal) = (minutes.parse().ok()?, seconds.parse().ok()?);
    hours += u64::from(of_day.parse::<u32>().ok()?);
    let total = Decimal::from(hours * 3_600 + minutes.checked_mul(60)?).checked_add(seconds)?;
    total.checked_mul(Decimal::ONE_THOUSAND)?.round().to_u64().map(clock)
}

/// Milliseconds as hours, minutes and seconds.
fn clock(milliseconds: u64) -> String {
    let (seconds, places) = (milliseconds / 1_000, milliseconds % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{hours:02}:{minutes:02}:{seconds:02}");
    if places == 0 { whole } else { format!("{whole}.{places:03}") }
}

/// A number of days, which is a moment, a time of day or a duration.
fn serial(time: ExcelDateTime) -> (String, CellKind) {
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    // No rate and no call is of a time before: it is so many days long.
    let is_date = !time.is_duration() && time.as_f64() >= 1.0 && year >= 1970;
    if is_date {
        let places = if milli == 0 { String::new() } else { format!(".{milli:03}") };
        let text =
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{places}");
        return (text, CellKind::Date);
    }
    let milliseconds = Decimal::try_from(time.as_f64())
        .ok()
        .and_then(|days| days.checked_mul(Decimal::from(86_400_000)))
        .and_then(|milliseconds| milliseconds.round().to_u64());
    // Less than nothing, or more than any call lasts: nobody can read it.
    let text = milliseconds.map_or_else(|| time.as_f64().to_string(), clock);
    (text, CellKind::Time)
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn times_of_day_and_durations() {
        let of = |value, kind| written(&Data::DateTime(ExcelDateTime::new(value, kind, false)));
        for (value, kind, text, is) in [
            (0.75, ExcelDateTimeType::DateTime, "18:00:00", CellKind::Time),
            (1.0, ExcelDateTimeType::DateTime, "24:00:00", CellKind::Time),
            (1.041_666_666_666_666_7, ExcelDateTimeType::TimeDelta, "25:00:00", CellKind::Time),
            (0.000_752_314_814_814_814_8, ExcelDateTimeType::DateTime, "00:01:05", CellKind::Time),
            (46_346.437_5, ExcelDateTimeType::DateTime, "2026-11-20 10:30:00", CellKind::Date),
            (46_346.0, ExcelDateTimeType::DateTime, "2026-11-20 00:00:00", CellKind::Date),
            (-0.5, ExcelDateTimeType::TimeDelta, "-0.5", CellKind::Time),
        ] {
            assert_eq!(of(value, kind), (text.to_owned(), is));
        }
        for (text, read) in [
            ("PT08H30M00S", Some("08:30:00")),
            ("PT25H00M30S", Some("25:00:30")),
            ("P1DT1H", Some("25:00:00")),
            ("PT00H01M05.500000000S", Some("00:01:05.500")),
            ("PT90S", Some("00:01:30")),
            ("-PT1H", None),
            ("PT1X", None),
            ("P1M", None),
        ] {
            assert_eq!(duration(text).as_deref(), read, "{text}");
        }
    }
}
