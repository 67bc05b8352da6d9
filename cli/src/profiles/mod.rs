//! `tollbook profiles`: how files are read, kept under names.

pub(crate) mod contract;
pub(crate) mod words;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use tollbook_import::calls::Format;
use tollbook_proto::v1::{
    CallFileProfile, CreateImportProfileRequest, DeleteImportProfileRequest,
    GetImportProfileRequest, ImportProfile, ListImportProfilesRequest, UpdateImportProfileRequest,
    import_profile::Contents, import_profiles_service_client::ImportProfilesServiceClient,
    update_import_profile_request,
};
use tonic::Code;

use crate::{
    calls,
    client::{Core, connect, said},
    config::Config,
    out::say,
    rates,
};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// List all profiles, and the formats of calls that are built in
    List,
    /// Show what a profile says, as flags of an import
    Show {
        /// Its name
        name: String,
    },
    /// Save a profile, in the place of one that has the name
    #[command(subcommand)]
    Save(SaveCommand),
    /// Delete a profile
    Delete {
        /// Its name
        name: String,
    },
}

#[derive(clap::Subcommand)]
pub(crate) enum SaveCommand {
    /// Of rate decks, by the flags of `tollbook import rates`
    Rates {
        /// Its name
        name: String,
        #[command(flatten)]
        flags: Box<rates::flags::Flags>,
    },
    /// Of files of calls, by the flags of `tollbook import calls`
    Calls {
        /// Its name
        name: String,
        #[command(flatten)]
        flags: Box<calls::flags::Flags>,
    },
}

/// Which profile an import uses, and which it makes.
#[derive(clap::Args)]
pub(crate) struct UseArgs {
    /// Read as this profile says; flags that are given count before it
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Save how it was read, once it is imported, in the place of a profile that has the name
    #[arg(long, value_name = "NAME")]
    pub(crate) save_profile: Option<String>,
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<()> {
    let core = connect(config).await?;
    match command {
        Command::List => list(&core).await,
        Command::Show { name } => {
            let words = match format_named(&name) {
                Some(format) => calls::flags::Flags::of_format(format).words(),
                None => words(existing(&core, &name).await?)?,
            };
            let words: Vec<_> = words.iter().map(|word| words::quoted(word)).collect();
            say!("{}", words.join(" "))
        }
        Command::Save(SaveCommand::Rates { name, flags }) => {
            save(&core, &name, Contents::Rates(flags.to_proto()?)).await
        }
        Command::Save(SaveCommand::Calls { name, flags }) => {
            // What does not go together is said before it is saved.
            flags.options(TimeZone::UTC)?;
            if flags.takes_lone_legs() {
                bail!(
                    "--take-lone-legs is not kept in a profile: it bills calls twice whose two legs come in \
                     two files, and is given with each import that needs it"
                );
            }
            save(&core, &name, Contents::Calls(flags.to_proto()?)).await
        }
        Command::Delete { name } => {
            let id = Some(existing(&core, &name).await?.id);
            let mut profiles = ImportProfilesServiceClient::new(core);
            let request = DeleteImportProfileRequest { id };
            profiles.delete_import_profile(request).await.map_err(said)?;
            Ok(())
        }
    }
}

async fn list(core: &Core) -> anyhow::Result<()> {
    for profile in all(core).await? {
        let kind = match profile.contents {
            Some(Contents::Rates(_)) => "rates",
            Some(Contents::Calls(_)) => "calls",
            None => "of a later version",
        };
        say!("{} {kind}", words::quoted(&profile.name))?;
    }
    for (format, name) in Format::NAMES {
        say!("{name} calls, built in: {}", format.source())?;
    }
    Ok(())
}

/// All profiles, however many pages they take.
async fn all(core: &Core) -> anyhow::Result<Vec<ImportProfile>> {
    let mut profiles = ImportProfilesServiceClient::new(core.clone());
    let mut request = ListImportProfilesRequest { page_size: 1_000, page_token: String::new() };
    let mut all = Vec::new();
    loop {
        let page = profiles.list_import_profiles(request.clone()).await.map_err(said)?;
        let page = page.into_inner();
        all.extend(page.import_profiles);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

/// The format that a name is built in for.
fn format_named(name: &str) -> Option<Format> {
    name.parse().ok()
}

async fn find(core: &Core, name: &str) -> anyhow::Result<Option<ImportProfile>> {
    let mut profiles = ImportProfilesServiceClient::new(core.clone());
    let request = GetImportProfileRequest { id: None, name: name.to_owned() };
    match profiles.get_import_profile(request).await {
        Ok(found) => Ok(found.into_inner().import_profile),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(said(status)),
    }
}

async fn existing(core: &Core, name: &str) -> anyhow::Result<ImportProfile> {
    if format_named(name).is_some() {
        bail!("{name} is built in: it cannot be changed or deleted");
    }
    find(core, name).await?.with_context(|| {
        format!("there is no import profile {name:?}; `tollbook profiles list` lists all there are")
    })
}

fn words(profile: ImportProfile) -> anyhow::Result<Vec<String>> {
    match profile.contents.with_context(contract::of_later_version)? {
        Contents::Rates(rates) => Ok(rates::flags::Flags::from_proto(rates)?.words()),
        Contents::Calls(calls) => {
            Ok(calls::flags::Flags::from_proto(kept(&profile.name, calls))?.words())
        }
    }
}

/// The flags of a profile of rate decks.
pub(crate) async fn of_rates(core: &Core, name: &str) -> anyhow::Result<rates::flags::Flags> {
    if let Some(format) = format_named(name) {
        bail!("{format} is a format of calls, and not of rate decks");
    }
    match existing(core, name).await?.contents.with_context(contract::of_later_version)? {
        Contents::Rates(profile) => rates::flags::Flags::from_proto(profile),
        Contents::Calls(_) => bail!("the profile {name:?} is of calls, and not of rate decks"),
    }
}

/// The flags of a profile of calls, or of a format that is built in.
pub(crate) async fn of_calls(core: &Core, name: &str) -> anyhow::Result<calls::flags::Flags> {
    if let Some(format) = format_named(name) {
        return Ok(calls::flags::Flags::of_format(format));
    }
    match existing(core, name).await?.contents.with_context(contract::of_later_version)? {
        Contents::Calls(profile) => calls::flags::Flags::from_proto(kept(name, profile)),
        Contents::Rates(_) => bail!("the profile {name:?} is of rate decks, and not of calls"),
    }
}

/// A profile of calls without what is not kept any more.
fn kept(name: &str, profile: CallFileProfile) -> CallFileProfile {
    if profile.take_lone_legs {
        eprintln!(
            "the profile {name:?} has --take-lone-legs, which bills calls twice whose two legs come in two \
             files, and counts no more from a profile: give it with the imports that need it"
        );
    }
    CallFileProfile { take_lone_legs: false, ..profile }
}

/// Saves a profile, in the place of one that has the name.
pub(crate) async fn save(core: &Core, name: &str, contents: Contents) -> anyhow::Result<()> {
    let mut profiles = ImportProfilesServiceClient::new(core.clone());
    let saved = if let Some(known) = find(core, name).await? {
        let contents = Some(match contents {
            Contents::Rates(rates) => update_import_profile_request::Contents::Rates(rates),
            Contents::Calls(calls) => update_import_profile_request::Contents::Calls(calls),
        });
        let id = Some(known.id);
        let request = UpdateImportProfileRequest { id, name: None, contents };
        profiles.update_import_profile(request).await.map(drop)
    } else {
        let name = name.to_owned();
        let profile = ImportProfile { name, contents: Some(contents), ..Default::default() };
        let request = CreateImportProfileRequest { import_profile: Some(profile) };
        profiles.create_import_profile(request).await.map(drop)
    };
    saved.map_err(said).with_context(|| format!("the profile {name:?} is not saved"))?;
    say!("saved as profile {name}")
}

#[cfg(test)]
mod tests;
