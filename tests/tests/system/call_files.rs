//! The files of switches, imported by the command as an operator would.

use std::process::Output;

use tollbook_tests::{books::Books, server::Data};

use crate::on_both;

const ASTERISK: &str = r#""alice","37060000001","37061234567","out","","SIP/alice-00000001","SIP/bob-00000002","Dial","","2026-01-20 12:00:00","2026-01-20 12:00:05","2026-01-20 12:01:05",65,60,"ANSWERED","DOCUMENTATION","1768910400.1",""
"alice","37060000001","442071234567","out","","SIP/alice-00000003","","Dial","","2026-01-20 12:10:00",,"2026-01-20 12:10:20",20,0,"NO ANSWER","DOCUMENTATION","1768911000.3",""
"nobody","37060000001","37061234567","out","","SIP/x-00000004","","Dial","","2026-01-20 12:20:00","2026-01-20 12:20:01","2026-01-20 12:20:02",2,1,"ANSWERED","DOCUMENTATION","1768911600.4",""
"alice","37060000001","37061234567","out","","SIP/x-00000005","","Dial","","noon","","",2,1,"ANSWERED","DOCUMENTATION","1768911600.5",""
"#;

const FREESWITCH: &str = r#""Alice","37060000001","442071234567","default","2026-01-20 13:00:00","2026-01-20 13:00:02","2026-01-20 13:02:02","122","120","NORMAL_CLEARING","c60a1f09-ce61-47d3-a806-82bd2c9a4b6a","","user6","PCMU","PCMU"
"#;

fn command(books: &Books, data: &Data, args: &[&str]) -> (bool, String) {
    let url = format!("http://{}", books.server.grpc);
    let mut command = data.command();
    command.env("TOLLBOOK_TOKEN", &books.token).env("TOLLBOOK_CORE_URL", url);
    let Output { status, stdout, stderr } = command.args(args).output().unwrap();
    let said = [stdout, stderr].map(|output| String::from_utf8(output).unwrap()).concat();
    (status.success(), said)
}

fn import(books: &Books, data: &Data, text: &str, args: &[&str]) -> (bool, String) {
    let file = data.directory().join("calls.csv");
    std::fs::write(&file, text).unwrap();
    let mut all = vec!["import", "calls", file.to_str().unwrap()];
    all.extend(args);
    command(books, data, &all)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_switches_are_taken_in_once() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let asterisk = ["--time-zone", "Europe/Vilnius", "--terminator-from-channel"];
        let (ok, said) = import(&books, &data, ASTERISK, &asterisk);
        assert!(!ok && said.contains("4 calls: 2 stored, 0 duplicates, 2 rejected"), "{said}");
        assert!(said.contains("line 3: no such originator (call 1768911600.4)"), "{said}");
        assert!(said.contains("line 4: start_time \"noon\" is no time"), "{said}");
        assert!(said.contains("price 0.33, self-cost 0.095"), "{said}");
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

        for (text, said_why) in [("", "is empty"), ("a,b\n1,2\n", "--format")] {
            let (ok, said) = import(&books, &data, text, &[]);
            assert!(!ok && said.contains(said_why), "{said}");
        }
    })
    .await;
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
        let (ok, made) = command(&books, &data, &generate);
        assert!(ok, "{made}");
        assert_eq!(command(&books, &data, &generate).1, made, "the same on every run");
        let (ok, said) = import(&books, &data, &made, &[]);
        assert!(ok && said.contains("2000 calls: 2000 stored"), "{said}");
        books.check(8 + 2_000).await;

        let rerate = ["rerate", "--from", "2026-01-20", "--till", "2026-01-20", "--dry-run"];
        let (ok, said) = command(&books, &data, &rerate);
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
