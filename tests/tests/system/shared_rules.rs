//! What all legacy methods share, tried on every one of them: the switches of the API, the
//! hash, the HTML wrap, and the ways in which parameters may come.

use std::collections::BTreeMap;

use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::{Case, Fixture, Form, files},
    dialect,
    filled::Filled,
    server::{Backend, Server},
    smtp::MailServer,
};

use crate::on_both;

/// A method's first case that is signed by the harness, with the server's own key.
struct First {
    method: String,
    case: Case,
    /// How the method answers what is refused before it runs.
    refusal: Option<String>,
}

fn first_cases(dialect: Dialect) -> Vec<First> {
    files(dialect)
        .into_iter()
        .map(|file| {
            let is_first =
                |case: &Case| case.sign.is_some() && case.call.is_none() && case.key.is_none();
            let case = file.case.into_iter().find(is_first);
            First { method: file.method, case: case.unwrap(), refusal: file.refusal }
        })
        .collect()
}

fn switched(case: &Case, name: &str, on: bool) -> Case {
    let mut case = case.clone();
    case.settings.insert(name.to_owned(), toml::Value::Boolean(on));
    case
}

fn refused(case: Case, text: &str, refusal: Option<&str>) -> Case {
    // Whoever logs in looks for a failure in one place only.
    let login = case.declaration.as_deref().filter(|_| is_login(&case));
    let usual = match login {
        Some(_) => {
            "<action>\n  <name>login</name>\n  <status>failed</status>\n  \
             <status_message>{text}</status_message>\n</action>"
        }
        None => "<status>\n  <error>{text}</error>\n</status>",
    };
    let answer = refusal.unwrap_or(usual).replace("{text}", text);
    Case {
        declaration: login.map(str::to_owned),
        answer: Some(answer),
        begins: None,
        text: None,
        status: 200,
        location: None,
        ..case
    }
}

/// Whether a case is one of `user_login`.
fn is_login(case: &Case) -> bool {
    case.answer.as_deref().is_some_and(|answer| answer.contains("<name>login</name>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_obeys_the_switches_of_the_api() {
    for dialect in dialect::all() {
        on_both(|data| async move {
            let server = Server::start_for(&data, dialect);
            let fixture = Fixture::fill_for(&server, dialect).await;
            for first in first_cases(dialect) {
                obeys_the_switches(&server, &fixture, first).await;
            }
        })
        .await;
    }
}

/// Methods in which a uniquehash, or the name or password of a device, stands in the place of a hash.
const WITHOUT_HASH: [&str; 3] =
    ["user_simple_balance_get", "user_balance_get_by_psw", "user_balance_get_by_username"];

async fn obeys_the_switches(server: &Server, fixture: &Fixture, first: First) {
    let First { method, case, refusal } = first;
    let refused = |case, text| refused(case, text, refusal.as_deref());
    let off = refused(switched(&case, "allow_api", false), "API Requests are disabled");
    off.run(server, fixture, &method).await.unwrap();
    let get = refused(Case { form: Form::Get, ..case.clone() }, "GET Requests are disabled");
    get.run(server, fixture, &method).await.unwrap();
    if !WITHOUT_HASH.contains(&method.as_str()) {
        let unsigned = refused(Case { sign: None, ..case }, "Incorrect hash");
        unsigned.run(server, fixture, &method).await.unwrap();
    }
}

/// Where GET is allowed it answers as POST does, and without hash checking nothing need
/// be signed.
#[tokio::test(flavor = "multi_thread")]
async fn get_and_unsigned_requests_work_where_they_are_allowed() {
    let mails = MailServer::start().await;
    let mail = Some(mails.url.as_str());
    for dialect in dialect::all() {
        let filled = Filled::new(Backend::Sqlite, dialect).await.unwrap();
        let (get, unsigned) = (filled.start(mail).await, filled.start(mail).await);
        let mut failures = Vec::new();
        for First { method, case, .. } in first_cases(dialect) {
            let by_get = switched(&Case { form: Form::Get, ..case.clone() }, "allow_get_api", true);
            failures.extend(by_get.run(&get.server, &get.fixture, &method).await.err());
            let free = switched(&Case { sign: None, ..case }, "disable_hash_checking", true);
            failures.extend(free.run(&unsigned.server, &unsigned.fixture, &method).await.err());
        }
        // What the cases of other methods did before shows in balances and ids, and nowhere else.
        let unexplained: Vec<_> = failures
            .iter()
            .filter(|report| report.contains("Incorrect hash") || report.contains("disabled"))
            .collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_xml_api_extension_wraps_answers_and_errors_in_html() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let fixture = Fixture::fill(&server).await;
        let on = BTreeMap::from([("xml_api_extension".to_owned(), toml::Value::Boolean(true))]);
        fixture.settings("secret", &on).await;
        let good = server.legacy("user_balance_get", &[("username", "alice")], "alice").await;
        assert_eq!(
            good,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<html>\n\
             <page>\n  <balance>66.0000</balance>\n</page>\n</html>\n"
        );
        let bad = server.legacy("user_balance_get", &[("username", "alice")], "x").await;
        assert!(bad.contains("<html>\n<status>\n  <error>Incorrect hash"), "{bad}");
        let text = server.legacy("simple_balance", &[("username", "alice")], "alice").await;
        assert_eq!(text, "66.0000");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn query_and_body_mix_and_paths_may_be_sloppy() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let fixture = Fixture::fill(&server).await;
        fixture.settings("secret", &BTreeMap::new()).await;
        let client = reqwest::Client::new();
        let hash = tollbook_tests::legacy_hash("41", "secret");
        // u in the query, the rest in a body of each kind; the body wins over the query.
        let url = format!("{}?u=admin&balance=1000", server.url("user_balance_update"));
        let fields = [("user_id", "4"), ("balance", "1"), ("hash", &hash)];
        let object = BTreeMap::from(fields);
        let multipart =
            fields.iter().fold(reqwest::multipart::Form::new(), |form, (name, value)| {
                form.text((*name).to_owned(), (*value).to_owned())
            });
        for (request, balance) in [
            (client.post(&url).form(&fields), "67.0"),
            (client.post(&url).json(&object), "68.0"),
            (client.post(&url).multipart(multipart), "69.0"),
            (
                client
                    .post(&url)
                    .header("content-type", "application/json")
                    .body(format!(r#"{{"user_id":4,"balance":1,"hash":"{hash}"}}"#)),
                "70.0",
            ),
            // The last of duplicates wins.
            (
                client
                    .post(&url)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("balance=5&user_id=4&hash={hash}&balance=1")),
                "71.0",
            ),
        ] {
            let answer = request.send().await.unwrap().text().await.unwrap();
            assert!(answer.contains(&format!("<balance>{balance}</balance>")), "{answer}");
        }
        let hash = tollbook_tests::legacy_hash("alice", "secret");
        for path in [
            "/billing/api/user_balance_get/",
            "//billing/api/user_balance_get",
            "/billing//api///user_balance_get?",
        ] {
            let url = format!("http://{}{path}", server.http);
            let fields = [("username", "alice"), ("hash", &hash), ("test", "1"), ("p", "")];
            let answer = client.post(url).form(&fields).send().await.unwrap().text().await.unwrap();
            assert!(answer.contains("<balance>71.0000</balance>"), "{path}: {answer}");
        }
    })
    .await;
}
