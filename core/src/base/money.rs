//! Money, exchange rates and percentages: exact decimals, never floats.
//!
//! An amount has at most 12 digits before and 15 behind the point: 27 in all, one less
//! than [`Decimal`] holds, so that sums of amounts are exact. Where a result has more
//! places (a converted amount, a tax), it is rounded half to even to 15 places, here and
//! nowhere else.

use rust_decimal::{Decimal, RoundingStrategy};
use tollbook_proto::v1 as pb;

use crate::error::{Error, Result};

/// Places behind the point that are kept.
pub(crate) const SCALE: u32 = 15;

/// Amounts stay below this: 10^12.
const LIMIT: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);

/// An amount of money in some currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(Decimal);

impl Money {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// An amount, if it is in range and needs no rounding.
    #[must_use]
    pub fn new(value: Decimal) -> Option<Self> {
        let value = value.normalize();
        (value.abs() < LIMIT && value.scale() <= SCALE).then_some(Self(value))
    }

    /// An amount from a result that may have more places than are kept.
    pub fn rounded(value: Decimal) -> Result<Self> {
        Self::new(value.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven))
            .ok_or(Error::OutOfRange)
    }

    /// The exact value.
    #[must_use]
    pub fn value(self) -> Decimal {
        self.0
    }

    /// The exact sum.
    pub fn plus(self, other: Self) -> Result<Self> {
        self.0.checked_add(other.0).and_then(Self::new).ok_or(Error::OutOfRange)
    }

    /// The exact difference.
    pub fn minus(self, other: Self) -> Result<Self> {
        self.plus(Self(-other.0))
    }

    /// The same amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self((-self.0).normalize())
    }

    /// The amount in another currency: times its exchange rate.
    pub fn to_currency(self, rate: ExchangeRate) -> Result<Self> {
        self.0.checked_mul(rate.0).ok_or(Error::OutOfRange).and_then(Self::rounded)
    }

    /// An amount of another currency in the default one: divided by its exchange rate.
    pub fn to_default(self, rate: ExchangeRate) -> Result<Self> {
        self.0.checked_div(rate.0).ok_or(Error::OutOfRange).and_then(Self::rounded)
    }

    /// A required amount of a request, in a field of this name.
    pub fn from_proto(field: &'static str, value: Option<&pb::Decimal>) -> Result<Self> {
        let invalid = |problem| Error::InvalidAmount { field, problem };
        let value = value.filter(|value| !value.value.is_empty());
        let value = value.ok_or(invalid("is required: a decimal number such as 10.50"))?;
        let number = read(value).ok_or(invalid("is not a decimal number such as 10.50"))?;
        let problem =
            "is out of range: amounts have at most 12 digits before and 15 behind the point";
        Self::new(number).ok_or(invalid(problem))
    }
}

impl From<Money> for pb::Decimal {
    fn from(money: Money) -> Self {
        to_proto(money.0)
    }
}

/// What one unit of the default currency is in another currency; above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeRate(Decimal);

impl ExchangeRate {
    /// The rate of the default currency.
    pub const ONE: Self = Self(Decimal::ONE);

    /// A rate, if it is above zero and no longer than an amount may be.
    #[must_use]
    pub fn new(value: Decimal) -> Option<Self> {
        Money::new(value).filter(|money| money.0 > Decimal::ZERO).map(|money| Self(money.0))
    }

    /// A rate of a request.
    pub fn from_proto(value: Option<&pb::Decimal>) -> Result<Self> {
        value.and_then(read).and_then(Self::new).ok_or(Error::InvalidExchangeRate)
    }

    /// The exact value.
    #[must_use]
    pub fn value(self) -> Decimal {
        self.0
    }
}

impl From<ExchangeRate> for pb::Decimal {
    fn from(rate: ExchangeRate) -> Self {
        to_proto(rate.0)
    }
}

/// A decimal as the contract writes them.
pub(crate) fn to_proto(value: Decimal) -> pb::Decimal {
    pb::Decimal { value: value.to_string() }
}

/// Reads an amount of a request. It has one spelling but for zeros at its end: amounts are hashed
/// without separators, and `05.50` behind one user's id would read as `5.50` behind another's.
fn read(value: &pb::Decimal) -> Option<Decimal> {
    let digits = value.value.strip_prefix('-').unwrap_or(&value.value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_plain = !whole.is_empty() && !fraction.is_empty();
    let leads_with_zero = whole.len() > 1 && whole.starts_with('0');
    let decimal = parse(&value.value).filter(|_| is_plain && !leads_with_zero)?;
    (!decimal.is_zero() || !value.value.starts_with('-')).then_some(decimal)
}

/// Reads a decimal in any spelling: digits, an optional leading minus, an optional point with
/// digits on both sides or one of them. Nothing else: no exponent, no plus sign, no spaces.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let well_formed = digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1
        // Longer than any number in range; rules out walking through megabytes.
        && digits.len() <= 64;
    if !well_formed {
        return None;
    }
    Decimal::from_str_exact(text).ok().map(|value| value.normalize())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str) -> Money {
        Money::new(parse(text).unwrap()).unwrap()
    }

    #[test]
    fn only_plain_decimals_are_numbers() {
        for good in ["0", "-1", "66.0000", ".5", "5.", "-0.000000000000001", "999999999999"] {
            assert!(parse(good).and_then(Money::new).is_some(), "{good}");
        }
        let long = "1".repeat(65);
        for bad in [
            "", "-", ".", "+1", " 1", "1 ", "1e400", "NaN", "inf", "0x10", "1,5", "1.2.3", "١",
            &long,
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        for out_of_range in ["1000000000000", "-1000000000000", "0.0000000000000001"] {
            assert!(parse(out_of_range).and_then(Money::new).is_none(), "{out_of_range}");
        }
    }

    #[test]
    fn f08_an_amount_of_a_request_has_one_spelling() {
        let read =
            |text: &str| Money::from_proto("amount", Some(&pb::Decimal { value: text.to_owned() }));
        for good in ["0", "0.0", "5.50", "-0.5", "100", "10.05", "-12"] {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["05.50", "5.", ".5", "-0", "-0.00", "007", "00", "-.5", "-05", "0.", "00.5"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn converts_between_currencies() {
        let rate = ExchangeRate::new(parse("0.7351").unwrap()).unwrap();
        assert_eq!(money("100").to_currency(rate).unwrap(), money("73.51"));
        assert_eq!(money("73.51").to_default(rate).unwrap(), money("100"));
        let third = ExchangeRate::new(parse("3").unwrap()).unwrap();
        assert_eq!(money("1").to_default(third).unwrap(), money("0.333333333333333"));
    }

    proptest! {
        #[test]
        fn sums_are_exact(
            a in -999_999_999_999_i64..=999_999_999_999,
            b in 0_i64..1_000_000_000_000_000,
            c in -999_999_999_i64..=999_999_999,
        ) {
            let a = Money::new(Decimal::from(a)).unwrap();
            let b = Money::new(Decimal::new(b, SCALE)).unwrap();
            let c = Money::new(Decimal::new(c, 7)).unwrap();
            if let Ok(sum) = a.plus(b).and_then(|sum| sum.plus(c)) {
                prop_assert_eq!(sum.minus(c).unwrap().minus(b).unwrap(), a);
            }
        }

        #[test]
        fn what_is_written_is_read_again(mantissa in any::<i64>(), scale in 0_u32..=15) {
            if let Some(amount) = Money::new(Decimal::new(mantissa, scale)) {
                let written = pb::Decimal::from(amount);
                prop_assert_eq!(Money::from_proto("amount", Some(&written)).unwrap(), amount);
            }
        }

        #[test]
        fn reading_never_panics(text in ".{0,80}") {
            let _ = parse(&text);
        }
    }
}
