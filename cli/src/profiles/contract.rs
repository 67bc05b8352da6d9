//! Between flags and the profiles of the contract.

use anyhow::{Context, bail};
use tollbook_import::table::SheetRef;

/// What is said of a profile that this program does not understand in full.
pub(crate) fn of_later_version() -> &'static str {
    "the profile was written by a later version of tollbook, and this one does not know all of it"
}

/// A position from 1, as the contract has it.
pub(crate) fn position(at: usize) -> anyhow::Result<i32> {
    at.try_into().with_context(|| format!("there is no column or sheet {at}"))
}

/// A number of a line, or of lines.
pub(crate) fn number(lines: u64) -> anyhow::Result<i64> {
    lines.try_into().with_context(|| format!("no file has {lines} lines"))
}

/// What a text says; `None` if it is empty.
pub(crate) fn said(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A character as a text; empty for none.
pub(crate) fn letter(char: Option<char>) -> String {
    char.map(String::from).unwrap_or_default()
}

/// The inverse of [`letter`].
pub(crate) fn character(text: &str) -> anyhow::Result<Option<char>> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (first, None) => Ok(first),
        _ => bail!(of_later_version()),
    }
}

/// The sheet of a workbook that a flag names: by its number from 1, or by its name.
#[allow(clippy::unnecessary_wraps, reason = "the form that clap calls")]
pub(crate) fn sheet(text: &str) -> Result<SheetRef, String> {
    Ok(match text.parse() {
        Ok(number) => SheetRef::Number(number),
        Err(_) => SheetRef::Name(text.to_owned()),
    })
}
