//! One server per embedded database: what it keeps in memory is right only as long as
//! nobody else writes balances.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tollbook_core::{DatabaseUrl, files};

/// The path of a file that may have yet to be made, without links.
fn real(path: &Path) -> PathBuf {
    let of_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| path.to_owned())
}

/// Takes the lock of an embedded database; it is held for as long as the file is open. A
/// database server needs none.
pub(crate) fn lock(database: &DatabaseUrl) -> anyhow::Result<Option<File>> {
    let DatabaseUrl::Sqlite(path) = database else { return Ok(None) };
    // By whatever name it is called: a link leads to the same database.
    let path = real(path);
    let path = PathBuf::from(format!("{}.lock", path.display()));
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    // It holds nothing; but who can open it can take the lock, and keep the server from starting.
    let _ = files::keep_private(&path);
    if file.try_lock().is_err() {
        bail!("another tollbook server is using this database: {} is locked", path.display());
    }
    Ok(Some(file))
}
