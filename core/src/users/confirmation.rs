//! The e-mail that tells a user who has registered how to log in and how his device registers
//! (`docs/rules/users-and-payments.md#registration`).

use std::collections::HashMap;

use tollbook_proto::v1 as pb;

use crate::{
    catalog::Snapshot,
    context::Context,
    emails::{self, Draft},
    error::{Error, Result},
    ids::UserId,
};

/// The template that it is made from, in the account of the owner.
const TEMPLATE: &str = "registration_confirmation_for_user";

/// What it says, and to whom.
pub(super) struct Confirmation {
    owner: UserId,
    address: String,
    variables: HashMap<String, String>,
}

impl Confirmation {
    pub(super) fn of(
        user: pb::User,
        registered: &pb::RegisterUserResponse,
        snapshot: &Snapshot,
    ) -> Self {
        let device = registered.device.clone().unwrap_or_default();
        let address = user.address.unwrap_or_default().email;
        let login_url = &snapshot.settings.login_redirect_url;
        // A path leads nowhere from a mail.
        let login_url = if login_url.starts_with('/') { "" } else { login_url };
        let variables = [
            ("login_url", login_url.to_owned()),
            ("login_username", user.username),
            ("first_name", user.first_name),
            ("last_name", user.last_name),
            ("user_email", address.clone()),
            ("server_ip", registered.server_address.clone()),
            ("registration_notice", registered.registration_notice.clone()),
            ("device_type", device.r#type().as_str_name().replace("DEVICE_TYPE_", "")),
            ("device_pin", device.pin().to_owned()),
            ("device_username", device.username),
            ("device_password", device.password),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { owner: UserId(user.owner_id), address, variables }
    }

    /// Makes the mail; `None`, with a word in the log, where that is not to be: whoever has been registered
    /// has been.
    pub(super) async fn draft(self, context: &Context) -> Option<(Draft, String)> {
        match self.try_to_draft(context).await {
            Ok(draft) => Some((draft, self.address)),
            Err(Error::MailDisabled | Error::EmailTemplateNotFound) => None,
            Err(error) => {
                tracing::warn!(error = ?error, "no confirmation of a registration is sent");
                None
            }
        }
    }

    async fn try_to_draft(&self, context: &Context) -> Result<Draft> {
        if context.mail.is_none() {
            return Err(Error::MailDisabled);
        }
        let template = emails::store::by_name(&context.db, self.owner, TEMPLATE).await?;
        let address = self.address.clone();
        emails::draft(context, self.owner, &template, &self.variables, address).await
    }
}
