//! Faults of release 0.1: what a legacy hash proves.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{
    AdjustBalanceRequest, ApiAccess, ApiKey, CreateApiKeyRequest, DeleteUserRequest, ErrorReason,
    GetBalanceRequest, GetQuickStatsRequest, HmacSignature, LegacyDialect, LegacyParameter,
    LegacySignature, Settings, UpdateSettingsRequest,
    accounts_service_client::AccountsServiceClient, api_keys_service_client::ApiKeysServiceClient,
    settings_service_client::SettingsServiceClient,
    statistics_service_client::StatisticsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal, mask},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::{Code, Request, Status, metadata::MetadataValue};
use tonic_types::StatusExt;

use crate::on_both;

/// A server with the fixture's users and settings.
async fn start(data: &Data) -> (Server, Fixture) {
    let server = Server::start(data);
    let fixture = Fixture::fill(&server).await;
    fixture.settings(SECRET, &std::collections::BTreeMap::new()).await;
    (server, fixture)
}

/// What a shim says of a legacy request.
fn claim(method: &str, sent: &[(&str, &str)]) -> LegacySignature {
    let parameters = sent.iter().map(|(name, value)| LegacyParameter {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        ..Default::default()
    });
    LegacySignature {
        dialect: LegacyDialect::M4.into(),
        method: method.to_owned(),
        client_address: "127.0.0.1".to_owned(),
        verb: "POST".to_owned(),
        parameters: parameters.collect(),
        ..Default::default()
    }
}

/// A request with the claim of a legacy one, as whoever holds a shim can make it.
fn claimed<T>(request: T, method: &str, sent: &[(&str, &str)]) -> Request<T> {
    carrying(request, &claim(method, sent))
}

fn carrying<T>(request: T, claim: &LegacySignature) -> Request<T> {
    let mut request = Request::new(request);
    let claim = MetadataValue::from_bytes(&claim.encode_to_vec());
    request.metadata_mut().insert_bin("tollbook-legacy-bin", claim);
    request
}

fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> ErrorReason {
    let info = result.unwrap_err().get_details_error_info().unwrap();
    ErrorReason::from_reason(&info.reason).unwrap()
}

async fn change(admin: &Authorized, path: &str, settings: Settings, old_key_seconds: i32) {
    let request = UpdateSettingsRequest {
        settings: Some(settings),
        update_mask: mask(path),
        old_key_seconds,
        force: true,
    };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
}

async fn balance(admin: &Authorized, user_id: i64) -> String {
    let request = GetBalanceRequest { user_id: Some(user_id), ..Default::default() };
    let answer = AccountsServiceClient::new(admin.clone()).get_balance(request).await;
    answer.unwrap().into_inner().balance.unwrap().value
}

/// A first key is set with a grace for the old one where there was none: no request that is
/// signed with nothing may be taken for one that is signed with it.
#[tokio::test(flavor = "multi_thread")]
async fn f02_an_empty_key_is_none() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let admin = server.admin().await;
        // As a database that never had a key.
        change(&admin, "allow_api", Settings::default(), 0).await;
        change(&admin, "api_secret_key", Settings::default(), 0).await;
        let key =
            Settings { api_secret_key: "a key of 24 characters..".into(), ..Settings::default() };
        change(&admin, "api_secret_key", key, 3600).await;
        change(&admin, "allow_api", Settings { allow_api: true, ..Settings::default() }, 0).await;
        for signed in ["", "admin0"] {
            let form = [("u", "admin"), ("user_id", "0"), ("hash", &legacy_hash(signed, ""))];
            let answer = reqwest::Client::new().post(server.url("users_get")).form(&form).send();
            let answer = answer.await.unwrap().text().await.unwrap();
            assert!(answer.contains("<error>Incorrect hash</error>"), "{answer}");
        }
    })
    .await;
}

/// Whoever holds a shim's token and has seen one hash can send that request again, and nothing
/// else: not another rpc, not other values, not under another method's name.
#[tokio::test(flavor = "multi_thread")]
async fn f06_a_hash_that_was_seen_is_good_for_its_own_request() {
    on_both(|data| async move {
        let (server, _fixture) = start(&data).await;
        let admin = server.admin().await;
        let shim = bearer(server.channel().await, &data.token(&["--shim", "shim1"]));
        let mut accounts = AccountsServiceClient::new(shim.clone());
        let mut users = UsersServiceClient::new(shim.clone());
        let mut statistics = StatisticsServiceClient::new(shim);

        let hash = legacy_hash("", SECRET);
        let stats = [("u", "admin"), ("hash", &*hash)];
        let seen = claimed(GetQuickStatsRequest {}, "quickstats_get", &stats);
        statistics.get_quick_stats(seen).await.unwrap();
        let delete = || DeleteUserRequest { id: 4.into() };
        for method in ["quickstats_get", "user_delete", "no_such_method", ""] {
            let refused = users.delete_user(claimed(delete(), method, &stats)).await;
            let reason = reason(refused);
            let told = [ErrorReason::SignatureRefused, ErrorReason::IncorrectHash];
            assert!(told.contains(&reason), "{method}: {reason:?}");
        }

        let hash = legacy_hash("45", SECRET);
        let sent = [("u", "admin"), ("user_id", "4"), ("balance", "5"), ("hash", &*hash)];
        let adjust = |user_id: i64, amount: &str| AdjustBalanceRequest {
            user_id: user_id.into(),
            amount: decimal(amount),
            ..Default::default()
        };
        let before = balance(&admin, 4).await;
        for other in [adjust(5, "5"), adjust(4, "5000"), adjust(4, "5.0"), adjust(45, "")] {
            let refused = accounts.adjust_balance(claimed(other, "user_balance_update", &sent));
            assert_eq!(reason(refused.await), ErrorReason::SignatureRefused);
        }
        assert_eq!(balance(&admin, 4).await, before);
        let own = claimed(adjust(4, "5"), "user_balance_update", &sent);
        accounts.adjust_balance(own).await.unwrap();
        assert_ne!(balance(&admin, 4).await, before);
    })
    .await;
}

/// A signed request that changes something is good for once, whoever holds a shim and says of it
/// what they like.
#[tokio::test(flavor = "multi_thread")]
async fn f06_a_signed_change_that_was_seen_is_not_made_again() {
    on_both(|data| async move {
        let (server, _fixture) = start(&data).await;
        let admin = server.admin().await;
        let key = ApiKey {
            name: "portal".to_owned(),
            user_id: Some(0),
            access: ApiAccess::Write.into(),
            ..Default::default()
        };
        let create = CreateApiKeyRequest { api_key: Some(key) };
        let created = ApiKeysServiceClient::new(admin.clone()).create_api_key(create).await;
        let created = created.unwrap().into_inner();
        let sent = [("balance", "5"), ("user_id", "4")];
        let digest = Sha256::digest(
            "TOLLBOOK1\nPOST\n/billing/api/user_balance_update\n\n\
             7:balance1:57:user_id1:4",
        );
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut signature = HmacSignature {
            key_id: created.api_key.unwrap().id,
            timestamp: now.try_into().unwrap(),
            nonce: "seen-by-somebody".to_owned(),
            signature: String::new(),
        };
        let signed = format!(
            "TOLLBOOK1-HMAC-SHA256\n{}\n{}\n{}\n{}",
            signature.key_id,
            signature.timestamp,
            signature.nonce,
            hex::encode(digest)
        );
        let mac = Hmac::<Sha256>::new_from_slice(created.secret.as_bytes()).unwrap();
        signature.signature = hex::encode(mac.chain_update(signed).finalize().into_bytes());
        let shim = bearer(server.channel().await, &data.token(&["--shim", "shim1"]));
        let mut accounts = AccountsServiceClient::new(shim);
        let adjust =
            AdjustBalanceRequest { user_id: 4.into(), amount: decimal("5"), ..Default::default() };
        let mut again = async |presentation: u64| {
            let claim = LegacySignature {
                hmac: Some(signature.clone()),
                presentation,
                ..claim("user_balance_update", &sent)
            };
            accounts.adjust_balance(carrying(adjust.clone(), &claim)).await
        };
        let before = balance(&admin, 4).await;
        again(1).await.unwrap();
        let once = balance(&admin, 4).await;
        assert_ne!(once, before);
        for presentation in [1, 2] {
            assert_eq!(reason(again(presentation).await), ErrorReason::RequestReplayed);
        }
        assert_eq!(balance(&admin, 4).await, once);
    })
    .await;
}

/// What is used is what was signed: another spelling of a parameter does not replace it.
#[tokio::test(flavor = "multi_thread")]
async fn f07_an_unsigned_spelling_does_not_override_a_signed_one() {
    on_both(|data| async move {
        let (server, _fixture) = start(&data).await;
        let pay = async |more: &[(&str, &str)], signed: &str| {
            let hash = legacy_hash(signed, SECRET);
            let mut form =
                vec![("u", "admin"), ("user_id", "4"), ("amount", "10"), ("hash", &hash)];
            form.extend(more);
            let answer = reqwest::Client::new().post(server.url("payment_create")).form(&form);
            answer.send().await.unwrap().text().await.unwrap()
        };
        let paid = pay(&[("p_currency", "EUR")], "4EUR10").await;
        assert!(paid.contains(r#"<payment currency="EUR">"#), "{paid}");
        let overridden = pay(&[("p_currency", "EUR"), ("currency", "USD")], "4EUR10").await;
        assert!(overridden.contains("Incorrect hash"), "{overridden}");
        let signed = pay(&[("p_currency", "EUR"), ("currency", "USD")], "410USD").await;
        assert!(signed.contains(r#"<payment currency="USD">"#), "{signed}");
        let taxed = pay(&[("p_currency", "EUR"), ("tax_in_amount", "1")], "4EUR10").await;
        let named = pay(&[("p_currency", "EUR"), ("amount_in_tax", "1")], "4EUR10").await;
        let amounts = |answer: &str| answer.split_once("<tax>").unwrap().1.to_owned();
        assert_eq!(amounts(&taxed), amounts(&named));
    })
    .await;
}

/// A hash of two values stands for one pair of them where each has one spelling.
#[tokio::test(flavor = "multi_thread")]
async fn f08_another_spelling_of_an_amount_or_an_id_is_refused() {
    on_both(|data| async move {
        let (server, _fixture) = start(&data).await;
        let admin = server.admin().await;
        let before = balance(&admin, 4).await;
        for amount in ["05.50", "5.", ".5", "-0", "007", "+5", "5,0", " 5", "5e1"] {
            let sent = [("u", "admin"), ("user_id", "4"), ("balance", amount)];
            let answer = server.legacy("user_balance_update", &sent, &format!("4{amount}")).await;
            assert!(
                answer.contains("<error>User balance not updated</error>"),
                "{amount}: {answer}"
            );
            let sent = [("u", "admin"), ("user_id", "4"), ("amount", amount), ("currency", "USD")];
            let answer = server.legacy("payment_create", &sent, &format!("4{amount}USD")).await;
            assert!(answer.contains("<error>Payment was not saved</error>"), "{amount}: {answer}");
        }
        for id in ["04", "+4", " 4", "4.0", "-0"] {
            let sent = [("u", "admin"), ("user_id", id), ("balance", "5")];
            let answer = server.legacy("user_balance_update", &sent, &format!("{id}5")).await;
            assert!(answer.contains("<error>User was not found</error>"), "{id}: {answer}");
        }
        for rate in ["01.5", "1.", ".5"] {
            let sent = [("u", "admin"), ("currency", "EUR"), ("rate", rate)];
            let answer = server.legacy("exchange_rate_update", &sent, &format!("EUR{rate}")).await;
            assert!(answer.contains("<error>Exchange rate is invalid</error>"), "{rate}: {answer}");
        }
        assert_eq!(balance(&admin, 4).await, before);
    })
    .await;
}

/// What has no rule is not there, whatever its package; health and reflection are open.
#[tokio::test(flavor = "multi_thread")]
async fn f11_a_path_without_a_rule_is_refused() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let server = Server::start(&data);
    let channel = server.admin().await;
    for path in [
        "/tollbook.v1.AccountsService/TakeEverything",
        "/tollbook.v2.AccountsService/GetBalance",
        "/tollbook.retail.v1.CardsService/ListCards",
        "/grpc.health.v2.Health/Check",
        "/anything",
    ] {
        let mut client = tonic::client::Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<GetBalanceRequest, GetBalanceRequest>::default();
        let path = path.parse().unwrap();
        let answer = client.unary(Request::new(GetBalanceRequest::default()), path, codec).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    }
}
