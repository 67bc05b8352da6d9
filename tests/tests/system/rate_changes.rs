//! What an import says of prices before and after, and decks of several files.

use std::{fs, path::PathBuf};

use tollbook_proto::v1::{
    ImportRatesOptions, ImportRatesRequest, RateChanges, RateLine, RateLines, RatingOutcome,
    import_rates_request::Part, tariffs_service_client::TariffsServiceClient,
};
use tonic::{Code, Status, codegen::tokio_stream};

use crate::{on_both, rates::Decks};

impl Decks {
    /// Writes a file beside the database.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.data.directory().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Imports files into tariff 1; returns whether that succeeded, and what was said.
    fn import_files(&self, files: &[&str], args: &[&str]) -> (bool, String) {
        let all = [&["import", "rates", "--tariff", "1"], files, args].concat();
        let output = self.command(&all);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// What a dry run over gRPC says of prices.
    async fn changes(
        &self,
        lines: &[(&str, &str, &str)],
        options: ImportRatesOptions,
    ) -> Result<RateChanges, Status> {
        let line = |(prefix, rate, effective_from): &(&str, &str, &str)| RateLine {
            prefix: (*prefix).to_owned(),
            rate: (*rate).to_owned(),
            effective_from: (*effective_from).to_owned(),
            ..Default::default()
        };
        let lines = RateLines { lines: lines.iter().map(line).collect(), ..Default::default() };
        let options = ImportRatesOptions { tariff_id: Some(1), dry_run: true, ..options };
        let parts = [Part::Options(options), Part::Lines(lines)];
        let requests = parts.map(|part| ImportRatesRequest { part: Some(part) });
        let mut tariffs = TariffsServiceClient::new(self.admin.clone());
        let answer = tariffs.import_rates(tokio_stream::iter(requests)).await?.into_inner();
        assert!(!answer.applied);
        Ok(answer.changes.unwrap())
    }
}

const BEFORE: &str = "prefix,destination,rate,increment,effective_from\n\
                      370,Lithuania,0.02,1,\n\
                      370,Lithuania,0.03,1,2026-06-01\n\
                      3706,Lithuania mobile,0.04,1,\n\
                      44,United Kingdom,0.01,60,\n\
                      49,Germany,0.01,1,\n\
                      7,Russia,0.1,1,\n\
                      882,Satellites,blocked,,\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_becomes_of_prices() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        let after = "prefix,destination,rate,increment,effective_from\n\
                     370,Lithuania,0.036,1,2026-12-01\n\
                     3706,,0.044,1,2026-12-01\n\
                     44,United Kingdom,0.01,1,\n\
                     49,Germany,0.01,1,2026-12-01\n\
                     7,Russia,0.04,1,\n\
                     882,Satellites,3,,\n\
                     33,France,0.01,,\n";
        let page = decks.data.directory().join("changes.html");
        let report =
            ["--tariff", "1", "--dry-run", "--delete-missing", "--report", page.to_str().unwrap()];
        let (ok, said) = decks.import(after, &report);
        assert!(ok, "{said}");
        let expected = "\
tariff 1 \"sell\": what users pay for calls, in EUR
Prices per minute in EUR:
  new                       2
  raised                    2
  lowered                   1
  other terms               1
  unchanged                 1
  closed                    0

By how much they change:
  -50 % and below           1  ████████████████████████
  -50 to -20 %              0
  -20 to -10 %              0
  -10 to -5 %               0
  -5 to 0 %                 0
  no change                 2  ████████████████████████████████████████████████
  0 to +5 %                 0
  +5 to +10 %               1  ████████████████████████
  +10 to +20 %              1  ████████████████████████
  +20 to +50 %              0
  +50 to +100 %             0
  above +100 %              0

Largest raises:
  370   Lithuania         0.03 -> 0.036  +20 %  2026-12-01
  3706  Lithuania mobile  0.04 -> 0.044  +10 %  2026-12-01

Largest drops:
  7  Russia  0.1 -> 0.04  -60 %  always

New:
  33   France      0.01          always
  882  Satellites  blocked -> 3  always

Other terms:
  44  United Kingdom  0.01 0/60 -> 0.01 0/1  always

7 lines: 4 added, 3 changed, 0 unchanged, 0 deleted, 0 rejected - nothing was changed
";
        assert_eq!(said, expected);
        let html = fs::read_to_string(&page).unwrap();
        for part in ["Nothing was changed.", "<td class=\"\">Lithuania mobile</td>", "-60 %"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        // The page is not written over, and nothing is imported without its report.
        let (ok, _) = decks.import(after, &["--tariff", "1", "--report", page.to_str().unwrap()]);
        assert!(!ok && fs::read_to_string(&page).unwrap() == html);
        let outcome = decks.rate("331", "60", 1).await.price.unwrap().outcome();
        assert_eq!(outcome, RatingOutcome::NoRate);

        // What is not in the deck is closed, and so is what it blocks.
        let less = "prefix,rate\n370,0.02\n44,blocked\n";
        let (_, said) = decks.import(less, &["--tariff", "1", "--dry-run", "--delete-missing"]);
        assert!(said.contains("closed                    5\n"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_changes_are_named_as_are_asked_for() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        let raised = [("370", "1", "2026-06-01"), ("3706", "1", ""), ("44", "0.011", "")];
        let asked = async |most| {
            let options = ImportRatesOptions { largest_changes: most, ..Default::default() };
            decks.changes(&raised, options).await
        };
        let all = asked(None).await.unwrap();
        let named: Vec<_> = all
            .raises
            .iter()
            .map(|raise| {
                let percent = raise.change_percent.as_ref().unwrap().value.as_str();
                (raise.destination.as_str(), percent)
            })
            .collect();
        // From June on 0.03 counts, and the names are those that are known.
        let expected =
            [("Lithuania", "3233.33"), ("Lithuania mobile", "2400"), ("United Kingdom", "10")];
        assert_eq!(named, expected);
        let one = asked(Some(1)).await.unwrap();
        assert_eq!((one.raised, &one.raises[..]), (3, &all.raises[..1]));
        assert_eq!(asked(Some(0)).await.unwrap().raises, []);
        for wrong in [-1, 1_001] {
            assert_eq!(asked(Some(wrong)).await.unwrap_err().code(), Code::InvalidArgument);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_are_one_deck() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        assert!(decks.import(BEFORE, &["--tariff", "1"]).0);
        let a = decks.file("monday/a.csv", "prefix,rate\n370,0.5\n370,0.5\n");
        decks.file("monday/b.csv", "code;price\n371;0,6\n372;0,7\n");
        let c = decks.file("c.csv", "prefix,rate\n373,0.8\n371,x\n370,0.9\n");
        let folder = decks.data.directory().join("monday").to_str().unwrap().to_owned();

        // A line is said with its file, and a conflict with both.
        let (ok, said) = decks.import_files(&[&folder, &c], &[]);
        let conflict = format!("{c} line 4: conflicts with line 2 of {a}, which has another rate");
        assert!(!ok && said.contains(&conflict), "{said}");
        assert!(said.contains(&format!("{c} line 3: rate: \"x\" is no number")), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        let outcome = decks.rate("3711", "60", 1).await.price.unwrap().outcome();
        assert_eq!(outcome, RatingOutcome::NoRate);
        // One that is not understood keeps all of them out.
        let d = decks.file("d.csv", "prefix,rate,surprise\n374,1,2\n");
        let (ok, said) = decks.import_files(&[&folder, &d], &[]);
        assert!(!ok && said.contains("d.csv") && said.contains("surprise"), "{said}");
        let outcome = decks.rate("3711", "60", 1).await.price.unwrap().outcome();
        assert_eq!(outcome, RatingOutcome::NoRate);

        // What is missing is in none of the files, and an archive is as many files as it holds.
        let mut packed = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        packed.push("../import/tests/decks/cases/packed/input.zip");
        let e = decks.file("e.csv", "prefix,rate\n373,0.8\n");
        let files = [a.as_str(), &e, packed.to_str().unwrap()];
        let (ok, said) = decks.import_files(&files, &["--delete-missing"]);
        let counts = "5 lines: 3 added, 1 changed, 0 unchanged, 5 deleted, 0 rejected";
        assert!(ok && said.contains(counts), "{said}");
        for (number, price) in [("3711", "0.1"), ("3721", "0.1"), ("3731", "0.8")] {
            let found = decks.rate(number, "60", 1).await.price.unwrap().price.unwrap();
            assert_eq!(found.value, price, "{number}");
        }
        let empty = decks.data.directory().join("empty");
        fs::create_dir(&empty).unwrap();
        assert!(!decks.import_files(&[empty.to_str().unwrap()], &[]).0);
    })
    .await;
}

/// A rate of one file ends where that of another begins.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_in_one_file_is_a_beginning_in_another() {
    on_both(|data| async move {
        let decks = Decks::start(data).await;
        let header = "prefix,rate,valid from,valid until\n";
        let now = format!("{header}370,0.1,2026-01-01,2026-05-31\n371,0.1,2026-01-01,2026-05-31\n");
        let now = decks.file("now.csv", &now);
        let then = decks.file("then.csv", &format!("{header}370,0.2,2026-06-01,\n"));
        let (ok, said) = decks.import_files(&[&now, &then], &[]);
        assert!(ok && said.contains("4 lines: 4 added"), "{said}");
        let later = decks.rate("3701", "60", 1).await.price.unwrap();
        assert_eq!(later.price.unwrap().value, "0.2");
        let ended = decks.rate("3711", "60", 1).await.price.unwrap();
        assert_eq!(ended.outcome(), RatingOutcome::Blocked);
    })
    .await;
}
