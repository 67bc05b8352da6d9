//! Flags as one would type them.

use tollbook_import::table::SheetRef;

/// The words of a command line.
#[derive(Default)]
pub(crate) struct Words(Vec<String>);

impl Words {
    /// A flag with its value, if there is one.
    pub(crate) fn flag<T: ToString>(&mut self, flag: &str, value: Option<T>) {
        let Some(value) = value.map(|value| value.to_string()) else { return };
        // Such a value would be taken for a flag itself.
        if value.is_empty() || value.starts_with('-') {
            self.0.push(format!("{flag}={value}"));
        } else {
            self.0.extend([flag.to_owned(), value]);
        }
    }

    /// A flag that is one by itself.
    pub(crate) fn switch(&mut self, flag: &str, on: Option<bool>) {
        match on {
            None => {}
            Some(true) => self.0.push(flag.to_owned()),
            Some(false) => self.0.push(format!("{flag}=false")),
        }
    }

    /// A flag for each value.
    pub(crate) fn flags<T: ToString>(&mut self, flag: &str, values: impl IntoIterator<Item = T>) {
        for value in values {
            self.flag(flag, Some(value));
        }
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// A sheet of a workbook, as its flag has it.
pub(crate) fn sheet_word(sheet: &SheetRef) -> String {
    match sheet {
        SheetRef::Number(number) => number.to_string(),
        SheetRef::Name(name) => name.clone(),
    }
}

/// A word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=./:%+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        for (word, written) in [
            ("--column", "--column"),
            ("rate=3", "rate=3"),
            ("%d/%m/%Y", "%d/%m/%Y"),
            (";", "';'"),
            ("", "''"),
            ("Tom's $ rate", r"'Tom'\''s $ rate'"),
        ] {
            assert_eq!(quoted(word), written);
        }
    }

    #[test]
    fn a_value_that_looks_like_a_flag_is_none() {
        let mut words = Words::default();
        words.flag("--sheet", Some("-1"));
        words.flag("--sheet", Some("A Z"));
        words.switch("--no-header", Some(false));
        assert_eq!(words.into_vec(), ["--sheet=-1", "--sheet", "A Z", "--no-header=false"]);
    }
}
