//! What the format of a workbook's number shows beside the number: a currency, a time of day.

use crate::values::names_currency;

/// What a number is shown with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The sign or code of a currency.
    pub(super) currency: Option<String>,
    /// The hour.
    pub(super) hours: bool,
    /// The seconds.
    pub(super) seconds: bool,
}

impl Shown {
    /// By the first section of a format (`[$€-407] #,##0.00;-#,##0.00`), which is that of what is
    /// positive.
    pub(super) fn by_format(code: &str) -> Self {
        let mut shown = Self::default();
        let (mut literal, mut named, mut is_number) = (String::new(), None, false);
        let mut rest = code.chars();
        while let Some(c) = rest.next() {
            match c {
                ';' => break,
                '"' => literal.extend(rest.by_ref().take_while(|c| *c != '"')),
                '\\' => literal.extend(rest.next()),
                // The width of a character, or one that fills the cell: not shown as such.
                '_' | '*' => drop(rest.next()),
                '[' => {
                    let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                    let lower = inner.to_lowercase();
                    if let Some(symbol) = inner.strip_prefix('$') {
                        let symbol = symbol.split('-').next().unwrap_or_default().trim();
                        named = named.or((!symbol.is_empty()).then(|| symbol.to_owned()));
                    }
                    let counts =
                        |letter: char| !lower.is_empty() && lower.chars().all(|c| c == letter);
                    shown.hours |= counts('h');
                    shown.seconds |= counts('s');
                }
                'h' | 'H' => shown.hours = true,
                's' | 'S' => shown.seconds = true,
                '0' | '#' | '?' => is_number = true,
                // Letters that stand for nothing else in a format: `zł`, `kr`.
                c if c == '$' || !c.is_ascii() || matches!(c, 'z' | 'k' | 'r') => literal.push(c),
                _ => literal.push(' '),
            }
        }
        let by_words = || {
            let words = literal.split(|c: char| c.is_whitespace() || c == '/');
            words.map(str::trim).find(|word| names_currency(word)).map(str::to_owned)
        };
        if is_number {
            shown.currency = named.or_else(by_words);
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let of = |code: &str| {
            let shown = Shown::by_format(code);
            (shown.currency, shown.hours, shown.seconds)
        };
        for (code, currency) in [
            ("General", None),
            ("#,##0.00", None),
            ("[$€-407] #,##0.00;[Red]-[$€-407] #,##0.00", Some("€")),
            ("[$kr.-406] #,##0.00", Some("kr.")),
            ("[$-409]#,##0.00", None),
            ("_(\"$\"* #,##0.00_);_(\"$\"* \\(#,##0.00\\)", Some("$")),
            ("#,##0.0000\\ \"EUR\"", Some("EUR")),
            ("0.00\" €/min\"", Some("€")),
            ("#,##0.00\\ zł", Some("zł")),
            ("0\" days\"", None),
            ("[Red]0.00", None),
            ("[$-407]d. mmmm yyyy", None),
        ] {
            assert_eq!(of(code).0.as_deref(), currency, "{code}");
        }
        for (code, hours, seconds) in [
            ("h:mm", true, false),
            ("[h]:mm:ss", true, true),
            ("[hh]:mm", true, false),
            ("mm:ss", false, true),
            ("yyyy-mm-dd", false, false),
            ("dd/mm/yyyy hh:mm:ss", true, true),
            ("[$-409]h:mm AM/PM", true, false),
            ("0\" hours\"", false, false),
        ] {
            assert_eq!((of(code).1, of(code).2), (hours, seconds), "{code}");
        }
    }
}
