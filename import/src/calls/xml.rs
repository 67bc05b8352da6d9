//! `mod_xml_cdr` of FreeSWITCH: a `<cdr>` for each leg, in a file of its own or one behind the
//! other. Its documentation of the module, with an example.

use std::io;

use super::{Call, Problem, Span, file::CallItem, json::of_variables, record::Reading};
use crate::text::{Line, Lines};

/// The longest record, in bytes.
const LONGEST_RECORD: usize = 4 << 20;

const END: &str = "</cdr>";

/// The records of a file.
pub(crate) struct Records {
    lines: Lines,
    /// The line being read, and how far it is.
    line: String,
    from: usize,
    number: u64,
    end: NextEnd,
}

/// Where the next record ends on a line: it is searched once, however many beginnings it has.
#[derive(Clone, Copy)]
enum NextEnd {
    NotSought,
    Nowhere,
    Behind(usize),
}

impl Records {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, line: String::new(), from: 0, number: 0, end: NextEnd::NotSought }
    }

    fn take(&mut self, line: Line) {
        (self.line, self.from, self.number, self.end) =
            (line.text, 0, line.number, NextEnd::NotSought);
    }

    /// Where the next record ends on this line, if one does.
    fn end(&mut self) -> Option<usize> {
        match self.end {
            NextEnd::Nowhere => None,
            NextEnd::Behind(end) if end > self.from => Some(end),
            NextEnd::NotSought | NextEnd::Behind(_) => {
                let end = self.line[self.from..].find(END).map(|at| self.from + at + END.len());
                self.end = end.map_or(NextEnd::Nowhere, NextEnd::Behind);
                end
            }
        }
    }

    pub(crate) fn next(&mut self, reading: Reading<'_>) -> io::Result<Option<CallItem>> {
        loop {
            self.from += between(&self.line[self.from..]);
            let rest = &self.line[self.from..];
            if rest.is_empty() {
                let Some(line) = self.lines.next()? else { return Ok(None) };
                let too_long = line.too_long;
                self.take(line);
                if too_long {
                    self.from = self.line.len();
                    let problem = Problem::LongLine(self.lines.longest());
                    let span = Span::line(self.number);
                    return Ok(Some(CallItem::refused(span, problem, &self.line)));
                }
                continue;
            }
            if begins(rest) {
                return self.record(reading).map(Some);
            }
            // Up to the next record, if there is one on this line.
            let end = beginning(rest).unwrap_or(rest.len());
            let text = rest[..end].trim_end();
            let item = CallItem::refused(Span::line(self.number), Problem::Not("<cdr>"), text);
            self.from += end;
            return Ok(Some(item));
        }
    }

    /// The record that begins here. A `<` in a value is written `&lt;` or `%3C`: what looks like
    /// the end or the beginning of a record is that.
    fn record(&mut self, reading: Reading<'_>) -> io::Result<CallItem> {
        let first = self.number;
        let mut record = String::new();
        loop {
            let end = self.end();
            let rest = &self.line[self.from..];
            let part = &rest[..end.map_or(rest.len(), |end| end - self.from)];
            // Not where it began.
            let skipped = usize::from(record.is_empty());
            let anew = part.get(skipped..).and_then(|part| {
                let record = beginning(part);
                part[..record.unwrap_or(part.len())].find("<?xml").or(record)
            });
            if let Some(anew) = anew.map(|at| at + skipped) {
                record.push_str(&rest[..anew]);
                self.from += anew;
                // What begins on a line of its own leaves that line out.
                let last = if self.from == 0 { self.number - 1 } else { self.number };
                let span = Span { first, last: last.max(first) };
                return Ok(CallItem::refused(span, Problem::Breaks, &record));
            }
            record.push_str(part);
            let span = Span { first, last: self.number };
            if let Some(end) = end {
                self.from = end;
                return Ok(CallItem::of(call(&record, reading, span), span, &record));
            }
            record.push('\n');
            self.from = self.line.len();
            // A line that is too long is refused by itself.
            let whole = |lines: &mut Lines| {
                lines.peek(1).map(|ahead| ahead.front().is_some_and(|line| !line.too_long))
            };
            let next = if record.len() <= LONGEST_RECORD && whole(&mut self.lines)? {
                self.lines.next()?
            } else {
                None
            };
            let Some(line) = next else {
                return Ok(CallItem::refused(span, Problem::Breaks, &record));
            };
            self.take(line);
        }
    }
}

/// How long what may stand between records is: a declaration, and an element around them.
fn between(text: &str) -> usize {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let after = if let Some(declaration) = rest.strip_prefix("<?xml") {
            let end =
                declaration.find(['<', '?']).filter(|at| declaration[*at..].starts_with("?>"));
            end.map(|at| &declaration[at + 2..])
        } else {
            rest.strip_prefix("<cdrs>").or_else(|| rest.strip_prefix("</cdrs>"))
        };
        match after {
            Some(after) => rest = after.trim_start(),
            None => return text.len() - rest.len(),
        }
    }
}

fn begins(text: &str) -> bool {
    text.starts_with("<cdr>") || text.starts_with("<cdr ")
}

/// Where a record begins.
fn beginning(text: &str) -> Option<usize> {
    text.match_indices("<cdr").map(|(at, _)| at).find(|at| begins(&text[*at..]))
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
    let texts = variables
        .children()
        .filter(roxmltree::Node::is_element)
        .map(|variable| (variable.tag_name().name().to_owned(), text_of(variable)));
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
