//! kill -9 in the middle of concurrent balance updates: what was acknowledged is there,
//! exactly once, and the books are right.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, GetBalanceRequest, ListLedgerEntriesRequest,
    accounts_service_client::AccountsServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal},
    legacy_hash,
    server::{Authorized, Data, SECRET, Server, bearer},
};

use crate::on_both;

const UPDATES: i64 = 10_000;
const CLIENTS: i64 = 64;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_or_doubled() {
    on_both(|data| async move {
        let mut server = Server::start(&data);
        Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
        let token = data.token(&["crash test"]);
        let admin = bearer(server.channel().await, &token);
        let acknowledged = Arc::new(AtomicI64::new(0));

        // Half of the clients speak gRPC, with the number of the update as the idempotency
        // key and in the note; half speak the legacy API.
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let acknowledged = acknowledged.clone();
            if client % 2 == 0 {
                clients.spawn(over_grpc(admin.clone(), client, acknowledged));
            } else {
                clients.spawn(over_http(server.url("user_balance_update"), client, acknowledged));
            }
        }
        // In the middle: when a good part is done, and most is still to come.
        while acknowledged.load(Ordering::Relaxed) < UPDATES / 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        let told: Vec<(i64, Vec<i64>)> = clients.join_all().await;
        let done: i64 = told.iter().map(|(_, numbers)| i64::try_from(numbers.len()).unwrap()).sum();
        assert!((UPDATES / 10..UPDATES).contains(&done), "killed too late or too early: {done}");

        let server = Server::start(&data);
        let admin = bearer(server.channel().await, &token);
        for (client, numbers) in &told {
            check_client(&admin, *client, numbers).await;
        }
        // Repeating under the same keys what was acknowledged changes nothing.
        let (client, numbers) = told.iter().find(|(client, _)| client % 2 == 0).unwrap();
        let mut accounts = AccountsServiceClient::new(admin.clone());
        for number in numbers {
            accounts.adjust_balance(request(*client, *number)).await.unwrap();
        }
        check_client(&admin, *client, numbers).await;

        let audit = data.command().arg("audit").output().unwrap();
        let report = String::from_utf8_lossy(&audit.stdout).into_owned();
        assert!(audit.status.success() && report.contains("the books are right"), "{report}");
    })
    .await;
}

/// A backup taken in the middle of updates is one moment of them, and can be gone on from.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_one_moment_of_a_server_at_work() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let server = Server::start(&data);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    let token = data.token(&["crash test"]);
    let admin = bearer(server.channel().await, &token);
    let acknowledged = Arc::new(AtomicI64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..4 {
        clients.spawn(over_grpc(admin.clone(), client, acknowledged.clone()));
    }
    while acknowledged.load(Ordering::Relaxed) < 20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let file = data.directory().join("backup.db");
    let run = |command: &str, args: &[&str]| {
        let output = data.command().arg(command).arg(&file).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (ok, said) = run("backup", &[]);
    assert!(ok, "{said}");
    let (ok, said) = run("backup", &[]);
    assert!(!ok && said.contains("is there already"), "{said}");
    let at_least = 20;
    clients.join_all().await;
    let (ok, said) = run("restore", &["--replace"]);
    assert!(!ok && said.contains("another tollbook server"), "{said}");
    drop(server);
    let (ok, said) = run("restore", &[]);
    assert!(!ok && said.contains("--replace"), "{said}");
    let (ok, said) = run("restore", &["--replace"]);
    assert!(ok, "{said}");

    let server = Server::start(&data);
    let admin = bearer(server.channel().await, &token);
    let mut entries = 0;
    for user in (0..4).map(user_of) {
        let request =
            ListLedgerEntriesRequest { user_id: Some(user), page_size: 1000, ..Default::default() };
        let list = AccountsServiceClient::new(admin.clone()).list_ledger_entries(request).await;
        entries += list.unwrap().into_inner().entries.len();
    }
    let all = usize::try_from(UPDATES / CLIENTS * 4).unwrap();
    assert!((at_least..=all).contains(&entries), "{entries}");
    let (_, done) = over_grpc(admin, 0, acknowledged).await;
    assert_eq!(done.len(), all / 4);
}

/// A restore is undone by what it has put aside, with what a server that was killed had left in the
/// log; and what is no database, or has nobody in it, takes no database's place.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_put_aside_comes_back_whole() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let server = Server::start(&data);
    Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
    let token = data.token(&["undone"]);
    let admin = bearer(server.channel().await, &token);
    let database = data.directory().join("tollbook.db");
    let backup = data.directory().join("backup.db");
    let run = |command: &str, file: &std::path::Path, args: &[&str]| {
        let output = data.command().arg(command).arg(file).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    assert!(run("backup", &backup, &[]).0);
    let adjusted = AccountsServiceClient::new(admin).adjust_balance(request(0, 1)).await.unwrap();
    let balance = adjusted.into_inner().entry.unwrap().balance_after;
    // Killed, so that the change is in the log.
    drop(server);
    assert!(run("restore", &backup, &["--replace"]).0);
    let aside = data.directory().join("tollbook.db.before-restore");
    let (ok, said) = run("restore", &aside, &["--replace"]);
    assert!(ok, "{said}");

    for (name, contents) in [("empty", &b""[..]), ("text", b"no database at all")] {
        let file = data.directory().join(name);
        std::fs::write(&file, contents).unwrap();
        let (ok, said) = run("restore", &file, &["--replace"]);
        assert!(!ok && said.contains("it is no database"), "{said}");
    }
    assert!(database.exists());
    let left = std::fs::read_dir(data.directory()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("unfinished")).count(), 0);

    let server = Server::start(&data);
    let admin = bearer(server.channel().await, &token);
    let asked = GetBalanceRequest { user_id: Some(user_of(0)), ..Default::default() };
    let answer = AccountsServiceClient::new(admin).get_balance(asked).await.unwrap().into_inner();
    assert_eq!(answer.balance, balance);
}

/// The user whom only this client changes.
fn user_of(client: i64) -> i64 {
    5 + client
}

fn request(client: i64, number: i64) -> AdjustBalanceRequest {
    AdjustBalanceRequest {
        user_id: Some(user_of(client)),
        amount: decimal("1"),
        note: number.to_string(),
        idempotency_key: format!("{client}-{number}"),
    }
}

/// Returns the numbers of the updates that were acknowledged.
async fn over_grpc(
    admin: Authorized,
    client: i64,
    acknowledged: Arc<AtomicI64>,
) -> (i64, Vec<i64>) {
    let mut accounts = AccountsServiceClient::new(admin);
    let mut done = Vec::new();
    for number in 0..UPDATES / CLIENTS {
        if accounts.adjust_balance(request(client, number)).await.is_err() {
            break;
        }
        done.push(number);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    (client, done)
}

async fn over_http(url: String, client: i64, acknowledged: Arc<AtomicI64>) -> (i64, Vec<i64>) {
    let http = reqwest::Client::new();
    let user = user_of(client).to_string();
    let hash = legacy_hash(format!("{user}1"), SECRET);
    let mut done = Vec::new();
    for number in 0..UPDATES / CLIENTS {
        let form = [("u", "admin"), ("user_id", &user), ("balance", "1"), ("hash", &hash)];
        let Ok(response) = http.post(&url).form(&form).send().await else {
            break;
        };
        let Ok(answer) = response.text().await else {
            break;
        };
        assert!(answer.contains("User balance updated"), "{answer}");
        done.push(number);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    (client, done)
}

/// What a client was told is in the ledger once. One more may be: durable, but killed
/// before it was acknowledged.
async fn check_client(admin: &Authorized, client: i64, told: &[i64]) {
    let request = ListLedgerEntriesRequest {
        user_id: Some(user_of(client)),
        page_size: 1000,
        ..Default::default()
    };
    let list = AccountsServiceClient::new(admin.clone()).list_ledger_entries(request).await;
    let mut entries = list.unwrap().into_inner().entries;
    entries.reverse();
    let in_ledger = entries.len();
    assert!(
        (told.len()..=told.len() + 1).contains(&in_ledger),
        "client {client}: told of {}, {in_ledger} in the ledger",
        told.len()
    );
    if client % 2 == 0 {
        let notes: Vec<i64> = entries.iter().map(|entry| entry.note.parse().unwrap()).collect();
        assert_eq!(notes, (0..i64::try_from(in_ledger).unwrap()).collect::<Vec<_>>());
    }
    if let Some(last) = entries.last() {
        assert_eq!(last.balance_after.clone().unwrap().value, in_ledger.to_string());
    }
}
