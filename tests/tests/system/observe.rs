//! What those see who watch a server.

use tollbook_tests::{
    books::{Books, call},
    server::{Data, Server},
};

use crate::on_both;

async fn get(address: &str, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_is_counted() {
    on_both(|data: Data| async move {
        let books = Books::open(&data).await;
        drop(books);
        let metrics = [("TOLLBOOK_METRICS_ADDR", "127.0.0.1:0")];
        let server = Server::start_part(&data, "serve", &metrics);
        let params = [("u", "admin"), ("user_id", "4")];
        server.legacy("users_get", &params, "admin4").await;
        server.legacy("users_get", &params, "wrong").await;
        let token = data.token(&["observe"]);
        let admin = tollbook_tests::server::bearer(server.channel().await, &token);
        let books = Books { server, admin, token };
        let mut bad = call(2);
        bad.destination = "0".to_owned();
        bad.billsec_ms = Some(1_000);
        bad.duration_ms = Some(2_000);
        books.send(vec![vec![call(1), call(1), bad]]).await.unwrap();

        let (status, text) = get(&books.server.metrics, "/metrics").await;
        assert_eq!(status, 200);
        for expected in [
            r#"tollbook_xml_total{method="users_get",status="200"} 2"#,
            r#"tollbook_legacy_hash_total{method="users_get",input="1"} 1"#,
            r#"tollbook_legacy_hash_total{method="users_get",input="0"} 1"#,
            r#"tollbook_rpc_total{rpc="UsersService/GetUser",code="Ok"} 1"#,
            r#"tollbook_rpc_total{rpc="UsersService/GetUser",code="Unauthenticated"} 1"#,
            r#"tollbook_calls_total{outcome="stored"} 1"#,
            r#"tollbook_calls_total{outcome="duplicate"} 1"#,
            r#"tollbook_calls_total{outcome="NO_RATE"} 1"#,
            r#"tollbook_unrated_calls{reason="CONFLICT"} 0"#,
            r#"tollbook_xml_seconds_count{method="users_get"} 2"#,
            r#"tollbook_database_connections{state="open"}"#,
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert_eq!(get(&books.server.metrics, "/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(get(&books.server.metrics, "/readyz").await, (200, "ready\n".to_owned()));
        // Not where clients are.
        assert_eq!(get(&books.server.http, "/metrics").await.0, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_without_its_core_is_not_ready() {
    let data = Data::new(tollbook_tests::server::Backend::Sqlite).unwrap();
    let environment = [
        ("TOLLBOOK_METRICS_ADDR", "127.0.0.1:0"),
        ("TOLLBOOK_SHIM_TOKEN", "tb_none"),
        ("TOLLBOOK_CORE_URL", "http://127.0.0.1:1"),
    ];
    let shim = Server::start_part(&data, "shim", &environment);
    assert_eq!(get(&shim.metrics, "/healthz").await.0, 200);
    assert_eq!(get(&shim.metrics, "/readyz").await, (503, "not ready\n".to_owned()));
}

/// Alerts and dashboard ask for metrics that there are.
#[test]
fn alerts_and_dashboard_know_the_metrics() {
    let sources =
        [include_str!("../../../core/src/measure.rs"), include_str!("../../../shim/src/http.rs")];
    let mut asked = 0;
    for file in
        [include_str!("../../../deploy/alerts.yml"), include_str!("../../../deploy/grafana.json")]
    {
        for (start, _) in file.match_indices("tollbook_") {
            let is_name = |char: char| char.is_ascii_lowercase() || char == '_';
            let end = file[start..].find(|char| !is_name(char)).unwrap();
            let name = &file[start..start + end];
            let parts = ["_bucket", "_sum", "_count"];
            let base = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            let known = format!("\"{base}\"");
            assert!(sources.iter().any(|source| source.contains(&known)), "no metric {base}");
            asked += 1;
        }
    }
    assert!(asked > 20, "the files ask for hardly anything");
}
