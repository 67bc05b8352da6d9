//! Core and shim as two processes.

use std::collections::BTreeMap;

use tollbook_tests::{
    contract::Fixture,
    server::{SECRET, Server},
};

use crate::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_reaches_its_core_over_the_network() {
    on_both(|data| async move {
        let mut core = Server::start_part(&data, "core", &[]);
        Fixture::fill(&core).await.settings(SECRET, &BTreeMap::new()).await;
        let token = data.token(&["--shim", "shim1"]);
        let url = format!("http://{}", core.grpc);
        let environment = [("TOLLBOOK_SHIM_TOKEN", &*token), ("TOLLBOOK_CORE_URL", &url)];
        let mut shim = Server::start_part(&data, "shim", &environment);

        let params = [("u", "admin"), ("user_id", "4"), ("balance", "4")];
        let answer = shim.legacy("user_balance_update", &params, "44").await;
        assert!(answer.contains("<balance>70.0</balance>"), "{answer}");
        let answer = shim.legacy("user_balance_update", &params, "45").await;
        assert!(answer.contains("Incorrect hash"), "{answer}");

        // A token that is none of a shim's, and a core that is gone, are told apart from
        // what a client did wrong.
        let environment = [("TOLLBOOK_SHIM_TOKEN", "tb_wrong"), ("TOLLBOOK_CORE_URL", &url)];
        let stranger = Server::start_part(&data, "shim", &environment);
        let request = reqwest::Client::new().post(stranger.url("user_balance_get"));
        assert_eq!(request.send().await.unwrap().status(), 502);
        assert!(core.stop().success());
        let request = reqwest::Client::new().post(shim.url("user_balance_get"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.text().await.unwrap().contains("temporarily unavailable"));
        assert!(shim.stop().success());
    })
    .await;
}
