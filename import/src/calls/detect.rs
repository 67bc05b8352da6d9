//! Who wrote a file, from its first lines.

use super::{
    At, CallOptions, Format, OpenError, Unused, cause,
    layout::Layout,
    names::{self, SIGNS, plain},
    strict::split,
    template::{Template, is_broken, is_stamp},
};
use crate::text::{Cells, Dialect, Line};

/// How many lines are looked at for a header.
pub(crate) const LOOK: usize = 50;

/// How many are looked at if that does not tell: a caller may have broken the first ones.
pub(crate) const LOOK_FAR: usize = 10_000;

/// What a file is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    Json,
    Xml,
    Template(Format, Box<Template>),
    /// Cells by their places.
    Cells(Format, Dialect),
    /// Cells that a header names, with the place of its line among those looked at.
    Header {
        at: usize,
        format: Format,
        dialect: Dialect,
        names: Vec<String>,
    },
}

pub(crate) fn detect(lines: &[&Line], options: &CallOptions) -> Result<Detected, OpenError> {
    if let Some(template) = &options.template {
        let template = Box::new(Template::parse(template)?);
        return Ok(Detected::Template(Format::FreeswitchCustom, template));
    }
    match options.format {
        // A template of FreeSWITCH's writes statements, too.
        Some(format) if Template::shipped(format).is_none() && is_sql_dump(lines) => {
            Err(OpenError::SqlDump)
        }
        Some(format) => said(format, lines, options),
        None => unsaid(lines, options),
    }
}

/// Whether the first lines are statements: what a database writes to be read by another.
fn is_sql_dump(lines: &[&Line]) -> bool {
    let begins = |text: &str, what: &str| {
        text.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what))
    };
    let statements = ["INSERT INTO ", "CREATE TABLE ", "DROP TABLE ", "LOCK TABLES "];
    let marks = ["-- MySQL dump", "-- MariaDB dump", "-- PostgreSQL database dump", "/*!", "/*M!"];
    lines.iter().take(LOOK).any(|line| {
        let text = line.text.trim_start();
        is_copy(text) || statements.iter().chain(&marks).any(|what| begins(text, what))
    })
}

/// Whether statements are those that a template of FreeSWITCH's writes.
fn is_of_freeswitch(lines: &[&Line]) -> bool {
    let template = Template::shipped(Format::FreeswitchSql);
    template.is_some_and(|template| lines.iter().any(|line| template.fits(&line.text)))
}

/// `COPY public.cdr (calldate, …) FROM stdin;`
fn is_copy(text: &str) -> bool {
    text.starts_with("COPY ") && text.trim_end().ends_with("FROM stdin;")
}

fn said(format: Format, lines: &[&Line], options: &CallOptions) -> Result<Detected, OpenError> {
    if let Some(template) = Template::shipped(format) {
        return Ok(Detected::Template(format, Box::new(template)));
    }
    let comma = Dialect::quoted(options.separator.unwrap_or(','));
    match format {
        Format::FreeswitchJson => Ok(Detected::Json),
        Format::FreeswitchXml => Ok(Detected::Xml),
        Format::FreeswitchCustom => Err(OpenError::Template("is not given".to_owned())),
        Format::AsteriskCsv | Format::AsteriskCustom => Ok(Detected::Cells(format, comma)),
        _ => {
            if let Some(header) = header(lines, options, Some(format)) {
                return Ok(header);
            }
            if let Some(positions) = positions(lines, options) {
                return Ok(positions);
            }
            if format == Format::ThreeCx {
                return Ok(Detected::Cells(format, comma));
            }
            if options.columns.is_empty() {
                return Err(OpenError::NoHeader(format));
            }
            let missing = Layout::by_names(names::of(format), &[]).missing();
            let missing = missing.into_iter().map(|meaning| Unused::Missing { meaning });
            Err(OpenError::Columns(missing.collect()))
        }
    }
}

fn unsaid(lines: &[&Line], options: &CallOptions) -> Result<Detected, OpenError> {
    let first = lines.iter().map(|line| line.text.trim_start()).find(|text| !text.is_empty());
    match first.and_then(|text| text.chars().next()) {
        Some('{' | '[') if options.columns.is_empty() => return Ok(Detected::Json),
        Some('<') if options.columns.is_empty() => return Ok(Detected::Xml),
        _ => {}
    }
    if options.columns.is_empty() && is_sql_dump(lines) && !is_of_freeswitch(lines) {
        return Err(OpenError::SqlDump);
    }
    if let Some(header) = header(lines, options, None) {
        return Ok(header);
    }
    if let Some(positions) = positions(lines, options) {
        return Ok(positions);
    }
    by_places(lines, options)
}

/// Columns by position alone: the file has no header that is known.
fn positions(lines: &[&Line], options: &CallOptions) -> Option<Detected> {
    let all = !options.columns.is_empty()
        && options.columns.iter().all(|(_, at)| matches!(at, At::Position(_)));
    if !all {
        return None;
    }
    let most = |dialect: &Dialect| {
        let widths = lines.iter().map(|line| split(&line.text, *dialect).map_or(0, |c| c.len()));
        widths.max()
    };
    let dialect = dialects(options).into_iter().max_by_key(most)?;
    Some(Detected::Cells(Format::Columns, dialect))
}

/// The dialects that a file may have, the likeliest last: of equals the last is taken.
fn dialects(options: &CallOptions) -> Vec<Dialect> {
    let separators = match options.separator {
        Some(separator) => vec![separator],
        None => vec!['|', '\t', ';', ','],
    };
    separators.into_iter().map(Dialect::quoted).collect()
}

/// The first line that names columns.
fn header(lines: &[&Line], options: &CallOptions, said: Option<Format>) -> Option<Detected> {
    if options.header == Some(false) {
        return None;
    }
    let by_name: Vec<String> = options
        .columns
        .iter()
        .filter_map(|(_, at)| match at {
            At::Name(name) => Some(plain(name)),
            At::Position(_) => None,
        })
        .collect();
    for (at, line) in lines.iter().enumerate().take(LOOK) {
        for mut dialect in dialects(options).into_iter().rev() {
            let Ok(names) = split(&line.text, dialect) else { continue };
            // A caller may have the name of a column, but a record has times and numbers as well.
            if names.iter().any(is_data) {
                continue;
            }
            let plain: Vec<String> = names.iter().map(plain).collect();
            let Some(format) = format_of(&plain, &by_name, options, said) else { continue };
            // What a database client separates by tabs is not in quotes, unless the header is.
            dialect.quotes = dialect.separator != '\t' || line.text.contains('"');
            let names = names.iter().map(str::to_owned).collect();
            return Some(Detected::Header { at, format, dialect, names });
        }
    }
    None
}

/// A number, a time, a duration: nothing that a header would name a column by.
fn is_data(cell: &str) -> bool {
    let digits = cell.bytes().any(|byte| byte.is_ascii_digit());
    digits && cell.chars().all(|c| c.is_ascii_digit() || " .,:/+-TZ".contains(c))
}

fn format_of(
    names: &[String],
    by_name: &[String],
    options: &CallOptions,
    said: Option<Format>,
) -> Option<Format> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let all_named = !by_name.is_empty() && by_name.iter().all(|name| has(name));
    let known = |format: Format| {
        let columns = names::of(format).iter();
        columns.filter(|(name, column)| column.is_some() && has(name)).count()
    };
    if let Some(said) = said {
        return (all_named || known(said) >= 3).then_some(said);
    }
    let sign = SIGNS.iter().find(|(_, signs)| signs.iter().all(|name| has(name)));
    // Our own names are everybody's: with others beside them it is a file of somebody else.
    let other = |name: &String| {
        let own = names::of(Format::Tollbook).iter().any(|(own, _)| own == name);
        !own && names::of(Format::Columns).iter().any(|(known, _)| known == name)
    };
    match sign {
        Some((Format::Tollbook, _)) if names.iter().any(other) => Some(Format::Columns),
        Some((format, _)) if by_name.is_empty() || all_named => Some(*format),
        _ if all_named => Some(Format::Columns),
        // Cells with a few words of ours are no header where the operator named others.
        _ => (by_name.is_empty() && options.columns.is_empty() && known(Format::Columns) >= 3)
            .then_some(Format::Columns),
    }
}

/// Formats without a header, by what stands where.
fn by_places(lines: &[&Line], options: &CallOptions) -> Result<Detected, OpenError> {
    let comma = Dialect::quoted(options.separator.unwrap_or(','));
    let mut cells =
        [(Format::AsteriskCsv, 0_usize), (Format::AsteriskCustom, 0), (Format::ThreeCx, 0)];
    for line in lines {
        let Ok(read) = split(&line.text, comma) else { continue };
        for (format, count) in &mut cells {
            *count += usize::from(fits(*format, &read));
        }
    }
    let templates = [
        Format::FreeswitchSql,
        Format::FreeswitchOpencdrrate,
        Format::FreeswitchExample,
        Format::FreeswitchLinksys,
        Format::FreeswitchAsterisk,
        Format::FreeswitchSnom,
    ];
    let templates = templates.into_iter().filter_map(|format| {
        let template = Template::shipped(format)?;
        lines.iter().any(|line| template.fits(&line.text)).then_some((format, template))
    });
    // What is in a cell can only add cells: the template with the fewest is the file's.
    let template = templates.into_iter().min_by_key(|(_, template)| template.width());
    let cells: Vec<Format> =
        cells.into_iter().filter(|(_, count)| *count > 0).map(|(format, _)| format).collect();
    match (cells.as_slice(), template) {
        // Broken lines only: nobody's name keeps the file from being opened, and its lines from
        // being refused one by one.
        ([], None) if lines.iter().any(|line| is_broken(&line.text)) => {
            said(Format::FreeswitchExample, lines, options)
        }
        ([], None) => Err(OpenError::UnknownFormat),
        ([], Some((format, template))) => Ok(Detected::Template(format, Box::new(template))),
        ([format], None) => Ok(Detected::Cells(*format, comma)),
        (formats, template) => {
            let template = template.map(|(format, _)| format);
            Err(OpenError::AmbiguousFormat(formats.iter().copied().chain(template).collect()))
        }
    }
}

fn fits(format: Format, cells: &Cells) -> bool {
    let cell = |at: usize| cells.get(at).unwrap_or_default();
    let seconds = |at| {
        let cell = cell(at);
        !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let word =
        |at| super::Disposition::from_words(cell(at)).is_some() && cause::code(cell(at)).is_none();
    match format {
        Format::AsteriskCsv => {
            (16..=21).contains(&cells.len())
                && is_stamp(cell(9))
                && seconds(12)
                && seconds(13)
                && word(14)
        }
        Format::AsteriskCustom => {
            (18..=19).contains(&cells.len())
                && is_stamp(cell(8))
                && seconds(11)
                && seconds(12)
                && word(13)
        }
        Format::ThreeCx => {
            (20..=27).contains(&cells.len())
                && cell(0).starts_with("Call ")
                && cell(2).split(':').count() == 3
        }
        _ => false,
    }
}
