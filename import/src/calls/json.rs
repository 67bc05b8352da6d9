//! `mod_json_cdr` of FreeSWITCH: an object for each leg, in a file of its own, one on a line, in an
//! array, or one behind the other. Its documentation: "`mod_json_cdr` — JSON CDR over HTTP".

use std::{fmt, io, mem};

use serde::{
    Deserialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::Value;

use super::{
    Problem, Span,
    columns::Column,
    file::CallItem,
    names::FREESWITCH,
    number::shown,
    record::{Reading, Values},
};
use crate::text::Lines;

/// The longest record, in bytes.
const LONGEST_RECORD: usize = 4 << 20;

/// The objects of a file.
pub(crate) struct Records {
    lines: Lines,
    /// The line being read, and how far it is.
    line: String,
    from: usize,
    number: u64,
}

impl Records {
    pub(crate) fn new(lines: Lines) -> Self {
        Self { lines, line: String::new(), from: 0, number: 0 }
    }

    pub(crate) fn next(&mut self, reading: Reading<'_>) -> io::Result<Option<CallItem>> {
        loop {
            let rest = &self.line[self.from..];
            // Between objects there are only the signs of an array.
            let Some(at) =
                rest.find(|c: char| !(c.is_whitespace() || matches!(c, '[' | ',' | ']')))
            else {
                let Some(line) = self.lines.next()? else { return Ok(None) };
                (self.line, self.from, self.number) = (line.text, 0, line.number);
                if line.too_long {
                    self.from = self.line.len();
                    let problem = Problem::LongLine(self.lines.longest());
                    let span = Span::line(self.number);
                    return Ok(Some(CallItem::refused(span, problem, &self.line)));
                }
                continue;
            };
            self.from += at;
            if !self.line[self.from..].starts_with('{') {
                let text = self.line.split_off(self.from);
                let problem = Problem::Not("JSON object");
                return Ok(Some(CallItem::refused(Span::line(self.number), problem, &text)));
            }
            return self.object(reading).map(Some);
        }
    }

    /// The object that begins here. Text in JSON holds no ends of lines: an object that breaks
    /// off inside a text ends with its line, and so does one that is followed by a whole one.
    fn object(&mut self, reading: Reading<'_>) -> io::Result<CallItem> {
        let first = self.number;
        let mut object = String::new();
        let mut object_end = ObjectEnd::default();
        loop {
            let rest = &self.line[self.from..];
            if let Some(end) = object_end.find(rest) {
                object.push_str(&rest[..end]);
                self.from += end;
                let span = Span { first, last: self.number };
                return Ok(CallItem::of(call(&object, reading, span), span, &object));
            }
            object.push_str(rest);
            object.push('\n');
            self.from = self.line.len();
            let span = Span { first, last: self.number };
            if object_end.in_text || object.len() > LONGEST_RECORD {
                return Ok(CallItem::refused(span, Problem::Breaks, &object));
            }
            let next = self.lines.peek(1)?.front();
            let begins_anew = next.is_none_or(|next| {
                let whole = || serde_json::from_str::<Record>(&next.text).is_ok();
                next.too_long || (next.text.starts_with('{') && whole())
            });
            if begins_anew {
                return Ok(CallItem::refused(span, Problem::Breaks, &object));
            }
            let Some(line) = self.lines.next()? else {
                return Ok(CallItem::refused(span, Problem::Breaks, &object));
            };
            (self.line, self.from, self.number) = (line.text, 0, line.number);
        }
    }
}

/// Where an object ends.
#[derive(Default)]
struct ObjectEnd {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl ObjectEnd {
    /// The place behind the end of the object, if it is in this part of it.
    fn find(&mut self, text: &str) -> Option<usize> {
        for (at, byte) in text.bytes().enumerate() {
            if mem::take(&mut self.escaped) {
                continue;
            }
            match byte {
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.depth += 1,
                b'}' | b']' if !self.in_text => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[derive(Deserialize)]
struct Record {
    variables: Members,
    callflow: Option<Value>,
}

/// The members of an object as texts, each name once.
struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the variables of a channel")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    members.push((name, text_of(&value)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Texts)
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn call(text: &str, reading: Reading<'_>, span: Span) -> Result<super::Call, Problem> {
    let record: Record =
        serde_json::from_str(text).map_err(|_| Problem::Not("record of mod_json_cdr"))?;
    // The profile that the call had at its end stands first, as `mod_cdr_csv` has it.
    let flow = record.callflow.as_ref().map(|flow| match flow {
        Value::Array(flows) => flows.first().unwrap_or(&Value::Null),
        flow => flow,
    });
    let profile = flow.and_then(|flow| flow.get("caller_profile"));
    let profile = ["caller_id_number", "destination_number", "network_addr"].map(|name| {
        (
            name.to_owned(),
            profile.and_then(|profile| profile.get(name)).map_or_else(String::new, text_of),
        )
    });
    of_variables(record.variables.0, profile, reading, span)
}

/// A call from channel variables and the caller's profile, for which see `mod_xml_cdr` too.
pub(crate) fn of_variables(
    mut variables: Vec<(String, String)>,
    mut profile: [(String, String); 3],
    reading: Reading<'_>,
    span: Span,
) -> Result<super::Call, Problem> {
    let needed =
        |name: &str| FREESWITCH.iter().any(|(known, used)| used.is_some() && *known == name);
    variables.retain(|(name, _)| needed(name));
    variables.sort();
    if let Some([(name, _), ..]) = variables.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Problem::Twice(shown(name)));
    }
    // With `encode-values` on, which is the default, values are written as in a URL: to be seen
    // at the times, in which there is a space.
    let is_stamp = |name: &str| name.ends_with("_stamp");
    let encoded = variables.iter().any(|(name, value)| is_stamp(name) && value.contains("%20"));
    if encoded {
        for (_, value) in variables.iter_mut().chain(&mut profile) {
            *value = from_url(value);
        }
    }
    let mut values = Values::new();
    let profile = profile.iter().map(|(name, value)| (name, value));
    let all: Vec<(&String, &String)> =
        profile.chain(variables.iter().map(|(name, value)| (name, value))).collect();
    for (known, column) in FREESWITCH {
        let Some(column) = column else { continue };
        for (_, value) in all.iter().filter(|(name, _)| name.as_str() == *known) {
            // An epoch of nothing is 0.
            let is_time =
                matches!(column, Column::StartTime | Column::AnswerTime | Column::EndTime);
            if !(is_time && value.as_str() == "0") {
                values.set(*column, value);
            }
        }
    }
    reading.call(&values, span)
}

/// `%20` and the like.
fn from_url(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
