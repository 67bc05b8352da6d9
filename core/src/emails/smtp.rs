//! Mail by SMTP.

use std::{error::Error, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp,
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
pub(crate) struct SendError {
    /// It will not be sent by trying again.
    pub(crate) is_permanent: bool,
    /// The problem is what the mail server answered.
    pub(crate) is_answer: bool,
    /// The mail server's answer with its code, as "554 5.7.1 rejected"; else why it did not come to
    /// that.
    pub(crate) problem: String,
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
        let permanent = |error: &dyn Error| SendError {
            is_permanent: true,
            is_answer: false,
            problem: error.to_string(),
        };
        let to: Address = to.parse().map_err(|error| permanent(&error))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|error| permanent(&error))?;
        self.server.send(message).await.map(drop).map_err(SendError::from)
    }
}

impl From<smtp::Error> for SendError {
    fn from(error: smtp::Error) -> Self {
        let answer = error.status().zip(error.source());
        let answer = answer.map(|(code, text)| format!("{code} {text}"));
        Self {
            is_permanent: error.is_permanent(),
            is_answer: answer.is_some(),
            problem: answer.unwrap_or_else(|| error.to_string()),
        }
    }
}
