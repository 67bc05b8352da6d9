//! Pages of lists: a size, and a token that says of which list it is, and where in it to go on.

use std::{borrow::Cow, fmt::Display};

use prost::{Message, Name};
use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use sha2::{Digest, Sha256};

use crate::{
    contract,
    error::{Error, Result},
};

const DEFAULT_SIZE: i64 = 100;
const MAX_SIZE: i64 = 1000;

/// The page that a request asks for. Its token belongs to the list: with another filter or order, or by
/// another rpc, it would lead to a place that means nothing there.
pub(crate) struct Page {
    pub(crate) size: i64,
    /// Behind what it begins; none: it is the first.
    position: Option<String>,
    /// What the request asks for beside its page.
    list: String,
}

impl Page {
    /// Of a request with a `page_size` and a `page_token`.
    ///
    /// # Errors
    /// The token is none of this list.
    pub(crate) fn of(request: &impl Name) -> Result<Self> {
        Self::of_dynamic(contract::to_dynamic(request)?)
    }

    fn of_dynamic(mut request: DynamicMessage) -> Result<Self> {
        let field = |name: &str| request.get_field_by_name(name).map(Cow::into_owned);
        let size = match field("page_size").and_then(|size| size.as_i32()) {
            Some(size) if size > 0 => i64::from(size).min(MAX_SIZE),
            Some(_) | None => DEFAULT_SIZE,
        };
        let token = field("page_token").unwrap_or(Value::String(String::new()));
        let descriptor = request.descriptor();
        for field in descriptor.fields().filter(|field| is_of_the_page(field.name())) {
            request.clear_field(&field);
        }
        let list = Sha256::new()
            .chain_update(descriptor.full_name())
            .chain_update([0])
            .chain_update(request.encode_to_vec())
            .finalize();
        let list = hex::encode(&list[..8]);
        let position = match token.as_str().filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => match token.rsplit_once('.') {
                Some((position, of)) if of == list => Some(position.to_owned()),
                Some(_) | None => return Err(Error::InvalidPageToken),
            },
        };
        Ok(Self { size, position, list })
    }

    /// Behind what it begins; none: it is the first.
    pub(crate) fn position(&self) -> Option<&str> {
        self.position.as_deref()
    }

    /// The id behind which it begins; none: it is the first.
    pub(crate) fn after(&self) -> Result<Option<i64>> {
        let id = |position: &str| position.parse().map_err(|_| Error::InvalidPageToken);
        self.position().map(id).transpose()
    }

    /// The token of a page of the same list that begins behind a position.
    pub(crate) fn token(&self, position: impl Display) -> String {
        format!("{position}.{}", self.list)
    }

    /// Cuts a list that was read one row longer than the page is to be, and makes the token of the next
    /// page.
    pub(crate) fn cut<T>(
        &self,
        mut rows: Vec<T>,
        size: i64,
        id: impl Fn(&T) -> i64,
    ) -> (Vec<T>, String) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let next = rows.last().map(|row| self.token(id(row))).unwrap_or_default();
        (rows, next)
    }

    /// The page of a list that is in memory by ascending id, and the token of the next.
    pub(crate) fn of_sorted<T>(
        &self,
        items: impl Iterator<Item = T>,
        id: impl Fn(&T) -> i64,
    ) -> Result<(Vec<T>, String)> {
        let after = self.after()?;
        let wanted = usize::try_from(self.size + 1).unwrap_or(usize::MAX);
        let behind = items.skip_while(|item| after.is_some_and(|after| id(item) <= after));
        Ok(self.cut(behind.take(wanted).collect(), self.size, id))
    }
}

/// Whether a field of a request says what a page is or shows, and nothing of the list that it is of.
fn is_of_the_page(field: &str) -> bool {
    ["page_size", "page_token"].contains(&field) || field.starts_with("with_")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prost_reflect::{Cardinality, FieldDescriptor, Kind};
    use tollbook_proto::v1 as pb;

    use super::*;

    #[test]
    fn f20_pages_together_are_the_list() {
        let list: Vec<i64> = (0..250).map(|id| id * 3).collect();
        let (mut all, mut request, mut pages) = (Vec::new(), pb::ListUsersRequest::default(), 0);
        loop {
            let page = Page::of(&request).unwrap();
            let (rows, next) = page.of_sorted(list.iter().copied(), |id| *id).unwrap();
            all.extend(rows);
            pages += 1;
            if next.is_empty() {
                break;
            }
            request.page_token = next;
        }
        assert_eq!((all, pages), (list, 3));
        for wrong in ["x", "5", "5.", ".", "5.0011223344556677"] {
            let page_token = wrong.to_owned();
            let request = pb::ListUsersRequest { page_token, ..Default::default() };
            assert!(Page::of(&request).is_err(), "{wrong}");
        }
    }

    /// A value of a field that is not its default.
    fn value(field: &FieldDescriptor) -> Value {
        let one = match field.kind() {
            Kind::Bool => Value::Bool(true),
            Kind::Int32 => Value::I32(7),
            Kind::Int64 => Value::I64(7),
            Kind::String => Value::String("7".to_owned()),
            Kind::Enum(_) => Value::EnumNumber(1),
            Kind::Message(message) => {
                let mut filled = DynamicMessage::new(message.clone());
                let first = message.fields().next().unwrap();
                filled.set_field(&first, value(&first));
                Value::Message(filled)
            }
            other => panic!("no value for {other:?}"),
        };
        if field.cardinality() == Cardinality::Repeated { Value::List(vec![one]) } else { one }
    }

    /// Every field of every list: a filter, or of the page alone.
    #[test]
    fn a_token_goes_with_the_filter_that_it_was_made_for() {
        let pool = contract::pool().unwrap();
        let paged = pool.all_messages().filter(|message| {
            message.name().starts_with("List") && message.get_field_by_name("page_token").is_some()
        });
        let paged: Vec<_> = paged.collect();
        assert!(paged.len() > 20, "{}", paged.len());
        let mut lists = std::collections::HashSet::new();
        for descriptor in paged {
            let empty = DynamicMessage::new(descriptor.clone());
            let first = Page::of_dynamic(empty.clone()).unwrap();
            assert!(lists.insert(first.list.clone()), "{}", descriptor.name());
            let token = first.token(5);
            for field in descriptor.fields().filter(|field| field.name() != "page_token") {
                let mut request = empty.clone();
                request.set_field(&field, value(&field));
                request.set_field_by_name("page_token", Value::String(token.clone()));
                let fits = Page::of_dynamic(request).is_ok_and(|page| page.after().is_ok());
                assert_eq!(fits, is_of_the_page(field.name()), "{}", field.full_name());
            }
        }
    }
}
