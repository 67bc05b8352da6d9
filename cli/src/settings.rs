//! `tollbook settings`: shows the operator's settings, or changes some.

use anyhow::{Context, bail};
use tollbook_proto::v1::{
    GetSettingsRequest, Settings, UpdateSettingsRequest,
    settings_service_client::SettingsServiceClient,
};

use crate::{
    client::{connect, said},
    config::Config,
    newcomers,
    out::say,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to change, for example `allow_get_api=on`; without any, all settings are shown
    #[arg(value_name = "NAME=VALUE", value_parser = change)]
    changes: Vec<(String, String)>,
    /// With a new `api_secret_key`: how long the old one still counts, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    keep_old_key: i32,
    /// Set what is dangerous, too: a weak key, or no hash checking for all addresses
    #[arg(long)]
    force: bool,
}

fn change(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a change is given as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A setting that can be shown and changed, by its name in the contract.
enum Setting {
    Switch(fn(&mut Settings) -> &mut bool),
    Number(fn(&mut Settings) -> &mut i32),
    Text(fn(&mut Settings) -> &mut String),
    /// Never shown.
    Secret(fn(&mut Settings) -> &mut String),
}

/// All settings but the taxes of new users, which are a list.
const SETTINGS: [(&str, Setting); 27] = [
    ("allow_api", Setting::Switch(|settings| &mut settings.allow_api)),
    ("allow_get_api", Setting::Switch(|settings| &mut settings.allow_get_api)),
    ("api_secret_key", Setting::Secret(|settings| &mut settings.api_secret_key)),
    ("api_addresses", Setting::Text(|settings| &mut settings.api_addresses)),
    ("restrict_api_by_ip", Setting::Switch(|settings| &mut settings.restrict_api_by_ip)),
    ("xml_api_extension", Setting::Switch(|settings| &mut settings.xml_api_extension)),
    (
        "allow_api_login_redirect",
        Setting::Switch(|settings| &mut settings.allow_api_login_redirect),
    ),
    ("login_redirect_url", Setting::Text(|settings| &mut settings.login_redirect_url)),
    ("disable_hash_checking", Setting::Switch(|settings| &mut settings.disable_hash_checking)),
    ("api_allow_payments", Setting::Switch(|settings| &mut settings.api_allow_payments)),
    ("api_allow_registration", Setting::Switch(|settings| &mut settings.api_allow_registration)),
    (
        "resellers_use_admin_tariffs",
        Setting::Switch(|settings| &mut settings.resellers_use_admin_tariffs),
    ),
    ("balance_over_http", Setting::Switch(|settings| &mut settings.balance_over_http)),
    ("rate_over_http", Setting::Switch(|settings| &mut settings.rate_over_http)),
    ("conflines_over_api", Setting::Switch(|settings| &mut settings.conflines_over_api)),
    ("providers_over_api", Setting::Switch(|settings| &mut settings.providers_over_api)),
    (
        "show_active_calls_for_users",
        Setting::Switch(|settings| &mut settings.show_active_calls_for_users),
    ),
    ("time_zone", Setting::Text(|settings| &mut settings.time_zone)),
    ("shared_api_key", Setting::Switch(|settings| &mut settings.shared_api_key)),
    ("login_without_hash", Setting::Switch(|settings| &mut settings.login_without_hash)),
    ("allow_login_by_email", Setting::Switch(|settings| &mut settings.allow_login_by_email)),
    ("uniquehash_needs_hash", Setting::Switch(|settings| &mut settings.uniquehash_needs_hash)),
    ("uniquehash_as_hash", Setting::Switch(|settings| &mut settings.uniquehash_as_hash)),
    ("replay_window_seconds", Setting::Number(|settings| &mut settings.replay_window_seconds)),
    ("devices_per_user", Setting::Number(|settings| &mut settings.devices_per_user)),
    ("emails_per_hour", Setting::Number(|settings| &mut settings.emails_per_hour)),
    ("default_currency", Setting::Text(|settings| &mut settings.default_currency)),
];

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<()> {
    let connected = connect(config).await?;
    let mut core = SettingsServiceClient::new(connected.clone());
    let of_newcomers =
        |(name, _): &&(String, String)| newcomers::names().any(|known| known == name);
    let request = match args.changes.iter().filter(of_newcomers).count() {
        0 => update(&args.changes)?,
        all if all == args.changes.len() => {
            newcomers::change(connected.clone(), &args.changes).await?;
            None
        }
        _ => bail!("defaults of who registers and other settings are changed by two commands"),
    };
    let settings = match request {
        None => {
            let answer = core.get_settings(GetSettingsRequest {}).await.map_err(said)?;
            answer.into_inner().settings
        }
        Some(request) => {
            let old_key_seconds = args.keep_old_key;
            let request = UpdateSettingsRequest { old_key_seconds, force: args.force, ..request };
            core.update_settings(request).await.map_err(said)?.into_inner().settings
        }
    };
    let settings = settings.unwrap_or_default();
    let registration = settings.api_allow_registration;
    print(settings)?;
    newcomers::print(connected, registration).await
}

/// The request that makes some changes; none: there are none.
fn update(changes: &[(String, String)]) -> anyhow::Result<Option<UpdateSettingsRequest>> {
    let mut request = UpdateSettingsRequest::default();
    let settings = request.settings.get_or_insert_default();
    let mask = request.update_mask.get_or_insert_default();
    for (name, value) in changes {
        let known = SETTINGS.iter().find(|(known, _)| known == name);
        let (_, setting) = known.with_context(|| {
            let names = SETTINGS.iter().map(|(name, _)| *name).chain(newcomers::names());
            let names: Vec<&str> = names.collect();
            format!("there is no setting {name:?}; there are {}", names.join(", "))
        })?;
        match setting {
            Setting::Text(field) | Setting::Secret(field) => field(settings).clone_from(value),
            Setting::Number(field) => {
                *field(settings) =
                    value.parse().with_context(|| format!("{name} is a number, not {value:?}"))?;
            }
            Setting::Switch(field) => {
                *field(settings) = match value.as_str() {
                    "on" | "true" | "1" => true,
                    "off" | "false" | "0" => false,
                    _ => bail!("{name} is on or off, not {value:?}"),
                };
            }
        }
        mask.paths.push(name.clone());
    }
    Ok((!changes.is_empty()).then_some(request))
}

fn print(mut settings: Settings) -> anyhow::Result<()> {
    let has_key = settings.has_api_secret_key;
    for (name, setting) in SETTINGS {
        let value = match setting {
            Setting::Switch(field) => if *field(&mut settings) { "on" } else { "off" }.to_owned(),
            Setting::Text(field) => field(&mut settings).clone(),
            Setting::Number(field) => field(&mut settings).to_string(),
            Setting::Secret(_) => if has_key { "(set)" } else { "(not set)" }.to_owned(),
        };
        say!("{name}={value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn changes_name_a_setting_and_its_value() {
        let change = |text: &str| update(&[super::change(text).unwrap()]);
        let request = change("allow_get_api=on").unwrap().unwrap();
        assert!(request.settings.unwrap().allow_get_api);
        assert_eq!(request.update_mask.unwrap().paths, ["allow_get_api"]);
        let request = change("time_zone=Europe/Vilnius").unwrap().unwrap();
        assert_eq!(request.settings.unwrap().time_zone, "Europe/Vilnius");
        assert!(update(&[]).unwrap().is_none());
        for (text, said) in [("allow_api=maybe", "is on or off"), ("x=1", "there is no setting")] {
            assert!(change(text).unwrap_err().to_string().contains(said), "{text}");
        }
        assert!(super::change("allow_api").is_err());
    }
}
