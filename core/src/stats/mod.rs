//! Statistics: what calls add up to (`docs/rules/statistics.md#quick-stats`).
//!
//! [`rollup`] adds calls to sums in the transaction that stores them; [`aggregate`] answers
//! questions from the coarsest sums that hold the answer, and from the calls for the rest.

mod aggregate;
pub(crate) mod rollup;
mod service;
pub(crate) mod store;

use rust_decimal::{Decimal, RoundingStrategy};
use tollbook_proto::v1 as pb;

pub(crate) use service::Service;

use crate::{
    access::Level,
    calls::{Call, Disposition},
    error::{Error, Result},
    money::{self, ExchangeRate, Money},
    rating::margin_percent,
};

/// An exact sum of money that never runs out of range: a count of 10^-15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total(i128);

/// How many units of [`Total`] a millionth has.
const MILLIONTH: i128 = 1_000_000_000;

impl Total {
    /// The two integers that the database adds up: millionths, and the rest.
    fn to_columns(self) -> Result<(i64, i64)> {
        let millionths = i64::try_from(self.0.div_euclid(MILLIONTH));
        let rest = i64::try_from(self.0.rem_euclid(MILLIONTH));
        millionths.ok().zip(rest.ok()).ok_or(Error::OutOfRange)
    }

    fn from_columns(millionths: i64, rest: i64) -> Self {
        Self(i128::from(millionths) * MILLIONTH + i128::from(rest))
    }

    pub(crate) fn value(self) -> Result<Decimal> {
        Decimal::try_from_i128_with_scale(self.0, money::SCALE)
            .map(|value| value.normalize())
            .map_err(|_| Error::OutOfRange)
    }
}

impl From<Money> for Total {
    fn from(money: Money) -> Self {
        let value = money.value();
        // An amount has at most 15 places and 27 digits.
        Self(value.mantissa() * 10_i128.pow(money::SCALE.saturating_sub(value.scale())))
    }
}

impl std::ops::AddAssign for Total {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl std::ops::Sub for Total {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// What some calls add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) calls: i64,
    pub(crate) answered_calls: i64,
    /// From INVITE and from answer to the end: whole seconds, each call rounded up.
    pub(crate) duration: i64,
    pub(crate) billsec: i64,
    pub(crate) originator_billed: i64,
    pub(crate) terminator_billed: i64,
    pub(crate) price: Total,
    pub(crate) self_cost: Total,
    /// What resellers and partners keep of what they are paid.
    pub(crate) reseller_margin: Total,
    pub(crate) partner_margin: Total,
}

/// Milliseconds as seconds, rounded up.
fn whole_seconds(milliseconds: i64) -> i64 {
    milliseconds.div_euclid(1000) + i64::from(milliseconds.rem_euclid(1000) > 0)
}

impl Sums {
    pub(crate) fn of(call: &Call) -> Self {
        let margins = call.margins();
        Self {
            calls: 1,
            answered_calls: i64::from(call.reported.disposition == Disposition::Answered),
            duration: whole_seconds(call.reported.duration),
            billsec: whole_seconds(call.reported.billsec),
            originator_billed: call.price.billed_seconds,
            terminator_billed: call.self_cost.billed_seconds,
            price: call.price.amount.into(),
            self_cost: call.self_cost.amount.into(),
            reseller_margin: margins.reseller.unwrap_or_default(),
            partner_margin: margins.partner.unwrap_or_default(),
        }
    }

    /// What has to be added where a call was counted that now has another price.
    pub(crate) fn change(before: &Call, after: &Call) -> Self {
        let mut change = Self::of(after);
        change += Self::of(before).negated();
        change
    }

    /// What takes the sums back.
    fn negated(self) -> Self {
        Self {
            calls: -self.calls,
            answered_calls: -self.answered_calls,
            duration: -self.duration,
            billsec: -self.billsec,
            originator_billed: -self.originator_billed,
            terminator_billed: -self.terminator_billed,
            price: Total::default() - self.price,
            self_cost: Total::default() - self.self_cost,
            reseller_margin: Total::default() - self.reseller_margin,
            partner_margin: Total::default() - self.partner_margin,
        }
    }

    /// What whoever stands at a level is paid for these calls, and pays himself; `None` for those who
    /// are paid nothing.
    fn seen_from(&self, level: Level) -> Option<(Total, Total)> {
        let of_reseller = self.price - self.reseller_margin;
        let of_partner = of_reseller - self.partner_margin;
        match level {
            Level::Operator => Some((of_partner, self.self_cost)),
            Level::Partner => Some((of_reseller, of_partner)),
            Level::Reseller => Some((self.price, of_reseller)),
            Level::Customer => None,
        }
    }

    /// The sums in a currency, with what follows from them, as far as they are told at a level: nobody
    /// hears what those above him pay and earn.
    fn to_proto(self, rate: ExchangeRate, level: Level) -> Result<pb::Traffic> {
        let converted = |total: Total| {
            let value = total.value()?.checked_mul(rate.value()).ok_or(Error::OutOfRange)?;
            Ok::<_, Error>(
                value
                    .round_dp_with_strategy(money::SCALE, RoundingStrategy::MidpointNearestEven)
                    .normalize(),
            )
        };
        let told = |total: Total, is_told: bool| -> Result<Option<pb::Decimal>> {
            is_told.then(|| converted(total).map(money::to_proto)).transpose()
        };
        let own = self.seen_from(level);
        let own = own.map(|(income, cost)| Ok::<_, Error>((converted(income)?, converted(cost)?)));
        let own = own.transpose()?;
        let is_operator = level == Level::Operator;
        let ratio = |part: i64, whole: i64| {
            let ratio = Decimal::from(part).checked_div(Decimal::from(whole)).unwrap_or_default();
            let rounded = ratio.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
            money::to_proto(rounded.normalize())
        };
        Ok(pb::Traffic {
            calls: self.calls,
            answered_calls: self.answered_calls,
            duration: self.duration,
            billsec: self.billsec,
            originator_billed: self.originator_billed,
            // Of a customer's own sums it is what he billed himself.
            terminator_billed: match level {
                Level::Operator | Level::Customer => self.terminator_billed,
                Level::Partner | Level::Reseller => 0,
            },
            price: told(self.price, true)?,
            income: own.map(|(income, _)| money::to_proto(income)),
            self_cost: own.map(|(_, cost)| money::to_proto(cost)),
            profit: own.map(|(income, cost)| money::to_proto((income - cost).normalize())),
            margin_percent: own.map_or(0, |(income, cost)| margin_percent(income, cost)),
            reseller_profit: told(self.reseller_margin, is_operator || level == Level::Partner)?,
            partner_profit: told(self.partner_margin, is_operator)?,
            asr: Some(ratio(self.answered_calls * 100, self.calls)),
            acd: Some(ratio(self.billsec, self.answered_calls)),
        })
    }
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.answered_calls += other.answered_calls;
        self.duration += other.duration;
        self.billsec += other.billsec;
        self.originator_billed += other.originator_billed;
        self.terminator_billed += other.terminator_billed;
        self.price += other.price;
        self.self_cost += other.self_cost;
        self.reseller_margin += other.reseller_margin;
        self.partner_margin += other.partner_margin;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_total_survives_its_columns(amounts in prop::collection::vec((-10_i128.pow(26)..10_i128.pow(26), 0_u32..=15), 0..50)) {
            let (mut total, mut columns) = (Total::default(), (0, 0));
            let mut exact = 0_i128;
            for (mantissa, scale) in amounts {
                // In range: below 10^12.
                let money = Money::new(Decimal::from_i128_with_scale(mantissa / 10_i128.pow(15 - scale), scale));
                let Some(money) = money else { continue };
                total += money.into();
                exact += mantissa / 10_i128.pow(15 - scale) * 10_i128.pow(15 - scale);
                let (millionths, rest) = Total::from(money).to_columns().unwrap();
                columns = (columns.0 + millionths, columns.1 + rest);
            }
            prop_assert_eq!(total, Total(exact));
            // The database adds the columns up without carrying over.
            prop_assert_eq!(Total::from_columns(columns.0, columns.1), total);
        }
    }
}
