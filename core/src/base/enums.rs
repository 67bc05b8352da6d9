//! Enums in requests.

use crate::error::{Error, Result};

/// What a number in a field of a request stands for. A number that this version does not know
/// asks for something that it would not do: it is refused, and not taken for the default.
pub(crate) fn known<E: TryFrom<i32>>(field: &str, number: i32) -> Result<E> {
    E::try_from(number).map_err(|_| Error::invalid(field, "is unknown"))
}
