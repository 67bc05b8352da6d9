//! Secrets at rest.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    ApiKey, CreateApiKeyRequest, CreateDeviceRequest, CreateUserRequest, Device, GetBalanceRequest,
    ListDevicesRequest, OwnerSettings, Role, UpdateOwnerSettingsRequest, User,
    accounts_service_client::AccountsServiceClient, api_keys_service_client::ApiKeysServiceClient,
    devices_service_client::DevicesServiceClient, settings_service_client::SettingsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, mask},
    legacy_hash,
    server::{Authorized, Backend, Data, Server, bearer},
};

use crate::on_both;

const FIRST: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SECOND: &str = "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SECRET: &str = "A-secret-that-stands-out-0123456789";
const RESELLERS: &str = "A-resellers-secret-that-stands-out";
const PHONE: &str = "A-phones-password-that-stands-out";

/// A reseller with a key of his own.
async fn reseller(admin: &Authorized) {
    let user =
        User { username: "reseller".to_owned(), role: Role::Reseller.into(), ..Default::default() };
    let request = CreateUserRequest { user: Some(user), ..Default::default() };
    let created = UsersServiceClient::new(admin.clone()).create_user(request).await.unwrap();
    let settings = OwnerSettings { api_secret_key: RESELLERS.to_owned(), ..Default::default() };
    let request = UpdateOwnerSettingsRequest {
        user_id: created.into_inner().user.unwrap().id,
        settings: Some(settings),
        update_mask: mask("api_secret_key"),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_owner_settings(request).await.unwrap();
}

async fn asked(server: &Server, username: &str, secret: &str) -> String {
    let hash = legacy_hash(format!("{username}4"), secret);
    let form = [("u", username), ("user_id", "4"), ("hash", &hash)];
    let request = reqwest::Client::new().post(server.url("users_get")).form(&form);
    request.send().await.unwrap().text().await.unwrap()
}

/// The device of a user, with a password that stands out.
async fn phone(admin: &Authorized) -> Authorized {
    let device = Device { user_id: Some(4), password: PHONE.to_owned(), ..Default::default() };
    let request = CreateDeviceRequest { device: Some(device) };
    DevicesServiceClient::new(admin.clone()).create_device(request).await.unwrap();
    admin.clone()
}

/// Whose the device is that has the password.
async fn balance_of(admin: &Authorized) -> Option<i64> {
    let request = GetBalanceRequest { device_password: PHONE.to_owned(), ..Default::default() };
    let found = AccountsServiceClient::new(admin.clone()).get_balance(request).await;
    found.ok().map(|response| response.into_inner().user_id)
}

/// Whether a file of the embedded database holds a text.
fn on_disk(data: &Data, text: &str) -> bool {
    let files = std::fs::read_dir(data.directory()).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| file.to_string_lossy().contains("tollbook.db"))
        .map(|file| std::fs::read(file).unwrap())
        .any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_with_a_key_that_is_not_in_the_database() {
    on_both(|data| async move {
        let first = [("TOLLBOOK_ENCRYPTION_KEY", FIRST)];
        let server = Server::start_part(&data, "serve", &first);
        Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
        let token = data.token(&["sealed"]);
        let admin = bearer(server.channel().await, &token);
        reseller(&admin).await;
        let device = phone(&admin).await;
        let mut keys = ApiKeysServiceClient::new(admin);
        let api_key = ApiKey { name: "portal".to_owned(), user_id: Some(1), ..Default::default() };
        let request = CreateApiKeyRequest { api_key: Some(api_key) };
        let key = keys.create_api_key(request).await.unwrap().into_inner().secret;
        assert!(asked(&server, "admin", SECRET).await.contains("alice"));
        assert!(asked(&server, "mgr_all", &key).await.contains("alice"));
        assert_eq!(balance_of(&device).await, Some(4));
        drop(server);
        for secret in [SECRET, &key, RESELLERS, PHONE] {
            assert!(!on_disk(&data, secret), "{secret}");
        }

        // Without the key, or with another, nothing starts, and it says why.
        for environment in [&[][..], &[("TOLLBOOK_ENCRYPTION_KEY", SECOND)]] {
            let said = Server::refuses_to_start(&data, "serve", environment);
            assert!(said.contains("sealed with an encryption key that was not given"), "{said}");
        }
        // The next key, while the old one still opens; then without the old one.
        let both = [("TOLLBOOK_ENCRYPTION_KEY", SECOND), ("TOLLBOOK_OLD_ENCRYPTION_KEY", FIRST)];
        drop(Server::start_part(&data, "serve", &both));
        let file = data.directory().join("key");
        std::fs::write(&file, format!("{SECOND}\n")).unwrap();
        let second = [("TOLLBOOK_ENCRYPTION_KEY_FILE", file.to_str().unwrap())];
        let server = Server::start_part(&data, "serve", &second);
        assert!(asked(&server, "admin", SECRET).await.contains("alice"));
        assert!(asked(&server, "mgr_all", &key).await.contains("alice"));
        // Digests do not depend on the key; what they lead to opens.
        let admin = bearer(server.channel().await, &token);
        assert_eq!(balance_of(&admin).await, Some(4));
        let request = ListDevicesRequest { with_credentials: true, ..Default::default() };
        let devices = DevicesServiceClient::new(admin).list_devices(request).await.unwrap();
        assert_eq!(devices.into_inner().devices[0].password, PHONE);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_plain_is_sealed_at_the_next_start() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let plain = [("TOLLBOOK_API_SECRET", SECRET)];
    drop(Server::start_part(&data, "serve", &plain));
    assert!(on_disk(&data, SECRET));
    let sealed = [("TOLLBOOK_ENCRYPTION_KEY", FIRST), ("TOLLBOOK_API_SECRET", SECRET)];
    drop(Server::start_part(&data, "serve", &sealed));
    let said = Server::refuses_to_start(&data, "serve", &[]);
    assert!(said.contains("sealed with an encryption key"), "{said}");
    for (key, expected) in [("short", "64 hexadecimal digits"), ("", "is empty")] {
        let said = Server::refuses_to_start(&data, "serve", &[("TOLLBOOK_ENCRYPTION_KEY", key)]);
        assert!(said.contains(expected), "{said}");
    }
}
