//! What of a point is the operator's: by what its calls are known, where calls go, and numbers that
//! it calls from. Resellers and partners leave this as it is: whoever says by what calls are known
//! could have the calls of others taken for those of his users.

use super::Point;
use crate::{
    access::Principal,
    error::{Error, Result},
};

/// Checks that a caller who is not of the operator changes nothing of this.
pub(super) fn check(caller: &Principal, point: &Point, before: Option<&Point>) -> Result<()> {
    let is_kept = operators(Some(point)) == operators(before);
    if caller.scope().is_staff() || is_kept { Ok(()) } else { Err(Error::RoleDenied) }
}

/// What a point says of that.
fn operators(point: Option<&Point>) -> impl PartialEq {
    let message = point.map(Point::to_proto).unwrap_or_default();
    let op = message.origination.unwrap_or_default();
    let pool = message.caller_id.map_or(0, |caller_id| caller_id.number_pool_id);
    let routing = (op.routing_algorithm, op.quality_routing_id, op.routing_group_id);
    let known_by = (message.address, message.port, message.any_port, message.description);
    let known_by = (known_by, op.callers_by_cli);
    let told_apart = (op.tech_prefix, op.source_transformation, op.destination_transformation);
    (message.termination, routing, pool, known_by, told_apart)
}
