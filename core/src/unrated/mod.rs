//! Calls that could not be taken into the books: kept as they were brought, in the transaction that
//! refused them, until what was missing is there (`docs/rules/calls.md#calls-that-cannot-be-billed`).

mod accounts;
mod back;
mod keep;
mod rate;
mod service;
mod shelf;
pub(crate) mod store;

use std::collections::HashMap;

use prost::Message;
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{CallRecord, CallRejection};

use crate::ids::UserId;

pub(crate) use back::{of_import, of_import_alone, take_back};
pub(crate) use keep::{Difference, Outcome, Refusal, Table};
pub(crate) use service::Service;
pub(crate) use shelf::{Shelf, watch};

/// How long a record may be that is kept, in bytes: several times as long as any that can be rated.
const LONGEST: usize = 16 * 1024;

/// A record of a call as it was brought.
#[derive(Clone)]
pub(crate) struct Brought {
    pub(crate) record: CallRecord,
    /// The unrated call that is brought again by somebody; `None` if a switch brings it.
    pub(crate) kept_as: Option<i64>,
    /// Of one that is brought again: who was to pay, if that was known, and when it first came.
    pub(crate) payer: Option<UserId>,
    pub(crate) first_seen: Option<i64>,
    /// It is tried as a call of another account than the one that it is kept with.
    pub(crate) reassigned: bool,
    /// The import that brings it. What is brought again is of the one that is stored with it when it is
    /// written: that may have been taken back since it was read.
    pub(crate) import: Option<i64>,
    identity: Identity,
}

/// What tells a record from others of its call id.
#[derive(Clone)]
enum Identity {
    /// What it says.
    Record,
    /// What the switch sent, before that was completed: it is the same however often it is sent.
    Sent(Box<CallRecord>),
    /// As an unrated call it has been told from them already.
    Known(String),
}

impl From<CallRecord> for Brought {
    fn from(record: CallRecord) -> Self {
        Self {
            record,
            kept_as: None,
            payer: None,
            first_seen: None,
            reassigned: false,
            import: None,
            identity: Identity::Record,
        }
    }
}

impl Brought {
    /// A record that an import brings, if it is one that does.
    pub(crate) fn of_import(record: CallRecord, import: Option<i64>) -> Self {
        Self { import, ..record.into() }
    }

    /// A record that says more than what the switch sent.
    pub(crate) fn completed(sent: CallRecord, record: CallRecord) -> Self {
        Self { identity: Identity::Sent(Box::new(sent)), ..record.into() }
    }

    /// An unrated call, brought again.
    fn again(id: i64, fingerprint: String, record: CallRecord) -> Self {
        let identity = Identity::Known(fingerprint);
        Self { kept_as: Some(id), identity, ..record.into() }
    }

    fn fingerprint(&self) -> String {
        let record = match &self.identity {
            Identity::Record => &self.record,
            Identity::Sent(sent) => sent,
            Identity::Known(fingerprint) => return fingerprint.clone(),
        };
        hex::encode(&Sha256::digest(record.encode_to_vec())[..16])
    }
}

/// Unrated calls that are in the table, with the reasons that they have there.
pub(crate) type Kept = HashMap<i64, KeptCall>;

/// An unrated call that is brought again, as it is until the commit.
#[derive(Clone, Copy)]
pub(crate) struct KeptCall {
    pub(crate) reason: CallRejection,
    /// The import that it is of; of several that brought it the first, as if the others had brought a
    /// duplicate.
    pub(crate) import: Option<i64>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::{
        Core, Options, SetUp,
        access::Scope,
        calls::ingest::{self, Delivery, Numbered},
        changes::{Credential, Origin},
        clock,
        context::Context,
        store::{DatabaseUrl, Query, crash::Lost},
    };

    /// A call of a demo customer that can be billed, and one that cannot: nothing begins with 999.
    fn records(number: u32) -> Vec<CallRecord> {
        let record = |name: &str, destination: &str| CallRecord {
            call_id: format!("{name}-{number}"),
            start_time: Some(clock::to_proto(clock::now() - 100_000_000)),
            billsec_ms: Some(60_000),
            destination: destination.to_owned(),
            originator: "acme".to_owned(),
            ..CallRecord::default()
        };
        vec![record("fine", "37061234567"), record("unrated", "99912345")]
    }

    async fn deliver(context: &Context, records: Vec<CallRecord>) -> crate::Result<i64> {
        let batch = (1..).zip(records);
        let batch = batch.map(|(position, record)| Numbered { position, call: record.into() });
        let rated = ingest::rate(context, Scope::any(), batch.collect()).await?;
        let origin = Arc::new(Origin::operator(Credential::CommandLine));
        Ok(context.writer.take(Delivery::new(origin, rated)).await?.kept)
    }

    async fn count(context: &Context, of: &'static str, number: u32) -> i64 {
        let query = Query::new("SELECT COUNT(*) FROM ").and(of).and(" WHERE call_id IN ");
        let query = query.list(records(number).into_iter().map(|record| record.call_id));
        context.db.fetch_optional(query).await.unwrap().unwrap().get(0).unwrap()
    }

    /// Both are written by one transaction: wherever it breaks off, neither is there or both are, and
    /// what was acknowledged is.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_refusal_is_as_durable_as_what_was_taken_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("unrated.db"));
        let set_up = SetUp { demo: true, ..SetUp::default() };
        let options = Options { set_up, ..Options::default() };
        let context = Box::pin(Core::open(&url, options)).await.unwrap().context;
        let (mut died, mut finished) = (0, 0);
        for steps in 0..48 {
            let records = records(steps);
            match steps {
                46 => context.db.crash.lose(Lost::Commit),
                47 => context.db.crash.lose(Lost::Answer),
                steps => context.db.crash.after(steps),
            }
            let answer = deliver(&context, records.clone()).await;
            died += u32::from(context.db.crash.restart());
            let unrated = count(&context, "unrated_calls", steps).await;
            let stored = count(&context, "calls", steps).await;
            assert_eq!(stored, unrated, "after {steps} steps");
            if let Ok(kept) = answer {
                assert_eq!((kept, unrated), (1, 1), "after {steps} steps");
                finished += 1;
            }
            // The switch sends both again.
            deliver(&context, records).await.unwrap();
            let both = (
                count(&context, "unrated_calls", steps).await,
                count(&context, "calls", steps).await,
            );
            assert_eq!(both, (1, 1), "after {steps} steps");
        }
        assert!(died > 10 && finished > 5, "{died} died, {finished} finished");
    }
}
