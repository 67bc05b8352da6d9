//! Connection points: by what calls are recognised, and what points say of them.

use tollbook_proto::v1::{
    AuthorizeCallRequest, CallRecord, ConnectionPoint, CreateNumberPoolRequest,
    CreateRoutingGroupRequest, DeleteNumberPoolRequest, DeleteRoutingGroupRequest,
    FinishCallRequest, GetConnectionPointRequest, ListRoutingGroupsRequest, OriginationPoint,
    PointCallerId, PointTimeouts, RejectCode as R, RoutingGroup, TerminationPoint,
    UpdateConnectionPointRequest, connection_points_service_client::ConnectionPointsServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    number_pools_service_client::NumberPoolsServiceClient,
    routing_groups_service_client::RoutingGroupsServiceClient,
};
use tollbook_tests::books::Books;
use tonic::Code;

use crate::on_both;

pub(crate) async fn change(
    books: &Books,
    point: ConnectionPoint,
    paths: &[&str],
) -> Result<(), tonic::Status> {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let request = UpdateConnectionPointRequest {
        connection_point: Some(point),
        update_mask: Some(prost_types::FieldMask { paths }),
    };
    let mut points = ConnectionPointsServiceClient::new(books.admin.clone());
    points.update_connection_point(request).await.map(drop)
}

fn call_from(address: &str, port: i32, destination: &str) -> AuthorizeCallRequest {
    AuthorizeCallRequest {
        call_id: format!("{address}:{port}>{destination}"),
        source: "37060000001".to_owned(),
        destination: destination.to_owned(),
        source_address: address.to_owned(),
        source_port: port,
        max_duration: 60,
        ..Default::default()
    }
}

async fn ask(books: &Books, request: AuthorizeCallRequest) -> (R, i64) {
    let mut live = LiveCallsServiceClient::new(books.admin.clone());
    let answer = live.authorize_call(request).await.unwrap().into_inner();
    (answer.reject_code(), answer.origination_point_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_recognised_by_address_port_and_prefix() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let place = |id: i64, address: &str, port: i32| ConnectionPoint {
            id: Some(id),
            address: address.to_owned(),
            port,
            ..Default::default()
        };
        change(&books, place(1, "10.0.0.0/24", 0), &["address"]).await.unwrap();
        change(&books, place(2, "10.0.0.5-7", 5070), &["address", "port"]).await.unwrap();
        // Calls go to it and never come from it.
        change(&books, place(3, "10.9.9.9", 0), &["address"]).await.unwrap();

        assert_eq!(ask(&books, call_from("10.0.0.1", 5060, "3701")).await, (R::Unspecified, 1));
        assert_eq!(ask(&books, call_from("10.0.0.6", 5070, "3701")).await, (R::Unspecified, 2));
        // Neither says which port: the smaller network wins.
        assert_eq!(ask(&books, call_from("10.0.0.6", 0, "3701")).await, (R::Unspecified, 2));
        assert_eq!(ask(&books, call_from("10.0.0.6", 5060, "3701")).await, (R::Unspecified, 1));
        let (code, _) = ask(&books, call_from("10.0.0.6", 4000, "3701")).await;
        assert_eq!(code, R::PortMismatch);
        assert_eq!(ask(&books, call_from("10.9.9.9", 0, "3701")).await.0, R::OriginatorNotFound);
        assert_eq!(ask(&books, call_from("::1", 0, "3701")).await.0, R::OriginatorNotFound);

        let any = ConnectionPoint { id: Some(2), any_port: true, ..Default::default() };
        change(&books, any, &["any_port"]).await.unwrap();
        assert_eq!(ask(&books, call_from("10.0.0.6", 4001, "3701")).await, (R::Unspecified, 2));

        let prefix = |id: i64, tech_prefix: &str| ConnectionPoint {
            id: Some(id),
            origination: Some(OriginationPoint {
                tech_prefix: tech_prefix.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let path = ["origination.tech_prefix"];
        change(&books, prefix(1, "37"), &path).await.unwrap();
        change(&books, prefix(2, "44"), &path).await.unwrap();
        assert_eq!(ask(&books, call_from("10.0.0.6", 5060, "37012")).await, (R::Unspecified, 1));
        assert_eq!(ask(&books, call_from("10.0.0.6", 5060, "4412")).await, (R::Unspecified, 2));
        let (code, _) = ask(&books, call_from("10.0.0.6", 5060, "112")).await;
        assert_eq!(code, R::TechPrefixMismatch);

        // A point that is switched off as one is none.
        let off = OriginationPoint { disabled: true, ..Default::default() };
        let off = ConnectionPoint { id: Some(2), origination: Some(off), ..Default::default() };
        change(&books, off, &["origination.disabled"]).await.unwrap();
        let (code, _) = ask(&books, call_from("10.0.0.6", 5060, "4413")).await;
        assert_eq!(code, R::TechPrefixMismatch);

        // Without an address the number that calls says who it is, if it is anybody's CLI.
        let (code, _) = ask(&books, call_from("", 5060, "3701")).await;
        assert_eq!(code, R::OriginatorNotFound);
        for bad in [call_from("10.0.0", 0, "3701"), call_from("10.0.0.1", 70_000, "3701")] {
            let mut live = LiveCallsServiceClient::new(books.admin.clone());
            assert_eq!(live.authorize_call(bad).await.unwrap_err().code(), Code::InvalidArgument);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_refuse_sources_shorten_calls_and_grant_grace() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let from = |id: i64, pattern: &str, deny: &str| ConnectionPoint {
            id: Some(id),
            origination: Some(OriginationPoint {
                source_pattern: pattern.to_owned(),
                source_deny_pattern: deny.to_owned(),
                ..Default::default()
            }),
            termination: Some(TerminationPoint {
                source_pattern: pattern.to_owned(),
                source_deny_pattern: deny.to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let origination = ["origination.source_pattern", "origination.source_deny_pattern"];
        let termination = ["termination.source_pattern", "termination.source_deny_pattern"];
        let request = |call_id: &str| AuthorizeCallRequest {
            call_id: call_id.to_owned(),
            source: "37060000001".to_owned(),
            destination: "37061234567".to_owned(),
            origination_point_id: Some(1),
            termination_point_ids: vec![3],
            ..Default::default()
        };
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        for (pattern, deny, at_op, at_tp) in [
            ("^44", "", R::SourceRefused, R::TerminatorSourceMismatch),
            ("^370", "1$", R::SourceRefused, R::TerminatorSourceDenied),
        ] {
            change(&books, from(1, pattern, deny), &origination).await.unwrap();
            let answer = live.authorize_call(request("refused")).await.unwrap().into_inner();
            assert_eq!(answer.reject_code(), at_op);
            change(&books, from(1, "", ""), &origination).await.unwrap();
            change(&books, from(3, pattern, deny), &termination).await.unwrap();
            let answer = live.authorize_call(request("refused")).await.unwrap().into_inner();
            assert_eq!(answer.skipped_terminators[0].reject_code(), at_tp);
            change(&books, from(3, "", ""), &termination).await.unwrap();
        }

        // The shorter of both points' limits counts.
        for (id, call) in [(1, 300), (3, 200)] {
            let timeouts = Some(PointTimeouts { call, ..Default::default() });
            let point = ConnectionPoint { id: Some(id), timeouts, ..Default::default() };
            change(&books, point, &["timeouts.call"]).await.unwrap();
        }
        let answer = live.authorize_call(request("short")).await.unwrap().into_inner();
        assert_eq!(answer.max_duration, 200);

        // Three seconds are free for who makes the call, and paid to who terminates it.
        let grace = ConnectionPoint { id: Some(1), grace_time: 3, ..Default::default() };
        change(&books, grace, &["grace_time"]).await.unwrap();
        for (billsec_ms, billed) in [(3_000, 0), (3_001, 4)] {
            let record = CallRecord {
                call_id: format!("graced-{billsec_ms}"),
                origination_point_id: 1,
                termination_point_id: 3,
                destination: "37061234567".to_owned(),
                billsec_ms: Some(billsec_ms),
                start_time: tollbook_tests::books::at(tollbook_tests::books::START),
                ..Default::default()
            };
            let finished = live.finish_call(FinishCallRequest { call: Some(record) }).await;
            let call = finished.unwrap().into_inner().call.unwrap();
            assert_eq!(call.price.unwrap().billed_seconds, billed);
            assert!(call.self_cost.unwrap().billed_seconds >= 3);
        }
        books.check(8 + 2).await;
    })
    .await;
}

/// Gives point 1 the address of `alice`'s switch and rules for what it sends, and point 3 that of
/// `bob`'s.
async fn with_addresses_and_rules(books: &Books) {
    let from = ConnectionPoint {
        id: Some(1),
        address: "192.0.2.1".to_owned(),
        any_port: true,
        origination: Some(OriginationPoint {
            tech_prefix: "99".to_owned(),
            destination_transformation: "-9900|-990+370".to_owned(),
            source_transformation: "-0+370".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let paths = [
        "address",
        "any_port",
        "origination.tech_prefix",
        "origination.destination_transformation",
        "origination.source_transformation",
    ];
    change(books, from, &paths).await.unwrap();
    let to = ConnectionPoint {
        id: Some(3),
        description: "Bob in Riga".to_owned(),
        address: "198.51.100.0/24".to_owned(),
        any_port: true,
        ..Default::default()
    };
    change(books, to, &["description", "address", "any_port"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_known_by_their_addresses_and_billed_by_their_numbers_as_rewritten() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        with_addresses_and_rules(&books).await;
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        let wrong = OriginationPoint {
            destination_transformation: "/^00//".to_owned(),
            ..Default::default()
        };
        let wrong =
            ConnectionPoint { id: Some(1), origination: Some(wrong), ..Default::default() };
        let refused = change(&books, wrong, &["origination.destination_transformation"]).await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);

        // The end of a call is known as it was authorised, also where it is said twice, and in the
        // words of the switch.
        let request = AuthorizeCallRequest {
            source: "060000001".to_owned(),
            ..call_from("192.0.2.1", 0, "99061234567")
        };
        let call_id = request.call_id.clone();
        let answer = live.authorize_call(request).await.unwrap().into_inner();
        assert_eq!(answer.reject_code(), R::Unspecified, "{answer:?}");
        assert_eq!((answer.source.as_str(), answer.destination.as_str()), ("37060000001", "37061234567"));
        let end = CallRecord {
            call_id,
            source: "060000001".to_owned(),
            destination: "99061234567".to_owned(),
            billsec_ms: Some(0),
            ..Default::default()
        };
        for duplicate in [false, true] {
            let request = FinishCallRequest { call: Some(end.clone()) };
            let finished = live.finish_call(request).await.unwrap().into_inner();
            assert_eq!(finished.duplicate, duplicate);
            assert_eq!(finished.call.unwrap().destination, "37061234567");
        }

        // The number that came of the one that was called is as good, however often it is said.
        let adds = OriginationPoint {
            destination_transformation: "370".to_owned(),
            ..Default::default()
        };
        let adds = ConnectionPoint { id: Some(2), origination: Some(adds), ..Default::default() };
        change(&books, adds, &["origination.destination_transformation"]).await.unwrap();
        let request = AuthorizeCallRequest {
            call_id: "adds".to_owned(),
            destination: "61234567".to_owned(),
            origination_point_id: Some(2),
            max_duration: 60,
            ..Default::default()
        };
        let answer = live.authorize_call(request).await.unwrap().into_inner();
        assert_eq!(answer.destination, "37061234567", "{answer:?}");
        for (said, point, duplicate) in [
            ("37061234567", 2, false),
            ("37061234567", 2, true),
            ("61234567", 2, true),
            ("61234567", 0, true),
            ("37061234567", 0, true),
        ] {
            let end = CallRecord {
                call_id: "adds".to_owned(),
                destination: said.to_owned(),
                origination_point_id: point,
                originator_id: Some(6),
                ..Default::default()
            };
            let finished = live.finish_call(FinishCallRequest { call: Some(end) }).await;
            let finished = finished.unwrap_or_else(|status| panic!("{said} {point}: {status}"));
            assert_eq!(finished.into_inner().duplicate, duplicate);
        }

        let file = "call_id;start_time;billsec;source;destination;origination_point;termination_point\n\
            p1;2026-01-20 12:00:00;60;060000001;990037061234567;192.0.2.1:5070;198.51.100.9\n\
            p2;2026-01-20 12:01:00;60;060000001;37061234567;192.0.2.1;198.51.100.9\n\
            p3;2026-01-20 12:02:00;60;060000001;99061234567;192.0.2.1;Bob in Riga\n\
            p4;2026-01-20 12:03:00;60;060000001;99061234567;192.0.2.1;203.0.113.1\n";
        let path = data.directory().join("points.csv");
        std::fs::write(&path, file).unwrap();
        let mut command = data.command();
        command
            .env("TOLLBOOK_TOKEN", &books.token)
            .env("TOLLBOOK_CORE_URL", format!("http://{}", books.server.grpc))
            .args(["import", "calls", path.to_str().unwrap()])
            .args(["--originator-from", "point", "--terminator-from", "point"]);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert!(said.contains("4 calls: 2 stored, 0 duplicates, 2 rejected"), "{said}");
        // Without the technical prefix it is no call of this point.
        assert!(said.contains("line 3: the originator has no such connection point"), "{said}");
        assert!(said.contains("line 5: the terminator has no such connection point"), "{said}");
        let calls = books.calls().await;
        let imported: Vec<_> = calls.iter().filter(|call| call.call_id.starts_with('p')).collect();
        for call in &imported {
            assert_eq!((call.origination_point_id, call.termination_point_id), (1, 3));
            assert_eq!((call.originator.as_str(), call.terminator.as_str()), ("alice", "bob"));
            assert_eq!((call.source.as_str(), call.destination.as_str()), ("37060000001", "37061234567"));
            assert_eq!(call.price.as_ref().unwrap().amount.as_ref().unwrap().value, "0.33");
        }
        assert_eq!(imported.len(), 2);
        books.check(8 + 4).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_points_refer_to_is_there_and_stays() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let mut groups = RoutingGroupsServiceClient::new(books.admin.clone());
        let mut pools = NumberPoolsServiceClient::new(books.admin.clone());
        let mut points = ConnectionPointsServiceClient::new(books.admin.clone());
        let group = RoutingGroup { name: "Europe".to_owned(), ..Default::default() };
        let request = CreateRoutingGroupRequest { routing_group: Some(group) };
        let group = groups.create_routing_group(request).await.unwrap().into_inner();
        let group = group.routing_group.unwrap();
        let request = CreateNumberPoolRequest { name: "ids".to_owned(), ..Default::default() };
        let pool = pools.create_number_pool(request).await.unwrap().into_inner();
        let pool = pool.number_pool.unwrap().id;

        let with = |group: i64, pool: i64| ConnectionPoint {
            id: Some(1),
            origination: Some(OriginationPoint { routing_group_id: group, ..Default::default() }),
            caller_id: Some(PointCallerId { number_pool_id: pool, ..Default::default() }),
            ..Default::default()
        };
        let paths = ["origination.routing_group_id", "caller_id.number_pool_id"];
        for (group, pool) in [(group.id + 1, 0), (0, pool + 1)] {
            let refused = change(&books, with(group, pool), &paths).await.unwrap_err();
            assert_eq!(refused.code(), Code::NotFound);
        }
        change(&books, with(group.id, pool), &paths).await.unwrap();
        let kept =
            points.get_connection_point(GetConnectionPointRequest { id: Some(1) }).await.unwrap();
        let kept = kept.into_inner().connection_point.unwrap();
        assert_eq!(kept.origination.unwrap().routing_group_id, group.id);
        assert_eq!(kept.caller_id.unwrap().number_pool_id, pool);

        let delete_group = DeleteRoutingGroupRequest { id: Some(group.id) };
        let delete_pool = DeleteNumberPoolRequest { id: Some(pool) };
        let refused = groups.delete_routing_group(delete_group).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        let refused = pools.delete_number_pool(delete_pool).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        change(&books, with(0, 0), &paths).await.unwrap();
        groups.delete_routing_group(delete_group).await.unwrap();
        pools.delete_number_pool(delete_pool).await.unwrap();
        let none = groups.list_routing_groups(ListRoutingGroupsRequest::default()).await.unwrap();
        assert_eq!(none.into_inner().routing_groups, []);
        let gone = groups.delete_routing_group(delete_group).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    })
    .await;
}
