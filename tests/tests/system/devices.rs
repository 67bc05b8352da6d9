//! Devices and registration: what is of an owner, what is not left half done, and what is limited.

use tollbook_proto::v1::{
    Address, CreateDeviceRequest, CreateTariffRequest, DefaultDevice, DefaultUser,
    DeleteConnectionPointRequest, Device, DeviceType, GetBalanceRequest, GetConnectionPointRequest,
    GetDeviceRequest, GetUserRequest, ListDevicesRequest, ListUsersRequest, OwnerSettings,
    RegisterUserRequest, RotateUniquehashRequest, Settings, Tariff, UpdateDeviceRequest,
    UpdateOwnerSettingsRequest, UpdateSettingsRequest,
    accounts_service_client::AccountsServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    devices_service_client::DevicesServiceClient, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{Fixture, decimal, mask},
    legacy_hash,
    server::{Authorized, SECRET, Server},
};
use tonic::Code;

use crate::on_both;

/// A server of MOR with its resellers and devices.
async fn open(data: &tollbook_tests::server::Data) -> (Server, Authorized) {
    let server = Server::start_for(data, Dialect::Mor);
    let fixture = Fixture::fill_for(&server, Dialect::Mor).await;
    fixture.fill_devices(false).await;
    fixture.settings(SECRET, &std::collections::BTreeMap::new()).await;
    let admin = server.admin().await;
    (server, admin)
}

/// Somebody who registers with the admin.
pub(crate) fn registration(username: &str) -> RegisterUserRequest {
    let address =
        Address { email: format!("{username}@example.org"), direction_id: 1, ..Default::default() };
    let mut request = RegisterUserRequest {
        username: username.to_owned(),
        password: "long enough".to_owned(),
        first_name: "Nina".to_owned(),
        last_name: "Nova".to_owned(),
        address: Some(address),
        ..Default::default()
    };
    request.set_device_type(DeviceType::Sip);
    request
}

async fn set(admin: &Authorized, owner: i64, settings: OwnerSettings, path: &str) {
    let request = UpdateOwnerSettingsRequest {
        user_id: Some(owner),
        settings: Some(settings),
        update_mask: mask(path),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_owner_settings(request).await.unwrap();
}

async fn device(admin: &Authorized, username: &str) -> Device {
    let request = GetDeviceRequest {
        username: username.to_owned(),
        with_credentials: true,
        ..Default::default()
    };
    let response = DevicesServiceClient::new(admin.clone()).get_device(request).await;
    response.unwrap().into_inner().device.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_user_has_what_the_owner_gives_and_a_device_that_works() {
    on_both(|data| async move {
        let (_server, admin) = open(&data).await;
        let default_user = DefaultUser {
            balance: decimal("2.50"),
            credit: decimal("10"),
            postpaid: true,
            call_limit: 3,
            time_zone: "America/Halifax".to_owned(),
            allow_loss_calls: true,
            ..Default::default()
        };
        let default_device = DefaultDevice {
            call_limit: 2,
            server_address: "sip.example.org".to_owned(),
            ..Default::default()
        };
        let settings = OwnerSettings {
            default_user: Some(default_user),
            default_device: Some(default_device),
            ..Default::default()
        };
        set(&admin, 128, settings.clone(), "default_user").await;
        set(&admin, 128, settings, "default_device").await;
        let request = RegisterUserRequest {
            owner_uniquehash: "phoneOfUser128".to_owned(),
            ..registration("nina")
        };
        let mut users = UsersServiceClient::new(admin.clone());
        let registered = users.register_user(request).await.unwrap().into_inner();
        assert_eq!(registered.server_address, "sip.example.org");
        let request = GetUserRequest { id: Some(registered.user_id), ..Default::default() };
        let user = users.get_user(request).await.unwrap().into_inner().user.unwrap();
        assert_eq!((user.owner_id, user.call_limit, user.postpaid), (128, 3, true));
        assert_eq!(user.time_zone, "America/Halifax");
        assert!(user.loss_protection.unwrap().allow_loss_calls);
        assert_eq!(user.balance, decimal("2.5"));

        let own = registered.device.unwrap();
        assert_eq!((own.call_limit(), own.primary, own.password.len()), (2, true, 16));
        let request =
            GetBalanceRequest { device_password: own.password.clone(), ..Default::default() };
        let mut accounts = AccountsServiceClient::new(admin.clone());
        let found = accounts.get_balance(request).await.unwrap().into_inner();
        assert_eq!(found.user_id, registered.user_id);
        let request = GetConnectionPointRequest { id: own.id };
        let mut points = ConnectionPointsServiceClient::new(admin.clone());
        let point = points.get_connection_point(request).await.unwrap().into_inner();
        assert!(point.connection_point.unwrap().origination.unwrap().active);

        // With a point its device goes.
        let request = DeleteConnectionPointRequest { id: own.id };
        points.delete_connection_point(request).await.unwrap();
        let request = GetDeviceRequest { id: own.id, ..Default::default() };
        let gone = DevicesServiceClient::new(admin).get_device(request).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_device_or_its_point_leaves_the_rest() {
    on_both(|data| async move {
        let (_server, admin) = open(&data).await;
        let mut devices = DevicesServiceClient::new(admin.clone());
        let before = device(&admin, "1001").await;
        let change = Device { id: before.id, call_limit: Some(7), ..Default::default() };
        let request = UpdateDeviceRequest { device: Some(change), update_mask: mask("call_limit") };
        devices.update_device(request).await.unwrap();
        let after = device(&admin, "1001").await;
        assert_eq!(after, Device { call_limit: Some(7), ..before.clone() });

        // Names and PINs are of one device alone; passwords are not.
        let taken = |device: Device| CreateDeviceRequest { device: Some(device) };
        let other = Device { user_id: Some(5), ..Default::default() };
        let named = Device { username: "1001".to_owned(), ..other.clone() };
        let refused = devices.create_device(taken(named)).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        let with_pin = Device { pin: before.pin.clone(), ..other.clone() };
        let refused = devices.create_device(taken(with_pin)).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        let same = Device { password: before.password.clone(), ..other };
        devices.create_device(taken(same)).await.unwrap();
        let request = GetBalanceRequest { device_password: before.password, ..Default::default() };
        let ambiguous = AccountsServiceClient::new(admin.clone()).get_balance(request).await;
        assert_eq!(ambiguous.unwrap_err().code(), Code::NotFound);

        // Nobody is shown credentials who has not asked.
        let listed = devices.list_devices(ListDevicesRequest::default()).await.unwrap();
        let listed = listed.into_inner().devices;
        assert_eq!(listed.len(), 5);
        assert!(listed.iter().all(|device| device.password.is_empty() && device.pin.is_none()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_says_whether_his_devices_may_ask_for_balances() {
    on_both(|data| async move {
        let (server, admin) = open(&data).await;
        let asked = |name: &'static str| {
            let url = server.url(&format!("user_balance_get_by_username/{name}"));
            async move { reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap() }
        };
        assert!(asked("2001").await.contains("<balance>0.0000</balance>"));
        set(&admin, 124, OwnerSettings::default(), "balance_over_http").await;
        assert!(asked("2001").await.contains("<error>Feature disabled</error>"));
        assert!(asked("2002").await.contains("<balance>0.0000</balance>"));
        assert!(asked("1001").await.contains("<balance>66.0000</balance>"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_of_one_address_are_limited_and_leave_nothing_half_done() {
    on_both(|data| async move {
        let (server, admin) = open(&data).await;
        let count = || async {
            let request = ListUsersRequest { page_size: 1000, ..Default::default() };
            let listed = UsersServiceClient::new(admin.clone()).list_users(request).await;
            listed.unwrap().into_inner().users.len()
        };
        let devices = || async {
            let request = ListDevicesRequest { page_size: 1000, ..Default::default() };
            let listed = DevicesServiceClient::new(admin.clone()).list_devices(request).await;
            listed.unwrap().into_inner().devices.len()
        };
        let before = (count().await, devices().await);
        let (mut registered, mut busy) = (0, 0);
        for number in 0..75 {
            let username = format!("newcomer{number}");
            let email = format!("{username}@example.org");
            let hash = legacy_hash(format!("{email}SIP{username}NinaNova"), SECRET);
            let form = [
                ("email", email.as_str()),
                ("device_type", "SIP"),
                ("username", &username),
                ("first_name", "Nina"),
                ("last_name", "Nova"),
                ("password", "long enough"),
                ("password2", "long enough"),
                ("country_id", "1"),
                ("hash", &hash),
            ];
            let request = reqwest::Client::new().post(server.url("user_register")).form(&form);
            let answer = request.send().await.unwrap();
            match answer.status().as_u16() {
                200 => registered += 1,
                503 => busy += 1,
                status => panic!("{status}"),
            }
        }
        assert!((60..70).contains(&registered) && busy > 5, "{registered} {busy}");
        assert_eq!(
            (count().await, devices().await),
            (before.0 + registered, before.1 + registered)
        );
        // Whoever calls with a credential of his own is not counted.
        UsersServiceClient::new(admin.clone()).register_user(registration("last")).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_no_longer_be_given_is_given_to_nobody_who_registers() {
    on_both(|data| async move {
        let (_server, admin) = open(&data).await;
        let tariff = Tariff { name: "shared".to_owned(), ..Default::default() };
        let request = CreateTariffRequest { tariff: Some(tariff) };
        let mut tariffs = TariffsServiceClient::new(admin.clone());
        let tariff = tariffs.create_tariff(request).await.unwrap().into_inner().tariff.unwrap();
        share_tariffs(&admin, true).await;
        let default_user = DefaultUser { tariff_id: tariff.id, ..Default::default() };
        let settings = OwnerSettings { default_user: Some(default_user), ..Default::default() };
        set(&admin, 124, settings, "default_user").await;
        let mut users = UsersServiceClient::new(admin.clone());
        let rotate = RotateUniquehashRequest { id: Some(124), ..Default::default() };
        let uniquehash = users.rotate_uniquehash(rotate).await.unwrap().into_inner().uniquehash;
        let with_rita = |username: &str| RegisterUserRequest {
            owner_uniquehash: uniquehash.clone(),
            ..registration(username)
        };
        users.register_user(with_rita("early")).await.unwrap();

        share_tariffs(&admin, false).await;
        let refused = users.register_user(with_rita("late")).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
        let late = GetUserRequest { username: "late".to_owned(), ..Default::default() };
        assert_eq!(users.get_user(late).await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

async fn share_tariffs(admin: &Authorized, resellers_use_admin_tariffs: bool) {
    let request = UpdateSettingsRequest {
        settings: Some(Settings { resellers_use_admin_tariffs, ..Default::default() }),
        update_mask: mask("resellers_use_admin_tariffs"),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
}
