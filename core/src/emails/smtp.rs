//! Mail by SMTP.

use std::{error::Error, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
};

/// How long a mail server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A mail server, and in whose name mails are sent.
#[derive(Clone, Debug)]
pub struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Why there is no such mail server.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The URL is none of a mail server.
    #[error("the mail server's URL must be smtp:// or smtps://[USER:PASSWORD@]HOST[:PORT]")]
    Server,
    /// The sender's address is none.
    #[error("the sender of mails must be an e-mail address")]
    From,
}

/// Why a mail was not sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// It will not be sent by trying again.
    Permanent(String),
    /// It may be later.
    Transient(String),
}

impl Mail {
    /// A mail server by its URL: `smtps://USER:PASSWORD@HOST`, or `smtp://…?tls=required` for
    /// STARTTLS. `from` is an address, with or without a name: `Billing <billing@example.com>`.
    ///
    /// # Errors
    /// One of the two is none.
    pub fn new(url: &str, from: &str) -> Result<Self, MailError> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(url);
        let server = server.map_err(|_| MailError::Server)?.timeout(Some(TIMEOUT)).build();
        let from = from.parse().map_err(|_| MailError::From)?;
        Ok(Self { server, from })
    }

    /// Sends a text.
    pub(crate) async fn send(
        &self,
        to: &str,
        subject: &str,
        text: String,
    ) -> Result<(), SendError> {
        let permanent = |error: &dyn Error| SendError::Permanent(error.to_string());
        let to: Address = to.parse().map_err(|error| permanent(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| permanent(&error))?;
        match self.server.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(SendError::Permanent(answer(&error))),
            Err(error) => Err(SendError::Transient(answer(&error))),
        }
    }
}

/// What the mail server said, with its code; else why it did not come to that.
fn answer(error: &lettre::transport::smtp::Error) -> String {
    match (error.status(), error.source()) {
        (Some(code), Some(text)) => format!("{code} {text}"),
        _ => error.to_string(),
    }
}
