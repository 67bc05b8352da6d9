//! A provider as the contract describes it: what of it is its connection point's, its checks, and the
//! changes that a field mask makes.

use std::{collections::BTreeSet, net::IpAddr};

use tollbook_proto::v1::{self as pb, DtmfMode, ProviderNetwork, ProviderTech};

use crate::{
    contract, enums,
    error::{Error, Result},
    ids::{self, TariffId, UserId},
    text::{check_name, check_text},
};

/// How long a provider rings that does not say otherwise, in seconds, and how long one rings at least.
const RINGING: i32 = 60;
const SHORTEST_RINGING: i32 = 30;

/// The host of what is reached where it registers from.
const DYNAMIC: &str = "dynamic";

/// Logins that stand for anybody.
const NO_LOGINS: [&str; 2] = ["anonymous", "unknown"];

/// Fields that no request changes.
const FIXED_FIELDS: [&str; 2] = ["id", "owner_id"];

/// A provider with what of it is its connection point's.
pub(super) fn complete(provider: pb::Provider, point: &pb::ConnectionPoint) -> pb::Provider {
    let caller = point.caller_id.clone().unwrap_or_default();
    let termination = point.termination.clone().unwrap_or_default();
    let timeouts = point.timeouts.unwrap_or_default();
    pb::Provider {
        id: point.id,
        owner_id: point.user_id(),
        tariff_id: Some(termination.tariff_id),
        disabled: !termination.active || termination.disabled,
        caller_name: caller.name,
        caller_number: caller.number,
        address: point.address.clone(),
        port: point.port,
        ringing_timeout_seconds: Some(timeouts.ringing),
        call_timeout_seconds: timeouts.call,
        call_limit: termination.capacity,
        grace_time_seconds: point.grace_time,
        ..provider
    }
}

/// The connection point of a provider: the one that it has, if any, with what is the provider's.
pub(super) fn point_of(
    provider: &pb::Provider,
    before: Option<&pb::ConnectionPoint>,
) -> pb::ConnectionPoint {
    let mut point = before.cloned().unwrap_or_default();
    point.user_id = Some(provider.owner_id);
    // By that the calls of files are known that name it.
    point.description.clone_from(&provider.name);
    point.address.clone_from(&provider.address);
    point.port = provider.port;
    point.grace_time = provider.grace_time_seconds;
    let timeouts = point.timeouts.get_or_insert_default();
    timeouts.ringing = provider.ringing_timeout_seconds();
    timeouts.call = provider.call_timeout_seconds;
    let caller = point.caller_id.get_or_insert_default();
    caller.name.clone_from(&provider.caller_name);
    caller.number.clone_from(&provider.caller_number);
    if *caller == pb::PointCallerId::default() {
        point.caller_id = None;
    }
    let termination = point.termination.get_or_insert_default();
    termination.tariff_id = provider.tariff_id();
    termination.capacity = provider.call_limit;
    termination.active = !provider.disabled;
    termination.disabled &= provider.disabled;
    point
}

/// What of a provider its point does not have, and no column: what is stored as JSON.
pub(super) fn rest(provider: &pb::Provider) -> pb::Provider {
    pb::Provider {
        tech: provider.tech,
        hidden: provider.hidden,
        login: provider.login.clone(),
        register: provider.register,
        network: provider.network,
        host: provider.host.clone(),
        from_domain: provider.from_domain.clone(),
        dtmf_mode: provider.dtmf_mode,
        ..Default::default()
    }
}

/// A provider with the defaults of what it leaves out, and without what its kind of network does not have.
///
/// # Errors
/// `INVALID_FIELD` names what is missing or malformed.
pub(super) fn checked(mut provider: pb::Provider) -> Result<pb::Provider> {
    check_name(&provider.name)?;
    contract::visit_texts(&contract::to_dynamic(&provider)?, &mut check_text)?;
    let or = |value: i32, default: i32| if value == 0 { default } else { value };
    provider.tech = or(provider.tech, ProviderTech::Sip.into());
    provider.network = or(provider.network, ProviderNetwork::Hostname.into());
    provider.dtmf_mode = or(provider.dtmf_mode, DtmfMode::Rfc2833.into());
    enums::known::<ProviderTech>("provider.tech", provider.tech)?;
    enums::known::<DtmfMode>("provider.dtmf_mode", provider.dtmf_mode)?;
    enums::known::<ProviderNetwork>("provider.network", provider.network)?;
    if provider.network() == ProviderNetwork::Dynamic {
        (provider.host, provider.address) = (DYNAMIC.to_owned(), String::new());
        (provider.port, provider.register) = (0, false);
    }
    ids::required::<TariffId>("provider.tariff_id", provider.tariff_id)?;
    if NO_LOGINS.contains(&provider.login.as_str()) {
        return Err(Error::invalid("provider.login", "must be the name of somebody"));
    }
    let no_address = provider.address.is_empty();
    if !no_address && provider.address.parse::<IpAddr>().is_err() {
        return Err(Error::invalid("provider.address", "must be an IP address"));
    }
    if no_address && provider.network() == ProviderNetwork::Ip {
        return Err(Error::invalid("provider.address", "is required"));
    }
    check_numbers(&mut provider)?;
    check_common_uses(&provider)?;
    Ok(provider)
}

fn check_numbers(provider: &mut pb::Provider) -> Result<()> {
    let ringing = *provider.ringing_timeout_seconds.get_or_insert(RINGING);
    if ringing < SHORTEST_RINGING {
        return Err(Error::invalid("provider.ringing_timeout_seconds", "must be at least 30"));
    }
    if u16::try_from(provider.port).is_err() {
        return Err(Error::invalid("provider.port", "must be 0 to 65535"));
    }
    for (field, number) in [
        ("provider.call_timeout_seconds", provider.call_timeout_seconds),
        ("provider.call_limit", provider.call_limit),
        ("provider.grace_time_seconds", provider.grace_time_seconds),
    ] {
        if number < 0 {
            return Err(Error::invalid(field, "must not be negative"));
        }
    }
    Ok(())
}

fn check_common_uses(provider: &pb::Provider) -> Result<()> {
    let uses = &provider.common_uses;
    if !uses.is_empty() && UserId(provider.owner_id) != UserId::ADMIN {
        return Err(Error::invalid("provider.common_uses", "are of the admin's providers only"));
    }
    let mut resellers = BTreeSet::new();
    for common in uses {
        ids::required::<UserId>("provider.common_uses.reseller_id", common.reseller_id)?;
        ids::required::<TariffId>("provider.common_uses.tariff_id", common.tariff_id)?;
        if !resellers.insert(common.reseller_id()) {
            return Err(Error::invalid("provider.common_uses", "name a reseller twice"));
        }
    }
    Ok(())
}

/// The provider after the changes that a request asks for.
pub(super) fn changed(
    old: &pb::Provider,
    request: &pb::UpdateProviderRequest,
) -> Result<pb::Provider> {
    let from = contract::to_dynamic(&request.provider.clone().unwrap_or_default())?;
    let mut to = contract::to_dynamic(old)?;
    let paths: Vec<&str> = contract::paths(request.update_mask.as_ref()).collect();
    if paths.is_empty() {
        return Err(Error::invalid("update_mask", "is required"));
    }
    for path in paths {
        if FIXED_FIELDS.contains(&path) || !contract::copy_field(&mut to, &from, path) {
            return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
        }
    }
    checked(contract::from_dynamic(&to)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn provider() -> pb::Provider {
        let provider = pb::Provider {
            name: "carrier".to_owned(),
            tariff_id: Some(3),
            host: "sip.example.org".to_owned(),
            port: 5080,
            call_limit: 7,
            ..Default::default()
        };
        checked(provider).unwrap()
    }

    #[test]
    fn what_is_its_points_comes_back_from_there() {
        let provider = pb::Provider { id: Some(9), caller_number: "370".to_owned(), ..provider() };
        let mut point = point_of(&provider, None);
        point.id = provider.id;
        assert!(point.termination.as_ref().unwrap().active);
        assert_eq!(complete(provider.clone(), &point), provider);
        let renamed = pb::Provider { disabled: true, ..provider };
        let point = point_of(&renamed, Some(&point));
        assert!(!point.termination.unwrap().active);
    }

    #[test]
    fn where_one_registers_from_nothing_else_counts() {
        let dynamic = checked(pb::Provider {
            network: ProviderNetwork::Dynamic.into(),
            register: true,
            address: "10.0.0.1".to_owned(),
            ..provider()
        });
        let dynamic = dynamic.unwrap();
        assert_eq!((dynamic.host.as_str(), dynamic.address.as_str()), ("dynamic", ""));
        assert_eq!((dynamic.port, dynamic.register), (0, false));
    }

    #[test]
    fn what_is_no_provider_is_refused() {
        let common =
            |reseller| pb::ProviderCommonUse { reseller_id: Some(reseller), tariff_id: Some(3) };
        for wrong in [
            pb::Provider { name: String::new(), ..provider() },
            pb::Provider { tariff_id: None, ..provider() },
            pb::Provider { tech: 9, ..provider() },
            pb::Provider { login: "anonymous".to_owned(), ..provider() },
            pb::Provider { address: "10.0.0".to_owned(), ..provider() },
            pb::Provider { network: ProviderNetwork::Ip.into(), ..provider() },
            pb::Provider { ringing_timeout_seconds: Some(29), ..provider() },
            pb::Provider { call_limit: -1, ..provider() },
            pb::Provider { port: 65_536, ..provider() },
            pb::Provider { common_uses: vec![common(4), common(4)], ..provider() },
            pb::Provider { owner_id: 5, common_uses: vec![common(4)], ..provider() },
        ] {
            assert!(checked(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
