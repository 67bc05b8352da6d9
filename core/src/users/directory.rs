//! Who is who, and what his balance is, at the speed of memory where that is safe.
//!
//! Where this process is the only writer (SQLite), identities and balances are kept in
//! memory: filled when first asked for, and replaced after each commit. Of two states of a
//! user the one with the higher version stays, so a slow reader never puts an old state
//! over a new one. With PostgreSQL, other cores write too: every look-up asks the database.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use dashmap::DashMap;

use super::{Identity, store, uniquehash};
use crate::{
    error::{Error, Result},
    ids::{EntryId, UserId},
    ledger::Entry,
    money::Money,
    store::Db,
};

/// A balance, and the ledger entry that made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    pub(crate) amount: Money,
    pub(crate) last_entry: EntryId,
}

pub(crate) struct Directory {
    db: Db,
    /// None: every look-up asks the database.
    memory: Option<Memory>,
}

#[derive(Default)]
struct Memory {
    identities: DashMap<UserId, Arc<Identity>>,
    /// A hint only: the identity it leads to decides.
    by_username: DashMap<String, UserId>,
    balances: DashMap<UserId, Balance>,
}

impl Directory {
    pub(crate) fn new(db: Db) -> Self {
        let memory = db.is_exclusive().then(Memory::default);
        Self { db, memory }
    }

    /// The user of an id, unless he was deleted.
    pub(crate) async fn by_id(&self, id: UserId) -> Result<Option<Arc<Identity>>> {
        if let Some(known) = self.memory.as_ref().and_then(|memory| memory.identities.get(&id)) {
            return Ok(Some(known.clone()).filter(|identity| !identity.deleted));
        }
        let found = store::identity_by_id(&self.db, id).await?;
        Ok(found.map(|identity| self.learn(identity)).filter(|identity| !identity.deleted))
    }

    /// The users of some ids, without those who were deleted.
    pub(crate) async fn by_ids(
        &self,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Identity>>> {
        let mut users = HashMap::new();
        let mut unknown = HashSet::new();
        for id in ids {
            let known = self.memory.as_ref().and_then(|memory| memory.identities.get(&id));
            match known {
                Some(known) => drop(users.insert(id, known.clone())),
                None => drop(unknown.insert(id)),
            }
        }
        for identity in store::identities(&self.db, unknown).await? {
            users.insert(identity.id, self.learn(identity));
        }
        users.retain(|_, user| !user.deleted);
        Ok(users)
    }

    /// The ids of some login names, without those of users who were deleted.
    pub(crate) async fn ids_of(&self, usernames: HashSet<&str>) -> Result<HashMap<String, UserId>> {
        store::ids_of(&self.db, usernames).await
    }

    /// The user of a login name, unless he was deleted.
    pub(crate) async fn by_username(&self, username: &str) -> Result<Option<Arc<Identity>>> {
        let hint =
            self.memory.as_ref().and_then(|memory| memory.by_username.get(username).map(|id| *id));
        if let Some(id) = hint
            && let Some(identity) = self.by_id(id).await?
            && identity.username == username
        {
            return Ok(Some(identity));
        }
        let found = store::identity_by_username(&self.db, username).await?;
        Ok(found.map(|identity| self.learn(identity)).filter(|identity| !identity.deleted))
    }

    /// The user of a uniquehash.
    pub(crate) async fn by_uniquehash(&self, text: &str) -> Result<Option<Arc<Identity>>> {
        if !uniquehash::is_possible(text) {
            return Ok(None);
        }
        let found = store::identity_by_uniquehash(&self.db, &uniquehash::digest(text)).await?;
        Ok(found.map(|identity| self.learn(identity)).filter(|identity| !identity.deleted))
    }

    /// The balance of a user who exists.
    pub(crate) async fn balance(&self, id: UserId) -> Result<Money> {
        if let Some(known) = self.memory.as_ref().and_then(|memory| memory.balances.get(&id)) {
            return Ok(known.amount);
        }
        let balance = store::balance(&self.db, id).await?.ok_or(Error::UserNotFound)?;
        self.learn_balance(id, balance);
        Ok(balance.amount)
    }

    /// Takes in the state of a user after a commit, or as read from the database.
    pub(crate) fn learn(&self, identity: Identity) -> Arc<Identity> {
        let identity = Arc::new(identity);
        let Some(memory) = &self.memory else {
            return identity;
        };
        let newest = {
            let mut known =
                memory.identities.entry(identity.id).or_insert_with(|| identity.clone());
            if known.version < identity.version {
                *known = identity;
            }
            known.clone()
        };
        if !newest.deleted {
            memory.by_username.insert(newest.username.clone(), newest.id);
        }
        newest
    }

    /// Takes in the balance that a committed entry left.
    pub(crate) fn learn_posted(&self, entry: &Entry) {
        let balance = Balance { amount: entry.balance_after, last_entry: entry.id };
        self.learn_balance(entry.user, balance);
    }

    /// Takes in a balance as a commit left it, or as read from the database.
    fn learn_balance(&self, id: UserId, balance: Balance) {
        let Some(memory) = &self.memory else { return };
        let mut known = memory.balances.entry(id).or_insert(balance);
        if known.last_entry < balance.last_entry {
            *known = balance;
        }
    }
}
