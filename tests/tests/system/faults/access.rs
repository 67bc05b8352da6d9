//! Faults of release 0.1: who may do and see what.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use sha1::{Digest, Sha1};
use tokio::task::JoinSet;
use tollbook_proto::v1::{
    ApiAccess, ApiKey, CreateAccessTokenRequest, CreateApiKeyRequest, CreateApiKeyResponse,
    CreateSessionRequest, CreateSessionResponse, CreateUserRequest, DeleteUserRequest,
    GetBalanceRequest, GetConnectionPointRequest, GetQuickStatsRequest, GetUserRequest,
    ListLedgerEntriesRequest, LossProtection, UpdateUserRequest, User,
    access_tokens_service_client::AccessTokensServiceClient,
    accounts_service_client::AccountsServiceClient, api_keys_service_client::ApiKeysServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    sessions_service_client::SessionsServiceClient,
    statistics_service_client::StatisticsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::Books,
    contract::{Fixture, decimal},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::{Code, Status};

use crate::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn f10_an_api_key_without_an_access_level_reads_only() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let admin = server.admin().await;
        let mut keys = ApiKeysServiceClient::new(admin.clone());
        let key = ApiKey {
            name: "portal".to_owned(),
            user_id: Some(0),
            methods: [("payment_create".to_owned(), ApiAccess::Unspecified.into())].into(),
            ..Default::default()
        };
        let request = CreateApiKeyRequest { api_key: Some(key) };
        let created = keys.create_api_key(request).await.unwrap().into_inner().api_key.unwrap();
        assert_eq!(created.access(), ApiAccess::Read);
        assert_eq!(created.methods["payment_create"], i32::from(ApiAccess::Read));

        // Nor is there a token of the admin for somebody who names nobody.
        let request = CreateAccessTokenRequest { name: "billing".to_owned(), ..Default::default() };
        let refused = AccessTokensServiceClient::new(admin).create_access_token(request).await;
        assert!(refused.unwrap_err().message().contains("user_id is required"));
    })
    .await;
}

/// A server with a proxy in front that is believed: tests play clients of any address.
async fn start(data: &Data) -> (Server, Authorized) {
    let proxies = [("TOLLBOOK_TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")];
    let server = Server::start_part(data, "serve", &proxies);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    let admin = bearer(server.channel().await, &data.token(&["faults"]));
    (server, admin)
}

/// Sends a legacy request from an address.
async fn post(server: &Server, from: &str, method: &str, form: &[(&str, &str)]) -> String {
    let request = reqwest::Client::new().post(server.url(method)).form(form);
    let response = request.header("x-forwarded-for", from).send().await.unwrap();
    response.text().await.unwrap()
}

async fn log_in(
    server: &Server,
    username: &str,
    password: &str,
) -> Result<CreateSessionResponse, Status> {
    let (username, password) = (username.to_owned(), password.to_owned());
    let mut sessions = SessionsServiceClient::new(server.channel().await);
    let session = sessions.create_session(CreateSessionRequest { username, password }).await;
    session.map(tonic::Response::into_inner)
}

async fn create_key(admin: &Authorized, key: ApiKey) -> Result<CreateApiKeyResponse, Status> {
    let request = CreateApiKeyRequest { api_key: Some(ApiKey { name: "portal".into(), ..key }) };
    let created = ApiKeysServiceClient::new(admin.clone()).create_api_key(request).await;
    created.map(tonic::Response::into_inner)
}

/// A new access token of a user.
async fn token_of(admin: &Authorized, user: i64) -> String {
    let request = CreateAccessTokenRequest {
        name: "service".to_owned(),
        user_id: Some(user),
        ..Default::default()
    };
    let created = AccessTokensServiceClient::new(admin.clone()).create_access_token(request).await;
    created.unwrap().into_inner().secret
}

/// Whether a bearer token opens a server to a user who asks about themselves.
async fn opens(server: &Server, token: &str, user: i64) -> bool {
    let request = GetBalanceRequest { user_id: Some(user), ..Default::default() };
    let mut accounts = AccountsServiceClient::new(bearer(server.channel().await, token));
    match accounts.get_balance(request).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
            false
        }
    }
}

/// Waits until a token opens a server no more: a second at most.
async fn ends(server: &Server, token: &str, user: i64) {
    let begun = Instant::now();
    while opens(server, token, user).await {
        assert!(begun.elapsed() < Duration::from_millis(1_200), "it still opens");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// On PostgreSQL there is another core, which has seen the tokens before.
#[tokio::test(flavor = "multi_thread")]
async fn f12_a_new_password_and_a_deletion_end_sessions_and_tokens() {
    on_both(|data| async move {
        let (server, admin) = start(&data).await;
        let other = data.database_url().map(|_| Server::start_part(&data, "core", &[]));
        let session = log_in(&server, "alice", "wonderland").await.unwrap().token;
        let tokens = [session, token_of(&admin, 4).await];
        let spare = token_of(&admin, 7).await;
        for server in std::iter::once(&server).chain(&other) {
            for token in &tokens {
                assert!(opens(server, token, 4).await);
            }
            assert!(opens(server, &spare, 7).await);
        }

        // Logins with the old password that are under way come to nothing as well.
        let mut logins = JoinSet::new();
        for _ in 0..6 {
            let mut sessions = SessionsServiceClient::new(server.channel().await);
            let request = CreateSessionRequest {
                username: "alice".to_owned(),
                password: "wonderland".to_owned(),
            };
            logins.spawn(async move { sessions.create_session(request).await });
        }
        let request = UpdateUserRequest {
            user: Some(User { id: Some(4), ..Default::default() }),
            password: "looking-glass".to_owned(),
            ..Default::default()
        };
        let mut users = UsersServiceClient::new(admin.clone());
        users.update_user(request).await.unwrap();
        for token in &tokens {
            assert!(!opens(&server, token, 4).await, "at once in this process");
        }
        for session in logins.join_all().await.into_iter().flatten() {
            assert!(!opens(&server, &session.into_inner().token, 4).await, "of the old password");
        }
        assert!(log_in(&server, "alice", "wonderland").await.is_err());
        let session = log_in(&server, "alice", "looking-glass").await.unwrap().token;
        assert!(opens(&server, &session, 4).await && opens(&server, &spare, 7).await);

        users.delete_user(DeleteUserRequest { id: Some(7) }).await.unwrap();
        assert!(!opens(&server, &spare, 7).await);
        if let Some(other) = &other {
            for token in &tokens {
                ends(other, token, 4).await;
            }
            ends(other, &spare, 7).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_keys_restriction_is_understood_or_refused() {
    on_both(|data| async move {
        let (server, admin) = start(&data).await;
        let restricted = |names: &[&str]| ApiKey {
            user_id: Some(1),
            access: ApiAccess::Write.into(),
            methods: names
                .iter()
                .map(|name| ((*name).to_owned(), ApiAccess::Disabled.into()))
                .collect(),
            ..Default::default()
        };
        for (names, problem) in [
            (&["paymet_create"][..], "api_key.methods.paymet_create is no method"),
            (&["payment_create", "create_payment"], "is named twice"),
        ] {
            let refused = create_key(&admin, restricted(names)).await.unwrap_err();
            assert!(refused.message().contains(problem), "{refused}");
        }
        let created = create_key(&admin, restricted(&["create_payment"])).await.unwrap();
        let methods = created.api_key.unwrap().methods;
        assert_eq!(methods, HashMap::from([("payment_create".to_owned(), 1)]));
        for method in ["payment_create", "create_payment"] {
            let hash = legacy_hash("45USD", &created.secret);
            let form = [
                ("u", "mgr_all"),
                ("user_id", "4"),
                ("amount", "5"),
                ("currency", "USD"),
                ("hash", &*hash),
            ];
            let answer = post(&server, "192.0.2.1", method, &form).await;
            assert!(answer.contains("not authorized to use this functionality"), "{answer}");
        }
    })
    .await;
}

/// Of an imported user the answer came at once, and of all others after a run of argon2.
#[tokio::test(flavor = "multi_thread")]
async fn f12_a_failed_login_takes_the_same_time_whoever_it_names() {
    on_both(|data| async move {
        let (server, admin) = start(&data).await;
        let request = CreateUserRequest {
            user: Some(User { username: "imported".to_owned(), ..Default::default() }),
            legacy_password_sha1: hex::encode(Sha1::digest("old secret")),
            ..Default::default()
        };
        UsersServiceClient::new(admin).create_user(request).await.unwrap();
        // `user7` has no password at all.
        let names = ["alice", "imported", "user7", "nobody"];
        let mut times: [Vec<Duration>; 4] = Default::default();
        for _ in 0..9 {
            for (name, times) in names.iter().zip(&mut times) {
                let begun = Instant::now();
                log_in(&server, name, "guess").await.unwrap_err();
                times.push(begun.elapsed());
            }
        }
        // Of the fastest half: what else the machine does makes times longer, and never shorter.
        let typical = times.map(|mut times| {
            times.sort();
            times[2]
        });
        let (least, most) = (typical.iter().min().unwrap(), typical.iter().max().unwrap());
        assert!(*most < *least * 3, "{names:?} take {typical:?}");
        log_in(&server, "imported", "old secret").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_customers_are_told_what_is_theirs() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let alice = bearer(books.server.channel().await, &token_of(&books.admin, 4).await);
        let loss_protection =
            LossProtection { min_rate_margin: decimal("0.01"), ..Default::default() };
        let kept = User {
            id: Some(4),
            comment: "pays late".to_owned(),
            accounting_number: "A-17".to_owned(),
            loss_protection: Some(loss_protection),
            legacy_columns: [("lcr_id".to_owned(), "7".to_owned())].into(),
            ..Default::default()
        };
        let paths = ["comment", "accounting_number", "loss_protection", "legacy_columns.lcr_id"];
        let paths = paths.map(str::to_owned).to_vec();
        let request = UpdateUserRequest {
            user: Some(kept),
            update_mask: Some(prost_types::FieldMask { paths }),
            ..Default::default()
        };
        let mut users = UsersServiceClient::new(books.admin.clone());
        users.update_user(request).await.unwrap();

        let request = GetUserRequest { id: Some(4), ..Default::default() };
        let full = users.get_user(request.clone()).await.unwrap().into_inner().user.unwrap();
        assert_eq!(full.comment, "pays late");
        let told = UsersServiceClient::new(alice.clone()).get_user(request).await.unwrap();
        let told = told.into_inner().user.unwrap();
        assert_eq!((told.comment.as_str(), told.accounting_number.as_str()), ("", ""));
        assert_eq!((told.loss_protection, told.responsible_manager_id), (None, 0));
        assert!(told.legacy_columns.is_empty());
        assert_eq!((told.balance, told.taxes), (full.balance, full.taxes));

        let request = ListLedgerEntriesRequest { user_id: Some(4), ..Default::default() };
        let entries = AccountsServiceClient::new(alice.clone()).list_ledger_entries(request).await;
        let entries = entries.unwrap().into_inner().entries;
        assert!(!entries.is_empty());
        for entry in entries {
            let kept = (entry.actor_id, &*entry.note, &*entry.idempotency_key);
            assert_eq!(kept, (None, "", ""));
        }
        let request = GetConnectionPointRequest { id: Some(1) };
        let mut points = ConnectionPointsServiceClient::new(alice.clone());
        let point = points.get_connection_point(request).await.unwrap().into_inner();
        assert_eq!(point.connection_point.unwrap().origination.unwrap().routing_group_id, 0);
        let mut statistics = StatisticsServiceClient::new(alice);
        let stats = statistics.get_quick_stats(GetQuickStatsRequest {}).await.unwrap().into_inner();
        let today = stats.today.unwrap();
        assert_eq!((today.profit, today.self_cost, today.margin_percent), (None, None, 0));
        assert!(today.originator_billed > 0 && today.terminator_billed == 0);

        // What the original tells customers of themselves, they are told as before.
        let hash = legacy_hash("4", SECRET);
        let form = [("u", "alice"), ("user_id", "4"), ("hash", &*hash)];
        let own = post(&books.server, "192.0.2.1", "user_details_get", &form).await;
        let form = [("u", "admin"), ("user_id", "4"), ("hash", &*hash)];
        assert_eq!(own, post(&books.server, "192.0.2.1", "user_details_get", &form).await);
        assert!(own.contains("<vat_percent>18") && !own.contains("pays late"), "{own}");
    })
    .await;
}

/// 130 visitors with wrong passwords locked their portal out of `payment_create`.
#[tokio::test(flavor = "multi_thread")]
async fn f18_a_portal_is_not_locked_out_by_its_visitors() {
    on_both(|data| async move {
        let (server, _) = start(&data).await;
        let client = reqwest::Client::new();
        let url = server.url("user_login");
        let visit = |username: String, password: &'static str| {
            let hash = legacy_hash(format!("{username}{password}"), SECRET);
            let form = [("u", username), ("p", password.to_owned()), ("hash", hash)];
            let request = client.post(&url).form(&form).header("x-forwarded-for", "192.0.2.1");
            async move { request.send().await.unwrap().text().await.unwrap() }
        };
        for group in 0..13 {
            let mut visitors = JoinSet::new();
            for number in 0..10 {
                visitors.spawn(visit(format!("user{}", 10 + group * 6 + number), "guess"));
            }
            for answer in visitors.join_all().await {
                assert!(answer.contains("<status>failed</status>"), "{answer}");
            }
        }
        let answer = visit("alice".to_owned(), "wonderland").await;
        assert!(answer.contains("<status>ok</status>"), "{answer}");
        let hash = legacy_hash("45USD", SECRET);
        let form = [
            ("u", "admin"),
            ("user_id", "4"),
            ("amount", "5"),
            ("currency", "USD"),
            ("hash", &*hash),
        ];
        let answer = post(&server, "192.0.2.1", "payment_create", &form).await;
        assert!(answer.contains("<payment_id>"), "{answer}");
    })
    .await;
}

/// Strangers who name the admin lock out nobody with a right hash, and logins that come at once
/// are counted like logins one by one.
#[tokio::test(flavor = "multi_thread")]
async fn f18_the_admin_is_let_in_by_a_right_hash_whoever_guesses() {
    on_both(|data| async move {
        let (server, _) = start(&data).await;
        let client = reqwest::Client::new();
        let asks = async |from: &str, key: &str| {
            let form = [("u", "admin"), ("user_id", "4"), ("hash", &legacy_hash("admin4", key))];
            let request = client.post(server.url("users_get")).form(&form);
            let response = request.header("x-forwarded-for", from).send().await.unwrap();
            response.text().await.unwrap()
        };
        for network in 0..6 {
            for last in 0..95 {
                let answer = asks(&format!("2001:db8:{network}::{last:x}"), "guess").await;
                assert!(answer.contains("Incorrect hash"), "{answer}");
            }
        }
        // Nobody has come in from there yet.
        assert!(asks("203.0.113.5", SECRET).await.contains("alice"));

        // Ten at a time: of more at once some find no room to be checked, and count for nothing.
        let sessions = SessionsServiceClient::new(server.channel().await);
        for _ in 0..12 {
            let mut guesses = JoinSet::new();
            for _ in 0..10 {
                let mut sessions = sessions.clone();
                let (username, password) = ("alice".to_owned(), "guess".to_owned());
                let request = CreateSessionRequest { username, password };
                guesses.spawn(async move { sessions.create_session(request).await.is_err() });
            }
            assert!(guesses.join_all().await.into_iter().all(|failed| failed));
        }
        assert!(log_in(&server, "alice", "wonderland").await.is_err(), "its address is locked");
    })
    .await;
}
