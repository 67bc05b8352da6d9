//! Who pays for a call: the user who makes it, the reseller whose he is, and the partner whose the
//! reseller is; and who earns with it (`docs/rules/calls.md#who-pays-for-a-call`).

use std::{collections::HashMap, sync::Arc};

use tollbook_proto::v1 as pb;

use super::{Call, Leg};
use crate::{
    ids::UserId,
    ledger::Kind,
    money::Money,
    stats::Total,
    users::{Identity, Role},
};

/// The side of a call on which money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Pays the price.
    Originator,
    /// Owns the originator, and pays for him by a tariff of his own.
    Reseller,
    /// Owns the reseller, or the originator, likewise.
    Partner,
    /// Earns the self-cost.
    Terminator,
}

impl Side {
    pub(crate) const ALL: [Self; 4] =
        [Self::Originator, Self::Reseller, Self::Partner, Self::Terminator];

    /// The kind of entries that move its money.
    pub(crate) fn charged(self) -> Kind {
        match self {
            Self::Originator => Kind::Calls,
            Self::Reseller => Kind::ResellerCalls,
            Self::Partner => Kind::PartnerCalls,
            Self::Terminator => Kind::Termination,
        }
    }

    /// The kind of entries that take that back.
    pub(crate) fn reversed(self) -> Kind {
        match self {
            Self::Originator => Kind::CallsReversed,
            Self::Reseller => Kind::ResellerCallsReversed,
            Self::Partner => Kind::PartnerCallsReversed,
            Self::Terminator => Kind::TerminationReversed,
        }
    }

    /// What an amount of a call adds to the balance of who is on this side.
    pub(crate) fn change(self, amount: Money) -> Money {
        match self {
            Self::Originator | Self::Reseller | Self::Partner => amount.negated(),
            Self::Terminator => amount,
        }
    }

    /// As the contract names it.
    pub(crate) fn to_proto(self) -> pb::CallSide {
        match self {
            Self::Originator => pb::CallSide::Originator,
            Self::Reseller => pb::CallSide::Reseller,
            Self::Partner => pb::CallSide::Partner,
            Self::Terminator => pb::CallSide::Terminator,
        }
    }

    /// `None` if it is unspecified.
    pub(crate) fn from_proto(side: pb::CallSide) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.to_proto() == side)
    }

    /// As the database names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Originator => "originator",
            Self::Reseller => "reseller",
            Self::Partner => "partner",
            Self::Terminator => "terminator",
        }
    }

    /// The one that the database names so.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.name() == name)
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What there is of each of those above the user who calls. A partner's own user has no reseller, and
/// the admin's has neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owners<T> {
    pub(crate) reseller: Option<T>,
    pub(crate) partner: Option<T>,
}

impl<T> Owners<T> {
    pub(crate) const NONE: Self = Self { reseller: None, partner: None };

    /// Those that there are, from the user upwards.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Side, &T)> {
        let reseller = self.reseller.iter().map(|reseller| (Side::Reseller, reseller));
        reseller.chain(self.partner.iter().map(|partner| (Side::Partner, partner)))
    }

    /// The same with something else of each.
    pub(crate) fn map<U>(self, mut map: impl FnMut(Side, T) -> U) -> Owners<U> {
        Owners {
            reseller: self.reseller.map(|one| map(Side::Reseller, one)),
            partner: self.partner.map(|one| map(Side::Partner, one)),
        }
    }
}

impl Owners<Arc<Identity>> {
    /// Those above a user, as far as they are among those who are known.
    pub(crate) fn of(user: &Identity, known: &HashMap<UserId, Arc<Identity>>) -> Self {
        let owner = |id| known.get(&id).filter(|owner| owner.role.is_owner()).cloned();
        match owner(user.owner) {
            Some(reseller) if reseller.role == Role::Reseller => {
                Self { partner: owner(reseller.owner), reseller: Some(reseller) }
            }
            partner => Self { reseller: None, partner },
        }
    }
}

/// What an owner pays for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) user: UserId,
    pub(crate) price: Leg,
}

impl Call {
    /// Everybody whose money a call moves, with what it is, from the user upwards.
    pub(crate) fn legs(&self) -> impl Iterator<Item = (UserId, Side, Leg)> {
        let owners = self.owners.each().map(|(side, share)| (share.user, side, share.price));
        let terminator = self.terminator.map(|user| (user, Side::Terminator, self.self_cost));
        let originator = (self.originator, Side::Originator, self.price);
        std::iter::once(originator).chain(owners).chain(terminator)
    }

    /// Those above the originator.
    pub(super) fn owner_ids(&self) -> Owners<UserId> {
        let user = |share: &Option<Box<Share>>| share.as_ref().map(|share| share.user);
        Owners { reseller: user(&self.owners.reseller), partner: user(&self.owners.partner) }
    }

    /// Whether somebody who pays for the call is another's today than his who pays next above him, among
    /// those who are known: what he pays by his tariff of today is agreed with somebody else.
    pub(super) fn has_moved_payer(&self, known: &HashMap<UserId, Arc<Identity>>) -> bool {
        let Owners { reseller, partner } = self.owner_ids();
        let chain = [Some(self.originator), reseller, partner, Some(UserId::ADMIN)];
        let chain: Vec<UserId> = chain.into_iter().flatten().collect();
        let mut pairs = chain.iter().zip(chain.iter().skip(1));
        pairs.any(|(payer, owner)| known.get(payer).is_some_and(|payer| payer.owner != *owner))
    }

    /// Who is on a side, and what it is; `None` if nobody is.
    pub(crate) fn leg(&self, side: Side) -> Option<(UserId, Leg)> {
        self.legs().find_map(|(user, of, leg)| (of == side).then_some((user, leg)))
    }

    /// Puts what it is on a side in the place of what it was, where somebody is on it.
    pub(crate) fn set_leg(&mut self, side: Side, leg: Leg) {
        let share = match side {
            Side::Originator => {
                self.price = leg;
                return;
            }
            Side::Terminator => {
                self.self_cost = leg;
                return;
            }
            Side::Reseller => &mut self.owners.reseller,
            Side::Partner => &mut self.owners.partner,
        };
        if let Some(share) = share {
            share.price = leg;
        }
    }

    /// The same call without a price on any side.
    pub(super) fn unpriced(mut self) -> Self {
        self.prefix.clear();
        for side in Side::ALL {
            self.set_leg(side, Leg::NONE);
        }
        self
    }

    /// What those above the user keep: of what they are paid, what they do not pay on.
    pub(crate) fn margins(&self) -> Owners<Total> {
        let pays = |share: &Option<Box<Share>>| share.as_ref().map(|share| share.price.amount);
        let Owners { reseller, partner } = &self.owners;
        margins(self.price.amount, pays(reseller), pays(partner))
    }
}

/// The same of what each of them pays.
pub(crate) fn margins(
    price: Money,
    reseller: Option<Money>,
    partner: Option<Money>,
) -> Owners<Total> {
    let mut paid = Total::from(price);
    let mut margin = |pays: Money| {
        let pays = Total::from(pays);
        std::mem::replace(&mut paid, pays) - pays
    };
    Owners { reseller: reseller.map(&mut margin), partner: partner.map(&mut margin) }
}
