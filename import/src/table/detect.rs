//! Which character separates the columns.

use crate::table::normalised;

const SEPARATORS: [u8; 4] = [b'\t', b';', b'|', b','];
/// How many lines are looked at.
const LINES: usize = 100;

/// The separator of these lines. The one with which a line names most columns that are known; else
/// the one that most lines have in the same number. What is in quotes does not count.
pub(super) fn separator(lines: &[&str], known: &dyn Fn(&str) -> bool) -> u8 {
    let lines: Vec<&str> =
        lines.iter().copied().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    let named = SEPARATORS
        .into_iter()
        .map(|separator| {
            let names = |line: &&str| cells(line, separator).filter(|cell| known(cell)).count();
            (lines.iter().map(names).max().unwrap_or_default(), separator)
        })
        .fold((1, None), |best, (names, separator)| match best {
            (most, _) if names > most => (names, Some(separator)),
            best => best,
        });
    named.1.unwrap_or_else(|| most_regular(&lines))
}

fn cells(line: &str, separator: u8) -> impl Iterator<Item = String> {
    line.split(char::from(separator))
        .map(|cell| normalised(cell.trim_matches(['"', ' ', '\u{feff}'])))
}

fn most_regular(lines: &[&str]) -> u8 {
    let mut best = (0, b',');
    for separator in SEPARATORS {
        let mut counts: Vec<_> = lines.iter().map(|line| count(line, separator)).collect();
        counts.retain(|count| *count > 0);
        counts.sort_unstable();
        let regular = counts.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap_or(0);
        // Decimal commas are as regular as the semicolons beside them.
        if regular > best.0 {
            best = (regular, separator);
        }
    }
    best.1
}

fn count(line: &str, separator: u8) -> usize {
    let mut quoted = false;
    let bytes = line.bytes().filter(|byte| {
        quoted ^= *byte == b'"';
        *byte == separator && !quoted
    });
    bytes.count()
}
