//! Imports of calls: recorded while their calls come in, so that each can be taken back
//! (`docs/rules/calls.md#an-import-that-is-taken-back`).
//!
//! Each batch looks in its own transaction whether its import is still running, and counts there what
//! became of its calls. So nothing comes in any more once an import is being taken back, and what is
//! recorded is what is in the books, wherever the process dies.

mod service;
mod store;
#[cfg(test)]
mod tests;
mod undo;

use std::collections::{BTreeSet, HashMap};

use rust_decimal::Decimal;
use tollbook_proto::v1::{self as pb, CallImportState, CallRejection};

pub(crate) use service::Service;
pub(crate) use store::taken_back;
pub(crate) use undo::import_of;

use super::{ingest::Delivery, intake::Taken};
use crate::{
    access::Principal,
    changes::Change,
    context::Context,
    error::{Error, Result},
    resource::Resource,
    stats::Total,
    store::{Query, Row, Tx, retrying},
    text::check_text,
};

/// What becomes of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Complete,
    BrokenOff,
    Undoing,
    Undone,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Running, Self::Complete, Self::BrokenOff, Self::Undoing, Self::Undone];

    /// As the database names it.
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::BrokenOff => "broken off",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
        }
    }

    fn from_name(name: &str) -> Result<Self> {
        let unknown = || Error::internal("a stored import of calls has an unknown state");
        Self::ALL.into_iter().find(|state| state.name() == name).ok_or_else(unknown)
    }

    fn to_proto(self) -> CallImportState {
        match self {
            Self::Running => CallImportState::Running,
            Self::Complete => CallImportState::Complete,
            Self::BrokenOff => CallImportState::BrokenOff,
            Self::Undoing => CallImportState::Undoing,
            Self::Undone => CallImportState::Undone,
        }
    }
}

/// Records that an import begins. Returns its id.
pub(super) async fn begin(
    context: &Context,
    caller: &Principal,
    start: &pb::CallImportStart,
) -> Result<i64> {
    check_text("import_start.name", &start.name)?;
    let origin = caller.origin();
    let note = match start.name.as_str() {
        "" => "import of calls begun".to_owned(),
        name => format!("import of calls begun: {name}"),
    };
    retrying(async || {
        let mut tx = context.begin_change(origin).await?;
        let id = store::insert(&mut tx, origin, start).await?;
        tx.commit(Change::told(Resource::CallImport(id), note.clone())).await?;
        Ok(id)
    })
    .await
}

/// Checks what a sender says of files that were read to their end.
pub(super) fn check_end(end: &pb::CallImportEnd) -> Result<()> {
    let pb::CallImportEnd { sha256, size, not_read } = end;
    let is_hex = sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !sha256.is_empty() && (sha256.len() != 64 || !is_hex) {
        let problem = "must be 64 lower-case hexadecimal digits";
        return Err(Error::invalid("import_end.sha256", problem));
    }
    if size.is_some_and(|size| size < 0) || *not_read < 0 {
        return Err(Error::invalid("import_end", "has a number below zero"));
    }
    Ok(())
}

/// Records that no further call of an import comes; `end` is what is known if all was read. One that is
/// being taken back stays in that state.
pub(super) async fn end(context: &Context, id: i64, end: Option<&pb::CallImportEnd>) -> Result<()> {
    retrying(async || {
        let mut tx = context.db.begin().await?;
        store::end(&mut tx, id, end).await?;
        tx.commit().await
    })
    .await
}

/// An import inside a transaction, which nobody else changes until its end.
struct Locked {
    id: i64,
    state: State,
    price: Decimal,
    self_cost: Decimal,
    undone_price: Decimal,
    undone_self_cost: Decimal,
}

/// An import that was taken back, or is being.
pub(crate) struct TakenBack {
    pub(crate) id: i64,
    /// None of its calls is left.
    pub(crate) is_done: bool,
    /// What was given back for its calls.
    pub(crate) price: Decimal,
    /// What was taken again of what they had earned.
    pub(crate) self_cost: Decimal,
}

/// A sum to which some more is added.
fn added(sum: Decimal, more: Total) -> Result<Decimal> {
    sum.checked_add(more.value()?).map(|sum| sum.normalize()).ok_or(Error::OutOfRange)
}

/// What became of the calls of an import in a batch.
#[derive(Default)]
struct Progress {
    received: i64,
    stored: i64,
    merged: i64,
    duplicates: i64,
    rejected: i64,
    conflicts: i64,
    unrated: i64,
    price: Total,
    self_cost: Total,
}

impl Progress {
    fn add(&mut self, delivery: &Delivery, taken: &Taken) {
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        self.received += count(delivery.len());
        self.stored += count(taken.stored.len());
        self.merged += taken.merged;
        self.duplicates += taken.duplicates;
        self.rejected += count(taken.rejected.len());
        let rejections = taken.rejected.iter().map(|rejected| rejected.call.1.to_proto());
        self.conflicts += count(rejections.filter(|why| *why == CallRejection::Conflict).count());
        self.unrated += taken.kept;
        for call in taken.in_the_books() {
            self.price += call.price.amount.into();
            self.self_cost += call.self_cost.amount.into();
        }
    }
}

/// The imports that a batch brings calls of.
pub(crate) struct Imports(HashMap<i64, Locked>);

impl Imports {
    /// Asks for them; none: there are none.
    pub(crate) fn asked(tx: &Tx, deliveries: &[&Delivery]) -> Option<Query> {
        let ids: BTreeSet<i64> =
            deliveries.iter().filter_map(|delivery| delivery.import()).collect();
        (!ids.is_empty()).then(|| store::locking(tx, ids))
    }

    /// What was asked for.
    ///
    /// # Errors
    /// One of them does not take in calls any more.
    pub(crate) fn read(rows: &[Row], deliveries: &[&Delivery]) -> Result<Self> {
        let imports = rows.iter().map(|row| store::read_locked(row).map(|one| (one.id, one)));
        let imports = Self(imports.collect::<Result<_>>()?);
        for id in deliveries.iter().filter_map(|delivery| delivery.import()) {
            match imports.0.get(&id).map(|import| import.state) {
                Some(State::Running) => {}
                Some(State::Undoing | State::Undone) => {
                    return Err(Error::CallImportUndone("is being taken back, and takes no call"));
                }
                Some(State::Complete | State::BrokenOff) | None => {
                    return Err(Error::internal("calls come of an import that has ended"));
                }
            }
        }
        Ok(imports)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts what became of the deliveries of a batch.
    pub(crate) async fn count(
        &self,
        tx: &mut Tx,
        deliveries: &[&Delivery],
        taken: &[Taken],
    ) -> Result<()> {
        let mut counted: HashMap<i64, Progress> = HashMap::new();
        for (delivery, taken) in deliveries.iter().zip(taken) {
            if let Some(id) = delivery.import() {
                counted.entry(id).or_default().add(delivery, taken);
            }
        }
        for (id, progress) in &counted {
            if let Some(import) = self.0.get(id) {
                store::count(tx, import, progress).await?;
            }
        }
        Ok(())
    }
}
