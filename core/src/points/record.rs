//! A point as the contract describes it: checks, and the changes that a field mask makes.

use std::collections::HashSet;

use tollbook_proto::v1 as pb;

use super::{Origination, Pattern, Point, Rewriting, SideTariffs, Termination, Terms};
use crate::{
    contract, enums,
    error::{Error, Result},
    ids::{PointId, TariffId, UserId},
    network::Network,
    text::check_text,
};

/// The port of SIP.
const SIP_PORT: u16 = 5060;

/// The settings that both sides have.
struct Side<'a> {
    name: &'static str,
    active: bool,
    tariff: i64,
    custom_tariff: i64,
    capacity: i32,
    source_pattern: &'a str,
    source_deny_pattern: &'a str,
}

impl Point {
    /// Checks everything about a point that needs no look at anything else.
    pub(super) fn checked(message: pb::ConnectionPoint) -> Result<Self> {
        contract::visit_texts(&contract::to_dynamic(&message)?, &mut check_text)?;
        let op = message.origination.as_ref().map(Side::of_origination);
        let tp = message.termination.as_ref().map(Side::of_termination);
        for side in op.iter().chain(&tp) {
            side.check_patterns()?;
        }
        Self::new(message)
    }

    /// A point as it is stored: its texts were checked before they were.
    pub(super) fn new(message: pb::ConnectionPoint) -> Result<Self> {
        let address = message.address.trim();
        let network = match address {
            "" => None,
            text => Some(Network::parse(text).ok_or_else(|| {
                Error::invalid("address", "must be an IP address, a subnet or a range")
            })?),
        };
        let port = match message.port {
            0 => SIP_PORT,
            port => {
                u16::try_from(port).map_err(|_| Error::invalid("port", "must be 0 to 65535"))?
            }
        };
        check_caller_id(&message.caller_id.clone().unwrap_or_default())?;
        let timeouts = message.timeouts.unwrap_or_default();
        seconds("timeouts.progress", timeouts.progress)?;
        seconds("timeouts.ringing", timeouts.ringing)?;
        let longest_call = seconds("timeouts.call", timeouts.call)?;
        let grace_time = seconds("grace_time", message.grace_time)?;
        Ok(Self {
            id: PointId(message.id()),
            user: UserId(message.user_id()),
            network,
            port: (!message.any_port).then_some(port),
            origination: match &message.origination {
                None => None,
                Some(op) => {
                    check_routing(op)?;
                    let terms = Side::of_origination(op).terms(longest_call, grace_time)?;
                    let rules =
                        |name: &str, text| Rewriting::parse(&format!("origination.{name}"), text);
                    let origination = Origination {
                        terms,
                        tech_prefix: op.tech_prefix.clone(),
                        destination: rules(
                            "destination_transformation",
                            &op.destination_transformation,
                        )?,
                        source: rules("source_transformation", &op.source_transformation)?,
                        callers_by_cli: op.callers_by_cli,
                    };
                    (!op.disabled).then_some(origination)
                }
            },
            termination: match &message.termination {
                None => None,
                Some(tp) => {
                    let terms = Side::of_termination(tp).terms(longest_call, grace_time)?;
                    (!tp.disabled).then_some(Termination { terms })
                }
            },
            message,
        })
    }

    /// The point after the changes that a request asks for.
    pub(super) fn changed(&self, request: &pb::UpdateConnectionPointRequest) -> Result<Self> {
        let new = request.connection_point.clone().unwrap_or_default();
        let Some(mask) = &request.update_mask else {
            return Self::checked(pb::ConnectionPoint {
                id: Some(self.id.0),
                user_id: Some(self.user.0),
                ..new
            });
        };
        let from = contract::to_dynamic(&new)?;
        let mut to = contract::to_dynamic(&self.message)?;
        for path in contract::paths(Some(mask)) {
            let fixed = matches!(path, "id" | "user_id");
            if fixed || !contract::copy_field(&mut to, &from, path) {
                return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
            }
        }
        Self::checked(contract::from_dynamic(&to)?)
    }

    pub(crate) fn to_proto(&self) -> pb::ConnectionPoint {
        self.message.clone()
    }

    /// The tariffs that the point refers to.
    pub(super) fn tariffs(&self) -> HashSet<TariffId> {
        let op = self.message.origination.iter();
        let tp = self.message.termination.iter();
        op.flat_map(|op| [op.tariff_id, op.custom_tariff_id])
            .chain(tp.map(|tp| tp.tariff_id))
            .filter(|id| *id != 0)
            .map(TariffId)
            .collect()
    }
}

impl<'a> Side<'a> {
    fn of_origination(op: &'a pb::OriginationPoint) -> Self {
        Self {
            name: "origination",
            active: op.active,
            tariff: op.tariff_id,
            custom_tariff: op.custom_tariff_id,
            capacity: op.capacity,
            source_pattern: &op.source_pattern,
            source_deny_pattern: &op.source_deny_pattern,
        }
    }

    fn of_termination(tp: &'a pb::TerminationPoint) -> Self {
        Self {
            name: "termination",
            active: tp.active,
            tariff: tp.tariff_id,
            custom_tariff: 0,
            capacity: tp.capacity,
            source_pattern: &tp.source_pattern,
            source_deny_pattern: &tp.source_deny_pattern,
        }
    }

    fn check_patterns(&self) -> Result<()> {
        for (name, text) in [
            ("source_pattern", self.source_pattern),
            ("source_deny_pattern", self.source_deny_pattern),
        ] {
            Pattern::check(&format!("{}.{name}", self.name), text)?;
        }
        Ok(())
    }

    fn terms(&self, longest_call: u32, grace_time: u32) -> Result<Terms> {
        let field = |name| format!("{}.{name}", self.name);
        if self.capacity < 0 {
            return Err(Error::invalid(field("capacity"), "must not be negative"));
        }
        let pattern = |name, text: &str| Pattern::stored(|| field(name), text);
        Ok(Terms {
            active: self.active,
            tariffs: SideTariffs {
                tariff: TariffId(self.tariff),
                custom: TariffId(self.custom_tariff),
                grace_time,
            },
            capacity: i64::from(self.capacity),
            longest_call,
            source: pattern("source_pattern", self.source_pattern)?,
            source_denied: pattern("source_deny_pattern", self.source_deny_pattern)?,
        })
    }
}

fn seconds(field: &'static str, seconds: i32) -> Result<u32> {
    u32::try_from(seconds).map_err(|_| Error::invalid(field, "must not be negative"))
}

fn check_caller_id(caller_id: &pb::PointCallerId) -> Result<()> {
    enums::known::<pb::NumberChoice>("caller_id.number_choice", caller_id.number_choice)?;
    seconds("caller_id.deviation", caller_id.deviation).map(drop)
}

fn check_routing(op: &pb::OriginationPoint) -> Result<()> {
    enums::known::<pb::RoutingAlgorithm>("origination.routing_algorithm", op.routing_algorithm)?;
    if op.quality_routing_id < 0 {
        return Err(Error::invalid("origination.quality_routing_id", "must not be negative"));
    }
    Ok(())
}
