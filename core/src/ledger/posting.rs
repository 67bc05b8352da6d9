//! Posting: how balances change.
//!
//! A batch of postings is applied in one transaction: the accounts are locked, each
//! posting is judged in turn on the balance that the ones before it left, and what was
//! accepted is written with a handful of statements however long the batch is. A posting
//! that is refused has no effect on the others.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use sha2::{Digest, Sha256};

use super::{
    Entry, Kind,
    store::{self, Accounts},
};
use crate::{
    access::Principal,
    changes::{self, Origin},
    clock,
    error::{Error, Result},
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    payments::{self, Payment, PaymentDraft},
    store::{Db, Query, Row, Sequence, Tx},
    users,
};

/// A change of a balance that somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Posting {
    pub(crate) user: UserId,
    pub(crate) amount: Money,
    pub(crate) kind: Kind,
    /// Whence it comes; none: it is part of a change that is written down as a whole.
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) note: String,
    pub(crate) payment: Option<PaymentDraft>,
    pub(crate) idempotency: Option<IdempotencyKey>,
}

/// A key under which a request takes effect once.
#[derive(Clone, Debug)]
pub(crate) struct IdempotencyKey {
    /// The caller and the rpc.
    pub(super) scope: String,
    pub(super) key: String,
    /// Of the request; another request under the same key is refused.
    pub(super) fingerprint: String,
    /// What was done under the key before this time counts no more, in microseconds.
    pub(super) since: i64,
}

impl IdempotencyKey {
    /// The key of a request: the caller's, or what tells a repetition of a legacy request from a
    /// new one; none where there is neither. `request` is the message with its key left out.
    pub(crate) fn new(
        caller: &Principal,
        kind: Kind,
        key: String,
        request: &impl Message,
    ) -> Result<Option<Self>> {
        let fingerprint = || hex::encode(Sha256::digest(request.encode_to_vec()));
        if !key.is_empty() {
            crate::text::check_text("idempotency_key", &key)?;
            let scope = scope(caller.user()?.id, kind);
            let scope = scope.ok_or_else(|| Error::internal("nobody names keys of this kind"))?;
            return Ok(Some(Self { scope, key, fingerprint: fingerprint(), since: i64::MIN }));
        }
        Ok(caller.replay().map(|replay| Self {
            scope: "replay".to_owned(),
            key: replay.key.clone(),
            fingerprint: fingerprint(),
            since: clock::now() - i64::from(replay.window) * 1_000_000,
        }))
    }

    fn id(&self) -> (String, String) {
        (self.scope.clone(), self.key.clone())
    }
}

/// What a request was answered before, under its key, that cannot be posted any more for some
/// reason: its user may be gone, or its currency. The reason, if it was never answered.
pub(crate) async fn answered_before(
    db: &Db,
    key: Option<&IdempotencyKey>,
    reason: Error,
) -> Result<Posted> {
    let Some(key) = key else { return Err(reason) };
    let mut tx = db.snapshot().await?;
    let [rows] = tx.fetch_each([store::asking_for_keys(&[key])]).await?;
    match store::read_keys(&rows, &[key])?.done.remove(&key.id()) {
        None => Err(reason),
        Some((fingerprint, _)) if fingerprint != key.fingerprint => {
            Err(Error::IdempotencyKeyReused)
        }
        Some((_, entry)) => known(&mut tx, entry).await,
    }
}

/// What an entry that is there did.
async fn known(tx: &mut Tx, id: EntryId) -> Result<Posted> {
    let entry = store::get(tx, id).await?;
    let payment = match entry.payment {
        Some(id) => Some(payments::store::get(tx, id).await?),
        None => None,
    };
    let username = users::store::username(tx, entry.user).await?;
    Ok(Posted { entry, payment, username })
}

/// Within what the keys that a caller names for a kind of posting are unique; `None` if none are.
pub(super) fn scope(caller: UserId, kind: Kind) -> Option<String> {
    let rpc = match kind {
        Kind::Adjustment => "AdjustBalance",
        Kind::Payment => "RecordPayment",
        _ => return None,
    };
    Some(format!("{caller}/{rpc}"))
}

/// What a posting did.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) entry: Entry,
    pub(crate) payment: Option<Payment>,
    pub(crate) username: String,
}

/// A judged posting, before anything is written.
enum Judged {
    /// Accepted: the position among the new entries.
    New(usize),
    /// Done before, by this entry.
    Known(EntryId),
    /// Done by an earlier posting of the same batch.
    SameAs(usize),
    Refused(Error),
}

/// An accepted posting with the balance that it leaves.
struct Accepted<'a> {
    posting: &'a Posting,
    balance_before: Money,
    balance_after: Money,
}

/// Applies a batch. The outer error means that nothing was done; the inner ones are of
/// single postings.
pub(crate) async fn apply(tx: &mut Tx, postings: &[Posting]) -> Result<Vec<Result<Posted>>> {
    let postings: Vec<&Posting> = postings.iter().collect();
    let users = users(&postings);
    let queries = [Some(store::locking(tx, users)), Keys::asked(&postings)];
    let [accounts, keys] = tx.fetch_each(queries).await?;
    let mut accounts = store::read_accounts(&accounts)?;
    let keys = Keys::read(&keys, &postings)?;
    let judgement = Judgement::of(postings, &mut accounts, &keys);
    let [entries, payments, changes] = judgement.ids(tx);
    let rows = tx.fetch_each([entries, payments, changes]).await?;
    let written = judgement.write(tx, keys, rows).await?;
    judgement.results(tx, &accounts, &written).await
}

/// Whose accounts some postings change, each once and in the order in which they are locked.
fn users(postings: &[&Posting]) -> Vec<UserId> {
    let mut users: Vec<UserId> = postings.iter().map(|posting| posting.user).collect();
    users.sort_unstable();
    users.dedup();
    users
}

/// What was done before under the keys of some postings.
pub(crate) struct Keys(store::Known);

impl Keys {
    fn of<'a>(postings: &[&'a Posting]) -> Vec<&'a IdempotencyKey> {
        postings.iter().filter_map(|posting| posting.idempotency.as_ref()).collect()
    }

    /// The query for them; none: no posting has a key.
    pub(crate) fn asked(postings: &[&Posting]) -> Option<Query> {
        store::asking_for_keys(&Self::of(postings))
    }

    pub(crate) fn read(rows: &[Row], postings: &[&Posting]) -> Result<Self> {
        store::read_keys(rows, &Self::of(postings)).map(Self)
    }
}

/// What becomes of some postings, before anything is written.
pub(crate) struct Judgement<'a> {
    /// For each posting.
    judged: Vec<Judged>,
    users: Vec<UserId>,
    accepted: Vec<Accepted<'a>>,
    /// Those of this batch that lead to an accepted posting.
    keys: HashMap<(String, String), usize>,
}

/// What was written of some postings.
pub(crate) struct Written {
    pub(crate) entries: Vec<Entry>,
    payments: Vec<Option<Payment>>,
}

impl<'a> Judgement<'a> {
    /// Judges postings in their order, and leaves in `accounts` the balances that they make.
    pub(crate) fn of(
        postings: impl IntoIterator<Item = &'a Posting>,
        accounts: &mut Accounts,
        keys: &Keys,
    ) -> Self {
        let mut judgement = Self {
            judged: Vec::new(),
            users: Vec::new(),
            accepted: Vec::new(),
            keys: HashMap::new(),
        };
        for posting in postings {
            let judged = judgement.judge(posting, accounts, &keys.0.done);
            judgement.judged.push(judged);
            judgement.users.push(posting.user);
        }
        judgement
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// The accepted posting of a key that was used in this batch or before, unless it was for
    /// another request.
    fn judge(
        &mut self,
        posting: &'a Posting,
        accounts: &mut Accounts,
        known: &HashMap<(String, String), (String, EntryId)>,
    ) -> Judged {
        if let Some(key) = &posting.idempotency {
            let before =
                known.get(&key.id()).map(|(fingerprint, id)| (fingerprint, Judged::Known(*id)));
            let earlier = self.keys.get(&key.id()).and_then(|index| {
                let fingerprint = &self.accepted[*index].posting.idempotency.as_ref()?.fingerprint;
                Some((fingerprint, Judged::SameAs(*index)))
            });
            if let Some((fingerprint, done)) = before.or(earlier) {
                let same = *fingerprint == key.fingerprint;
                return if same { done } else { Judged::Refused(Error::IdempotencyKeyReused) };
            }
        }
        let Some(account) = accounts.get_mut(&posting.user) else {
            return Judged::Refused(Error::UserNotFound);
        };
        let balance_before = account.balance;
        let balance_after = match balance_before.plus(posting.amount) {
            Ok(balance) => balance,
            Err(error) => return Judged::Refused(error.of_field("amount")),
        };
        account.balance = balance_after;
        let index = self.accepted.len();
        if let Some(key) = &posting.idempotency {
            self.keys.insert(key.id(), index);
        }
        self.accepted.push(Accepted { posting, balance_before, balance_after });
        Judged::New(index)
    }

    fn payments(&self) -> usize {
        self.accepted.iter().filter(|accepted| accepted.posting.payment.is_some()).count()
    }

    fn changes(&self) -> usize {
        self.accepted.iter().filter(|accepted| accepted.posting.origin.is_some()).count()
    }

    /// Asks for the ids of entries, payments and changes. They are taken after the accounts are
    /// locked, so that those of a user ascend in the order in which his entries were made,
    /// whichever core made them.
    pub(crate) fn ids(&self, tx: &Tx) -> [Option<Query>; 3] {
        [
            tx.ask_for_ids(Sequence::LedgerEntries, self.accepted.len()),
            tx.ask_for_ids(Sequence::Payments, self.payments()),
            tx.ask_for_ids(Sequence::Changes, self.changes()),
        ]
    }

    /// Writes what was accepted, under the ids that [`Self::ids`] asked for.
    pub(crate) async fn write(
        &self,
        tx: &mut Tx,
        keys: Keys,
        ids: [Vec<Row>; 3],
    ) -> Result<Written> {
        store::forget_keys(tx, keys.0.outdated).await?;
        let mut written = Written { entries: Vec::new(), payments: Vec::new() };
        if self.is_empty() {
            return Ok(written);
        }
        let [entry_ids, payment_ids, change_ids] = ids;
        let entry_ids = tx.ids(&entry_ids, self.accepted.len())?;
        let mut payment_ids = tx.ids(&payment_ids, self.payments())?.into_iter();
        let now = clock::now();
        for (accepted, id) in self.accepted.iter().zip(entry_ids) {
            let draft = accepted.posting.payment.clone();
            let payment = draft.and_then(|draft| {
                let id = PaymentId(payment_ids.next()?);
                let Accepted { posting, balance_before, balance_after } = accepted;
                Some(draft.recorded(id, posting.user, *balance_before, *balance_after, now))
            });
            written.entries.push(accepted.entry(EntryId(id), payment.as_ref(), now));
            written.payments.push(payment);
        }

        store::insert(tx, &written.entries).await?;
        if self.payments() > 0 {
            payments::store::insert(tx, written.payments.iter().flatten()).await?;
        }
        let newest: HashMap<UserId, &Entry> =
            written.entries.iter().map(|entry| (entry.user, entry)).collect();
        let newest = newest.values().map(|entry| (entry.user, entry.balance_after, entry.id));
        store::update_accounts(tx, newest).await?;
        let both = || self.accepted.iter().zip(&written.entries);
        let changes: Vec<_> = both()
            .filter_map(|(accepted, entry)| {
                let origin = accepted.posting.origin.as_deref()?;
                Some((origin, entry.to_change(accepted.balance_before)))
            })
            .collect();
        if !changes.is_empty() {
            let ids = tx.ids(&change_ids, changes.len())?;
            changes::record_as(tx, ids, &changes).await?;
        }
        let keys: Vec<_> = both()
            .filter_map(|(accepted, entry)| {
                Some((accepted.posting.idempotency.as_ref()?, entry.id))
            })
            .collect();
        if !keys.is_empty() {
            store::insert_keys(tx, keys, now).await?;
        }
        Ok(written)
    }

    /// What became of each posting.
    pub(crate) async fn results(
        self,
        tx: &mut Tx,
        accounts: &Accounts,
        written: &Written,
    ) -> Result<Vec<Result<Posted>>> {
        let mut results = Vec::with_capacity(self.judged.len());
        for (judged, user) in self.judged.into_iter().zip(self.users) {
            let username = accounts.get(&user).map(|account| account.username.clone());
            results.push(match judged {
                Judged::Refused(error) => Err(error),
                Judged::New(index) | Judged::SameAs(index) => Ok(Posted {
                    entry: written.entries[index].clone(),
                    payment: written.payments[index].clone(),
                    username: username.unwrap_or_default(),
                }),
                Judged::Known(id) => Ok(known(tx, id).await?),
            });
        }
        Ok(results)
    }
}

impl Accepted<'_> {
    fn entry(&self, id: EntryId, payment: Option<&Payment>, now: i64) -> Entry {
        let posting = self.posting;
        let key = posting.idempotency.as_ref();
        Entry {
            id,
            user: posting.user,
            amount: posting.amount,
            balance_after: self.balance_after,
            kind: posting.kind,
            payment: payment.map(|payment| payment.id),
            actor: posting.origin.as_ref().and_then(|origin| origin.actor),
            note: posting.note.clone(),
            idempotency_key: key.map(|key| key.key.clone()).unwrap_or_default(),
            created_at: now,
        }
    }
}
