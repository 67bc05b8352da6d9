//! The gRPC service: access, reflection, health, idempotency, the ledger.

use prost::Message;
use prost_types::FieldMask;
use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, CheckAccessRequest, CreateAccessTokenRequest, CreateUserRequest,
    EndSessionsRequest, ErrorReason, GetBalanceRequest, GetUserRequest, LegacyDialect,
    LegacyParameter, LegacySignature, ListLedgerEntriesRequest, ListUsersRequest,
    RecordPaymentRequest, RevokeAccessTokenRequest, Settings, UpdateSettingsRequest,
    UpdateUserRequest, User, access_tokens_service_client::AccessTokensServiceClient,
    accounts_service_client::AccountsServiceClient, legacy_service_client::LegacyServiceClient,
    payments_service_client::PaymentsServiceClient, sessions_service_client::SessionsServiceClient,
    settings_service_client::SettingsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal},
    server::{Server, bearer},
};
use tonic::{Code, Request, Status, metadata::MetadataValue};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};
use tonic_types::StatusExt;

use crate::on_both;

/// The code and the machine-readable reason of a refusal.
fn refusal<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, ErrorReason) {
    let status = result.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!(info.domain, "tollbook");
    (status.code(), ErrorReason::from_reason(&info.reason).unwrap())
}

fn balance_of(user_id: i64) -> GetBalanceRequest {
    GetBalanceRequest { user_id: Some(user_id), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_call_what() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server).await;
        let channel = server.channel().await;
        let mut nobody = AccountsServiceClient::new(channel.clone());
        let missing = (Code::Unauthenticated, ErrorReason::CredentialsMissing);
        assert_eq!(refusal(nobody.get_balance(balance_of(4)).await), missing);
        let mut stranger = AccountsServiceClient::new(bearer(channel.clone(), "tb_wrong"));
        let refused = (Code::Unauthenticated, ErrorReason::CredentialRefused);
        assert_eq!(refusal(stranger.get_balance(balance_of(4)).await), refused);

        let alice = server.log_in("alice", "wonderland").await;
        let mut accounts = AccountsServiceClient::new(alice.clone());
        let own = accounts.get_balance(balance_of(4)).await.unwrap().into_inner();
        assert_eq!(own.balance.unwrap().value, "66");
        let foreign = refusal(accounts.get_balance(balance_of(5)).await);
        let absent = refusal(accounts.get_balance(balance_of(999)).await);
        assert_eq!(foreign, (Code::NotFound, ErrorReason::UserNotFound));
        assert_eq!(foreign, absent, "who may not see somebody cannot tell whether he exists");
        let request =
            AdjustBalanceRequest { user_id: Some(4), amount: decimal("1"), ..Default::default() };
        let denied = (Code::PermissionDenied, ErrorReason::RoleDenied);
        assert_eq!(refusal(accounts.adjust_balance(request).await), denied);
        let mut users = UsersServiceClient::new(alice.clone());
        assert_eq!(refusal(users.list_users(ListUsersRequest::default()).await), denied);

        // Logging out ends the session.
        SessionsServiceClient::new(alice).end_sessions(EndSessionsRequest {}).await.unwrap();
        assert_eq!(refusal(accounts.get_balance(balance_of(4)).await), refused);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_are_shown_once_and_can_be_revoked() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let mut tokens = AccessTokensServiceClient::new(server.admin().await);
        let request = CreateAccessTokenRequest {
            user_id: Some(0),
            name: "billing".to_owned(),
            ..Default::default()
        };
        let created = tokens.create_access_token(request).await.unwrap().into_inner();
        let mut accounts =
            AccountsServiceClient::new(bearer(server.channel().await, &created.secret));
        accounts.get_balance(balance_of(0)).await.unwrap();
        let id = created.access_token.unwrap().id;
        tokens.revoke_access_token(RevokeAccessTokenRequest { id: Some(id) }).await.unwrap();
        let refused = (Code::Unauthenticated, ErrorReason::CredentialRefused);
        assert_eq!(refusal(accounts.get_balance(balance_of(0)).await), refused);
        let unknown =
            refusal(tokens.revoke_access_token(RevokeAccessTokenRequest { id: Some(id) }).await);
        assert_eq!(unknown, (Code::NotFound, ErrorReason::AccessTokenNotFound));
    })
    .await;
}

/// Only a shim presents legacy signatures, and a shim presents nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn legacy_signatures_are_taken_from_shims_only() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let parameter = |name: &str, value: &str| LegacyParameter {
            name: name.to_owned(),
            value: value.to_owned(),
            ..Default::default()
        };
        let hash = tollbook_tests::legacy_hash("admin", "secret");
        let claim = LegacySignature {
            dialect: LegacyDialect::M4.into(),
            method: "user_balance_get".to_owned(),
            parameters: vec![parameter("username", "admin"), parameter("hash", &hash)],
            ..Default::default()
        };
        let signed = || {
            let username = "admin".to_owned();
            let mut request = Request::new(GetBalanceRequest { username, ..Default::default() });
            let value = MetadataValue::from_bytes(&claim.encode_to_vec());
            request.metadata_mut().insert_bin("tollbook-legacy-bin", value);
            request
        };
        let refused = (Code::PermissionDenied, ErrorReason::SignatureRefused);
        let mut admin = AccountsServiceClient::new(server.admin().await);
        assert_eq!(refusal(admin.get_balance(signed()).await), refused);
        let mut nobody = AccountsServiceClient::new(server.channel().await);
        assert_eq!(refusal(nobody.get_balance(signed()).await), refused);

        let shim = bearer(server.channel().await, &data.token(&["--shim", "shim1"]));
        let mut accounts = AccountsServiceClient::new(shim.clone());
        accounts.get_balance(signed()).await.unwrap();
        let denied = (Code::PermissionDenied, ErrorReason::RoleDenied);
        assert_eq!(refusal(accounts.get_balance(balance_of(0)).await), denied);
        let unsigned = LegacyServiceClient::new(shim).check_access(CheckAccessRequest {}).await;
        assert_eq!(refusal(unsigned), refused);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_changes_nothing_the_second_time() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server).await;
        let admin = server.admin().await;
        let request = |amount: &str| AdjustBalanceRequest {
            user_id: Some(5),
            amount: decimal(amount),
            idempotency_key: "key".to_owned(),
            ..Default::default()
        };
        let mut accounts = AccountsServiceClient::new(admin.clone());
        let first = accounts.adjust_balance(request("10")).await.unwrap().into_inner();
        let second = accounts.adjust_balance(request("10")).await.unwrap().into_inner();
        assert_eq!(first, second);
        let other = refusal(accounts.adjust_balance(request("11")).await);
        assert_eq!(other, (Code::AlreadyExists, ErrorReason::IdempotencyKeyReused));

        // The same key at once, many times: one batch, or several, and one payment.
        let payment = RecordPaymentRequest {
            user_id: Some(5),
            amount: decimal("1"),
            currency: "EUR".to_owned(),
            idempotency_key: "key".to_owned(),
            ..Default::default()
        };
        let mut calls = JoinSet::new();
        for _ in 0..20 {
            let mut payments = PaymentsServiceClient::new(admin.clone());
            let payment = payment.clone();
            calls
                .spawn(async move { payments.record_payment(payment).await.unwrap().into_inner() });
        }
        let answers = calls.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));

        let request = ListLedgerEntriesRequest { user_id: Some(5), ..Default::default() };
        let entries = accounts.list_ledger_entries(request).await.unwrap().into_inner().entries;
        let amounts: Vec<_> =
            entries.iter().map(|entry| entry.amount.clone().unwrap().value).collect();
        // 1 / 0.7351, rounded half to even to 15 places.
        assert_eq!(amounts, ["1.36035913481159", "10"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_adjustments_add_up() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server).await;
        let admin = server.admin().await;
        let mut calls = JoinSet::new();
        for number in 0..500_i64 {
            let mut accounts = AccountsServiceClient::new(admin.clone());
            let request = AdjustBalanceRequest {
                user_id: Some(5 + number % 3),
                amount: decimal(if number % 2 == 0 { "0.3" } else { "-0.1" }),
                ..Default::default()
            };
            calls.spawn(async move { accounts.adjust_balance(request).await.unwrap() });
        }
        calls.join_all().await;
        let mut accounts = AccountsServiceClient::new(admin);
        let mut cents = 0;
        for user in 5..8 {
            let balance = accounts.get_balance(balance_of(user)).await.unwrap().into_inner();
            let text = balance.balance.unwrap().value;
            let (whole, tenth) = text.split_once('.').unwrap_or((&text, "0"));
            cents += whole.parse::<i64>().unwrap() * 10 + tenth.parse::<i64>().unwrap();
        }
        assert_eq!(cents, 250 * 3 - 250);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_changed_field_by_field_and_all_or_nothing() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let mut users = UsersServiceClient::new(server.admin().await);
        let user = User { username: "zoe".to_owned(), ..Default::default() };
        let request = CreateUserRequest { user: Some(user.clone()), ..Default::default() };
        let created = users.create_user(request.clone()).await.unwrap().into_inner().user.unwrap();
        assert_eq!(
            refusal(users.create_user(request).await),
            (Code::AlreadyExists, ErrorReason::UsernameTaken)
        );

        let update = |paths: &[&str], user: User| UpdateUserRequest {
            user: Some(User { id: created.id, ..user }),
            update_mask: Some(FieldMask {
                paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            }),
            ..Default::default()
        };
        let new = User {
            first_name: "Zoe".to_owned(),
            last_name: "ignored".to_owned(),
            legacy_columns: [("lcr_id".to_owned(), "7".to_owned())].into(),
            ..Default::default()
        };
        let changed =
            users.update_user(update(&["first_name", "legacy_columns.lcr_id"], new.clone())).await;
        let changed = changed.unwrap().into_inner().user.unwrap();
        assert_eq!((changed.first_name.as_str(), changed.last_name.as_str()), ("Zoe", ""));
        assert_eq!(changed.legacy_columns["lcr_id"], "7");
        assert_eq!(changed.legacy_columns["show_quick_stats"], "1");

        for path in [
            "id",
            "balance",
            "role",
            "no_such_field",
            "address.no_such_field",
            "balance_warning.user_warned",
        ] {
            let refused =
                refusal(users.update_user(update(&["last_name", path], new.clone())).await);
            assert_eq!(refused, (Code::InvalidArgument, ErrorReason::InvalidField), "{path}");
        }
        let bad = User {
            last_name: "lost".to_owned(),
            time_zone: "Mars/Olympus".to_owned(),
            ..Default::default()
        };
        let refused = refusal(users.update_user(update(&["last_name", "time_zone"], bad)).await);
        assert_eq!(refused.1, ErrorReason::InvalidField);
        let request = GetUserRequest { id: created.id, ..Default::default() };
        let now = users.get_user(request).await.unwrap().into_inner().user.unwrap();
        assert_eq!(now, changed, "a refused change left something behind");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server).await;
        let mut users = UsersServiceClient::new(server.admin().await);
        let mut request = ListUsersRequest { page_size: 50, ..Default::default() };
        let mut seen = Vec::new();
        loop {
            let page = users.list_users(request.clone()).await.unwrap().into_inner();
            assert!(page.users.len() <= 50);
            seen.extend(page.users.iter().map(User::id));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(seen, (0..=123).collect::<Vec<_>>());
        request.page_token = "x".to_owned();
        assert_eq!(refusal(users.list_users(request).await).1, ErrorReason::InvalidPageToken);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_needs_a_secret_key_before_it_is_allowed() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let mut settings = SettingsServiceClient::new(server.admin().await);
        let request = UpdateSettingsRequest {
            settings: Some(Settings { allow_api: true, ..Default::default() }),
            update_mask: Some(FieldMask {
                paths: ["allow_api", "api_secret_key"].map(str::to_owned).to_vec(),
            }),
            ..Default::default()
        };
        let refused = refusal(settings.update_settings(request).await);
        assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::ApiSecretMissing));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_currency_is_chosen_before_anything_is_in_the_books() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let admin = server.admin().await;
        let choose = async |code: &str| {
            let request = UpdateSettingsRequest {
                settings: Some(Settings {
                    default_currency: code.to_owned(),
                    ..Default::default()
                }),
                update_mask: Some(FieldMask { paths: vec!["default_currency".to_owned()] }),
                ..Default::default()
            };
            SettingsServiceClient::new(admin.clone()).update_settings(request).await
        };
        let chosen = choose("EUR").await.unwrap().into_inner().settings.unwrap();
        assert_eq!(chosen.default_currency, "EUR");
        let refused = refusal(choose("€").await);
        assert_eq!(refused, (Code::InvalidArgument, ErrorReason::InvalidField));
        let amount = decimal("1");
        let first = AdjustBalanceRequest { user_id: Some(0), amount, ..Default::default() };
        AccountsServiceClient::new(admin.clone()).adjust_balance(first).await.unwrap();
        let refused = refusal(choose("USD").await);
        assert_eq!(refused, (Code::FailedPrecondition, ErrorReason::CurrencyFixed));
        choose("EUR").await.unwrap();
    })
    .await;
}

/// What `grpcurl list` and `describe` ask for, without any file.
#[tokio::test(flavor = "multi_thread")]
async fn reflection_and_health_need_no_credentials() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let channel = server.channel().await;
        let ask = async |request: MessageRequest| {
            let request =
                ServerReflectionRequest { host: String::new(), message_request: Some(request) };
            let mut answers = ServerReflectionClient::new(channel.clone())
                .server_reflection_info(tonic::codegen::tokio_stream::once(request))
                .await
                .unwrap()
                .into_inner();
            answers.message().await.unwrap().unwrap().message_response.unwrap()
        };
        let MessageResponse::ListServicesResponse(list) =
            ask(MessageRequest::ListServices(String::new())).await
        else {
            panic!("no list of services");
        };
        let names: Vec<_> = list.service.iter().map(|service| service.name.as_str()).collect();
        for name in ["AccountsService", "UsersService", "PaymentsService", "SessionsService"] {
            assert!(names.contains(&format!("tollbook.v1.{name}").as_str()), "{names:?}");
        }
        for symbol in ["tollbook.v1.AccountsService.AdjustBalance", "google.rpc.ErrorInfo"] {
            let answer = ask(MessageRequest::FileContainingSymbol(symbol.to_owned())).await;
            assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{answer:?}");
        }
        let health = tonic_health::pb::health_client::HealthClient::new(channel)
            .check(tonic_health::pb::HealthCheckRequest::default())
            .await
            .unwrap();
        assert_eq!(health.into_inner().status, 1);
    })
    .await;
}
