//! API keys: secrets of single clients, in legacy hashes and in HMAC signatures.

use std::{
    collections::{BTreeMap, HashMap},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{
    ApiAccess, ApiKey, CreateApiKeyRequest, DeleteApiKeyRequest, Settings, UpdateSettingsRequest,
    api_keys_service_client::ApiKeysServiceClient, settings_service_client::SettingsServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, mask},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server},
};

use crate::on_both;

async fn start(data: &Data) -> (Server, Authorized, Fixture) {
    let server = Server::start(data);
    let fixture = Fixture::fill(&server).await;
    fixture.settings(SECRET, &BTreeMap::new()).await;
    let admin = server.admin().await;
    (server, admin, fixture)
}

/// A new key of a user, and its secret.
async fn create(admin: &Authorized, key: ApiKey) -> (i64, String) {
    let request = CreateApiKeyRequest { api_key: Some(ApiKey { name: "portal".into(), ..key }) };
    let created = ApiKeysServiceClient::new(admin.clone()).create_api_key(request).await;
    let created = created.unwrap().into_inner();
    (created.api_key.unwrap().id, created.secret)
}

async fn set(admin: &Authorized, path: &str, settings: Settings) {
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: mask(path),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
}

async fn post(server: &Server, method: &str, form: &[(&str, &str)]) -> String {
    let request = reqwest::Client::new().post(server.url(method)).form(form);
    request.send().await.unwrap().text().await.unwrap()
}

/// Asks for alice as somebody, with a hash made with a key.
async fn hashed(server: &Server, username: &str, secret: &str) -> String {
    let form =
        [("u", username), ("user_id", "4"), ("hash", &legacy_hash(format!("{username}4"), secret))];
    post(server, "users_get", &form).await
}

async fn add_a_dollar(server: &Server, username: &str, secret: &str) -> String {
    let hash = legacy_hash("41", secret);
    let form = [("u", username), ("user_id", "4"), ("balance", "1"), ("hash", &*hash)];
    post(server, "user_balance_update", &form).await
}

/// A signed request, made here without the help of any example.
struct Signed<'a> {
    key: i64,
    secret: &'a str,
    method: &'a str,
    form: &'a [(&'a str, &'a str)],
    /// How far the client's clock is ahead, in seconds.
    ahead: i64,
    nonce: &'a str,
}

impl Signed<'_> {
    fn request(&self, server: &Server) -> reqwest::RequestBuilder {
        let query = reqwest::Url::parse_with_params("http://x/", self.form).unwrap();
        let body = query.query().unwrap_or_default().to_owned();
        let mut canonical = format!(
            "TOLLBOOK1\nPOST\n/billing/api/{}\n{}\n",
            self.method,
            hex::encode(Sha256::digest(&body))
        );
        let mut sorted = self.form.to_vec();
        sorted.sort_unstable();
        for text in sorted.into_iter().flat_map(|(name, value)| [name, value]) {
            canonical.extend([&*text.len().to_string(), ":", text]);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let timestamp = i64::try_from(now).unwrap() + self.ahead;
        let digest = hex::encode(Sha256::digest(canonical));
        let signed =
            format!("TOLLBOOK1-HMAC-SHA256\n{}\n{timestamp}\n{}\n{digest}", self.key, self.nonce);
        let mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        let signature = hex::encode(mac.chain_update(signed).finalize().into_bytes());
        reqwest::Client::new()
            .post(server.url(self.method))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("tollbook-key", self.key)
            .header("tollbook-timestamp", timestamp)
            .header("tollbook-nonce", self.nonce)
            .header("tollbook-signature", signature)
            .body(body)
    }

    async fn send(&self, server: &Server) -> String {
        self.request(server).send().await.unwrap().text().await.unwrap()
    }
}

const RIGHT: &str = "<username>alice</username>";
const WRONG_HASH: &str = "<status>\n  <error>Incorrect hash</error>\n</status>";
const RESTRICTED: &str = "<error>You are not authorized to use this functionality</error>";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_the_legacy_api_for_its_user_and_its_methods() {
    on_both(|data| async move {
        let (server, admin, _) = start(&data).await;
        let own =
            ApiKey { user_id: Some(1), access: ApiAccess::Write.into(), ..Default::default() };
        let (id, secret) = create(&admin, own).await;
        assert!(hashed(&server, "mgr_all", &secret).await.contains(RIGHT));
        assert!(hashed(&server, "admin", &secret).await.contains(WRONG_HASH));
        assert!(hashed(&server, "mgr_own", &secret).await.contains(WRONG_HASH));
        // The shared one goes on working, unless that is switched off.
        assert!(hashed(&server, "mgr_all", SECRET).await.contains(RIGHT));
        set(&admin, "shared_api_key", Settings::default()).await;
        assert!(hashed(&server, "mgr_all", SECRET).await.contains(WRONG_HASH));
        assert!(hashed(&server, "mgr_all", &secret).await.contains(RIGHT));
        let form = [("username", "alice"), ("hash", &*legacy_hash("alice", SECRET))];
        assert!(post(&server, "user_balance_get", &form).await.contains("Incorrect hash"));

        // Read, and one method more or less.
        let methods = HashMap::from([("users_get".to_owned(), ApiAccess::Disabled.into())]);
        let reader = ApiKey {
            user_id: Some(1),
            access: ApiAccess::Read.into(),
            methods,
            ..Default::default()
        };
        let (_, reader) = create(&admin, reader).await;
        assert!(hashed(&server, "mgr_all", &reader).await.contains(RESTRICTED));
        assert!(add_a_dollar(&server, "mgr_all", &reader).await.contains(RESTRICTED));
        let hash = legacy_hash("4", &reader);
        let form = [("u", "mgr_all"), ("user_id", "4"), ("hash", &*hash)];
        let details = post(&server, "user_details_get", &form).await;
        assert!(details.contains("alice"), "{details}");
        assert!(add_a_dollar(&server, "mgr_all", &secret).await.contains("67.0"));

        let mut keys = ApiKeysServiceClient::new(admin.clone());
        keys.delete_api_key(DeleteApiKeyRequest { id: Some(id) }).await.unwrap();
        assert!(hashed(&server, "mgr_all", &secret).await.contains(WRONG_HASH));
        assert!(keys.delete_api_key(DeleteApiKeyRequest { id: Some(id) }).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_requests_are_taken_once_whole_and_in_time() {
    on_both(|data| async move {
        let (server, admin, fixture) = start(&data).await;
        let key = ApiKey {
            user_id: Some(0),
            access: ApiAccess::Write.into(),
            signs_only: true,
            ..Default::default()
        };
        let (key, secret) = create(&admin, key).await;
        let form = [("user_id", "4"), ("balance", "1.50")];
        let right = Signed {
            key,
            secret: &secret,
            method: "user_balance_update",
            form: &form,
            ahead: 0,
            nonce: "0123456789abcdef",
        };
        assert!(right.send(&server).await.contains("<balance>67.5</balance>"));
        // The same once more, and by whoever saw it.
        assert!(right.send(&server).await.contains("<error>the request was sent before</error>"));
        // Nothing of it can be changed.
        let other = Signed { nonce: "another-0123456789", ..right };
        let tampered = other.request(&server).body("user_id=4&balance=150");
        assert!(tampered.send().await.unwrap().text().await.unwrap().contains(WRONG_HASH));
        let tampered = other.request(&server).query(&[("comment", "5")]);
        assert!(tampered.send().await.unwrap().text().await.unwrap().contains(WRONG_HASH));
        let unknown = Signed { key: key + 1, ..other };
        assert!(unknown.send(&server).await.contains(WRONG_HASH));
        let stranger = Signed { secret: "guess", ..right };
        assert!(stranger.send(&server).await.contains(WRONG_HASH));
        for ahead in [-310, 310] {
            let late = Signed { ahead, nonce: "late-0123456789abc", ..right };
            assert!(late.send(&server).await.contains("check the clock"), "{ahead}");
        }
        // What was refused has used up no nonce.
        assert!(other.send(&server).await.contains("<balance>69.0</balance>"));
        // A key that only signs is worth nothing in a hash; one of somebody else is not his.
        assert!(hashed(&server, "admin", &secret).await.contains(WRONG_HASH));
        let form = [("u", "mgr_all"), ("user_id", "4")];
        let other =
            Signed { method: "users_get", form: &form, nonce: "yet-another-012345", ..right };
        assert!(!other.send(&server).await.contains(RIGHT));
        fixture.fill_calls().await;
        // A request that takes the core several calls counts once.
        let form = [
            ("u", "admin"),
            ("s_user", "4"),
            ("period_start", "1768435200"),
            ("period_end", "1768521599"),
        ];
        let paged =
            Signed { method: "user_calls_get", form: &form, nonce: "paged-0123456789", ..right };
        let answer = paged.send(&server).await;
        assert!(answer.contains("calls_stat"), "{answer}");
        assert!(paged.send(&server).await.contains("sent before"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_sign_as_documented() {
    on_both(|data| async move {
        let (server, admin, _) = start(&data).await;
        let (key, secret) = create(
            &admin,
            ApiKey { user_id: Some(0), access: ApiAccess::Write.into(), ..Default::default() },
        )
        .await;
        for (program, file) in [
            ("python3", "signed_request.py"),
            ("php", "signed_request.php"),
            ("sh", "signed_request.sh"),
        ] {
            let output = Command::new(program)
                .arg(format!("{}/../examples/{file}", env!("CARGO_MANIFEST_DIR")))
                .arg(format!("http://{}", server.http))
                .args([&*key.to_string(), "user_details_update", "user_id=4"])
                .args(["last_name=Ärger & Söhne=1%", "first_name=", "address=a b+c"])
                .env("API_KEY_SECRET", &secret)
                .output();
            let Ok(output) = output else {
                eprintln!("NO {program}: examples/{file} is not tested");
                continue;
            };
            let said = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("User was updated"), "{file}: {said}{error}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_payments_are_told_where_that_is_wanted() {
    on_both(|data| async move {
        let (server, admin, _) = start(&data).await;
        assert!(add_a_dollar(&server, "admin", SECRET).await.contains("67.0"));
        assert!(add_a_dollar(&server, "admin", SECRET).await.contains("68.0"));
        let window = Settings { replay_window_seconds: 2, ..Default::default() };
        set(&admin, "replay_window_seconds", window).await;
        let first = add_a_dollar(&server, "admin", SECRET).await;
        assert!(first.contains("69.0"), "{first}");
        assert_eq!(add_a_dollar(&server, "admin", SECRET).await, first);
        // As another user, whose name is not in the hash.
        assert_eq!(add_a_dollar(&server, "mgr_all", SECRET).await, first);
        let hash = legacy_hash("4100EUR", SECRET);
        let pay = async |comment: &str| {
            let form = [
                ("u", "admin"),
                ("user_id", "4"),
                ("currency", "EUR"),
                ("amount", "100"),
                ("comment", comment),
                ("hash", &*hash),
            ];
            post(&server, "payment_create", &form).await
        };
        let first = pay("one").await;
        assert!(first.contains("payment_id") || first.contains("success"), "{first}");
        assert_eq!(pay("one").await, first);
        // What the hash does not hold was changed: neither the first answer nor a payment.
        let changed = pay("two").await;
        assert_ne!(changed, first);
        assert!(changed.contains("<error>"), "{changed}");
        tokio::time::sleep(std::time::Duration::from_millis(2_200)).await;
        assert_ne!(add_a_dollar(&server, "admin", SECRET).await, first);
    })
    .await;
}
