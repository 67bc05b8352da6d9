//! Phone numbers as switches and people write them, made into what rates are looked up by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Problem;

/// The longest number that a call may have, in bytes.
const LONGEST: usize = 255;

/// How numbers of a file are made into digits with a country code.
///
/// In this order: a URI gives its user (`sip:+370…@host;user=phone`, `tel:…`, `"A" <sip:…>`);
/// spaces, dashes, dots and brackets go; a technical prefix goes; `+` and the international
/// prefix go; a number without either, and with the national prefix, gets the country code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Numbers {
    /// Prefixes that route a call and are no part of the number (`1234#`, `9`): the longest that
    /// a number begins with is taken away, once.
    pub tech_prefixes: Vec<String>,
    /// What stands for `+`; a number never begins with it else. Default: `00`.
    pub international_prefixes: Vec<String>,
    /// The national prefix (often `0`) and the country code that takes its place; `None`: numbers
    /// have their country code.
    pub national: Option<National>,
}

/// How numbers within the country are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct National {
    /// What they begin with, for example `0`; empty: nothing, so that each number without `+` or
    /// international prefix gets the country code.
    pub prefix: String,
    /// The digits that take its place, for example `370`.
    pub country_code: String,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            tech_prefixes: Vec::new(),
            international_prefixes: vec!["00".to_owned()],
            national: None,
        }
    }
}

impl Numbers {
    /// The number called. What does not begin with a digit after all (`*97`, `s`, `conference`)
    /// is no phone number and kept as it is: no rate will match it.
    ///
    /// # Errors
    /// It is empty, longer than 255 bytes, or begins as a number and goes on as something else:
    /// the rate of what it begins with would be the wrong one.
    pub fn destination(&self, text: &str) -> Result<String, Problem> {
        let number = self.normalize(text);
        let bad = |why| Problem::Destination { text: shown(text), why };
        if has_trunk_zero(text) {
            return Err(bad("has a (0), which some countries dial and others do not"));
        }
        if number.is_empty() {
            return Err(bad("is empty"));
        }
        if number.len() > LONGEST {
            return Err(bad("is too long"));
        }
        if number.chars().any(char::is_control) {
            return Err(bad("has control characters"));
        }
        if number.starts_with(|c: char| c.is_ascii_digit())
            && !number.bytes().all(|byte| byte.is_ascii_digit())
        {
            let why = if number.contains('#') {
                "has a `#`: name the technical prefix before it"
            } else {
                "is not a number"
            };
            return Err(bad(why));
        }
        Ok(number)
    }

    /// The number called, of a call whose connection point says which technical prefix goes before it: what
    /// is before a `#` (`1234#0037061234567`) stays, and only the rest is read as a number.
    ///
    /// # Errors
    /// As of [`Numbers::destination`].
    pub fn destination_at_point(&self, text: &str) -> Result<String, Problem> {
        let dialled = Self::compact(text);
        match dialled.rsplit_once('#') {
            Some((prefix, rest))
                if !rest.is_empty()
                    && prefix.starts_with(|first: char| first.is_ascii_digit())
                    && self.tech_prefix(&dialled).is_none() =>
            {
                let number = format!("{prefix}#{}", self.destination(rest)?);
                match number.len() > LONGEST || prefix.chars().any(char::is_control) {
                    false => Ok(number),
                    true => self.destination(text),
                }
            }
            _ => self.destination(text),
        }
    }

    /// Who is meant by the longest of some prefixes that a number called begins with: with its technical
    /// prefix, where it has one that is taken off and one of these fits so; else as it is rated.
    pub(crate) fn user_by_prefix<'a>(
        &self,
        called: &str,
        users: &'a BTreeMap<String, String>,
    ) -> Option<&'a str> {
        let longest = |number: &str| {
            let fitting = users.iter().filter(|(prefix, _)| number.starts_with(prefix.as_str()));
            fitting.max_by_key(|(prefix, _)| prefix.len()).map(|(_, user)| user.as_str())
        };
        let dialled = Self::compact(called);
        let routed = self.tech_prefix(&dialled).and_then(|_| longest(&dialled));
        routed.or_else(|| longest(&self.normalize(called)))
    }

    /// The number called as it was dialled, without what makes it easier to read.
    pub(crate) fn dialled(text: &str) -> String {
        Self::compact(text)
    }

    /// The calling number. Nothing is billed by it, so that what is no number stays as it is,
    /// without control characters and cut to 255 bytes.
    #[must_use]
    pub fn source(&self, text: &str) -> String {
        let number = self.normalize(text);
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && !has_trunk_zero(text);
        let number = if is_number { number } else { user_of(text).trim().to_owned() };
        cut(&number.chars().filter(|c| !c.is_control()).collect::<String>(), LONGEST).to_owned()
    }

    /// What a text has of a number, without what makes it easier to read.
    fn compact(text: &str) -> String {
        decoded(user_of(text)).chars().filter(|c| !is_filler(*c)).collect()
    }

    /// The longest technical prefix that a number begins with.
    fn tech_prefix(&self, number: &str) -> Option<&str> {
        let prefixes = self.tech_prefixes.iter().map(String::as_str);
        let fitting = prefixes.filter(|prefix| !prefix.is_empty() && number.starts_with(prefix));
        fitting.max_by_key(|prefix| prefix.len())
    }

    fn normalize(&self, text: &str) -> String {
        let compact = Self::compact(text);
        let mut number = compact.as_str();
        if let Some(prefix) = self.tech_prefix(number) {
            number = &number[prefix.len()..];
        }
        if let Some(rest) = number.strip_prefix('+') {
            return rest.to_owned();
        }
        let international = self.international_prefixes.iter().filter(|prefix| !prefix.is_empty());
        if let Some(prefix) =
            international.filter(|p| number.starts_with(p.as_str())).max_by_key(|p| p.len())
        {
            return number[prefix.len()..].to_owned();
        }
        match &self.national {
            Some(National { prefix, country_code })
                if number.starts_with(prefix.as_str())
                    && number.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                format!("{country_code}{}", &number[prefix.len()..])
            }
            _ => number.to_owned(),
        }
    }
}

/// The user of a URI, or the text itself.
fn user_of(text: &str) -> &str {
    let text = text.trim();
    let inner = match (text.rfind('<'), text.ends_with('>')) {
        (Some(start), true) => &text[start + 1..text.len() - 1],
        _ => text,
    };
    let schemes = ["sip:", "sips:", "tel:"];
    let scheme = schemes.iter().find(|scheme| {
        inner.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let user = scheme.map_or(inner, |scheme| &inner[scheme.len()..]);
    // A host, and parameters of the number or of the URI.
    let user = user.split_once('@').map_or(user, |(user, _)| user);
    user.split_once(';').map_or(user, |(user, _)| user)
}

/// `%2B` and `%23`, as URIs write `+` and `#`.
fn decoded(user: &str) -> String {
    if !user.contains('%') {
        return user.to_owned();
    }
    let plus = user.replace("%2B", "+").replace("%2b", "+");
    plus.replace("%23", "#").replace("%20", " ")
}

/// Whether a number goes on with a zero in brackets, as in `+44 (0)7700 900123`: most countries leave
/// it out after the country code, and Italy does not.
fn has_trunk_zero(text: &str) -> bool {
    let number: String = decoded(user_of(text)).chars().filter(|c| !c.is_whitespace()).collect();
    let places = ["(0)", "[0]"].into_iter().flat_map(|zero| number.match_indices(zero));
    places.map(|(at, _)| &number[..at]).any(|before| before.contains(|c: char| c.is_ascii_digit()))
}

/// What people write into numbers to read them more easily.
fn is_filler(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '-' | '.' | '(' | ')' | '[' | ']' | '\u{2010}'..='\u{2015}' | '\u{2212}')
        // Marks of direction, which come with numbers copied from elsewhere.
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{feff}')
}

/// The beginning of a text, at most so many bytes of it.
pub(crate) fn cut(text: &str, longest: usize) -> &str {
    let mut end = text.len().min(longest);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// A text as a message quotes it: not longer than a line.
pub(crate) fn shown(text: &str) -> String {
    let start = cut(text, 60);
    if start.len() == text.len() { text.to_owned() } else { format!("{start}…") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        let numbers = Numbers::default();
        for text in [
            "37061234567",
            "370 612 34567",
            "370-612-34567",
            "+370 (612) 34567",
            "0037061234567",
            "sip:+37061234567@192.0.2.1;user=phone",
            "\"A\" <sip:%2B37061234567@host>",
            "tel:+370-612-34567",
            "37061234567@host",
            "370\u{a0}612\u{2011}34567",
        ] {
            assert_eq!(numbers.destination(text).unwrap(), "37061234567", "{text}");
        }
        for text in ["", "+", "1234#37061234567", "3706x", "37061\u{0}2", "370612/34567"] {
            assert!(numbers.destination(text).is_err(), "{text}");
        }
        // With the zero it is nobody's number, without it that of somebody in Italy is not.
        for text in
            ["+44 (0)7700 900123", "+39 ( 0 ) 6 1234", "0044[0]7700900123", "44(0)7700900123"]
        {
            assert!(numbers.destination(text).is_err(), "{text}");
            assert!(numbers.destination_at_point(text).is_err(), "{text}");
        }
        assert_eq!(numbers.destination("(0)7700 900123").unwrap(), "07700900123");
        assert_eq!(numbers.source("+44 (0)7700 900123"), "+44 (0)7700 900123");
        assert_eq!(numbers.destination("*97").unwrap(), "*97");
        assert_eq!(numbers.destination("s").unwrap(), "s");
        assert_eq!(numbers.source("\"A\" <anonymous@invalid>"), "anonymous");
    }

    #[test]
    fn a_prefix_that_a_point_may_know_stays_before_the_number() {
        let numbers = Numbers::default();
        let dialled = |text| numbers.destination_at_point(text);
        for text in ["1234#37061234567", "1234#0037061234567", "sip:1234%23+370-612-34567@host"] {
            assert_eq!(dialled(text).unwrap(), "1234#37061234567", "{text}");
        }
        assert_eq!(dialled("12#34#370").unwrap(), "12#34#370");
        assert_eq!(dialled("+37061234567").unwrap(), "37061234567");
        for text in ["1234#", "1234#370x", "370x", "", "1\u{0}#370"] {
            assert!(dialled(text).is_err(), "{text}");
        }
        // One that is named is taken off here.
        let named = Numbers { tech_prefixes: vec!["1234#".to_owned()], ..Numbers::default() };
        assert_eq!(named.destination_at_point("1234#37061234567").unwrap(), "37061234567");
    }

    #[test]
    fn the_longest_prefix_says_who_is_meant() {
        let users = [("7788", "a"), ("77", "b"), ("370", "c"), ("3706", "d")];
        let users = users.map(|(prefix, user)| (prefix.to_owned(), user.to_owned())).into();
        let numbers = Numbers { tech_prefixes: vec!["7788".to_owned()], ..Numbers::default() };
        let meant = |number| numbers.user_by_prefix(number, &users);
        assert_eq!(meant("7788 37061234567"), Some("a"), "before the longer one of the number");
        assert_eq!(meant("7700123"), Some("b"));
        assert_eq!(meant("+370 5 1234567"), Some("c"));
        assert_eq!(meant("sip:0037061234567@host"), Some("d"));
        assert_eq!(meant("4412345"), None);
        assert_eq!(meant(""), None);
        // What is dialled within the country is no country's number.
        let national = National { prefix: String::new(), country_code: "44".to_owned() };
        let numbers = Numbers { national: Some(national), ..Numbers::default() };
        assert_eq!(numbers.user_by_prefix("3701234", &users), None);
        assert_eq!(numbers.user_by_prefix("003701234", &users), Some("c"));
    }

    #[test]
    fn prefixes_by_options() {
        let numbers = Numbers {
            tech_prefixes: vec!["1234#".to_owned(), "12".to_owned()],
            international_prefixes: vec!["00".to_owned(), "011".to_owned()],
            national: Some(National { prefix: "0".to_owned(), country_code: "370".to_owned() }),
        };
        assert_eq!(numbers.destination("1234#0037061234567").unwrap(), "37061234567");
        assert_eq!(numbers.destination("061234567").unwrap(), "37061234567");
        assert_eq!(numbers.destination("01137061234567").unwrap(), "37061234567");
        assert_eq!(numbers.destination("+37061234567").unwrap(), "37061234567");
        assert_eq!(numbers.destination("1237061234567").unwrap(), "37061234567".to_owned());
    }
}
