//! What other versions of Tollbook wrote, and what this one writes for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::PathBuf,
};

use flate2::read::GzDecoder;
use tollbook_proto::v1::{
    ApiAccess, ApiKey, ApiPermissionGroup, CallFileProfile, CallImportStart, ConnectionPoint,
    CreateApiKeyRequest, CreateApiPermissionGroupRequest, CreateDeviceRequest,
    CreateImportProfileRequest, DefaultUser, Device, ImportProfile, IngestCallsRequest,
    ListApiKeysRequest, ListApiPermissionGroupsRequest, ListCallImportsRequest, ListCallsRequest,
    ListConnectionPointsRequest, ListDevicesRequest, ListImportProfilesRequest,
    ListManagerGroupsRequest, ListRateImportsRequest, ListUsersRequest, ManagerGroup,
    OriginationPoint, OwnerSettings, RateCallRequest, RateFileProfile, Role, Settings,
    UndoCallImportRequest, UndoRateImportRequest, UpdateApiPermissionGroupRequest,
    UpdateConnectionPointRequest, UpdateDeviceRequest, UpdateImportProfileRequest,
    UpdateManagerGroupRequest, UpdateOwnerSettingsRequest, UpdateSettingsRequest,
    UpdateUserRequest, User, api_keys_service_client::ApiKeysServiceClient,
    api_permission_groups_service_client::ApiPermissionGroupsServiceClient,
    call_imports_service_client::CallImportsServiceClient,
    calls_service_client::CallsServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    devices_service_client::DevicesServiceClient, import_profile::Contents,
    import_profiles_service_client::ImportProfilesServiceClient,
    manager_groups_service_client::ManagerGroupsServiceClient,
    rating_service_client::RatingServiceClient, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::Books,
    contract::{decimal, mask},
    fill::Database,
    server::{Authorized, Backend, Data, Server, bearer},
};
use tonic::codegen::tokio_stream;

use crate::on_both;

/// Where texts are JSON objects of several versions. A new column of this kind must be here, and
/// changed by [`change_something`]; see docs/upgrading.md.
const JSON: &[&str] = &[
    "api_keys.profile",
    "call_imports.options",
    "api_permission_groups.profile",
    "connection_points.settings",
    "devices.settings",
    "import_profiles.contents",
    "lcrs.settings",
    "owner_settings.defaults",
    "provider_rules.settings",
    "providers.settings",
    "rate_imports.options",
    "settings.value",
    "users.profile",
];

/// Written once, and never read again but by people.
const LOGS: &[&str] = &["changes.after", "changes.before"];

/// The columns of texts.
async fn text_columns(database: &mut Database) -> Vec<String> {
    let sql = match database {
        Database::Sqlite(_) => {
            "SELECT t.name || '.' || c.name FROM sqlite_master t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND c.type = 'TEXT'"
        }
        Database::Postgres(_) => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns \
             WHERE table_schema = 'public' AND data_type IN ('text', 'json', 'jsonb')"
        }
    };
    database.texts(sql.to_owned()).await
}

/// The objects in a column.
async fn objects(database: &mut Database, column: &str) -> Vec<String> {
    let (table, column) = column.split_once('.').unwrap();
    let sql = format!("SELECT CAST({column} AS TEXT) FROM {table} WHERE {column} LIKE '{{%}}'");
    database.texts(sql).await
}

const LATER: &str = r#""ofLaterVersions":{"kept":[1,"two"]}"#;

/// Adds what only a later version knows to everything that is stored as JSON.
async fn add_what_is_unknown(database: &mut Database) {
    for column in JSON {
        let (table, column) = column.split_once('.').unwrap();
        let sql = format!(
            "UPDATE {table} SET {column} = '{{{LATER}' || CASE {column} WHEN '{{}}' THEN '' ELSE ',' \
             END || substr({column}, 2) WHERE {column} LIKE '{{%}}'"
        );
        database.run(sql).await;
    }
    let sql = "UPDATE manager_groups SET permissions = permissions || ',PERMISSION_OF_LATER'";
    database.run(sql.to_owned()).await;
}

/// Makes what [`Books`] has none of.
async fn make_the_rest(admin: &Authorized) {
    let methods = [("users_get".to_owned(), ApiAccess::Read.into())].into();
    let key = ApiKey { name: "portal".to_owned(), user_id: Some(0), methods, ..Default::default() };
    let mut keys = ApiKeysServiceClient::new(admin.clone());
    keys.create_api_key(CreateApiKeyRequest { api_key: Some(key) }).await.unwrap();
    let methods = [("users_get".to_owned(), ApiAccess::Read.into())].into();
    let group = ApiPermissionGroup { name: "robots".to_owned(), methods, ..Default::default() };
    let request = CreateApiPermissionGroupRequest { api_permission_group: Some(group) };
    let mut groups = ApiPermissionGroupsServiceClient::new(admin.clone());
    groups.create_api_permission_group(request).await.unwrap();
    let contents =
        Contents::Rates(RateFileProfile { separator: ";".to_owned(), ..Default::default() });
    let profile = ImportProfile {
        name: "carrier".to_owned(),
        contents: Some(contents),
        ..Default::default()
    };
    let request = CreateImportProfileRequest { import_profile: Some(profile) };
    ImportProfilesServiceClient::new(admin.clone()).create_import_profile(request).await.unwrap();
    let device = Device { user_id: Some(4), ..Default::default() };
    let request = CreateDeviceRequest { device: Some(device) };
    DevicesServiceClient::new(admin.clone()).create_device(request).await.unwrap();
    let options = Some(CallFileProfile { terminator: "bob".to_owned(), ..Default::default() });
    let import_start = Some(CallImportStart { options, ..Default::default() });
    let request = IngestCallsRequest { import_start, ..Default::default() };
    let stream = tokio_stream::iter([request]);
    CallsServiceClient::new(admin.clone()).ingest_calls(stream).await.unwrap();
    set_call_limit(admin, 3).await;
    crate::routing::make_routing(admin).await;
}

/// Changes something of the defaults of those who register.
async fn set_call_limit(admin: &Authorized, call_limit: i32) {
    let default_user = Some(DefaultUser { call_limit, ..Default::default() });
    let settings = OwnerSettings { default_user, ..Default::default() };
    let request = UpdateOwnerSettingsRequest {
        user_id: Some(0),
        settings: Some(settings),
        update_mask: mask("default_user.call_limit"),
        ..Default::default()
    };
    SettingsServiceClient::new(admin.clone()).update_owner_settings(request).await.unwrap();
}

/// Reads all of each kind, and changes something of what can be changed.
async fn change_something(admin: &Authorized) {
    let mut keys = ApiKeysServiceClient::new(admin.clone());
    let all = keys.list_api_keys(ListApiKeysRequest::default()).await.unwrap().into_inner();
    assert_eq!(all.api_keys[0].methods.len(), 1);

    let mut groups = ApiPermissionGroupsServiceClient::new(admin.clone());
    let all = groups
        .list_api_permission_groups(ListApiPermissionGroupsRequest::default())
        .await
        .unwrap()
        .into_inner();
    for group in all.api_permission_groups {
        assert_eq!(group.methods.len(), 1);
        let group = ApiPermissionGroup { description: "changed".to_owned(), ..group };
        let update_mask = mask("description");
        let request =
            UpdateApiPermissionGroupRequest { api_permission_group: Some(group), update_mask };
        groups.update_api_permission_group(request).await.unwrap();
    }

    let mut users = UsersServiceClient::new(admin.clone());
    let all = users.list_users(ListUsersRequest::default()).await.unwrap().into_inner().users;
    for id in all.iter().map(|user| user.id) {
        let user = User { id, comment: "changed".to_owned(), ..Default::default() };
        let update_mask = mask("comment");
        let request = UpdateUserRequest { user: Some(user), update_mask, ..Default::default() };
        let user = users.update_user(request).await.unwrap().into_inner().user.unwrap();
        assert_eq!(user.comment, "changed");
    }

    let mut points = ConnectionPointsServiceClient::new(admin.clone());
    let all = points.list_connection_points(ListConnectionPointsRequest::default()).await.unwrap();
    for point in all.into_inner().connection_points {
        let origination = OriginationPoint { tech_prefix: "99#".to_owned(), ..Default::default() };
        let changed =
            ConnectionPoint { id: point.id, origination: Some(origination), ..Default::default() };
        let path =
            if point.origination.is_some() { "origination.tech_prefix" } else { "description" };
        let request = UpdateConnectionPointRequest {
            connection_point: Some(changed),
            update_mask: mask(path),
        };
        points.update_connection_point(request).await.unwrap();
    }

    let mut profiles = ImportProfilesServiceClient::new(admin.clone());
    let all = profiles.list_import_profiles(ListImportProfilesRequest::default()).await.unwrap();
    for profile in all.into_inner().import_profiles {
        let Some(Contents::Rates(rates)) = profile.contents else { panic!("no rates") };
        assert_eq!(rates.separator, ";");
        let name = Some(format!("{} anew", profile.name));
        let request =
            UpdateImportProfileRequest { id: Some(profile.id), name, ..Default::default() };
        profiles.update_import_profile(request).await.unwrap();
    }

    let mut tariffs = TariffsServiceClient::new(admin.clone());
    let imports = tariffs.list_rate_imports(ListRateImportsRequest::default()).await.unwrap();
    let import = imports.into_inner().rate_imports.into_iter().find(|one| one.can_be_undone);
    let id = Some(import.unwrap().id);
    tariffs.undo_rate_import(UndoRateImportRequest { id, ..Default::default() }).await.unwrap();

    let mut imports = CallImportsServiceClient::new(admin.clone());
    let all = imports.list_call_imports(ListCallImportsRequest::default()).await.unwrap();
    let import = all.into_inner().call_imports.remove(0);
    assert_eq!(import.options.unwrap().terminator, "bob");
    let request = UndoCallImportRequest { id: Some(import.id), ..Default::default() };
    imports.undo_call_import(request).await.unwrap();

    let settings = Some(Settings { xml_api_extension: true, ..Default::default() });
    let update_mask = mask("xml_api_extension");
    let request = UpdateSettingsRequest { settings, update_mask, ..Default::default() };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();

    set_call_limit(admin, 4).await;
    crate::routing::change_what_is_kept(admin).await;
    let mut devices = DevicesServiceClient::new(admin.clone());
    let all = devices.list_devices(ListDevicesRequest::default()).await.unwrap().into_inner();
    let description = "changed".to_owned();
    let device = Device { id: all.devices[0].id, description, ..Default::default() };
    let request = UpdateDeviceRequest { device: Some(device), update_mask: mask("description") };
    devices.update_device(request).await.unwrap();

    let mut groups = ManagerGroupsServiceClient::new(admin.clone());
    let all = groups.list_manager_groups(ListManagerGroupsRequest::default()).await.unwrap();
    for group in all.into_inner().manager_groups {
        let group = ManagerGroup { comment: "changed".to_owned(), ..group };
        let request = UpdateManagerGroupRequest { manager_group: Some(group) };
        groups.update_manager_group(request).await.unwrap();
    }
}

/// Whoever goes back to this version, or runs it beside a later one, loses nothing of what
/// the later one stored.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_later_version_stored_is_kept_by_changes_of_something_else() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        make_the_rest(&books.admin).await;
        drop(books);
        let mut database = Database::open(&data).await;
        let mut found = BTreeSet::new();
        for column in text_columns(&mut database).await {
            if !objects(&mut database, &column).await.is_empty() {
                found.insert(column);
            }
        }
        let known = JSON.iter().chain(LOGS).map(|&column| column.to_owned()).collect();
        assert_eq!(found, known, "columns that hold JSON");

        let mut before = BTreeMap::new();
        add_what_is_unknown(&mut database).await;
        for column in JSON {
            before.insert(*column, objects(&mut database, column).await.len());
        }
        drop(database);

        let server = Server::start(&data);
        let admin = bearer(server.channel().await, &data.token(&["versions"]));
        change_something(&admin).await;
        drop(server);

        let mut database = Database::open(&data).await;
        for column in JSON {
            let after = objects(&mut database, column).await;
            let kept = after.iter().filter(|json| json.contains(LATER)).count();
            assert_eq!(kept, before[column], "{column}: {after:?}");
        }
        let permissions = "SELECT permissions FROM manager_groups WHERE comment = 'changed'";
        let permissions = database.texts(permissions.to_owned()).await;
        assert!(!permissions.is_empty());
        assert!(permissions.iter().all(|names| names.ends_with(",PERMISSION_OF_LATER")));
    })
    .await;
}

/// What `tollbook audit` says, and whether it found all well.
fn audit(data: &Data) -> (bool, String) {
    let output = data.command().arg("audit").output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.success(), said.concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_schema_is_worked_with_where_it_says_so_and_refused_where_not() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let password = server.admin_password.clone();
        drop(server);
        let mut database = Database::open(&data).await;
        let later = "ALTER TABLE users ADD COLUMN of_later_versions TEXT; \
                     INSERT INTO _sqlx_migrations \
                     (version, description, success, checksum, execution_time) \
                     SELECT 9999, 'later', TRUE, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        database.run(later.to_owned()).await;
        let server = Server::start(&data);
        let admin = server.log_in("admin", &password).await;
        UsersServiceClient::new(admin).list_users(ListUsersRequest::default()).await.unwrap();
        let (well, said) = audit(&data);
        assert!(well, "{said}");
        drop(server);

        let incompatible = "UPDATE schema_compatibility SET least_migration = 9998";
        database.run(incompatible.to_owned()).await;
        let said = Server::refuses_to_start(&data, "serve", &[]);
        for part in [
            "the database is of a later version, with migration 9999",
            "it is for versions that know migration 9998",
            "restore a backup",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let (well, said) = audit(&data);
        assert!(!well && said.contains("of a later version"), "{said}");
    })
    .await;
}

/// The database of a release, in the files of `tests/fixtures`.
async fn of_release(version: &str, backend: Backend) -> Option<Data> {
    let data = Data::new(backend)?;
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let unpacked = |name: String| {
        let file = std::fs::File::open(fixtures.join(name)).unwrap();
        let mut bytes = Vec::new();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes
    };
    if backend == Backend::Sqlite {
        let file = data.directory().join("tollbook.db");
        std::fs::write(file, unpacked(format!("{version}.sqlite.gz"))).unwrap();
    } else {
        let sql = unpacked(format!("{version}.postgres.sql.gz"));
        Database::open(&data).await.run(String::from_utf8(sql).unwrap()).await;
    }
    Some(data)
}

/// The migrations that a database has been given, and how many changes its log has.
async fn migrations(data: &Data) -> Vec<String> {
    let migrations = "SELECT CAST(version AS TEXT) || ' ' || CAST(installed_on AS TEXT) \
                      FROM _sqlx_migrations ORDER BY version";
    let mut database = Database::open(data).await;
    let mut all = database.texts(migrations.to_owned()).await;
    all.extend(database.texts("SELECT CAST(COUNT(*) AS TEXT) FROM changes".to_owned()).await);
    all
}

/// A release whose database is opened.
struct Release {
    version: &'static str,
    /// Ids, names or how they begin, and balances: of its demo and of a day of an operator.
    balances: &'static [(i64, &'static str, &'static str)],
    /// The customer of that day.
    client: usize,
}

const RELEASE_0_1_0: Release = Release {
    version: "0.1.0",
    balances: &[
        (0, "admin", "0"),
        (1, "manager1", "0"),
        (2, "acme", "105"),
        (3, "globex", "2902.42307042493137"),
        (4, "initech", "108.29244673983215"),
        (5, "carrier", "1.862533333333332"),
        (6, "client-", "39.56037582647025"),
        (7, "carrier-", "6.26377450411785"),
    ],
    client: 6,
};

/// Tariff, number, and the rate and price of a minute in the tariff's currency.
const PRICES: &[(i64, &str, &str, &str, &str)] = &[
    (1, "37061234567", "0.12", "0.12", "USD"),
    (1, "37051234567", "0.035", "0.035", "USD"),
    (2, "447700900123", "0.031", "0.031", "USD"),
    (3, "37061234567", "0.6", "0.6", "EUR"),
];

async fn users_are_as_before(books: &Books, release: &Release) {
    let mut users = UsersServiceClient::new(books.admin.clone());
    let all = users.list_users(ListUsersRequest::default()).await.unwrap().into_inner().users;
    assert_eq!(all.len(), release.balances.len());
    for (user, (id, name, balance)) in all.iter().zip(release.balances) {
        assert_eq!(user.id, Some(*id));
        assert!(user.username.starts_with(name), "{}", user.username);
        assert_eq!(user.balance.as_ref().unwrap().value, *balance, "{name}");
        assert_eq!(books.balance(*id).await, *balance, "{name}");
    }
    assert_eq!(all[1].role(), Role::Manager);
    let tax = &all[2].taxes.as_ref().unwrap().taxes[0];
    assert_eq!((&*tax.name, &*tax.percent.as_ref().unwrap().value), ("VAT", "18"));
    assert_eq!(all[2].responsible_manager_id, 1);
    let client = &all[release.client];
    assert_eq!(client.comment, "Rome & Sons: <first>");
    assert_eq!((client.postpaid, client.tariff_id), (false, 3));
}

async fn rates_are_as_before(books: &Books) {
    for (tariff, number, rate, price, currency) in PRICES {
        let request = RateCallRequest {
            number: (*number).to_owned(),
            duration: decimal("60"),
            tariff_id: Some(*tariff),
            ..Default::default()
        };
        let mut rating = RatingServiceClient::new(books.admin.clone());
        let leg = rating.rate_call(request).await.unwrap().into_inner().price.unwrap();
        let said = (leg.rate.unwrap().value, leg.price.unwrap().value, leg.currency);
        let expected = (*rate, *price, *currency);
        assert_eq!((&*said.0, &*said.1, &*said.2), expected, "{number} by tariff {tariff}");
    }
}

async fn calls_are_as_before(books: &Books) {
    let request = ListCallsRequest { page_size: 1000, ..Default::default() };
    let mut client = CallsServiceClient::new(books.admin.clone());
    let all = client.list_calls(request).await.unwrap().into_inner().calls;
    assert_eq!(all.len(), 34);
    let price = |id: &str| {
        let call = all
            .iter()
            .find(|call| call.call_id == id || id == "day-" && call.call_id.starts_with(id));
        let call = call.unwrap();
        let leg = call.price.as_ref().unwrap();
        leg.amount.as_ref().unwrap().value.clone()
    };
    assert_eq!(all.iter().filter(|call| call.call_id.starts_with("day-")).count(), 10);
    for (id, expected) in [
        ("demo-1", "0.0183"),
        ("demo-2", "0.0915"),
        ("demo-4", "0.122"),
        ("day-", "1.043962417352975"),
    ] {
        assert_eq!(price(id), expected, "{id}");
    }
    let points = ListConnectionPointsRequest::default();
    let mut client = ConnectionPointsServiceClient::new(books.admin.clone());
    let points = client.list_connection_points(points).await.unwrap().into_inner();
    let addresses = points.connection_points.iter().map(|point| &*point.address);
    assert_eq!(addresses.collect::<Vec<_>>(), ["192.0.2.3", "192.0.2.5"]);
}

/// Users log in as before, and the API key opens what it did.
async fn access_is_as_before(books: &Books) {
    books.server.log_in("admin", "admin1").await;
    books.server.log_in("acme", "acme-demo").await;
    let said = books.server.legacy("user_balance_get", &[("username", "acme")], "acme").await;
    assert!(said.contains("105"), "{said}");
    let mut keys = ApiKeysServiceClient::new(books.admin.clone());
    let keys = keys.list_api_keys(ListApiKeysRequest::default()).await.unwrap().into_inner();
    assert_eq!((&*keys.api_keys[0].name, keys.api_keys[0].user_id), ("portal", Some(2)));
}

/// Opens the database of a release twice: nothing is lost, and the second start has nothing to do. Returns
/// how many migrations there were before, and after.
async fn opened_twice(data: &Data, release: &Release) -> (usize, usize) {
    let of_then = migrations(data).await;
    let open = async || {
        let server = Server::start(data);
        assert!(server.admin_password.is_empty(), "it is no new database");
        let admin = bearer(server.channel().await, "tb_demo");
        Books { server, admin, token: "tb_demo".to_owned() }
    };
    let books = open().await;
    users_are_as_before(&books, release).await;
    rates_are_as_before(&books).await;
    calls_are_as_before(&books).await;
    books.check(34).await;
    drop(books);
    let of_today = migrations(data).await;
    assert!(of_today.starts_with(&of_then[..of_then.len() - 1]));

    let books = open().await;
    users_are_as_before(&books, release).await;
    let again = migrations(data).await;
    assert_eq!(again, of_today);
    assert_eq!(again.last(), of_then.last(), "the audit log says of no change");
    access_is_as_before(&books).await;
    drop(books);
    let (well, said) = audit(data);
    assert!(well, "{said}");
    (of_then.len(), of_today.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_0_1_0_is_brought_up_to_date_once_and_says_what_it_said() {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(data) = of_release(RELEASE_0_1_0.version, backend).await else { continue };
        println!("on {backend:?}");
        let (then, today) = opened_twice(&data, &RELEASE_0_1_0).await;
        assert!(today > then);
    }
}
