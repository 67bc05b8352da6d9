//! The cells of ODS workbooks, with what the library for workbooks leaves out: currencies, formulas
//! without a value, and how times are shown.

use std::io::{BufRead, BufReader, Cursor};

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::{
    cell::{CellKind, duration, moment},
    shown::Shown,
};

/// A cell that is not empty.
#[derive(Debug, Default)]
pub(super) struct OdsCell {
    pub(super) column: u32,
    pub(super) text: String,
    pub(super) kind: CellKind,
    pub(super) shown: Shown,
}

/// As many columns as a sheet can have.
const COLUMNS: u32 = 16_384;

type Failed = Box<dyn std::error::Error>;

/// Gives the rows of a sheet that have cells, each with its number from 0, as often as the row is there.
/// Stops where `row` returns an error.
pub(super) fn read<E>(
    book: Vec<u8>,
    title: &str,
    mut row: impl FnMut(u32, &[OdsCell]) -> Result<(), E>,
) -> Result<Result<(), E>, Failed> {
    let mut archive = zip::ZipArchive::new(Cursor::new(book))?;
    let mut reader = Reader::from_reader(BufReader::new(archive.by_name("content.xml")?));
    reader.config_mut().expand_empty_elements = true;
    let (mut buffer, mut cells) = (Vec::new(), Vec::new());
    let (mut is_sheet, mut number, mut column, mut repeated) = (false, 0_u32, 0_u32, 1_u32);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Start(start) => match start.name().as_ref() {
                "table:table" => {
                    is_sheet = attribute(&start, "table:name")?.as_deref() == Some(title);
                }
                "table:table-row" if is_sheet => {
                    (column, repeated) = (0, times(&start, "table:number-rows-repeated")?);
                }
                "table:table-cell" | "table:covered-table-cell" if is_sheet => {
                    let wide = times(&start, "table:number-columns-repeated")?;
                    let attributes = Attributes::of(&start)?;
                    let (text, kind, shown) = attributes.value(content(&mut reader)?);
                    let last = column.saturating_add(wide).min(COLUMNS);
                    if !text.trim().is_empty() {
                        cells.extend((column..last).map(|column| OdsCell {
                            column,
                            text: text.clone(),
                            kind,
                            shown: shown.clone(),
                        }));
                    }
                    column = last;
                }
                _ => {}
            },
            Event::End(end) => match end.name().as_ref() {
                "table:table" if is_sheet => return Ok(Ok(())),
                "table:table-row" if is_sheet => {
                    for _ in 0..repeated {
                        if cells.is_empty() {
                            number = number.saturating_add(repeated);
                            break;
                        }
                        if let Err(error) = row(number, &cells) {
                            return Ok(Err(error));
                        }
                        number = number.saturating_add(1);
                    }
                    cells.clear();
                }
                _ => {}
            },
            Event::Eof => return Ok(Ok(())),
            _ => {}
        }
    }
}

fn attribute(start: &BytesStart<'_>, name: &str) -> Result<Option<String>, Failed> {
    let found = start.try_get_attribute(name)?;
    Ok(match found {
        Some(found) => Some(found.normalized_value(XmlVersion::Implicit1_0)?.into_owned()),
        None => None,
    })
}

/// How often something is there.
fn times(start: &BytesStart<'_>, name: &str) -> Result<u32, Failed> {
    Ok(attribute(start, name)?.map_or(Ok(1), |text| text.parse())?)
}

/// What a cell shows: its paragraphs, without remarks and drawings. Read up to its end.
fn content<R: BufRead>(reader: &mut Reader<R>) -> Result<String, Failed> {
    let (mut text, mut buffer) = (String::new(), Vec::new());
    let (mut depth, mut paragraphs, mut within) = (0_usize, 0_usize, 0_usize);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer)? {
            Event::Start(start) => {
                let name = start.name();
                match name.as_ref() {
                    "text:p" => {
                        within += 1;
                        paragraphs += 1;
                        if paragraphs > 1 {
                            text.push('\n');
                        }
                    }
                    "text:s" => {
                        let count = times(&start, "text:c")?.min(1_000);
                        text.extend(std::iter::repeat_n(' ', usize::try_from(count)?));
                    }
                    "text:tab" => text.push('\t'),
                    "text:line-break" => text.push('\n'),
                    other
                        if other == "office:annotation"
                            || other == "table:table"
                            || other.starts_with("draw:") =>
                    {
                        let end = start.to_end().into_owned();
                        reader.read_to_end_into(end.name(), &mut Vec::new())?;
                        continue;
                    }
                    _ => {}
                }
                depth += 1;
            }
            Event::End(_) if depth == 0 => return Ok(text),
            Event::End(end) => {
                within -= usize::from(end.name().as_ref() == "text:p");
                depth -= 1;
            }
            Event::Text(found) if within > 0 => text.push_str(&found.xml10_content()),
            Event::CData(found) if within > 0 => text.push_str(&found.xml10_content()),
            Event::GeneralRef(entity) if within > 0 => {
                if let Some(char) = entity.resolve_char_ref()? {
                    text.push(char);
                } else {
                    let known = resolve_predefined_entity(entity.as_ref());
                    text.push_str(known.ok_or("an entity that is not known")?);
                }
            }
            Event::Eof => return Err("it breaks off".into()),
            _ => {}
        }
    }
}

/// What a cell says of its value.
#[derive(Debug, Default)]
struct Attributes {
    kind: String,
    value: Option<String>,
    currency: Option<String>,
    formula: Option<String>,
    is_error: bool,
}

impl Attributes {
    fn of(start: &BytesStart<'_>) -> Result<Self, Failed> {
        let mut found = Self::default();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute?;
            let value = || attribute.normalized_value(XmlVersion::Implicit1_0).map(String::from);
            match attribute.key.as_ref() {
                "office:value-type" => found.kind = value()?,
                "office:value"
                | "office:date-value"
                | "office:time-value"
                | "office:boolean-value"
                | "office:string-value" => found.value = Some(value()?),
                "office:currency" => found.currency = Some(value()?),
                "table:formula" => found.formula = Some(value()?),
                "calcext:value-type" => found.is_error = value()? == "error",
                _ => {}
            }
        }
        Ok(found)
    }

    /// The value of a cell that shows a text.
    fn value(self, text: String) -> (String, CellKind, Shown) {
        let plain = |text, kind| (text, kind, Shown::default());
        let is_number = |text: &String| text.parse::<f64>().is_ok();
        // As programs wrote errors before they had a type for them.
        let shows_error =
            text.starts_with("Err:") || text.starts_with('#') && text.ends_with(['!', '?', 'A']);
        match (self.kind.as_str(), self.value) {
            _ if self.is_error || self.formula.is_some() && shows_error => {
                plain(if text.is_empty() { "#".to_owned() } else { text }, CellKind::Error)
            }
            ("string", value) if value.is_some() || self.formula.is_none() || !text.is_empty() => {
                plain(value.filter(|value| !value.is_empty()).unwrap_or(text), CellKind::Text)
            }
            ("date", Some(value)) => {
                let shown = Shown { hours: text.contains(':'), ..Shown::default() };
                (moment(&value), CellKind::Date, shown)
            }
            ("time", Some(value)) => match duration(&value) {
                Some(time) => {
                    let shown = as_time(&text, &time);
                    (time, CellKind::Time, shown)
                }
                None => plain(value, CellKind::Text),
            },
            ("boolean", Some(value)) => plain(value.to_lowercase(), CellKind::Text),
            (_, Some(value)) if is_number(&value) => {
                let number: f64 = value.parse().unwrap_or_default();
                let shown = Shown { currency: self.currency, ..Shown::default() };
                (number.to_string(), CellKind::Number, shown)
            }
            (_, Some(value)) => plain(value, CellKind::Text),
            (_, None) => match self.formula {
                Some(formula) => {
                    let formula = formula.strip_prefix("of:").unwrap_or(&formula);
                    plain(format!("={}", formula.trim_start_matches('=')), CellKind::Formula)
                }
                None => plain(text, CellKind::Text),
            },
        }
    }
}

/// How a time is shown: `08:30` of `08:30:00` has no seconds, `01:00` of `00:01:00` has.
fn as_time(text: &str, time: &str) -> Shown {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    let Some((first, second)) = text.split_once(':') else { return Shown::default() };
    let mut parts = time.split(':').map(number);
    let as_shown = [number(first), number(second)];
    let same =
        as_shown[0].is_some() && as_shown == [parts.next().flatten(), parts.next().flatten()];
    Shown { hours: same, seconds: !same, ..Shown::default() }
}
