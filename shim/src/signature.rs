//! What a request claims, made ready for the core to judge.

use std::net::IpAddr;

use prost::Message;
use tollbook_proto::v1::{HmacSignature, LegacyDialect, LegacySignature};
use tonic::metadata::{Binary, MetadataValue};

use crate::{Dialect, method::Method, request::Params};

/// What counts of a request beside its parameters.
pub(crate) struct Presented {
    pub(crate) http_get: bool,
    pub(crate) client: IpAddr,
    /// The HMAC signature with the digest that it is made of, if there is one.
    pub(crate) hmac: Option<(HmacSignature, Vec<u8>)>,
}

/// The legacy signature of a request, as metadata.
pub(crate) fn of(
    dialect: Dialect,
    method: &Method,
    params: &Params,
    presented: Presented,
) -> MetadataValue<Binary> {
    let Presented { http_get, client, hmac } = presented;
    let (hmac, request_digest) = hmac.unzip();
    let dialect = match dialect {
        Dialect::M4 => LegacyDialect::M4,
    };
    let signature = LegacySignature {
        dialect: dialect.into(),
        method: method.name.to_owned(),
        username: params.text("u").to_owned(),
        http_get,
        client_address: client.to_string(),
        hash: params.text("hash").to_owned(),
        candidates: candidates(method, params),
        only_admin_signs_nothing: method.only_admin_signs_nothing,
        request_digest: request_digest.unwrap_or_default(),
        hmac,
        presentation: rand::random(),
        roles: method.roles.iter().map(|role| i32::from(*role)).collect(),
    };
    let mut value = MetadataValue::from_bytes(&signature.encode_to_vec());
    value.set_sensitive(true);
    value
}

/// The inputs that the hash may have been made of: each of the method's lists, where a
/// parameter that was not sent counts as empty; then the documented list in the order in
/// which the request sent it.
pub(crate) fn candidates(method: &Method, params: &Params) -> Vec<String> {
    let listed =
        method.hash.iter().map(|names| names.iter().map(|name| params.text(name)).collect());
    let documented = method.hash.first().copied().unwrap_or_default();
    let as_sent = params
        .iter()
        .filter(|(name, _)| documented.contains(name))
        .map(|(_, value)| value)
        .collect();
    let mut candidates: Vec<String> = Vec::with_capacity(method.hash.len() + 1);
    for candidate in listed.chain([as_sent]) {
        if !candidates.contains(&candidate) {
            candidates.push(candidate);
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::Bytes;

    use super::*;

    fn candidates_of(name: &str, query: &str) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let params = runtime.block_on(Params::read(query, "", Bytes::new())).unwrap();
        let method = Dialect::M4.methods().iter().find(|method| method.name == name).unwrap();
        candidates(method, &params)
    }

    #[test]
    fn listed_order_first_then_the_order_of_the_request() {
        let candidates = candidates_of("user_balance_update", "u=admin&balance=100&user_id=123");
        assert_eq!(candidates, ["123100", "100123"]);
    }

    #[test]
    fn what_is_absent_counts_as_empty_and_what_is_unknown_is_never_hashed() {
        let candidates = candidates_of("user_balance_get", "username=x&test=1&user_currency=1");
        assert_eq!(candidates, ["x"]);
    }

    #[test]
    fn older_rules_are_accepted_too() {
        let candidates = candidates_of("users_get", "u=admin&p=admin1&test=1");
        assert_eq!(candidates, ["admin", "adminadmin1"]);
    }
}
