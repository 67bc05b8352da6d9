//! What the two lists of devices share.

use crate::{
    call::Call,
    error::{Failure, Wrap},
    method::{Input, id, required},
};

/// What a list says of a user who is not there.
pub(crate) const USER_NOT_FOUND: &str = "User not found";

/// Whose devices a list has.
pub(crate) const LISTED_USER: Input<Option<i64>> = id(required("user_id", "whose devices"));

/// Whose devices are asked for.
pub(crate) fn listed_user(call: &Call) -> Result<i64, Failure> {
    let refused = |text| Failure::Parameters(Wrap::Page.error(text));
    if call.params.filled(LISTED_USER.param).is_none() {
        return Err(refused("user_id is empty"));
    }
    call.read(&LISTED_USER)?.ok_or_else(|| refused(USER_NOT_FOUND))
}
