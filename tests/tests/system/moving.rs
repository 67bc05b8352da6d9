//! What somebody who moves from MOR needs beside the methods: commands that say why a hash is wrong, which
//! country an id means, and what whoever registers gets.

use tollbook_proto::v1::{ListDevicesRequest, devices_service_client::DevicesServiceClient};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{Backend, Data, SECRET, Server},
};

/// Runs a command beside a server that must say it succeeded.
fn runs(data: &Data, server: &Server, token: &str, args: &[&str]) -> String {
    let (ok, said) = data.run(&server.grpc, token, args);
    assert!(ok, "{args:?}: {said}");
    said.trim_end().to_owned()
}

#[test]
fn a_wrong_hash_is_explained_by_a_command() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let run = |args: &[&str]| data.run("127.0.0.1:1", "none", args);
    let (ok, said) =
        run(&["--dialect", "mor", "hash", "change_user_balance", "user_id=1", "balance=2"]);
    assert!(ok && said == "12KEY  (user_id+balance)\n21KEY  (balance+user_id)\n", "{said}");

    let key = data.directory().join("key");
    std::fs::write(&key, format!("{SECRET}\n")).unwrap();
    let key = key.to_str().unwrap();
    let hash = legacy_hash("21", SECRET);
    let asked = ["--dialect", "mor", "hash", "user_balance_update", "user_id=1", "balance=2"];
    let checked = [&asked[..], &["--key-file", key, "--check", &hash]].concat();
    let (ok, said) = run(&checked);
    assert!(ok && said.contains("the hash is right: it is of balance+user_id"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    let other = legacy_hash("3", SECRET);
    let wrong = [&asked[..], &["--key-file", key, "--check", &other]].concat();
    let (ok, said) = run(&wrong);
    assert!(!ok && said.contains("none of these"), "{said}");
    let (ok, said) = run(&["--dialect", "m4", "hash", "rate_get", "username=x"]);
    assert!(!ok && said.contains("M4 has no method rate_get"), "{said}");
}

#[test]
fn countries_uniquehashes_and_what_newcomers_get_are_set_up_by_commands() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start_for(&data, Dialect::Mor);
    let token = data.token(&["setup"]);
    let runs = |args: &[&str]| runs(&data, &server, &token, args);
    assert!(runs(&["countries"]).lines().any(|line| line == "1\tAFG\tAfghanistan"));

    let said = runs(&["settings", "api_allow_registration=on"]);
    assert!(said.contains("default_device.server_address is empty"), "{said}");
    assert!(said.contains("default_user.tariff_id is 0"), "{said}");
    let tariff = runs(&["tariffs", "create", "Retail", "--purpose", "selling"]);
    let tariff = format!("default_user.tariff_id={tariff}");
    let said = runs(&["settings", &tariff, "default_device.server_address=sip.example.com"]);
    assert!(said.contains("default_device.server_address=sip.example.com"), "{said}");
    assert!(said.contains(&tariff) && !said.contains("is empty"), "{said}");
    let mixed = ["settings", "allow_api=off", "default_user.tariff_id=0"];
    let (ok, said) = data.run(&server.grpc, &token, &mixed);
    assert!(!ok && said.contains("two commands"), "{said}");

    runs(&["users", "create", "nina"]);
    let kept = ["users", "uniquehash", "nina", "--keep", "kljsdfg54kl"];
    assert_eq!(runs(&kept), "kljsdfg54kl");
    assert_eq!(runs(&["users", "uniquehash", "nina"]).len(), 32);
    assert_eq!(runs(&["users", "uniquehash", "nina", "--revoke"]), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_has_the_caller_id_with_which_it_is_created() {
    crate::on_both(|data| async move {
        let server = Server::start_for(&data, Dialect::Mor);
        let fixture = Fixture::fill_for(&server, Dialect::Mor).await;
        fixture.settings(SECRET, &std::collections::BTreeMap::new()).await;
        let sent = [("u", "admin"), ("user_id", "4"), ("pin", ""), ("caller_id", "37060000009")];
        let answer = server.legacy("device_create", &sent, "437060000009").await;
        assert!(answer.contains("Device created"), "{answer}");
        let mut devices = DevicesServiceClient::new(server.admin().await);
        let request = ListDevicesRequest { user_id: Some(4), ..Default::default() };
        let listed = devices.list_devices(request).await.unwrap().into_inner().devices;
        assert_eq!(listed[0].caller_number, "37060000009");
        let url = format!("http://{}/api/get_version", server.http);
        let hash = legacy_hash("", SECRET);
        let form = [("u", "admin"), ("hash", hash.as_str())];
        let answer = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200, "without /billing, as MOR's pages write it");
    })
    .await;
}
