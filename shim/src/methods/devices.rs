//! What the two lists of devices share.

use crate::{
    call::Call,
    error::{Failure, Wrap},
};

/// What a list says of a user who is not there.
pub(crate) const USER_NOT_FOUND: &str = "User not found";

/// Whose devices are asked for.
pub(crate) fn listed_user(call: &Call) -> Result<i64, Failure> {
    let refused = |text| Failure::Parameters(Wrap::Page.error(text));
    if call.params.filled("user_id").is_none() {
        return Err(refused("user_id is empty"));
    }
    call.params.id("user_id").ok_or_else(|| refused(USER_NOT_FOUND))
}
