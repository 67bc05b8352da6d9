//! What is stored as the contract's JSON, by this version or by another: a later version may have
//! written what this one does not know. It is read without that, and written with it again.

use std::collections::BTreeSet;

use prost::{Message, Name};
use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use crate::{
    contract,
    error::{Error, Result},
};

/// The message that some JSON has. What this version does not know is left out: fields, and
/// names of enum values.
pub(crate) fn read<M: Message + Name + Default>(json: &str) -> Result<M> {
    let mut json = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let descriptor = contract::message(&M::full_name())?;
    let dynamic = DynamicMessage::deserialize_with_options(descriptor, &mut json, &options)
        .map_err(|error| unreadable(&error))?;
    contract::from_dynamic(&dynamic)
}

/// The fields of a message as they are stored, by their names in JSON: for what must not be left out
/// though it is unknown.
pub(crate) fn fields(json: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(json).map_err(|error| unreadable(&error))
}

/// The JSON of something new.
pub(crate) fn written<M: Message + Name>(message: &M) -> Result<String> {
    contract::to_json(message)
}

/// The JSON of something that was read from `stored` and changed: with what of that this version
/// does not know. What is set anew has the value that was set, and what is taken away is
/// gone with all that it held.
pub(crate) fn rewritten<M: Message + Name>(message: &M, stored: &str) -> Result<String> {
    let json = written(message)?;
    let mut new = fields(&json)?;
    let descriptor = contract::message(&M::full_name())?;
    // As it comes from the contract, unless there is something to add.
    match keep_fields(&descriptor, &fields(stored)?, &mut new) {
        false => Ok(json),
        true => serde_json::to_string(&new).map_err(|error| unreadable(&error)),
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::internal(format!("stored JSON cannot be read: {error}"))
}

/// Adds to a message's JSON what is unknown in its JSON of before. Returns whether there was
/// something.
fn keep_fields(
    descriptor: &MessageDescriptor,
    old: &Map<String, Value>,
    new: &mut Map<String, Value>,
) -> bool {
    let mut kept = false;
    for (key, old) in old {
        let by_json_name = descriptor.get_field_by_json_name(key);
        kept |= match by_json_name.or_else(|| descriptor.get_field_by_name(key)) {
            None => add(new, key, old),
            Some(field) => match new.get_mut(field.json_name()) {
                None if is_unknown(&field, old) => add(new, field.json_name(), old),
                None => false,
                Some(new) => keep_value(&field, old, new),
            },
        };
    }
    kept
}

fn add(to: &mut Map<String, Value>, key: &str, value: &Value) -> bool {
    if to.contains_key(key) {
        return false;
    }
    to.insert(key.to_owned(), value.clone());
    true
}

/// The same of the value of a field.
fn keep_value(field: &FieldDescriptor, old: &Value, new: &mut Value) -> bool {
    let kind = field.kind();
    match (&kind, old, new) {
        (Kind::Message(entry), Value::Object(old), Value::Object(new)) if field.is_map() => {
            let value = entry.map_entry_value_field();
            let mut kept = false;
            for (key, old) in old {
                kept |= match new.get_mut(key) {
                    None if is_unknown(&value, old) => add(new, key, old),
                    None => false,
                    Some(new) => keep_value(&value, old, new),
                };
            }
            kept
        }
        // The parts of a list have no names: they are the same ones where there are as many.
        (Kind::Message(part), Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let parts = old.iter().zip(new);
            parts.fold(false, |kept, (old, new)| kept | keep_part(part, old, new))
        }
        (Kind::Message(part), old, new) => keep_part(part, old, new),
        // A list is that of before where nothing but the unknown is missing.
        (_, Value::Array(list), new) if field.is_list() => {
            let known: Vec<_> = list.iter().filter(|old| !is_unknown_name(&kind, old)).collect();
            let same = known.len() < list.len()
                && new.as_array().is_some_and(|new| new.iter().eq(known.iter().copied()));
            if same {
                new.clone_from(old);
            }
            same
        }
        _ => false,
    }
}

fn keep_part(part: &MessageDescriptor, old: &Value, new: &mut Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => keep_fields(part, old, new),
        _ => false,
    }
}

/// Whether reading a field leaves its whole value out.
fn is_unknown(field: &FieldDescriptor, value: &Value) -> bool {
    match value {
        _ if field.is_map() => {
            let entry = field.kind();
            let of = entry.as_message().map(MessageDescriptor::map_entry_value_field);
            let values = value.as_object().into_iter().flat_map(Map::values);
            let mut values = values.peekable();
            of.is_some_and(|of| {
                values.peek().is_some() && values.all(|value| is_unknown(&of, value))
            })
        }
        Value::Array(values) => {
            let names = values.iter().filter(|value| is_unknown_name(&field.kind(), value));
            !values.is_empty() && names.count() == values.len()
        }
        value => is_unknown_name(&field.kind(), value),
    }
}

/// Whether it is the name of an enum value, and none that this version has.
fn is_unknown_name(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::Enum(names), Value::String(name)) => names.get_value_by_name(name).is_none(),
        _ => false,
    }
}

/// Names in a text, separated by commas, of which this version may not know all: the text of
/// before where it has the same known ones, so that a change of something else keeps the others.
pub(crate) fn rewritten_names(
    names: &str,
    stored: &str,
    is_known: impl Fn(&str) -> bool,
) -> String {
    let stored_ones: BTreeSet<_> = stored.split(',').filter(|name| is_known(name)).collect();
    let new: BTreeSet<_> = names.split(',').filter(|name| !name.is_empty()).collect();
    if stored_ones == new { stored.to_owned() } else { names.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::v1 as pb;

    use super::*;

    fn changed<M: Message + Name + Default>(stored: &str, change: impl Fn(&mut M)) -> Value {
        let mut message = read::<M>(stored).unwrap();
        change(&mut message);
        serde_json::from_str(&rewritten(&message, stored).unwrap()).unwrap()
    }

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_unknown_is_there_after_a_change_of_something_else() {
        let stored = r#"{"comment":"old","loyalty":{"points":3},"sourceList":{"use":"LIST_USE_GREY",
            "hours":[8,18]},"taxes":{"taxes":[{"name":"VAT","code":"A1"},{"code":"B2"}]}}"#;
        let new = changed::<pb::User>(stored, |user| {
            user.comment = "new".to_owned();
            user.taxes.as_mut().unwrap().taxes[1].name = "GST".to_owned();
        });
        let expected = r#"{"comment":"new","loyalty":{"points":3},"sourceList":{"use":"LIST_USE_GREY",
            "hours":[8,18]},"taxes":{"taxes":[{"name":"VAT","code":"A1"},{"name":"GST","code":"B2"}]}}"#;
        assert_eq!(new, value(expected));
    }

    #[test]
    fn what_is_set_or_taken_away_is_as_it_was_said() {
        let stored = r#"{"sourceList":{"use":"LIST_USE_GREY"},"destinationList":{"hours":[8]},
            "taxes":{"taxes":[{"name":"VAT","code":"A1"},{"code":"B2"}]}}"#;
        let new = changed::<pb::User>(stored, |user| {
            user.source_list.as_mut().unwrap().set_use(pb::ListUse::Blacklist);
            user.destination_list = None;
            user.taxes.as_mut().unwrap().taxes.pop();
        });
        let expected =
            r#"{"sourceList":{"use":"LIST_USE_BLACKLIST"},"taxes":{"taxes":[{"name":"VAT"}]}}"#;
        assert_eq!(new, value(expected));
    }

    #[test]
    fn unknown_names_in_lists_and_maps_stay_with_those_beside_them() {
        let stored = r#"{"name":"a","originatorFrom":["PARTY_SOURCE_MOON"],
            "terminatorFrom":["PARTY_SOURCE_PEER","PARTY_SOURCE_MOON"]}"#;
        let same = changed::<pb::CallFileProfile>(stored, |_| {});
        assert_eq!(same, value(stored));
        let other = changed::<pb::CallFileProfile>(stored, |profile| {
            profile.terminator_from = vec![pb::PartySource::Account.into()];
        });
        assert_eq!(other["terminatorFrom"], value(r#"["PARTY_SOURCE_ACCOUNT"]"#));
        let key = r#"{"methods":{"user_get":"API_ACCESS_NIGHTLY","rates_get":"API_ACCESS_READ"}}"#;
        assert_eq!(changed::<pb::ApiKey>(key, |_| {}), value(key));
        assert_eq!(read::<pb::ApiKey>(key).unwrap().methods.len(), 1);
    }

    #[test]
    fn what_is_all_known_is_written_as_the_contract_writes_it() {
        let user = pb::User { comment: "a".to_owned(), call_limit: 3, ..Default::default() };
        let json = written(&user).unwrap();
        assert_eq!(rewritten(&pb::User::default(), &json).unwrap(), "{}");
        assert_eq!(rewritten(&user, &json).unwrap(), json);
    }

    #[test]
    fn names_that_are_unknown_stay_unless_the_known_ones_change() {
        let known = |name: &str| matches!(name, "A" | "B");
        assert_eq!(rewritten_names("B,A", "A,B,LATER", known), "A,B,LATER");
        assert_eq!(rewritten_names("A", "A,B,LATER", known), "A");
        assert_eq!(rewritten_names("", "LATER", known), "LATER");
    }
}
