//! What an import says of itself that an operator would otherwise find out by the bill.

use tollbook_tests::server::{Backend, Data, Server};

use crate::first_customer::Operator;

/// A carrier and two customers, with prices for 370.
fn books(operator: &Operator<'_>) {
    operator.runs(&["tariffs", "create", "Orient", "--purpose", "buying"]);
    operator.runs(&["tariffs", "create", "Retail", "--purpose", "selling"]);
    let deck = operator.file("deck.csv", "Code,Price\n370,0.1\n");
    operator.runs(&["import", "rates", &deck, "--tariff", "1"]);
    operator.runs(&["import", "rates", &deck, "--tariff", "2"]);
    operator.runs(&["users", "create", "orient", "--tariff", "Orient"]);
    for phone in ["1001", "1002", "1003"] {
        operator.runs(&["users", "create", phone, "--tariff", "Retail"]);
    }
}

/// A line of `Master.csv`, without an id where `id` is empty.
fn line(minute: u32, account: &str, channels: [&str; 2], id: &str) -> String {
    let start = format!("2026-01-20 12:{minute:02}:00");
    let end = format!("2026-01-20 12:{minute:02}:30");
    let [from, to] = channels;
    let id = if id.is_empty() { String::new() } else { format!(",\"{id}\",\"\"") };
    format!(
        "\"{account}\",\"{account}\",\"37061234567\",\"out\",\"\",\"{from}\",\"{to}\",\"Dial\",\"\",\
         \"{start}\",\"{start}\",\"{end}\",30,30,\"ANSWERED\",\"DOCUMENTATION\"{id}\n"
    )
}

#[test]
fn a_customers_phone_is_not_taken_for_a_carrier_in_silence() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    books(&operator);
    let text = [
        line(1, "1002", ["PJSIP/1002-00000001", "PJSIP/1001-00000002"], "1768910400.1"),
        line(2, "1002", ["PJSIP/1002-00000003", "PJSIP/orient-00000004"], "1768910400.3"),
        line(3, "1003", ["PJSIP/1003-00000005", "PJSIP/orient-00000006"], "1768910400.5"),
    ];
    let file = operator.file("Master.csv", &text.concat());
    operator.runs(&["users", "block", "1003"]);
    let import = ["import", "calls", &file, "--terminator-from", "peer"];
    let said = operator.runs(&[&import[..], &["--dry-run"]].concat());
    let expected = "warning: 1 calls would be credited as carriers by tariffs that say what users pay, to 1001 \
                    (1, tariff 2 \"Retail\")";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("1 calls of blocked users would be charged all the same: 1003 (1)"),
        "{said}"
    );
    assert!(!said.contains("providers are paid"), "{said}");

    let said = operator.runs(&["users", "change", "1003", "--tariff", "Orient"]);
    assert!(said.contains("warning: tariff 1 \"Orient\" says what providers are paid"), "{said}");
    let said = operator.runs(&["users", "change", "orient", "--tariff", "Retail"]);
    assert!(said.contains("warning: tariff 2 \"Retail\" says what users pay"), "{said}");
    assert!(
        !operator.runs(&["users", "change", "orient", "--tariff", "Retail"]).contains("warning")
    );
    operator.runs(&["users", "change", "orient", "--tariff", "Orient"]);
    let said = operator.runs(&import);
    let expected = "warning: 1 calls were charged by tariffs that say what providers are paid, to 1003 (1, tariff \
                    1 \"Orient\")";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("`tollbook import undo 3` takes the calls back"), "{said}");

    let totals = |args: &[&str]| {
        let period = ["calls", "totals", "--from", "2026-01-01", "--till", "2026-01-31"];
        operator.runs(&[&period[..], args].concat())
    };
    assert!(totals(&["--user", "1002"]).lines().nth(1).unwrap().starts_with("1002,2,2,60,"));
    assert!(!totals(&["--user", "1002"]).contains("1003"));
    assert!(totals(&["--terminator", "1001"]).lines().nth(1).unwrap().starts_with("1002,1,1,30,"));
    assert!(totals(&[]).contains("1003"));
}

#[test]
fn calls_without_an_id_are_told_of_once_and_may_get_one() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    books(&operator);
    let call = |minute| line(minute, "1002", ["PJSIP/1002-00000001", "PJSIP/orient-00000002"], "");
    let file = operator.file("Master.csv", &[call(1), call(2), call(3)].concat());
    let import = ["import", "calls", &file, "--terminator", "orient"];
    operator.refused(&import, "2 more lines have no uniqueid either");
    operator.refused(&import, "rejected: 3 not read");
    let with_ids = [&import[..], &["--make-call-ids"]].concat();
    let said = operator.runs(&with_ids);
    assert!(said.contains("3 calls: 3 stored"), "{said}");
    let said = operator.runs(&with_ids);
    assert!(said.contains("0 stored, 3 duplicates"), "{said}");
}

#[test]
fn a_price_is_asked_for_by_names_and_a_deck_says_what_becomes_of_prices() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["settings", "time_zone=Europe/Vilnius"]);
    books(&operator);
    let price =
        operator.runs(&["rate", "37061234567", "60", "--user", "1001", "--self-cost", "Orient"]);
    assert!(price.contains("Price: 0.1") && price.contains("Self-cost: 0.1"), "{price}");
    operator.runs(&["rate", "37061234567", "60", "--tariff", "#2", "--at", "2026-12-01T00:00:00"]);
    operator.refused(&["rate", "370", "60", "--tariff", "Retial"], "no tariff with the name");

    let raised = operator.file("raised.csv", "Code,Price,Effective\n370,0.12,2026-06-01\n");
    let said = operator.runs(&["import", "rates", &raised, "--tariff", "2"]);
    assert!(said.contains("prices: raised 1, largest +20 %"), "{said}");
    let undated = operator.file("undated.csv", "Code,Price\n370,0.2\n");
    let said = operator.runs(&["import", "rates", &undated, "--tariff", "2", "--dry-run"]);
    assert!(said.contains("1 line is without effect, since a newer rate"), "{said}");
    assert!(!said.contains("Largest raises"), "{said}");
    let said = operator.runs(&["changes", "--limit", "2"]);
    assert!(!said.contains("legacyColumns"), "{said}");
}
