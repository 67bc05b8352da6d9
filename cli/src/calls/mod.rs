//! Calls: importing the files that switches write, rating stored ones again, those that could not be
//! billed, and making up traffic to try things with.

mod choices;
mod files;
pub(crate) mod flags;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod imports;
mod list;
pub(crate) mod rerate;
mod summary;
mod totals;
mod unrated;

use std::process::ExitCode;

use clap::Subcommand;

use crate::config::Config;

/// `tollbook calls …`.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List calls that are in the books
    List(list::Args),
    /// Calls that could not be billed: list them, count them, delete some
    Unrated(unrated::Args),
    /// What calls brought and cost, by customer, carrier or destination, as CSV
    Totals(totals::Args),
}

pub(crate) async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(args) => list::run(config, args).await.map(|()| ExitCode::SUCCESS),
        Command::Totals(args) => totals::run(config, args).await.map(|()| ExitCode::SUCCESS),
        Command::Unrated(args) => unrated::run(config, args).await,
    }
}

/// The columns of Tollbook's own files, and the names that a header may use. Times are in
/// RFC 3339 or as `2026-11-24 21:34:51`, durations in seconds.
const COLUMNS: [&str; 14] = [
    "call_id",
    "start_time",
    "answer_time",
    "end_time",
    "duration",
    "billsec",
    "disposition",
    "hangup_cause",
    "source",
    "destination",
    "originator",
    "terminator",
    "origination_point_id",
    "termination_point_id",
];
