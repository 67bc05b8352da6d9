//! Pages of lists: a size, and a token that says after which id to go on.

use crate::error::{Error, Result};

const DEFAULT_SIZE: i64 = 100;
const MAX_SIZE: i64 = 1000;

/// The number of rows of a page, from a request's `page_size`.
pub(crate) fn size(requested: i32) -> i64 {
    match i64::from(requested) {
        ..=0 => DEFAULT_SIZE,
        size => size.min(MAX_SIZE),
    }
}

/// The id that a page token holds; none: the first page.
pub(crate) fn decode(token: &str) -> Result<Option<i64>> {
    if token.is_empty() {
        return Ok(None);
    }
    token.parse().map(Some).map_err(|_| Error::InvalidPageToken)
}

/// Cuts a list that was read one row too long, and makes the token of the next page.
pub(crate) fn cut<T>(mut rows: Vec<T>, size: i64, id: impl Fn(&T) -> i64) -> (Vec<T>, String) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return (rows, String::new());
    }
    rows.truncate(size);
    let next = rows.last().map(|row| id(row).to_string()).unwrap_or_default();
    (rows, next)
}
