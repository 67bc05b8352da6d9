//! From an empty database to the first bill, by the commands that docs/operators.md tells a new operator.

use tollbook_tests::server::{Backend, Data, Server};

/// Runs commands beside a server.
pub(crate) struct Operator<'a> {
    data: &'a Data,
    server: &'a Server,
    token: String,
}

impl<'a> Operator<'a> {
    pub(crate) fn of(data: &'a Data, server: &'a Server) -> Self {
        Self { data, server, token: data.token(&["setup"]) }
    }

    fn tries(&self, args: &[&str]) -> (bool, String) {
        let (ok, said) = self.data.run(&self.server.grpc, &self.token, args);
        (ok, said.trim_end().to_owned())
    }

    pub(crate) fn runs(&self, args: &[&str]) -> String {
        let (ok, said) = self.tries(args);
        assert!(ok, "{args:?}: {said}");
        said
    }

    pub(crate) fn refused(&self, args: &[&str], expected: &str) {
        let (ok, said) = self.tries(args);
        assert!(!ok && said.contains(expected), "{args:?}: {said}");
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let file = self.data.directory().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }
}

#[test]
fn an_operator_comes_from_nothing_to_the_first_bill_by_commands() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["settings", "default_currency=EUR"]);
    operator.runs(&["currencies", "create", "USD", "1.08"]);
    let list = operator.runs(&["currencies", "list"]);
    assert_eq!(list, "EUR 1 default\nUSD 1.08");
    let buying = operator.runs(&["tariffs", "create", "Colossus", "--purpose", "buying"]);
    let selling = operator.runs(&["tariffs", "create", "Wholesale", "--purpose", "selling"]);
    for (name, price, tariff) in
        [("colossus.csv", "0.085", &buying), ("ours.csv", "0.12", &selling)]
    {
        let deck = operator.file(name, &format!("Code,Price\n3706,{price}\n"));
        operator.runs(&["import", "rates", &deck, "--tariff", tariff]);
    }

    operator.runs(&["users", "create", "colossus", "--tariff", &buying]);
    let acme = ["users", "create", "acme", "--tariff", &selling, "--credit", "500", "--password"];
    let said = operator.runs(&acme);
    let (_, password) = said.split_once('\n').expect("an id and a password");
    assert_eq!(password.len(), 20);
    operator.runs(&["points", "create", "acme", "--origination", "--description", "acme-pbx"]);
    operator.runs(&["points", "create", "colossus", "--termination", "--address", "198.51.100.7"]);
    let list = operator.runs(&["points", "list", "--user", "colossus"]);
    assert!(list.ends_with("198.51.100.7 termination") && !list.contains("acme"), "{list}");
    let list = operator.runs(&["tariffs", "list"]);
    assert!(list.contains(&format!("{buying} \"Colossus\" buying in EUR")), "{list}");

    let calls = "call_id,start_time,billsec,destination,originator,terminator\n\
                 a,2026-11-20 10:00:00,60,37061234567,acme,colossus\n";
    let calls = operator.file("calls.csv", calls);
    operator.runs(&["import", "calls", &calls]);
    let list = operator.runs(&["users", "list", "--role", "user"]);
    assert!(list.contains("\"acme\"") && list.contains("balance -0.12"), "{list}");
    assert!(list.contains("\"colossus\"") && list.contains("balance 0.085"), "{list}");
    let totals =
        operator.runs(&["calls", "totals", "--from", "2026-11-01", "--till", "2026-11-30"]);
    let expected = "originator,calls,answered,billsec,originator_billed,terminator_billed,price,\
                    self_cost,profit,margin_percent,currency\n\
                    acme,1,1,60,60,60,0.12,0.085,0.035,29,EUR\n\
                    all,1,1,60,60,60,0.12,0.085,0.035,29,EUR";
    assert_eq!(totals, expected);
}

#[test]
fn what_cannot_be_set_up_is_refused_by_name() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["users", "create", "acme"]);
    operator.refused(&["users", "create", "acme"], "the username is taken");
    operator.refused(&["users", "create", "x", "--tariff", "7"], "tariff");
    operator.refused(&["users", "create", "x", "--currency", "XXX"], "no currency \"XXX\"");
    operator.refused(&["points", "create", "acme"], "for --origination, for --termination");
    operator.refused(&["points", "create", "nobody", "--origination"], "no such user");
    operator.refused(&["points", "create", "acme", "--origination", "--address", "x"], "address");
    operator.refused(&["tariffs", "create", "x"], "--purpose");
    assert!(!operator.runs(&["users", "list"]).contains("\"x\""));
}

/// Else a tariff in dollars would be one in euros, its numbers unchanged.
#[test]
fn the_default_currency_stays_once_somebody_has_amounts() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let server = Server::start(&data);
    let operator = Operator::of(&data, &server);
    operator.runs(&["settings", "default_currency=GBP"]);
    let create = ["tariffs", "create", "Orient", "--purpose", "buying", "--currency", "GBP"];
    operator.runs(&create);
    operator
        .refused(&["settings", "default_currency=EUR"], "only while there are no other currencies");
    assert!(operator.runs(&["tariffs", "list"]).contains("buying in GBP"));
}
