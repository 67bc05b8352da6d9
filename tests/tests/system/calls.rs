//! Calls: each is stored, charged and counted once, whatever happens on the way.

use std::{collections::HashSet, sync::Arc};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AggregateCallsRequest, AggregateGrouping, Call, CallRecord, CallRejection, ImportRatesOptions,
    ImportRatesRequest, IngestCallsRequest, LedgerEntryKind, ListLedgerEntriesRequest, RateLine,
    RateLines, RerateCallsRequest, RerateCallsResponse, Settings, UpdateSettingsRequest,
    UpdateTariffRequest, accounts_service_client::AccountsServiceClient,
    calls_service_client::CallsServiceClient, import_rates_request::Part,
    settings_service_client::SettingsServiceClient, tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::books::{Books, START, at, call};
use tonic::codegen::tokio_stream;

use crate::on_both;

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

use AggregateGrouping::{
    Destination, DestinationGroup, OriginationPoint, Originator, TerminationPoint, Terminator,
};

/// An amount as a count of 10^-15, to be added up.
pub(crate) fn units(amount: &str) -> i128 {
    let (whole, places) = amount.split_once('.').unwrap_or((amount, ""));
    format!("{whole}{places:0<15}").parse().unwrap()
}

/// What the fields of calls and groups add up to: calls, billed seconds, price, self-cost.
fn sum_of_calls(calls: &[Call]) -> (i64, i64, i128, i128) {
    calls.iter().fold((0, 0, 0, 0), |sum, call| {
        let (price, cost) = (call.price.clone().unwrap(), call.self_cost.clone().unwrap());
        (
            sum.0 + 1,
            sum.1 + price.billed_seconds,
            sum.2 + units(&price.amount.unwrap().value),
            sum.3 + units(&cost.amount.unwrap().value),
        )
    })
}

async fn sum_of_groups(books: &Books, group_by: &[AggregateGrouping]) -> (i64, i64, i128, i128) {
    let group_by = group_by.iter().map(|grouping| i32::from(*grouping)).collect();
    let groups = books.aggregates(AggregateCallsRequest { group_by, ..Default::default() }).await;
    groups.into_iter().fold((0, 0, 0, 0), |sum, group| {
        let traffic = group.traffic.unwrap();
        (
            sum.0 + traffic.calls,
            sum.1 + traffic.originator_billed,
            sum.2 + units(&traffic.price.unwrap().value),
            sum.3 + units(&traffic.self_cost.unwrap().value),
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn all_totals_agree_and_a_second_delivery_changes_nothing() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let before = [books.balance(4).await, books.balance(5).await, books.balance(6).await];
        // More than a batch, in messages of all sizes.
        let calls: Vec<CallRecord> = (0..5_000).map(call).collect();
        let messages: Vec<Vec<CallRecord>> = calls.chunks(333).map(<[_]>::to_vec).collect();
        let taken = books.send(messages.clone()).await.unwrap();
        assert_eq!((taken.received, taken.stored, taken.duplicates), (5_000, 5_000, 0));

        let listed = books.calls().await;
        let total = sum_of_calls(&listed);
        assert_eq!(total.0, 5_000);
        assert_eq!(total.2, units(&taken.price.unwrap().value));
        assert_eq!(total.3, units(&taken.self_cost.unwrap().value));
        for group_by in [
            &[][..],
            &[Originator],
            &[OriginationPoint, TerminationPoint],
            &[Terminator],
            &[DestinationGroup],
            &[Destination],
            &[Originator, OriginationPoint, Terminator, TerminationPoint, Destination],
        ] {
            assert_eq!(sum_of_groups(&books, group_by).await, total, "{group_by:?}");
        }
        let after = [books.balance(4).await, books.balance(5).await, books.balance(6).await];
        let change: Vec<i128> =
            before.iter().zip(&after).map(|(before, after)| units(after) - units(before)).collect();
        assert_eq!((-(change[0] + change[2]), change[1]), (total.2, total.3));
        books.check(FIXTURE + 5_000).await;

        // In one stream some come twice, and some are new.
        let again: Vec<CallRecord> = (4_900..5_100).chain(5_000..5_100).map(call).collect();
        let taken = books.send(vec![again]).await.unwrap();
        assert_eq!((taken.stored, taken.duplicates, taken.rejected), (100, 200, 0));
        let taken = books.send(messages).await.unwrap();
        assert_eq!((taken.stored, taken.duplicates, taken.rejected), (0, 5_000, 0));
        assert_eq!(taken.price.unwrap().value, "0");
        books.check(FIXTURE + 5_100).await;
    })
    .await;
}

/// Everything about calls but the ids that the server gives.
fn without_ids(calls: Vec<Call>) -> Vec<Call> {
    let mut calls: Vec<Call> = calls
        .into_iter()
        .map(|mut call| {
            call.id = 0;
            for leg in [&mut call.price, &mut call.self_cost].into_iter().flatten() {
                leg.ledger_entry_id = 0;
            }
            call
        })
        .collect();
    calls.sort_by(|one, other| one.call_id.cmp(&other.call_id));
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn any_splitting_into_batches_gives_the_same_books() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let calls: Vec<CallRecord> = (0..600).map(call).collect();
        books.send(vec![calls.clone()]).await.unwrap();
        let whole = (
            without_ids(books.calls().await),
            [books.balance(4).await, books.balance(5).await, books.balance(6).await],
            books.aggregates(AggregateCallsRequest::default()).await,
        );
        for seed in [1, 2] {
            let Some(other) = data.like() else { continue };
            let books = Books::open(&other).await;
            let (mut rest, mut size) = (&calls[..], seed);
            while !rest.is_empty() {
                size = (size * 7_919 + seed) % 97;
                let (now, later) = rest.split_at(size.min(rest.len()));
                books.send(vec![now.to_vec()]).await.unwrap();
                rest = later;
            }
            let split = (
                without_ids(books.calls().await),
                [books.balance(4).await, books.balance(5).await, books.balance(6).await],
                books.aggregates(AggregateCallsRequest::default()).await,
            );
            assert!(whole == split, "splitting {seed}");
            books.check(FIXTURE + 600).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_call_is_rejected_by_itself() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        import(&books, 1, &[("371", "blocked"), ("372", "99999999999")]).await;
        let good = |n| CallRecord {
            billsec_ms: Some(60_000),
            duration_ms: Some(61_000),
            originator: "alice".to_owned(),
            terminator: "bob".to_owned(),
            origination_point_id: 0,
            termination_point_id: 0,
            ..call(n)
        };
        let to = |n, number: &str| CallRecord { destination: number.to_owned(), ..good(n) };
        let bad = [
            (CallRecord { duration_ms: Some(-1), ..good(1) }, CallRejection::NegativeDuration),
            (
                CallRecord { end_time: at(START - 60), duration_ms: None, ..good(2) },
                CallRejection::EndsBeforeStart,
            ),
            (
                CallRecord { originator: "nobody".to_owned(), ..good(3) },
                CallRejection::UnknownOriginator,
            ),
            (
                CallRecord { originator: "admin".to_owned(), ..good(4) },
                CallRejection::UnknownOriginator,
            ),
            (
                CallRecord { terminator: "nobody".to_owned(), ..good(5) },
                CallRejection::UnknownTerminator,
            ),
            (CallRecord { terminator_id: Some(999), ..good(6) }, CallRejection::UnknownTerminator),
            (CallRecord { originator: "user7".to_owned(), ..good(8) }, CallRejection::NoTariff),
            (CallRecord { origination_point_id: 999, ..good(14) }, CallRejection::UnknownPoint),
            (CallRecord { origination_point_id: 3, ..good(15) }, CallRejection::UnknownPoint),
            (CallRecord { origination_point_id: 2, ..good(16) }, CallRejection::UnknownPoint),
            (CallRecord { termination_point_id: 1, ..good(17) }, CallRejection::UnknownPoint),
            (to(9, "99912345"), CallRejection::NoRate),
            (to(10, "37112345"), CallRejection::Blocked),
            (
                CallRecord {
                    duration_ms: Some(2_000_000_000),
                    billsec_ms: Some(2_000_000_000),
                    terminator: String::new(),
                    ..to(11, "37212345")
                },
                CallRejection::AmountOutOfRange,
            ),
            (CallRecord { call_id: String::new(), ..good(12) }, CallRejection::InvalidField),
            (CallRecord { start_time: None, ..good(13) }, CallRejection::InvalidField),
        ];
        let before = books.balance(4).await;
        let mut calls = vec![good(100)];
        calls.extend(bad.iter().map(|(call, _)| call.clone()));
        // Of no use to anybody, but no fault either: the call was never answered.
        calls.push(CallRecord { billsec_ms: None, ..to(101, "99912345") });
        let taken = books.send(vec![calls]).await.unwrap();
        let reasons: Vec<(i64, CallRejection)> =
            taken.rejected_calls.iter().map(|call| (call.position, call.reason())).collect();
        let expected: Vec<_> = (2..).zip(bad.iter().map(|(_, reason)| *reason)).collect();
        assert_eq!(reasons, expected, "{:#?}", taken.rejected_calls);
        assert_eq!((taken.stored, taken.rejected), (2, 16));
        assert_eq!(
            units(&before) - units(&books.balance(4).await),
            units(&taken.price.unwrap().value)
        );
        books.check(FIXTURE + 2).await;
        // Mended and sent again they are taken.
        let taken = books.send(vec![vec![good(1), good(3)]]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (2, 0));
        books.check(FIXTURE + 4).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_calls_in_several_streams_at_once_are_charged_once() {
    on_both(|data| async move {
        let books = Arc::new(Books::open(&data).await);
        let mut streams = JoinSet::new();
        for stream in 0..4 {
            let books = books.clone();
            streams.spawn(async move {
                // Each in its own order, so that they meet in the middle.
                let mut calls: Vec<CallRecord> = (0..2_000).map(call).collect();
                calls.rotate_left(stream * 500);
                books.send(calls.chunks(100).map(<[_]>::to_vec).collect()).await.unwrap()
            });
        }
        let all = streams.join_all().await;
        assert_eq!(all.iter().map(|taken| taken.stored).sum::<i64>(), 2_000);
        assert_eq!(all.iter().map(|taken| taken.duplicates).sum::<i64>(), 6_000);
        books.check(FIXTURE + 2_000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_in_the_middle_loses_nothing_and_charges_nothing_twice() {
    on_both(|data| async move {
        let mut books = Books::open(&data).await;
        let mut acknowledged: Vec<i64> = Vec::new();
        let mut clients = JoinSet::new();
        let (told, mut hear) = tokio::sync::mpsc::unbounded_channel();
        for client in 0..4_i64 {
            let (admin, told) = (books.admin.clone(), told.clone());
            clients.spawn(async move {
                for block in 0..50 {
                    let numbers = (client * 50 + block) * 100..(client * 50 + block + 1) * 100;
                    let calls = numbers.clone().map(call).collect();
                    let messages =
                        tokio_stream::iter([IngestCallsRequest { calls, ..Default::default() }]);
                    let mut service = CallsServiceClient::new(admin.clone());
                    if service.ingest_calls(messages).await.is_err() {
                        return;
                    }
                    told.send(numbers).unwrap();
                }
            });
        }
        drop(told);
        while acknowledged.len() < 3_000 {
            acknowledged.extend(hear.recv().await.unwrap());
        }
        books.server.kill();
        while let Some(numbers) = hear.recv().await {
            acknowledged.extend(numbers);
        }
        assert!(acknowledged.len() < 20_000, "killed too late");

        let books = books.reopen(&data).await;
        let stored: HashSet<String> =
            books.calls().await.into_iter().map(|call| call.call_id).collect();
        for number in &acknowledged {
            assert!(stored.contains(&format!("call-{number}")), "call {number} is lost");
        }
        books.check(FIXTURE + i64::try_from(stored.len()).unwrap()).await;
        // The switch sends everything again.
        let all: Vec<Vec<CallRecord>> =
            (0..200).map(|block| (block * 100..(block + 1) * 100).map(call).collect()).collect();
        let taken = books.send(all).await.unwrap();
        assert_eq!(taken.duplicates, i64::try_from(stored.len()).unwrap());
        assert_eq!(taken.stored + taken.duplicates, 20_000);
        books.check(FIXTURE + 20_000).await;
    })
    .await;
}

/// Imports rates; a rate of "blocked" blocks its prefix.
pub(crate) async fn import(books: &Books, tariff_id: i64, rates: &[(&str, &str)]) {
    let lines = rates.iter().map(|(prefix, rate)| RateLine {
        prefix: (*prefix).to_owned(),
        rate: (*rate).to_owned(),
        ..Default::default()
    });
    import_lines(books, tariff_id, lines.collect()).await;
}

/// Imports lines of a deck.
pub(crate) async fn import_lines(books: &Books, tariff_id: i64, lines: Vec<RateLine>) {
    let options = ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
    let parts = [Part::Options(options), Part::Lines(RateLines { lines, ..Default::default() })]
        .map(|part| ImportRatesRequest { part: Some(part) });
    let mut tariffs = TariffsServiceClient::new(books.admin.clone());
    let report = tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap().into_inner();
    assert!(report.applied, "{report:?}");
}

pub(crate) async fn rerate(books: &Books, request: RerateCallsRequest) -> RerateCallsResponse {
    let request = RerateCallsRequest { from: at(START), till: at(START + 46_800), ..request };
    let mut calls = CallsServiceClient::new(books.admin.clone());
    calls.rerate_calls(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn rating_again_moves_balances_by_the_difference_once() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..2_500).map(call).collect()]).await.unwrap();
        let before = (books.balance(4).await, books.balance(5).await, books.balance(6).await);
        let untouched = rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!((untouched.examined, untouched.changed), (1_000, 0));

        // Dearer, and with a longer prefix that some of the calls have.
        import(&books, 1, &[("370", "0.66"), ("440000", "0.5")]).await;
        let dry = RerateCallsRequest { dry_run: true, ..Default::default() };
        let foreseen = rerate(&books, dry).await;
        assert!(foreseen.changed > 400, "{foreseen:?}");
        assert_eq!(books.balance(4).await, before.0);

        let only_alice = RerateCallsRequest { user_id: Some(4), ..Default::default() };
        let alice = rerate(&books, only_alice).await;
        assert_eq!(books.balance(6).await, before.2, "he was not meant");
        let rest = rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!(alice.changed + rest.changed, foreseen.changed);
        let change =
            units(&alice.price_change.unwrap().value) + units(&rest.price_change.unwrap().value);
        assert_eq!(change, units(&foreseen.price_change.unwrap().value));
        let after = (books.balance(4).await, books.balance(5).await, books.balance(6).await);
        let moved = units(&before.0) - units(&after.0) + units(&before.2) - units(&after.2);
        assert_eq!(moved, change);
        assert_eq!(after.1, before.1, "what bob earns has not changed");
        books.check(FIXTURE + 2_500).await;

        let again = rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!((again.changed, again.price_change.unwrap().value.as_str()), (0, "0"));
        let request =
            ListLedgerEntriesRequest { user_id: Some(4), page_size: 1000, ..Default::default() };
        let mut accounts = AccountsServiceClient::new(books.admin.clone());
        let entries = accounts.list_ledger_entries(request).await.unwrap().into_inner().entries;
        let kinds: HashSet<LedgerEntryKind> =
            entries.iter().map(tollbook_proto::v1::LedgerEntry::kind).collect();
        assert!(kinds.contains(&LedgerEntryKind::CallsReversed), "{kinds:?}");

        // What has no rate any more keeps its price.
        import(&books, 1, &[("44", "blocked")]).await;
        let unratable = rerate(&books, RerateCallsRequest::default()).await;
        assert!(unratable.unratable > 200 && unratable.changed == 0, "{unratable:?}");
        books.check(FIXTURE + 2_500).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tariffs_in_another_currency_are_charged_in_the_default_one() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let euros =
            UpdateTariffRequest { id: Some(1), name: None, currency: Some("EUR".to_owned()) };
        TariffsServiceClient::new(books.admin.clone()).update_tariff(euros).await.unwrap();
        let minute = CallRecord {
            billsec_ms: Some(60_000),
            duration_ms: Some(60_000),
            destination: "37061234567".to_owned(),
            originator: "alice".to_owned(),
            terminator: "bob".to_owned(),
            origination_point_id: 0,
            ..call(1)
        };
        let taken = books.send(vec![vec![minute]]).await.unwrap();
        // 0.33 EUR at 0.7351 EUR per USD; bob's tariff is in USD.
        assert_eq!(taken.price.unwrap().value, "0.448918514487825");
        assert_eq!(taken.self_cost.unwrap().value, "0.095");
        let listed = books.calls().await.pop().unwrap().price.unwrap();
        assert_eq!(listed.rate.unwrap().value, "0.448918514487825");
        books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_zone_has_other_days_and_the_same_calls() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..900).map(call).collect()]).await.unwrap();
        let by_destination = AggregateCallsRequest {
            group_by: vec![AggregateGrouping::Destination.into()],
            ..Default::default()
        };
        let in_utc = books.aggregates(by_destination.clone()).await;
        for zone in ["Asia/Kathmandu", "America/St_Johns", "UTC"] {
            let request = UpdateSettingsRequest {
                settings: Some(Settings { time_zone: zone.to_owned(), ..Default::default() }),
                update_mask: Some(prost_types::FieldMask { paths: vec!["time_zone".to_owned()] }),
                ..Default::default()
            };
            let mut settings = SettingsServiceClient::new(books.admin.clone());
            settings.update_settings(request).await.unwrap();
            assert_eq!(books.aggregates(by_destination.clone()).await, in_utc, "{zone}");
            books.check(FIXTURE + 900).await;
            // Any period, cut anywhere, has the calls that began in it.
            let whole = books.aggregates(AggregateCallsRequest::default()).await;
            let mut parts = 0;
            for (from, till) in [(-36_000, 12_344), (12_345, 12_345), (12_346, 50_399)] {
                let request = AggregateCallsRequest {
                    from: at(START + from),
                    till: at(START + till),
                    ..Default::default()
                };
                let groups = books.aggregates(request).await;
                parts +=
                    groups.iter().map(|group| group.traffic.clone().unwrap().calls).sum::<i64>();
            }
            let whole: i64 = whole.iter().map(|group| group.traffic.clone().unwrap().calls).sum();
            assert_eq!((whole, parts), (900, 900), "{zone}");
        }
    })
    .await;
}
