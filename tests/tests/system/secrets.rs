//! What must not be in a log is not in it, however much is logged.

use std::{collections::BTreeMap, fs::File};

use tollbook_proto::v1::{
    ApiKey, CreateAccessTokenRequest, CreateApiKeyRequest, CreateUserRequest, Settings,
    UpdateSettingsRequest, User, access_tokens_service_client::AccessTokensServiceClient,
    api_keys_service_client::ApiKeysServiceClient, settings_service_client::SettingsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{Fixture, files},
    legacy_hash,
    server::{Backend, Data, SECRET, Server},
};

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged() {
    const KEY: &str = "A-very-secret-key-of-37-characters-x";
    const PASSWORD: &str = "hunter2-hunter2";
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(data) = Data::new(backend) else { continue };
        let log = data.directory().join("log");
        let server = Server::start_logged(&data, "trace", File::create(&log).unwrap());
        let fixture = Fixture::fill(&server).await;
        let admin = server.admin().await;
        // Some of everything: what is right, what is wrong, and what sets secrets.
        let mut sent = Vec::new();
        for file in files(Dialect::M4).iter().step_by(3) {
            for case in file.case.iter().take(4) {
                let _ = case.run(&server, &fixture, &file.method).await;
                if let Some(signed) = &case.sign {
                    sent.push(legacy_hash(signed, case.key()));
                }
            }
        }
        fixture.settings(SECRET, &BTreeMap::new()).await;
        let login = [("u", "alice"), ("p", "wonderland")];
        server.legacy("user_login", &login, "alicewonderland").await;
        let user = User { username: "newcomer".to_owned(), ..Default::default() };
        let request = CreateUserRequest {
            user: Some(user),
            password: PASSWORD.to_owned(),
            ..Default::default()
        };
        UsersServiceClient::new(admin.clone()).create_user(request).await.unwrap();
        let request = CreateAccessTokenRequest {
            user_id: Some(0),
            name: "new".to_owned(),
            ..Default::default()
        };
        let token =
            AccessTokensServiceClient::new(admin.clone()).create_access_token(request).await;
        let token = token.unwrap().into_inner().secret;
        let settings = Settings { api_secret_key: KEY.to_owned(), ..Default::default() };
        let request = UpdateSettingsRequest {
            settings: Some(settings),
            update_mask: Some(prost_types::FieldMask { paths: vec!["api_secret_key".to_owned()] }),
            ..Default::default()
        };
        SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();

        let api_key = ApiKey { name: "portal".to_owned(), user_id: Some(0), ..Default::default() };
        let request = CreateApiKeyRequest { api_key: Some(api_key) };
        let created = ApiKeysServiceClient::new(admin.clone()).create_api_key(request).await;
        let api_key = created.unwrap().into_inner().secret;
        let hash = legacy_hash("admin4", &api_key);
        let form = [("u", "admin"), ("user_id", "4"), ("hash", &*hash)];
        let signature = "5ec2e7".repeat(10);
        for signed in [false, true] {
            let mut request = reqwest::Client::new().post(server.url("users_get")).form(&form);
            if signed {
                request =
                    request.header("tollbook-key", 1).header("tollbook-signature", &signature);
            }
            request.send().await.unwrap();
        }
        sent.push(hash);

        let password = server.admin_password.clone();
        drop(server);
        let log = std::fs::read_to_string(log).unwrap();
        assert!(log.lines().count() > 1_000, "hardly anything was logged");
        sent.sort();
        sent.dedup();
        let secrets = [KEY, PASSWORD, "wonderland", &token, &password, &api_key, &signature];
        for secret in secrets.into_iter().chain(sent.iter().map(String::as_str)) {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log");
        }
    }
}
