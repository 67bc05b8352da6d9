//! What `tollbook settings` shows and changes of the operator's defaults for those who register, and their
//! devices: they are the owner's settings of the contract, with a call of their own.

use anyhow::Context;
use tollbook_proto::v1::{
    GetOwnerSettingsRequest, OwnerSettings, UpdateOwnerSettingsRequest,
    settings_service_client::SettingsServiceClient,
};
use tonic::Code;

use crate::{
    client::{Core, said},
    out::say,
};

/// A default, by its name in the contract.
enum Field {
    Number(fn(&mut OwnerSettings) -> &mut i64),
    Text(fn(&mut OwnerSettings) -> &mut String),
}

const DEFAULTS: [(&str, Field); 4] = [
    (
        "default_user.tariff_id",
        Field::Number(|settings| &mut settings.default_user.get_or_insert_default().tariff_id),
    ),
    (
        "default_user.currency",
        Field::Text(|settings| &mut settings.default_user.get_or_insert_default().currency),
    ),
    (
        "default_device.server_address",
        Field::Text(|settings| &mut settings.default_device.get_or_insert_default().server_address),
    ),
    (
        "default_device.registration_notice",
        Field::Text(|settings| {
            &mut settings.default_device.get_or_insert_default().registration_notice
        }),
    ),
];

/// The names of the defaults.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    DEFAULTS.iter().map(|(name, _)| *name)
}

/// Makes some changes, all or none.
pub(crate) async fn change(core: Core, changes: &[(String, String)]) -> anyhow::Result<()> {
    let mut request = UpdateOwnerSettingsRequest { user_id: Some(0), ..Default::default() };
    let settings = request.settings.get_or_insert_default();
    let mask = request.update_mask.get_or_insert_default();
    for (name, value) in changes {
        let known = DEFAULTS.iter().find(|(known, _)| known == name);
        let (_, field) = known.with_context(|| format!("there is no setting {name:?}"))?;
        match field {
            Field::Text(field) => field(settings).clone_from(value),
            Field::Number(field) => {
                *field(settings) =
                    value.parse().with_context(|| format!("{name} is a number, not {value:?}"))?;
            }
        }
        mask.paths.push(name.clone());
    }
    SettingsServiceClient::new(core).update_owner_settings(request).await.map_err(said)?;
    Ok(())
}

/// Prints the defaults, where the caller may know them, and what whoever registers would miss.
pub(crate) async fn print(core: Core, registration: bool) -> anyhow::Result<()> {
    let request = GetOwnerSettingsRequest { user_id: Some(0) };
    let answer = match SettingsServiceClient::new(core).get_owner_settings(request).await {
        Ok(answer) => answer.into_inner(),
        Err(status) if status.code() == Code::PermissionDenied => return Ok(()),
        Err(status) => return Err(said(status)),
    };
    let mut settings = answer.settings.unwrap_or_default();
    for (name, field) in DEFAULTS {
        match field {
            Field::Text(field) => say!("{name}={}", field(&mut settings)),
            Field::Number(field) => say!("{name}={}", field(&mut settings)),
        }?;
    }
    if registration {
        let user = settings.default_user.unwrap_or_default();
        if settings.default_device.unwrap_or_default().server_address.is_empty() {
            tracing::warn!(
                "whoever registers is not told where: default_device.server_address is empty"
            );
        }
        if user.tariff_id == 0 {
            tracing::warn!(
                "whoever registers has no tariff, and can call nobody: default_user.tariff_id is 0"
            );
        }
    }
    Ok(())
}
