//! What can be wrong with a whole file. What is wrong with a line is in the items of its reader.

use std::io;

use crate::table::ColumnProblem;

/// Why a file cannot be read at all, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("{name} cannot be read")]
    Io {
        /// Name of the file, as given.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Nothing is in the file but empty lines.
    #[error("{name} is empty")]
    Empty {
        /// Name of the file.
        name: String,
    },
    /// Columns that are missing, there twice, or not understood. Nothing was read.
    #[error("{}", columns(.0))]
    Columns(Vec<ColumnProblem>),
    /// No header row was found, and the profile gives no positions.
    #[error("{name}: no line names the columns{}; --header-line says which line does, or \
             --no-header and --column give their positions (columns are separated by {separator}, or by \
             what --delimiter says)", needed(.missing))]
    NoHeader {
        /// Name of the file.
        name: String,
        /// Fields that no column of the likeliest line has.
        missing: Vec<&'static str>,
        /// The separator that was taken, in words.
        separator: String,
    },
    /// The file is a workbook that cannot be opened.
    #[error("{name}: the workbook cannot be read: {reason}")]
    Workbook {
        /// Name of the file.
        name: String,
        /// Why, in the words of the library that reads workbooks.
        reason: String,
    },
    /// The workbook has no such sheet, or several of which none was chosen.
    #[error("{name}: {problem}; it has {}", .sheets.join(", "))]
    Sheet {
        /// Name of the file.
        name: String,
        /// What is wrong.
        problem: String,
        /// The sheets that there are.
        sheets: Vec<String>,
    },
    /// The archive cannot be unpacked.
    #[error("{name}: the archive cannot be read: {reason}")]
    Archive {
        /// Name of the file.
        name: String,
        /// Why.
        reason: String,
    },
    /// More than the limit comes out of a file, as of one made to exhaust memory.
    #[error("{name} is larger than {limit} bytes when unpacked")]
    TooLarge {
        /// Name of the file.
        name: String,
        /// The limit.
        limit: u64,
    },
    /// The file is not a table of text: JSON, XML, PDF and the like.
    #[error("{name} is {kind}, not a table")]
    NotATable {
        /// Name of the file.
        name: String,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Several of these, each of which has to be answered before anything is read.
    #[error("{}", several(.0))]
    Several(Vec<Self>),
    /// What would be refused of the lines once the rest is answered, with the flags that answer it.
    #[error("{lines} {} cannot be used, the first is line {first} ({problem}){}", if *lines == 1 { "line" } else { "lines" }, answered(.answer.as_deref()))]
    Lines {
        /// How many.
        lines: u64,
        /// The first.
        first: u64,
        /// What is wrong with it.
        problem: String,
        /// The flags; `None`: the lines have to be mended.
        answer: Option<String>,
    },
    /// The profile contradicts itself, or names what there is not.
    #[error("{0}")]
    Profile(String),
}

impl Error {
    pub(crate) fn io(name: &str, source: io::Error) -> Self {
        match crate::table::limit_reached(&source) {
            Some(limit) => Self::TooLarge { name: name.to_owned(), limit },
            None => Self::Io { name: name.to_owned(), source },
        }
    }
}

fn several(errors: &[Error]) -> String {
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    format!("\n- {}", texts.join("\n- "))
}

fn answered(answer: Option<&str>) -> String {
    answer.map_or_else(String::new, |answer| format!(": {answer}"))
}

fn columns(problems: &[ColumnProblem]) -> String {
    const SHOWN: usize = 20;
    let mut texts = Vec::new();
    let shown = &problems[..problems.len().min(SHOWN)];
    // The same reason is said once of all columns that are refused for it.
    for some in
        shown.chunk_by(|one, other| one.reason().is_some() && one.reason() == other.reason())
    {
        texts.push(match (some, some[0].reason()) {
            ([_, _, ..], Some(reason)) => {
                let names: Vec<_> = some.iter().filter_map(ColumnProblem::place).collect();
                format!("columns {}: {reason}", names.join(", "))
            }
            _ => some[0].to_string(),
        });
    }
    if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

fn needed(missing: &[&'static str]) -> String {
    match missing {
        [] => String::new(),
        missing => format!(" (no column is {})", missing.join(", none is ")),
    }
}
