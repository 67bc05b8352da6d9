//! Which providers of an LCR a call goes to, and in which order: what needs no look at the database.

use rust_decimal::Decimal;
use tollbook_proto::v1::{LcrOrder, SkipReason};

use super::{Lcr, Member};
use crate::{ids::PointId, money::Money};

/// What of a provider decides whether a call goes there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) member: Member,
    /// What it is paid per minute; or why it is left out whatever it costs.
    pub(super) rate: Result<Money, SkipReason>,
}

/// Where a call goes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    /// The positions of candidates, in the order in which they are tried.
    pub(super) routes: Vec<usize>,
    /// The positions of those that are left out, and why, by ascending position.
    pub(super) skipped: Vec<(usize, SkipReason)>,
}

/// Decides about a call for which a user pays `user_rate` per minute. `draw`, 0 to below 1, is what providers
/// are drawn by where the LCR orders by percent; none: the one with the highest share comes first.
pub(super) fn decide(
    lcr: &Lcr,
    allows_loss: bool,
    user_rate: Money,
    draw: Option<Decimal>,
    candidates: &[Candidate],
) -> Decision {
    let mut decision = Decision::default();
    let mut suitable = Vec::with_capacity(candidates.len());
    for (position, candidate) in candidates.iter().enumerate() {
        match candidate.rate {
            Err(reason) => decision.skipped.push((position, reason)),
            Ok(rate) if !brings_enough(lcr, allows_loss, user_rate, rate) => {
                decision.skipped.push((position, SkipReason::Loss));
            }
            Ok(rate) => suitable.push((position, candidate.member, rate)),
        }
    }
    order(lcr.message.order(), draw, &mut suitable);
    let most = suitable.first().and_then(|(_, _, first)| at_most(lcr, *first));
    for (place, (position, _, rate)) in suitable.into_iter().enumerate() {
        if most.is_some_and(|most| rate.value() > most) {
            decision.skipped.push((position, SkipReason::PercentLimit));
        } else if place > 0 && lcr.message.no_failover {
            decision.skipped.push((position, SkipReason::NoFailover));
        } else {
            decision.routes.push(position);
        }
    }
    decision.skipped.sort_unstable_by_key(|(position, _)| *position);
    decision
}

/// Whether what a user pays is enough for a provider: with a margin that is set, by that; else it is, unless it
/// is less and losses are not allowed.
fn brings_enough(lcr: &Lcr, allows_loss: bool, user_rate: Money, rate: Money) -> bool {
    if lcr.margin.is_zero() {
        return allows_loss || lcr.message.allow_loss_calls || rate <= user_rate;
    }
    above(rate, lcr.margin).is_some_and(|least| user_rate.value() >= least)
}

/// What the providers behind a first one may cost; none: anything.
fn at_most(lcr: &Lcr, first: Money) -> Option<Decimal> {
    if lcr.first_provider_limit.is_zero() { None } else { above(first, lcr.first_provider_limit) }
}

/// A rate with some percent more.
fn above(rate: Money, percent: Decimal) -> Option<Decimal> {
    rate.value().checked_mul(Decimal::ONE_HUNDRED + percent)?.checked_div(Decimal::ONE_HUNDRED)
}

/// Orders providers that calls may go to; the one for when all others have failed comes last.
fn order(order: LcrOrder, draw: Option<Decimal>, suitable: &mut [(usize, Member, Money)]) {
    let tie = |member: &Member| (member.priority, member.provider);
    match order {
        LcrOrder::Unspecified | LcrOrder::Price => {
            suitable.sort_by_key(|(_, member, rate)| (member.is_failover, *rate, tie(member)));
        }
        LcrOrder::Priority => {
            suitable.sort_by_key(|(_, member, _)| (member.is_failover, tie(member)));
        }
        LcrOrder::Percent => {
            let share = |member: &Member| std::cmp::Reverse(member.percent);
            suitable.sort_by_key(|(_, member, _)| (member.is_failover, share(member), tie(member)));
            if let Some(first) = draw.and_then(|draw| drawn(draw, suitable)) {
                suitable[..=first].rotate_right(1);
            }
        }
    }
}

/// The position of the provider that is drawn; none: no one has a share.
fn drawn(draw: Decimal, suitable: &[(usize, Member, Money)]) -> Option<usize> {
    let all: Decimal = suitable.iter().map(|(_, member, _)| member.percent).sum();
    let mut left = all.checked_mul(draw)?;
    suitable.iter().position(|(_, member, _)| {
        let is_drawn = left < member.percent;
        left -= member.percent;
        is_drawn
    })
}

/// What providers are drawn by for a call: the same for the same id.
pub(super) fn draw(call_id: &str) -> Option<Decimal> {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(call_id);
    let bytes = digest.first_chunk::<4>()?;
    let number = Decimal::from(u32::from_be_bytes(*bytes));
    (!call_id.is_empty()).then(|| number / Decimal::from(u64::from(u32::MAX) + 1))
}

impl Candidate {
    pub(super) fn provider(&self) -> PointId {
        self.member.provider
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use tollbook_proto::v1 as pb;

    use super::*;

    fn money(hundredths: i64) -> Money {
        Money::new(Decimal::new(hundredths, 2)).unwrap()
    }

    fn lcr(order: LcrOrder, limit: i64, margin: i64) -> Lcr {
        let percent = |value: i64| Some(pb::Decimal { value: value.to_string() });
        Lcr::new(pb::Lcr {
            order: order.into(),
            first_provider_percent_limit: percent(limit),
            minimal_rate_margin_percent: percent(margin),
            ..Default::default()
        })
    }

    fn candidates(rates: &[i64]) -> Vec<Candidate> {
        let member = |id| Member {
            provider: PointId(id),
            priority: 0,
            percent: Decimal::ZERO,
            is_failover: false,
        };
        rates
            .iter()
            .zip(1..)
            .map(|(rate, id)| Candidate { member: member(id), rate: Ok(money(*rate)) })
            .collect()
    }

    #[test]
    fn the_documented_examples() {
        let routes = |lcr: &Lcr, user: i64, rates: &[i64]| {
            decide(lcr, false, money(user), None, &candidates(rates)).routes
        };
        // 0.10, 20 %: 0.11 is tried, 0.30 is not.
        assert_eq!(routes(&lcr(LcrOrder::Price, 20, 0), 100, &[30, 11, 10]), [2, 1]);
        assert_eq!(routes(&lcr(LcrOrder::Price, 0, 0), 100, &[30, 11, 10]), [2, 1, 0]);
        // 1 EUR, 50 %: at least 1.5. -30 %: at least 0.7.
        let margin = |margin, user: i64| routes(&lcr(LcrOrder::Price, 0, margin), user, &[100]);
        assert_eq!((margin(50, 149), margin(50, 150)), (vec![], vec![0]));
        assert_eq!((margin(-30, 69), margin(-30, 70)), (vec![], vec![0]));
        assert_eq!((margin(0, 99), margin(0, 100)), (vec![], vec![0]));
    }

    #[test]
    fn percentages_are_kept_by_many_calls() {
        let lcr = lcr(LcrOrder::Percent, 0, 0);
        let mut all = candidates(&[1, 1, 1]);
        for (candidate, percent) in all.iter_mut().zip([20, 70, 10]) {
            candidate.member.percent = Decimal::from(percent);
        }
        let mut first = [0; 3];
        for call in 0..2_000 {
            let draw = draw(&format!("call {call}"));
            first[decide(&lcr, false, money(9), draw, &all).routes[0]] += 1;
        }
        for (count, percent) in first.into_iter().zip([20, 70, 10]) {
            assert!((percent * 20 - 80..=percent * 20 + 80).contains(&count), "{first:?}");
        }
        assert_eq!(decide(&lcr, false, money(9), None, &all).routes, [1, 0, 2]);
    }

    /// What the documentation says, rule by rule, without regard to how long it takes.
    fn naive(lcr: &Lcr, allows_loss: bool, user: Money, all: &[Candidate]) -> Decision {
        let hundred = Decimal::ONE_HUNDRED;
        let mut reasons = vec![None; all.len()];
        for (reason, candidate) in reasons.iter_mut().zip(all) {
            *reason = candidate.rate.err();
            let Ok(rate) = candidate.rate else { continue };
            let least = rate.value() * (hundred + lcr.margin) / hundred;
            let is_free = lcr.margin.is_zero() && (allows_loss || lcr.message.allow_loss_calls);
            if !is_free && user.value() < least {
                *reason = Some(SkipReason::Loss);
            }
        }
        let rate = |position: usize| all[position].rate.unwrap();
        let mut left: Vec<usize> = (0..all.len()).filter(|one| reasons[*one].is_none()).collect();
        let mut routes: Vec<usize> = Vec::new();
        while !left.is_empty() {
            let next = *left
                .iter()
                .min_by_key(|one| {
                    let member = all[**one].member;
                    let by_price = lcr.message.order() == LcrOrder::Price;
                    let price = if by_price { rate(**one) } else { money(0) };
                    (member.is_failover, price, member.priority, member.provider)
                })
                .unwrap();
            left.retain(|one| *one != next);
            let limit = lcr.first_provider_limit;
            let first = routes.first().map(|first| rate(*first).value() * (hundred + limit));
            if !limit.is_zero() && first.is_some_and(|first| rate(next).value() * hundred > first) {
                reasons[next] = Some(SkipReason::PercentLimit);
            } else if lcr.message.no_failover && !routes.is_empty() {
                reasons[next] = Some(SkipReason::NoFailover);
            } else {
                routes.push(next);
            }
        }
        let skipped = reasons.into_iter().enumerate();
        Decision { routes, skipped: skipped.filter_map(|(at, why)| Some((at, why?))).collect() }
    }

    proptest! {
        #[test]
        fn a_decision_is_what_the_rules_say_one_by_one(
            rates in prop::collection::vec((0_i64..50, 0_i32..4, 0_u8..8), 0..12),
            by_price in any::<bool>(),
            (limit, margin) in (prop_oneof![Just(0), 1_i64..80], prop_oneof![Just(0), -40_i64..60]),
            user in 0_i64..50,
            flags in (any::<bool>(), any::<bool>(), any::<bool>()),
        ) {
            let order = if by_price { LcrOrder::Price } else { LcrOrder::Priority };
            let mut lcr = lcr(order, limit, margin);
            lcr.message.no_failover = flags.0;
            lcr.message.allow_loss_calls = flags.1;
            let numbers: Vec<i64> = rates.iter().map(|(rate, ..)| *rate).collect();
            let mut all = candidates(&numbers);
            for (candidate, (_, priority, kind)) in all.iter_mut().zip(&rates) {
                candidate.member.priority = *priority;
                match kind {
                    0 => candidate.rate = Err(SkipReason::NoRate),
                    1 => candidate.rate = Err(SkipReason::CallLimit),
                    _ => {}
                }
            }
            if let Some(last) = all.last_mut() {
                last.member.is_failover = flags.2;
            }
            let decided = decide(&lcr, flags.2, money(user), None, &all);
            prop_assert_eq!(decided, naive(&lcr, flags.2, money(user), &all));
        }
    }
}
