//! Calls under way: authorising them, and reserving what they may cost
//! (`docs/rules/live-calls.md#reservations`).

mod authorize;
mod board;
mod chain;
mod command;
mod decide;
mod service;
pub(crate) mod store;

pub(crate) use board::{ActiveCalls, Board, Concerned};
pub(crate) use command::{Command, Missing, Outcome};
pub(crate) use service::{Service, watch};

use tollbook_proto::v1 as pb;

use crate::{
    calls::{Call, Owners, Reported},
    clock,
    ids::{PointId, UserId},
    money::Money,
    rating::Offer,
};

/// A second, in microseconds.
const SECOND: i64 = 1_000_000;
/// The longest that a call may last, in seconds: M4's global limit.
const LONGEST: u32 = 7_200;
/// How long a call may ring before its reservation expires, in microseconds.
const RINGING: i64 = 5 * 60 * SECOND;
/// How long after its allowed duration the end of a call may be reported.
const GRACE: i64 = 60 * SECOND;
/// How far the clock of a switch may be ahead, in microseconds.
pub(crate) const CLOCK_SKEW: i64 = 60 * SECOND;
/// For how long an expired call that was never answered is shown.
const FORGOTTEN: i64 = 24 * 3600 * SECOND;

/// A call under way.
#[derive(Clone, Debug)]
pub(crate) struct ActiveCall {
    pub(crate) id: i64,
    pub(crate) call_id: String,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) originator: UserId,
    pub(crate) origination_point: PointId,
    pub(crate) terminator: Option<UserId>,
    pub(crate) termination_point: PointId,
    pub(crate) authorized_at: i64,
    pub(crate) answered_at: Option<i64>,
    pub(crate) expires_at: i64,
    /// Seconds from the answer.
    pub(crate) max_duration: u32,
    pub(crate) reserved: Money,
    /// What the originator pays, whatever becomes of points and tariffs meanwhile; `None` for
    /// calls of a version that did not keep it.
    pub(crate) price: Option<Offer>,
    /// What the terminator earns; `None` also if no terminator was offered.
    pub(crate) self_cost: Option<Offer>,
    /// What those pay whose the originator is.
    pub(crate) owners: Owners<Hold>,
}

/// What is reserved of the money of somebody above the originator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) user: UserId,
    pub(crate) reserved: Money,
    /// What he pays, whatever becomes of his tariff meanwhile.
    pub(crate) price: Offer,
}

/// Who looks at a call under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Viewer {
    /// Whoever may see both sides.
    Operator,
    /// A customer, who sees their own side.
    Customer(UserId),
    /// A reseller or partner, who sees what his users see who make the calls, and what is reserved of his
    /// own money, or of that of his resellers.
    Owner(Option<UserId>),
}

/// What originators are told of their calls.
fn to_originator(call: pb::ActiveCall) -> pb::ActiveCall {
    pb::ActiveCall { terminator_id: None, termination_point_id: 0, ..without_owners(call) }
}

fn without_owners(call: pb::ActiveCall) -> pb::ActiveCall {
    pb::ActiveCall {
        reseller_id: None,
        reseller_reserved: None,
        partner_id: None,
        partner_reserved: None,
        ..call
    }
}

impl ActiveCall {
    /// When the reservation expires: after the time for ringing, and once it is answered
    /// after the allowed duration.
    fn expiry(&self, now: i64) -> i64 {
        match self.answered_at {
            None => now + RINGING,
            Some(answered) => answered + i64::from(self.max_duration) * SECOND + GRACE,
        }
    }

    fn is_expired(&self, now: i64) -> bool {
        self.expires_at <= now
    }

    /// What of a call is not as it was authorised; `None` if it may be that call. A point that
    /// the authorisation or the report leaves out is no difference, nor is another terminator:
    /// switches go on to the next where one does not answer.
    pub(crate) fn difference(&self, originator: UserId, call: &Reported) -> Option<&'static str> {
        let other_point = |authorized: PointId, reported: PointId| {
            authorized != PointId(0) && reported != PointId(0) && authorized != reported
        };
        if originator != self.originator {
            Some("originator")
        } else if call.destination != self.destination {
            Some("destination")
        } else if other_point(self.origination_point, call.origination_point) {
            Some("origination point")
        } else {
            None
        }
    }

    /// Says in the log that a call went on for longer than it was allowed to: what it cost beyond
    /// that was not reserved. Switches round up to two seconds.
    fn report_excess(&self, call: &Call) {
        let lasted = call.reported.billsec_seconds();
        if lasted > self.max_duration.saturating_add(2) {
            tracing::warn!(
                call_id = self.call_id,
                originator = self.originator.0,
                allowed_seconds = self.max_duration,
                lasted_seconds = lasted,
                reserved = %self.reserved.value(),
                price = %call.price.amount.value(),
                "a call was longer than it was allowed to be"
            );
        }
    }

    /// As a viewer may see it. A customer sees neither the other side nor, where the call goes
    /// to them, what the originator pays.
    fn shown_to(&self, viewer: Viewer, originator: String, now: i64) -> pb::ActiveCall {
        let call = self.to_proto(originator, now);
        match viewer {
            Viewer::Operator => call,
            Viewer::Owner(owner) => self.to_owner(owner, call),
            Viewer::Customer(user) if user == self.originator => to_originator(call),
            Viewer::Customer(_) => pb::ActiveCall {
                originator_id: 0,
                originator: String::new(),
                origination_point_id: 0,
                reserved: None,
                ..without_owners(call)
            },
        }
    }

    /// As a reseller or partner may see it.
    fn to_owner(&self, owner: Option<UserId>, call: pb::ActiveCall) -> pb::ActiveCall {
        let is_own = |hold: &Option<Hold>| hold.is_some_and(|hold| owner == Some(hold.user));
        let (is_resellers, is_partners) =
            (is_own(&self.owners.reseller), is_own(&self.owners.partner));
        let plain = to_originator(call.clone());
        pb::ActiveCall {
            reseller_id: call.reseller_id.filter(|_| is_resellers || is_partners),
            reseller_reserved: call.reseller_reserved.filter(|_| is_resellers || is_partners),
            partner_id: call.partner_id.filter(|_| is_partners),
            partner_reserved: call.partner_reserved.filter(|_| is_partners),
            ..plain
        }
    }

    fn to_proto(&self, originator: String, now: i64) -> pb::ActiveCall {
        let expired = self.is_expired(now);
        let held = |reserved: Money| if expired { Money::ZERO } else { reserved };
        let Owners { reseller, partner } = self.owners;
        pb::ActiveCall {
            id: self.id,
            call_id: self.call_id.clone(),
            source: self.source.clone(),
            destination: self.destination.clone(),
            originator_id: self.originator.0,
            originator,
            terminator_id: self.terminator.map(|user| user.0),
            origination_point_id: self.origination_point.0,
            termination_point_id: self.termination_point.0,
            authorized_at: Some(clock::to_proto(self.authorized_at)),
            answered_at: self.answered_at.map(clock::to_proto),
            max_duration: i32::try_from(self.max_duration).unwrap_or(i32::MAX),
            reserved: Some(held(self.reserved).into()),
            reseller_id: reseller.map(|hold| hold.user.0),
            reseller_reserved: reseller.map(|hold| held(hold.reserved).into()),
            partner_id: partner.map(|hold| hold.user.0),
            partner_reserved: partner.map(|hold| held(hold.reserved).into()),
            expires_at: Some(clock::to_proto(self.expires_at)),
            expired,
        }
    }
}
