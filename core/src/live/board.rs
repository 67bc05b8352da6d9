//! What is decided on: the calls under way of a batch, and whom they concern.
//!
//! Everything is read at once, with the accounts of all users concerned locked; the decisions are
//! made one after the other in memory, each on what the ones before it left, and what they changed
//! is written at once.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1 as pb;

use super::{ActiveCall, Command, authorize::Party, store};
use crate::{
    calls::Call,
    catalog::Snapshot,
    error::Result,
    ids::{PointId, PoolId, TariffId, UserId},
    ledger::store::Accounts,
    money::Money,
    pools::Patterns,
    rating::Rater,
    stats,
    store::{Query, Row, Tx},
    users::{self, Role},
    writer::Resources,
};

/// A call as it is stored, and as it shall be.
struct Slot {
    stored: Option<ActiveCall>,
    call: Option<ActiveCall>,
    changed: bool,
}

/// Calls under way, by the switch's ids, and what changes of them.
#[derive(Default)]
pub(crate) struct ActiveCalls(HashMap<String, Slot>);

impl ActiveCalls {
    /// Calls as they were read.
    pub(crate) fn new(stored: HashMap<String, ActiveCall>) -> Self {
        let slots = stored.into_iter().map(|(id, call)| {
            (id, Slot { call: Some(call.clone()), stored: Some(call), changed: false })
        });
        Self(slots.collect())
    }

    /// A call as it is now.
    pub(crate) fn get(&self, call_id: &str) -> Option<&ActiveCall> {
        self.0.get(call_id)?.call.as_ref()
    }

    /// A call begins, or goes on in another way.
    fn put(&mut self, call: ActiveCall) {
        let slot = self.0.entry(call.call_id.clone());
        let slot = slot.or_insert(Slot { stored: None, call: None, changed: true });
        slot.call = Some(call);
        slot.changed = true;
    }

    /// A call is over, or will not be made.
    pub(crate) fn remove(&mut self, call_id: &str) {
        if let Some(slot) = self.0.get_mut(call_id) {
            slot.changed |= slot.call.take().is_some();
        }
    }

    fn changed(&self) -> impl Iterator<Item = &Slot> {
        self.0.values().filter(|slot| slot.changed)
    }

    fn new_calls(&self) -> impl Iterator<Item = &ActiveCall> {
        self.changed().filter_map(|slot| slot.call.as_ref()).filter(|call| call.id == 0)
    }

    /// Whether there is nothing to be written.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.changed().next().is_none()
    }

    /// Writes what has changed, new calls under ids that were asked for.
    pub(crate) async fn write(&self, tx: &mut Tx, ids: &[Row]) -> Result<()> {
        let (mut gone, mut altered) = (Vec::new(), Vec::new());
        for slot in self.changed() {
            match (&slot.stored, &slot.call) {
                (Some(stored), Some(call)) if call.id == stored.id => altered.push(call),
                (Some(stored), _) => gone.push(stored.call_id.as_str()),
                (None, _) => {}
            }
        }
        let new: Vec<&ActiveCall> = self.new_calls().collect();
        if !gone.is_empty() {
            store::delete(tx, &gone).await?;
        }
        if !altered.is_empty() {
            store::update(tx, &altered).await?;
        }
        if !new.is_empty() {
            let ids = tx.ids(ids, new.len())?;
            store::insert(tx, ids.into_iter().zip(new)).await?;
        }
        Ok(())
    }
}

/// What a user has under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Calls that he originated, or that his users did.
    pub(super) originated: i64,
    /// What is reserved for them.
    pub(super) reserved: Money,
    /// Calls that go to him.
    pub(super) terminated: i64,
}

impl Usage {
    /// Nothing.
    pub(super) const NONE: Self = Self { originated: 0, reserved: Money::ZERO, terminated: 0 };

    /// Counts a call of his in, or out.
    fn count(&mut self, user: UserId, call: &ActiveCall, by: i64) -> Result<()> {
        let mut owners = call.owners.each();
        let reserved = match call.originator == user {
            true => Some(call.reserved),
            false => owners.find_map(|(_, hold)| (hold.user == user).then_some(hold.reserved)),
        };
        if let Some(reserved) = reserved {
            self.reserved = match by > 0 {
                true => self.reserved.plus(reserved)?,
                false => self.reserved.minus(reserved)?,
            };
            self.originated += by;
        } else if call.terminator == Some(user) {
            self.terminated += by;
        }
        Ok(())
    }
}

/// Whom and what the decisions of a batch are about.
#[derive(Default)]
pub(crate) struct Concerned {
    pub(super) users: HashSet<UserId>,
    /// Those above them.
    pub(super) owners: HashSet<UserId>,
    pub(super) points: HashSet<PointId>,
}

impl Concerned {
    /// The users whose accounts are to be locked.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.users.iter().chain(&self.owners).copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Asks for the users, for what they have under way and for the calls of the points.
    pub(crate) fn queries(&self, now: i64) -> [Option<Query>; 4] {
        if self.is_empty() {
            return [const { None }; 4];
        }
        let (users, owners) = (sorted(&self.users), sorted(&self.owners));
        let points = sorted(&self.points);
        let all: Vec<UserId> = users.iter().chain(&owners).copied().collect();
        [
            Some(users::store::these(&all)),
            Some(store::asking_for_reserved(&users, &owners, now)),
            Some(store::asking_for_terminated(&users, now)),
            (!points.is_empty()).then(|| store::asking_for_points(&points, now)),
        ]
    }
}

fn sorted<T: Copy + Ord>(ids: &HashSet<T>) -> Vec<T> {
    let mut ids: Vec<T> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

/// What decisions are made on.
pub(crate) struct Board {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(super) now: i64,
    /// Those who may make calls, or get them.
    users: HashMap<UserId, (pb::User, Money)>,
    /// Resellers and partners, who pay for those of others.
    owners: HashMap<UserId, (pb::User, Money)>,
    usage: HashMap<UserId, Usage>,
    points: HashMap<PointId, i64>,
    /// What users with a daily limit have spent today.
    spent: HashMap<UserId, Money>,
    pub(super) calls: ActiveCalls,
    /// Calls that are in the books.
    pub(super) finished: HashMap<String, Call>,
    pub(super) pools: HashMap<PoolId, Arc<Patterns>>,
    pub(super) rater: Rater,
    /// Tariffs whose decks are still to be compiled. Nobody who waits for the accounts waits for
    /// that, nor for a number pool to be read.
    pub(super) unprepared: HashSet<TariffId>,
}

impl Board {
    /// Sets out what [`Concerned::queries`] found.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        now: i64,
        rows: &[Vec<Row>; 4],
        accounts: &Accounts,
        calls: ActiveCalls,
        finished: HashMap<String, Call>,
    ) -> Result<Self> {
        let [user_rows, reserved, terminated, points] = rows;
        let (mut users, mut owners) = (HashMap::with_capacity(user_rows.len()), HashMap::new());
        for row in user_rows {
            let user = users::store::read_user(row)?;
            let id = UserId(user.id());
            // One who is gone since, and whoever is no customer or supplier, makes no calls.
            let Some(account) = accounts.get(&id) else { continue };
            match Role::from_proto(user.role) {
                Some(Role::User) => drop(users.insert(id, (user, account.balance))),
                Some(role) if role.is_owner() => {
                    // That is a limit of calls that one makes oneself.
                    let user = pb::User { daily_limit: None, ..user };
                    owners.insert(id, (user, account.balance));
                }
                _ => {}
            }
        }
        let mut usage: HashMap<UserId, Usage> = HashMap::new();
        for row in reserved {
            let usage = usage.entry(UserId(row.get(0)?)).or_insert(Usage::NONE);
            usage.originated += 1;
            usage.reserved = usage.reserved.plus(row.get(1)?)?;
        }
        for row in terminated {
            usage.entry(UserId(row.get(0)?)).or_insert(Usage::NONE).terminated +=
                row.get::<i64>(1)?;
        }
        let mut at_points: HashMap<PointId, i64> = HashMap::new();
        for row in points {
            *at_points.entry(PointId(row.get(0)?)).or_default() += row.get::<i64>(1)?;
        }
        Ok(Self {
            snapshot,
            now,
            users,
            owners,
            usage,
            points: at_points,
            spent: HashMap::new(),
            calls,
            finished,
            pools: HashMap::new(),
            rater: Rater::default(),
            unprepared: HashSet::new(),
        })
    }

    /// Adds what the users turn out to need: what they spent today, and those of their number pools
    /// and of the decks of their tariffs that are in memory.
    pub(crate) async fn complete(
        &mut self,
        tx: &mut Tx,
        resources: &Resources,
        commands: &[&Command],
    ) -> Result<()> {
        let limited: Vec<UserId> = self
            .users
            .iter()
            .filter(|(_, (user, _))| Party::limit_of_day(user).is_some())
            .map(|(id, _)| *id)
            .collect();
        if !limited.is_empty() {
            let (today, _) = stats::rollup::day_of(self.now, &self.snapshot.settings.time_zone);
            self.spent = stats::store::spent_since(tx, &limited, today).await?;
        }
        for pool in self.users.values().flat_map(|(user, _)| pools_of(user)) {
            let numbers = resources.pools.ready(&self.snapshot.pools, pool);
            self.pools.extend(numbers.map(|numbers| (pool, numbers)));
        }
        let mut sides = HashSet::new();
        for command in commands {
            sides.extend(command.sides(self)?);
        }
        (self.rater, self.unprepared) = Rater::compiled(&resources.decks, &self.snapshot, sides)?;
        Ok(())
    }

    /// The number pools of a user that are still to be read.
    pub(super) fn missing_pools(&self, id: UserId) -> Vec<PoolId> {
        let pools = self.users.get(&id).into_iter().flat_map(|(user, _)| pools_of(user));
        pools.filter(|pool| !self.pools.contains_key(pool)).collect()
    }

    /// A user, and what he has under way without one call; none: he makes no calls.
    pub(super) fn party(&self, id: UserId, without: &str) -> Result<Option<Party<'_>>> {
        self.known(&self.users, id, without)
    }

    /// A reseller or partner, and what he and his users have under way without one call; none: he is gone.
    pub(super) fn owner(&self, id: UserId, without: &str) -> Result<Option<Party<'_>>> {
        self.known(&self.owners, id, without)
    }

    fn known<'a>(
        &self,
        users: &'a HashMap<UserId, (pb::User, Money)>,
        id: UserId,
        without: &str,
    ) -> Result<Option<Party<'a>>> {
        let Some((user, balance)) = users.get(&id) else { return Ok(None) };
        let mut usage = self.usage.get(&id).copied().unwrap_or(Usage::NONE);
        if let Some(call) = self.calls.get(without).filter(|call| !call.is_expired(self.now)) {
            usage.count(id, call, -1)?;
        }
        let spent = self.spent.get(&id).copied().unwrap_or(Money::ZERO);
        Ok(Some(Party { user, balance: *balance, usage, spent }))
    }

    /// How many calls come from or go to a point, without one call.
    pub(super) fn calls_of(&self, point: PointId, without: &str) -> i64 {
        let calls = self.points.get(&point).copied().unwrap_or_default();
        let own = self.calls.get(without).filter(|call| !call.is_expired(self.now));
        calls - own.map_or(0, |call| at_point(call, point))
    }

    /// A call begins or goes on.
    pub(super) fn put(&mut self, call: ActiveCall) -> Result<()> {
        // Refused, it leaves all as it was.
        self.count(&call, 1)?;
        self.remove(&call.call_id)?;
        self.calls.put(call);
        Ok(())
    }

    /// What is reserved for a call is given back.
    pub(super) fn remove(&mut self, call_id: &str) -> Result<()> {
        let call = self.calls.get(call_id).cloned();
        if let Some(call) = call {
            self.count(&call, -1)?;
            self.calls.remove(call_id);
        }
        Ok(())
    }

    fn count(&mut self, call: &ActiveCall, by: i64) -> Result<()> {
        if call.is_expired(self.now) {
            return Ok(());
        }
        let owners = call.owners.each().map(|(_, hold)| hold.user);
        for user in std::iter::once(call.originator).chain(owners).chain(call.terminator) {
            self.usage.entry(user).or_insert(Usage::NONE).count(user, call, by)?;
        }
        for point in [call.origination_point, call.termination_point] {
            *self.points.entry(point).or_default() += by;
        }
        Ok(())
    }

    /// The calls as the decisions leave them, and those that are in the books.
    pub(crate) fn into_calls(self) -> (ActiveCalls, HashMap<String, Call>) {
        (self.calls, self.finished)
    }
}

/// The number pools that restrict a user's calls.
fn pools_of(user: &pb::User) -> impl Iterator<Item = PoolId> {
    let lists = [&user.source_list, &user.destination_list].into_iter().flatten();
    let restricting = lists.filter(|list| list.r#use() != pb::ListUse::Unspecified);
    restricting.map(|list| PoolId(list.number_pool_id))
}

fn at_point(call: &ActiveCall, point: PointId) -> i64 {
    i64::from(call.origination_point == point || call.termination_point == point)
}
