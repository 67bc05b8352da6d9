//! The compiled decks of the tariffs in the database.
//!
//! A deck is compiled when it is first asked for, and again when the revision of its tariff
//! has changed; whoever asks meanwhile waits for the one compilation.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dashmap::DashMap;
use tokio::{
    sync::{OnceCell, Semaphore},
    task::JoinSet,
};

use tollbook_rating::{Builder, Deck};

use crate::{
    error::{Error, Result},
    ids::TariffId,
    store::Db,
    tariffs::{Rate, Tariff, store},
};

/// How many decks are compiled at once: each reads by a connection of its own, of which others are
/// to be left, and takes a processor.
const AT_ONCE: usize = 2;
/// How long a start waits for its decks: the rest are compiled while calls are answered.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Decks {
    compiled: DashMap<TariffId, Compiled>,
    turns: Semaphore,
}

impl Default for Decks {
    fn default() -> Self {
        Self { compiled: DashMap::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

#[derive(Clone)]
struct Compiled {
    revision: i64,
    deck: Arc<OnceCell<Arc<Deck>>>,
}

impl Decks {
    /// The deck of a tariff as the catalog has it.
    pub(crate) async fn get(&self, db: &Db, tariff: &Tariff) -> Result<Arc<Deck>> {
        let compiled = {
            let mut compiled =
                self.compiled.entry(tariff.id).or_insert_with(|| Compiled::new(tariff));
            if compiled.revision < tariff.revision {
                *compiled = Compiled::new(tariff);
            }
            compiled.clone()
        };
        let deck = compiled.deck.get_or_try_init(|| self.compile(db, tariff.id)).await?;
        Ok(deck.clone())
    }

    /// The same, if it is compiled.
    pub(crate) fn ready(&self, tariff: &Tariff) -> Option<Arc<Deck>> {
        let compiled = self.compiled.get(&tariff.id)?;
        let is_new = compiled.revision >= tariff.revision;
        compiled.deck.get().filter(|_| is_new).cloned()
    }

    /// Compiles the deck of a tariff that has changed, where it has one: the next call is not
    /// to wait for that.
    pub(crate) fn renew(self: &Arc<Self>, db: &Db, tariff: &Tariff) {
        if self.compiled.contains_key(&tariff.id) {
            let (decks, db, tariff) = (self.clone(), db.clone(), tariff.clone());
            tokio::spawn(async move { decks.get_ready(&db, &tariff).await });
        }
    }

    /// Compiles the decks of tariffs before the first call that needs them. Where they are so
    /// many that it takes long, it goes on by itself.
    pub(crate) async fn prepare(self: Arc<Self>, db: Db, tariffs: Vec<Tariff>) {
        let prepare = tokio::spawn(async move {
            let (count, begun) = (tariffs.len(), Instant::now());
            let mut under_way = JoinSet::new();
            for tariff in tariffs {
                if under_way.len() >= AT_ONCE {
                    under_way.join_next().await;
                }
                let (decks, db) = (self.clone(), db.clone());
                under_way.spawn(async move { decks.get_ready(&db, &tariff).await });
            }
            let _ = under_way.join_all().await;
            let bytes: usize = self
                .compiled
                .iter()
                .filter_map(|compiled| Some(compiled.deck.get()?.bytes()))
                .sum();
            tracing::info!(count, bytes, duration = ?begun.elapsed(), "decks are compiled");
        });
        if tokio::time::timeout(PATIENCE, prepare).await.is_err() {
            tracing::warn!("compiling decks takes long: it goes on while calls are answered");
        }
    }

    /// Compiles a deck ahead of the calls that need it. Where that fails, they will hear why.
    async fn get_ready(&self, db: &Db, tariff: &Tariff) {
        if let Err(error) = self.get(db, tariff).await {
            tracing::warn!(tariff = %tariff.id, error = ?error, "a deck could not be compiled");
        }
    }

    async fn compile(&self, db: &Db, id: TariffId) -> Result<Arc<Deck>> {
        let _turn = self.turns.acquire().await.map_err(|_| Error::Unavailable)?;
        let mut tx = db.snapshot().await?;
        let mut deck = Builder::with_capacity(store::count_rates(&mut tx, id).await?);
        let add = |rate: Rate| match deck.add(&rate.prefix, &rate.rate) {
            true => Ok(()),
            false => Err(Error::internal("the database does not sort prefixes by their bytes")),
        };
        store::for_each_rate(&mut tx, id, None, add).await?;
        drop(tx);
        let deck = tokio::task::spawn_blocking(move || deck.build());
        deck.await.map(Arc::new).map_err(|error| Error::internal(error.to_string()))
    }
}

impl Compiled {
    fn new(tariff: &Tariff) -> Self {
        Self { revision: tariff.revision, deck: Arc::default() }
    }
}
