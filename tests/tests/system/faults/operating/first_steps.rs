//! What somebody new to the gRPC service meets: errors that say what to mend, and examples that
//! work.

use std::{path::PathBuf, process::Command, sync::Once, time::Duration};

use tollbook_proto::v1::{
    AdjustBalanceRequest, CreateAccessTokenRequest, CreateCurrencyRequest, Currency, Decimal,
    GetBalanceRequest, ListCallsRequest, ListPaymentsRequest, RecordPaymentRequest,
    UpdateUserRequest, User, access_tokens_service_client::AccessTokensServiceClient,
    accounts_service_client::AccountsServiceClient, calls_service_client::CallsServiceClient,
    currencies_service_client::CurrenciesServiceClient,
    payments_service_client::PaymentsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::{Fixture, decimal, mask},
    server::{Backend, Data, Server, bearer},
};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorInfo, StatusExt};

use crate::on_both;

/// What a program is told of an error.
pub(super) fn info(status: &Status) -> ErrorInfo {
    status.get_details_error_info().unwrap()
}

fn of_admin() -> GetBalanceRequest {
    GetBalanceRequest { user_id: Some(0), ..Default::default() }
}

/// What `GetBalance` says to an `authorization` of some text: reason, credential, problem, words.
async fn refusal(server: &Server, authorization: Option<&str>) -> (Code, [String; 3], String) {
    let mut request = Request::new(of_admin());
    if let Some(text) = authorization {
        request.metadata_mut().insert("authorization", text.parse().unwrap());
    }
    let mut accounts = AccountsServiceClient::new(server.channel().await);
    let status = accounts.get_balance(request).await.unwrap_err();
    let mut info = info(&status);
    let mut told = |key: &str| info.metadata.remove(key).unwrap_or_default();
    let (credential, problem) = (told("credential"), told("problem"));
    (status.code(), [info.reason, credential, problem], status.message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_a_refusal_says_which_credential_failed_and_why() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let mut tokens = AccessTokensServiceClient::new(server.admin().await);
        let soon = std::time::SystemTime::now() + Duration::from_millis(100);
        let request = CreateAccessTokenRequest {
            name: "short".to_owned(),
            user_id: Some(0),
            expires_at: Some(soon.into()),
            ..Default::default()
        };
        let expired = tokens.create_access_token(request).await.unwrap().into_inner().secret;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let expired = format!("Bearer {expired}");
        let shim = format!("Bearer {}", data.token(&["--shim", "s"]));
        for (authorization, code, reason, credential, problem, words) in [
            (None, Code::Unauthenticated, "CREDENTIALS_MISSING", "", "", "Bearer TOKEN"),
            (
                Some("Bearer tb_never_given_out"),
                Code::Unauthenticated,
                "CREDENTIAL_REFUSED",
                "token",
                "unknown",
                "unknown, was revoked",
            ),
            (
                Some(expired.as_str()),
                Code::Unauthenticated,
                "CREDENTIAL_REFUSED",
                "token",
                "expired",
                "has expired",
            ),
            (
                Some("Basic YWRtaW46YWRtaW4="),
                Code::Unauthenticated,
                "CREDENTIAL_REFUSED",
                "authorization",
                "scheme",
                "must be `Bearer TOKEN`",
            ),
            (
                Some("tb_without_a_scheme"),
                Code::Unauthenticated,
                "CREDENTIAL_REFUSED",
                "authorization",
                "scheme",
                "must be `Bearer TOKEN`",
            ),
            (
                Some(shim.as_str()),
                Code::PermissionDenied,
                "ROLE_DENIED",
                "token",
                "shim",
                "the token of a user",
            ),
        ] {
            let (said_code, told, said) = refusal(&server, authorization).await;
            assert_eq!((said_code, told), (code, [reason, credential, problem].map(str::to_owned)));
            assert!(said.contains(words), "{said}");
            // Nothing of what was sent comes back.
            assert!(!authorization.is_some_and(|sent| said.contains(sent)), "{said}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_every_invalid_amount_names_its_field() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server).await;
        let admin = bearer(server.channel().await, &data.token(&["amounts"]));
        let mut accounts = AccountsServiceClient::new(admin.clone());
        let mut payments = PaymentsServiceClient::new(admin.clone());
        let mut refused = Vec::new();
        let mut note = |status: Status, field: &'static str| refused.push((status, field));
        let empty = Some(Decimal::default());
        for amount in [None, empty, decimal("ten"), decimal("1e3"), decimal("1000000000000")] {
            let request = AdjustBalanceRequest {
                user_id: Some(4),
                amount: amount.clone(),
                ..Default::default()
            };
            note(accounts.adjust_balance(request).await.unwrap_err(), "amount");
            let request = RecordPaymentRequest {
                user_id: Some(4),
                currency: "USD".to_owned(),
                amount,
                ..Default::default()
            };
            note(payments.record_payment(request).await.unwrap_err(), "amount");
        }
        // Each is in range, and their sum is not.
        let most = AdjustBalanceRequest {
            user_id: Some(5),
            amount: decimal("999999999999"),
            ..Default::default()
        };
        accounts.adjust_balance(most.clone()).await.unwrap();
        note(accounts.adjust_balance(most).await.unwrap_err(), "amount");
        let negative = RecordPaymentRequest {
            user_id: Some(4),
            currency: "USD".to_owned(),
            amount: decimal("-1"),
            ..Default::default()
        };
        note(payments.record_payment(negative).await.unwrap_err(), "amount");
        for field in ["amount_min", "amount_max"] {
            let bound = |name| (name == field).then(|| decimal("x").unwrap());
            let request = ListPaymentsRequest {
                amount_min: bound("amount_min"),
                amount_max: bound("amount_max"),
                ..Default::default()
            };
            note(payments.list_payments(request).await.unwrap_err(), field);
        }
        let mut users = UsersServiceClient::new(admin.clone());
        for field in ["credit", "balance_min", "minimal_charge"] {
            let wrong = |name| (name == field).then(|| decimal("lots").unwrap());
            let user = User {
                id: Some(4),
                credit: wrong("credit"),
                balance_min: wrong("balance_min"),
                minimal_charge: wrong("minimal_charge"),
                ..Default::default()
            };
            let request = UpdateUserRequest {
                user: Some(user),
                update_mask: mask(field),
                ..Default::default()
            };
            note(users.update_user(request).await.unwrap_err(), field);
        }
        for (status, field) in &refused {
            let info = info(status);
            assert_eq!(
                (status.code(), info.reason.as_str()),
                (Code::InvalidArgument, "INVALID_AMOUNT")
            );
            assert_eq!(info.metadata.get("field").map(String::as_str), Some(*field), "{status}");
            assert!(status.message().starts_with(field), "{status}");
        }
        // A rate is one, too.
        let currency =
            Currency { code: "EUX".to_owned(), name: "x".to_owned(), ..Default::default() };
        let request = CreateCurrencyRequest { currency: Some(currency) };
        let status =
            CurrenciesServiceClient::new(admin).create_currency(request).await.unwrap_err();
        assert_eq!(info(&status).metadata.get("field").unwrap(), "exchange_rate");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_without_a_period_the_newest_calls_come_first() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..30).map(call).collect()]).await.unwrap();
        let mut calls = CallsServiceClient::new(books.admin.clone());
        let mut request = ListCallsRequest { page_size: 7, ..Default::default() };
        let mut times = Vec::new();
        loop {
            let page = calls.list_calls(request.clone()).await.unwrap().into_inner();
            assert_eq!((page.from, page.till), (None, None));
            times.extend(page.calls.iter().map(|call| call.start_time.unwrap().seconds));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(times.len(), 8 + 30);
        assert!(times.is_sorted_by(|earlier, later| earlier >= later), "{times:?}");
        // With one end of a period, the other is open, and the order is that of time.
        let request = ListCallsRequest { from: at(START), page_size: 1000, ..Default::default() };
        let page = calls.list_calls(request).await.unwrap().into_inner();
        let times: Vec<_> =
            page.calls.iter().map(|call| call.start_time.unwrap().seconds).collect();
        assert!(times.len() >= 30 && times.is_sorted(), "{times:?}");
        let today = ListCallsRequest { default_today: true, ..Default::default() };
        let page = calls.list_calls(today).await.unwrap().into_inner();
        let (from, till) = (page.from.unwrap().seconds, page.till.unwrap().seconds);
        let mut times = page.calls.iter().map(|call| call.start_time.unwrap().seconds);
        assert!(till - from < 90_000 && times.all(|time| (from..=till).contains(&time)));
    })
    .await;
}

/// Says once, past the capture of the tests, what is not tested.
fn skipped(once: &Once, what: &str) {
    once.call_once(|| {
        use std::io::Write as _;
        let line = "*".repeat(78);
        let text = format!("\n{line}\n* SKIPPED: {what}; .ci/run installs it.\n{line}\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    });
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn works(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs an example twice: what it does has an idempotency key, and counts once.
async fn run_example(command: impl Fn() -> Command) {
    let data = Data::new(Backend::Sqlite).unwrap();
    let server = Server::start(&data);
    Fixture::fill(&server).await;
    for before in ["66", "76.5"] {
        let output = command()
            .env("TOLLBOOK_ADDRESS", &server.grpc)
            .env("TOLLBOOK_USER_ID", "4")
            .env("TOLLBOOK_PASSWORD", &server.admin_password)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}{error}");
        assert_eq!(
            said,
            format!("balance {before}\nthen 76.5\nINVALID_AMOUNT amount\n"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_the_example_in_python_works() {
    static ONCE: Once = Once::new();
    let python = root().join("target/ci/bin/python");
    let needs = "import grpc, grpc_tools, grpc_status, google.rpc";
    if !works(Command::new(&python).args(["-c", needs])) {
        return skipped(&ONCE, "the gRPC example in Python (grpcio-tools, grpcio-status)");
    }
    run_example(|| {
        let mut command = Command::new(&python);
        command.arg(root().join("examples/grpc/client.py"));
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_the_example_in_node_works() {
    static ONCE: Once = Once::new();
    let modules = root().join("target/ci/node_modules");
    let needs = "require('@grpc/grpc-js'); require('@grpc/proto-loader')";
    if !works(Command::new("node").args(["-e", needs]).env("NODE_PATH", &modules)) {
        return skipped(&ONCE, "the gRPC example in Node (@grpc/grpc-js, @grpc/proto-loader)");
    }
    run_example(|| {
        let mut command = Command::new("node");
        command.arg(root().join("examples/grpc/client.js")).env("NODE_PATH", &modules);
        command
    })
    .await;
}
