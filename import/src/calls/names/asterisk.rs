//! Asterisk's table of calls.

use super::{Named, known, with};
use crate::calls::columns::Column;

/// Asterisk's table `cdr`. Names from its documentation ("CDR Variables", "CDR Storage Backends")
/// and from the dumps that `FreePBX`, Issabel and others ship (`asteriskcdrdb`).
pub(crate) const ASTERISK: &[Named] = &[
    with("uniqueid", Column::CallId),
    with("linkedid", Column::LinkedId),
    with("sequence", Column::Sequence),
    with("start", Column::StartTime),
    with("calldate", Column::StartTime),
    with("answer", Column::AnswerTime),
    with("answerdate", Column::AnswerTime),
    with("end", Column::EndTime),
    with("hangupdate", Column::EndTime),
    with("duration", Column::Duration),
    with("billsec", Column::Billsec),
    with("disposition", Column::Disposition),
    with("hangupcause", Column::HangupCause),
    with("src", Column::Source),
    with("dst", Column::Destination),
    with("accountcode", Column::Originator),
    with("channel", Column::Channel),
    with("dstchannel", Column::DstChannel),
    known("clid"),
    known("dcontext"),
    known("lastapp"),
    known("lastdata"),
    known("amaflags"),
    known("userfield"),
    known("peeraccount"),
    known("acctid"),
    known("id"),
    known("did"),
    known("recordingfile"),
    known("cnum"),
    known("cnam"),
    known("outbound_cnum"),
    known("outbound_cnam"),
    known("dst_cnam"),
    known("realdst"),
    known("remoteip"),
    known("addtime"),
    known("import_cdr"),
];
