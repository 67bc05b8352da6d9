//! Answers too large to be held: long lists, rendered and sent a page at a time.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tonic::Status;
use tracing::Instrument;

use crate::xml::render;

/// The root element of an answer, in parts.
pub(crate) type Parts = Pin<Box<dyn Stream<Item = Result<String, Status>> + Send>>;

/// Renders an answer whose element `list` is long. Each of the pages is the whole answer with
/// some of the list's items; all of them together are the answer. A later page that cannot be
/// had ends the parts with the error.
pub(crate) fn parts<P: Serialize>(
    root: &'static str,
    list: &'static str,
    first: &P,
    rest: impl Stream<Item = Result<P, Status>> + Send + 'static,
) -> Parts {
    let cut = Cut { root, list };
    let (head, tail) = cut.page(first);
    let parts = stream::unfold((Box::pin(rest), Some(tail)), move |(mut rest, tail)| async move {
        // None: the end has been sent.
        let tail = tail?;
        match rest.next().await {
            Some(Ok(page)) => {
                let (items, tail_after) = cut.items(&page);
                let tail = if items.is_empty() { tail } else { tail_after };
                Some((Ok(items), (rest, Some(tail))))
            }
            Some(Err(status)) => Some((Err(status), (rest, None))),
            None => Some((Ok(tail), (rest, None))),
        }
    });
    Box::pin(stream::iter([Ok(head)]).chain(parts))
}

/// The pages of a list behind its first one, which said by which token to go on: each is asked
/// for when the one before has been sent. A task of its own asks: a client that stops reading in
/// the middle would otherwise keep what the core answers with.
pub(crate) fn following<T, F>(
    token: String,
    page: impl FnMut(String) -> F + Send + 'static,
) -> impl Stream<Item = Result<T, Status>> + Send + 'static
where
    F: Future<Output = Result<(T, String), Status>> + Send + 'static,
    T: Send + 'static,
{
    stream::try_unfold((token, page), |(token, mut page)| async move {
        if token.is_empty() {
            return Ok(None);
        }
        let asked = tokio::spawn(page(token).in_current_span()).await;
        let (items, next) = asked.map_err(|error| Status::internal(error.to_string()))??;
        Ok(Some((items, (next, page))))
    })
}

/// Where an answer is cut. What stands in its texts is escaped, so that the first and the last
/// tag of the list can be told from them.
#[derive(Clone, Copy)]
struct Cut {
    root: &'static str,
    list: &'static str,
}

impl Cut {
    /// A page up to its last item, and what follows.
    fn page(self, page: &impl Serialize) -> (String, String) {
        let mut head = render(self.root, page);
        let end = head.rfind(&format!("</{}>", self.list)).unwrap_or(head.len());
        // The indentation belongs to the end of the list.
        let end = head[..end].trim_end().len();
        let tail = head.split_off(end);
        (head, tail)
    }

    /// The items of a page, and what follows them.
    fn items(self, page: &impl Serialize) -> (String, String) {
        let (mut head, tail) = self.page(page);
        let tag = format!("<{}>", self.list);
        let begin = head.find(&tag).map_or(head.len(), |begin| begin + tag.len());
        (head.split_off(begin), tail)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Serialize)]
    struct Page {
        name: String,
        list: List,
        after: &'static str,
    }

    #[derive(Clone, Serialize)]
    struct List {
        item: Vec<Item>,
    }

    #[derive(Clone, Serialize)]
    struct Item {
        text: String,
    }

    proptest! {
        #[test]
        fn pages_together_are_the_answer(
            name in ".{0,12}",
            pages in prop::collection::vec(prop::collection::vec("[ -~\n]{0,12}", 0..4), 1..5),
        ) {
            let page = |texts: &[String]| Page {
                name: format!("<list></list>{name}"),
                list: List { item: texts.iter().map(|text| Item { text: text.clone() }).collect() },
                after: "",
            };
            let whole = render("page", &page(&pages.concat()));
            let mut pages = pages.iter().map(|texts| page(texts)).collect::<Vec<_>>().into_iter();
            let first = pages.next().unwrap();
            let parts = parts("page", "list", &first, stream::iter(pages.map(Ok)));
            let parts: Vec<_> = futures_util::FutureExt::now_or_never(parts.collect()).unwrap();
            let together: String = parts.into_iter().map(Result::unwrap).collect();
            prop_assert_eq!(together, whole);
        }
    }

    #[test]
    fn what_fails_on_the_way_ends_the_parts() {
        let page = Page { name: String::new(), list: List { item: Vec::new() }, after: "" };
        let rest = stream::iter([Ok(page.clone()), Err(Status::unavailable("gone"))]);
        let parts = parts("page", "list", &page, rest);
        let parts: Vec<_> = futures_util::FutureExt::now_or_never(parts.collect()).unwrap();
        assert_eq!(parts.len(), 3);
        assert!(parts[2].is_err());
    }
}
