//! `tollbook import list` and `undo`: the imports of rates and of calls, which have one row of ids, and how
//! one is taken back.

use std::{fmt::Display, io, process::ExitCode};

use anyhow::bail;
use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{
    CallImport, GetCallImportRequest, ListCallImportsRequest, ListRateImportsRequest, RateImport,
    call_imports_service_client::CallImportsServiceClient,
    tariffs_service_client::TariffsServiceClient,
};
use tonic::{Code, Status};

use crate::{
    calls,
    client::{Core, connect, said, zone},
    config::Config,
    out::written,
    rates,
};

#[derive(clap::Args)]
pub(crate) struct ListArgs {
    /// Only imports of rates into the tariff with this id
    #[arg(long)]
    tariff: Option<i64>,
    /// Only imports of calls
    #[arg(long, conflicts_with = "tariff")]
    calls: bool,
    /// How many, newest first
    #[arg(long, default_value_t = 20)]
    limit: i32,
}

#[derive(clap::Args)]
pub(crate) struct UndoArgs {
    /// The import's id
    pub(crate) id: i64,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Of rates: leave those that have been changed otherwise since as they are, and take back the rest
    #[arg(long)]
    pub(crate) keep_later_changes: bool,
    /// Of calls: take an import back that is still running, as far as it has come, and stop it
    #[arg(long)]
    pub(crate) stop: bool,
}

/// An import, of either kind.
enum Import {
    Rates(Box<RateImport>),
    Calls(Box<CallImport>),
}

impl Import {
    fn id(&self) -> i64 {
        match self {
            Self::Rates(import) => import.id,
            Self::Calls(import) => import.id,
        }
    }
}

/// A time of an import.
pub(crate) fn time(time: Option<&prost_types::Timestamp>) -> Timestamp {
    Timestamp::from_second(time.map_or(0, |time| time.seconds)).unwrap_or_default()
}

/// The same on the clock of a zone.
pub(crate) fn local(at: Option<&prost_types::Timestamp>, zone: &TimeZone) -> impl Display {
    zone.to_datetime(time(at)).strftime("%Y-%m-%d %H:%M:%S")
}

/// Who did something with an import.
pub(crate) fn who(user: Option<i64>) -> String {
    user.map_or("nobody".to_owned(), |id| format!("user {id}"))
}

/// By whom and from where an import was made.
pub(crate) fn by(user: Option<i64>, credential: &str, address: &str) -> String {
    let from = if address.is_empty() { "this machine" } else { address };
    format!("by {} ({credential}) from {from}", who(user))
}

/// The names of the files that were imported.
pub(crate) fn shown(name: &str) -> &str {
    if name.is_empty() { "standard input" } else { name }
}

/// The same with their size and digest.
pub(crate) fn shown_with_digest(name: &str, size: Option<i64>, sha256: &str) -> String {
    let size = size.map(|size| format!(", {size} bytes")).unwrap_or_default();
    format!("{}{size}, SHA-256 {sha256}", shown(name))
}

/// What a list has; nothing of what the caller may not see, as long as there is something that they may.
fn permitted<T>(
    listed: Result<Vec<T>, Status>,
    refused: &mut Option<Status>,
) -> anyhow::Result<Vec<T>> {
    match listed {
        Err(status) if status.code() == Code::PermissionDenied && refused.is_none() => {
            *refused = Some(status);
            Ok(Vec::new())
        }
        listed => listed.map_err(said),
    }
}

pub(crate) async fn list(config: &Config, args: &ListArgs) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let zone = zone(&core, None).await?;
    let mut refused = None;
    let mut imports = Vec::new();
    if !args.calls {
        let request = ListRateImportsRequest {
            page_size: args.limit,
            tariff_id: args.tariff,
            ..Default::default()
        };
        let listed = TariffsServiceClient::new(core.clone()).list_rate_imports(request).await;
        let listed = listed.map(|answer| answer.into_inner().rate_imports);
        let listed = permitted(listed, &mut refused)?.into_iter();
        imports.extend(listed.map(|import| Import::Rates(Box::new(import))));
    }
    if args.tariff.is_none() {
        let request = ListCallImportsRequest { page_size: args.limit, ..Default::default() };
        let listed = CallImportsServiceClient::new(core).list_call_imports(request).await;
        let listed = listed.map(|answer| answer.into_inner().call_imports);
        let listed = permitted(listed, &mut refused)?.into_iter();
        imports.extend(listed.map(|import| Import::Calls(Box::new(import))));
    }
    // Who may see none of what was asked for is not told that there is nothing.
    if let Some(status) = refused.filter(|_| args.calls || args.tariff.is_some()) {
        return Err(said(status));
    }
    imports.sort_by_key(|import| std::cmp::Reverse(import.id()));
    imports.truncate(usize::try_from(args.limit).unwrap_or_default());
    let mut out = io::stdout().lock();
    for import in &imports {
        written(match import {
            Import::Rates(import) => rates::imports::print(&mut out, import, &zone),
            Import::Calls(import) => calls::imports::print(&mut out, import, &zone),
        })?;
    }
    Ok(())
}

pub(crate) async fn undo(config: &Config, args: &UndoArgs) -> anyhow::Result<ExitCode> {
    let core = connect(config).await?;
    let of_calls = of_calls(&core, args.id).await?;
    match of_calls {
        OfCalls::Is(_) if args.keep_later_changes => {
            bail!("import {} is one of calls: --keep-later-changes is for rates", args.id)
        }
        OfCalls::Is(import) => calls::imports::undo(&core, &import, args).await,
        _ if args.stop => bail!("import {} is none of calls: --stop is for those", args.id),
        OfCalls::IsNot => rates::imports::undo(&core, args, true).await,
        OfCalls::NotToBeSeen => rates::imports::undo(&core, args, false).await,
    }
}

/// What an id is among the imports of calls.
enum OfCalls {
    Is(Box<CallImport>),
    IsNot,
    /// The caller may see none.
    NotToBeSeen,
}

async fn of_calls(core: &Core, id: i64) -> anyhow::Result<OfCalls> {
    let request = GetCallImportRequest { id: Some(id) };
    match CallImportsServiceClient::new(core.clone()).get_call_import(request).await {
        Ok(answer) => {
            let import = answer.into_inner().call_import.unwrap_or_default();
            Ok(OfCalls::Is(Box::new(import)))
        }
        Err(status) if status.code() == Code::NotFound => Ok(OfCalls::IsNot),
        Err(status) if status.code() == Code::PermissionDenied => Ok(OfCalls::NotToBeSeen),
        Err(status) => Err(said(status)),
    }
}
