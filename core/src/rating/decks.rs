//! The compiled decks of the tariffs in the database.
//!
//! A deck is compiled when it is first asked for, and again when the revision of its tariff
//! has changed; whoever asks meanwhile waits for the one compilation.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::OnceCell;

use super::Deck;
use crate::{
    error::{Error, Result},
    ids::TariffId,
    store::Db,
    tariffs::{Tariff, store},
};

#[derive(Default)]
pub(crate) struct Decks(DashMap<TariffId, Compiled>);

#[derive(Clone)]
struct Compiled {
    revision: i64,
    deck: Arc<OnceCell<Arc<Deck>>>,
}

impl Decks {
    /// The deck of a tariff as the catalog has it.
    pub(crate) async fn get(&self, db: &Db, tariff: &Tariff) -> Result<Arc<Deck>> {
        let compiled = {
            let mut compiled = self.0.entry(tariff.id).or_insert_with(|| Compiled::new(tariff));
            if compiled.revision < tariff.revision {
                *compiled = Compiled::new(tariff);
            }
            compiled.clone()
        };
        let deck = compiled.deck.get_or_try_init(|| compile(db, tariff.id)).await?;
        Ok(deck.clone())
    }
}

impl Compiled {
    fn new(tariff: &Tariff) -> Self {
        Self { revision: tariff.revision, deck: Arc::default() }
    }
}

async fn compile(db: &Db, id: TariffId) -> Result<Arc<Deck>> {
    let mut tx = db.snapshot().await?;
    let mut rates = store::rates(&mut tx, id).await?;
    let deck = tokio::task::spawn_blocking(move || {
        // Databases sort texts in their own ways. A stable sort keeps the order of the rates
        // of a prefix.
        rates.sort_by(|one, other| one.prefix.as_bytes().cmp(other.prefix.as_bytes()));
        Deck::new(rates.iter().map(|rate| (rate.prefix.as_str(), rate.rate.clone())))
    });
    deck.await.map(Arc::new).map_err(|error| Error::internal(error.to_string()))
}
