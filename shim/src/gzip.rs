//! Compressed answers (`docs/rules/legacy-requests.md#compressed-answers`).

use std::io::Write;

use axum::{
    body::Bytes,
    http::{HeaderMap, header::ACCEPT_ENCODING},
};
use flate2::{Compression, write::GzEncoder};
use futures_util::{Stream, StreamExt, stream};

use crate::BoxError;

/// Whether a client takes gzip.
pub(crate) fn is_accepted(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| {
            // 0, 0.0 and so on.
            !weight.is_empty() && weight.chars().all(|char| matches!(char, '0' | '.'))
        });
        matches!(name.trim(), "gzip" | "x-gzip") && !refused
    })
}

/// Compresses parts of a body as they come.
pub(crate) fn compress(
    parts: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    let encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let steps = (Box::pin(parts), Some(encoder));
    let compressed = stream::try_unfold(steps, |(mut parts, encoder)| async move {
        let Some(mut encoder) = encoder else { return Ok(None) };
        let Some(part) = parts.next().await else {
            return Ok(Some((Bytes::from(encoder.finish()?), (parts, None))));
        };
        encoder.write_all(&part?)?;
        let ready = std::mem::take(encoder.get_mut());
        Ok(Some((Bytes::from(ready), (parts, Some(encoder)))))
    });
    // An empty chunk would end an HTTP body.
    compressed.filter(|part| {
        let nothing_yet = part.as_ref().is_ok_and(Bytes::is_empty);
        std::future::ready(!nothing_yet)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn gzip_is_used_where_the_client_takes_it() {
        for (accepts, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5", true),
            ("deflate, gzip ; q=1.0", true),
            ("gzip;q=0", false),
            ("gzip;q=0.0, deflate", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepts.parse().unwrap());
            assert_eq!(is_accepted(&headers), expected, "{accepts}");
        }
        assert!(!is_accepted(&HeaderMap::new()));
    }
}
