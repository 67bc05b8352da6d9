//! The status that a caller gets of an error.

use std::collections::HashMap;

use tollbook_proto::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::error::Error;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        // What the caller cannot mend goes to the log, with its cause; he hears no details.
        if error.code() == Code::Internal || matches!(error, Error::Database(_)) {
            tracing::error!(error = ?error, "request failed");
        }
        let mut metadata = HashMap::new();
        match &error {
            Error::InvalidField { field, .. } => {
                metadata.insert("field".to_owned(), field.clone());
            }
            Error::InvalidAmount { field, .. } => {
                metadata.insert("field".to_owned(), (*field).to_owned());
            }
            Error::PasswordTooShort { least } => {
                metadata.insert("least".to_owned(), least.to_string());
            }
            Error::CliTaken { username } if !username.is_empty() => {
                metadata.insert("username".to_owned(), username.clone());
            }
            Error::RateImportUndone { by } => {
                metadata.insert("import_id".to_owned(), by.to_string());
            }
            Error::InvalidExchangeRate => {
                metadata.insert("field".to_owned(), "exchange_rate".to_owned());
            }
            Error::CallRejected { rejection, field, .. } => {
                if let Some(field) = field {
                    metadata.insert("field".to_owned(), field.clone());
                }
                metadata.insert("rejection".to_owned(), (*rejection).to_owned());
            }
            Error::CredentialRefused { credential, problem, .. } => {
                metadata.insert("credential".to_owned(), (*credential).to_owned());
                metadata.insert("problem".to_owned(), (*problem).to_owned());
            }
            Error::ShimToken => {
                metadata.insert("credential".to_owned(), "token".to_owned());
                metadata.insert("problem".to_owned(), "shim".to_owned());
            }
            Error::MailRefused(problem) => {
                metadata.insert("problem".to_owned(), problem.clone());
            }
            Error::LoginFailed { redirect: true } => {
                metadata.insert("redirect".to_owned(), "1".to_owned());
            }
            _ => {}
        }
        let details =
            ErrorDetails::with_error_info(error.reason().reason(), ERROR_DOMAIN, metadata);
        let message = match error {
            Error::Internal(_) => "internal error".to_owned(),
            _ => error.to_string(),
        };
        Status::with_error_details(error.code(), message, details)
    }
}
