//! What a request claims, made ready for the core to judge.

use std::net::IpAddr;

use axum::http::Method as Verb;
use prost::Message;
use tollbook_proto::{
    legacy::{Declaration, MAX_CLAIM},
    v1::{HmacSignature, LegacyParameter, LegacySignature},
};
use tonic::metadata::{Binary, MetadataValue};

use crate::{Dialect, request::Params};

/// What counts of a request beside its parameters.
pub(crate) struct Presented<'a> {
    /// The name of the method in the URL.
    pub(crate) called: &'a str,
    pub(crate) verb: Verb,
    pub(crate) client: IpAddr,
    /// The HMAC signature with SHA-256 of the body, if there is one.
    pub(crate) hmac: Option<(HmacSignature, Vec<u8>)>,
}

/// The claim of a request, as metadata; `None` if it is longer than the core takes.
pub(crate) fn of(
    dialect: Dialect,
    method: &Declaration,
    params: &Params,
    presented: Presented<'_>,
) -> Option<MetadataValue<Binary>> {
    let Presented { called, verb, client, hmac } = presented;
    let (hmac, body_digest) = hmac.unzip();
    let counting = params.sent().filter(|(name, _)| hmac.is_some() || method.judges_by(name));
    let signature = LegacySignature {
        dialect: dialect.to_proto().into(),
        method: called.to_owned(),
        client_address: client.to_string(),
        presentation: rand::random(),
        verb: verb.to_string(),
        parameters: counting
            .map(|(name, value)| LegacyParameter {
                name: name.to_owned(),
                value: value.text.clone(),
                raw: value.raw.clone(),
            })
            .collect(),
        body_digest: body_digest.unwrap_or_default(),
        hmac,
    };
    let encoded = signature.encode_to_vec();
    (encoded.len() <= MAX_CLAIM).then(|| {
        let mut value = MetadataValue::from_bytes(&encoded);
        value.set_sensitive(true);
        value
    })
}
