//! The clients: each goes on until it is told to stop, and says what it did.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, AuthorizeCallRequest, CallRecord, FinishCallRequest, IngestCallsRequest,
    RecordPaymentRequest, StartCallRequest, accounts_service_client::AccountsServiceClient,
    calls_service_client::CallsServiceClient, live_calls_service_client::LiveCallsServiceClient,
    payments_service_client::PaymentsServiceClient,
};
use tonic::codegen::tokio_stream;

use super::Shared;
use crate::{
    books::{self, START},
    contract::decimal,
    legacy_hash,
    server::SECRET,
};

/// Users whom one client each changes: 20 and up.
pub(super) const FIRST_USER: i64 = 20;
/// Clients that change balances, and that record payments.
pub(super) const CLIENTS: i64 = 8;
/// Calls in a batch.
const BATCH: i64 = 40;

/// What a client did in a round.
pub(super) enum Done {
    Balance {
        user: i64,
        amount: i64,
    },
    Legacy {
        answered: i64,
        unknown: i64,
    },
    /// By the note of each update whether it was answered.
    Once {
        user: i64,
        updates: Vec<(String, bool)>,
    },
    Calls,
}

/// Starts all clients.
pub(super) fn start(shared: &Arc<Shared>, round: i64) -> JoinSet<Done> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        clients.spawn(adjust(shared.clone(), FIRST_USER + client, round));
        clients.spawn(pay(shared.clone(), FIRST_USER + CLIENTS + client, round));
    }
    for client in 0..3 {
        clients.spawn(ingest(shared.clone(), client, round));
        clients.spawn(live(shared.clone(), client, round));
    }
    clients.spawn(legacy(shared.clone(), FIRST_USER + 2 * CLIENTS));
    for client in 1..=4 {
        clients.spawn(once(shared.clone(), FIRST_USER + 2 * CLIENTS + client, round));
    }
    clients
}

/// A client without keys that never repeats itself: each update counts once if it was answered,
/// and else at most once. Its note tells it from all others.
async fn once(shared: Arc<Shared>, user: i64, round: i64) -> Done {
    let mut updates = Vec::new();
    for (number, core) in (0..).zip(shared.cores.iter().cycle()) {
        if !shared.goes_on() {
            break;
        }
        let note = format!("{round}-{number}");
        let request = AdjustBalanceRequest {
            user_id: Some(user),
            amount: decimal("1"),
            note: note.clone(),
            ..Default::default()
        };
        let answer = AccountsServiceClient::new(core.clone()).adjust_balance(request).await;
        if answer.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        updates.push((note, answer.is_ok()));
    }
    Done::Once { user, updates }
}

async fn adjust(shared: Arc<Shared>, user: i64, round: i64) -> Done {
    let mut amount = 0;
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let request = AdjustBalanceRequest {
            user_id: Some(user),
            amount: decimal(&(number % 7 + 1).to_string()),
            idempotency_key: format!("{user}-{round}-{number}"),
            note: format!("{user}"),
        };
        let request = &request;
        let send = |core| async move {
            AccountsServiceClient::new(core).adjust_balance(request.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            amount += number % 7 + 1;
        }
    }
    Done::Balance { user, amount }
}

async fn pay(shared: Arc<Shared>, user: i64, round: i64) -> Done {
    let mut amount = 0;
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let request = RecordPaymentRequest {
            user_id: Some(user),
            amount: decimal("3"),
            currency: "USD".to_owned(),
            idempotency_key: format!("{user}-{round}-{number}"),
            ..Default::default()
        };
        let request = &request;
        let send = |core| async move {
            PaymentsServiceClient::new(core).record_payment(request.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            amount += 3;
        }
    }
    Done::Balance { user, amount }
}

fn call(id: String, number: i64) -> CallRecord {
    CallRecord {
        call_id: id,
        start_time: books::at(START + number % 40_000),
        ..books::call(5 * number)
    }
}

async fn ingest(shared: Arc<Shared>, client: i64, round: i64) -> Done {
    for batch in 0.. {
        if !shared.goes_on() {
            break;
        }
        let calls: Vec<_> = (0..BATCH)
            .map(|n| call(format!("batch-{client}-{round}-{batch}-{n}"), batch * BATCH + n))
            .collect();
        let calls = &calls;
        let send = |core| async move {
            let messages = tokio_stream::iter([IngestCallsRequest {
                calls: calls.clone(),
                ..Default::default()
            }]);
            CallsServiceClient::new(core).ingest_calls(messages).await
        };
        if let Some(taken) = shared.answered(send).await {
            let taken = taken.into_inner();
            if taken.stored + taken.duplicates != BATCH {
                shared.violation(format!("a batch was not taken whole: {taken:?}"));
            }
            shared.calls.fetch_add(BATCH, Ordering::Relaxed);
        }
    }
    Done::Calls
}

async fn live(shared: Arc<Shared>, client: i64, round: i64) -> Done {
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let call_id = format!("live-{client}-{round}-{number}");
        let authorize = AuthorizeCallRequest {
            call_id: call_id.clone(),
            source: "37060000001".to_owned(),
            destination: "37061234567".to_owned(),
            originator: "user6".to_owned(),
            terminator_ids: vec![5],
            max_duration: 60,
            ..Default::default()
        };
        let authorize = &authorize;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).authorize_call(authorize.clone()).await
        };
        let Some(answer) = shared.answered(send).await else { continue };
        if answer.get_ref().reject_code != 0 {
            shared.violation(format!("a call was refused: {answer:?}"));
            continue;
        }
        let start = StartCallRequest { call_id: call_id.clone(), answer_time: None };
        let start = &start;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).start_call(start.clone()).await.map(drop)
        };
        shared.answered(send).await;
        let record = CallRecord { call_id, billsec_ms: Some(7_000), ..Default::default() };
        let finish = FinishCallRequest { call: Some(record) };
        let finish = &finish;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).finish_call(finish.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            shared.calls.fetch_add(1, Ordering::Relaxed);
        }
    }
    Done::Calls
}

/// A client that has no key to repeat under: what was not answered may or may not have been
/// done.
async fn legacy(shared: Arc<Shared>, user: i64) -> Done {
    let http = reqwest::Client::new();
    let user = user.to_string();
    let hash = legacy_hash(format!("{user}1"), SECRET);
    let form = [("u", "admin"), ("user_id", &user), ("balance", "1"), ("hash", &hash)];
    let (mut answered, mut unknown) = (0, 0);
    for url in shared.shims.iter().cycle() {
        if !shared.goes_on() {
            break;
        }
        let answer = async { http.post(url).form(&form).send().await?.text().await };
        match answer.await {
            Ok(text) if text.contains("User balance updated") => answered += 1,
            Ok(text)
                if text.contains("Service is temporarily unavailable")
                    || text.contains("Internal error") =>
            {
                unknown += 1;
            }
            Ok(text) => shared.violation(format!("a legacy client was told: {text}")),
            Err(_) => unknown += 1,
        }
    }
    Done::Legacy { answered, unknown }
}
