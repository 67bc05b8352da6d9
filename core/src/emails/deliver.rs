//! From a template to the mail server: what is made of it is counted, sent and noted.

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

use super::{Mail, SendError, store, template};
use crate::{
    changes::{Change, Origin},
    clock,
    context::Context,
    error::{Error, Result},
    ids::{EmailTemplateId, UserId},
    resource::Resource,
};

/// An hour in microseconds.
const HOUR: i64 = 3600 * 1_000_000;

/// A mail that has been made, and counted.
pub(crate) struct Draft {
    mail: Mail,
    template: EmailTemplateId,
    address: String,
    subject: String,
    body: String,
}

/// Makes a mail of an account's template.
///
/// # Errors
/// There is no mail server, the variables make too long a mail of it, or the account has sent as many in
/// this hour as it may.
pub(crate) async fn draft(
    context: &Context,
    account: UserId,
    template: &pb::EmailTemplate,
    variables: &HashMap<String, String>,
    address: String,
) -> Result<Draft> {
    let mail = context.mail.clone().ok_or(Error::MailDisabled)?;
    let subject = template::filled_line(&template.subject, variables)?;
    let body = template::filled(&template.body, variables)?;
    let limit = context.catalog.load().settings.emails_per_hour;
    if limit > 0 {
        let mut tx = context.db.begin().await?;
        let hour = clock::now().div_euclid(HOUR);
        if !store::count_sent(&mut tx, account, hour, limit.into()).await? {
            return Err(Error::TooManyEmails);
        }
        tx.commit().await?;
    }
    Ok(Draft { mail, template: EmailTemplateId(template.id()), address, subject, body })
}

impl Draft {
    /// Hands it to the mail server, and notes that it was sent, and to whom.
    pub(crate) async fn send(self, context: &Context, origin: &Origin) -> Result<(), SendError> {
        let Self { mail, template, address, subject, body } = self;
        mail.send(&address, &subject, body).await?;
        // It has been sent: who is told otherwise sends it once more.
        if let Err(error) = note(context, origin, template, &address).await {
            tracing::error!(error = ?error, address, "an e-mail was sent and could not be noted");
        }
        Ok(())
    }
}

async fn note(
    context: &Context,
    origin: &Origin,
    template: EmailTemplateId,
    address: &str,
) -> Result<()> {
    let sent = pb::SendEmailResponse { address: address.to_owned() };
    let tx = context.begin_change(origin).await?;
    tx.commit(Change::creation(Resource::EmailTemplate(template), &sent)?).await
}
