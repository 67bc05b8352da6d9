//! What is measured, under which names. Whoever runs the core decides where it goes.

use std::{
    sync::{Arc, OnceLock, Weak},
    time::{Duration, Instant},
};

use metrics::{Counter, Histogram, SharedString, counter, gauge, histogram};
use tollbook_proto::v1::RejectCode;

use crate::{calls::intake::Taken, context::Context};

/// How often the gauges are set.
const GAUGE_INTERVAL: Duration = Duration::from_secs(5);

/// An rpc as it is measured. What every call of it needs is looked up once.
#[derive(Debug, Default)]
pub(crate) struct Rpc {
    succeeded: OnceLock<Counter>,
    seconds: OnceLock<Histogram>,
}

impl Rpc {
    /// It was answered: with its gRPC code, after this long.
    pub(crate) fn answered(&self, name: &Arc<str>, code: tonic::Code, begun: Instant) {
        let rpc = || SharedString::from_shared(name.clone());
        let answered = |code| counter!("tollbook_rpc_total", "rpc" => rpc(), "code" => code);
        match code {
            tonic::Code::Ok => self.succeeded.get_or_init(|| answered("Ok".into())).increment(1),
            code => answered(SharedString::from(format!("{code:?}"))).increment(1),
        }
        let seconds = || histogram!("tollbook_rpc_seconds", "rpc" => rpc());
        self.seconds.get_or_init(seconds).record(begun.elapsed());
    }
}

/// The hash of a legacy request was made of this one of its accepted inputs, counted from 1;
/// none, which is counted as 0: of none.
pub(crate) fn legacy_hash(method: &'static str, input: Option<u32>) {
    let input = input.unwrap_or_default();
    counter!("tollbook_legacy_hash_total", "method" => method, "input" => input.to_string())
        .increment(1);
}

/// The writer made a batch of commands durable, or failed to. The metric's name is from when all of
/// them were postings.
pub(crate) fn commit(commands: usize, begun: Instant, waiting: usize) {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    histogram!("tollbook_commit_postings").record(number(commands));
    histogram!("tollbook_commit_seconds").record(begun.elapsed());
    gauge!("tollbook_writer_waiting").set(number(waiting));
}

/// Calls were taken into the books.
pub(crate) fn calls(taken: &Taken) {
    let counted = |outcome: &'static str, count: usize| {
        counter!("tollbook_calls_total", "outcome" => outcome)
            .increment(u64::try_from(count).unwrap_or_default());
    };
    counted("stored", taken.stored.len());
    counted("duplicate", usize::try_from(taken.duplicates).unwrap_or_default());
    counted("merged", usize::try_from(taken.merged).unwrap_or_default());
    for rejected in &taken.rejected {
        counter!("tollbook_calls_total", "outcome" => rejected.call.1.reason()).increment(1);
    }
}

/// There are so many unrated calls of a reason, in the database and not by this core alone.
pub(crate) fn unrated(reason: &'static str, calls: i64) {
    let calls = u32::try_from(calls).unwrap_or(u32::MAX);
    gauge!("tollbook_unrated_calls", "reason" => reason).set(calls);
}

/// There was no room for so many more.
pub(crate) fn unrated_dropped(calls: u64) {
    counter!("tollbook_unrated_calls_dropped_total").increment(calls);
}

/// A call was authorised, or refused.
pub(crate) fn authorization(code: RejectCode) {
    let code = i32::from(code).to_string();
    counter!("tollbook_authorizations_total", "reject_code" => code).increment(1);
}

/// A mail that warns of a balance was sent, or was not.
pub(crate) fn warning_mail(outcome: &'static str) {
    counter!("tollbook_warning_mails_total", "outcome" => outcome).increment(1);
}

/// Sets the gauges, for as long as the context is in use.
pub(crate) async fn watch(context: Weak<Context>) {
    while let Some(context) = context.upgrade() {
        let (open, idle) = context.db.connections();
        gauge!("tollbook_database_connections", "state" => "open").set(open);
        gauge!("tollbook_database_connections", "state" => "idle").set(idle);
        context.unrated.show();
        drop(context);
        tokio::time::sleep(GAUGE_INTERVAL).await;
    }
}
