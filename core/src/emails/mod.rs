//! E-mails: the mail server, templates, and what is made from them
//! (`docs/rules/users-and-payments.md#e-mails`).

mod deliver;
mod service;
mod smtp;
pub(crate) mod store;
mod template;

pub(crate) use deliver::{Draft, draft};
pub(crate) use service::Service;
pub(crate) use smtp::SendError;
pub use smtp::{Mail, MailError};
