//! Connections on which many ask at once, each by one statement of its own.
//!
//! The server answers them one after the other, and nobody waits for the way there and back of
//! somebody else's: over a network that is most of the time that a look-up takes.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::pool::{ACQUIRE_TIMEOUT, Connection, FRESH, Maker};
use crate::store::DatabaseError;

/// How many ask on one connection at once. Others wait until some of them have their answers.
const DEEP: usize = 32;

/// So many connections at most, which are made when they are needed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shared {
    maker: Arc<Maker>,
    permits: Arc<Semaphore>,
    places: Arc<[Arc<Place>]>,
}

/// Where a connection may be.
struct Place {
    connection: ArcSwapOption<Connection>,
    /// Held by who makes a connection, or looks whether the one that is there still works.
    making: tokio::sync::Mutex<()>,
    /// How many ask.
    asking: AtomicUsize,
    /// When it was last seen to work.
    worked: Mutex<Instant>,
}

impl Shared {
    pub(super) fn new(maker: Maker, most: usize) -> Self {
        let place = || {
            Arc::new(Place {
                connection: ArcSwapOption::empty(),
                making: tokio::sync::Mutex::default(),
                asking: AtomicUsize::new(0),
                worked: Mutex::new(Instant::now()),
            })
        };
        Self {
            maker: Arc::new(maker),
            permits: Arc::new(Semaphore::new(most * DEEP)),
            places: std::iter::repeat_with(place).take(most).collect(),
        }
    }

    /// A connection to ask on: the one on which the fewest ask.
    pub(super) async fn get(&self) -> Result<Asking, DatabaseError> {
        let asking = async {
            let permit = self.permits.clone().acquire_owned().await;
            let permit = permit.map_err(|_| DatabaseError::NoConnection)?;
            let calmest = self.places.iter().min_by_key(|place| (place.is_stuck(), place.asking()));
            let turn = Turn::new(calmest.ok_or(DatabaseError::NoConnection)?, permit);
            let connection = match turn.place.fresh() {
                Some(connection) => connection,
                // To its end whoever leaves: somebody has to find out whether it still works.
                None => {
                    let (place, maker) = (turn.place.clone(), self.maker.clone());
                    let made = tokio::spawn(async move { place.connection(&maker).await }).await;
                    made.map_err(|_| DatabaseError::NoConnection)??
                }
            };
            Ok(Asking { connection, turn })
        };
        timeout(ACQUIRE_TIMEOUT, asking).await.unwrap_or(Err(DatabaseError::NoConnection))
    }

    fn count(&self, counts: impl Fn(&Place) -> bool) -> usize {
        self.places.iter().filter(|place| place.is_open() && counts(place)).count()
    }

    /// How many connections there are.
    pub(super) fn size(&self) -> usize {
        self.count(|_| true)
    }

    /// On how many connections nobody asks.
    pub(super) fn idle(&self) -> usize {
        self.count(|place| place.asking() == 0)
    }
}

impl Place {
    fn asking(&self) -> usize {
        self.asking.load(Ordering::Relaxed)
    }

    fn is_open(&self) -> bool {
        self.connection.load().as_ref().is_some_and(|connection| !connection.client.is_closed())
    }

    fn worked(&self) -> MutexGuard<'_, Instant> {
        self.worked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn works(&self) {
        *self.worked() = Instant::now();
    }

    /// Whether those who ask have waited for a while: for a slow statement, or in vain.
    fn is_stuck(&self) -> bool {
        self.asking() > 0 && self.worked().elapsed() > FRESH
    }

    /// Its connection, if it was seen to work just now.
    fn fresh(&self) -> Option<Arc<Connection>> {
        let worked = *self.worked();
        self.connection.load_full().filter(|known| known.is_fresh(worked))
    }

    /// Its connection; a new one where there is none that works.
    async fn connection(&self, maker: &Maker) -> Result<Arc<Connection>, DatabaseError> {
        let _making = self.making.lock().await;
        // Somebody else may have done it meanwhile.
        let worked = *self.worked();
        if let Some(known) = self.connection.load_full()
            && known.is_alive(worked).await
        {
            self.works();
            return Ok(known);
        }
        let made = maker.make().await?;
        self.connection.store(Some(made.clone()));
        self.works();
        Ok(made)
    }
}

/// A connection to ask one thing on. Dropped before the answer is there, it goes on for others.
pub(super) struct Asking {
    connection: Arc<Connection>,
    turn: Turn,
}

impl Asking {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The answer has come.
    pub(super) fn is_answered(&self) {
        self.turn.place.works();
    }

    /// No answer will come any more, to nobody.
    pub(super) fn give_up(&self) {
        self.connection.give_up();
    }
}

/// One of those who ask.
struct Turn {
    place: Arc<Place>,
    _permit: OwnedSemaphorePermit,
}

impl Turn {
    fn new(place: &Arc<Place>, permit: OwnedSemaphorePermit) -> Self {
        place.asking.fetch_add(1, Ordering::Relaxed);
        Self { place: place.clone(), _permit: permit }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.place.asking.fetch_sub(1, Ordering::Relaxed);
    }
}
