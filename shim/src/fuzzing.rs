//! What fuzzers reach: what reads what comes from outside.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method as Verb},
};

use crate::{
    Dialect,
    error::Wrap,
    hmac,
    request::Params,
    signature::{self, Presented},
    xml::Answer,
};

/// Reads a request as every method would, and answers with what it said.
///
/// Returns the XML, which must be well-formed.
pub fn request(query: &str, content_type: &str, body: &[u8], header: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok()?;
    let body = Bytes::copy_from_slice(body);
    let params = runtime.block_on(Params::read(query, content_type, body.clone())).ok()?;
    let methods = |dialect: Dialect| dialect.methods().iter().map(move |method| (dialect, method));
    for (dialect, method) in [Dialect::M4, Dialect::Mor].into_iter().flat_map(methods) {
        let presented = Presented {
            called: method.declaration.name,
            verb: Verb::POST,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
            hmac: None,
        };
        signature::of(dialect, method.declaration, &params, presented);
    }
    let mut headers = HeaderMap::new();
    if let Ok(value) = header.parse() {
        headers.insert("tollbook-signature", value);
        hmac::of(&headers)?;
    }
    let text: String = params.iter().flat_map(|(name, value)| [name, value]).collect();
    match Wrap::PageStatus.error(&text) {
        Answer::Xml { root, .. } => Some(root),
        _ => None,
    }
}
