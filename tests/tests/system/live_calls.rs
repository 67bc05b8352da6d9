//! Calls under way: nobody spends what he does not have, and nothing is reserved for ever.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AddPoolNumbersRequest, AuthorizeCallRequest, AuthorizeCallResponse, CallRecord,
    ConnectionPoint, CreateNumberPoolRequest, DailyLimit, DeletePoolNumbersRequest,
    FinishCallRequest, FinishCallResponse, GetQuickStatsRequest, ListActiveCallsRequest, ListUse,
    LossProtection, OriginationPoint, RateLine, RejectCode, StartCallRequest, StaticList,
    TerminationPoint, UpdateCallRequest, UpdateConnectionPointRequest, UpdateUserRequest, User,
    connection_points_service_client::ConnectionPointsServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    number_pools_service_client::NumberPoolsServiceClient,
    statistics_service_client::StatisticsServiceClient, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::Books,
    contract::{decimal, mask},
    server::Authorized,
};
use tonic::{Code, Status};

use crate::{calls::import_lines, on_both};

use RejectCode as R;

pub(crate) type Live = LiveCallsServiceClient<Authorized>;

pub(crate) fn live(books: &Books) -> Live {
    LiveCallsServiceClient::new(books.admin.clone())
}

pub(crate) fn request(call_id: &str) -> AuthorizeCallRequest {
    AuthorizeCallRequest {
        call_id: call_id.to_owned(),
        source: "37060000001".to_owned(),
        destination: "37061234567".to_owned(),
        originator: "user6".to_owned(),
        ..Default::default()
    }
}

pub(crate) async fn authorize(
    books: &Books,
    request: AuthorizeCallRequest,
) -> AuthorizeCallResponse {
    live(books).authorize_call(request).await.unwrap().into_inner()
}

pub(crate) async fn finish(books: &Books, call: CallRecord) -> Result<FinishCallResponse, Status> {
    let request = FinishCallRequest { call: Some(call) };
    Ok(live(books).finish_call(request).await?.into_inner())
}

/// Changes fields of a user.
pub(crate) async fn change(books: &Books, user: User, paths: &[&str]) {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateUserRequest {
        user: Some(user),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    UsersServiceClient::new(books.admin.clone()).update_user(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_never_cost_more_than_there_is() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("1").await;
        // 0.33 a minute: three calls of a minute, and not a fourth.
        let mut calls = JoinSet::new();
        for n in 0..20 {
            let mut live = live(&books);
            calls.spawn(async move {
                let call_id = format!("at-once-{n}");
                let request = AuthorizeCallRequest { max_duration: 60, ..request(&call_id) };
                let answer = live.authorize_call(request).await.unwrap().into_inner();
                (call_id, answer)
            });
        }
        let answers = calls.join_all().await;
        let whole: Vec<_> =
            answers.iter().filter(|(_, answer)| answer.max_duration == 60).collect();
        assert_eq!(whole.len(), 3);
        // The last cent is good for a second and some.
        let rest: Vec<_> =
            answers.iter().filter(|(_, answer)| (1..60).contains(&answer.max_duration)).collect();
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].1.max_duration, 1);
        let refused = answers.iter().filter(|(_, answer)| answer.max_duration == 0);
        assert!(
            refused.clone().all(|(_, answer)| answer.reject_code() == RejectCode::BalanceTooLow)
        );
        assert_eq!(refused.count(), 16);
        assert_eq!(books.frozen().await, "0.9955");
        // Whoever changes the user meanwhile is told of it as well.
        let (user, update_mask) = (User { id: Some(6), ..Default::default() }, mask("comment"));
        let request = UpdateUserRequest { user: Some(user), update_mask, ..Default::default() };
        let mut users = UsersServiceClient::new(books.admin.clone());
        let changed = users.update_user(request).await.unwrap().into_inner().user.unwrap();
        assert_eq!(changed.frozen_balance, decimal("0.9955"));

        for (call_id, answer) in whole.iter().chain(&rest) {
            let billsec = i64::from(answer.max_duration) * 1_000;
            let record = CallRecord {
                call_id: call_id.clone(),
                billsec_ms: Some(billsec),
                ..Default::default()
            };
            finish(&books, record).await.unwrap();
        }
        assert_eq!((books.balance(6).await, books.frozen().await), ("0.0045".into(), "0".into()));
        books.check(8 + 4).await;
    })
    .await;
}

/// A call is let go on for as long as its money lasts by the steps that it is billed by, also where
/// the deck counts them otherwise before it ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_billed_in_steps_after_the_minimum_time() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("1").await;
        let import = async |steps: &str| {
            let line = RateLine {
                prefix: "3706".to_owned(),
                rate: "0.3".to_owned(),
                increment: "60".to_owned(),
                min_time: "90".to_owned(),
                steps: steps.to_owned(),
                ..Default::default()
            };
            import_lines(&books, 1, vec![line]).await;
        };
        import("minimum").await;
        // 90, 150, 210 s cost 0.45, 0.75, 1.05.
        let answer = authorize(&books, request("stepped")).await;
        assert_eq!((answer.max_duration, books.frozen().await), (150, "0.75".to_owned()));
        import("zero").await;
        let ended = CallRecord {
            call_id: "stepped".to_owned(),
            billsec_ms: Some(91_000),
            ..Default::default()
        };
        let ended = finish(&books, ended).await.unwrap().call.unwrap();
        let charged = ended.price.unwrap();
        assert_eq!((charged.billed_seconds, charged.amount.unwrap().value), (150, "0.75".into()));
        assert_eq!(books.balance(6).await, "0.25");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_its_beginning_to_its_end() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let asked = AuthorizeCallRequest {
            terminator_ids: vec![5],
            max_duration: 600,
            origination_point_id: Some(2),
            ..request("a-call")
        };
        let answer = authorize(&books, asked.clone()).await;
        assert_eq!((answer.max_duration, answer.terminator_id), (600, Some(5)));
        assert_eq!(answer.reserved.clone().unwrap().value, "3.3");
        assert_eq!(
            (answer.rate.clone().unwrap().value, answer.prefix.clone()),
            ("0.33".into(), "370".into())
        );
        assert_eq!(authorize(&books, asked).await, answer, "asked twice, reserved once");
        assert_eq!(books.frozen().await, "3.3");

        let start = StartCallRequest { call_id: "a-call".to_owned(), answer_time: None };
        let call = live(&books).start_call(start.clone()).await.unwrap().into_inner().call.unwrap();
        let again = live(&books).start_call(start).await.unwrap().into_inner().call.unwrap();
        assert_eq!(call.answered_at, again.answered_at);
        let mut statistics = StatisticsServiceClient::new(books.admin.clone());
        let stats = statistics.get_quick_stats(GetQuickStatsRequest {}).await.unwrap();
        let active = stats.into_inner().active_calls.unwrap();
        assert_eq!((active.total, active.answered_calls), (1, 1));

        // Prolonged as far as the money goes: 10 / 0.0055.
        let update = UpdateCallRequest { call_id: "a-call".to_owned(), max_duration: 7_200 };
        let updated = live(&books).update_call(update).await.unwrap().into_inner();
        assert_eq!((updated.call.unwrap().max_duration, updated.hang_up), (1_818, false));
        assert_eq!(books.frozen().await, "9.999");

        let record = CallRecord {
            call_id: "a-call".to_owned(),
            billsec_ms: Some(90_000),
            ..Default::default()
        };
        let finished = finish(&books, record.clone()).await.unwrap();
        let call = finished.call.unwrap();
        assert!(!finished.duplicate);
        assert_eq!(call.price.clone().unwrap().amount.unwrap().value, "0.495");
        assert_eq!((call.terminator_id, call.origination_point_id), (Some(5), 2));
        assert_eq!((books.balance(6).await, books.frozen().await), ("9.505".into(), "0".into()));

        // The switch did not hear the answer, and says it all again.
        let again = finish(
            &books,
            CallRecord {
                originator_id: Some(6),
                destination: call.destination.clone(),
                start_time: call.start_time,
                ..record
            },
        )
        .await
        .unwrap();
        assert!(again.duplicate && again.call.unwrap() == call);
        assert_eq!(books.balance(6).await, "9.505");
        let gone = live(&books).authorize_call(request("a-call")).await.unwrap_err();
        assert_eq!(gone.code(), Code::AlreadyExists);
        let update = UpdateCallRequest { call_id: "a-call".to_owned(), max_duration: 60 };
        assert_eq!(live(&books).update_call(update).await.unwrap_err().code(), Code::NotFound);
        books.check(8 + 1).await;
    })
    .await;
}

/// The end of a call, said twice in the same words: the second time there is no authorisation any more
/// that completes them.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_call_is_repeated_whatever_it_leaves_out() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |before: i64| {
            let seconds = i64::try_from(now).unwrap() - before;
            Some(prost_types::Timestamp { seconds, nanos: 0 })
        };
        let full = CallRecord {
            originator: "user6".to_owned(),
            destination: "37061234567".to_owned(),
            start_time: at(30),
            ..Default::default()
        };
        for (number, record) in [
            CallRecord { end_time: at(0), ..full.clone() },
            CallRecord { answer_time: at(20), ..full.clone() },
            full.clone(),
            CallRecord::default(),
        ]
        .into_iter()
        .enumerate()
        {
            let call_id = format!("twice{number}");
            authorize(&books, request(&call_id)).await;
            let start = StartCallRequest { call_id: call_id.clone(), answer_time: at(20) };
            live(&books).start_call(start).await.unwrap();
            let record = CallRecord { call_id, ..record };
            let first = finish(&books, record.clone()).await.unwrap();
            let again = finish(&books, record).await.unwrap();
            assert!(!first.duplicate && again.duplicate, "{number}");
            assert_eq!(first.call, again.call);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_is_found_and_holds_nothing_for_ever() {
    on_both(|data| async move {
        let mut books = Books::open(&data).await;
        books.prepaid("0.33").await;
        let lost = AuthorizeCallRequest { max_duration: 1, ..request("lost") };
        authorize(&books, lost).await;
        let kept = AuthorizeCallRequest { max_duration: 58, ..request("kept") };
        assert_eq!(authorize(&books, kept).await.max_duration, 58);
        // Answered four minutes ago for a second: its end is long overdue.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let ago = i64::try_from(now.as_secs()).unwrap() - 240;
        let answer_time = Some(prost_types::Timestamp { seconds: ago, nanos: 0 });
        let start = StartCallRequest { call_id: "lost".to_owned(), answer_time };
        live(&books).start_call(start).await.unwrap();

        // What is reserved outlives a crash; what has expired does not come back.
        books.server.kill();
        let books = books.reopen(&data).await;
        assert_eq!(books.frozen().await, "0.319");
        let request = ListActiveCallsRequest { expired_only: true, ..Default::default() };
        let expired = live(&books).list_active_calls(request).await.unwrap().into_inner().calls;
        let [call] = &expired[..] else { panic!("{expired:?}") };
        assert!(
            call.expired && call.call_id == "lost" && call.reserved.clone().unwrap().value == "0"
        );
        let all = live(&books).list_active_calls(ListActiveCallsRequest::default()).await.unwrap();
        assert_eq!(all.into_inner().calls.len(), 2);
        let next = AuthorizeCallRequest { max_duration: 60, ..self::request("next") };
        assert_eq!(authorize(&books, next).await.max_duration, 2);

        // It turns up after all, and is charged.
        let record = CallRecord {
            call_id: "lost".to_owned(),
            billsec_ms: Some(1_000),
            ..Default::default()
        };
        finish(&books, record).await.unwrap();
        assert_eq!(books.balance(6).await, "0.3245");
        books.check(8 + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_says_why() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let mut n = 0;
        let mut ask = async |request: AuthorizeCallRequest| {
            n += 1;
            let call_id = format!("refused-{n}");
            let answer = authorize(&books, AuthorizeCallRequest { call_id, ..request }).await;
            assert!(answer.reject_code == 0 || !answer.reject_reason.is_empty());
            let skipped: Vec<_> = answer
                .skipped_terminators
                .iter()
                .map(tollbook_proto::v1::SkippedTerminator::reject_code)
                .collect();
            (answer.reject_code(), skipped)
        };
        let none = Vec::new;
        let user = |user: User| User { id: Some(6), ..user };

        let nobody = AuthorizeCallRequest { originator: "nobody".to_owned(), ..request("") };
        assert_eq!(ask(nobody).await, (R::OriginatorNotFound, none()));
        let nowhere = AuthorizeCallRequest { destination: String::new(), ..request("") };
        assert_eq!(ask(nowhere).await, (R::DestinationEmpty, none()));
        let unrated = AuthorizeCallRequest { destination: "999".to_owned(), ..request("") };
        assert_eq!(ask(unrated).await, (R::OriginatorRateNotFound, none()));
        let no_tariff = AuthorizeCallRequest { originator: "user7".to_owned(), ..request("") };
        assert_eq!(ask(no_tariff).await, (R::OriginatorRateNotFound, none()));

        change(&books, user(User { blocked: true, ..Default::default() }), &["blocked"]).await;
        assert_eq!(ask(request("")).await, (R::UserBlocked, none()));
        change(&books, user(User::default()), &["blocked"]).await;

        change(&books, user(User { call_limit: 1, ..Default::default() }), &["call_limit"]).await;
        let short = AuthorizeCallRequest { max_duration: 1, ..request("") };
        assert_eq!(ask(short).await, (R::Unspecified, none()));
        assert_eq!(ask(request("")).await, (R::UserCallLimit, none()));
        change(&books, user(User::default()), &["call_limit"]).await;

        let min = User { balance_min: decimal("10"), ..Default::default() };
        change(&books, user(min), &["balance_min"]).await;
        assert_eq!(ask(request("")).await, (R::BalanceMin, none()));
        let min = User { balance_min: decimal("9.99"), ..Default::default() };
        change(&books, user(min), &["balance_min"]).await;
        // 0.01, of which 0.0055 are reserved already.
        assert_eq!(ask(request("")).await, (R::BalanceTooLow, none()));
        change(&books, user(User::default()), &["balance_min"]).await;

        let daily = |limit: &str| User {
            daily_limit: Some(DailyLimit {
                enforced: true,
                limit: decimal(limit),
                ..Default::default()
            }),
            ..Default::default()
        };
        change(&books, user(daily("0.01")), &["daily_limit"]).await;
        assert_eq!(ask(request("")).await, (R::BalanceTooLow, none()));
        change(&books, user(User::default()), &["daily_limit"]).await;

        let protection =
            |protection| User { loss_protection: Some(protection), ..Default::default() };
        let capped = LossProtection { max_call_rate: decimal("0.3"), ..Default::default() };
        change(&books, user(protection(capped)), &["loss_protection"]).await;
        assert_eq!(ask(request("")).await, (R::RateTooHigh, none()));
        change(&books, user(User::default()), &["loss_protection"]).await;

        // Terminators, one by one: himself, nobody, one without a tariff.
        let by = |terminator_ids: Vec<i64>| AuthorizeCallRequest { terminator_ids, ..request("") };
        let skipped = vec![R::OwnTerminator, R::NoSuitableTerminator, R::NoSuitableTerminator];
        assert_eq!(ask(by(vec![6, 999, 7])).await, (R::NoSuitableTerminator, skipped));
        let skipped = vec![R::OwnTerminator];
        assert_eq!(
            ask(AuthorizeCallRequest { max_duration: 1, ..by(vec![6, 5]) }).await,
            (R::Unspecified, skipped)
        );

        let bob = |user: User| User { id: Some(5), ..user };
        let max = User { balance_max: decimal("0.5"), ..Default::default() };
        change(&books, bob(max), &["balance_max"]).await;
        assert_eq!(
            ask(by(vec![5])).await,
            (R::NoSuitableTerminator, vec![R::TerminatorBalanceMax])
        );
        change(&books, bob(User::default()), &["balance_max"]).await;
        change(&books, bob(User { call_limit: 1, ..Default::default() }), &["call_limit"]).await;
        assert_eq!(ask(by(vec![5])).await, (R::NoSuitableTerminator, vec![R::TerminatorCallLimit]));
        change(&books, bob(User::default()), &["call_limit"]).await;
        let careful = LossProtection {
            price_protection: true,
            min_rate_margin_percent: decimal("80"),
            ..Default::default()
        };
        change(&books, user(protection(careful)), &["loss_protection"]).await;
        assert_eq!(ask(by(vec![5])).await, (R::NoSuitableTerminator, vec![R::RateMargin]));
        books.check(8).await;
    })
    .await;
}

pub(crate) async fn point(books: &Books, point: ConnectionPoint) {
    let request = UpdateConnectionPointRequest { connection_point: Some(point), update_mask: None };
    let mut points = ConnectionPointsServiceClient::new(books.admin.clone());
    points.update_connection_point(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn points_have_tariffs_and_capacities_of_their_own() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let from = |origination: OriginationPoint| ConnectionPoint {
            id: Some(2),
            origination: Some(origination),
            ..Default::default()
        };
        let to = |id: i64, termination: TerminationPoint| ConnectionPoint {
            id: Some(id),
            termination: Some(termination),
            ..Default::default()
        };
        let asked = |call_id: &str| AuthorizeCallRequest {
            originator: String::new(),
            origination_point_id: Some(2),
            termination_point_ids: vec![3, 4],
            max_duration: 60,
            ..request(call_id)
        };
        // Tariff 2 sells at 0.09 and a fee of 0.005 here, less than the user's tariff does.
        let custom = OriginationPoint {
            active: true,
            custom_tariff_id: 2,
            capacity: 1,
            ..Default::default()
        };
        point(&books, from(custom)).await;
        let answer = authorize(&books, asked("one")).await;
        assert_eq!((answer.terminator_id, answer.termination_point_id), (Some(5), 3));
        assert_eq!(answer.reserved.unwrap().value, "0.095");
        let answer = authorize(&books, asked("two")).await;
        assert_eq!(answer.reject_code(), R::OriginationPointCapacity);
        let record = CallRecord {
            call_id: "one".to_owned(),
            billsec_ms: Some(60_000),
            ..Default::default()
        };
        let call = finish(&books, record).await.unwrap().call.unwrap();
        assert_eq!((call.originator_id, call.termination_point_id), (6, 3));
        assert_eq!(call.price.unwrap().tariff_id, 2);

        point(&books, from(OriginationPoint { active: true, tariff_id: 1, ..Default::default() }))
            .await;
        point(&books, to(3, TerminationPoint { active: true, capacity: 1, ..Default::default() }))
            .await;
        assert_eq!(authorize(&books, asked("three")).await.termination_point_id, 3);
        let answer = authorize(&books, asked("four")).await;
        assert_eq!(answer.termination_point_id, 4);
        assert_eq!(answer.skipped_terminators[0].reject_code(), R::TerminationPointCapacity);
        // Switched off, and selling dearer than it is paid for.
        point(&books, to(3, TerminationPoint::default())).await;
        point(&books, to(4, TerminationPoint { active: true, tariff_id: 1, ..Default::default() }))
            .await;
        let careful = LossProtection {
            price_protection: true,
            min_rate_margin: decimal("0.01"),
            ..Default::default()
        };
        let user = User { id: Some(6), loss_protection: Some(careful), ..Default::default() };
        change(&books, user, &["loss_protection"]).await;
        let answer = authorize(&books, asked("five")).await;
        let codes: Vec<_> = answer
            .skipped_terminators
            .iter()
            .map(tollbook_proto::v1::SkippedTerminator::reject_code)
            .collect();
        assert_eq!(codes, [R::TerminatorUnreachable, R::RateMargin]);
        point(&books, from(OriginationPoint::default())).await;
        assert_eq!(
            authorize(&books, asked("six")).await.reject_code(),
            R::OriginationPointInactive
        );
        // Another's point is as good as none.
        let foreign = AuthorizeCallRequest { origination_point_id: Some(1), ..request("seven") };
        assert_eq!(authorize(&books, foreign).await.reject_code(), R::OriginatorNotFound);
        books.check(8 + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn black_and_whitelists_are_obeyed() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.prepaid("10").await;
        let mut pools = NumberPoolsServiceClient::new(books.admin.clone());
        let request = CreateNumberPoolRequest { name: "list".to_owned(), ..Default::default() };
        let created = pools.create_number_pool(request).await.unwrap().into_inner();
        let number_pool_id = created.number_pool.unwrap().id;
        let mut n = 0;
        let mut ask = async |source: &str, destination: &str| {
            n += 1;
            let asked = AuthorizeCallRequest {
                source: source.to_owned(),
                destination: destination.to_owned(),
                max_duration: 1,
                ..self::request(&format!("listed-{n}"))
            };
            authorize(&books, asked).await.reject_code()
        };
        let with = |source: ListUse, destination: ListUse| {
            let list = |list: ListUse| Some(StaticList { r#use: list.into(), number_pool_id });
            User {
                id: Some(6),
                source_list: list(source),
                destination_list: list(destination),
                ..Default::default()
            }
        };
        let lists = ["source_list", "destination_list"];

        // An empty blacklist refuses nobody, an empty whitelist everybody.
        change(&books, with(ListUse::Blacklist, ListUse::Blacklist), &lists).await;
        assert_eq!(ask("1", "3701").await, R::Unspecified);
        change(&books, with(ListUse::Unspecified, ListUse::Whitelist), &lists).await;
        assert_eq!(ask("1", "3701").await, R::DestinationNotWhitelisted);
        let numbers = ["3706%", "44_5", "1"].map(str::to_owned).to_vec();
        let request = AddPoolNumbersRequest { number_pool_id: Some(number_pool_id), numbers };
        assert_eq!(pools.add_pool_numbers(request.clone()).await.unwrap().into_inner().added, 3);
        assert_eq!(pools.add_pool_numbers(request).await.unwrap().into_inner().added, 0);
        assert_eq!(ask("1", "37061").await, R::Unspecified);
        assert_eq!(ask("1", "4415").await, R::Unspecified);
        assert_eq!(ask("1", "44155").await, R::DestinationNotWhitelisted);
        change(&books, with(ListUse::Whitelist, ListUse::Blacklist), &lists).await;
        assert_eq!(ask("2", "3701").await, R::SourceNotWhitelisted);
        assert_eq!(ask("1", "37061").await, R::DestinationBlacklisted);
        assert_eq!(ask("1", "3701").await, R::Unspecified);
        change(&books, with(ListUse::Blacklist, ListUse::Unspecified), &lists).await;
        for source in ["1", "+1", "001"] {
            assert_eq!(ask(source, "37061").await, R::SourceBlacklisted, "{source}");
        }
        // What is deleted from the pool counts no more.
        let request = DeletePoolNumbersRequest {
            number_pool_id: Some(number_pool_id),
            all: true,
            ..Default::default()
        };
        assert_eq!(pools.delete_pool_numbers(request).await.unwrap().into_inner().deleted, 3);
        assert_eq!(ask("1", "37061").await, R::Unspecified);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_limit_ends_calls_and_bad_requests_change_nothing() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.adjust(6, "10").await;
        let limit = DailyLimit {
            enforced: true,
            limit: decimal("0.33"),
            kill_calls_in_progress: true,
            ..Default::default()
        };
        let user = User { id: Some(6), daily_limit: Some(limit), ..Default::default() };
        change(&books, user, &["daily_limit"]).await;
        let answer = authorize(&books, request("one")).await;
        assert_eq!(answer.max_duration, 60);
        let update = UpdateCallRequest { call_id: "one".to_owned(), max_duration: 120 };
        let updated = live(&books).update_call(update.clone()).await.unwrap().into_inner();
        assert_eq!((updated.call.unwrap().max_duration, updated.hang_up), (60, false));
        // Another switch brings a call that uses the limit up.
        let record = CallRecord {
            call_id: "other".to_owned(),
            originator: "user6".to_owned(),
            destination: "37061234567".to_owned(),
            start_time: answer
                .expires_at
                .map(|time| prost_types::Timestamp { seconds: time.seconds - 310, nanos: 0 }),
            billsec_ms: Some(60_000),
            ..Default::default()
        };
        finish(&books, record).await.unwrap();
        let updated = live(&books).update_call(update).await.unwrap().into_inner();
        assert!(updated.hang_up);

        for record in [
            CallRecord::default(),
            CallRecord { call_id: "unknown".to_owned(), ..Default::default() },
            CallRecord { call_id: "one".to_owned(), billsec_ms: Some(-1), ..Default::default() },
        ] {
            let refused = finish(&books, record).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        }
        for bad in [
            AuthorizeCallRequest { call_id: String::new(), ..request("x") },
            crate::clis::from("x", ""),
            AuthorizeCallRequest { max_duration: -1, ..request("x") },
            // The id of a call that somebody else has under way.
            AuthorizeCallRequest { originator: "alice".to_owned(), ..request("one") },
        ] {
            let refused = live(&books).authorize_call(bad).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        }
        assert_eq!(books.frozen().await, "0.33");
        books.check(8 + 1).await;
    })
    .await;
}
