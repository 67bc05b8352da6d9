//! MOR's list of the calls under way, with calls that are.

use tollbook_proto::v1::{
    AuthorizeCallRequest, StartCallRequest, live_calls_service_client::LiveCallsServiceClient,
};
use tollbook_shim::Dialect;
use tollbook_tests::{
    contract::Fixture,
    server::{SECRET, Server},
};

use crate::on_both;

/// The ids that a list of calls has under `uniqueid`.
fn ids(answer: &str) -> Vec<&str> {
    let parts = answer.split("<uniqueid>").skip(1);
    parts.filter_map(|part| part.split_once('<')).map(|(id, _)| id).collect()
}

/// Two calls of alice, of which one is answered, and one of user6.
async fn make_calls(server: &Server) {
    let mut live = LiveCallsServiceClient::new(server.admin().await);
    for (call_id, user, source, destination, point) in [
        ("ringing", 4, "37060000001", "442071234567", 1),
        ("answered", 4, "37060000002", "37061234567", 1),
        ("other", 6, "37060000003", "37061234567", 2),
    ] {
        let request = AuthorizeCallRequest {
            call_id: call_id.to_owned(),
            source: source.to_owned(),
            destination: destination.to_owned(),
            originator_id: Some(user),
            origination_point_id: Some(point),
            max_duration: 60,
            ..Default::default()
        };
        let answer = live.authorize_call(request).await.unwrap().into_inner();
        assert_eq!(answer.reject_reason, "");
    }
    let start = StartCallRequest { call_id: "answered".to_owned(), answer_time: None };
    live.start_call(start).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_under_way_are_listed_as_they_are_asked_for() {
    on_both(|data| async move {
        let server = Server::start_for(&data, Dialect::Mor);
        let fixture = Fixture::fill_for(&server, Dialect::Mor).await;
        fixture.fill_calls().await;
        let shown = [("show_active_calls_for_users".to_owned(), toml::Value::Boolean(true))];
        fixture.settings(SECRET, &shown.into()).await;
        make_calls(&server).await;

        let all = server.legacy("active_calls_get", &[("u", "admin")], "admin").await;
        assert_eq!(ids(&all), ["ringing", "answered", "other"], "{all}");
        let first = "<uniqueid>ringing</uniqueid><status>Ringing</status>\
                     <answer_time></answer_time><duration></duration><src>37060000001</src>\
                     <user_id>4</user_id><user>alice</user><src_device_id>1</src_device_id>\
                     <device_type>SIP</device_type><device_extension></device_extension>\
                     <device_name></device_name><device_istrunk>0</device_istrunk>\
                     <device_ani>0</device_ani><localized_dst>442071234567</localized_dst>\
                     </active_call>";
        let together: String = all.lines().map(str::trim).collect();
        assert!(together.contains(first), "{all}");

        for (name, value, expected) in [
            ("s_status", "Ringing", &["ringing", "other"][..]),
            ("s_status", "answered", &["answered"]),
            ("s_user_id", "6", &["other"]),
            ("s_source", "%002", &["answered"]),
            ("s_destination", "44", &["ringing"]),
            ("s_provider", "3", &[]),
            ("s_dst_user_id", "5", &[]),
            ("s_country", "Lithuania", &[]),
            // It needs a user.
            ("s_device", "2", &["ringing", "answered", "other"]),
        ] {
            let params = [("u", "admin"), (name, value)];
            let answer = server.legacy("active_calls_get", &params, "admin").await;
            assert_eq!(ids(&answer), expected, "{name} {value}: {answer}");
        }
        let params = [("u", "admin"), ("s_user_id", "4"), ("s_device", "2")];
        let answer = server.legacy("active_calls_get", &params, "admin").await;
        assert_eq!(ids(&answer), [""; 0], "{answer}");

        let own = server.legacy("active_calls_get", &[("u", "alice")], "alice").await;
        assert_eq!(ids(&own), ["ringing", "answered"], "{own}");
    })
    .await;
}
