//! Number rules: what becomes of the numbers of a call on its way to whoever takes it
//! (`docs/rules/points-and-pools.md#number-rules`).

use tollbook_proto::v1::{self as pb, NumberRuleKind};

use crate::{
    enums,
    error::{Error, Result},
    text::check_text,
};

/// Between which lengths of numbers a rule applies that says nothing of them.
const SHORTEST: i32 = 1;
const LONGEST: i32 = 100;

/// The `cut` of a rule that takes off everything up to the first `#`.
const UP_TO_HASH: &str = "*#";
/// The `cut` of a rule that puts the number back as it was received.
const AS_RECEIVED: &str = "-";

/// A rule as a request describes it, with the defaults of what it leaves out. `of` is the field that it
/// is in.
///
/// # Errors
/// `INVALID_FIELD` names what is missing or malformed.
pub(crate) fn checked(of: &str, rule: pb::NumberRule) -> Result<pb::NumberRule> {
    let field = |name: &str| format!("{of}.{name}");
    for (name, text) in [("name", &rule.name), ("cut", &rule.cut), ("add", &rule.add)] {
        check_text(&field(name), text)?;
    }
    if rule.name.is_empty() {
        return Err(Error::invalid(field("name"), "is required"));
    }
    if rule.cut.is_empty() && rule.add.is_empty() {
        return Err(Error::invalid(field("cut"), "or add is required"));
    }
    let or = |length: i32, default| if length == 0 { default } else { length };
    let mut rule = rule;
    rule.min_length = or(rule.min_length, SHORTEST);
    rule.max_length = or(rule.max_length, LONGEST.max(rule.min_length));
    if rule.min_length < 0 {
        return Err(Error::invalid(field("min_length"), "must not be negative"));
    }
    if rule.max_length < rule.min_length {
        return Err(Error::invalid(field("max_length"), "must not be below min_length"));
    }
    if enums::known::<NumberRuleKind>(&field("kind"), rule.kind)? == NumberRuleKind::Unspecified {
        rule.set_kind(NumberRuleKind::Destination);
    }
    Ok(rule)
}

/// The numbers of a call that is on its way to somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The number that calls.
    pub(crate) source: String,
    /// The name that is shown with it.
    pub(crate) source_name: String,
    /// The number that is called, as it is rated.
    pub(crate) destination: String,
    /// The number that is called, as the call brought it.
    pub(crate) received: String,
}

/// Changes the numbers of a call by some rules, which come in the order of their age: one for the
/// number that is called, and one for the number that calls. Returns the positions of those that were
/// applied.
pub(crate) fn apply(rules: &[pb::NumberRule], numbers: &mut Numbers) -> Vec<usize> {
    let mut applied = Vec::new();
    if let Some((position, rule)) =
        fitting(rules, NumberRuleKind::Destination, &numbers.destination)
    {
        numbers.destination = match rule.cut.as_str() {
            AS_RECEIVED => numbers.received.clone(),
            _ => changed(rule, &numbers.destination).unwrap_or_default(),
        };
        applied.push(position);
    }
    if let Some((position, rule)) = fitting(rules, NumberRuleKind::Source, &numbers.source) {
        // The number that calls is changed by nothing else: it is as it was received.
        if rule.cut != AS_RECEIVED {
            if rule.change_caller_name
                && let Some(name) = changed_source(rule, &numbers.source_name)
            {
                numbers.source_name = name;
            }
            if let Some(source) = changed_source(rule, &numbers.source) {
                numbers.source = source;
            }
        }
        applied.push(position);
    }
    applied
}

/// Of the rules of a kind that fit a number the one with the longest cut; of several the oldest.
fn fitting<'a>(
    rules: &'a [pb::NumberRule],
    kind: NumberRuleKind,
    number: &str,
) -> Option<(usize, &'a pb::NumberRule)> {
    let fitting = rules.iter().enumerate().filter(|(_, rule)| {
        !rule.disabled && is_of(rule, kind) && has_length(rule, number) && fits(rule, number)
    });
    fitting.min_by_key(|(position, rule)| (std::cmp::Reverse(rule.cut.chars().count()), *position))
}

fn is_of(rule: &pb::NumberRule, kind: NumberRuleKind) -> bool {
    match rule.kind() {
        NumberRuleKind::Unspecified => kind == NumberRuleKind::Destination,
        own => own == kind,
    }
}

fn has_length(rule: &pb::NumberRule, number: &str) -> bool {
    let length = i32::try_from(number.chars().count()).unwrap_or(i32::MAX);
    (rule.min_length..=rule.max_length).contains(&length)
}

fn fits(rule: &pb::NumberRule, number: &str) -> bool {
    rule.cut == AS_RECEIVED || changed(rule, number).is_some()
}

/// A number with its beginning taken off and another one in its place; `None` if it has another
/// beginning.
fn changed(rule: &pb::NumberRule, number: &str) -> Option<String> {
    let rest = match rule.cut.as_str() {
        UP_TO_HASH => number.split_once('#')?.1,
        cut => number.strip_prefix(cut)?,
    };
    Some(format!("{}{rest}", rule.add))
}

/// The same of a number that calls, or its name: a rule that takes nothing off overwrites it.
fn changed_source(rule: &pb::NumberRule, number: &str) -> Option<String> {
    if rule.cut.is_empty() { Some(rule.add.clone()) } else { changed(rule, number) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rule(kind: NumberRuleKind, cut: &str, add: &str, lengths: (i32, i32)) -> pb::NumberRule {
        let mut rule = pb::NumberRule {
            name: "rule".to_owned(),
            cut: cut.to_owned(),
            add: add.to_owned(),
            min_length: lengths.0,
            max_length: lengths.1,
            ..Default::default()
        };
        rule.set_kind(kind);
        checked("rule", rule).unwrap()
    }

    fn called(rules: &[pb::NumberRule], number: &str) -> String {
        let mut numbers = Numbers {
            destination: number.to_owned(),
            received: "0112".to_owned(),
            ..Default::default()
        };
        apply(rules, &mut numbers);
        numbers.destination
    }

    fn calling(rules: &[pb::NumberRule], name: &str, number: &str) -> (String, String) {
        let mut numbers = Numbers {
            source: number.to_owned(),
            source_name: name.to_owned(),
            ..Default::default()
        };
        apply(rules, &mut numbers);
        (numbers.source_name, numbers.source)
    }

    /// The examples of the documentation of provider rules and device rules.
    #[test]
    fn the_documented_examples() {
        use NumberRuleKind::{Destination, Source};
        let all = (0, 0);
        assert_eq!(
            called(&[rule(Destination, "", "89765#", all)], "37063042438"),
            "89765#37063042438"
        );
        assert_eq!(called(&[rule(Destination, "", "00", all)], "37063011111"), "0037063011111");
        assert_eq!(called(&[rule(Destination, "*#", "", all)], "999#37063042439"), "37063042439");
        assert_eq!(called(&[rule(Destination, "*#", "00", all)], "1aa#370#1"), "00370#1");
        assert_eq!(called(&[rule(Destination, "-", "", all)], "37063042438"), "0112");
        let italy = [rule(Destination, "39", "", (12, 12)), rule(Destination, "", "00", (13, 13))];
        assert_eq!(called(&italy, "390212345678"), "0212345678");
        assert_eq!(called(&italy, "3902123456789"), "003902123456789");
        assert_eq!(called(&italy, "39021234567"), "39021234567");
        let overwriting = [rule(Source, "", "37063033333", all)];
        assert_eq!(
            calling(&overwriting, "Ann", "12345"),
            ("Ann".to_owned(), "37063033333".to_owned())
        );
        let mut cutting = rule(Source, "00", "", all);
        let number = "00123456789";
        assert_eq!(calling(&[cutting.clone()], number, number).0, number);
        cutting.change_caller_name = true;
        let both = ("123456789".to_owned(), "123456789".to_owned());
        assert_eq!(calling(&[cutting.clone()], number, number), both);
        assert_eq!(calling(&[cutting], "Ann", number).0, "Ann");
    }

    #[test]
    fn the_longest_cut_decides_and_of_several_the_oldest() {
        use NumberRuleKind::Destination;
        let of = |cut, add| rule(Destination, cut, add, (0, 0));
        let mut rules = [of("", "1"), of("37", "2"), of("370", "3"), of("370", "4")];
        assert_eq!(called(&rules, "37061"), "361");
        assert_eq!(called(&rules, "3716"), "216");
        assert_eq!(called(&rules, "44"), "144");
        rules[2].disabled = true;
        assert_eq!(called(&rules, "37061"), "461");
        assert_eq!(called(&rules, ""), "", "no number is too short for every rule");
        assert_eq!(called(&[of("*#", "")], "370"), "370");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let fine = rule(NumberRuleKind::Unspecified, "00", "", (0, 0));
        assert_eq!((fine.min_length, fine.max_length), (1, 100));
        assert_eq!(fine.kind(), NumberRuleKind::Destination);
        for wrong in [
            pb::NumberRule { name: String::new(), ..fine.clone() },
            pb::NumberRule { cut: String::new(), ..fine.clone() },
            pb::NumberRule { min_length: -1, ..fine.clone() },
            pb::NumberRule { max_length: 5, min_length: 6, ..fine.clone() },
            pb::NumberRule { kind: 3, ..fine.clone() },
            pb::NumberRule { add: "x".repeat(256), ..fine.clone() },
        ] {
            assert!(checked("rule", wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
