//! Kamailio's table `acc`.

use super::{Named, known, with};
use crate::calls::columns::Column;

/// Kamailio's table `acc`: documentation of its module acc, the schema `acc-create.sql`, and the
/// columns that its default configuration adds (`src_user=$fU;…;dst_ouser=$tU;dst_user=$rU`).
/// The destination is `dst_user`, where the request went: `dst_ouser` is the user of To, in which
/// a caller may write what they like.
pub(crate) const KAMAILIO: &[Named] = &[
    with("callid", Column::CallId),
    with("method", Column::Method),
    with("from_tag", Column::FromTag),
    with("to_tag", Column::ToTag),
    with("sip_code", Column::SipCode),
    with("time", Column::StartTime),
    with("src_user", Column::Source),
    with("dst_user", Column::Destination),
    with("accountcode", Column::Originator),
    with("auth_user", Column::Originator),
    with("src_ip", Column::OriginationPoint),
    with("dst_domain", Column::TerminationPoint),
    known("src_domain"),
    known("dst_ouser"),
    known("sip_reason"),
    known("time_attr"),
    known("time_exten"),
    known("id"),
    known("cdr_id"),
];
