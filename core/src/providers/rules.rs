//! Number rules of providers: their checks, and what they make of a call on its way out.

use tollbook_proto::v1::{self as pb, NumberRuleKind};

use super::Provider;
use crate::{
    error::{Error, Result},
    ids::{self, PointId, TariffId},
    rules::{self, Numbers},
    text::check_text,
};

/// A rule as a request describes it, with the defaults of what it leaves out.
///
/// # Errors
/// `INVALID_FIELD` names what is missing or malformed.
pub(super) fn checked(rule: pb::ProviderRule) -> Result<pb::ProviderRule> {
    ids::required::<PointId>("provider_rule.provider_id", rule.provider_id)?;
    check_text("provider_rule.suffix", &rule.suffix)?;
    let number_rule = rules::checked("provider_rule.rule", rule.rule.unwrap_or_default())?;
    if !rule.suffix.is_empty() && number_rule.kind() != NumberRuleKind::Destination {
        return Err(Error::invalid("provider_rule.suffix", "is for numbers that are called"));
    }
    Ok(pb::ProviderRule { id: None, rule: Some(number_rule), ..rule })
}

impl Provider {
    /// Whether numbers go to it as they are rated.
    pub(crate) fn has_no_rules(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn set_rules(&mut self, rules: Vec<pb::ProviderRule>) {
        self.number_rules =
            rules.iter().map(|rule| rule.rule.clone().unwrap_or_default()).collect();
        self.rules = rules;
    }

    /// What the rules make of the numbers of a call that goes to the provider, and the tariff to which they
    /// change, if they do.
    pub(crate) fn rewrite(&self, numbers: &mut Numbers) -> Option<TariffId> {
        let mut tariff = None;
        for position in rules::apply(&self.number_rules, numbers) {
            let Some(rule) = self.rules.get(position) else { continue };
            numbers.destination.push_str(&rule.suffix);
            tariff = tariff.or((rule.tariff_id != 0).then_some(TariffId(rule.tariff_id)));
        }
        tariff
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ids::UserId;

    fn rule(cut: &str, add: &str) -> pb::ProviderRule {
        let rule = pb::NumberRule {
            name: "rule".to_owned(),
            cut: cut.to_owned(),
            add: add.to_owned(),
            ..Default::default()
        };
        pb::ProviderRule { provider_id: Some(1), rule: Some(rule), ..Default::default() }
    }

    #[test]
    fn the_rule_that_fits_puts_its_suffix_behind_and_changes_the_tariff() {
        let with_suffix = pb::ProviderRule {
            suffix: "99".to_owned(),
            tariff_id: 7,
            ..checked(rule("370", "00370")).unwrap()
        };
        let mut provider = Provider {
            id: PointId(1),
            owner: UserId::ADMIN,
            message: pb::Provider::default(),
            rules: Vec::new(),
            number_rules: Vec::new(),
        };
        provider.set_rules(vec![checked(rule("", "89765#")).unwrap(), with_suffix]);
        let sent = |number: &str| {
            let mut numbers = Numbers { destination: number.to_owned(), ..Default::default() };
            let tariff = provider.rewrite(&mut numbers);
            (numbers.destination, tariff)
        };
        assert_eq!(sent("37061"), ("003706199".to_owned(), Some(TariffId(7))));
        assert_eq!(sent("4461"), ("89765#4461".to_owned(), None));
    }

    #[test]
    fn a_suffix_is_for_numbers_that_are_called() {
        let mut of_source = rule("370", "");
        of_source.suffix = "9".to_owned();
        assert!(checked(of_source.clone()).is_ok());
        of_source.rule.get_or_insert_default().set_kind(NumberRuleKind::Source);
        assert!(checked(of_source).is_err());
        assert!(checked(pb::ProviderRule { provider_id: None, ..rule("370", "") }).is_err());
    }
}
