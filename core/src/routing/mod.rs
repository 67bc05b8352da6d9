//! Routing: LCRs, and where calls go by them (`docs/rules/routing.md`).

mod record;
mod route;
mod service;
pub(crate) mod store;

use std::sync::Arc;

use rust_decimal::Decimal;
use tollbook_proto::v1::{self as pb, ErrorReason};

pub(crate) use service::Service;

use crate::{
    access::Principal,
    error::Result,
    fault::Fault,
    ids::{PointId, RoutingGroupId, UserId},
    money,
};

const NOT_FOUND: Fault = Fault::not_found(ErrorReason::LcrNotFound, "no such LCR");
const IN_USE: Fault = Fault::refused(ErrorReason::LcrInUse, "a connection point has the LCR");
const PROVIDER_TAKEN: Fault =
    Fault::taken(ErrorReason::LcrProviderTaken, "the LCR has the provider already");

/// A routing table.
#[derive(Clone, Debug)]
pub(crate) struct Lcr {
    id: RoutingGroupId,
    owner: UserId,
    message: pb::Lcr,
    /// In percent; zero: without limit.
    first_provider_limit: Decimal,
    /// In percent; zero: none.
    margin: Decimal,
    members: Vec<Member>,
}

/// A provider of an LCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    provider: PointId,
    priority: i32,
    percent: Decimal,
    is_failover: bool,
}

impl Lcr {
    /// An LCR as it is stored: its numbers were checked before they were.
    fn new(message: pb::Lcr) -> Self {
        let percent = |value: Option<&pb::Decimal>| {
            value.and_then(|value| money::parse(&value.value)).unwrap_or_default()
        };
        let member = |member: &pb::LcrProvider| Member {
            provider: PointId(member.provider_id()),
            priority: member.priority,
            percent: percent(member.percent.as_ref()),
            is_failover: false,
        };
        let mut members: Vec<Member> = message.providers.iter().map(member).collect();
        let failover = PointId(message.failover_provider_id);
        if failover != PointId(0) && members.iter().all(|member| member.provider != failover) {
            let percent = Decimal::ZERO;
            let priority = i32::MAX;
            members.push(Member { provider: failover, priority, percent, is_failover: true });
        }
        Self {
            id: RoutingGroupId(message.id()),
            owner: UserId(message.owner_id),
            first_provider_limit: percent(message.first_provider_percent_limit.as_ref()),
            margin: percent(message.minimal_rate_margin_percent.as_ref()),
            members,
            message,
        }
    }

    /// Whether the caller may see and change it.
    fn is_managed_by(&self, caller: &Principal) -> Result<bool> {
        Ok(caller.scope().is_staff_wide() || self.owner == caller.user()?.id)
    }
}

/// All LCRs, by ascending id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lcrs(Vec<Arc<Lcr>>);

impl Lcrs {
    fn by_id(&self, id: RoutingGroupId) -> Option<&Arc<Lcr>> {
        let index = self.0.binary_search_by_key(&id, |lcr| lcr.id).ok()?;
        self.0.get(index)
    }

    /// The LCR of an id, if the caller may see and change it.
    fn managed(&self, caller: &Principal, id: RoutingGroupId) -> Result<&Arc<Lcr>> {
        let lcr = self.by_id(id).ok_or(NOT_FOUND)?;
        if lcr.is_managed_by(caller)? { Ok(lcr) } else { Err(NOT_FOUND.into()) }
    }
}
