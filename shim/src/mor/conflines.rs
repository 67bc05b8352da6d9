//! Group "conflines": `conflines_update`, which changes settings of the caller: of his API, and of the
//! users and devices that register with him.

use tollbook_proto::{
    legacy::mor,
    v1::{DeviceSignaling, ErrorReason, OwnerSettings, UpdateOwnerSettingsRequest},
};
use tonic::Status;
use tonic_types::StatusExt;

use super::{devices, time_zones};
use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    mask::Mask,
    method::{Method, Param, optional},
    values::Values,
    xml::Answer,
};

const WRAP: Wrap = Wrap::PageStatus;

const ALLOW_API: Param = optional("allow_api", "0: the API is off; it is switched on elsewhere");
const API_SECRET_KEY: Param =
    optional("api_secret_key", "new API secret key, longer than 5 characters, and no weak one");
const DEFAULT_USER_PASSWORD_LENGTH: Param =
    optional("default_user_password_length", "minimal length of a password: 6 to 30");
const DEFAULT_USER_CREDIT: Param =
    optional("default_user_credit", "how far below zero they may go; -1: without limit");
const DEFAULT_USER_BALANCE: Param =
    optional("default_user_balance", "balance of new users, default currency");
const DEFAULT_USER_POSTPAID: Param = optional("default_user_postpaid", "1 or 0");
const DEFAULT_USER_ALLOW_LOSS_CALLS: Param = optional("default_user_allow_loss_calls", "1 or 0");
const DEFAULT_USER_CALL_LIMIT: Param =
    optional("default_user_call_limit", "how many calls at once");
const DEFAULT_USER_TIME_ZONE: Param =
    optional("default_user_time_zone", "name of the zone, as Atlantic Time (Canada), or of IANA");
const DEFAULT_USER_CURRENCY: Param = optional("default_user_currency", "currency code");
const DEFAULT_USER_QUICKFORWARDS_RULE_ID: Param =
    optional("default_user_quickforwards_rule_id", "a rule, of which there are none");
const DEFAULT_USER_RECORDING_ENABLED: Param =
    optional("default_user_recording_enabled", "1 or 0, kept only");
const DEFAULT_USER_RECORDING_FORCED_ENABLED: Param =
    optional("default_user_recording_forced_enabled", "1 or 0, kept only");
const DEFAULT_USER_TARIFF_ID: Param =
    optional("default_user_tariff_id", "tariff, one of the caller's");
const DEFAULT_DEVICE_CALL_LIMIT: Param =
    optional("default_device_call_limit", "how many calls at once");
const DEFAULT_DEVICE_CANREINVITE: Param =
    optional("default_device_canreinvite", "yes, no, nonat, update or update,nonat");
const DEFAULT_DEVICE_NAT: Param = optional("default_device_nat", "yes, no, force_rport or comedia");
const DEFAULT_DEVICE_QUALIFY: Param =
    optional("default_device_qualify", "no, or milliseconds, at least 1000");
const DEFAULT_DEVICE_GRACE_TIME: Param = optional("default_device_grace_time", "seconds");
const DEFAULT_DEVICE_AUDIO_CODECS: Param =
    optional("default_device_audio_codecs", "those that are on, separated by commas");
const DEFAULT_DEVICE_VIDEO_CODECS: Param = optional("default_device_video_codecs", "likewise");
const DEFAULT_DEVICE_LOCATION_ID: Param =
    optional("default_device_location_id", "a location, of which there are none");

pub(super) const CONFLINES_UPDATE: Method = Method {
    declaration: &mor::CONFLINES_UPDATE,
    group: "Conflines",
    summary: "Changes settings of the caller: his API, and what users and devices have by default",
    params: &[
        ALLOW_API,
        API_SECRET_KEY,
        DEFAULT_USER_PASSWORD_LENGTH,
        DEFAULT_USER_CREDIT,
        DEFAULT_USER_BALANCE,
        DEFAULT_USER_POSTPAID,
        DEFAULT_USER_ALLOW_LOSS_CALLS,
        DEFAULT_USER_CALL_LIMIT,
        DEFAULT_USER_TIME_ZONE,
        DEFAULT_USER_CURRENCY,
        DEFAULT_USER_QUICKFORWARDS_RULE_ID,
        DEFAULT_USER_RECORDING_ENABLED,
        DEFAULT_USER_RECORDING_FORCED_ENABLED,
        DEFAULT_USER_TARIFF_ID,
        DEFAULT_DEVICE_CALL_LIMIT,
        DEFAULT_DEVICE_CANREINVITE,
        DEFAULT_DEVICE_NAT,
        DEFAULT_DEVICE_QUALIFY,
        DEFAULT_DEVICE_GRACE_TIME,
        DEFAULT_DEVICE_AUDIO_CODECS,
        DEFAULT_DEVICE_VIDEO_CODECS,
        DEFAULT_DEVICE_LOCATION_ID,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::FeatureDisabled, "You are not authorized to use this functionality"),
    ],
    handle: |call| Box::pin(conflines_update(call)),
};

async fn conflines_update(call: Call) -> Result<Answer, Failure> {
    let refused = |text: String| Failure::Parameters(WRAP.error(&text));
    let request = changes(&call.params).map_err(refused)?;
    if request.update_mask.as_ref().is_some_and(|mask| mask.paths.is_empty()) {
        return Err(refused("Nothing to update".to_owned()));
    }
    match call.settings().update_owner_settings(request).await {
        Ok(_) => Ok(Answer::success("Settings were successfully updated")),
        Err(status) => match text_of(&status) {
            Some(text) => Ok(WRAP.error(text)),
            None => Err(status.into()),
        },
    }
}

/// The original's text for what the core refuses.
fn text_of(status: &Status) -> Option<&'static str> {
    let info = status.get_details_error_info();
    let field = info.as_ref().and_then(|info| info.metadata.get("field")).map(String::as_str);
    match (error::reason(status), field.unwrap_or_default()) {
        (ErrorReason::CurrencyNotFound, _) => Some(CURRENCY),
        (ErrorReason::TariffNotFound, _) | (_, "default_user.tariff_id") => Some(TARIFF),
        (_, "default_user.credit") => Some(CREDIT),
        (_, "default_user.balance") => Some("default_user_balance must be number"),
        (_, "default_user.password_length") => Some(LENGTH),
        (_, "default_user.call_limit") => Some(CALL_LIMIT),
        (_, "default_user.time_zone") => Some(TIME_ZONE),
        (_, "default_device.call_limit") => Some(DEVICE_CALL_LIMIT),
        (_, "default_device.grace_time_seconds") => Some(GRACE_TIME),
        (_, "default_device.signaling.qualify_ms") => Some(QUALIFY),
        (_, "default_device.signaling.audio_codecs") => {
            Some("default_device_audio_codecs names an unknown codec")
        }
        (_, "default_device.signaling.video_codecs") => {
            Some("default_device_video_codecs names an unknown codec")
        }
        _ => None,
    }
}

const LENGTH: &str = "default_user_password_length must be between 6 and 30";
const CREDIT: &str = "default_user_credit must be positive number or -1 for infinity";
/// The name is the original's mistake.
const CALL_LIMIT: &str = "default_user_credit must be positive integer";
const TIME_ZONE: &str = "default_user_time_zone name was not correct";
const CURRENCY: &str = "default_user_currency name was not correct";
const TARIFF: &str = "default_user_tariff_id was not found";
const DEVICE_CALL_LIMIT: &str = "default_device_call_limit must be positive integer";
const REINVITE: &str = "default_device_canreinvite can only be one of the following: 'yes', 'no', \
                        'nonat', 'update', 'update,nonat'";
const NAT: &str = "default_device_nat can only be one of the following: 'yes', 'no', \
                   'force_rport', 'comedia'";
const QUALIFY: &str = "default_device_qualify can only be 'no' or >= 1000 integer";
const GRACE_TIME: &str = "default_device_grace_time must be positive integer";

/// The changes that a request asks for; the error is the original's text for what is wrong.
fn changes(params: &Values) -> Result<UpdateOwnerSettingsRequest, String> {
    let mut settings = OwnerSettings::default();
    let mut mask = Mask::new(params);
    api(&mut settings, &mut mask, params)?;
    default_user(&mut settings, &mut mask, params)?;
    let device = settings.default_device.get_or_insert_default();
    for (name, path, text, field) in [
        (DEFAULT_DEVICE_CALL_LIMIT, "call_limit", DEVICE_CALL_LIMIT, &mut device.call_limit),
        (
            DEFAULT_DEVICE_GRACE_TIME,
            "grace_time_seconds",
            GRACE_TIME,
            &mut device.grace_time_seconds,
        ),
    ] {
        mask.number(name, &format!("default_device.{path}"), field).map_err(|_| text.to_owned())?;
    }
    signaling(device.signaling.get_or_insert_default(), &mut mask, params)?;
    for name in [DEFAULT_USER_QUICKFORWARDS_RULE_ID, DEFAULT_DEVICE_LOCATION_ID] {
        if params.filled(name).is_some() {
            return Err(format!("{} was not found", name.name));
        }
    }
    Ok(UpdateOwnerSettingsRequest {
        settings: Some(settings),
        update_mask: Some(mask.into_proto()),
        own: true,
        ..Default::default()
    })
}

fn api(settings: &mut OwnerSettings, mask: &mut Mask<'_>, params: &Values) -> Result<(), String> {
    match switch(params, ALLOW_API)? {
        // It is switched on elsewhere.
        Some(true) | None => {}
        Some(false) => mask.add("allow_api"),
    }
    if let Some(key) = params.get(API_SECRET_KEY) {
        if key.chars().count() <= 5 {
            return Err("api_secret_key length must be higher than 5".to_owned());
        }
        key.clone_into(&mut settings.api_secret_key);
        mask.add("api_secret_key");
    }
    Ok(())
}

/// A switch of these settings.
fn switch(params: &Values, param: Param) -> Result<Option<bool>, String> {
    params.toggled(param, "0").map_err(|_| format!("{} must be 0 or 1", param.name))
}

fn default_user(
    settings: &mut OwnerSettings,
    mask: &mut Mask<'_>,
    params: &Values,
) -> Result<(), String> {
    let user = settings.default_user.get_or_insert_default();
    for (name, path, field) in [
        (DEFAULT_USER_POSTPAID, "postpaid", &mut user.postpaid),
        (DEFAULT_USER_ALLOW_LOSS_CALLS, "allow_loss_calls", &mut user.allow_loss_calls),
        (DEFAULT_USER_RECORDING_ENABLED, "recording_enabled", &mut user.recording_enabled),
        (DEFAULT_USER_RECORDING_FORCED_ENABLED, "recording_forced", &mut user.recording_forced),
    ] {
        if let Some(on) = switch(params, name)? {
            *field = on;
            mask.add(&format!("default_user.{path}"));
        }
    }
    for (name, path, field) in [
        (DEFAULT_USER_CREDIT, "default_user.credit", &mut user.credit),
        (DEFAULT_USER_BALANCE, "default_user.balance", &mut user.balance),
    ] {
        if let Some(amount) = params.decimal(name) {
            *field = Some(amount);
            mask.add(path);
        }
    }
    let path = "default_user.password_length";
    let length = mask.number(DEFAULT_USER_PASSWORD_LENGTH, path, &mut user.password_length);
    length.map_err(|_| LENGTH.to_owned())?;
    // 0 is the default of the core, and no length in the original.
    if params.filled(DEFAULT_USER_PASSWORD_LENGTH).is_some() && user.password_length == 0 {
        return Err(LENGTH.to_owned());
    }
    let limit =
        mask.number(DEFAULT_USER_CALL_LIMIT, "default_user.call_limit", &mut user.call_limit);
    limit.map_err(|_| CALL_LIMIT.to_owned())?;
    let tariff = mask.id(DEFAULT_USER_TARIFF_ID, "default_user.tariff_id", &mut user.tariff_id);
    tariff.map_err(|_| TARIFF.to_owned())?;
    if let Some(name) = params.filled(DEFAULT_USER_TIME_ZONE) {
        time_zones::iana(name).clone_into(&mut user.time_zone);
        mask.add("default_user.time_zone");
    }
    if let Some(code) = params.filled(DEFAULT_USER_CURRENCY) {
        user.currency = code.to_ascii_uppercase();
        mask.add("default_user.currency");
    }
    Ok(())
}

fn signaling(
    signaling: &mut DeviceSignaling,
    mask: &mut Mask<'_>,
    params: &Values,
) -> Result<(), String> {
    let path = |name: &str| format!("default_device.signaling.{name}");
    if let Some(word) = params.filled(DEFAULT_DEVICE_CANREINVITE) {
        let known = devices::REINVITES.iter().find(|(name, _)| *name == word);
        signaling.set_reinvite(known.ok_or(REINVITE)?.1);
        mask.add(&path("reinvite"));
    }
    if let Some(word) = params.filled(DEFAULT_DEVICE_NAT) {
        let known = devices::NATS.iter().find(|(name, _)| *name == word);
        signaling.set_nat(known.ok_or(NAT)?.1);
        mask.add(&path("nat"));
    }
    match params.filled(DEFAULT_DEVICE_QUALIFY) {
        None => {}
        Some("no") => mask.add(&path("qualify_ms")),
        Some(text) => {
            let time = text.parse().ok().filter(|time| *time >= 1000);
            signaling.qualify_ms = time.ok_or(QUALIFY)?;
            mask.add(&path("qualify_ms"));
        }
    }
    for (name, field, codecs) in [
        (DEFAULT_DEVICE_AUDIO_CODECS, "audio_codecs", &mut signaling.audio_codecs),
        (DEFAULT_DEVICE_VIDEO_CODECS, "video_codecs", &mut signaling.video_codecs),
    ] {
        if let Some(list) = params.get(name) {
            let named = list.split(',').map(str::trim).filter(|codec| !codec.is_empty());
            // The page writes adpcm otherwise.
            let named = named.map(|codec| if codec == "sdpcm" { "adpcm" } else { codec });
            *codecs = named.map(str::to_owned).collect();
            mask.add(&path(field));
        }
    }
    Ok(())
}
