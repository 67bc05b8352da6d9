//! What other versions of Tollbook wrote, and what this one writes for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::PathBuf,
};

use flate2::read::GzDecoder;
use tollbook_proto::v1::{
    ApiAccess, ApiKey, ConnectionPoint, CreateApiKeyRequest, CreateImportProfileRequest,
    ImportProfile, ListApiKeysRequest, ListConnectionPointsRequest, ListImportProfilesRequest,
    ListManagerGroupsRequest, ListRateImportsRequest, ListUsersRequest, ManagerGroup,
    OriginationPoint, RateFileProfile, Settings, UndoRateImportRequest,
    UpdateConnectionPointRequest, UpdateImportProfileRequest, UpdateManagerGroupRequest,
    UpdateSettingsRequest, UpdateUserRequest, User, api_keys_service_client::ApiKeysServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient, import_profile::Contents,
    import_profiles_service_client::ImportProfilesServiceClient,
    manager_groups_service_client::ManagerGroupsServiceClient,
    settings_service_client::SettingsServiceClient, tariffs_service_client::TariffsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::Books,
    contract::mask,
    fill::Database,
    server::{Authorized, Backend, Data, Server, bearer},
};

use crate::on_both;

/// Where texts are JSON objects of several versions. A new column of this kind must be here, and
/// changed by [`change_something`]; see docs/upgrading.md.
const JSON: &[&str] = &[
    "api_keys.profile",
    "connection_points.settings",
    "import_profiles.contents",
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
    let methods = [("user_get".to_owned(), ApiAccess::Read.into())].into();
    let key = ApiKey { name: "portal".to_owned(), user_id: Some(0), methods, ..Default::default() };
    let mut keys = ApiKeysServiceClient::new(admin.clone());
    keys.create_api_key(CreateApiKeyRequest { api_key: Some(key) }).await.unwrap();
    let contents =
        Contents::Rates(RateFileProfile { separator: ";".to_owned(), ..Default::default() });
    let profile = ImportProfile {
        name: "carrier".to_owned(),
        contents: Some(contents),
        ..Default::default()
    };
    let request = CreateImportProfileRequest { import_profile: Some(profile) };
    ImportProfilesServiceClient::new(admin.clone()).create_import_profile(request).await.unwrap();
}

/// Reads all of each kind, and changes something of what can be changed.
async fn change_something(admin: &Authorized) {
    let keys =
        ApiKeysServiceClient::new(admin.clone()).list_api_keys(ListApiKeysRequest::default());
    assert_eq!(keys.await.unwrap().into_inner().api_keys[0].methods.len(), 1);

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

    let settings = Some(Settings { xml_api_extension: true, ..Default::default() });
    let update_mask = mask("xml_api_extension");
    let request = UpdateSettingsRequest { settings, update_mask, ..Default::default() };
    SettingsServiceClient::new(admin.clone()).update_settings(request).await.unwrap();

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
