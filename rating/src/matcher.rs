//! The longest-prefix matcher: an immutable trie, a node of 16 bytes per fork or end.
//!
//! An inner node knows its children by a bitmap over the 64 characters that a prefix may
//! have; the children of a node stand side by side, so that a child's place is the number
//! of bits below its own. Where only one prefix goes on, a leaf holds the rest of it. What
//! a look-up costs is memory that is not in a cache: a few nodes, however long the number.

use std::{collections::VecDeque, ops::Range};

/// The longest prefix there may be.
pub const MAX_PREFIX: usize = 32;

#[derive(Clone, Copy)]
struct Node {
    /// Of an inner node: which characters go on from here. Of a leaf: its [`Tail`].
    forks: u64,
    /// Where the first child is, or [`LEAF`].
    first_child: u32,
    /// The value of the prefix that ends here, or [`NO_VALUE`].
    value: u32,
}

const LEAF: u32 = u32::MAX;
const NO_VALUE: u32 = u32::MAX;

/// The rest of a prefix: six bits per character, the first lowest, and the length in the
/// upper four.
#[derive(Clone, Copy)]
struct Tail(u64);

impl Tail {
    /// What fits beside the length.
    const MAX: usize = 10;

    fn new(rest: &[u8]) -> Option<Self> {
        if rest.len() > Self::MAX {
            return None;
        }
        let packed = rest
            .iter()
            .rev()
            .try_fold(0, |packed, byte| Some(packed << 6 | u64::from(symbol(*byte)?)));
        Some(Self(packed? | (rest.len() as u64) << 60))
    }

    fn len(self) -> usize {
        (self.0 >> 60) as usize
    }

    fn starts(self, rest: &[u8]) -> bool {
        let mut packed = self.0;
        rest.len() >= self.len()
            && rest[..self.len()].iter().all(|byte| {
                let fits = symbol(*byte).map(u64::from) == Some(packed & 63);
                packed >>= 6;
                fits
            })
    }
}

/// Prefixes with their values, sorted by their bytes, each once: in one text, since they may be
/// millions.
#[derive(Default)]
pub(super) struct Prefixes {
    text: String,
    /// Where each ends, and its value.
    ends: Vec<(usize, u32)>,
}

impl Prefixes {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn last(&self) -> Option<&str> {
        Some(self.get(self.len().checked_sub(1)?))
    }

    pub(super) fn push(&mut self, prefix: &str, value: u32) {
        self.text.push_str(prefix);
        self.ends.push((self.text.len(), value));
    }

    fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.text[start..self.ends[index].0]
    }

    fn value(&self, index: usize) -> u32 {
        self.ends[index].1
    }
}

/// Finds the prefixes of a number.
pub(super) struct Matcher {
    nodes: Vec<Node>,
}

/// The prefixes of a number that have a value, shortest first.
pub(super) struct Matches {
    found: [(u8, u32); MAX_PREFIX],
    count: usize,
}

impl Matches {
    fn push(&mut self, length: usize, value: u32) {
        // Lengths are below MAX_PREFIX + 1, and each comes once.
        self.found[self.count] = (u8::try_from(length).unwrap_or(u8::MAX), value);
        self.count += 1;
    }

    /// Length and value of each, longest first.
    pub(super) fn longest_first(&self) -> impl Iterator<Item = (usize, u32)> {
        self.found[..self.count].iter().rev().map(|(length, value)| (usize::from(*length), *value))
    }
}

/// Whether a text can be a prefix: 1 to 32 letters, digits, `*` or `#`.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    (1..=MAX_PREFIX).contains(&text.len()) && text.bytes().all(|byte| symbol(byte).is_some())
}

/// The number of a character, 0 to 63.
fn symbol(byte: u8) -> Option<u32> {
    let number = match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'Z' => byte - b'A' + 10,
        b'a'..=b'z' => byte - b'a' + 36,
        b'*' => 62,
        b'#' => 63,
        _ => return None,
    };
    Some(u32::from(number))
}

impl Matcher {
    /// Builds a matcher of prefixes with their values. All are prefixes as [`is_prefix`] has it.
    pub(super) fn new(prefixes: &Prefixes) -> Self {
        let empty = Node { forks: 0, first_child: 0, value: NO_VALUE };
        let mut nodes = vec![empty];
        // Each node with the prefixes that go through it, breadth first, so that the
        // children of a node come side by side.
        let mut open = VecDeque::from([(0, 0..prefixes.len(), 0)]);
        while let Some((node, mut range, depth)) = open.pop_front() {
            if range.len() == 1
                && let Some(tail) = Tail::new(&prefixes.get(range.start).as_bytes()[depth..])
            {
                let value = prefixes.value(range.start);
                nodes[node] = Node { forks: tail.0, first_child: LEAF, value };
                continue;
            }
            if !range.is_empty() && prefixes.get(range.start).len() == depth {
                nodes[node].value = prefixes.value(range.start);
                range.start += 1;
            }
            nodes[node].first_child = u32::try_from(nodes.len()).unwrap_or(LEAF);
            for (symbol, range) in forks(prefixes, range, depth) {
                nodes[node].forks |= 1 << symbol;
                open.push_back((nodes.len(), range, depth + 1));
                nodes.push(empty);
            }
        }
        nodes.shrink_to_fit();
        Self { nodes }
    }

    /// The longest prefix of a number: its length and its value.
    pub(super) fn longest(&self, number: &str) -> Option<(usize, u32)> {
        let mut longest = None;
        self.walk(number, |length, value| longest = Some((length, value)));
        longest
    }

    /// All prefixes of a number.
    pub(super) fn matches(&self, number: &str) -> Matches {
        let mut matches = Matches { found: [(0, 0); MAX_PREFIX], count: 0 };
        self.walk(number, |length, value| matches.push(length, value));
        matches
    }

    /// Visits the prefixes of a number, shortest first.
    fn walk(&self, number: &str, mut visit: impl FnMut(usize, u32)) {
        let number = number.as_bytes();
        let mut node = self.nodes[0];
        for depth in 0..=number.len().min(MAX_PREFIX) {
            if node.first_child == LEAF {
                let tail = Tail(node.forks);
                if tail.starts(&number[depth..]) {
                    visit(depth + tail.len(), node.value);
                }
                return;
            }
            if node.value != NO_VALUE {
                visit(depth, node.value);
            }
            let Some(symbol) = number.get(depth).copied().and_then(symbol) else { return };
            let bit = 1_u64 << symbol;
            if node.forks & bit == 0 {
                return;
            }
            let below = (node.forks & (bit - 1)).count_ones();
            node = self.nodes[(node.first_child + below) as usize];
        }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }
}

/// The characters that go on behind `depth`, in the order of their symbols, with the
/// prefixes that have them.
fn forks(prefixes: &Prefixes, range: Range<usize>, depth: usize) -> Vec<(u32, Range<usize>)> {
    let mut forks: Vec<(u32, Range<usize>)> = Vec::new();
    for index in range {
        let byte = prefixes.get(index).as_bytes().get(depth).copied();
        let Some(symbol) = byte.and_then(symbol) else { continue };
        match forks.last_mut() {
            Some((last, range)) if *last == symbol => range.end = index + 1,
            _ => forks.push((symbol, index..index + 1)),
        }
    }
    // Bytes and symbols are in the same order within digits, capitals and small letters only.
    forks.sort_by_key(|(symbol, _)| *symbol);
    forks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The value of a prefix is its position.
    fn matcher(prefixes: &[&str]) -> Matcher {
        let mut numbered = Prefixes::default();
        for (prefix, number) in prefixes.iter().zip(0..) {
            numbered.push(prefix, number);
        }
        Matcher::new(&numbered)
    }

    #[test]
    fn a_tail_that_does_not_fit_a_leaf_is_spread_over_nodes() {
        let long = "12345678901234567890123456789012";
        let matcher = matcher(&["1234", long]);
        let found = |number: &str| matcher.matches(number).longest_first().collect::<Vec<_>>();
        assert_eq!(found(&format!("{long}99")), [(32, 1), (4, 0)]);
        assert_eq!(found(&long[..31]), [(4, 0)]);
    }

    #[test]
    fn letters_and_signs_are_prefixes_too() {
        let prefixes = ["#1", "*", "370", "3706", "A370", "a"];
        let matcher = matcher(&prefixes);
        let longest = |number: &str| {
            matcher
                .matches(number)
                .longest_first()
                .next()
                .map(|(_, value)| prefixes[value as usize])
        };
        for (number, prefix) in [
            ("37061234", Some("3706")),
            ("37051234", Some("370")),
            ("A3701", Some("A370")),
            ("a3701", Some("a")),
            ("#12", Some("#1")),
            ("#2", None),
            ("*", Some("*")),
            ("", None),
            ("37", None),
            ("370é", Some("370")),
        ] {
            assert_eq!(longest(number), prefix, "{number}");
        }
    }

    proptest! {
        #[test]
        fn equals_a_naive_search(
            prefixes in prop::collection::btree_set("[0-3A-Ca-c*#]{1,6}", 0..60),
            numbers in prop::collection::vec("[0-3A-Ca-c*#. ]{0,10}", 1..40),
        ) {
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let matcher = matcher(&prefixes);
            for number in &numbers {
                let found: Vec<&str> = matcher.matches(number).longest_first()
                    .map(|(length, value)| {
                        assert_eq!(prefixes[value as usize].len(), length);
                        prefixes[value as usize]
                    })
                    .collect();
                let mut naive: Vec<&str> =
                    prefixes.iter().copied().filter(|prefix| number.starts_with(prefix)).collect();
                naive.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
                prop_assert_eq!(&found, &naive, "{}", number);
                let longest = matcher.longest(number).map(|(_, value)| prefixes[value as usize]);
                prop_assert_eq!(longest, naive.first().copied(), "{}", number);
            }
        }
    }
}
