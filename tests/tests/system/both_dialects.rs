//! One process answers in both dialects, each at its own address and in its own places.

use reqwest::StatusCode;
use tollbook_tests::{
    legacy_hash,
    server::{Backend, Data, SECRET, Server},
};

use crate::on_both;

/// What the demo's reseller signs with.
const RESELLER_KEY: &str = "hooli-secret";

/// Starts the demo in a dialect, and in the other one beside it; returns the other's address, too.
fn start(data: &Data, dialect: &str, other: &str) -> (Server, String) {
    let environment = [
        ("TOLLBOOK_DEMO", "true"),
        ("TOLLBOOK_DIALECT", dialect),
        ("TOLLBOOK_OTHER_DIALECT_ADDR", "127.0.0.1:0"),
    ];
    let server = Server::start_part(data, "serve", &environment);
    let prefix = format!("XML API ({other}) listening on ");
    let address = server.said.lines().find_map(|line| line.strip_prefix(&prefix));
    let address = address.unwrap_or_else(|| panic!("no {other} in: {}", server.said)).to_owned();
    (server, address)
}

/// Posts a form, signed with a key, to a path; returns the status and the body below the XML
/// declaration, without what stands between elements.
async fn post(
    address: &str,
    path: &str,
    form: &[(&str, &str)],
    signed: &str,
    key: &str,
) -> (StatusCode, String) {
    let hash = legacy_hash(signed, key);
    let form: Vec<_> = form.iter().copied().chain([("hash", hash.as_str())]).collect();
    let url = format!("http://{address}{path}");
    let response = reqwest::Client::new().post(url).form(&form).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with("<?xml"));
    (status, lines.collect())
}

const CREATED_IN_M4: &str = "<page><status><success>Number Pool created</success></status></page>";
const CREATED_IN_MOR: &str = "<page><status><success>Number Pool created</success>\
                              <number_pool_id>2</number_pool_id></status></page>";

#[tokio::test(flavor = "multi_thread")]
async fn one_process_answers_both_dialects_from_the_same_books() {
    on_both(|data| async move {
        let (server, mor) = start(&data, "m4", "MOR");
        let form = [("u", "admin"), ("name", "VIP")];
        let path = "/billing/api/number_pool_create";
        let (_, answer) = post(&server.http, path, &form, "", SECRET).await;
        assert_eq!(answer, CREATED_IN_M4);
        // The pool of the one is there for the other: this is the second.
        let (_, answer) = post(&mor, path, &form, "", SECRET).await;
        assert_eq!(answer, CREATED_IN_MOR);
        // What only MOR has is not there in M4.
        for (address, method, is_there) in [
            (&server.http, "reseller_groups_get", false),
            (&mor, "reseller_groups_get", true),
            (&server.http, "user_create", true),
        ] {
            let path = format!("/billing/api/{method}");
            let (_, answer) = post(address, &path, &[("u", "admin")], "admin", SECRET).await;
            assert_eq!(!answer.contains("There is no such API"), is_there, "{method}: {answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_dialect_may_be_mor() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let (server, m4) = start(&data, "mor", "M4");
    let form = [("u", "admin")];
    let path = "/billing/api/reseller_groups_get";
    let (_, answer) = post(&server.http, path, &form, "admin", SECRET).await;
    assert!(answer.contains("No Reseller Groups found"), "{answer}");
    let (_, answer) = post(&m4, path, &form, "admin", SECRET).await;
    assert!(answer.contains("There is no such API"), "{answer}");
}

/// As the README shows it: the demo's reseller changes the balance of his user with his own key,
/// and nobody else's; and nobody changes it with his.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_of_mor_has_a_reseller() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let (server, m4) = start(&data, "mor", "M4");
    let path = "/billing/api/user_balance_update";
    let of = |user_id| [("u", "hooli"), ("user_id", user_id), ("balance", "10.50")];
    let (_, answer) = post(&server.http, path, &of("7"), "710.50", RESELLER_KEY).await;
    assert_eq!(
        answer,
        "<page><page><status>User balance updated</status><user><username>nina</username>\
         <id>7</id><balance>10.5</balance></user></page></page>"
    );
    let (_, answer) = post(&server.http, path, &of("2"), "210.50", RESELLER_KEY).await;
    assert_eq!(answer, "<page><error>User was not found</error></page>");
    let (_, answer) = post(&server.http, path, &of("7"), "710.50", SECRET).await;
    assert_eq!(answer, "<status><error>Incorrect hash</error></status>");
    // M4 has no resellers: his key opens nothing there.
    let (_, answer) = post(&m4, path, &of("7"), "710.50", RESELLER_KEY).await;
    assert!(!answer.contains("User balance updated"), "{answer}");
}

/// MOR's API was at `/mor/api` at first, and the method could be named by a parameter.
#[tokio::test(flavor = "multi_thread")]
async fn mor_is_found_where_its_old_clients_look_and_m4_is_not() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let (server, mor) = start(&data, "m4", "MOR");
    let form = [("u", "admin"), ("user_id", "2"), ("balance", "1")];
    let named = |name| [&[("action", name)], &form[..]].concat();
    let done = "User balance updated";
    let post = async |address: &str, path: &str, form: &[(&str, &str)]| {
        post(address, path, form, "21", SECRET).await
    };

    let (_, answer) = post(&mor, "/mor/api/user_balance_update", &form).await;
    assert!(answer.contains(done), "{answer}");
    let (status, answer) = post(&server.http, "/mor/api/user_balance_update", &form).await;
    assert_eq!((status, answer.contains(done)), (StatusCode::NOT_FOUND, false), "{answer}");

    for path in ["/billing/api/", "/billing/api", "/mor/api/"] {
        // By another of its names, too.
        for name in ["user_balance_update", "change_user_balance"] {
            let (_, answer) = post(&mor, path, &named(name)).await;
            assert!(answer.contains(done), "{path} {name}: {answer}");
        }
        let (_, answer) = post(&mor, path, &named("nonsense")).await;
        assert!(answer.contains("There is no such API"), "{path}: {answer}");
    }
    let (_, answer) = post(&server.http, "/billing/api/", &named("user_balance_update")).await;
    assert_eq!(answer, "<status><error>There is no such API</error></status>");
    // Where the path names the method, the parameter is one as any other.
    let path = "/billing/api/user_balance_update";
    for address in [&mor, &server.http] {
        let (_, answer) = post(address, path, &named("user_balance_get")).await;
        assert!(answer.contains(done), "{answer}");
    }
}
