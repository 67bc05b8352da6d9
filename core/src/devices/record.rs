//! A device as the contract describes it: what of it is its connection point's, its defaults, its
//! checks, and the changes that a field mask makes.

use tollbook_proto::v1 as pb;

use super::{credentials, legacy_columns};
use crate::{
    contract, enums,
    error::{Error, Result},
    text::check_text,
};

/// How long a device rings that does not say otherwise, in seconds.
const RINGING: i32 = 60;
/// The shortest time in which a device has to answer, in milliseconds.
const SHORTEST_QUALIFY: i32 = 1000;

const AUDIO_CODECS: [&str; 11] =
    ["alaw", "ulaw", "g723", "g726", "g729", "gsm", "ilbc", "lpc10", "speex", "adpcm", "slin"];
const VIDEO_CODECS: [&str; 6] = ["h261", "h263", "h263p", "h264", "jpeg", "png"];

/// Fields that no request changes.
const FIXED_FIELDS: [&str; 3] = ["id", "user_id", "primary"];
/// Fields by which its calls are known: whoever set them could have the calls of others taken for those of
/// the device.
const OPERATORS_FIELDS: [&str; 3] = ["address", "port", "callers_by_cli"];

/// A device with what of it is its connection point's.
pub(super) fn complete(device: pb::Device, point: &pb::ConnectionPoint) -> pb::Device {
    let caller = point.caller_id.clone().unwrap_or_default();
    let origination = point.origination.clone().unwrap_or_default();
    pb::Device {
        caller_name: caller.name,
        caller_number: caller.number,
        call_limit: Some(origination.capacity),
        grace_time_seconds: Some(point.grace_time),
        ringing_timeout_seconds: Some(point.timeouts.unwrap_or_default().ringing),
        blocked: !origination.active || origination.disabled,
        address: point.address.clone(),
        port: point.port,
        call_timeout_seconds: Some(point.timeouts.unwrap_or_default().call),
        callers_by_cli: origination.callers_by_cli,
        ..device
    }
}

/// The connection point of a device: the one that it has, if any, with what is the device's.
pub(super) fn point_of(
    device: &pb::Device,
    before: Option<&pb::ConnectionPoint>,
) -> pb::ConnectionPoint {
    let mut point = before.cloned().unwrap_or_else(|| pb::ConnectionPoint {
        user_id: device.user_id,
        origination: Some(pb::OriginationPoint::default()),
        ..Default::default()
    });
    let caller = point.caller_id.get_or_insert_default();
    caller.name.clone_from(&device.caller_name);
    caller.number.clone_from(&device.caller_number);
    if *caller == pb::PointCallerId::default() {
        point.caller_id = None;
    }
    point.grace_time = device.grace_time_seconds();
    let timeouts = point.timeouts.get_or_insert_default();
    timeouts.ringing = device.ringing_timeout_seconds();
    timeouts.call = device.call_timeout_seconds();
    point.address.clone_from(&device.address);
    point.port = device.port;
    let origination = point.origination.get_or_insert_default();
    origination.callers_by_cli = device.callers_by_cli;
    origination.capacity = device.call_limit();
    // What was switched off in another way stays so, unless the device is to call again.
    let was_blocked = before.is_some() && (!origination.active || origination.disabled);
    if device.blocked != was_blocked || before.is_none() {
        origination.active = !device.blocked;
        origination.disabled &= device.blocked;
    }
    point
}

/// A new device with the defaults of what it leaves out, and credentials that are made up where it has
/// none.
pub(super) fn with_defaults(device: pb::Device, defaults: &pb::DefaultDevice) -> pb::Device {
    let or = |text: String, made_up: fn() -> String| match text.is_empty() {
        true => made_up(),
        false => text,
    };
    let r#type = [device.r#type, defaults.r#type, pb::DeviceType::Sip.into()];
    let unspecified = i32::from(pb::DeviceType::Unspecified);
    pb::Device {
        id: None,
        r#type: r#type.into_iter().find(|kind| *kind != unspecified).unwrap_or_default(),
        username: or(device.username, credentials::random_username),
        password: or(device.password, credentials::random_password),
        pin: Some(device.pin.unwrap_or_else(credentials::random_pin)),
        call_limit: Some(device.call_limit.unwrap_or(defaults.call_limit)),
        grace_time_seconds: Some(device.grace_time_seconds.unwrap_or(defaults.grace_time_seconds)),
        ringing_timeout_seconds: Some(device.ringing_timeout_seconds.unwrap_or(RINGING)),
        signaling: device.signaling.or_else(|| defaults.signaling.clone()),
        call_timeout_seconds: Some(device.call_timeout_seconds.unwrap_or_default()),
        ..device
    }
}

/// Checks everything about a device that needs no look at others. One that is there already need not
/// say its password again.
pub(super) fn check(device: &pb::Device, is_new: bool) -> Result<()> {
    enums::known::<pb::DeviceType>("device.type", device.r#type)?;
    credentials::check_username(&device.username)?;
    if device.username.is_empty() {
        return Err(Error::invalid("device.username", "is required"));
    }
    if is_new || !device.password.is_empty() {
        credentials::check_password(&device.password)?;
    }
    credentials::check_pin(device.pin())?;
    for (field, text) in [
        ("device.description", &device.description),
        ("device.caller_name", &device.caller_name),
        ("device.caller_number", &device.caller_number),
    ] {
        check_text(field, text)?;
    }
    for (field, number) in [
        ("device.call_limit", device.call_limit()),
        ("device.grace_time_seconds", device.grace_time_seconds()),
        ("device.ringing_timeout_seconds", device.ringing_timeout_seconds()),
        ("device.call_timeout_seconds", device.call_timeout_seconds()),
    ] {
        if number < 0 {
            return Err(Error::invalid(field, "must not be negative"));
        }
    }
    legacy_columns::check(&device.legacy_columns)?;
    device.signaling.as_ref().map_or(Ok(()), |signaling| check_signaling("device", signaling))
}

/// Whether a new device says by what its calls are known, which is the operator's to say.
pub(super) fn is_for_operators(device: &pb::Device) -> bool {
    !device.address.is_empty() || device.port != 0 || device.callers_by_cli
}

/// Whether a request changes that.
pub(super) fn changes_what_is_operators(request: &pb::UpdateDeviceRequest) -> bool {
    contract::paths(request.update_mask.as_ref()).any(|path| OPERATORS_FIELDS.contains(&path))
}

/// Checks what the switch is told; `of` is the field that it is in.
pub(crate) fn check_signaling(of: &str, signaling: &pb::DeviceSignaling) -> Result<()> {
    let field = |name: &str| format!("{of}.signaling.{name}");
    enums::known::<pb::DeviceNat>(&field("nat"), signaling.nat)?;
    enums::known::<pb::DeviceReinvite>(&field("reinvite"), signaling.reinvite)?;
    if signaling.qualify_ms != 0 && signaling.qualify_ms < SHORTEST_QUALIFY {
        return Err(Error::invalid(field("qualify_ms"), "must be 0, or 1000 or more"));
    }
    for (name, codecs, known) in [
        ("audio_codecs", &signaling.audio_codecs, &AUDIO_CODECS[..]),
        ("video_codecs", &signaling.video_codecs, &VIDEO_CODECS[..]),
    ] {
        if codecs.iter().any(|codec| !known.contains(&codec.as_str())) {
            return Err(Error::invalid(field(name), "names an unknown codec"));
        }
    }
    Ok(())
}

/// The device after the changes that a request asks for. Its credentials are set where they change.
pub(super) fn changed(old: &pb::Device, request: &pb::UpdateDeviceRequest) -> Result<pb::Device> {
    let new = request.device.clone().unwrap_or_default();
    let from = contract::to_dynamic(&new)?;
    let mut to = contract::to_dynamic(old)?;
    let paths: Vec<&str> = contract::paths(request.update_mask.as_ref()).collect();
    if paths.is_empty() {
        return Err(Error::invalid("update_mask", "is required"));
    }
    for path in paths {
        if FIXED_FIELDS.contains(&path) || !contract::copy_field(&mut to, &from, path) {
            return Err(Error::invalid("update_mask", "names a field that cannot be changed"));
        }
        if path == "pin" {
            // Not set, it would stay as it is.
            contract::copy_field(&mut to, &contract::to_dynamic(&with_pin(&new))?, path);
        }
    }
    let device: pb::Device = contract::from_dynamic(&to)?;
    check(&device, false)?;
    Ok(device)
}

/// What of its credentials a request changes.
pub(super) fn named(request: &pb::UpdateDeviceRequest) -> pb::Device {
    let new = request.device.clone().unwrap_or_default();
    let paths: Vec<&str> = contract::paths(request.update_mask.as_ref()).collect();
    let of = |path, text: String| if paths.contains(&path) { text } else { String::new() };
    pb::Device {
        username: of("username", new.username),
        password: of("password", new.password),
        pin: Some(of("pin", new.pin.unwrap_or_default())),
        ..Default::default()
    }
}

/// A device whose PIN is set, to none if it was not.
fn with_pin(device: &pb::Device) -> pb::Device {
    pb::Device { pin: Some(device.pin().to_owned()), ..Default::default() }
}

/// What of a device is told to whoever did not ask for credentials, and is written down.
pub(super) fn without_credentials(device: pb::Device) -> pb::Device {
    pb::Device { password: String::new(), pin: None, ..device }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::contract::from_dynamic;

    fn device() -> pb::Device {
        let device = pb::Device { user_id: Some(4), ..Default::default() };
        with_defaults(device, &pb::DefaultDevice { call_limit: 3, ..Default::default() })
    }

    #[test]
    fn what_is_its_points_comes_back_from_there() {
        let device = pb::Device { caller_number: "370".to_owned(), ..device() };
        check(&device, true).unwrap();
        let point = point_of(&device, None);
        assert!(point.origination.as_ref().unwrap().active);
        assert_eq!(complete(device.clone(), &point), device);
        assert_eq!((device.call_limit(), device.ringing_timeout_seconds()), (3, 60));
    }

    #[test]
    fn a_point_keeps_what_is_not_the_devices() {
        let mut point = point_of(&device(), None);
        point.address = "10.0.0.1".to_owned();
        point.origination.as_mut().unwrap().tariff_id = 7;
        point.origination.as_mut().unwrap().disabled = true;
        let known = complete(device(), &point);
        assert!(known.blocked);
        let renamed = pb::Device { caller_name: "Ann".to_owned(), ..known.clone() };
        let after = point_of(&renamed, Some(&point));
        assert!(after.origination.as_ref().unwrap().disabled);
        assert_eq!((after.address.as_str(), after.origination.unwrap().tariff_id), ("10.0.0.1", 7));
        let after = point_of(&pb::Device { blocked: false, ..known }, Some(&point));
        let origination = after.origination.unwrap();
        assert!(origination.active && !origination.disabled);
    }

    #[test]
    fn a_mask_changes_what_it_names() {
        let old = without_credentials(device());
        let changed_by = |device: pb::Device, paths: &[&str]| {
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            let update_mask = Some(prost_types::FieldMask { paths });
            changed(&old, &pb::UpdateDeviceRequest { device: Some(device), update_mask })
        };
        let new = pb::Device { description: "desk".to_owned(), call_limit: Some(9), ..old.clone() };
        let result = changed_by(new.clone(), &["call_limit"]).unwrap();
        assert_eq!((result.call_limit(), result.description.as_str()), (9, ""));
        assert_eq!(result.pin, None, "it stays");
        let result = changed_by(pb::Device::default(), &["pin"]).unwrap();
        assert_eq!(result.pin.as_deref(), Some(""));
        assert!(changed_by(new.clone(), &["user_id"]).is_err());
        assert!(changed_by(new, &[]).is_err());
        let short = pb::Device { password: "short".to_owned(), ..Default::default() };
        assert!(changed_by(short, &["password"]).is_err());
        from_dynamic::<pb::Device>(&contract::to_dynamic(&old).unwrap()).unwrap();
    }
}
