//! What of a point is the operator's: where calls go, and numbers that it calls from. Resellers and
//! partners make points of their users, and leave this as it is.

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
    (message.termination, routing, pool)
}
