//! Group "devices", reading: `devices_get`, `device_details_get`. A device is what M4 calls
//! a connection point everywhere else.

use futures_util::TryStreamExt;
use serde::Serialize;
use tollbook_proto::legacy;
use tollbook_proto::v1::{
    ConnectionPoint, ErrorReason, GetConnectionPointRequest, ListConnectionPointsRequest,
    OriginationPoint, PointCallerId, RoutingAlgorithm, TerminationPoint,
};

use crate::{
    call::Call,
    error::{Failure, Wrap},
    listing,
    method::{Input, Method, id, required},
    methods::devices::{LISTED_USER, USER_NOT_FOUND, listed_user},
    number,
    xml::Answer,
};

/// What a side of a new point has in M4, whether or not it acts as one.
const DEFAULT_CAPACITY: i32 = 500;
/// The ringing timeout of a new point in M4, in seconds.
pub(super) const DEFAULT_RINGING: i32 = 60;
/// The pattern of calling numbers of a new origination point in M4: any.
const DEFAULT_PATTERN: &str = ".*";
/// The port of a point that has none set.
const SIP_PORT: i32 = 5060;

/// The origination side of a new point, whether or not it acts as one.
pub(super) fn new_origination(acts: bool) -> OriginationPoint {
    OriginationPoint {
        disabled: !acts,
        active: acts,
        capacity: DEFAULT_CAPACITY,
        source_pattern: DEFAULT_PATTERN.to_owned(),
        ..Default::default()
    }
}

/// The termination side of a new point, whether or not it acts as one.
pub(super) fn new_termination(acts: bool) -> TerminationPoint {
    TerminationPoint {
        disabled: !acts,
        active: acts,
        capacity: DEFAULT_CAPACITY,
        ..Default::default()
    }
}

pub(super) const DEVICES_GET: Method = Method {
    declaration: &legacy::m4::DEVICES_GET,
    group: "Devices",
    summary: "Lists a user's devices: his connection points",
    params: &[LISTED_USER.param],
    wrap: Wrap::Page,
    errors: &[(ErrorReason::UserNotFound, USER_NOT_FOUND)],
    handle: |call| Box::pin(devices_get(call)),
};

#[derive(Serialize)]
struct DevicesPage {
    devices: Devices,
}

#[derive(Serialize)]
struct Devices {
    device: Vec<ListedDevice>,
}

#[derive(Serialize)]
struct ListedDevice {
    device_id: i64,
    device_type: &'static str,
    ipaddr: String,
    port: i32,
}

async fn devices_get(call: Call) -> Result<Answer, Failure> {
    let user_id = listed_user(&call)?;
    let request = ListConnectionPointsRequest {
        user_id: Some(user_id),
        page_size: 1000,
        page_token: String::new(),
    };
    let first = call.connection_points().list_connection_points(request.clone()).await?;
    let first = first.into_inner();
    let rest = listing::following(first.next_page_token, move |page_token| {
        let request = ListConnectionPointsRequest { page_token, ..request.clone() };
        let mut core = call.connection_points();
        async move {
            let page = core.list_connection_points(request).await?.into_inner();
            Ok((page.connection_points, page.next_page_token))
        }
    });
    let first = devices_page(first.connection_points);
    Ok(Answer::listing("page", "devices", &first, rest.map_ok(devices_page)).into_file())
}

fn devices_page(points: Vec<ConnectionPoint>) -> DevicesPage {
    let device = points.into_iter().map(|point| ListedDevice {
        device_id: point.id(),
        device_type: DEVICE_TYPE,
        port: port(&point),
        ipaddr: point.address,
    });
    DevicesPage { devices: Devices { device: device.collect() } }
}

/// M4 knows one type.
const DEVICE_TYPE: &str = "SIP";

fn port(point: &ConnectionPoint) -> i32 {
    if point.port == 0 { SIP_PORT } else { point.port }
}

const DEVICE_ID: Input<Option<i64>> =
    id(required("device_id", "which device: the id of a connection point"));

pub(super) const DEVICE_DETAILS_GET: Method = Method {
    declaration: &legacy::m4::DEVICE_DETAILS_GET,
    group: "Devices",
    summary: "All fields of a device",
    params: &[DEVICE_ID.param],
    wrap: Wrap::PageStatus,
    errors: &[(ErrorReason::ConnectionPointNotFound, DEVICE_NOT_FOUND)],
    handle: |call| Box::pin(device_details_get(call)),
};

const DEVICE_NOT_FOUND: &str = "Device was not found";

#[derive(Serialize)]
struct DetailsPage {
    status: DetailsStatus,
}

#[derive(Serialize)]
struct DetailsStatus {
    devices: DetailsDevices,
}

#[derive(Serialize)]
struct DetailsDevices {
    device: Device,
}

/// The columns of a device. Those that mean nothing here have the value of the documented
/// example, which is that of a device for which nobody set them.
#[derive(Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are the original's")]
struct Device {
    id: i64,
    name: i64,
    host: String,
    /// Tollbook registers no devices, and has no passwords of theirs.
    secret: &'static str,
    ipaddr: String,
    port: i32,
    accountcode: i64,
    callerid: String,
    username: &'static str,
    device_type: &'static str,
    user_id: i64,
    insecure: &'static str,
    description: String,
    timeout: i32,
    allow_duplicate_calls: i32,
    call_limit: i32,
    grace_time: i32,
    server_id: i32,
    change_failed_code_to: i32,
    max_timeout: i32,
    cps_call_limit: i32,
    cps_period: i32,
    callerid_number_pool_id: i64,
    op: &'static str,
    op_active: &'static str,
    op_tech_prefix: String,
    op_routing_algorithm: &'static str,
    op_routing_group_id: i64,
    op_tariff_id: i64,
    op_capacity: i32,
    op_src_regexp: String,
    op_src_deny_regexp: String,
    tp: &'static str,
    tp_active: &'static str,
    tp_tech_prefix: String,
    tp_tariff_id: i64,
    tp_capacity: i32,
    tp_src_regexp: String,
    tp_src_deny_regexp: String,
}

async fn device_details_get(call: Call) -> Result<Answer, Failure> {
    let not_found = || Failure::Parameters(Wrap::PageStatus.error(DEVICE_NOT_FOUND));
    let id = call.read(&DEVICE_ID)?.ok_or_else(not_found)?;
    let request = GetConnectionPointRequest { id: Some(id) };
    let point = call.connection_points().get_connection_point(request).await?.into_inner();
    let device = details(point.connection_point.unwrap_or_default());
    let status = DetailsStatus { devices: DetailsDevices { device } };
    Ok(Answer::xml("page", &DetailsPage { status }))
}

fn details(point: ConnectionPoint) -> Device {
    let (id, user_id) = (point.id(), point.user_id());
    let timeouts = point.timeouts.unwrap_or_default();
    let caller_id = point.caller_id.clone().unwrap_or_default();
    let port = port(&point);
    let op = point.origination.unwrap_or_else(|| new_origination(false));
    let tp = point.termination.unwrap_or_else(|| new_termination(false));
    Device {
        id,
        name: id,
        host: point.address.clone(),
        secret: "",
        ipaddr: point.address,
        port,
        accountcode: id,
        callerid: callerid(&caller_id),
        username: "",
        device_type: DEVICE_TYPE,
        user_id,
        insecure: if point.any_port { "port" } else { "no" },
        description: point.description,
        timeout: timeouts.ringing,
        allow_duplicate_calls: 0,
        call_limit: 0,
        grace_time: point.grace_time,
        server_id: 1,
        change_failed_code_to: 0,
        max_timeout: timeouts.call,
        cps_call_limit: 0,
        cps_period: 0,
        callerid_number_pool_id: caller_id.number_pool_id,
        op: number::switch(!op.disabled),
        op_active: number::switch(op.active),
        op_routing_algorithm: routing_algorithm(op.routing_algorithm()),
        op_tech_prefix: op.tech_prefix,
        op_routing_group_id: op.routing_group_id,
        op_tariff_id: op.tariff_id,
        op_capacity: op.capacity,
        op_src_regexp: op.source_pattern,
        op_src_deny_regexp: op.source_deny_pattern,
        tp: number::switch(!tp.disabled),
        tp_active: number::switch(tp.active),
        tp_tech_prefix: tp.tech_prefix,
        tp_tariff_id: tp.tariff_id,
        tp_capacity: tp.capacity,
        tp_src_regexp: tp.source_pattern,
        tp_src_deny_regexp: tp.source_deny_pattern,
    }
}

/// `"NAME" <NUMBER>`, as Asterisk writes it; empty where neither is set.
fn callerid(caller_id: &PointCallerId) -> String {
    match (caller_id.name.as_str(), caller_id.number.as_str()) {
        ("", "") => String::new(),
        (name, number) => format!("\"{name}\" <{number}>"),
    }
}

/// The routing algorithms by their names in M4.
pub(super) const ROUTING_ALGORITHMS: [(&str, RoutingAlgorithm); 5] = [
    ("lcr", RoutingAlgorithm::Lcr),
    ("weight", RoutingAlgorithm::Weight),
    ("percent", RoutingAlgorithm::Percent),
    ("by_dialpeer", RoutingAlgorithm::ByDialPeer),
    ("quality", RoutingAlgorithm::Quality),
];

/// The name of an algorithm; where none was chosen it is the first.
fn routing_algorithm(algorithm: RoutingAlgorithm) -> &'static str {
    let known = ROUTING_ALGORITHMS.iter().find(|(_, known)| *known == algorithm);
    known.unwrap_or(&ROUTING_ALGORITHMS[0]).0
}
