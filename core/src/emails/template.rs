//! How a template becomes a text: `<%= name %>` stands for the value of a variable.

use std::collections::HashMap;

use crate::error::{Error, Result};

const OPENING: &str = "<%";
const CLOSING: &str = "%>";

/// The longest text that is made of a template, in bytes.
const MAX_LENGTH: usize = 200_000;

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Variable(&'a str),
}

/// The parts of a template; none: something else than a variable stands between the marks.
fn parts(template: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, marked)) = rest.split_once(OPENING) {
        let (inside, after) = marked.split_once(CLOSING)?;
        parts.push(Part::Text(before));
        parts.push(Part::Variable(inside.strip_prefix('=').map(str::trim).filter(is_name)?));
        rest = after;
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

fn is_name(name: &&str) -> bool {
    let is_letter = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '_');
    !name.is_empty() && name.chars().all(is_letter)
}

/// Checks that a text is one that can be filled in.
pub(super) fn check(field: &'static str, template: &str) -> Result<()> {
    match parts(template) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(field, "holds <% … %> that is no variable: write <%= name %>")),
    }
}

/// The text with the values of its variables; what has none is empty.
pub(super) fn filled(template: &str, variables: &HashMap<String, String>) -> Result<String> {
    let parts = parts(template)
        .ok_or_else(|| Error::internal("a stored template holds what is no variable"))?;
    let values = parts.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Variable(name) => variables.get(name).map_or("", String::as_str),
    });
    // A template that names a long value often would make of it what no memory holds.
    if values.clone().map(str::len).sum::<usize>() > MAX_LENGTH {
        return Err(Error::invalid("variables", "make a mail of more than 200000 bytes"));
    }
    Ok(values.collect())
}

/// The same for a subject, which is one line whatever the values hold.
pub(super) fn filled_line(template: &str, variables: &HashMap<String, String>) -> Result<String> {
    let line = filled(template, variables)?;
    Ok(line.chars().map(|char| if char.is_control() { ' ' } else { char }).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn variables(values: &[(&str, &str)]) -> HashMap<String, String> {
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_are_filled_in_and_missing_ones_are_empty() {
        let values =
            variables(&[("login_username", "acme"), ("server_ip", "<%= login_username %>")]);
        let template = "<%= login_username %>, at <%=server_ip%>: <%= login_password %>.";
        // A value is not looked into once more.
        assert_eq!(filled(template, &values).unwrap(), "acme, at <%= login_username %>: .");
        assert_eq!(filled("100 % and %> and < %", &values).unwrap(), "100 % and %> and < %");
    }

    #[test]
    fn what_is_no_variable_is_refused() {
        for template in
            ["<% system() %>", "<%= Login %>", "<%=%>", "<%= a b %>", "<%= a", "<%= <%= a %> %>"]
        {
            assert!(check("body", template).is_err(), "{template}");
        }
        assert!(check("body", "").is_ok() && check("body", "<%=a%><%= b_2 %>").is_ok());
    }

    #[test]
    fn a_value_is_not_multiplied_without_a_limit() {
        let template = "<%=a%>".repeat(3_333);
        assert!(filled(&template, &variables(&[("a", &"x".repeat(1_000))])).is_err());
        assert_eq!(filled(&template, &variables(&[("a", "xy")])).unwrap().len(), 6_666);
    }

    #[test]
    fn a_subject_stays_one_line() {
        let values = variables(&[("name", "x\r\nBcc: everybody@example.com")]);
        let subject = filled_line("Welcome <%= name %>", &values).unwrap();
        assert_eq!(subject, "Welcome x  Bcc: everybody@example.com");
    }

    proptest! {
        #[test]
        fn a_text_without_marks_is_itself(text in "[^<%>]{0,200}") {
            prop_assert_eq!(filled(&text, &HashMap::new()).unwrap(), text);
        }
    }
}
