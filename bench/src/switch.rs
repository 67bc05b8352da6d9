//! The work of a switch that asks call by call: what does it cost, may it be made, here it was.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use futures_util::stream;
use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AuthorizeCallRequest, CallRecord, Decimal, FinishCallRequest, IngestCallsRequest,
    RateCallRequest, StartCallRequest, calls_service_client::CallsServiceClient,
    live_calls_service_client::LiveCallsServiceClient, rating_service_client::RatingServiceClient,
};

use crate::client::{Core, connect};
use crate::{calls::Books, load};

/// What each client does over and over.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Asks for the price of a call.
    Price,
    /// Delivers one call, and waits until it is charged and durable.
    Single,
    /// Has a call authorised, says that it was answered, and that it has ended.
    Live,
}

impl Work {
    /// How many kinds there are.
    pub(crate) const COUNT: usize = 3;
}

/// Clients with a connection and with calls of their own, each asking one thing at a time.
pub(crate) struct Switches {
    clients: Vec<Core>,
}

impl Switches {
    pub(crate) async fn connect(address: SocketAddr, clients: usize) -> anyhow::Result<Self> {
        let mut all = Vec::with_capacity(clients);
        for _ in 0..clients {
            all.push(connect(address).await?);
        }
        Ok(Self { clients: all })
    }

    /// Works for a while; returns how many calls were done per second. `seed` makes the calls:
    /// each run has others.
    pub(crate) async fn run(
        self,
        work: Work,
        books: &Books,
        seed: u64,
        duration: Duration,
    ) -> anyhow::Result<f64> {
        // More than a client can bring.
        const CALLS: u64 = 5_000_000;
        let day = crate::calls::yesterday()?;
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (number, core) in (1_u64..).zip(self.clients) {
            let mut calls = books.day(seed * 1_000 + number, day, CALLS);
            let tariff = books.tariff_of_originators();
            tasks.spawn(async move {
                let mut done = 0_u32;
                while start.elapsed() < duration {
                    let call = calls.next().context("calls for ever")?;
                    match work {
                        Work::Price => price(&core, tariff, call).await?,
                        Work::Single => single(&core, call).await?,
                        Work::Live => live(&core, call).await?,
                    }
                    done += 1;
                }
                anyhow::Ok(done)
            });
        }
        load::rate(tasks, start).await
    }
}

async fn price(core: &Core, tariff: i64, call: CallRecord) -> anyhow::Result<()> {
    let request = RateCallRequest {
        number: call.destination,
        duration: Some(Decimal { value: "90".to_owned() }),
        tariff_id: Some(tariff),
        ..Default::default()
    };
    let answer = RatingServiceClient::new(core.clone()).rate_call(request).await?.into_inner();
    ensure!(answer.price.is_some(), "a call has no price");
    Ok(())
}

async fn single(core: &Core, call: CallRecord) -> anyhow::Result<()> {
    let request = stream::iter([IngestCallsRequest { calls: vec![call], ..Default::default() }]);
    let taken = CallsServiceClient::new(core.clone()).ingest_calls(request).await?.into_inner();
    ensure!(taken.stored == 1, "a call was not taken: {:?}", taken.rejected_calls.first());
    Ok(())
}

async fn live(core: &Core, call: CallRecord) -> anyhow::Result<()> {
    let mut calls = LiveCallsServiceClient::new(core.clone());
    let request = AuthorizeCallRequest {
        call_id: call.call_id.clone(),
        source: call.source,
        destination: call.destination,
        originator: call.originator,
        ..Default::default()
    };
    let answer = calls.authorize_call(request).await?.into_inner();
    ensure!(answer.max_duration > 0, "a call was refused: {}", answer.reject_reason);
    let request = StartCallRequest { call_id: call.call_id.clone(), ..Default::default() };
    calls.start_call(request).await?;
    let call = CallRecord { call_id: call.call_id, ..Default::default() };
    calls.finish_call(FinishCallRequest { call: Some(call) }).await?;
    Ok(())
}
