//! An import that is taken back by a process that dies between any two steps.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use tollbook_proto::v1::{self as pb, CallRecord};

use super::{State, end, store, undo};
use crate::{
    Core, Options, SetUp,
    access::Scope,
    calls::ingest::{self, Delivery, Numbered},
    changes::{Credential, Origin},
    clock,
    context::Context,
    ledger,
    store::{DatabaseUrl, Query, crash::Lost},
    unrated::Brought,
};

/// How many calls an import has: several transactions.
const CALLS: usize = 25;

/// Calls of demo customers that can be billed, and one that cannot: nothing begins with 999.
fn records(number: u32) -> Vec<CallRecord> {
    let record = |name: String, originator: &str, destination: &str| CallRecord {
        call_id: name,
        start_time: Some(clock::to_proto(clock::now() - 100_000_000)),
        billsec_ms: Some(60_000),
        destination: destination.to_owned(),
        originator: originator.to_owned(),
        ..CallRecord::default()
    };
    let mut records: Vec<_> = (0..CALLS)
        .map(|call| {
            let originator = ["acme", "globex"][call % 2];
            record(format!("{number}-{call}"), originator, "37061234567")
        })
        .collect();
    records.push(record(format!("{number}-unrated"), "acme", "99912345"));
    records
}

fn operator() -> Arc<Origin> {
    Arc::new(Origin::operator(Credential::CommandLine))
}

async fn import(context: &Context, number: u32) -> i64 {
    let mut tx = context.db.begin().await.unwrap();
    let start = pb::CallImportStart::default();
    let id = store::insert(&mut tx, &operator(), &start).await.unwrap();
    tx.commit().await.unwrap();
    let batch = (1..).zip(records(number)).map(|(position, record)| Numbered {
        position,
        call: Brought::of_import(record, Some(id)),
    });
    let rated = ingest::rate(context, Scope::any(), batch.collect()).await.unwrap();
    let delivery = Delivery::new(operator(), rated).of_import(Some(id));
    let taken = context.writer.take(delivery).await.unwrap();
    assert_eq!((taken.stored.len(), taken.kept), (CALLS, 1));
    end(context, id, Some(&pb::CallImportEnd::default())).await.unwrap();
    id
}

async fn count(context: &Context, of: &'static str) -> i64 {
    let query = Query::new("SELECT COUNT(*) FROM ").and(of);
    context.db.fetch_optional(query).await.unwrap().unwrap().get(0).unwrap()
}

async fn balances(context: &Context) -> Vec<String> {
    let query = Query::new("SELECT balance FROM accounts ORDER BY user_id");
    let rows = context.db.fetch_all(query).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn is_right(context: &Context, when: &str) {
    let report = ledger::audit::audit(&context.db).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new(), "{when}");
}

/// Wherever it breaks off, calls, balances, ledger and sums agree; and done again, it does the rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_leaves_the_books_right_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(directory.path().join("undo.db"));
    let set_up = SetUp { demo: true, ..SetUp::default() };
    let options = Options { set_up, ..Options::default() };
    let context = Box::pin(Core::open(&url, options)).await.unwrap().context;
    let before = (count(&context, "calls").await, count(&context, "unrated_calls").await);
    let balances_before = balances(&context).await;
    let (mut died, mut in_the_middle) = (0, 0);
    for steps in 0..70 {
        let id = import(&context, steps).await;
        let calls = i64::try_from(CALLS).unwrap();
        match steps {
            68 => context.db.crash.lose(Lost::Commit),
            69 => context.db.crash.lose(Lost::Answer),
            steps => context.db.crash.after(steps),
        }
        let when = format!("after {steps} steps");
        let request = pb::UndoCallImportRequest { id: Some(id), ..Default::default() };
        let done = undo::undo(&context, &operator(), &request).await;
        died += u32::from(context.db.crash.restart());
        is_right(&context, &when).await;
        let left = count(&context, "calls").await - before.0;
        assert!((0..=calls).contains(&left), "{when}: {left} left");
        in_the_middle += u32::from(left > 0 && left < calls);

        let again = undo::undo(&context, &operator(), &request).await;
        assert!(done.is_err() || again.is_err(), "{when}: taken back twice");
        is_right(&context, &when).await;
        let after = (count(&context, "calls").await, count(&context, "unrated_calls").await);
        assert_eq!(after, before, "{when}");
        assert_eq!(balances(&context).await, balances_before, "{when}");
        let import = store::get(&mut context.db.snapshot().await.unwrap(), id).await.unwrap();
        assert_eq!(import.state(), State::Undone.to_proto(), "{when}");
        let undo = import.undo.unwrap();
        assert_eq!((undo.calls, undo.unrated_calls), (calls, 1), "{when}");
        assert_eq!(undo.price, import.price, "{when}");
    }
    assert!(died > 20 && in_the_middle > 5, "{died} died, {in_the_middle} in the middle");
}
