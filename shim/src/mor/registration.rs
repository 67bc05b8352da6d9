//! Group "user", registering: `user_register`, which is `registration`, too.

use serde::Serialize;
use tollbook_proto::{
    legacy::mor,
    v1::{Address, ErrorReason, RegisterUserRequest},
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    method::{Input, Method, optional, required, text},
    request,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;

const EMAIL: Input<String> = text(required("email", "e-mail address"));
const ID: Input<String> =
    text(optional("id", "uniquehash of the owner; without it the user is the admin's"));
const LCR: Input<String> =
    text(optional("lcr_id", "a routing group, for the device; the admin's users only"));
const DEVICE_TYPE: Input<String> =
    text(required("device_type", "SIP, IAX2 or Virtual: how the device speaks"));
const USERNAME: Input<String> = text(required("username", "login name"));
const FIRST_NAME: Input<String> = text(optional("first_name", "first name"));
const LAST_NAME: Input<String> = text(optional("last_name", "last name"));
const CALLER_ID: Input<String> =
    text(optional("caller_id", "the number that calls of the device show"));
const STATE: Input<String> = text(optional("state", "state"));
const LOCATION: Input<String> =
    text(optional("device_location_id", "a location, of which there are none"));
const PASSWORD: Input<String> = text(required("password", "password"));
const PASSWORD2: Input<String> = text(required("password2", "the password again"));
const COUNTRY: Input<String> = text(required("country_id", "country: its id"));
const MOBILE: Input<String> = text(optional("mob_phone", "mobile phone"));
const PHONE: Input<String> = text(optional("phone", "phone"));
const FAX: Input<String> = text(optional("fax", "fax"));
const CLIENT_ID: Input<String> = text(optional("client_id", "company or personal id"));
const VAT_NUMBER: Input<String> = text(optional("vat_number", "tax registration number"));
const COUNTY: Input<String> = text(optional("county", "county"));
const CITY: Input<String> = text(optional("city", "city"));
const POSTCODE: Input<String> = text(optional("postcode", "postcode"));
const ADDRESS: Input<String> = text(optional("address", "street and house"));

pub(super) const USER_REGISTER: Method = Method {
    declaration: &mor::USER_REGISTER,
    group: "User",
    summary: "Makes somebody a user with a device, both with the owner's defaults",
    params: &[
        EMAIL.param,
        ID.param,
        LCR.param,
        DEVICE_TYPE.param,
        USERNAME.param,
        FIRST_NAME.param,
        LAST_NAME.param,
        CALLER_ID.param,
        STATE.param,
        LOCATION.param,
        PASSWORD.param,
        PASSWORD2.param,
        COUNTRY.param,
        MOBILE.param,
        PHONE.param,
        FAX.param,
        CLIENT_ID.param,
        VAT_NUMBER.param,
        COUNTY.param,
        CITY.param,
        POSTCODE.param,
        ADDRESS.param,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Dont be so smart"),
        (ErrorReason::OwnerInvalid, "Dont be so smart"),
        (ErrorReason::FeatureDisabled, "Registration over API is disabled"),
        (ErrorReason::RoutingGroupNotFound, "LCR was not found"),
    ],
    handle: |call| Box::pin(user_register(call)),
};

#[derive(Serialize)]
struct Registered {
    status: &'static str,
    user_device_settings: DeviceSettings,
}

/// How the device registers, and where an e-mail is sent that says so.
#[derive(Serialize)]
struct DeviceSettings {
    #[serde(skip_serializing_if = "String::is_empty")]
    email: String,
    device_type: String,
    username: String,
    password: String,
    pin: String,
    server_ip: String,
    registration_notice: String,
}

async fn user_register(call: Call) -> Result<Answer, Failure> {
    let refused = |text: &str| Err(Failure::Parameters(WRAP.error(text)));
    let password = call.read(&PASSWORD)?;
    if password != call.read(&PASSWORD2)? {
        return refused("Passwords do not match");
    }
    if !call.read(&LOCATION)?.is_empty() {
        return refused("Location was not found");
    }
    let (group, country) = (call.read(&LCR)?, call.read(&COUNTRY)?);
    let routing_group_id = request::id(&group);
    if routing_group_id.is_none() && !group.is_empty() {
        return refused("LCR was not found");
    }
    let Some(direction_id) = request::id(&country) else {
        return Err(Failure::invalid(WRAP, "country_id"));
    };
    let device_type = call.read(&DEVICE_TYPE)?;
    let number = mor::REGISTERED_TYPES.iter().find(|(name, _)| *name == device_type);
    let address = Address {
        direction_id,
        street: call.read(&ADDRESS)?,
        city: call.read(&CITY)?,
        postcode: call.read(&POSTCODE)?,
        county: call.read(&COUNTY)?,
        state: call.read(&STATE)?,
        phone: call.read(&PHONE)?,
        mobile_phone: call.read(&MOBILE)?,
        fax: call.read(&FAX)?,
        email: call.read(&EMAIL)?,
    };
    let request = RegisterUserRequest {
        owner_uniquehash: call.read(&ID)?,
        username: call.read(&USERNAME)?,
        password,
        first_name: call.read(&FIRST_NAME)?,
        last_name: call.read(&LAST_NAME)?,
        address: Some(address),
        client_id: call.read(&CLIENT_ID)?,
        vat_number: call.read(&VAT_NUMBER)?,
        device_type: number.map_or(0, |(_, number)| *number),
        caller_number: call.read(&CALLER_ID)?,
        routing_group_id,
    };
    match call.users().register_user(request).await {
        Ok(response) => {
            let response = response.into_inner();
            let device = response.device.unwrap_or_default();
            let user_device_settings = DeviceSettings {
                email: response.email,
                device_type,
                pin: device.pin().to_owned(),
                username: device.username,
                password: device.password,
                server_ip: response.server_address,
                registration_notice: response.registration_notice,
            };
            let status = "Registration successful";
            Ok(Answer::xml("page", &Registered { status, user_device_settings }))
        }
        Err(status) => match least_password(&status) {
            Some(least) => Ok(WRAP.error(&format!(
                "Password must be longer than {} characters or short passwords in Devices should be \
                 allowed",
                least.saturating_sub(1)
            ))),
            None => Err(status.into()),
        },
    }
}

/// How many characters the password needs, where it has too few.
fn least_password(status: &Status) -> Option<u32> {
    if error::reason(status) != ErrorReason::PasswordTooShort {
        return None;
    }
    status.get_details_error_info()?.metadata.get("least")?.parse().ok()
}
