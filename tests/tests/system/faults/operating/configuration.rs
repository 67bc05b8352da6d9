//! What an environment says reaches the server as it was said.

use std::fs::File;

use tollbook_tests::{
    legacy_hash,
    server::{Backend, Data, Server},
};

/// Whether a secret is the server's API key.
async fn opens(server: &Server, secret: &str) -> bool {
    let form = [("u", "admin".to_owned()), ("hash", legacy_hash("", secret))];
    let request = reqwest::Client::new().post(server.url("quickstats_get")).form(&form);
    let answer = request.send().await.unwrap().text().await.unwrap();
    !answer.contains("Incorrect hash")
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_secrets_are_taken_byte_for_byte_and_never_shown() {
    for secret in
        ["456789", "\"a quoted secret 123\"", "  padded secret 4567  ", "'[1, true, \"two\"]'"]
    {
        let data = Data::new(Backend::Sqlite).unwrap();
        let log = data.directory().join("log");
        // As Kubernetes does for a service named tollbook, and a slip of the pen.
        let environment = [
            ("TOLLBOOK_API_SECRET", secret),
            ("TOLLBOOK_PORT", "tcp://10.0.0.1:80"),
            ("TOLLBOOK_SERVICE_HOST", "10.0.0.1"),
            ("TOLLBOOK_HTP_ADDR", "127.0.0.1:1"),
        ];
        let file = File::create(&log).unwrap();
        let server = Server::start_part_logged(&data, "serve", &environment, file);
        assert!(opens(&server, secret).await, "{secret:?}");
        assert!(!opens(&server, secret.trim_matches(['"', ' ', '\''])).await || secret == "456789");
        let said = std::fs::read_to_string(&log).unwrap();
        let named = ["TOLLBOOK_PORT", "TOLLBOOK_SERVICE_HOST", "TOLLBOOK_HTP_ADDR"];
        assert!(named.iter().all(|name| said.contains(name)), "{said}");
        assert!(!said.contains("10.0.0.1") && !said.contains("127.0.0.1:1"), "{said}");
        assert!(!said.contains(secret) && !server.said.contains(secret), "{said}{}", server.said);
        // Too short a key is taken, because clients may have it, and not in silence.
        assert_eq!(said.contains("is weak"), secret == "456789", "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f23_each_secret_may_be_in_a_file() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let file = |name: &str, content: &str| {
        let path = data.directory().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let secret = " a key of some length ";
    let key = file("api_secret", &format!("{secret}\n"));
    let database = data.directory().join("elsewhere.db");
    let url = file("url", &format!("sqlite:{}\n", database.display()));
    let in_files =
        [("TOLLBOOK_API_SECRET_FILE", key.as_str()), ("TOLLBOOK_DATABASE_URL_FILE", &url)];
    let said = Server::refuses_to_start(
        &data,
        "serve",
        &[in_files[0], in_files[1], ("TOLLBOOK_API_SECRET", "x")],
    );
    assert!(said.contains("TOLLBOOK_API_SECRET_FILE") && said.contains("not both"), "{said}");
    let server = Server::start_part(&data, "serve", &in_files);
    assert!(
        database.exists() && opens(&server, secret).await && !opens(&server, secret.trim()).await
    );

    // The token of a shim, and of a command.
    let command = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = data.command();
        command.args(args).env("TOLLBOOK_DATABASE_URL_FILE", &url);
        command.envs(environment.iter().copied()).output().unwrap()
    };
    let token = file(
        "shim_token",
        &String::from_utf8(command(&["token", "--shim", "s"], &[]).stdout).unwrap(),
    );
    let core = format!("http://{}", server.grpc);
    let shim = [("TOLLBOOK_SHIM_TOKEN_FILE", token.as_str()), ("TOLLBOOK_CORE_URL", &core)];
    let shim = Server::start_part(&data, "shim", &shim);
    assert!(opens(&shim, secret).await);
    let token = file("token", &String::from_utf8(command(&["token", "t"], &[]).stdout).unwrap());
    let asked =
        command(&["settings"], &[("TOLLBOOK_TOKEN_FILE", &token), ("TOLLBOOK_CORE_URL", &core)]);
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
}

/// Numbers that are secrets are not told from numbers, in a file neither, and stay unseen.
#[test]
fn f23_no_refusal_shows_a_secret() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let config = data.directory().join("tollbook.toml");
    let config = config.to_str().unwrap();
    for (content, variables, expected) in [
        ("api_secret = 987654321", [("A", "")], "must be text"),
        ("smtp_url = 987654321 x", [("A", "")], "line 1"),
        ("", [("TOLLBOOK_ENCRYPTION_KEY", "987654321")], "64 hexadecimal digits"),
        ("", [("TOLLBOOK_DATABASE_URL", "mysql://u:987654321@h/d")], "a database URL is"),
        ("", [("TOLLBOOK_DATABASE_URL", "postgres://u:987654321@h:x/d")], "open the database"),
        ("mail_from = \"a@b.c\"", [("TOLLBOOK_SMTP_URL", "987654321")], "smtp://"),
        ("", [("TOLLBOOK_API_SECRET", "")], "TOLLBOOK_API_SECRET is empty"),
    ] {
        std::fs::write(config, content).unwrap();
        let environment = [("TOLLBOOK_CONFIG", config), variables[0]];
        let said = Server::refuses_to_start(&data, "core", &environment);
        assert!(said.contains(expected) && !said.contains("987654321"), "{said}");
    }
}
