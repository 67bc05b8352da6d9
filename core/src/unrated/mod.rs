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
    /// What tells it from other records of its call id, where the record alone does not.
    fingerprint: Option<String>,
}

impl From<CallRecord> for Brought {
    fn from(record: CallRecord) -> Self {
        Self { record, kept_as: None, fingerprint: None }
    }
}

impl Brought {
    /// A record that says more than what the switch sent, which is the same however often it is sent.
    pub(crate) fn completed(sent: &CallRecord, record: CallRecord) -> Self {
        Self { record, kept_as: None, fingerprint: Some(fingerprint(sent)) }
    }

    /// An unrated call, brought again.
    fn again(id: i64, fingerprint: String, record: CallRecord) -> Self {
        Self { record, kept_as: Some(id), fingerprint: Some(fingerprint) }
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone().unwrap_or_else(|| fingerprint(&self.record))
    }
}

/// What tells a record from others under its call id.
fn fingerprint(record: &CallRecord) -> String {
    let digest = Sha256::digest(record.encode_to_vec());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Unrated calls that are in the table, with the reasons that they have there.
pub(crate) type Kept = HashMap<i64, CallRejection>;
