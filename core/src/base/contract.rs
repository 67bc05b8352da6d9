//! The contract's descriptors, read once: for access rules, field masks and what is stored as JSON.

use std::{collections::HashSet, sync::LazyLock};

use crate::error::{Error, Result};
use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use prost_types::FieldMask;

static POOL: LazyLock<Result<DescriptorPool, String>> = LazyLock::new(|| {
    DescriptorPool::decode(tollbook_proto::DESCRIPTORS).map_err(|error| error.to_string())
});

/// The descriptors of the contract.
pub(crate) fn pool() -> Result<&'static DescriptorPool> {
    POOL.as_ref().map_err(|error| Error::internal(error.clone()))
}

/// The descriptor of a message of `tollbook.v1`.
pub(crate) fn message(name: &str) -> Result<MessageDescriptor> {
    pool()?
        .get_message_by_name(name)
        .ok_or_else(|| Error::internal(format!("the contract has no {name}")))
}

/// A message of `tollbook.v1` as a dynamic one.
pub(crate) fn to_dynamic<M: Message + Name>(typed: &M) -> Result<DynamicMessage> {
    let mut dynamic = DynamicMessage::new(message(&M::full_name())?);
    dynamic
        .merge(typed.encode_to_vec().as_slice())
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(dynamic)
}

/// The inverse of [`to_dynamic`].
pub(crate) fn from_dynamic<T: Message + Default>(dynamic: &DynamicMessage) -> Result<T> {
    dynamic.transcode_to().map_err(|error| Error::internal(error.to_string()))
}

/// A message of `tollbook.v1` in protobuf's JSON form.
pub(crate) fn to_json<M: Message + Name>(typed: &M) -> Result<String> {
    serde_json::to_string(&to_dynamic(typed)?).map_err(|error| Error::internal(error.to_string()))
}

/// The paths of a mask, each once: named a thousand times, a long field would be copied as often.
pub(crate) fn paths(mask: Option<&FieldMask>) -> impl Iterator<Item = &str> {
    let mut seen = HashSet::new();
    let paths = mask.into_iter().flat_map(|mask| &mask.paths).map(String::as_str);
    paths.filter(move |path| seen.insert(*path))
}

/// Copies the field that `path` names from one message to another of its type. Returns
/// whether there is such a field. A path steps through messages by field name and through
/// maps by key.
pub(crate) fn copy_field(to: &mut DynamicMessage, from: &DynamicMessage, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(field) = to.descriptor().get_field_by_name(name) else {
        return false;
    };
    let Some(rest) = rest else {
        if from.has_field(&field) {
            to.set_field(&field, from.get_field(&field).into_owned());
        } else {
            to.clear_field(&field);
        }
        return true;
    };
    match (to.get_field_mut(&field), &*from.get_field(&field)) {
        (Value::Message(to), Value::Message(from)) => copy_field(to, from, rest),
        (Value::Map(to), Value::Map(from)) => {
            let key = prost_reflect::MapKey::String(rest.to_owned());
            match from.get(&key) {
                Some(value) => to.insert(key, value.clone()),
                None => to.remove(&key),
            };
            true
        }
        _ => false,
    }
}

/// Visits every text of a message, however deep, with the name of its field.
pub(crate) fn visit_texts(
    message: &DynamicMessage,
    visit: &mut impl FnMut(&str, &str) -> Result<()>,
) -> Result<()> {
    for (field, value) in message.fields() {
        visit_value(field.name(), value, visit)?;
    }
    Ok(())
}

fn visit_value(
    name: &str,
    value: &Value,
    visit: &mut impl FnMut(&str, &str) -> Result<()>,
) -> Result<()> {
    match value {
        Value::String(text) => visit(name, text),
        Value::Message(message) => visit_texts(message, visit),
        Value::List(values) => values.iter().try_for_each(|value| visit_value(name, value, visit)),
        Value::Map(values) => values.values().try_for_each(|value| visit_value(name, value, visit)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tollbook_proto::v1 as pb;

    use super::*;
    use crate::linear;

    #[test]
    fn f14_a_field_that_is_named_often_is_copied_once() {
        let user = pb::User { comment: "long ".repeat(20_000), ..Default::default() };
        let from = to_dynamic(&user).unwrap();
        linear::assert(
            "a mask",
            1_000,
            |count| FieldMask { paths: vec!["comment".to_owned(); count] },
            |mask| {
                let mut to = to_dynamic(&pb::User::default()).unwrap();
                let mut copied = 0;
                for path in paths(Some(mask)) {
                    assert!(copy_field(&mut to, &from, path));
                    copied += 1;
                }
                assert_eq!(copied, 1);
            },
        );
    }
}
