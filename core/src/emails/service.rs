//! `EmailTemplatesService`.

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::v1::{self as pb, email_templates_service_server::EmailTemplatesService};
use tonic::{Request, Response, Status};

use super::{SendError, deliver, store, template};
use crate::{
    access::{Principal, principal},
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, EmailTemplateId, UserId},
    paging::Page,
    resource::Resource,
    store::Sequence,
    text::{check_lines, check_name, check_note, check_text},
    users,
};

/// The longest text of a template, in characters.
const MAX_BODY: usize = 20_000;
/// How many values a mail may be filled with.
const MAX_VARIABLES: usize = 100;

pub(crate) struct Service(pub(crate) Arc<Context>);

impl Service {
    async fn create(
        &self,
        caller: &Principal,
        template: Option<pb::EmailTemplate>,
    ) -> Result<pb::EmailTemplate> {
        let mut template = template.unwrap_or_default();
        check(&template)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        template.id = Some(tx.next_id(Sequence::EmailTemplates).await?);
        store::insert(&mut tx, account(caller), &template).await?;
        let change =
            Change::creation(Resource::EmailTemplate(EmailTemplateId(template.id())), &template)?;
        tx.commit(change).await?;
        Ok(template)
    }

    async fn update(
        &self,
        caller: &Principal,
        request: pb::UpdateEmailTemplateRequest,
    ) -> Result<pb::EmailTemplate> {
        let id = ids::required::<EmailTemplateId>("id", request.id)?;
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let before = store::lock(&mut tx, account(caller), id).await?;
        let pb::UpdateEmailTemplateRequest { name, subject, body, .. } = request;
        let template = pb::EmailTemplate {
            id: before.id,
            name: name.unwrap_or_else(|| before.name.clone()),
            subject: subject.unwrap_or_else(|| before.subject.clone()),
            body: body.unwrap_or_else(|| before.body.clone()),
        };
        check(&template)?;
        store::update(&mut tx, &template).await?;
        tx.commit(Change::of(Resource::EmailTemplate(id), &before, &template)?).await?;
        Ok(template)
    }

    async fn delete(&self, caller: &Principal, id: EmailTemplateId) -> Result<()> {
        let mut tx = self.0.begin_change(caller.origin()).await?;
        let template = store::lock(&mut tx, account(caller), id).await?;
        store::delete(&mut tx, id).await?;
        tx.commit(Change::deletion(Resource::EmailTemplate(id), &template)?).await
    }

    async fn send(&self, caller: &Principal, request: pb::SendEmailRequest) -> Result<String> {
        let pb::SendEmailRequest { template_name, user_id, variables } = request;
        if template_name.is_empty() {
            return Err(Error::invalid("template_name", "is required"));
        }
        check_text("template_name", &template_name)?;
        check_values(&variables)?;
        let template = store::by_name(&self.0.db, account(caller), &template_name).await?;
        let address = self.address(caller, user_id.map(UserId)).await?;
        let to = address.clone();
        let draft = deliver::draft(&self.0, account(caller), &template, &variables, to).await?;
        draft.send(&self.0, caller.origin()).await.map_err(refused)?;
        Ok(address)
    }

    /// Where a mail to a user goes, whom the caller may change or is himself.
    async fn address(&self, caller: &Principal, user: Option<UserId>) -> Result<String> {
        let own = caller.user()?.id;
        let user = match user {
            Some(id) if id != own => caller.manage(self.0.directory.by_id(id).await?)?.id,
            Some(_) | None => own,
        };
        let user = users::store::by_id(&self.0.db, user).await?;
        let address = user.address.unwrap_or_default().email;
        match address.is_empty() {
            true => Err(Error::MailRefused("the user has no e-mail address".to_owned())),
            false => Ok(address),
        }
    }
}

/// Whose templates the caller's are: of resellers and partners their own, else the operator's.
fn account(caller: &Principal) -> UserId {
    caller.scope().owner().unwrap_or(UserId::ADMIN)
}

fn check(template: &pb::EmailTemplate) -> Result<()> {
    check_name(&template.name)?;
    check_text("subject", &template.subject)?;
    template::check("subject", &template.subject)?;
    if template.body.chars().count() > MAX_BODY {
        return Err(Error::invalid("body", "is longer than 20000 characters"));
    }
    check_lines("body", &template.body)?;
    template::check("body", &template.body)
}

/// Checks the values of variables.
fn check_values(variables: &HashMap<String, String>) -> Result<()> {
    if variables.len() > MAX_VARIABLES {
        return Err(Error::invalid("variables", "are more than 100"));
    }
    variables.values().try_for_each(|value| check_note("variables", value))
}

/// Whoever asked is told what the mail server says, and asks again if he likes. What else went wrong
/// on the way there is the operator's business, and in the log.
fn refused(error: SendError) -> Error {
    if error.is_answer {
        return Error::MailRefused(error.problem);
    }
    tracing::warn!(problem = error.problem, "an e-mail was not sent");
    Error::MailRefused("the mail server does not answer, or the address is none".to_owned())
}

#[tonic::async_trait]
impl EmailTemplatesService for Service {
    async fn list_email_templates(
        &self,
        request: Request<pb::ListEmailTemplatesRequest>,
    ) -> Result<Response<pb::ListEmailTemplatesResponse>, Status> {
        let account = account(&principal(&request)?);
        let page = Page::of(request.get_ref())?;
        let (size, after) = (page.size, page.after()?);
        let templates = store::list(&self.0.db, account, after, size + 1).await?;
        let (email_templates, next_page_token) = page.cut(templates, size, pb::EmailTemplate::id);
        Ok(Response::new(pb::ListEmailTemplatesResponse { email_templates, next_page_token }))
    }

    async fn create_email_template(
        &self,
        request: Request<pb::CreateEmailTemplateRequest>,
    ) -> Result<Response<pb::CreateEmailTemplateResponse>, Status> {
        let caller = principal(&request)?;
        let email_template = Some(self.create(&caller, request.into_inner().email_template).await?);
        Ok(Response::new(pb::CreateEmailTemplateResponse { email_template }))
    }

    async fn update_email_template(
        &self,
        request: Request<pb::UpdateEmailTemplateRequest>,
    ) -> Result<Response<pb::UpdateEmailTemplateResponse>, Status> {
        let caller = principal(&request)?;
        let email_template = Some(self.update(&caller, request.into_inner()).await?);
        Ok(Response::new(pb::UpdateEmailTemplateResponse { email_template }))
    }

    async fn delete_email_template(
        &self,
        request: Request<pb::DeleteEmailTemplateRequest>,
    ) -> Result<Response<pb::DeleteEmailTemplateResponse>, Status> {
        let caller = principal(&request)?;
        let id = ids::required::<EmailTemplateId>("id", request.get_ref().id)?;
        self.delete(&caller, id).await?;
        Ok(Response::new(pb::DeleteEmailTemplateResponse {}))
    }

    async fn send_email(
        &self,
        request: Request<pb::SendEmailRequest>,
    ) -> Result<Response<pb::SendEmailResponse>, Status> {
        let caller = principal(&request)?;
        let address = self.send(&caller, request.into_inner()).await?;
        Ok(Response::new(pb::SendEmailResponse { address }))
    }
}
