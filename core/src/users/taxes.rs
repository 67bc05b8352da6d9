//! Taxes: up to four per user, each on or off, compound or simple
//! (`docs/rules/money-and-rounding.md#taxes`).
//!
//! Prices and payments are kept without tax; tax is what the taxes add to a net amount.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use tollbook_proto::v1 as pb;

use crate::{
    error::{Error, Result},
    money::{self, Money},
    text::check_text,
};

/// How many taxes a user may have.
pub(crate) const MAX_TAXES: usize = 4;

/// One tax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tax {
    name: String,
    /// 0 to 100, at most 4 places.
    percent: Decimal,
    enabled: bool,
}

/// The taxes of a user. The first is always on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaxPlan {
    taxes: Vec<Tax>,
    compound: bool,
    total_name: String,
}

impl Default for TaxPlan {
    fn default() -> Self {
        let tax = Tax { name: "TAX".to_owned(), percent: Decimal::ZERO, enabled: true };
        Self { taxes: vec![tax], compound: false, total_name: "TAX".to_owned() }
    }
}

impl TaxPlan {
    /// The taxes of a message, checked.
    pub(crate) fn from_proto(settings: &pb::TaxSettings) -> Result<Self> {
        if settings.taxes.len() > MAX_TAXES {
            return Err(Error::invalid("taxes", "holds more than four taxes"));
        }
        check_text("total_name", &settings.total_name)?;
        let taxes = settings
            .taxes
            .iter()
            .enumerate()
            .map(|(position, tax)| {
                check_text("name", &tax.name)?;
                Ok(Tax {
                    name: tax.name.clone(),
                    percent: percent(tax.percent.as_ref())?,
                    enabled: tax.enabled || position == 0,
                })
            })
            .collect::<Result<_>>()?;
        let total_name = match settings.total_name.as_str() {
            "" => "TAX",
            name => name,
        };
        Ok(Self { taxes, compound: settings.compound, total_name: total_name.to_owned() })
    }

    pub(crate) fn to_proto(&self) -> pb::TaxSettings {
        let taxes = self.taxes.iter().map(|tax| pb::Tax {
            name: tax.name.clone(),
            percent: Some(money::to_proto(tax.percent)),
            enabled: tax.enabled,
        });
        pb::TaxSettings {
            taxes: taxes.collect(),
            compound: self.compound,
            total_name: self.total_name.clone(),
        }
    }

    /// By what a net amount is multiplied to get the gross amount. Exact: at most four
    /// percentages of at most four places have at most 24 places.
    fn factor(&self) -> Decimal {
        let rates = self
            .taxes
            .iter()
            .filter(|tax| tax.enabled)
            .map(|tax| tax.percent / Decimal::ONE_HUNDRED);
        if self.compound {
            rates.map(|rate| Decimal::ONE + rate).product()
        } else {
            Decimal::ONE + rates.sum::<Decimal>()
        }
    }

    /// The amount with tax of an amount without.
    pub(crate) fn gross(&self, net: Money) -> Result<Money> {
        net.value().checked_mul(self.factor()).ok_or(Error::OutOfRange).and_then(Money::rounded)
    }

    /// The amount without tax of an amount with: the inverse of [`Self::gross`].
    pub(crate) fn net(&self, gross: Money) -> Result<Money> {
        gross.value().checked_div(self.factor()).ok_or(Error::OutOfRange).and_then(Money::rounded)
    }
}

/// A percentage of a request; missing is zero.
fn percent(value: Option<&pb::Decimal>) -> Result<Decimal> {
    let Some(value) = value else {
        return Ok(Decimal::ZERO);
    };
    money::parse(&value.value)
        .filter(|percent| (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent))
        .filter(|percent| percent.scale() <= 4)
        .ok_or_else(|| Error::invalid("percent", "must be 0 to 100 with at most 4 places"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn plan(percents: &[&str], compound: bool) -> TaxPlan {
        let taxes = percents.iter().map(|percent| pb::Tax {
            name: "VAT".to_owned(),
            percent: Some(pb::Decimal { value: (*percent).to_owned() }),
            enabled: true,
        });
        TaxPlan::from_proto(&pb::TaxSettings {
            taxes: taxes.collect(),
            compound,
            total_name: String::new(),
        })
        .unwrap()
    }

    fn money(text: &str) -> Money {
        Money::new(money::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn the_documented_example() {
        assert_eq!(plan(&["18", "15"], true).gross(money("3.99")).unwrap(), money("5.41443"));
        assert_eq!(plan(&["18", "15"], false).gross(money("3.99")).unwrap(), money("5.3067"));
        assert_eq!(plan(&["18", "15"], true).net(money("5.41443")).unwrap(), money("3.99"));
        assert_eq!(plan(&["18", "15"], false).net(money("5.3067")).unwrap(), money("3.99"));
    }

    #[test]
    fn the_first_tax_is_always_on_and_others_only_when_enabled() {
        let tax = |percent: &str| pb::Tax {
            name: String::new(),
            percent: Some(pb::Decimal { value: percent.to_owned() }),
            enabled: false,
        };
        let settings = pb::TaxSettings { taxes: vec![tax("10"), tax("20")], ..Default::default() };
        let plan = TaxPlan::from_proto(&settings).unwrap();
        assert_eq!(plan.gross(money("1")).unwrap(), money("1.1"));
    }

    #[test]
    fn at_most_four_taxes_of_at_most_a_hundred_percent() {
        let tax = |percent: &str| pb::Tax {
            name: String::new(),
            percent: Some(pb::Decimal { value: percent.to_owned() }),
            enabled: true,
        };
        for taxes in [
            vec![tax("1"); 5],
            vec![tax("101")],
            vec![tax("-1")],
            vec![tax("1.00001")],
            vec![tax("x")],
        ] {
            assert!(TaxPlan::from_proto(&pb::TaxSettings { taxes, ..Default::default() }).is_err());
        }
    }

    proptest! {
        #[test]
        fn net_undoes_gross(
            cents in 0_i64..100_000_000,
            percents in prop::collection::vec(0_u32..=1_000_000, 0..=4),
            compound in any::<bool>(),
        ) {
            let texts: Vec<String> =
                percents.iter().map(|p| Decimal::new(i64::from(*p), 4).to_string()).collect();
            let plan = plan(&texts.iter().map(String::as_str).collect::<Vec<_>>(), compound);
            let net = Money::new(Decimal::new(cents, 2)).unwrap();
            let back = plan.net(plan.gross(net).unwrap()).unwrap();
            // The rounding of both steps is far below the fourteenth place.
            prop_assert!((back.value() - net.value()).abs() <= Decimal::new(1, 14));
        }
    }
}
