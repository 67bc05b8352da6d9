//! Which column is what: by the row that names them, by names or positions that a profile gives.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Row, Table, normalised};
use crate::Error;

/// A field that a column can be.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in profiles and messages.
    pub name: &'static str,
    /// Other names that columns of this meaning have, as [`normalised`] gives them. The name
    /// itself is one of its own accord.
    pub synonyms: &'static [&'static str],
}

/// The fields of a kind of file.
#[derive(Clone, Copy)]
pub struct Vocabulary {
    /// The fields.
    pub fields: &'static [Field],
    /// Of each of these groups at least one must be there.
    pub required: &'static [&'static [&'static str]],
    /// The field that a column is whose name is none of theirs but one in another language. Given the name
    /// as [`normalised`] gives it.
    pub foreign: fn(&str) -> Option<&'static str>,
    /// Words behind a name, or before it if the flag is set, that do not change which field it is:
    /// units, currencies.
    pub units: fn(&str, bool) -> bool,
    /// Why a column that is no field must not be passed over even where unknown ones are; `None`
    /// if it can be. Given its name as [`normalised`] gives it.
    pub refused: fn(&str) -> Option<&'static str>,
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary").field("fields", &self.fields).finish_non_exhaustive()
    }
}

impl Vocabulary {
    /// The field that a column of this name is, with the units in the name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<(&'static str, String)> {
        // A longer text is a sentence, and may be made to be read slowly.
        const LONGEST: usize = 80;
        if name.is_empty() || name.len() > LONGEST {
            return None;
        }
        let normal = normalised(name);
        self.exact(&normal).map(|field| (field, String::new())).or_else(|| {
            let (mut words, mut units) = (normal.as_str(), Vec::new());
            loop {
                if let Some((rest, word)) =
                    words.rsplit_once(' ').filter(|(_, w)| (self.units)(w, false))
                {
                    words = rest;
                    units.push(word);
                } else {
                    let (word, rest) =
                        words.split_once(' ').filter(|(w, _)| (self.units)(w, true))?;
                    words = rest;
                    units.push(word);
                }
                if let Some(field) = self.exact(words) {
                    units.reverse();
                    return Some((field, units.join(" ")));
                }
            }
        })
    }

    fn exact(&self, normal: &str) -> Option<&'static str> {
        let is =
            |field: &&Field| field.synonyms.contains(&normal) || normalised(field.name) == normal;
        let own = self.fields.iter().find(is).map(|field| field.name);
        own.or_else(|| (self.foreign)(normal))
    }

    fn own(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().map(|field| field.name).find(|field| *field == name)
    }
}

/// A column, by its name in the file or by its position from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ColumnRef {
    /// By its position, from 1.
    Position(usize),
    /// By its name, without regard to capitals, spaces and punctuation. A number is a position.
    Name(String),
}

impl ColumnRef {
    /// `4` is the fourth column, anything else a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.trim().parse() {
            Ok(position) => Self::Position(position),
            Err(_) => Self::Name(text.to_owned()),
        }
    }

    fn is(&self, position: usize, name: &str) -> bool {
        match self {
            Self::Position(wanted) => *wanted == position + 1,
            Self::Name(wanted) => {
                let wanted_position = wanted.trim().parse::<usize>().ok();
                let wanted = normalised(wanted);
                !wanted.is_empty() && wanted == normalised(name)
                    || wanted_position == Some(position + 1)
            }
        }
    }
}

impl std::fmt::Display for ColumnRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Position(position) => write!(f, "{position}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// What the operator says of the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Which column a field is, by the field's name. Others are found by their names.
    pub columns: BTreeMap<String, ColumnRef>,
    /// Columns that are passed over.
    pub ignore_columns: Vec<ColumnRef>,
    /// Every column that is no field is passed over, but those on which a price depends.
    pub ignore_unknown_columns: bool,
    /// The line that names the columns, from 1; `None`: it is found.
    pub header_line: Option<u64>,
    /// No line names the columns: all are given by position.
    pub no_header: bool,
}

/// What is wrong with a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnProblem {
    /// Nobody knows what it is.
    #[error(
        "column {position} {name:?} is not known: --column WHAT={position} says what it is, --ignore-column \
         {name:?} that it may stay unused"
    )]
    Unknown {
        /// From 1.
        position: usize,
        /// Its name in the file.
        name: String,
    },
    /// It has values and no name.
    #[error(
        "column {position} has no name, but values ({sample:?}): --column WHAT={position} says what it \
         is, --ignore-column {position} that it may stay unused"
    )]
    Unnamed {
        /// From 1.
        position: usize,
        /// The first of its values.
        sample: String,
    },
    /// Two columns are one field.
    #[error("columns {} are both {field}: {} leaves one of them out", listed(.positions), either(.positions))]
    Twice {
        /// The field.
        field: &'static str,
        /// From 1.
        positions: Vec<usize>,
    },
    /// A field that must be there is not.
    #[error("no column is {}: --column {}=… names it", .fields.join(" or "), .fields.first().unwrap_or(&""))]
    Missing {
        /// The field, or those of which one is enough.
        fields: Vec<&'static str>,
    },
    /// Prices depend on it in a way that cannot be kept.
    #[error("column {position} {name:?}: {reason}")]
    Refused {
        /// From 1.
        position: usize,
        /// Its name in the file.
        name: String,
        /// Why.
        reason: String,
    },
    /// The profile names a column that the file does not have.
    #[error("there is no column {column} to be {field} (--column)")]
    NoSuchColumn {
        /// As the profile has it.
        column: ColumnRef,
        /// The field that it was to be.
        field: String,
    },
    /// The profile names a field that there is not.
    #[error("there is no field {field:?}; there are {}", .known.join(", "))]
    NoSuchField {
        /// As the profile has it.
        field: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
}

impl ColumnProblem {
    /// Why a column is refused on which prices depend.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Where such a column is.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Refused { position, name, .. } => Some(format!("{position} {name:?}")),
            _ => None,
        }
    }
}

fn either(positions: &[usize]) -> String {
    let flags: Vec<_> =
        positions.iter().map(|position| format!("--ignore-column {position}")).collect();
    flags.join(" or ")
}

fn listed(positions: &[usize]) -> String {
    let texts: Vec<_> = positions.iter().map(usize::to_string).collect();
    texts.join(" and ")
}

/// What each column of a table is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    fields: Vec<(&'static str, usize, String)>,
    names: Vec<String>,
    ignored: Vec<usize>,
    above: Vec<(u64, String)>,
    header_line: Option<u64>,
}

impl Columns {
    /// Where a field is, from 0; `None` if no column is it.
    #[must_use]
    pub fn position(&self, field: &str) -> Option<usize> {
        self.fields.iter().find(|(name, ..)| *name == field).map(|(_, position, _)| *position)
    }

    /// The cell of a field in a row; empty if there is no such column or cell.
    #[must_use]
    pub fn get<'r>(&self, row: &'r Row, field: &str) -> &'r str {
        self.position(field).and_then(|position| row.get(position)).unwrap_or_default()
    }

    /// The units in the name of a field's column, as `usd min` in `Rate (USD/min)`.
    #[must_use]
    pub fn units(&self, field: &str) -> &str {
        let found = self.fields.iter().find(|(name, ..)| *name == field);
        found.map_or("", |(.., units)| units)
    }

    /// The fields that there are, each with its position from 0.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, usize)> {
        self.fields.iter().map(|(field, position, _)| (*field, *position))
    }

    /// Where each field was found, in the way that finds it again: by its name in the file, or by its
    /// position where it has no name of its own.
    pub fn places(&self) -> impl Iterator<Item = (&'static str, ColumnRef)> {
        self.fields.iter().map(|(field, position, _)| {
            let name = self.names.get(*position).map_or("", String::as_str);
            let reference = ColumnRef::Name(name.to_owned());
            let named = (0..self.names.len()).filter(|at| reference.is(*at, &self.names[*at]));
            let is_plain = !name.is_empty() && ColumnRef::parse(name) == reference;
            match is_plain && named.count() == 1 {
                true => (*field, reference),
                false => (*field, ColumnRef::Position(position + 1)),
            }
        })
    }

    /// The names of all columns as the file has them; empty texts without a header.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Positions, from 0, of the columns that are passed over.
    #[must_use]
    pub fn ignored(&self) -> &[usize] {
        &self.ignored
    }

    /// The cells of each row above the header, with its line: what a carrier says of the whole table.
    #[must_use]
    pub fn above(&self) -> &[(u64, String)] {
        &self.above
    }

    /// The line that names the columns; `None` if none does.
    #[must_use]
    pub fn header_line(&self) -> Option<u64> {
        self.header_line
    }

    /// Why a row has not the columns of the table, in words; `None` if it has. Empty cells behind
    /// the last column are none.
    #[must_use]
    pub fn misfit(&self, row: &Row) -> Option<String> {
        let width = self.names.len();
        if row.len() < width {
            return Some(format!("{} fields, where {width} belong", row.len()));
        }
        let extra = row.cells().skip(width).any(|cell| !cell.is_empty());
        if extra {
            return Some(format!("{} fields, where {width} belong", row.len()));
        }
        let unnamed = self.names.iter().enumerate().find(|(position, name)| {
            self.header_line.is_some()
                && name.is_empty()
                && !self.ignored.contains(position)
                && !self.fields.iter().any(|(_, used, _)| used == position)
                && row.get(*position).is_some_and(|cell| !cell.is_empty())
        });
        unnamed
            .map(|(position, _)| format!("a value in column {}, which has no name", position + 1))
    }

    /// Whether a row repeats the header, as at the top of each printed page.
    #[must_use]
    pub fn is_header(&self, row: &Row) -> bool {
        self.header_line.is_some()
            && self.names.iter().map(String::as_str).eq(row.cells().take(self.names.len()))
    }
}

/// How many rows are looked at to find the header.
const HEADER_ROWS: usize = 60;

/// Finds the row that names the columns, reads up to and with it, and says what each column is.
///
/// Fails with [`Error::Columns`] and every problem there is if any column is not understood, and
/// with [`Error::NoHeader`] if no row names any.
pub fn columns(
    table: &mut Table,
    vocabulary: &Vocabulary,
    selection: &Selection,
) -> Result<Columns, Error> {
    let (columns, problems) = columns_and_problems(table, vocabulary, selection)?;
    if problems.is_empty() { Ok(columns) } else { Err(Error::Columns(problems)) }
}

/// The same, with what is not understood beside what is.
pub(crate) fn columns_and_problems(
    table: &mut Table,
    vocabulary: &Vocabulary,
    selection: &Selection,
) -> Result<(Columns, Vec<ColumnProblem>), Error> {
    let unknown: Vec<_> = selection
        .columns
        .keys()
        .filter(|field| vocabulary.own(field).is_none())
        .map(|field| ColumnProblem::NoSuchField {
            field: field.clone(),
            known: vocabulary.fields.iter().map(|field| field.name).collect(),
        })
        .collect();
    if !unknown.is_empty() {
        return Err(Error::Columns(unknown));
    }
    let mut columns = Columns::default();
    let header = find_header(table, vocabulary, selection)?;
    if let Some(header) = header {
        while let Some(row) = table.next_row()? {
            if row.line() == header {
                columns.names = row.cells().map(str::to_owned).collect();
                while columns.names.last().is_some_and(String::is_empty) {
                    columns.names.pop();
                }
                break;
            }
            let cells: Vec<_> = row.cells().filter(|cell| !cell.is_empty()).collect();
            columns.above.push((row.line(), cells.join(", ")));
        }
        columns.header_line = Some(header);
    } else {
        let rows = table.peek(HEADER_ROWS)?;
        columns.names = vec![String::new(); rows.first().map_or(0, Row::len)];
    }
    let sample: Vec<Row> = table.peek(HEADER_ROWS)?.to_vec();
    let problems = assign(&mut columns, &sample, vocabulary, selection);
    Ok((columns, problems))
}

/// The line of the row that names the columns; `None` if none does and none needs to.
fn find_header(
    table: &mut Table,
    vocabulary: &Vocabulary,
    selection: &Selection,
) -> Result<Option<u64>, Error> {
    if selection.no_header {
        return Ok(None);
    }
    let (name, separator) = (table.name().to_owned(), table.separator());
    let rows = table.peek(HEADER_ROWS.max(usize::from(selection.header_line.is_some()) * 1000))?;
    if let Some(line) = selection.header_line {
        return match rows.iter().find(|row| row.line() == line) {
            Some(_) => Ok(Some(line)),
            None => Err(Error::Profile(format!("{name}: --header-line {line} names no columns"))),
        };
    }
    let by_position =
        |field: &str| matches!(selection.columns.get(field), Some(ColumnRef::Position(_)));
    let enough = |fields: &[&'static str]| {
        let has = |field: &&str| fields.contains(field) || by_position(field);
        vocabulary.required.iter().all(|group| group.iter().any(has))
    };
    let mut best: Option<(usize, &Row)> = None;
    for row in rows {
        let refused = |cell: &&str| (vocabulary.refused)(&normalised(cell)).is_some();
        // A name that is refused is a name; so is what is refused found out, and not only missing.
        let fields = score(row, vocabulary, selection);
        let names = fields.len() + row.cells().filter(refused).count();
        if names >= 2 && enough(&fields) {
            // Of several tables the first: what is above a header counts as said of the table.
            return Ok(Some(row.line()));
        }
        let is_header = names >= 2 || names == 1 && enough(&fields);
        if is_header && best.is_none_or(|(most, _)| names > most) {
            best = Some((names, row));
        }
    }
    if let Some((_, row)) = best {
        return Ok(Some(row.line()));
    }
    if enough(&[]) {
        // Of names in a language that is not known none is a number.
        let digits = |cell: &str| cell.contains(|c: char| c.is_ascii_digit());
        let foreign = |row: &&Row| {
            selection.columns.values().all(|column| match column {
                ColumnRef::Position(position) => position
                    .checked_sub(1)
                    .and_then(|at| row.get(at))
                    .is_some_and(|cell| !cell.is_empty() && !digits(cell)),
                ColumnRef::Name(_) => false,
            })
        };
        return Ok(rows.first().filter(foreign).map(Row::line));
    }
    let found = rows.iter().map(|row| score(row, vocabulary, selection)).max_by_key(Vec::len);
    let found = found.unwrap_or_default();
    let missing = vocabulary
        .required
        .iter()
        .filter(|group| !group.iter().any(|field| found.contains(field)))
        .filter_map(|group| group.first().copied())
        .collect();
    let separator = match separator {
        None => "cells".to_owned(),
        Some('\t') => "tabs".to_owned(),
        Some(separator) => format!("{separator:?}"),
    };
    Err(Error::NoHeader { name, missing, separator })
}

/// The fields that a row names, if it is a header.
fn score(row: &Row, vocabulary: &Vocabulary, selection: &Selection) -> Vec<&'static str> {
    let mut fields = Vec::new();
    for (position, cell) in row.cells().enumerate() {
        let said = selection.columns.iter().find_map(|(field, column)| {
            let by_name = matches!(column, ColumnRef::Name(_)) && column.is(position, cell);
            by_name.then(|| vocabulary.own(field)).flatten()
        });
        let field = said.or_else(|| vocabulary.field(cell).map(|(field, _)| field));
        if let Some(field) = field.filter(|field| !fields.contains(field)) {
            fields.push(field);
        }
    }
    fields
}

/// Says what each column is; what is wrong is returned.
fn assign(
    columns: &mut Columns,
    sample: &[Row],
    vocabulary: &Vocabulary,
    selection: &Selection,
) -> Vec<ColumnProblem> {
    let mut problems = Vec::new();
    for (field, column) in &selection.columns {
        let found: Vec<usize> =
            (0..columns.names.len()).filter(|at| column.is(*at, &columns.names[*at])).collect();
        let Some(field) = vocabulary.own(field) else { continue };
        match found[..] {
            [position] => {
                let units = vocabulary.field(&columns.names[position]);
                let units = units.filter(|(own, _)| *own == field).unwrap_or_default().1;
                columns.fields.push((field, position, units));
            }
            [] => {
                let (field, column) = (field.to_owned(), column.clone());
                problems.push(ColumnProblem::NoSuchColumn { column, field });
            }
            _ => {
                let positions = found.iter().map(|position| position + 1).collect();
                problems.push(ColumnProblem::Twice { field, positions });
            }
        }
    }
    let said: Vec<usize> = columns.fields().map(|(_, position)| position).collect();
    for (position, name) in columns.names.clone().into_iter().enumerate() {
        let refused = (vocabulary.refused)(&normalised(&name));
        if selection.ignore_columns.iter().any(|column| column.is(position, &name)) {
            columns.ignored.push(position);
        } else if said.contains(&position) {
            // What the profile says of a column counts, whatever its name says.
        } else if let Some((field, units)) = vocabulary.field(&name).filter(|_| refused.is_none()) {
            match columns.fields.iter().find(|(other, ..)| *other == field) {
                Some((_, first, _)) => problems
                    .push(ColumnProblem::Twice { field, positions: vec![first + 1, position + 1] }),
                None => columns.fields.push((field, position, units)),
            }
        } else if let Some(reason) = refused {
            let position = position + 1;
            problems.push(ColumnProblem::Refused { position, name, reason: reason.to_owned() });
        } else if selection.ignore_unknown_columns {
            columns.ignored.push(position);
        } else if !name.is_empty() {
            problems.push(ColumnProblem::Unknown { position: position + 1, name });
        } else {
            let mut cells = sample.iter().filter_map(|row| row.get(position));
            if let Some(value) = cells.find(|cell| !cell.is_empty()) {
                let sample = value.chars().take(40).collect();
                problems.push(ColumnProblem::Unnamed { position: position + 1, sample });
            }
        }
    }
    for group in vocabulary.required {
        if !group.iter().any(|field| columns.position(field).is_some()) {
            problems.push(ColumnProblem::Missing { fields: group.to_vec() });
        }
    }
    problems
}
