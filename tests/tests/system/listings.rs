//! Long answers: sent as they come, compressed for who asks for it, and never held as a whole.

use std::{fmt::Write, io::Read, time::Instant};

use flate2::read::GzDecoder;
use tollbook_proto::v1::{
    CreateTariffRequest, ImportRatesOptions, ImportRatesRequest, RateLine, RateLines, Tariff,
    import_rates_request::Part, tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::{
    books::{Books, START, call},
    legacy_hash,
    process::resident,
    server::{Backend, Data, SECRET, Server},
};
use tonic::codegen::tokio_stream;

use crate::on_both;

const RATES: i64 = 20_000;

/// A tariff of many rates, and its id.
async fn large_tariff(books: &Books) -> i64 {
    let mut tariffs = TariffsServiceClient::new(books.admin.clone());
    let tariff = Tariff { name: "large".to_owned(), ..Default::default() };
    let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await;
    let tariff_id = created.unwrap().into_inner().tariff.unwrap().id;
    let lines = (0..RATES).map(|n| RateLine {
        prefix: format!("9{n:05}"),
        destination: format!("Destination <{n}>"),
        rate: "0.01".to_owned(),
        ..Default::default()
    });
    let options = ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
    let parts = [
        Part::Options(options),
        Part::Lines(RateLines { lines: lines.collect(), ..Default::default() }),
    ];
    let parts = parts.map(|part| ImportRatesRequest { part: Some(part) });
    tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap();
    tariff_id
}

/// Signed with the id alone, as `tariff_rates_get` is.
fn tariff_rates(server: &Server, tariff_id: i64) -> reqwest::RequestBuilder {
    let hash = legacy_hash(tariff_id.to_string(), SECRET);
    let form = [("u", "admin"), ("tariff_id", &tariff_id.to_string()), ("hash", &hash)];
    reqwest::Client::new().post(server.url("tariff_rates_get")).form(&form)
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_tariff_comes_whole_and_compressed_if_asked_for() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let tariff_id = large_tariff(&books).await;
        let begun = Instant::now();
        let mut response = tariff_rates(&books.server, tariff_id).send().await.unwrap();
        assert_eq!(response.headers().get("content-encoding"), None);
        let mut plain = response.chunk().await.unwrap().unwrap().to_vec();
        println!("first byte after {:?}", begun.elapsed());
        plain.extend(response.bytes().await.unwrap());
        let plain = String::from_utf8(plain).unwrap();
        println!("{} bytes after {:?}", plain.len(), begun.elapsed());

        let document = roxmltree::Document::parse(&plain).unwrap();
        let prefixes: Vec<_> = document
            .descendants()
            .filter(|node| node.has_tag_name("prefix"))
            .map(|node| node.text().unwrap().to_owned())
            .collect();
        let expected: Vec<_> = (0..RATES).map(|n| format!("9{n:05}")).collect();
        assert_eq!(prefixes, expected);
        // As one piece would be: each rate in its place, and no line left over.
        let mut rates = String::new();
        for n in 0..RATES {
            write!(
                rates,
                "\n    <rate>\n      <direction></direction>\n      \
                 <destination>Destination &lt;{n}&gt;</destination>\n      <prefix>9{n:05}</prefix>\n      \
                 <tariff_rate>0.01</tariff_rate>\n      <con_fee>0.0</con_fee>\n      \
                 <increment>1</increment>\n      <min_time>0</min_time>\n      \
                 <start_time>00:00:00</start_time>\n      <end_time>23:59:59</end_time>\n      \
                 <daytype></daytype>\n    </rate>"
            )
            .unwrap();
        }
        assert!(plain.ends_with(&format!("<rates>{rates}\n  </rates>\n</page>\n")));

        let packed = tariff_rates(&books.server, tariff_id).header("accept-encoding", "gzip");
        let packed = packed.send().await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], "gzip");
        assert_eq!(packed.headers()["content-type"], "text/xml; charset=utf-8");
        let packed = packed.bytes().await.unwrap();
        assert!(packed.len() * 5 < plain.len(), "{} of {}", packed.len(), plain.len());
        assert_eq!(unpacked(&packed), plain);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_the_original_may_get_its_files() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    drop(books);
    let files = [("TOLLBOOK_GZIP_FILES", "true")];
    let server = Server::start_part(&data, "serve", &files);
    for request in
        [tariff_rates(&server, 1), tariff_rates(&server, 1).header("accept-encoding", "gzip")]
    {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers().get("content-encoding"), None);
        assert_eq!(response.headers()["content-type"], "application/gzip");
        let xml = unpacked(&response.bytes().await.unwrap());
        assert!(xml.ends_with("  </rates>\n</page>\n"), "{xml}");
    }
    // Errors and all other answers stay XML.
    let refused = tariff_rates(&server, 99).send().await.unwrap().text().await.unwrap();
    assert!(refused.contains("<error>No tariff found</error>"), "{refused}");
    let users = server.legacy("users_get", &[("u", "admin"), ("user_id", "4")], "admin4").await;
    assert!(users.contains("<username>alice</username>"), "{users}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_come_page_by_page_and_are_counted_first() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..6_000).map(call).collect()]).await.unwrap();
        let (from, till) = ((START - 36_000).to_string(), (START + 50_399).to_string());
        let period = [("period_start", from.as_str()), ("period_end", &till), ("s_user", "4")];
        let before = resident(books.server.pid());
        for (more, signed) in
            [(vec![], ""), (vec![("order_by", "u_price")], ""), (vec![("order_desc", "1")], "1")]
        {
            let params = [&period[..], &[("u", "admin")], &more].concat();
            let signed = format!("{from}{till}4{signed}");
            let xml = books.server.legacy("user_calls_get", &params, &signed).await;
            let document = roxmltree::Document::parse(&xml).unwrap();
            let calls = document.descendants().filter(|node| node.has_tag_name("call")).count();
            let total = document.descendants().find(|node| node.has_tag_name("total_calls"));
            assert_eq!((calls, total.unwrap().text()), (4_000, Some("4000")));
        }
        let after = resident(books.server.pid());
        assert!(after < before + 32, "{before} MB before, {after} MB after");
    })
    .await;
}
