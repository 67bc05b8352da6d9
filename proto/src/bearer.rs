//! How a client presents its token.

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue, errors::InvalidMetadataValue},
    service::Interceptor,
};

/// Adds a token to every call of a client: `AccountsServiceClient::with_interceptor(channel, bearer)`.
#[derive(Clone, Debug, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Bearer {
    /// Presents this token. [`Self::default`] presents none, as a client does that is known by
    /// its certificate.
    ///
    /// # Errors
    /// The token has characters that no token has.
    pub fn new(token: &str) -> Result<Self, InvalidMetadataValue> {
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {token}").parse()?;
        // It is never shown, by `Debug` neither.
        bearer.set_sensitive(true);
        Ok(Self(Some(bearer)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(bearer) = &self.0 {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok(request)
    }
}
