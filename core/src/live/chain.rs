//! Those above an originator who pay for his call as well: what they say to it, and for how long all of them
//! together can pay (`docs/rules/live-calls.md#who-pays-beside-the-user`).

use tollbook_proto::v1::{self as pb, RejectCode};

use super::{
    ActiveCall, Hold,
    authorize::{Allowance, Party, Refusal},
    board::Board,
};
use crate::{
    calls::{Owners, Side},
    error::{Error, Result},
    ids::{TariffId, UserId},
    money::Money,
    points::SideTariffs,
    rating::Offer,
};

/// The owners of an originator as they were when he was looked up: his own, and that one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Above {
    pub(super) owners: Owners<UserId>,
    pub(super) owner: UserId,
    pub(super) owner_of_owner: UserId,
}

impl Above {
    /// Checks that the originator is still theirs: who has been given to somebody else is looked up anew.
    pub(super) fn check(&self, originator: &pb::User, owners: &Owners<Party<'_>>) -> Result<()> {
        let above = owners.reseller.as_ref().map(|reseller| reseller.user.owner_id);
        let is_theirs = originator.owner_id == self.owner.0
            && above.is_none_or(|owner| owner == self.owner_of_owner.0);
        if is_theirs { Ok(()) } else { Err(Error::Busy) }
    }
}

/// The parties of some owners, without what is reserved for one call; the side of one who is gone.
pub(super) fn parties<'a>(
    board: &'a Board,
    owners: Owners<UserId>,
    without: &str,
) -> Result<Result<Owners<Party<'a>>, Side>> {
    let find = |user: Option<UserId>| {
        user.map(|user| board.owner(user, without)).transpose().map(Option::flatten)
    };
    let found = Owners { reseller: find(owners.reseller)?, partner: find(owners.partner)? };
    Ok(if owners.reseller.is_some() && found.reseller.is_none() {
        Err(Side::Reseller)
    } else if owners.partner.is_some() && found.partner.is_none() {
        Err(Side::Partner)
    } else {
        Ok(found)
    })
}

/// By which tariffs an owner pays: that which was given to him. Grace times are of the operator's customers.
pub(super) fn tariffs(owner: &Party<'_>) -> SideTariffs {
    SideTariffs::NONE.or(TariffId(owner.user.tariff_id))
}

/// What switches are told where one of those who pay refuses.
pub(super) fn code(side: Side, refusal: Refusal) -> RejectCode {
    use RejectCode as Code;
    match (side, refusal) {
        (Side::Reseller, Refusal::Blocked) => Code::ResellerBlocked,
        (Side::Reseller, Refusal::CallLimit) => Code::ResellerCallLimit,
        (Side::Reseller, Refusal::AtLimit | Refusal::TooLow) => Code::ResellerBalanceLow,
        (Side::Reseller, Refusal::Reserved) => Code::ResellerBalanceReserved,
        (Side::Reseller, Refusal::NoRate | Refusal::BlockedNumber) => Code::ResellerRateNotFound,
        (Side::Reseller, Refusal::Loss) => Code::ResellerLoss,
        (Side::Partner, Refusal::Blocked) => Code::PartnerBlocked,
        (Side::Partner, Refusal::CallLimit) => Code::PartnerCallLimit,
        (Side::Partner, Refusal::AtLimit | Refusal::TooLow) => Code::PartnerBalanceLow,
        (Side::Partner, Refusal::Reserved) => Code::PartnerBalanceReserved,
        (Side::Partner, Refusal::NoRate | Refusal::BlockedNumber) => Code::PartnerRateNotFound,
        (Side::Partner, Refusal::Loss) => Code::PartnerLoss,
        (Side::Originator | Side::Terminator, Refusal::Blocked) => Code::UserBlocked,
        (Side::Originator | Side::Terminator, Refusal::CallLimit) => Code::UserCallLimit,
        (Side::Originator | Side::Terminator, Refusal::AtLimit) => Code::BalanceMin,
        (Side::Originator | Side::Terminator, Refusal::TooLow) => Code::BalanceTooLow,
        (Side::Originator | Side::Terminator, Refusal::Reserved) => Code::CallerBalanceReserved,
        (Side::Originator | Side::Terminator, Refusal::NoRate) => Code::OriginatorRateNotFound,
        (Side::Originator | Side::Terminator, Refusal::BlockedNumber) => {
            Code::BlockedInOriginatorTariff
        }
        (Side::Originator | Side::Terminator, Refusal::Loss) => Code::RateMargin,
    }
}

/// Something of each who pays for a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payers<T> {
    pub(super) originator: T,
    pub(super) owners: Owners<T>,
}

impl<T> Payers<T> {
    /// From the originator upwards.
    pub(super) fn each(&self) -> impl Iterator<Item = (Side, &T)> {
        std::iter::once((Side::Originator, &self.originator)).chain(self.owners.each())
    }

    /// Who pays the operator.
    pub(super) fn top(&self) -> &T {
        let owner = self.owners.partner.as_ref().or(self.owners.reseller.as_ref());
        owner.unwrap_or(&self.originator)
    }
}

/// So long a call may last, and so much it costs each.
pub(super) struct Bought {
    pub(super) duration: u32,
    pub(super) prices: Payers<Money>,
}

/// The longest duration up to a limit that everybody can pay; or who can pay none.
pub(super) fn longest(
    allowances: &Payers<Allowance>,
    offers: &Payers<Offer>,
    limit: u32,
) -> Result<Result<Bought, Side>> {
    let mut duration = limit;
    for ((side, allowance), (_, offer)) in allowances.each().zip(offers.each()) {
        (duration, _) = allowance.longest(offer, duration)?;
        if duration == 0 {
            return Ok(Err(side));
        }
    }
    let price = |allowance: Option<Allowance>, offer: Option<Offer>| {
        let both = allowance.zip(offer);
        let price = both.map(|(allowance, offer)| allowance.longest(&offer, duration));
        price.transpose().map(|bought| bought.map(|(_, price)| price))
    };
    let originator = allowances.originator.longest(&offers.originator, duration)?.1;
    let owners = Owners {
        reseller: price(allowances.owners.reseller, offers.owners.reseller)?,
        partner: price(allowances.owners.partner, offers.owners.partner)?,
    };
    Ok(Ok(Bought { duration, prices: Payers { originator, owners } }))
}

/// What each can spend on one more call.
pub(super) fn allowances(
    originator: &Party<'_>,
    owners: &Owners<Party<'_>>,
) -> Result<Payers<Allowance>> {
    let of_owner = |owner: &Option<Party<'_>>| owner.as_ref().map(Party::allowance).transpose();
    Ok(Payers {
        originator: originator.allowance()?,
        owners: Owners {
            reseller: of_owner(&owners.reseller)?,
            partner: of_owner(&owners.partner)?,
        },
    })
}

impl ActiveCall {
    /// The rates that the call is billed at; `None` for calls of a version that did not keep them.
    fn offers(&self) -> Option<Payers<Offer>> {
        let owners = self.owners.map(|_, hold| hold.price);
        Some(Payers { originator: self.price?, owners })
    }

    /// What can be bought for it up to a duration: `None` if somebody can pay nothing of it, or its rates are
    /// not known.
    pub(super) fn bought(
        &self,
        allowances: &Payers<Allowance>,
        limit: u32,
    ) -> Result<Option<Bought>> {
        let Some(offers) = self.offers() else { return Ok(None) };
        Ok(longest(allowances, &offers, limit)?.ok())
    }

    /// Reserves what was bought in the place of what was reserved.
    pub(super) fn reserve(&mut self, bought: &Bought) {
        let Payers { originator, owners } = bought.prices;
        self.max_duration = bought.duration;
        self.reserved = originator;
        let hold = |hold: Option<Hold>, price: Option<Money>| {
            hold.map(|hold| Hold { reserved: price.unwrap_or(hold.reserved), ..hold })
        };
        self.owners = Owners {
            reseller: hold(self.owners.reseller, owners.reseller),
            partner: hold(self.owners.partner, owners.partner),
        };
    }
}

/// What MOR's switches know a refusal as, whichever of those who pay it is of.
pub(super) fn in_mor(code: RejectCode) -> RejectCode {
    match code {
        RejectCode::OriginatorNotFound => RejectCode::CallerUnknown,
        RejectCode::UserBlocked => RejectCode::CallerBlocked,
        RejectCode::OriginatorRateNotFound | RejectCode::BlockedInOriginatorTariff => {
            RejectCode::CallerRateNotFound
        }
        RejectCode::NoSuitableTerminator => RejectCode::NoSuitableProvider,
        RejectCode::BalanceTooLow => RejectCode::CallerBalanceShort,
        RejectCode::BalanceMin => RejectCode::CallerBalanceLow,
        RejectCode::UserCallLimit => RejectCode::CallerCallLimit,
        RejectCode::OriginationPointCapacity => RejectCode::DeviceCallLimit,
        RejectCode::TerminationPointCapacity | RejectCode::TerminatorCallLimit => {
            RejectCode::ProviderCallLimit
        }
        RejectCode::RateMargin => RejectCode::ProviderLoss,
        other => other,
    }
}

/// What M4's switches know it as, which have one code where MOR's have two.
pub(super) fn in_m4(code: RejectCode) -> RejectCode {
    match code {
        RejectCode::CallerBalanceReserved => RejectCode::BalanceTooLow,
        other => other,
    }
}

/// What a switch says on, unless it is told otherwise: the cause of Q.850, and the status of SIP. Of M4's codes
/// nothing is said but that most are a 503.
pub(super) fn on_the_wire(code: RejectCode) -> Option<(i32, i32)> {
    match i32::from(code) {
        208 | 210..=216 | 219..=223 => Some((34, 503)),
        226 | 229 => Some((1, 404)),
        233 => Some((66, 500)),
        200..=299 => Some((21, 403)),
        _ => None,
    }
}
