//! Imports of calls: how they are shown, and how one is taken back.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::Timestamp;
use tollbook_proto::v1::{
    CallImport, CallImportBalance, CallImportState, Decimal, UndoCallImportRequest,
    call_imports_service_client::CallImportsServiceClient,
};

use crate::{
    client::{Core, said},
    imports::UndoArgs,
    out::say,
    values::decimal,
};

/// How many balances are shown where all is done; a dry run shows all that the core names.
const SHOWN: usize = 20;

fn time(time: Option<&prost_types::Timestamp>) -> Timestamp {
    Timestamp::from_second(time.map_or(0, |time| time.seconds)).unwrap_or_default()
}

/// The names of the files.
fn files(import: &CallImport) -> &str {
    let name = import.files.as_ref().map_or("", |files| &files.name);
    if name.is_empty() { "standard input" } else { name }
}

pub(crate) fn print(out: &mut impl Write, import: &CallImport) -> io::Result<()> {
    let user = |id: Option<i64>| id.map_or("nobody".to_owned(), |id| format!("user {id}"));
    let CallImport { id, credential, address, .. } = import;
    let (who, when) = (user(import.actor_id), time(import.created_at.as_ref()));
    let from = if address.is_empty() { "this machine" } else { address };
    writeln!(out, "{id} {when} calls by {who} ({credential}) from {from}")?;
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
    let known = import.files.as_ref().filter(|files| !files.sha256.is_empty());
    let digest = known.map(|files| {
        let size = files.size.map(|size| format!(", {size} bytes")).unwrap_or_default();
        format!("{size}, SHA-256 {}", files.sha256)
    });
    writeln!(out, "  {}{}", files(import), digest.unwrap_or_default())?;
    let Some(undo) = &import.undo else { return Ok(()) };
    let (calls, unrated, who) = (undo.calls, undo.unrated_calls, user(undo.actor_id));
    match &undo.ended_at {
        Some(at) => writeln!(
            out,
            "  taken back on {} by {who}: {calls} calls, {unrated} unrated calls",
            time(Some(at))
        ),
        None => writeln!(
            out,
            "  being taken back since {} by {who}: {calls} calls, {unrated} unrated calls so far; if that \
             was cut short, `tollbook import undo {}` goes on",
            time(undo.created_at.as_ref()),
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
    say!(
        "import {} of calls, from {}: {} calls and {} unrated calls taken back; price {}, self-cost {}{}",
        args.id,
        files(import),
        answer.calls,
        answer.unrated_calls,
        decimal(answer.price.as_ref()),
        decimal(answer.self_cost.as_ref()),
        if args.dry_run { " - nothing was changed" } else { "" }
    )?;
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
