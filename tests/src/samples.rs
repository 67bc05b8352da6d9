//! The sample requests of a dialect's documentation whose hash can be recomputed, and how a
//! method's declaration takes them.

use std::collections::HashMap;

use serde::Deserialize;
use tollbook_proto::legacy::{Declaration, mor::GLOBAL_ORDER};

use crate::contract::data;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Samples {
    sample: Vec<Sample>,
}

/// A documented request with its hash.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The method's name.
    pub method: String,
    /// The method's name in the URL, where it is an alias.
    pub call: Option<String>,
    /// The parameters without the hash, urlencoded.
    pub send: String,
    /// The text that was hashed before the secret key.
    pub sign: String,
    /// The secret key.
    pub secret: String,
    /// The hash.
    pub hash: String,
    /// How it differs from what its page shows.
    pub note: Option<String>,
    /// Why it does not fit what its page says.
    pub stale: Option<String>,
}

/// The samples of MOR's documentation.
#[must_use]
pub fn mor() -> Vec<Sample> {
    data::<Samples>("mor/samples.toml").sample
}

impl Sample {
    /// The parameters in the order in which they were sent. Of duplicates the last counts.
    fn sent(&self) -> Vec<(String, String)> {
        let url = reqwest::Url::parse(&format!("http://x/?{}", self.send)).unwrap();
        url.query_pairs().into_owned().collect()
    }

    /// Whether what was hashed consists of values that were sent.
    #[must_use]
    pub fn is_of_what_was_sent(&self) -> bool {
        let values: Vec<_> = self.sent().into_iter().map(|(_, value)| value).collect();
        consists_of(&self.sign, &values.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Whether a method takes the hash: what was hashed is what one of its lists of parameters
    /// makes of the request, or the documented one in the order of the request or of MOR's page of
    /// all that is hashed.
    #[must_use]
    pub fn is_taken_by(&self, declaration: &Declaration) -> bool {
        let sent = self.sent();
        let values: HashMap<&str, &str> =
            sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let value = |name: &'static str| {
            let is_filled = |name: &str| values.get(name).is_some_and(|value| !value.is_empty());
            declaration.sent_as(name, is_filled).map_or("", |name| values[name])
        };
        let listed = |names: &[&'static str]| names.iter().map(|name| value(name)).collect();
        let mut documented = declaration.hash.first().copied().unwrap_or_default().to_vec();
        let as_sent = sent.iter().filter_map(|(name, value)| {
            documented.contains(&declaration.canonical(name)).then_some(value.as_str())
        });
        let as_sent = as_sent.collect::<String>();
        documented.sort_by_key(|name| {
            let known = GLOBAL_ORDER.iter().position(|known| known == name);
            known.unwrap_or(usize::MAX)
        });
        let texts = declaration.hash.iter().map(|names| listed(names));
        texts.chain([as_sent, listed(&documented)]).any(|text| text == self.sign)
    }
}

/// Whether a text is made of some of these pieces, each used once.
fn consists_of(text: &str, pieces: &[&str]) -> bool {
    text.is_empty()
        || pieces.iter().enumerate().filter(|(_, piece)| !piece.is_empty()).any(|(at, piece)| {
            let rest = text.strip_prefix(piece);
            let others = [&pieces[..at], &pieces[at + 1..]].concat();
            rest.is_some_and(|rest| consists_of(rest, &others))
        })
}
