//! Numbers and amounts.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{ValueError, cell, quote};

/// Which characters separate decimals and thousands. `None`: it is found out cell by cell, and
/// what can be read in two ways is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberFormat {
    /// `.` or `,`.
    pub decimal: Option<char>,
    /// `,`, `.`, `'` or a space.
    pub thousands: Option<char>,
}

/// An amount, and the currency that stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// The amount.
    pub amount: Decimal,
    /// The sign or code as written (`$`, `EUR`); `None` if there is none.
    pub currency: Option<String>,
}

/// Signs of currencies, and the code of each that has no second meaning.
const SIGNS: [(&str, &str); 20] = [
    ("US$", "USD"),
    ("€", "EUR"),
    ("£", "GBP"),
    ("₽", "RUB"),
    ("₹", "INR"),
    ("₺", "TRY"),
    ("₴", "UAH"),
    ("₸", "KZT"),
    ("₪", "ILS"),
    ("₩", "KRW"),
    ("zł", "PLN"),
    ("Kč", "CZK"),
    ("Ft", "HUF"),
    ("lei", "RON"),
    ("R$", "BRL"),
    ("$", "$"),
    ("¥", "¥"),
    ("kr", "kr"),
    ("kr.", "kr"),
    ("Fr.", "CHF"),
];

/// Signs of several currencies, and their codes.
const SHARED: [(&str, &[&str]); 3] = [
    ("$", &["USD", "AUD", "CAD", "NZD", "SGD", "HKD", "MXN", "ARS"]),
    ("¥", &["JPY", "CNY"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
];

/// Codes of currencies, in small letters, by which words are told from them.
pub(crate) const CURRENCIES: [&str; 46] = [
    "usd", "eur", "gbp", "chf", "sek", "nok", "dkk", "pln", "czk", "huf", "ron", "bgn", "rub",
    "uah", "byn", "kzt", "try", "ils", "aed", "sar", "inr", "pkr", "bdt", "lkr", "cny", "hkd",
    "jpy", "krw", "sgd", "myr", "thb", "idr", "vnd", "php", "aud", "nzd", "cad", "mxn", "brl",
    "ars", "clp", "cop", "zar", "ngn", "kes", "egp",
];

impl Money {
    /// Whether what is written beside the amount can be the currency `code`. True if nothing is.
    #[must_use]
    pub fn can_be(&self, code: &str) -> bool {
        self.currency.as_deref().is_none_or(|written| same_currency(written, code))
    }
}

/// Whether a sign or code in a file means the currency `code`.
pub(crate) fn same_currency(written: &str, code: &str) -> bool {
    let written = written.trim();
    let known = SIGNS.iter().find(|(sign, _)| *sign == written).map_or(written, |(_, code)| code);
    if let Some((_, codes)) = SHARED.iter().find(|(sign, _)| *sign == known) {
        return codes.contains(&code.to_uppercase().as_str());
    }
    known.eq_ignore_ascii_case(code) || words(known).is_some_and(|word| word == code.to_uppercase())
}

/// Whether a word stands for a currency.
pub(crate) fn names_currency(word: &str) -> bool {
    SIGNS.iter().any(|(sign, _)| *sign == word)
        || CURRENCIES.iter().any(|code| word == code.to_uppercase())
        || words(word).is_some()
}

/// The code of a currency that is written out.
fn words(text: &str) -> Option<&'static str> {
    Some(match text.to_lowercase().as_str() {
        "euro" | "euros" => "EUR",
        "us dollar" | "us dollars" | "us-dollar" | "usdollar" => "USD",
        "pound" | "pounds" | "pound sterling" | "british pound" => "GBP",
        _ => return None,
    })
}

/// A number: `0.25`, `0,25`, `1,234.50`, `1.234,50`, `1 234,5`, `1.5E-2`, `.5`, `-1`.
///
/// What a spreadsheet's binary fractions left over (`0.017500000000000002`) is rounded away.
/// `1,234` alone is refused as ambiguous unless the format says what the comma is.
pub fn decimal(text: &str, format: NumberFormat) -> Result<Decimal, ValueError> {
    let text = cell(text);
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.trim_start();
    let plain = plain(digits, format).map_err(|problem| match problem {
        Problem::Ambiguous => ValueError::AmbiguousNumber(quote(text)),
        Problem::NoNumber => ValueError::NoNumber(quote(text)),
    })?;
    let parsed = parse(&plain);
    let mut value = parsed.ok_or_else(|| ValueError::TooManyDigits(quote(text)))?;
    value.set_sign_negative(sign && !value.is_zero());
    Ok(value)
}

/// Whether decimals of this number can only be separated by a comma (`Some(',')`) or by a point;
/// `None` if it has none, or could be read in two ways.
pub(crate) fn decimal_separator(text: &str) -> Option<char> {
    let text = cell(text).trim_matches(|c: char| !c.is_ascii_digit());
    let at = text.rfind([',', '.'])?;
    let found = if text[at..].starts_with(',') { ',' } else { '.' };
    let (whole, fraction) = (&text[..at], &text[at + 1..]);
    let other = whole.contains([',', '.']);
    let group = fraction.len() == 3 && whole.len() <= 3 && !whole.starts_with('0');
    (!group && (!other || !whole.contains(found))).then_some(found)
}

/// An amount with or without a currency's sign or code, and "per minute" behind it.
pub fn money(text: &str, format: NumberFormat) -> Result<Money, ValueError> {
    let whole = cell(text);
    let mut rest = whole;
    for unit in ["/min.", "/min", "/minute", "per minute", "per min"] {
        let cut = rest.len().checked_sub(unit.len()).filter(|cut| rest.is_char_boundary(*cut));
        if let Some(cut) = cut.filter(|cut| rest[*cut..].eq_ignore_ascii_case(unit)) {
            rest = rest[..cut].trim_end();
            break;
        }
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+');
    let (Some(start), Some(end)) = (rest.find(is_number), rest.rfind(is_number)) else {
        return Err(ValueError::NoNumber(quote(whole)));
    };
    // Those of `is_number` are of one byte.
    let (before, number, after) =
        (rest[..start].trim(), &rest[start..=end], rest[end + 1..].trim());
    let written = match (before, after) {
        ("", "") => None,
        (written, "") | ("", written) => Some(written),
        _ => return Err(ValueError::NoNumber(quote(whole))),
    };
    let currency = written.map(|written| currency(written, whole)).transpose()?;
    let amount = decimal(number, format).map_err(|error| match error {
        ValueError::AmbiguousNumber(_) => ValueError::AmbiguousNumber(quote(whole)),
        ValueError::TooManyDigits(_) => ValueError::TooManyDigits(quote(whole)),
        _ => ValueError::NoNumber(quote(whole)),
    })?;
    Ok(Money { amount, currency })
}

fn currency(written: &str, whole: &str) -> Result<String, ValueError> {
    let is_sign = SIGNS.iter().any(|(sign, _)| *sign == written);
    let is_code = written.len() == 3 && written.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_sign || is_code || words(written).is_some() {
        return Ok(written.to_owned());
    }
    Err(ValueError::NoNumber(quote(whole)))
}

enum Problem {
    NoNumber,
    Ambiguous,
}

/// The digits with a decimal point and no thousands separators.
fn plain(text: &str, format: NumberFormat) -> Result<String, Problem> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    if !exponent.is_empty() {
        let digits = exponent[1..].trim_start_matches(['-', '+']);
        let ok = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !ok || exponent[1..].len() > digits.len() + 1 {
            return Err(Problem::NoNumber);
        }
    }
    let is_space = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\'' | '’');
    let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',') || is_space(c);
    if !mantissa.chars().all(known) || !mantissa.contains(|c: char| c.is_ascii_digit()) {
        return Err(Problem::NoNumber);
    }
    let decimal = separator(mantissa, format)?;
    let (whole, fraction) = match decimal.and_then(|decimal| mantissa.rsplit_once(decimal)) {
        Some(parts) => parts,
        None => (mantissa, ""),
    };
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::NoNumber);
    }
    let is_thousands = |c: char| !c.is_ascii_digit();
    let mut groups = whole.split(is_thousands);
    let first = groups.next().unwrap_or_default();
    let mut digits = first.to_owned();
    let mut grouped = false;
    for group in groups {
        grouped = true;
        if group.len() != 3 {
            return Err(Problem::NoNumber);
        }
        digits.push_str(group);
    }
    let mut kinds = whole.chars().filter(|c| !c.is_ascii_digit());
    if let Some(kind) = kinds.next() {
        let as_said =
            format.thousands.is_none_or(|said| said == kind || is_space(said) && is_space(kind));
        if !as_said || Some(kind) == decimal || kinds.any(|other| other != kind) {
            return Err(Problem::NoNumber);
        }
    }
    if grouped && (!(1..=3).contains(&first.len()) || first.starts_with('0')) {
        return Err(Problem::NoNumber);
    }
    if digits.is_empty() {
        digits.push('0');
    }
    if !fraction.is_empty() {
        digits.push('.');
        digits.push_str(fraction);
    }
    digits.push_str(exponent);
    Ok(digits)
}

/// Which character separates the decimals of this number; `None` if it has none.
fn separator(text: &str, format: NumberFormat) -> Result<Option<char>, Problem> {
    if format.decimal.is_some() {
        return Ok(format.decimal);
    }
    if let Some(thousands @ ('.' | ',')) = format.thousands {
        return Ok(Some(if thousands == ',' { '.' } else { ',' }));
    }
    let commas = text.matches(',').count();
    let points = text.matches('.').count();
    match (commas, points) {
        (0, 0) => Ok(None),
        (1, 0) => {
            let (whole, fraction) = text.split_once(',').unwrap_or_default();
            let group = fraction.len() == 3 && (1..=3).contains(&whole.len());
            // `0,125` cannot have thousands; `1,125` can be either.
            if group && !whole.starts_with('0') { Err(Problem::Ambiguous) } else { Ok(Some(',')) }
        }
        // `1,234,567` and `1.234.567`: only thousands are repeated.
        (0, 1) | (_, 0) => Ok(Some('.')),
        (0, _) => Ok(Some(',')),
        _ => {
            let last = text.rfind([',', '.']).unwrap_or_default();
            Ok(Some(if text[last..].starts_with(',') { ',' } else { '.' }))
        }
    }
}

/// Binary fractions have 15 digits that count; a value that is short when rounded to these was
/// short before it went through a spreadsheet.
fn parse(plain: &str) -> Option<Decimal> {
    const RELIABLE: u32 = 15;
    const SHORT: u32 = 12;
    let significant = |value: Decimal| {
        let digits = value.normalize().mantissa().unsigned_abs().to_string();
        u32::try_from(digits.len()).unwrap_or(u32::MAX)
    };
    // Of more digits than a Decimal has the last ones are rounded, if they are an artefact.
    let scientific = plain.contains(['e', 'E']);
    let value: Decimal =
        if scientific { Decimal::from_scientific(plain) } else { plain.parse() }.ok()?;
    if significant(value) > RELIABLE {
        let rounded = value.round_sf(RELIABLE)?.normalize();
        if significant(rounded) <= SHORT {
            return Some(rounded);
        }
    }
    if scientific { Some(value) } else { Decimal::from_str_exact(plain).ok() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str) -> String {
        match decimal(text, NumberFormat::default()) {
            Ok(value) => value.to_string(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn numbers_as_people_write_them() {
        for (text, value) in [
            ("0.25", "0.25"),
            (" 0,25 ", "0.25"),
            ("0,125", "0.125"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("1 234,5", "1234.5"),
            ("1'234.5", "1234.5"),
            ("1,234,567", "1234567"),
            ("1.5E-2", "0.015"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-1", "-1"),
            ("'0.1", "0.1"),
            ("0.017500000000000002", "0.0175"),
            ("0.30000000000000004", "0.3"),
            ("0.07999999999999999", "0.08"),
            ("0.123456789012345678", "0.123456789012345678"),
        ] {
            assert_eq!(read(text), value, "{text}");
        }
        for text in ["", ".", "-", "1.2.3,4,5", "12,34.5", "x", "1-2", "1e", "1e999", "0x1", "٣"] {
            assert!(decimal(text, NumberFormat::default()).is_err(), "{text}");
        }
        assert!(matches!(
            decimal("1,234", NumberFormat::default()),
            Err(ValueError::AmbiguousNumber(_))
        ));
    }

    #[test]
    fn a_format_decides() {
        let comma = NumberFormat { decimal: Some(','), thousands: None };
        assert_eq!(decimal("1,234", comma).unwrap().to_string(), "1.234");
        let point = NumberFormat { decimal: Some('.'), thousands: None };
        assert_eq!(decimal("1,234", point).unwrap().to_string(), "1234");
        assert!(decimal("0,25", point).is_err());
    }

    #[test]
    fn amounts_and_their_currency() {
        for (text, amount, currency) in [
            ("$2.50", "2.50", Some("$")),
            ("US$ 2.50", "2.50", Some("US$")),
            ("0,05 €", "0.05", Some("€")),
            ("EUR0.05", "0.05", Some("EUR")),
            ("0.05 USD/min", "0.05", Some("USD")),
            ("0.05", "0.05", None),
        ] {
            let money = money(text, NumberFormat::default()).unwrap();
            assert_eq!(money.amount.to_string(), amount, "{text}");
            assert_eq!(money.currency.as_deref(), currency, "{text}");
        }
        for text in ["N/A", "abcd 1", "1 of 2", "-", "€ 1 €", "-$2"] {
            assert!(money(text, NumberFormat::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dollar_is_no_euro() {
        let dollars = money("$1", NumberFormat::default()).unwrap();
        assert!(dollars.can_be("USD") && !dollars.can_be("EUR"));
        assert!(same_currency("eur", "EUR") && same_currency("Euro", "EUR"));
        assert!(same_currency("€", "EUR") && !same_currency("£", "EUR"));
    }
}
