//! "Restrict API access by IP": whom MOR's API answers while it is on; M4 has no such thing.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    CreateWhitelistedAddressRequest, DeleteWhitelistedAddressRequest, ErrorReason,
    ListWhitelistedAddressesRequest, ManagerGroup, Permission, Settings, UpdateManagerGroupRequest,
    UpdateSettingsRequest, UpdateWhitelistedAddressRequest, WhitelistedAddress,
    manager_groups_service_client::ManagerGroupsServiceClient,
    settings_service_client::SettingsServiceClient,
    whitelisted_addresses_service_client::WhitelistedAddressesServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, mask},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic_types::StatusExt;

use crate::on_both;

/// A server of a dialect behind a proxy that is believed: tests play clients of any address.
async fn start(data: &Data, dialect: &str) -> (Server, Authorized) {
    let environment =
        [("TOLLBOOK_TRUSTED_PROXIES", "[\"127.0.0.0/8\"]"), ("TOLLBOOK_DIALECT", dialect)];
    let server = Server::start_part(data, "serve", &environment);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    let admin = bearer(server.channel().await, &data.token(&["whitelist"]));
    (server, admin)
}

/// Asks for the balance of user 4, from an address.
async fn ask(server: &Server, from: &str) -> String {
    let hash = legacy_hash("alice", SECRET);
    let form = [("u", "admin"), ("username", "alice"), ("hash", hash.as_str())];
    let request = reqwest::Client::new().post(server.url("user_balance_get")).form(&form);
    let response = request.header("x-forwarded-for", from).send().await.unwrap();
    response.text().await.unwrap()
}

fn restriction(on: bool, force: bool) -> UpdateSettingsRequest {
    let settings = Some(Settings { restrict_api_by_ip: on, ..Default::default() });
    let update_mask = mask("restrict_api_by_ip");
    UpdateSettingsRequest { settings, update_mask, force, ..Default::default() }
}

async fn restrict(admin: &Authorized, on: bool) {
    let request = restriction(on, true);
    let now = SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
    assert_eq!(now.into_inner().settings.unwrap().restrict_api_by_ip, on);
}

async fn add(
    admin: &Authorized,
    network: &str,
    reason: &str,
    api_access: bool,
) -> WhitelistedAddress {
    let (network, reason) = (network.to_owned(), reason.to_owned());
    let request = CreateWhitelistedAddressRequest { network, reason, api_access };
    let mut client = WhitelistedAddressesServiceClient::new(admin.clone());
    let created = client.create_whitelisted_address(request).await.unwrap().into_inner();
    // The tests call from a loopback address.
    assert_eq!(created.own_address, None);
    created.whitelisted_address.unwrap()
}

fn refused(answer: &str) -> bool {
    answer.contains("<status>\n  <error>Access Denied</error>")
}

async fn check(server: &Server, admin: &Authorized) {
    let office = add(admin, "192.0.2.77/25", "office", true).await;
    assert_eq!((office.network.as_str(), office.reason.as_str()), ("192.0.2.0/25", "office"));
    let range = add(admin, "203.0.113.1-9", "", true).await;
    assert_eq!(range.reason, "MOR-WHITELIST-API");
    add(admin, "198.51.100.1", "watched only", false).await;
    let clients = ["192.0.2.1", "192.0.2.128", "203.0.113.9", "203.0.113.10", "198.51.100.1"];
    for from in clients {
        assert!(!refused(&ask(server, from).await), "nothing is restricted yet: {from}");
    }
    restrict(admin, true).await;
    for (from, answered) in clients.into_iter().zip([true, false, true, false, false]) {
        let answer = ask(server, from).await;
        assert_eq!(refused(&answer), !answered, "{from}: {answer}");
        assert_eq!(answer.contains("<balance>"), answered, "{from}: {answer}");
    }

    let mut client = WhitelistedAddressesServiceClient::new(admin.clone());
    let request = UpdateWhitelistedAddressRequest {
        id: office.id,
        api_access: Some(false),
        ..Default::default()
    };
    let changed = client.update_whitelisted_address(request).await.unwrap().into_inner();
    let changed = changed.whitelisted_address.unwrap();
    assert_eq!(changed, WhitelistedAddress { api_access: false, ..office });
    assert!(refused(&ask(server, "192.0.2.1").await));

    // The last one that has access shuts the API for everybody, and goes by force alone.
    let request = DeleteWhitelistedAddressRequest { id: range.id, force: false };
    let kept = client.delete_whitelisted_address(request).await.unwrap_err();
    assert_eq!(kept.get_details_error_info().unwrap().reason, "WHITELIST_EMPTY");
    let request = UpdateWhitelistedAddressRequest {
        id: range.id,
        api_access: Some(false),
        ..Default::default()
    };
    let kept = client.update_whitelisted_address(request).await.unwrap_err();
    assert_eq!(kept.get_details_error_info().unwrap().reason, "WHITELIST_EMPTY");
    assert!(!refused(&ask(server, "203.0.113.9").await));
    let request = DeleteWhitelistedAddressRequest { id: range.id, force: true };
    client.delete_whitelisted_address(request).await.unwrap();
    assert!(refused(&ask(server, "203.0.113.9").await));
    let twice = client.delete_whitelisted_address(request).await.unwrap_err();
    let reason = ErrorReason::from_reason(&twice.get_details_error_info().unwrap().reason);
    assert_eq!(reason, Some(ErrorReason::WhitelistedAddressNotFound));
    let all = client.list_whitelisted_addresses(ListWhitelistedAddressesRequest::default()).await;
    let all = all.unwrap().into_inner().whitelisted_addresses;
    let networks: Vec<_> = all.iter().map(|entry| entry.network.as_str()).collect();
    assert_eq!(networks, ["192.0.2.0/25", "198.51.100.1"]);

    restrict(admin, false).await;
    assert!(!refused(&ask(server, "203.0.113.9").await));
    let request = restriction(true, false);
    let shut = SettingsServiceClient::new(admin.clone()).update_settings(request).await;
    assert_eq!(shut.unwrap_err().get_details_error_info().unwrap().reason, "WHITELIST_EMPTY");
    assert!(!refused(&ask(server, "203.0.113.9").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_api_is_restricted_only_entries_with_access_are_answered() {
    on_both(|data| async move {
        let (server, admin) = start(&data, "mor").await;
        check(&server, &admin).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn m4_is_not_restricted() {
    on_both(|data| async move {
        let (server, admin) = start(&data, "m4").await;
        restrict(&admin, true).await;
        let answer = ask(&server, "192.0.2.1").await;
        assert!(answer.contains("<balance>"), "{answer}");
    })
    .await;
}

/// What happens to a manager of group 2, which gives these permissions, who sees the whitelist and who
/// adds to it: whether they may.
async fn manager_may(server: &Server, data: &Data, permissions: &[Permission]) -> (bool, bool) {
    let admin = bearer(server.channel().await, &data.token(&["groups"]));
    let group = ManagerGroup {
        id: Some(2),
        name: "watch".to_owned(),
        permissions: permissions.iter().map(|permission| (*permission).into()).collect(),
        ..Default::default()
    };
    let request = UpdateManagerGroupRequest { manager_group: Some(group) };
    ManagerGroupsServiceClient::new(admin).update_manager_group(request).await.unwrap();
    let token = data.token(&["watch", "--user", "mgr_none"]);
    let mut client = WhitelistedAddressesServiceClient::new(bearer(server.channel().await, &token));
    let is_missing = |status: tonic::Status| {
        let reason = status.get_details_error_info().unwrap().reason;
        assert_eq!(reason, ErrorReason::PermissionMissing.reason());
    };
    let listed = client.list_whitelisted_addresses(ListWhitelistedAddressesRequest::default());
    let listed = listed.await.map_err(is_missing).is_ok();
    let network = "192.0.2.7".to_owned();
    let request = CreateWhitelistedAddressRequest { network, ..Default::default() };
    let created = client.create_whitelisted_address(request).await.map_err(is_missing).is_ok();
    (listed, created)
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_see_and_keep_it_by_the_permission_monitorings() {
    on_both(|data| async move {
        let (server, _) = start(&data, "mor").await;
        let (view, manage) = (Permission::MonitoringsView, Permission::MonitoringsManage);
        for (permissions, expected) in [
            (vec![Permission::UsersManage], (false, false)),
            (vec![view], (true, false)),
            (vec![view, manage], (true, true)),
        ] {
            assert_eq!(manager_may(&server, &data, &permissions).await, expected);
        }
    })
    .await;
}
