//! The compatibility report: what each legacy method takes and answers, and what that rests
//! on. It is made from the methods' declarations and the contract data, so that it says what
//! is tested and nothing else.

use std::fmt::Write;

use tollbook_proto::legacy::WithoutHash;
use tollbook_shim::{Dialect, Method};

use crate::{
    contract::{Basis, Case, Form, files},
    dialect::{DOCUMENTED, dialect},
    legacy_hash,
    listed::{Group, Original},
};

/// The report on the dialect of a name, in Markdown; none: there is no document of that name.
#[must_use]
pub fn of(name: &str) -> Option<String> {
    if !DOCUMENTED.contains(&name) {
        return None;
    }
    let dialect = dialect(name);
    let files = dialect.map(files).unwrap_or_default();
    let methods = dialect.map(Dialect::methods).unwrap_or_default();
    let cases = |method: &Method| -> Vec<Case> {
        let files = files.iter().filter(|file| file.method == method.declaration.name);
        files.flat_map(|file| file.case.clone()).filter(|case| !is_preparation(case)).collect()
    };
    let mut report = head(name);
    if name == "mor" {
        write_original(&mut report, &Original::mor(), methods);
    }
    if !methods.is_empty() {
        report.push_str(
            "\n| method | also called | verified | documented | analogy |\n|---|---|---|---|---|\n",
        );
    }
    for method in methods {
        let cases = cases(method);
        let count = |basis| cases.iter().filter(|case| case.rests_on == basis).count();
        let (verified, documented, analogy) =
            (count(Basis::Verified), count(Basis::Documented), count(Basis::Analogy));
        let aliases = method.declaration.aliases.join(", ");
        let name = method.declaration.name;
        writeln!(
            report,
            "| [{name}](#{name}) | {aliases} | {verified} | {documented} | {analogy} |"
        )
        .unwrap();
    }
    for method in methods {
        write_method(&mut report, method, &cases(method));
    }
    Some(report)
}

fn head(name: &str) -> String {
    format!(
        "# The {} dialect, method by method\n\n\
        Made by `cargo run -p tollbook-tests --bin dialect-report {name} > docs/{name}.md` from the \
        methods' declarations and the contract data in \
        [tests/contract/{name}](../tests/contract/{name}), all of which are tested on both \
        databases. An expectation is *verified* where it is the documentation's own example with \
        a hash that can be recomputed, *documented* where the documentation says it, and by \
        *analogy* where the documentation is silent and the nearest documented method was \
        followed.\n\n\
        What all methods share (API and GET switched off, hash checking off, the HTML wrap, \
        unknown methods, forms of requests) is tested on all of them. A parameter that a method \
        does not list is ignored, as in the original: the answer says success, whatever else was \
        sent (`user_details_update` with an `email`, which it cannot change).\n",
        name.to_uppercase()
    )
}

/// Which of the original's methods are there and which are not, by group.
fn write_original(report: &mut String, original: &Original, methods: &[Method]) {
    let is_there = |name: &str| methods.iter().any(|method| method.declaration.name == name);
    let all: usize = original.groups.iter().map(|group| group.methods.len()).sum();
    writeln!(
        report,
        "\n{} of the {all} methods of the original are there; a name in brackets is an older one \
         of the same method.\n\n| group | there | not yet |\n|---|---|---|",
        methods.len()
    )
    .unwrap();
    for group in &original.groups {
        let there = listed(group, |name| is_there(name).then(|| format!("[{name}](#{name})")));
        let missing = listed(group, |name| (!is_there(name)).then(|| name.to_owned()));
        writeln!(report, "| {} | {there} | {missing} |", group.name).unwrap();
    }
}

/// The names of a group's methods as they are shown, those that are, with the older ones.
fn listed(group: &Group, shown: impl Fn(&str) -> Option<String>) -> String {
    let methods = group.methods.iter().filter_map(|method| {
        let name = shown(&method.name)?;
        let aliases = method.aliases.join(", ");
        Some(if aliases.is_empty() { name } else { format!("{name} ({aliases})") })
    });
    methods.collect::<Vec<_>>().join(", ")
}

/// What may stand in the place of a hash.
fn write_without_hash(report: &mut String, without_hash: WithoutHash) {
    let (param, what) = match without_hash {
        WithoutHash::Never => return,
        WithoutHash::Password => {
            report.push_str("Without one while the setting `login_without_hash` is on.\n");
            return;
        }
        WithoutHash::Uniquehash(param) => (param, "the user's uniquehash"),
        WithoutHash::DeviceUsername(param) => (param, "a device's user name"),
        WithoutHash::DevicePassword(param) => (param, "a device's password"),
    };
    writeln!(
        report,
        "Without one where `{param}` is {what}, unless the setting `uniquehash_needs_hash` is on."
    )
    .unwrap();
}

/// Whether a case only prepares the next ones: its name is in brackets.
fn is_preparation(case: &Case) -> bool {
    case.name.starts_with('(')
}

fn basis(case: &Case) -> &'static str {
    match case.rests_on {
        Basis::Verified => "verified",
        Basis::Documented => "documented",
        Basis::Analogy => "analogy",
    }
}

fn write_method(report: &mut String, method: &Method, cases: &[Case]) {
    let name = method.declaration.name;
    writeln!(report, "\n## {name}\n\n{} (group {}).", method.summary, method.group).unwrap();
    if !method.declaration.aliases.is_empty() {
        writeln!(report, "Also called {}.", method.declaration.aliases.join(", ")).unwrap();
    }
    if !method.params.is_empty() {
        report.push_str("\n| parameter | | meaning |\n|---|---|---|\n");
        for param in method.params {
            let required = if param.required { "required" } else { "" };
            writeln!(report, "| `{}` | {required} | {} |", param.name, param.meaning).unwrap();
        }
    }
    let inputs: Vec<String> = method
        .declaration
        .hash
        .iter()
        .map(|names| match names.is_empty() {
            false => names.join(" + "),
            true if method.declaration.only_admin_signs_nothing => {
                "nothing, for the admin".to_owned()
            }
            true => "nothing".to_owned(),
        })
        .collect();
    writeln!(report, "\nThe hash is that of {}, then the key.", inputs.join("; or ")).unwrap();
    write_without_hash(report, method.declaration.without_hash);
    if let Some((case, signed)) = cases.iter().find_map(|case| Some((case, case.sign.as_ref()?))) {
        let hash = legacy_hash(signed, case.key());
        writeln!(report, "For example sha1(`{signed}{}`) = `{hash}`.", case.key()).unwrap();
    }
    if let Some(case) = cases.iter().find(|case| error(case).is_none() && case.status == 200) {
        let sent = if case.form == Form::Get { "GET" } else { "POST" };
        let answer = case.answer.as_ref().or(case.text.as_ref()).or(case.begins.as_ref());
        let answer = answer.map_or("", |answer| answer.trim());
        writeln!(
            report,
            "\n{sent} `{}` ({}, {}):\n\n```xml\n{answer}\n```",
            case.send,
            case.name,
            basis(case)
        )
        .unwrap();
    }
    report.push_str("\n| tested | answer | rests on |\n|---|---|---|\n");
    for case in cases {
        let answer = error(case).map_or_else(|| "success".to_owned(), |text| format!("`{text}`"));
        let (name, basis) = (case.name.replace('|', "\\|"), basis(case));
        writeln!(report, "| {name} | {answer} | {basis} |").unwrap();
    }
}

/// The text of a case's error; none: it succeeds.
fn error(case: &Case) -> Option<String> {
    if let Some(text) = &case.text {
        // Bare texts are balances.
        let is_balance = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        return (!is_balance).then(|| text.clone());
    }
    let answer = case.answer.as_deref().or(case.begins.as_deref()).unwrap_or_default();
    let text = |name: &str| {
        let (_, rest) = answer.split_once(&format!("<{name}>"))?;
        Some(rest.split(&format!("</{name}>")).next().unwrap_or_default().trim().to_owned())
    };
    // Logins fail in a shape of their own.
    let is_failed = text("status").is_some_and(|status| status == "failed");
    let failed = is_failed.then(|| text("status_message").unwrap_or_else(|| "failed".to_owned()));
    text("error").or(failed)
}
