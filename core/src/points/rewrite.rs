//! How a point's numbers become those that are rated: the rules that M4's pages on source and
//! destination transformation describe.

use crate::error::{Error, Result};

/// Rules for the beginning of a number, of which the first that fits is applied, alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rewriting(Vec<Rule>);

/// What is taken off the beginning of a number, and what goes there instead.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    cut: String,
    add: String,
}

/// A character of a rule, and whether a backslash takes its meaning away.
type Mark = (char, bool);

/// What separates rules.
const NEXT: Mark = ('|', false);
/// What begins a rule that takes something off.
const CUT: Mark = ('-', false);
/// What comes before that which is put there instead.
const ADD: Mark = ('+', false);

impl Rewriting {
    /// Reads rules that are separated by `|`: `370` puts that before every number, `-00` takes it
    /// off those that begin with it, `-0+370` puts another beginning in its place. A backslash
    /// takes its meaning from `+`, `-` and `|`. Empty: numbers stay as they are.
    ///
    /// # Errors
    /// A rule is empty, or is a regular expression, which M4 knows as well.
    pub(super) fn parse(field: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.starts_with('/') {
            return Err(Error::invalid(
                field,
                "must be rules as -00|-0+370, no regular expression",
            ));
        }
        let marks = marks(text);
        let rules = marks.split(|mark| *mark == NEXT).map(Rule::parse);
        let rules: Option<Vec<Rule>> = rules.collect();
        rules.map(Self).ok_or_else(|| Error::invalid(field, "has an empty rule"))
    }

    /// Makes of a number what comes of it.
    pub(super) fn apply(&self, number: &mut String) {
        if let Some(Rule { cut, add }) = self.fitting(number) {
            number.replace_range(..cut.len(), add);
        }
    }

    /// Whether the rule that fits a number says what becomes of a prefix that it begins with.
    pub(super) fn decides(&self, number: &str, prefix: &str) -> bool {
        self.fitting(number).is_some_and(|rule| rule.cut.starts_with(prefix))
    }

    fn fitting(&self, number: &str) -> Option<&Rule> {
        self.0.iter().find(|rule| number.starts_with(&rule.cut))
    }
}

impl Rule {
    fn parse(marks: &[Mark]) -> Option<Self> {
        let text = |marks: &[Mark]| marks.iter().map(|(c, _)| c).collect::<String>();
        let Some((&CUT, rest)) = marks.split_first() else {
            return (!marks.is_empty()).then(|| Self { cut: String::new(), add: text(marks) });
        };
        let end = rest.iter().position(|mark| *mark == ADD).unwrap_or(rest.len());
        let add = rest.get(end + 1..).unwrap_or_default();
        (end > 0).then(|| Self { cut: text(&rest[..end]), add: text(add) })
    }
}

fn marks(text: &str) -> Vec<Mark> {
    let mut marks = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => marks.push((chars.next().unwrap_or(c), true)),
            (c, false) => marks.push((c, false)),
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn rewritten(rules: &str, number: &str) -> String {
        let mut number = number.to_owned();
        Rewriting::parse("destination_transformation", rules).unwrap().apply(&mut number);
        number
    }

    /// The examples of the page.
    #[test]
    fn the_documented_examples() {
        for (number, rules, result) in [
            ("86123456789", "+", "+86123456789"),
            ("+86123456789", "-\\+", "86123456789"),
            ("86123456789", "00", "0086123456789"),
            ("003706123456789", "-00", "3706123456789"),
            ("03706123456789", "-0+\\+", "+3706123456789"),
            ("86123456789", "-8+370", "3706123456789"),
            ("96123456789", "-8+370", "96123456789"),
            ("003706123456789", "-\\+|-00", "3706123456789"),
            ("+3706123456789", "-\\+|-00", "3706123456789"),
            ("6123456789", "00|-6+370", "006123456789"),
        ] {
            assert_eq!(rewritten(rules, number), result, "{rules} of {number}");
        }
    }

    #[test]
    fn what_is_no_rule() {
        for rules in ["|", "-", "-+370", "370|", "-00||-0", "/^00//", "/^0/370/i"] {
            assert!(Rewriting::parse("source_transformation", rules).is_err(), "{rules}");
        }
        assert_eq!(rewritten("", "370"), "370");
        assert_eq!(rewritten("-\\|\\-+\\\\", "|-1"), "\\1");
    }

    proptest! {
        #[test]
        fn one_rule_at_most_is_applied(rules in "(-?[0-9]{1,3}(\\+[0-9]{0,3})?\\|){0,3}-1", number in "[0-9+]{0,12}") {
            let all = rules.split('|').map(|rule| rewritten(rule, &number));
            let first = all.into_iter().find(|result| *result != number);
            let result = rewritten(&rules, &number);
            prop_assert!(result == number || Some(result) == first);
        }
    }
}
