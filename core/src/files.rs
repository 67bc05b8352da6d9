//! Files that nobody but their owner may read: databases, backups and keys.
//!
//! None of this trusts the umask, which is different for a service, a shell and a container.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// What belongs to a SQLite database, by what stands behind its name.
pub const DATABASE_SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// What group and others may do.
const NOT_THE_OWNER: u32 = 0o077;

/// A path with something at its end.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.into();
    name.push(suffix);
    name.into()
}

/// Creates an empty file of mode 0600, to be written. It must not exist.
pub fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    // The umask may have taken something from the owner, too. A file system without modes is no
    // reason not to work on it.
    let _ = file.set_permissions(Permissions::from_mode(0o600));
    Ok(file)
}

/// Creates a directory of mode 0700, and those above it, where they are missing.
pub fn create_directory(path: &Path) -> io::Result<()> {
    let missing = !path.exists();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    if missing {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// What was done about a file that others could read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Nothing: it is not there, or nobody else may read it.
    Kept,
    /// It had this mode, and has none for others now.
    Tightened(u32),
    /// It has this mode, which cannot be changed.
    Open(u32),
}

impl Privacy {
    /// What the operator should know; `None` if nothing.
    #[must_use]
    pub fn remark(self, path: &Path) -> Option<String> {
        let path = path.display();
        match self {
            Self::Kept => None,
            Self::Tightened(mode) => Some(format!(
                "others could open {path}: its mode was {mode:04o}, and is {:04o} now",
                mode & !NOT_THE_OWNER
            )),
            Self::Open(mode) => Some(format!(
                "others can open {path}: its mode is {mode:04o}, and cannot be changed from here"
            )),
        }
    }
}

/// Takes a file away from everybody but its owner.
#[must_use = "the operator should know"]
pub fn keep_private(path: &Path) -> Privacy {
    let Ok(metadata) = fs::metadata(path) else { return Privacy::Kept };
    let mode = metadata.permissions().mode() & 0o7777;
    if !metadata.is_file() || mode & NOT_THE_OWNER == 0 {
        return Privacy::Kept;
    }
    match fs::set_permissions(path, Permissions::from_mode(mode & !NOT_THE_OWNER)) {
        Ok(()) => Privacy::Tightened(mode),
        Err(_) => Privacy::Open(mode),
    }
}

/// The same for a key that the operator has made. Where its mode cannot be changed and only a
/// group may read it, that group is how this process came by it.
#[must_use = "the operator should know"]
pub fn keep_key_private(path: &Path) -> Privacy {
    match keep_private(path) {
        Privacy::Open(mode) if mode.trailing_zeros() >= 3 => Privacy::Kept,
        privacy => privacy,
    }
}

/// The same for a key that a group of programs may share, as that of a certificate: others lose
/// it, and so does the group only with them.
#[must_use = "the operator should know"]
pub fn keep_shared_key_private(path: &Path) -> Privacy {
    match fs::metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o007 != 0 => keep_key_private(path),
        _ => Privacy::Kept,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn f24_files_are_for_their_owner() {
        let directory = tempfile::tempdir().unwrap();
        let new = directory.path().join("a/b");
        create_directory(&new).unwrap();
        assert_eq!((mode(&new), mode(new.parent().unwrap())), (0o700, 0o700));
        let file = new.join("key");
        create(&file).unwrap();
        assert_eq!(mode(&file), 0o600);
        assert!(create(&file).is_err(), "it is there already");
        assert_eq!(keep_private(&file), Privacy::Kept);
        assert_eq!(keep_private(&new.join("none")), Privacy::Kept);
        for (before, after) in [(0o644, 0o600), (0o640, 0o600), (0o444, 0o400)] {
            fs::set_permissions(&file, Permissions::from_mode(before)).unwrap();
            assert_eq!(keep_key_private(&file), Privacy::Tightened(before));
            assert_eq!(mode(&file), after);
        }
        // A group may share the key of a certificate; everybody may not.
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        assert_eq!(keep_shared_key_private(&file), Privacy::Kept);
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(keep_shared_key_private(&file), Privacy::Tightened(0o644));
    }
}
