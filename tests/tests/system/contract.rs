//! The legacy contract, case by case.

use std::collections::HashSet;

use tollbook_tests::{
    contract::{File, Fixture, files},
    server::{Backend, Data, Server},
};

/// Every file on one backend; a few at a time, each on a server of its own.
async fn run(backend: Backend) {
    let mut failures = Vec::new();
    let mut files = files();
    while !files.is_empty() {
        let some = files.split_off(files.len().saturating_sub(4));
        let running: Vec<_> =
            some.into_iter().map(|file| tokio::spawn(run_file(backend, file))).collect();
        for file in running {
            failures.extend(file.await.unwrap());
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

async fn run_file(backend: Backend, file: File) -> Vec<String> {
    let Some(data) = Data::new(backend) else {
        return Vec::new();
    };
    let server = Server::start(&data);
    let fixture = Fixture::fill(&server).await;
    if file.calls {
        fixture.fill_calls().await;
    }
    let mut failures = Vec::new();
    for case in &file.case {
        failures.extend(case.run(&server, &fixture, &file.method).await.err());
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    run(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    run(Backend::Postgres).await;
}

/// The report says what is tested.
#[test]
fn the_compatibility_report_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/m4.md");
    let current = std::fs::read_to_string(path).unwrap();
    let command = "cargo run -p tollbook-tests --bin m4-report > docs/m4.md";
    assert!(current == tollbook_tests::report::m4(), "docs/m4.md is out of date: {command}");
}

/// What is declared is in the contract: each method has a file, and each alias a case.
#[test]
fn every_method_and_alias_has_cases() {
    let output = std::process::Command::new(tollbook_tests::server::binary())
        .arg("methods")
        .output()
        .unwrap();
    let declared = String::from_utf8(output.stdout).unwrap();
    let names = |prefix: &str| {
        let lines =
            declared.lines().filter_map(|line| line.strip_prefix(prefix).map(str::to_owned));
        lines
            .flat_map(|line| {
                line.trim_end_matches('.').split(", ").map(str::to_owned).collect::<Vec<_>>()
            })
            .collect::<HashSet<_>>()
    };
    let files = files();
    let methods: HashSet<String> = files.iter().map(|file| file.method.clone()).collect();
    assert_eq!(names("## "), methods);
    let called: HashSet<String> =
        files.iter().flat_map(|file| &file.case).filter_map(|case| case.call.clone()).collect();
    let missing: Vec<_> =
        names("Also called ").into_iter().filter(|alias| !called.contains(alias)).collect();
    assert!(missing.is_empty(), "aliases without a case: {missing:?}");
}
