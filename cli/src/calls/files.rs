//! The files that an import reads.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;

/// How gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// A file to read.
pub(super) struct Source(PathBuf);

/// All files that are meant: of a directory those in it, by their names.
pub(super) fn all(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::with_capacity(paths.len());
    for path in paths {
        if !path.is_dir() {
            sources.push(Source(path.clone()));
            continue;
        }
        let shown = path.display();
        let entries = fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
        let mut files: Vec<PathBuf> =
            entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        files.retain(|path| path.is_file());
        if files.is_empty() {
            bail!("there is no file in {shown}");
        }
        files.sort();
        sources.extend(files.into_iter().map(Source));
    }
    if sources.iter().filter(|source| source.is_stdin()).count() > 1 {
        bail!("standard input can be read once");
    }
    Ok(sources)
}

impl Source {
    pub(super) fn is_stdin(&self) -> bool {
        self.0.as_os_str() == "-"
    }

    /// Its text, from the beginning.
    pub(super) fn open(&self) -> anyhow::Result<Box<dyn BufRead + Send>> {
        let mut raw: Box<dyn BufRead + Send> = if self.is_stdin() {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(&self.0).with_context(|| format!("cannot open {self}"))?;
            Box::new(BufReader::new(file))
        };
        let begins = raw.fill_buf().with_context(|| format!("cannot read {self}"))?;
        Ok(match begins.starts_with(GZIP) {
            true => Box::new(BufReader::new(MultiGzDecoder::new(raw))),
            false => raw,
        })
    }

    /// Why it cannot be read.
    pub(super) fn fault(
        &self,
        error: impl std::error::Error + Send + Sync + 'static,
    ) -> anyhow::Error {
        anyhow::Error::new(error).context(self.to_string())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_stdin() {
            true => f.write_str("standard input"),
            false => self.0.display().fmt(f),
        }
    }
}
