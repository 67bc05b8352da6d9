//! Imports of rates: how they are shown, and how one is taken back.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::bail;
use jiff::{Timestamp, ToSpan};
use tollbook_proto::v1::{
    GetRateImportRequest, RateImport, UndoRateImportRequest, UndoRateImportResponse,
    tariffs_service_client::TariffsServiceClient,
};

use crate::{
    client::{Core, said},
    imports::{UndoArgs, by, shown_with_digest, time},
    out::say,
};

/// When an import was made.
pub(super) fn on(import: &RateImport) -> Timestamp {
    time(import.created_at.as_ref())
}

pub(crate) fn print(out: &mut impl Write, import: &RateImport) -> io::Result<()> {
    let RateImport { id, tariff_id, actor_id, credential, address, .. } = import;
    let (when, by) = (on(import), by(*actor_id, credential, address));
    writeln!(out, "{id} {when} tariff {tariff_id} {by}")?;
    let RateImport { lines, added, changed, unchanged, deleted, rejected, kept, .. } = import;
    let Some(undoes) = import.undoes_id else {
        let outcome = if import.applied { "" } else { " - nothing was changed" };
        writeln!(
            out,
            "  {lines} lines: {added} added, {changed} changed, {unchanged} unchanged, {deleted} deleted, \
             {rejected} rejected{outcome}"
        )?;
        if let Some(file) = import.file.as_ref().filter(|file| !file.sha256.is_empty()) {
            writeln!(out, "  {}", shown_with_digest(&file.name, file.size, &file.sha256))?;
        }
        return print_undone(out, import);
    };
    writeln!(
        out,
        "  import {undoes} taken back: {added} added, {changed} changed, {deleted} deleted, {kept} kept"
    )?;
    print_undone(out, import)
}

fn print_undone(out: &mut impl Write, import: &RateImport) -> io::Result<()> {
    let Some(undone) = &import.undone else { return Ok(()) };
    let when = time(undone.created_at.as_ref());
    writeln!(out, "  taken back on {when} by import {}", undone.import_id)
}

pub(crate) async fn undo(core: &Core, args: &UndoArgs) -> anyhow::Result<ExitCode> {
    let mut core = TariffsServiceClient::new(core.clone());
    let request = GetRateImportRequest { id: Some(args.id) };
    let import = core.get_rate_import(request).await.map_err(said)?.into_inner();
    let import = import.rate_import.unwrap_or_default();
    let request = UndoRateImportRequest {
        id: Some(args.id),
        dry_run: args.dry_run,
        keep_later_changes: args.keep_later_changes,
    };
    let answer = core.undo_rate_import(request).await.map_err(said)?.into_inner();
    if answer.later_changes > 0 {
        let more = if answer.later_changes > 1 { "rates" } else { "rate" };
        say!(
            "{} {more} changed since by something else: {}{}",
            answer.later_changes,
            answer.later_prefixes.join(", "),
            if answer.later_prefixes.len() < 20 { "" } else { ", …" }
        )?;
    }
    say!(
        "import {} into tariff {}: {} added, {} changed, {} deleted{}{}",
        args.id,
        import.tariff_id,
        answer.added,
        answer.changed,
        answer.deleted,
        if answer.applied { "" } else { " - nothing was changed" },
        answer.rate_import.as_ref().map(|new| format!("; import {}", new.id)).unwrap_or_default()
    )?;
    hint(&answer)?;
    if answer.later_changes > 0 && !args.keep_later_changes {
        bail!("rates have been changed since: take back the rest with --keep-later-changes");
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what becomes of calls that were rated while the import was in effect: of those that began
/// when the first rate counted that it had changed, or later, whenever they were delivered.
fn hint(answer: &UndoRateImportResponse) -> anyhow::Result<()> {
    if !answer.applied || answer.added + answer.changed + answer.deleted == 0 {
        return Ok(());
    }
    let undone = answer.rate_import.as_ref().map(on).unwrap_or_default();
    // Calls of the last second, too.
    let till = undone.checked_add(1.second()).unwrap_or(undone);
    let from = match &answer.first_from {
        None => "1970-01-01".to_owned(),
        Some(first) if time(Some(first)) > till => return Ok(()),
        Some(first) => time(Some(first)).to_string(),
    };
    if answer.first_from.is_none() {
        say!("rates without a date were changed, which count for calls of any time")?;
    }
    say!(
        "calls that were rated meanwhile keep their prices; this says what would change, and \
         without --dry-run changes it:\n  tollbook rerate --from {from} --till {till} --dry-run"
    )
}
