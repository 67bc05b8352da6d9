//! Group "devices": `device_update`.
//!
//! Only what was sent changes ([`Mask`]); what has no meaning here is kept as it came
//! (`Device.legacy_columns`).

use tollbook_proto::{
    legacy::mor,
    v1::{Device, ErrorReason, GetDeviceRequest, UpdateDeviceRequest},
};

use super::devices::DEVICE_NOT_FOUND;
use crate::{
    call::Call,
    error::{Failure, Wrap},
    mask::Mask,
    method::{Input, Method, id, optional, required},
    request::Params,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
/// The shortest time for which a device may ring, in seconds.
const SHORTEST_RINGING: i32 = 10;

const DEVICE: Input<Option<i64>> = id(required("device", "which device: its id"));

pub(super) const DEVICE_UPDATE: Method = Method {
    declaration: &mor::DEVICE_UPDATE,
    group: "Devices",
    summary: "Changes a device: what is sent",
    params: &[
        DEVICE.param,
        optional("authentication", "0: by user name and password; 1: by IP address, with host"),
        optional("username", "user name; not with authentication=1"),
        optional("host", "IP address, a subnet or a range; not with authentication=0"),
        optional("port", "port; not with authentication=0"),
        optional("hostname", "a host name, which no device is known by"),
        optional("new_location_id", "a location, of which there are none"),
        optional("callerid_number", "the number that its calls show"),
        optional("callerid_name", "the name that its calls show"),
        optional("allow_empty_callerid", "1: they are emptied where they are sent empty"),
        optional("trunk", "0: no; 1: a trunk, kept only; 2: a trunk of callers with CLIs"),
        optional("fax_email_add", "an address for faxes, which are not received"),
        optional("fax_email_delete", "an address for faxes, which are not received"),
        optional("call_limit", "calls at once; 0: without limit"),
        optional("inbound_call_limit", "calls to it at once, kept only"),
        optional("total_call_limit", "calls in both directions at once, kept only"),
        optional("fromuser", "kept only"),
        optional("password", "password, at least 8 characters; not with authentication=1"),
        optional("call_timeout", "longest call in seconds; 0: without limit"),
        optional("extension", "extension: a-z, 0-9, # and *; kept only"),
        optional("pin", "digits; empty: none"),
        optional("hidden", "1: it makes no calls and is hidden; 0: it is shown again"),
        optional("language", "kept only"),
        optional("comment", "kept only"),
        optional("encryption", "1 or 0, kept only"),
        optional("transport", "udp, tcp, udp,tcp, tcp,udp or tls; kept only"),
        optional("device_balance_enabled", "a balance of the device, which none has; 0"),
        optional("balance", "a balance of the device, which none has"),
        optional("ringing_timeout", "longest ringing in seconds, at least 10"),
        optional("callerid_control_by_dids", "caller IDs by DIDs, of which there are none; 0"),
        optional("voicemail_email", "an address for voicemail, which there is none of"),
        optional("description", "free text"),
        optional("progressinband", "No, Yes or Never; kept only"),
        optional("emergency_callerid", "kept only"),
        optional(
            "emergency_callerid_pool_id",
            "a number pool of emergency caller IDs, without effect",
        ),
        optional("sendrpid", "yes or no, kept only"),
        optional("t38_support", "no, yes, fec, redundancy or none; kept only"),
        optional("copy_legA_name_to_LegB_number", "1 or 0, kept only"),
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::PermissionMissing, "Access Denied"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
        (ErrorReason::PinTaken, "Pin_is_already_used"),
        (ErrorReason::DeviceUsernameTaken, "Username is already used"),
    ],
    handle: |call| Box::pin(device_update(call)),
};

/// Parameters with the columns that keep them, and the values that they may have; none: any.
const KEPT: [(&str, &str, &[&str]); 12] = [
    ("inbound_call_limit", "inbound_call_limit", &[]),
    ("total_call_limit", "total_call_limit", &[]),
    ("fromuser", "fromuser", &[]),
    ("extension", "extension", &[]),
    ("language", "language", &[]),
    ("comment", "comment", &[]),
    ("encryption", "encryption", &["0", "1"]),
    ("transport", "transport", &["udp", "tcp", "udp,tcp", "tcp,udp", "tls"]),
    ("emergency_callerid", "emergency_callerid", &[]),
    ("sendrpid", "sendrpid", &["yes", "no"]),
    ("t38_support", "t38pt_udptl", &["no", "yes", "fec", "redundancy", "none"]),
    ("progressinband", "progressinband", &["No", "Yes", "Never"]),
];
/// As the page has it with a Cyrillic letter, and as whoever types it has it.
const COPIED_NAME: [&str; 2] =
    ["\u{441}opy_legA_name_to_LegB_number", "copy_legA_name_to_LegB_number"];

/// What nothing here would carry out, with the value that asks for nothing.
const REFUSED: [(&str, &str); 8] = [
    ("hostname", ""),
    ("fax_email_add", ""),
    ("fax_email_delete", ""),
    ("device_balance_enabled", "0"),
    ("balance", ""),
    ("callerid_control_by_dids", "0"),
    ("voicemail_email", ""),
    ("emergency_callerid_pool_id", "0"),
];

async fn device_update(call: Call) -> Result<Answer, Failure> {
    let Some(id) = call.read(&DEVICE)? else {
        return Err(Failure::Parameters(WRAP.error(DEVICE_NOT_FOUND)));
    };
    let params = &call.params;
    if params.filled("new_location_id").is_some() {
        return Err(Failure::Parameters(WRAP.error("Location was not found")));
    }
    let request = read(id, params).map_err(|problem| Failure::Parameters(WRAP.error(&problem)))?;
    match request {
        Some(request) => drop(call.devices().update_device(request).await?),
        None => {
            let request = GetDeviceRequest { id: Some(id), ..Default::default() };
            call.devices().get_device(request).await?;
        }
    }
    Ok(Answer::success("Device successfully updated"))
}

/// The changes that the parameters ask for; `None` if they ask for none.
fn read(id: i64, params: &Params) -> Result<Option<UpdateDeviceRequest>, String> {
    let invalid = |name: &str| Err(format!("{name} is not valid"));
    for (name, nothing) in REFUSED {
        if params.filled(name).is_some_and(|value| value != nothing) {
            return invalid(name);
        }
    }
    let mut device = Device { id: Some(id), ..Default::default() };
    let mut mask = Mask::new(params);
    known_by(&mut device, &mut mask, params)?;
    for (name, path, field) in [
        ("callerid_number", "caller_number", &mut device.caller_number),
        ("callerid_name", "caller_name", &mut device.caller_name),
    ] {
        if params.filled(name).is_some() || params.get("allow_empty_callerid") == Some("1") {
            mask.text(name, path, field);
        }
    }
    mask.text("description", "description", &mut device.description);
    for (name, path, field, least) in [
        ("call_limit", "call_limit", &mut device.call_limit, 0),
        ("call_timeout", "call_timeout_seconds", &mut device.call_timeout_seconds, 0),
        (
            "ringing_timeout",
            "ringing_timeout_seconds",
            &mut device.ringing_timeout_seconds,
            SHORTEST_RINGING,
        ),
    ] {
        let mut number = least;
        mask.number(name, path, &mut number)?;
        if number < least {
            return invalid(name);
        }
        *field = Some(number);
    }
    if let Some(pin) = params.get("pin") {
        if pin.bytes().any(|byte| !byte.is_ascii_digit()) {
            return Err("Pin_must_be_numeric".to_owned());
        }
        device.pin = Some(pin.to_owned());
        mask.add("pin");
    }
    mask.switch("hidden", "blocked", "0", &mut device.blocked)?;
    trunk(&mut device, &mut mask, params)?;
    kept(&mut device, &mut mask, params)?;
    let update_mask = Some(mask.into_proto()).filter(|mask| !mask.paths.is_empty());
    Ok(update_mask.is_some().then(|| UpdateDeviceRequest { device: Some(device), update_mask }))
}

/// By what its calls are known: by credentials, or by an address.
fn known_by(device: &mut Device, mask: &mut Mask<'_>, params: &Params) -> Result<(), String> {
    let of_other_kind: &[&str] = match params.filled("authentication") {
        None => &[],
        Some("0") => &["host", "port"],
        Some("1") if params.filled("host").is_none() => {
            return Err("host is not valid".to_owned());
        }
        Some("1") => &["username", "password"],
        Some(_) => return Err("authentication is not valid".to_owned()),
    };
    if let Some(name) = of_other_kind.iter().find(|name| params.filled(name).is_some()) {
        return Err(format!("{name} is not valid"));
    }
    if params.filled("authentication") == Some("0") {
        mask.add("address");
        mask.add("port");
    }
    for (name, path, field) in [
        ("username", "username", &mut device.username),
        ("password", "password", &mut device.password),
        ("host", "address", &mut device.address),
    ] {
        if params.filled(name).is_some() {
            mask.text(name, path, field);
        }
    }
    mask.number("port", "port", &mut device.port)
}

/// Whether it is a trunk, and of other callers.
fn trunk(device: &mut Device, mask: &mut Mask<'_>, params: &Params) -> Result<(), String> {
    let (is_trunk, of_callers) = match params.filled("trunk") {
        None => return Ok(()),
        Some("0") => ("0", false),
        Some("1") => ("1", false),
        Some("2") => ("1", true),
        Some(_) => return Err("trunk is not valid".to_owned()),
    };
    keep(device, mask, "istrunk", is_trunk.to_owned());
    device.callers_by_cli = of_callers;
    mask.add("callers_by_cli");
    Ok(())
}

/// What is kept as it came.
fn kept(device: &mut Device, mask: &mut Mask<'_>, params: &Params) -> Result<(), String> {
    for (name, column, values) in KEPT {
        let Some(value) = params.get(name) else { continue };
        let is_number = name.ends_with("_call_limit");
        let is_extension = name == "extension";
        let fits = match value {
            "" => true,
            value if is_number => value.bytes().all(|byte| byte.is_ascii_digit()),
            value if is_extension => value.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"#*".contains(&byte)
            }),
            value => values.is_empty() || values.contains(&value),
        };
        if !fits {
            return Err(format!("{name} is not valid"));
        }
        let value = if name == "progressinband" { value.to_lowercase() } else { value.to_owned() };
        keep(device, mask, column, value);
    }
    let copied = COPIED_NAME.iter().find_map(|name| params.filled(name));
    match copied {
        None => {}
        Some(value @ ("0" | "1")) => {
            keep(device, mask, "copy_name_to_number", value.to_owned());
        }
        Some(_) => return Err("copy_legA_name_to_LegB_number is not valid".to_owned()),
    }
    Ok(())
}

fn keep(device: &mut Device, mask: &mut Mask<'_>, column: &str, value: String) {
    device.legacy_columns.insert(column.to_owned(), value);
    mask.add(&format!("legacy_columns.{column}"));
}
