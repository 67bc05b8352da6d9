//! Faults of release 0.1: one client that must not stop the rest.

use std::{
    pin::Pin,
    process::Command,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tollbook_proto::v1::{
    AuthorizeCallRequest, CallOrder, CreateNumberPoolRequest, CreateTariffRequest,
    ExportRatesRequest, GetBalanceRequest, ImportRatesOptions, ImportRatesRequest,
    IngestCallsRequest, ListCallsRequest, RateLine, RateLines, RecordPaymentRequest, Tariff,
    accounts_service_client::AccountsServiceClient, calls_service_client::CallsServiceClient,
    import_rates_request::Part, live_calls_service_client::LiveCallsServiceClient,
    number_pools_service_client::NumberPoolsServiceClient,
    payments_service_client::PaymentsServiceClient, tariffs_service_client::TariffsServiceClient,
};
use tollbook_tests::{
    books::{Books, START, at, call},
    contract::decimal,
    fill::Database,
    legacy_hash,
    process::{forget_peak, peak, resident},
    server::{Authorized, Backend, Data, SECRET, Server, bearer},
};
use tonic::{
    Status,
    codegen::{Body as HttpBody, Bytes, Service, http, tokio_stream},
    transport::Channel,
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::on_both;

const SECOND: Duration = Duration::from_secs(1);

/// The message of a client who never sends it.
struct Silence;

impl HttpBody for Silence {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Status>>> {
        Poll::Pending
    }
}

/// Begins a call of a path, and never sends its message.
async fn half_open(channel: &mut Channel, path: &str) {
    let request = http::Request::post(format!("http://tollbook{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(Silence))
        .unwrap();
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.unwrap();
    let answer = channel.call(request);
    tokio::spawn(async move { drop(answer.await) });
}

/// Asserts that both faces answer, soon.
async fn both_answer(books: &Books) {
    let begun = Instant::now();
    let legacy =
        books.server.legacy("user_balance_get", &[("username", "alice"), ("u", "admin")], "alice");
    let legacy = timeout(5 * SECOND, legacy).await.expect("the XML API does not answer");
    assert!(legacy.contains("<balance>"), "{legacy}");
    let mut accounts = AccountsServiceClient::new(books.admin.clone());
    let request = GetBalanceRequest { user_id: Some(4), ..Default::default() };
    let balance = timeout(5 * SECOND, accounts.get_balance(request)).await;
    balance.expect("gRPC does not answer").unwrap();
    println!("both answered after {:?}", begun.elapsed());
    assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_half_open_calls_stop_nobody() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    for path in [
        "/tollbook.v1.SessionsService/CreateSession",
        "/tollbook.v1.AccountsService/GetBalance",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let mut channel = books.server.channel().await;
        for _ in 0..1_000 {
            half_open(&mut channel, path).await;
        }
    }
    // With a credential, too: here the message of a unary call, there a stream that says nothing.
    let channel = books.server.channel().await;
    let mut silent = CallsServiceClient::new(bearer(channel, &books.token));
    tokio::spawn(async move {
        silent.ingest_calls(tokio_stream::pending::<IngestCallsRequest>()).await
    });
    tokio::time::sleep(SECOND / 2).await;
    both_answer(&books).await;
}

/// Whether the server says over a connection from an address that it is well.
async fn is_well(server: &Server, from: &str) -> Result<(), Status> {
    let channel = Channel::from_shared(format!("http://{}", server.grpc)).unwrap();
    let channel = channel.local_address(Some(from.parse().unwrap())).connect().await.unwrap();
    let mut client = HealthClient::new(channel);
    let asked = client.check(HealthCheckRequest::default());
    timeout(2 * SECOND, asked).await.expect("it does not say").map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_one_client_leaves_others_their_health_checks() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    is_well(&books.server, "127.0.0.2").await.unwrap();
    let mut channels = Vec::new();
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let mut channel = books.server.channel().await;
        for _ in 0..800 {
            half_open(&mut channel, path).await;
        }
        channels.push(channel);
    }
    tokio::time::sleep(SECOND / 2).await;
    is_well(&books.server, "127.0.0.2").await.unwrap();
    // Whoever has taken all of theirs has them back soon.
    let busy = is_well(&books.server, "127.0.0.1").await.unwrap_err();
    assert_eq!(busy.code(), tonic::Code::Unavailable);
    assert!(busy.message().contains("busy"), "{busy:?}");
    tokio::time::sleep(6 * SECOND).await;
    is_well(&books.server, "127.0.0.1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_the_listeners_outlive_running_out_of_files() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    both_answer(&books).await;
    let pid = format!("--pid={}", books.server.pid());
    let open = std::fs::read_dir(format!("/proc/{}/fd", books.server.pid())).unwrap().count();
    let limit = |files: usize| {
        // The soft limit alone: the hard one is the machine's.
        let files = format!("--nofile={files}:");
        Command::new("prlimit").args([&pid, &files]).status().unwrap()
    };
    assert!(limit(open + 5).success());
    let mut idle = Vec::new();
    for address in [&books.server.grpc, &books.server.http] {
        for _ in 0..20 {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
    }
    tokio::time::sleep(SECOND / 2).await;
    // Nobody can be let in now; later everybody can.
    drop(idle);
    tokio::time::sleep(SECOND / 2).await;
    assert!(TcpStream::connect(&books.server.grpc).await.is_ok());
    let admin = bearer(books.server.channel().await, &books.token);
    both_answer(&Books { admin, ..books }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f15_a_server_that_is_to_stop_stops_whoever_is_connected() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    let token = books.token.clone();
    drop(books);
    let mut server = Server::start_part(
        &data,
        "serve",
        &[("TOLLBOOK_STOP_TIMEOUT", "1"), ("TOLLBOOK_METRICS_ADDR", "127.0.0.1:0")],
    );
    let mut silent = CallsServiceClient::new(bearer(server.channel().await, &token));
    tokio::spawn(async move {
        silent.ingest_calls(tokio_stream::pending::<IngestCallsRequest>()).await
    });
    half_open(&mut server.channel().await, "/tollbook.v1.SessionsService/CreateSession").await;
    let mut unfinished = Vec::new();
    for address in [&server.http, &server.metrics, &server.grpc] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /billing/api/users_get HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nu=";
        stream.write_all(head.as_bytes()).await.unwrap();
        unfinished.push(stream);
    }
    tokio::time::sleep(SECOND / 2).await;
    let begun = Instant::now();
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let status = timeout(10 * SECOND, stopped).await.expect("it does not stop").unwrap();
    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < 6 * SECOND, "{:?}", begun.elapsed());
}

const RATES: usize = 20_000;

/// A tariff of many rates, and its id.
async fn large_tariff(books: &Books) -> i64 {
    let mut tariffs = TariffsServiceClient::new(books.admin.clone());
    let tariff = Tariff { name: "large".to_owned(), ..Default::default() };
    let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await;
    let tariff_id = created.unwrap().into_inner().tariff.unwrap().id;
    let lines = (0..RATES).map(|n| RateLine {
        prefix: format!("9{n:05}"),
        destination: format!("A destination with a name of some length {n}"),
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

/// The gRPC service, for a client that takes little at once.
async fn slow(books: &Books) -> Authorized {
    let channel = Channel::from_shared(format!("http://{}", books.server.grpc)).unwrap();
    let channel = channel.initial_stream_window_size(65_535).connect().await.unwrap();
    bearer(channel, &books.token)
}

/// Sends a legacy request on a connection with a small buffer, of whose answer nothing is read.
async fn unread(server: &Server, method: &str, form: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.http.parse().unwrap()).await.unwrap();
    let head = format!(
        "POST /billing/api/{method} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_who_does_not_read_holds_nothing_of_the_database() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let tariff_id = large_tariff(&books).await;
        let hash = legacy_hash(tariff_id.to_string(), SECRET);
        let form = format!("u=admin&tariff_id={tariff_id}&hash={hash}");
        let mut deaf = Vec::new();
        for _ in 0..24 {
            deaf.push(unread(&books.server, "tariff_rates_get", &form).await);
        }
        let mut streams = Vec::new();
        let mut tariffs = TariffsServiceClient::new(slow(&books).await);
        for _ in 0..24 {
            let request = ExportRatesRequest { tariff_id: Some(tariff_id), ..Default::default() };
            streams.push(tariffs.export_rates(request).await.unwrap());
        }
        tokio::time::sleep(SECOND).await;
        for _ in 0..5 {
            both_answer(&books).await;
            // What changes something finds a connection, too.
            let begun = Instant::now();
            let paid = books.server.legacy(
                "user_balance_update",
                &[("u", "admin"), ("user_id", "4"), ("balance", "1")],
                "41",
            );
            assert!(paid.await.contains("User balance updated"));
            assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
        }
        // Who reads after all gets all of it.
        let mut stream = deaf.pop().unwrap();
        let mut answer = Vec::new();
        let read = async {
            let mut buffer = vec![0; 65_536];
            while !answer.ends_with(b"0\r\n\r\n") {
                let count = stream.read(&mut buffer).await.unwrap();
                assert!(count > 0, "it broke off");
                answer.extend_from_slice(&buffer[..count]);
            }
        };
        timeout(30 * SECOND, read).await.expect("the answer does not end");
        let rates = String::from_utf8(answer).unwrap().matches("<prefix>").count();
        assert_eq!(rates, RATES);
    })
    .await;
}

/// The server with so many calls of `alice`.
async fn with_calls(books: Books, data: &Data, count: usize) -> Books {
    books.send(vec![vec![call(0)]]).await.unwrap();
    let Books { mut server, token, .. } = books;
    server.stop();
    let changed = [
        ("id", "1000000 + i"),
        ("call_id", "'many' || i"),
        ("start_time", "1768903200000000 + i * 1000"),
        ("destination", "'370' || ((i * 7919) % 1000003)"),
    ];
    let mut database = Database::open(data).await;
    database.multiply("calls", "originator_id = 4", count, &changed).await;
    database.close();
    let server = Server::start(data);
    let admin = bearer(server.channel().await, &token);
    Books { server, admin, token }
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_one_customers_long_lists_keep_nobody_from_authorising() {
    on_both(|data| async move {
        let books = with_calls(Books::open(&data).await, &data, 200_000).await;
        let alice = books.server.log_in("alice", "wonderland").await;
        let mut lists = JoinSet::new();
        for _ in 0..64 {
            let mut calls = CallsServiceClient::new(alice.clone());
            let request = ListCallsRequest {
                from: at(START - 36_000),
                till: at(START + 50_399),
                order: CallOrder::Destination.into(),
                with_total: true,
                page_size: 1,
                ..Default::default()
            };
            lists.spawn(async move { calls.list_calls(request).await });
        }
        tokio::time::sleep(SECOND / 4).await;
        let mut accounts = AccountsServiceClient::new(books.admin.clone());
        let mut live = LiveCallsServiceClient::new(books.admin.clone());
        let mut slowest = Duration::ZERO;
        for n in 0..10 {
            let begun = Instant::now();
            let request = GetBalanceRequest { user_id: Some(6), ..Default::default() };
            accounts.get_balance(request).await.unwrap();
            let request = AuthorizeCallRequest {
                call_id: format!("live-{n}"),
                origination_point_id: Some(2),
                destination: "37060000000".to_owned(),
                ..Default::default()
            };
            live.authorize_call(request).await.unwrap();
            slowest = slowest.max(begun.elapsed());
            if n == 0 {
                assert!(!lists.is_empty() && lists.try_join_next().is_none(), "not busy");
            }
        }
        // Another one's lists do not wait behind them either.
        let begun = Instant::now();
        let request = ListCallsRequest {
            from: at(START - 36_000),
            till: at(START + 50_399),
            page_size: 1,
            ..Default::default()
        };
        CallsServiceClient::new(books.admin.clone()).list_calls(request).await.unwrap();
        println!("the slowest took {slowest:?}, a list {:?}", begun.elapsed());
        assert!(slowest < 2 * SECOND, "{slowest:?}");
        assert!(begun.elapsed() < 3 * SECOND, "{:?}", begun.elapsed());
        // What does not get its turn hears why.
        let mut done = 0;
        for list in lists.join_all().await {
            match list {
                Ok(list) => {
                    done += 1;
                    assert_eq!(list.into_inner().total, 200_000);
                }
                Err(busy) => {
                    assert_eq!(busy.code(), tonic::Code::Unavailable);
                    assert!(busy.message().contains("busy"), "{busy:?}");
                }
            }
        }
        println!("{done} of 64 lists");
        assert!(done > 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_rates_of_two_moments_are_never_mixed() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        let tariff_id = large_tariff(&books).await;
        let mut tariffs = TariffsServiceClient::new(slow(&books).await);
        let request = ExportRatesRequest { tariff_id: Some(tariff_id), ..Default::default() };
        let mut stream = tariffs.export_rates(request).await.unwrap().into_inner();
        let mut rates = 0;
        while rates == 0 {
            rates += stream.message().await.unwrap().unwrap().rates.len();
        }
        let line = RateLine { prefix: "8".to_owned(), rate: "1".to_owned(), ..Default::default() };
        let options = ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
        let parts = [
            Part::Options(options),
            Part::Lines(RateLines { lines: vec![line], ..Default::default() }),
        ];
        let parts = parts.map(|part| ImportRatesRequest { part: Some(part) });
        tariffs.import_rates(tokio_stream::iter(parts)).await.unwrap();
        let end = loop {
            match stream.message().await {
                Ok(Some(page)) => rates += page.rates.len(),
                end => break end,
            }
        };
        assert_eq!(end.unwrap_err().code(), tonic::Code::Unavailable);
        assert!(rates < RATES, "{rates}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f17_unfinished_bodies_take_a_bounded_part_of_memory() {
    let data = Data::new(Backend::Sqlite).unwrap();
    let books = Books::open(&data).await;
    both_answer(&books).await;
    let before = resident(books.server.pid());
    let mut clients = JoinSet::new();
    for _ in 0..300 {
        let address = books.server.http.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let head = "POST /billing/api/users_get HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            // All but the last byte; some are turned away before.
            let _ = timeout(4 * SECOND, stream.write_all(&vec![b'x'; 1_048_575])).await;
            stream
        });
    }
    let mut all = Vec::new();
    while let Some(stream) = clients.join_next().await {
        all.push(stream.unwrap());
    }
    let after = resident(books.server.pid());
    println!("{before} MB before, {after} MB with 300 unfinished bodies");
    assert!(after < before + 128, "{before} MB before, {after} MB after");
    both_answer(&books).await;
}

/// How many rows the lists have. By hand with 200,000; fewer where all is compiled for debugging.
fn rows(in_debug: usize) -> usize {
    let asked = std::env::var("LISTED_ROWS").ok().map(|rows| rows.parse().unwrap());
    asked.unwrap_or(in_debug)
}

/// Fills what the lists are of. Returns how many of each there are.
async fn fill(books: Books, data: &Data) -> (Books, [(&'static str, usize); 5]) {
    let mut payments = PaymentsServiceClient::new(books.admin.clone());
    let payment = RecordPaymentRequest {
        user_id: Some(4),
        amount: decimal("1"),
        currency: "USD".to_owned(),
        ..Default::default()
    };
    payments.record_payment(payment).await.unwrap();
    let mut pools = NumberPoolsServiceClient::new(books.admin.clone());
    let pool = CreateNumberPoolRequest { name: "pool".to_owned(), comment: String::new() };
    pools.create_number_pool(pool).await.unwrap();
    books.send(vec![vec![call(0)]]).await.unwrap();
    // Stopped, so that nothing in memory is older.
    let Books { mut server, token, .. } = books;
    server.stop();
    let counts = [
        ("payments", rows(40_000)),
        ("users", rows(4_000)),
        ("number_pools", rows(40_000)),
        ("calls", rows(20_000)),
        ("connection_points", rows(4_000)),
    ];
    let mut database = Database::open(data).await;
    for (table, count) in counts {
        let (condition, changed): (&str, &[(&str, &str)]) = match table {
            "payments" => ("user_id = 4", &[("id", "1000000 + i")]),
            "users" => (
                "id = 4",
                &[
                    ("id", "1000000 + i"),
                    ("username", "'many' || i"),
                    ("uniquehash_sha256", "'hash' || i"),
                ],
            ),
            "number_pools" => ("name = 'pool'", &[("id", "1000000 + i"), ("name", "'pool' || i")]),
            "calls" => (
                "originator_id = 4",
                &[
                    ("id", "1000000 + i"),
                    ("call_id", "'many' || i"),
                    ("start_time", "1768903200000000 + i * 1000"),
                    ("billsec", "(i * 7919) % 10007"),
                ],
            ),
            _ => ("op AND user_id = 4", &[("id", "1000000 + i")]),
        };
        database.multiply(table, condition, count, changed).await;
    }
    let accounts = [("user_id", "1000000 + i")];
    database.multiply("accounts", "user_id = 4", counts[1].1, &accounts).await;
    database.close();
    let server = Server::start(data);
    let admin = bearer(server.channel().await, &token);
    (Books { server, admin, token }, counts)
}

/// What page caches and the allocator come to keep while the first list warms them up, in MB.
const CACHES: usize = 16;

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::type_complexity, reason = "a table of a test")]
async fn f20_long_lists_take_little_memory_and_come_whole() {
    on_both(|data| async move {
        let (books, counts) = fill(Books::open(&data).await, &data).await;
        let (from, till) = ((START - 36_000).to_string(), (START + 50_399).to_string());
        let lists: [(&str, Vec<(&str, &str)>, String, &str); 5] = [
            (
                "payments_get",
                vec![("from_s", "0"), ("till_s", "4000000000")],
                "04000000000".to_owned(),
                "<payment>",
            ),
            ("users_get", vec![("user_id", "all")], "adminall".to_owned(), "<user>"),
            ("number_pools_get", vec![], String::new(), "<number_pool>"),
            (
                "user_calls_get",
                vec![
                    ("period_start", &from),
                    ("period_end", &till),
                    ("s_user", "4"),
                    ("order_by", "nice_billsec"),
                ],
                format!("{from}{till}4"),
                "<call>",
            ),
            ("devices_get", vec![("user_id", "4")], "4".to_owned(), "<device>"),
        ];
        both_answer(&books).await;
        for ((method, mut params, signed, tag), (table, count)) in lists.into_iter().zip(counts) {
            params.push(("u", "admin"));
            let before = resident(books.server.pid());
            forget_peak(books.server.pid());
            let begun = Instant::now();
            let xml = books.server.legacy(method, &params, &signed).await;
            let most = peak(books.server.pid());
            let told = xml.matches(tag).count();
            println!("{method}: {told} of {table} in {:?}, {before} to {most} MB", begun.elapsed());
            assert!(told >= count, "{method}: {told} of {count}: {}", &xml[..xml.len().min(500)]);
            assert!(
                most <= before + 32 + CACHES,
                "{method}: {before} MB before, {most} MB at most"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_calls_in_any_order_come_once_each_and_sorted() {
    on_both(|data| async move {
        let books = Books::open(&data).await;
        books.send(vec![(0..3_000).map(call).collect()]).await.unwrap();
        let (from, till) = ((START - 36_000).to_string(), (START + 50_399).to_string());
        for descending in ["0", "1"] {
            let params = [
                ("period_start", from.as_str()),
                ("period_end", &till),
                ("s_user", "4"),
                ("order_by", "dst"),
                ("order_desc", descending),
                ("u", "admin"),
            ];
            let signed = format!("{from}{till}4{descending}");
            let xml = books.server.legacy("user_calls_get", &params, &signed).await;
            let document = roxmltree::Document::parse(&xml).unwrap();
            let numbers: Vec<&str> = document
                .descendants()
                .filter(|node| node.has_tag_name("dst"))
                .map(|node| node.text().unwrap_or_default())
                .collect();
            assert_eq!(numbers.len(), 2_000);
            let ordered = match descending {
                "1" => numbers.is_sorted_by(|one, other| one >= other),
                _ => numbers.is_sorted(),
            };
            assert!(ordered, "{numbers:?}");
        }
    })
    .await;
}
