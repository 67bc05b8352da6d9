//! Bad input gets the documented error, else a clear one, and changes nothing.

use std::collections::BTreeMap;

use tollbook_proto::v1::{
    AuditAccountsRequest, GetBalanceRequest, accounts_service_client::AccountsServiceClient,
};
use tollbook_tests::{
    contract::Fixture,
    legacy_hash,
    server::{SECRET, Server},
};

use crate::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn over_the_legacy_api() {
    on_both(|data| async move {
        let server = Server::start(&data);
        Fixture::fill(&server)
            .await
            .settings(SECRET, &BTreeMap::new())
            .await;
        let update = async |user_id: &str, amount: &str| {
            let params = [("u", "admin"), ("user_id", user_id), ("balance", amount)];
            server
                .legacy(
                    "user_balance_update",
                    &params,
                    &format!("{user_id}{amount}"),
                )
                .await
        };
        let long = "9".repeat(100_000);
        for user_id in [
            "",
            "abc",
            "4x",
            "-4",
            "04",
            " 4",
            "4.0",
            "99999999999999999999",
            &long,
        ] {
            let answer = update(user_id, "1").await;
            assert!(
                answer.contains("<error>User was not found</error>"),
                "{user_id}: {answer}"
            );
        }
        for amount in [
            "",
            "abc",
            "1e400",
            "NaN",
            "inf",
            "1,5",
            "+1",
            "0x1",
            "1.2.3",
            "1000000000000",
            "0.0000000000000001",
            &long,
        ] {
            let answer = update("4", amount).await;
            assert!(
                answer.contains("<error>User balance not updated</error>"),
                "{amount}: {answer}"
            );
        }
        // Sums that leave the range are refused as well.
        assert!(
            update("5", "999999999999")
                .await
                .contains("User balance updated")
        );
        assert!(update("5", "1").await.contains("User balance not updated"));

        let client = reqwest::Client::new();
        let hash = legacy_hash("41", SECRET);
        let form = "application/x-www-form-urlencoded";
        let post = async |method: &str, content_type: &str, body: Vec<u8>| {
            let request = client
                .post(server.url(method))
                .header("content-type", content_type);
            let response = request.body(body).send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        };
        for (status, text, method, content_type, body) in [
            (
                404,
                "Unknown method",
                "no_such_method",
                form,
                b"u=admin".to_vec(),
            ),
            (
                404,
                "Unknown method",
                "USER_BALANCE_UPDATE",
                form,
                b"u=admin".to_vec(),
            ),
            (
                400,
                "not valid UTF-8",
                "user_balance_update",
                form,
                b"u=admin&comment=%FF".to_vec(),
            ),
            (
                400,
                "not valid UTF-8",
                "user_balance_update",
                form,
                b"u=\xff\xfe".to_vec(),
            ),
            (
                400,
                "JSON",
                "user_balance_update",
                "application/json",
                b"{\"u\":".to_vec(),
            ),
            (
                400,
                "JSON",
                "user_balance_update",
                "application/json",
                b"{\"u\":[1]}".to_vec(),
            ),
            (
                400,
                "Multipart",
                "user_balance_update",
                "multipart/form-data; boundary=X",
                b"--Y".to_vec(),
            ),
            (
                413,
                "too large",
                "user_balance_update",
                form,
                vec![b'a'; 2 * 1024 * 1024],
            ),
            // A body of a kind that nobody reads is no body.
            (
                200,
                "Bad login",
                "user_balance_update",
                "text/xml",
                format!("u=admin&user_id=4&balance=1&hash={hash}").into_bytes(),
            ),
        ] {
            let (got, answer) = post(method, content_type, body).await;
            // Without parameters the empty hash is wrong first, or the caller is unknown.
            assert_eq!(got, status, "{answer}");
            assert!(answer.contains(text), "{text}: {answer}");
            roxmltree::Document::parse(&answer).unwrap();
        }
        let (status, answer) = post(
            "user_balance_update",
            form,
            format!("u=admin%00&user_id=4&balance=1&hash={hash}").into_bytes(),
        )
        .await;
        assert_eq!(
            (status, answer.contains("Bad login")),
            (200, true),
            "{answer}"
        );
        for verb in [reqwest::Method::PUT, reqwest::Method::DELETE] {
            let response = client
                .request(verb, server.url("users_get"))
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 405);
        }
        let response = client
            .post(format!("http://{}/elsewhere", server.http))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 404);

        // A control character in a comment, a comment without end.
        let hash = legacy_hash("41USD", SECRET);
        for comment in ["a%01b".to_owned(), "x".repeat(1001)] {
            let body =
                format!("u=admin&user_id=4&amount=1&currency=USD&comment={comment}&hash={hash}");
            let (_, answer) = post("payment_create", form, body.into_bytes()).await;
            assert!(
                answer.contains("<error>Payment was not saved</error>"),
                "{answer}"
            );
        }

        let admin = server.admin().await;
        let mut accounts = AccountsServiceClient::new(admin);
        let request = GetBalanceRequest {
            user_id: Some(4),
            ..Default::default()
        };
        let balance = accounts
            .get_balance(request)
            .await
            .unwrap()
            .into_inner()
            .balance
            .unwrap();
        assert_eq!(balance.value, "66", "something was changed");
        let audit = accounts
            .audit_accounts(AuditAccountsRequest {})
            .await
            .unwrap()
            .into_inner();
        assert_eq!((audit.findings, audit.entries), (Vec::<String>::new(), 2));
    })
    .await;
}
