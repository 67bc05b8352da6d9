//! Answers: XML as the original writes it (declaration, two spaces of indentation, empty
//! elements as `<a></a>`), bare text, or a redirect.

use std::borrow::Cow;

use futures_util::Stream;
use quick_xml::se::{EmptyElementHandling, Serializer};
use serde::Serialize;
use tonic::Status;

use crate::listing::{self, Parts};

/// The declaration of most answers.
pub(crate) const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
/// The declaration of `user_login` and `user_logout`.
const LOGIN_DECLARATION: &str = r#"<?xml version="1.0" encoding="utf-8" standalone="yes"?>"#;

/// What a legacy method answers.
pub(crate) enum Answer {
    /// XML behind a declaration.
    Xml {
        /// The XML declaration.
        declaration: &'static str,
        /// The root element.
        root: String,
    },
    /// XML with a long list, which is sent as it comes.
    Listing {
        /// The root element.
        parts: Parts,
        /// The original puts it in a file, and sends that gzipped.
        is_file: bool,
    },
    /// Bare text, without any tag.
    Text(String),
    /// A redirect, for people whose browser made the request.
    Redirect(String),
}

impl Answer {
    /// An answer whose root element is named `root`.
    pub(crate) fn xml(root: &'static str, content: &impl Serialize) -> Self {
        Self::Xml { declaration: DECLARATION, root: render(root, content) }
    }

    /// An answer whose element `list` is long, from pages that together are the answer.
    pub(crate) fn listing<P: Serialize>(
        root: &'static str,
        list: &'static str,
        first: &P,
        rest: impl Stream<Item = Result<P, Status>> + Send + 'static,
    ) -> Self {
        Self::Listing { parts: listing::parts(root, list, first, rest), is_file: false }
    }

    /// The answer as one that the original puts in a file.
    pub(crate) fn into_file(self) -> Self {
        match self {
            Self::Listing { parts, .. } => Self::Listing { parts, is_file: true },
            Self::Xml { root, .. } => {
                let parts = Box::pin(futures_util::stream::iter([Ok(root)]));
                Self::Listing { parts, is_file: true }
            }
            other => other,
        }
    }

    /// `<page><status><success>TEXT</success></status></page>`
    pub(crate) fn success(text: &str) -> Self {
        Self::xml("page", &SuccessPage { status: Success { success: text } })
    }

    /// An answer of `user_login` or `user_logout`.
    pub(crate) fn login(root: &'static str, content: &impl Serialize) -> Self {
        Self::Xml { declaration: LOGIN_DECLARATION, root: render(root, content) }
    }

    /// What stands before and after the root element. `html_wrap` puts an HTML tag around it
    /// ("XML API Extension").
    pub(crate) fn frame(declaration: &str, html_wrap: bool) -> (String, &'static str) {
        match html_wrap {
            true => (format!("{declaration}\n<html>\n"), "\n</html>\n"),
            false => (format!("{declaration}\n"), "\n"),
        }
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Xml { root: text, .. } | Self::Text(text) | Self::Redirect(text) => {
                f.write_str(text)
            }
            Self::Listing { .. } => f.write_str("a listing"),
        }
    }
}

#[derive(Serialize)]
struct SuccessPage<'a> {
    status: Success<'a>,
}

#[derive(Serialize)]
struct Success<'a> {
    success: &'a str,
}

/// Renders a root element.
pub(crate) fn render(root: &'static str, content: &impl Serialize) -> String {
    let mut xml = String::new();
    let rendered = Serializer::with_root(&mut xml, Some(root)).and_then(|mut serializer| {
        serializer.indent(' ', 2);
        serializer.empty_element_handling(EmptyElementHandling::Expanded);
        content.serialize(serializer)
    });
    if let Err(error) = rendered {
        // Only a type that cannot be XML at all gets here.
        tracing::error!(%error, root, "an answer could not be rendered");
        return format!("<{root}><error>Internal error</error></{root}>");
    }
    match legal(&xml) {
        Cow::Borrowed(_) => xml,
        Cow::Owned(legal) => legal,
    }
}

/// The text without characters that XML 1.0 cannot hold, escaped or not.
fn legal(text: &str) -> Cow<'_, str> {
    let illegal = |char: char| matches!(char, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(illegal) {
        Cow::Owned(text.replace(illegal, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize)]
    struct Page {
        error: String,
        empty: &'static str,
    }

    #[test]
    fn looks_like_the_original() {
        let page = Page { error: "a < b & 'c'".to_owned(), empty: "" };
        assert_eq!(
            render("page", &page),
            "<page>\n  <error>a &lt; b &amp; 'c'</error>\n  <empty></empty>\n</page>"
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_well_formed_xml(text in any::<String>()) {
            let xml = render("page", &Page { error: text, empty: "" });
            let parsed = roxmltree::Document::parse(&xml);
            prop_assert!(parsed.is_ok(), "{xml:?}: {parsed:?}");
        }
    }
}
