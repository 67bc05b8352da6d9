//! Bad input gets the documented error, else a clear one, and changes nothing.

use std::{collections::BTreeMap, fmt::Write};

use rand::{RngExt, SeedableRng, rngs::StdRng};
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
        let long = "9".repeat(20_000);
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
        // What is hashed travels to the core as metadata, which has a limit.
        let too_long = "9".repeat(100_000);
        for answer in [update(&too_long, "1").await, update("4", &too_long).await] {
            assert!(answer.contains("<error>What is signed is too long</error>"), "{answer}");
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
            (200, "There is no such API", "no_such_method", FORM, b"u=admin".to_vec()),
            (200, "There is no such API", "USER_BALANCE_UPDATE", FORM, b"u=admin".to_vec()),
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

/// Whatever comes: well-formed XML or a bare text comes back, with a status that blames nobody
/// but the client, and the books stay right.
#[tokio::test(flavor = "multi_thread")]
async fn any_request_gets_a_clean_answer() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let proxies = [("TOLLBOOK_TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")];
    let server = Server::start_part(&data, "serve", &proxies);
    // Without a check of hashes most requests reach their method.
    let unchecked = [("disable_hash_checking".to_owned(), toml::Value::Boolean(true))];
    Fixture::fill(&server).await.settings(SECRET, &unchecked.into()).await;
    let names: Vec<String> = tollbook_tests::contract::files(tollbook_shim::Dialect::M4)
        .into_iter()
        .map(|file| file.method)
        .collect();
    let params = [
        "u",
        "p",
        "hash",
        "user_id",
        "amount",
        "currency",
        "balance",
        "id",
        "name",
        "username",
        "tariff_id",
        "device_id",
        "cp_id",
        "op",
        "ipaddr",
        "number_pool_id",
        "numbers",
        "from",
        "period_start",
        "s_user",
        "user_id_s",
        "language",
        "tax1_value",
        "by",
    ];
    let values = [
        "admin",
        "alice",
        "nobody",
        "4",
        "-1",
        "9999999999999999999",
        "0.1",
        "NaN",
        "all",
        "",
        "%00",
        "%01",
        "%FF",
        "%F0%9F%92%B0",
        "%3Cerror%3E",
        "%26amp%3B",
        "'",
        "%22",
        "1e9",
        "%EF%BF%BF",
        "%0D%0A",
        "370%25",
        "(",
        "2026-99-99",
    ];
    let mut random = StdRng::seed_from_u64(20_261_125);
    let mut pick = |from: usize| random.random_range(0..from);
    let client = reqwest::Client::new();
    for n in 0..3_000 {
        let method = &names[pick(names.len())];
        let mut body = String::new();
        for _ in 0..pick(6) {
            let _ = write!(body, "{}={}&", params[pick(params.len())], values[pick(values.len())]);
        }
        if pick(2) == 0 {
            let _ = write!(body, "u=admin&user_id={}", ["4", "0", "x", ""][pick(4)]);
        }
        let mut bytes = body.into_bytes();
        if pick(4) == 0 && !bytes.is_empty() {
            let at = pick(bytes.len());
            bytes[at] = u8::try_from(pick(256)).unwrap();
        }
        let kind = [FORM, "application/json", "multipart/form-data; boundary=X", "text/plain"];
        let request = client.post(server.url(method)).header("content-type", kind[pick(8) / 5]);
        // From somewhere else each time: whoever fails too often is locked out.
        let request = request.header("x-forwarded-for", format!("10.1.{}.{}", n / 250, n % 250));
        let response = request.body(bytes.clone()).send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let sent = String::from_utf8_lossy(&bytes).into_owned();
        assert!([200, 302, 400].contains(&status), "{n}: {method} {sent}: {status} {text}");
        let is_xml = text.starts_with("<?xml");
        let parsed = roxmltree::Document::parse(&text);
        assert!(!is_xml || parsed.is_ok(), "{n}: {method} {sent}: {parsed:?}\n{text}");
        assert!(is_xml || !text.contains('<'), "{n}: {method} {sent}: {text}");
    }
    let audit = data.command().arg("audit").output().unwrap();
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stdout));
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
