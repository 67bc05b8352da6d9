//! The files of an import of calls: those that are read, and a look at each before anything counts.

use std::path::PathBuf;

use anyhow::{Context, bail};
use tollbook_import::{
    Part, Source,
    calls::{CallFile, CallOptions},
    sources,
    table::{Limits, Parts, PassedOver, Table, TableOptions},
};

use crate::rates::file::{Digest, names_of};

/// How many files are kept open between the look at them and their turn.
const KEPT_OPEN: usize = 64;
/// How many files that are not understood are named.
const MOST_NAMED: usize = 20;

/// What calls are read from.
pub(super) enum Input {
    /// Files of one source that were opened, with their names, and the digest of what is read of it.
    Open(Vec<(String, CallFile)>, Digest),
    /// One that is opened again: of an archive there may be many, and of a folder.
    Again(Source),
}

/// Which files are left out: patterns of names, in which `*` stands for any text and `?` for a
/// character.
#[derive(Clone, Debug, Default)]
pub(super) struct Excluded(Vec<String>);

impl Excluded {
    pub(super) fn new(patterns: &[String]) -> Self {
        Self(patterns.to_vec())
    }

    /// Whether a file is left out, by its name without folders and archives.
    fn has(&self, name: &str) -> bool {
        let name: Vec<char> = name.rsplit(['/', ':']).next().unwrap_or(name).chars().collect();
        self.0.iter().any(|pattern| fits(&pattern.chars().collect::<Vec<_>>(), &name))
    }
}

fn fits(pattern: &[char], name: &[char]) -> bool {
    // Where to go on if a character does not fit: behind the last `*`, a character later.
    let (mut at, mut of, mut back) = (0, 0, None);
    while of < name.len() {
        match pattern.get(at) {
            Some('*') => {
                at += 1;
                back = Some((at, of));
            }
            Some(char) if *char == '?' || *char == name[of] => (at, of) = (at + 1, of + 1),
            _ => match back {
                Some((behind, from)) => {
                    (at, of) = (behind, from + 1);
                    back = Some((behind, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|char| *char == '*')
}

/// Opens every file: nothing counts before all are known to be understood. What cannot be opened
/// again, such as a pipe, stays open, and so do the first files. Returns the names of all as well.
pub(super) fn look_at(
    paths: &[PathBuf],
    excluded: &Excluded,
    options: &CallOptions,
) -> anyhow::Result<(Vec<Input>, String)> {
    let (sources, passed_over) = sources(paths)?;
    name_passed_over(&passed_over, excluded);
    if sources.is_empty() {
        bail!("no file is in the directory");
    }
    let left: Vec<_> = sources.into_iter().filter(|source| !excluded.has(&source.name())).collect();
    if left.is_empty() {
        bail!("--exclude leaves out all files");
    }
    let (several, names) = (left.len() > 1, names_of(&left));
    let (mut inputs, mut kept, mut problems) = (Vec::new(), 0, Vec::new());
    for source in left {
        match look_at_one(source, excluded, options, &mut inputs, &mut kept) {
            Ok(()) => {}
            Err(problem) if !several => return Err(problem),
            Err(problem) => problems.push(format!("  {problem:#}")),
        }
    }
    if problems.is_empty() {
        return Ok((inputs, names));
    }
    let more = problems.len().saturating_sub(MOST_NAMED);
    problems.truncate(MOST_NAMED);
    if more > 0 {
        problems.push(format!("  and {more} more"));
    }
    bail!(
        "nothing is imported, for these cannot be read as calls; --exclude NAME leaves files out\n{}",
        problems.join("\n")
    )
}

fn look_at_one(
    source: Source,
    excluded: &Excluded,
    options: &CallOptions,
    inputs: &mut Vec<Input>,
    kept: &mut usize,
) -> anyhow::Result<()> {
    let again = source.can_be_opened_again();
    let mut files = Vec::new();
    let mut count = 0;
    let digest = Digest::default();
    let mut parts = parts_of(&source, &digest)?;
    while let Some(part) = parts.next() {
        name_passed_over(&parts.take_passed_over(), excluded);
        let part = part?;
        if excluded.has(part.name()) {
            continue;
        }
        let (name, file) = open(part, options)?;
        count += 1;
        if !again || count == 1 && *kept < KEPT_OPEN {
            files.push((name, file));
        }
    }
    name_passed_over(&parts.take_passed_over(), excluded);
    if again && files.len() < count {
        inputs.push(Input::Again(source));
    } else {
        *kept += files.len();
        inputs.push(Input::Open(files, digest));
    }
    Ok(())
}

/// Says what is in folders and archives and is not read, unless that was said to be left out.
fn name_passed_over(passed_over: &[PassedOver], excluded: &Excluded) {
    for what in passed_over.iter().filter(|what| !excluded.has(&what.name)) {
        eprintln!("{what}");
    }
}

/// Opens the files of a source one after the other: each with its name. What is read of it goes through a
/// digest of its own.
pub(super) fn open_all<'a>(
    source: &Source,
    excluded: &'a Excluded,
    options: &'a CallOptions,
    digest: &Digest,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<(String, CallFile)>> + use<'a>> {
    let parts = parts_of(source, digest)?;
    let left = parts.filter(|part| part.as_ref().map_or(true, |part| !excluded.has(part.name())));
    Ok(left.map(|part| open(part?, options)))
}

/// The files of a source, read through a digest.
fn parts_of(source: &Source, digest: &Digest) -> anyhow::Result<Parts> {
    digest.open(source.open()?);
    Ok(Parts::new(source.name(), Box::new(digest.clone()), Limits::default())?)
}

/// Opens a file of calls. Returns its name as well.
fn open(part: Part, options: &CallOptions) -> anyhow::Result<(String, CallFile)> {
    let name = part.name().to_owned();
    let file = if part.is_workbook() {
        let sheet = TableOptions { sheet: options.sheet.clone(), ..TableOptions::default() };
        let table = Table::open(part, &sheet, &|_| false)?;
        CallFile::rows(Box::new(table.into_rows()), options)
    } else {
        CallFile::read(part.into_reader(), options)
    };
    Ok((name.clone(), file.context(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_left_out_by_patterns() {
        let excluded = Excluded::new(&["*.log".to_owned(), "notes-?.txt".to_owned()]);
        for name in ["a.log", "cdr/.log", "cdr.zip:old/b.log", "notes-1.txt"] {
            assert!(excluded.has(name), "{name}");
        }
        for name in ["a.log.csv", "a.log/Master.csv", "notes-12.txt", "notes-.txt", "log"] {
            assert!(!excluded.has(name), "{name}");
        }
        let fits = |pattern: &str, name: &str| Excluded::new(&[pattern.to_owned()]).has(name);
        assert!(fits("*", "x") && fits("a*b*c", "aXbYbZc") && fits("a**", "a"));
        assert!(!fits("a*b", "aXbY") && !fits("", "x") && !fits("A", "a"));
    }
}
