//! Group "devices": `devices_get`, `device_details_get`, `device_create`, `device_delete`.

use futures_util::TryStreamExt;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tollbook_proto::{
    legacy::mor,
    v1::{
        CreateDeviceRequest, DeleteDeviceRequest, Device, DeviceNat, DeviceReinvite, DeviceType,
        ErrorReason, GetDeviceRequest, ListDevicesRequest,
    },
};

use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    listing,
    method::{Input, Method, Param, id, optional, required, text},
    methods::devices::{LISTED_USER, USER_NOT_FOUND, listed_user},
    number,
    xml::Answer,
};

/// The types of devices by their names in MOR.
pub(super) const TYPES: [(&str, DeviceType); 7] = [
    ("SIP", DeviceType::Sip),
    ("IAX2", DeviceType::Iax2),
    ("FAX", DeviceType::Fax),
    ("Virtual", DeviceType::Virtual),
    ("H323", DeviceType::H323),
    ("ZAP", DeviceType::Zap),
    ("Skype", DeviceType::Skype),
];

/// How devices are behind a NAT, likewise.
pub(super) const NATS: [(&str, DeviceNat); 4] = [
    ("yes", DeviceNat::Yes),
    ("no", DeviceNat::No),
    ("force_rport", DeviceNat::ForceRport),
    ("comedia", DeviceNat::Comedia),
];

/// Whether media may go around the switch, likewise.
pub(super) const REINVITES: [(&str, DeviceReinvite); 5] = [
    ("no", DeviceReinvite::No),
    ("yes", DeviceReinvite::Yes),
    ("nonat", DeviceReinvite::NoNat),
    ("update", DeviceReinvite::Update),
    ("update,nonat", DeviceReinvite::UpdateNoNat),
];

/// The name of one of some values; of what is not said the first.
pub(super) fn name<T: PartialEq + Copy>(names: &[(&'static str, T)], value: T) -> &'static str {
    let known = names.iter().find(|(_, known)| *known == value);
    known.or(names.first()).map_or("", |(name, _)| name)
}

const SHOW_HIDDEN: Input<String> =
    text(optional("show_hidden_devices", "0: without those that are blocked"));

pub(super) const DEVICES_GET: Method = Method {
    declaration: &mor::DEVICES_GET,
    group: "Devices",
    summary: "Lists a user's devices, with their passwords",
    params: &[LISTED_USER.param, SHOW_HIDDEN.param],
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
    /// There are no groups of devices.
    devicegroup_id: &'static str,
    primary_device: &'static str,
    username: String,
    secret: String,
    ipaddr: String,
    port: i32,
    callerid: String,
}

async fn devices_get(call: Call) -> Result<Answer, Failure> {
    let user_id = listed_user(&call)?;
    let request = ListDevicesRequest {
        user_id: Some(user_id),
        with_credentials: true,
        without_blocked: call.read(&SHOW_HIDDEN)? == "0",
        page_size: 1000,
        page_token: String::new(),
    };
    let first = call.devices().list_devices(request.clone()).await?.into_inner();
    let rest = listing::following(first.next_page_token, move |page_token| {
        let request = ListDevicesRequest { page_token, ..request.clone() };
        let mut core = call.devices();
        async move {
            let page = core.list_devices(request).await?.into_inner();
            Ok((page.devices, page.next_page_token))
        }
    });
    let first = devices_page(first.devices);
    Ok(Answer::listing("page", "devices", &first, rest.map_ok(devices_page)).into_file())
}

fn devices_page(devices: Vec<Device>) -> DevicesPage {
    let device = devices.into_iter().map(|device| ListedDevice {
        device_id: device.id(),
        device_type: name(&TYPES, device.r#type()),
        devicegroup_id: "",
        primary_device: if device.primary { "yes" } else { "no" },
        port: port(&device),
        callerid: callerid(&device),
        username: device.username,
        secret: device.password,
        ipaddr: device.address,
    });
    DevicesPage { devices: Devices { device: device.collect() } }
}

fn port(device: &Device) -> i32 {
    if device.port == 0 { 5060 } else { device.port }
}

/// `"NAME" <NUMBER>`, as Asterisk writes it; empty where neither is set.
fn callerid(device: &Device) -> String {
    match (device.caller_name.as_str(), device.caller_number.as_str()) {
        ("", "") => String::new(),
        ("", number) => number.to_owned(),
        (name, number) => format!("\"{name}\" <{number}>"),
    }
}

const DEVICE_ID: Input<Option<i64>> = id(required("device_id", "which device: its id; wins"));
const DEVICE_U: Input<String> = text(optional("device_u", "or its user name"));

pub(super) const DEVICE_DETAILS_GET: Method = Method {
    declaration: &mor::DEVICE_DETAILS_GET,
    group: "Devices",
    summary: "All fields of a device, with its password and PIN",
    params: &[DEVICE_ID.param, DEVICE_U.param],
    wrap: Wrap::PageStatus,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
        (ErrorReason::InvalidField, DEVICE_NOT_FOUND),
    ],
    handle: |call| Box::pin(device_details_get(call)),
};

pub(super) const DEVICE_NOT_FOUND: &str = "Device was not found";

async fn device_details_get(call: Call) -> Result<Answer, Failure> {
    let id = match call.params.filled(DEVICE_ID.param) {
        None => None,
        Some(_) => Some(
            call.read(&DEVICE_ID)?
                .ok_or_else(|| Failure::Parameters(Wrap::PageStatus.error(DEVICE_NOT_FOUND)))?,
        ),
    };
    let request = GetDeviceRequest { id, username: call.read(&DEVICE_U)?, with_credentials: true };
    let device = call.devices().get_device(request).await?.into_inner().device;
    Ok(Answer::xml("page", &Details(device.unwrap_or_default())))
}

/// The columns of a device. Those that mean nothing here have the value of the documented example.
struct Details(Device);

#[derive(Serialize)]
struct Codecs {
    audio_codecs: String,
    video_codecs: String,
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let signaling = self.0.signaling.clone().unwrap_or_default();
        let mut row = serializer.serialize_map(None)?;
        for (column, usual) in COLUMNS {
            let own = self.own_column(column);
            row.serialize_entry(column, own.as_deref().unwrap_or(usual))?;
        }
        let codecs = Codecs {
            audio_codecs: signaling.audio_codecs.join(","),
            video_codecs: signaling.video_codecs.join(","),
        };
        row.serialize_entry("codecs", &codecs)?;
        row.end()
    }
}

impl Details {
    /// The value of a column that means something here.
    fn own_column(&self, column: &str) -> Option<String> {
        let device = &self.0;
        let signaling = device.signaling.clone().unwrap_or_default();
        Some(match column {
            "id" | "accountcode" => device.id().to_string(),
            "extension" if device.legacy_columns.contains_key(column) => {
                return device.legacy_columns.get(column).cloned();
            }
            "name" | "username" | "extension" => device.username.clone(),
            "host" | "ipaddr" if !device.address.is_empty() => device.address.clone(),
            "secret" => device.password.clone(),
            "port" => port(device).to_string(),
            "callerid" => callerid(device),
            "device_type" => name(&TYPES, device.r#type()).to_owned(),
            "user_id" => device.user_id().to_string(),
            "allow" if !signaling.audio_codecs.is_empty() => signaling.audio_codecs.join(","),
            "nat" => name(&NATS, signaling.nat()).to_owned(),
            "qualify" if signaling.qualify_ms == 0 => "no".to_owned(),
            "qualify" => signaling.qualify_ms.to_string(),
            "canreinvite" => name(&REINVITES, signaling.reinvite()).to_owned(),
            "videosupport" if !signaling.video_codecs.is_empty() => "yes".to_owned(),
            "description" => device.description.clone(),
            "pin" => device.pin().to_owned(),
            "timeout" => device.ringing_timeout_seconds().to_string(),
            "call_limit" => device.call_limit().to_string(),
            "grace_time" => device.grace_time_seconds().to_string(),
            "max_timeout" => device.call_timeout_seconds().to_string(),
            "ani" => number::switch(device.callers_by_cli).to_owned(),
            kept => return device.legacy_columns.get(kept).cloned(),
        })
    }
}

/// The columns in the order of the original's answer, with what they have where nothing says otherwise.
const COLUMNS: &[(&str, &str)] = &[
    ("id", ""),
    ("name", ""),
    ("host", "dynamic"),
    ("secret", ""),
    ("context", "mor_local"),
    ("ipaddr", "0.0.0.0"),
    ("port", ""),
    ("regseconds", "0"),
    ("accountcode", ""),
    ("callerid", ""),
    ("extension", ""),
    ("voicemail_active", "0"),
    ("username", ""),
    ("device_type", ""),
    ("user_id", ""),
    ("primary_did_id", "0"),
    ("works_not_logged", "1"),
    ("forward_to", "0"),
    ("record", "0"),
    ("transfer", "no"),
    ("disallow", "all"),
    ("allow", "all"),
    ("deny", "0.0.0.0/0.0.0.0"),
    ("permit", "0.0.0.0/0.0.0.0"),
    ("nat", ""),
    ("qualify", ""),
    ("fullcontact", ""),
    ("canreinvite", ""),
    ("devicegroup_id", ""),
    ("dtmfmode", "rfc2833"),
    ("callgroup", ""),
    ("pickupgroup", ""),
    ("fromuser", ""),
    ("fromdomain", ""),
    ("trustrpid", "no"),
    ("sendrpid", "no"),
    ("insecure", "no"),
    ("progressinband", "never"),
    ("videosupport", "no"),
    ("description", ""),
    ("istrunk", "0"),
    ("cid_from_dids", "0"),
    ("pin", ""),
    ("tell_balance", "0"),
    ("tell_time", "0"),
    ("tell_rtime_when_left", "60"),
    ("repeat_rtime_every", "60"),
    ("t38pt_udptl", "no"),
    ("regserver", ""),
    ("ani", "0"),
    ("promiscredir", "no"),
    ("timeout", ""),
    ("process_sipchaninfo", "0"),
    ("allow_duplicate_calls", "0"),
    ("call_limit", ""),
    ("lastms", "0"),
    ("faststart", "yes"),
    ("h245tunneling", "yes"),
    ("latency", "0.0"),
    ("grace_time", ""),
    ("recording_to_email", "0"),
    ("recording_keep", "0"),
    ("recording_email", ""),
    ("record_forced", "0"),
    ("fake_ring", "0"),
    ("save_call_log", "0"),
    ("mailbox", ""),
    ("enable_mwi", "0"),
    ("authuser", ""),
    ("requirecalltoken", "no"),
    ("language", ""),
    ("use_ani_for_cli", "false"),
    ("calleridpres", ""),
    ("change_failed_code_to", "0"),
    ("reg_status", ""),
    ("max_timeout", "0"),
    ("anti_resale_auto_answer", "0"),
    ("qf_tell_balance", "0"),
    ("qf_tell_time", "0"),
    ("time_limit_per_day", "0"),
    ("allowtransfer", ""),
    ("dynamic", ""),
    ("balance", "0.0"),
    ("device_balance_enabled", "0"),
];

const USER_ID: Input<Option<i64>> = id(required("user_id", "user that gets the device"));
const DESCRIPTION: Input<String> = text(optional("description", "free text"));
const PIN: Param = optional("pin", "digits; not sent: random ones; sent empty: none");
const TYPE: Input<String> = text(optional(
    "type",
    "SIP, IAX2, FAX, Virtual, H323, ZAP or Skype; empty: the default type, else SIP",
));
const GROUP: Input<String> =
    text(optional("devicegroup_id", "a group of devices, of which there are none"));
const CALLER_ID: Input<String> =
    text(optional("caller_id", "the number that calls of the device show"));

pub(super) const DEVICE_CREATE: Method = Method {
    declaration: &mor::DEVICE_CREATE,
    group: "Devices",
    summary: "Creates a device for a user, with a user name and a password that are made up",
    params: &[USER_ID.param, DESCRIPTION.param, PIN, TYPE.param, GROUP.param, CALLER_ID.param],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::BadLogin, "Dont be so smart"),
        (ErrorReason::PinTaken, "Pin_is_already_used"),
    ],
    handle: |call| Box::pin(device_create(call)),
};

#[derive(Serialize)]
struct Created {
    status: &'static str,
    id: i64,
}

async fn device_create(call: Call) -> Result<Answer, Failure> {
    let refused = |text: &str| Err(Failure::Parameters(Wrap::Page.error(text)));
    let Some(user_id) = call.read(&USER_ID)? else {
        return refused("User was not found");
    };
    let kind = call.read(&TYPE)?;
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    if known.is_none() && !kind.is_empty() {
        return refused("Device_type_invalid");
    }
    if !call.read(&GROUP)?.is_empty() {
        return refused("Device_group_invalid");
    }
    let pin = call.params.get(PIN).map(str::to_owned);
    if pin.iter().flat_map(|pin| pin.bytes()).any(|byte| !byte.is_ascii_digit()) {
        return refused("Pin_must_be_numeric");
    }
    let mut device = Device {
        user_id: Some(user_id),
        description: call.read(&DESCRIPTION)?,
        caller_number: call.read(&CALLER_ID)?,
        pin,
        ..Default::default()
    };
    device.set_type(known.map_or(DeviceType::Unspecified, |(_, kind)| *kind));
    match call.devices().create_device(CreateDeviceRequest { device: Some(device) }).await {
        Ok(response) => {
            let id = response.into_inner().device.unwrap_or_default().id();
            Ok(Answer::xml("page", &Created { status: "Device created", id }))
        }
        Err(status) => error::refused(Wrap::Page, "Device was not created", status),
    }
}

const DEVICE: Input<Option<i64>> = id(required("device", "which device: its id"));

pub(super) const DEVICE_DELETE: Method = Method {
    declaration: &mor::DEVICE_DELETE,
    group: "Devices",
    summary: "Deletes a device from which no calls came",
    params: &[DEVICE.param],
    wrap: Wrap::Page,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::FeatureDisabled, "Registration over API is disabled"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
        (
            ErrorReason::DeviceHasCalls,
            "Cannot delete device - it has calls. You can only hide device's user. Why is that and \
             how to do that - please read in manual.",
        ),
    ],
    handle: |call| Box::pin(device_delete(call)),
};

#[derive(Serialize)]
struct Deleted {
    status: &'static str,
}

async fn device_delete(call: Call) -> Result<Answer, Failure> {
    let Some(id) = call.read(&DEVICE)? else {
        return Err(Failure::Parameters(Wrap::Page.error(DEVICE_NOT_FOUND)));
    };
    call.devices().delete_device(DeleteDeviceRequest { id: Some(id) }).await?;
    Ok(Answer::xml("page", &Deleted { status: "Device was deleted" }))
}
