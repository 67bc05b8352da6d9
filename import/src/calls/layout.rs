//! Which cell of a record says what.

use super::{
    At, CallOptions, Column, Problem, Unused,
    names::{self, Named, THREE_CX, plain},
    number::shown,
    options::Format,
    record::Values,
};
use crate::table::CellKind;

/// The cells of a record that are used, in the order of their precedence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    uses: Vec<(Column, usize)>,
}

impl Layout {
    /// By a format's names: where two say the same, the one that stands first in the table wins.
    pub(crate) fn by_names(table: &[Named], names: &[String]) -> Self {
        let mut uses = Vec::new();
        for (name, column) in table {
            let Some(column) = column else { continue };
            uses.extend(
                names
                    .iter()
                    .enumerate()
                    .filter(|(_, cell)| cell == name)
                    .map(|(position, _)| (*column, position)),
            );
        }
        Self { uses }
    }

    pub(crate) fn values<'a>(&self, cells: &[&'a str]) -> Values<'a> {
        self.values_of(cells, &[])
    }

    /// The same of a workbook's cells, with what they hold.
    pub(crate) fn values_of<'a>(&self, cells: &[&'a str], kinds: &[CellKind]) -> Values<'a> {
        let mut values = Values::new();
        for (column, position) in &self.uses {
            if let Some(cell) = cells.get(*position) {
                let kind = kinds.get(*position).copied().unwrap_or_default();
                values.set_as(*column, cell, kind);
            }
        }
        values
    }

    fn has(&self, column: Column) -> bool {
        self.uses.iter().any(|(used, _)| *used == column)
    }

    /// What calls cannot be read without, and no column says.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        let has = |column| self.has(column);
        let linked = has(Column::LinkedId) && has(Column::Channel);
        if !has(Column::CallId) && !linked {
            missing.push("call_id");
        }
        if ![Column::StartTime, Column::AnswerTime, Column::EndTime].into_iter().any(has) {
            missing.push("start_time");
        }
        if !has(Column::Destination) {
            missing.push("destination");
        }
        let acc = has(Column::Method) && has(Column::SipCode);
        if !has(Column::Billsec) && !has(Column::AnswerTime) && !acc {
            missing.push("billsec");
        }
        missing
    }
}

/// The layout that a header and the options give, and the columns that stay unused by a wish of
/// the operator's or because the format has no use for them.
///
/// # Errors
/// All that is not understood.
pub(crate) fn by_header(
    format: Format,
    header: &[String],
    options: &CallOptions,
) -> Result<(Layout, Vec<usize>), Vec<Unused>> {
    let names: Vec<String> = header.iter().map(|name| plain(name)).collect();
    let mut problems = Vec::new();
    let chosen = chosen(options, &names, names.len(), &mut problems);
    let mut uses = chosen.clone();
    let by_format = Layout::by_names(names::of(format), &names);
    for (column, position) in &by_format.uses {
        // A column may say two things: who called, and so who pays.
        let taken = chosen.iter().any(|(said, _)| said == column);
        if !taken && !is_ignored(&names[*position], options) {
            uses.push((*column, *position));
        }
    }
    problems.extend(twice(format, &names, &uses, &chosen));
    let mut unused = Vec::new();
    for (position, name) in names.iter().enumerate() {
        if uses.iter().any(|(_, at)| *at == position) {
            continue;
        }
        let ignored = options.ignore_unknown_columns || is_ignored(name, options);
        if is_known(format, name) || ignored {
            unused.push(position);
        } else {
            problems
                .push(Unused::Unknown { position: position + 1, name: header[position].clone() });
        }
    }
    let layout = Layout { uses };
    problems.extend(layout.missing().into_iter().map(|meaning| Unused::Missing { meaning }));
    if problems.is_empty() { Ok((layout, unused)) } else { Err(problems) }
}

/// The layout that positions alone give, in a file without a header.
///
/// # Errors
/// All that is not understood.
pub(crate) fn by_positions(width: usize, options: &CallOptions) -> Result<Layout, Vec<Unused>> {
    let mut problems = Vec::new();
    let uses = chosen(options, &[], width, &mut problems);
    if !options.ignore_unknown_columns {
        for position in 0..width {
            if !uses.iter().any(|(_, at)| *at == position)
                && !options.ignore_columns.contains(&(position + 1).to_string())
            {
                problems.push(Unused::Unknown { position: position + 1, name: String::new() });
            }
        }
    }
    let layout = Layout { uses };
    problems.extend(layout.missing().into_iter().map(|meaning| Unused::Missing { meaning }));
    if problems.is_empty() { Ok(layout) } else { Err(problems) }
}

/// What the options name, found in the header.
fn chosen(
    options: &CallOptions,
    names: &[String],
    width: usize,
    problems: &mut Vec<Unused>,
) -> Vec<(Column, usize)> {
    let mut chosen: Vec<(Column, usize)> = Vec::new();
    for (column, at) in &options.columns {
        let position = match at {
            At::Position(position) => Some(position.wrapping_sub(1)).filter(|at| *at < width),
            At::Name(name) => names.iter().position(|other| *other == plain(name)),
        };
        let written = match at {
            At::Position(position) => position.to_string(),
            At::Name(name) => name.clone(),
        };
        match position {
            None => problems.push(Unused::NotThere { meaning: column.name(), column: written }),
            Some(position) if chosen.iter().any(|(said, at)| said == column && *at != position) => {
                problems.push(Unused::Twice { meaning: column.name(), columns: vec![written] });
            }
            Some(position) => chosen.push((*column, position)),
        }
    }
    chosen
}

/// Two columns of one meaning: of one name, or, where the format is not known and so has no
/// precedence, of two.
fn twice(
    format: Format,
    names: &[String],
    uses: &[(Column, usize)],
    chosen: &[(Column, usize)],
) -> Vec<Unused> {
    let mut problems = Vec::new();
    for column in Column::ALL {
        let all: Vec<usize> =
            uses.iter().filter(|(used, _)| used == column).map(|(_, at)| *at).collect();
        let same = all.iter().any(|at| all.iter().any(|b| b != at && names[*b] == names[*at]));
        let said = chosen.iter().any(|(used, _)| used == column);
        if !said && all.len() > 1 && (same || format == Format::Columns) {
            problems.push(Unused::Twice {
                meaning: column.name(),
                columns: all
                    .iter()
                    .map(|at| format!("{} ({})", shown(&names[*at]), at + 1))
                    .collect(),
            });
        }
    }
    problems
}

fn is_known(format: Format, name: &str) -> bool {
    names::of(format).iter().any(|(known, _)| *known == name)
        || (format == Format::Cisco && names::CISCO_ENDS.iter().any(|end| name.starts_with(end)))
}

fn is_ignored(name: &str, options: &CallOptions) -> bool {
    options.ignore_columns.iter().any(|ignored| plain(ignored) == *name)
}

/// Asterisk's `cdr_csv` (`cdr/cdr_csv.c`, and the documentation of `cdr.conf`): accountcode, src,
/// dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer, end, duration,
/// billsec, disposition, amaflags; then uniqueid with `loguniqueid`, userfield with
/// `loguserfield`, and peeraccount, linkedid, sequence with `newcdrcolumns`.
pub(crate) fn asterisk_csv(cells: &[&str]) -> Result<Layout, Problem> {
    let mut uses = vec![
        (Column::Originator, 0),
        (Column::Source, 1),
        (Column::Destination, 2),
        (Column::Channel, 5),
        (Column::DstChannel, 6),
        (Column::StartTime, 9),
        (Column::AnswerTime, 10),
        (Column::EndTime, 11),
        (Column::Duration, 12),
        (Column::Billsec, 13),
        (Column::Disposition, 14),
    ];
    let is_id = |position: usize| cells.get(position).is_some_and(|cell| is_uniqueid(cell));
    let linked = |at: usize| [(Column::LinkedId, at), (Column::Sequence, at + 1)];
    match cells.len() {
        17 if is_id(16) => uses.push((Column::CallId, 16)),
        // No ids: at most a userfield.
        16 | 17 => {}
        18 => uses.push((Column::CallId, 16)),
        19 if is_id(16) => {
            uses.push((Column::CallId, 16));
            if !cells[18].is_empty() {
                return Err(Problem::MoreCell { position: 19, text: shown(cells[18]) });
            }
        }
        19 => uses.extend(linked(17)),
        20 => {
            if is_id(16) {
                uses.push((Column::CallId, 16));
            }
            uses.extend(linked(18));
        }
        21 => {
            uses.push((Column::CallId, 16));
            uses.extend(linked(19));
        }
        found => return Err(Problem::Cells { found, expected: "16 to 21".to_owned() }),
    }
    Ok(Layout { uses })
}

/// `1795514400.10`, with the name of the system before it if it has one.
fn is_uniqueid(text: &str) -> bool {
    let number = text.rsplit_once('-').map_or(text, |(_, number)| number);
    number.split_once('.').is_some_and(|(seconds, count)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits(seconds) && digits(count)
    })
}

/// Asterisk's `cdr_custom` with the mapping of `configs/samples/cdr_custom.conf.sample`: clid,
/// src, dst, dcontext, channel, dstchannel, lastapp, lastdata, start, answer, end, duration,
/// billsec, disposition, amaflags, accountcode, uniqueid, userfield, and since Asterisk 1.8
/// sequence.
pub(crate) fn asterisk_custom(cells: &[&str]) -> Result<Layout, Problem> {
    let mut uses = vec![
        (Column::Source, 1),
        (Column::Destination, 2),
        (Column::Channel, 4),
        (Column::DstChannel, 5),
        (Column::StartTime, 8),
        (Column::AnswerTime, 9),
        (Column::EndTime, 10),
        (Column::Duration, 11),
        (Column::Billsec, 12),
        (Column::Disposition, 13),
        (Column::Originator, 15),
        (Column::CallId, 16),
    ];
    match cells.len() {
        18 => {}
        19 => uses.push((Column::Sequence, 18)),
        found => return Err(Problem::Cells { found, expected: "18 or 19".to_owned() }),
    }
    Ok(Layout { uses })
}

/// 3CX's CDR without a header: twenty fields, and seven more in newer versions.
pub(crate) fn three_cx(cells: &[&str]) -> Result<Layout, Problem> {
    if !(20..=THREE_CX.len()).contains(&cells.len()) {
        return Err(Problem::Cells { found: cells.len(), expected: "20 to 27".to_owned() });
    }
    let uses = THREE_CX.iter().enumerate();
    Ok(Layout {
        uses: uses.filter_map(|(position, (_, column))| Some(((*column)?, position))).collect(),
    })
}
