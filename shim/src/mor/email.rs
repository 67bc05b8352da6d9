//! Group "email": `email_send`.

use std::collections::HashMap;

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{ErrorReason, SendEmailRequest},
};
use tonic_types::StatusExt;

use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    method::{Input, Method, optional, optional_id, required, text},
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;

const NAME: Input<String> =
    text(required("email_name", "name of the template, in the caller's account"));
const USER_ID: Input<Option<i64>> =
    optional_id(optional("email_to_user_id", "the user who gets the e-mail; default: the caller"));
const SERVER_IP: Input<String> = text(optional("server_ip", "a variable of templates"));
const LOGIN_URL: Input<String> = text(optional("login_url", "a variable of templates"));
const LOGIN_USERNAME: Input<String> = text(optional(
    "login_username",
    "a variable of templates, as is every other parameter; a hash cannot have those",
));

/// What is no variable of a template.
const OWN: [&str; 6] = ["u", "p", "hash", "uniquehash", NAME.param.name, USER_ID.param.name];

pub(super) const EMAIL_SEND: Method = Method {
    declaration: &mor::EMAIL_SEND,
    group: "Email",
    summary: "Sends an e-mail made from a template",
    params: &[NAME.param, USER_ID.param, SERVER_IP.param, LOGIN_URL.param, LOGIN_USERNAME.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::EmailTemplateNotFound, "Email not found"),
        (ErrorReason::UserNotFound, "User not found"),
        (ErrorReason::RoleDenied, "User not found"),
    ],
    handle: |call| Box::pin(email_send(call)),
};

/// What became of an e-mail.
#[derive(Serialize)]
struct Sending<'a> {
    email_sending_status: &'a str,
}

async fn email_send(call: Call) -> Result<Answer, Failure> {
    let template_name = call.read(&NAME)?;
    let user_id = call.read(&USER_ID)?;
    if template_name.is_empty() {
        return Err(Failure::Parameters(WRAP.error("Email not found")));
    }
    let variables = call.params.sent().filter(|(name, _)| !OWN.contains(name));
    let variables: HashMap<String, String> =
        variables.map(|(name, sent)| (name.to_owned(), sent.text.clone())).collect();
    let request = SendEmailRequest { template_name, user_id, variables };
    match call.email_templates().send_email(request).await {
        Ok(_) => Ok(Answer::xml("page", &Sending { email_sending_status: "Email sent" })),
        Err(status) => match error::reason(&status) {
            ErrorReason::MailDisabled => {
                let sending = Sending { email_sending_status: "E-mail has been disabled" };
                Ok(Answer::xml("page", &sending))
            }
            ErrorReason::MailRefused => Ok(WRAP.error(&not_sent(&status))),
            // It is nothing that trying again soon would help.
            ErrorReason::TooManyEmails => Ok(WRAP.error(status.message())),
            _ => Err(status.into()),
        },
    }
}

/// What the original says where a mail was not sent: the mail server's answer behind the name that
/// its language's library has for it.
fn not_sent(status: &tonic::Status) -> String {
    let info = status.get_details_error_info();
    let problem = info.as_ref().and_then(|info| info.metadata.get("problem"));
    let problem = problem.map_or("", String::as_str);
    let class = match problem.as_bytes() {
        [b'5', b'0'..=b'9', b'0'..=b'9', ..] => "Net::SMTPFatalError - ",
        [b'4', b'0'..=b'9', b'0'..=b'9', ..] => "Net::SMTPServerBusy - ",
        _ => "",
    };
    format!("Configuration error. Please consult this help link. ({class}{problem})")
}
