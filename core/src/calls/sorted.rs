//! Lists of calls in other orders than that of time: sorted once, and told a page at a time.
//!
//! No index has these orders. What is kept between two pages is where the calls are. Where that is gone,
//! as on another core or after a restart, the calls are sorted once more: a page token says after
//! which call to go on.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::store::{self, Filter};
use crate::{
    error::{Error, Result},
    store::Db,
};

/// How many calls are kept at once, of sixteen bytes each. Who asks for more gets them, at the price
/// of sorting for each page.
const MOST_CALLS: usize = 4 * 1024 * 1024;
/// How long a list is kept after it was last read.
const KEPT: Duration = Duration::from_secs(300);

/// The lists that are being read.
#[derive(Default)]
pub(crate) struct SortedLists(Mutex<Vec<Kept>>);

/// The beginning of a call, and its id.
type CallKey = (i64, i64);

struct Kept {
    /// What was asked for.
    question: String,
    calls: Arc<[CallKey]>,
    read: Instant,
}

/// Where a page begins: behind so many rows, of which the last is this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    rows: usize,
    last: i64,
}

impl Position {
    /// Reads that of a page token.
    pub(super) fn decode(token: &str) -> Result<Self> {
        let (rows, last) = token.split_once(':').ok_or(Error::InvalidPageToken)?;
        let rows = rows.parse().map_err(|_| Error::InvalidPageToken)?;
        let last = last.parse().map_err(|_| Error::InvalidPageToken)?;
        Ok(Self { rows, last })
    }

    fn encode(self) -> String {
        format!("{}:{}", self.rows, self.last)
    }

    /// Behind which row of a list it is; `None` if its call is none of the list.
    fn rows_in(self, calls: &[CallKey]) -> Option<usize> {
        let row = self.rows.checked_sub(1).and_then(|row| calls.get(row));
        match row.is_some_and(|(_, id)| *id == self.last) {
            true => Some(self.rows),
            false => calls.iter().position(|(_, id)| *id == self.last).map(|row| row + 1),
        }
    }
}

impl SortedLists {
    /// The calls of a page, and where the next one begins, if there is one.
    pub(super) async fn page(
        &self,
        db: &Db,
        filter: &Filter<'_>,
        position: Option<Position>,
        size: usize,
    ) -> Result<(Vec<CallKey>, Option<String>)> {
        let query = store::sorted(filter);
        let question = format!("{query:?}");
        let known = match position {
            // Who begins gets the calls of now.
            None => None,
            Some(position) => {
                self.known(&question).filter(|calls| position.rows_in(calls).is_some())
            }
        };
        let calls: Arc<[CallKey]> = match known {
            Some(known) => known,
            None => db.fetch_pairs(query).await?.into(),
        };
        let begin = position.map_or(Some(0), |position| position.rows_in(&calls));
        let begin = begin.ok_or(Error::InvalidPageToken)?;
        let end = calls.len().min(begin + size);
        let page = calls[begin..end].to_vec();
        match page.last() {
            Some((_, last)) if end < calls.len() => {
                let next = Position { rows: end, last: *last }.encode();
                self.keep(question, calls);
                Ok((page, Some(next)))
            }
            _ => {
                self.forget(&question);
                Ok((page, None))
            }
        }
    }

    fn known(&self, question: &str) -> Option<Arc<[CallKey]>> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.iter().find(|list| list.question == question).map(|list| list.calls.clone())
    }

    /// Keeps a list, and forgets those that were read longest ago until there is room for it.
    fn keep(&self, question: String, calls: Arc<[CallKey]>) {
        let now = Instant::now();
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.question != question && now - list.read < KEPT);
        // The one that was read last comes last.
        lists.push(Kept { question, calls, read: now });
        let mut room = MOST_CALLS;
        let mut keep = lists.len();
        while keep > 0 && lists[keep - 1].calls.len() <= room {
            keep -= 1;
            room -= lists[keep].calls.len();
        }
        lists.drain(..keep);
    }

    /// A list that has been read to its end is not asked for again.
    fn forget(&self, question: &str) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| list.question != question);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_goes_on_behind_its_call_wherever_that_is() {
        let position = Position::decode("2:7").unwrap();
        assert_eq!(position.encode(), "2:7");
        assert_eq!(position.rows_in(&[(0, 3), (0, 7), (0, 9)]), Some(2));
        assert_eq!(position.rows_in(&[(0, 1), (0, 3), (0, 7), (0, 9)]), Some(3));
        assert_eq!(position.rows_in(&[(0, 1), (0, 3)]), None);
        for wrong in ["", "7", "-1:3", "a:b", "1:", ":"] {
            assert!(Position::decode(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Position { rows: 0, last: 5 }.rows_in(&[(0, 5), (0, 6)]), Some(1));
    }

    #[test]
    fn f20_only_so_many_calls_are_kept() {
        let lists = SortedLists::default();
        let long: Arc<[CallKey]> = vec![(0, 0); MOST_CALLS / 2].into();
        for question in ["a", "b", "c"] {
            lists.keep(question.to_owned(), long.clone());
        }
        assert!(lists.known("a").is_none() && lists.known("b").is_some());
        lists.keep("huge".to_owned(), vec![(0, 0); MOST_CALLS + 1].into());
        assert!(lists.known("huge").is_none());
        lists.keep("d".to_owned(), long.clone());
        lists.forget("d");
        assert!(lists.known("d").is_none());
    }
}
