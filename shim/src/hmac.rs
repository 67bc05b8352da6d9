//! The signature of clients that can do better than the legacy hash: its headers, and the
//! canonical form of a request that it is made of (docs/signing.md). Only the core can tell
//! whether it is right.

use axum::http::{HeaderMap, Method as Verb};
use sha2::{Digest, Sha256};
use tollbook_proto::v1::HmacSignature;

use crate::request::Params;

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

/// SHA-256 of the canonical form of a request: everything that it is, in one spelling.
pub(crate) fn digest(verb: &Verb, method: &str, body: &[u8], params: &Params) -> Vec<u8> {
    let body = hex::encode(Sha256::digest(body));
    let mut canonical = format!("TOLLBOOK1\n{verb}\n/billing/api/{method}\n{body}\n").into_bytes();
    let mut sorted: Vec<(&str, &str)> = params.iter().collect();
    sorted.sort_unstable();
    for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
        // With its length before it, no text can lend a part to its neighbour.
        canonical.extend_from_slice(format!("{}:{text}", text.len()).as_bytes());
    }
    Sha256::digest(canonical).to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn params(form: &'static str) -> Params {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Params::read("", "", Bytes::from(form))).unwrap()
    }

    /// The example of `docs/signing.md`.
    #[test]
    fn documented_digest() {
        let form = "user_id=4&balance=12.50";
        let digest = digest(&Verb::POST, "user_balance_update", form.as_bytes(), &params(form));
        assert_eq!(
            hex::encode(digest),
            "1ebcd4964567753e3ee2cfb45d2d3112885f6ccd59e0aa7432336267e8527643"
        );
    }

    #[test]
    fn the_order_of_parameters_does_not_count_and_their_borders_do() {
        let digest = |form| digest(&Verb::POST, "users_get", b"", &params(form));
        assert_eq!(digest("a=1&b=2"), digest("b=2&a=1"));
        assert_ne!(digest("a=1&b=23"), digest("a=12&b=3"));
        assert_ne!(digest("a=1&b=2"), digest("a=1&b=2&c="));
    }

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
