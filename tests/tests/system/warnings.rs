//! Mails that warn of balances, by a mail server of the test's own.

use std::time::Duration;

use tollbook_proto::v1::{
    Address, AdjustBalanceRequest, BalanceWarning, BalanceWarningMail, ContactEmails,
    GetUserRequest, ListBalanceWarningsRequest, MailState, UpdateUserRequest, User,
    WarningRecipient, accounts_service_client::AccountsServiceClient,
    balance_warnings_service_client::BalanceWarningsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal},
    server::{Authorized, Data, Server},
    smtp::MailServer,
};

use crate::on_both;

/// A server that warns, and looks every second.
struct Warner {
    server: Server,
    admin: Authorized,
    mails: MailServer,
}

impl Warner {
    /// `alice` (balance 66, responsible manager `mgr_own`) and all who may be warned of her
    /// have addresses.
    async fn start(data: &Data) -> Self {
        let mails = MailServer::start().await;
        let environment = [
            ("TOLLBOOK_SMTP_URL", mails.url.as_str()),
            ("TOLLBOOK_MAIL_FROM", "Billing <billing@example.com>"),
            ("TOLLBOOK_WARNING_INTERVAL", "1"),
        ];
        let server = Server::start_part(data, "serve", &environment);
        Fixture::fill(&server).await;
        let admin = server.admin().await;
        let warner = Self { server, admin, mails };
        for (id, email) in [(0, "admin@example.com"), (2, "manager@example.com")] {
            let address = Address { email: email.to_owned(), ..Default::default() };
            let user = User { id: Some(id), address: Some(address), ..Default::default() };
            warner.change(user, &["address.email"]).await;
        }
        let emails =
            ContactEmails { billing: "alice@example.com".to_owned(), ..Default::default() };
        let alice = User { id: Some(4), emails: Some(emails), ..Default::default() };
        warner.change(alice, &["emails.billing"]).await;
        warner
    }

    async fn change(&self, user: User, paths: &[&str]) {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        let request = UpdateUserRequest {
            user: Some(user),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        };
        UsersServiceClient::new(self.admin.clone()).update_user(request).await.unwrap();
    }

    async fn warn(&self, warning: BalanceWarning) {
        let alice = User { id: Some(4), balance_warning: Some(warning), ..Default::default() };
        self.change(alice, &["balance_warning"]).await;
    }

    async fn adjust(&self, amount: &str) {
        let amount = decimal(amount);
        let request = AdjustBalanceRequest { user_id: Some(4), amount, ..Default::default() };
        AccountsServiceClient::new(self.admin.clone()).adjust_balance(request).await.unwrap();
    }

    async fn log(&self) -> Vec<BalanceWarningMail> {
        let request = ListBalanceWarningsRequest { user_id: Some(4), ..Default::default() };
        let mut client = BalanceWarningsServiceClient::new(self.admin.clone());
        client.list_balance_warnings(request).await.unwrap().into_inner().mails
    }

    /// Waits until the log is as it should be: what is said in public is true a little later.
    async fn wait_for_log(&self, states: &[MailState]) -> Vec<BalanceWarningMail> {
        for _ in 0..200 {
            let log = self.log().await;
            if log.iter().map(BalanceWarningMail::state).eq(states.iter().copied()) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?}", self.log().await);
    }

    async fn warned(&self) -> (bool, bool, bool) {
        let request = GetUserRequest { id: Some(4), ..Default::default() };
        let user = UsersServiceClient::new(self.admin.clone()).get_user(request).await.unwrap();
        let warning = user.into_inner().user.unwrap().balance_warning.unwrap();
        (warning.user_warned, warning.admin_warned, warning.manager_warned)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_mailed_once_per_drop() {
    on_both(|data| async move {
        let warner = Warner::start(&data).await;
        warner
            .warn(BalanceWarning {
                active: true,
                user_threshold: decimal("50"),
                admin_threshold: decimal("40"),
                manager_threshold: decimal("40"),
                ..Default::default()
            })
            .await;
        warner.adjust("-17.5").await;
        let mails = warner.mails.wait_for(1).await;
        assert_eq!(mails[0].to, "alice@example.com");
        let content = &mails[0].content;
        assert!(content.contains("From: Billing <billing@example.com>\r\n"), "{content}");
        assert!(content.contains("Subject: Balance of alice: 48.5 USD\r\n"), "{content}");
        assert!(content.contains("has fallen below 50 USD."), "{content}");
        let log = warner.wait_for_log(&[MailState::Sent]).await;
        assert_eq!(log[0].recipient(), WarningRecipient::User);
        assert_eq!(log[0].balance.clone().unwrap().value, "48.5");
        assert_eq!(warner.warned().await, (true, false, false));

        warner.adjust("-10").await;
        let mails = warner.mails.wait_for(3).await;
        let to: Vec<_> = mails.iter().map(|mail| mail.to.as_str()).collect();
        assert_eq!(to, ["admin@example.com", "alice@example.com", "manager@example.com"]);
        assert_eq!(warner.warned().await, (true, true, true));
        // It recovers, and falls again: a new drop, for the user alone.
        warner.adjust("12").await;
        for _ in 0..100 {
            if warner.warned().await == (false, false, false) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        warner.adjust("-1").await;
        let mails = warner.mails.wait_for(4).await;
        assert_eq!(mails.iter().filter(|mail| mail.to == "alice@example.com").count(), 2);
        assert_eq!(warner.wait_for_log(&[MailState::Sent; 4]).await.len(), 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_at_an_hour_and_what_cannot_be_sent_is_logged() {
    on_both(|data| async move {
        let warner = Warner::start(&data).await;
        // Now, in a time zone where it is not midnight, and with time left of the hour.
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let left = 3600 - now().as_secs() % 3600;
        if left < 30 {
            tokio::time::sleep(Duration::from_secs(left)).await;
        }
        let now = now();
        let utc = i32::try_from(now.as_secs() / 3600 % 24).unwrap();
        let (zone, hour) = if utc == 0 { ("Etc/GMT-1", 1) } else { ("Etc/UTC", utc) };
        let user = User { id: Some(4), time_zone: zone.to_owned(), ..Default::default() };
        warner.change(user, &["time_zone"]).await;
        let daily = |hour: i32| BalanceWarning {
            active: true,
            user_threshold: decimal("100"),
            hour,
            ..Default::default()
        };
        // Not at this hour.
        warner.warn(daily(hour % 23 + 1)).await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(warner.log().await, []);

        // At this hour, once, even if the balance moves; a server that is busy is asked again.
        warner.mails.refuse("451 come back later");
        warner.warn(daily(hour)).await;
        let log = warner.wait_for_log(&[MailState::Pending]).await;
        assert_eq!(log[0].address, "alice@example.com");
        for _ in 0..100 {
            if warner.log().await[0].attempts == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = warner.log().await;
        assert!(log[0].problem.contains("come back later"), "{log:?}");
        warner.adjust("-1").await;
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert_eq!(warner.log().await.len(), 1);

        // Above a threshold, and a mailbox that is not there.
        warner.mails.refuse("550 no such mailbox");
        let rising = BalanceWarning {
            active: true,
            admin_threshold: decimal("60"),
            on_increase: true,
            ..Default::default()
        };
        warner.warn(rising).await;
        let log = warner.wait_for_log(&[MailState::Failed, MailState::Pending]).await;
        assert!(log[0].rose_above && log[0].problem.contains("no such mailbox"), "{log:?}");
        drop(warner.server);
    })
    .await;
}
