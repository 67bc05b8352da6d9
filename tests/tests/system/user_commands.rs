//! Users and payments, by the commands of an operator.

use tollbook_tests::server::{Backend, Data, Server};

use crate::{first_customer::Operator, on_both};

#[test]
fn users_are_changed_blocked_and_deleted() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["tariffs", "create", "Wholesale", "--purpose", "selling"]);
    operator.runs(&["currencies", "create", "GBP", "0.8"]);
    let id = operator.runs(&["users", "create", "acme"]);
    let change = ["users", "change", "acme", "--tariff", "Wholesale", "--credit", "100"];
    let said = operator.runs(&[&change[..], &["--currency", "GBP", "--name", "Acme Ltd"]].concat());
    assert!(said.contains("\"Acme Ltd\" user tariff 1 balance 0"), "{said}");
    let said = operator.runs(&["users", "change", &id, "--username", "acme2", "--password"]);
    let (line, password) = said.split_once('\n').unwrap();
    assert!(line.contains("\"acme2\"") && password.len() == 20, "{said}");
    assert!(operator.runs(&["users", "block", "acme2"]).ends_with(" blocked"));
    assert!(!operator.runs(&["users", "unblock", "acme2"]).contains("blocked"));
    assert!(operator.runs(&["users", "change", "acme2", "--tariff", "none"]).contains("no tariff"));

    operator.refused(&["users", "change", "acme2"], "say what is to change");
    operator.refused(&["users", "change", "acme"], "no user with the login name");
    operator.refused(&["users", "change", "acme2", "--prepaid", "--credit", "1"], "cannot be used");
    operator.refused(&["users", "block", "77"], "no such user");
    operator.refused(&["users", "block", "0"], "would leave no admin");
    operator.refused(&["users", "delete", "admin", "--yes"], "");
    let said = operator.runs(&["users", "delete", "acme2"]);
    assert!(said.contains("would be deleted"), "{said}");
    operator.runs(&["users", "delete", "acme2", "--yes"]);
    assert!(!operator.runs(&["users", "list"]).contains("acme2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_is_recorded_again_counts_once() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let operator = Operator::of(&data, &server);
        operator.runs(&["currencies", "create", "GBP", "0.5"]);
        operator.runs(&["users", "create", "acme"]);
        let add =
            ["payments", "add", "acme", "100", "--gateway", "stripe", "--transaction-id", "t1"];
        let said = operator.runs(&add);
        assert!(said.contains("100 USD paid by \"acme\" balance 0 -> 100"), "{said}");
        assert_eq!(operator.runs(&add), said, "its answer may have been lost");
        let other =
            ["payments", "add", "acme", "7", "--gateway", "stripe", "--transaction-id", "t1"];
        operator.refused(&other, "the transaction \"t1\" is there already, otherwise:\n  1 2");
        operator.refused(&other, "100 USD paid by \"acme\" balance 0 -> 100");
        let spaced =
            ["payments", "add", "acme", "100", "--gateway", " stripe", "--transaction-id", "t1 "];
        assert_eq!(operator.runs(&spaced), said, "it is the same transaction");
        let capitals =
            ["payments", "add", "acme", "100", "--gateway", "Stripe", "--transaction-id", "t1"];
        operator.refused(&capitals, "idempotency key");
        for rate in ["0.5", "0"] {
            operator
                .refused(&["payments", "add", "acme", "9", "--exchange-rate", rate], "exchange");
        }
        let request = ["payments", "add", "acme", "50", "--currency", "GBP", "--request-id", "r1"];
        let said = operator.runs(&request);
        assert!(said.contains("50 GBP paid by \"acme\" balance 100 -> 200"), "{said}");
        operator.runs(&request);
        let back = ["payments", "add", "acme", "30", "--to-provider", "--comment", "paid back"];
        let said = operator.runs(&back);
        assert!(said.ends_with("paid to \"acme\" balance 200 -> 170 \"paid back\""), "{said}");

        let list = operator.runs(&["payments", "list", "--user", "acme"]);
        assert_eq!(list.lines().count(), 3, "{list}");
        let list = operator.runs(&["payments", "list", "--transaction-id", "t1"]);
        assert!(list.ends_with("balance 0 -> 100 gateway \"stripe\" transaction \"t1\""), "{list}");
        assert_eq!(operator.runs(&["payments", "list", "--till", "2020-01-01"]), "");
        operator.refused(&["payments", "add", "acme", "-5", "--to-provider"], "not both");
        let said = operator.runs(&["payments", "add", "acme", "-5"]);
        assert!(said.contains("5 USD paid to \"acme\" balance 170 -> 165"), "{said}");
        operator.refused(&["payments", "add", "ghost", "5"], "no user with the login name");
    })
    .await;
}

#[test]
fn of_names_that_differ_in_capitals_alone_the_exact_one_counts_and_others_are_refused_with_both() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["tariffs", "create", "Wholesale", "--purpose", "selling"]);
    let deck = operator.file("deck.csv", "Code,Price\n370,0.1\n");
    operator.runs(&["import", "rates", &deck, "--tariff", "1"]);
    operator.runs(&["users", "create", "acme", "--tariff", "1"]);
    let said = operator.runs(&["users", "create", "Acme", "--tariff", "1"]);
    assert!(said.contains("warning: \"acme\" differs in capitals alone"), "{said}");
    let calls = operator.file(
        "calls.csv",
        "call_id,start_time,billsec,destination,originator\n\
         a,2026-11-20 10:00:00,60,37061234567,acme\n\
         b,2026-11-20 10:00:00,60,37061234567,Acme\n\
         c,2026-11-20 10:00:00,60,37061234567,ACME\n",
    );
    let (ok, said) = data.run(&server.grpc, &data.token(&["import"]), &["import", "calls", &calls]);
    assert!(!ok && said.contains("3 calls: 2 stored"), "{said}");
    let expected = "no such originator \"ACME\": several users are called so but for capitals, \
                    \"acme\" or \"Acme\"";
    assert!(said.contains(expected), "{said}");
    let list = operator.runs(&["users", "list", "--role", "user"]);
    assert_eq!(list.matches("balance -0.1").count(), 2, "{list}");
    // Renamed, it names one user again.
    let said = operator.runs(&["users", "change", "Acme", "--username", "globex"]);
    assert!(!said.contains("warning"), "{said}");
    assert!(operator.runs(&["rerate", "--unrated"]).contains("1 rated"), "{list}");
}
