//! Checks of texts that come from outside.

use crate::error::{Error, Result};

/// Checks a short text of a request: at most 255 characters, none of them control characters.
pub(crate) fn check_text(field: &str, text: &str) -> Result<()> {
    if text.chars().count() > 255 {
        return Err(Error::invalid(field, "is longer than 255 characters"));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "contains a control character"));
    }
    Ok(())
}

/// Checks the name of something: a short text that is not empty.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("name", "is required"));
    }
    check_text("name", name)
}

/// Checks a longer text of a request: at most 1000 characters; line breaks and tabs are
/// the only control characters in it.
pub(crate) fn check_note(field: &'static str, text: &str) -> Result<()> {
    if text.chars().count() > 1000 {
        return Err(Error::invalid(field, "is longer than 1000 characters"));
    }
    check_lines(field, text)
}

/// Checks that line breaks and tabs are the only control characters in a text.
pub(crate) fn check_lines(field: &'static str, text: &str) -> Result<()> {
    if text.chars().any(|char| char.is_control() && !matches!(char, '\n' | '\r' | '\t')) {
        return Err(Error::invalid(field, "contains a control character"));
    }
    Ok(())
}

/// What is shown of a text that may be long.
pub(crate) fn clip(text: &str) -> String {
    text.chars().take(40).collect()
}
