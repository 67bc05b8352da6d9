//! Calls that cannot be billed: kept with their reason, and billed once what was missing is there.

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AggregateUnratedCallsRequest, CallRecord, CallRejection, CreateUserRequest,
    DeleteUnratedCallsRequest, DeleteUserRequest, Disposition, FinishCallRequest,
    IngestCallsRequest, IngestCallsResponse, ListUnratedCallsRequest, RateUnratedCallsRequest,
    RateUnratedCallsResponse, UnratedCall, UnratedCallFilter, UpdateUserRequest, User,
    calls_service_client::CallsServiceClient, live_calls_service_client::LiveCallsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::mask,
    server::{Authorized, Server, bearer},
};
use tonic::{Code, codegen::tokio_stream};

use crate::{
    calls::{import, units},
    on_both,
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

/// An answered minute of `alice`, terminated by nobody.
pub(crate) fn minute(id: &str, destination: &str) -> CallRecord {
    CallRecord {
        call_id: id.to_owned(),
        start_time: at(START),
        duration_ms: Some(62_000),
        billsec_ms: Some(60_000),
        source: "37060000001".to_owned(),
        destination: destination.to_owned(),
        originator: "alice".to_owned(),
        ..Default::default()
    }
}

pub(crate) async fn unrated_of(caller: &Authorized, filter: UnratedCallFilter) -> Vec<UnratedCall> {
    let mut client = UnratedCallsServiceClient::new(caller.clone());
    let mut request =
        ListUnratedCallsRequest { filter: Some(filter), page_size: 2, ..Default::default() };
    let mut calls = Vec::new();
    loop {
        let page = client.list_unrated_calls(request.clone()).await.unwrap().into_inner();
        calls.extend(page.calls);
        if page.next_page_token.is_empty() {
            return calls;
        }
        request.page_token = page.next_page_token;
    }
}

pub(crate) async fn unrated(books: &Books) -> Vec<UnratedCall> {
    unrated_of(&books.admin, UnratedCallFilter::default()).await
}

/// Call ids and reasons, the newest first.
pub(crate) fn summary(calls: &[UnratedCall]) -> Vec<(&str, CallRejection)> {
    calls
        .iter()
        .map(|call| (call.record.as_ref().unwrap().call_id.as_str(), call.reason()))
        .collect()
}

async fn rate(caller: &Authorized, dry_run: bool) -> RateUnratedCallsResponse {
    let request = RateUnratedCallsRequest { dry_run, ..Default::default() };
    let mut client = UnratedCallsServiceClient::new(caller.clone());
    client.rate_unrated_calls(request).await.unwrap().into_inner()
}

/// Which ids are to be deleted.
pub(crate) fn deleting(ids: Vec<i64>) -> DeleteUnratedCallsRequest {
    DeleteUnratedCallsRequest { ids, ..Default::default() }
}

pub(crate) fn counts(report: &RateUnratedCallsResponse) -> (i64, i64, i64, i64) {
    let stay = report.unrated.iter().map(|count| count.calls).sum();
    (report.examined, report.rated, report.known, stay)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_a_rate_is_kept_and_billed_once_when_the_rate_is_there() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let calls: Vec<_> = (0..40).map(|n| minute(&format!("x-{n}"), "99912345")).collect();
        let taken = books.send(vec![calls.clone()]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected, taken.unrated), (0, 40, 40));
        let kept = unrated(&books).await;
        assert_eq!(kept.len(), 40);
        let first = kept.last().unwrap();
        assert_eq!(first.record.as_ref(), Some(&calls[0]));
        assert_eq!((first.reason(), first.user_id), (CallRejection::NoRate, Some(4)));
        assert_eq!(
            first.message,
            "no rate of tariff 1 'sell' of the originator alice (id 4) for 99912345 at 2026-01-20 \
             10:00:00 UTC"
        );
        assert_eq!((first.username.as_str(), first.deliveries), ("alice", 1));
        assert_eq!(first.brought_by, Some(0));
        books.check(FIXTURE).await;

        // Nothing was mended yet.
        let report = rate(&books.admin, false).await;
        assert_eq!(counts(&report), (40, 0, 0, 40));
        assert_eq!(report.unrated[0].reason(), CallRejection::NoRate);
        assert_eq!(unrated(&books).await, kept, "to try is no delivery");

        import(&books, 1, &[("999", "0.60")]).await;
        let before = books.balance(4).await;
        let foreseen = rate(&books.admin, true).await;
        assert_eq!(counts(&foreseen), (40, 40, 0, 0));
        assert_eq!(foreseen.price.unwrap().value, "24");
        assert_eq!(books.balance(4).await, before);
        assert_eq!(unrated(&books).await, kept, "nothing was changed");

        // Several at once.
        let mut at_once = JoinSet::new();
        for _ in 0..3 {
            let admin = books.admin.clone();
            at_once.spawn(async move { rate(&admin, false).await });
        }
        let reports = at_once.join_all().await;
        assert_eq!(reports.iter().map(|report| report.rated).sum::<i64>(), 40, "{reports:?}");
        assert!(reports.iter().all(|report| report.unrated.is_empty()), "{reports:?}");
        assert!(unrated(&books).await.is_empty());
        assert_eq!(units(&before) - units(&books.balance(4).await), units("24"));
        books.check(FIXTURE + 40).await;

        assert_eq!(counts(&rate(&books.admin, false).await), (0, 0, 0, 0));
        let again = books.send(vec![calls]).await.unwrap();
        assert_eq!((again.duplicates, again.stored, again.unrated), (40, 0, 0));
        books.check(FIXTURE + 40).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_delivery_is_counted_and_a_delivery_after_the_mend_is_taken() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let record = minute("x", "99912345");
        for _ in 0..3 {
            // Twice in one stream, too.
            let taken = books.send(vec![vec![record.clone(), record.clone()]]).await.unwrap();
            assert_eq!((taken.rejected, taken.unrated), (2, 2));
        }
        let [kept] = &unrated(&books).await[..] else { panic!("kept more than once") };
        assert_eq!(kept.deliveries, 6);
        assert!(kept.last_seen.unwrap().nanos != kept.first_seen.unwrap().nanos);

        import(&books, 1, &[("999", "0.60")]).await;
        let taken = books.send(vec![vec![record.clone()]]).await.unwrap();
        assert_eq!((taken.stored, taken.unrated), (1, 0));
        assert!(unrated(&books).await.is_empty());
        assert_eq!(counts(&rate(&books.admin, false).await), (0, 0, 0, 0));
        books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_listed_and_never_billed() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![vec![minute("x", "37061234567")]]).await.unwrap();
        let taken = books.send(vec![vec![minute("x", "447700900123")]]).await.unwrap();
        assert_eq!((taken.rejected, taken.unrated), (1, 1));
        let kept = unrated(&books).await;
        assert_eq!(summary(&kept), [("x", CallRejection::Conflict)]);
        assert!(kept[0].message.ends_with("with another destination"), "{}", kept[0].message);

        let balance = books.balance(4).await;
        assert_eq!(counts(&rate(&books.admin, false).await), (0, 0, 0, 0));
        // The call itself again says nothing of the conflict.
        books.send(vec![vec![minute("x", "37061234567")]]).await.unwrap();
        assert_eq!(summary(&unrated(&books).await), [("x", CallRejection::Conflict)]);
        assert_eq!(books.balance(4).await, balance);
        books.check(FIXTURE + 1).await;

        // It goes when somebody says so, and the log of changes knows what it was.
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let request = deleting(vec![kept[0].id, 999_999]);
        let deleted = client.delete_unrated_calls(request).await.unwrap().into_inner().deleted;
        assert_eq!((deleted, unrated(&books).await.len()), (1, 0));
        let resource = format!("unratedCalls/{}", kept[0].id);
        let (ok, said) = books.command(&data, &["changes", &resource]);
        assert!(ok && said.contains("447700900123"), "{said}");
    })
    .await;
}

/// Asterisk writes a record for each trunk that it tries, all under one id. That the one which was not
/// answered is in the books does not make up for the one which was.
#[tokio::test(flavor = "multi_thread")]
async fn an_answered_attempt_is_not_lost_behind_an_unanswered_one() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let attempt = |record| CallRecord { attempt: true, ..record };
        let answered = attempt(minute("x", "99912345"));
        let to_nobody =
            attempt(CallRecord { terminator: "new".to_owned(), ..minute("y", "37061234567") });
        let busy = |record: &CallRecord| CallRecord {
            billsec_ms: None,
            terminator: String::new(),
            ..record.clone()
        };
        let first = vec![answered.clone(), to_nobody.clone(), busy(&answered), busy(&to_nobody)];
        let taken = books.send(vec![first]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected, taken.unrated), (2, 2, 2));
        // And after the others are in the books.
        let taken = books.send(vec![vec![to_nobody, answered]]).await.unwrap();
        assert_eq!((taken.duplicates, taken.rejected, taken.unrated), (0, 2, 2));
        let kept = unrated(&books).await;
        let expected = [("y", CallRejection::UnknownTerminator), ("x", CallRejection::NoRate)];
        assert_eq!(summary(&kept), expected);

        import(&books, 1, &[("999", "0.60")]).await;
        let report = rate(&books.admin, false).await;
        assert_eq!(counts(&report), (2, 1, 0, 1));
        assert_eq!(report.price.unwrap().value, "0.6");
        assert_eq!(summary(&unrated(&books).await), [("y", CallRejection::UnknownTerminator)]);
        books.check(FIXTURE + 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_with_another_account_or_number_settles_what_was_kept() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let wrong = |record, name: &str| CallRecord { originator: name.to_owned(), ..record };
        let calls = vec![
            wrong(minute("k", "37061234567"), "alicia"),
            minute("l", "061234567"),
            CallRecord { duration_ms: Some(-1), ..minute("m", "37061234567") },
        ];
        let taken = books.send(vec![calls]).await.unwrap();
        assert_eq!((taken.rejected, taken.unrated), (3, 3));
        let expected = [
            ("m", CallRejection::NegativeDuration),
            ("l", CallRejection::NoRate),
            ("k", CallRejection::UnknownOriginator),
        ];
        let kept = unrated(&books).await;
        assert_eq!(summary(&kept), expected);
        assert_eq!(
            kept.iter().map(|call| call.user_id).collect::<Vec<_>>(),
            [Some(4), Some(4), None]
        );
        // The file was mended, or read in another way.
        let mended = ["k", "l", "m"].map(|id| minute(id, "37061234567"));
        assert_eq!(books.send(vec![mended.to_vec()]).await.unwrap().stored, 3);
        // Nobody knows what the one said that could not be read.
        assert_eq!(summary(&unrated(&books).await), [("m", CallRejection::NegativeDuration)]);
        books.check(FIXTURE + 3).await;
    })
    .await;
}

/// A record that cannot be read, or of which nobody knows whose it is, is the same call only where it
/// says nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_no_duplicate_of_something_else() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let busy = CallRecord {
            billsec_ms: Some(0),
            disposition: Disposition::Busy.into(),
            attempt: true,
            ..minute("busy", "37061234567")
        };
        books.send(vec![vec![busy, minute("minute", "37061234567")]]).await.unwrap();
        // Answered for longer than it lasted; another number of somebody unknown; and the same call
        // of somebody who is not there any more.
        let longer = CallRecord { billsec_ms: Some(3_600_000), ..minute("busy", "37061234567") };
        let gone = |number: &str| CallRecord {
            originator: "nobody".to_owned(),
            ..minute("minute", number)
        };
        let others = vec![longer, gone("37069999999"), gone("37061234567")];
        let taken = books.send(vec![others]).await.unwrap();
        assert_eq!((taken.stored, taken.duplicates, taken.unrated), (0, 1, 2));
        // The busy attempt once more says nothing of what was answered.
        let busy = CallRecord { originator: "alice".to_owned(), ..minute("busy", "37061234567") };
        let busy = CallRecord {
            billsec_ms: Some(0),
            disposition: Disposition::Busy.into(),
            attempt: true,
            ..busy
        };
        books.send(vec![vec![busy]]).await.unwrap();
        assert_eq!(unrated(&books).await.len(), 2);
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// Under one id of a switch each record with an id of its own is its own call.
#[tokio::test(flavor = "multi_thread")]
async fn another_record_under_the_same_call_id_stays() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let record =
            |number: &str, id: &str| CallRecord { record_id: id.to_owned(), ..minute("u", number) };
        books.send(vec![vec![record("999999", "u#1")]]).await.unwrap();
        let taken = books.send(vec![vec![record("37061234567", "u#2")]]).await.unwrap();
        assert_eq!(taken.stored, 1);
        assert_eq!(summary(&unrated(&books).await), [("u", CallRejection::NoRate)]);
        // The same record with other contents is a conflict, and no third call.
        let other = CallRecord { start_time: at(START + 7_200), ..record("37061234567", "u#2") };
        let taken = books.send(vec![vec![other]]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (0, 1));
        import(&books, 1, &[("999", "0.60")]).await;
        assert_eq!(counts(&rate(&books.admin, false).await), (1, 1, 0, 0));
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// What was kept of a user is not billed to who gets the name after them.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_anew_does_not_pay() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let mut users = UsersServiceClient::new(books.admin.clone());
        let mut named = async |name: &str| {
            let user = User { username: name.to_owned(), tariff_id: 1, ..Default::default() };
            let request = CreateUserRequest {
                user: Some(user),
                password: "correct-horse-7".to_owned(),
                ..Default::default()
            };
            users.create_user(request).await.unwrap().into_inner().user.unwrap().id
        };
        let first = named("reused").await;
        let call = CallRecord { originator: "reused".to_owned(), ..minute("r", "99912345") };
        books.send(vec![vec![call]]).await.unwrap();
        let request = DeleteUserRequest { id: first };
        UsersServiceClient::new(books.admin.clone()).delete_user(request).await.unwrap();
        let second = named("reused").await;
        import(&books, 1, &[("999", "0.60")]).await;
        for _ in 0..2 {
            assert_eq!(counts(&rate(&books.admin, false).await), (1, 0, 0, 1));
        }
        let kept = unrated(&books).await;
        assert_eq!((kept[0].reason(), kept[0].user_id), (CallRejection::UnknownOriginator, first));
        assert_eq!(books.balance(second.unwrap()).await, "0");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_under_way_is_kept_too() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        for _ in 0..2 {
            let request = FinishCallRequest { call: Some(minute("x", "99912345")) };
            let refused = live.finish_call(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
        }
        let kept = unrated(&books).await;
        assert_eq!(summary(&kept), [("x", CallRejection::NoRate)]);
        assert_eq!(kept[0].deliveries, 2);
        import(&books, 1, &[("999", "0.60")]).await;
        assert_eq!(counts(&rate(&books.admin, false).await), (1, 1, 0, 0));
        books.check(FIXTURE + 1).await;
    })
    .await;
}

/// What becomes of a call that somebody brings.
async fn bring(caller: &Authorized, record: CallRecord) -> IngestCallsResponse {
    let messages =
        tokio_stream::iter([IngestCallsRequest { calls: vec![record], ..Default::default() }]);
    let mut client = CallsServiceClient::new(caller.clone());
    client.ingest_calls(messages).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_sees_and_bills_calls_of_own_users_alone() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let of = |record, name: &str| CallRecord { originator: name.to_owned(), ..record };
        let calls = vec![
            minute("alices", "99912345"),
            of(minute("user6s", "99912345"), "user6"),
            of(minute("nobodys", "99912345"), "nobody"),
        ];
        assert_eq!(books.send(vec![calls]).await.unwrap().unrated, 3);
        let as_user = |name: &'static str| {
            let token = data.token(&["calls", "--user", name]);
            let server = &books.server;
            async move { bearer(server.channel().await, &token) }
        };
        let [own, all, none] =
            [as_user("mgr_own").await, as_user("mgr_all").await, as_user("mgr_none").await];
        let everything = UnratedCallFilter::default;
        let ids = |calls: Vec<UnratedCall>| -> Vec<String> {
            calls.into_iter().map(|call| call.record.unwrap().call_id).collect()
        };
        assert_eq!(ids(unrated_of(&own, everything()).await), ["alices"]);
        assert_eq!(ids(unrated_of(&all, everything()).await), ["user6s", "alices"]);
        assert_eq!(ids(unrated(&books).await), ["user6s", "nobodys", "alices"]);
        let mut denied = UnratedCallsServiceClient::new(none);
        let refused = denied.list_unrated_calls(ListUnratedCallsRequest::default()).await;
        assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);

        // What is somebody else's is not deleted, and not billed.
        let kept = unrated(&books).await;
        let request = deleting(kept.iter().map(|call| call.id).collect());
        import(&books, 1, &[("999", "0.60")]).await;
        assert_eq!(counts(&rate(&own, false).await), (1, 1, 0, 0));
        let mut client = UnratedCallsServiceClient::new(own.clone());
        assert_eq!(client.delete_unrated_calls(request).await.unwrap().into_inner().deleted, 0);
        assert_eq!(ids(unrated(&books).await), ["user6s", "nobodys"]);

        // Nor does a manager leave calls of others for the admin to bill.
        let before = unrated(&books).await.len();
        let foreign = of(minute("planted", "37061234567"), "user6");
        let refused = bring(&own, foreign).await;
        assert_eq!((refused.rejected, refused.unrated), (1, 0));
        assert_eq!(unrated(&books).await.len(), before);
        books.check(FIXTURE + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_sums_have_filters() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let calls = vec![
            minute("k", "99912345"),
            minute("l", "99912399"),
            minute("m", "88812399"),
            CallRecord { originator: "nobody".to_owned(), ..minute("n", "37061234567") },
            CallRecord { start_time: None, ..minute("o", "37061234567") },
            CallRecord { start_time: at(START + 3_600), ..minute("p", "99912345") },
            CallRecord { call_id: String::new(), ..minute("", "99912345") },
        ];
        let taken = books.send(vec![calls]).await.unwrap();
        assert_eq!((taken.rejected, taken.unrated), (7, 6));
        let ids = async |filter| {
            let calls = unrated_of(&books.admin, filter).await;
            calls.into_iter().map(|call| call.record.unwrap().call_id).collect::<String>()
        };
        let filter = UnratedCallFilter::default;
        assert_eq!(ids(filter()).await, "ponmlk");
        let no_rate = CallRejection::NoRate.into();
        assert_eq!(ids(UnratedCallFilter { reason: no_rate, ..filter() }).await, "pmlk");
        assert_eq!(ids(UnratedCallFilter { user_id: Some(4), ..filter() }).await, "pomlk");
        assert_eq!(ids(UnratedCallFilter { till: at(START), ..filter() }).await, "nmlk");
        assert_eq!(ids(UnratedCallFilter { from: at(START + 1), ..filter() }).await, "p");

        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let request = AggregateUnratedCallsRequest { filter: None, prefix_length: 3 };
        let sums = client.aggregate_unrated_calls(request).await.unwrap().into_inner();
        let first = &sums.groups[0];
        assert_eq!((first.account.as_str(), first.destination_prefix.as_str()), ("alice", "999"));
        assert_eq!((first.calls, first.billsec_ms, sums.calls), (3, 180_000, 6));
        let request = AggregateUnratedCallsRequest { filter: None, prefix_length: 21 };
        let refused = client.aggregate_unrated_calls(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);

        // Only what was asked for is brought again.
        let filter = Some(UnratedCallFilter { from: at(START + 1), ..filter() });
        let request = RateUnratedCallsRequest { filter, ..Default::default() };
        let report = client.rate_unrated_calls(request).await.unwrap().into_inner();
        assert_eq!(counts(&report), (1, 0, 0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_room_for_so_many_and_the_rest_is_counted() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let secret = books.token.clone();
        drop(books);
        let environment =
            [("TOLLBOOK_METRICS_ADDR", "127.0.0.1:0"), ("TOLLBOOK_UNRATED_CALLS", "3")];
        let server = Server::start_part(&data, "serve", &environment);
        let admin = bearer(server.channel().await, &secret);
        let books = Books { server, admin, token: secret };

        let calls = |ids: std::ops::Range<i32>| {
            vec![ids.map(|n| minute(&format!("x-{n}"), "99912345")).collect()]
        };
        let taken = books.send(calls(0..5)).await.unwrap();
        assert_eq!((taken.rejected, taken.unrated), (5, 3));
        // Those that are there are counted all the same, and others still have no room.
        let taken = books.send(calls(2..7)).await.unwrap();
        assert_eq!((taken.rejected, taken.unrated), (5, 1));
        assert_eq!(unrated(&books).await.len(), 3);
        let metrics = format!("http://{}/metrics", books.server.metrics);
        let shown = async || reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        assert!(shown().await.contains("tollbook_unrated_calls_dropped_total 6"));

        // Once some have gone there is room again.
        let first = unrated(&books).await.pop().unwrap();
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        client.delete_unrated_calls(deleting(vec![first.id])).await.unwrap();
        assert_eq!(books.send(calls(7..9)).await.unwrap().unrated, 1);
        for _ in 0..100 {
            if shown().await.contains(r#"tollbook_unrated_calls{reason="NO_RATE"} 3"#) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the gauge stays behind");
    })
    .await;
}

const CALLS: &str = "call_id,start_time,duration,billsec,source,destination,originator\n\
    x1,2026-01-20 10:00:00,61,60,37060000001,99912345,alice\n\
    x2,2026-01-20 10:01:00,61,60,37060000001,99912345,alice\n\
    x3,2026-01-20 10:02:00,61,60,37060000001,37061234567,carol\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_told_what_is_missing_and_bills_it_by_commands() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let file = data.directory().join("calls.csv");
        std::fs::write(&file, CALLS).unwrap();
        let (ok, said) = books.command(&data, &["import", "calls", file.to_str().unwrap()]);
        assert!(!ok && said.contains("3 calls: 0 stored, 0 duplicates, 3 rejected"), "{said}");
        assert!(said.contains("3 are kept as unrated: `tollbook calls unrated"), "{said}");

        let (ok, said) = books.command(&data, &["calls", "unrated", "--reason", "no_rate"]);
        assert!(
            ok && said.contains("NO_RATE: no rate of tariff 1 'sell' of the originator alice"),
            "{said}"
        );
        assert!(said.contains("2026-01-20 10:00:00 37060000001 -> 99912345 of alice, call x1"));
        assert!(!said.contains("carol"), "{said}");
        let (ok, said) = books.command(&data, &["calls", "unrated", "--limit", "1"]);
        assert!(
            ok && said.contains("of \"carol\", call x3") && said.contains("and more"),
            "{said}"
        );
        let (ok, said) = books.command(&data, &["calls", "unrated", "--summary"]);
        assert!(ok && said.contains("2 of alice to 9991…, 2 minutes"), "{said}");
        assert!(
            said.contains("UNKNOWN_ORIGINATOR originator 1\n  for example: no such originator")
                && said.contains("\n  1 of carol to 3706…, 1 minutes"),
            "{said}"
        );
        assert!(said.contains("3 unrated calls"), "{said}");
        let (ok, said) = books.command(&data, &["calls", "unrated", "--reason", "none"]);
        assert!(!ok && said.contains("reasons are INVALID_FIELD, "), "{said}");

        import(&books, 1, &[("999", "0.60")]).await;
        let carol = UpdateUserRequest {
            user: Some(User { id: Some(6), username: "carol".to_owned(), ..Default::default() }),
            update_mask: mask("username"),
            ..Default::default()
        };
        UsersServiceClient::new(books.admin.clone()).update_user(carol).await.unwrap();
        let (ok, said) = books.command(&data, &["rerate", "--unrated", "--dry-run"]);
        assert!(ok && said.contains("3 unrated calls: 3 rated, 0 stay unrated"), "{said}");
        assert!(said.contains("price 1.53, self-cost 0 - nothing was changed"), "{said}");
        let by_reason = ["rerate", "--unrated", "--reason", "NO_RATE"];
        let (ok, said) = books.command(&data, &by_reason);
        assert!(ok && said.contains("2 unrated calls: 2 rated, 0 stay unrated"), "{said}");
        let id = unrated(&books).await[0].id.to_string();
        let (ok, said) = books.command(&data, &["calls", "unrated", "--delete", &id, "--yes"]);
        assert!(ok && said.contains("1 deleted: 1 UNKNOWN_ORIGINATOR"), "{said}");
        let (ok, said) = books.command(&data, &["calls", "unrated", "--delete", &id, "--yes"]);
        assert!(!ok && said.contains("1 were not there"), "{said}");
        let (ok, said) = books.command(&data, &["rerate", "--unrated"]);
        assert!(ok && said.contains("0 unrated calls: 0 rated"), "{said}");
        // Stored calls are rated again as ever, and need a period.
        let (ok, said) = books.command(&data, &["rerate"]);
        assert!(!ok && said.contains("--from"), "{said}");
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// What was refused is as durable as what was taken: both are one commit.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_there_after_a_kill() {
    on_both(|data| async move {
        let mut books = Books::open(&data).await;
        let messages: Vec<Vec<CallRecord>> =
            (0..10).map(|n| vec![call(n), minute(&format!("x-{n}"), "99912345")]).collect();
        let taken = books.send(messages).await.unwrap();
        assert_eq!((taken.stored, taken.unrated), (10, 10));
        books.server.kill();
        let books = books.reopen(&data).await;
        assert_eq!(unrated(&books).await.len(), 10);
        import(&books, 1, &[("999", "0.60")]).await;
        assert_eq!(counts(&rate(&books.admin, false).await), (10, 10, 0, 0));
        books.check(FIXTURE + 20).await;
    })
    .await;
}
