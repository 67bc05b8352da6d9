//! What is recorded of the file of a deck.

use std::{
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context;
use sha2::{Digest as _, Sha256};
use tollbook_import::Source;
use tollbook_proto::v1::RateFile;

/// A file whose digest is taken while it is read: standard input can be read only once.
#[derive(Clone)]
pub(super) struct Digest(Arc<Mutex<Open>>);

struct Open {
    file: Box<dyn Read + Send>,
    sha256: Sha256,
    size: i64,
}

impl Digest {
    pub(super) fn new(file: Box<dyn Read + Send>) -> Self {
        Self(Arc::new(Mutex::new(Open { file, sha256: Sha256::new(), size: 0 })))
    }

    /// What is known of the file, of which what was not needed is read, too.
    pub(super) fn finish(mut self, name: String) -> anyhow::Result<RateFile> {
        io::copy(&mut self, &mut io::sink()).context("the file cannot be read to its end")?;
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sha256 = hex::encode(open.sha256.clone().finalize());
        Ok(RateFile { name, sha256, size: Some(open.size) })
    }
}

impl Read for Digest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Open { file, sha256, size } =
            &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.read(buffer)?;
        sha256.update(&buffer[..read]);
        *size += i64::try_from(read).unwrap_or_default();
        Ok(read)
    }
}

/// How many characters of a file's name the core takes.
const LONGEST: usize = 255;

/// The name of a file, without its folder; standard input has none.
pub(super) fn name_of(source: &Source) -> String {
    let name = match source {
        Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy(),
        Source::Stdin => return String::new(),
    };
    name.chars().filter(|char| !char.is_control()).take(LONGEST).collect()
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
            let mut digest = Digest::new(Box::new(b"prefix,rate\n370,1\n".as_slice()));
            digest.read_exact(&mut vec![0; needed]).unwrap();
            let file = digest.finish("deck.csv".to_owned()).unwrap();
            assert_eq!((file.sha256.as_str(), file.size), (&*whole, Some(18)));
        }
    }

    #[test]
    fn names_are_those_that_the_core_takes() {
        let file = |name: &str| name_of(&Source::File(PathBuf::from(name)));
        assert_eq!(file("decks/May\n.csv"), "May.csv");
        assert_eq!(file(&"x".repeat(300)).len(), LONGEST);
        assert_eq!(name_of(&Source::Stdin), "");
    }
}
