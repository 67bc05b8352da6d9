//! Import profiles: saved by the command, used by imports, kept by the core.

use std::process::Output;

use tollbook_proto::v1::{
    CallColumn, CallColumnPlace, CallFileProfile, CreateImportProfileRequest,
    CreateManagerGroupRequest, CreateTariffRequest, CreateUserRequest, Decimal,
    DeleteImportProfileRequest, FileColumn, GetImportProfileRequest, ImportProfile,
    ListImportProfilesRequest, ManagerGroup, Permission, RateCallRequest, RateColumn,
    RateColumnPlace, RateFileProfile, Role, Tariff, UpdateImportProfileRequest, User,
    file_column::Column, import_profile::Contents,
    import_profiles_service_client::ImportProfilesServiceClient,
    manager_groups_service_client::ManagerGroupsServiceClient,
    rating_service_client::RatingServiceClient, tariffs_service_client::TariffsServiceClient,
    update_import_profile_request, users_service_client::UsersServiceClient,
};
use tollbook_tests::{
    books::Books,
    contract::decimal,
    server::{Authorized, Data},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::on_both;

/// Two decks of one carrier: a title, columns by position, prices in pence with a comma.
const MAY: &str = "Carrier Ltd;prices;;\n370;Lithuania;x;12,5\n371;Latvia;x;7\n";
const JUNE: &str = "Carrier Ltd;prices;;\n370;Lithuania;x;13,5\n372;Estonia;x;1,5\n";

/// Calls of a switch with columns of its own.
const CALLS: &str = "Ref;When;Secs;From;To;Acc;Region\n\
                     a1;20/01/2026 12:00:00;60;37060000001;37061234567;alice;x\n";
const MORE_CALLS: &str = "Ref;When;Secs;From;To;Acc;Region\n\
                          a2;20/01/2026 13:00:00;30;37060000001;37061234567;alice;x\n";

struct Office {
    data: Data,
    books: Books,
    /// Of a new tariff.
    tariff: i64,
}

impl Office {
    async fn open(data: Data) -> Self {
        let books = Books::open(&data).await;
        let tariff = Some(Tariff { name: "deck".to_owned(), ..Default::default() });
        let mut tariffs = TariffsServiceClient::new(books.admin.clone());
        let created = tariffs.create_tariff(CreateTariffRequest { tariff }).await.unwrap();
        let tariff = created.into_inner().tariff.unwrap().id;
        Self { data, books, tariff }
    }

    fn run_as(&self, token: &str, args: &[&str]) -> (bool, String) {
        let url = format!("http://{}", self.books.server.grpc);
        let mut command = self.data.command();
        command.env("TOLLBOOK_TOKEN", token).env("TOLLBOOK_CORE_URL", url);
        let Output { status, stdout, stderr } = command.args(args).output().unwrap();
        let said = [stdout, stderr].map(|output| String::from_utf8(output).unwrap()).concat();
        (status.success(), said)
    }

    fn run(&self, args: &[&str]) -> (bool, String) {
        self.run_as(&self.books.token, args)
    }

    /// Imports a file by the command.
    fn import(&self, what: &str, text: &str, args: &[&str]) -> (bool, String) {
        let file = self.data.directory().join(format!("{what}.csv"));
        std::fs::write(&file, text).unwrap();
        let tariff = self.tariff.to_string();
        let mut all = vec!["import", what, file.to_str().unwrap()];
        if what == "rates" {
            all.extend(["--tariff", &tariff]);
        }
        all.extend(args);
        self.run(&all)
    }

    /// What a minute costs by the new tariff.
    async fn price(&self, number: &str) -> String {
        let request = RateCallRequest {
            number: number.to_owned(),
            duration: decimal("60"),
            tariff_id: Some(self.tariff),
            ..Default::default()
        };
        let mut rating = RatingServiceClient::new(self.books.admin.clone());
        let rated = rating.rate_call(request).await.unwrap().into_inner();
        rated.price.unwrap().price.map(|price| price.value).unwrap_or_default()
    }

    /// A manager with these permissions: a token of theirs.
    async fn manager(&self, username: &str, permissions: &[Permission]) -> String {
        let permissions = permissions.iter().map(|permission| i32::from(*permission)).collect();
        let group = ManagerGroup { name: username.to_owned(), permissions, ..Default::default() };
        let request = CreateManagerGroupRequest { manager_group: Some(group) };
        let mut groups = ManagerGroupsServiceClient::new(self.books.admin.clone());
        let group = groups.create_manager_group(request).await.unwrap().into_inner().manager_group;
        let user = User {
            username: username.to_owned(),
            role: Role::Manager.into(),
            manager_group_id: group.unwrap().id.unwrap(),
            ..Default::default()
        };
        let mut users = UsersServiceClient::new(self.books.admin.clone());
        let request = CreateUserRequest { user: Some(user), ..Default::default() };
        users.create_user(request).await.unwrap();
        self.data.token(&[username, "--user", username])
    }

    fn profiles(&self) -> ImportProfilesServiceClient<Authorized> {
        ImportProfilesServiceClient::new(self.books.admin.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_decks_of_a_carrier_are_imported_by_one_profile() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        // Found out once, and saved with the import that worked.
        let flags = "--skip-lines 1 --no-header --column prefix=1 --column destination=2 \
                     --column rate=4 --ignore-column 3 --decimal , --factor 0.01 --delimiter ;";
        let mut args: Vec<&str> = flags.split_whitespace().collect();
        args.extend(["--save-profile", "Carrier Ltd"]);
        let (ok, said) = office.import("rates", MAY, &args);
        assert!(ok && said.contains("2 lines: 2 added"), "{said}");
        assert!(said.contains("saved as profile Carrier Ltd"), "{said}");
        assert_eq!(office.price("37060000000").await, "0.125");

        let (ok, said) = office.import("rates", JUNE, &["--profile", "Carrier Ltd"]);
        assert!(ok && said.contains("2 lines: 1 added, 1 changed"), "{said}");
        assert_eq!(office.price("37060000000").await, "0.135");
        assert_eq!(office.price("37260000000").await, "0.015");

        // What is given counts before what is saved.
        let (ok, said) =
            office.import("rates", JUNE, &["--profile", "Carrier Ltd", "--factor", "1"]);
        assert!(ok && said.contains("2 lines: 0 added, 2 changed"), "{said}");
        assert_eq!(office.price("37060000000").await, "13.5");

        let (ok, said) = office.run(&["profiles", "show", "Carrier Ltd"]);
        assert!(ok, "{said}");
        assert_eq!(
            said.trim(),
            "--column prefix=1 --column destination=2 --column rate=4 --ignore-column 3 \
             --no-header --skip-lines 1 --delimiter ';' --decimal , --factor 0.01"
        );
        let (ok, said) = office.run(&["profiles", "list"]);
        assert!(ok && said.contains("'Carrier Ltd' rates\n"), "{said}");
        assert!(said.contains("\nasterisk calls, built in: Asterisk's cdr/cdr_csv.c"), "{said}");

        // Nothing is saved of an import that did not work, or that was a trial.
        let bad = office.import("rates", "a;b\nc;d\n", &["--no-header", "--save-profile", "bad"]);
        assert!(!bad.0, "{}", bad.1);
        let dry = office.import("rates", MAY, &["--dry-run", "--save-profile", "bad"]);
        assert!(!dry.0 && dry.1.contains("leave --dry-run out"), "{}", dry.1);
        let (ok, said) = office.import("rates", MAY, &["--profile", "bad"]);
        assert!(!ok && said.contains("there is no import profile \"bad\""), "{said}");

        let (ok, said) = office.run(&["profiles", "delete", "Carrier Ltd"]);
        assert!(ok, "{said}");
        let (_, said) = office.run(&["profiles", "list"]);
        assert!(!said.contains("Carrier Ltd"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_a_switch_are_imported_by_one_profile() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        let flags = "--column call_id=Ref --column start_time=When --column billsec=Secs \
                     --column source=From --column destination=To --column originator=Acc \
                     --ignore-column Region --terminator bob";
        let mut save = vec!["profiles", "save", "calls", "our switch"];
        save.extend(flags.split_whitespace());
        save.extend(["--date-format", "%d/%m/%Y %H:%M:%S"]);
        let (ok, said) = office.run(&save);
        assert!(ok && said.contains("saved as profile our switch"), "{said}");

        let by_profile = ["--profile", "our switch"];
        let (ok, said) = office.import("calls", CALLS, &by_profile);
        assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
        let (ok, said) = office.import("calls", MORE_CALLS, &by_profile);
        assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
        let calls = office.books.calls().await;
        let billed: Vec<_> =
            calls.iter().map(|call| (&*call.terminator, call.billsec_ms)).collect();
        assert_eq!(billed, [("bob", 60_000), ("bob", 30_000)]);

        // Saved again from an import, with what was given beside the profile.
        let third = MORE_CALLS.replace("a2", "a3").replace(";30;", ";0.5;");
        let args = ["--profile", "our switch", "--duration-unit", "minutes"];
        let (ok, said) = office.import(
            "calls",
            &third,
            &[&args[..], &["--save-profile", "our switch"]].concat(),
        );
        assert!(ok && said.contains("saved as profile our switch"), "{said}");
        let (_, said) = office.run(&["profiles", "show", "our switch"]);
        assert!(
            said.contains("--date-format '%d/%m/%Y %H:%M:%S' --duration-unit minutes"),
            "{said}"
        );

        // A format is a profile that is built in.
        let (ok, said) = office.import("calls", CALLS, &["--profile", "yeti"]);
        assert!(!ok && !said.contains("no import profile"), "{said}");
        let (_, said) = office.run(&["profiles", "show", "yeti"]);
        assert_eq!(said.trim(), "--format yeti");
        let (ok, said) = office.run(&["profiles", "delete", "yeti"]);
        assert!(!ok && said.contains("built in"), "{said}");
        let (ok, said) = office.import("rates", MAY, &["--profile", "our switch"]);
        assert!(!ok && said.contains("is of calls, and not of rate decks"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_profile_is_refused_in_words() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        for (kind, flags, said) in [
            ("rates", "--time-zone Mars/Base", "rates.time_zone is not an IANA time zone"),
            ("rates", "--factor 0", "rates.factor is not a decimal number above zero"),
            ("rates", "--decimal , --thousands ,", "rates.thousands_separator is the decimal"),
            ("rates", "--column rate=1 --column rate=2", "rates.columns have one meaning twice"),
            ("rates", "--column colour=1", "\"colour\" is not known; there are prefix, "),
            ("rates", "--encoding latin-99", "rates.encoding is no encoding"),
            ("rates", "--date-format QQ", "rates.date_format is no date format"),
            ("calls", "--date-format DD/MM", "calls.date_format is no form of times as strptime"),
            ("calls", "--column billsec=0x --column billsec=4", "calls.columns have one meaning"),
            ("calls", "--national-prefix 0", "--national-prefix needs --country-code"),
            ("calls", "--format freeswitch-custom", "calls.template is required"),
        ] {
            let mut args = vec!["profiles", "save", kind, "wrong"];
            args.extend(flags.split_whitespace());
            let (ok, text) = office.run(&args);
            assert!(!ok && text.contains(said), "{flags}: {text}");
        }
        let (ok, text) = office.run(&["profiles", "save", "calls", "asterisk"]);
        assert!(!ok && text.contains("is that of a format"), "{text}");
        let mut profiles = office.profiles();
        let all = profiles.list_import_profiles(ListImportProfilesRequest::default()).await;
        assert!(all.unwrap().into_inner().import_profiles.is_empty());
    })
    .await;
}

/// Who may import decks has the profiles of decks, and no others; who may import nothing has none.
#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_for_those_who_import() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        for kind in ["rates", "calls"] {
            let (ok, said) = office.run(&["profiles", "save", kind, &format!("of {kind}")]);
            assert!(ok, "{said}");
        }
        let decks = office.manager("decks", &[Permission::TariffsManage]).await;
        let (ok, said) = office.run_as(&decks, &["profiles", "list"]);
        assert!(ok && said.contains("'of rates' rates") && !said.contains("of calls"), "{said}");
        let save = ["profiles", "save", "rates", "of rates", "--delimiter", ";"];
        let (ok, said) = office.run_as(&decks, &save);
        assert!(ok, "{said}");
        let (ok, said) = office.run_as(&decks, &["profiles", "show", "of calls"]);
        assert!(!ok && said.contains("no import profile"), "{said}");
        let (ok, said) = office.run_as(&decks, &["profiles", "save", "calls", "mine"]);
        assert!(!ok && said.contains("the manager's group does not permit this"), "{said}");

        let viewer = office.manager("viewer", &[Permission::TariffsView]).await;
        for args in [&["profiles", "list"][..], &["profiles", "save", "rates", "mine"]] {
            let (ok, said) = office.run_as(&viewer, args);
            assert!(!ok && said.contains("the manager's group does not permit this"), "{said}");
        }
        let (ok, said) = office.run_as(&viewer, &["profiles", "delete", "of rates"]);
        assert!(!ok && said.contains("no import profile"), "{said}");
    })
    .await;
}

fn reason(status: &Status) -> (Code, String) {
    (status.code(), status.get_details_error_info().unwrap().reason)
}

/// What the service says beside what the command asks of it.
#[tokio::test(flavor = "multi_thread")]
async fn profiles_over_grpc() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        let mut profiles = office.profiles();
        let place = |meaning: RateColumn, position| RateColumnPlace {
            meaning: meaning.into(),
            column: Some(FileColumn { column: Some(Column::Position(position)) }),
        };
        let rates = RateFileProfile {
            columns: vec![place(RateColumn::Prefix, 1), place(RateColumn::Rate, 2)],
            no_header: true,
            factor: Some(Decimal { value: "0.01".to_owned() }),
            ..Default::default()
        };
        let create = |name: &str, contents| CreateImportProfileRequest {
            import_profile: Some(ImportProfile {
                name: name.to_owned(),
                contents: Some(contents),
                ..Default::default()
            }),
        };
        let made = profiles.create_import_profile(create("a", Contents::Rates(rates.clone())));
        let made = made.await.unwrap().into_inner().import_profile.unwrap();
        assert_eq!((made.name.as_str(), &made.contents), ("a", &Some(Contents::Rates(rates))));
        assert_eq!(made.created_at, made.changed_at);
        let calls = CallFileProfile {
            columns: vec![CallColumnPlace {
                meaning: CallColumn::Billsec.into(),
                column: Some(FileColumn { column: Some(Column::Name("Secs".to_owned())) }),
            }],
            ..Default::default()
        };
        let other = profiles.create_import_profile(create("b", Contents::Calls(calls.clone())));
        let other = other.await.unwrap().into_inner().import_profile.unwrap();

        // By id and by name, and page by page.
        for request in [
            GetImportProfileRequest { id: Some(made.id), name: String::new() },
            GetImportProfileRequest { id: None, name: "a".to_owned() },
        ] {
            let got = profiles.get_import_profile(request).await.unwrap().into_inner();
            assert_eq!(got.import_profile.unwrap(), made);
        }
        let request = ListImportProfilesRequest { page_size: 1, ..Default::default() };
        let page = profiles.list_import_profiles(request).await.unwrap().into_inner();
        assert_eq!(page.import_profiles, std::slice::from_ref(&made));
        let request = ListImportProfilesRequest { page_size: 1, page_token: page.next_page_token };
        let page = profiles.list_import_profiles(request).await.unwrap().into_inner();
        assert_eq!((&page.import_profiles[..], &*page.next_page_token), (&[other.clone()][..], ""));

        // A name is one profile's, and a kind stays.
        let again = create("a", Contents::Calls(calls.clone()));
        let taken = reason(&profiles.create_import_profile(again).await.unwrap_err());
        assert_eq!(taken, (Code::AlreadyExists, "IMPORT_PROFILE_TAKEN".to_owned()));
        let update = |name: Option<&str>, contents| UpdateImportProfileRequest {
            id: Some(other.id),
            name: name.map(str::to_owned),
            contents,
        };
        let taken = profiles.update_import_profile(update(Some("a"), None)).await.unwrap_err();
        assert_eq!(reason(&taken).1, "IMPORT_PROFILE_TAKEN");
        let rates = update_import_profile_request::Contents::Rates(RateFileProfile::default());
        let kind = profiles.update_import_profile(update(None, Some(rates))).await.unwrap_err();
        assert_eq!(reason(&kind).1, "INVALID_FIELD");
        let renamed = profiles.update_import_profile(update(Some("c"), None)).await.unwrap();
        let renamed = renamed.into_inner().import_profile.unwrap();
        assert_eq!((&*renamed.name, renamed.contents), ("c", Some(Contents::Calls(calls))));
        assert_eq!(renamed.created_at, other.created_at);

        let delete = DeleteImportProfileRequest { id: Some(made.id) };
        profiles.delete_import_profile(delete).await.unwrap();
        let gone = profiles.delete_import_profile(delete).await.unwrap_err();
        assert_eq!(reason(&gone), (Code::NotFound, "IMPORT_PROFILE_NOT_FOUND".to_owned()));
    })
    .await;
}

/// What was found out of a file is said by the profile that is saved of it: one with other columns is
/// refused, and not read by guessing anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_names_the_columns_that_were_found_and_refuses_others() {
    on_both(|data| async move {
        let office = Office::open(data).await;
        let deck = "Dial Code,Destination,Price per minute\n370,Lithuania,0.2\n";
        let (ok, said) = office.import("rates", deck, &["--save-profile", "by name"]);
        assert!(ok, "{said}");
        let (_, said) = office.run(&["profiles", "show", "by name"]);
        assert_eq!(
            said.trim(),
            "--column 'prefix=Dial Code' --column destination=Destination \
             --column 'rate=Price per minute'"
        );
        let args = ["--profile", "by name"];
        let moved = "Price per minute,Dial Code,Destination\n0.3,371,Latvia\n";
        let (ok, said) = office.import("rates", moved, &args);
        assert!(ok && said.contains("1 added"), "{said}");
        let other = "Dial Code,Destination,Price\n370,Lithuania,0.9\n";
        let (ok, said) = office.import("rates", other, &args);
        assert!(
            !ok && said.contains("there is no column \"Price per minute\" to be rate"),
            "{said}"
        );

        // Of calls it is the format.
        let calls = "call_id,start_time,billsec,source,destination,originator\n\
                     z1,2026-01-20 12:00:00,60,37060000001,37061234567,alice\n";
        let (ok, said) = office.import("calls", calls, &["--save-profile", "ours"]);
        assert!(ok, "{said}");
        let (_, said) = office.run(&["profiles", "show", "ours"]);
        assert_eq!(said.trim(), "--format tollbook");
    })
    .await;
}
