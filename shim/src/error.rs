//! Errors as legacy clients know them: which text, in which wrap
//! (`docs/rules/legacy-requests.md#the-order-of-checks-and-their-texts`).

use serde::Serialize;
use tollbook_proto::{ERROR_DOMAIN, v1::ErrorReason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{method::Method, xml::Answer};

/// Why a method gives no answer of success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The core said no.
    Core(Status),
    /// The parameters are beyond use. The answer is given once the core has let the
    /// request in: a client with a wrong hash must hear of the hash first.
    Parameters(Answer),
}

impl Failure {
    /// A parameter that cannot be what it should be.
    pub(crate) fn invalid(wrap: Wrap, param: &str) -> Self {
        Self::Parameters(wrap.error(&format!("{param} is not valid")))
    }

    /// Parameters that nothing can be made of: the method's text, and what is wrong with them.
    pub(crate) fn unusable(wrap: Wrap, text: &str, problem: &str) -> Self {
        Self::Parameters(wrap.explained(text, Some(problem)))
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Core(status)
    }
}

/// What stands around the text of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// `<status><error>TEXT</error></status>`
    Status,
    /// `<page><error>TEXT</error></page>`
    Page,
    /// `<page><status><error>TEXT</error></status></page>`
    PageStatus,
    /// The same, around what is refused before the method runs as well.
    PageStatusAlways,
    /// The bare text.
    Text,
    /// `<action><name>login</name><status>failed</status><status_message>TEXT</status_message>
    /// </action>`, whatever is refused: clients take anything else for a login.
    Login,
}

/// The content of an error element, with the explanation that some methods add.
#[derive(Serialize)]
struct ErrorText<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct PageStatus<'a> {
    status: ErrorText<'a>,
}

/// The answer to a login that fails.
#[derive(Serialize)]
pub(crate) struct LoginFailed<'a> {
    name: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
}

impl<'a> LoginFailed<'a> {
    /// With a message, if there is one.
    pub(crate) fn answer(status_message: Option<&'a str>) -> Answer {
        Answer::login("action", &LoginFailed { name: "login", status: "failed", status_message })
    }
}

impl Wrap {
    /// The error with this text.
    pub(crate) fn error(self, text: &str) -> Answer {
        self.explained(text, None)
    }

    /// The error with this text and what exactly is wrong.
    pub(crate) fn explained(self, text: &str, message: Option<&str>) -> Answer {
        let content = ErrorText { error: text, message };
        match self {
            Self::Status => Answer::xml("status", &content),
            Self::Page => Answer::xml("page", &content),
            Self::PageStatus | Self::PageStatusAlways => {
                Answer::xml("page", &PageStatus { status: content })
            }
            Self::Text => Answer::Text(text.to_owned()),
            Self::Login => LoginFailed::answer(Some(text)),
        }
    }

    /// The wrap of what is refused before the method runs: the same everywhere, but where clients
    /// do not look for it.
    pub(crate) fn of_checks(self) -> Self {
        match self {
            Self::Login | Self::PageStatusAlways => self,
            Self::Status | Self::Page | Self::PageStatus | Self::Text => Self::Status,
        }
    }
}

/// The machine-readable reason of a status.
pub(crate) fn reason(status: &Status) -> ErrorReason {
    let info = status.get_details_error_info().filter(|info| info.domain == ERROR_DOMAIN);
    info.and_then(|info| ErrorReason::from_reason(&info.reason)).unwrap_or_default()
}

/// The answer where the core refused what a request sets: the method's text, and why.
pub(crate) fn refused(wrap: Wrap, text: &str, status: Status) -> Result<Answer, Failure> {
    match reason(&status) {
        ErrorReason::InvalidField
        | ErrorReason::InvalidAmount
        | ErrorReason::CurrencyNotFound
        | ErrorReason::DirectionNotFound
        | ErrorReason::TariffNotFound
        | ErrorReason::NumberPoolNotFound
        | ErrorReason::RoutingGroupNotFound
        | ErrorReason::TooManyDevices
        | ErrorReason::UsernameTaken => Ok(wrap.explained(text, Some(status.message()))),
        _ => Err(status.into()),
    }
}

/// The answer to a request that the core refused, with the HTTP status that it has: 200,
/// as legacy clients expect of errors, but where the server is at fault.
pub(crate) fn answer(method: &Method, status: &Status) -> (axum::http::StatusCode, Answer) {
    use axum::http::StatusCode;
    let reason = reason(status);
    let checks = method.wrap.of_checks();
    let own = method.errors.iter().find(|(known, _)| *known == reason).map(|(_, text)| *text);
    // Of the checks before the method ran: the same nearly everywhere.
    let check = match reason {
        ErrorReason::ApiDisabled => Some("API Requests are disabled"),
        ErrorReason::AddressDenied => Some("Access Denied"),
        ErrorReason::GetDisabled => Some("GET Requests are disabled"),
        ErrorReason::IncorrectHash => Some("Incorrect hash"),
        ErrorReason::ApiKeyRestricted | ErrorReason::ApiRestricted => {
            Some("You are not authorized to use this functionality")
        }
        // Of signatures that the original has not; its clients never hear of them.
        ErrorReason::SignatureExpired | ErrorReason::RequestReplayed => Some(status.message()),
        _ => None,
    };
    if let Some(text) = check {
        return (StatusCode::OK, checks.error(own.unwrap_or(text)));
    }
    let text = match reason {
        _ if own.is_some() => own.unwrap_or_default(),
        ErrorReason::BadLogin => "Bad login",
        ErrorReason::RoleDenied => "Access Denied",
        ErrorReason::PermissionMissing => "You are not authorized to view this page",
        ErrorReason::FeatureDisabled => "Feature disabled",
        ErrorReason::UserNotFound => "User was not found",
        ErrorReason::CurrencyNotFound => "Currency was not found",
        ErrorReason::InvalidAmount | ErrorReason::ResultOutOfRange => "Amount is not valid",
        ErrorReason::InvalidField => {
            return (StatusCode::OK, method.wrap.error(status.message()));
        }
        _ => {
            let (http, text) = match status.code() {
                // Also what tonic says where a core went away in the middle of a call.
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Aborted
                | Code::ResourceExhausted => {
                    (StatusCode::SERVICE_UNAVAILABLE, "Service is temporarily unavailable")
                }
                Code::Internal | Code::Unknown => {
                    (StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
                }
                // Of the shim's own credentials, or a reason newer than this shim.
                Code::Unauthenticated | Code::PermissionDenied => {
                    (StatusCode::BAD_GATEWAY, "Internal error")
                }
                _ => (StatusCode::OK, status.message()),
            };
            if http != StatusCode::OK {
                tracing::error!(method = method.declaration.name, code = ?status.code(), message = status.message(), "the core failed");
            }
            return (http, method.wrap.error(text));
        }
    };
    (StatusCode::OK, method.wrap.error(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dialect;

    /// A core that is killed in the middle of a call is never taken for one that said no.
    #[test]
    fn faults_of_the_way_to_the_core_are_no_answers() {
        for code in [Code::Cancelled, Code::Unavailable, Code::Unknown, Code::Internal] {
            let (http, answer) =
                answer(&Dialect::M4.methods()[0], &Status::new(code, "operation was canceled"));
            assert!(http.is_server_error(), "{code:?}");
            assert!(!format!("{answer:?}").contains("canceled"), "{code:?}");
        }
    }
}
