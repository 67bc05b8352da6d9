//! `tollbook backup` and `tollbook restore`, of the embedded database.

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use tollbook_core::{
    DatabaseUrl,
    files::{self, DATABASE_SUFFIXES, with_suffix},
};

use crate::{config::Config, lock, out::say};

#[derive(clap::Args)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    file: PathBuf,
}

#[derive(clap::Args)]
pub(crate) struct RestoreArgs {
    /// A file that `tollbook backup` wrote
    file: PathBuf,
    /// Put it in the place of the database that is there, which is kept beside it
    #[arg(long)]
    replace: bool,
}

fn embedded(config: &Config) -> anyhow::Result<PathBuf> {
    match config.database()? {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(_) => {
            bail!("PostgreSQL is backed up and restored with its own tools")
        }
    }
}

/// Writes the database into a file, beside a server that is using it. The file has its name
/// only once it is whole, on the disk, and its books are right.
pub(crate) async fn backup(config: &Config, args: &BackupArgs) -> anyhow::Result<()> {
    let database = embedded(config)?;
    if !database.exists() {
        bail!("there is no database at {}", database.display());
    }
    if args.file.exists() {
        bail!("{} is there already", args.file.display());
    }
    let unfinished = Unfinished::beside(&args.file)?;
    tollbook_core::backup(&database, &unfinished.0)
        .await
        .with_context(|| format!("{} cannot be written", unfinished.0.display()))?;
    check(&unfinished.0).await?;
    unfinished.finish(&args.file)?;
    say!("{} is a backup of {}", args.file.display(), database.display())?;
    Ok(())
}

/// Makes a backup the database of a server that is not running.
pub(crate) async fn restore(config: &Config, args: &RestoreArgs) -> anyhow::Result<()> {
    let database = embedded(config)?;
    let _lock = lock::lock(&DatabaseUrl::Sqlite(database.clone()))?;
    if database.exists() && !args.replace {
        bail!("there is a database at {}; --replace puts it aside", database.display());
    }
    let unfinished = Unfinished::beside(&database)?;
    copy(&args.file, &unfinished.0)
        .with_context(|| format!("cannot copy {}", args.file.display()))?;
    check(&unfinished.0).await?;
    if let Ok(replaced) = database.metadata() {
        // Whoever restores may be another than the server runs as.
        chown(&unfinished.0, Some(replaced.uid()), Some(replaced.gid()))
            .with_context(|| format!("cannot give {} its owner", unfinished.0.display()))?;
    }
    let kept = put_aside(&database)?;
    unfinished.finish(&database)?;
    say!("{} is the database at {} now", args.file.display(), database.display())?;
    if let Some(kept) = kept {
        say!("what was there before is {}", kept.display())?;
    }
    Ok(())
}

/// A file that has not its name yet. Dropped before it has, it is removed.
struct Unfinished(PathBuf);

impl Unfinished {
    /// The name for what will be `file`, which no other process uses.
    fn beside(file: &Path) -> anyhow::Result<Self> {
        let unfinished = Self(with_suffix(file, &format!(".unfinished-{}", std::process::id())));
        match fs::remove_file(&unfinished.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", unfinished.0.display()))
            }
            _ => Ok(unfinished),
        }
    }

    /// Gives it its name once it is on the disk.
    fn finish(self, file: &Path) -> io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        fs::rename(&self.0, file)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for suffix in DATABASE_SUFFIXES {
            let _ = fs::remove_file(with_suffix(&self.0, suffix));
        }
    }
}

/// How a database begins.
const DATABASE: &[u8] = b"SQLite format 3\0";

/// Copies a database into a new file that only its owner may read, whoever may read the first. What
/// is still in the log beside it belongs to it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut source = File::open(from)?;
    let mut begins = Vec::new();
    source.by_ref().take(DATABASE.len() as u64).read_to_end(&mut begins)?;
    if begins != DATABASE {
        bail!("it is no database");
    }
    io::copy(&mut begins.as_slice().chain(source), &mut files::create(to)?)?;
    match File::open(with_suffix(from, "-wal")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        log => Ok(io::copy(&mut log?, &mut files::create(&with_suffix(to, "-wal"))?).map(drop)?),
    }
}

/// Gives a database another name, one that nothing has; `None` if there is no database.
fn put_aside(database: &Path) -> io::Result<Option<PathBuf>> {
    // The log of changes belongs to the file beside it.
    let parts = |path: &Path| DATABASE_SUFFIXES.map(|suffix| with_suffix(path, suffix));
    if !parts(database).iter().any(|part| part.exists()) {
        return Ok(None);
    }
    let mut number = 1;
    let kept = loop {
        let name = match number {
            1 => ".before-restore".to_owned(),
            number => format!(".before-restore-{number}"),
        };
        let kept = with_suffix(database, &name);
        if !parts(&kept).iter().any(|part| part.exists()) {
            break kept;
        }
        number += 1;
    };
    for (old, new) in parts(database).iter().zip(parts(&kept)) {
        if old.exists() {
            fs::rename(old, &new)?;
            // It is as it was at the last start, when the operator heard of it.
            let _ = files::keep_private(&new);
        }
    }
    Ok(Some(kept))
}

/// Proves that the books in a file are right.
async fn check(file: &Path) -> anyhow::Result<()> {
    let report = tollbook_core::audit_copy(file.to_owned())
        .await
        .with_context(|| format!("{} cannot be read", file.display()))?;
    if let Some(finding) = report.findings.first() {
        bail!("the books in {} are wrong: {finding}", file.display());
    }
    if report.accounts == 0 {
        bail!("there is no user in {}", file.display());
    }
    // The file is moved alone: what is in a log beside it would be lost.
    let log = with_suffix(file, "-wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        bail!("what is in {} could not be written into its file", log.display());
    }
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(with_suffix(file, suffix));
    }
    Ok(())
}
