//! Attempts to get in without a right to, and what keeps them out.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    CreateSessionRequest, ErrorReason, Settings, UpdateSettingsRequest, UpdateSettingsResponse,
    sessions_service_client::SessionsServiceClient, settings_service_client::SettingsServiceClient,
};
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::on_both;

const STRONG: &str = "0123456789abcdefghij";

/// A server with a proxy in front that is believed: tests play clients of any address.
async fn start(data: &Data) -> (Server, Authorized) {
    let proxies = [("TOLLBOOK_TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")];
    let server = Server::start_part(data, "serve", &proxies);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    let token = data.token(&["break-ins"]);
    let admin = bearer(server.channel().await, &token);
    (server, admin)
}

/// Asks for user 4, from an address, with a hash made with a key.
async fn ask(server: &Server, from: &str, key: &str) -> String {
    let form = [("u", "admin"), ("user_id", "4"), ("hash", &legacy_hash("admin4", key))];
    let request = reqwest::Client::new().post(server.url("users_get")).form(&form);
    let response = request.header("x-forwarded-for", from).send().await.unwrap();
    response.text().await.unwrap()
}

fn let_in(answer: &str) -> bool {
    answer.contains("<username>alice</username>")
}

async fn set(
    admin: &Authorized,
    settings: Settings,
    paths: &[&str],
    request: UpdateSettingsRequest,
) -> Result<UpdateSettingsResponse, Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..request
    };
    let mut client = SettingsServiceClient::new(admin.clone());
    client.update_settings(request).await.map(tonic::Response::into_inner)
}

fn reason(status: &Status) -> ErrorReason {
    ErrorReason::from_reason(&status.get_details_error_info().unwrap().reason).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_hashes_hears_no_more_and_a_right_one_is_let_in() {
    on_both(|data| async move {
        let (server, _) = start(&data).await;
        assert!(let_in(&ask(&server, "192.0.2.1", SECRET).await));
        for _ in 0..130 {
            let answer = ask(&server, "198.51.100.9", "guess").await;
            assert!(answer.contains("<error>Incorrect hash</error>"), "{answer}");
        }
        // Nor who there is.
        let unknown = async |from: &str| {
            let form = [("u", "nobody"), ("user_id", "4"), ("hash", "guess")];
            let request =
                reqwest::Client::new().post(server.url("user_details_raw_get")).form(&form);
            let response = request.header("x-forwarded-for", from).send().await.unwrap();
            response.text().await.unwrap()
        };
        assert!(!unknown("192.0.2.1").await.contains("Incorrect hash"));
        assert!(unknown("198.51.100.9").await.contains("<error>Incorrect hash</error>"));
        // But a right hash is no guess: others may share the address.
        assert!(let_in(&ask(&server, "198.51.100.9", SECRET).await));
        assert!(let_in(&ask(&server, "192.0.2.1", SECRET).await));
        assert!(let_in(&ask(&server, "192.0.2.2", SECRET).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_passwords_is_locked_out() {
    on_both(|data| async move {
        let (server, _) = start(&data).await;
        let log_in = async |password: &str| {
            let (username, password) = ("alice".to_owned(), password.to_owned());
            let request = CreateSessionRequest { username, password };
            SessionsServiceClient::new(server.channel().await).create_session(request).await
        };
        log_in("wonderland").await.unwrap();
        for _ in 0..130 {
            log_in("guess").await.unwrap_err();
        }
        assert_eq!(reason(&log_in("wonderland").await.unwrap_err()), ErrorReason::LoginFailed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_addresses_may_call_where_there_is_a_list() {
    on_both(|data| async move {
        let (server, admin) = start(&data).await;
        let listed = |list: &str| Settings { api_addresses: list.to_owned(), ..Default::default() };
        let path = ["api_addresses"];
        let no_list = set(&admin, listed("10.0.0.0/33"), &path, UpdateSettingsRequest::default());
        assert_eq!(reason(&no_list.await.unwrap_err()), ErrorReason::InvalidField);
        let list = listed("192.0.2.0/25, 203.0.113.7");
        let set_now = set(&admin, list, &path, UpdateSettingsRequest::default()).await.unwrap();
        assert_eq!(set_now.settings.unwrap().api_addresses, "192.0.2.0/25, 203.0.113.7");
        for (from, allowed) in [
            ("192.0.2.1", true),
            ("203.0.113.7", true),
            ("192.0.2.128", false),
            ("203.0.113.8", false),
        ] {
            let answer = ask(&server, from, SECRET).await;
            assert_eq!(let_in(&answer), allowed, "{from}: {answer}");
            assert!(
                allowed || answer.contains("<status>\n  <error>Access Denied</error>"),
                "{answer}"
            );
        }
        // With a list, hashes may be left unchecked; without one only by force.
        let unchecked = Settings { disable_hash_checking: true, ..Default::default() };
        let path = ["disable_hash_checking"];
        set(&admin, unchecked.clone(), &path, UpdateSettingsRequest::default()).await.unwrap();
        assert!(let_in(&ask(&server, "192.0.2.1", "guess").await));
        let open = set(&admin, listed(""), &["api_addresses"], UpdateSettingsRequest::default());
        assert_eq!(reason(&open.await.unwrap_err()), ErrorReason::HashCheckingNeeded);
        let force = UpdateSettingsRequest { force: true, ..Default::default() };
        set(&admin, listed(""), &["api_addresses"], force).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_strong_and_change_without_a_gap() {
    on_both(|data| async move {
        let (server, admin) = start(&data).await;
        let key = |key: &str| Settings { api_secret_key: key.to_owned(), ..Default::default() };
        let path = ["api_secret_key"];
        for weak in ["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "123456781234567"] {
            let refused = set(&admin, key(weak), &path, UpdateSettingsRequest::default()).await;
            assert_eq!(reason(&refused.unwrap_err()), ErrorReason::WeakSecret, "{weak}");
        }
        let keep = UpdateSettingsRequest { old_key_seconds: 600, ..Default::default() };
        let now = set(&admin, key(STRONG), &path, keep).await.unwrap().settings.unwrap();
        assert!(now.old_api_secret_key_until.is_some());
        assert!(let_in(&ask(&server, "192.0.2.1", STRONG).await));
        assert!(let_in(&ask(&server, "192.0.2.1", SECRET).await));
        // The next one, at once: neither the old key counts any more, nor the one before.
        let next = format!("{STRONG}!");
        let now = set(&admin, key(&next), &path, UpdateSettingsRequest::default()).await.unwrap();
        assert!(now.settings.unwrap().old_api_secret_key_until.is_none());
        assert!(let_in(&ask(&server, "192.0.2.1", &next).await));
        assert!(!let_in(&ask(&server, "192.0.2.1", STRONG).await));
        assert!(!let_in(&ask(&server, "192.0.2.1", SECRET).await));
    })
    .await;
}
