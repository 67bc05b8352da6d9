//! E-mails that are made from templates, by a mail server of the test's own.

use std::collections::HashMap;

use tollbook_proto::v1::{
    Address, CreateEmailTemplateRequest, CreateUserRequest, DeleteUserRequest, EmailTemplate,
    ListChangesRequest, ListEmailTemplatesRequest, Role, SendEmailRequest,
    UpdateEmailTemplateRequest, User, changes_service_client::ChangesServiceClient,
    email_templates_service_client::EmailTemplatesServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    server::{Authorized, Data, Server},
    smtp::MailServer,
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::on_both;

fn mailing(data: &Data, mails: &MailServer) -> Server {
    let environment = [
        ("TOLLBOOK_SMTP_URL", mails.url.as_str()),
        ("TOLLBOOK_MAIL_FROM", "Billing <billing@example.com>"),
    ];
    Server::start_part(data, "serve", &environment)
}

async fn create(caller: &Authorized, name: &str) -> Result<i64, Status> {
    let template = EmailTemplate {
        name: name.to_owned(),
        subject: "Dear <%= name %>".to_owned(),
        body: "You are <%= name %>.\n<%= nothing %>.\n".to_owned(),
        ..Default::default()
    };
    let request = CreateEmailTemplateRequest { email_template: Some(template) };
    let created =
        EmailTemplatesServiceClient::new(caller.clone()).create_email_template(request).await?;
    Ok(created.into_inner().email_template.unwrap().id())
}

async fn names(caller: &Authorized) -> Vec<String> {
    let mut client = EmailTemplatesServiceClient::new(caller.clone());
    let all = client.list_email_templates(ListEmailTemplatesRequest::default()).await.unwrap();
    all.into_inner().email_templates.into_iter().map(|template| template.name).collect()
}

async fn send(
    caller: &Authorized,
    template: &str,
    user: i64,
    name: &str,
) -> Result<String, Status> {
    let request = SendEmailRequest {
        template_name: template.to_owned(),
        user_id: Some(user),
        variables: HashMap::from([("name".to_owned(), name.to_owned())]),
    };
    let sent = EmailTemplatesServiceClient::new(caller.clone()).send_email(request).await?;
    Ok(sent.into_inner().address)
}

fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    result.unwrap_err().get_details_error_info().unwrap().reason
}

async fn user(admin: &Authorized, username: &str, role: Role, owner_id: i64) -> i64 {
    let address = Address { email: format!("{username}@example.com"), ..Default::default() };
    let user = User {
        username: username.to_owned(),
        role: role.into(),
        owner_id,
        address: Some(address),
        ..Default::default()
    };
    let password = format!("{username}-password");
    let request = CreateUserRequest { user: Some(user), password, ..Default::default() };
    let created = UsersServiceClient::new(admin.clone()).create_user(request).await.unwrap();
    created.into_inner().user.unwrap().id()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_made_of_a_template_and_sent() {
    on_both(|data| async move {
        let mails = MailServer::start().await;
        let server = mailing(&data, &mails);
        let admin = server.admin().await;
        let acme = user(&admin, "acme", Role::User, 0).await;
        create(&admin, "welcome").await.unwrap();
        let address = send(&admin, "welcome", acme, "Acme\r\nBcc: all@example.com").await.unwrap();
        assert_eq!(address, "acme@example.com");
        let sent = mails.wait_for(1).await.remove(0);
        assert_eq!(sent.to, "acme@example.com");
        // A value cannot become a header.
        let (head, text) = sent.content.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Subject: Dear Acme"), "{head}");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(text.starts_with("You are Acme") && text.contains("\r\n."), "{text}");

        // Whom it went to is in the audit log, what was in it is not.
        let request = ListChangesRequest::default();
        let changes = ChangesServiceClient::new(admin.clone()).list_changes(request).await.unwrap();
        let entry = changes.into_inner().changes.remove(0);
        assert_eq!(entry.rpc, "EmailTemplatesService/SendEmail");
        assert!(entry.after.contains("acme@example.com") && !entry.after.contains("Acme"));

        // What the mail server says is passed on, and nothing was sent.
        mails.refuse("554 5.7.1 relay access denied");
        let refused = send(&admin, "welcome", acme, "Acme").await.unwrap_err();
        assert!(refused.message().contains("554 5.7.1 relay access denied"), "{refused:?}");
        assert_eq!(reason::<()>(Err(refused)), "MAIL_REFUSED");
        assert_eq!(mails.wait_for(1).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_has_templates_of_its_own() {
    on_both(|data| async move {
        let mails = MailServer::start().await;
        let server = mailing(&data, &mails);
        let admin = server.admin().await;
        let east = user(&admin, "east", Role::Reseller, 0).await;
        let his = user(&admin, "his", Role::User, east).await;
        let other = user(&admin, "other", Role::User, 0).await;
        let reseller = server.log_in("east", "east-password").await;
        let welcome = create(&admin, "welcome").await.unwrap();
        assert_eq!(reason(create(&admin, "welcome").await), "EMAIL_TEMPLATE_TAKEN");
        assert!(names(&reseller).await.is_empty());
        assert_eq!(reason(send(&reseller, "welcome", his, "x").await), "EMAIL_TEMPLATE_NOT_FOUND");
        let request = UpdateEmailTemplateRequest {
            id: Some(welcome),
            body: Some("mine".to_owned()),
            ..Default::default()
        };
        let mut client = EmailTemplatesServiceClient::new(reseller.clone());
        let changed = client.update_email_template(request).await;
        assert_eq!(reason(changed), "EMAIL_TEMPLATE_NOT_FOUND");

        create(&reseller, "welcome").await.unwrap();
        send(&reseller, "welcome", his, "x").await.unwrap();
        send(&reseller, "welcome", east, "x").await.unwrap();
        assert_eq!(reason(send(&reseller, "welcome", other, "x").await), "USER_NOT_FOUND");
        assert_eq!(reason(send(&reseller, "welcome", 0, "x").await), "USER_NOT_FOUND");
        assert_eq!(mails.wait_for(2).await.len(), 2);

        // They go with who had them.
        let mut users = UsersServiceClient::new(admin.clone());
        for id in [his, east] {
            users.delete_user(DeleteUserRequest { id: Some(id) }).await.unwrap();
        }
        assert_eq!(names(&admin).await, ["welcome"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_the_legacy_answer_is_that_mail_is_disabled() {
    on_both(|data| async move {
        let environment =
            [("TOLLBOOK_DIALECT", "mor"), ("TOLLBOOK_API_SECRET", "a key for this test 1")];
        let server = Server::start_part(&data, "serve", &environment);
        let admin = server.admin().await;
        let acme = user(&admin, "acme", Role::User, 0).await;
        create(&admin, "welcome").await.unwrap();
        assert_eq!(reason(send(&admin, "welcome", acme, "x").await), "MAIL_DISABLED");
        let acme = acme.to_string();
        let hash = tollbook_tests::legacy_hash(format!("welcome{acme}"), "a key for this test 1");
        let form = [
            ("u", "admin"),
            ("email_name", "welcome"),
            ("email_to_user_id", &acme),
            ("hash", &hash),
        ];
        let answer =
            reqwest::Client::new().post(server.url("email_send")).form(&form).send().await.unwrap();
        assert_eq!(
            answer.text().await.unwrap(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<page>\n  \
             <email_sending_status>E-mail has been disabled</email_sending_status>\n</page>\n"
        );
    })
    .await;
}
