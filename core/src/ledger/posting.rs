//! Posting: how balances change.
//!
//! A batch of postings is applied in one transaction: the accounts are locked, each
//! posting is judged in turn on the balance that the ones before it left, and what was
//! accepted is written with a handful of statements however long the batch is. A posting
//! that is refused has no effect on the others.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use sha2::{Digest, Sha256};

use super::{Entry, Kind, store};
use crate::{
    access::Principal,
    changes::{self, Origin},
    clock,
    error::{Error, Result},
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    payments::{self, Payment, PaymentDraft},
    store::{Db, Sequence, Tx},
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
    match store::known_keys(&mut tx, &[key]).await?.done.remove(&key.id()) {
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
    let mut users: Vec<UserId> = postings.iter().map(|posting| posting.user).collect();
    users.sort_unstable();
    users.dedup();
    let mut accounts = store::lock_accounts(tx, users).await?;
    let keys: Vec<&IdempotencyKey> =
        postings.iter().filter_map(|posting| posting.idempotency.as_ref()).collect();
    let store::Known { done, outdated } = store::known_keys(tx, &keys).await?;
    store::forget_keys(tx, outdated).await?;

    let mut accepted: Vec<Accepted<'_>> = Vec::with_capacity(postings.len());
    let mut keys_here: HashMap<(String, String), usize> = HashMap::new();
    let mut judged = Vec::with_capacity(postings.len());
    for posting in postings {
        judged.push(judge(posting, &mut accounts, &done, &mut keys_here, &mut accepted));
    }

    let (entries, payments) = write(tx, &accepted).await?;
    let mut results = Vec::with_capacity(postings.len());
    for (posting, judged) in postings.iter().zip(judged) {
        let username = accounts.get(&posting.user).map(|account| account.username.clone());
        let result = match judged {
            Judged::Refused(error) => Err(error),
            Judged::New(index) | Judged::SameAs(index) => Ok(Posted {
                entry: entries[index].clone(),
                payment: payments[index].clone(),
                username: username.unwrap_or_default(),
            }),
            Judged::Known(id) => Ok(known(tx, id).await?),
        };
        results.push(result);
    }
    Ok(results)
}

fn judge<'a>(
    posting: &'a Posting,
    accounts: &mut HashMap<UserId, store::LockedAccount>,
    known: &HashMap<(String, String), (String, EntryId)>,
    keys_here: &mut HashMap<(String, String), usize>,
    accepted: &mut Vec<Accepted<'a>>,
) -> Judged {
    if let Some(key) = &posting.idempotency {
        let before =
            known.get(&key.id()).map(|(fingerprint, id)| (fingerprint, Judged::Known(*id)));
        let earlier = keys_here.get(&key.id()).and_then(|index| {
            let fingerprint = &accepted[*index].posting.idempotency.as_ref()?.fingerprint;
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
    let index = accepted.len();
    if let Some(key) = &posting.idempotency {
        keys_here.insert(key.id(), index);
    }
    accepted.push(Accepted { posting, balance_before, balance_after });
    Judged::New(index)
}

/// Writes what was accepted. Returns the entries, and for each the payment if it has one.
async fn write(
    tx: &mut Tx,
    accepted: &[Accepted<'_>],
) -> Result<(Vec<Entry>, Vec<Option<Payment>>)> {
    if accepted.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let now = clock::now();
    // Ids are taken after the accounts are locked, so that those of a user ascend in the
    // order in which his entries were made, whichever core made them.
    let entry_ids = tx.next_ids(Sequence::LedgerEntries, accepted.len()).await?;
    let drafts = accepted.iter().filter(|accepted| accepted.posting.payment.is_some()).count();
    let mut payment_ids = match drafts {
        0 => Vec::new(),
        drafts => tx.next_ids(Sequence::Payments, drafts).await?,
    }
    .into_iter();

    let mut entries = Vec::with_capacity(accepted.len());
    let mut payments = Vec::with_capacity(accepted.len());
    for (Accepted { posting, balance_before, balance_after }, id) in accepted.iter().zip(entry_ids)
    {
        let payment = posting.payment.clone().zip(payment_ids_for(posting, &mut payment_ids)).map(
            |(draft, id)| draft.recorded(id, posting.user, *balance_before, *balance_after, now),
        );
        entries.push(Entry {
            id: EntryId(id),
            user: posting.user,
            amount: posting.amount,
            balance_after: *balance_after,
            kind: posting.kind,
            payment: payment.as_ref().map(|payment| payment.id),
            actor: posting.origin.as_ref().and_then(|origin| origin.actor),
            note: posting.note.clone(),
            idempotency_key: posting
                .idempotency
                .as_ref()
                .map(|key| key.key.clone())
                .unwrap_or_default(),
            created_at: now,
        });
        payments.push(payment);
    }

    store::insert(tx, &entries).await?;
    if drafts > 0 {
        payments::store::insert(tx, payments.iter().flatten()).await?;
    }
    let newest: HashMap<UserId, &Entry> = entries.iter().map(|entry| (entry.user, entry)).collect();
    store::update_accounts(
        tx,
        newest.values().map(|entry| (entry.user, entry.balance_after, entry.id)),
    )
    .await?;
    let changes: Vec<_> = accepted
        .iter()
        .zip(&entries)
        .filter_map(|(accepted, entry)| {
            let origin = accepted.posting.origin.as_deref()?;
            Some((origin, entry.to_change(accepted.balance_before)))
        })
        .collect();
    changes::record_all(tx, &changes).await?;
    let keys: Vec<_> = accepted
        .iter()
        .zip(&entries)
        .filter_map(|(accepted, entry)| Some((accepted.posting.idempotency.as_ref()?, entry.id)))
        .collect();
    if !keys.is_empty() {
        store::insert_keys(tx, keys, now).await?;
    }
    Ok((entries, payments))
}

/// The next payment id, where the posting is a payment.
fn payment_ids_for(posting: &Posting, ids: &mut impl Iterator<Item = i64>) -> Option<PaymentId> {
    posting.payment.as_ref().and_then(|_| ids.next()).map(PaymentId)
}
