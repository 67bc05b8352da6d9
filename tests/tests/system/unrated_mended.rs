//! What an operator is told of calls that cannot be billed, and what can be done about them: deleting
//! some, rating them as another's calls, and taking the list elsewhere.

use std::collections::HashMap;

use tollbook_proto::v1::{
    AggregateUnratedCallsRequest, AuthorizeCallRequest, CallRecord, CallRejection,
    CallSide::{Originator, Terminator},
    ConnectionPoint, DeleteUnratedCallsRequest, OriginationPoint, RateLine,
    RateUnratedCallsRequest, RejectCode, UnratedCallFilter,
    live_calls_service_client::LiveCallsServiceClient,
    unrated_calls_service_client::UnratedCallsServiceClient,
};
use tollbook_tests::books::{Books, START, at};
use tonic::Code;

use crate::{
    calls::{import, import_lines},
    on_both,
    points::change,
    unrated::{counts, deleting, minute, summary, unrated},
};

/// Calls that the fixture has taken in.
const FIXTURE: i64 = 8;

fn of(name: &str, record: CallRecord) -> CallRecord {
    CallRecord { originator: name.to_owned(), ..record }
}

fn to_bob(record: CallRecord) -> CallRecord {
    CallRecord { terminator: "bob".to_owned(), ..record }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_names_the_side_the_party_the_tariff_and_when_there_will_be_a_rate() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        // What alice pays for 999 is known; what bob gets is not, and will be known later.
        import(&books, 1, &[("999", "0.60")]).await;
        let later = RateLine {
            prefix: "999".to_owned(),
            rate: "0.2".to_owned(),
            effective_from: "2026-12-01".to_owned(),
            ..Default::default()
        };
        import_lines(&books, 2, vec![later]).await;
        let calls = vec![
            to_bob(minute("carriers", "99912345")),
            minute("customers", "88812345"),
            to_bob(minute("both", "77712345")),
            of("user7", minute("tariff", "37061234567")),
        ];
        assert_eq!(books.send(vec![calls]).await.unwrap().unrated, 4);
        let kept = unrated(&books).await;
        let said = |id: &str| {
            let call =
                kept.iter().find(|call| call.record.as_ref().unwrap().call_id == id).unwrap();
            (call.side(), call.message.as_str())
        };
        assert_eq!(
            said("carriers"),
            (
                Terminator,
                "no rate of tariff 2 'buy' of the terminator bob (id 5) for 99912345 at 2026-01-20 \
                 10:00:00 UTC; tariff 2 has a rate for 999 only from 2026-12-01"
            )
        );
        assert_eq!(
            said("customers"),
            (
                Originator,
                "no rate of tariff 1 'sell' of the originator alice (id 4) for 88812345 at \
                 2026-01-20 10:00:00 UTC"
            )
        );
        let (side, both) = said("both");
        assert_eq!(side, Originator);
        assert!(both.contains("alice (id 4)") && both.contains("; and no rate of tariff 2 'buy'"));
        assert_eq!(said("tariff"), (Originator, "the originator user7 (id 7) has no tariff"));

        // The summary tells whose tariff is to be mended.
        let (ok, said) = books.command(&data, &["calls", "unrated", "--summary"]);
        assert!(
            ok && said.contains("NO_RATE terminator 1\n  for example: no rate of tariff 2"),
            "{said}"
        );
        assert!(said.contains("NO_RATE originator 2\n"), "{said}");
        let filter = UnratedCallFilter { side: Terminator.into(), ..Default::default() };
        let request = AggregateUnratedCallsRequest { filter: Some(filter), ..Default::default() };
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let sums = client.aggregate_unrated_calls(request).await.unwrap().into_inner();
        let [group] = &sums.groups[..] else { panic!("{sums:?}") };
        assert_eq!((group.side(), group.calls, sums.calls), (Terminator, 1, 1));
        books.check(FIXTURE).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_begins_later_is_told_to_who_asks_for_a_price_and_to_a_switch() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let later = RateLine {
            prefix: "999".to_owned(),
            rate: "0.2".to_owned(),
            effective_from: "2099-12-01 06:30:00".to_owned(),
            ..Default::default()
        };
        import_lines(&books, 1, vec![later]).await;
        let until = "tariff 1 has a rate for 999 only from 2099-12-01 06:30:00";
        let (ok, said) = books.command(&data, &["rate", "99912345", "60", "--tariff", "1"]);
        assert!(!ok && said.contains("Price: no rate") && said.contains(until), "{said}");
        let then = ["rate", "99912345", "60", "--tariff", "1", "--at", "2099-12-01T06:30:00"];
        let (ok, said) = books.command(&data, &then);
        assert!(ok && said.contains("Price: 0.2"), "{said}");
        let before = [&then[..], &["--time-zone", "Europe/Vilnius"]].concat();
        let (ok, said) = books.command(&data, &before);
        assert!(!ok && said.contains("Price: no rate"), "{said}");

        let request = AuthorizeCallRequest {
            call_id: "soon".to_owned(),
            destination: "99912345".to_owned(),
            originator: "alice".to_owned(),
            ..Default::default()
        };
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        let answer = live.authorize_call(request).await.unwrap().into_inner();
        assert_eq!(answer.reject_code(), RejectCode::OriginatorRateNotFound);
        assert_eq!(answer.reject_reason, format!("Originator Rate not found ({until})"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_deleted_by_a_filter_after_a_look_and_never_all_by_mistake() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let later = |record| CallRecord { start_time: at(START + 3_600), ..record };
        let calls = vec![
            minute("del-a", "99912345"),
            later(minute("del-b", "99912399")),
            minute("del-c", "88812345"),
            of("nobody", minute("del-d", "37061234567")),
        ];
        assert_eq!(books.send(vec![calls]).await.unwrap().unrated, 4);
        let delete = |arguments: &'static [&'static str]| {
            books.command(&data, &[&["calls", "unrated"], arguments].concat())
        };

        let (ok, said) = delete(&["--delete"]);
        assert!(!ok && said.contains("--delete needs ids, or what to filter by"), "{said}");
        let (ok, said) = delete(&["--delete", "--prefix", "999"]);
        assert!(ok, "{said}");
        assert!(
            said.contains(
                "2 would be deleted: 2 NO_RATE; begun 2026-01-20 10:00:00 to 2026-01-20 11:00:00; \
                 120 seconds in all\nNothing was deleted: the same command with --yes deletes them"
            ),
            "{said}"
        );
        assert_eq!(unrated(&books).await.len(), 4, "a look");

        let kept = unrated(&books).await;
        let id = |call_id: &str| {
            let named = kept.iter().find(|call| call.record.as_ref().unwrap().call_id == call_id);
            named.unwrap().id
        };
        // Ids and a filter narrow each other.
        let filter = UnratedCallFilter {
            reason: CallRejection::UnknownOriginator.into(),
            ..Default::default()
        };
        let request = DeleteUnratedCallsRequest {
            filter: Some(filter),
            ..deleting(vec![id("del-a"), id("del-d")])
        };
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let answer = client.delete_unrated_calls(request).await.unwrap().into_inner();
        assert_eq!((answer.deleted, answer.billsec_ms), (1, 60_000));
        assert_eq!(answer.reasons[0].reason(), CallRejection::UnknownOriginator);
        let (ok, said) =
            delete(&["--delete", "--account", "alice", "--till", "2026-01-20T10:30:00", "--yes"]);
        assert!(ok && said.contains("2 deleted: 2 NO_RATE"), "{said}");
        assert_eq!(summary(&unrated(&books).await), [("del-b", CallRejection::NoRate)]);

        let resource = format!("unratedCalls/{}", id("del-c"));
        let (ok, said) = books.command(&data, &["changes", &resource]);
        assert!(ok && said.contains("88812345"), "{said}");
        let everything = DeleteUnratedCallsRequest {
            filter: Some(UnratedCallFilter::default()),
            ..deleting(vec![])
        };
        let refused = client.delete_unrated_calls(everything).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(unrated(&books).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_an_account_that_is_nobodys_are_rated_as_anothers() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let by_point = CallRecord {
            originator: String::new(),
            origination_point: "203.0.113.9".to_owned(),
            ..minute("p", "37061234567")
        };
        let digits = CallRecord { origination_point: "77".to_owned(), ..by_point.clone() };
        let digits = CallRecord { call_id: "d".to_owned(), ..digits };
        let id = CallRecord {
            call_id: "i".to_owned(),
            origination_point: String::new(),
            ..digits.clone()
        };
        let id = CallRecord { origination_point_id: 77, ..id };
        assert_eq!(books.send(vec![vec![digits, id]]).await.unwrap().unrated, 2);
        let delete = |account: &'static str| {
            books.command(&data, &["calls", "unrated", "--delete", "--account", account, "--yes"])
        };
        // The text of a point is another account than an id; a login name is one in any capitals.
        assert!(delete("point 77").1.contains("1 deleted"));
        assert!(delete("POINT named 77").1.contains("0 deleted"));
        assert!(delete("point named 77").1.contains("1 deleted"));
        assert_eq!(
            books.send(vec![vec![of("Zoe", minute("z", "37061"))]]).await.unwrap().unrated,
            1
        );
        assert!(delete("zOE").1.contains("1 deleted"));

        let calls = vec![
            of("aliCIA", minute("k", "37061234567")),
            of("alicia", minute("l", "99912345")),
            of("carol", minute("m", "37061234567")),
            by_point,
        ];
        assert_eq!(books.send(vec![calls]).await.unwrap().unrated, 4);
        let before = unrated(&books).await;
        let wrong = ["rerate", "--unrated", "--map-account", "alicia=nobody"];
        let (ok, said) = books.command(&data, &wrong);
        assert!(!ok && said.contains("user"), "{said}");

        let map = ["--map-account", "Alicia=alice", "--map-account", "point 203.0.113.9=id 6"];
        let look = [&["rerate", "--unrated", "--dry-run"], &map[..]].concat();
        let (ok, said) = books.command(&data, &look);
        assert!(ok && said.contains("4 unrated calls: 2 rated, 2 stay unrated"), "{said}");
        assert!(said.contains("3 were tried as calls of another account"), "{said}");
        assert_eq!(unrated(&books).await, before);

        let balance = books.balance(6).await;
        let accounts = [("alicia", "alice"), ("point 203.0.113.9", "id 6")];
        let accounts: HashMap<String, String> =
            accounts.map(|(old, new)| (old.to_owned(), new.to_owned())).into();
        let request = RateUnratedCallsRequest { accounts, ..Default::default() };
        let mut client = UnratedCallsServiceClient::new(books.admin.clone());
        let report = client.rate_unrated_calls(request).await.unwrap().into_inner();
        assert_eq!((counts(&report), report.reassigned), ((4, 2, 0, 2), 3));
        assert_ne!(books.balance(6).await, balance);
        // What has no rate as a call of alice's either stays what it was, of whom it was.
        let kept = unrated(&books).await;
        let unknown = CallRejection::UnknownOriginator;
        assert_eq!(summary(&kept), [("m", unknown), ("l", unknown)]);
        assert_eq!(kept[1].user_id, None);
        books.check(FIXTURE + 2).await;
    })
    .await;
}

/// Under an id that is another call's a record is stored under its own; what was kept of it goes at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_stored_under_its_own_id_takes_its_unrated_copy_along() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let record =
            |number: &str, id: &str| CallRecord { record_id: id.to_owned(), ..minute("u", number) };
        books.send(vec![vec![record("37061234567", "u#1")]]).await.unwrap();
        books.send(vec![vec![record("99912345", "u#2"), record("88812345", "u#3")]]).await.unwrap();
        assert_eq!(unrated(&books).await.len(), 2);
        import(&books, 1, &[("999", "0.60")]).await;
        let taken = books.send(vec![vec![record("99912345", "u#2")]]).await.unwrap();
        assert_eq!(taken.stored, 1);
        let kept = unrated(&books).await;
        assert_eq!(kept.len(), 1, "the copy of the other record stays");
        assert_eq!(kept[0].record.as_ref().unwrap().record_id, "u#3");
        books.check(FIXTURE + 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_goes_to_a_spreadsheet_and_back_into_an_import() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let name = "a \"quoted\", name";
        books.send(vec![vec![of(name, minute("q", "37061234567"))]]).await.unwrap();
        let many = (0..30).map(|n| minute(&format!("x-{n}"), "99912345")).collect();
        books.send(vec![many]).await.unwrap();
        let (ok, table) = books.command(&data, &["calls", "unrated", "--csv"]);
        assert!(ok && table.lines().count() == 32, "{table}");
        assert!(table.contains("\"a \"\"quoted\"\", name\"") && table.contains("\r\n"), "{table}");

        // Mended, it is a file of calls.
        import(&books, 1, &[("999", "0.60")]).await;
        let file = data.directory().join("mended.csv");
        std::fs::write(&file, table.replace("\"a \"\"quoted\"\", name\"", "alice")).unwrap();
        let arguments = ["import", "calls", file.to_str().unwrap(), "--ignore-unknown-columns"];
        let (ok, said) = books.command(&data, &arguments);
        assert!(ok && said.contains("31 calls: 31 stored"), "{said}");
        assert!(unrated(&books).await.is_empty());
        books.check(FIXTURE + 31).await;
    })
    .await;
}

/// A customer that dials `1234#370…` is known by that, and pays for `370…`.
#[tokio::test(flavor = "multi_thread")]
async fn a_technical_prefix_leads_to_the_point_and_is_no_part_of_the_number() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let from = |id, tech_prefix: &str| ConnectionPoint {
            id: Some(id),
            address: "192.0.2.1".to_owned(),
            any_port: true,
            origination: Some(OriginationPoint {
                tech_prefix: tech_prefix.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let paths = ["address", "any_port", "origination.tech_prefix"];
        change(&books, from(1, "1234#"), &paths).await.unwrap();
        change(&books, from(2, ""), &paths).await.unwrap();
        // Who has the rate of a country code 1 does not get calls that only begin with a mark's digits.
        import(&books, 1, &[("1", "9")]).await;
        let file = "call_id;start_time;billsec;source;destination;origination_point\n\
            t1;2026-01-20 12:00:00;60;37060000001;1234#0037061234567;192.0.2.1\n\
            t2;2026-01-20 12:01:00;60;37060000001;37061234567;192.0.2.1\n\
            t3;2026-01-20 12:02:00;60;37060000001;1999#37061234567;192.0.2.1\n";
        let path = data.directory().join("tech.csv");
        std::fs::write(&path, file).unwrap();
        let arguments = ["import", "calls", path.to_str().unwrap(), "--originator-from", "point"];
        let (ok, said) = books.command(&data, &arguments);
        assert!(!ok && said.contains("3 calls: 2 stored, 0 duplicates, 1 rejected"), "{said}");
        assert!(
            said.contains("line 4: no rate of tariff 1 'sell' of the originator user6"),
            "{said}"
        );
        let calls = books.calls().await;
        let call = |id: &str| {
            let call = calls.iter().find(|call| call.call_id == id).unwrap();
            (call.originator.as_str(), call.destination.as_str(), call.prefix.as_str())
        };
        assert_eq!(call("t1"), ("alice", "37061234567", "370"));
        assert_eq!(call("t2"), ("user6", "37061234567", "370"));
        let (_, said) = books.command(&data, &arguments);
        assert!(said.contains("0 stored, 2 duplicates, 1 rejected"), "{said}");

        // A switch is told the number that is left.
        let request = AuthorizeCallRequest {
            call_id: "live".to_owned(),
            destination: "1234#37061234567".to_owned(),
            source_address: "192.0.2.1".to_owned(),
            max_duration: 60,
            ..Default::default()
        };
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        let answer = live.authorize_call(request).await.unwrap().into_inner();
        assert_eq!((answer.origination_point_id, answer.destination.as_str()), (1, "37061234567"));
        // And may say it at the end, with the address.
        let end = CallRecord {
            call_id: "live".to_owned(),
            origination_point: "192.0.2.1".to_owned(),
            originator: String::new(),
            ..minute("live", "37061234567")
        };
        let taken = books.send(vec![vec![end]]).await.unwrap();
        assert_eq!((taken.stored, taken.rejected), (1, 0), "{taken:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_says_where_two_points_have_one_address() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let at_address = |id, address: &str| ConnectionPoint {
            id: Some(id),
            address: address.to_owned(),
            any_port: true,
            ..Default::default()
        };
        change(&books, at_address(1, "192.0.2.1"), &["address", "any_port"]).await.unwrap();
        change(&books, at_address(2, "192.0.2.1"), &["address", "any_port"]).await.unwrap();
        let from = |id: &str| CallRecord {
            originator: String::new(),
            origination_point: "192.0.2.1".to_owned(),
            ..minute(id, "37061234567")
        };
        let taken = books
            .send(vec![vec![from("twin-a"), from("twin-b")], vec![from("twin-c")]])
            .await
            .unwrap();
        assert_eq!((taken.stored, taken.rejected), (3, 0));
        assert_eq!(
            taken.notes,
            ["2 points have the address 192.0.2.1, with the same port and technical prefix: its \
                 calls are taken as those of point 1, the oldest, and none as those of 2"]
        );
        // A smaller network is no twin: it wins by itself.
        change(&books, at_address(1, "192.0.2.0/24"), &["address"]).await.unwrap();
        let taken = books.send(vec![vec![from("twin-d")]]).await.unwrap();
        assert_eq!((taken.stored, taken.notes.len()), (1, 0));
    })
    .await;
}
