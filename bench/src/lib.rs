//! `tollbook bench`: ratios that a machine's speed does not change, measured in one run.
//!
//! The servers are processes of their own, so that load and service share nothing but the
//! machine. What is compared is run in turns, several times, and the medians are compared:
//! a noisy machine is noisy to both sides.

#![allow(clippy::float_arithmetic, reason = "rates and ratios of measurements, not money")]

mod bare;
mod calls;
mod client;
mod crowd;
mod delay;
mod load;
mod pools;
mod process;
mod rating;
mod switch;
pub mod traffic;
mod transactions;

use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use tollbook_core::DatabaseUrl;

use load::{Grpc, Http};
use process::Process;
use switch::{Switches, Work};

/// What `tollbook bench` takes.
#[derive(clap::Args)]
pub struct Args {
    /// What to measure [default: all]
    #[arg(value_enum)]
    what: Vec<What>,
    /// Seconds that each side runs in each round
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// How many rounds
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How many calls are streamed in, and the larger number of stored calls that quick stats
    /// are measured at
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// How many idle and slow connections are held
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// How many clients there are when twice as much is asked for as can be served
    #[arg(long, default_value_t = 1024)]
    clients: usize,
    /// An empty PostgreSQL database to measure updates and calls on, too, as it is and as if it
    /// were a millisecond away. Over TCP, as it is deployed: `postgres://USER@HOST:PORT/NAME`
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// (for the command's own use) be a bare server
    #[arg(long, value_enum, hide = true)]
    bare: Option<bare::Bare>,
}

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Legacy `user_simple_balance_get` against a bare axum handler
    Http,
    /// `GetBalance` against a bare tonic service
    Grpc,
    /// Durable `user_balance_update` against one transaction per update
    Updates,
    /// Resident memory at rest and under load
    Memory,
    /// Rating in memory, on one core, against a hash map probed by every prefix length
    Rating,
    /// Latency while --connections idle and slow connections are held, and what is answered at
    /// twice the load that can be served
    Crowd,
    /// Looking a number up in a pool of a million, on one core
    Pools,
    /// `IngestCalls`, and on PostgreSQL `COPY` of the same rows into a table without indexes
    Calls,
    /// Legacy `quickstats_get` at ten thousand and at --calls stored calls
    Quickstats,
    /// Two cores on one PostgreSQL against one
    Cores,
    /// `RateCall`, one call a request, against a bare tonic service with messages of that size
    Price,
    /// One call a request, charged and durable, against one transaction each
    Single,
    /// `AuthorizeCall`, `StartCall` and `FinishCall` of each call, against one transaction each
    Live,
}

/// How many clients there are at once.
const CLIENTS: usize = 64;

/// Measures, and prints what it found.
///
/// # Errors
/// A server could not be started, or answered otherwise than it should.
pub async fn run(args: Args) -> anyhow::Result<()> {
    if let Some(bare) = args.bare {
        return bare::serve(bare).await;
    }
    let all = [
        What::Http,
        What::Grpc,
        What::Updates,
        What::Memory,
        What::Rating,
        What::Crowd,
        What::Pools,
        What::Calls,
        What::Quickstats,
        What::Cores,
        What::Price,
        What::Single,
        What::Live,
    ];
    let what = if args.what.is_empty() { all.to_vec() } else { args.what.clone() };
    for what in what {
        match what {
            What::Http => http(&args).await,
            What::Grpc => grpc(&args).await,
            What::Updates => updates(&args).await,
            What::Memory => memory(&args).await,
            What::Rating => {
                rating(&args);
                Ok(())
            }
            What::Crowd => crowd(&args).await,
            What::Pools => {
                number_pool(&args);
                Ok(())
            }
            What::Calls => ingestion(&args).await,
            What::Quickstats => quick_stats(&args).await,
            What::Cores => cores(&args).await,
            What::Price => price(&args).await,
            What::Single => by_call(&args, Work::Single).await,
            What::Live => by_call(&args, Work::Live).await,
        }?;
    }
    Ok(())
}

/// A side of a comparison: its name, and its rate in each round.
struct Side {
    name: &'static str,
    rates: Vec<f64>,
}

impl Side {
    fn new(name: &'static str) -> Self {
        Self { name, rates: Vec::new() }
    }

    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }
}

/// Prints the median rates, and the ratio of each side to the first.
fn report(title: &str, sides: &[Side]) {
    println!("{title}");
    let base = sides.first().map(Side::median).unwrap_or_default();
    for side in sides {
        let (least, most) = side
            .rates
            .iter()
            .fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
        println!(
            "  {:<44} {:>9.0}/s  ({least:.0} to {most:.0})  ratio {:.2}",
            side.name,
            side.median(),
            side.median() / base
        );
    }
}

impl Args {
    fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// A request for the demo user's balance, signed.
fn balance_request() -> Vec<u8> {
    let hash = process::legacy_hash("acme");
    load::post("/billing/api/user_simple_balance_get", &format!("username=acme&hash={hash}"))
}

async fn http(args: &Args) -> anyhow::Result<()> {
    let bare = Process::bare("axum")?;
    let together = Process::serve(None)?;
    let core = Process::part("core", &[])?;
    let token = core.shim_token()?;
    let url = format!("http://{}", core.grpc()?);
    let shim =
        Process::part("shim", &[("TOLLBOOK_SHIM_TOKEN", &token), ("TOLLBOOK_CORE_URL", &url)])?;
    let mut sides = [
        Side::new("bare axum handler"),
        Side::new("tollbook serve"),
        Side::new("core and shim apart"),
    ];
    for _ in 0..args.rounds {
        for (side, process) in sides.iter_mut().zip([&bare, &together, &shim]) {
            let load = Http::connect(process.http()?, CLIENTS, balance_request()).await?;
            side.rates.push(load.run(args.duration()).await?);
        }
    }
    report("(a) legacy user_simple_balance_get", &sides);
    Ok(())
}

async fn grpc(args: &Args) -> anyhow::Result<()> {
    let bare = Process::bare("tonic")?;
    let server = Process::serve(None)?;
    let mut sides = [Side::new("bare tonic service"), Side::new("tollbook GetBalance")];
    for _ in 0..args.rounds {
        for (side, process) in sides.iter_mut().zip([&bare, &server]) {
            let load = Grpc::connect(process.grpc()?, CLIENTS).await?;
            side.rates.push(load.run(args.duration()).await?);
        }
    }
    report("(b) gRPC GetBalance", &sides);
    Ok(())
}

/// A database to measure on, by what it is called; without a URL an SQLite of its own.
struct Place {
    title: &'static str,
    url: Option<String>,
}

/// How far away a PostgreSQL is measured, too.
const AWAY: Duration = Duration::from_millis(1);

impl Args {
    /// The databases to measure on.
    fn places(&self) -> anyhow::Result<Vec<Place>> {
        let mut places = vec![Place { title: "on SQLite", url: None }];
        if let Some(url) = &self.postgres {
            places.push(Place { title: "on PostgreSQL", url: Some(url.clone()) });
            let away = delay::through_proxy(url, AWAY)?;
            places.push(Place { title: "on PostgreSQL, 1 ms away", url: Some(away) });
        }
        Ok(places)
    }
}

impl Place {
    /// Starts a server on it, and what it is compared with.
    async fn open(&self) -> anyhow::Result<(Process, transactions::Bare)> {
        let server = Process::serve(self.url.as_deref())?;
        let database = match &self.url {
            Some(url) => url.parse().map_err(anyhow::Error::msg)?,
            None => DatabaseUrl::Sqlite(server.data().join("tollbook.db")),
        };
        let bare = transactions::Bare::open(&database).await;
        Ok((server, bare.context("the database of the server")?))
    }
}

/// How many connections there are where switches ask call by call.
const CONNECTIONS: [usize; 3] = [1, 16, 64];

async fn price(args: &Args) -> anyhow::Result<()> {
    let bare = Process::bare("tonic")?;
    let server = Process::serve(None)?;
    let books = calls::Books::open(server.grpc()?, "").await?;
    for connections in CONNECTIONS {
        let mut sides = [Side::new("bare tonic service"), Side::new("tollbook RateCall")];
        for round in 0..args.rounds {
            for (side, process) in sides.iter_mut().zip([&bare, &server]) {
                let switches = Switches::connect(process.grpc()?, connections).await?;
                let seed = u64::try_from(round)?;
                let rate = switches.run(Work::Price, &books, seed, args.duration()).await?;
                side.rates.push(rate);
            }
        }
        report(&format!("(l) the price of a call, {connections} connections"), &sides);
    }
    Ok(())
}

/// Calls that are brought one by one, on each database.
async fn by_call(args: &Args, work: Work) -> anyhow::Result<()> {
    let (name, title) = match work {
        Work::Price => ("price", "(l) the price of a call"),
        Work::Single => ("single", "(m) one call a request, charged and durable"),
        Work::Live => ("live", "(n) calls authorised, started and finished"),
    };
    for (number, place) in args.places()?.iter().enumerate() {
        let (server, bare) = place.open().await?;
        let books = calls::Books::open(server.grpc()?, &format!("{name}{number}_")).await?;
        for connections in CONNECTIONS {
            let mut sides = [Side::new("one transaction, no server"), Side::new("tollbook")];
            for round in 0..args.rounds {
                sides[0].rates.push(bare.run(connections, args.duration()).await?);
                let switches = Switches::connect(server.grpc()?, connections).await?;
                // Other calls in each run: several places may be one database.
                let run = (number * 100 + connections) * 1_000 + round;
                let seed = u64::try_from(run * Work::COUNT + work as usize)?;
                sides[1].rates.push(switches.run(work, &books, seed, args.duration()).await?);
            }
            report(&format!("{title}, {connections} connections, {}", place.title), &sides);
        }
    }
    Ok(())
}

async fn updates(args: &Args) -> anyhow::Result<()> {
    for place in args.places()? {
        let (server, bare) = place.open().await?;
        let mut sides =
            [Side::new("one transaction per update, no server"), Side::new("tollbook serve")];
        for _ in 0..args.rounds {
            sides[0].rates.push(bare.run(CLIENTS, args.duration()).await?);
            let requests = (0..CLIENTS).map(|client| update_request(2 + client % 3)).collect();
            let load = Http::connect_each(server.http()?, requests).await?;
            sides[1].rates.push(load.run(args.duration()).await?);
        }
        let title = place.title;
        report(&format!("(c) durable user_balance_update, {CLIENTS} clients, {title}"), &sides);
    }
    Ok(())
}

async fn memory(args: &Args) -> anyhow::Result<()> {
    let server = Process::serve(None)?;
    let at_rest = server.resident_kib()?;
    let load = Http::connect(server.http()?, CLIENTS, balance_request()).await?;
    load.run(args.duration() * 2).await?;
    let under_load = server.resident_kib()?;
    println!("(d) resident memory of tollbook serve on SQLite");
    println!("  at rest     {:>7.1} MiB", mib(at_rest));
    println!("  under load  {:>7.1} MiB, {CLIENTS} connections", mib(under_load));
    Ok(())
}

async fn crowd(args: &Args) -> anyhow::Result<()> {
    let server = Process::serve(None)?;
    let address = server.http()?;
    let latency =
        async || crowd::median_latency(address, &balance_request(), args.duration()).await;
    let alone = latency().await?;
    let held = crowd::Crowd::gather(address, args.connections).await?;
    let crowded = latency().await?;
    println!("(i) user_simple_balance_get, one client, median latency");
    println!("  alone                                       {alone:>9.0} us");
    println!(
        "  beside {:>6} idle and slow connections     {crowded:>9.0} us  {:.2} times",
        args.connections,
        crowded / alone
    );
    drop(held);
    for (what, request) in [
        ("user_simple_balance_get", balance_request as fn() -> Vec<u8>),
        ("durable user_balance_update", || update_request(2)),
    ] {
        let load = Http::connect_each(address, vec![request(); CLIENTS * 4]).await?;
        let best = load.run(args.duration()).await?;
        let requests = vec![request(); args.clients];
        let (answered, refused) =
            crowd::flood(address, requests, 2.0 * best, args.duration() * 2).await?;
        println!("(j) {what} at twice the load that can be served");
        println!("  at its best                                 {best:>9.0}/s");
        println!(
            "  with twice as much asked for                {answered:>9.0}/s  ratio {:.2}; {refused:.0}/s were refused",
            answered / best
        );
    }
    Ok(())
}

/// A request that adds 1 to a user's balance, signed.
fn update_request(user: usize) -> Vec<u8> {
    let hash = process::legacy_hash(&format!("{user}1"));
    let form = format!("u=admin&user_id={user}&balance=1&hash={hash}");
    load::post("/billing/api/user_balance_update", &form)
}

fn rating(args: &Args) {
    let rating = rating::Rating::new();
    let mut sides = [Side::new("hash map, every prefix length"), Side::new("compiled deck")];
    for _ in 0..args.rounds {
        sides[0].rates.push(rating.by_map());
        sides[1].rates.push(rating.by_deck());
    }
    report("(e) rating alone, 300,000 prefixes, one core", &sides);
    println!("  {:.1} bytes per prefix", rating.bytes_per_prefix());
}

fn number_pool(args: &Args) {
    let pool = pools::Pool::new();
    let mut sides = [Side::new("binary search for the number alone"), Side::new("number pool")];
    for _ in 0..args.rounds {
        sides[0].rates.push(pool.by_search());
        sides[1].rates.push(pool.by_patterns());
    }
    report("(h) a number in a pool of a million, with a thousand patterns, one core", &sides);
    println!("  {:.2} microseconds each", 1e6 / sides[1].median());
}

async fn ingestion(args: &Args) -> anyhow::Result<()> {
    let day = calls::yesterday()?;
    let title = format!("(f) IngestCalls, {} calls of a day", args.calls);
    let server = Process::serve(None)?;
    let books = calls::Books::open(server.grpc()?, "").await?;
    let mut sqlite = Side::new("on SQLite");
    sqlite.rates.push(books.send(books.day(1, day, args.calls)).await?);
    report(&title, &[sqlite]);
    let Some(url) = &args.postgres else { return Ok(()) };
    let server = Process::serve(Some(url))?;
    let books = calls::Books::open(server.grpc()?, "").await?;
    let mut sides = [Side::new("COPY into a table without indexes"), Side::new("on PostgreSQL")];
    sides[1].rates.push(books.send(books.day(1, day, args.calls)).await?);
    let mut copy = calls::Copy::of(url).await?;
    for _ in 0..args.rounds {
        sides[0].rates.push(copy.run().await?);
    }
    report(&title, &sides);
    Ok(())
}

async fn quick_stats(args: &Args) -> anyhow::Result<()> {
    const FEW: u64 = 10_000;
    let days = calls::days_of_month()?;
    let mut servers = Vec::new();
    for count in [FEW, args.calls] {
        let server = Process::serve(None)?;
        let books = calls::Books::open(server.grpc()?, "").await?;
        let per_day = count / u64::try_from(days.len())?;
        for (seed, day) in (1..).zip(&days) {
            books.send(books.day(seed, *day, per_day)).await?;
        }
        servers.push(server);
    }
    let mut sides = [Side::new("at 10,000 stored calls"), Side::new("at --calls stored calls")];
    for _ in 0..args.rounds {
        for (side, server) in sides.iter_mut().zip(&servers) {
            side.rates.push(calls::quick_stats(server, args.duration()).await?);
        }
    }
    report(&format!("(g) quickstats_get, one client, {FEW} and {} calls", args.calls), &sides);
    let slower = sides[0].median() / sides[1].median();
    println!("  latency at the larger number: {slower:.2} times");
    Ok(())
}

async fn cores(args: &Args) -> anyhow::Result<()> {
    let Some(url) = args.postgres.as_deref() else { return Ok(()) };
    let one = Process::serve(Some(url))?;
    let two = Process::serve(Some(url))?;
    for (title, request) in [
        ("user_simple_balance_get", (|_| balance_request()) as fn(usize) -> Vec<u8>),
        ("durable user_balance_update", |client| update_request(2 + client % 3)),
    ] {
        let mut sides = [Side::new("one core"), Side::new("two cores")];
        for _ in 0..args.rounds {
            let requests = |half: usize| -> Vec<Vec<u8>> {
                (0..CLIENTS).filter(|client| half == 2 || client % 2 == half).map(request).collect()
            };
            let load = Http::connect_each(one.http()?, requests(2)).await?;
            sides[0].rates.push(load.run(args.duration()).await?);
            let left = Http::connect_each(one.http()?, requests(0)).await?;
            let right = Http::connect_each(two.http()?, requests(1)).await?;
            let (left, right) =
                tokio::try_join!(left.run(args.duration()), right.run(args.duration()))?;
            sides[1].rates.push(left + right);
        }
        report(&format!("(k) {title}, {CLIENTS} clients, on one PostgreSQL"), &sides);
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
