//! Reading a deck: which separators it has, and which column is what.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use anyhow::{Context, bail};
use tollbook_proto::v1::RateLine;

use super::COLUMNS;
use crate::values::header;

/// How a deck is to be read, as far as the operator says.
pub(crate) struct Format {
    /// The column separator; none: it is detected.
    pub(crate) delimiter: Option<char>,
    /// The decimal separator; none: it is detected.
    pub(crate) decimal: Option<char>,
    /// Positions of columns, from 1; empty: a header names them.
    pub(crate) columns: Vec<(String, usize)>,
}

/// A deck being read.
pub(crate) struct Deck {
    reader: csv::Reader<Box<dyn Read + Send>>,
    positions: HashMap<&'static str, usize>,
    decimal_comma: bool,
    /// A first line that is no header, to be read as a line.
    first: Option<csv::StringRecord>,
}

/// How much of a file is looked at to detect separators.
const SAMPLE: usize = 64 * 1024;

impl Deck {
    pub(crate) fn open(path: &Path, format: &Format) -> anyhow::Result<Self> {
        let mut file =
            File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut sample = Vec::new();
        (&mut file).take(SAMPLE as u64).read_to_end(&mut sample)?;
        let text = String::from_utf8_lossy(&sample).into_owned();
        let delimiter = match format.delimiter {
            Some(delimiter) => u8::try_from(delimiter).context("the delimiter is not ASCII")?,
            None => detect_delimiter(&text),
        };
        let source: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(sample).chain(file));
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(source);
        let mut first = csv::StringRecord::new();
        if !reader.read_record(&mut first).context("the first line cannot be read")? {
            bail!("{} is empty", path.display());
        }
        let (positions, is_header) = positions(&first, &format.columns)?;
        let decimal_comma = match format.decimal {
            Some(decimal) => decimal == ',',
            None => delimiter != b',' && detect_decimal_comma(&text, delimiter, positions["rate"]),
        };
        Ok(Self { reader, positions, decimal_comma, first: (!is_header).then_some(first) })
    }

    /// The next line; none: the deck is at its end.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<RateLine>> {
        let record = if let Some(first) = self.first.take() {
            first
        } else {
            let mut record = csv::StringRecord::new();
            if !self.reader.read_record(&mut record).context("the file is not CSV in UTF-8")? {
                return Ok(None);
            }
            record
        };
        let number = record.position().map_or(0, csv::Position::line);
        let text = |column: &str| {
            let position = self.positions.get(column);
            position.and_then(|position| record.get(*position)).unwrap_or_default().to_owned()
        };
        let decimal = |column: &str| {
            let text = text(column);
            if self.decimal_comma { text.replace(',', ".") } else { text }
        };
        Ok(Some(RateLine {
            number: i64::try_from(number)?,
            prefix: text("prefix"),
            destination: text("destination"),
            rate: decimal("rate"),
            connection_fee: decimal("connection_fee"),
            increment: text("increment"),
            min_time: text("min_time"),
            effective_from: text("effective_from"),
            start_time: text("start_time"),
            end_time: text("end_time"),
            day_type: text("day_type"),
            blocked: text("blocked"),
        }))
    }
}

/// The separator that the first lines have most of, outside of quotes.
fn detect_delimiter(text: &str) -> u8 {
    let count = |delimiter: u8| {
        let mut quoted = false;
        text.lines().take(20).flat_map(str::bytes).fold(0, |count, byte| {
            quoted ^= byte == b'"';
            count + u32::from(byte == delimiter && !quoted)
        })
    };
    // A file of decimal commas has more commas than semicolons.
    [b';', b'\t', b'|'].into_iter().find(|delimiter| count(*delimiter) > 0).unwrap_or(b',')
}

/// Whether rates are written with a comma.
fn detect_decimal_comma(text: &str, delimiter: u8, rate: usize) -> bool {
    let rates = text
        .lines()
        .skip(1)
        .take(100)
        .filter_map(|line| line.split(char::from(delimiter)).nth(rate));
    let (commas, points) = rates.fold((0, 0), |(commas, points), rate| {
        (commas + u32::from(rate.contains(',')), points + u32::from(rate.contains('.')))
    });
    commas > points
}

/// Where each column is, and whether the first line is a header.
fn positions(
    first: &csv::StringRecord,
    given: &[(String, usize)],
) -> anyhow::Result<(HashMap<&'static str, usize>, bool)> {
    let known = |name: &str| COLUMNS.into_iter().find(|column| *column == name);
    let mut positions = header(first, &COLUMNS);
    let is_header = !positions.is_empty();
    for (name, position) in given {
        let Some(column) = known(name) else {
            bail!("there is no column {name:?}; there are {}", COLUMNS.join(", "));
        };
        let Some(position) = position.checked_sub(1) else { bail!("columns count from 1") };
        positions.insert(column, position);
    }
    for column in ["prefix", "rate"] {
        if !positions.contains_key(column) {
            bail!("no column is {column}: name it in the first line, or give --column {column}=N");
        }
    }
    Ok((positions, is_header))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;
    use crate::linear;

    fn read(text: &str, columns: &[(&str, usize)]) -> anyhow::Result<Vec<RateLine>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let columns =
            columns.iter().map(|(name, position)| ((*name).to_owned(), *position)).collect();
        let format = Format { delimiter: None, decimal: None, columns };
        let mut deck = Deck::open(file.path(), &format)?;
        let mut lines = Vec::new();
        while let Some(line) = deck.next()? {
            lines.push(line);
        }
        Ok(lines)
    }

    #[test]
    fn a_header_names_the_columns() {
        let lines =
            read("Prefix,Destination,Rate,Min time\n1,\"US, other\",0.5,30\n", &[]).unwrap();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            (line.number, line.prefix.as_str(), line.destination.as_str()),
            (2, "1", "US, other")
        );
        assert_eq!((line.rate.as_str(), line.min_time.as_str()), ("0.5", "30"));
    }

    #[test]
    fn semicolons_and_decimal_commas_are_seen() {
        let lines = read("rate;prefix\n0,25;370\n1,5;371\n", &[]).unwrap();
        let rates: Vec<_> = lines.iter().map(|line| line.rate.as_str()).collect();
        assert_eq!(rates, ["0.25", "1.5"]);
    }

    #[test]
    fn without_a_header_positions_are_given() {
        let lines = read("370|x|0.1\n371|x|0.2\n", &[("prefix", 1), ("rate", 3)]).unwrap();
        let all: Vec<_> = lines
            .iter()
            .map(|line| (line.number, line.prefix.as_str(), line.rate.as_str()))
            .collect();
        assert_eq!(all, [(1, "370", "0.1"), (2, "371", "0.2")]);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, columns, named) in [
            ("", vec![], "is empty"),
            ("a,b\n1,2\n", vec![], "no column is prefix"),
            ("prefix,b\n1,2\n", vec![], "no column is rate"),
            ("1,2\n", vec![("price", 2)], "there is no column"),
            ("1,2\n", vec![("prefix", 0)], "columns count from 1"),
        ] {
            let error = read(text, &columns).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn f14_decks_are_read_in_linear_time() {
        for (what, line) in [("lines", "370,\"a, b\",0.1\n"), ("columns", ",,,,,,,,")] {
            linear::assert(
                what,
                1_000,
                |count| format!("prefix,destination,rate\n{}", line.repeat(count)),
                |text| drop(read(text, &[]).unwrap()),
            );
        }
        linear::assert(
            "a line without an end",
            100_000,
            |count| format!("prefix,rate\n\"{}", "1".repeat(count)),
            |text| drop(read(text, &[]).unwrap()),
        );
    }
}
