//! Group "login": as in M4, and for resellers and partners, too.

use tollbook_proto::legacy::mor;

use crate::{method::Method, methods::login};

pub(super) const USER_LOGOUT: Method =
    Method { declaration: &mor::USER_LOGOUT, ..login::USER_LOGOUT };
