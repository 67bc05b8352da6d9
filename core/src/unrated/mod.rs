//! Calls that could not be taken into the books: kept as they were brought, in the transaction that
//! refused them, until what was missing is there (`LESSONS.md` row 9).

mod keep;
mod rate;
mod service;
mod shelf;
pub(crate) mod store;

use std::collections::HashMap;

use prost::Message;
use sha2::{Digest, Sha256};
use tollbook_proto::v1::{CallRecord, CallRejection};

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
        Self { record, kept_as: None, identity: Identity::Record }
    }
}

impl Brought {
    /// A record that says more than what the switch sent.
    pub(crate) fn completed(sent: CallRecord, record: CallRecord) -> Self {
        Self { record, kept_as: None, identity: Identity::Sent(Box::new(sent)) }
    }

    /// An unrated call, brought again.
    fn again(id: i64, fingerprint: String, record: CallRecord) -> Self {
        Self { record, kept_as: Some(id), identity: Identity::Known(fingerprint) }
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
pub(crate) type Kept = HashMap<i64, CallRejection>;
