//! Adding calls to the sums, in the transaction that stores them.

use std::collections::BTreeMap;

use jiff::{Timestamp, tz::TimeZone};

use super::{Sums, store};
use crate::{
    calls::{self, Call, Side},
    error::Result,
    ids::{PointId, UserId},
    store::Tx,
};

/// An hour, in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;

/// Who makes up a sum per day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Party {
    /// Everybody.
    All,
    /// Somebody who pays for calls on a side, or earns with them.
    Side(Side, UserId),
}

/// The way of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Route {
    pub(crate) originator: UserId,
    pub(crate) origination_point: PointId,
    /// 0: nobody.
    pub(crate) terminator: UserId,
    pub(crate) termination_point: PointId,
}

impl Route {
    fn of(call: &Call) -> Self {
        Self {
            originator: call.originator,
            origination_point: call.reported.origination_point,
            terminator: call.terminator.unwrap_or(UserId(0)),
            termination_point: call.reported.termination_point,
        }
    }
}

/// What some calls add to the sums. Sorted, so that two transactions never wait for one
/// another.
pub(crate) struct Rollup {
    days: Days,
    pub(crate) by_day: BTreeMap<(Party, i64), Sums>,
    pub(crate) by_hour: BTreeMap<(i64, Route), Sums>,
    pub(super) by_destination: BTreeMap<(i64, Route, String), Sums>,
}

impl Rollup {
    /// Nothing yet; days are those of `zone`.
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            days: Days::new(zone),
            by_day: BTreeMap::new(),
            by_hour: BTreeMap::new(),
            by_destination: BTreeMap::new(),
        }
    }

    /// Counts a call.
    pub(crate) fn add(&mut self, call: &Call) {
        self.add_users(call);
        self.add_destination(call, Sums::of(call));
    }

    /// Counts a call, but not by destination.
    pub(crate) fn add_users(&mut self, call: &Call) {
        self.change_users(call, Sums::of(call));
    }

    /// Corrects the sums for a call that now has another price.
    pub(crate) fn change(&mut self, before: &Call, after: &Call) {
        self.change_users(after, Sums::change(before, after));
        // It may have moved from one destination to another.
        self.add_destination(before, Sums::of(before).negated());
        self.add_destination(after, Sums::of(after));
    }

    /// Counts a call in the place of another one.
    pub(crate) fn replace(&mut self, before: &Call, after: &Call) {
        self.remove(before);
        self.add(after);
    }

    /// Takes a call out that was counted.
    pub(crate) fn remove(&mut self, call: &Call) {
        let gone = Sums::of(call).negated();
        self.change_users(call, gone);
        self.add_destination(call, gone);
    }

    fn change_users(&mut self, call: &Call, sums: Sums) {
        let start = call.reported.start_time;
        let day = self.days.start_of(start);
        let sides = call.legs().map(|(user, side, _)| Party::Side(side, user));
        for party in std::iter::once(Party::All).chain(sides) {
            *self.by_day.entry((party, day)).or_default() += sums;
        }
        let hour = start.div_euclid(HOUR) * HOUR;
        *self.by_hour.entry((hour, Route::of(call))).or_default() += sums;
    }

    fn add_destination(&mut self, call: &Call, sums: Sums) {
        let day = self.days.start_of(call.reported.start_time);
        let key = (day, Route::of(call), call.prefix.clone());
        *self.by_destination.entry(key).or_default() += sums;
    }

    /// Adds everything to the stored sums.
    pub(crate) async fn write(self, tx: &mut Tx) -> Result<()> {
        store::add(tx, self).await
    }
}

/// How many calls are counted at once.
const PAGE: i64 = 5_000;

/// Counts all calls anew, by the days of another time zone. Nobody else takes in calls
/// meanwhile; calls under way are decided about, and sums are read, as before.
pub(crate) async fn rebuild(tx: &mut Tx, zone: &TimeZone) -> Result<()> {
    tx.take_its_time();
    store::lock_alone(tx).await?;
    store::clear(tx).await?;
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let calls = calls::store::after(tx, after, PAGE).await?;
        let Some(last) = calls.last() else { return Ok(()) };
        after = (last.reported.start_time, last.id);
        let mut rollup = Rollup::new(zone.clone());
        for call in &calls {
            rollup.add(call);
        }
        rollup.write(tx).await?;
    }
}

/// The days of a time zone. Calls come roughly in the order of time, so the day of one is
/// mostly that of the one before.
struct Days {
    zone: TimeZone,
    /// The start of the last day asked for, and of the one behind it.
    last: (i64, i64),
}

impl Days {
    fn new(zone: TimeZone) -> Self {
        Self { zone, last: (0, 0) }
    }

    /// When the day of a moment began.
    fn start_of(&mut self, micros: i64) -> i64 {
        let (start, next) = self.last;
        if !(start..next).contains(&micros) {
            self.last = day_of(micros, &self.zone);
        }
        self.last.0
    }
}

/// When the day of a moment begins, and when the next one does.
pub(crate) fn day_of(micros: i64, zone: &TimeZone) -> (i64, i64) {
    let time = Timestamp::from_microsecond(micros).unwrap_or_default();
    let start = time.to_zoned_datetime(zone.clone()).start_of_day().ok();
    let next = start.as_ref().and_then(|start| start.tomorrow().ok()?.start_of_day().ok());
    let start = start.map_or(micros, |start| start.timestamp().as_microsecond());
    (start, next.map_or(start + 24 * HOUR, |next| next.timestamp().as_microsecond()))
}
