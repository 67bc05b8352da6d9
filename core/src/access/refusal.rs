//! Why a credential that was sent does not count.
//!
//! Callers are told, because a token is too long to be guessed: whoever hears that one has
//! expired has had it. What they do not hear is whether an unknown one was ever there.

use super::tokens::{Token, TokenKind};
use crate::error::Error;

/// Why a credential that was sent does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The header is no bearer token at all.
    #[error("the authorization metadata must be `Bearer TOKEN`")]
    Scheme,
    /// Nobody has this token.
    #[error("the bearer token is unknown, was revoked, or expired long ago")]
    TokenUnknown,
    /// The access token has expired.
    #[error("the access token has expired: create another one")]
    TokenExpired,
    /// The session has expired.
    #[error("the session has expired: log in again")]
    SessionExpired,
    /// The user as whom the token acts is gone.
    #[error("the user of the credential was deleted")]
    UserDeleted,
    /// No access token admits the client certificate.
    #[error("no access token admits this client certificate")]
    CertificateUnknown,
    /// The access token that admits the client certificate has expired.
    #[error("the access token that admits this client certificate has expired")]
    CertificateExpired,
}

impl Refusal {
    /// The refusal of a token that has expired.
    pub(super) fn expired(token: &Token) -> Self {
        match token.kind {
            _ if token.of_certificate => Self::CertificateExpired,
            TokenKind::Session => Self::SessionExpired,
            TokenKind::User | TokenKind::Shim => Self::TokenExpired,
        }
    }

    /// Which credential it is about, for programs.
    fn credential(self) -> &'static str {
        match self {
            Self::Scheme => "authorization",
            Self::TokenUnknown | Self::TokenExpired | Self::UserDeleted => "token",
            Self::SessionExpired => "session",
            Self::CertificateUnknown | Self::CertificateExpired => "certificate",
        }
    }

    /// What is wrong with it, for programs.
    fn problem(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::TokenUnknown | Self::CertificateUnknown => "unknown",
            Self::TokenExpired | Self::SessionExpired | Self::CertificateExpired => "expired",
            Self::UserDeleted => "user_deleted",
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::CredentialRefused {
            credential: refusal.credential(),
            problem: refusal.problem(),
            message: refusal.to_string(),
        }
    }
}
