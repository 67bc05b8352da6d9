//! What the credentials of devices tell whom, how many devices there may be, and what stays of a
//! device or a registration where the answer is lost.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AuthorizeCallRequest, CreateAccessTokenRequest, CreateDeviceRequest, Device, GetBalanceRequest,
    GetDeviceRequest, ListDevicesRequest, ListUsersRequest, RegisterUserRequest, RejectCode,
    Settings, UpdateDeviceRequest, UpdateSettingsRequest,
    access_tokens_service_client::AccessTokensServiceClient,
    accounts_service_client::AccountsServiceClient, devices_service_client::DevicesServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    settings_service_client::SettingsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{Fixture, mask},
    fill::Database,
    legacy_hash,
    proxy::{Proxy, Way},
    server::{Authorized, Backend, Data, SECRET, Server, bearer},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{devices::registration, on_both};

/// A server of MOR with its resellers and devices, of which 2001 is that of rita's user 126 and 2002 that
/// of sam's user 127.
async fn open(data: &Data, environment: &[(&str, &str)]) -> (Server, Authorized) {
    let environment = [&[("TOLLBOOK_DIALECT", "mor")][..], environment].concat();
    let server = Server::start_part(data, "serve", &environment);
    let fixture = Fixture::fill_for(&server, Dialect::Mor).await;
    fixture.fill_devices(false).await;
    fixture.settings(SECRET, &std::collections::BTreeMap::new()).await;
    let admin = bearer(server.channel().await, &data.token(&["credentials"]));
    (server, admin)
}

/// A user by a token of his own.
async fn token_of(server: &Server, admin: &Authorized, id: i64) -> Authorized {
    let request = CreateAccessTokenRequest {
        user_id: Some(id),
        name: "his own".to_owned(),
        ..Default::default()
    };
    let mut tokens = AccessTokensServiceClient::new(admin.clone());
    let created = tokens.create_access_token(request).await.unwrap().into_inner();
    bearer(server.channel().await, &created.secret)
}

async fn create(caller: &Authorized, device: Device) -> Result<Device, Status> {
    let request = CreateDeviceRequest { device: Some(device) };
    let created = DevicesServiceClient::new(caller.clone()).create_device(request).await?;
    Ok(created.into_inner().device.unwrap())
}

async fn device(admin: &Authorized, username: &str) -> Device {
    let username = username.to_owned();
    let request = GetDeviceRequest { username, with_credentials: true, ..Default::default() };
    let response = DevicesServiceClient::new(admin.clone()).get_device(request).await;
    response.unwrap().into_inner().device.unwrap()
}

fn reason<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    result.unwrap_err().get_details_error_info().unwrap().reason
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_one_owners_and_tells_nothing_of_anothers() {
    on_both(|data| async move {
        let (server, admin) = open(&data, &[]).await;
        let rita = token_of(&server, &admin, 124).await;
        let (own, foreign) = (device(&admin, "2001").await, device(&admin, "2002").await);
        let with_pin = |pin: &Option<String>| Device {
            user_id: Some(126),
            pin: pin.clone(),
            ..Device::default()
        };
        assert_eq!(reason(create(&rita, with_pin(&own.pin)).await), "PIN_TAKEN");
        // Of sam's she hears nothing, and both have theirs.
        let created = create(&rita, with_pin(&foreign.pin)).await.unwrap();
        assert_eq!(created.pin, foreign.pin);
        assert_eq!(device(&admin, "2002").await.pin, foreign.pin);
        let change = Device { id: created.id, pin: own.pin.clone(), ..Default::default() };
        let request = UpdateDeviceRequest { device: Some(change), update_mask: mask("pin") };
        let changed = DevicesServiceClient::new(rita).update_device(request).await;
        assert_eq!(reason(changed), "PIN_TAKEN");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_names_and_passwords_of_others_is_not_listened_to() {
    on_both(|data| async move {
        let (server, admin) = open(&data, &[]).await;
        let (rita, sam) =
            (token_of(&server, &admin, 124).await, token_of(&server, &admin, 125).await);
        let foreign = device(&admin, "1002").await;
        let named = |user_id: i64, username: &str| Device {
            user_id: Some(user_id),
            username: username.to_owned(),
            ..Default::default()
        };
        let mut told = Vec::new();
        for number in 0..12 {
            let device = match number % 2 {
                0 => named(126, "1001"),
                _ => Device { password: foreign.password.clone(), ..named(126, "") },
            };
            told.push(create(&rita, device).await.map_err(|status| status.code()).err());
        }
        let (taken, busy) = (Some(Code::AlreadyExists), Some(Code::Unavailable));
        assert_eq!(told[..10], [[taken, None]; 5].concat());
        assert_eq!(told[10..], [busy, busy]);
        // What is made up is nobody's, and others may choose.
        create(&rita, Device { user_id: Some(126), ..Default::default() }).await.unwrap();
        create(&sam, named(127, "sams-phone")).await.unwrap();
        // Their own they may see, and so may try.
        for _ in 0..15 {
            assert_eq!(reason(create(&sam, named(127, "2002")).await), "DEVICE_USERNAME_TAKEN");
        }
        for _ in 0..15 {
            assert_eq!(reason(create(&admin, named(4, "1001")).await), "DEVICE_USERNAME_TAKEN");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_of_one_user_may_share_a_password_and_are_so_many() {
    on_both(|data| async move {
        let (_server, admin) = open(&data, &[]).await;
        let password = device(&admin, "1001").await.password;
        let shared = Device { user_id: Some(4), password: password.clone(), ..Default::default() };
        create(&admin, shared.clone()).await.unwrap();
        let request = GetBalanceRequest { device_password: password, ..Default::default() };
        let found = AccountsServiceClient::new(admin.clone()).get_balance(request).await;
        assert_eq!(found.unwrap().into_inner().user_id, 4);

        let settings = Settings { devices_per_user: 4, ..Default::default() };
        let request = UpdateSettingsRequest {
            settings: Some(settings),
            update_mask: mask("devices_per_user"),
            ..Default::default()
        };
        SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();
        create(&admin, shared.clone()).await.unwrap();
        assert_eq!(reason(create(&admin, shared.clone()).await), "TOO_MANY_DEVICES");
        create(&admin, Device { user_id: Some(5), ..shared }).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_users_device_asks_in_vain() {
    on_both(|data| async move {
        let (mut server, _) = open(&data, &[]).await;
        let asked = |server: &Server| {
            let url = server.url("user_balance_get_by_username/2001");
            async move { reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap() }
        };
        let answer = asked(&server).await;
        assert!(answer.contains("<balance>0.0000</balance>"), "{answer}");
        server.stop();
        // As no request leaves it: his points go with him.
        let mut database = Database::open(&data).await;
        database.run("UPDATE users SET deleted_at = 1 WHERE id = 126".to_owned()).await;
        database.close();
        let server = Server::start_for(&data, Dialect::Mor);
        let answer = asked(&server).await;
        assert!(answer.contains("User was not found"), "{answer}");
    })
    .await;
}

/// The form of a registration over the legacy API.
fn form(username: &str, country: &str) -> Vec<(&'static str, String)> {
    let email = format!("{username}@example.org");
    let hash = legacy_hash(format!("{email}SIP{username}NinaNova"), SECRET);
    [
        ("email", email.as_str()),
        ("device_type", "SIP"),
        ("username", username),
        ("first_name", "Nina"),
        ("last_name", "Nova"),
        ("password", "long enough"),
        ("password2", "long enough"),
        ("country_id", country),
        ("hash", &hash),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_that_are_refused_count_as_well() {
    on_both(|data| async move {
        let (server, _admin) = open(&data, &[]).await;
        let (mut refused, mut busy) = (0, 0);
        for number in 0..75 {
            // Alternately a name that is taken, and a country that is none.
            let form = if number % 2 == 0 { form("alice", "1") } else { form("nina", "0") };
            let request = reqwest::Client::new().post(server.url("user_register")).form(&form);
            match request.send().await.unwrap().status().as_u16() {
                200 => refused += 1,
                503 => busy += 1,
                status => panic!("{status}"),
            }
        }
        assert!((60..70).contains(&refused) && busy > 5, "{refused} {busy}");
    })
    .await;
}

async fn devices_of(admin: &Authorized) -> Vec<Device> {
    let request = ListDevicesRequest { page_size: 1000, ..Default::default() };
    let listed = DevicesServiceClient::new(admin.clone()).list_devices(request).await;
    listed.unwrap().into_inner().devices
}

async fn usernames(admin: &Authorized) -> Vec<(String, i64)> {
    let request = ListUsersRequest { page_size: 1000, ..Default::default() };
    let listed = UsersServiceClient::new(admin.clone()).list_users(request).await.unwrap();
    listed.into_inner().users.into_iter().map(|user| (user.username.clone(), user.id())).collect()
}

/// Each newcomer is there once, with one device, and nobody else is.
async fn check_whole(admin: &Authorized, acknowledged: &[String]) {
    let newcomers: Vec<_> = usernames(admin)
        .await
        .into_iter()
        .filter(|(username, _)| username.starts_with("newcomer"))
        .collect();
    let devices = devices_of(admin).await;
    for (username, id) in &newcomers {
        let own = devices.iter().filter(|device| device.user_id() == *id).count();
        assert_eq!(own, 1, "{username}");
    }
    for username in acknowledged {
        let found = newcomers.iter().filter(|(known, _)| known == username).count();
        assert_eq!(found, 1, "{username} was told that he is registered");
    }
    let ids: std::collections::HashSet<_> = newcomers.iter().map(|(_, id)| *id).collect();
    let orphans = devices.iter().filter(|device| device.user_id() > 129);
    assert!(orphans.clone().all(|device| ids.contains(&device.user_id())));
}

async fn register(admin: &Authorized, number: usize) -> Result<String, Status> {
    let username = format!("newcomer{number}");
    let request: RegisterUserRequest = registration(&username);
    UsersServiceClient::new(admin.clone()).register_user(request).await?;
    Ok(username)
}

/// kill -9 among registrations: whoever was told so is registered, with a device, and nobody by half.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_whole_or_not_there_after_a_kill() {
    on_both(|data| async move {
        let (mut server, admin) = open(&data, &[]).await;
        let mut tasks = JoinSet::new();
        for number in 0..60 {
            let admin = admin.clone();
            tasks.spawn(async move { register(&admin, number).await });
        }
        let mut acknowledged = Vec::new();
        while acknowledged.len() < 10 {
            acknowledged.extend(tasks.join_next().await.unwrap().unwrap());
        }
        server.kill();
        while let Some(done) = tasks.join_next().await {
            acknowledged.extend(done.unwrap());
        }
        let server = Server::start_for(&data, Dialect::Mor);
        let admin = bearer(server.channel().await, &data.token(&["after"]));
        check_whole(&admin, &acknowledged).await;
    })
    .await;
}

/// Clients that hang up in the middle leave nothing half done, and nothing locked.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_leaves_nothing_half_done() {
    on_both(|data| async move {
        let (_server, admin) = open(&data, &[]).await;
        for number in 0..30 {
            let begun = register(&admin, number);
            let patience = Duration::from_millis(u64::try_from(number).unwrap() * 3);
            drop(tokio::time::timeout(patience, begun).await);
            let device = Device { user_id: Some(5), ..Default::default() };
            drop(tokio::time::timeout(patience, create(&admin, device)).await);
        }
        let begun = Instant::now();
        let last = register(&admin, 1_000).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        check_whole(&admin, &[last]).await;
    })
    .await;
}

/// What was committed is answered as done though the answer to COMMIT was lost; what was not is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_commit_doubles_nothing() {
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let proxy = Proxy::start(postgres.directory().to_owned());
    let url = proxy.url(data.database_url().unwrap());
    let (_server, admin) = open(&data, &[("TOLLBOOK_DATABASE_URL", url.as_str())]).await;
    let before = devices_of(&admin).await.len();
    let (mut acknowledged, mut made) = (Vec::new(), 0);
    for number in 0..12 {
        proxy.set(if number % 2 == 0 { Way::LosesCommits } else { Way::Open });
        let registered = tokio::time::timeout(Duration::from_secs(3), register(&admin, number));
        acknowledged.extend(registered.await.ok().and_then(Result::ok));
        proxy.set(if number % 3 == 0 { Way::LosesCommits } else { Way::Open });
        let device = Device { user_id: Some(5), ..Default::default() };
        let created = tokio::time::timeout(Duration::from_secs(3), create(&admin, device)).await;
        made += usize::from(created.is_ok_and(|created| created.is_ok()));
        proxy.set(Way::Open);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    println!("{} of 12 users and {made} of 12 devices were acknowledged", acknowledged.len());
    assert!(acknowledged.len() >= 6 && made >= 6);
    check_whole(&admin, &acknowledged).await;
    let own = devices_of(&admin).await.len() - before;
    let users = usernames(&admin).await;
    let users = users.iter().filter(|(name, _)| name.starts_with("newcomer")).count();
    assert!(own - users >= made && own - users <= 12, "{own} devices, {users} users, {made} made");
}

/// Among 200,000 devices one is found as fast as among few; run by hand:
/// `cargo test -p tollbook-tests --test system credentials::among -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; prints what it measures"]
async fn among_200_000_devices() {
    const DEVICES: usize = 200_000;
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(data) = Data::new(backend) else { continue };
        let (mut server, admin) = open(&data, &[]).await;
        let first = devices_of(&admin).await[0].id();
        server.stop();
        let mut database = Database::open(&data).await;
        let settings = r#"'{"origination":{},"address":"10.' || (i / 65536) || '.' ||
            (i / 256 % 256) || '.' || (i % 256) || '"}'"#;
        let point = [("id", "100000 + i"), ("user_id", "6 + i % 100"), ("settings", settings)];
        let condition = format!("id = {first}");
        database.multiply("connection_points", &condition, DEVICES, &point).await;
        let device = [
            ("point_id", "100000 + i"),
            ("username", "'many' || i"),
            ("password_digest", "'digest' || i"),
            ("pin_digest", "'pin' || i"),
        ];
        let condition = format!("point_id = {first}");
        database.multiply("devices", &condition, DEVICES, &device).await;
        let cli = [("id", "100000 + i"), ("point_id", "100000 + i"), ("number", "'37069' || i")];
        database.multiply("clis", &condition, DEVICES, &cli).await;
        database.close();
        let begun = Instant::now();
        let server = Server::start_for(&data, Dialect::Mor);
        println!("{backend:?}: started after {:?}", begun.elapsed());
        let admin = bearer(server.channel().await, &data.token(&["many"]));
        let mut accounts = AccountsServiceClient::new(admin.clone());
        for (what, request) in [
            (
                "by name",
                GetBalanceRequest { device_username: "many99999".to_owned(), ..Default::default() },
            ),
            (
                "by password",
                GetBalanceRequest {
                    device_password: "alicesPhone99".to_owned(),
                    ..Default::default()
                },
            ),
        ] {
            let begun = Instant::now();
            for _ in 0..1_000 {
                accounts.get_balance(request.clone()).await.unwrap();
            }
            println!("{backend:?}: {what} in {:?}", begun.elapsed() / 1_000);
        }
        let mut live = LiveCallsServiceClient::new(admin.clone());
        for (what, source_address, source) in
            [("by address", "10.1.134.159", ""), ("by CLI", "", "3706999999")]
        {
            let begun = Instant::now();
            for number in 0..1_000 {
                let request = AuthorizeCallRequest {
                    call_id: format!("call {number}"),
                    source_address: source_address.to_owned(),
                    source: source.to_owned(),
                    destination: "37060000000".to_owned(),
                    ..Default::default()
                };
                let answer = live.authorize_call(request).await.unwrap().into_inner();
                // It is known: what is wrong is wrong with its user's tariff, not with where it comes from.
                assert_ne!(answer.reject_code(), RejectCode::OriginatorNotFound, "{answer:?}");
            }
            println!("{backend:?}: {what} in {:?}", begun.elapsed() / 1_000);
        }
        let begun = Instant::now();
        create(&admin, Device { user_id: Some(5), ..Default::default() }).await.unwrap();
        println!("{backend:?}: one more made in {:?}", begun.elapsed());
    }
}
