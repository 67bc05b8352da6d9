//! What imports say that a person should do next, and what they take beside the usual.

use std::{
    fmt::Write as _,
    io::{Cursor, Write as _},
};

use tollbook_tests::{
    books::Books,
    fill::Database,
    server::{Backend, Data},
};

use crate::on_both;

const HEAD: &str = "call_id,start_time,billsec,destination,originator,terminator\n";

/// Writes a file, and returns its path.
fn file(data: &Data, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = data.directory().join(name);
    std::fs::write(&path, contents).unwrap();
    path.to_str().unwrap().to_owned()
}

fn calls(books: &Books, data: &Data, text: &str, args: &[&str]) -> (bool, String) {
    let path = file(data, "calls.csv", text);
    books.command(data, &[&["import", "calls", &path], args].concat())
}

fn rates(books: &Books, data: &Data, text: &str, args: &[&str]) -> (bool, String) {
    let path = file(data, "deck.csv", text);
    books.command(data, &[&["import", "rates", &path], args].concat())
}

/// A workbook of text cells, a sheet for each name.
fn workbook(sheets: &[(&str, &str)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const LINKS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, contents: &str| {
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        archive.start_file(name, stored).unwrap();
        archive.write_all(contents.as_bytes()).unwrap();
    };
    let (mut book, mut links) = (String::new(), String::new());
    for ((name, text), number) in sheets.iter().zip(1..) {
        write!(book, "<sheet name=\"{name}\" sheetId=\"{number}\" r:id=\"rId{number}\"/>").unwrap();
        write!(
            links,
            "<Relationship Id=\"rId{number}\" Type=\"{LINKS}/worksheet\" Target=\"worksheets/sheet{number}.xml\"/>"
        )
        .unwrap();
        let mut rows = String::new();
        for (line, row) in text.lines().zip(1..) {
            write!(rows, "<row r=\"{row}\">").unwrap();
            for (cell, column) in line.split(',').zip('A'..) {
                let at = format!("r=\"{column}{row}\" t=\"inlineStr\"");
                write!(rows, "<c {at}><is><t>{cell}</t></is></c>").unwrap();
            }
            rows.push_str("</row>");
        }
        add(
            &format!("xl/worksheets/sheet{number}.xml"),
            &format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>"),
        );
    }
    add(
        "_rels/.rels",
        &format!(
            "<Relationships xmlns=\"{PACKAGE}\"><Relationship Id=\"rId1\" Type=\"{LINKS}/officeDocument\" \
             Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    add(
        "xl/workbook.xml",
        &format!(
            "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{LINKS}\"><sheets>{book}</sheets></workbook>"
        ),
    );
    add(
        "xl/_rels/workbook.xml.rels",
        &format!("<Relationships xmlns=\"{PACKAGE}\">{links}</Relationships>"),
    );
    archive.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_read_from_the_sheet_that_is_said() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let call = |id: &str| format!("{HEAD}{id},2026-01-20 12:00:00,30,37061234567,alice,bob\n");
    let book = workbook(&[("May", &call("m1")), ("June", &call("j1"))]);
    let path = file(&data, "calls.xlsx", book);
    let import =
        |args: &[&str]| books.command(&data, &[&["import", "calls", path.as_str()], args].concat());
    let (ok, said) = import(&[]);
    assert!(!ok && said.contains("several sheets have rows: --sheet says which"), "{said}");
    let (ok, said) = import(&["--sheet", "June", "--save-profile", "book"]);
    assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
    let (_, said) = books.command(&data, &["profiles", "show", "book"]);
    assert!(said.contains("--sheet June"), "{said}");
    let (ok, said) = import(&["--profile", "book"]);
    assert!(ok && said.contains("0 stored, 1 duplicates"), "{said}");
    let (ok, said) = import(&["--profile", "book", "--sheet", "1"]);
    assert!(ok && said.contains("1 calls: 1 stored"), "{said}");
    let (ok, said) = import(&["--sheet", "July"]);
    assert!(!ok && said.contains("there is no sheet \"July\""), "{said}");
    let mut ids: Vec<_> = books.calls().await.into_iter().map(|call| call.call_id).collect();
    ids.sort();
    assert_eq!(ids, ["j1", "m1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deck_names_its_tariff_as_other_commands_do() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let run = |args: &[&str]| books.command(&data, args);
    let (ok, id) = run(&["tariffs", "create", "Wholesale deck", "--purpose", "selling"]);
    assert!(ok, "{id}");
    let id = id.trim();
    let deck = "prefix,rate\n370,0.1\n";
    let (ok, said) = rates(&books, &data, deck, &["--tariff", "Wholesale deck"]);
    assert!(ok && said.contains(&format!("tariff {id} \"Wholesale deck\"")), "{said}");
    let (ok, said) = rates(&books, &data, deck, &["--tariff", id]);
    assert!(ok && said.contains("1 unchanged"), "{said}");
    let (ok, said) = run(&["tariffs", "create", id, "--purpose", "selling"]);
    assert!(ok, "{said}");
    let (ok, said) = rates(&books, &data, deck, &["--tariff", id]);
    assert!(!ok && said.contains(&format!("{id:?} fits several tariffs: #{id}")), "{said}");
    let (ok, said) = rates(&books, &data, deck, &["--tariff", &format!("#{id}")]);
    assert!(ok && said.contains("1 unchanged"), "{said}");
    let (ok, said) = rates(&books, &data, deck, &["--tariff", "no such"]);
    assert!(!ok && said.contains("there is no tariff with the name or id \"no such\""), "{said}");
    let (ok, said) = run(&["export", "rates", "--tariff", "Wholesale deck"]);
    assert!(ok && said.contains("370"), "{said}");
}

/// The command that a deck of the past prints finds the calls that it should have been in time for.
#[tokio::test(flavor = "multi_thread")]
async fn a_deck_of_the_past_says_how_its_calls_are_rated_again() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let line = format!("{HEAD}c1,2026-01-20 12:00:00,60,37061234567,alice,bob\n");
        let (ok, said) = calls(&books, &data, &line, &[]);
        assert!(ok, "{said}");
        let before = books.calls().await[0].clone();
        let deck = "prefix,rate,effective date\n37061,0.777,2026-01-01\n";
        let (ok, said) = rates(&books, &data, deck, &["--tariff", "1", "--dry-run"]);
        assert!(ok && !said.contains("tollbook rerate"), "{said}");
        let (ok, said) = rates(&books, &data, deck, &["--tariff", "1"]);
        assert!(ok, "{said}");
        let command = said.lines().find(|line| line.contains("tollbook rerate")).unwrap();
        assert!(command.contains("--from 2026-01-01") || command.contains("--from 2025-12-31"));
        assert!(command.contains("--tariff '#1' --dry-run"), "{command}");
        let words: Vec<_> = command.split_whitespace().skip(1).collect();
        let words: Vec<_> = words.iter().map(|word| word.trim_matches('\'')).collect();
        let (ok, said) = books.command(&data, &words);
        assert!(ok && !said.contains("calls: 0 changed"), "{said}");
        let (ok, _) = books.command(&data, &words[..words.len() - 1]);
        assert!(ok && books.calls().await[0].price != before.price);

        // The same again changes nothing, and one of the future nothing yet.
        let (_, said) = rates(&books, &data, deck, &["--tariff", "1"]);
        assert!(said.contains("1 unchanged") && !said.contains("tollbook rerate"), "{said}");
        let next = "prefix,rate,effective date\n37061,0.9,2035-01-01\n";
        let (ok, said) = rates(&books, &data, next, &["--tariff", "1"]);
        assert!(ok && !said.contains("tollbook rerate"), "{said}");
        books.check(8 + 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_a_deck_without_them_are_said() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let deck = "prefix,rate\n37061,0.6\n";
    let flags = ["--increment", "60", "--minimum-time", "30", "--save-profile", "minutes"];
    let (ok, said) = rates(&books, &data, deck, &[&["--tariff", "1"][..], &flags].concat());
    assert!(ok, "{said}");
    let (_, exported) = books.command(&data, &["export", "rates", "--tariff", "1"]);
    let line = exported.lines().find(|line| line.starts_with("37061,")).unwrap();
    assert!(line.contains(",60,30,"), "{line}");
    let (_, said) = books.command(&data, &["profiles", "show", "minutes"]);
    assert!(said.contains("--increment 60 --minimum-time 30"), "{said}");
    let (ok, said) = rates(&books, &data, deck, &["--tariff", "1", "--profile", "minutes"]);
    assert!(ok && said.contains("1 unchanged"), "{said}");
    // A line that says its own keeps it.
    let deck = "prefix,rate,increment\n37061,0.6,1\n37062,0.6,\n";
    let (ok, said) = rates(&books, &data, deck, &["--tariff", "1", "--increment", "60"]);
    assert!(ok, "{said}");
    let (_, exported) = books.command(&data, &["export", "rates", "--tariff", "1"]);
    let line = |prefix: &str| exported.lines().find(|line| line.starts_with(prefix)).unwrap();
    assert!(line("37061,").contains(",1,") && line("37062,").contains(",60,"), "{exported}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_alone_are_told_of_as_such() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let line = |id: &str, seconds: u32, number: &str| {
        format!("{id},2026-01-20 12:00:00,{seconds},{number},alice,bob\n")
    };
    let (ok, said) = calls(&books, &data, &(HEAD.to_owned() + &line("c1", 30, "37061234567")), &[]);
    assert!(ok && !said.contains("kept as unrated"), "{said}");
    let other = HEAD.to_owned() + &line("c1", 90, "37061234567");
    let (ok, said) = calls(&books, &data, &other, &[]);
    assert!(!ok && said.contains("1 is kept as unrated, and all are conflicts"), "{said}");
    assert!(!said.contains("--summary") && !said.contains("rerate --unrated"), "{said}");
    assert!(said.contains("`tollbook calls unrated --reason CONFLICT`"), "{said}");
    // What it advises works.
    let drop = said.split('`').find(|part| part.starts_with("tollbook import undo")).unwrap();
    let words: Vec<_> = drop.split_whitespace().skip(1).collect();
    let (ok, said) = books.command(&data, &words);
    assert!(ok && said.contains("0 calls and 1 unrated calls taken back"), "{said}");

    let both = other + &line("c2", 30, "99961234567");
    let (ok, said) = calls(&books, &data, &both, &[]);
    assert!(!ok && said.contains("--summary") && said.contains("rerate --unrated"), "{said}");
    books.check(8 + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_to_extensions_that_would_be_billed_are_warned_about() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let (ok, said) = rates(&books, &data, "prefix,rate\n1,0.01\n", &["--tariff", "1"]);
    assert!(ok, "{said}");
    let line = |id: u8, number: &str, billsec: u8| {
        format!("s{id},2026-01-20 12:0{id}:00,{billsec},{number},alice,\n")
    };
    let numbers = ["101", "101", "10234", "102345", "999"];
    let answered: Vec<String> =
        numbers.iter().zip(1..).map(|(number, id)| line(id, number, 30)).collect();
    let file = [HEAD, &answered.concat(), &line(9, "101", 0)].concat();
    let (_, said) = calls(&books, &data, &file, &["--dry-run"]);
    let warning = "warning: 3 answered calls are to numbers of at most 5 digits, and are billed by what these \
                   begin with, as 101 is by the rate of 1: 101 (2), 10234 (1);";
    assert!(said.contains(warning) && said.contains("--internal-shorter-than 6"), "{said}");
    let (_, said) = calls(&books, &data, &file, &["--dry-run", "--internal-shorter-than", "0"]);
    assert!(!said.contains("at most 5 digits"), "{said}");
    let (ok, said) = calls(&books, &data, &file, &["--internal-shorter-than", "6"]);
    assert!(ok && said.contains("1 calls: 1 stored") && !said.contains("at most 5"), "{said}");
}

/// It bills calls twice whose legs come in two files: nobody is to have it by habit.
#[tokio::test(flavor = "multi_thread")]
async fn lone_legs_are_taken_by_the_import_that_says_so_alone() {
    let Some(data) = Data::new(Backend::Sqlite) else { return };
    let books = Books::open(&data).await;
    let save = ["profiles", "save", "calls", "legs", "--take-lone-legs"];
    let (ok, said) = books.command(&data, &save);
    assert!(!ok && said.contains("--take-lone-legs is not kept in a profile"), "{said}");
    let leg = |id: &str| {
        format!(
            "\"Alice\",\"37060000001\",\"37061234567\",\"default\",\"2026-01-20 13:00:00\",\
             \"2026-01-20 13:00:02\",\"2026-01-20 13:00:32\",\"32\",\"30\",\"NORMAL_CLEARING\",\"{id}\",\
             \"\",\"alice\",\"PCMU\",\"PCMU\"\n"
        )
    };
    let args = ["--take-lone-legs", "--save-profile", "legs"];
    let (ok, said) = calls(&books, &data, &leg("one"), &args);
    assert!(
        ok && said.contains("1 stored") && said.contains("is not kept in the profile"),
        "{said}"
    );
    let (ok, said) = books.command(&data, &["profiles", "show", "legs"]);
    assert!(ok && said.trim() == "--format freeswitch", "{said}");
    let (ok, said) = calls(&books, &data, &leg("two"), &["--profile", "legs"]);
    assert!(!ok && said.contains("0 stored"), "{said}");

    // One of an earlier version has it still: it does not count, and that is said.
    let had = "UPDATE import_profiles SET contents = REPLACE(contents, '{\"format\"', \
               '{\"takeLoneLegs\":true,\"format\"')";
    Database::open(&data).await.run(had.to_owned()).await;
    let (ok, said) = calls(&books, &data, &leg("two"), &["--profile", "legs"]);
    assert!(!ok && said.contains("counts no more from a profile"), "{said}");
    let flags = ["--profile", "legs", "--take-lone-legs"];
    let (ok, said) = calls(&books, &data, &leg("two"), &flags);
    assert!(ok && said.contains("1 stored"), "{said}");
}
