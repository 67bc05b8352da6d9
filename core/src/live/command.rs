//! What is asked of calls under way, as it waits for its turn.

use std::collections::HashSet;

use tollbook_proto::v1 as pb;

use super::{
    ActiveCall, CLOCK_SKEW, RINGING, authorize,
    board::{Board, Concerned},
    chain,
    decide::Question,
};
use crate::{
    calls::Owners,
    catalog::Snapshot,
    error::{Error, Result},
    ids::{PointId, PoolId, UserId},
    money::Money,
    points::SideTariffs,
};

/// What is asked of a call.
pub(crate) enum Command {
    /// May it be made, by whom, and for how long?
    Authorize(Box<Question>),
    /// It was answered.
    Start(Start),
    /// It shall go on.
    Update(Update),
}

/// What a command came to.
pub(crate) enum Outcome {
    Authorized(pb::AuthorizeCallResponse),
    /// It is to be asked again once this is in memory.
    Unprepared(Missing),
    Going(Box<Going>),
}

/// What has to be in memory before a call is decided about.
pub(crate) struct Missing {
    /// Whose decks are to be compiled.
    pub(crate) sides: HashSet<SideTariffs>,
    /// Whose numbers are to be read.
    pub(crate) pools: Vec<PoolId>,
}

/// A call that is under way.
pub(crate) struct Going {
    pub(super) call: ActiveCall,
    /// The switch shall end it now.
    pub(super) hang_up: bool,
    /// When that was decided.
    pub(super) now: i64,
}

/// Whose a call was when it was looked up, and who else pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    pub(super) originator: UserId,
    pub(super) owners: Owners<UserId>,
}

impl Whose {
    pub(super) fn is(call: &ActiveCall) -> Self {
        Self { originator: call.originator, owners: call.owners.map(|_, hold| hold.user) }
    }
}

/// A call was answered.
pub(crate) struct Start {
    pub(super) call_id: String,
    pub(super) of: Whose,
    /// None: now.
    pub(super) answered: Option<i64>,
}

/// A call shall go on, up to a duration.
pub(crate) struct Update {
    pub(super) call_id: String,
    pub(super) of: Whose,
    pub(super) wanted: u32,
}

impl Command {
    /// Which call it is about.
    pub(crate) fn call_id(&self) -> &str {
        match self {
            Self::Authorize(question) => &question.request.call_id,
            Self::Start(start) => &start.call_id,
            Self::Update(update) => &update.call_id,
        }
    }

    /// Whom it is about.
    pub(crate) fn concerns(&self, snapshot: &Snapshot, concerned: &mut Concerned) {
        match self {
            Self::Authorize(question) => question.concerns(snapshot, concerned),
            Self::Start(Start { of, .. }) | Self::Update(Update { of, .. }) => {
                concerned.users.insert(of.originator);
                concerned.owners.extend(of.owners.each().map(|(_, owner)| *owner));
            }
        }
    }

    /// The tariffs that may decide.
    pub(super) fn sides(&self, board: &Board) -> Result<HashSet<SideTariffs>> {
        match self {
            Self::Authorize(question) => question.sides(board),
            // They go on at the rates of their authorisation.
            Self::Start(_) | Self::Update(_) => Ok(HashSet::new()),
        }
    }

    /// Does what is asked. An error means that nothing was changed.
    pub(crate) fn run(&self, board: &mut Board) -> Result<Outcome> {
        match self {
            Self::Authorize(question) => match question.missing(board)? {
                Some(missing) => Ok(Outcome::Unprepared(missing)),
                None => question.decide(board).map(Outcome::Authorized),
            },
            Self::Start(start) => start.run(board),
            Self::Update(update) => update.run(board),
        }
    }
}

/// A call, if it is still that of its originator.
fn find(board: &Board, call_id: &str, of: Whose) -> Result<ActiveCall> {
    let call = board.calls.get(call_id).filter(|call| call.originator == of.originator);
    let call = call.ok_or(Error::CallNotFound)?;
    // Authorised anew meanwhile, for others above him.
    if Whose::is(call) == of { Ok(call.clone()) } else { Err(Error::Busy) }
}

impl Start {
    fn run(&self, board: &mut Board) -> Result<Outcome> {
        let now = board.now;
        let mut call = find(board, &self.call_id, self.of)?;
        let answered = match self.answered {
            // Now; but our clock may have been put back since the call began.
            None => now.max(call.authorized_at),
            Some(answered) if answered < call.authorized_at - RINGING => return Err(too_far()),
            Some(answered) if answered > now + CLOCK_SKEW => return Err(too_far()),
            // A clock that is a little ahead: the call may end before ours gets there.
            Some(answered) => answered.min(now),
        };
        let mut expired = call.is_expired(now);
        // Said twice, the first counts.
        let first = call.answered_at.is_none();
        if first {
            call.answered_at = Some(answered);
        }
        if first && !expired {
            call.expires_at = call.expiry(now);
            // It was answered so long ago that nothing would be reserved for it.
            expired = call.is_expired(now);
        }
        let mut hang_up = false;
        if expired {
            let wanted = call.max_duration;
            hang_up = go_on(board, &mut call, wanted)?;
        }
        if first || (expired && !hang_up) {
            board.put(call.clone())?;
        }
        Ok(Outcome::Going(Box::new(Going { call, hang_up, now })))
    }
}

impl Update {
    fn run(&self, board: &mut Board) -> Result<Outcome> {
        let mut call = find(board, &self.call_id, self.of)?;
        let hang_up = go_on(board, &mut call, self.wanted)?;
        board.put(call.clone())?;
        Ok(Outcome::Going(Box::new(Going { call, hang_up, now: board.now })))
    }
}

/// Lets a call go on up to a duration, or as much of it as those who pay for it can; one
/// that has expired only after the checks that a new one has to pass on that side. Returns
/// whether the switch shall end it now.
fn go_on(board: &Board, call: &mut ActiveCall, wanted: u32) -> Result<bool> {
    let now = board.now;
    // Deleted meanwhile.
    let Some(caller) = board.party(call.originator, &call.call_id)? else { return Ok(true) };
    let owners = call.owners.map(|_, hold| hold.user);
    let Ok(owners) = chain::parties(board, owners, &call.call_id)? else { return Ok(true) };
    let point = board.snapshot.points.origination(call.origination_point);
    let point = point.map(|(_, origination)| &origination.terms);
    let wanted = point.map_or(wanted, |terms| terms.shortened(wanted));
    let allowances = chain::allowances(&caller, &owners)?;
    if call.is_expired(now) {
        let is_off = match point {
            None => call.origination_point != PointId(0),
            Some(terms) => !terms.active,
        };
        let calls = board.calls_of(call.origination_point, &call.call_id);
        let is_full = point.is_some_and(|terms| terms.is_full(calls));
        let mut payers = std::iter::once(&caller).chain(owners.each().map(|(_, owner)| owner));
        let refused = is_off || is_full || payers.any(|payer| payer.refused().is_some());
        return Ok(refused || !authorize::renew(call, &allowances, wanted, now)?);
    }
    authorize::prolong(call, &allowances, wanted)?;
    call.expires_at = call.expires_at.max(call.expiry(now));
    let left = caller.left_of_day()?;
    let limit = caller.user.daily_limit.as_ref();
    let ends_calls = limit.is_some_and(|limit| limit.kill_calls_in_progress);
    let is_spent = left.is_some_and(|left| left <= Money::ZERO);
    let is_blocked = caller.user.blocked || owners.each().any(|(_, owner)| owner.user.blocked);
    Ok(is_blocked || (ends_calls && is_spent))
}

fn too_far() -> Error {
    Error::invalid("answer_time", "is too far from now")
}
