//! Calls end to end: streamed in, rated, stored, charged and counted, all of it durable.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    pin::pin,
    time::{Duration, Instant},
};

use crate::{
    client::{self, Core},
    traffic::{Numbers, Traffic},
};
use crate::{
    load::{self, Http},
    process::{Process, legacy_hash},
    transactions::connect,
};
use anyhow::{Context, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use tokio_postgres::Client;
use tollbook_proto::v1::{
    CallRecord, CreateTariffRequest, CreateUserRequest, ImportRatesOptions, ImportRatesRequest,
    IngestCallsRequest, RateLine, RateLines, Tariff, User,
    calls_service_client::CallsServiceClient, import_rates_request::Part,
    tariffs_service_client::TariffsServiceClient, users_service_client::UsersServiceClient,
};

/// How many prefixes each tariff has.
const PREFIXES: usize = 100_000;
const ORIGINATORS: usize = 50;
const TERMINATORS: usize = 10;
/// Calls per message.
const CHUNK: usize = 500;

/// A server with users and tariffs for calls.
pub(crate) struct Books {
    core: Core,
    prefixes: Vec<String>,
    /// What the names of its users begin with.
    name: String,
    tariff_of_originators: i64,
}

impl Books {
    /// Users and tariffs whose names begin with `name`: a database may get several.
    pub(crate) async fn open(address: SocketAddr, name: &str) -> anyhow::Result<Self> {
        // The token of the demo data set's admin.
        let core = client::connect(address).await?;
        let mut numbers = Numbers::new(815);
        let mut prefixes = BTreeSet::new();
        while prefixes.len() < PREFIXES {
            prefixes.insert(format!("{}", 10_000 + numbers.below(9_990_000)));
        }
        let mut books = Self {
            core,
            prefixes: prefixes.into_iter().collect(),
            name: name.to_owned(),
            tariff_of_originators: 0,
        };
        for (side, count) in [("originator", ORIGINATORS), ("terminator", TERMINATORS)] {
            let side = format!("{name}{side}");
            let tariff_id = books.tariff(&side, &mut numbers).await?;
            if books.tariff_of_originators == 0 {
                books.tariff_of_originators = tariff_id;
            }
            for number in 0..count {
                let user = User {
                    username: format!("{side}{number}"),
                    tariff_id,
                    postpaid: true,
                    ..Default::default()
                };
                let request = CreateUserRequest { user: Some(user), ..Default::default() };
                UsersServiceClient::new(books.core.clone()).create_user(request).await?;
            }
        }
        Ok(books)
    }

    /// The tariff by which the originators pay.
    pub(crate) fn tariff_of_originators(&self) -> i64 {
        self.tariff_of_originators
    }

    async fn tariff(&self, name: &str, numbers: &mut Numbers) -> anyhow::Result<i64> {
        let mut tariffs = TariffsServiceClient::new(self.core.clone());
        let tariff = Tariff { name: name.to_owned(), ..Default::default() };
        let created = tariffs.create_tariff(CreateTariffRequest { tariff: Some(tariff) }).await?;
        let tariff_id = created.into_inner().tariff.unwrap_or_default().id;
        let lines = self.prefixes.iter().map(|prefix| RateLine {
            prefix: prefix.clone(),
            rate: format!("0.{:04}", numbers.below(10_000)),
            increment: ["1", "6", "60"][usize::try_from(numbers.below(3)).unwrap_or(0)].to_owned(),
            ..Default::default()
        });
        let lines: Vec<RateLine> = lines.collect();
        let options = ImportRatesOptions { tariff_id: Some(tariff_id), ..Default::default() };
        let first = ImportRatesRequest { part: Some(Part::Options(options)) };
        let rest = lines.chunks(1_000).map(|lines| ImportRatesRequest {
            part: Some(Part::Lines(RateLines { lines: lines.to_vec(), ..Default::default() })),
        });
        let parts = stream::iter([first]).chain(stream::iter(rest.collect::<Vec<_>>()));
        tariffs.import_rates(parts).await?;
        Ok(tariff_id)
    }

    /// Calls of the day that begins at `start`; of today, those that have begun.
    pub(crate) fn day(
        &self,
        seed: u64,
        start: i64,
        count: u64,
    ) -> impl Iterator<Item = CallRecord> + Send + use<> {
        let name = &self.name;
        let users =
            |side, count| (0..count).map(|number| format!("{name}{side}{number}")).collect();
        let traffic = Traffic::new(
            seed,
            start,
            count,
            users("originator", ORIGINATORS),
            users("terminator", TERMINATORS),
            self.prefixes.clone(),
        );
        let now = jiff::Timestamp::now().as_second();
        traffic.take_while(move |call| call.start_time.is_none_or(|start| start.seconds < now))
    }

    /// Streams calls in; returns how many were taken per second.
    #[allow(clippy::cast_precision_loss, reason = "millions")]
    pub(crate) async fn send(
        &self,
        calls: impl Iterator<Item = CallRecord> + Send + 'static,
    ) -> anyhow::Result<f64> {
        let start = Instant::now();
        let messages = stream::iter(calls)
            .chunks(CHUNK)
            .map(|calls| IngestCallsRequest { calls, ..Default::default() });
        let taken = CallsServiceClient::new(self.core.clone()).ingest_calls(messages).await?;
        let taken = taken.into_inner();
        let refused = taken.rejected_calls.first();
        ensure!(taken.stored == taken.received, "calls were not taken, the first: {refused:?}");
        Ok(taken.stored as f64 / start.elapsed().as_secs_f64())
    }
}

/// The calls of a PostgreSQL database, copied into a table without indexes.
pub(crate) struct Copy {
    client: Client,
    rows: Bytes,
    count: i64,
}

impl Copy {
    /// Reads all calls.
    pub(crate) async fn of(url: &str) -> anyhow::Result<Self> {
        let client = connect(url).await?;
        let count = client.query_one("SELECT COUNT(*) FROM calls", &[]).await?.try_get(0)?;
        let copied = client.copy_out("COPY calls TO STDOUT").await?;
        let parts: Vec<Bytes> = copied.try_collect().await?;
        Ok(Self { client, rows: parts.concat().into(), count })
    }

    /// Copies them in; returns how many rows per second.
    #[allow(clippy::cast_precision_loss, reason = "millions")]
    pub(crate) async fn run(&mut self) -> anyhow::Result<f64> {
        let create = "DROP TABLE IF EXISTS bench_calls; \
                      CREATE TABLE bench_calls AS SELECT * FROM calls WHERE FALSE";
        self.client.batch_execute(create).await?;
        let start = Instant::now();
        let mut copy = pin!(self.client.copy_in("COPY bench_calls FROM STDIN").await?);
        let mut left = self.rows.clone();
        while !left.is_empty() {
            let part = left.split_to(left.len().min(1 << 20));
            copy.feed(part).await?;
        }
        copy.finish().await?;
        Ok(self.count as f64 / start.elapsed().as_secs_f64())
    }
}

/// Answers of `quickstats_get` per second, to one client that asks one after the other.
pub(crate) async fn quick_stats(server: &Process, duration: Duration) -> anyhow::Result<f64> {
    let form = format!("u=admin&hash={}", legacy_hash(""));
    let request = load::post("/billing/api/quickstats_get", &form);
    Http::connect(server.http()?, 1, request).await?.run(duration).await
}

/// When the last day began that is over, in UTC.
pub(crate) fn yesterday() -> anyhow::Result<i64> {
    let day = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::now()).date().yesterday()?;
    Ok(jiff::tz::TimeZone::UTC
        .to_timestamp(day.to_datetime(jiff::civil::Time::midnight()))?
        .as_second())
}

/// When the days of this month began in UTC, up to today.
pub(crate) fn days_of_month() -> anyhow::Result<Vec<i64>> {
    let now = jiff::Timestamp::now();
    let date = jiff::tz::TimeZone::UTC.to_datetime(now).date();
    (1..=date.day())
        .map(|day| {
            let start = jiff::civil::Date::new(date.year(), date.month(), day)?;
            let start = start.to_datetime(jiff::civil::Time::midnight());
            Ok(jiff::tz::TimeZone::UTC.to_timestamp(start).context("a day")?.as_second())
        })
        .collect()
}
