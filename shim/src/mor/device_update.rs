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
    method::{Input, Method, Param, id, optional, required},
    values::Values,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
/// The shortest time for which a device may ring, in seconds.
const SHORTEST_RINGING: i32 = 10;

const DEVICE: Input<Option<i64>> = id(required("device", "which device: its id"));

const AUTHENTICATION: Param =
    optional("authentication", "0: by user name and password; 1: by IP address, with host");
const USERNAME: Param = optional("username", "user name; not with authentication=1");
const HOST: Param = optional("host", "IP address, a subnet or a range; not with authentication=0");
const PORT: Param = optional("port", "port; not with authentication=0");
const HOSTNAME: Param = optional("hostname", "a host name, which no device is known by");
const NEW_LOCATION_ID: Param = optional("new_location_id", "a location, of which there are none");
const CALLERID_NUMBER: Param = optional("callerid_number", "the number that its calls show");
const CALLERID_NAME: Param = optional("callerid_name", "the name that its calls show");
const ALLOW_EMPTY_CALLERID: Param =
    optional("allow_empty_callerid", "1: they are emptied where they are sent empty");
const TRUNK: Param =
    optional("trunk", "0: no; 1: a trunk, kept only; 2: a trunk of callers with CLIs");
const FAX_EMAIL_ADD: Param =
    optional("fax_email_add", "an address for faxes, which are not received");
const FAX_EMAIL_DELETE: Param =
    optional("fax_email_delete", "an address for faxes, which are not received");
const CALL_LIMIT: Param = optional("call_limit", "calls at once; 0: without limit");
const INBOUND_CALL_LIMIT: Param = optional("inbound_call_limit", "calls to it at once, kept only");
const TOTAL_CALL_LIMIT: Param =
    optional("total_call_limit", "calls in both directions at once, kept only");
const FROMUSER: Param = optional("fromuser", "kept only");
const PASSWORD: Param =
    optional("password", "password, at least 8 characters; not with authentication=1");
const CALL_TIMEOUT: Param = optional("call_timeout", "longest call in seconds; 0: without limit");
const EXTENSION: Param = optional("extension", "extension: a-z, 0-9, # and *; kept only");
const PIN: Param = optional("pin", "digits; empty: none");
const HIDDEN: Param =
    optional("hidden", "1: it makes no calls and is hidden; 0: it is shown again");
const LANGUAGE: Param = optional("language", "kept only");
const COMMENT: Param = optional("comment", "kept only");
const ENCRYPTION: Param = optional("encryption", "1 or 0, kept only");
const TRANSPORT: Param = optional("transport", "udp, tcp, udp,tcp, tcp,udp or tls; kept only");
const DEVICE_BALANCE_ENABLED: Param =
    optional("device_balance_enabled", "a balance of the device, which none has; 0");
const BALANCE: Param = optional("balance", "a balance of the device, which none has");
const RINGING_TIMEOUT: Param =
    optional("ringing_timeout", "longest ringing in seconds, at least 10");
const CALLERID_CONTROL_BY_DIDS: Param =
    optional("callerid_control_by_dids", "caller IDs by DIDs, of which there are none; 0");
const VOICEMAIL_EMAIL: Param =
    optional("voicemail_email", "an address for voicemail, which there is none of");
const DESCRIPTION: Param = optional("description", "free text");
const PROGRESSINBAND: Param = optional("progressinband", "No, Yes or Never; kept only");
const EMERGENCY_CALLERID: Param = optional("emergency_callerid", "kept only");
const EMERGENCY_CALLERID_POOL_ID: Param =
    optional("emergency_callerid_pool_id", "a number pool of emergency caller IDs, without effect");
const SENDRPID: Param = optional("sendrpid", "yes or no, kept only");
const T38_SUPPORT: Param = optional("t38_support", "no, yes, fec, redundancy or none; kept only");
const COPIED_NAME: Param = optional("copy_legA_name_to_LegB_number", "1 or 0, kept only");
/// As the page has it, with a Cyrillic letter.
const COPIED_NAME_AS_WRITTEN: Param = optional("\u{441}opy_legA_name_to_LegB_number", "the same");

pub(super) const DEVICE_UPDATE: Method = Method {
    declaration: &mor::DEVICE_UPDATE,
    group: "Devices",
    summary: "Changes a device: what is sent",
    params: &[
        DEVICE.param,
        AUTHENTICATION,
        USERNAME,
        HOST,
        PORT,
        HOSTNAME,
        NEW_LOCATION_ID,
        CALLERID_NUMBER,
        CALLERID_NAME,
        ALLOW_EMPTY_CALLERID,
        TRUNK,
        FAX_EMAIL_ADD,
        FAX_EMAIL_DELETE,
        CALL_LIMIT,
        INBOUND_CALL_LIMIT,
        TOTAL_CALL_LIMIT,
        FROMUSER,
        PASSWORD,
        CALL_TIMEOUT,
        EXTENSION,
        PIN,
        HIDDEN,
        LANGUAGE,
        COMMENT,
        ENCRYPTION,
        TRANSPORT,
        DEVICE_BALANCE_ENABLED,
        BALANCE,
        RINGING_TIMEOUT,
        CALLERID_CONTROL_BY_DIDS,
        VOICEMAIL_EMAIL,
        DESCRIPTION,
        PROGRESSINBAND,
        EMERGENCY_CALLERID,
        EMERGENCY_CALLERID_POOL_ID,
        SENDRPID,
        T38_SUPPORT,
        COPIED_NAME,
        COPIED_NAME_AS_WRITTEN,
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
const KEPT: [(Param, &str, &[&str]); 12] = [
    (INBOUND_CALL_LIMIT, "inbound_call_limit", &[]),
    (TOTAL_CALL_LIMIT, "total_call_limit", &[]),
    (FROMUSER, "fromuser", &[]),
    (EXTENSION, "extension", &[]),
    (LANGUAGE, "language", &[]),
    (COMMENT, "comment", &[]),
    (ENCRYPTION, "encryption", &["0", "1"]),
    (TRANSPORT, "transport", &["udp", "tcp", "udp,tcp", "tcp,udp", "tls"]),
    (EMERGENCY_CALLERID, "emergency_callerid", &[]),
    (SENDRPID, "sendrpid", &["yes", "no"]),
    (T38_SUPPORT, "t38pt_udptl", &["no", "yes", "fec", "redundancy", "none"]),
    (PROGRESSINBAND, "progressinband", &["No", "Yes", "Never"]),
];

/// What nothing here would carry out, with the value that asks for nothing.
const REFUSED: [(Param, &str); 8] = [
    (HOSTNAME, ""),
    (FAX_EMAIL_ADD, ""),
    (FAX_EMAIL_DELETE, ""),
    (DEVICE_BALANCE_ENABLED, "0"),
    (BALANCE, ""),
    (CALLERID_CONTROL_BY_DIDS, "0"),
    (VOICEMAIL_EMAIL, ""),
    (EMERGENCY_CALLERID_POOL_ID, "0"),
];

async fn device_update(call: Call) -> Result<Answer, Failure> {
    let Some(id) = call.read(&DEVICE)? else {
        return Err(Failure::Parameters(WRAP.error(DEVICE_NOT_FOUND)));
    };
    let params = &call.params;
    if params.filled(NEW_LOCATION_ID).is_some() {
        return Err(Failure::Parameters(WRAP.error("Location was not found")));
    }
    let request = read(id, params).map_err(|problem| Failure::Parameters(WRAP.error(&problem)))?;
    if let Some(request) = request {
        call.devices().update_device(request).await?;
    } else {
        let request = GetDeviceRequest { id: Some(id), ..Default::default() };
        call.devices().get_device(request).await?;
    }
    Ok(Answer::success("Device successfully updated"))
}

/// The changes that the parameters ask for; `None` if they ask for none.
fn read(id: i64, params: &Values) -> Result<Option<UpdateDeviceRequest>, String> {
    let invalid = |param: Param| Err(format!("{} is not valid", param.name));
    for (param, nothing) in REFUSED {
        if params.filled(param).is_some_and(|value| value != nothing) {
            return invalid(param);
        }
    }
    let mut device = Device { id: Some(id), ..Default::default() };
    let mut mask = Mask::new(params);
    known_by(&mut device, &mut mask, params)?;
    for (param, path, field) in [
        (CALLERID_NUMBER, "caller_number", &mut device.caller_number),
        (CALLERID_NAME, "caller_name", &mut device.caller_name),
    ] {
        if params.filled(param).is_some() || params.get(ALLOW_EMPTY_CALLERID) == Some("1") {
            mask.text(param, path, field);
        }
    }
    mask.text(DESCRIPTION, "description", &mut device.description);
    for (param, path, field, least) in [
        (CALL_LIMIT, "call_limit", &mut device.call_limit, 0),
        (CALL_TIMEOUT, "call_timeout_seconds", &mut device.call_timeout_seconds, 0),
        (
            RINGING_TIMEOUT,
            "ringing_timeout_seconds",
            &mut device.ringing_timeout_seconds,
            SHORTEST_RINGING,
        ),
    ] {
        let mut number = least;
        mask.number(param, path, &mut number)?;
        if number < least {
            return invalid(param);
        }
        *field = Some(number);
    }
    if let Some(pin) = params.get(PIN) {
        if pin.bytes().any(|byte| !byte.is_ascii_digit()) {
            return Err("Pin_must_be_numeric".to_owned());
        }
        device.pin = Some(pin.to_owned());
        mask.add("pin");
    }
    mask.switch(HIDDEN, "blocked", "0", &mut device.blocked)?;
    trunk(&mut device, &mut mask, params)?;
    kept(&mut device, &mut mask, params)?;
    let update_mask = Some(mask.into_proto()).filter(|mask| !mask.paths.is_empty());
    Ok(update_mask.is_some().then_some(UpdateDeviceRequest { device: Some(device), update_mask }))
}

/// By what its calls are known: by credentials, or by an address.
fn known_by(device: &mut Device, mask: &mut Mask<'_>, params: &Values) -> Result<(), String> {
    let of_other_kind: &[Param] = match params.filled(AUTHENTICATION) {
        None => &[],
        Some("0") => &[HOST, PORT],
        Some("1") if params.filled(HOST).is_none() => {
            return Err("host is not valid".to_owned());
        }
        Some("1") => &[USERNAME, PASSWORD],
        Some(_) => return Err("authentication is not valid".to_owned()),
    };
    if let Some(param) = of_other_kind.iter().find(|param| params.filled(**param).is_some()) {
        return Err(format!("{} is not valid", param.name));
    }
    if params.filled(AUTHENTICATION) == Some("0") {
        mask.add("address");
        mask.add("port");
    }
    for (param, path, field) in [
        (USERNAME, "username", &mut device.username),
        (PASSWORD, "password", &mut device.password),
        (HOST, "address", &mut device.address),
    ] {
        if params.filled(param).is_some() {
            mask.text(param, path, field);
        }
    }
    mask.number(PORT, "port", &mut device.port)
}

/// Whether it is a trunk, and of other callers.
fn trunk(device: &mut Device, mask: &mut Mask<'_>, params: &Values) -> Result<(), String> {
    let (is_trunk, of_callers) = match params.filled(TRUNK) {
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
fn kept(device: &mut Device, mask: &mut Mask<'_>, params: &Values) -> Result<(), String> {
    for (param, column, values) in KEPT {
        let name = param.name;
        let Some(value) = params.get(param) else { continue };
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
    let copied = params.filled(COPIED_NAME).or_else(|| params.filled(COPIED_NAME_AS_WRITTEN));
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
