//! A core, and the audit, on a hot standby of PostgreSQL.

use std::time::Duration;

use tollbook_proto::v1::{
    AdjustBalanceRequest, AggregateCallsRequest, AuditAccountsRequest, CreateSessionRequest,
    GetBalanceRequest, ListCallsRequest, Settings, UpdateSettingsRequest,
    accounts_service_client::AccountsServiceClient, calls_service_client::CallsServiceClient,
    sessions_service_client::SessionsServiceClient, settings_service_client::SettingsServiceClient,
    statistics_service_client::StatisticsServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::{decimal, mask},
    server::{Authorized, Data, Server, bearer},
};
use tonic::Code;

async fn balance(core: &Authorized) -> String {
    let request = GetBalanceRequest { user_id: Some(4), ..Default::default() };
    let answer = AccountsServiceClient::new(core.clone()).get_balance(request).await.unwrap();
    answer.into_inner().balance.unwrap().value
}

/// Every change is refused, and the refusal says where to go.
async fn refuses_changes(core: &Authorized) {
    let request =
        AdjustBalanceRequest { user_id: Some(4), amount: decimal("1"), ..Default::default() };
    let adjusted = AccountsServiceClient::new(core.clone()).adjust_balance(request).await;
    let request = UpdateSettingsRequest {
        settings: Some(Settings { allow_get_api: true, ..Default::default() }),
        update_mask: mask("allow_get_api"),
        ..Default::default()
    };
    let set = SettingsServiceClient::new(core.clone()).update_settings(request).await;
    let request =
        CreateSessionRequest { username: "alice".to_owned(), password: "wonderland".to_owned() };
    let logged_in = SessionsServiceClient::new(core.clone()).create_session(request).await;
    for refused in [adjusted.unwrap_err(), set.unwrap_err(), logged_in.unwrap_err()] {
        let told = (refused.code(), super::first_steps::info(&refused).reason);
        assert_eq!(told, (Code::FailedPrecondition, "READ_ONLY".to_owned()), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_a_core_and_the_audit_work_on_a_hot_standby() {
    let Some((data, primary)) = Data::on_own_postgres() else { return };
    let books = Books::open(&data).await;
    books.send(vec![(0..50).map(call).collect()]).await.unwrap();
    let standby = primary.standby();
    let replica = Data::of_database(standby.url_of(data.database_url().unwrap(), &primary));
    let core = Server::start_part(&replica, "core", &[]);
    let reads = bearer(core.channel().await, &books.token);

    assert_eq!(balance(&reads).await, books.balance(4).await);
    let request = ListCallsRequest { page_size: 1000, ..Default::default() };
    let listed = CallsServiceClient::new(reads.clone()).list_calls(request).await.unwrap();
    assert_eq!(listed.into_inner().calls.len(), 8 + 50);
    let request = AggregateCallsRequest {
        from: at(START - 36_000),
        till: at(START + 50_399),
        ..Default::default()
    };
    let mut parts = StatisticsServiceClient::new(reads.clone()).aggregate_calls(request).await;
    assert!(parts.as_mut().unwrap().get_mut().message().await.unwrap().is_some());
    let mut accounts = AccountsServiceClient::new(reads.clone());
    let audit = accounts.audit_accounts(AuditAccountsRequest {}).await.unwrap().into_inner();
    assert_eq!((audit.findings.len(), audit.calls), (0, 58));
    let output = replica.command().arg("audit").output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("58 calls: the books are right"), "{said}");

    refuses_changes(&reads).await;
    // It follows the primary, balances and what it keeps in memory alike.
    books.adjust(4, "1.25").await;
    let mut settings = SettingsServiceClient::new(books.admin.clone());
    let request = UpdateSettingsRequest {
        settings: Some(Settings { time_zone: "Asia/Tokyo".to_owned(), ..Default::default() }),
        update_mask: mask("time_zone"),
        ..Default::default()
    };
    settings.update_settings(request).await.unwrap();
    let expected = (books.balance(4).await, "Asia/Tokyo".to_owned());
    let mut tries = 0;
    loop {
        let request = ListCallsRequest { page_size: 1, ..Default::default() };
        let page = CallsServiceClient::new(reads.clone()).list_calls(request).await.unwrap();
        if (balance(&reads).await, page.into_inner().time_zone) == expected {
            break;
        }
        tries += 1;
        assert!(tries < 100, "the core on the replica does not follow");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // With the schema of another version it does not start, and says what is to be done.
    drop(core);
    primary.run(
        data.database_url().unwrap(),
        "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)",
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    let said = Server::refuses_to_start(&replica, "core", &[]);
    assert!(said.contains("on its primary"), "{said}");
}
