//! Bad input gets the documented error, else a clear one, and changes nothing.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    AuditAccountsRequest, GetBalanceRequest, accounts_service_client::AccountsServiceClient,
};
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{Data, SECRET, Server},
};

use crate::on_both;

const FORM: &str = "application/x-www-form-urlencoded";

async fn start(data: &Data) -> Server {
    let server = Server::start(data);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    server
}

/// Alice has what the fixture gave her, and the books have this many entries.
async fn check_nothing_changed(server: &Server, entries: i64) {
    let mut accounts = AccountsServiceClient::new(server.admin().await);
    let request = GetBalanceRequest { user_id: Some(4), ..Default::default() };
    let balance = accounts.get_balance(request).await.unwrap().into_inner().balance.unwrap();
    assert_eq!(balance.value, "66", "something was changed");
    let audit = accounts.audit_accounts(AuditAccountsRequest {}).await.unwrap().into_inner();
    assert_eq!((audit.findings, audit.entries), (Vec::<String>::new(), entries));
}

async fn post(
    server: &Server,
    method: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, String) {
    let request = reqwest::Client::new().post(server.url(method));
    let response = request.header("content-type", content_type).body(body).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_and_amounts_that_are_none() {
    on_both(|data| async move {
        let server = start(&data).await;
        let update = async |user_id: &str, amount: &str| {
            let params = [("u", "admin"), ("user_id", user_id), ("balance", amount)];
            server.legacy("user_balance_update", &params, &format!("{user_id}{amount}")).await
        };
        let long = "9".repeat(100_000);
        for user_id in ["", "abc", "4x", "-4", "04", " 4", "4.0", "99999999999999999999", &long] {
            let answer = update(user_id, "1").await;
            assert!(answer.contains("<error>User was not found</error>"), "{user_id}: {answer}");
        }
        let amounts = ["", "abc", "1e400", "NaN", "inf", "1,5", "+1", "0x1", "1.2.3"];
        let out_of_range = ["1000000000000", "0.0000000000000001", &long];
        for amount in amounts.into_iter().chain(out_of_range) {
            let answer = update("4", amount).await;
            let refused = answer.contains("<error>User balance not updated</error>");
            assert!(refused, "{amount}: {answer}");
        }
        // Sums that leave the range are refused as well.
        assert!(update("5", "999999999999").await.contains("User balance updated"));
        assert!(update("5", "1").await.contains("User balance not updated"));
        check_nothing_changed(&server, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_read() {
    on_both(|data| async move {
        let server = start(&data).await;
        let signed = format!("user_id=4&balance=1&hash={}", legacy_hash("41", SECRET));
        let multipart = "multipart/form-data; boundary=X";
        let update = "user_balance_update";
        for (status, text, method, content_type, body) in [
            (404, "Unknown method", "no_such_method", FORM, b"u=admin".to_vec()),
            (404, "Unknown method", "USER_BALANCE_UPDATE", FORM, b"u=admin".to_vec()),
            (400, "not valid UTF-8", update, FORM, b"u=admin&comment=%FF".to_vec()),
            (400, "not valid UTF-8", update, FORM, b"u=\xff\xfe".to_vec()),
            (400, "JSON", update, "application/json", b"{\"u\":".to_vec()),
            (400, "JSON", update, "application/json", b"{\"u\":[1]}".to_vec()),
            (400, "Multipart", update, multipart, b"--Y".to_vec()),
            (413, "too large", update, FORM, vec![b'a'; 2 * 1024 * 1024]),
            // A body of a kind that nobody reads is no body: nobody calls.
            (200, "Bad login", update, "text/xml", format!("u=admin&{signed}").into_bytes()),
            // No name has a NUL in it.
            (200, "Bad login", update, FORM, format!("u=admin%00&{signed}").into_bytes()),
        ] {
            let (got, answer) = post(&server, method, content_type, body).await;
            assert_eq!(got, status, "{answer}");
            assert!(answer.contains(text), "{text}: {answer}");
            roxmltree::Document::parse(&answer).unwrap();
        }
        let client = reqwest::Client::new();
        for verb in [reqwest::Method::PUT, reqwest::Method::DELETE] {
            let response = client.request(verb, server.url("users_get")).send().await.unwrap();
            assert_eq!(response.status(), 405);
        }
        let elsewhere = client.post(format!("http://{}/elsewhere", server.http)).send().await;
        assert_eq!(elsewhere.unwrap().status(), 404);
        check_nothing_changed(&server, 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_cannot_be_kept() {
    on_both(|data| async move {
        let server = start(&data).await;
        let hash = legacy_hash("41USD", SECRET);
        for comment in ["a%01b".to_owned(), "a%00b".to_owned(), "x".repeat(1001)] {
            let body =
                format!("u=admin&user_id=4&amount=1&currency=USD&comment={comment}&hash={hash}");
            let (_, answer) = post(&server, "payment_create", FORM, body).await;
            assert!(answer.contains("<error>Payment was not saved</error>"), "{answer}");
        }
        check_nothing_changed(&server, 1).await;
    })
    .await;
}
