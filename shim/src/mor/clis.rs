//! Group "devices": `cli_add`, `cli_delete`, `cli_info_get`, `device_clis_get`.

use futures_util::TryStreamExt;
use jiff::tz::TimeZone;
use serde::{Serialize, Serializer, ser::SerializeMap};
use tollbook_proto::{
    legacy::mor,
    v1::{
        Cli, CreateCliRequest, DeleteCliRequest, ErrorReason, GetCliRequest, ListClisRequest,
        ListClisResponse,
    },
};
use tonic_types::StatusExt;

use super::devices::{DEVICE_NOT_FOUND, TYPES, name};
use crate::{
    call::Call,
    error::{self, Failure, Wrap},
    listing,
    method::{Input, Method, optional, required, switch, text},
    number,
    xml::Answer,
};

const WRAP: Wrap = Wrap::Page;
const NOT_AUTHORISED: &str = "You are not authorised to use this functionality";

const DEVICE_ID: Input<String> = text(required("device_id", "the device that gets the CLI"));
const CLI_NUMBER: Input<String> =
    text(required("cli_number", "the number, digits only; required unless cli_domain is sent"));
const CLI_DOMAIN: Input<String> = text(optional("cli_domain", "the domain that callers come from"));
const CLI_DESCRIPTION: Input<String> = text(optional("cli_description", "free text"));
const COMMENT: Input<String> = text(optional("comment", "free text"));
const BANNED: Input<bool> = switch(optional("banned", "1: its calls are refused"));
const IVR_ID: Input<String> = text(optional("ivr_id", "an IVR, of which there are none"));

pub(super) const CLI_ADD: Method = Method {
    declaration: &mor::CLI_ADD,
    group: "Devices",
    summary: "Gives a device a CLI: a number or domain by which its calls are known",
    params: &[
        DEVICE_ID.param,
        CLI_NUMBER.param,
        CLI_DOMAIN.param,
        CLI_DESCRIPTION.param,
        COMMENT.param,
        BANNED.param,
        IVR_ID.param,
    ],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::PermissionMissing, NOT_AUTHORISED),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
    ],
    handle: |call| Box::pin(cli_add(call)),
};

#[derive(Serialize)]
struct Done {
    status: &'static str,
}

async fn cli_add(call: Call) -> Result<Answer, Failure> {
    let refused = |text: &str| Err(Failure::Parameters(WRAP.error(text)));
    let (device, number) = (call.read(&DEVICE_ID)?, call.read(&CLI_NUMBER)?);
    let domain = call.read(&CLI_DOMAIN)?;
    if device.is_empty() {
        return refused("Device ID cannot be empty");
    }
    if number.is_empty() && domain.is_empty() {
        return refused("CLI Number cannot be empty");
    }
    if number.bytes().any(|byte| !byte.is_ascii_digit()) {
        return refused("CLI must be numeric");
    }
    if !["", "0"].contains(&call.read(&IVR_ID)?.as_str()) {
        return refused("IVR was not found");
    }
    let Some(device_id) = call.params.id(DEVICE_ID.param) else { return refused(DEVICE_NOT_FOUND) };
    let cli = Cli {
        device_id: Some(device_id),
        number,
        domain,
        description: call.read(&CLI_DESCRIPTION)?,
        comment: call.read(&COMMENT)?,
        banned: call.read(&BANNED)?,
        ..Default::default()
    };
    match call.clis().create_cli(CreateCliRequest { cli: Some(cli) }).await {
        Ok(_) => Ok(Answer::xml("page", &Done { status: "CLI successfully created" }).into_file()),
        Err(status) if error::reason(&status) == ErrorReason::CliTaken => {
            let metadata = status.get_details_error_info().map(|info| info.metadata);
            Ok(WRAP.error(&match metadata.unwrap_or_default().get("username") {
                Some(user) => format!("CLI already exists. It is assigned to {user} device"),
                None => "CLI already exists".to_owned(),
            }))
        }
        Err(status) => Err(status.into()),
    }
}

const DELETED_NUMBER: Input<String> = text(required("cli_number", "which CLI: its number"));
const CLI_WAS_NOT_FOUND: &str = "CLI was not found";

pub(super) const CLI_DELETE: Method = Method {
    declaration: &mor::CLI_DELETE,
    group: "Devices",
    summary: "Deletes a CLI",
    params: &[DELETED_NUMBER.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::PermissionMissing, NOT_AUTHORISED),
        (ErrorReason::CliNotFound, CLI_WAS_NOT_FOUND),
        (ErrorReason::InvalidField, CLI_WAS_NOT_FOUND),
    ],
    handle: |call| Box::pin(cli_delete(call)),
};

async fn cli_delete(call: Call) -> Result<Answer, Failure> {
    let request = DeleteCliRequest { id: None, number: call.read(&DELETED_NUMBER)? };
    call.clis().delete_cli(request).await?;
    Ok(Answer::xml("page", &Done { status: "CLI successfully deleted" }).into_file())
}

const CLI: Input<String> = text(required("cli", "the number to look for"));
const DOMAIN: Input<String> = text(optional("domain", "or the domain, where cli is not sent"));

pub(super) const CLI_INFO_GET: Method = Method {
    declaration: &mor::CLI_INFO_GET,
    group: "Devices",
    summary: "Finds the device and the user that a CLI is of",
    params: &[CLI.param, DOMAIN.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::CliNotFound, "CLI not found"),
        (ErrorReason::InvalidField, "CLI is empty"),
    ],
    handle: |call| Box::pin(cli_info_get(call)),
};

#[derive(Serialize)]
struct Info {
    cli: InfoOfCli,
}

#[derive(Serialize)]
struct InfoOfCli {
    device: InfoOfDevice,
}

#[derive(Serialize)]
struct InfoOfDevice {
    user_id: i64,
    device_id: i64,
}

async fn cli_info_get(call: Call) -> Result<Answer, Failure> {
    let request = GetCliRequest { id: None, number: call.read(&CLI)?, domain: call.read(&DOMAIN)? };
    let cli = call.clis().get_cli(request).await?.into_inner().cli.unwrap_or_default();
    let device = InfoOfDevice { user_id: cli.user_id(), device_id: cli.device_id() };
    Ok(Answer::xml("page", &Info { cli: InfoOfCli { device } }).into_file())
}

const DEVICES_ID: Input<String> = text(optional("devices_id", "only those of this device"));
const USERS_ID: Input<String> = text(optional("users_id", "only those of this user's devices"));
const USER_NOT_FOUND: &str = "User was not found";

pub(super) const DEVICE_CLIS_GET: Method = Method {
    declaration: &mor::DEVICE_CLIS_GET,
    group: "Devices",
    summary: "Lists CLIs: of a device, of a user, or all that the caller may see",
    params: &[DEVICES_ID.param, USERS_ID.param],
    wrap: WRAP,
    errors: &[
        (ErrorReason::BadLogin, "Access Denied"),
        (ErrorReason::PermissionMissing, "You are not authorized to use this functionality"),
        (ErrorReason::DeviceNotFound, DEVICE_NOT_FOUND),
        (ErrorReason::UserNotFound, USER_NOT_FOUND),
    ],
    handle: |call| Box::pin(device_clis_get(call)),
};

#[derive(Serialize)]
struct Page {
    status: Clis,
}

/// CLIs as the original lists them: one after the other, with nothing around each.
struct Clis {
    clis: Vec<Cli>,
    zone: TimeZone,
}

impl Serialize for Clis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_map(None)?;
        for cli in &self.clis {
            let device = format!("{}/{}", name(&TYPES, cli.device_type()), cli.device_username);
            list.serialize_entry("cli_id", &cli.id())?;
            list.serialize_entry("cli_cli", &cli.number)?;
            list.serialize_entry("cli_domain", &cli.domain)?;
            list.serialize_entry("cli_device", &device)?;
            list.serialize_entry("cli_description", &cli.description)?;
            list.serialize_entry(
                "cli_added_at",
                &number::time_and_offset(cli.created_at.as_ref(), &self.zone),
            )?;
            list.serialize_entry(
                "cli_updated_at",
                &number::time_and_offset(cli.updated_at.as_ref(), &self.zone),
            )?;
            list.serialize_entry("cli_comment", &cli.comment)?;
            // Nobody is called back by e-mail here.
            list.serialize_entry("cli_email_callback", "0")?;
            list.serialize_entry("cli_banned", number::switch(cli.banned))?;
        }
        list.end()
    }
}

async fn device_clis_get(call: Call) -> Result<Answer, Failure> {
    let id = |param: &Input<String>, missing: &str| match call.params.filled(param.param) {
        None => Ok(None),
        Some(_) => match call.params.id(param.param) {
            None => Err(Failure::Parameters(WRAP.error(missing))),
            id => Ok(id),
        },
    };
    let request = ListClisRequest {
        device_id: id(&DEVICES_ID, DEVICE_NOT_FOUND)?,
        user_id: id(&USERS_ID, USER_NOT_FOUND)?,
        page_size: 1000,
        page_token: String::new(),
    };
    let first = call.clis().list_clis(request.clone()).await?.into_inner();
    if first.clis.is_empty() {
        return Ok(WRAP.error("CLIs were not found"));
    }
    let rest = listing::following(first.next_page_token.clone(), move |page_token| {
        let request = ListClisRequest { page_token, ..request.clone() };
        let mut core = call.clis();
        async move {
            let page = core.list_clis(request).await?.into_inner();
            let next = page.next_page_token.clone();
            Ok((page, next))
        }
    });
    Ok(Answer::listing("page", "status", &page(first), rest.map_ok(page)))
}

fn page(response: ListClisResponse) -> Page {
    let zone = number::zone(&response.time_zone);
    Page { status: Clis { clis: response.clis, zone } }
}
