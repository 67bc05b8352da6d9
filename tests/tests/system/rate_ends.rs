//! What a deck leaves out or contradicts in time: prefixes that it does not have, rates that count
//! later than it, calls that it priced before it was taken back, and each change by itself.

use std::{fmt::Write, fs};

use tollbook_proto::v1::{
    CallRecord, RateCallRequest, RatedLeg, RatingOutcome,
    rating_service_client::RatingServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::decimal,
    server::Data,
};

use crate::{on_both, rates::Decks};

const BEFORE: &str = "prefix,destination,rate,effective_from\n\
                      370,Lithuania,0.02,\n\
                      3706,Lithuania mobile,0.04,\n\
                      3706,Lithuania mobile,0.05,2099-06-01\n\
                      44,United Kingdom,0.01,2098-01-01\n";

impl Decks {
    /// What a call costs at a time.
    async fn rate_at(&self, number: &str, time: &str) -> RatedLeg {
        let request = RateCallRequest {
            number: number.to_owned(),
            duration: decimal("60"),
            start_time: Some(time.parse().unwrap()),
            tariff_id: Some(1),
            ..Default::default()
        };
        let rated = RatingServiceClient::new(self.admin.clone()).rate_call(request).await;
        rated.unwrap().into_inner().price.unwrap()
    }

    fn said(&self, args: &[&str]) -> String {
        let output = self.command(args);
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8(said).unwrap()
    }

    fn export(&self) -> String {
        self.said(&["export", "rates", "--tariff", "1"])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deck_leaves_out_is_sold_until_the_deck_begins() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        let before = decks.export();
        let deck = "prefix,rate,effective_from\n370,0.03,2099-01-01\n371,0.1,2099-02-01\n";
        let delete = ["--tariff", "1", "--delete-missing"];
        let (ok, said) = decks.import(deck, &[&delete[..], &["--dry-run"]].concat());
        assert!(ok, "{said}");
        for part in [
            "  closed                    2\n",
            "\nClosed:\n\
             \x20 3706  Lithuania mobile  0.04 -> closed  2099-01-01\n\
             \x20 44    United Kingdom    0.01 -> closed  2099-01-01\n",
            "2 prefixes are not in the deck: closed from 2099-01-01\n",
            "2 lines: 2 added, 0 changed, 0 unchanged, 3 deleted",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(decks.import(deck, &delete).0);

        // Until then it is sold as it was, and from then on the shorter prefix decides.
        let old = decks.rate_at("3706123", "2098-12-31T20:00:00Z").await;
        assert_eq!((old.prefix.as_str(), old.rate.unwrap().value.as_str()), ("3706", "0.04"));
        let new = decks.rate_at("3706123", "2099-07-01T00:00:00Z").await;
        assert_eq!((new.prefix.as_str(), new.rate.unwrap().value.as_str()), ("370", "0.03"));
        assert_eq!(
            decks.rate_at("441", "2099-07-01T00:00:00Z").await.outcome(),
            RatingOutcome::NoRate
        );
        let after = decks.export();
        assert_eq!(after.matches(",ended,").count(), 2, "{after}");

        // The same deck again, and what is exported, change nothing.
        let (_, said) = decks.import(deck, &delete);
        assert!(said.contains("0 added, 0 changed, 2 unchanged, 0 deleted"), "{said}");
        let (_, said) = decks.import(&after, &delete);
        assert!(said.contains("0 added, 0 changed, 7 unchanged, 0 deleted"), "{said}");
        let said = decks.said(&["import", "undo", "2"]);
        assert!(said.contains("1 added, 0 changed, 4 deleted; import 5"), "{said}");
        // It has not begun: no call was priced by it.
        assert!(!said.contains("rerate"), "{said}");
        assert_eq!(decks.export(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deck_without_dates_ends_what_it_leaves_out_at_once() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        // One line that counts now is enough: the deck is in force.
        let deck = "prefix,rate,effective_from\n370,0.03,\n371,0.1,2099-02-01\n";
        let delete = ["--tariff", "1", "--delete-missing", "--dry-run"];
        let (_, said) = decks.import(deck, &delete);
        let note = "3 rates of prefixes that are not in the deck: closed at once\n";
        assert!(said.contains(note) && said.contains("0.04 -> closed  at once\n"), "{said}");
        assert!(decks.import(deck, &delete[..3]).0);
        let now = decks.rate("3706123", "60", 1).await.price.unwrap();
        assert_eq!(now.prefix, "370");
        // A prefix comes back, after its end or in its place.
        let closed = "prefix,rate,effective_from\n371,0.1,2099-02-01\n";
        assert!(decks.import(closed, &delete[..3]).0);
        assert!(decks.export().contains("370,Lithuania,0,"), "{}", decks.export());
        let back = "prefix,rate,effective_from\n370,0.05,2099-03-01\n";
        let (_, said) = decks.import(back, &["--tariff", "1", "--dry-run"]);
        assert!(said.contains("  new                       1\n"), "{said}");
        assert!(decks.import(back, &delete[..2]).0);
        assert_eq!(decks.rate_at("3701", "2099-04-01T00:00:00Z").await.prefix, "370");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_that_count_later_are_named_and_removed_where_that_is_said() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let stored = format!("{BEFORE}49,Germany,0.01,2020-01-01\n");
        assert!(decks.import(&stored, &["--tariff", "1"]).0);
        let before = decks.export();
        let deck = "prefix,rate,effective_from\n370,0.03,2099-01-01\n3706,0.06,2099-01-01\n49,0.02,\n";
        let note = "2 prefixes have later rates than the deck's (2 in all, the first from 2020-01-01): \
                    3706, 49; ";
        for args in [&["--dry-run"][..], &[]] {
            let (ok, said) = decks.import(deck, &[&["--tariff", "1"], args].concat());
            let stay = "they stay, and then count in the place of the deck's; --replace-later removes \
                        them (those of 1 prefix count already)\n";
            assert!(ok && said.contains(&format!("{note}{stay}")), "{said}");
            let idle = "1 line is without effect, since a newer rate of the prefix counts already: 49; ";
            assert!(said.contains(idle), "{said}");
        }
        assert_eq!(decks.rate("491", "60", 1).await.price.unwrap().rate.unwrap().value, "0.01");
        assert!(decks.said(&["import", "undo", "2"]).contains("import 3"));
        let replace = ["--tariff", "1", "--replace-later", "--dry-run"];
        let (_, said) = decks.import(deck, &replace);
        for part in [
            "  new                       0\n  raised                    3\n",
            "\nLater rates removed:\n\
             \x20 3706  Lithuania mobile  0.05 -> removed  2099-06-01\n\
             \x20 49    Germany           0.01 -> removed  2020-01-01\n",
            &format!("{note}--replace-later removes them\n"),
            "3 lines: 3 added, 0 changed, 0 unchanged, 2 deleted",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(decks.import(deck, &replace[..3]).0);
        assert_eq!(decks.rate("491", "60", 1).await.price.unwrap().rate.unwrap().value, "0.02");
        let later = decks.rate_at("3706123", "2099-07-01T00:00:00Z").await;
        assert_eq!(later.rate.unwrap().value, "0.06");
        let (_, said) = decks.import(deck, &replace[..3]);
        assert!(said.contains("0 added, 0 changed, 3 unchanged, 0 deleted"), "{said}");
        assert!(!said.contains("later rates"), "{said}");
        // What a refused line names stays.
        let bad = "prefix,rate,effective_from\n370,0.03,2099-01-01\n44,x,\n44,0.5,\n";
        let skip = ["--tariff", "1", "--replace-later", "--skip-bad-lines"];
        let (_, said) = decks.import(bad, &skip);
        assert!(said.contains("1 added, 0 changed, 1 unchanged, 0 deleted, 1 rejected"), "{said}");
        for undone in ["6", "4"] {
            let said = decks.said(&["import", "undo", undone]);
            assert!(said.contains("; import "), "{said}");
        }
        assert_eq!(decks.export(), before);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_file_of_changes() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        let mut new = String::new();
        for n in 0..30 {
            writeln!(new, "7{n:02},0.{n:02}1,60/60").unwrap();
        }
        let deck = format!("prefix,rate,increment\n370,0.02,30/6\n3706,0.05,1/1\n{new}");
        let (changes, page) = (decks.data.directory().join("c.csv"), decks.data.directory().join("p.html"));
        let files = ["--changes", changes.to_str().unwrap(), "--report", page.to_str().unwrap()];
        let common = [&["--tariff", "1", "--delete-missing"], &files[..]].concat();
        let (ok, dry) = decks.import(&deck, &[&common[..], &["--dry-run"]].concat());
        assert!(ok, "{dry}");
        for part in [
            "\nNew:\n  700    0.001 60/60  always\n",
            "\n  and 20 more: --changes FILE.csv writes all of them\n",
            "\nOther terms:\n  370  Lithuania  0.02 0/1 -> 0.02 30/6  always\n",
            "\nClosed:\n  44  United Kingdom  0.01 -> closed  at once\n",
        ] {
            assert!(dry.contains(part), "{part}: {dry}");
        }
        let table = fs::read_to_string(&changes).unwrap();
        let html = fs::read_to_string(&page).unwrap();
        for n in 0..30 {
            assert!(html.contains(&format!("<tr><td>7{n:02}</td>")), "{html}");
            assert!(table.contains(&format!("\nnew,7{n:02},")), "{table}");
        }
        assert_eq!(table.lines().count(), 34, "{table}");
        let lines = [
            "kind,prefix,destination,effective_from,start_time,day_type,old_state,old_rate,\
             old_connection_fee,old_increment,old_min_time,old_steps,old_effective_from,old_end_time,\
             new_state,new_rate,new_connection_fee,new_increment,new_min_time,new_steps,\
             new_effective_from,new_end_time,change_percent,file,line,currency",
            "raised,3706,Lithuania mobile,,00:00:00,,,0.04,0,1,0,zero,,23:59:59,,0.05,0,1,1,zero,,\
             23:59:59,25,",
            "closed,44,United Kingdom,,00:00:00,,,0.01,0,1,0,zero,2098-01-01 00:00:00,23:59:59,,,,,,,,,\
             ,,,EUR",
        ];
        for line in lines {
            assert!(table.contains(line), "{line}: {table}");
        }
        // A file is not written over; and a real import says the same.
        assert!(!decks.import(&deck, &common).0);
        for file in [&changes, &page] {
            fs::remove_file(file).unwrap();
        }
        assert!(decks.import(&deck, &common).0);
        assert_eq!(fs::read_to_string(&changes).unwrap(), table);
    })
    .await;
}

const BY_HOURS: &str = "prefix,destination,rate,day_type,start_time,end_time,effective_from\n\
                        370,Lithuania,0.01,FD,,,\n\
                        370,Lithuania,0.05,,,,\n\
                        371,Latvia,0.05,,08:00,20:00,\n\
                        371,Latvia,0.02,,20:00,08:00,\n";

/// Hours and days that a deck has not are not sold beside it at the old prices.
#[tokio::test(flavor = "multi_thread")]
async fn rates_for_other_hours_or_days_go_with_what_is_missing() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let hours = ["--tariff", "1"];
        assert!(decks.import(BY_HOURS, &hours).0);
        let before = decks.export();
        let price = async |number: &str, time: &str| {
            let leg = decks.rate_at(number, time).await;
            leg.rate.map(|rate| rate.value).unwrap_or_default()
        };
        // A Saturday, and a Monday by day and by night, in Vilnius.
        let times = ["2098-12-20T10:00:00Z", "2098-12-22T10:00:00Z", "2098-12-22T22:30:00Z"];
        let deck = "prefix,rate\n370,0.20\n371,0.30\n";
        let note =
            "2 prefixes have rates for other hours or days than the deck's (3 in all): 370, 371; ";
        let (ok, said) = decks.import(deck, &[&hours[..], &["--dry-run"]].concat());
        assert!(ok && said.contains(&format!("{note}they stay, and count there")), "{said}");
        let delete = [&hours[..], &["--delete-missing"]].concat();
        let (ok, said) = decks.import(deck, &[&delete[..], &["--dry-run"]].concat());
        assert!(ok && said.contains(&format!("{note}--delete-missing removes them")), "{said}");
        assert!(said.contains("\nRates for other hours or days removed:\n  370  "), "{said}");
        assert!(said.contains("2 changed, 0 unchanged, 3 deleted"), "{said}");
        assert!(decks.import(deck, &delete).0);
        for time in times {
            assert_eq!([price("3701", time).await, price("3711", time).await], ["0.2", "0.3"]);
        }
        let (_, said) = decks.import(deck, &delete);
        assert!(said.contains("2 unchanged, 0 deleted") && !said.contains("other hours"), "{said}");
        assert!(decks.said(&["import", "undo", "2"]).contains("; import "));
        assert_eq!(decks.export(), before);

        // From a date on: what is older is shadowed, or ends where the deck has no line.
        let deck = "prefix,rate,start_time,end_time,effective_from\n\
                    370,0.20,,,2098-12-01\n371,0.30,08:00,20:00,2098-12-01\n";
        for deleted in ["2 deleted", "0 deleted"] {
            let (ok, said) = decks.import(deck, &delete);
            assert!(ok && said.contains(deleted), "{said}");
        }
        assert_eq!(price("3701", times[0]).await, "0.2");
        assert_eq!([price("3711", times[1]).await, price("3711", times[2]).await], ["0.3", ""]);
        assert_eq!(price("3711", "2098-11-20T22:30:00Z").await, "0.02");
        assert!(decks.said(&["import", "undo", "5"]).contains("; import "));
        assert_eq!(decks.export(), before);

        // A correction of the same date; and a line that counts at no hour is no raise.
        let dated = "prefix,rate,day_type,effective_from\n\
                     372,0.01,FD,2098-12-01\n372,0.05,WD,2098-12-01\n";
        assert!(decks.import(dated, &hours).0);
        let deck = "prefix,rate,effective_from\n372,0.20,2098-12-01\n";
        let (_, said) = decks.import(deck, &[&hours[..], &["--dry-run"]].concat());
        assert!(said.contains("  new                       0\n"), "{said}");
        assert!(said.contains("1 line of the deck counts at no hour"), "{said}");
        assert!(decks.import(deck, &delete).0);
        assert_eq!([price("3721", times[0]).await, price("3721", times[1]).await], ["0.2", "0.2"]);
    })
    .await;
}

/// Runs the command for the books; returns what it said.
fn run(data: &Data, books: &Books, args: &[&str]) -> String {
    let url = format!("http://{}", books.server.grpc);
    let mut command = data.command();
    command.env("TOLLBOOK_TOKEN", &books.token).env("TOLLBOOK_CORE_URL", url).args(args);
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{args:?}: {said}");
    said
}

/// Imports a deck, sends a call, takes the deck back, and rates again as that recommends; returns
/// the call's prices under the deck and at last, and what the last command said.
async fn undone(data: &Data, books: &Books, n: i64, from: &str) -> (String, String, String) {
    let file = data.directory().join("deck.csv");
    fs::write(&file, format!("prefix,rate,effective_from\n3705,7,{from}\n")).unwrap();
    let said = run(data, books, &["import", "rates", file.to_str().unwrap(), "--tariff", "1"]);
    let (_, id) = said.split_once("; import ").unwrap();
    let id = id.lines().next().unwrap_or_default();
    // A call of the time before the import that is delivered after it.
    let record = CallRecord {
        call_id: format!("late-{n}"),
        start_time: at(START + n),
        billsec_ms: Some(60_000),
        duration_ms: Some(60_000),
        destination: "37051234567".to_owned(),
        originator: "alice".to_owned(),
        ..call(8)
    };
    let taken = books.send(vec![vec![record.clone()]]).await.unwrap();
    assert_eq!(taken.stored, 1, "{taken:?}");
    let price = async || {
        let calls = books.calls().await;
        let call = calls.iter().find(|call| call.call_id == record.call_id).unwrap();
        call.price.clone().unwrap().amount.unwrap().value
    };
    let under_deck = price().await;
    let said = run(data, books, &["import", "undo", id]);
    let mut again = String::new();
    if let Some(recommended) = said.lines().find_map(|line| line.strip_prefix("  tollbook ")) {
        let words = recommended.split(' ').map(|word| word.trim_matches('\''));
        let words: Vec<&str> = words.collect();
        assert!(run(data, books, &words).contains("nothing was changed"));
        let words: Vec<_> = words.into_iter().filter(|word| *word != "--dry-run").collect();
        again = run(data, books, &words);
    }
    (under_deck, price().await, again)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_that_a_deck_priced_are_found_when_it_is_taken_back() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let (first, price, again) = undone(&data, &books, 1_800, "2026-01-20T10:30:00Z").await;
        assert!(again.contains(" 1 changed"), "{again}");
        assert_ne!(first, price);
        // A second before the deck's first rate: it was never priced by it, nor looked at.
        let (same, untouched, again) = undone(&data, &books, 1_799, "2026-01-20T10:30:00Z").await;
        assert_eq!([&same, &untouched], [&price; 2]);
        assert!(again.contains(" 0 changed"), "{again}");
        // Rates without a date are those of calls of any time.
        let (dear, cheap, again) = undone(&data, &books, 60, "").await;
        assert!(dear == first && cheap == price && again.contains(" 1 changed"), "{again}");
        // A deck that has not begun has priced none.
        let (same, untouched, again) = undone(&data, &books, 90, "2099-01-01").await;
        assert_eq!([same, untouched, again], [price.clone(), price, String::new()]);
    })
    .await;
}
