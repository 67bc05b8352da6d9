//! The columns of files of calls: what they mean, and by which names formats call them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::options::{Format, UnknownName};

macro_rules! columns {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What a column of a file of calls says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "&str")]
        pub enum Column {
            $($(#[$doc])* $variant,)*
        }

        impl Column {
            /// All columns.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that options and messages use.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

columns! {
    /// The id of the call.
    CallId = "call_id",
    /// Asterisk's linkedid.
    LinkedId = "linkedid",
    /// Asterisk's sequence.
    Sequence = "sequence",
    /// When the call began.
    StartTime = "start_time",
    /// When it was answered.
    AnswerTime = "answer_time",
    /// When it ended.
    EndTime = "end_time",
    /// From the beginning to the end.
    Duration = "duration",
    /// From the answer to the end.
    Billsec = "billsec",
    /// How it ended, in a word.
    Disposition = "disposition",
    /// Why it ended: a code of Q.850, or FreeSWITCH's name of one.
    HangupCause = "hangup_cause",
    /// The same of the other end, in Cisco's files: used where the first says 0.
    OtherCause = "other_cause",
    /// The SIP status that it ended with.
    SipCode = "sip_code",
    /// The calling number.
    Source = "source",
    /// The number called.
    Destination = "destination",
    /// Who pays: a login name, an account code.
    Originator = "originator",
    /// Who terminated it: a login name.
    Terminator = "terminator",
    /// The channel that it came in on.
    Channel = "channel",
    /// The channel that it went out on.
    DstChannel = "dstchannel",
    /// The id of the origination point.
    OriginationPointId = "origination_point_id",
    /// The id of the termination point.
    TerminationPointId = "termination_point_id",
    /// The gateway or address that it came from.
    OriginationPoint = "origination_point",
    /// The gateway or address that it went to.
    TerminationPoint = "termination_point",
    /// The SIP method, in Kamailio's `acc`.
    Method = "method",
    /// The tag of From, in Kamailio's `acc`.
    FromTag = "from_tag",
    /// The tag of To, in Kamailio's `acc`.
    ToTag = "to_tag",
    /// The leg that this one was made for, in FreeSWITCH's records of B legs.
    OriginatingLeg = "originating_leg",
    /// The kind of record, in Cisco's files: 1 is a call.
    RecordType = "record_type",
}

impl From<Column> for &str {
    fn from(column: Column) -> Self {
        column.name()
    }
}

impl TryFrom<String> for Column {
    type Error = UnknownName;

    fn try_from(name: String) -> Result<Self, UnknownName> {
        name.parse()
    }
}

impl FromStr for Column {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().find(|column| column.name().eq_ignore_ascii_case(text));
        let names = || Self::ALL.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
        known.copied().ok_or_else(|| UnknownName { name: text.to_owned(), known: names() })
    }
}

/// A name of a format's column with what it says; `None`: a call does not need it.
pub(crate) type Named = (&'static str, Option<Column>);

const fn with(name: &'static str, column: Column) -> Named {
    (name, Some(column))
}

const fn known(name: &'static str) -> Named {
    (name, None)
}

/// The columns by name of a format that has a header. Where two of one meaning are there, the
/// one that stands first here is used: a format's own order of precedence, not a guess.
pub(crate) fn of(format: Format) -> &'static [Named] {
    match format {
        Format::Tollbook => TOLLBOOK,
        Format::AsteriskTable | Format::AsteriskCsv | Format::AsteriskCustom => ASTERISK,
        Format::KamailioAcc => KAMAILIO,
        Format::Yeti => YETI,
        Format::Vos3000 => VOS3000,
        Format::ThreeCx => THREE_CX,
        Format::Cisco => CISCO,
        Format::FreeswitchTable
        | Format::FreeswitchSql
        | Format::FreeswitchExample
        | Format::FreeswitchSnom
        | Format::FreeswitchLinksys
        | Format::FreeswitchAsterisk
        | Format::FreeswitchOpencdrrate
        | Format::FreeswitchCustom
        | Format::FreeswitchJson
        | Format::FreeswitchXml => FREESWITCH,
        Format::Columns => SYNONYMS,
    }
}

/// The names by which a header shows its format: all of them are there.
pub(crate) const SIGNS: &[(Format, &[&str])] = &[
    (Format::Tollbook, &["call_id", "start_time", "destination"]),
    (Format::Cisco, &["cdrrecordtype", "globalcallid_callid"]),
    (Format::Vos3000, &["callere164", "calleee164"]),
    (Format::KamailioAcc, &["method", "callid", "sip_code"]),
    (Format::Yeti, &["time_start", "dst_prefix_routing"]),
    (Format::Yeti, &["time_start", "dst_prefix_in"]),
    (Format::Yeti, &["time_start", "time_connect"]),
    (Format::ThreeCx, &["historyid", "time_start"]),
    (Format::AsteriskTable, &["calldate", "dst"]),
    (Format::AsteriskTable, &["start", "dst", "uniqueid"]),
    (Format::FreeswitchTable, &["start_stamp", "destination_number"]),
    (Format::FreeswitchTable, &["start_timestamp", "destination_number"]),
];

/// Tollbook's own files: `cli/src/calls/mod.rs`.
const TOLLBOOK: &[Named] = &[
    with("call_id", Column::CallId),
    with("start_time", Column::StartTime),
    with("answer_time", Column::AnswerTime),
    with("end_time", Column::EndTime),
    with("duration", Column::Duration),
    with("billsec", Column::Billsec),
    with("disposition", Column::Disposition),
    with("hangup_cause", Column::HangupCause),
    with("source", Column::Source),
    with("destination", Column::Destination),
    with("originator", Column::Originator),
    with("terminator", Column::Terminator),
    with("origination_point_id", Column::OriginationPointId),
    with("termination_point_id", Column::TerminationPointId),
    with("origination_point", Column::OriginationPoint),
    with("termination_point", Column::TerminationPoint),
    with("channel", Column::Channel),
    with("dstchannel", Column::DstChannel),
];

/// Asterisk's table `cdr`. Names from its documentation ("CDR Variables", "CDR Storage Backends")
/// and from the dumps that `FreePBX`, Issabel and others ship (`asteriskcdrdb`).
const ASTERISK: &[Named] = &[
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

/// Kamailio's table `acc`: documentation of its module acc, the schema `acc-create.sql`, and the
/// columns that its default configuration adds (`src_user=$fU;…;dst_ouser=$tU;dst_user=$rU`).
/// The destination is `dst_user`, where the request went: `dst_ouser` is the user of To, in which
/// a caller may write what they like.
const KAMAILIO: &[Named] = &[
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

/// Yeti's table `cdr.cdr` (the annotations of `app/models/cdr/cdr.rb` in yeti-switch/yeti-web) and
/// its documentation of "CDR History". Its `duration` counts from the connection.
const YETI: &[Named] = &[
    with("uuid", Column::CallId),
    with("id", Column::CallId),
    with("time_start", Column::StartTime),
    with("time_connect", Column::AnswerTime),
    with("time_end", Column::EndTime),
    with("duration", Column::Billsec),
    with("success", Column::Disposition),
    with("status", Column::Disposition),
    with("lega_q850_cause", Column::HangupCause),
    with("lega_disconnect_code", Column::SipCode),
    with("src_prefix_routing", Column::Source),
    with("src_prefix_in", Column::Source),
    with("dst_prefix_routing", Column::Destination),
    with("dst_prefix_in", Column::Destination),
    with("customer_acc_name", Column::Originator),
    with("customer_name", Column::Originator),
    with("customer", Column::Originator),
    with("customer_acc_id", Column::Originator),
    with("customer_id", Column::Originator),
    with("vendor_acc_name", Column::Terminator),
    with("vendor_name", Column::Terminator),
    with("vendor", Column::Terminator),
    with("auth_orig_ip", Column::OriginationPoint),
    with("sign_orig_ip", Column::OriginationPoint),
    with("sign_term_ip", Column::TerminationPoint),
    known("audio_recorded"),
    known("auth_orig_port"),
    known("core_version"),
    known("customer_acc_vat"),
    known("customer_account_check_balance"),
    known("customer_auth_external_type"),
    known("customer_auth_name"),
    known("customer_auth"),
    known("customer_duration"),
    known("customer_price"),
    known("customer_price_no_vat"),
    known("destination_fee"),
    known("destination_initial_interval"),
    known("destination_initial_rate"),
    known("destination_next_interval"),
    known("destination_next_rate"),
    known("destination_prefix"),
    known("destination_reverse_billing"),
    known("dialpeer_fee"),
    known("dialpeer_initial_interval"),
    known("dialpeer_initial_rate"),
    known("dialpeer_next_interval"),
    known("dialpeer_next_rate"),
    known("dialpeer_prefix"),
    known("dialpeer_reverse_billing"),
    known("diversion_in"),
    known("diversion_out"),
    known("dst_prefix_out"),
    known("early_media_present"),
    known("from_domain"),
    known("global_tag"),
    known("internal_disconnect_code"),
    known("internal_disconnect_reason"),
    known("is_last_cdr"),
    known("is_redirected"),
    known("lega_disconnect_reason"),
    known("lega_identity"),
    known("lega_q850_params"),
    known("lega_q850_text"),
    known("lega_user_agent"),
    known("legb_disconnect_code"),
    known("legb_disconnect_reason"),
    known("legb_local_tag"),
    known("legb_outbound_proxy"),
    known("legb_q850_cause"),
    known("legb_q850_params"),
    known("legb_q850_text"),
    known("legb_ruri"),
    known("legb_user_agent"),
    known("local_tag"),
    known("lrn"),
    known("metadata"),
    known("p_charge_info_in"),
    known("pai_in"),
    known("pai_out"),
    known("pdd"),
    known("ppi_in"),
    known("ppi_out"),
    known("privacy_in"),
    known("privacy_out"),
    known("profit"),
    known("routing_attempt"),
    known("routing_delay"),
    known("routing_tag_ids"),
    known("rpid_in"),
    known("rpid_out"),
    known("rpid_privacy_in"),
    known("rpid_privacy_out"),
    known("rtt"),
    known("ruri_domain"),
    known("sign_orig_local_ip"),
    known("sign_orig_local_port"),
    known("sign_orig_port"),
    known("sign_term_local_ip"),
    known("sign_term_local_port"),
    known("sign_term_port"),
    known("src_name_in"),
    known("src_name_out"),
    known("src_prefix_out"),
    known("to_domain"),
    known("vendor_duration"),
    known("vendor_price"),
    known("yeti_version"),
    known("auth_orig_transport_protocol_id"),
    known("customer_acc_external_id"),
    known("customer_auth_external_id"),
    known("customer_auth_id"),
    known("customer_external_id"),
    known("customer_invoice_id"),
    known("destination_id"),
    known("destination_rate_policy_id"),
    known("dialpeer_id"),
    known("disconnect_initiator_id"),
    known("dst_area_id"),
    known("dst_country_id"),
    known("dst_network_id"),
    known("dump_level_id"),
    known("failed_resource_id"),
    known("failed_resource_type_id"),
    known("internal_disconnect_code_id"),
    known("lega_ss_status_id"),
    known("legb_ss_status_id"),
    known("lnp_database_id"),
    known("node_id"),
    known("orig_call_id"),
    known("orig_gw_external_id"),
    known("orig_gw_id"),
    known("package_counter_id"),
    known("pop_id"),
    known("rateplan_id"),
    known("routing_group_id"),
    known("routing_plan_id"),
    known("sign_orig_transport_protocol_id"),
    known("sign_term_transport_protocol_id"),
    known("src_area_id"),
    known("src_country_id"),
    known("src_network_id"),
    known("term_call_id"),
    known("term_gw_external_id"),
    known("term_gw_id"),
    known("vendor_acc_external_id"),
    known("vendor_acc_id"),
    known("vendor_external_id"),
    known("vendor_id"),
    known("vendor_invoice_id"),
];

/// The CDR table of VOS3000, as a public script that extracts it (`earlruby/extract_vos3000_data`)
/// and public copies of its schema have it. Its `holdtime` is the time after the answer, its
/// times are seconds or milliseconds since 1970 or local times. (The layout of its pipe-separated
/// text files was not to be had: [`super::CallOptions::columns`] by position reads them.)
const VOS3000: &[Named] = &[
    with("flowno", Column::CallId),
    with("starttime", Column::StartTime),
    with("stoptime", Column::EndTime),
    with("holdtime", Column::Billsec),
    with("callere164", Column::Source),
    with("calleee164", Column::Destination),
    with("customeraccount", Column::Originator),
    with("callergatewayid", Column::OriginationPoint),
    with("callerip", Column::OriginationPoint),
    with("calleegatewayid", Column::TerminationPoint),
    with("calleeip", Column::TerminationPoint),
    known("id"),
    known("calleraccesse164"),
    known("calleeaccesse164"),
    known("callercodec"),
    known("callerproductid"),
    known("callertogatewaye164"),
    known("callertype"),
    known("calleecodec"),
    known("calleeproductid"),
    known("calleetogatewaye164"),
    known("calleetype"),
    known("billingmode"),
    known("calllevel"),
    known("agentfeetime"),
    known("callerpdd"),
    known("calleepdd"),
    known("callerareacode"),
    known("feetime"),
    known("fee"),
    known("tax"),
    known("suitefee"),
    known("suitefeetime"),
    known("incomefee"),
    known("incometax"),
    known("customername"),
    known("calleeareacode"),
    known("agentfee"),
    known("agenttax"),
    known("agentsuitefee"),
    known("agentsuitefeetime"),
    known("agentaccount"),
    known("agentname"),
    known("softswitchname"),
    known("softswitchcallid"),
    known("callercallid"),
    known("calleecallid"),
    known("rtpforward"),
    known("enddirection"),
    known("endreason"),
    known("billingtype"),
    known("cdrlevel"),
    known("agentcdr_id"),
    known("transactionid"),
    known("caller_id"),
];

/// The fields of 3CX's CDR, in the order in which it writes them by default: its manual, "CDR -
/// Call Data Records", and lines in public code. `duration` counts from the answer.
pub(crate) const THREE_CX: &[Named] = &[
    known("historyid"),
    with("callid", Column::CallId),
    with("duration", Column::Billsec),
    with("time_start", Column::StartTime),
    with("time_answered", Column::AnswerTime),
    with("time_end", Column::EndTime),
    known("reason_terminated"),
    with("from_no", Column::Source),
    known("to_no"),
    with("from_dn", Column::Originator),
    known("to_dn"),
    with("dial_no", Column::Destination),
    known("reason_changed"),
    known("final_number"),
    known("final_dn"),
    known("bill_code"),
    known("bill_rate"),
    known("bill_cost"),
    known("bill_name"),
    known("chain"),
    known("from_type"),
    known("to_type"),
    known("final_type"),
    known("from_dispname"),
    known("to_dispname"),
    known("final_dispname"),
    known("missed_queue_calls"),
];

/// The CDR of Cisco Unified Communications Manager: "Call Detail Records Administration Guide",
/// chapter "Cisco Call Detail Records Field Descriptions", and the header of a public example.
/// `pkid` is what identifies a record: a call that is transferred has several.
const CISCO: &[Named] = &[
    with("pkid", Column::CallId),
    with("cdrrecordtype", Column::RecordType),
    with("datetimeorigination", Column::StartTime),
    with("datetimeconnect", Column::AnswerTime),
    with("datetimedisconnect", Column::EndTime),
    with("duration", Column::Billsec),
    with("callingpartynumber", Column::Source),
    with("finalcalledpartynumber", Column::Destination),
    with("callingpartyunicodeloginuserid", Column::Originator),
    with("destcause_value", Column::HangupCause),
    with("origcause_value", Column::OtherCause),
    with("origdevicename", Column::OriginationPoint),
    with("destdevicename", Column::TerminationPoint),
    known("globalcallid_callmanagerid"),
    known("globalcallid_callid"),
    known("globalcallid_clusterid"),
    known("originalcalledpartynumber"),
    known("lastredirectdn"),
    known("comment"),
    known("joinonbehalfof"),
    known("authcodedescription"),
    known("authorizationlevel"),
    known("authorizationcodevalue"),
    known("clientmattercode"),
    known("callsecuredstatus"),
    known("callingpartynumberpartition"),
    known("originalcalledpartynumberpartition"),
    known("finalcalledpartynumberpartition"),
    known("finalcalledpartyunicodeloginuserid"),
    known("lastredirectdnpartition"),
    known("lastredirectredirectonbehalfof"),
    known("lastredirectredirectreason"),
    known("outpulsedcallingpartynumber"),
    known("outpulsedcalledpartynumber"),
    known("outpulsedoriginalcalledpartynumber"),
    known("outpulsedlastredirectingnumber"),
    known("incomingprotocolid"),
    known("incomingprotocolcallref"),
    known("outgoingprotocolid"),
    known("outgoingprotocolcallref"),
    known("currentroutingreason"),
    known("lastredirectingroutingreason"),
    known("huntpilotpartition"),
    known("huntpilotdn"),
    known("huntpilotpattern"),
    known("calledpartypatternusage"),
    known("incomingicid"),
    known("incomingorigioi"),
    known("incomingtermioi"),
    known("outgoingicid"),
    known("outgoingorigioi"),
    known("outgoingtermioi"),
    known("wascallqueued"),
    known("totalwaittimeinqueue"),
    known("callingpartynumber_uri"),
    known("originalcalledpartynumber_uri"),
    known("finalcalledpartynumber_uri"),
    known("lastredirectdn_uri"),
    known("mobilecallingpartynumber"),
    known("finalmobilecalledpartynumber"),
    known("mobilecalltype"),
    known("originalcalledpartypattern"),
    known("finalcalledpartypattern"),
    known("lastredirectingpartypattern"),
];

/// Of each end of a Cisco call there are many more, all with these beginnings.
pub(crate) const CISCO_ENDS: &[&str] = &["orig", "dest"];

/// Channel variables of FreeSWITCH: its documentation "Channel Variables" and `mod_cdr_csv`, and
/// the schemas of `mod_cdr_pg_csv`. The epochs come first: they need no zone.
pub(crate) const FREESWITCH: &[Named] = &[
    with("uuid", Column::CallId),
    with("start_uepoch", Column::StartTime),
    with("start_epoch", Column::StartTime),
    with("start_stamp", Column::StartTime),
    with("start_timestamp", Column::StartTime),
    with("answer_uepoch", Column::AnswerTime),
    with("answer_epoch", Column::AnswerTime),
    with("answer_stamp", Column::AnswerTime),
    with("answer_timestamp", Column::AnswerTime),
    with("end_uepoch", Column::EndTime),
    with("end_epoch", Column::EndTime),
    with("end_stamp", Column::EndTime),
    with("end_timestamp", Column::EndTime),
    with("duration", Column::Duration),
    with("billsec", Column::Billsec),
    with("hangup_cause", Column::HangupCause),
    with("caller_id_number", Column::Source),
    with("ani", Column::Source),
    with("destination_number", Column::Destination),
    with("accountcode", Column::Originator),
    with("channel_name", Column::Channel),
    with("bridge_channel", Column::DstChannel),
    with("network_addr", Column::OriginationPoint),
    with("sip_gateway_name", Column::TerminationPoint),
    with("originator", Column::OriginatingLeg),
    with("originating_leg_uuid", Column::OriginatingLeg),
    known("direction"),
    known("caller_id_name"),
    known("caller_id"),
    known("context"),
    known("bleg_uuid"),
    known("read_codec"),
    known("write_codec"),
    known("sip_user_agent"),
    known("call_clientcode"),
    known("sip_rtp_rxstat"),
    known("sip_rtp_txstat"),
    known("sip_p_rtp_stat"),
    known("sofia_record_file"),
    known("last_app"),
    known("last_arg"),
    known("amaflags"),
    known("userfield"),
    known("signal_bond"),
    known("hangup_cause_q850"),
    known("local_ip_v4"),
    known("id"),
];

/// Names that headers use, where the format is not known.
const SYNONYMS: &[Named] = &[
    with("call_id", Column::CallId),
    with("callid", Column::CallId),
    with("uniqueid", Column::CallId),
    with("unique_id", Column::CallId),
    with("uuid", Column::CallId),
    with("sip_call_id", Column::CallId),
    with("linkedid", Column::LinkedId),
    with("sequence", Column::Sequence),
    with("start_time", Column::StartTime),
    with("start", Column::StartTime),
    with("starttime", Column::StartTime),
    with("start_date", Column::StartTime),
    with("starting_date", Column::StartTime),
    with("calldate", Column::StartTime),
    with("call_date", Column::StartTime),
    with("call_start_time", Column::StartTime),
    with("start_stamp", Column::StartTime),
    with("time_start", Column::StartTime),
    with("setup_time", Column::StartTime),
    with("answer_time", Column::AnswerTime),
    with("answer", Column::AnswerTime),
    with("answer_stamp", Column::AnswerTime),
    with("connect_time", Column::AnswerTime),
    with("end_time", Column::EndTime),
    with("end", Column::EndTime),
    with("end_stamp", Column::EndTime),
    with("stop_time", Column::EndTime),
    with("disconnect_time", Column::EndTime),
    with("duration", Column::Duration),
    with("billsec", Column::Billsec),
    with("bill_sec", Column::Billsec),
    with("billable_seconds", Column::Billsec),
    with("talk_time", Column::Billsec),
    with("disposition", Column::Disposition),
    with("status", Column::Disposition),
    with("hangup_cause", Column::HangupCause),
    with("hangupcause", Column::HangupCause),
    with("cause", Column::HangupCause),
    with("disconnect_cause", Column::HangupCause),
    with("sip_code", Column::SipCode),
    with("source", Column::Source),
    with("src", Column::Source),
    with("caller", Column::Source),
    with("from", Column::Source),
    with("cli", Column::Source),
    with("calling_number", Column::Source),
    with("caller_id_number", Column::Source),
    with("callerid", Column::Source),
    with("a_number", Column::Source),
    with("src_username", Column::Source),
    with("destination", Column::Destination),
    with("dst", Column::Destination),
    with("callee", Column::Destination),
    with("to", Column::Destination),
    with("cld", Column::Destination),
    with("called_number", Column::Destination),
    with("destination_number", Column::Destination),
    with("dialed_number", Column::Destination),
    with("b_number", Column::Destination),
    with("dst_username", Column::Destination),
    with("originator", Column::Originator),
    with("accountcode", Column::Originator),
    with("account_code", Column::Originator),
    with("account", Column::Originator),
    with("customer", Column::Originator),
    with("user", Column::Originator),
    with("terminator", Column::Terminator),
    with("vendor", Column::Terminator),
    with("supplier", Column::Terminator),
    with("carrier", Column::Terminator),
    with("provider", Column::Terminator),
    with("channel", Column::Channel),
    with("dstchannel", Column::DstChannel),
    with("origination_point_id", Column::OriginationPointId),
    with("termination_point_id", Column::TerminationPointId),
    with("origination_point", Column::OriginationPoint),
    with("termination_point", Column::TerminationPoint),
    with("src_ip", Column::OriginationPoint),
    with("dst_ip", Column::TerminationPoint),
];

/// A name of a header as the tables above have it.
pub(crate) fn plain(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}').trim();
    name.to_lowercase().replace([' ', '-'], "_")
}
