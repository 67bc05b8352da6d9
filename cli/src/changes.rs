//! `tollbook changes`: the audit log.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::Value;
use tollbook_proto::v1::{
    Change, ListChangesRequest, changes_service_client::ChangesServiceClient,
};

use crate::{
    client::{connect, said},
    config::Config,
    out::written,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Changes of this, for example `users/4`, `accounts/4` or `settings`
    resource: Option<String>,
    /// Changes by the user of this id
    #[arg(long)]
    by: Option<i64>,
    /// How many, newest first
    #[arg(long, default_value_t = 20)]
    limit: i32,
    /// Show all of what was changed, before and after, as JSON; else only what became another
    #[arg(long)]
    whole: bool,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let mut core = ChangesServiceClient::new(connect(config).await?);
    let request = ListChangesRequest {
        actor_id: args.by,
        resource: args.resource.clone().unwrap_or_default(),
        page_size: args.limit,
        ..Default::default()
    };
    let answer = core.list_changes(request).await.map_err(said)?;
    let mut out = io::stdout().lock();
    for change in answer.into_inner().changes {
        written(print(&mut out, &change, args.whole))?;
    }
    Ok(())
}

fn print(out: &mut impl Write, change: &Change, whole: bool) -> io::Result<()> {
    let seconds = change.created_at.as_ref().map_or(0, |time| time.seconds);
    let time = Timestamp::from_second(seconds).unwrap_or_default();
    let who = change.actor_id.map_or("nobody".to_owned(), |id| format!("user {id}"));
    let from = if change.address.is_empty() { "this machine" } else { &change.address };
    let by = if change.legacy_method.is_empty() { &change.rpc } else { &change.legacy_method };
    let (resource, credential) = (&change.resource, &change.credential);
    writeln!(out, "{} {time} {resource} by {who} ({credential}) from {from}: {by}", change.id)?;
    if let Some(different) = differences(change).filter(|_| !whole) {
        for line in different {
            writeln!(out, "  {line}")?;
        }
        return match change.note.as_str() {
            "" => Ok(()),
            note => writeln!(out, "  * {note}"),
        };
    }
    for (sign, text) in [("-", &change.before), ("+", &change.after), ("*", &change.note)] {
        if !text.is_empty() {
            writeln!(out, "  {sign} {text}")?;
        }
    }
    Ok(())
}

/// What is left out of what is new: the columns of the old system are many, and mean nothing here.
const OF_OLD_SYSTEM: &str = "legacyColumns";

/// What a change made another, a field a line; `None`: what it changed is not there as fields.
fn differences(change: &Change) -> Option<Vec<String>> {
    let read = |text: &str| match text {
        "" => Some(Value::Null),
        text => serde_json::from_str(text).ok().filter(Value::is_object),
    };
    let (before, mut after) = (read(&change.before)?, read(&change.after)?);
    if before.is_null() && after.is_null() {
        return None;
    }
    if before.is_null()
        && let Some(fields) = after.as_object_mut()
    {
        fields.remove(OF_OLD_SYSTEM);
    }
    if after.is_null() {
        return Some(vec![format!("- {}", short(before))]);
    }
    let mut lines = Vec::new();
    differ("", &before, &after, &mut lines);
    Some(lines)
}

/// What was deleted, without what means nothing here.
fn short(mut before: Value) -> Value {
    if let Some(fields) = before.as_object_mut() {
        fields.remove(OF_OLD_SYSTEM);
    }
    before
}

/// Adds a line for each field that two values have differently.
fn differ(name: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let has_fields = |value: &Value| value.is_object() || value.is_null();
    if before == after {
        return;
    }
    if !has_fields(before) || !has_fields(after) || (before.is_null() && !name.is_empty()) {
        let shown = |value: &Value| match value {
            Value::Null => "-".to_owned(),
            value => value.to_string(),
        };
        lines.push(format!("{name}: {} -> {}", shown(before), shown(after)));
        return;
    }
    let (before, after) = (fields(before), fields(after));
    let new = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(new) {
        let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let of =
            |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
        differ(&inner, &of(&before), &of(&after), lines);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(before: &str, after: &str, whole: bool) -> String {
        let change = Change {
            before: before.to_owned(),
            after: after.to_owned(),
            note: "by hand".to_owned(),
            ..Default::default()
        };
        let mut out = Vec::new();
        print(&mut out, &change, whole).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn of_a_change_only_what_became_another_is_shown() {
        let before = r#"{"credit":"5","name":"a","legacyColumns":{"x":"1","y":"2"}}"#;
        let after = r#"{"name":"b","tariffId":"3","legacyColumns":{"x":"1","y":"7"}}"#;
        let expected = "  credit: \"5\" -> -\n  legacyColumns.y: \"2\" -> \"7\"\n  name: \"a\" -> \"b\"\n  \
                        tariffId: - -> \"3\"\n  * by hand\n";
        assert_eq!(shown(before, after, false), expected);
        assert_eq!(shown(before, after, true), format!("  - {before}\n  + {after}\n  * by hand\n"));
        assert!(!shown("", before, false).contains("legacyColumns"));
        assert!(!shown(before, "", false).contains("legacyColumns"));
        assert_eq!(shown("12.5", "13", false), "  - 12.5\n  + 13\n  * by hand\n");
    }
}
