//! Calls in the books: what each pays, and that ledger, calls and statistics agree at every level.

use std::{collections::BTreeMap, time::Duration};

use tollbook_proto::v1::{
    AggregateCallsRequest, Call, CallImportEnd, CallImportStart, CallRecord, CallRejection,
    CallSide, IngestCallsRequest, ListCallsRequest, ListUnratedCallsRequest,
    RateUnratedCallsRequest, RerateCallsRequest, RerateSide, Traffic, UndoCallImportRequest,
    UnratedCallFilter, call_imports_service_client::CallImportsServiceClient,
    calls_service_client::CallsServiceClient, statistics_service_client::StatisticsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
};
use tollbook_tests::{
    books::{START, at},
    server::Authorized,
};
use tonic::codegen::tokio_stream;

use super::world::{World, minute};
use crate::{
    calls::{rerate, units},
    on_both,
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

fn value(decimal: Option<tollbook_proto::v1::Decimal>) -> String {
    decimal.map(|decimal| decimal.value).unwrap_or_default()
}

/// Calls and their totals, as somebody sees them.
async fn seen(client: &Authorized) -> (Vec<Call>, Traffic) {
    let mut calls = CallsServiceClient::new(client.clone());
    let request = ListCallsRequest {
        from: at(START - 36_000),
        till: at(START + 50_399),
        page_size: 1000,
        ..Default::default()
    };
    let calls = calls.list_calls(request).await.unwrap().into_inner().calls;
    let request = AggregateCallsRequest {
        from: at(START - 36_000),
        till: at(START + 50_399),
        ..Default::default()
    };
    let mut statistics = StatisticsServiceClient::new(client.clone());
    let totals = match statistics.aggregate_calls(request).await {
        Ok(answer) => answer.into_inner().message().await.unwrap().unwrap().totals.unwrap(),
        // Simple users ask for none.
        Err(_) => Traffic::default(),
    };
    (calls, totals)
}

/// What somebody is paid, pays and keeps.
fn money(traffic: Traffic) -> [String; 3] {
    [value(traffic.income), value(traffic.self_cost), value(traffic.profit)]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_earns_what_the_provider_leaves_and_the_reseller_what_the_admin_leaves() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let taken = world.books.send(vec![vec![minute("a", "ruth", 60_000)]]).await.unwrap();
        let sums = [taken.price, taken.reseller_price, taken.partner_price, taken.self_cost];
        assert_eq!(sums.map(value), ["2", "1.2", "0", "0.3"]);
        let balances = [("ruth", "-2"), ("rita", "-1.2"), ("carrier", "0.3"), ("pat", "0")];
        for (name, balance) in balances {
            assert_eq!(world.balance(name).await, balance, "{name}");
        }

        let (calls, totals) = seen(&world.books.admin).await;
        let call = &calls[0];
        assert_eq!((call.reseller_id, call.reseller.as_str()), (Some(world.id("rita")), "rita"));
        let paid = call.reseller_price.clone().unwrap();
        assert_eq!((paid.tariff_id, paid.billed_seconds), (world.tariffs["rita"], 60));
        assert_eq!((value(paid.rate), value(paid.amount)), ("1.2".into(), "1.2".into()));
        assert!(paid.ledger_entry_id > 0 && call.partner_id.is_none());
        assert_eq!(money(totals.clone()), ["1.2", "0.3", "0.9"]);
        assert_eq!((value(totals.reseller_profit), totals.margin_percent), ("0.8".into(), 75));

        let (calls, totals) = seen(&world.client("rita").await).await;
        assert_eq!(value(calls[0].reseller_price.clone().unwrap().amount), "1.2");
        assert!(calls[0].self_cost.is_none() && calls[0].terminator_id.is_none());
        assert_eq!(money(totals.clone()), ["2", "1.2", "0.8"]);
        assert!(totals.reseller_profit.is_none() && totals.partner_profit.is_none());

        let (calls, _) = seen(&world.client("ruth").await).await;
        assert_eq!(value(calls[0].price.clone().unwrap().amount), "2");
        assert!(calls[0].reseller_id.is_none() && calls[0].reseller_price.is_none());
        world.books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_stands_between_the_reseller_and_the_admin() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let calls = vec![minute("a", "rob", 60_000), minute("b", "pia", 120_000)];
        world.books.send(vec![calls]).await.unwrap();
        for (name, balance) in
            [("rob", "-2"), ("ray", "-1.2"), ("pia", "-3"), ("pat", "-2.7"), ("carrier", "0.9")]
        {
            assert_eq!(world.balance(name).await, balance, "{name}");
        }
        let (calls, totals) = seen(&world.books.admin).await;
        assert_eq!(money(totals.clone()), ["2.7", "0.9", "1.8"]);
        assert_eq!(value(totals.partner_profit), "1.5");
        let of_rob = calls.iter().find(|call| call.call_id == "payers-a").unwrap();
        assert_eq!((of_rob.reseller.as_str(), of_rob.partner.as_str()), ("ray", "pat"));

        // He sees what his resellers pay him; they do not see what he pays.
        let (calls, totals) = seen(&world.client("pat").await).await;
        assert_eq!(calls.len(), 2);
        assert!(calls.iter().all(|call| call.partner_price.is_some() && call.self_cost.is_none()));
        assert_eq!(money(totals.clone()), ["4.2", "2.7", "1.5"]);
        assert!(totals.partner_profit.is_none());
        let (calls, totals) = seen(&world.client("ray").await).await;
        assert_eq!(calls.len(), 1);
        assert!(calls[0].partner_id.is_none() && calls[0].partner_price.is_none());
        assert_eq!(value(calls[0].reseller_price.clone().unwrap().amount), "1.2");
        assert_eq!(money(totals), ["2", "1.2", "0.8"]);
        let (calls, _) = seen(&world.client("rita").await).await;
        assert!(calls.is_empty());
        world.books.check(FIXTURE + 2).await;
    })
    .await;
}

/// Calls of everybody, of all lengths.
fn traffic(count: i64) -> Vec<CallRecord> {
    let callers = ["ruth", "rob", "pia", "dan", "alice"];
    let call = |n: i64| CallRecord {
        start_time: at(START + n * 37 % 46_800),
        destination: format!("370{n:08}"),
        terminator: if n % 11 == 0 { "" } else { "carrier" }.to_owned(),
        ..minute(
            &format!("call-{n}"),
            callers[usize::try_from(n / 3 % 5).unwrap()],
            if n % 6 == 0 { 0 } else { n * 7_919 % 700_000 },
        )
    };
    (0..count).map(call).collect()
}

/// Checks that each balance is what the calls say, level by level, and that the audit says so, too.
async fn agree(world: &World, calls: i64) {
    world.books.check(FIXTURE + calls).await;
    let mut sums: BTreeMap<i64, i128> = BTreeMap::new();
    let mut add = |user: Option<i64>, leg: Option<tollbook_proto::v1::ChargedLeg>, sign: i128| {
        if let Some((user, leg)) = user.zip(leg) {
            *sums.entry(user).or_default() += sign * units(&value(leg.amount));
        }
    };
    for call in world.books.calls().await {
        add(Some(call.originator_id), call.price, -1);
        add(call.reseller_id, call.reseller_price, -1);
        add(call.partner_id, call.partner_price, -1);
        add(call.terminator_id, call.self_cost, 1);
    }
    for (name, id) in &world.ids {
        let sum = sums.get(id).copied().unwrap_or_default();
        let balance = world.balance(name).await;
        let (sign, balance) = balance.strip_prefix('-').map_or((1, &*balance), |rest| (-1, rest));
        assert_eq!(sum, sign * units(balance), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_level_agrees_after_a_second_delivery_another_price_and_an_undo() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let calls = traffic(3_000);
        let before = world.balances().await;
        let messages = [
            IngestCallsRequest {
                calls: calls.clone(),
                import_start: Some(CallImportStart { name: "a".to_owned(), ..Default::default() }),
                ..Default::default()
            },
            IngestCallsRequest { import_end: Some(CallImportEnd::default()), ..Default::default() },
        ];
        let mut client = CallsServiceClient::new(world.books.admin.clone());
        let taken = client.ingest_calls(tokio_stream::iter(messages)).await.unwrap().into_inner();
        assert_eq!((taken.stored, taken.rejected), (3_000, 0), "{taken:?}");
        agree(&world, 3_000).await;
        let balances = world.balances().await;
        let again = world.books.send(vec![calls]).await.unwrap();
        assert_eq!((again.stored, again.duplicates), (0, 3_000));
        assert_eq!(world.balances().await, balances);

        // Of the reseller alone, then of all; a second run finds nothing.
        world.price("rita", "1.1").await;
        world.price("pat", "0.95").await;
        let of_rita = RerateCallsRequest {
            user_id: Some(world.id("rita")),
            side: RerateSide::Reseller.into(),
            ..Default::default()
        };
        let done = rerate(&world.books, of_rita).await;
        assert!(done.changed > 0 && value(done.reseller_price_change).starts_with('-'));
        assert_eq!(value(done.price_change), "0");
        agree(&world, 3_000).await;
        let done = rerate(&world.books, RerateCallsRequest::default()).await;
        assert!(done.changed > 0 && !value(done.partner_price_change).starts_with('-'));
        agree(&world, 3_000).await;
        assert_eq!(rerate(&world.books, RerateCallsRequest::default()).await.changed, 0);

        let mut imports = CallImportsServiceClient::new(world.books.admin.clone());
        let request = UndoCallImportRequest { id: Some(taken.import_id), ..Default::default() };
        let undone = imports.undo_call_import(request).await.unwrap().into_inner();
        assert_eq!(undone.calls, 3_000);
        let of_rita = undone.balances.iter().find(|balance| balance.username == "rita").unwrap();
        assert!(!value(of_rita.price.clone()).starts_with('-'));
        agree(&world, 0).await;
        assert_eq!(world.balances().await, before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_is_missing_above_the_user_is_named_and_mended() {
    on_both(|data| async move {
        let world = World::open(&data).await;
        let to_us = |id: &str, who: &str| CallRecord {
            destination: "12025550123".to_owned(),
            terminator: String::new(),
            ..minute(id, who, 60_000)
        };
        for name in ["ruth", "rob", "ray"] {
            crate::calls::import(&world.books, world.tariffs[name], &[("1", "3")]).await;
        }
        let calls = vec![to_us("a", "ruth"), to_us("b", "rob")];
        let taken = world.books.send(vec![calls]).await.unwrap();
        assert_eq!((taken.stored, taken.unrated), (0, 2));
        let message = |n: usize| taken.rejected_calls[n].message.clone();
        assert_eq!(taken.rejected_calls[0].reason(), CallRejection::NoRate);
        let rita = format!("the reseller rita (id {})", world.id("rita"));
        assert!(message(0).contains(&rita) && message(0).contains("242"), "{}", message(0));
        assert!(message(1).contains("the partner pat") && message(1).contains("254"));
        let filter = UnratedCallFilter { side: CallSide::Partner.into(), ..Default::default() };
        let mut unrated = UnratedCallsServiceClient::new(world.books.admin.clone());
        let request =
            ListUnratedCallsRequest { filter: Some(filter.clone()), ..Default::default() };
        let listed = unrated.list_unrated_calls(request).await.unwrap().into_inner().calls;
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].side(), CallSide::Partner);
        assert!(listed[0].user_id == Some(world.id("rob")));

        for name in ["rita", "pat"] {
            crate::calls::import(&world.books, world.tariffs[name], &[("1", "2.5")]).await;
        }
        let request = RateUnratedCallsRequest {
            filter: Some(UnratedCallFilter::default()),
            ..Default::default()
        };
        unrated.rate_unrated_calls(request).await.unwrap();
        assert_eq!(world.balance("rita").await, "-2.5");
        assert_eq!(world.balance("pat").await, "-2.5");
        agree(&world, 2).await;
    })
    .await;
}

/// Killed in the middle of a stream, and sent once more: nobody pays twice, at no level.
#[tokio::test(flavor = "multi_thread")]
async fn kill_in_the_middle_and_a_second_delivery_change_nothing() {
    on_both(|data| async move {
        let mut world = World::open(&data).await;
        let calls = traffic(30_000);
        let messages: Vec<_> = calls.chunks(200).map(<[_]>::to_vec).collect();
        let mut client = CallsServiceClient::new(world.books.admin.clone());
        let sent = messages.clone().into_iter();
        let sent = sent.map(|calls| IngestCallsRequest { calls, ..Default::default() });
        let sending = tokio::spawn(async move {
            client.ingest_calls(tokio_stream::iter(sent.collect::<Vec<_>>())).await
        });
        // Once something of it is in the books.
        while world.balance("rita").await == "0" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.books.server.kill();
        assert!(sending.await.unwrap().is_err(), "killed too late");
        world.books = world.books.reopen(&data).await;
        let taken = world.books.send(messages).await.unwrap();
        assert!(taken.stored > 0 && taken.duplicates > 0, "{taken:?}");
        assert_eq!(taken.stored + taken.duplicates, 30_000);
        agree(&world, 30_000).await;
    })
    .await;
}
