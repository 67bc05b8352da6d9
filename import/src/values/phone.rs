//! Phone numbers.

use super::{ValueError, cell, quote};

/// A number as it was dialled or sent, without what people and protocols put around it: spaces,
/// dashes, points, brackets, `+`, `sip:`, `tel:`, the host and parameters of an address. Letters,
/// digits, `*` and `#` stay; prefixes of access and carriers stay too, since only the operator
/// knows them. Empty if the cell is.
pub fn phone_number(text: &str) -> Result<String, ValueError> {
    let whole = cell(text);
    let mut rest = whole.trim_matches(['<', '>']);
    for scheme in ["sip:", "sips:", "tel:"] {
        let has = rest.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if has {
            rest = &rest[scheme.len()..];
            break;
        }
    }
    rest = rest.split('@').next().unwrap_or_default();
    rest = rest.split(';').next().unwrap_or_default();
    let mut number = String::with_capacity(rest.len());
    for (index, c) in rest.chars().enumerate() {
        match c {
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '*' | '#' | '_' => number.push(c),
            '+' if index == 0 => {}
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' => {}
            _ => return Err(ValueError::NoPhone(quote(whole))),
        }
    }
    if number.is_empty() && !whole.is_empty() || number.len() > 128 {
        return Err(ValueError::NoPhone(quote(whole)));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_and_protocols_write_them() {
        for (text, number) in [
            ("370 612 34567", "37061234567"),
            ("370-612-34567", "37061234567"),
            ("+370 (612) 34567", "37061234567"),
            ("sip:37061234567@10.0.0.1;user=phone", "37061234567"),
            ("tel:+37061234567", "37061234567"),
            ("00#37061234567", "00#37061234567"),
            ("", ""),
        ] {
            assert_eq!(phone_number(text).as_deref(), Ok(number), "{text}");
        }
        for text in ["1;x'\"", "a\u{fffd}b", "37+0", "--", "é"] {
            let number = phone_number(text);
            assert!(number.is_err() || number.as_deref() == Ok("1"), "{text} {number:?}");
        }
    }
}
