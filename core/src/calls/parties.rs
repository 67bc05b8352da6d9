//! Who originated and who terminated a call, and by which tariffs each side is priced.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{
    Call, Rejection, Side,
    ingest::Numbered,
    record::{Record, UserRef},
};
use crate::{
    access::Scope,
    catalog::Snapshot,
    context::Context,
    error::Result,
    ids::{PointId, UserId},
    points::{Points, SideTariffs},
    users::{Identity, Role},
};

/// The users of some calls.
pub(super) struct Parties<'a> {
    scope: Scope,
    points: &'a Points,
    by_id: HashMap<UserId, Arc<Identity>>,
    ids: HashMap<String, UserId>,
}

/// One side of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub(super) user: UserId,
    pub(super) tariffs: SideTariffs,
}

/// What a point says of a side: whose it is, and its tariffs.
fn terms(points: &Points, id: PointId, side: Side) -> Option<(UserId, SideTariffs)> {
    Some(match side {
        Side::Originator => {
            let (point, origination) = points.origination(id)?;
            (point.user, origination.terms.tariffs)
        }
        Side::Terminator => {
            let (point, termination) = points.termination(id)?;
            (point.user, termination.terms.tariffs)
        }
    })
}

impl<'a> Parties<'a> {
    /// Looks up all users that some records name, by themselves or by a point. `scope` says
    /// whose calls the sender may bring.
    pub(super) async fn of(
        context: &Context,
        snapshot: &'a Snapshot,
        scope: Scope,
        records: &[Numbered<Record>],
    ) -> Result<Self> {
        let mut wanted: HashSet<UserId> = HashSet::new();
        let mut usernames: HashSet<&str> = HashSet::new();
        for Numbered { call: record, .. } in records {
            for user in [&record.originator, &record.terminator].into_iter().flatten() {
                match user {
                    UserRef::Id(id) => wanted.insert(*id),
                    UserRef::Username(name) => usernames.insert(name),
                };
            }
            let reported = &record.reported;
            for point in [reported.origination_point, reported.termination_point] {
                wanted.extend(snapshot.points.by_id(point).map(|point| point.user));
            }
        }
        let ids = context.directory.ids_of(usernames).await?;
        wanted.extend(ids.values());
        let by_id = context.directory.by_ids(wanted).await?;
        Ok(Self { scope, points: &snapshot.points, by_id, ids })
    }

    /// The originator of a call.
    pub(super) fn originator(&self, record: &Record) -> Result<Party, Rejection> {
        let point = record.reported.origination_point;
        self.party(Side::Originator, record.originator.as_ref(), point)?
            .ok_or(Rejection::UnknownOriginator)
    }

    /// The terminator of a call; none: it has none.
    pub(super) fn terminator(&self, record: &Record) -> Result<Option<Party>, Rejection> {
        let point = record.reported.termination_point;
        self.party(Side::Terminator, record.terminator.as_ref(), point)
    }

    fn party(
        &self,
        side: Side,
        user: Option<&UserRef>,
        point: PointId,
    ) -> Result<Option<Party>, Rejection> {
        let unknown = match side {
            Side::Originator => Rejection::UnknownOriginator,
            Side::Terminator => Rejection::UnknownTerminator,
        };
        let terms = match point {
            PointId(0) => None,
            id => Some(terms(self.points, id, side).ok_or(Rejection::UnknownPoint(side))?),
        };
        let id = match (user, terms) {
            (Some(UserRef::Id(id)), _) => *id,
            (Some(UserRef::Username(name)), _) => *self.ids.get(name).ok_or(unknown.clone())?,
            (None, Some((owner, _))) => owner,
            (None, None) => return Ok(None),
        };
        let user = self.by_id.get(&id);
        // Who may bring a customer's calls may bring them wherever they went.
        let in_scope = |user: &Identity| side == Side::Terminator || self.scope.covers(user);
        let user = user.filter(|user| user.role == Role::User && in_scope(user));
        let user = user.ok_or(unknown)?;
        let tariffs = match terms {
            Some((owner, _)) if owner != user.id => return Err(Rejection::UnknownPoint(side)),
            Some((_, tariffs)) => tariffs,
            None => SideTariffs::NONE,
        };
        Ok(Some(Party { user: user.id, tariffs: tariffs.or(user.tariff) }))
    }
}

/// The tariffs by which one side of a stored call is priced today: those of its point, if
/// it is still there, or of its user.
pub(super) fn tariffs_today(
    call: &Call,
    side: Side,
    user: &Identity,
    points: &Points,
) -> SideTariffs {
    let point = match side {
        Side::Originator => call.reported.origination_point,
        Side::Terminator => call.reported.termination_point,
    };
    terms(points, point, side)
        .filter(|(owner, _)| *owner == user.id)
        .map_or(SideTariffs::NONE, |(_, tariffs)| tariffs)
        .or(user.tariff)
}
