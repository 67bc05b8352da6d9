//! What is recorded of the files of an import.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context;
use sha2::{Digest as _, Sha256};
use tollbook_import::Source;
use tollbook_proto::v1::RateFile;

/// The digest of files one after the other, taken while they are read: standard input can be read
/// only once.
#[derive(Clone)]
pub(crate) struct Digest(Arc<Mutex<Open>>);

struct Open {
    file: Box<dyn Read + Send>,
    sha256: Sha256,
    size: i64,
}

impl Default for Digest {
    fn default() -> Self {
        let open = Open { file: Box::new(io::empty()), sha256: Sha256::new(), size: 0 };
        Self(Arc::new(Mutex::new(open)))
    }
}

impl Digest {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is read next is of this file.
    pub(crate) fn open(&self, file: Box<dyn Read + Send>) {
        self.lock().file = file;
    }

    /// Reads what nobody needed of the file.
    pub(crate) fn read_to_end(&self) -> anyhow::Result<()> {
        io::copy(&mut self.clone(), &mut io::sink())
            .context("the file cannot be read to its end")
            .map(drop)
    }

    /// What is known of all files.
    pub(crate) fn finish(self, name: String) -> RateFile {
        let open = self.lock();
        let sha256 = hex::encode(open.sha256.clone().finalize());
        RateFile { name, sha256, size: Some(open.size) }
    }
}

impl Read for Digest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Open { file, sha256, size } = &mut *self.lock();
        let read = file.read(buffer)?;
        sha256.update(&buffer[..read]);
        *size += i64::try_from(read).unwrap_or_default();
        Ok(read)
    }
}

/// How many characters of a file's name the core takes.
const LONGEST: usize = 255;

/// The names of files, without their folders; standard input has none.
pub(crate) fn names_of(sources: &[Source]) -> String {
    let name = |source: &Source| match source {
        Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        Source::Stdin => String::new(),
    };
    let names = sources.iter().map(name).collect::<Vec<_>>().join(", ");
    names.chars().filter(|char| !char.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_digest_is_of_the_whole_file_however_much_was_read() {
        let whole = hex::encode(Sha256::digest(b"prefix,rate\n370,1\n"));
        for needed in [0, 6, 18] {
            let mut digest = Digest::default();
            for part in ["prefix,rate\n", "370,1\n"] {
                digest.open(Box::new(part.as_bytes()));
                digest.read_exact(&mut vec![0; needed.min(part.len())]).unwrap();
                digest.read_to_end().unwrap();
            }
            let file = digest.finish("deck.csv".to_owned());
            assert_eq!((file.sha256.as_str(), file.size), (&*whole, Some(18)));
        }
    }

    #[test]
    fn names_are_those_that_the_core_takes() {
        let file = |name: &str| names_of(&[Source::File(PathBuf::from(name))]);
        assert_eq!(file("decks/May\n.csv"), "May.csv");
        assert_eq!(file(&"x".repeat(300)).len(), LONGEST);
        assert_eq!(names_of(&[Source::Stdin]), "");
        let two = ["a/1.csv", "b/2.csv"].map(|name| Source::File(PathBuf::from(name)));
        assert_eq!(names_of(&two), "1.csv, 2.csv");
    }
}
