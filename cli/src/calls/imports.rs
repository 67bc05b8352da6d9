//! Imports of calls: how they are shown, and how one is taken back.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::tz::TimeZone;
use tollbook_proto::v1::{
    CallFiles, CallImport, CallImportBalance, CallImportState, CallImportUndo, Decimal,
    UndoCallImportRequest, UndoCallImportResponse,
    call_imports_service_client::CallImportsServiceClient,
};

use crate::{
    client::{Core, said},
    imports::{UndoArgs, by, local, shown, shown_with_digest, who},
    out::say,
    values::decimal,
};

/// How many balances are shown where all is done; a dry run shows all that the core names.
const SHOWN: usize = 20;

pub(crate) fn print(out: &mut impl Write, import: &CallImport, zone: &TimeZone) -> io::Result<()> {
    let CallImport { id, actor_id, credential, address, .. } = import;
    let (when, by) = (local(import.created_at.as_ref(), zone), by(*actor_id, credential, address));
    writeln!(out, "{id} {when} calls {by}")?;
    let CallImport { received, stored, merged, duplicates, rejected, conflicts, .. } = import;
    writeln!(
        out,
        "  {received} calls: {stored} stored, {duplicates} duplicates, {merged} further attempts, {rejected} \
         rejected ({conflicts} conflicts, {} kept as unrated), {} not read; price {}, self-cost {}{}",
        import.unrated,
        import.not_read,
        decimal(import.price.as_ref()),
        decimal(import.self_cost.as_ref()),
        match import.state() {
            CallImportState::Running => " - still running, or its core was cut off",
            CallImportState::BrokenOff => " - broken off",
            _ => "",
        }
    )?;
    let CallFiles { name, size, sha256 } = import.files.clone().unwrap_or_default();
    match sha256.as_str() {
        "" => writeln!(out, "  {}", shown(&name))?,
        sha256 => writeln!(out, "  {}", shown_with_digest(&name, size, sha256))?,
    }
    let Some(undo) = &import.undo else { return Ok(()) };
    let (calls, unrated, who) = (undo.calls, undo.unrated_calls, who(undo.actor_id));
    match &undo.ended_at {
        Some(at) => writeln!(
            out,
            "  taken back on {} by {who}: {calls} calls, {unrated} unrated calls",
            local(Some(at), zone)
        ),
        None => writeln!(
            out,
            "  being taken back since {} by {who}: {calls} calls, {unrated} unrated calls so far; if that \
             was cut short, `tollbook import undo {}` goes on",
            local(undo.created_at.as_ref(), zone),
            import.id
        ),
    }
}

pub(crate) async fn undo(
    core: &Core,
    import: &CallImport,
    args: &UndoArgs,
) -> anyhow::Result<ExitCode> {
    let request =
        UndoCallImportRequest { id: Some(args.id), dry_run: args.dry_run, stop: args.stop };
    let answer = CallImportsServiceClient::new(core.clone()).undo_call_import(request).await;
    let answer = answer.map_err(said)?.into_inner();
    let all = whole(&answer, args.dry_run);
    say!(
        "import {} of calls, from {}: {} calls and {} unrated calls taken back; price {}, self-cost {}{}",
        args.id,
        shown(import.files.as_ref().map_or("", |files| &files.name)),
        all.calls,
        all.unrated_calls,
        decimal(all.price.as_ref()),
        decimal(all.self_cost.as_ref()),
        if args.dry_run { " - nothing was changed" } else { "" }
    )?;
    if (all.calls, all.unrated_calls) != (answer.calls, answer.unrated_calls) {
        say!(
            "  {} calls and {} unrated calls of these by this command, which the balances are of; the others \
             by one at the same time, or one that was cut short",
            answer.calls,
            answer.unrated_calls
        )?;
    }
    let shown = if args.dry_run { answer.balances.len() } else { SHOWN };
    for balance in answer.balances.iter().take(shown) {
        say!("  {}", told(balance))?;
    }
    let more = usize::try_from(answer.balances_changed)?;
    match more.checked_sub(shown.min(answer.balances.len())) {
        None | Some(0) => Ok(ExitCode::SUCCESS),
        Some(more) => {
            say!("  and {more} more users")?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What was taken back of an import by all who were at it.
fn whole(answer: &UndoCallImportResponse, dry_run: bool) -> CallImportUndo {
    let recorded = answer.call_import.as_ref().and_then(|import| import.undo.clone());
    recorded.filter(|_| !dry_run).unwrap_or_else(|| CallImportUndo {
        calls: answer.calls,
        unrated_calls: answer.unrated_calls,
        price: answer.price.clone(),
        self_cost: answer.self_cost.clone(),
        ..Default::default()
    })
}

/// What becomes of a balance.
fn told(balance: &CallImportBalance) -> String {
    let is_something = |amount: Option<&Decimal>| decimal(amount) != "0";
    let (price, self_cost) = (balance.price.as_ref(), balance.self_cost.as_ref());
    let mut parts = Vec::new();
    if is_something(price) {
        parts.push(format!("gets {} back", decimal(price)));
    }
    if is_something(self_cost) {
        parts.push(format!("loses {} of what it earned", decimal(self_cost)));
    }
    format!("{} (id {}) {}", balance.username, balance.user_id, parts.join(", and "))
}
