//! A change on somebody's behalf, from its beginning to its commit.

use std::ops::{Deref, DerefMut};

use super::{Change, Origin, record_as};
use crate::{
    catalog,
    context::Context,
    error::{Error, Result},
    store::{Db, Sequence, Tx},
};

/// A transaction that changes something on somebody's behalf. It is committed together with what
/// the audit log says of it, and dropped it changes nothing: nothing can be changed without an entry.
#[must_use]
pub(crate) struct Pending<'a> {
    tx: Tx,
    origin: &'a Origin,
    /// What has to take the change in before anybody is answered; `None` if it is of nothing that
    /// the catalog holds.
    catalog: Option<&'a Context>,
}

impl Deref for Pending<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Pending<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}

impl<'a> Pending<'a> {
    /// Begins a change of what the catalog does not hold.
    pub(crate) async fn begin(db: &Db, origin: &'a Origin) -> Result<Self> {
        Ok(Self { tx: db.begin().await?, origin, catalog: None })
    }

    /// Begins a change of what the catalog holds. Such changes take turns.
    pub(crate) async fn of_catalog(context: &'a Context, origin: &'a Origin) -> Result<Self> {
        let mut tx = context.db.begin().await?;
        catalog::lock_for_change(&mut tx).await?;
        Ok(Self { tx, origin, catalog: Some(context) })
    }

    /// Writes down what is changed beside that with which the transaction is committed.
    pub(crate) async fn record(&mut self, change: Change) -> Result<()> {
        self.record_all(vec![change]).await
    }

    async fn record_all(&mut self, changes: Vec<Change>) -> Result<()> {
        let ids = self.tx.next_ids(Sequence::Changes, changes.len()).await?;
        let changes: Vec<_> = changes.into_iter().map(|change| (self.origin, change)).collect();
        record_as(&mut self.tx, ids, &changes).await
    }

    /// Writes down what is changed and makes it durable, and visible to this process before anybody
    /// is answered.
    pub(crate) async fn commit(self, change: Change) -> Result<()> {
        self.commit_all(vec![change]).await
    }

    /// The same of several changes, or of one at least.
    pub(crate) async fn commit_all(mut self, changes: Vec<Change>) -> Result<()> {
        if changes.is_empty() {
            return Err(Error::internal("a change has no entry in the audit log"));
        }
        self.record_all(changes).await?;
        let committed = self.tx.commit().await;
        // Also where it is not known whether it was committed.
        if let Some(context) = self.catalog {
            context.renew_catalog().await;
        }
        committed
    }
}
