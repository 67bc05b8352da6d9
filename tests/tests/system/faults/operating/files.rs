//! Files that hold secrets are for their owner, and hold no more than they should.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tollbook_proto::v1::{
    ApiAccess, ApiKey, CreateApiKeyRequest, CreateUserRequest, Settings, UpdateSettingsRequest,
    User, api_keys_service_client::ApiKeysServiceClient,
    settings_service_client::SettingsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::mask,
    server::{Backend, Data, Server, bearer},
};

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// What is backed up by copying the file holds all that was acknowledged, once the server has
/// stopped; and what only reads makes no database, nor touches what is none.
#[tokio::test(flavor = "multi_thread")]
async fn f24_a_stopped_server_leaves_one_file_and_who_reads_makes_none() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let folder = data.directory().to_owned();
    for command in [&["audit"][..], &["token", "somebody"]] {
        let output = data.command().args(command).output().unwrap();
        assert!(!output.status.success(), "{command:?}");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("there is no database"), "{command:?}: {told}");
        assert!(!folder.join("tollbook.db").exists(), "{command:?}");
    }
    let none = folder.join("notes.txt");
    fs::write(&none, "no database at all").unwrap();
    fs::set_permissions(&none, Permissions::from_mode(0o644)).unwrap();
    let url = format!("sqlite:{}", none.display());
    let output = data.command().args(["audit", "--database-url", &url]).output().unwrap();
    assert!(!output.status.success() && mode(&none) == 0o644);
    assert_eq!(fs::read(&none).unwrap(), b"no database at all");

    let mut server = Server::start(&data);
    create_user(&data, &server, "somebody").await;
    assert!(server.stop().success());
    assert!(!folder.join("tollbook.db-wal").exists(), "{:?}", files(&folder));
    assert!(data.command().arg("audit").output().unwrap().status.success());
}

fn holds(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn create_user(data: &Data, server: &Server, username: &str) {
    let admin = bearer(server.channel().await, &data.token(&["files"]));
    let user = User { username: username.to_owned(), ..Default::default() };
    let password = "a password of some length".to_owned();
    let request = CreateUserRequest { user: Some(user), password, ..Default::default() };
    UsersServiceClient::new(admin).create_user(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_files_are_for_their_owner_alone() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let directory = data.directory().join("new/data");
    let key = data.directory().join("key");
    fs::write(&key, KEY).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    let environment = [
        ("TOLLBOOK_DATA_DIR", directory.to_str().unwrap()),
        ("TOLLBOOK_ENCRYPTION_KEY_FILE", key.to_str().unwrap()),
    ];
    let log = data.directory().join("log");
    let start = || {
        let file = File::create(&log).unwrap();
        Server::start_part_logged(&data, "serve", &environment, file)
    };
    let check = || {
        assert_eq!(mode(&directory), 0o700);
        let files = files(&directory);
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    };
    let server = start();
    assert_eq!(mode(&key), 0o600);
    check();
    let backup = directory.join("backup.db");
    let run = |command: &str, args: &[&str]| {
        let mut run = data.command();
        run.arg(command).args(args).envs(environment).status().unwrap().success()
    };
    assert!(run("backup", &[backup.to_str().unwrap()]));
    check();
    drop(server);

    // As release 0.1 left them.
    for file in files(&directory) {
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&backup, Permissions::from_mode(0o600)).unwrap();
    drop(start());
    check();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("tollbook.db-wal: its mode was 0644, and is 0600 now"), "{said}");
    fs::set_permissions(&backup, Permissions::from_mode(0o644)).unwrap();
    assert!(run("restore", &[backup.to_str().unwrap(), "--replace"]));
    fs::set_permissions(&backup, Permissions::from_mode(0o600)).unwrap();
    check();
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_a_second_restore_keeps_both_copies_apart() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let backup = data.directory().join("backup.db");
    let run = |command: &str, args: &[&str]| {
        let output = data.command().arg(command).arg(&backup).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    drop(Server::start(&data));
    run("backup", &[]);
    for username in ["first_copy", "second_copy"] {
        let server = Server::start(&data);
        create_user(&data, &server, username).await;
        drop(server);
        run("restore", &["--replace"]);
    }
    let kept = |number: &str| {
        let base = data.directory().join(format!("tollbook.db.before-restore{number}"));
        let parts = ["", "-wal"].map(|suffix| PathBuf::from(format!("{}{suffix}", base.display())));
        let has = |name| parts.iter().any(|part| holds(part, name));
        (has("first_copy"), has("second_copy"))
    };
    assert_eq!((kept(""), kept("-2")), ((true, false), (false, true)));
}

/// Makes a database whose secrets are plain, and have been others before; returns them all.
async fn plain_secrets(data: &Data) -> Vec<String> {
    let mut secrets = vec!["The-first-secret-of-all-0123456789".to_owned()];
    let server = Server::start_part(data, "serve", &[("TOLLBOOK_API_SECRET", &secrets[0])]);
    let admin = bearer(server.channel().await, &data.token(&["files"]));
    let mut settings = SettingsServiceClient::new(admin.clone());
    let mut keys = ApiKeysServiceClient::new(admin);
    for number in 0..20 {
        let api_secret_key = format!("Another-secret-of-the-API-{number:010}");
        let request = UpdateSettingsRequest {
            settings: Some(Settings {
                api_secret_key: api_secret_key.clone(),
                ..Default::default()
            }),
            update_mask: mask("api_secret_key"),
            old_key_seconds: 3600,
            ..Default::default()
        };
        settings.update_settings(request).await.unwrap();
        secrets.push(api_secret_key);
        let api_key = ApiKey {
            name: format!("key {number}"),
            user_id: Some(0),
            access: ApiAccess::Write.into(),
            ..Default::default()
        };
        let request = CreateApiKeyRequest { api_key: Some(api_key) };
        secrets.push(keys.create_api_key(request).await.unwrap().into_inner().secret);
    }
    secrets
}

fn found<'a>(secrets: &'a [String], places: &[PathBuf]) -> Vec<(&'a str, PathBuf)> {
    let mut found = Vec::new();
    for place in places {
        // As text: that is searched by code which is optimised in tests, too.
        let text = String::from_utf8_lossy(&fs::read(place).unwrap_or_default()).into_owned();
        let here = secrets.iter().filter(|secret| text.contains(secret.as_str()));
        found.extend(here.map(|secret| (secret.as_str(), place.clone())));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_no_plain_secret_is_left_once_they_are_sealed() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let secrets = plain_secrets(&data).await;
    let on_disk = || files(data.directory());
    assert!(!found(&secrets, &on_disk()).is_empty());
    let sealed = [("TOLLBOOK_ENCRYPTION_KEY", KEY)];
    // Killed as soon as it is ready: nothing is tidied up at its end.
    drop(Server::start_part(&data, "serve", &sealed));
    assert_eq!(found(&secrets, &on_disk()), []);
    drop(Server::start_part(&data, "serve", &sealed));
    assert_eq!(found(&secrets, &on_disk()), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn f24_no_plain_secret_is_left_in_the_tables_of_postgresql() {
    let Some((data, postgres)) = Data::on_own_postgres() else { return };
    let url = data.database_url().unwrap();
    let secrets = plain_secrets(&data).await;
    let tables = || {
        postgres.run(url, "CHECKPOINT");
        files(&postgres.directory().join("data/base"))
    };
    // As its autovacuum does when it thinks fit: it takes samples of the columns.
    postgres.run(url, "ANALYZE");
    assert!(!found(&secrets, &tables()).is_empty());
    drop(Server::start_part(&data, "serve", &[("TOLLBOOK_ENCRYPTION_KEY", KEY)]));
    assert_eq!(found(&secrets, &tables()), []);
}
