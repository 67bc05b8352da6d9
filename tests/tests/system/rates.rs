//! Rate decks: imported by the command, rated over gRPC, listed over the legacy API.

use std::{
    collections::BTreeMap,
    fmt::Write,
    process::Output,
    time::{Duration, Instant},
};

use tollbook_proto::v1::{
    CreateTariffRequest, DeleteTariffRequest, ImportRatesOptions, ImportRatesRequest,
    RateCallRequest, RateCallResponse, RateLine, RateLines, RatingOutcome, Tariff, TariffPurpose,
    UpdateUserRequest, User, import_rates_request::Part,
    rating_service_client::RatingServiceClient, tariffs_service_client::TariffsServiceClient,
    users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal, mask},
    process::{forget_peak, peak, resident},
    server::{Authorized, Data, SECRET, Server, bearer},
};
use tonic::codegen::tokio_stream;

use crate::on_both;

/// A deck of 2,500 prefixes: more than a page, more than a statement.
fn deck() -> String {
    let mut deck = "prefix,destination,rate,connection_fee,increment,min_time,effective_from\n\
                    370,Lithuania,0.6,0.01,1,0,\n\
                    3706,Lithuania mobile,1.2,0,60,30,2020-01-01\n\
                    3706,Lithuania mobile,2.4,0,60,30,2099-01-01\n\
                    370619,Lithuania blocked,-1,,,,\n"
        .to_owned();
    for number in 0..2_496 {
        writeln!(deck, "44{number:04},\"UK, {number}\",0.{number:04},0,1,0,").unwrap();
    }
    deck
}

pub(crate) struct Decks {
    pub(crate) data: Data,
    server: Server,
    token: String,
    pub(crate) admin: Authorized,
}

impl Decks {
    /// A server with a selling tariff 1 in EUR and a buying tariff 2 in USD.
    pub(crate) async fn start(data: Data) -> Self {
        let server = Server::start(&data);
        Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
        let admin = server.admin().await;
        let mut tariffs = TariffsServiceClient::new(admin.clone());
        for (name, purpose, currency) in
            [("sell", TariffPurpose::UserWholesale, "EUR"), ("buy", TariffPurpose::Provider, "")]
        {
            let tariff = Tariff {
                name: name.to_owned(),
                purpose: purpose.into(),
                currency: currency.to_owned(),
                ..Default::default()
            };
            let request = CreateTariffRequest { tariff: Some(tariff) };
            tariffs.create_tariff(request).await.unwrap();
        }
        let token = data.token(&["decks"]);
        Self { data, server, token, admin }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Output {
        let url = format!("http://{}", self.server.grpc);
        let mut command = self.data.command();
        command.env("TOLLBOOK_TOKEN", &self.token).env("TOLLBOOK_CORE_URL", url);
        command.args(args).output().unwrap()
    }

    /// Imports a deck by the command; returns whether it succeeded, and what it said.
    pub(crate) fn import(&self, deck: &str, args: &[&str]) -> (bool, String) {
        let file = self.data.directory().join("deck.csv");
        std::fs::write(&file, deck).unwrap();
        let mut all = vec!["import", "rates", file.to_str().unwrap()];
        all.extend(args);
        let output = self.command(&all);
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    pub(crate) async fn rate(
        &self,
        number: &str,
        seconds: &str,
        tariff_id: i64,
    ) -> RateCallResponse {
        let request = RateCallRequest {
            number: number.to_owned(),
            duration: decimal(seconds),
            tariff_id: Some(tariff_id),
            self_cost_tariff_id: Some(2),
            ..Default::default()
        };
        let mut rating = RatingServiceClient::new(self.admin.clone());
        rating.rate_call(request).await.unwrap().into_inner()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deck_is_imported_once_and_rates_calls() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let (ok, said) = decks.import(&deck(), &["--tariff", "1", "--dry-run"]);
        assert!(
            ok && said.contains("2500 added") && said.contains("nothing was changed"),
            "{said}"
        );
        let unrated = decks.rate("37051234567", "60", 1).await.price.unwrap();
        assert_eq!(unrated.outcome(), RatingOutcome::NoRate);

        let (ok, said) = decks.import(&deck(), &["--tariff", "1"]);
        assert!(ok && said.contains("2500 lines: 2500 added, 0 changed, 0 unchanged"), "{said}");
        let (ok, said) = decks.import(&deck(), &["--tariff", "1"]);
        assert!(ok && said.contains("0 added, 0 changed, 2500 unchanged, 0 deleted"), "{said}");
        decks.import("prefix,rate\n370,0.5\n", &["--tariff", "2"]);

        // 0.01 + 0.6 x 90 / 60 EUR, over 0.7351; 0.5 x 90 / 60 USD.
        let rated = decks.rate("37051234567", "89.2", 1).await;
        let (price, cost) = (rated.price.unwrap(), rated.self_cost.unwrap());
        assert_eq!((price.prefix.as_str(), price.billed_seconds), ("370", 90));
        assert_eq!(price.price.unwrap().value, "0.91");
        assert_eq!(price.price_default.unwrap().value, "1.237926812678547");
        assert_eq!(cost.price_default.unwrap().value, "0.75");
        assert_eq!(rated.profit.unwrap().value, "0.487926812678547");
        assert_eq!(rated.margin_percent, Some(39));

        let mobile = decks.rate("37061234567", "61", 1).await.price.unwrap();
        assert_eq!((mobile.destination.as_str(), mobile.billed_seconds), ("Lithuania mobile", 120));
        assert_eq!(mobile.price.unwrap().value, "2.4");
        let blocked = decks.rate("37061912345", "61", 1).await.price.unwrap();
        assert_eq!(blocked.outcome(), RatingOutcome::Blocked);

        let explained = decks.command(&["rate", "37061234567", "61", "--tariff", "1"]);
        let text = String::from_utf8(explained.stdout).unwrap();
        assert!(text.contains("Price: 2.4 EUR (Lithuania mobile)"), "{text}");
        assert!(text.contains("longest prefix with a rate is 3706"), "{text}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_decks_replace_add_and_delete() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        decks.import(&deck(), &["--tariff", "1"]);
        // Compiled once, so that the change must be noticed.
        decks.rate("37051", "60", 1).await;
        let changed = "rate;prefix;blocked\n0,9;370;\n0,1;371;\n";
        let (ok, said) = decks.import(changed, &["--tariff", "1", "--delete-missing"]);
        assert!(ok && said.contains("1 added, 1 changed, 0 unchanged, 2499 deleted"), "{said}");
        let price = decks.rate("37061234567", "60", 1).await.price.unwrap();
        assert_eq!((price.prefix.as_str(), price.price.unwrap().value.as_str()), ("370", "0.9"));
        assert_eq!(price.destination, "Lithuania", "known names of destinations stay");

        let exported = decks.command(&["export", "rates", "--tariff", "1"]);
        let exported = String::from_utf8(exported.stdout).unwrap();
        assert_eq!(
            exported,
            "prefix,destination,rate,connection_fee,increment,min_time,effective_from,start_time,end_time,day_type,blocked,steps\n\
             370,Lithuania,0.9,0,1,0,,00:00:00,23:59:59,,,zero\n\
             371,,0.1,0,1,0,,00:00:00,23:59:59,,,zero\n"
        );
        let (ok, said) = decks.import(&exported, &["--tariff", "1"]);
        assert!(ok && said.contains("0 added, 0 changed, 2 unchanged"), "{said}");

        let answer = decks.server.legacy("tariff_rates_get", &[("u", "admin"), ("tariff_id", "1")], "1").await;
        let rate = "    <rate>\n      <direction></direction>\n      <destination>Lithuania</destination>\n      \
                    <prefix>370</prefix>\n      <tariff_rate>0.9</tariff_rate>\n      <con_fee>0.0</con_fee>\n      \
                    <increment>1</increment>\n      <min_time>0</min_time>\n      <start_time>00:00:00</start_time>\n      \
                    <end_time>23:59:59</end_time>\n      <daytype></daytype>\n    </rate>\n";
        assert!(answer.contains(rate), "{answer}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_are_named_and_nothing_is_imported() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let bad = "prefix,rate,increment\n370,0.5,1\n371,abc,1\n370,0.6,1\n37?2,1,1\n373,1,0\n370,0.5,1\n";
        let (ok, said) = decks.import(bad, &["--tariff", "1"]);
        assert!(!ok && said.contains("nothing was changed"), "{said}");
        for reason in [
            "line 3: rate: \"abc\" is no number",
            "line 4: conflicts with line 2",
            "line 5: prefix: \"37?2\"",
            "line 6: increment: \"0\"",
        ] {
            assert!(said.contains(reason), "{reason}: {said}");
        }
        assert_eq!(decks.rate("3701", "1", 1).await.price.unwrap().outcome(), RatingOutcome::NoRate);
        let (_, said) = decks.import(bad, &["--tariff", "1", "--skip-bad-lines"]);
        assert!(said.contains("6 lines: 1 added, 0 changed, 0 unchanged, 0 deleted, 4 rejected"), "{said}");
        assert_eq!(decks.rate("3701", "60", 1).await.price.unwrap().price.unwrap().value, "0.5");
        let (ok, _) = decks.import("prefix,rate\n1,1\n", &["--tariff", "99"]);
        assert!(!ok, "an unknown tariff");
    })
    .await;
}

/// Lines whose order, repetitions and names matter, over an older deck.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_lines_of_a_rate_the_first_counts_and_of_several_names_the_last() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        // Capitals, small letters and signs stand elsewhere in most languages than in ASCII.
        let old = "prefix,destination,rate\na1,Small,1\nA1,Large,2\n*1,Star,3\n#1,Hash,4\n1,One,5\n9,Gone,6\n";
        let (ok, said) = decks.import(old, &["--tariff", "1"]);
        assert!(ok && said.contains("6 added"), "{said}");
        for (number, price) in [("a12", "1"), ("A12", "2"), ("*12", "3"), ("#12", "4"), ("12", "5")] {
            let found = decks.rate(number, "60", 1).await.price.unwrap().price.unwrap();
            assert_eq!(found.value, price, "{number}");
        }
        let new = "prefix,destination,rate,effective_from,day_type\n\
                   A1,,2,,\n\
                   1,Uno,5,,\n\
                   a1,Small,9,,\n\
                   1,Eins,7,2020-01-01,\n\
                   A1,,2,,\n\
                   1,,8,2020-01-01,WD\n\
                   1,Other,6,,\n\
                   *1,,3,,\n";
        let renaming = ["--tariff", "1", "--skip-bad-lines", "--delete-missing", "--rename-destinations"];
        let (ok, said) = decks.import(new, &renaming);
        let counts = "8 lines: 2 added, 1 changed, 3 unchanged, 2 deleted, 1 rejected";
        assert!(!ok && said.contains("line 8: conflicts with line 3") && said.contains(counts), "{said}");
        let exported = decks.command(&["export", "rates", "--tariff", "1"]);
        let exported = String::from_utf8(exported.stdout).unwrap();
        let mut lines: Vec<&str> = exported.lines().skip(1).collect();
        lines.sort_unstable();
        let always = "00:00:00,23:59:59";
        assert_eq!(lines, [
            format!("*1,Star,3,0,1,0,,{always},,,zero"),
            format!("1,Eins,5,0,1,0,,{always},,,zero"),
            format!("1,Eins,7,0,1,0,2020-01-01T00:00:00+00:00,{always},,,zero"),
            format!("1,Eins,8,0,1,0,2020-01-01T00:00:00+00:00,{always},WD,,zero"),
            format!("A1,Large,2,0,1,0,,{always},,,zero"),
            format!("a1,Small,9,0,1,0,,{always},,,zero"),
        ]);
        let (ok, said) = decks.import(new, &["--tariff", "1", "--skip-bad-lines"]);
        assert!(!ok && said.contains("0 added, 0 changed, 6 unchanged, 0 deleted, 1 rejected"), "{said}");
    })
    .await;
}

/// A carrier that bills 90/60 bills 90 seconds, and then steps of 60.
#[tokio::test(flavor = "multi_thread")]
async fn steps_of_first_and_next_interval_are_billed_after_the_first() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let first_and_next = "Code,Destination,Rate,First Interval,Next Interval\n\
                              49,Germany,0.06,90,60\n\
                              43,Austria,0.06,30,6\n";
        let (ok, said) = decks.import(first_and_next, &["--tariff", "1"]);
        assert!(ok && said.contains("2 added"), "{said}");
        let billed = async |number: &str, seconds: &str| {
            decks.rate(number, seconds, 1).await.price.unwrap().billed_seconds
        };
        for (seconds, after_minimum) in [("10", 90), ("90", 90), ("91", 150), ("151", 210)] {
            assert_eq!(billed("4915112345", seconds).await, after_minimum, "{seconds} s");
        }
        assert_eq!(billed("4315112345", "31").await, 36);
        let explained = decks.command(&["rate", "4915112345", "151", "--tariff", "1"]);
        let text = String::from_utf8(explained.stdout).unwrap();
        assert!(text.contains("at least 90 s, in steps of 60 s after that"), "{text}");
        assert!(text.contains("Price: 0.21 EUR (Germany)"), "{text}");

        // What is exported is what is imported.
        let exported = decks.command(&["export", "rates", "--tariff", "1"]);
        let exported = String::from_utf8(exported.stdout).unwrap();
        let germany = "49,Germany,0.06,0,60,90,,00:00:00,23:59:59,,,minimum\n";
        let austria = "43,Austria,0.06,0,6,30,,00:00:00,23:59:59,,,zero\n";
        assert!(exported.contains(germany) && exported.contains(austria), "{exported}");
        let (ok, said) = decks.import(&exported, &["--tariff", "1"]);
        assert!(ok && said.contains("0 added, 0 changed, 2 unchanged"), "{said}");

        // Other columns say nothing of steps: they count from the beginning, unless told otherwise.
        let written = "prefix,destination,rate,increment,min_time\n49,Germany,0.06,60,90\n";
        let (ok, said) = decks.import(written, &["--tariff", "1", "--steps", "minimum"]);
        assert!(ok && said.contains("0 changed, 1 unchanged"), "{said}");
        let (ok, said) = decks.import(written, &["--tariff", "1"]);
        assert!(ok && said.contains("1 changed, 0 unchanged"), "{said}");
        for (seconds, from_zero) in [("10", 120), ("90", 120), ("151", 180)] {
            assert_eq!(billed("4915112345", seconds).await, from_zero, "{seconds} s");
        }
    })
    .await;
}

/// A premium number would else be called for the price of its country.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_refused_line_names_is_not_missing() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let before = "prefix,rate\n1,0.01\n1900,2\n1876,0.3\n44,0.02\n";
        assert!(decks.import(before, &["--tariff", "1"]).0);
        let deleting = ["--tariff", "1", "--skip-bad-lines", "--delete-missing"];
        // Nothing is known of the first, and everything of the other, of what is missing.
        for deck in ["prefix,rate\n1,0.01\n19OO,2\n", "prefix,rate\n"] {
            assert!(!decks.import(deck, &deleting).0, "{deck}");
            for (number, price) in [("19005551234", "2"), ("442071234567", "0.02")] {
                let found = decks.rate(number, "60", 1).await.price.unwrap().price.unwrap();
                assert_eq!(found.value, price, "{deck}");
            }
        }
        let bad = "prefix,rate\n1,0.01\n1900,two\n1876,N/A\n";
        let (ok, said) = decks.import(bad, &deleting);
        let counts = "0 added, 0 changed, 1 unchanged, 1 deleted, 2 rejected";
        assert!(!ok && said.contains(counts), "{said}");
        for (number, price) in [("19005551234", "2"), ("18765551234", "0.3")] {
            let found = decks.rate(number, "60", 1).await.price.unwrap().price.unwrap();
            assert_eq!(found.value, price);
        }
        let gone = decks.rate("442071234567", "60", 1).await.price.unwrap();
        assert_eq!(gone.outcome(), RatingOutcome::NoRate);
    })
    .await;
}

/// How many rates a large deck has. By hand with 316,867; fewer where all is compiled for debugging.
fn rates() -> usize {
    let asked = std::env::var("DECK_RATES").ok().map(|rates| rates.parse().unwrap());
    asked.unwrap_or(30_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_large_deck_takes_little_memory_and_is_there_after_a_restart() {
    on_both(|data| async move {
        let Decks { data, server, token, admin } = Decks::start(data).await;
        let mut users = UsersServiceClient::new(admin.clone());
        let user = User { id: Some(4), tariff_id: 1, ..Default::default() };
        let request = UpdateUserRequest {
            user: Some(user),
            update_mask: mask("tariff_id"),
            ..Default::default()
        };
        users.update_user(request).await.unwrap();
        let decks = Decks { data, server, token, admin };
        let deck = |price: usize| {
            let mut deck = "prefix,destination,rate\n".to_owned();
            for number in 0..rates() {
                writeln!(deck, "{}{number:06},Town {number},0.{price}{number}", number % 9 + 1)
                    .unwrap();
            }
            deck
        };
        let pid = decks.server.pid();
        let before = resident(pid);
        forget_peak(pid);
        for price in [1, 2] {
            let (ok, said) = decks.import(&deck(price), &["--tariff", "1"]);
            assert!(ok, "{said}");
            let found = decks.rate("10000001", "60", 1).await.price.unwrap();
            assert_eq!(found.price.unwrap().value, format!("0.{price}"));
        }
        let most = peak(pid);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = resident(pid);

        let Decks { data, mut server, token, .. } = decks;
        server.stop();
        let server = Server::start(&data);
        let admin = bearer(server.channel().await, &token);
        let decks = Decks { data, server, token, admin };
        let begun = Instant::now();
        let found = decks.rate("10000001", "60", 1).await.price.unwrap();
        let first = begun.elapsed();
        assert_eq!(found.price.unwrap().value, "0.2");
        println!(
            "{before} MB before, {most} at most, {after} after; the first price took {first:?}"
        );
        assert!(first < Duration::from_millis(500), "{first:?}");
        // A deck takes 100 bytes a rate; SQLite keeps what it has read and written last.
        let least = rates() * 100 / 1_000_000;
        assert!(most < before + least + 50, "{before} MB before, {most} at most");
        assert!(after < before + least + 45, "{before} MB before, {after} after");
    })
    .await;
}

/// A stream that breaks off in the middle leaves the tariff as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_cut_in_the_middle_imports_nothing() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let options = ImportRatesOptions { tariff_id: Some(1), ..Default::default() };
        let line = RateLine {
            number: 1,
            prefix: "1".to_owned(),
            rate: "1".to_owned(),
            ..Default::default()
        };
        let parts = [
            Some(Part::Options(options)),
            Some(Part::Lines(RateLines { lines: vec![line], ..Default::default() })),
            None,
        ];
        let requests = parts.map(|part| ImportRatesRequest { part });
        let mut tariffs = TariffsServiceClient::new(decks.admin.clone());
        tariffs.import_rates(tokio_stream::iter(requests)).await.unwrap_err();
        assert_eq!(decks.rate("12", "1", 1).await.price.unwrap().outcome(), RatingOutcome::NoRate);
        tariffs.delete_tariff(DeleteTariffRequest { id: Some(1) }).await.unwrap();
    })
    .await;
}
