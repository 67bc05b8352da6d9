//! Who is who, and what his balance is, at the speed of memory where that is safe.
//!
//! Where this process is the only writer (SQLite), identities and balances are kept in
//! memory: filled when first asked for, and replaced after each commit. Of two states of a
//! user the one with the higher version stays, so a slow reader never puts an old state
//! over a new one.
//!
//! With PostgreSQL, other cores write too. What decides about money or is shown as it is asks the
//! database; who calls, whom that lets him see, and what users are called is believed for
//! [`BELIEVED_FOR`], as are tokens: a request asks for these several times.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use dashmap::DashMap;

use super::{Identity, store, store::Named, uniquehash};
use crate::{
    error::{Error, Result},
    ids::{EntryId, UserId},
    ledger::Entry,
    money::Money,
    store::Db,
};

/// How long what was read is believed where others may have changed it since.
const BELIEVED_FOR: Duration = Duration::from_millis(250);
/// How many users are remembered for that long; then it starts anew.
const REMEMBERED: usize = 100_000;

/// A balance, and the ledger entry that made it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    pub(crate) amount: Money,
    pub(crate) last_entry: EntryId,
}

pub(crate) struct Directory {
    db: Db,
    memory: Memory,
    /// Whether nobody else changes what is in memory.
    exclusive: bool,
}

#[derive(Default)]
struct Memory {
    identities: DashMap<UserId, Known>,
    /// A hint only: the identity it leads to decides.
    by_username: DashMap<String, UserId>,
    /// Only where nobody else changes them.
    balances: DashMap<UserId, Balance>,
}

/// A user as he was when the database was asked.
#[derive(Clone)]
struct Known {
    asked: Instant,
    identity: Arc<Identity>,
}

/// How new what is known has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// As in the database.
    None,
    /// As it was lately, or newer.
    Lately,
}

impl Directory {
    pub(crate) fn new(db: Db) -> Self {
        let exclusive = db.is_exclusive();
        Self { db, memory: Memory::default(), exclusive }
    }

    fn known(&self, id: UserId, age: Age) -> Option<Arc<Identity>> {
        if !self.exclusive && age == Age::None {
            return None;
        }
        let known = self.memory.identities.get(&id)?;
        let is_believed = self.exclusive || known.asked.elapsed() < BELIEVED_FOR;
        is_believed.then(|| known.identity.clone())
    }

    /// The user of an id, unless he was deleted.
    pub(crate) async fn by_id(&self, id: UserId) -> Result<Option<Arc<Identity>>> {
        self.find(id, Age::None).await
    }

    /// The same, as he was lately: who calls, and for what users are called.
    pub(crate) async fn lately_by_id(&self, id: UserId) -> Result<Option<Arc<Identity>>> {
        self.find(id, Age::Lately).await
    }

    async fn find(&self, id: UserId, age: Age) -> Result<Option<Arc<Identity>>> {
        if let Some(known) = self.known(id, age) {
            return Ok(Some(known).filter(|identity| !identity.deleted));
        }
        let asked = Instant::now();
        let found = store::identity_by_id(&self.db, id).await?;
        Ok(found.map(|identity| self.remember(identity, asked)).filter(|user| !user.deleted))
    }

    /// The users of some ids, without those who were deleted.
    pub(crate) async fn by_ids(
        &self,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Identity>>> {
        self.find_all(ids, Age::None).await
    }

    /// The same, as they were lately.
    pub(crate) async fn lately_by_ids(
        &self,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Arc<Identity>>> {
        self.find_all(ids, Age::Lately).await
    }

    async fn find_all(
        &self,
        ids: impl IntoIterator<Item = UserId>,
        age: Age,
    ) -> Result<HashMap<UserId, Arc<Identity>>> {
        let mut users = HashMap::new();
        let mut unknown = HashSet::new();
        for id in ids {
            match self.known(id, age) {
                Some(known) => drop(users.insert(id, known)),
                None => drop(unknown.insert(id)),
            }
        }
        let asked = Instant::now();
        for identity in store::identities(&self.db, unknown).await? {
            users.insert(identity.id, self.remember(identity, asked));
        }
        users.retain(|_, user| !user.deleted);
        Ok(users)
    }

    /// Whom some login names mean, without users who were deleted.
    pub(crate) async fn ids_of(&self, usernames: HashSet<&str>) -> Result<Named> {
        store::ids_of(&self.db, usernames).await
    }

    /// The users whose login names differ from one in capitals alone, without those who were deleted.
    pub(crate) async fn like(&self, username: &str) -> Result<Vec<Arc<Identity>>> {
        let alike = store::in_any_case(&self.db, &[username]).await?;
        let others = alike.into_values().flatten().filter(|(_, other)| other != username);
        let found = self.by_ids(others.map(|(id, _)| id)).await?;
        Ok(found.into_values().collect())
    }

    /// The user of a login name, unless he was deleted.
    pub(crate) async fn by_username(&self, username: &str) -> Result<Option<Arc<Identity>>> {
        self.find_named(username, Age::None).await
    }

    /// The same, as he was lately.
    pub(crate) async fn lately_by_username(&self, username: &str) -> Result<Option<Arc<Identity>>> {
        self.find_named(username, Age::Lately).await
    }

    async fn find_named(&self, username: &str, age: Age) -> Result<Option<Arc<Identity>>> {
        let hint = self.memory.by_username.get(username).map(|id| *id);
        if let Some(known) = hint.and_then(|id| self.known(id, age))
            && known.username == username
            && !known.deleted
        {
            return Ok(Some(known));
        }
        let asked = Instant::now();
        let found = store::identity_by_username(&self.db, username).await?;
        Ok(found.map(|identity| self.remember(identity, asked)).filter(|user| !user.deleted))
    }

    /// The user of a uniquehash.
    pub(crate) async fn by_uniquehash(&self, text: &str) -> Result<Option<Arc<Identity>>> {
        if !uniquehash::is_possible(text) {
            return Ok(None);
        }
        let asked = Instant::now();
        let found = store::identity_by_uniquehash(&self.db, &uniquehash::digest(text)).await?;
        Ok(found.map(|identity| self.remember(identity, asked)).filter(|user| !user.deleted))
    }

    /// The balance of a user who exists.
    pub(crate) async fn balance(&self, id: UserId) -> Result<Money> {
        if let Some(known) = self.memory.balances.get(&id) {
            return Ok(known.amount);
        }
        let balance = store::balance(&self.db, id).await?.ok_or(Error::UserNotFound)?;
        self.learn_balance(id, balance);
        Ok(balance.amount)
    }

    /// Takes in the state of a user after a commit.
    pub(crate) fn learn(&self, identity: Identity) {
        self.remember(identity, Instant::now());
    }

    /// Takes in the state of a user as it was when it was asked for, or later. Returns the newest
    /// that is known; where others change users, what the database has said: it may have gone back.
    fn remember(&self, identity: Identity, asked: Instant) -> Arc<Identity> {
        if !self.exclusive && self.memory.identities.len() >= REMEMBERED {
            self.memory.identities.clear();
            self.memory.by_username.clear();
        }
        let new = Known { asked, identity: Arc::new(identity) };
        let newest = {
            let id = new.identity.id;
            let mut known = self.memory.identities.entry(id).or_insert_with(|| new.clone());
            let is_newer = match self.exclusive {
                true => known.identity.version <= new.identity.version,
                false => known.asked <= new.asked,
            };
            if is_newer {
                *known = new.clone();
            }
            if self.exclusive { known.identity.clone() } else { new.identity }
        };
        if !newest.deleted {
            self.memory.by_username.insert(newest.username.clone(), newest.id);
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
        if !self.exclusive {
            return;
        }
        let mut known = self.memory.balances.entry(id).or_insert(balance);
        if known.last_entry < balance.last_entry {
            *known = balance;
        }
    }
}
