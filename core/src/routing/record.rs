//! An LCR as the contract describes it: checks and changes.

use rust_decimal::Decimal;
use tollbook_proto::v1::{self as pb, LcrOrder};

use crate::{
    enums,
    error::{Error, Result},
    money,
    text::check_name,
};

/// Percentages of margins and limits are below this.
const MOST_PERCENT: i64 = 1_000_000;

/// An LCR with the defaults of what it leaves out.
///
/// # Errors
/// `INVALID_FIELD` names what is missing or malformed.
pub(super) fn checked(mut lcr: pb::Lcr) -> Result<pb::Lcr> {
    check_name(&lcr.name)?;
    if enums::known::<LcrOrder>("lcr.order", lcr.order)? == LcrOrder::Unspecified {
        lcr.set_order(LcrOrder::Price);
    }
    let limit = percent("first_provider_percent_limit", lcr.first_provider_percent_limit.as_ref())?;
    if limit.is_sign_negative() && !limit.is_zero() {
        return Err(Error::invalid("first_provider_percent_limit", "must not be negative"));
    }
    let margin = percent("minimal_rate_margin_percent", lcr.minimal_rate_margin_percent.as_ref())?;
    if margin < -Decimal::ONE_HUNDRED {
        return Err(Error::invalid("minimal_rate_margin_percent", "must not be below -100"));
    }
    lcr.first_provider_percent_limit = Some(money::to_proto(limit));
    lcr.minimal_rate_margin_percent = Some(money::to_proto(margin));
    Ok(lcr)
}

/// The share of a provider, 0 to 100; not said: 0.
pub(super) fn share(value: Option<&pb::Decimal>) -> Result<Decimal> {
    let share = percent("percent", value)?;
    match (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&share) {
        true => Ok(share),
        false => Err(Error::invalid("percent", "must be 0 to 100")),
    }
}

fn percent(field: &'static str, value: Option<&pb::Decimal>) -> Result<Decimal> {
    let Some(value) = value else { return Ok(Decimal::ZERO) };
    let number = money::parse(&value.value);
    let in_range = number.filter(|number| number.abs() < Decimal::from(MOST_PERCENT));
    in_range.ok_or_else(|| Error::invalid(field, "must be a decimal number below 1000000"))
}

/// The LCR after the changes that a request asks for.
pub(super) fn changed(lcr: &pb::Lcr, request: pb::UpdateLcrRequest) -> Result<pb::Lcr> {
    let mut lcr = lcr.clone();
    lcr.name = request.name.unwrap_or(lcr.name);
    lcr.order = request.order.unwrap_or(lcr.order);
    lcr.no_failover = request.no_failover.unwrap_or(lcr.no_failover);
    lcr.allow_loss_calls = request.allow_loss_calls.unwrap_or(lcr.allow_loss_calls);
    lcr.first_provider_percent_limit =
        request.first_provider_percent_limit.or(lcr.first_provider_percent_limit);
    lcr.minimal_rate_margin_percent =
        request.minimal_rate_margin_percent.or(lcr.minimal_rate_margin_percent);
    checked(lcr)
}
