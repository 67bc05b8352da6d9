//! E-mails that are made from templates, by a mail server of the test's own.

use std::{collections::HashMap, time::Duration};

use tollbook_proto::v1::{
    Address, CreateEmailTemplateRequest, CreateUserRequest, DeleteUserRequest, EmailTemplate,
    ListChangesRequest, ListEmailTemplatesRequest, Role, SendEmailRequest, Settings,
    UpdateEmailTemplateRequest, UpdateSettingsRequest, User,
    changes_service_client::ChangesServiceClient,
    email_templates_service_client::EmailTemplatesServiceClient,
    settings_service_client::SettingsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::mask,
    proxy::{Proxy, Way},
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

/// Who registers is told by mail how, where the owner has the template; nothing of a mail stops him.
#[tokio::test(flavor = "multi_thread")]
async fn who_registers_gets_a_confirmation() {
    on_both(|data| async move {
        let mails = MailServer::start().await;
        let server = mailing(&data, &mails);
        let admin = server.admin().await;
        let register = |username: &'static str| {
            let mut users = UsersServiceClient::new(admin.clone());
            let request = crate::devices::registration(username);
            async move { users.register_user(request).await.unwrap().into_inner() }
        };
        assert_eq!(register("early").await.email, "");
        let template = EmailTemplate {
            name: "registration_confirmation_for_user".to_owned(),
            subject: "Welcome <%= first_name %>".to_owned(),
            body: "<%= login_username %>/<%= device_type %>/<%= device_username %>/".to_owned()
                + "<%= device_password %>/<%= device_pin %>/<%= nothing %>.\n",
            ..Default::default()
        };
        let request = CreateEmailTemplateRequest { email_template: Some(template) };
        let mut templates = EmailTemplatesServiceClient::new(admin.clone());
        templates.create_email_template(request).await.unwrap();
        let registered = register("nina").await;
        assert_eq!(registered.email, "nina@example.org");
        let sent = mails.wait_for(1).await.remove(0);
        assert_eq!(sent.to, "nina@example.org");
        assert!(sent.content.contains("Subject: Welcome Nina"), "{}", sent.content);
        let device = registered.device.unwrap();
        let (name, password, pin) = (&device.username, &device.password, device.pin());
        let expected = format!("nina/SIP/{name}/{password}/{pin}/.");
        assert!(sent.content.contains(&expected), "{}", sent.content);

        mails.refuse("554 5.7.1 relay access denied");
        let registered = register("late").await;
        assert!(registered.user_id > 0 && registered.email == "late@example.org");
        limit(&admin, 1).await;
        assert_eq!(register("last").await.email, "");
    })
    .await;
}

/// The mail server has it once, whoever waits for that, and whatever becomes of the answers to commits.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_sent_once_whoever_hangs_up_and_whatever_is_lost() {
    on_both(|data| async move {
        let mails = MailServer::start().await;
        let server = mailing(&data, &mails);
        let admin = server.admin().await;
        let acme = user(&admin, "acme", Role::User, 0).await;
        create(&admin, "welcome").await.unwrap();
        for _ in 0..5 {
            let sent = send(&admin, "welcome", acme, "x");
            drop(tokio::time::timeout(Duration::from_millis(3), sent).await);
        }
        // Some were not even asked for.
        send(&admin, "welcome", acme, "the last").await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let sent = mails.wait_for(1).await;
        assert!((1..=6).contains(&sent.len()));
        assert_eq!(noted(&admin).await, sent.len());
    })
    .await;
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let proxy = Proxy::start(postgres.directory().to_owned());
    let url = proxy.url(data.database_url().unwrap());
    let mails = MailServer::start().await;
    let environment = [
        ("TOLLBOOK_SMTP_URL", mails.url.as_str()),
        ("TOLLBOOK_MAIL_FROM", "billing@example.com"),
        ("TOLLBOOK_DATABASE_URL", url.as_str()),
    ];
    let server = Server::start_part(&data, "serve", &environment);
    let admin = server.admin().await;
    let acme = user(&admin, "acme", Role::User, 0).await;
    create(&admin, "welcome").await.unwrap();
    let mut acknowledged = 0;
    for _ in 0..5 {
        proxy.set(Way::LosesCommits);
        let sent = send(&admin, "welcome", acme, "x");
        let answer = tokio::time::timeout(Duration::from_secs(5), sent).await;
        acknowledged += usize::from(answer.is_ok_and(|answer| answer.is_ok()));
        proxy.set(Way::Open);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let sent = mails.wait_for(acknowledged).await.len();
    assert!(acknowledged >= 3 && (acknowledged..=5).contains(&sent), "{acknowledged} {sent}");
}

/// How many mails the audit log knows of.
async fn noted(admin: &Authorized) -> usize {
    let request = ListChangesRequest { page_size: 1000, ..Default::default() };
    let changes = ChangesServiceClient::new(admin.clone()).list_changes(request).await.unwrap();
    let changes = changes.into_inner().changes;
    changes.iter().filter(|change| change.rpc == "EmailTemplatesService/SendEmail").count()
}

async fn limit(admin: &Authorized, emails_per_hour: i32) {
    let request = UpdateSettingsRequest {
        settings: Some(Settings { emails_per_hour, ..Default::default() }),
        update_mask: mask("emails_per_hour"),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_sends_so_many_mails_in_an_hour() {
    on_both(|data| async move {
        let mails = MailServer::start().await;
        let mut server = mailing(&data, &mails);
        let admin = server.admin().await;
        let acme = user(&admin, "acme", Role::User, 0).await;
        let east = user(&admin, "east", Role::Reseller, 0).await;
        create(&admin, "welcome").await.unwrap();
        limit(&admin, 3).await;
        for _ in 0..2 {
            send(&admin, "welcome", acme, "x").await.unwrap();
        }
        // Also one that is refused has cost the mail server its time; and a restart forgets nothing.
        mails.refuse("554 5.7.1 relay access denied");
        assert_eq!(reason(send(&admin, "welcome", acme, "x").await), "MAIL_REFUSED");
        let password = server.admin_password.clone();
        server.stop();
        let server = mailing(&data, &mails);
        let admin = server.log_in("admin", &password).await;
        assert_eq!(reason(send(&admin, "welcome", acme, "x").await), "TOO_MANY_EMAILS");
        // It is nobody else's limit.
        let reseller = server.log_in("east", "east-password").await;
        create(&reseller, "welcome").await.unwrap();
        send(&reseller, "welcome", east, "x").await.unwrap();
        limit(&admin, 0).await;
        send(&admin, "welcome", acme, "x").await.unwrap();
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
