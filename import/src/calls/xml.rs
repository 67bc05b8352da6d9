//! `mod_xml_cdr` of FreeSWITCH: a `<cdr>` for each leg, in a file of its own or one behind the
//! other. Its documentation: "mod_xml_cdr", with an example.

use std::io;

use super::{
    Call, Problem, Span, file::CallItem, json::of_variables, lines::Lines, record::Reading,
};

/// The longest record, in bytes.
const LONGEST_RECORD: usize = 4 << 20;

const END: &str = "</cdr>";

/// The records of a file.
pub(crate) struct Records {
    lines: Lines,
    line: String,
    number: u64,
}

impl Records {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, line: String::new(), number: 0 }
    }

    pub(crate) fn next(&mut self, reading: Reading<'_>) -> io::Result<Option<CallItem>> {
        loop {
            let rest = between(&self.line);
            if rest.is_empty() {
                let Some(line) = self.lines.next()? else { return Ok(None) };
                (self.line, self.number) = (line.text, line.number);
                continue;
            }
            if begins(rest) {
                self.line = rest.to_owned();
                return self.record(reading).map(Some);
            }
            // Up to the next record, if there is one on this line.
            let end = rest.find("<cdr>").or_else(|| rest.find("<cdr ")).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            let item = CallItem::refused(Span::line(self.number), Problem::Not("<cdr>"), text);
            self.line = after.to_owned();
            return Ok(Some(item));
        }
    }

    /// The record that begins here. A `<` in a value is written `&lt;` or `%3C`: what looks like
    /// the end or the beginning of a record is that.
    fn record(&mut self, reading: Reading<'_>) -> io::Result<CallItem> {
        let first = self.number;
        let mut record = String::new();
        loop {
            // Not where it began.
            let past = if record.is_empty() { 1 } else { 0 };
            let anew = self.line.get(past..).and_then(|rest| {
                ["<cdr>", "<cdr ", "<?xml"].iter().filter_map(|sign| rest.find(sign)).min()
            });
            let anew = anew.map(|at| at + past);
            let end = self.line.find(END).map(|at| at + END.len());
            let span = Span { first, last: self.number };
            match (end, anew) {
                (Some(end), anew) if anew.is_none_or(|anew| anew >= end) => {
                    let rest = self.line.split_off(end);
                    record.push_str(&self.line);
                    self.line = rest;
                    return Ok(CallItem::of(call(&record, reading, span), span, &record));
                }
                (_, Some(anew)) => {
                    let rest = self.line.split_off(anew);
                    record.push_str(&self.line);
                    self.line = rest;
                    // What begins at the beginning of a line leaves the lines before it.
                    let last = if anew == 0 { self.number.saturating_sub(1) } else { self.number };
                    let span = Span { first, last: last.max(first) };
                    return Ok(CallItem::refused(span, Problem::Breaks, &record));
                }
                _ => {}
            }
            record.push_str(&self.line);
            record.push('\n');
            self.line.clear();
            let next = if record.len() > LONGEST_RECORD { None } else { self.lines.next()? };
            let Some(line) = next else {
                return Ok(CallItem::refused(span, Problem::Breaks, &record));
            };
            (self.line, self.number) = (line.text, line.number);
        }
    }
}

/// Without what may stand between records: a declaration, and an element around them.
fn between(text: &str) -> &str {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let after = if rest.starts_with("<?xml") {
            rest.split_once("?>").map(|(_, after)| after)
        } else {
            rest.strip_prefix("<cdrs>").or_else(|| rest.strip_prefix("</cdrs>"))
        };
        match after {
            Some(after) => rest = after.trim_start(),
            None => return rest.trim_end(),
        }
    }
}

fn begins(text: &str) -> bool {
    text.starts_with("<cdr>") || text.starts_with("<cdr ")
}

fn call(text: &str, reading: Reading<'_>, span: Span) -> Result<Call, Problem> {
    let bad = Problem::Not("record of mod_xml_cdr");
    let Ok(document) = roxmltree::Document::parse(text) else { return Err(bad) };
    let root = document.root_element();
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        node.children().find(|child| child.has_tag_name(name)).map(|child| child.id())
    };
    let get = |id: Option<roxmltree::NodeId>| id.and_then(|id| document.get_node(id));
    let Some(variables) = get(child(root, "variables")) else { return Err(bad) };
    let texts = variables.children().filter(roxmltree::Node::is_element).map(|variable| {
        (variable.tag_name().name().to_owned(), text_of(variable))
    });
    let flow = get(child(root, "callflow"));
    let profile = flow.and_then(|flow| get(child(flow, "caller_profile")));
    let profile = ["caller_id_number", "destination_number", "network_addr"].map(|name| {
        let value = profile.and_then(|profile| get(child(profile, name)));
        (name.to_owned(), value.map_or_else(String::new, text_of))
    });
    of_variables(texts.collect(), profile, reading, span)
}

fn text_of(node: roxmltree::Node<'_, '_>) -> String {
    node.children().filter_map(|child| child.text()).collect()
}
