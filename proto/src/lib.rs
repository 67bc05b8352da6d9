//! Tollbook's gRPC contract: the code generated from `tollbook/v1/*.proto`, the
//! descriptors for reflection, and the few names that travel outside the messages.

mod bearer;
mod codec;
pub mod legacy;

pub use bearer::Bearer;

/// The generated messages, clients and servers of package `tollbook.v1`.
pub mod v1 {
    #![allow(clippy::all, clippy::pedantic, missing_docs)]
    tonic::include_proto!("tollbook.v1");
}

/// All proto files with their imports and custom options, as an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Binary metadata in which a shim presents a [`v1::LegacySignature`].
pub const LEGACY_SIGNATURE_METADATA: &str = "tollbook-legacy-bin";

/// Response header that tells a shim to wrap its XML in an HTML tag ("XML API Extension").
pub const HTML_WRAP_HEADER: &str = "tollbook-xml-html-wrap";

/// Header, of HTTP and of gRPC alike, with the id under which the logs have a request.
pub const REQUEST_ID_HEADER: &str = "x-request-id";

/// Whether a text that came from outside may be the id of a request: 1 to 64 letters, digits,
/// `-`, `_`, `.`.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// The `domain` of every `google.rpc.ErrorInfo` that the core sends.
pub const ERROR_DOMAIN: &str = "tollbook";

impl v1::ErrorReason {
    /// The reason as `google.rpc.ErrorInfo` carries it: without the enum's prefix.
    #[must_use]
    pub fn reason(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }

    /// The inverse of [`Self::reason`].
    #[must_use]
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::from_str_name(&format!("ERROR_REASON_{reason}"))
    }
}
