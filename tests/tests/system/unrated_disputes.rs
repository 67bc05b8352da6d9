//! Unrated calls of which two could be meant: changed while they are deleted, accounts that read like
//! others, and records that disagree about one call.

use std::{collections::HashMap, time::Duration};

use tollbook_proto::v1::{
    CallRecord, CallRejection, CreateUserRequest, DeleteUnratedCallsRequest,
    RateUnratedCallsRequest, UnratedCall, UnratedCallFilter, User,
    unrated_calls_service_client::UnratedCallsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{books::Books, fill::Database};
use tonic::Code;

use crate::{
    on_both,
    unrated::{deleting, minute, summary, unrated},
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

fn of(name: &str, record: CallRecord) -> CallRecord {
    CallRecord { originator: name.to_owned(), ..record }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_changes_while_it_is_deleted_by_a_filter_stays() {
    on_both(|data| async move {
        // The embedded database has one writer at a time: nothing changes meanwhile.
        if data.database_url().is_none() {
            return;
        }
        let books = Books::open(&data).await;
        let calls = vec![minute("changes", "99912345"), minute("goes", "99912399")];
        assert_eq!(books.send(vec![calls]).await.unwrap().unrated, 2);
        let mut other = Database::open(&data).await;
        let change = "BEGIN; UPDATE unrated_calls SET reason = 'BLOCKED' WHERE call_id = 'changes'";
        other.run(change.to_owned()).await;
        let filter =
            UnratedCallFilter { reason: CallRejection::NoRate.into(), ..Default::default() };
        let request = DeleteUnratedCallsRequest { filter: Some(filter), ..deleting(vec![]) };
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let deleting = tokio::spawn(async move { client.delete_unrated_calls(request).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!deleting.is_finished(), "it waits for the change");
        other.run("COMMIT".to_owned()).await;
        let answer = deleting.await.unwrap().unwrap().into_inner();
        assert_eq!(answer.deleted, 1);
        assert_eq!(summary(&unrated(&books).await), [("changes", CallRejection::Blocked)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_fits_two_users_is_refused_and_each_can_be_named() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let user = User { username: "id 6".to_owned(), tariff_id: 1, ..Default::default() };
        let request = CreateUserRequest {
            user: Some(user),
            password: "correct-horse-7".to_owned(),
            ..Default::default()
        };
        let mut users = UsersServiceClient::new(books.admin.clone());
        let called = users.create_user(request).await.unwrap().into_inner().user.unwrap().id();
        let by_id = CallRecord {
            originator: String::new(),
            originator_id: Some(99),
            ..minute("acc-c", "37061234567")
        };
        let calls = vec![
            of("a", minute("acc-a", "37061234567")),
            of("id 99", minute("acc-b", "37061234567")),
        ];
        books.send(vec![calls, vec![by_id]]).await.unwrap();

        let map = |to: &str| {
            ["rerate", "--unrated", "--map-account"]
                .map(str::to_owned)
                .to_vec()
                .into_iter()
                .chain([format!("a={to}"), "--account".to_owned(), "a".to_owned()])
                .collect::<Vec<_>>()
        };
        let run = |args: Vec<String>| {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            books.command(&data, &args)
        };
        let (ok, said) = run(map("id 6"));
        assert!(!ok, "{said}");
        assert!(said.contains("fits a user's id and another's login name"), "{said}");
        assert!(said.contains("`login id 8` the one with the login name"), "{said}");
        let balance = books.balance(called).await;
        let (ok, said) = run(map("login id 6"));
        assert!(ok && said.contains("1 rated"), "{said}");
        assert_ne!(books.balance(called).await, balance);

        // What is kept with the id and what is kept with the name are told apart as well.
        let (ok, said) = books.command(&data, &["calls", "unrated", "--summary"]);
        assert!(ok && said.contains("login id 99"), "{said}");
        let accounts = HashMap::from([("id 99".to_owned(), "#6".to_owned())]);
        let request = RateUnratedCallsRequest { accounts, ..Default::default() };
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let before = books.balance(6).await;
        let report = client.rate_unrated_calls(request).await.unwrap().into_inner();
        assert_eq!((report.rated, report.reassigned), (1, 1));
        assert_ne!(books.balance(6).await, before);
        assert_eq!(summary(&unrated(&books).await), [("acc-b", CallRejection::UnknownOriginator)]);
        let accounts = HashMap::from([("login id 99".to_owned(), "id 6".to_owned())]);
        let request = RateUnratedCallsRequest { accounts, ..Default::default() };
        let refused = client.rate_unrated_calls(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// Which of two records came first does not decide what is billed: the second is a conflict, until one of
/// them is deleted.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_record_of_a_call_that_is_not_billed_yet_is_a_conflict() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let first = minute("cor-c", "99912345");
        let corrected = CallRecord { billsec_ms: Some(30_000), ..first.clone() };
        let rounded = CallRecord { billsec_ms: Some(61_000), ..first.clone() };
        books.send(vec![vec![first.clone()]]).await.unwrap();
        let answer = books.send(vec![vec![corrected.clone()]]).await.unwrap();
        assert_eq!((answer.rejected, answer.unrated), (1, 1));
        let why = &answer.rejected_calls[0].message;
        assert!(why.contains("is kept already, with another billsec"), "{why}");
        // The same call as another switch rounds it is no other; nor does a repeat change what it is.
        books.send(vec![vec![rounded, first.clone(), corrected.clone()]]).await.unwrap();
        let reasons = [CallRejection::NoRate, CallRejection::Conflict, CallRejection::NoRate];
        let kept = unrated(&books).await;
        assert_eq!(kept.iter().map(UnratedCall::reason).collect::<Vec<_>>(), reasons);
        // Both at once, as of a file with both.
        let both = ["99912345", "88812345"].map(|number| minute("cor-d", number));
        books.send(vec![both.to_vec()]).await.unwrap();
        let kept = unrated(&books).await;
        let reasons: Vec<_> =
            kept.iter().filter(unrated_of_id("cor-d")).map(UnratedCall::reason).collect();
        assert_eq!(reasons, [CallRejection::Conflict, CallRejection::NoRate]);

        // The first was wrong: it is deleted, and the other brought once more.
        let wrong = kept
            .iter()
            .filter(unrated_of_id("cor-c"))
            .filter(|call| call.reason() == CallRejection::NoRate);
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let ids = wrong.map(|call| call.id).collect();
        client.delete_unrated_calls(deleting(ids)).await.unwrap();
        books.send(vec![vec![corrected]]).await.unwrap();
        crate::calls::import(&books, 1, &[("999", "0.60")]).await;
        client.rate_unrated_calls(RateUnratedCallsRequest::default()).await.unwrap();
        let calls = books.calls().await;
        let billed = calls.iter().find(|call| call.call_id == "cor-c").unwrap();
        assert_eq!(billed.billsec_ms, 30_000);
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// Those of one call id.
fn unrated_of_id(id: &str) -> impl Fn(&&UnratedCall) -> bool + use<'_> {
    move |call| call.record.as_ref().is_some_and(|record| record.call_id == id)
}
