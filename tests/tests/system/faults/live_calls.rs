//! Faults of release 0.1: calls under way and their prices.

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    ActiveCall, AggregateCallsRequest, AuthorizeCallRequest, CallOrder, CallRecord, CallRejection,
    ConnectionPoint, DeleteConnectionPointRequest, FinishCallRequest, ListActiveCallsRequest,
    ListCallsRequest, OriginationPoint, RejectCode, RerateCallsRequest, Settings, StartCallRequest,
    TerminationPoint, UpdateCallRequest, UpdateSettingsRequest,
    calls_service_client::CallsServiceClient,
    connection_points_service_client::ConnectionPointsServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    settings_service_client::SettingsServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::mask,
    server::Data,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    calls::{import, rerate},
    live_calls::{authorize, finish, live, point, request},
    on_both,
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

/// What the details of an error say under a name.
fn detail(status: &Status, name: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(name)).cloned().unwrap_or_default()
}

fn seconds_from_now(seconds: i64) -> Option<prost_types::Timestamp> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    at(i64::try_from(now.as_secs()).unwrap() + seconds)
}

fn minute(call_id: &str) -> CallRecord {
    CallRecord { call_id: call_id.to_owned(), billsec_ms: Some(60_000), ..Default::default() }
}

async fn start(books: &Books, call_id: &str, answered: i64) -> Result<(ActiveCall, bool), Status> {
    let answer_time = seconds_from_now(answered);
    let request = StartCallRequest { call_id: call_id.to_owned(), answer_time };
    let started = live(books).start_call(request).await?.into_inner();
    Ok((started.call.unwrap(), started.hang_up))
}

/// Runs a statement on the database itself. Returns whether there is a program for it.
fn sql(data: &Data, statement: &str) -> Option<String> {
    let mut command = Command::new("psql");
    if let Some(url) = data.database_url() {
        command.args([url, "-qAtc", statement]);
    } else {
        command = Command::new("sqlite3");
        command.arg(data.directory().join("tollbook.db")).args(["-cmd", ".timeout 5000"]);
        command.arg(statement);
    }
    let output = command.output().ok()?;
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn f03_an_authorisation_holds_for_the_call_that_was_asked_about() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("6").await;
        // Cheap: 0.24 a minute, 25 minutes for 6.
        let cheap = AuthorizeCallRequest { destination: "442071234567".to_owned(), ..request("x") };
        let answer = authorize(&books, cheap.clone()).await;
        assert_eq!((answer.max_duration, answer.prefix.as_str()), (1_500, "44"));
        // Dear, under the same id: 0.33 a minute. The money is reserved once.
        let dear = authorize(&books, request("x")).await;
        assert_eq!((dear.max_duration, dear.prefix.as_str()), (1_090, "370"));
        assert_eq!(dear.reserved.clone().unwrap().value, "5.995");
        assert_eq!(books.frozen().await, "5.995");
        assert_eq!(authorize(&books, request("x")).await, dear, "asked twice, reserved once");

        // Every check is made again: of the number, the source, the points and terminators.
        let asked = |change: fn(&mut AuthorizeCallRequest)| {
            let mut asked = AuthorizeCallRequest { max_duration: 60, ..request("x") };
            change(&mut asked);
            asked
        };
        let through = authorize(&books, asked(|call| call.terminator_ids = vec![5])).await;
        assert_eq!((through.terminator_id, through.max_duration), (Some(5), 60));
        let from = authorize(&books, asked(|call| call.origination_point_id = Some(2))).await;
        assert_eq!((from.terminator_id, from.origination_point_id), (None, 2));
        let denied = OriginationPoint {
            active: true,
            source_deny_pattern: "^999".to_owned(),
            ..Default::default()
        };
        let id_and =
            |origination| ConnectionPoint { id: Some(2), origination, ..Default::default() };
        point(&books, id_and(Some(denied))).await;
        let source = asked(|call| {
            call.origination_point_id = Some(2);
            call.source = "999".to_owned();
        });
        assert_eq!(authorize(&books, source).await.reject_code(), RejectCode::SourceRefused);
        // The last answer counts: what was refused reserves nothing, and cannot be begun.
        assert_eq!(books.frozen().await, "0");
        assert_eq!(start(&books, "x", 0).await.unwrap_err().code(), Code::NotFound);
        authorize(&books, request("x")).await;
        let nowhere = asked(|call| call.destination = "999".to_owned());
        let refused = authorize(&books, nowhere).await;
        assert_eq!(refused.reject_code(), RejectCode::OriginatorRateNotFound);
        assert_eq!(books.frozen().await, "0");

        // Once it was answered it is the call that it is.
        authorize(&books, cheap.clone()).await;
        start(&books, "x", 0).await.unwrap();
        let other = live(&books).authorize_call(request("x")).await.unwrap_err();
        assert_eq!(
            (other.code(), detail(&other, "field").as_str()),
            (Code::InvalidArgument, "destination")
        );
        assert_eq!(authorize(&books, cheap).await.max_duration, 1_500);
        let elsewhere = CallRecord { destination: "37061234567".to_owned(), ..minute("x") };
        let refused = finish(&books, elsewhere).await.unwrap_err();
        assert_eq!(detail(&refused, "rejection"), "NOT_AUTHORIZED", "{refused:?}");
        assert_eq!(books.frozen().await, "6");
        finish(&books, minute("x")).await.unwrap();
        assert_eq!(books.balance(6).await, "5.76");
        books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f04_an_expired_reservation_does_not_come_back_to_life() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("0.33").await;
        let all = |id: &str| AuthorizeCallRequest { max_duration: 60, ..request(id) };
        let second = |id: &str| AuthorizeCallRequest { max_duration: 1, ..request(id) };
        assert_eq!(authorize(&books, second("lost")).await.max_duration, 1);
        // Answered four minutes ago for a second.
        let (call, hang_up) = start(&books, "lost", -240).await.unwrap();
        assert!(call.expired && hang_up, "there is nothing left for that long");
        assert_eq!(authorize(&books, all("other")).await.max_duration, 60);

        let update = UpdateCallRequest { call_id: "lost".to_owned(), max_duration: 7_200 };
        let updated = live(&books).update_call(update.clone()).await.unwrap().into_inner();
        let call = updated.call.unwrap();
        assert!(updated.hang_up && call.expired, "{call:?}");
        let (call, hang_up) = start(&books, "lost", -240).await.unwrap();
        assert!(hang_up && call.expired, "{call:?}");
        let again = live(&books).authorize_call(second("lost")).await.unwrap_err();
        assert_eq!(again.code(), Code::InvalidArgument);
        assert_eq!(books.frozen().await, "0.33", "of the other call alone");

        // With money that reaches beyond now it goes on, and not a second longer.
        books.adjust(6, "1.65").await;
        let updated = live(&books).update_call(update).await.unwrap().into_inner();
        let call = updated.call.unwrap();
        assert!(!updated.hang_up && !call.expired, "{call:?}");
        assert_eq!((call.max_duration, books.frozen().await), (300, "1.98".to_owned()));
        let broke = authorize(&books, second("third")).await;
        assert_eq!(broke.reject_code(), RejectCode::BalanceTooLow);

        finish(&books, CallRecord { billsec_ms: Some(300_000), ..minute("lost") }).await.unwrap();
        let spare = CallRecord { disposition: 4, billsec_ms: None, ..minute("other") };
        finish(&books, spare).await.unwrap();
        unanswered_ones(&data, &books).await;
    })
    .await;
}

/// A call whose reservation ran out is checked like a new one: from a point that is off, or gone,
/// there are none.
#[tokio::test(flavor = "multi_thread")]
async fn f04_an_expired_call_from_a_point_that_is_off_is_ended() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let on = OriginationPoint { active: true, ..Default::default() };
        let from = |origination| ConnectionPoint { id: Some(2), origination, ..Default::default() };
        let asked = |call_id: &str| AuthorizeCallRequest {
            originator: String::new(),
            origination_point_id: Some(2),
            max_duration: 1,
            ..request(call_id)
        };
        let more =
            |call_id: &str| UpdateCallRequest { call_id: call_id.to_owned(), max_duration: 7_200 };
        let hang_up = async |call_id: &str| {
            live(&books).update_call(more(call_id)).await.unwrap().into_inner().hang_up
        };
        point(&books, from(Some(on.clone()))).await;
        for id in ["on", "off", "gone"] {
            assert_eq!(authorize(&books, asked(id)).await.max_duration, 1, "{id}");
        }
        let expire = "UPDATE active_calls SET expires_at = 1 WHERE call_id IN ('on', 'off')";
        if sql(&data, expire).is_none() {
            println!("skipped: no program that changes the database");
            return;
        }
        assert!(!hang_up("on").await, "there is money, and the point is on");
        point(&books, from(Some(OriginationPoint { active: false, ..on.clone() }))).await;
        let frozen = books.frozen().await;
        assert!(hang_up("off").await);
        assert_eq!(books.frozen().await, frozen, "nothing is reserved for it");
        assert!(!hang_up("gone").await, "it has not expired");
        let mut points = ConnectionPointsServiceClient::new(books.admin.clone());
        points.delete_connection_point(DeleteConnectionPointRequest { id: Some(2) }).await.unwrap();
        sql(&data, "UPDATE active_calls SET expires_at = 1 WHERE call_id = 'gone'");
        assert!(hang_up("gone").await);
    })
    .await;
}

/// What rang for longer than its reservation holds.
async fn unanswered_ones(data: &Data, books: &Books) {
    let all = |id: &str| AuthorizeCallRequest { max_duration: 60, ..request(id) };
    assert_eq!((books.balance(6).await, books.frozen().await), ("0.33".into(), "0".into()));
    assert_eq!(authorize(books, all("rings")).await.max_duration, 60);
    assert_eq!(authorize(books, all("rings too")).await.reject_code(), RejectCode::BalanceTooLow);
    let expire = "UPDATE active_calls SET expires_at = 1 WHERE call_id = 'rings'";
    if sql(data, expire).is_none() {
        println!("skipped: no program that changes the database");
        return;
    }
    assert_eq!(authorize(books, all("rings too")).await.max_duration, 60);
    let (call, hang_up) = start(books, "rings", 0).await.unwrap();
    assert!(hang_up && call.expired && call.answered_at.is_some(), "{call:?}");
    let again = live(books).authorize_call(all("rings")).await.unwrap_err();
    assert_eq!(again.code(), Code::InvalidArgument);

    // What rings still is decided anew: first there is nothing left, then there is.
    sql(data, "UPDATE active_calls SET answered_at = NULL WHERE call_id = 'rings'");
    assert_eq!(authorize(books, all("rings")).await.reject_code(), RejectCode::BalanceTooLow);
    assert_eq!(books.frozen().await, "0.33");
    let over = CallRecord { disposition: 4, billsec_ms: None, ..minute("rings too") };
    finish(books, over).await.unwrap();
    assert_eq!(authorize(books, all("rings")).await.max_duration, 60);
    sql(data, expire);
    let (call, hang_up) = start(books, "rings", 0).await.unwrap();
    assert!(!hang_up && !call.expired && call.max_duration == 60, "{call:?}");
    assert_eq!(books.frozen().await, "0.33");
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_a_call_is_billed_by_what_was_authorised() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let custom = OriginationPoint { active: true, custom_tariff_id: 2, ..Default::default() };
        let from = |origination| ConnectionPoint { id: Some(2), origination, ..Default::default() };
        let asked = |call_id: &str| AuthorizeCallRequest {
            originator: String::new(),
            origination_point_id: Some(2),
            termination_point_ids: vec![3],
            max_duration: 60,
            ..request(call_id)
        };
        point(&books, from(Some(custom))).await;
        for id in ["finished", "ingested", "elsewhere"] {
            // 0.09 and a fee of 0.005, which bob earns as well.
            let answer = authorize(&books, asked(id)).await;
            assert_eq!(answer.reserved.unwrap().value, "0.095");
        }
        // Points and rates go, and the call goes on.
        point(&books, from(Some(OriginationPoint::default()))).await;
        let off = ConnectionPoint {
            id: Some(3),
            termination: Some(TerminationPoint::default()),
            ..Default::default()
        };
        point(&books, off).await;
        let mut points = ConnectionPointsServiceClient::new(books.admin.clone());
        for id in [2, 3] {
            let request = DeleteConnectionPointRequest { id: Some(id) };
            points.delete_connection_point(request).await.unwrap();
        }
        import(&books, 1, &[("370", "9")]).await;
        import(&books, 2, &[("370", "8")]).await;
        let call = finish(&books, minute("finished")).await.unwrap().call.unwrap();
        let amounts = |call: &tollbook_proto::v1::Call| {
            [&call.price, &call.self_cost].map(|leg| leg.clone().unwrap().amount.unwrap().value)
        };
        assert_eq!(amounts(&call), ["0.095", "0.095"]);
        assert_eq!((call.origination_point_id, call.termination_point_id), (2, 3));
        let record = CallRecord {
            originator: "user6".to_owned(),
            destination: "37061234567".to_owned(),
            start_time: seconds_from_now(-60),
            origination_point_id: 2,
            ..minute("ingested")
        };
        let taken = books.send(vec![vec![record]]).await.unwrap();
        assert_eq!((taken.stored, taken.price.unwrap().value.as_str()), (1, "0.095"));
        // Where the switch went on to another terminator, that one earns by his tariff of now.
        let other = CallRecord { terminator: "alice".to_owned(), ..minute("elsewhere") };
        let call = finish(&books, other).await.unwrap().call.unwrap();
        assert_eq!(amounts(&call), ["0.095", "9"]);
        assert_eq!((books.balance(6).await, books.frozen().await), ("9.715".into(), "0".into()));
        books.check(FIXTURE + 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_a_call_id_belongs_to_whom_it_was_authorised_for() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let asked = AuthorizeCallRequest { max_duration: 60, ..request("mine") };
        authorize(&books, asked.clone()).await;
        let foreign = CallRecord {
            originator: "alice".to_owned(),
            destination: "37061234567".to_owned(),
            start_time: seconds_from_now(-60),
            ..minute("mine")
        };
        let by_point =
            CallRecord { originator: String::new(), origination_point_id: 1, ..foreign.clone() };
        let dearer = CallRecord {
            originator: "user6".to_owned(),
            destination: "442071234567".to_owned(),
            ..foreign.clone()
        };
        let records = vec![foreign.clone(), by_point.clone(), dearer];
        let count = i64::try_from(records.len()).unwrap();
        let taken = books.send(vec![records]).await.unwrap();
        assert_eq!((taken.stored, taken.duplicates, taken.rejected), (0, 0, count));
        for rejected in &taken.rejected_calls {
            assert_eq!(rejected.reason(), CallRejection::NotAuthorized, "{rejected:?}");
        }
        let refused = finish(&books, foreign).await.unwrap_err();
        assert_eq!(detail(&refused, "rejection"), "NOT_AUTHORIZED");
        let refused = finish(&books, by_point).await.unwrap_err();
        assert_eq!(detail(&refused, "rejection"), "NOT_AUTHORIZED");
        let other = AuthorizeCallRequest { originator: "alice".to_owned(), ..asked };
        let refused = live(&books).authorize_call(other).await.unwrap_err();
        assert_eq!(detail(&refused, "field"), "call_id");
        assert_eq!((books.balance(6).await, books.frozen().await), ("10".into(), "0.33".into()));
        finish(&books, minute("mine")).await.unwrap();
        assert_eq!((books.balance(6).await, books.frozen().await), ("9.67".into(), "0".into()));
        books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f09_sums_and_times_out_of_range_are_refused() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        import(&books, 1, &[("7", "600000000000")]).await;
        let before = (books.balance(4).await, books.balance(6).await);
        // There and back and there again: each balance is in range, what is posted is not.
        let call = |n: usize, originator: &str, terminator: &str| CallRecord {
            originator: originator.to_owned(),
            terminator: terminator.to_owned(),
            destination: "71".to_owned(),
            start_time: at(START),
            ..minute(&format!("huge-{n}"))
        };
        let calls =
            vec![call(1, "alice", "user6"), call(2, "user6", "alice"), call(3, "alice", "user6")];
        let taken = books.send(vec![calls]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (2, 1));
        assert_eq!(taken.rejected_calls[0].reason(), CallRejection::AmountOutOfRange);
        assert_eq!((books.balance(4).await, books.balance(6).await), before);
        books.check(FIXTURE + 2).await;

        books.prepaid("10").await;
        let asked = AuthorizeCallRequest { max_duration: 60, ..request("answered") };
        authorize(&books, asked).await;
        let ahead = start(&books, "answered", 120).await.unwrap_err();
        assert_eq!(detail(&ahead, "field"), "answer_time");
        // A clock that is a little ahead does not make a call end before it was answered.
        start(&books, "answered", 30).await.unwrap();
        let ended = CallRecord { call_id: "answered".to_owned(), ..Default::default() };
        finish(&books, ended).await.unwrap();
        for (field, record) in [
            (
                "start_time",
                CallRecord { start_time: seconds_from_now(3_600), ..call(4, "alice", "") },
            ),
            (
                "answer_time",
                CallRecord { answer_time: seconds_from_now(3_600), ..call(5, "alice", "") },
            ),
            ("end_time", CallRecord { end_time: seconds_from_now(3_600), ..call(6, "alice", "") }),
        ] {
            let taken = books.send(vec![vec![record]]).await.unwrap();
            let [rejected] = &taken.rejected_calls[..] else { panic!("{field}: {taken:?}") };
            assert_eq!(rejected.message, format!("{field} is in the future"));
        }
        books.check(FIXTURE + 3).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f13_a_customer_sees_their_side_of_calls_under_way() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let update = UpdateSettingsRequest {
            settings: Some(Settings { show_active_calls_for_users: true, ..Default::default() }),
            update_mask: mask("show_active_calls_for_users"),
            ..Default::default()
        };
        SettingsServiceClient::new(books.admin.clone()).update_settings(update).await.unwrap();
        let out = AuthorizeCallRequest {
            originator: "alice".to_owned(),
            origination_point_id: Some(1),
            termination_point_ids: vec![3],
            ..request("out")
        };
        assert_eq!(authorize(&books, out).await.termination_point_id, 3);
        let into = AuthorizeCallRequest {
            origination_point_id: Some(2),
            terminator_ids: vec![4],
            ..request("in")
        };
        assert_eq!(authorize(&books, into).await.terminator_id, Some(4));

        let alice = books.server.log_in("alice", "wonderland").await;
        let list = async |originator_id: Option<i64>| {
            let request = ListActiveCallsRequest { originator_id, ..Default::default() };
            let mut live = LiveCallsServiceClient::new(alice.clone());
            live.list_active_calls(request).await.unwrap().into_inner().calls
        };
        let calls = list(None).await;
        let [out, into] = &calls[..] else { panic!("{calls:?}") };
        assert_eq!((out.terminator_id, out.termination_point_id), (None, 0));
        assert_eq!((out.originator.as_str(), out.origination_point_id), ("alice", 1));
        assert!(out.reserved.is_some(), "their own price");
        assert_eq!((into.originator.as_str(), into.originator_id), ("", 0));
        assert_eq!((into.origination_point_id, into.reserved.clone()), (0, None));
        assert_eq!((into.terminator_id, into.source.as_str()), (Some(4), "37060000001"));
        // Nor can they find out by asking.
        assert!(list(Some(6)).await.is_empty());
        assert_eq!(list(Some(4)).await.len(), 1);

        // An order by what is hidden says nothing.
        let calls: Vec<CallRecord> = (0..40)
            .map(|n| CallRecord {
                originator: "alice".to_owned(),
                origination_point_id: 1,
                terminator: ["bob", "user6", ""][usize::try_from(n % 3).unwrap()].to_owned(),
                termination_point_id: 0,
                billsec_ms: Some(1_000 + n * 7_919 % 60_000),
                duration_ms: Some(70_000),
                ..call(n)
            })
            .collect();
        assert_eq!(books.send(vec![calls]).await.unwrap().stored, 40);
        let ids = async |order: CallOrder| {
            let request = ListCallsRequest {
                from: at(START),
                till: at(START + 46_800),
                order: order.into(),
                ..Default::default()
            };
            let mut calls = CallsServiceClient::new(alice.clone());
            let calls = calls.list_calls(request).await.unwrap().into_inner().calls;
            calls.into_iter().map(|call| call.call_id).collect::<Vec<_>>()
        };
        let by_time = ids(CallOrder::Unspecified).await;
        assert_eq!(by_time.len(), 40);
        for order in [CallOrder::Terminator, CallOrder::SelfCost, CallOrder::SelfCostRate] {
            assert_eq!(ids(order).await, by_time, "{order:?}");
        }
        assert_ne!(ids(CallOrder::Price).await, by_time);
    })
    .await;
}

/// Authorises and ends calls, from several switches, until told to stop. Returns how long
/// each authorisation took, sorted.
async fn authorise_until(books: &Books, name: &str, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let mut switches = JoinSet::new();
    for switch in 0..4 {
        let (mut live, stop, name) = (live(books), stop.clone(), name.to_owned());
        switches.spawn(async move {
            let mut times = Vec::new();
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let call_id = format!("{name}-{switch}-{number}");
                let asked = AuthorizeCallRequest {
                    originator: ["alice", "user6"][switch % 2].to_owned(),
                    terminator_ids: vec![5],
                    ..request(&call_id)
                };
                let begun = Instant::now();
                let answer = live.authorize_call(asked).await.unwrap().into_inner();
                times.push(begun.elapsed());
                assert_eq!(answer.reject_code(), RejectCode::Unspecified, "{call_id}");
                let ended = CallRecord { call_id, disposition: 4, ..Default::default() };
                let request = FinishCallRequest { call: Some(ended) };
                live.finish_call(request).await.unwrap();
            }
            times
        });
    }
    let mut times: Vec<Duration> = switches.join_all().await.into_iter().flatten().collect();
    times.sort_unstable();
    times
}

fn report(what: &str, times: &[Duration]) -> Duration {
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("{what}: {} authorised, median {:?}, p99 {:?}", times.len(), at(50), at(99));
    at(50)
}

/// How many calls are stored: enough for a few seconds of rating them again, or
/// `RERATED_CALLS` for a measurement.
fn rerated_calls() -> i64 {
    std::env::var("RERATED_CALLS").map_or(3_000, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_calls_are_authorised_while_others_are_rated_again() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let count = rerated_calls();
        let messages = (0..count).step_by(1_000);
        let messages = messages.map(|from| (from..count.min(from + 1_000)).map(call).collect());
        assert_eq!(books.send(messages.collect()).await.unwrap().stored, count);
        let period = RerateCallsRequest { dry_run: true, ..Default::default() };
        import(&books, 1, &[("370", "0.66"), ("44", "0.5")]).await;
        let foreseen = rerate(&books, period).await;
        assert!(foreseen.changed > count / 4, "{foreseen:?}");

        let stop = Arc::new(AtomicBool::new(false));
        let alone = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.store(true, Ordering::Relaxed);
        };
        let (alone, ()) = tokio::join!(authorise_until(&books, "alone", stop.clone()), alone);
        let alone_median = report("alone", &alone);
        stop.store(false, Ordering::Relaxed);
        let again = async {
            let begun = Instant::now();
            let done = rerate(&books, RerateCallsRequest::default()).await;
            println!("{} of {} rated again in {:?}", done.changed, done.examined, begun.elapsed());
            stop.store(true, Ordering::Relaxed);
            done
        };
        let (beside, done) = tokio::join!(authorise_until(&books, "beside", stop.clone()), again);
        let median = report("beside", &beside);
        assert_eq!(done.price_change, foreseen.price_change);
        // It waited for seconds at the median.
        let bound = Duration::from_millis(300).max(alone_median * 4);
        assert!(median < bound, "{median:?} beside, {alone_median:?} alone");
        if data.database_url().is_some() {
            // The server counts them with a delay.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = \
                             current_database()";
            let deadlocks = sql(&data, deadlocks);
            println!("deadlocks: {deadlocks:?}");
            assert!(deadlocks.is_none_or(|count| count == "0"));
        }
        let nothing = rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!(nothing.changed, 0);
        let calls = count + i64::try_from(alone.len() + beside.len()).unwrap();
        books.check(FIXTURE + calls).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f19_what_is_killed_while_it_rates_again_goes_on_where_it_was() {
    on_both(|data| async move {
        let mut books = Books::open(&data).await;
        books.send(vec![(0..2_500).map(call).collect()]).await.unwrap();
        import(&books, 1, &[("370", "0.66"), ("44", "0.5")]).await;
        let dry = RerateCallsRequest { dry_run: true, ..Default::default() };
        let foreseen = rerate(&books, dry).await;
        for wait in [100, 150, 200] {
            let mut calls = CallsServiceClient::new(books.admin.clone());
            let request = RerateCallsRequest { from: at(START), till: at(START + 46_800), ..dry };
            let request = RerateCallsRequest { dry_run: false, ..request };
            let rerating = tokio::spawn(async move { calls.rerate_calls(request).await.is_ok() });
            tokio::time::sleep(Duration::from_millis(wait)).await;
            books.server.kill();
            rerating.await.unwrap();
            books = books.reopen(&data).await;
            books.check(FIXTURE + 2_500).await;
        }
        let left = rerate(&books, dry).await;
        println!("{} of {} left", left.changed, foreseen.changed);
        assert!(left.changed < foreseen.changed);
        let done = rerate(&books, RerateCallsRequest::default()).await;
        assert_eq!((done.changed, &done.price_change), (left.changed, &left.price_change));
        assert_eq!(rerate(&books, RerateCallsRequest::default()).await.changed, 0);
        books.check(FIXTURE + 2_500).await;
        let aggregates = books.aggregates(AggregateCallsRequest::default()).await;
        assert!(!aggregates.is_empty());
    })
    .await;
}
