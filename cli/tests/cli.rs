//! The command line: what goes wrong before a server is up is said in one sentence.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::process::{Command, Output};

fn run(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_tollbook"))
        .args(args)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(&directory)
        .output()
        .unwrap()
}

#[test]
fn configuration_errors_stop_the_start_with_one_sentence() {
    for (args, environment, expected) in [
        (vec!["serve", "--config", "none.toml"], vec![], "none.toml does not exist"),
        (vec!["serve"], vec![("TOLLBOOK_HTTP_ADDR", "nowhere")], "HTTP_ADDR"),
        (vec!["serve"], vec![("TOLLBOOK_API_SECRET", "")], "TOLLBOOK_API_SECRET is empty"),
        (vec!["serve", "--database-url", "mysql://x"], vec![], "a database URL is"),
        (vec!["serve", "--demo", "--http-addr", "0.0.0.0:0"], vec![], "loopback"),
        (vec!["serve", "--log", "a=b=c"], vec![], "log filter"),
        (vec!["core"], vec![("TOLLBOOK_SMTP_URL", "smtp://localhost")], "--mail-from"),
        (
            vec!["core", "--mail-from", "x@example.com"],
            vec![("TOLLBOOK_SMTP_URL", "http://localhost")],
            "smtp://",
        ),
        (
            vec!["core", "--mail-from", "nobody"],
            vec![("TOLLBOOK_SMTP_URL", "smtp://localhost")],
            "e-mail address",
        ),
        (vec!["core"], vec![("TOLLBOOK_WARNING_INTERVAL", "0")], "warning_interval"),
        (vec!["shim"], vec![], "TOLLBOOK_SHIM_TOKEN"),
        (
            vec![
                "serve",
                "--http-addr",
                "127.0.0.1:18473",
                "--other-dialect-addr",
                "127.0.0.1:18473",
                "--grpc-addr",
                "127.0.0.1:0",
            ],
            vec![],
            "cannot listen on 127.0.0.1:18473",
        ),
        (vec!["token", "x", "--user", "nobody"], vec![], "there is no database"),
    ] {
        let output = run(&args, &environment);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{args:?}");
        let sentences: Vec<_> =
            error.lines().filter(|line| line.starts_with("tollbook: ")).collect();
        assert_eq!(sentences.len(), 1, "{args:?}: {error}");
        assert!(sentences[0].contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn an_embedded_database_has_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollbook"));
        command
            .args(["serve", "--http-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(directory.path());
        command
    };
    let mut first = start().stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(first.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap() == "Ready"));
    let second = start().output().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!second.status.success());
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.contains("another tollbook server is using this database"), "{error}");
}
