//! The longest-prefix matcher: an immutable trie, a node of 16 bytes per character.
//!
//! A node knows its children by a bitmap over the 64 characters that a prefix may have;
//! the children of a node stand side by side, so that a child's place is the number of
//! bits below its own.

/// The longest prefix there may be.
pub const MAX_PREFIX: usize = 32;

#[derive(Clone, Copy)]
struct Node {
    /// Which characters go on from here.
    children: u64,
    /// Where the first child is.
    first_child: u32,
    /// The value of the prefix that ends here, or [`NO_VALUE`].
    value: u32,
}

const NO_VALUE: u32 = u32::MAX;

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
    /// Builds a matcher of prefixes that are sorted by their bytes, without repetitions, and
    /// all are prefixes as [`is_prefix`] has it. The value of a prefix is its position.
    #[must_use]
    pub(super) fn new(prefixes: &[&str]) -> Self {
        let root = Node { children: 0, first_child: 0, value: NO_VALUE };
        let mut nodes = vec![root];
        // Each node with the prefixes that go through it, breadth first, so that the
        // children of a node come side by side.
        let mut ranges = std::collections::VecDeque::from([(0, 0..prefixes.len(), 0)]);
        while let Some((node, mut range, depth)) = ranges.pop_front() {
            if prefixes.get(range.start).is_some_and(|prefix| prefix.len() == depth)
                && !range.is_empty()
            {
                nodes[node].value = u32::try_from(range.start).unwrap_or(NO_VALUE);
                range.start += 1;
            }
            nodes[node].first_child = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
            // Sorted bytes are sorted symbols only within digits, capitals and small letters:
            // the children are put in the order of their symbols.
            let mut children: Vec<(u32, std::ops::Range<usize>)> = Vec::new();
            for index in range {
                let Some(symbol) = prefixes[index].as_bytes().get(depth).copied().and_then(symbol)
                else {
                    continue;
                };
                match children.last_mut() {
                    Some((last, range)) if *last == symbol => range.end = index + 1,
                    _ => children.push((symbol, index..index + 1)),
                }
            }
            children.sort_by_key(|(symbol, _)| *symbol);
            for (symbol, range) in children {
                nodes[node].children |= 1 << symbol;
                ranges.push_back((nodes.len(), range, depth + 1));
                nodes.push(root);
            }
        }
        nodes.shrink_to_fit();
        Self { nodes }
    }

    /// The prefixes of a number.
    #[must_use]
    pub(super) fn matches(&self, number: &str) -> Matches {
        let mut matches = Matches { found: [(0, 0); MAX_PREFIX], count: 0 };
        let mut node = self.nodes[0];
        for (length, byte) in (1_u8..).zip(number.bytes().take(MAX_PREFIX)) {
            let Some(symbol) = symbol(byte) else { break };
            let bit = 1_u64 << symbol;
            if node.children & bit == 0 {
                break;
            }
            let below = (node.children & (bit - 1)).count_ones();
            node = self.nodes[(node.first_child + below) as usize];
            if node.value != NO_VALUE {
                matches.found[matches.count] = (length, node.value);
                matches.count += 1;
            }
        }
        matches
    }

    /// Bytes that it takes.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_and_signs_are_prefixes_too() {
        let prefixes = ["#1", "*", "370", "3706", "A370", "a"];
        let matcher = Matcher::new(&prefixes);
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
            let matcher = Matcher::new(&prefixes);
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
            }
        }
    }
}
