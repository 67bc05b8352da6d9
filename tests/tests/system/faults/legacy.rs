//! Faults of release 0.1: the XML API as real clients call it.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{
    ApiAccess, ApiKey, CreateApiKeyRequest, CreateUserRequest, ErrorReason,
    RotateUniquehashRequest, User, api_keys_service_client::ApiKeysServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{Fixture, UNIQUEHASH, files},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server},
};
use tonic_types::StatusExt;

use crate::on_both;

const FORM: &str = "application/x-www-form-urlencoded";
const LATIN_1: &str = "application/x-www-form-urlencoded; charset=ISO-8859-1";
/// The header that a trusted proxy says a client's address with.
const FORWARDED: &str = "x-forwarded-for";

/// A server behind proxies, with the fixture's users and some settings on.
async fn start(data: &Data, environment: &[(&str, &str)], switches: &[&str]) -> (Server, Fixture) {
    let proxies = [("TOLLBOOK_TRUSTED_PROXIES", "[\"127.0.0.0/8\"]")];
    let server = Server::start_part(data, "serve", &[&proxies, environment].concat());
    let fixture = Fixture::fill(&server).await;
    set(&fixture, switches).await;
    (server, fixture)
}

async fn set(fixture: &Fixture, switches: &[&str]) {
    let on = switches.iter().map(|name| ((*name).to_owned(), toml::Value::Boolean(true)));
    fixture.settings(SECRET, &on.collect::<BTreeMap<_, _>>()).await;
}

async fn sent(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn post(server: &Server, method: &str, content_type: &str, body: impl AsRef<[u8]>) -> String {
    let request = Client::new().post(server.url(method)).header("content-type", content_type);
    sent(request.body(body.as_ref().to_vec())).await.1
}

async fn rotate(caller: &Authorized, request: RotateUniquehashRequest) -> String {
    let rotated = UsersServiceClient::new(caller.clone()).rotate_uniquehash(request).await;
    rotated.unwrap().into_inner().uniquehash
}

/// The answer to a phone.
async fn balance(server: &Server, uniquehash: &str) -> String {
    sent(Client::new().post(server.url(&format!("simple_balance/{uniquehash}")))).await.1
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_a_uniquehash_can_be_rotated_and_opens_one_number() {
    on_both(|data| async move {
        let (server, _) = start(&data, &[], &[]).await;
        let admin = server.admin().await;
        assert_eq!(balance(&server, UNIQUEHASH).await, "66.0000");
        // It opens nothing else, and nobody else's.
        for method in ["user_balance_get", "user_details_get", "users_get", "payments_get"] {
            let answer = post(&server, method, FORM, format!("id={UNIQUEHASH}&u=alice")).await;
            assert!(answer.contains("Incorrect hash"), "{method}: {answer}");
        }
        let named = format!("id={UNIQUEHASH}&username=bob");
        assert_eq!(post(&server, "simple_balance", FORM, named).await, "66.0000");

        // The user's own, who may not have another's changed.
        let of = |id| RotateUniquehashRequest { id: Some(id), ..Default::default() };
        let alice = server.log_in("alice", "wonderland").await;
        let rotated = rotate(&alice, of(4)).await;
        assert_eq!(balance(&server, &rotated).await, "66.0000");
        assert_eq!(balance(&server, UNIQUEHASH).await, "User was not found");
        for (request, reason) in [
            (of(5), ErrorReason::UserNotFound),
            (RotateUniquehashRequest::default(), ErrorReason::InvalidField),
            (
                RotateUniquehashRequest { uniquehash: "alicesOwn9999".into(), ..of(4) },
                ErrorReason::RoleDenied,
            ),
        ] {
            let mut users = UsersServiceClient::new(alice.clone());
            let refused = users.rotate_uniquehash(request).await.unwrap_err();
            let said = refused.get_details_error_info().unwrap().reason;
            assert_eq!(ErrorReason::from_reason(&said), Some(reason));
        }
        // One of another system, which only one user has.
        let given = |id, text: &str| RotateUniquehashRequest { uniquehash: text.into(), ..of(id) };
        assert_eq!(rotate(&admin, given(5, "bobsPhone5678")).await, "bobsPhone5678");
        assert_eq!(balance(&server, "bobsPhone5678").await, "0.0000");
        for (id, text) in [(4, "bobsPhone5678"), (4, "short"), (4, "with spaces in it")] {
            let mut users = UsersServiceClient::new(admin.clone());
            users.rotate_uniquehash(given(id, text)).await.unwrap_err();
        }
        rotate(&admin, RotateUniquehashRequest { revoke: true, ..of(4) }).await;
        assert_eq!(balance(&server, &rotated).await, "User was not found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_whoever_guesses_uniquehashes_is_locked_out() {
    on_both(|data| async move {
        let (server, _) = start(&data, &[], &[]).await;
        let client = Client::new();
        let ask = |address: &'static str, uniquehash: String| {
            let request = client.post(format!("{}?id={uniquehash}", server.url("simple_balance")));
            sent(request.header(FORWARDED, address))
        };
        for guess in 0..800 {
            ask("203.0.113.9", format!("guess{guess:08}")).await;
        }
        let (_, locked) = ask("203.0.113.9", UNIQUEHASH.to_owned()).await;
        assert!(!locked.contains("66"), "{locked}");
        assert_eq!(ask("198.51.100.7", UNIQUEHASH.to_owned()).await.1, "66.0000");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_every_refusal_of_a_login_is_a_failed_login() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let (server, fixture) = start(&data, &[], &[]).await;
    let client = Client::new();
    let hash = |signed: &str| legacy_hash(signed, SECRET);
    let right = format!("u=alice&p=wonderland&hash={}", hash("alicewonderland"));
    let url = server.url("user_login");
    let form = |body: &str| client.post(&url).header("content-type", FORM).body(body.to_owned());
    for (request, message) in [
        (form("u=alice&p=wonderland"), "Incorrect hash"),
        (form("u=alice&p=wonderland&hash=x"), "Incorrect hash"),
        (form(&format!("u=alice&p=x&hash={}", hash("alicex"))), "Login failed"),
        (form(&format!("u=nobody&p=x&hash={}", hash("nobodyx"))), "Login failed"),
        (form(&format!("p=x&hash={}", hash("x"))), "Login failed"),
        (form("u=%FF"), "not valid UTF-8"),
        (client.get(format!("{url}?{right}")), "GET Requests are disabled"),
        (client.put(&url), "Use POST or GET"),
    ] {
        let (_, answer) = sent(request).await;
        assert!(answer.contains("<status>failed</status>"), "{answer}");
        assert!(answer.contains(message), "{message}: {answer}");
        roxmltree::Document::parse(&answer).unwrap();
    }
    let off = BTreeMap::from([("allow_api".to_owned(), toml::Value::Boolean(false))]);
    fixture.settings(SECRET, &off).await;
    let (_, answer) = sent(form(&right)).await;
    assert!(answer.contains("<status>failed</status>"), "{answer}");
    assert!(answer.contains("API Requests are disabled"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_logins_without_a_hash_open_no_other_method() {
    on_both(|data| async move {
        let (server, fixture) = start(&data, &[], &["login_without_hash"]).await;
        let login = "u=alice&p=wonderland";
        let answer = post(&server, "user_login", FORM, login).await;
        assert!(answer.contains("<status>ok</status>"), "{answer}");
        for file in files(Dialect::M4) {
            if ["user_login", "user_simple_balance_get"].contains(&file.method.as_str()) {
                continue;
            }
            let body = "u=admin&p=wonderland&user_id=4&username=alice";
            let answer = post(&server, &file.method, FORM, body).await;
            assert!(answer.contains("<error>Incorrect hash</error>"), "{}: {answer}", file.method);
        }
        set(&fixture, &[]).await;
        let answer = post(&server, "user_login", FORM, login).await;
        assert!(answer.contains("<status_message>Incorrect hash</status_message>"), "{answer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f21_tax_in_amount_counts_where_amount_in_tax_does() {
    on_both(|data| async move {
        let (server, _) = start(&data, &[], &[]).await;
        let mut gross = Vec::new();
        for tax in ["", "&amount_in_tax=1", "&tax_in_amount=1"] {
            let hash = legacy_hash("4100USD", SECRET);
            let body = format!("u=admin&user_id=4&amount=100&currency=USD&hash={hash}{tax}");
            let answer = post(&server, "payment_create", FORM, body).await;
            let xml = roxmltree::Document::parse(&answer).unwrap();
            let element = xml.descendants().find(|node| node.has_tag_name("gross")).unwrap();
            gross.push(element.text().unwrap().to_owned());
        }
        assert_eq!(gross, ["135.7", "100.0", "100.0"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_an_unknown_method_is_answered_as_in_the_original() {
    for (setting, status) in [("false", StatusCode::OK), ("true", StatusCode::NOT_FOUND)] {
        let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
        let server =
            Server::start_part(&data, "serve", &[("TOLLBOOK_UNKNOWN_METHOD_404", setting)]);
        for name in ["no_such_method", "user_login.json", ""] {
            let (got, answer) = sent(Client::new().post(server.url(name))).await;
            assert_eq!(got, status, "{name}");
            assert_eq!(
                answer,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                 <status>\n  <error>There is no such API</error>\n</status>\n"
            );
        }
        let elsewhere = Client::new().post(format!("http://{}/elsewhere", server.http));
        assert_eq!(sent(elsewhere).await.0, StatusCode::NOT_FOUND);
    }
}

/// Zoë, whose name old clients write in their own charset.
async fn add_zoe(server: &Server) {
    let user = User { username: "Zoë".to_owned(), ..Default::default() };
    let request = CreateUserRequest { user: Some(user), ..Default::default() };
    UsersServiceClient::new(server.admin().await).create_user(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_bodies_and_hashes_are_taken_as_clients_make_them() {
    on_both(|data| async move {
        let (server, _) = start(&data, &[], &[]).await;
        add_zoe(&server).await;
        let raw = legacy_hash(b"Zo\xeb", SECRET);
        let utf8 = legacy_hash("Zoë", SECRET);
        let part = "--X\r\nContent-Disposition: form-data; name=";
        let multipart = [
            format!("{part}\"hash\"\r\n\r\n{raw}\r\n{part}\"username\"\r\n\r\n").as_bytes(),
            b"Zo\xeb\r\n--X--\r\n",
        ]
        .concat();
        for (method, content_type, body) in [
            ("user_balance_get", LATIN_1, format!("username=Zo%EB&hash={raw}").into_bytes()),
            ("user_balance_get", LATIN_1, format!("username=Zo%EB&hash={utf8}").into_bytes()),
            ("user_balance_get", FORM, format!("username=Zo%C3%AB&hash={utf8}").into_bytes()),
            (
                "user_balance_get",
                "application/json; charset=iso-8859-1",
                [format!("{{\"hash\":\"{raw}\",\"username\":\"").as_bytes(), b"Zo\xeb\"}"].concat(),
            ),
            ("user_balance_get", "multipart/form-data; boundary=X; charset=latin1", multipart),
            // Capitals, a byte order mark, and the format behind the name.
            (
                "user_balance_get",
                FORM,
                format!("username=Zo%C3%AB&hash={}", utf8.to_uppercase()).into_bytes(),
            ),
            (
                "user_balance_get",
                FORM,
                format!("\u{feff}username=Zo%C3%AB&hash={utf8}").into_bytes(),
            ),
            (
                "user_balance_get",
                "application/json",
                format!("\u{feff}{{\"username\":\"Zoë\",\"hash\":\"{utf8}\"}}").into_bytes(),
            ),
            ("user_balance_get.xml", FORM, format!("username=Zo%C3%AB&hash={utf8}").into_bytes()),
            ("balance.xml/", FORM, format!("username=Zo%C3%AB&hash={utf8}").into_bytes()),
        ] {
            let answer = post(&server, method, content_type, &body).await;
            let sent = String::from_utf8_lossy(&body);
            assert!(
                answer.contains("<balance>0.0000</balance>"),
                "{content_type} {sent}: {answer}"
            );
        }
        // Neither is a hash of other bytes, nor one made of a text that is read otherwise.
        for (content_type, hash) in [(FORM, &raw), (LATIN_1, &legacy_hash("Zoe", SECRET))] {
            let body = format!("username=Zo%C3%AB&hash={hash}");
            let answer = post(&server, "user_balance_get", content_type, body).await;
            assert!(answer.contains("<error>"), "{answer}");
        }
    })
    .await;
}

/// A request signed by an API key, over parameters as they are in UTF-8.
fn signed(
    (key, secret): (i64, &str),
    nonce: &str,
    body: &[u8],
    params: &[(&str, &str)],
) -> [(&'static str, String); 4] {
    let mut canonical = format!(
        "TOLLBOOK1\nPOST\n/billing/api/payment_create\n{}\n",
        hex::encode(Sha256::digest(body))
    );
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
        canonical.extend([&*text.len().to_string(), ":", text]);
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("TOLLBOOK1-HMAC-SHA256\n{key}\n{now}\n{nonce}\n{digest}");
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text);
    [
        ("tollbook-key", key.to_string()),
        ("tollbook-timestamp", now.to_string()),
        ("tollbook-nonce", nonce.to_owned()),
        ("tollbook-signature", hex::encode(mac.finalize().into_bytes())),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_a_signed_request_means_what_it_meant_in_whatever_charset() {
    on_both(|data| async move {
        let (server, _) = start(&data, &[], &[]).await;
        let api_key = ApiKey {
            name: "till".into(),
            user_id: Some(0),
            access: ApiAccess::Write.into(),
            ..Default::default()
        };
        let request = CreateApiKeyRequest { api_key: Some(api_key) };
        let created = ApiKeysServiceClient::new(server.admin().await).create_api_key(request).await;
        let created = created.unwrap().into_inner();
        let key = (created.api_key.unwrap().id, created.secret.as_str());
        let body = b"user_id=4&amount=1&currency=USD&comment=Caf%E9";
        let meant = [("user_id", "4"), ("amount", "1"), ("currency", "USD"), ("comment", "Café")];
        let send = async |path: &str, content_type: &str, headers: [(&'static str, String); 4]| {
            let mut request = Client::new().post(server.url(path)).body(body.to_vec());
            for (name, value) in headers {
                request = request.header(name, value);
            }
            sent(request.header("content-type", content_type)).await.1
        };
        let nonce = |number: u32| format!("nonce-of-the-till-{number}");
        let answer = send("payment_create", LATIN_1, signed(key, &nonce(1), body, &meant)).await;
        assert!(answer.contains("<status>ok</status>"), "{answer}");
        // The format of the answer is no part of what is asked for.
        let answer =
            send("payment_create.xml", LATIN_1, signed(key, &nonce(2), body, &meant)).await;
        assert!(answer.contains("<status>ok</status>"), "{answer}");
        // Whoever changes the charset under way changes what is said, and is found out; so is
        // whoever puts something behind the name.
        let koi8 = "application/x-www-form-urlencoded; charset=koi8-r";
        for (number, path, content_type) in
            [(3, "payment_create", koi8), (4, "payment_create/17", LATIN_1)]
        {
            let answer = send(path, content_type, signed(key, &nonce(number), body, &meant)).await;
            assert!(answer.contains("<error>Incorrect hash</error>"), "{path}: {answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f22_pages_of_listed_origins_may_call_and_no_others() {
    const PORTAL: &str = "https://portal.example.com";
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let listed = format!("[\"{PORTAL}\"]");
    let (server, _) = start(&data, &[("TOLLBOOK_CORS_ORIGINS", &listed)], &[]).await;
    let other = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let silent = Server::start(&other);
    let ask = async |server: &Server, verb: Method, origin: &str| {
        let request = Client::new().request(verb, server.url("user_balance_get"));
        request.header("origin", origin).send().await.unwrap()
    };
    let allowed = |response: &reqwest::Response| {
        let header = response.headers().get("access-control-allow-origin");
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    let preflight = ask(&server, Method::OPTIONS, PORTAL).await;
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert_eq!(allowed(&preflight).as_deref(), Some(PORTAL));
    assert_eq!(preflight.headers()["vary"], "origin");
    assert!(preflight.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"));
    let headers = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(headers.contains("content-type") && headers.contains("tollbook-signature"));
    // Also what is refused can be read.
    let answer = ask(&server, Method::POST, PORTAL).await;
    assert_eq!(allowed(&answer).as_deref(), Some(PORTAL));
    assert!(answer.text().await.unwrap().contains("Incorrect hash"));
    for (server, origin) in [(&server, "https://evil.example.org"), (&silent, PORTAL)] {
        for verb in [Method::OPTIONS, Method::POST] {
            assert_eq!(allowed(&ask(server, verb, origin).await), None, "{origin}");
        }
    }
    assert_eq!(
        ask(&silent, Method::OPTIONS, PORTAL).await.headers()["allow"],
        "GET, HEAD, POST, OPTIONS"
    );
    let third = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let environment = [("TOLLBOOK_CORS_ORIGINS", "[\"portal.example.com\"]")];
    let said = Server::refuses_to_start(&third, "serve", &environment);
    assert!(said.contains("is not an origin"), "{said}");
}
