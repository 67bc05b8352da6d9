//! Imports of rates: how they are shown, and how one is taken back.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::bail;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use tollbook_proto::v1::{
    GetRateImportRequest, ImportRatesResponse, RateImport, UndoRateImportRequest,
    UndoRateImportResponse, tariffs_service_client::TariffsServiceClient,
};
use tonic::Code;

use crate::{
    client::{Core, said},
    imports::{UndoArgs, by, local, shown_with_digest, time},
    out::say,
    values::timestamp,
};

/// When an import was made.
pub(super) fn on(import: &RateImport) -> Timestamp {
    time(import.created_at.as_ref())
}

pub(crate) fn print(out: &mut impl Write, import: &RateImport, zone: &TimeZone) -> io::Result<()> {
    let RateImport { id, tariff_id, actor_id, credential, address, .. } = import;
    let when = local(import.created_at.as_ref(), zone);
    let by = by(*actor_id, credential, address);
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
        return print_undone(out, import, zone);
    };
    writeln!(
        out,
        "  import {undoes} taken back: {added} added, {changed} changed, {deleted} deleted, {kept} kept"
    )?;
    print_undone(out, import, zone)
}

fn print_undone(out: &mut impl Write, import: &RateImport, zone: &TimeZone) -> io::Result<()> {
    let Some(undone) = &import.undone else { return Ok(()) };
    let when = local(undone.created_at.as_ref(), zone);
    writeln!(out, "  taken back on {when} by import {}", undone.import_id)
}

/// `sees_calls`: imports of calls were looked through before, and none has the id.
pub(crate) async fn undo(
    core: &Core,
    args: &UndoArgs,
    sees_calls: bool,
) -> anyhow::Result<ExitCode> {
    let mut core = TariffsServiceClient::new(core.clone());
    let request = GetRateImportRequest { id: Some(args.id) };
    let import = match core.get_rate_import(request).await {
        Ok(import) => import.into_inner().rate_import.unwrap_or_default(),
        // Who may not see imports of calls is not told that there is none.
        Err(status) if status.code() == Code::NotFound && sees_calls => bail!(
            "no such import: neither one of rates nor one of calls has the id {}; `tollbook import list` \
             lists them",
            args.id
        ),
        Err(status) => return Err(said(status)),
    };
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
    hint(&answer, import.tariff_id)?;
    if answer.later_changes > 0 && !args.keep_later_changes {
        bail!("rates have been changed since: take back the rest with --keep-later-changes");
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what becomes of calls that were rated while the import was in effect: of those that began
/// when the first rate counted that it had changed, or later, whenever they were delivered.
fn hint(answer: &UndoRateImportResponse, tariff: i64) -> anyhow::Result<()> {
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
         without --dry-run changes it:\n  {}",
        rerate(&from, till, tariff)
    )
}

/// The command that prices the calls of a time again that a tariff has a say in.
fn rerate(from: &str, till: Timestamp, tariff: i64) -> String {
    // A name might be written `7`.
    format!("tollbook rerate --from {from} --till {till} --tariff '#{tariff}' --dry-run")
}

/// Says what becomes of calls that were rated before an import whose rates count since earlier.
pub(super) fn hint_of_past(report: &ImportRatesResponse, tariff: i64) -> anyhow::Result<()> {
    let Some(first) = &report.first_from else { return Ok(()) };
    let (from, now) = (time(Some(first)), Timestamp::now());
    if from >= now {
        return Ok(());
    }
    // Calls of this second, too.
    let till = time(Some(&timestamp(now.as_microsecond())));
    let till = till.checked_add(1.second()).unwrap_or(till);
    say!(
        "rates of the deck count since {from}: calls since then that were rated before it was imported keep \
         their prices; this says what would change, and without --dry-run changes it:\n  {}",
        rerate(&from.to_string(), till, tariff)
    )
}
