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

/// A page of a list that is in memory by ascending id, and the token of the next.
pub(crate) fn of_sorted<T>(
    items: impl Iterator<Item = T>,
    page_size: i32,
    page_token: &str,
    id: impl Fn(&T) -> i64,
) -> Result<(Vec<T>, String)> {
    let (size, after) = (size(page_size), decode(page_token)?);
    let wanted = usize::try_from(size + 1).unwrap_or(usize::MAX);
    let behind = items.skip_while(|item| after.is_some_and(|after| id(item) <= after));
    Ok(cut(behind.take(wanted).collect(), size, id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f20_pages_together_are_the_list() {
        let list: Vec<i64> = (0..250).map(|id| id * 3).collect();
        let (mut all, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let (page, next) = of_sorted(list.iter().copied(), 0, &token, |id| *id).unwrap();
            all.extend(page);
            pages += 1;
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!((all, pages), (list, 3));
        assert!(of_sorted(std::iter::empty::<i64>(), 1, "x", |id| *id).is_err());
    }
}
