//! Who originated and who terminated a call, and by which tariffs each side is priced.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use tollbook_proto::v1::CallRecord;

use super::{
    Call, Owners, Rejection, Side,
    ingest::Numbered,
    places::Places,
    record::{Record, UserRef},
};
use crate::{
    access::Scope,
    catalog::Snapshot,
    context::Context,
    error::Result,
    ids::{PointId, UserId},
    live::ActiveCall,
    points::{Points, SideTariffs},
    rating::Offer,
    text::clip,
    unrated::Brought,
    users::{Identity, Role, store::Named},
};

/// An id that no user has.
const NOBODY: UserId = UserId(-1);

/// The users of some calls.
pub(super) struct Parties<'a> {
    scope: Scope,
    points: &'a Points,
    by_id: HashMap<UserId, Arc<Identity>>,
    named: Named,
}

/// Who would pay for a call, as its record names them.
pub(super) struct Payer {
    named: Option<UserRef>,
    point: PointId,
}

impl Payer {
    pub(super) fn of(record: &CallRecord, places: &mut Places<'_>) -> Self {
        let named = UserRef::new(record.originator_id, &record.originator);
        Self { named, point: places.origination_point(record) }
    }

    /// The same of a record whose points are known.
    pub(super) fn of_record(record: Record) -> Self {
        Self { named: record.originator, point: record.reported.origination_point }
    }
}

/// One side of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Party {
    pub(super) user: UserId,
    pub(super) pricing: Pricing,
}

/// How a side of a call is priced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pricing {
    /// By the tariffs as they are now.
    Tariffs(SideTariffs),
    /// At the rate at which the call was authorised.
    Authorized(Offer),
}

/// What a point says of a side: whose it is, and its tariffs.
fn terms(points: &Points, id: PointId, side: Side) -> Option<(UserId, SideTariffs)> {
    Some(match side {
        Side::Originator => {
            let (point, origination) = points.origination(id)?;
            (point.user, origination.terms.tariffs)
        }
        Side::Reseller | Side::Partner => return None,
        Side::Terminator => {
            let (point, termination) = points.termination(id)?;
            (point.user, termination.terms.tariffs)
        }
    })
}

impl<'a> Parties<'a> {
    /// Looks up all users that some records name, by themselves or by a point, and those whom
    /// calls were authorised for. `scope` says whose calls the sender may bring; `payers` would pay
    /// for records that are malformed.
    pub(super) async fn of<'r>(
        context: &Context,
        snapshot: &'a Snapshot,
        scope: Scope,
        records: &'r [Numbered<(Record, Brought)>],
        payers: impl Iterator<Item = &'r Payer>,
        authorized: &HashMap<String, ActiveCall>,
    ) -> Result<Self> {
        let mut wanted: HashSet<UserId> = HashSet::new();
        let mut usernames: HashSet<&str> = HashSet::new();
        for Numbered { call: (record, _), .. } in records {
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
        for payer in payers {
            match &payer.named {
                Some(UserRef::Id(id)) => wanted.extend([*id]),
                Some(UserRef::Username(name)) => usernames.extend([name.as_str()]),
                None => {
                    let point = snapshot.points.by_id(payer.point);
                    wanted.extend(point.map(|point| point.user));
                }
            }
        }
        for call in authorized.values() {
            wanted.insert(call.originator);
            wanted.extend(call.terminator);
            wanted.extend(call.owners.each().map(|(_, hold)| hold.user));
        }
        let named = context.directory.ids_of(usernames).await?;
        wanted.extend(named.ids.values());
        let mut by_id = context.directory.by_ids(wanted).await?;
        // Those who pay beside the users, which are few.
        let owners: HashSet<UserId> = by_id
            .values()
            .flat_map(|user| [user.owner, user.owner_of_owner])
            .filter(|owner| *owner != UserId::ADMIN && !by_id.contains_key(owner))
            .collect();
        if !owners.is_empty() {
            by_id.extend(context.directory.by_ids(owners).await?);
        }
        Ok(Self { scope, points: &snapshot.points, by_id, named })
    }

    /// Originator and terminator of a call; it may have no terminator.
    pub(super) fn sides(
        &self,
        record: &mut Record,
        authorized: Option<&ActiveCall>,
    ) -> Result<(Party, Option<Party>), Rejection> {
        let Some(authorized) = authorized else {
            return Ok((self.originator(record)?, self.terminator(record)?));
        };
        // A call belongs to whom it was authorised for, whoever brings its end.
        let owner = self.by_id.get(&authorized.originator);
        let unknown = || Rejection::UnknownOriginator(String::new());
        owner.filter(|user| self.scope.covers(user)).ok_or_else(unknown)?;
        let originator = self.authorized_originator(record, authorized)?;
        Ok((originator, self.authorized_terminator(record, authorized)?))
    }

    /// The originator of a call that was authorised: no other.
    fn authorized_originator(
        &self,
        record: &mut Record,
        authorized: &ActiveCall,
    ) -> Result<Party, Rejection> {
        let reported = &mut record.reported;
        let of_point = terms(self.points, reported.origination_point, Side::Originator);
        let named = match (&record.originator, of_point) {
            (Some(user), _) => self.id_of(user),
            // The point that was authorised may have gone meanwhile.
            (None, _) if reported.origination_point == authorized.origination_point => {
                Some(authorized.originator)
            }
            (None, owner) => owner.map(|(owner, _)| owner),
        };
        let named = named.unwrap_or(NOBODY);
        if let Some(what) = authorized.difference(named, reported) {
            return Err(Rejection::NotAuthorized(what));
        }
        if reported.origination_point == PointId(0) {
            reported.origination_point = authorized.origination_point;
        } else if reported.origination_point != authorized.origination_point
            && of_point.is_none_or(|(owner, _)| owner != authorized.originator)
        {
            return Err(unknown_point(Side::Originator));
        }
        record.originator = Some(UserRef::Id(authorized.originator));
        match authorized.price {
            Some(offer) => {
                Ok(Party { user: authorized.originator, pricing: Pricing::Authorized(offer) })
            }
            None => self.originator(record),
        }
    }

    /// The terminator of a call that was authorised, or the one that it went to instead.
    fn authorized_terminator(
        &self,
        record: &mut Record,
        authorized: &ActiveCall,
    ) -> Result<Option<Party>, Rejection> {
        let point = record.reported.termination_point;
        let named = record.terminator.as_ref().map(|user| self.id_of(user));
        let is_named = named.is_some() || point != PointId(0);
        let as_authorized = named.is_none_or(|user| user == authorized.terminator)
            && (point == PointId(0) || point == authorized.termination_point);
        if is_named && !as_authorized {
            return self.terminator(record);
        }
        let Some(user) = authorized.terminator else { return self.terminator(record) };
        record.reported.termination_point = authorized.termination_point;
        record.terminator = Some(UserRef::Id(user));
        match authorized.self_cost {
            Some(offer) => Ok(Some(Party { user, pricing: Pricing::Authorized(offer) })),
            None => self.terminator(record),
        }
    }

    /// Who would pay for a call that cannot be taken: a user whose calls the sender may bring.
    pub(super) fn payer(&self, payer: &Payer) -> Option<UserId> {
        let id = match &payer.named {
            Some(user) => self.id_of(user)?,
            None => self.points.by_id(payer.point)?.user,
        };
        let user = self.by_id.get(&id)?;
        (user.role == Role::User && self.scope.covers(user)).then_some(id)
    }

    /// Whether the sender may bring calls of whoever it may be.
    pub(super) fn may_bring_anybodys(&self) -> bool {
        self.scope.is_staff_wide()
    }

    /// Those who pay for the calls of a user, beside him, each by the tariff that was given to him. The grace
    /// time of a point is its user's.
    pub(super) fn owners(&self, user: UserId, authorized: Option<&ActiveCall>) -> Owners<Party> {
        // Those of an authorised call are the ones whose money was reserved.
        if let Some(authorized) = authorized {
            return authorized.owners.map(|_, hold| Party {
                user: hold.user,
                pricing: Pricing::Authorized(hold.price),
            });
        }
        let user = self.by_id.get(&user);
        let owners = user.map_or(Owners::NONE, |user| Owners::of(user, &self.by_id));
        owners.map(|_, owner| Party {
            user: owner.id,
            pricing: Pricing::Tariffs(SideTariffs::NONE.or(owner.tariff)),
        })
    }

    /// The login name of one of the users.
    pub(super) fn username(&self, user: UserId) -> Option<&str> {
        self.by_id.get(&user).map(|user| user.username.as_str())
    }

    fn id_of(&self, user: &UserRef) -> Option<UserId> {
        match user {
            UserRef::Id(id) => Some(*id),
            UserRef::Username(name) => self.named.ids.get(name).copied(),
        }
    }

    /// The originator of a call.
    fn originator(&self, record: &Record) -> Result<Party, Rejection> {
        let point = record.reported.origination_point;
        self.party(Side::Originator, record.originator.as_ref(), point)?.ok_or_else(|| {
            Rejection::UnknownOriginator(
                ": the record names none, and its source is no CLI".to_owned(),
            )
        })
    }

    /// The terminator of a call; `None` if it has none.
    fn terminator(&self, record: &Record) -> Result<Option<Party>, Rejection> {
        let point = record.reported.termination_point;
        self.party(Side::Terminator, record.terminator.as_ref(), point)
    }

    fn party(
        &self,
        side: Side,
        user: Option<&UserRef>,
        point: PointId,
    ) -> Result<Option<Party>, Rejection> {
        let unknown = || {
            let named = match user {
                Some(UserRef::Username(name)) => match self.named.ambiguous.get(name) {
                    None => format!(" {:?}", clip(name)),
                    Some(names) => format!(
                        " {:?}: several users are called so but for capitals, {}",
                        clip(name),
                        either(names)
                    ),
                },
                Some(UserRef::Id(id)) => format!(" with the id {id}"),
                None => String::new(),
            };
            match side {
                Side::Originator | Side::Reseller | Side::Partner => {
                    Rejection::UnknownOriginator(named)
                }
                Side::Terminator => Rejection::UnknownTerminator(named),
            }
        };
        let terms = match point {
            PointId(0) => None,
            id => Some(terms(self.points, id, side).ok_or_else(|| unknown_point(side))?),
        };
        let id = match (user, terms) {
            (Some(user), _) => self.id_of(user).ok_or_else(unknown)?,
            (None, Some((owner, _))) => owner,
            (None, None) => return Ok(None),
        };
        let found = self.by_id.get(&id);
        // Who may bring a customer's calls may bring them wherever they went.
        let in_scope = |user: &Identity| side == Side::Terminator || self.scope.covers(user);
        let found = found.filter(|user| user.role == Role::User && in_scope(user));
        let found = found.ok_or_else(unknown)?;
        let tariffs = match terms {
            Some((owner, _)) if owner != found.id => return Err(unknown_point(side)),
            Some((_, tariffs)) => tariffs,
            None => SideTariffs::NONE,
        };
        Ok(Some(Party { user: found.id, pricing: Pricing::Tariffs(tariffs.or(found.tariff)) }))
    }
}

/// The tariffs by which one side of a stored call is priced today: those of its point, if
/// it is still there, or of its user; of somebody above the user, his own.
pub(super) fn tariffs_today(
    call: &Call,
    side: Side,
    user: &Identity,
    points: &Points,
) -> SideTariffs {
    let point = match side {
        Side::Originator => call.reported.origination_point,
        Side::Reseller | Side::Partner => PointId(0),
        Side::Terminator => call.reported.termination_point,
    };
    terms(points, point, side)
        .filter(|(owner, _)| *owner == user.id)
        .map_or(SideTariffs::NONE, |(_, tariffs)| tariffs)
        .or(user.tariff)
}

/// What is said of a point by its id, which is not there or another's.
fn unknown_point(side: Side) -> Rejection {
    Rejection::UnknownPoint { side, place: String::new() }
}

/// Some names, of which one is meant.
fn either(names: &[String]) -> String {
    let names: Vec<_> = names.iter().take(5).map(|name| format!("{:?}", clip(name))).collect();
    names.join(" or ")
}
