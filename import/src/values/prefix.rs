//! Prefixes of phone numbers.

use super::{ValueError, cell, moment, quote};

/// The prefixes of one cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Each prefix, once, in the order of the cell.
    pub prefixes: Vec<String>,
    /// `00` of international dialling was dropped: no number arrives with it.
    pub dialled: bool,
    /// `x` or `*` at the end, for any digit, was dropped.
    pub wildcard: bool,
}

/// The longest prefix.
const LONGEST: usize = 32;

/// One prefix: `370`, `+370`, `371 2`, `374-91`, `'373`, `(370) 6`, `370.0` of a spreadsheet.
/// `00370` is `370` and `370xxx` is `370`, which [`prefixes`] notes.
pub fn prefix(text: &str) -> Result<String, ValueError> {
    one(cell(text)).map(|one| one.prefix).ok_or_else(|| ValueError::NoPrefix(quote(text)))
}

/// The prefixes of a cell: a list (`,`, `;`, `|`, `/` or new lines between them) of prefixes and
/// ranges (`7901-7905`); at most `limit` of them.
///
/// Two numbers with a dash between them are a range if they have as many digits and the second is
/// larger: `7901-7905`, `76-77`. With fewer digits behind the dash they are one prefix if the
/// first is a country code (`374-91`), and refused else: `7901-05` could be either. So are equally
/// long ones without the same beginning, as `370-645`; lists of which only the first has the
/// country code (`37060, 61`); and numbers with spaces between them that could be several.
pub fn prefixes(text: &str, limit: usize) -> Result<Prefixes, ValueError> {
    let (found, written) = list(text, limit, true)?;
    if !is_plain_list(cell(text), &written) {
        return Err(ValueError::AmbiguousPrefix(quote(cell(text))));
    }
    Ok(found)
}

/// The area codes of a cell, as [`prefixes`]; but numbers of equal length with a dash between them
/// are always a range, since none is a country code.
pub fn area_codes(text: &str, limit: usize) -> Result<Prefixes, ValueError> {
    list(text, limit, false).map(|(found, _)| found)
}

/// The prefixes of a list, and the first number of each of its items as written.
fn list(
    text: &str,
    limit: usize,
    with_country: bool,
) -> Result<(Prefixes, Vec<String>), ValueError> {
    let text = cell(text);
    // What a spreadsheet made of `7-10`.
    let is_date = || !matches!(moment(text, None), Err(ValueError::NoTime(_)));
    let parts = text.split(['-', '/']);
    let lengths: Vec<usize> = parts.map(str::len).take(4).collect();
    if lengths == [4, 2, 2] || lengths.len() == 3 && lengths.contains(&4) && is_date() {
        return Err(ValueError::NoPrefix(quote(text)));
    }
    let mut written = Vec::new();
    let mut found = Prefixes::default();
    let mut seen = std::collections::HashSet::new();
    for item in text.split([',', ';', '|', '/', '\n', '\r']).map(str::trim) {
        if item.is_empty() {
            continue;
        }
        let (first, prefixes) = item_of(item, limit, with_country, &mut found)?;
        written.push(first);
        for prefix in prefixes {
            if seen.insert(prefix.clone()) {
                found.prefixes.push(prefix);
            }
            if found.prefixes.len() > limit {
                return Err(ValueError::TooManyPrefixes(quote(text)));
            }
        }
    }
    if found.prefixes.is_empty() {
        return Err(ValueError::NoPrefix(quote(text)));
    }
    Ok((found, written))
}

/// Whether each of several prefixes is whole: none is what follows the first digits of another,
/// and no comma separates thousands.
fn is_plain_list(text: &str, prefixes: &[String]) -> bool {
    let [first, others @ ..] = prefixes else { return true };
    let same =
        |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let whole = |other: &String| {
        let shorter = first.len().saturating_sub(other.len());
        same(other) >= shorter.min(2).min(other.len())
    };
    let commas_alone = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let groups = text.split(',').skip(1).all(|group| group.len() == 3);
    let thousands = commas_alone && groups && text.find(',').is_some_and(|at| at <= 3);
    let siblings = |other: &String| other.len() == first.len() && same(other) + 1 >= first.len();
    others.iter().all(whole) && (!thousands || others.iter().all(siblings))
}

/// The first number of an item of a list, and all its prefixes.
fn item_of(
    item: &str,
    limit: usize,
    with_country: bool,
    notes: &mut Prefixes,
) -> Result<(String, Vec<String>), ValueError> {
    let ambiguous = || ValueError::AmbiguousPrefix(quote(item));
    let dash = |c: char| matches!(c, '-' | '–' | '—' | '…');
    let sides = item.split_once(dash).or_else(|| item.split_once(".."));
    let range = sides.map(|(from, to)| (cell(from), cell(to.trim_start_matches('.'))));
    if let Some((from, to)) = range.filter(|(from, to)| digits(from) && digits(to)) {
        let (from, to) = (plain(from), plain(to));
        let country = with_country && (1..=3).contains(&from.len());
        if from.len() == to.len() && from <= to {
            let same = from.bytes().zip(to.bytes()).take_while(|(a, b)| a == b).count();
            if country && (from.len() < 2 || same + 1 < from.len()) {
                return Err(ambiguous());
            }
            let range = range_of(&from, &to, limit);
            let range = range.ok_or_else(|| ValueError::TooManyPrefixes(quote(item)))?;
            return Ok((from, range));
        }
        if !country && to.len() <= from.len() {
            return Err(ambiguous());
        }
    }
    // Of `44 (0)20` some countries dial the zero behind their code, and others do not.
    let zero = item.find("(0)").is_some_and(|at| item[..at].contains(|c: char| c.is_ascii_digit()));
    if zero || spaced_list(item) {
        return Err(ambiguous());
    }
    let one = one(item).ok_or_else(|| ValueError::NoPrefix(quote(item)))?;
    notes.dialled |= one.dialled;
    notes.wildcard |= one.wildcard;
    Ok((one.prefix.clone(), vec![one.prefix]))
}

/// Whether numbers with spaces between them could be several: no number has more than 15 digits,
/// and after a country code comes no number that begins with it and is as long.
fn spaced_list(item: &str) -> bool {
    let mut words = item.split_whitespace();
    let Some(first) = words.next() else { return false };
    let similar = |word: &str| {
        first.len() >= 3 && word.len() >= first.len() && word.get(..2) == first.get(..2)
    };
    let several = words.clone().next().is_some();
    let count = item.bytes().filter(u8::is_ascii_digit).count();
    several && (count > 15 || words.any(similar))
}

struct One {
    prefix: String,
    dialled: bool,
    wildcard: bool,
}

fn digits(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    !text.is_empty()
        && text.len() <= LONGEST
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
}

fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn one(text: &str) -> Option<One> {
    let text = cell(text);
    let rest = text.strip_prefix('+').unwrap_or(text);
    // A spreadsheet's whole number.
    let rest = match rest.split_once('.') {
        Some((whole, "0" | "00")) => whole,
        _ => rest,
    };
    let mut prefix = String::with_capacity(rest.len());
    let (mut spaced, mut open) = (false, false);
    for c in rest.chars() {
        match c {
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '*' | '#' => prefix.push(c),
            ' ' | '-' | '\u{a0}' | '–' => spaced = true,
            '(' if !open => open = true,
            ')' if open => open = false,
            _ => return None,
        }
        if prefix.len() > 2 * LONGEST {
            return None;
        }
    }
    let bare = prefix.trim_end_matches(['x', 'X', '*']);
    let wildcard = bare.len() < prefix.len()
        && !bare.is_empty()
        && bare.bytes().all(|byte| byte.is_ascii_digit());
    if wildcard {
        prefix.truncate(bare.len());
    }
    let numeric = prefix.bytes().all(|byte| byte.is_ascii_digit());
    let dialled = numeric && prefix.len() > 2 && prefix.starts_with("00");
    if dialled {
        prefix.drain(..2);
    }
    // A country code does not begin with 0; what is left is a national number.
    let usable = (1..=LONGEST).contains(&prefix.len())
        && prefix != "00"
        && !(dialled && prefix.starts_with('0'));
    // `1E+05` and words such as "Total" are no prefixes.
    let letters = prefix.bytes().filter(u8::is_ascii_alphabetic).count();
    // Before a number letters route a call; in it, or one that looks like a digit, they are slips.
    let is_slip = prefix.starts_with(|c: char| c.is_ascii_digit())
        || letters == 1 && prefix.starts_with(['O', 'o', 'I', 'l']);
    let routes = !is_slip && !spaced && letters < prefix.len() && !text.contains('+');
    let plausible = letters == 0 || routes;
    (usable && plausible && !open).then_some(One { prefix, dialled, wildcard })
}

/// The prefixes of a range, or, if these are more than the limit, the fewest that cover it.
fn range_of(from: &str, to: &str, limit: usize) -> Option<Vec<String>> {
    let (first, last) = (from.parse::<u128>().ok()?, to.parse::<u128>().ok()?);
    let width = from.len();
    let count = last - first + 1;
    if count <= limit as u128 && count <= 1000 {
        return Some((first..=last).map(|number| format!("{number:0width$}")).collect());
    }
    // Runs of ten are one shorter prefix.
    let mut prefixes = Vec::new();
    let (mut next, mut left) = (first, count);
    while left > 0 {
        let mut digits = width;
        let mut size = 1;
        while digits > 1 && next % (size * 10) == 0 && size * 10 <= left {
            size *= 10;
            digits -= 1;
        }
        prefixes.push(format!("{:0digits$}", next / size));
        if prefixes.len() > limit {
            return None;
        }
        (next, left) = (next + size, left - size);
    }
    Some(prefixes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, ValueError> {
        prefixes(text, 1000).map(|found| found.prefixes)
    }

    #[test]
    fn prefixes_as_people_write_them() {
        for (text, value) in [
            ("370", "370"),
            ("+370", "370"),
            ("371 2", "3712"),
            ("374-91", "37491"),
            ("'373", "373"),
            ("(370) 6", "3706"),
            ("370.0", "370"),
            ("370-60", "37060"),
            ("1-204-555", "1204555"),
            ("00372", "372"),
            ("7901xxx", "7901"),
            ("370XXX", "370"),
            ("370*", "370"),
            ("*67", "*67"),
            ("99#370", "99#370"),
            ("1-204", "1204"),
        ] {
            assert_eq!(prefix(text).as_deref(), Ok(value), "{text}");
            assert_eq!(read(text), Ok(vec![value.to_owned()]), "{text}");
        }
        for text in [
            "",
            "+",
            "Total",
            "x",
            "37.5",
            "3.7E+10",
            "00",
            "000370",
            "é",
            "370_6",
            "2026-10-07",
            "07/10/2026",
            "76 and 77",
            "7 (901, 902)",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let notes = prefixes("00372, 7901xxx", 10).unwrap();
        assert!(notes.dialled && notes.wildcard);
    }

    #[test]
    fn lists_and_ranges() {
        assert_eq!(read("7901-7905, 7908").unwrap().join(" "), "7901 7902 7903 7904 7905 7908");
        assert_eq!(read("76; 77").unwrap().join(" "), "76 77");
        assert_eq!(read("76-77").unwrap().join(" "), "76 77");
        assert_eq!(read("37060, 37061, 37060").unwrap().join(" "), "37060 37061");
        assert_eq!(read("0998..1001").unwrap().join(" "), "0998 0999 1000 1001");
        assert_eq!(read("76/77").unwrap().join(" "), "76 77");
        assert_eq!(read("376,377").unwrap().join(" "), "376 377");
        assert_eq!(read("39066, 3906, 3").unwrap().join(" "), "39066 3906 3");
        for text in [
            "7901-05",
            "370-645",
            "1-7",
            "7905-7901",
            "37060, 61, 62",
            "7901, 02",
            "1809, 829",
            "1,204",
            "37,060",
            "370,612",
            "37060 37061",
            "370/60",
            "1234567 12345678 123",
            "44 (0)20",
            "+44(0)20",
        ] {
            assert!(
                matches!(read(text), Err(ValueError::AmbiguousPrefix(_))),
                "{text} {:?}",
                read(text)
            );
        }
    }

    #[test]
    fn wide_ranges_become_short_prefixes() {
        assert_eq!(read("37060000-37069999").unwrap(), ["3706"]);
        assert_eq!(read("20000000, 10000000-19999999").unwrap(), ["20000000", "1"]);
        assert_eq!(area_codes("1-3, 60", 10).unwrap().prefixes, ["1", "2", "3", "60"]);
        let many = prefixes("10000001-99999998", 10);
        assert!(matches!(many, Err(ValueError::TooManyPrefixes(_))));
    }
}
