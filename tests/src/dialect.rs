//! The dialects by their names: those of `--dialect`, of the folders of contract data and of
//! the documents.

use tollbook_shim::Dialect;

/// The dialects that there are.
const DIALECTS: &[(&str, Dialect)] = &[("m4", Dialect::M4), ("mor", Dialect::Mor)];

/// The dialects that have a document, which says of each method whether it is there.
pub const DOCUMENTED: &[&str] = &["m4", "mor"];

/// All dialects that there are.
pub fn all() -> impl Iterator<Item = Dialect> {
    DIALECTS.iter().map(|(_, dialect)| *dialect)
}

/// The dialect of a name; none: there is no such dialect.
#[must_use]
pub fn dialect(name: &str) -> Option<Dialect> {
    DIALECTS.iter().find(|(of, _)| *of == name).map(|(_, dialect)| *dialect)
}

/// The name of a dialect.
#[must_use]
pub fn name(dialect: Dialect) -> &'static str {
    DIALECTS.iter().find(|(_, of)| *of == dialect).expect("every dialect has a name").0
}
