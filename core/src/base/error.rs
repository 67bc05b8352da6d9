//! What can go wrong, and what the caller hears of it.
//!
//! A variant maps to one gRPC status code and one `ErrorReason` of the contract, in
//! [`Error::code`] and [`Error::reason`]; `status.rs` makes the status of them, and nothing else does.

use tollbook_proto::v1::ErrorReason;
use tonic::Code;

use super::fault::Fault;
use crate::store::{DatabaseError, MigrationError};

/// The result of everything fallible in the core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something was not done. The texts are for people; programs read the reason.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No credential was sent, and the rpc needs one.
    #[error("no credential was sent: add the metadata `authorization: Bearer TOKEN`")]
    CredentialsMissing,
    /// A credential was sent that does not count.
    #[error("{message}")]
    CredentialRefused {
        /// What was sent, for programs.
        credential: &'static str,
        /// What is wrong with it, for programs.
        problem: &'static str,
        /// The same for people.
        message: String,
    },
    /// A shim called for itself.
    #[error("a shim's token only presents legacy requests: this call needs the token of a user")]
    ShimToken,
    /// Wrong username or password. The flag says that a legacy login would have been
    /// redirected ("Allow API Login Redirect"), which shortens its answer.
    #[error("the username or the password is wrong")]
    LoginFailed {
        /// "Allow API Login Redirect" is on.
        redirect: bool,
    },
    /// The role may not do it.
    #[error("the caller's role may not do this")]
    RoleDenied,
    /// The manager's group does not permit it.
    #[error("the manager's group does not permit this")]
    PermissionMissing,

    /// Legacy: the API is switched off.
    #[error("the legacy API is switched off")]
    ApiDisabled,
    /// Legacy: GET is switched off.
    #[error("the legacy API does not take GET requests")]
    GetDisabled,
    /// Legacy: `u` names nobody.
    #[error("the legacy request names no known user")]
    BadLogin,
    /// Legacy: no accepted input has this hash.
    #[error("the legacy request's hash is wrong")]
    IncorrectHash,
    /// An HMAC signature that is too old, or of a clock that is ahead.
    #[error("the request was signed more than 300 seconds ago, or will be: check the clock")]
    SignatureExpired,
    /// An HMAC signature that was used before.
    #[error("the request was sent before")]
    RequestReplayed,
    /// The API key may not do this with the method.
    #[error("the API key may not do this")]
    ApiKeyRestricted,
    /// The account is restricted, and its group does not give it this.
    #[error("the account is restricted: its API permission group does not give it this")]
    ApiRestricted,
    /// A legacy signature that may not be presented, or cannot be read.
    #[error("legacy signatures are taken from shims only")]
    SignatureRefused,
    /// Switched off in the settings.
    #[error("this feature is switched off")]
    FeatureDisabled,

    /// A field is missing or malformed.
    #[error("{field} {problem}")]
    InvalidField {
        /// The field's name in the request.
        field: String,
        /// What is wrong with it, as the end of a sentence.
        problem: &'static str,
    },
    /// An amount of a request is missing, is no decimal number, or is out of range.
    #[error("{field} {problem}")]
    InvalidAmount {
        /// The field's name in the request.
        field: &'static str,
        /// What is wrong with it, as the end of a sentence.
        problem: &'static str,
    },
    /// A result that no amount can hold, and no single field of the request is to blame.
    #[error("the result is out of range: amounts have at most 12 digits before the point")]
    OutOfRange,
    /// Not an exchange rate.
    #[error("the exchange rate is not a decimal number above zero")]
    InvalidExchangeRate,
    /// The key belongs to another request.
    #[error("the idempotency key was used with another request")]
    IdempotencyKeyReused,
    /// Not a page token of ours.
    #[error("the page token is not valid")]
    InvalidPageToken,

    /// No such user, or not for this caller to see.
    #[error("no such user")]
    UserNotFound,
    /// No such user, where the terminator of calls was asked for.
    #[error("no such terminator")]
    TerminatorNotFound,
    /// No such currency, or not one for this use.
    #[error("no such currency")]
    CurrencyNotFound,
    /// Legacy requests from this address are not wanted.
    #[error("the API does not answer this address")]
    AddressDenied,
    /// The key is too easy to guess.
    #[error("the secret key is too weak: it needs 16 characters, 8 of them different")]
    WeakSecret,
    /// Without a check of hashes the API must be limited to some addresses.
    #[error("hash checking can be disabled for listed addresses only")]
    HashCheckingNeeded,
    /// No such payment, or not for this caller to see.
    #[error("no such payment")]
    PaymentNotFound,
    /// No such manager group.
    #[error("no such manager group")]
    ManagerGroupNotFound,
    /// No such access token.
    #[error("no such access token")]
    AccessTokenNotFound,
    /// No such API key.
    #[error("no such API key")]
    ApiKeyNotFound,
    /// No such tariff, or not for this caller to see.
    #[error("no such tariff")]
    TariffNotFound,
    /// No such import of rates.
    #[error("no such import of rates")]
    RateImportNotFound,
    /// An import of rates that was taken back before.
    #[error("the import has been taken back already, by import {by}")]
    RateImportUndone {
        /// The import that took it back.
        by: i64,
    },
    /// An import of rates of which nothing is there to be taken back.
    #[error("the import cannot be taken back: {0}")]
    RateImportNotKept(&'static str),
    /// No such import of calls, or not for this caller to see.
    #[error("no such import of calls")]
    CallImportNotFound,
    /// An import of calls that was taken back before, or is being taken back.
    #[error("the import of calls {0}")]
    CallImportUndone(&'static str),
    /// An import of calls that has not ended.
    #[error(
        "the import of calls is still running, or its core was cut off: it can be stopped, and taken back as \
         far as it has come"
    )]
    CallImportRunning,
    /// No such direction.
    #[error("no such direction")]
    DirectionNotFound,

    /// Somebody else has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// The responsible manager is not a manager.
    #[error("the responsible manager is not a manager")]
    ManagerInvalid,
    /// The owner is nobody who can own the user, or the tariff.
    #[error("the owner is no reseller or partner who can own this")]
    OwnerInvalid,
    /// The user must stay.
    #[error("this user cannot be deleted")]
    UserInUse,
    /// The books need the user.
    #[error("the user has calls")]
    UserHasCalls,
    /// Another currency has this code.
    #[error("the currency code is taken")]
    CurrencyTaken,
    /// The default currency is as it is.
    #[error(
        "the default currency can be changed only while there are no other currencies, no tariffs, no users \
         but the admin and nothing in the books"
    )]
    CurrencyFixed,
    /// The API needs a secret key first.
    #[error("the API cannot be allowed without a secret key")]
    ApiSecretMissing,
    /// Managers belong to the group.
    #[error("the manager group still has managers")]
    ManagerGroupInUse,

    /// Users or points have the tariff.
    #[error("a user or a connection point has the tariff")]
    TariffInUse,

    /// No such connection point, or not for this caller to see.
    #[error("no such connection point")]
    ConnectionPointNotFound,
    /// No such device, or not for this caller to see.
    #[error("no such device")]
    DeviceNotFound,
    /// Another device has this user name.
    #[error("another device has this user name")]
    DeviceUsernameTaken,
    /// Another device has this PIN.
    #[error("another device has this PIN")]
    PinTaken,
    /// The user has as many devices as he may have.
    #[error("the user has as many devices as the setting devices_per_user allows")]
    TooManyDevices,
    /// No such CLI, or not for this caller to see.
    #[error("no such CLI")]
    CliNotFound,
    /// A device has the CLI.
    #[error("a device has this CLI")]
    CliTaken {
        /// Whose device that is; empty: the caller may not know.
        username: String,
    },
    /// No such rule of a device, or not for this caller to see.
    #[error("no such device rule")]
    DeviceRuleNotFound,
    /// Calls came from the device.
    #[error("calls came from the device: it can only be blocked")]
    DeviceHasCalls,
    /// The password is shorter than the owner of who registers allows.
    #[error("the password needs {least} characters")]
    PasswordTooShort {
        /// How many characters it needs.
        least: usize,
    },
    /// No such number pool.
    #[error("no such number pool")]
    NumberPoolNotFound,
    /// A user has it as a list, or a connection point has it.
    #[error("a user or a connection point has the number pool")]
    NumberPoolInUse,
    /// No such reseller group.
    #[error("no such reseller group")]
    ResellerGroupNotFound,
    /// A reseller has it.
    #[error("a reseller has the group")]
    ResellerGroupInUse,
    /// No such API permission group.
    #[error("no such API permission group")]
    ApiPermissionGroupNotFound,
    /// An account has it.
    #[error("an account has the API permission group")]
    ApiPermissionGroupInUse,
    /// No such routing group.
    #[error("no such routing group")]
    RoutingGroupNotFound,
    /// A point has it.
    #[error("a connection point has the routing group")]
    RoutingGroupInUse,
    /// No such import profile, or not for this caller to use.
    #[error("no such import profile")]
    ImportProfileNotFound,
    /// Another import profile has this name.
    #[error("another import profile has this name")]
    ImportProfileTaken,
    /// No such template in the caller's account.
    #[error("no such e-mail template")]
    EmailTemplateNotFound,
    /// No entry of the whitelist has the id.
    #[error("no such whitelisted address")]
    WhitelistedAddressNotFound,
    /// Nobody's requests would be answered.
    #[error(
        "no address would have access while restrict_api_by_ip is on: give access to another one \
         before, or set force"
    )]
    WhitelistEmpty,
    /// As many mails were sent as an account may send.
    #[error("as many e-mails were sent in this hour as the setting emails_per_hour allows")]
    TooManyEmails,
    /// Another template of the account has this name.
    #[error("another e-mail template has this name")]
    EmailTemplateTaken,
    /// There is no mail server.
    #[error("no mail server is configured")]
    MailDisabled,
    /// The mail server did not take a mail.
    #[error("the mail was not sent: {0}")]
    MailRefused(String),
    /// No such call under way.
    #[error("no such call is under way")]
    CallNotFound,
    /// The call is in the books already.
    #[error("the call is in the books already")]
    CallFinished,
    /// The call cannot be taken into the books.
    #[error("the call cannot be taken: {message}")]
    CallRejected {
        /// Why, by the name of a `CallRejection` without its prefix.
        rejection: &'static str,
        /// The field that is to blame, if one is.
        field: Option<String>,
        /// The same for people.
        message: String,
    },
    /// What one domain alone knows.
    #[error("{0}")]
    Fault(#[from] Fault),

    /// The database was to make a change durable and did not say whether it has, and could not be
    /// asked afterwards either. Only [`crate::store::Tx::commit`] finds that out.
    #[error("the database did not say whether the change was made")]
    CommitUnknown,
    /// The writer is shutting down or its queue is gone.
    #[error("the server is shutting down")]
    Unavailable,
    /// All places for this are taken, or those of this caller: it may be tried again.
    #[error("the server is busy with other requests: try again in a moment")]
    Busy,
    /// What was being read page by page was changed.
    #[error("what was being read has changed meanwhile: read it again from the beginning")]
    Changed,
    /// The database is a replica.
    #[error("this core reads a replica: ask a core of the primary for what changes something")]
    ReadOnly,
    /// There is no database where one was to be read, or its schema is of another version.
    #[error(
        "there is no database of this version there: a server of this version makes it, or brings it \
         up to date, as it starts (that of a replica, on its primary)"
    )]
    OtherSchema,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] DatabaseError),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date")]
    Migration(#[from] MigrationError),
    /// Secrets in the database are sealed with a key that is not here.
    #[error("the secrets in the database are sealed with an encryption key that was not given")]
    EncryptionKeyMissing,
    /// A sealed secret that its key does not open.
    #[error("a sealed secret in the database was changed, and cannot be read")]
    SecretUnreadable,
    /// A fault of the program.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A field that is missing or malformed; `problem` ends the sentence "FIELD …".
    pub fn invalid(field: impl Into<String>, problem: &'static str) -> Self {
        Self::InvalidField { field: field.into(), problem }
    }

    /// Says which field of the request led to a result that is out of range.
    pub(crate) fn of_field(self, field: &'static str) -> Self {
        match self {
            Self::OutOfRange => Self::InvalidAmount {
                field,
                problem: "leads to a result out of range: amounts have at most 12 digits before the point",
            },
            other => other,
        }
    }

    /// A fault of the program.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into())
    }

    pub(super) fn reason(&self) -> ErrorReason {
        match self {
            Self::CredentialsMissing => ErrorReason::CredentialsMissing,
            Self::LoginFailed { .. } => ErrorReason::LoginFailed,
            Self::CredentialRefused { .. } => ErrorReason::CredentialRefused,
            Self::RoleDenied | Self::ShimToken => ErrorReason::RoleDenied,
            Self::PermissionMissing => ErrorReason::PermissionMissing,
            Self::ApiDisabled => ErrorReason::ApiDisabled,
            Self::GetDisabled => ErrorReason::GetDisabled,
            Self::AddressDenied => ErrorReason::AddressDenied,
            Self::WeakSecret => ErrorReason::WeakSecret,
            Self::HashCheckingNeeded => ErrorReason::HashCheckingNeeded,
            Self::BadLogin => ErrorReason::BadLogin,
            Self::IncorrectHash => ErrorReason::IncorrectHash,
            Self::SignatureRefused => ErrorReason::SignatureRefused,
            Self::SignatureExpired => ErrorReason::SignatureExpired,
            Self::RequestReplayed => ErrorReason::RequestReplayed,
            Self::ApiKeyRestricted => ErrorReason::ApiKeyRestricted,
            Self::ApiKeyNotFound => ErrorReason::ApiKeyNotFound,
            Self::ApiRestricted => ErrorReason::ApiRestricted,
            Self::ApiPermissionGroupNotFound => ErrorReason::ApiPermissionGroupNotFound,
            Self::ApiPermissionGroupInUse => ErrorReason::ApiPermissionGroupInUse,
            Self::FeatureDisabled => ErrorReason::FeatureDisabled,
            Self::InvalidField { .. } => ErrorReason::InvalidField,
            Self::InvalidAmount { .. } => ErrorReason::InvalidAmount,
            Self::OutOfRange => ErrorReason::ResultOutOfRange,
            Self::InvalidExchangeRate => ErrorReason::InvalidExchangeRate,
            Self::IdempotencyKeyReused => ErrorReason::IdempotencyKeyReused,
            Self::InvalidPageToken => ErrorReason::InvalidPageToken,
            Self::UserNotFound => ErrorReason::UserNotFound,
            Self::TerminatorNotFound => ErrorReason::TerminatorNotFound,
            Self::CurrencyNotFound => ErrorReason::CurrencyNotFound,
            Self::PaymentNotFound => ErrorReason::PaymentNotFound,
            Self::ManagerGroupNotFound => ErrorReason::ManagerGroupNotFound,
            Self::AccessTokenNotFound => ErrorReason::AccessTokenNotFound,
            Self::DirectionNotFound => ErrorReason::DirectionNotFound,
            Self::TariffNotFound => ErrorReason::TariffNotFound,
            Self::TariffInUse => ErrorReason::TariffInUse,
            Self::RateImportNotFound => ErrorReason::RateImportNotFound,
            Self::RateImportUndone { .. } => ErrorReason::RateImportUndone,
            Self::RateImportNotKept(_) => ErrorReason::RateImportNotKept,
            Self::CallImportNotFound => ErrorReason::CallImportNotFound,
            Self::CallImportUndone(_) => ErrorReason::CallImportUndone,
            Self::CallImportRunning => ErrorReason::CallImportRunning,
            Self::CallNotFound => ErrorReason::CallNotFound,
            Self::NumberPoolNotFound => ErrorReason::NumberPoolNotFound,
            Self::NumberPoolInUse => ErrorReason::NumberPoolInUse,
            Self::ResellerGroupNotFound => ErrorReason::ResellerGroupNotFound,
            Self::ResellerGroupInUse => ErrorReason::ResellerGroupInUse,
            Self::RoutingGroupNotFound => ErrorReason::RoutingGroupNotFound,
            Self::RoutingGroupInUse => ErrorReason::RoutingGroupInUse,
            Self::ConnectionPointNotFound => ErrorReason::ConnectionPointNotFound,
            Self::DeviceNotFound => ErrorReason::DeviceNotFound,
            Self::DeviceUsernameTaken => ErrorReason::DeviceUsernameTaken,
            Self::PinTaken => ErrorReason::PinTaken,
            Self::CliNotFound => ErrorReason::CliNotFound,
            Self::CliTaken { .. } => ErrorReason::CliTaken,
            Self::DeviceRuleNotFound => ErrorReason::DeviceRuleNotFound,
            Self::TooManyDevices => ErrorReason::TooManyDevices,
            Self::WhitelistEmpty => ErrorReason::WhitelistEmpty,
            Self::TooManyEmails => ErrorReason::TooManyEmails,
            Self::DeviceHasCalls => ErrorReason::DeviceHasCalls,
            Self::PasswordTooShort { .. } => ErrorReason::PasswordTooShort,
            Self::ImportProfileNotFound => ErrorReason::ImportProfileNotFound,
            Self::ImportProfileTaken => ErrorReason::ImportProfileTaken,
            Self::WhitelistedAddressNotFound => ErrorReason::WhitelistedAddressNotFound,
            Self::EmailTemplateNotFound => ErrorReason::EmailTemplateNotFound,
            Self::EmailTemplateTaken => ErrorReason::EmailTemplateTaken,
            Self::MailDisabled => ErrorReason::MailDisabled,
            Self::MailRefused(_) => ErrorReason::MailRefused,
            Self::CallFinished => ErrorReason::CallFinished,
            Self::CallRejected { .. } => ErrorReason::CallRejected,
            Self::UsernameTaken => ErrorReason::UsernameTaken,
            Self::ManagerInvalid => ErrorReason::ManagerInvalid,
            Self::OwnerInvalid => ErrorReason::OwnerInvalid,
            Self::UserInUse => ErrorReason::UserInUse,
            Self::UserHasCalls => ErrorReason::UserHasCalls,
            Self::CurrencyTaken => ErrorReason::CurrencyTaken,
            Self::CurrencyFixed => ErrorReason::CurrencyFixed,
            Self::ApiSecretMissing => ErrorReason::ApiSecretMissing,
            Self::ManagerGroupInUse => ErrorReason::ManagerGroupInUse,
            Self::Unavailable
            | Self::Busy
            | Self::Changed
            | Self::CommitUnknown
            | Self::Database(_) => ErrorReason::Unavailable,
            Self::ReadOnly => ErrorReason::ReadOnly,
            Self::Fault(fault) => fault.reason,
            Self::Migration(_)
            | Self::OtherSchema
            | Self::EncryptionKeyMissing
            | Self::SecretUnreadable
            | Self::Internal(_) => ErrorReason::Internal,
        }
    }

    pub(super) fn code(&self) -> Code {
        match self {
            Self::CredentialsMissing
            | Self::CredentialRefused { .. }
            | Self::LoginFailed { .. }
            | Self::BadLogin
            | Self::SignatureExpired
            | Self::RequestReplayed
            | Self::IncorrectHash => Code::Unauthenticated,
            Self::RoleDenied
            | Self::ShimToken
            | Self::ApiKeyRestricted
            | Self::ApiRestricted
            | Self::PermissionMissing
            | Self::SignatureRefused
            | Self::AddressDenied => Code::PermissionDenied,
            Self::ApiDisabled
            | Self::HashCheckingNeeded
            | Self::GetDisabled
            | Self::FeatureDisabled
            | Self::ReadOnly
            | Self::UserInUse
            | Self::UserHasCalls
            | Self::DeviceHasCalls
            | Self::TooManyDevices
            | Self::WhitelistEmpty
            | Self::NumberPoolInUse
            | Self::RoutingGroupInUse
            | Self::ResellerGroupInUse
            | Self::CurrencyFixed
            | Self::ApiSecretMissing
            | Self::ManagerGroupInUse
            | Self::ApiPermissionGroupInUse
            | Self::RateImportUndone { .. }
            | Self::RateImportNotKept(_)
            | Self::CallImportUndone(_)
            | Self::CallImportRunning
            | Self::MailDisabled
            | Self::MailRefused(_)
            | Self::TariffInUse => Code::FailedPrecondition,
            Self::InvalidField { .. }
            | Self::InvalidAmount { .. }
            | Self::WeakSecret
            | Self::PasswordTooShort { .. }
            | Self::InvalidExchangeRate
            | Self::InvalidPageToken
            | Self::CallRejected { .. }
            | Self::ManagerInvalid
            | Self::OwnerInvalid => Code::InvalidArgument,
            Self::UserNotFound
            | Self::TerminatorNotFound
            | Self::CurrencyNotFound
            | Self::PaymentNotFound
            | Self::ManagerGroupNotFound
            | Self::AccessTokenNotFound
            | Self::ApiKeyNotFound
            | Self::ApiPermissionGroupNotFound
            | Self::DirectionNotFound
            | Self::CallNotFound
            | Self::NumberPoolNotFound
            | Self::RoutingGroupNotFound
            | Self::ResellerGroupNotFound
            | Self::ConnectionPointNotFound
            | Self::DeviceNotFound
            | Self::CliNotFound
            | Self::DeviceRuleNotFound
            | Self::RateImportNotFound
            | Self::CallImportNotFound
            | Self::ImportProfileNotFound
            | Self::EmailTemplateNotFound
            | Self::WhitelistedAddressNotFound
            | Self::TariffNotFound => Code::NotFound,
            Self::IdempotencyKeyReused
            | Self::UsernameTaken
            | Self::DeviceUsernameTaken
            | Self::PinTaken
            | Self::CliTaken { .. }
            | Self::CurrencyTaken
            | Self::ImportProfileTaken
            | Self::EmailTemplateTaken
            | Self::CallFinished => Code::AlreadyExists,
            Self::OutOfRange => Code::OutOfRange,
            Self::Fault(fault) => fault.code,
            Self::TooManyEmails => Code::ResourceExhausted,
            Self::Unavailable
            | Self::Busy
            | Self::Changed
            | Self::CommitUnknown
            | Self::Database(_) => Code::Unavailable,
            Self::Migration(_)
            | Self::OtherSchema
            | Self::EncryptionKeyMissing
            | Self::SecretUnreadable
            | Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}
