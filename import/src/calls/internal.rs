//! Numbers within a switch: extensions, voice mail, queues. Calls to them cost nobody anything, and no
//! tariff has them.

/// Which numbers called are internal, as they were dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Internal {
    /// Numbers and patterns of them.
    patterns: Vec<String>,
    /// Numbers that have fewer digits; 0: none has.
    shorter_than: usize,
}

/// What is no pattern of numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no internal number: it is of digits, of x for any digit, of *, # and other letters"
)]
pub struct NotAPattern(pub String);

impl Internal {
    /// Numbers and patterns in which `x` stands for any digit, and how many digits make a number that is not
    /// internal.
    ///
    /// # Errors
    /// A pattern is none.
    pub fn new(patterns: &[String], shorter_than: usize) -> Result<Self, NotAPattern> {
        if let Some(bad) = patterns.iter().find(|pattern| !Self::is_pattern(pattern)) {
            return Err(NotAPattern(bad.clone()));
        }
        let patterns = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
        Ok(Self { patterns, shorter_than })
    }

    /// Whether a text is a number or a pattern of some: `1xx`, `*97`, `s`.
    #[must_use]
    pub fn is_pattern(text: &str) -> bool {
        (1..=32).contains(&text.len())
            && text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '*' | '#'))
    }

    /// Whether a number is internal, without what makes it easier to read.
    pub(crate) fn has(&self, dialled: &str) -> bool {
        if dialled.is_empty() {
            return false;
        }
        let is_short = dialled.len() < self.shorter_than
            && dialled.chars().all(|char| char.is_ascii_digit() || matches!(char, '*' | '#'));
        is_short || self.patterns.iter().any(|pattern| fits(pattern, dialled))
    }
}

fn fits(pattern: &str, number: &str) -> bool {
    let fits = |(pattern, char): (char, char)| match pattern {
        'x' => char.is_ascii_digit(),
        other => char.to_ascii_lowercase() == other,
    };
    pattern.len() == number.len() && pattern.chars().zip(number.chars()).all(fits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_have_as_many_digits_as_numbers() {
        let patterns = ["1xx", "2XXX", "*97", "s"].map(str::to_owned);
        let internal = Internal::new(&patterns, 0).unwrap();
        for number in ["100", "199", "2000", "*97", "s", "S"] {
            assert!(internal.has(number), "{number}");
        }
        for number in ["", "1", "1000", "200", "20000", "37061234567", "*98", "1x0", "+199"] {
            assert!(!internal.has(number), "{number}");
        }
    }

    #[test]
    fn short_numbers_are_of_digits() {
        let internal = Internal::new(&[], 4).unwrap();
        for number in ["1", "112", "*97"] {
            assert!(internal.has(number), "{number}");
        }
        for number in ["", "1000", "s", "+12", "abc"] {
            assert!(!internal.has(number), "{number}");
        }
        assert!(!Internal::default().has("1"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "1-9", "100-199", "1 2", "+370", "1.", "ä", &"1".repeat(33)] {
            assert_eq!(Internal::new(&[bad.to_owned()], 0), Err(NotAPattern(bad.to_owned())));
        }
    }
}
