//! May a call be made, by whom, and for how long (`docs/rules/live-calls.md#what-a-user-may-spend`,
//! `docs/rules/live-calls.md#the-order-of-checks`).

use rust_decimal::Decimal;
use tollbook_proto::v1::{self as pb, RejectCode};

use super::{ActiveCall, LONGEST, SECOND, board::Usage, chain::Payers};
use crate::{
    error::Result,
    money::{self, Money},
    points::SideTariffs,
    rating::{CallTime, NoOffer, Offer, Rater},
};

/// A user on whose account a decision is made.
#[derive(Clone, Copy)]
pub(super) struct Party<'a> {
    pub(super) user: &'a pb::User,
    pub(super) balance: Money,
    /// Without the call that is decided about.
    pub(super) usage: Usage,
    /// As originator today, if he has a daily limit.
    pub(super) spent: Money,
}

/// Why somebody who pays for a call refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Blocked,
    CallLimit,
    /// The balance is at its limit.
    AtLimit,
    /// The rest does not pay for the shortest call.
    TooLow,
    /// It would, but for what is reserved for other calls.
    Reserved,
    /// His tariff has no rate for the number, or he has no tariff.
    NoRate,
    /// His tariff blocks the number.
    BlockedNumber,
    /// He would pay more than he is paid.
    Loss,
}

impl From<NoOffer> for Refusal {
    fn from(why: NoOffer) -> Self {
        match why {
            NoOffer::Blocked => Self::BlockedNumber,
            NoOffer::NoTariff | NoOffer::NoRate => Self::NoRate,
        }
    }
}

/// What a call may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Allowance {
    /// As much as it does.
    Unlimited,
    /// This much at most.
    UpTo(Money),
}

impl Allowance {
    fn at_most(self, limit: Money) -> Self {
        match self {
            Self::Unlimited => Self::UpTo(limit),
            Self::UpTo(other) => Self::UpTo(other.min(limit)),
        }
    }

    /// The longest allowed duration up to a limit, and its price.
    pub(super) fn longest(self, offer: &Offer, limit: u32) -> Result<(u32, Money)> {
        match self {
            Self::Unlimited => Ok((limit, offer.price(limit)?.1)),
            Self::UpTo(available) => offer.longest(available, limit),
        }
    }
}

impl Party<'_> {
    fn amount(amount: Option<&pb::Decimal>) -> Option<Money> {
        amount.and_then(|amount| money::parse(&amount.value)).and_then(Money::new)
    }

    /// The balance at which the user's calls end; none: there is none. Of several limits
    /// the highest counts.
    pub(super) fn floor(&self) -> Option<Money> {
        let credit = Self::amount(self.user.credit.as_ref());
        let by_contract = match (self.user.postpaid, credit) {
            (false, _) => Some(Money::ZERO),
            // -1: without limit.
            (true, Some(credit)) if credit >= Money::ZERO => Some(credit.negated()),
            (true, _) => None,
        };
        by_contract.max(Self::amount(self.user.balance_min.as_ref()))
    }

    /// What he can spend on one more call.
    pub(super) fn allowance(&self) -> Result<Allowance> {
        let mut allowance = Allowance::Unlimited;
        if let Some(floor) = self.floor() {
            allowance = allowance.at_most(self.balance.minus(floor)?.minus(self.usage.reserved)?);
        }
        if let Some(left) = self.left_of_day()? {
            allowance = allowance.at_most(left.minus(self.usage.reserved)?);
        }
        Ok(allowance)
    }

    /// The daily limit of a user; none: there is none.
    pub(super) fn limit_of_day(user: &pb::User) -> Option<Money> {
        let limit = user.daily_limit.as_ref().filter(|limit| limit.enforced)?;
        Self::amount(limit.limit.as_ref()).filter(|limit| *limit > Money::ZERO)
    }

    /// What is left of his daily limit; none: there is no limit.
    pub(super) fn left_of_day(&self) -> Result<Option<Money>> {
        Self::limit_of_day(self.user).map(|limit| limit.minus(self.spent)).transpose()
    }

    fn has_call_limit(&self, calls: i64) -> bool {
        self.user.call_limit > 0 && calls >= i64::from(self.user.call_limit)
    }

    /// Why he may not originate a call at all, or pay for one, whatever it costs.
    pub(super) fn refused(&self) -> Option<Refusal> {
        if self.user.blocked {
            return Some(Refusal::Blocked);
        }
        if self.has_call_limit(self.usage.originated) {
            return Some(Refusal::CallLimit);
        }
        let at_limit = self.floor().is_some_and(|floor| self.balance <= floor);
        at_limit.then_some(Refusal::AtLimit)
    }

    /// Why he cannot pay for the shortest call at a rate.
    pub(super) fn shortage(&self, offer: &Offer) -> Result<Refusal> {
        let usage = Usage { reserved: Money::ZERO, ..self.usage };
        let alone = Party { usage, ..*self }.allowance()?;
        Ok(if alone.longest(offer, 1)?.0 == 0 { Refusal::TooLow } else { Refusal::Reserved })
    }

    /// Whether calls may be sold to him at a loss.
    pub(super) fn allows_loss(&self) -> bool {
        self.user.loss_protection.as_ref().is_some_and(|protection| protection.allow_loss_calls)
    }

    /// What they earn with a call that goes to them, or why it cannot.
    pub(super) fn suitable(
        &self,
        originator: &Party<'_>,
        offer: &Offer,
        own: Result<Offer, NoOffer>,
    ) -> Result<Result<Offer, RejectCode>> {
        if self.user.id == originator.user.id {
            return Ok(Err(RejectCode::OwnTerminator));
        }
        let limit = Self::amount(self.user.balance_max.as_ref());
        if limit.is_some_and(|limit| self.balance >= limit) {
            return Ok(Err(RejectCode::TerminatorBalanceMax));
        }
        let own = match own {
            Ok(own) => own,
            Err(NoOffer::Blocked) => return Ok(Err(RejectCode::BlockedInTerminatorTariff)),
            // M4 has no code for a terminator without a rate.
            Err(NoOffer::NoTariff | NoOffer::NoRate) => {
                return Ok(Err(RejectCode::NoSuitableTerminator));
            }
        };
        if !has_margin(originator.user, offer.rate()?, own.rate()?) {
            return Ok(Err(RejectCode::RateMargin));
        }
        if self.has_call_limit(self.usage.terminated) {
            return Ok(Err(RejectCode::TerminatorCallLimit));
        }
        Ok(Ok(own))
    }
}

/// Whether the originator's rate is far enough above the terminator's.
fn has_margin(originator: &pb::User, rate: Money, self_cost: Money) -> bool {
    let protection = originator.loss_protection.clone().unwrap_or_default();
    let margin = rate.value() - self_cost.value();
    if !protection.allow_loss_calls && margin < Decimal::ZERO {
        return false;
    }
    if !protection.price_protection {
        return true;
    }
    let least = Party::amount(protection.min_rate_margin.as_ref());
    let least_percent = Party::amount(protection.min_rate_margin_percent.as_ref());
    let percent = margin
        .checked_mul(Decimal::ONE_HUNDRED)
        .and_then(|part| part.checked_div(rate.value()))
        .unwrap_or_default();
    least.is_none_or(|least| margin >= least.value())
        && least_percent.is_none_or(|least| percent >= least.value())
}

/// Whether the rate is above what the originator may be charged.
fn is_too_high(originator: &pb::User, rate: Money) -> bool {
    let protection = originator.loss_protection.as_ref();
    let most = protection.and_then(|protection| protection.max_call_rate.as_ref());
    Party::amount(most).is_some_and(|most| most > Money::ZERO && rate > most)
}

/// What an originator is charged for a number, or why it may not be called.
pub(super) fn offer(
    originator: &Party<'_>,
    tariffs: SideTariffs,
    rater: &Rater,
    destination: &str,
    time: CallTime,
) -> Result<Result<Offer, RejectCode>> {
    let offer = match rater.offer(tariffs, destination, time) {
        Ok(offer) => offer,
        Err(NoOffer::Blocked) => return Ok(Err(RejectCode::BlockedInOriginatorTariff)),
        Err(NoOffer::NoTariff | NoOffer::NoRate) => {
            return Ok(Err(RejectCode::OriginatorRateNotFound));
        }
    };
    if is_too_high(originator.user, offer.rate()?) {
        return Ok(Err(RejectCode::RateTooHigh));
    }
    Ok(Ok(offer))
}

/// The duration that a request asks for, within the limits.
pub(super) fn wanted(max_duration: i32) -> u32 {
    match u32::try_from(max_duration) {
        Ok(0) | Err(_) => LONGEST,
        Ok(seconds) => seconds.min(LONGEST),
    }
}

/// Prolongs a call to a duration, or to as much of it as everybody who pays for it can afford. What it has is never
/// taken back.
pub(super) fn prolong(
    call: &mut ActiveCall,
    allowances: &Payers<Allowance>,
    wanted: u32,
) -> Result<()> {
    // Calls of a version that did not keep their rates stay as long as they are.
    let bought = call.bought(allowances, wanted.max(call.max_duration))?;
    if let Some(bought) = bought.filter(|bought| bought.duration >= call.max_duration) {
        call.reserve(&bought);
    }
    Ok(())
}

/// Reserves anew for a call whose reservation has expired, so that others may have spent the
/// money meanwhile: a duration that reaches beyond now, or as much of it as is affordable.
/// Returns whether there was enough; if not, the call stays expired.
pub(super) fn renew(
    call: &mut ActiveCall,
    allowances: &Payers<Allowance>,
    wanted: u32,
    now: i64,
) -> Result<bool> {
    let passed = call.answered_at.map_or(0, |answered| (now - answered).max(0) / SECOND);
    let bought = call.bought(allowances, wanted.max(call.max_duration))?;
    let Some(bought) = bought.filter(|bought| i64::from(bought.duration) > passed) else {
        return Ok(false);
    };
    call.reserve(&bought);
    call.expires_at = call.expiry(now);
    Ok(true)
}

/// What M4's documentation says of a code.
pub(super) fn reason(code: RejectCode) -> &'static str {
    crate::calls::hangup::description(i64::from(i32::from(code))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn money(text: &str) -> Money {
        Money::new(money::parse(text).unwrap()).unwrap()
    }

    #[allow(clippy::unnecessary_wraps, reason = "every decimal field of the contract is optional")]
    fn decimal(text: &str) -> Option<pb::Decimal> {
        Some(pb::Decimal { value: text.to_owned() })
    }

    fn party(user: &pb::User) -> Party<'_> {
        Party { user, balance: Money::ZERO, usage: Usage::NONE, spent: Money::ZERO }
    }

    #[test]
    fn the_highest_of_several_limits_is_the_floor() {
        for (postpaid, credit, balance_min, floor) in [
            (false, None, None, Some("0")),
            (false, decimal("50"), None, Some("0")),
            (false, None, decimal("-10"), Some("0")),
            (false, None, decimal("3"), Some("3")),
            (true, None, None, None),
            (true, decimal("-1"), None, None),
            (true, decimal("0"), None, Some("0")),
            (true, decimal("50"), None, Some("-50")),
            (true, decimal("50"), decimal("-20"), Some("-20")),
            (true, decimal("50"), decimal("-80"), Some("-50")),
            (true, None, decimal("0.0000"), Some("0")),
        ] {
            let user = pb::User { postpaid, credit, balance_min, ..Default::default() };
            assert_eq!(party(&user).floor(), floor.map(money), "{user:?}");
        }
    }

    #[test]
    fn loss_protection() {
        let with =
            |protection| pb::User { loss_protection: Some(protection), ..Default::default() };
        let plain = pb::User::default();
        assert!(has_margin(&plain, money("0.02"), money("0.02")));
        assert!(!has_margin(&plain, money("0.02"), money("0.021")));
        let reckless = with(pb::LossProtection { allow_loss_calls: true, ..Default::default() });
        assert!(has_margin(&reckless, money("0.02"), money("0.021")));
        let careful = with(pb::LossProtection {
            price_protection: true,
            min_rate_margin: decimal("0.01"),
            min_rate_margin_percent: decimal("20"),
            ..Default::default()
        });
        assert!(has_margin(&careful, money("0.05"), money("0.04")));
        assert!(!has_margin(&careful, money("0.05"), money("0.041")));
        assert!(!has_margin(&careful, money("0.06"), money("0.049")));
        let capped =
            with(pb::LossProtection { max_call_rate: decimal("0.5"), ..Default::default() });
        assert!(!is_too_high(&capped, money("0.5")));
        assert!(is_too_high(&capped, money("0.500001")));
    }
}
