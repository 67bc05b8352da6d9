//! Imports of calls that are taken back: as if they had never been.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tollbook_proto::v1::{
    AggregateCallsRequest, AggregateGrouping, AuditAccountsRequest, CallImport, CallImportEnd,
    CallImportStart, CallImportState, CallRecord, DeleteUserRequest, GetCallImportRequest,
    IngestCallsRequest, IngestCallsResponse, LedgerEntry, LedgerEntryKind, ListCallImportsRequest,
    ListLedgerEntriesRequest, ListUnratedCallsRequest, RerateCallsRequest, UndoCallImportRequest,
    UndoCallImportResponse, accounts_service_client::AccountsServiceClient,
    call_imports_service_client::CallImportsServiceClient,
    calls_service_client::CallsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, call},
    fill::Database,
    process,
    server::{Authorized, Backend, Data, bearer},
};
use tonic::{Code, Status, codegen::tokio_stream};
use tonic_types::StatusExt;

use crate::{
    calls::{import as import_rates, rerate},
    on_both,
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

#[allow(clippy::unnecessary_wraps, reason = "every message field of the contract is optional")]
fn start(name: &str) -> Option<CallImportStart> {
    Some(CallImportStart { name: name.to_owned(), ..Default::default() })
}

/// Imports calls as the command does.
async fn send(books: &Books, calls: Vec<CallRecord>) -> IngestCallsResponse {
    let messages = [
        IngestCallsRequest { calls, import_start: start("calls.csv"), ..Default::default() },
        IngestCallsRequest { import_end: Some(CallImportEnd::default()), ..Default::default() },
    ];
    let mut client = CallsServiceClient::new(books.admin.clone());
    client.ingest_calls(tokio_stream::iter(messages)).await.unwrap().into_inner()
}

fn imports(core: &Authorized) -> CallImportsServiceClient<Authorized> {
    CallImportsServiceClient::new(core.clone())
}

async fn undo_as(
    core: &Authorized,
    request: UndoCallImportRequest,
) -> Result<UndoCallImportResponse, Status> {
    imports(core).undo_call_import(request).await.map(tonic::Response::into_inner)
}

fn of(id: i64) -> UndoCallImportRequest {
    UndoCallImportRequest { id: Some(id), ..Default::default() }
}

async fn undo(books: &Books, id: i64) -> UndoCallImportResponse {
    undo_as(&books.admin, of(id)).await.unwrap()
}

async fn get(books: &Books, id: i64) -> CallImport {
    let request = GetCallImportRequest { id: Some(id) };
    let got = imports(&books.admin).get_call_import(request).await.unwrap();
    got.into_inner().call_import.unwrap()
}

/// The reason of a refusal.
fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

async fn entries(books: &Books, user: i64) -> Vec<LedgerEntry> {
    let request =
        ListLedgerEntriesRequest { user_id: Some(user), page_size: 1000, ..Default::default() };
    let mut accounts = AccountsServiceClient::new(books.admin.clone());
    accounts.list_ledger_entries(request).await.unwrap().into_inner().entries
}

/// The ids of the calls that are kept as unrated, with their reasons, in order.
async fn unrated(books: &Books) -> Vec<(String, i32)> {
    let mut client = UnratedCallsServiceClient::new(books.admin.clone());
    let listed = client.list_unrated_calls(ListUnratedCallsRequest::default()).await.unwrap();
    let kept = listed.into_inner().calls.into_iter();
    let mut kept: Vec<_> = kept.map(|call| (call.record.unwrap().call_id, call.reason)).collect();
    kept.sort();
    kept
}

/// All that can be asked of the books, without the ids that the server gives.
async fn everything(books: &Books) -> String {
    let mut said = String::new();
    for user in [0, 4, 5, 6] {
        writeln!(said, "user {user}: {}", books.balance(user).await).unwrap();
    }
    for mut call in books.calls().await {
        call.id = 0;
        for leg in [&mut call.price, &mut call.self_cost].into_iter().flatten() {
            leg.ledger_entry_id = i64::from(leg.ledger_entry_id > 0);
        }
        writeln!(said, "{call:?}").unwrap();
    }
    let groupings: [&[AggregateGrouping]; 4] = [
        &[],
        &[AggregateGrouping::Originator],
        &[AggregateGrouping::Terminator],
        &[AggregateGrouping::Destination],
    ];
    for group_by in groupings {
        let group_by = group_by.iter().map(|one| i32::from(*one)).collect();
        let request = AggregateCallsRequest { group_by, ..Default::default() };
        writeln!(said, "{:?}", books.aggregates(request).await).unwrap();
    }
    said + &format!("{:?}\n", unrated(books).await)
}

/// A file of calls at local times, without terminators; a user and a rate of some are missing.
fn file(data: &Data) -> String {
    let mut text = "call_id,start_time,billsec,destination,originator\n".to_owned();
    for n in 0..60 {
        let originator = ["alice", "user6", "alice", "nobody"][n % 4];
        let prefix = ["370", "44", "370", "999", "44"][n % 5];
        let (minute, billsec) = (n % 60, 7 + n * 13 % 90);
        writeln!(text, "u{n},2026-01-20 12:{minute:02}:00,{billsec},{prefix}6{n:06},{originator}")
            .unwrap();
    }
    let path = data.directory().join("cdr.csv");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The id of the import that a command has made.
fn id_said(said: &str) -> i64 {
    let line = said.lines().find(|line| line.starts_with("import ")).unwrap();
    line.split([' ', ':']).nth(1).unwrap().parse().unwrap()
}

const RIGHT: [&str; 4] = ["--time-zone", "Europe/Vilnius", "--terminator", "bob"];

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_import_that_is_taken_back_leaves_nothing_in_the_way_of_the_right_one() {
    on_both(|data| async move {
        let right = data.like().unwrap();
        let expected = {
            let books = Books::open(&right).await;
            let right_file = file(&right);
            let all = [&["import", "calls", &right_file][..], &RIGHT].concat();
            let (_, said) = books.command(&right, &all);
            assert!(said.contains("60 calls: 36 stored, 0 duplicates, 24 rejected"), "{said}");
            everything(&books).await
        };
        let books = Books::open(&data).await;
        let before = everything(&books).await;
        let path = file(&data);
        let right = [&["import", "calls", &path][..], &RIGHT].concat();

        // Neither the zone nor the carrier was said; then nothing helps.
        let (_, said) = books.command(&data, &["import", "calls", &path, "--time-zone", "UTC"]);
        assert!(said.contains("60 calls: 36 stored, 0 duplicates, 24 rejected"), "{said}");
        let wrong = id_said(&said);
        let (_, said) = books.command(&data, &right);
        assert!(said.contains("60 calls: 0 stored, 0 duplicates, 60 rejected"), "{said}");
        let in_vain = id_said(&said);
        let import = get(&books, in_vain).await;
        assert_eq!((import.received, import.rejected, import.conflicts), (60, 60, 60));
        let meanwhile = everything(&books).await;

        let id = wrong.to_string();
        let (ok, said) = books.command(&data, &["import", "undo", &id, "--dry-run"]);
        assert!(ok && said.contains("cdr.csv: 36 calls and 24 unrated calls taken back"), "{said}");
        assert!(said.contains("- nothing was changed") && said.contains("alice (id 4)"), "{said}");
        assert_eq!(everything(&books).await, meanwhile);
        let dry = said;
        let (ok, said) = books.command(&data, &["import", "undo", &id]);
        assert!(ok, "{said}");
        assert_eq!(said, dry.replace(" - nothing was changed", ""));
        books.check(FIXTURE).await;
        let (ok, said) = books.command(&data, &["import", "undo", &in_vain.to_string()]);
        assert!(ok && said.contains("0 calls and 60 unrated calls taken back"), "{said}");
        assert_eq!(everything(&books).await, before);
        let entries = entries(&books, 4).await;
        assert_eq!(entries[0].kind(), LedgerEntryKind::CallsReversed);
        assert_eq!(entries[0].note, format!("import {wrong} taken back"));

        let (_, said) = books.command(&data, &right);
        assert!(said.contains("60 calls: 36 stored, 0 duplicates, 24 rejected"), "{said}");
        assert_eq!(everything(&books).await, expected);
        books.check(FIXTURE + 36).await;
        check_records(&books, &data, &path, (wrong, in_vain, id_said(&said))).await;
    })
    .await;
}

/// What is recorded of the wrong import, the one in vain, and the right one.
async fn check_records(books: &Books, data: &Data, path: &str, ids: (i64, i64, i64)) {
    let (wrong, in_vain, right) = ids;
    let request = ListCallImportsRequest { page_size: 2, ..Default::default() };
    let listed = imports(&books.admin).list_call_imports(request).await.unwrap().into_inner();
    let listed: Vec<_> = listed.call_imports.iter().map(|import| import.id).collect();
    assert_eq!(listed, [right, in_vain]);
    let import = get(books, right).await;
    let bytes = std::fs::read(path).unwrap();
    let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&bytes));
    let files = import.files.clone().unwrap();
    assert_eq!((&*files.name, &files.sha256), ("cdr.csv", &digest));
    assert_eq!(files.size, i64::try_from(bytes.len()).ok());
    assert_eq!(import.state(), CallImportState::Complete);
    assert_eq!((import.received, import.stored, import.unrated), (60, 36, 24));
    let options = import.options.unwrap();
    assert_eq!((&*options.time_zone, &*options.terminator), ("Europe/Vilnius", "bob"));
    let import = get(books, wrong).await;
    let undone = import.undo.clone().unwrap();
    assert_eq!(import.state(), CallImportState::Undone);
    assert_eq!((undone.calls, undone.unrated_calls, undone.price), (36, 24, import.price));

    let (ok, said) = books.command(data, &["import", "list"]);
    assert!(ok && said.contains("tariff 1 by"), "{said}");
    assert!(said.contains("36 calls, 24 unrated calls") && said.contains(&digest), "{said}");
    let (ok, said) = books.command(data, &["import", "undo", &wrong.to_string()]);
    assert!(!ok && said.contains("has been taken back already"), "{said}");
    let refused = undo_as(&books.admin, of(wrong)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "CALL_IMPORT_UNDONE");
    let refused = undo_as(&books.admin, of(999)).await.unwrap_err();
    assert_eq!(reason(&refused), "CALL_IMPORT_NOT_FOUND");
    let (ok, said) = books.command(data, &["import", "undo", "999"]);
    assert!(!ok && said.contains("no such import"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_rated_again_are_taken_back_at_what_they_cost_now() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..200).map(call).collect()]).await.unwrap();
        let before = everything(&books).await;
        let brought = send(&books, (100..1_300).map(call).collect()).await;
        assert_eq!((brought.stored, brought.duplicates), (1_100, 100));
        import_rates(&books, 1, &[("370", "0.66"), ("44", "0.5")]).await;
        assert!(rerate(&books, RerateCallsRequest::default()).await.changed > 100);
        let rerated = books.balance(4).await;
        // Those of others as they were.
        import_rates(&books, 1, &[("370", "0.33"), ("44", "0.24")]).await;
        let done = undo(&books, brought.import_id).await;
        assert_eq!((done.calls, done.balances_changed), (1_100, 3));
        assert_ne!(done.price, brought.price, "it is what they cost now");
        assert_ne!(books.balance(4).await, rerated);
        books.check(FIXTURE + 200).await;
        rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!(everything(&books).await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_brought_as_well_stays() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let missing = |n: i64| CallRecord { destination: format!("999{n:06}"), ..call(n) };
        // Of answered calls a rate is missing.
        let by_switch = [missing(5), missing(6), missing(10)];
        assert_eq!(books.send(vec![by_switch[..2].to_vec()]).await.unwrap().unrated, 2);
        let all = vec![missing(6), missing(10), missing(11), missing(15)];
        let first = send(&books, all.clone()).await;
        let second = send(&books, all[1..3].to_vec()).await;
        assert_eq!((first.unrated, second.unrated), (4, 2));
        books.send(vec![vec![by_switch[2].clone()]]).await.unwrap();
        let ids = |kept: Vec<(String, i32)>| kept.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        // The switch brought 5, 6 and 10, the second import 11 as well.
        assert_eq!(undo(&books, first.import_id).await.unrated_calls, 1);
        assert_eq!(ids(unrated(&books).await), ["call-10", "call-11", "call-5", "call-6"]);
        import_rates(&books, 1, &[("999", "0.6")]).await;
        import_rates(&books, 2, &[("999", "0.2")]).await;
        let (ok, said) = books.command(&data, &["rerate", "--unrated"]);
        assert!(ok && said.contains("4 rated"), "{said}");
        books.check(FIXTURE + 4).await;
        // What was rated later is a call of the import that brought it.
        let done = undo(&books, second.import_id).await;
        assert_eq!((done.calls, done.unrated_calls), (1, 0));
        let ids: Vec<_> = books.calls().await.into_iter().map(|call| call.call_id).collect();
        assert!(ids.contains(&"call-10".to_owned()) && !ids.contains(&"call-11".to_owned()));
        books.check(FIXTURE + 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_still_running_is_stopped_if_that_is_asked_for() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let before = everything(&books).await;
        let (sender, receiver) = mpsc::channel(4);
        let mut client = CallsServiceClient::new(books.admin.clone());
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let running = tokio::spawn(async move { client.ingest_calls(stream).await });
        let message =
            |calls, import_start| IngestCallsRequest { calls, import_start, ..Default::default() };
        sender.send(message((0..50).map(call).collect(), start("running.csv"))).await.unwrap();
        let list = || async {
            let mut imports = imports(&books.admin);
            let listed = imports.list_call_imports(ListCallImportsRequest::default());
            listed.await.unwrap().into_inner().call_imports
        };
        let import = loop {
            match list().await.into_iter().next() {
                Some(import) if import.stored == 50 => break import,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert_eq!(import.state(), CallImportState::Running);
        let refused = undo_as(&books.admin, of(import.id)).await.unwrap_err();
        assert_eq!(reason(&refused), "CALL_IMPORT_RUNNING");
        let request = UndoCallImportRequest { stop: true, ..of(import.id) };
        assert_eq!(undo_as(&books.admin, request).await.unwrap().calls, 50);
        assert_eq!(everything(&books).await, before);
        sender.send(message((50..100).map(call).collect(), None)).await.unwrap();
        let refused = running.await.unwrap().unwrap_err();
        assert_eq!(reason(&refused), "CALL_IMPORT_UNDONE");
        assert_eq!(everything(&books).await, before);
        assert_eq!(get(&books, import.id).await.state(), CallImportState::Undone);

        // One whose files could not be read to their end.
        let messages = [message((0..50).map(call).collect(), start("torn.csv"))];
        let mut client = CallsServiceClient::new(books.admin.clone());
        let taken = client.ingest_calls(tokio_stream::iter(messages)).await.unwrap().into_inner();
        let import = get(&books, taken.import_id).await;
        assert_eq!((import.state(), import.stored), (CallImportState::BrokenOff, 50));
        // Of two at once each finds what the other has left.
        let (one, other) = tokio::join!(
            undo_as(&books.admin, of(import.id)),
            undo_as(&books.admin, of(import.id))
        );
        let calls = [one, other].into_iter().flatten().map(|done| done.calls).sum::<i64>();
        assert_eq!(calls, 50);
        assert_eq!(everything(&books).await, before);
        books.check(FIXTURE).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_killed_while_it_takes_an_import_back_goes_on_where_it_was() {
    on_both(|data| async move {
        let mut books = Books::open(&data).await;
        let before = everything(&books).await;
        let brought = send(&books, (0..8_000).map(call).collect()).await;
        assert_eq!(brought.stored, 8_000);
        let mut left = Vec::new();
        for wait in [60, 120, 180] {
            let core = books.admin.clone();
            let undoing =
                tokio::spawn(async move { undo_as(&core, of(brought.import_id)).await.is_ok() });
            tokio::time::sleep(Duration::from_millis(wait)).await;
            books.server.kill();
            undoing.await.unwrap();
            books = books.reopen(&data).await;
            let calls = i64::try_from(books.calls().await.len()).unwrap();
            books.check(FIXTURE + calls).await;
            left.push(calls);
        }
        println!("left after each: {left:?}");
        let import = get(&books, brought.import_id).await;
        if import.state() != CallImportState::Undone {
            assert_eq!(undo(&books, brought.import_id).await.calls, left[2]);
        }
        let undone = get(&books, brought.import_id).await.undo.unwrap();
        assert_eq!((undone.calls, undone.price), (8_000, brought.price));
        assert_eq!(everything(&books).await, before);
        books.check(FIXTURE).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_alone_takes_imports_back() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let as_user = |name: &'static str| {
            let token = data.token(&["calls", "--user", name]);
            let server = &books.server;
            async move { bearer(server.channel().await, &token) }
        };
        let [all, own, none, alice] = [
            as_user("mgr_all").await,
            as_user("mgr_own").await,
            as_user("mgr_none").await,
            as_user("alice").await,
        ];
        let user = CallRecord { originator: "user7".to_owned(), ..call(41) };
        let user = CallRecord { origination_point_id: 0, destination: "1".to_owned(), ..user };
        let user = CallRecord { billsec_ms: Some(0), ..user };
        let id = send(&books, vec![call(1), call(5), user]).await.import_id;
        let list = |core: &Authorized| {
            let mut client = imports(core);
            async move {
                let listed = client.list_call_imports(ListCallImportsRequest::default()).await;
                listed.map(|listed| listed.into_inner().call_imports.len())
            }
        };
        for core in [&all, &own, &none, &alice] {
            let refused = undo_as(core, of(id)).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied);
        }
        assert_eq!(list(&all).await.unwrap(), 1);
        // He sees what he made himself.
        assert_eq!(list(&own).await.unwrap(), 0);
        let refused = imports(&own).get_call_import(GetCallImportRequest { id: Some(id) }).await;
        assert_eq!(reason(&refused.unwrap_err()), "CALL_IMPORT_NOT_FOUND");
        assert!(list(&none).await.is_err() && list(&alice).await.is_err());

        // Who has no call any more may go.
        let delete = || async {
            let mut users = UsersServiceClient::new(books.admin.clone());
            users.delete_user(DeleteUserRequest { id: Some(7) }).await
        };
        assert_eq!(reason(&delete().await.unwrap_err()), "USER_HAS_CALLS");
        assert_eq!(undo(&books, id).await.calls, 3);
        delete().await.unwrap();
        books.check(FIXTURE).await;
    })
    .await;
}

/// Whoever takes back what another is taking back is told of all that is gone, and of their own part.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_take_an_import_back_are_both_told_of_all_of_it() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let id = send(&books, (0..4_000).map(call).collect()).await.import_id.to_string();
        let undo = || books.command(&data, &["import", "undo", &id]);
        let said = std::thread::scope(|scope| {
            let both = [scope.spawn(undo), scope.spawn(undo)];
            both.map(|one| one.join().unwrap())
        });
        // One of the two may have come when all was done.
        assert!(said.iter().any(|(ok, _)| *ok), "{said:?}");
        for (ok, said) in said {
            let all = said.contains("4000 calls and 0 unrated calls taken back");
            let late = !ok && said.contains("has been taken back already");
            assert!(ok && all || late, "{said}");
        }
        books.check(FIXTURE).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_finds_what_is_still_charged_of_an_import_that_was_taken_back() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let gone = send(&books, (0..20).map(call).collect()).await.import_id;
        let kept = send(&books, (20..30).map(call).collect()).await.import_id;
        undo(&books, gone).await;
        books.check(FIXTURE + 10).await;
        let findings = async || {
            let mut accounts = AccountsServiceClient::new(books.admin.clone());
            let report = accounts.audit_accounts(AuditAccountsRequest::default()).await;
            report.unwrap().into_inner().findings
        };
        let mut database = Database::open(&data).await;
        let undone = format!("UPDATE call_imports SET state = 'undone' WHERE id = {kept}");
        database.run(undone).await;
        let left = format!("import {kept}: taken back, but 10 of its calls are left");
        assert_eq!(findings().await, [left]);
        let price = format!("UPDATE call_imports SET undone_price = '0.01' WHERE id = {gone}");
        database.run(price).await;
        let all = findings().await.join("\n");
        assert!(
            all.contains(&format!("import {gone} as originator: entries that take it")),
            "{all}"
        );
    })
    .await;
}

/// Many calls, with a kill in the middle: `TOLLBOOK_UNDO_CALLS` says how many, a million if it does not.
/// What is held in memory, and what a transaction writes, does not grow with them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo test -p tollbook-tests --test system many_calls -- --ignored --nocapture"]
async fn an_import_of_many_calls_is_taken_back_within_bounds() {
    let count: i64 =
        std::env::var("TOLLBOOK_UNDO_CALLS").map_or(1_000_000, |text| text.parse().unwrap());
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let mut books = Books::open(&data).await;
    let begun = Instant::now();
    let messages = (0..count).step_by(500).enumerate().map(move |(number, first)| {
        let calls = (first..(first + 500).min(count)).map(call).collect();
        let import_start = (number == 0).then(|| start("calls.csv")).flatten();
        IngestCallsRequest { calls, import_start, ..Default::default() }
    });
    let end =
        IngestCallsRequest { import_end: Some(CallImportEnd::default()), ..Default::default() };
    let mut client = CallsServiceClient::new(books.admin.clone());
    let messages = tokio_stream::iter(messages.chain([end]));
    let brought = client.ingest_calls(messages).await.unwrap().into_inner();
    assert_eq!(brought.stored, count);
    println!("{count} calls in {:?}", begun.elapsed());

    let (mut most, mut log) = (0, 0);
    for part in 0..2 {
        let pid = books.server.pid();
        let before = process::resident(pid);
        process::forget_peak(pid);
        let (core, begun) = (books.admin.clone(), Instant::now());
        let undoing = tokio::spawn(async move { undo_as(&core, of(brought.import_id)).await });
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let wal = std::fs::metadata(data.directory().join("tollbook.db-wal"));
            log = log.max(wal.map_or(0, |wal| wal.len() >> 20));
            let done = get(&books, brought.import_id).await.undo.unwrap().calls;
            most = most.max(process::peak(pid).saturating_sub(before));
            if undoing.is_finished() || part == 0 && done > count / 2 {
                println!(
                    "{done} taken back after {:?}, {most} MB more, log {log} MB",
                    begun.elapsed()
                );
                break;
            }
        }
        if part == 0 {
            books.server.kill();
            assert!(undoing.await.unwrap().is_err());
            books = books.reopen(&data).await;
            let left = count - get(&books, brought.import_id).await.undo.unwrap().calls;
            books.check(FIXTURE + left).await;
        } else {
            undoing.await.unwrap().unwrap();
        }
    }
    let import = get(&books, brought.import_id).await;
    let undone = import.undo.clone().unwrap();
    assert_eq!((undone.calls, undone.price), (count, brought.price));
    assert_eq!(import.state(), CallImportState::Undone);
    books.check(FIXTURE).await;
    assert!(most < 100 && log < 128, "{most} MB more, log {log} MB");
}
