//! The signature of clients that can do better than the legacy hash: its headers
//! (docs/signing.md). Only the core can tell whether it is right.

use axum::http::HeaderMap;
use tollbook_proto::v1::HmacSignature;

/// The signature that a request's headers carry; none: it has none. What cannot be read is
/// left empty, and fits nothing.
pub(crate) fn of(headers: &HeaderMap) -> Option<HmacSignature> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |name: &str| text(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let is_signed = headers.contains_key("tollbook-signature");
    is_signed.then(|| HmacSignature {
        key_id: number("tollbook-key"),
        timestamp: number("tollbook-timestamp"),
        nonce: text("tollbook-nonce").unwrap_or_default().to_owned(),
        signature: text("tollbook-signature").unwrap_or_default().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn odd_headers_are_signatures_that_fit_nothing(value in "[ -~]{0,40}") {
            let mut headers = HeaderMap::new();
            prop_assert!(of(&headers).is_none());
            headers.insert("tollbook-signature", value.parse().unwrap());
            headers.insert("tollbook-key", value.parse().unwrap());
            prop_assert!(of(&headers).is_some());
        }
    }
}
