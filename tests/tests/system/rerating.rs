//! Pricing calls again: at which exchange rates, and of whom and by which tariff alone.

use tollbook_tests::server::{Backend, Data, Server};

use crate::{first_customer::Operator, on_both};

const NOVEMBER: [&str; 5] = ["rerate", "--from", "2026-11-01", "--till", "2026-11-26"];

fn rerate(operator: &Operator<'_>, more: &[&str]) -> String {
    operator.runs(&[&NOVEMBER[..], more].concat())
}

fn balance(operator: &Operator<'_>, user: &str) -> String {
    let list = operator.runs(&["users", "list"]);
    let line = list.lines().find(|line| line.contains(&format!("{user:?}")));
    let (_, balance) = line.unwrap().split_once(" balance ").unwrap();
    balance.split_whitespace().next().unwrap().to_owned()
}

/// Two customers, of whom one pays by a tariff in dollars, and a carrier who is paid in dollars.
fn set_up(operator: &Operator<'_>) {
    operator.runs(&["settings", "default_currency=EUR"]);
    operator.runs(&["currencies", "create", "USD", "2"]);
    for (name, purpose, currency, price) in [
        ("Sold in dollars", "selling", "USD", "0.40"),
        ("Sold in euros", "selling", "EUR", "0.30"),
        ("Bought in dollars", "buying", "USD", "0.20"),
    ] {
        operator.runs(&["tariffs", "create", name, "--purpose", purpose, "--currency", currency]);
        prices(operator, name, price);
    }
    for (user, tariff) in [("acme", "1"), ("globex", "2"), ("colossus", "3")] {
        operator.runs(&["users", "create", user, "--tariff", tariff]);
    }
    let calls = operator.file(
        "calls.csv",
        "call_id,start_time,billsec,destination,originator,terminator\n\
         a,2026-11-20 10:00:00,60,37061234567,acme,colossus\n\
         b,2026-11-20 11:00:00,60,37061234567,globex,colossus\n",
    );
    operator.runs(&["import", "calls", &calls]);
    assert_eq!(
        ["acme", "globex", "colossus"].map(|user| balance(operator, user)),
        ["-0.2", "-0.3", "0.2"]
    );
}

fn prices(operator: &Operator<'_>, tariff: &str, price: &str) {
    let deck = operator.file("deck.csv", &format!("Code,Price\n370,{price}\n"));
    let id = match tariff {
        "Sold in dollars" => "1",
        "Sold in euros" => "2",
        _ => "3",
    };
    operator.runs(&["import", "rates", &deck, "--tariff", id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_priced_again_at_the_exchange_rate_of_its_day() {
    on_both(|data| async move {
        let server = Server::start(&data);
        let operator = Operator::of(&data, &server);
        set_up(&operator);
        operator.runs(&["currencies", "set", "USD", "4"]);
        let said = rerate(&operator, &[]);
        assert_eq!(said, "2 calls: 0 changed, 0 without a rate; price +0, self-cost +0");

        // Another price, converted as on that day: 0.60 USD are 0.30 EUR.
        prices(&operator, "Sold in dollars", "0.60");
        let said = rerate(&operator, &[]);
        assert_eq!(said, "2 calls: 1 changed, 0 without a rate; price +0.1, self-cost +0");
        assert_eq!(balance(&operator, "acme"), "-0.3");
        assert!(rerate(&operator, &[]).contains(" 0 changed"));

        // Only who says so gets the exchange rates of today.
        let today = ["--current-exchange-rates"];
        let dry = rerate(&operator, &[&today[..], &["--dry-run"]].concat());
        assert!(dry.contains("2 changed") && dry.contains("price -0.15, self-cost -0.1"), "{dry}");
        assert!(rerate(&operator, &[]).contains(" 0 changed"));
        rerate(&operator, &today);
        assert_eq!(balance(&operator, "colossus"), "0.1");
        // That is what they are rated at from now on.
        assert!(rerate(&operator, &[]).contains(" 0 changed"));
    })
    .await;
}

#[test]
fn a_tariff_of_another_currency_is_converted_as_of_today_and_that_is_said() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    set_up(&operator);
    operator.runs(&["currencies", "create", "GBP", "0.5"]);
    operator.runs(&["tariffs", "create", "Pounds", "--purpose", "selling", "--currency", "GBP"]);
    let deck = operator.file("deck.csv", "Code,Price\n370,0.40\n");
    operator.runs(&["import", "rates", &deck, "--tariff", "4"]);
    operator.runs(&["users", "change", "acme", "--tariff", "Pounds"]);
    let said = rerate(&operator, &[]);
    assert!(said.contains("1 changed") && said.contains("price +0.6"), "{said}");
    assert!(said.contains("1 calls by rates of another currency at the exchange rate"), "{said}");
    operator.runs(&["currencies", "set", "GBP", "0.25"]);
    let said = rerate(&operator, &[]);
    assert!(said.contains(" 0 changed") && !said.contains("warning"), "{said}");
}

#[test]
fn calls_of_one_tariff_or_user_alone_are_priced_again() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    set_up(&operator);
    for (tariff, price) in
        [("Sold in dollars", "0.80"), ("Sold in euros", "0.60"), ("Bought in dollars", "0.40")]
    {
        prices(&operator, tariff, price);
    }
    let said = rerate(&operator, &["--tariff", "Sold in euros"]);
    assert_eq!(said, "1 calls: 1 changed, 0 without a rate; price +0.3, self-cost +0");
    assert_eq!(
        ["acme", "globex", "colossus"].map(|user| balance(&operator, user)),
        ["-0.2", "-0.6", "0.2"]
    );
    // Of either purpose, by its id as well, and with a user and a side beside it.
    let said = rerate(&operator, &["--tariff", "3", "--user", "colossus", "--dry-run"]);
    assert!(said.contains("2 changed") && said.contains("price +0, self-cost +0.2"), "{said}");
    assert!(rerate(&operator, &["--tariff", "3", "--side", "originator"]).starts_with("0 calls"));
    let said = rerate(&operator, &["--user", "acme", "--side", "originator"]);
    assert!(said.contains("1 changed") && said.contains("price +0.2, self-cost +0"), "{said}");

    // A name that is an id of another as well means nobody.
    operator.runs(&["users", "create", "2"]);
    operator.runs(&["tariffs", "create", "1", "--purpose", "selling"]);
    operator.refused(&[&NOVEMBER[..], &["--user", "2"]].concat(), "say '#");
    assert!(rerate(&operator, &["--user", "#2"]).starts_with("1 calls"), "globex has the id 2");
    operator.refused(&[&NOVEMBER[..], &["--tariff", "1"]].concat(), "fits several tariffs");
    operator.refused(&[&NOVEMBER[..], &["--tariff", "Sold"]].concat(), "no tariff with the name");
    operator
        .refused(&[&NOVEMBER[..], &["--user", "ghost"]].concat(), "no user with the login name");
}
