//! Every rpc, and what of it is whose: who sees what of whom, and who changes it.

mod rows;

use std::collections::BTreeSet;

use prost::Message;
use prost_types::FileDescriptorSet;

use rows::{
    Row::{self, Acts, Counts, Lists, Open},
    TABLE,
};

use super::world::{CALLERS, PERSONAS, World, reason};
use crate::on_both;

/// What whoever may not is told.
const REFUSALS: [&str; 14] = [
    "CREDENTIALS_MISSING",
    "ROLE_DENIED",
    "SIGNATURE_REFUSED",
    "USER_NOT_FOUND",
    "PAYMENT_NOT_FOUND",
    "CONNECTION_POINT_NOT_FOUND",
    "DEVICE_NOT_FOUND",
    "CLI_NOT_FOUND",
    "DEVICE_RULE_NOT_FOUND",
    "TARIFF_NOT_FOUND",
    "RATE_IMPORT_NOT_FOUND",
    "OWNER_INVALID",
    "ACCESS_TOKEN_NOT_FOUND",
    "API_KEY_NOT_FOUND",
];

/// Those of whom something is and who are also named.
fn among<'a>(of: &'a str, named: Option<&'a str>) -> BTreeSet<&'a str> {
    let named: BTreeSet<&str> = named.unwrap_or_default().split(' ').collect();
    of.split(' ').filter(|name| named.contains(name)).collect()
}

impl World {
    /// Checks one row for somebody. Returns what is wrong.
    async fn check(&self, persona: &str, column: usize, rpc: &str, row: &Row) -> Vec<String> {
        let mut problems = Vec::new();
        let mut expect = |what: &str, found: String, expected: String| {
            if found != expected {
                problems.push(format!("{rpc} as {persona}, {what}: {found}, not {expected}"));
            }
        };
        let is_refused = |reason: &str| REFUSALS.contains(&reason);
        match row {
            Lists { ask, items, by: (field, kind), of, shows } => {
                let answers = self.call(persona, rpc, &self.filled(ask, "").await).await;
                let found = answers.map(|answers| {
                    let listed = answers.iter().filter_map(|answer| answer[*items].as_array());
                    let ids = listed.flatten().map(|item| item[*field].as_str().unwrap());
                    // Of others, whom the test has made on its way, it knows nothing.
                    ids.filter_map(|id| self.name(kind, id)).collect::<BTreeSet<&str>>()
                });
                let found = found.map_err(|status| reason(&status));
                let expected = shows[column].map(|shown| among(of, Some(shown)));
                match (&found, &expected) {
                    (Err(reason), None) if is_refused(reason) => {}
                    (Ok(found), Some(expected)) if found == expected => {}
                    _ => expect("listed", format!("{found:?}"), format!("{expected:?}")),
                }
            }
            Acts { ask, of, on, but } => {
                let may = among(of, on[column]);
                for name in of.split(' ') {
                    let answer = self.call(persona, rpc, &self.filled(ask, name).await).await;
                    let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
                    let done = found == "done" || but.contains(&found.as_str());
                    match may.contains(name) {
                        true if done => {}
                        false if is_refused(&found) => {}
                        may => expect(name, found, if may { "done" } else { "refused" }.into()),
                    }
                }
            }
            Counts(of) => {
                let answer = self.call(persona, rpc, &self.filled("{}", "").await).await;
                let found = answer.map(|answers| answers[0]["month"]["calls"].clone());
                let expected = of[column].map(|of| among(CALLERS, Some(of)).len().to_string());
                match (found, expected) {
                    (Ok(found), Some(expected)) => {
                        expect("calls", found.as_str().unwrap().to_owned(), expected);
                    }
                    (Err(status), None) if is_refused(&reason(&status)) => {}
                    (found, expected) => {
                        expect("calls", format!("{found:?}"), format!("{expected:?}"));
                    }
                }
            }
            Open(to) => {
                let answer = self.call(persona, rpc, &self.filled("{}", "").await).await;
                let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
                let denied = ["CREDENTIALS_MISSING", "ROLE_DENIED", "SIGNATURE_REFUSED"];
                let may = to.split(' ').any(|name| name == persona);
                if may == denied.contains(&found.as_str()) {
                    expect("open", found, format!("may: {may}"));
                }
            }
        }
        problems
    }
}

#[test]
fn every_rpc_has_its_row() {
    let files = FileDescriptorSet::decode(tollbook_proto::DESCRIPTORS).unwrap().file;
    let ours = files.iter().filter(|file| file.package().starts_with("tollbook."));
    let services = ours.flat_map(|file| &file.service);
    let declared: BTreeSet<String> = services
        .flat_map(|service| {
            service.method.iter().map(|rpc| format!("{}/{}", service.name(), rpc.name()))
        })
        .collect();
    let rows: BTreeSet<String> = TABLE.iter().map(|(rpc, _)| (*rpc).to_owned()).collect();
    assert_eq!(declared, rows, "say of each rpc whose things it shows or changes");
}

/// What an rpc says to somebody who is restricted: a simple user or a manager.
async fn check_restricted(world: &World, persona: &str, rpc: &str, row: &Row) -> Option<String> {
    let (ask, of) = match row {
        Lists { ask, .. } => (*ask, ""),
        Acts { ask, of, .. } => (*ask, of.split(' ').next().unwrap_or_default()),
        Counts(_) | Open(_) => ("{}", ""),
    };
    let answer = world.call(persona, rpc, &world.filled(ask, of).await).await;
    let found = answer.map_or_else(|status| reason(&status), |_| "done".to_owned());
    let expected: &[&str] = match rpc {
        // Whoever has the password may: it needs no credential, and what it gives opens nothing.
        "SessionsService/CreateSession" => &["LOGIN_FAILED"],
        // A shim's alone.
        "LegacyService/CheckAccess" => &["SIGNATURE_REFUSED"],
        _ => &["API_RESTRICTED"],
    };
    let problem = format!("{rpc} as {persona}: {found}, not {expected:?}");
    (!expected.contains(&found.as_str())).then_some(problem)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_restricted_to_legacy_methods_may_call_nothing() {
    on_both(|data| async move {
        let mut world = World::open(&data).await;
        let mut problems = Vec::new();
        for persona in world.restricted().await {
            for (rpc, row) in TABLE {
                problems.extend(check_restricted(&world, persona, rpc, row).await);
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_and_changes_what_is_theirs_and_nothing_else() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let mut problems = Vec::new();
        for (rpc, row) in TABLE {
            for (column, persona) in PERSONAS.into_iter().enumerate() {
                problems.extend(world.check(persona, column, rpc, row).await);
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    })
    .await;
}
