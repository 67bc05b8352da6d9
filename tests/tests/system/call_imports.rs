//! What an import of calls says before and after: dry runs, legs, zones, names, files left out.

use tollbook_tests::{
    books::Books,
    server::{Backend, Data},
};

use crate::on_both;

fn import(books: &Books, data: &Data, files: &[(&str, &str)], args: &[&str]) -> (bool, String) {
    let mut all = vec!["import".to_owned(), "calls".to_owned()];
    for (name, text) in files {
        let file = data.directory().join(name);
        std::fs::write(&file, text).unwrap();
        all.push(file.to_str().unwrap().to_owned());
    }
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    books.command(data, &all)
}

const HEAD: &str = "call_id,start_time,billsec,destination,originator,terminator\n";

/// A record of `mod_cdr_csv`, template `example`.
fn leg(id: &str, b_leg: &str) -> String {
    format!(
        "\"Alice\",\"37060000001\",\"37061234567\",\"default\",\"2026-01-20 13:00:00\",\
         \"2026-01-20 13:00:02\",\"2026-01-20 13:00:32\",\"32\",\"30\",\"NORMAL_CLEARING\",\"{id}\",\
         \"{b_leg}\",\"alice\",\"PCMU\",\"PCMU\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_legs_of_a_call_one_is_billed() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    // The B leg ends first, and is in a file of its own for some.
    let first = [leg("b1", ""), leg("a1", "b1"), leg("b2", "")].concat();
    let files = [("1.csv", first.as_str()), ("2.csv", &leg("a2", "b2"))];
    let (ok, said) = import(&books, &data, &files, &[]);
    assert!(ok && said.contains("2 calls: 2 stored, 0 duplicates, 0 rejected"), "{said}");
    assert!(said.contains("2 B legs left out, since their A leg is read: --take-b-legs"), "{said}");

    // Without its A leg nobody can tell that it is one: it is not billed again, and told of.
    let (ok, said) = import(&books, &data, &[("1.csv", &leg("b1", ""))], &[]);
    assert!(!ok && said.contains("0 stored") && said.contains("--take-lone-legs"), "{said}");
    let (ok, said) = import(&books, &data, &[("1.csv", &leg("lone", ""))], &["--take-lone-legs"]);
    assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
    let ids: Vec<_> = books.calls().await.into_iter().map(|call| call.call_id).collect();
    assert_eq!(ids, ["a1", "a2", "lone"]);

    // A file for each leg, as mod_json_cdr writes them: what is left out is no fault.
    let json = |id: &str, more: &str| {
        format!(
            "{{\"variables\":{{\"uuid\":\"{id}\",\"accountcode\":\"alice\",\"start_epoch\":\"1768910400\",\
             \"billsec\":\"30\",\"hangup_cause\":\"NORMAL_CLEARING\"{more}}},\"callflow\":[{{\
             \"caller_profile\":{{\"destination_number\":\"37061234567\"}}}}]}}"
        )
    };
    let folder = data.directory().join("json");
    std::fs::create_dir(&folder).unwrap();
    let b_leg = json("j2", ",\"originating_leg_uuid\":\"j1\"");
    std::fs::write(folder.join("a.cdr.json"), json("j1", "")).unwrap();
    std::fs::write(folder.join("b.cdr.json"), &b_leg).unwrap();
    let folder = folder.to_str().unwrap();
    let (ok, said) = books.command(&data, &["import", "calls", folder]);
    assert!(ok && said.contains("1 calls: 1 stored, 0 duplicates, 0 rejected"), "{said}");
    assert!(said.contains("1 B legs left out"), "{said}");
    let (ok, said) = books.command(&data, &["import", "calls", folder, "--exclude", "a.*"]);
    assert!(
        ok && said.contains("0 calls: 0 stored") && said.contains("none of these files"),
        "{said}"
    );
    books.check(8 + 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let text = format!(
            "{HEAD}k1,2026-01-20 12:00:00,30,37061234567,alice,bob\n\
             k1,2026-01-20 12:00:00,30,37061234567,alice,bob\n\
             k1,2026-01-20 12:00:00,50,37061234567,alice,bob\n\
             k2,2026-01-21 12:00:00,30,37061234567,alice,\n\
             k3,2026-01-20 12:00:00,30,99961234567,alice,bob\n\
             k4,2026-01-20 12:00:00,30,37061234567,nobody,bob\n\
             k5,noon,30,37061234567,alice,bob\n"
        );
        let file = [("calls.csv", text.as_str())];
        let (ok, dry) = import(&books, &data, &file, &["--dry-run"]);
        assert!(
            !ok && dry.contains("7 calls: 2 stored, 1 duplicates, 4 rejected; price "),
            "{dry}"
        );
        assert!(dry.contains("- nothing was changed"), "{dry}");
        let reasons = "rejected: 1 UNKNOWN_ORIGINATOR, 1 NO_RATE, 1 CONFLICT, 1 not read";
        assert!(dry.contains(reasons), "{dry}");
        let from = "calls that began from 2026-01-20 12:00:00 to 2026-01-21 12:00:00 (";
        assert!(dry.contains(from), "{dry}");
        assert!(dry.contains("1 calls have no terminator and no termination point"), "{dry}");
        assert!(books.calls().await.is_empty());
        let (_, kept) = books.command(&data, &["calls", "unrated"]);
        assert!(!kept.contains("37061234567"), "{kept}");
        books.check(8).await;

        // What it says is what comes.
        let (ok, said) = import(&books, &data, &file, &[]);
        let sums = |said: &str| {
            let line = said.lines().find(|line| line.contains(" calls: ")).unwrap().to_owned();
            line.split(" - nothing").next().unwrap().trim_end_matches(" USD").to_owned()
        };
        assert!(!ok, "{said}");
        assert_eq!(sums(&said), sums(&dry));
        let (_, dry) = import(&books, &data, &file, &["--dry-run"]);
        assert!(dry.contains("7 calls: 0 stored, 3 duplicates, 4 rejected; price 0"), "{dry}");
        let (ok, said) = import(&books, &data, &file, &["--dry-run", "--save-profile", "x"]);
        assert!(!ok && said.contains("leave --dry-run out"), "{said}");
        books.check(8 + 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_times_that_say_none_is_that_of_the_settings() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let zone = ["settings", "time_zone=Europe/Vilnius"];
    let (ok, said) = books.command(&data, &zone);
    assert!(ok, "{said}");
    let text = format!("{HEAD}z1,2026-01-20 12:00:00,30,37061234567,alice,bob\n");
    let (ok, said) = import(&books, &data, &[("calls.csv", &text)], &[]);
    assert!(ok && said.contains("1 stored"), "{said}");
    let of_settings =
        "times without a zone are those of Europe/Vilnius, the time zone of the settings";
    assert!(said.contains(of_settings), "{said}");
    let text = text.replace("z1", "z2");
    let (_, said) = import(&books, &data, &[("calls.csv", &text)], &["--time-zone", "UTC"]);
    assert!(said.contains("those of UTC, as --time-zone says"), "{said}");
    // What says its zone needs none.
    let text = text.replace("z2", "z3").replace("12:00:00", "12:00:00Z");
    let (_, said) = import(&books, &data, &[("calls.csv", &text)], &[]);
    assert!(!said.contains("without a zone"), "{said}");
    let calls = books.calls().await;
    let starts: Vec<_> = calls
        .iter()
        .map(|call| (&*call.call_id, call.start_time.unwrap().seconds - 1_768_903_200))
        .collect();
    assert_eq!(starts, [("z1", 0), ("z2", 7_200), ("z3", 7_200)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_calls_are_named_and_can_be_left_out() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let folder = data.directory().join("cdr");
    std::fs::create_dir(&folder).unwrap();
    let good = format!("{HEAD}f1,2026-01-20 12:00:00Z,30,37061234567,PBX-7,bob\n");
    for (name, text) in [
        ("calls.csv", good.as_str()),
        ("notes.txt", "Remember the milk.\n"),
        ("trace.log", "INVITE sip:a@b\n"),
        ("later.csv", ""),
        ("head.csv", HEAD),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let folder = folder.to_str().unwrap();
    let (ok, said) = books.command(&data, &["import", "calls", folder]);
    assert!(!ok && said.contains("--exclude") && !said.contains("stored"), "{said}");
    assert!(said.contains("notes.txt: who wrote") && said.contains("trace.log: who"), "{said}");
    let left_out = ["import", "calls", folder, "--exclude", "*.txt", "--exclude", "trace.*"];
    let (ok, said) = books.command(&data, &left_out);
    assert!(!ok && said.contains("no such originator"), "{said}");
    assert!(
        said.contains("later.csv is empty") && said.contains("head.csv has no record"),
        "{said}"
    );

    // The name of the account at the switch is another one.
    let named =
        [&left_out[..], &["--map-account", "pbx-7=alice", "--save-profile", "PBX"]].concat();
    let (ok, said) = books.command(&data, &named);
    assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
    assert_eq!(books.calls().await[0].originator, "alice");
    let (_, said) = books.command(&data, &["profiles", "show", "PBX"]);
    assert!(said.contains("--map-account pbx-7=alice"), "{said}");

    let (ok, said) = books.command(&data, &["import", "calls", "nowhere.csv"]);
    assert!(!ok && said.matches("No such file").count() == 1, "{said}");
    let deck = data.directory().join("deck.csv");
    std::fs::write(&deck, "prefix,rate\n").unwrap();
    let deck = deck.to_str().unwrap();
    for args in [&["--dry-run"][..], &[]] {
        let all = [&["import", "rates", deck, "--tariff", "1"][..], args].concat();
        let (ok, said) = books.command(&data, &all);
        assert!(!ok && said.contains("no line with a rate is in "), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_billed_to_the_wrong_party_is_warned_of() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    // Within one customer's own switch.
    let text = format!("{HEAD}own,2026-01-20 13:00:00,30,37061234567,alice,Alice\n");
    let (ok, said) = import(&books, &data, &[("1.csv", &text)], &["--dry-run"]);
    assert!(ok && said.contains("warning: 1 calls name one user on both sides"), "{said}");

    // The two records of a call through a Local channel.
    let record = |id: &str, channel: &str, dst_channel: &str| {
        format!(
            "\"alice\",\"3705\",\"37061234567\",\"out\",\"\"\"C\"\" <1>\",\"{channel}\",\"{dst_channel}\",\
             \"Dial\",\"x\",\"2026-01-20 13:00:00\",\"2026-01-20 13:00:05\",\"2026-01-20 13:00:35\",35,30,\
             \"ANSWERED\",\"DOCUMENTATION\",\"{id}\",\"\"\n"
        )
    };
    let local = "Local/37061234567@out-00000003";
    let text = record("1.1", "PJSIP/alice-00000001", &format!("{local};1"))
        + &record("1.2", &format!("{local};2"), "PJSIP/bob-00000002");
    let second = text.lines().next_back().unwrap().to_owned() + "\n";
    // A file that is still written: the second record comes first, and is billed with neither import.
    let to_bob = ["--terminator", "bob"];
    let (ok, said) = import(&books, &data, &[("2.csv", &second)], &to_bob);
    assert!(!ok && said.contains("0 stored") && said.contains("--take-lone-legs"), "{said}");
    for stored in ["1 calls: 1 stored", "1 calls: 0 stored, 1 duplicates"] {
        let (ok, said) = import(&books, &data, &[("2.csv", &text)], &to_bob);
        assert!(ok && said.contains(stored) && said.contains("1 B legs left out"), "{said}");
    }
    let (ok, said) =
        import(&books, &data, &[("3.csv", &second.replace("1.2", "2.2"))], &["--take-lone-legs"]);
    assert!(ok && said.contains("warning: 1 calls began on the second end of a Local"), "{said}");
}
