//! CLIs: a call is that of the device whose calling number it has, where nothing else says whose it is.

use tollbook_proto::v1::{
    AuthorizeCallRequest, CallRecord, CheckDeviceRulesRequest, Cli, ConnectionPoint,
    CreateCliRequest, CreateDeviceRequest, CreateDeviceRuleRequest, DeleteCliRequest,
    DeleteDeviceRuleRequest, Device, DeviceRule, NumberRule, OriginationPoint, RejectCode,
    UpdateCliRequest, UpdateConnectionPointRequest, UpdateDeviceRuleRequest,
    clis_service_client::ClisServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    device_rules_service_client::DeviceRulesServiceClient,
    devices_service_client::DevicesServiceClient,
};
use tollbook_tests::{
    books::{Books, call},
    contract::mask,
    server::Authorized,
};

use crate::{
    live_calls::{authorize, finish},
    on_both,
};

/// Calls every rpc that changes something of a device's CLIs and rules.
pub(crate) async fn change_all(admin: &Authorized, device_id: Option<i64>) {
    let mut clis = ClisServiceClient::new(admin.clone());
    let cli = Cli { device_id, number: "37069999999".to_owned(), ..Default::default() };
    let created = clis.create_cli(CreateCliRequest { cli: Some(cli) }).await.unwrap();
    let id = created.into_inner().cli.unwrap().id;
    let request = UpdateCliRequest { id, banned: Some(true), ..Default::default() };
    clis.update_cli(request).await.unwrap();
    clis.delete_cli(DeleteCliRequest { id, ..Default::default() }).await.unwrap();
    let mut rules = DeviceRulesServiceClient::new(admin.clone());
    let rule = NumberRule { name: "00".to_owned(), add: "00".to_owned(), ..Default::default() };
    let device_rule =
        Some(DeviceRule { device_id, rule: Some(rule.clone()), ..Default::default() });
    let created = rules.create_device_rule(CreateDeviceRuleRequest { device_rule }).await.unwrap();
    let id = created.into_inner().device_rule.unwrap().id;
    let request = UpdateDeviceRuleRequest { id, rule: Some(rule) };
    rules.update_device_rule(request).await.unwrap();
    rules.delete_device_rule(DeleteDeviceRuleRequest { id }).await.unwrap();
}

/// A new device of `user6`, with a CLI.
async fn device(books: &Books, number: &str, domain: &str) -> (i64, i64) {
    let device = Some(Device { user_id: Some(6), ..Default::default() });
    let created = DevicesServiceClient::new(books.admin.clone())
        .create_device(CreateDeviceRequest { device })
        .await
        .unwrap();
    let device_id = created.into_inner().device.unwrap().id;
    let cli = Cli {
        device_id,
        number: number.to_owned(),
        domain: domain.to_owned(),
        ..Default::default()
    };
    let created = ClisServiceClient::new(books.admin.clone())
        .create_cli(CreateCliRequest { cli: Some(cli) })
        .await
        .unwrap();
    (device_id.unwrap(), created.into_inner().cli.unwrap().id())
}

/// A call of somebody whom nothing but a number names.
pub(crate) fn from(call_id: &str, source: &str) -> AuthorizeCallRequest {
    AuthorizeCallRequest {
        call_id: call_id.to_owned(),
        source: source.to_owned(),
        destination: "37061234567".to_owned(),
        ..Default::default()
    }
}

fn record(number: i64, source: &str) -> CallRecord {
    CallRecord {
        source: source.to_owned(),
        originator: String::new(),
        origination_point_id: 0,
        terminator: String::new(),
        termination_point_id: 0,
        ..call(number)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_known_by_number_or_domain_and_a_banned_one_is_refused() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let (device, cli) = device(&books, "37069000001", "phones.example").await;
        let answer = authorize(&books, from("by number", "+37069000001")).await;
        assert_eq!(answer.reject_code(), RejectCode::Unspecified, "{answer:?}");
        let ended = CallRecord {
            call_id: "by number".to_owned(),
            billsec_ms: Some(60_000),
            ..Default::default()
        };
        let ended = finish(&books, ended).await.unwrap().call.unwrap();
        assert_eq!((ended.originator_id, ended.origination_point_id), (6, device));
        let by_domain = AuthorizeCallRequest {
            source_domain: "Phones.Example".to_owned(),
            ..from("by domain", "anonymous")
        };
        assert_eq!(
            authorize(&books, by_domain.clone()).await.reject_code(),
            RejectCode::Unspecified
        );
        let unknown = authorize(&books, from("unknown", "37069000009")).await;
        assert_eq!(unknown.reject_code(), RejectCode::OriginatorNotFound);

        let request = UpdateCliRequest { id: Some(cli), banned: Some(true), ..Default::default() };
        ClisServiceClient::new(books.admin.clone()).update_cli(request).await.unwrap();
        for request in [from("banned", "37069000001"), by_domain] {
            assert_eq!(authorize(&books, request).await.reject_code(), RejectCode::CliBanned);
        }
        // Who is named otherwise may show the number, banned or not.
        let named =
            AuthorizeCallRequest { originator: "user6".to_owned(), ..from("named", "37069000001") };
        assert_eq!(authorize(&books, named).await.reject_code(), RejectCode::Unspecified);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_name_are_billed_to_the_device_of_the_calling_number() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let (device, _) = device(&books, "37069000001", "").await;
        let records = vec![record(1, "37069000001"), record(2, "37069000002"), record(3, "")];
        let taken = books.send(vec![records]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (1, 2), "{taken:?}");
        let stored = books.calls().await.remove(0);
        assert_eq!((stored.originator_id, stored.origination_point_id), (6, device));
        // Once the number is known, what was put aside is billed.
        let cli =
            Cli { device_id: Some(device), number: "37069000002".to_owned(), ..Default::default() };
        let mut clis = ClisServiceClient::new(books.admin.clone());
        clis.create_cli(CreateCliRequest { cli: Some(cli) }).await.unwrap();
        let taken = books.send(vec![vec![record(2, "37069000002")]]).await.unwrap();
        assert_eq!(taken.stored, 1, "{taken:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_of_other_callers_pays_for_those_whom_nobody_knows() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let (trunk, _) = device(&books, "37069000001", "").await;
        let (device, _) = device(&books, "37069000002", "").await;
        let origination =
            OriginationPoint { active: true, callers_by_cli: true, ..Default::default() };
        let point = ConnectionPoint {
            id: Some(trunk),
            origination: Some(origination),
            ..Default::default()
        };
        let request = UpdateConnectionPointRequest {
            connection_point: Some(point),
            update_mask: mask("origination"),
        };
        ConnectionPointsServiceClient::new(books.admin.clone())
            .update_connection_point(request)
            .await
            .unwrap();
        for (number, source, point) in [(1, "37069000002", device), (2, "37069000003", trunk)] {
            let request = AuthorizeCallRequest {
                origination_point_id: Some(trunk),
                ..from(&format!("live {number}"), source)
            };
            let answer = authorize(&books, request).await;
            assert_eq!(answer.reject_code(), RejectCode::Unspecified, "{answer:?}");
            let ended = CallRecord {
                call_id: format!("live {number}"),
                billsec_ms: Some(1_000),
                ..Default::default()
            };
            let ended = finish(&books, ended).await.unwrap().call.unwrap();
            assert_eq!(ended.origination_point_id, point);
            let brought = CallRecord { origination_point_id: trunk, ..record(number, source) };
            assert_eq!(books.send(vec![vec![brought]]).await.unwrap().stored, 1);
            let stored = books.calls().await;
            let stored = stored.iter().find(|stored| stored.call_id == format!("call-{number}"));
            assert_eq!(stored.unwrap().origination_point_id, point, "{source}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_make_of_numbers_is_told() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let (device, _) = device(&books, "37069000001", "").await;
        let mut rules = DeviceRulesServiceClient::new(books.admin.clone());
        let rule = NumberRule { name: "00".to_owned(), add: "00".to_owned(), ..Default::default() };
        let device_rule =
            Some(DeviceRule { device_id: Some(device), rule: Some(rule), ..Default::default() });
        let created = rules.create_device_rule(CreateDeviceRuleRequest { device_rule }).await;
        let id = created.unwrap().into_inner().device_rule.unwrap().id();
        let request = CheckDeviceRulesRequest {
            device_id: Some(device),
            source: "37060000001".to_owned(),
            destination: "37063011111".to_owned(),
            ..Default::default()
        };
        let told = rules.check_device_rules(request).await.unwrap().into_inner();
        assert_eq!(
            (told.source.as_str(), told.destination.as_str()),
            ("37060000001", "0037063011111")
        );
        assert_eq!(told.device_rule_ids, [id]);
    })
    .await;
}
