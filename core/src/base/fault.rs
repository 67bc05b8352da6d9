//! Errors that one domain alone knows: each is a constant there, in one line.

use std::fmt;

use tollbook_proto::v1::ErrorReason;
use tonic::Code;

/// What is wrong, for programs and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub(super) reason: ErrorReason,
    pub(super) code: Code,
    text: &'static str,
}

impl Fault {
    /// Something is not there, or not for this caller to see.
    pub(crate) const fn not_found(reason: ErrorReason, text: &'static str) -> Self {
        Self { reason, code: Code::NotFound, text }
    }

    /// There is another one like it.
    pub(crate) const fn taken(reason: ErrorReason, text: &'static str) -> Self {
        Self { reason, code: Code::AlreadyExists, text }
    }

    /// Something else forbids it as things are.
    pub(crate) const fn refused(reason: ErrorReason, text: &'static str) -> Self {
        Self { reason, code: Code::FailedPrecondition, text }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for Fault {}
