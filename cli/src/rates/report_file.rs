//! The file of a report.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// A file for a report: there from the beginning, so that no import is made whose report has no place,
/// and gone again if there is nothing to report.
pub(super) struct ReportFile {
    path: PathBuf,
    file: File,
    is_written: bool,
}

impl ReportFile {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        match File::create_new(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file, is_written: false }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                bail!("{} is there already", path.display())
            }
            Err(error) => {
                Err(error).with_context(|| format!("{} cannot be written", path.display()))
            }
        }
    }

    pub(super) fn finish(mut self, text: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| format!("{} cannot be written", self.path.display()))?;
        self.is_written = true;
        Ok(())
    }
}

impl Drop for ReportFile {
    fn drop(&mut self) {
        if !self.is_written {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_has_a_file_of_its_own_or_none() {
        let directory =
            std::env::temp_dir().join(format!("tollbook-report-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("report.html");
        drop(ReportFile::create(&path).unwrap());
        assert!(!path.exists(), "nothing was reported");
        ReportFile::create(&path).unwrap().finish("all").unwrap();
        let refused = ReportFile::create(&path).err().unwrap().to_string();
        assert!(refused.ends_with("report.html is there already"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "all");
        fs::remove_dir_all(&directory).unwrap();
    }
}
