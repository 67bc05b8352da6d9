//! Where files come from: paths, directories, standard input, archives.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use crate::Error;

/// How much may come out of a file, so that one made to exhaust memory does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that a compressed file may have unpacked.
    pub unpacked: u64,
    /// Bytes of a workbook, or of a file in a zip archive, which are held in memory.
    pub held: u64,
    /// Bytes of a line; a longer one is refused, and reading goes on with the next.
    pub line: usize,
    /// Prefixes that one cell may stand for.
    pub prefixes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { unpacked: 16 << 30, held: 512 << 20, line: 1 << 20, prefixes: 10_000 }
    }
}

/// A file that was named, by itself or as one of a directory. Nothing of it has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

/// What is in a directory or an archive, and is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its name, with that of the archive before it.
    pub name: String,
    /// Why it is not read.
    pub why: &'static str,
}

impl std::fmt::Display for PassedOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is not read: {}", self.name, self.why)
    }
}

const HIDDEN: &str = "its name begins with a point";

/// The files that paths name: a file is itself, `-` is standard input, a directory stands for
/// the files in it and below, in the order of their names. With them what directories hold beside: what
/// has a name that begins with a point, links to directories, and what is no file.
pub fn sources<P: AsRef<Path>>(paths: &[P]) -> Result<(Vec<Source>, Vec<PassedOver>), Error> {
    let (mut sources, mut passed_over) = (Vec::new(), Vec::new());
    for path in paths {
        let path = path.as_ref();
        if path == Path::new("-") {
            sources.push(Source::Stdin);
        } else if path.is_dir() {
            directory(path, &mut sources, &mut passed_over)
                .map_err(|source| io_error(path, source))?;
        } else {
            fs::metadata(path).map_err(|source| io_error(path, source))?;
            sources.push(Source::File(path.to_owned()));
        }
    }
    Ok((sources, passed_over))
}

fn directory(
    path: &Path,
    sources: &mut Vec<Source>,
    passed_over: &mut Vec<PassedOver>,
) -> io::Result<()> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (kind, path) = (entry.file_type()?, entry.path());
        let why = if entry.file_name().as_encoded_bytes().starts_with(b".") {
            HIDDEN
        } else if kind.is_dir() {
            directory(&path, sources, passed_over)?;
            continue;
        } else if path.is_file() {
            sources.push(Source::File(path));
            continue;
        } else if path.is_dir() {
            "links to directories are not followed"
        } else if kind.is_symlink() {
            "it is a link to what is not there, or is no file"
        } else {
            "it is no file"
        };
        passed_over.push(PassedOver { name: path.display().to_string(), why });
    }
    Ok(())
}

fn io_error(path: &Path, source: io::Error) -> Error {
    Error::Io { name: path.display().to_string(), source }
}

impl Source {
    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    /// Whether it gives the same when it is opened again: a pipe does not.
    #[must_use]
    pub fn can_be_opened_again(&self) -> bool {
        match self {
            Self::File(path) => fs::metadata(path).is_ok_and(|metadata| metadata.is_file()),
            Self::Stdin => false,
        }
    }

    /// Its bytes as they are.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        Ok(match self {
            Self::File(path) => {
                Box::new(File::open(path).map_err(|source| io_error(path, source))?)
            }
            Self::Stdin => Box::new(io::stdin()),
        })
    }

    /// The tables in it: one, or each file of a zip archive. Gzip is unpacked.
    pub fn parts(&self, limits: Limits) -> Result<Parts, Error> {
        Parts::new(self.name(), self.open()?, limits)
    }
}

/// The tables of a source, one after the other.
#[derive(Debug)]
pub struct Parts {
    limits: Limits,
    ready: VecDeque<Part>,
    archive: Option<Archive>,
    passed_over: Vec<PassedOver>,
}

#[derive(Debug)]
struct Archive {
    name: String,
    zip: zip::ZipArchive<Cursor<Vec<u8>>>,
    next: usize,
}

impl Parts {
    /// The tables in what `reader` gives.
    pub fn new(name: String, reader: Box<dyn Read + Send>, limits: Limits) -> Result<Self, Error> {
        let part = Part::unpacked(name, reader, limits)?;
        let (ready, passed_over) = (VecDeque::new(), Vec::new());
        let mut parts = Self { limits, ready, archive: None, passed_over };
        if part.head.starts_with(b"PK\x03\x04") && !part.is_workbook {
            let bytes = part.held(limits)?;
            let zip = zip::ZipArchive::new(Cursor::new(bytes.1));
            let zip = zip.map_err(|error| archive_error(&bytes.0, &error))?;
            if zip.has_duplicate_names() {
                // Only the last of them can be read.
                let reason = "two files in it have one name".to_owned();
                return Err(Error::Archive { name: bytes.0, reason });
            }
            parts.archive = Some(Archive { name: bytes.0, zip, next: 0 });
        } else {
            parts.ready.push_back(part);
        }
        Ok(parts)
    }

    fn member(&mut self) -> Option<Result<Part, Error>> {
        let archive = self.archive.as_mut()?;
        while archive.next < archive.zip.len() {
            let index = archive.next;
            archive.next += 1;
            match member(archive, index, self.limits) {
                Ok(Member::Folder) => {}
                Ok(Member::PassedOver(what)) => self.passed_over.push(what),
                Ok(Member::Part(part)) => return Some(Ok(*part)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// What was passed over up to here: what systems put beside files.
    pub fn take_passed_over(&mut self) -> Vec<PassedOver> {
        std::mem::take(&mut self.passed_over)
    }
}

/// What is in an archive.
enum Member {
    Part(Box<Part>),
    Folder,
    PassedOver(PassedOver),
}

impl Iterator for Parts {
    type Item = Result<Part, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ready.pop_front().map(Ok).or_else(|| self.member())
    }
}

fn member(archive: &mut Archive, index: usize, limits: Limits) -> Result<Member, Error> {
    let failed = |error: zip::result::ZipError| archive_error(&archive.name, &error);
    let mut file = archive.zip.by_index(index).map_err(failed)?;
    let inner = file.name().map_err(failed)?.into_owned();
    let name = format!("{}:{inner}", archive.name);
    let why = if file.is_dir() {
        if file.size() == 0 {
            return Ok(Member::Folder);
        }
        Some("it is a folder by its name, though it has contents")
    } else if inner.starts_with("__MACOSX/") {
        Some("it is what macOS says of other files")
    } else {
        inner.rsplit('/').next().is_some_and(|name| name.starts_with('.')).then_some(HIDDEN)
    };
    if let Some(why) = why {
        return Ok(Member::PassedOver(PassedOver { name, why }));
    }
    let mut bytes = Vec::new();
    Limited::new(&mut file, limits.held)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::io(&name, source))?;
    let part = Part::unpacked(name.clone(), Box::new(Cursor::new(bytes)), limits)?;
    if part.head.starts_with(b"PK\x03\x04") && !part.is_workbook {
        return Err(Error::Archive { name, reason: "it is an archive in an archive".to_owned() });
    }
    Ok(Member::Part(Box::new(part)))
}

/// Whether two members of an archive have one name, so that only one of them can be read.
pub(super) fn twice(bytes: &[u8]) -> bool {
    zip::ZipArchive::new(Cursor::new(bytes)).is_ok_and(|archive| archive.has_duplicate_names())
}

fn archive_error(name: &str, error: &zip::result::ZipError) -> Error {
    Error::Archive { name: name.to_owned(), reason: error.to_string() }
}

/// One table as bytes: a file of text, or a workbook.
pub struct Part {
    pub(super) name: String,
    pub(super) head: Vec<u8>,
    pub(super) rest: Box<dyn Read + Send>,
    pub(super) is_workbook: bool,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How much of a file is looked at before it is read.
const HEAD: u64 = 256 * 1024;

impl Part {
    /// What `reader` gives; gzip is unpacked, zip archives are not (see [`Parts::new`]).
    pub fn new(name: &str, reader: Box<dyn Read + Send>, limits: Limits) -> Result<Self, Error> {
        Self::unpacked(name.to_owned(), reader, limits)
    }

    /// A table in memory.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, Error> {
        Self::new(name, Box::new(Cursor::new(bytes)), Limits::default())
    }

    fn unpacked(
        name: String,
        mut reader: Box<dyn Read + Send>,
        limits: Limits,
    ) -> Result<Self, Error> {
        let mut head = read_head(&name, &mut reader)?;
        if head.starts_with(&[0x1f, 0x8b]) {
            let packed = MultiGzDecoder::new(Cursor::new(head).chain(reader));
            reader = Box::new(Limited::new(packed, limits.unpacked));
            head = read_head(&name, &mut reader)?;
        }
        let is_workbook = is_workbook(&head);
        Ok(Self { name, head, rest: reader, is_workbook })
    }

    /// Its name, for messages; of a file in an archive with the archive's name before it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its first bytes, at most 256 KiB, to find out who wrote it. They stay to be read.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether it is a workbook (XLSX, XLS, ODS) and not text.
    #[must_use]
    pub fn is_workbook(&self) -> bool {
        self.is_workbook
    }

    /// All its bytes in memory, with its name.
    pub fn held(mut self, limits: Limits) -> Result<(String, Vec<u8>), Error> {
        let already = self.head.len() as u64;
        Limited::new(&mut self.rest, limits.held.saturating_sub(already))
            .read_to_end(&mut self.head)
            .map_err(|source| Error::io(&self.name, source))?;
        Ok((self.name, self.head))
    }

    /// Its bytes as they are, unpacked but not decoded.
    #[must_use]
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        Box::new(Cursor::new(self.head).chain(self.rest))
    }
}

fn read_head(name: &str, reader: &mut dyn Read) -> Result<Vec<u8>, Error> {
    let mut head = Vec::new();
    reader.take(HEAD).read_to_end(&mut head).map_err(|source| Error::io(name, source))?;
    Ok(head)
}

/// What only the archive of a workbook has, in any order.
const MEMBERS: [&[u8]; 4] =
    [b"[Content_Types].xml", b"xl/workbook", b"docProps/", b"xl/worksheets/"];

/// Workbooks: a compound file (XLS), or a zip archive with the members that these have.
fn is_workbook(head: &[u8]) -> bool {
    const COMPOUND: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];
    let has = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    head.starts_with(&COMPOUND)
        || head.starts_with(b"PK\x03\x04")
            && (MEMBERS.iter().any(|member| has(member))
                || has(b"application/vnd.oasis.opendocument.spreadsheet"))
}

/// A reader that fails when more than the limit comes out of it.
struct Limited<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R> Limited<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, limit }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("larger than {0} bytes")]
struct LimitReached(u64);

/// The limit, if that is why reading failed.
pub(crate) fn limit_reached(error: &io::Error) -> Option<u64> {
    error.get_ref()?.downcast_ref::<LimitReached>().map(|reached| reached.0)
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(io::Error::other(LimitReached(self.limit))),
        }
        Ok(read)
    }
}
