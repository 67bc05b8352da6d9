//! A pool's numbers in memory: sorted, side by side, searched character by character.

use std::ops::Range;

/// The numbers and patterns of a pool.
pub struct Patterns {
    /// All of them, one behind the other.
    text: String,
    /// Where each begins, in the order of their bytes, and the end.
    starts: Vec<u32>,
}

impl Patterns {
    /// Takes numbers as they are stored, in any order.
    #[must_use]
    pub fn new(mut numbers: Vec<String>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        let mut text = String::with_capacity(numbers.iter().map(String::len).sum());
        let mut starts = Vec::with_capacity(numbers.len() + 1);
        for number in &numbers {
            starts.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
            text.push_str(number);
        }
        starts.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        Self { text, starts }
    }

    /// Whether one of them describes a number.
    #[must_use]
    pub fn contain(&self, number: &str) -> bool {
        self.matches(0..self.starts.len() - 1, number.as_bytes(), 0)
    }

    fn pattern(&self, index: usize) -> &[u8] {
        &self.text.as_bytes()[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// Whether one of a range describes the number; all of the range begin with what its first
    /// `depth` characters are described by.
    fn matches(&self, range: Range<usize>, number: &[u8], depth: usize) -> bool {
        if range.is_empty() {
            return false;
        }
        // Ends come before continuations.
        if depth == number.len() && self.pattern(range.start).len() == depth {
            return true;
        }
        if !self.continued(&range, depth, b'%').is_empty() {
            return true;
        }
        let Some(byte) = number.get(depth) else { return false };
        self.matches(self.continued(&range, depth, *byte), number, depth + 1)
            || self.matches(self.continued(&range, depth, b'_'), number, depth + 1)
    }

    /// Those of a range that go on with a byte.
    fn continued(&self, range: &Range<usize>, depth: usize, byte: u8) -> Range<usize> {
        let first = self.first(range.clone(), |next| next >= Some(byte), depth);
        let behind = self.first(first..range.end, |next| next > Some(byte), depth);
        first..behind
    }

    /// The first of a range whose next byte is far enough.
    fn first(
        &self,
        range: Range<usize>,
        far_enough: impl Fn(Option<u8>) -> bool,
        depth: usize,
    ) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if far_enough(self.pattern(middle).get(depth).copied()) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linear;

    /// Whether a pattern describes a number, looked at character by character.
    fn describes(pattern: &str, number: &str) -> bool {
        match (pattern.chars().next(), number.chars().next()) {
            (Some('%'), _) | (None, None) => true,
            (Some(expected), Some(given)) if expected == '_' || expected == given => {
                describes(&pattern[1..], &number[1..])
            }
            _ => false,
        }
    }

    #[test]
    fn numbers_beginnings_and_wildcards() {
        let patterns = ["370", "44%", "_14", "49_5%", "+1%"].map(str::to_owned).to_vec();
        let patterns = Patterns::new(patterns);
        for (number, expected) in [
            ("370", true),
            ("3706", false),
            ("37", false),
            ("44", true),
            ("447", true),
            ("4", false),
            ("914", true),
            ("14", false),
            ("4915", true),
            ("49155", true),
            ("4916", false),
            ("+1555", true),
            ("", false),
        ] {
            assert_eq!(patterns.contain(number), expected, "{number}");
        }
        assert!(!Patterns::new(Vec::new()).contain("1"));
    }

    #[test]
    fn f14_patterns_that_all_fit_are_looked_at_once() {
        linear::assert(
            "patterns",
            1 << 10,
            // Every wildcard that there is, so that each character has two ways to go on.
            |count| {
                let pattern = |index: usize| {
                    let choices = (0..12).map(|bit| if index >> bit & 1 == 1 { '_' } else { '1' });
                    choices.chain("2".chars()).collect()
                };
                Patterns::new((0..count).map(pattern).collect())
            },
            |patterns| assert!(!patterns.contain("1111111111113")),
        );
    }

    proptest! {
        #[test]
        fn as_each_pattern_alone_would_say(
            patterns in prop::collection::vec("[12_]{1,4}%?", 0..12),
            numbers in prop::collection::vec("[123]{0,6}", 1..20),
        ) {
            let compiled = Patterns::new(patterns.clone());
            for number in &numbers {
                let expected = patterns.iter().any(|pattern| describes(pattern, number));
                prop_assert_eq!(compiled.contain(number), expected, "{} in {:?}", number, patterns);
            }
        }
    }
}
