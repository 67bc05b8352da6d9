//! The legacy contract, case by case, for each dialect.

use std::{collections::HashSet, sync::Arc};

use tokio::task::JoinSet;
use tollbook_proto::{legacy, v1::LegacyDialect};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{File, files},
    dialect::{self, DOCUMENTED},
    filled::Filled,
    legacy_hash,
    listed::Original,
    report, samples,
    server::{Backend, binary},
    smtp::MailServer,
};

/// How many files run at a time.
const AT_A_TIME: usize = 4;

/// Every file of every dialect on one backend; a few at a time, each on a copy of its own.
async fn run(backend: Backend) {
    let mut failures = Vec::new();
    for dialect in dialect::all() {
        let Some(filled) = Filled::new(backend, dialect).await.map(Arc::new) else {
            return;
        };
        let mut running = JoinSet::new();
        for file in files(dialect) {
            if running.len() == AT_A_TIME {
                failures.extend(running.join_next().await.unwrap().unwrap());
            }
            running.spawn(run_file(filled.clone(), file));
        }
        failures.extend(running.join_all().await.into_iter().flatten());
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

async fn run_file(filled: Arc<Filled>, file: File) -> Vec<String> {
    let mails = match file.mail {
        true => Some(MailServer::start().await),
        false => None,
    };
    let copy = filled.start(mails.as_ref().map(|mails| mails.url.as_str())).await;
    if file.calls {
        copy.fixture.fill_calls().await;
    }
    if file.devices {
        copy.fixture.fill_devices(file.calls).await;
    }
    if file.restricted {
        copy.fixture.fill_restricted().await;
    }
    let mut failures = Vec::new();
    for case in &file.case {
        if let (Some(mails), Some(answer)) = (&mails, &case.mail_server) {
            mails.refuse(answer);
        }
        failures.extend(case.run(&copy.server, &copy.fixture, &file.method).await.err());
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

/// The reports say what is tested.
#[test]
fn the_compatibility_reports_are_current() {
    for name in DOCUMENTED {
        let path = format!("{}/../docs/{name}.md", env!("CARGO_MANIFEST_DIR"));
        let current = std::fs::read_to_string(path).unwrap();
        let command =
            format!("cargo run -p tollbook-tests --bin dialect-report {name} > docs/{name}.md");
        let is_current = current == report::of(name).unwrap();
        assert!(is_current, "docs/{name}.md is out of date: {command}");
    }
}

/// The documented samples are what they are said to be: requests of methods that the original
/// has, and hashes of what they send.
#[test]
fn the_documented_hashes_of_mor_are_those_of_their_requests() {
    let original = Original::mor();
    for sample in samples::mor() {
        let (method, send) = (&sample.method, &sample.send);
        assert_eq!(legacy_hash(&sample.sign, &sample.secret), sample.hash, "{method} {send}");
        let called = sample.call.as_ref().unwrap_or(method);
        let found = original.find(called).map(|(_, listed)| &listed.name);
        assert_eq!(found, Some(method), "{called}");
        assert!(sample.is_of_what_was_sent() || sample.stale.is_some(), "{method} {send}");
    }
}

/// What a method declares takes the documentation's own sample of it.
#[test]
fn the_documented_hashes_of_mor_are_taken() {
    let mut refused = Vec::new();
    for sample in samples::mor() {
        let called = sample.call.as_ref().unwrap_or(&sample.method);
        // A method that is not there yet declares nothing.
        if let Some(method) = legacy::find(LegacyDialect::Mor, called) {
            let is_taken = sample.is_taken_by(method) || sample.stale.is_some();
            refused.extend((!is_taken).then(|| format!("{called}?{}", sample.send)));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

/// How hashes of samples are judged, on methods that are there.
#[test]
fn a_sample_is_taken_in_the_listed_order_or_that_of_the_request() {
    let method = legacy::find(LegacyDialect::M4, "user_balance_update").unwrap();
    let sample = |send: &str, sign: &str| samples::Sample {
        method: method.name.to_owned(),
        call: None,
        send: send.to_owned(),
        sign: sign.to_owned(),
        secret: String::new(),
        hash: String::new(),
        note: None,
        stale: None,
    };
    assert!(sample("u=admin&user_id=123&balance=100", "123100").is_taken_by(method));
    assert!(sample("u=admin&balance=100&user_id=123", "123100").is_taken_by(method));
    assert!(sample("u=admin&balance=100&user_id=123", "100123").is_taken_by(method));
    assert!(!sample("u=admin&user_id=123&balance=100", "100123").is_taken_by(method));
    assert!(!sample("u=admin&user_id=123&balance=100", "123").is_taken_by(method));
}

/// A method of MOR is in its group, and is called what the original calls it.
#[test]
fn what_is_declared_of_mor_is_as_the_original_has_it() {
    let original = Original::mor();
    let methods = dialect::dialect("mor").map(Dialect::methods).unwrap_or_default();
    let objections: Vec<_> =
        methods.iter().filter_map(|method| original.objection(method)).collect();
    assert!(objections.is_empty(), "{objections:#?}");
}

/// What is declared is in the contract: each method has a file, and each alias a case.
#[test]
fn every_method_and_alias_has_cases() {
    for dialect in dialect::all() {
        let output = std::process::Command::new(binary())
            .args(["methods", "--dialect", dialect::name(dialect)])
            .output()
            .unwrap();
        let declared = String::from_utf8(output.stdout).unwrap();
        let names = |prefix: &str| {
            let lines = declared.lines().filter_map(|line| line.strip_prefix(prefix));
            lines
                .flat_map(|line| line.trim_end_matches('.').split(", ").map(str::to_owned))
                .collect::<HashSet<_>>()
        };
        let files = files(dialect);
        let methods: HashSet<String> = files.iter().map(|file| file.method.clone()).collect();
        assert_eq!(names("## "), methods, "{dialect:?}");
        let called: HashSet<String> =
            files.iter().flat_map(|file| &file.case).filter_map(|case| case.call.clone()).collect();
        let missing: Vec<_> =
            names("Also called ").into_iter().filter(|alias| !called.contains(alias)).collect();
        assert!(missing.is_empty(), "{dialect:?}: aliases without a case: {missing:?}");
    }
}
