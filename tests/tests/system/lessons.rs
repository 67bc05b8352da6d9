//! What users of other billing systems suffered, as tests that would have caught it. The table
//! in docs/promises.md says which test stands for which complaint; those that no other
//! file has are here.

use std::{process::Command, sync::Arc, time::Instant};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, AuditAccountsRequest, AuthorizeCallRequest, CallRecord, ErrorReason,
    FinishCallRequest, ImportRatesOptions, ImportRatesRequest, RateLine, RateLines,
    StartCallRequest, UpdateCallRequest, accounts_service_client::AccountsServiceClient,
    import_rates_request::Part, live_calls_service_client::LiveCallsServiceClient,
    tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::decimal,
    fill::Database,
    server::{Backend, Data, Server, bearer},
};
use tonic::{Code, Status, codegen::tokio_stream};
use tonic_types::StatusExt;

use crate::on_both;

async fn adjust(books: &Books, user_id: i64, amount: &str, key: &str) -> Result<i64, Status> {
    let request = AdjustBalanceRequest {
        user_id: Some(user_id),
        amount: decimal(amount),
        idempotency_key: key.to_owned(),
        ..Default::default()
    };
    let mut accounts = AccountsServiceClient::new(books.admin.clone());
    Ok(accounts.adjust_balance(request).await?.into_inner().entry.unwrap().id)
}

/// How many ledger entries there are, of books that are right.
async fn entries(books: &Books) -> i64 {
    let mut accounts = AccountsServiceClient::new(books.admin.clone());
    let report = accounts.audit_accounts(AuditAccountsRequest {}).await.unwrap().into_inner();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    report.entries
}

async fn set_rate(books: &Books, rate: &str) {
    let line = RateLine { prefix: "370".into(), rate: rate.to_owned(), ..Default::default() };
    let options = ImportRatesOptions { tariff_id: Some(1), ..Default::default() };
    let parts = [
        Part::Options(options),
        Part::Lines(RateLines { lines: vec![line], ..Default::default() }),
    ]
    .map(|part| ImportRatesRequest { part: Some(part) });
    let mut tariffs = TariffsServiceClient::new(books.admin.clone());
    tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap();
}

fn authorization(call_id: &str) -> AuthorizeCallRequest {
    AuthorizeCallRequest {
        call_id: call_id.to_owned(),
        source: "37060000001".to_owned(),
        destination: "37061234567".to_owned(),
        originator: "user6".to_owned(),
        max_duration: 600,
        ..Default::default()
    }
}

/// Charged live and again by the final record, after rates had changed in mid-call.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_charged_once_also_where_its_rate_changes_meanwhile() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        live.authorize_call(authorization("changing")).await.unwrap();
        let start = StartCallRequest { call_id: "changing".to_owned(), answer_time: None };
        live.start_call(start).await.unwrap();
        set_rate(&books, "0.60").await;
        let update = UpdateCallRequest { call_id: "changing".to_owned(), max_duration: 60 };
        live.update_call(update).await.unwrap();
        let record = CallRecord {
            call_id: "changing".to_owned(),
            billsec_ms: Some(60_000),
            ..Default::default()
        };
        let request = FinishCallRequest { call: Some(record) };
        let finished = live.finish_call(request.clone()).await.unwrap().into_inner();
        // At the rate that it was authorised at.
        assert_eq!(books.balance(6).await, "9.67");
        assert_eq!(books.frozen().await, "0");
        // The record once more, over both ways in.
        assert!(live.finish_call(request).await.unwrap().into_inner().duplicate);
        let call = finished.call.clone().unwrap();
        let again = CallRecord {
            call_id: "changing".to_owned(),
            billsec_ms: Some(60_000),
            start_time: call.start_time,
            destination: call.destination,
            originator: call.originator,
            ..Default::default()
        };
        assert_eq!(books.send(vec![vec![again]]).await.unwrap().duplicates, 1);
        assert_eq!(books.balance(6).await, "9.67");
        assert_eq!(finished.call.unwrap().price.unwrap().amount.unwrap().value, "0.33");
        books.check(8 + 1).await;
    })
    .await;
}

/// All money was moved to another account during a call, which went on for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_money_during_a_call_gets_no_more_than_was_reserved() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        live.authorize_call(authorization("drained")).await.unwrap();
        let start = StartCallRequest { call_id: "drained".to_owned(), answer_time: None };
        live.start_call(start).await.unwrap();
        adjust(&books, 6, "-10", "").await.unwrap();
        // No second call, and no more time for the first.
        let second = live.authorize_call(authorization("second")).await.unwrap().into_inner();
        assert_eq!(second.max_duration, 0);
        let update = UpdateCallRequest { call_id: "drained".to_owned(), max_duration: 1_200 };
        let updated = live.update_call(update).await.unwrap().into_inner();
        // What was reserved for it is all that it gets.
        assert_eq!(updated.call.unwrap().max_duration, 600);
    })
    .await;
}

/// No partition for the day, so that its calls were lost.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_any_day_have_a_place() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        // 1971, 2004 and 2020.
        let days = [40_000_000, 1_100_000_000, 1_600_000_000];
        let calls =
            (1..).zip(days).map(|(n, start)| CallRecord { start_time: at(start), ..call(n) });
        let taken = books.send(vec![calls.collect()]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (3, 0), "{taken:?}");
        books.check(8 + 3).await;
    })
    .await;
}

/// The same key at the same moment: in one batch of the writer, and in several.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_many_times_at_once_counts_once() {
    on_both(|data| async move {
        let books = std::sync::Arc::new(Books::open(&data).await);
        let before = books.balance(5).await;
        let mut requests = JoinSet::new();
        for n in 0..100 {
            let books = books.clone();
            // Two keys, and one of them with two amounts.
            let (key, amount) = [("a", "1"), ("b", "10"), ("a", "1"), ("b", "20")][n % 4];
            requests.spawn(async move { (key, adjust(&books, 5, amount, key).await) });
        }
        let mut entries = std::collections::BTreeMap::<&str, Vec<i64>>::new();
        for (key, answer) in requests.join_all().await {
            match answer {
                Ok(entry) => entries.entry(key).or_default().push(entry),
                Err(status) => assert_eq!((key, status.code()), ("b", Code::AlreadyExists)),
            }
        }
        assert_eq!((entries["a"].len(), entries["b"].len()), (50, 25));
        assert!(entries.values().all(|ids| ids.iter().all(|id| *id == ids[0])));
        let (before, after): (f64, f64) =
            (before.parse().unwrap(), books.balance(5).await.parse().unwrap());
        let moved = after - before;
        assert!((moved - 11.0).abs() < 1e-9 || (moved - 21.0).abs() < 1e-9, "{moved}");
    })
    .await;
}

/// A lock that was never given back: everybody waited, and then nobody was told.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_held_is_told_within_time() {
    let Some(data) = Data::new(Backend::Postgres) else { return };
    let books = Books::open(&data).await;
    drop(books.server);
    let timeout = [("TOLLBOOK_STATEMENT_TIMEOUT", "1")];
    let server = Server::start_part(&data, "serve", &timeout);
    let admin = bearer(server.channel().await, &books.token);
    let books = Books { server, admin, token: books.token };
    // Somebody else's session on the same database.
    let hold = "BEGIN; SELECT * FROM accounts WHERE user_id = 5 FOR UPDATE; SELECT pg_sleep(5);";
    let url = data.database_url().unwrap();
    let mut holder = Command::new("psql").args([url, "-qc", hold]).spawn().unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let begun = Instant::now();
    let refused = adjust(&books, 5, "1", "held").await.unwrap_err();
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    let reason = refused.get_details_error_info().unwrap().reason;
    assert_eq!(reason, ErrorReason::Unavailable.reason());
    // Others go on meanwhile, and he as soon as he can.
    adjust(&books, 4, "1", "others").await.unwrap();
    holder.wait().unwrap();
    adjust(&books, 5, "1", "held").await.unwrap();
    books.check(8).await;
}

/// What shared a batch with a held row was tried one by one, each for as long as the lock.
#[tokio::test(flavor = "multi_thread")]
async fn who_wants_what_somebody_holds_keeps_nobody_else_waiting() {
    on_both(|data| async move {
        let books = Arc::new(Books::open(&data).await);
        let before = entries(&books).await;
        let mut holder = Database::open(&data).await;
        let hold = match data.database_url() {
            Some(_) => "BEGIN; SELECT * FROM accounts WHERE user_id = 5 FOR UPDATE",
            // All of it.
            None => "BEGIN IMMEDIATE",
        };
        holder.run(hold.to_owned()).await;
        let begun = Instant::now();
        let mut changes = JoinSet::new();
        for (number, user) in [5, 5, 5, 4, 5, 4].into_iter().enumerate() {
            let books = books.clone();
            changes.spawn(async move {
                let key = format!("held {number}");
                (user, adjust(&books, user, "1", &key).await.is_ok(), begun.elapsed())
            });
        }
        let mut done = 0;
        for (user, is_done, waited) in changes.join_all().await {
            let others = data.database_url().is_some() && user == 4;
            assert!(is_done || !others, "nobody holds what {user} wants");
            assert!(waited.as_secs() < if others { 5 } else { 25 }, "{user}: {waited:?}");
            done += i64::from(is_done);
        }
        holder.run("ROLLBACK".to_owned()).await;
        // Who was refused was refused for good.
        assert_eq!(entries(&books).await, before + done);
        adjust(&books, 5, "1", "afterwards").await.unwrap();
        books.check(8).await;
    })
    .await;
}

/// A batch with one bad call was refused, and half of it stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_bad_calls_says_of_each_what_became_of_it() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let bad =
            CallRecord { call_id: "bad".to_owned(), start_time: at(START), ..Default::default() };
        let batch = vec![call(1), call(1), bad.clone(), call(2)];
        let taken = books.send(vec![batch.clone()]).await.unwrap();
        assert_eq!((taken.stored, taken.duplicates, taken.rejected), (2, 1, 1));
        assert_eq!(taken.rejected_calls[0].call_id, "bad");
        let again = books.send(vec![batch]).await.unwrap();
        assert_eq!((again.stored, again.duplicates, again.rejected), (0, 3, 1));
        books.check(8 + 2).await;
    })
    .await;
}
