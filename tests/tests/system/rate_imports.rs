//! Imports of rates: recorded with their files, and taken back by the command.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    process::{Output, Stdio},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{
    CreateTariffRequest, DeleteTariffRequest, GetRateImportRequest, ImportRatesOptions,
    ImportRatesRequest, ImportRatesResponse, ListChangesRequest, ListRateImportsRequest,
    RateCallRequest, RateFile, RateImport, RateLine, RateLines, Tariff, TariffPurpose,
    UndoRateImportRequest, UndoRateImportResponse, changes_service_client::ChangesServiceClient,
    import_rates_request::Part, rating_service_client::RatingServiceClient,
    tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::{
    contract::{Fixture, decimal},
    server::{Authorized, Data, SECRET, Server},
};
use tonic::{Code, Status, codegen::tokio_stream};
use tonic_types::StatusExt;

use crate::on_both;

/// A server with tariffs, and the command beside it.
struct Imports {
    data: Data,
    server: Server,
    token: String,
    admin: Authorized,
}

impl Imports {
    async fn start(data: Data, tariffs: usize) -> Self {
        let server = Server::start(&data);
        Fixture::fill(&server).await.settings(SECRET, &BTreeMap::new()).await;
        let admin = server.admin().await;
        for number in 0..tariffs {
            let tariff = Some(Tariff { name: format!("deck {number}"), ..Default::default() });
            let created = TariffsServiceClient::new(admin.clone())
                .create_tariff(CreateTariffRequest { tariff })
                .await;
            created.unwrap();
        }
        let token = data.token(&["decks"]);
        Self { data, server, token, admin }
    }

    fn tariffs(&self) -> TariffsServiceClient<Authorized> {
        TariffsServiceClient::new(self.admin.clone())
    }

    fn command(&self, args: &[&str], input: Option<&std::path::Path>) -> Output {
        let mut command = self.data.command();
        let url = format!("http://{}", self.server.grpc);
        command.env("TOLLBOOK_TOKEN", &self.token).env("TOLLBOOK_CORE_URL", url).args(args);
        if let Some(input) = input {
            command.stdin(Stdio::from(std::fs::File::open(input).unwrap()));
        }
        command.output().unwrap()
    }

    /// Runs a command; returns whether it succeeded, and all that it said.
    fn run(&self, args: &[&str]) -> (bool, String) {
        let output = self.command(args, None);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// Imports a deck into tariff 1 by the command; returns what it said.
    fn import(&self, deck: &str, args: &[&str]) -> String {
        let file = self.data.directory().join("deck.csv");
        std::fs::write(&file, deck).unwrap();
        let (ok, said) = self
            .run(&[&["import", "rates", file.to_str().unwrap(), "--tariff", "1"], args].concat());
        assert!(ok, "{said}");
        said
    }

    fn export(&self, tariff: i64) -> String {
        let (ok, said) = self.run(&["export", "rates", "--tariff", &tariff.to_string()]);
        assert!(ok, "{said}");
        said
    }

    async fn get(&self, id: i64) -> RateImport {
        let got = self.tariffs().get_rate_import(GetRateImportRequest { id: Some(id) }).await;
        got.unwrap().into_inner().rate_import.unwrap()
    }

    async fn list(&self, tariff_id: Option<i64>) -> Vec<RateImport> {
        let mut request = ListRateImportsRequest { page_size: 3, tariff_id, ..Default::default() };
        let mut imports = Vec::new();
        loop {
            let page = self.tariffs().list_rate_imports(request.clone()).await.unwrap();
            let page = page.into_inner();
            imports.extend(page.rate_imports);
            if page.next_page_token.is_empty() {
                return imports;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Imports lines by gRPC, as clients that know nothing of files do.
    async fn import_lines(
        &self,
        options: ImportRatesOptions,
        lines: Vec<RateLine>,
    ) -> Result<ImportRatesResponse, Status> {
        let lines = RateLines { lines, ..Default::default() };
        let parts = [Part::Options(options), Part::Lines(lines)];
        let parts = parts.map(|part| ImportRatesRequest { part: Some(part) });
        let answer = self.tariffs().import_rates(tokio_stream::iter(parts)).await;
        answer.map(tonic::Response::into_inner)
    }

    async fn undo(&self, id: i64, keep: bool) -> Result<UndoRateImportResponse, Status> {
        let request =
            UndoRateImportRequest { id: Some(id), keep_later_changes: keep, dry_run: false };
        self.tariffs().undo_rate_import(request).await.map(tonic::Response::into_inner)
    }
}

fn line(prefix: &str, rate: &str) -> RateLine {
    RateLine { prefix: prefix.to_owned(), rate: rate.to_owned(), ..Default::default() }
}

fn into(tariff: i64) -> ImportRatesOptions {
    ImportRatesOptions { tariff_id: Some(tariff), ..Default::default() }
}

/// The reason of a refusal, without its prefix.
fn reason(status: &Status) -> String {
    let info = status.get_error_details();
    info.error_info().unwrap().reason.trim_start_matches("ERROR_REASON_").to_owned()
}

/// More than are stored together, with everything that a rate can have.
fn old_deck() -> String {
    let mut deck = "prefix,destination,rate,connection_fee,increment,min_time,effective_from,\
                    start_time,end_time,day_type,blocked\n\
                    370,Lithuania,0.6,0.01,1,0,,,,,\n\
                    3706,Lithuania mobile,1.25,0,60,30,2020-01-01,,,,\n\
                    3706,Lithuania mobile,2.5,0,60,30,2099-01-01,,,,\n\
                    371,Latvia,0.1,0,1,0,,08:00:00,19:59:59,WD,\n\
                    371,Latvia,0.05,0,1,0,,,,FD,\n\
                    372,Estonia,0.2,0,1,0,,,,,blocked\n"
        .to_owned();
    for number in 0..5_000 {
        writeln!(deck, "44{number:04},\"UK, {number}\",0.{number:04},0,1,0,,,,,").unwrap();
    }
    deck
}

/// Adds, changes, deletes, renames, and has rates that begin to count one day.
fn new_deck() -> String {
    let mut deck = "prefix,destination,rate,connection_fee,increment,min_time,effective_from,\
                    start_time,end_time,day_type,blocked\n\
                    370,Lietuva,0.7,0,30,30,,,,,\n\
                    3706,Lithuania mobile,1.25,0,60,30,2020-01-01,,,,\n\
                    3706,Lithuania mobile,3,0,60,30,2099-06-01,,,,\n\
                    371,Latvia,0.1,0,1,0,,08:00:00,20:59:59,WD,blocked\n\
                    373,Moldova,0.4,0,1,0,,,,,\n"
        .to_owned();
    for number in 0..9_500 {
        writeln!(deck, "45{number:04},Denmark {},0.01,0,1,0,,,,,", number / 2).unwrap();
    }
    deck
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_taken_back_leaves_what_was_there_before() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let empty = imports.export(1);
        let said = imports.import(&old_deck(), &[]);
        assert!(
            said.contains("5006 added, 0 changed, 0 unchanged, 0 deleted, 0 rejected; import 1\n"),
            "{said}"
        );
        let before = imports.export(1);
        let price = async || {
            let request = RateCallRequest {
                number: "37051234567".to_owned(),
                duration: decimal("60"),
                tariff_id: Some(1),
                ..Default::default()
            };
            let rated = RatingServiceClient::new(imports.admin.clone()).rate_call(request).await;
            rated.unwrap().into_inner().price.unwrap().price.unwrap().value
        };
        assert_eq!(price().await, "0.61");
        let said = imports.import(&new_deck(), &["--delete-missing", "--rename-destinations"]);
        assert!(said.contains("9502 added, 2 changed, 1 unchanged, 5002 deleted"), "{said}");
        assert_eq!(price().await, "0.7");

        let (ok, said) = imports.run(&["import", "undo", "2", "--dry-run"]);
        let counts = "import 2 into tariff 1: 5002 added, 2 changed, 9502 deleted";
        assert!(ok && said.contains(&format!("{counts} - nothing was changed")), "{said}");
        assert_eq!(price().await, "0.7");
        let (ok, said) = imports.run(&["import", "undo", "2"]);
        assert!(ok && said.contains(&format!("{counts}; import 3")), "{said}");
        assert!(said.contains("tollbook rerate --from 1970-01-01 --till 20"), "{said}");
        assert_eq!(imports.export(1), before);
        assert_eq!(price().await, "0.61");

        // What was taken back can be had again, and taken back once more.
        let undone = imports.get(2).await.undone.unwrap();
        assert_eq!((undone.import_id, undone.actor_id), (3, Some(0)));
        let (ok, said) = imports.run(&["import", "undo", "2"]);
        assert!(!ok && said.contains("taken back already, by import 3"), "{said}");
        assert!(imports.run(&["import", "undo", "3"]).0);
        assert_eq!(price().await, "0.7");
        assert!(imports.get(2).await.can_be_undone);
        assert!(imports.run(&["import", "undo", "4"]).0);
        assert_eq!(imports.export(1), before);
        assert_eq!(imports.get(2).await.undone.unwrap().import_id, 3);
        assert!(imports.run(&["import", "undo", "1"]).0);
        assert_eq!(imports.export(1), empty);

        let (ok, said) = imports.run(&["import", "list", "--tariff", "1"]);
        assert!(ok && said.contains("import 2 taken back: 5002 added"), "{said}");
        assert!(said.contains("taken back on 20"), "{said}");
        let request = ListChangesRequest { resource: "tariffs/1".to_owned(), ..Default::default() };
        let changes = ChangesServiceClient::new(imports.admin.clone()).list_changes(request).await;
        let last = changes.unwrap().into_inner().changes.remove(0);
        assert_eq!(last.rpc, "TariffsService/UndoRateImport");
        assert!(last.note.starts_with("import 1 taken back: 0 rates added"), "{}", last.note);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_recorded_with_its_file() {
    on_both(|data| async move {
        let imports = Imports::start(data, 2).await;
        let deck = "prefix,rate\n370,0.5\n371,0.6\n";
        let sha256 = hex::encode(Sha256::digest(deck));
        imports.import(deck, &["--rename-destinations"]);
        let first = imports.get(1).await;
        let file = first.file.clone().unwrap();
        assert_eq!((file.name.as_str(), file.size), ("deck.csv", Some(28)));
        assert_eq!(file.sha256, sha256);
        assert_eq!(
            (first.tariff_id, first.actor_id, first.address.as_str()),
            (1, Some(0), "127.0.0.1")
        );
        assert!(first.credential.starts_with("access token "), "{}", first.credential);
        assert!(first.options.unwrap().use_destination_names);
        assert_eq!((first.lines, first.added, first.applied), (2, 2, true));

        // The same again changes nothing, says so, and is recorded; a dry run is not.
        let said = imports.import(deck, &["--dry-run"]);
        assert!(
            said.contains("warning: this file was imported on 20") && said.contains("(import 1)"),
            "{said}"
        );
        let said = imports.import(deck, &[]);
        assert!(
            said.contains("warning")
                && said.contains("2 unchanged, 0 deleted, 0 rejected; import 2"),
            "{said}"
        );
        // From standard input, into another tariff, where it is new.
        let path = imports.data.directory().join("deck.csv");
        let output = imports.command(&["import", "rates", "-", "--tariff", "2"], Some(&path));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.ends_with("; import 3\n") && !said.contains("warning"), "{said}");
        let file = imports.get(3).await.file.unwrap();
        assert_eq!(
            (file.name.as_str(), file.sha256.as_str(), file.size),
            ("", sha256.as_str(), Some(28))
        );
        // After it was taken back, it is as if it had never been there.
        for id in ["2", "1"] {
            assert!(imports.run(&["import", "undo", id]).0);
        }
        let said = imports.import(deck, &[]);
        assert!(said.contains("2 added") && !said.contains("warning"), "{said}");

        // A packed file has the digest of what was given.
        let packed = imports.data.directory().join("deck.csv.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, b"prefix,rate\n9,1\n").unwrap();
        let bytes = encoder.finish().unwrap();
        std::fs::write(&packed, &bytes).unwrap();
        let (ok, said) =
            imports.run(&["import", "rates", packed.to_str().unwrap(), "--tariff", "2"]);
        assert!(ok, "{said}");
        let newest = imports.list(None).await.remove(0);
        assert_eq!(newest.file.unwrap().sha256, hex::encode(Sha256::digest(&bytes)));
        let of_second: Vec<i64> = imports.list(Some(2)).await.iter().map(|one| one.id).collect();
        assert_eq!(of_second, [7, 3]);
        assert_eq!(imports.list(None).await.len(), 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_imports_are_recorded_and_have_nothing_to_take_back() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let bad = vec![line("370", "1"), line("371", "x")];
        let refused = imports.import_lines(into(1), bad).await.unwrap();
        assert!(!refused.applied && refused.import_id == Some(1));
        let record = imports.get(1).await;
        assert_eq!((record.applied, record.lines, record.added, record.rejected), (false, 2, 1, 1));
        assert!(!record.can_be_undone);
        assert_eq!(record.file.unwrap().sha256, "", "an old client says nothing of its file");
        let error = imports.undo(1, false).await.unwrap_err();
        assert_eq!(
            (error.code(), reason(&error).as_str()),
            (Code::FailedPrecondition, "RATE_IMPORT_NOT_KEPT")
        );
        // It would delete all rates.
        let options = ImportRatesOptions { delete_missing: true, ..into(1) };
        imports.import_lines(options, Vec::new()).await.unwrap_err();
        assert!(!imports.get(2).await.applied);

        let error = imports.undo(99, false).await.unwrap_err();
        assert_eq!(
            (error.code(), reason(&error).as_str()),
            (Code::NotFound, "RATE_IMPORT_NOT_FOUND")
        );
        let request = UndoRateImportRequest::default();
        let error = imports.tariffs().undo_rate_import(request).await.unwrap_err();
        assert_eq!(reason(&error), "INVALID_FIELD");
        imports.import_lines(into(1), vec![line("370", "1")]).await.unwrap();
        imports.tariffs().delete_tariff(DeleteTariffRequest { id: Some(1) }).await.unwrap();
        let error = imports.undo(3, false).await.unwrap_err();
        assert_eq!(reason(&error), "TARIFF_NOT_FOUND");
        assert!(!imports.get(3).await.can_be_undone, "the record stays");

        for file in [
            RateFile { name: "x".repeat(256), ..Default::default() },
            RateFile { name: "a\nb".to_owned(), ..Default::default() },
            RateFile { sha256: "A".repeat(64), ..Default::default() },
            RateFile { size: Some(-1), ..Default::default() },
        ] {
            imports
                .tariffs()
                .create_tariff(CreateTariffRequest {
                    tariff: Some(Tariff { name: "spare".to_owned(), ..Default::default() }),
                })
                .await
                .unwrap();
            let parts = [Part::Options(into(2)), Part::File(file)];
            let parts = parts.map(|part| ImportRatesRequest { part: Some(part) });
            let error =
                imports.tariffs().import_rates(tokio_stream::iter(parts)).await.unwrap_err();
            assert_eq!(reason(&error), "INVALID_FIELD");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_later_is_not_overwritten() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        imports.import("prefix,destination,rate\n1,One,1\n2,Two,2\n3,Three,3\n", &[]);
        imports.import(
            "prefix,destination,rate\n1,Uno,1.5\n2,Dos,2.5\n4,Cuatro,4\n5,Cinco,5\n",
            &["--delete-missing", "--rename-destinations"],
        );
        // One rate is another one, one is as it was at first, one is gone, one is there again
        // with another price.
        let later = "prefix,destination,rate\n1,Ein,1.7\n2,,2\n3,Drei,9\n";
        imports.import(later, &["--rename-destinations"]);
        let later = imports.export(1);
        let (ok, said) = imports.run(&["import", "undo", "2"]);
        assert!(!ok && said.contains("2 rates changed since by something else: 1, 3\n"), "{said}");
        assert!(
            said.contains("--keep-later-changes") && said.contains("nothing was changed"),
            "{said}"
        );
        assert_eq!(imports.export(1), later);
        assert!(imports.get(2).await.can_be_undone);

        let (ok, said) = imports.run(&["import", "undo", "2", "--keep-later-changes"]);
        assert!(ok && said.contains("0 added, 0 changed, 2 deleted; import 4"), "{said}");
        let exported = imports.export(1);
        let rates: Vec<String> = exported
            .lines()
            .skip(1)
            .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(","))
            .collect();
        // Names that were changed later stay as well, and the others come back.
        assert_eq!(rates, ["1,Ein,1.7", "2,Two,2", "3,Drei,9"]);
        let record = imports.get(4).await;
        assert_eq!((record.kept, record.unchanged, record.deleted), (2, 1, 2));
        // A dry run of what is left says that it is done.
        let error = imports.undo(2, true).await.unwrap_err();
        assert_eq!(reason(&error), "RATE_IMPORT_UNDONE");
    })
    .await;
}

/// Two tariffs share the names of destinations.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_stays_that_another_tariff_has_come_to_use() {
    on_both(|data| async move {
        let imports = Imports::start(data, 2).await;
        imports.import("prefix,destination,rate\n370,Lithuania,1\n371,Latvia,1\n", &[]);
        let named = RateLine { destination: "Lithuania".to_owned(), ..line("370", "2") };
        imports.import_lines(into(2), vec![named]).await.unwrap();
        let other = imports.export(2);
        let undone = imports.undo(1, false).await.unwrap();
        assert_eq!((undone.deleted, undone.names), (2, 1));
        assert_eq!(imports.export(2), other);
        imports.import_lines(into(1), vec![line("370", "1"), line("371", "1")]).await.unwrap();
        let exported = imports.export(1);
        assert!(exported.contains("370,Lithuania,") && exported.contains("371,,"), "{exported}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_kept_of_the_last_imports_and_their_records_of_all() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let before = imports.export(1);
        for number in 1..=22 {
            imports.import_lines(into(1), vec![line("370", &number.to_string())]).await.unwrap();
            // Those that change nothing do not count.
            imports.import_lines(into(1), vec![line("370", &number.to_string())]).await.unwrap();
        }
        let all = imports.list(None).await;
        assert_eq!(all.len(), 44);
        for import in &all {
            assert_eq!(import.can_be_undone, import.id >= 4, "{}", import.id);
        }
        for import in all.iter().filter(|import| import.can_be_undone) {
            imports.undo(import.id, false).await.unwrap();
        }
        // The second import is the first that is not kept any more.
        assert_ne!(imports.export(1), before);
        assert!(imports.export(1).contains("370,,2,0"), "{}", imports.export(1));
        let error = imports.undo(3, false).await.unwrap_err();
        assert_eq!(reason(&error), "RATE_IMPORT_NOT_KEPT");
        assert!(error.message().contains("20 later imports"), "{}", error.message());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_take_the_same_back_one_does() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let before = imports.export(1);
        let lines = (0..3_000).map(|number| RateLine {
            destination: format!("Town {number}"),
            ..line(&format!("1{number:04}"), "1")
        });
        imports.import_lines(into(1), lines.collect()).await.unwrap();
        let undo = || imports.undo(1, false);
        let done: [_; 4] = tokio::join!(undo(), undo(), undo(), undo()).into();
        let (done, refused): (Vec<_>, Vec<_>) = done.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        assert!(done.iter().all(|answer| answer.as_ref().unwrap().deleted == 3_000));
        for error in refused {
            assert_eq!(reason(&error.unwrap_err()), "RATE_IMPORT_UNDONE");
        }
        assert_eq!(imports.export(1), before);
        assert_eq!(imports.list(None).await.len(), 2);
        // Beside imports, too.
        let import = || imports.import_lines(into(1), vec![line("2", "1"), line("3", "1")]);
        let (first, second, undone) = tokio::join!(import(), import(), imports.undo(2, false));
        assert!(undone.unwrap().applied);
        let added = [first.unwrap().added, second.unwrap().added];
        assert_eq!(added.iter().sum::<i64>(), 2, "{added:?}");
        assert_eq!(imports.export(1).lines().count(), 3_003);
    })
    .await;
}

/// A few lines of a small world, so that imports meet.
fn random_lines(random: &mut StdRng) -> Vec<RateLine> {
    let count = random.random_range(1..12);
    let pick =
        |random: &mut StdRng, from: &[&str]| from[random.random_range(0..from.len())].to_owned();
    (0..count)
        .map(|number| RateLine {
            number,
            prefix: pick(random, &["1", "12", "44", "a1", "A1", "*9"]),
            destination: pick(random, &["", "", "East", "West"]),
            rate: pick(random, &["0", "0.5", "1", "blocked"]),
            connection_fee: pick(random, &["", "0.25"]),
            increment: pick(random, &["", "60"]),
            min_time: pick(random, &["", "30"]),
            effective_from: pick(random, &["", "2020-01-01", "2099-01-01"]),
            start_time: pick(random, &["", "", "08:00:00"]),
            end_time: pick(random, &["", "", "20:00:00"]),
            day_type: pick(random, &["", "", "WD"]),
            blocked: String::new(),
            steps: pick(random, &["", "", "minimum"]),
        })
        .collect()
}

/// Whatever imports do, taking them back in reverse order leads back through every state.
#[tokio::test(flavor = "multi_thread")]
async fn imports_taken_back_in_reverse_order_lead_back() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        for seed in 0..4 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut states = Vec::new();
            for _ in 0..random.random_range(3..9) {
                let options = ImportRatesOptions {
                    delete_missing: random.random_bool(0.4),
                    skip_bad_lines: true,
                    use_destination_names: random.random_bool(0.6),
                    ..into(1)
                };
                let before = imports.export(1);
                let lines = random_lines(&mut random);
                let imported = imports.import_lines(options, lines).await.unwrap();
                states.push((imported.import_id.unwrap(), before, imports.export(1)));
            }
            for (id, before, after) in states.into_iter().rev() {
                assert_eq!(imports.export(1), after, "seed {seed}, import {id}");
                let undone = imports.undo(id, false).await.unwrap();
                assert!(undone.applied, "seed {seed}, import {id}: {undone:?}");
                assert_eq!(imports.export(1), before, "seed {seed}, import {id}");
                // There and back again.
                let undo = undone.rate_import.unwrap().id;
                let again = imports.undo(undo, false).await.unwrap();
                assert_eq!(imports.export(1), after, "seed {seed}, import {id}");
                imports.undo(again.rate_import.unwrap().id, false).await.unwrap();
                assert_eq!(imports.export(1), before, "seed {seed}, import {id}");
            }
        }
    })
    .await;
}

/// A deck for what providers are paid would be sold at cost if it went into the users' tariff.
#[tokio::test(flavor = "multi_thread")]
async fn the_tariff_is_named_and_a_deck_of_one_of_the_other_purpose_is_warned_about() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let tariff = Tariff {
            name: "buying".to_owned(),
            purpose: TariffPurpose::Provider.into(),
            ..Default::default()
        };
        let request = CreateTariffRequest { tariff: Some(tariff) };
        let bought = imports.tariffs().create_tariff(request).await.unwrap().into_inner();
        let bought = bought.tariff.unwrap().id.to_string();
        let deck = "prefix,rate\n370,0.5\n";
        let file = imports.data.directory().join("deck.csv");
        std::fs::write(&file, deck).unwrap();
        let file = file.to_str().unwrap();
        let (ok, said) = imports.run(&["import", "rates", file, "--tariff", &bought]);
        assert!(ok && !said.contains("warning"), "{said}");
        let named = format!("tariff {bought} \"buying\": what providers are paid for calls, in ");
        assert!(said.contains(&named), "{said}");

        let said = imports.import(deck, &["--dry-run"]);
        assert!(said.contains("tariff 1 \"deck 0\": what users pay for calls, in "), "{said}");
        let warned = format!("warning: this file was imported into {named}");
        assert!(said.contains(&warned), "{said}");
        assert!(said.contains("is it meant for tariff 1?"), "{said}");
        let said = imports.import("prefix,rate\n370,0.7\n", &["--dry-run"]);
        assert!(!said.contains("warning"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_lines_are_answered_by_flags_all_at_once() {
    on_both(|data| async move {
        let imports = Imports::start(data, 1).await;
        let deck = "prefix,rate,effective date,status\n370,n/a,,new\n371,0.1,03/04/2026,new\n\
                    372,0.2,01/02/2026,wobbly\n373,0.3,05/06/2026,new\n";
        let file = imports.data.directory().join("bad.csv");
        std::fs::write(&file, deck).unwrap();
        let args = ["import", "rates", file.to_str().unwrap(), "--tariff", "1"];
        let (ok, said) = imports.run(&args);
        assert!(!ok, "{said}");
        for answer in [
            "for 1 refused line: --block-not-offered\n",
            "for 1 refused line: --ignore-column \"status\" (",
            "for 2 refused lines: --date-format DD/MM/YYYY or --date-format MM/DD/YYYY\n",
        ] {
            assert!(said.contains(answer), "{answer} in {said}");
        }
        let flags =
            ["--block-not-offered", "--ignore-column", "status", "--date-format", "DD/MM/YYYY"];
        let (ok, said) = imports.run(&[&args[..], &flags].concat());
        assert!(ok && said.contains("4 lines: 4 added"), "{said}");

        // One date that can be read in one way only settles the order of the others.
        let settled = "prefix,rate,effective date\n380,0.1,03/04/2026\n381,0.1,31/03/2026\n";
        let said = imports.import(settled, &[]);
        let how = "are read as day, month, year, as \"31/03/2026\" in line 3 shows";
        assert!(said.contains(how), "{said}");
        assert!(imports.export(1).contains("2026-04-03"), "{}", imports.export(1));
    })
    .await;
}
