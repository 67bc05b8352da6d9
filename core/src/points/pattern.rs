//! Patterns of calling numbers: each is compiled once, however many points have it.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result};

/// How much memory a compiled pattern may take, and how much more while it is used.
const LARGEST: usize = 256 * 1024;
const LARGEST_CACHE: usize = 256 * 1024;
/// What patterns were allowed that are stored already.
const LARGEST_STORED: usize = 10 * 1024 * 1024;

static SHARED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

/// A regular expression that calling numbers are compared with.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Arc<Regex>);

/// The patterns that are in use, by their texts.
#[derive(Default)]
struct Shared {
    compiled: HashMap<String, Weak<Regex>>,
    /// With how many it is time to forget those that nobody uses any more.
    tidy_at: usize,
}

impl Pattern {
    /// A pattern as it is stored; `None` if the text is empty.
    pub(super) fn stored(field: impl FnOnce() -> String, text: &str) -> Result<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.compiled.get(text).and_then(Weak::upgrade) {
            return Ok(Some(Self(known)));
        }
        let compiled = compile(text, LARGEST_STORED);
        let compiled = compiled.map_err(|_| Error::invalid(field(), "is no regular expression"))?;
        let compiled = Arc::new(compiled);
        shared.keep(text, &compiled);
        Ok(Some(Self(compiled)))
    }

    /// Checks a new pattern: it must not be larger than it has any reason to be.
    pub(super) fn check(field: &str, text: &str) -> Result<()> {
        match compile(text, LARGEST) {
            Ok(_) => Ok(()),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(Error::invalid(field, "is too large a regular expression"))
            }
            Err(_) => Err(Error::invalid(field, "is no regular expression")),
        }
    }

    pub(super) fn matches(&self, number: &str) -> bool {
        self.0.is_match(number)
    }
}

fn compile(text: &str, largest: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text).size_limit(largest).dfa_size_limit(LARGEST_CACHE).build()
}

impl Shared {
    fn keep(&mut self, text: &str, compiled: &Arc<Regex>) {
        if self.compiled.len() >= self.tidy_at {
            self.compiled.retain(|_, pattern| pattern.strong_count() > 0);
            self.tidy_at = 2 * self.compiled.len() + 64;
        }
        self.compiled.insert(text.to_owned(), Arc::downgrade(compiled));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stored(text: &str) -> Pattern {
        Pattern::stored(|| "source_pattern".to_owned(), text).unwrap().unwrap()
    }

    #[test]
    fn f17_points_with_one_pattern_share_its_compiled_form() {
        let pattern = stored("^370[0-9]{8}$");
        let others: Vec<_> = (0..1_000).map(|_| stored("^370[0-9]{8}$")).collect();
        assert!(others.iter().all(|other| Arc::ptr_eq(&pattern.0, &other.0)));
        assert!(pattern.matches("37061234567") && !pattern.matches("3706123456"));
        assert!(Pattern::stored(String::new, "").unwrap().is_none());
    }

    #[test]
    fn f17_patterns_that_nobody_has_any_more_are_forgotten() {
        for index in 0..10_000 {
            stored(&format!("^forgotten{index}"));
        }
        let shared = SHARED.lock().unwrap();
        assert!(shared.compiled.len() < 5_000, "{}", shared.compiled.len());
    }

    #[test]
    fn f17_a_pattern_has_a_largest_size() {
        for (text, said) in [
            (".*", None),
            ("^(370|371|372)[0-9]{5,12}$", None),
            (r"(\w{50}){50}", Some("too large")),
            ("(", Some("is no regular expression")),
        ] {
            let checked = Pattern::check("origination.source_pattern", text);
            match (checked, said) {
                (Ok(()), None) => {}
                (Err(error), Some(said)) => assert!(error.to_string().contains(said), "{error}"),
                (checked, _) => panic!("{text}: {checked:?}"),
            }
        }
    }
}
