//! Group "balance": as in M4, and for resellers, too.

use tollbook_proto::legacy::mor;

use crate::{method::Method, methods::balance};

pub(super) const USER_BALANCE_UPDATE: Method =
    Method { declaration: &mor::USER_BALANCE_UPDATE, ..balance::USER_BALANCE_UPDATE };
