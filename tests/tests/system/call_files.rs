//! The files of switches, imported by the command as an operator would.

use std::{io::Write, process::Output};

use tollbook_tests::{
    books::Books,
    server::{Backend, Data},
};

use crate::on_both;

const ASTERISK: &str = r#""alice","37060000001","37061234567","out","","SIP/alice-00000001","SIP/bob-00000002","Dial","","2026-01-20 12:00:00","2026-01-20 12:00:05","2026-01-20 12:01:05",65,60,"ANSWERED","DOCUMENTATION","1768910400.1",""
"alice","37060000001","442071234567","out","","SIP/alice-00000003","","Dial","","2026-01-20 12:10:00",,"2026-01-20 12:10:20",20,0,"NO ANSWER","DOCUMENTATION","1768911000.3",""
"nobody","37060000001","37061234567","out","","SIP/x-00000004","","Dial","","2026-01-20 12:20:00","2026-01-20 12:20:01","2026-01-20 12:20:02",2,1,"ANSWERED","DOCUMENTATION","1768911600.4",""
"alice","37060000001","37061234567","out","","SIP/x-00000005","","Dial","","noon","","",2,1,"ANSWERED","DOCUMENTATION","1768911600.5",""
"#;

const FREESWITCH: &str = r#""Alice","37060000001","442071234567","default","2026-01-20 13:00:00","2026-01-20 13:00:02","2026-01-20 13:02:02","122","120","NORMAL_CLEARING","c60a1f09-ce61-47d3-a806-82bd2c9a4b6a","7d1f9a52-0c5e-4b5e-9a53-0d4a4f6b1c11","user6","PCMU","PCMU"
"#;

fn import(books: &Books, data: &Data, text: &str, args: &[&str]) -> (bool, String) {
    let file = data.directory().join("calls.csv");
    std::fs::write(&file, text).unwrap();
    let mut all = vec!["import", "calls", file.to_str().unwrap()];
    all.extend(args);
    books.command(data, &all)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_switches_are_taken_in_once() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let asterisk = ["--time-zone", "Europe/Vilnius", "--terminator-from", "peer"];
        let (ok, said) = import(&books, &data, ASTERISK, &asterisk);
        assert!(!ok && said.contains("4 calls: 2 stored, 0 duplicates, 2 rejected"), "{said}");
        assert!(said.contains("line 3: no such originator"), "{said}");
        assert!(said.contains("line 4: start_time \"noon\" is no time"), "{said}");
        assert!(said.contains("price 0.33 USD, self-cost 0.095 USD"), "{said}");
        let (_, said) = import(&books, &data, ASTERISK, &asterisk);
        assert!(said.contains("0 stored, 2 duplicates, 2 rejected"), "{said}");

        let (ok, said) = import(&books, &data, FREESWITCH, &["--terminator", "bob"]);
        assert!(ok && said.contains("1 calls: 1 stored, 0 duplicates, 0 rejected"), "{said}");
        let calls = books.calls().await;
        let [first, _, last] = &calls[..] else { panic!("{calls:?}") };
        // 12:00 in Vilnius.
        assert_eq!(first.start_time.unwrap().seconds, 1_768_903_200);
        assert_eq!((first.terminator.as_str(), last.terminator.as_str()), ("bob", "bob"));
        assert_eq!((last.originator.as_str(), last.billsec_ms), ("user6", 120_000));
        books.check(8 + 3).await;

        let (ok, said) = import(&books, &data, "", &[]);
        assert!(ok && said.contains("0 calls: 0 stored"), "{said}");
        assert!(said.contains("calls.csv is empty"), "{said}");
        let (ok, said) = import(&books, &data, "a,b\n1,2\n", &[]);
        assert!(!ok && said.contains("who wrote this file?"), "{said}");
    })
    .await;
}

/// A line of Asterisk's `Master.csv`: when, by which trunk, for how many seconds, how, under which
/// id.
fn attempt(minute: u32, trunk: &str, billsec: u32, disposition: &str, id: &str) -> String {
    let start = format!("2026-01-20 12:{minute:02}:00");
    let answer = if billsec > 0 { start.as_str() } else { "" };
    let end = format!("2026-01-20 12:{minute:02}:{billsec:02}");
    format!(
        "\"alice\",\"37060000001\",\"37061234567\",\"out\",\"\",\"SIP/alice-00000001\",\"SIP/{trunk}-00000002\",\"Dial\",\"\",\
         \"{start}\",\"{answer}\",\"{end}\",{billsec},{billsec},\"{disposition}\",\"DOCUMENTATION\",\"{id}\",\"\"\n"
    )
}

/// Asterisk tries one trunk after the other under one uniqueid. Whatever the order, and however the
/// records are spread over files, the answered one is billed, and once.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_attempts_under_one_id_the_answered_one_is_billed() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let args = ["--terminator-from", "peer"];
        let failed = |id| attempt(1, "bob", 0, "NO ANSWER", id);
        let answered = |id| attempt(2, "bob", 30, "ANSWERED", id);
        // In one file, in both orders.
        let text = [failed("1.1"), answered("1.1"), answered("2.1"), failed("2.1")].concat();
        let (ok, said) = import(&books, &data, &text, &args);
        assert!(
            ok && said.contains("4 calls: 2 stored, 0 duplicates, 2 further attempts"),
            "{said}"
        );
        let price_of_one = "0.165";
        // One file after the other.
        let (ok, said) = import(&books, &data, &failed("3.1"), &args);
        assert!(ok && said.contains("1 stored") && said.contains("price 0 USD, "), "{said}");
        let (ok, said) = import(&books, &data, &answered("3.1"), &args);
        assert!(ok && said.contains("0 stored, 0 duplicates, 1 further attempts"), "{said}");
        assert!(said.contains(&format!("price {price_of_one} USD, ")), "{said}");
        let (ok, said) = import(&books, &data, &answered("4.1"), &args);
        assert!(ok && said.contains("1 stored"), "{said}");
        let (ok, said) = import(&books, &data, &failed("4.1"), &args);
        assert!(ok && said.contains("0 stored, 0 duplicates, 1 further attempts"), "{said}");
        // All of it again.
        let again = [failed("3.1"), answered("3.1"), text].concat();
        let (ok, said) = import(&books, &data, &again, &args);
        assert!(ok && said.contains("0 stored, 3 duplicates, 3 further attempts"), "{said}");
        assert!(said.contains("price 0 USD, self-cost 0 USD"), "{said}");

        let calls = books.calls().await;
        assert_eq!(calls.len(), 4);
        for call in &calls {
            let price = call.price.as_ref().unwrap();
            assert_eq!(call.billsec_ms, 30_000, "{call:?}");
            assert_eq!(price.amount.as_ref().unwrap().value, price_of_one);
            assert_ne!(price.ledger_entry_id, 0);
        }
        books.check(8 + 4).await;
    })
    .await;
}

/// The same in the table `cdr`, where each record has a sequence.
fn row(minute: u32, billsec: u32, disposition: &str, id: &str, sequence: u32) -> String {
    format!(
        "2026-01-20 12:{minute:02}:00,37060000001,37061234567,SIP/alice-00000001,SIP/bob-00000002,{billsec},\
         {billsec},{disposition},alice,{id},{sequence}\n"
    )
}

const TABLE: &str = "calldate,src,dst,channel,dstchannel,duration,billsec,disposition,accountcode,uniqueid,sequence\n";

/// What `Master.csv` has, without sequences, is in the table as well. It is billed once, and so is
/// each further call under its uniqueid, which only a sequence tells from it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_two_files_of_asterisk_is_billed_once() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let args = ["--terminator-from", "peer"];
        let master = |id| {
            [attempt(1, "bob", 0, "NO ANSWER", id), attempt(2, "bob", 30, "ANSWERED", id)].concat()
        };
        let rows = |id| {
            [
                row(1, 0, "NO ANSWER", id, 10),
                row(2, 30, "ANSWERED", id, 11),
                row(5, 20, "ANSWERED", id, 12),
            ]
        };
        let table = |rows: &[String]| [TABLE, &rows.concat()].concat();
        let (ok, said) = import(&books, &data, &master("5.1"), &args);
        assert!(ok && said.contains("1 stored, 0 duplicates, 1 further attempts"), "{said}");
        // Of a call without a sequence it cannot be told whether the last one is another, or the same
        // with other times.
        for _ in 0..2 {
            let (ok, said) = import(&books, &data, &table(&rows("5.1")), &args);
            assert!(!ok && said.contains("0 stored, 1 duplicates, 1 further attempts"), "{said}");
            assert!(said.contains("line 4: a call with this id is in the books"), "{said}");
        }

        // The other way round, whatever the order of the rows.
        let mut turned = rows("6.1");
        turned.reverse();
        let (ok, said) = import(&books, &data, &table(&turned), &args);
        assert!(ok && said.contains("2 stored, 0 duplicates, 1 further attempts"), "{said}");
        let (ok, said) = import(&books, &data, &table(&rows("6.1")), &args);
        assert!(ok && said.contains("0 stored, 2 duplicates, 1 further attempts"), "{said}");
        // Which of the two this is cannot be told: it is not billed again.
        let (ok, said) = import(&books, &data, &master("6.1"), &args);
        assert!(!ok && said.contains("0 stored, 0 duplicates, 1 further attempts"), "{said}");
        assert!(said.contains("a call with this id is in the books"), "{said}");

        let calls = books.calls().await;
        let billed: Vec<_> =
            calls.iter().map(|call| (&*call.call_id, call.billsec_ms / 1_000)).collect();
        assert_eq!(billed, [("5.1", 30), ("6.1#11", 30), ("6.1", 20)]);

        // What is imported once more in another zone is no other call, with sequences or without.
        for text in [table(&rows("6.1")), table(&rows("5.1")), master("6.1")] {
            let zone = ["--terminator-from", "peer", "--time-zone", "Europe/Vilnius"];
            let (ok, said) = import(&books, &data, &text, &zone);
            assert!(!ok && said.contains(" 0 stored, 0 duplicates"), "{said}");
        }
        books.check(8 + 3).await;
    })
    .await;
}

/// A pipe gives what is in it once.
#[tokio::test(flavor = "multi_thread")]
async fn calls_come_through_a_pipe() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let pipe = data.directory().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let text = attempt(1, "bob", 10, "ANSWERED", "1.1");
    let writing = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, text).unwrap()
    });
    let (ok, said) = books.command(&data, &["import", "calls", pipe.to_str().unwrap()]);
    assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
    writing.join().unwrap();
}

/// Another call under a known id is no duplicate: it is told of, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_under_a_known_id_is_a_conflict() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let args = ["--terminator-from", "peer"];
        let first = attempt(1, "bob", 10, "ANSWERED", "7.1");
        assert!(import(&books, &data, &first, &args).0);
        for (other, what) in [
            (attempt(1, "bob", 50, "ANSWERED", "7.1"), "billsec"),
            (attempt(30, "bob", 10, "ANSWERED", "7.1"), "start time"),
            (first.replace("37061234567", "442071234567"), "destination"),
        ] {
            let (ok, said) = import(&books, &data, &other, &args);
            let told = format!("line 1: a call with this id is in the books, with another {what}");
            assert!(!ok && said.contains(&told), "{said}");
            // In one file with it as well.
            let (first, other) = (first.replace("7.1", "8.1"), other.replace("7.1", "8.1"));
            let (ok, said) = import(&books, &data, &[first, other].concat(), &args);
            assert!(!ok && said.contains("line 2: a call with this id"), "{said}");
        }
        let calls = books.calls().await;
        assert_eq!(calls.iter().map(|call| call.billsec_ms).collect::<Vec<_>>(), [10_000, 10_000]);
        books.check(8 + 2).await;
    })
    .await;
}

/// A record whose price is not known yet does not disappear behind an attempt that cost nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_answered_attempt_without_a_rate_is_told_of() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let nowhere = |line: String| line.replace("37061234567", "999061234567");
        let failed = nowhere(attempt(1, "bob", 0, "BUSY", "9.1"));
        let answered = nowhere(attempt(2, "bob", 30, "ANSWERED", "9.1"));
        assert!(import(&books, &data, &failed, &[]).0);
        let (ok, said) = import(&books, &data, &answered, &[]);
        assert!(
            !ok && said.contains("0 duplicates") && said.contains("no rate of tariff"),
            "{said}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_packed_ones_and_what_is_not_understood() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let folder = data.directory().join("cdr");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("1.csv"), attempt(1, "bob", 10, "ANSWERED", "1.1")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(attempt(2, "bob", 10, "ANSWERED", "2.1").as_bytes()).unwrap();
    std::fs::write(folder.join("2.csv.gz"), packed.finish().unwrap()).unwrap();
    let good = attempt(3, "bob", 10, "ANSWERED", "3.1");
    let broken = good.replace("3.1", "3.2").replace("\"alice\"", "\"ali");
    std::fs::write(folder.join("3.csv"), good + &broken).unwrap();
    let run = |args: &[&str]| {
        let mut all = vec!["import", "calls", folder.to_str().unwrap()];
        all.extend(args);
        books.command(&data, &all)
    };
    let (ok, said) = run(&[]);
    assert!(!ok && said.contains("4 calls: 3 stored, 0 duplicates, 1 rejected"), "{said}");
    assert!(said.contains("3.csv line 2: "), "{said}");

    // One file that is not understood, and none is read.
    let unknown = "call_id,start_time,billsec,destination,originator,surcharge\n\
                   x,2026-01-20 12:00:00,10,37061234567,alice,5\n";
    std::fs::write(folder.join("4.csv"), unknown).unwrap();
    // An account code may be written with other capitals than the login name.
    let fresh = attempt(9, "bob", 10, "ANSWERED", "9.1").replace("\"alice\"", "\"ALICE\"");
    std::fs::write(folder.join("0.csv"), fresh).unwrap();
    let (ok, said) = run(&[]);
    assert!(!ok && said.contains("4.csv") && said.contains("\"surcharge\" is not known"), "{said}");
    assert!(!said.contains("stored"), "{said}");
    let (_, said) = run(&["--ignore-column", "surcharge"]);
    assert!(said.contains("6 calls: 2 stored, 3 duplicates, 1 rejected"), "{said}");
}

/// What FreeSWITCH ships writes no gateway: the dialplan's prefix says which carrier a call went to.
#[tokio::test(flavor = "multi_thread")]
async fn carriers_are_told_by_the_prefix_that_was_dialled() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let dialled = |number: &str, id: &str| {
        let line = FREESWITCH.replace("442071234567", number);
        line.replace("c60a1f09-ce61-47d3-a806-82bd2c9a4b6a", id)
    };
    let file = dialled("778837061234567", "dialled-1")
        + &dialled("+37061234567", "dialled-2")
        + &dialled("442071234567", "dialled-3");
    let flags = [
        "--terminator-by-prefix",
        "7788=bob",
        "--tech-prefix",
        "7788",
        "--terminator-by-prefix",
        "+3706=user6",
        "--save-profile",
        "shipped",
    ];
    let (ok, said) = import(&books, &data, &file, &flags);
    assert!(ok && said.contains("3 calls: 3 stored"), "{said}");
    assert!(said.contains("1 calls have no terminator"), "{said}");
    let calls = books.calls().await;
    let [first, second, third] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!((first.terminator.as_str(), first.destination.as_str()), ("bob", "37061234567"));
    assert_eq!((second.terminator.as_str(), second.destination.as_str()), ("user6", "37061234567"));
    assert_eq!(third.terminator, "");

    // A profile keeps them, and who is named twice is nobody.
    let (_, said) = books.command(&data, &["profiles", "show", "shipped"]);
    assert!(
        said.contains("--terminator-by-prefix 7788=bob --terminator-by-prefix 3706=user6"),
        "{said}"
    );
    let more = dialled("778837061234568", "dialled-4");
    let (ok, said) = import(&books, &data, &more, &["--profile", "shipped"]);
    assert!(ok && !said.contains("no terminator"), "{said}");
    let twice = ["--terminator-by-prefix", "44=bob", "--terminator-by-prefix", "44=user6"];
    let (ok, said) = import(&books, &data, &more, &twice);
    assert!(!ok && said.contains("--terminator-by-prefix says twice who \"44\" is"), "{said}");

    // Likewise who pays, where nobody is named.
    let nobodys = dialled("99937061234569", "dialled-5").replace("user6", "");
    let payer =
        ["--originator-by-prefix", "999=alice", "--tech-prefix", "999", "--terminator", "bob"];
    let (ok, said) = import(&books, &data, &nobodys, &payer);
    assert!(ok && said.contains("1 stored"), "{said}");
    assert_eq!(books.calls().await.last().unwrap().originator, "alice");
    books.check(8 + 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_internal_numbers_are_left_out_and_named() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let mut file = attempt(1, "bob", 10, "ANSWERED", "1.1");
    for (minute, number) in [(2, "101"), (3, "101"), (4, "*97"), (5, "2044")] {
        let line = attempt(minute, "bob", 10, "ANSWERED", &format!("{minute}.1"));
        file += &line.replace("37061234567", number);
    }
    let (_, said) = import(&books, &data, &file, &["--dry-run"]);
    assert!(said.contains("5 calls: 1 stored") && said.contains("4 NO_RATE"), "{said}");
    let flags = ["--internal-numbers", "1xx,2xxx", "--internal-shorter-than", "4"];
    let (ok, said) =
        import(&books, &data, &file, &[&flags[..], &["--save-profile", "pbx"]].concat());
    assert!(ok && said.contains("1 calls: 1 stored, 0 duplicates, 0 rejected"), "{said}");
    assert!(
        said.contains("4 calls to internal numbers left out: 101 (2), *97 (1), 2044 (1)"),
        "{said}"
    );
    let (_, said) = import(&books, &data, &file, &["--profile", "pbx"]);
    assert!(
        said.contains("0 stored, 1 duplicates") && said.contains("4 calls to internal"),
        "{said}"
    );
    let (ok, said) = import(&books, &data, &file, &["--internal-numbers", "100-199"]);
    assert!(!ok && said.contains("\"100-199\" is no internal number"), "{said}");
    books.check(8 + 1).await;
}

/// Whoever has seen enough, as `head` has, ends a command quietly.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pipe_ends_a_command_quietly() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let generate = "generate calls --count 50000 --day 2026-01-20 --originators alice \
                    --terminators bob --tariff 1";
    for line in [generate, "methods", "export rates --tariff 1", "rate 37061234567 60 --tariff 1"] {
        let mut command = data.command();
        let url = format!("http://{}", books.server.grpc);
        command.env("TOLLBOOK_TOKEN", &books.token).env("TOLLBOOK_CORE_URL", url);
        let (output, input) = std::io::pipe().unwrap();
        drop(output);
        let Output { status, stderr, .. } =
            command.args(line.split_whitespace()).stdout(input).output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert!(status.success() && said.is_empty(), "{line}: {status} {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_traffic_goes_through_the_books_and_is_rated_again() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let generate = [
            "generate",
            "calls",
            "--count",
            "2000",
            "--day",
            "2026-01-20",
            "--originators",
            "alice,user6",
            "--terminators",
            "bob",
            "--tariff",
            "1",
        ];
        let (ok, made) = books.command(&data, &generate);
        assert!(ok, "{made}");
        assert_eq!(books.command(&data, &generate).1, made, "the same on every run");
        let (ok, said) = import(&books, &data, &made, &[]);
        assert!(ok && said.contains("2000 calls: 2000 stored"), "{said}");
        books.check(8 + 2_000).await;

        let rerate = ["rerate", "--from", "2026-01-20", "--till", "2026-01-20", "--dry-run"];
        let (ok, said) = books.command(&data, &rerate);
        assert!(
            ok && said.contains(
                "0 changed, 0 without a rate; price +0, self-cost +0 - nothing was changed"
            ),
            "{said}"
        );
        let audit = data.command().arg("audit").output().unwrap();
        let said = String::from_utf8(audit.stdout).unwrap();
        assert!(
            audit.status.success() && said.contains("2008 calls: the books are right"),
            "{said}"
        );
    })
    .await;
}

/// Another option says who pays: the call is in the books, and nobody pays for it once more.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_a_sequence_that_another_would_pay_is_a_conflict() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let master = attempt(2, "bob", 30, "ANSWERED", "1768910400.1");
        let (ok, said) = import(&books, &data, &master, &["--terminator-from", "peer"]);
        assert!(ok && said.contains("1 stored"), "{said}");
        let table = |minute: u32| {
            format!(
                "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,\
                 disposition,amaflags,accountcode,uniqueid,userfield,linkedid,sequence\n\
                 2026-01-20 12:{minute:02}:00,3705,37060000001,37061234567,out,SIP/user6-00000001,\
                 SIP/bob-00000002,Dial,,30,30,ANSWERED,3,alice,1768910400.1,,1768910400.1,7\n"
            )
        };
        let args = ["--originator-from", "peer", "--terminator-from", "peer"];
        let (ok, said) = import(&books, &data, &table(2), &args);
        assert!(!ok && said.contains("0 stored") && said.contains("1 CONFLICT"), "{said}");
        // A further call under the id, as after one was sent on, was at another time.
        let (ok, said) = import(&books, &data, &table(3), &args);
        assert!(ok && said.contains("1 stored"), "{said}");
        books.check(8 + 2).await;
    })
    .await;
}
