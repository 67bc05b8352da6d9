//! What a call costs (`docs/rules/rating.md#billed-seconds`,
//! `docs/rules/rating.md#the-price-of-a-call`).

use rust_decimal::{Decimal, RoundingStrategy};

use super::Steps;

/// The terms of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Price per minute.
    pub rate: Decimal,
    /// Price of the connection, once.
    pub connection_fee: Decimal,
    /// Seconds are billed in steps of this many; 0 counts as 1.
    pub increment: u32,
    /// Billed seconds are at least this many.
    pub min_time: u32,
    /// What the steps count from.
    pub steps: Steps,
}

/// Places behind the point of a price.
const SCALE: u32 = 15;

impl Terms {
    /// The seconds billed for an answered call of `duration` whole seconds: at least the
    /// minimum time, rounded up to a multiple of the increment, which wins; or, where steps
    /// count after the minimum time, that and as many steps as the rest takes. A call of no
    /// length costs nothing, nor does one within the grace time, unless the minimum time is
    /// longer than that.
    #[must_use]
    pub fn billed_seconds(&self, duration: u32, grace_time: u32) -> u64 {
        let graced = grace_time > 0 && duration <= grace_time && self.min_time <= grace_time;
        if duration == 0 || graced {
            return 0;
        }
        let increment = u64::from(self.increment.max(1));
        let start = match self.steps {
            Steps::FromZero => 0,
            Steps::AfterMinimum => self.min_time,
        };
        let stepped = u64::from(duration.max(self.min_time) - start).div_ceil(increment);
        u64::from(start) + stepped * increment
    }

    /// The same terms under the one name that terms have that bill alike: it makes no
    /// difference what steps count from where the minimum time is a whole number of them.
    #[must_use]
    pub fn normalised(self) -> Self {
        let alike = self.min_time.is_multiple_of(self.increment.max(1));
        Self { steps: if alike { Steps::FromZero } else { self.steps }, ..self }
    }

    /// The price of billed seconds, rounded half to even to 15 places; none: it is out of
    /// the range of a decimal. Nothing billed costs nothing, the connection neither.
    #[must_use]
    pub fn price(&self, billed_seconds: u64) -> Option<Decimal> {
        if billed_seconds == 0 {
            return Some(Decimal::ZERO);
        }
        let price = if billed_seconds.is_multiple_of(60) {
            // Whole minutes, as most calls are billed: a division less.
            self.rate.checked_mul(Decimal::from(billed_seconds / 60))?
        } else {
            self.rate.checked_mul(Decimal::from(billed_seconds))?.checked_div(Decimal::from(60))?
        };
        let price = price.checked_add(self.connection_fee)?;
        Some(price.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven))
    }
}

/// Seconds and parts of a second as whole seconds: parts count as a whole one. None: below
/// zero, or out of range.
#[must_use]
pub fn whole_seconds(duration: Decimal) -> Option<u32> {
    use rust_decimal::prelude::ToPrimitive;
    (duration >= Decimal::ZERO).then(|| duration.ceil().to_u32()).flatten()
}

/// The profit in percent of the price, rounded half up to an integer; 0 where there is no
/// price (`docs/rules/statistics.md#profit-and-margin`).
#[must_use]
pub fn margin_percent(price: Decimal, self_cost: Decimal) -> i64 {
    use rust_decimal::prelude::ToPrimitive;
    if price.is_zero() {
        return 0;
    }
    let margin = (price - self_cost)
        .checked_mul(Decimal::ONE_HUNDRED)
        .and_then(|part| part.checked_div(price));
    let half_up = |margin: Decimal| (margin + Decimal::new(5, 1)).floor();
    margin.map(half_up).and_then(|margin| margin.to_i64()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn terms(rate: &str, increment: u32, min_time: u32) -> Terms {
        let rate = Decimal::from_str_exact(rate).unwrap();
        let steps = Steps::FromZero;
        Terms { rate, connection_fee: Decimal::ZERO, increment, min_time, steps }
    }

    /// Either kind of steps.
    fn any_steps() -> impl Strategy<Value = Steps> {
        prop_oneof![Just(Steps::FromZero), Just(Steps::AfterMinimum)]
    }

    /// What carriers write as 90/60, with what they bill for calls of some lengths.
    #[test]
    fn steps_count_from_the_beginning_or_after_the_minimum_time() {
        let durations = [1, 60, 61, 90, 91, 150, 151, 210, 211];
        for (min_time, increment, from_zero, after_minimum) in [
            (
                90,
                60,
                [120, 120, 120, 120, 120, 180, 180, 240, 240],
                [90, 90, 90, 90, 150, 150, 210, 210, 270],
            ),
            (
                60,
                60,
                [60, 60, 120, 120, 120, 180, 180, 240, 240],
                [60, 60, 120, 120, 120, 180, 180, 240, 240],
            ),
            (
                30,
                6,
                [30, 60, 66, 90, 96, 150, 156, 210, 216],
                [30, 60, 66, 90, 96, 150, 156, 210, 216],
            ),
            (1, 1, durations.map(u64::from), durations.map(u64::from)),
            (
                0,
                60,
                [60, 60, 120, 120, 120, 180, 180, 240, 240],
                [60, 60, 120, 120, 120, 180, 180, 240, 240],
            ),
            (
                10,
                30,
                [30, 60, 90, 90, 120, 150, 180, 210, 240],
                [10, 70, 70, 100, 100, 160, 160, 220, 220],
            ),
        ] {
            let zero = terms("1", increment, min_time);
            let after = Terms { steps: Steps::AfterMinimum, ..zero };
            let billed = |terms: Terms| durations.map(|call| terms.billed_seconds(call, 0));
            assert_eq!(billed(zero), from_zero, "{min_time}/{increment} from the beginning");
            assert_eq!(billed(after), after_minimum, "{min_time}/{increment} after the minimum");
            // Terms that bill alike are one and the same.
            assert_eq!(after.normalised() == zero, from_zero == after_minimum);
            assert_eq!(after.billed_seconds(0, 0), 0);
        }
        // Grace is as it is with the other kind of steps.
        let after = Terms { steps: Steps::AfterMinimum, ..terms("1", 60, 5) };
        assert_eq!(after.billed_seconds(5, 5), 0);
        assert_eq!(after.billed_seconds(6, 5), 65);
    }

    /// The table of `docs/rules/rating.md#the-price-of-a-call`, line by line.
    #[test]
    fn the_documented_table() {
        for (increment, min_time, call, billed, price) in [
            (1, 0, 15, 15, "0.25"),
            (10, 0, 15, 20, "0.333333333333333"),
            (20, 0, 15, 20, "0.333333333333333"),
            (60, 0, 15, 60, "1"),
            (60, 0, 55, 60, "1"),
            (60, 0, 65, 120, "2"),
            (1, 10, 5, 10, "0.166666666666667"),
            (1, 10, 25, 25, "0.416666666666667"),
            (30, 10, 5, 30, "0.5"),
        ] {
            let terms = terms("1", increment, min_time);
            assert_eq!(terms.billed_seconds(call, 0), billed, "{increment}/{min_time}: {call} s");
            assert_eq!(terms.price(billed).unwrap().normalize().to_string(), price);
        }
    }

    #[test]
    fn grace_and_parts_of_a_second() {
        // Minimum 60, grace 3, call 1 s: 60 s billed.
        assert_eq!(terms("1", 1, 60).billed_seconds(1, 3), 60);
        assert_eq!(terms("1", 1, 0).billed_seconds(3, 3), 0);
        assert_eq!(terms("1", 1, 0).billed_seconds(4, 3), 4);
        assert_eq!(terms("1", 1, 0).billed_seconds(0, 0), 0);
        let seconds = |text: &str| whole_seconds(Decimal::from_str_exact(text).unwrap());
        assert_eq!(seconds("41.155338"), Some(42));
        assert_eq!(seconds("41"), Some(41));
        assert_eq!(seconds("-0.1"), None);
    }

    #[test]
    fn the_connection_is_charged_once_and_nothing_is_rounded_to_cents() {
        let terms = Terms { connection_fee: Decimal::new(1, 2), ..terms("0.027", 1, 0) };
        assert_eq!(terms.price(60).unwrap(), Decimal::new(37, 3));
        assert_eq!(terms.price(0).unwrap(), Decimal::ZERO);
    }

    #[test]
    fn margins_of_the_documented_quick_stats() {
        let decimal = |text: &str| Decimal::from_str_exact(text).unwrap();
        assert_eq!(margin_percent(decimal("1.4475"), decimal("0.6725")), 54);
        assert_eq!(margin_percent(decimal("6.04"), decimal("3.734166")), 38);
        assert_eq!(margin_percent(Decimal::ZERO, decimal("1")), 0);
    }

    proptest! {
        #[test]
        fn longer_calls_never_cost_less(
            rate in 0_i64..1_000_000,
            fee in 0_i64..1_000_000,
            increment in 1_u32..=90,
            min_time in 0_u32..=90,
            grace in 0_u32..=10,
            shorter in 0_u32..10_000,
            more in 0_u32..1_000,
            steps in any_steps(),
        ) {
            let terms = Terms {
                rate: Decimal::new(rate, 6),
                connection_fee: Decimal::new(fee, 6),
                increment,
                min_time,
                steps,
            };
            let price = |seconds| terms.price(terms.billed_seconds(seconds, grace)).unwrap();
            prop_assert!(price(shorter) <= price(shorter + more));
        }

        #[test]
        fn billed_seconds_fit_the_increment(
            call in 1_u32..100_000,
            increment in 1_u32..=90,
            min_time in 0_u32..=90,
            steps in any_steps(),
        ) {
            let terms = Terms { steps, ..terms("1", increment, min_time) };
            let billed = terms.billed_seconds(call, 0);
            let start = if steps == Steps::FromZero { 0 } else { min_time };
            prop_assert!(billed >= u64::from(call.max(min_time)));
            prop_assert!((billed - u64::from(start)).is_multiple_of(u64::from(increment)));
            prop_assert!(billed < u64::from(call.max(min_time)) + u64::from(increment));
            prop_assert_eq!(terms.normalised().billed_seconds(call, 0), billed);
        }
    }
}
