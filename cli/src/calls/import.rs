//! `tollbook import calls`: the calls of a switch's file into the books.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use futures_util::stream;
use tokio::sync::mpsc;
use tollbook_proto::v1::{
    IngestCallsRequest, IngestCallsResponse, calls_service_client::CallsServiceClient,
};

use super::file::{CallFile, Format, Options};
use crate::{
    client::{connect, said},
    config::Config,
    values::{decimal, time_zone},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file
    file: PathBuf,
    /// Who wrote it [default: detected]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The time zone of times that say none
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// Login name of the terminator of calls that name none
    #[arg(long, default_value = "")]
    terminator: String,
    /// Asterisk: the terminator's login name is the peer in the channel that a call went to
    #[arg(long)]
    terminator_from_channel: bool,
}

/// Calls per message.
const CHUNK: usize = 500;
/// How many bad lines are described.
const MAX_BAD_LINES: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let options = Options {
        format: args.format,
        zone: time_zone(&args.time_zone)?,
        terminator: args.terminator.clone(),
        terminator_from_channel: args.terminator_from_channel,
    };
    let file = CallFile::open(&args.file, options)?;
    let mut core = CallsServiceClient::new(connect(config).await?);
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || read(file, &sender));
    let calls =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let taken = core.ingest_calls(calls).await;
    let (lines, broken) = reading.await?;
    let report = taken.map_err(said)?.into_inner();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let rejected = print(&report, &lines)?;
    match broken {
        Some(error) => Err(error.context("the calls before the fault are in the books")),
        None if rejected => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Which lines the calls that were sent came from, and the lines that hold none.
#[derive(Default)]
struct Lines {
    sent: Vec<u32>,
    bad: Vec<(u64, String)>,
    bad_count: usize,
}

/// Sends the file's calls, and shows on a terminal how far it is. Returns also why it could
/// not be read to its end.
fn read(
    mut file: CallFile,
    sender: &mpsc::Sender<IngestCallsRequest>,
) -> (Lines, Option<anyhow::Error>) {
    let progress = std::io::stderr().is_terminal();
    let mut lines = Lines::default();
    loop {
        let mut calls = Vec::with_capacity(CHUNK);
        let mut broken = None;
        while calls.len() < CHUNK {
            match file.next() {
                Ok(Some((line, Ok(call)))) => {
                    lines.sent.push(u32::try_from(line).unwrap_or(u32::MAX));
                    calls.push(call);
                }
                Ok(Some((line, Err(problem)))) => {
                    lines.bad_count += 1;
                    if lines.bad.len() < MAX_BAD_LINES {
                        lines.bad.push((line, problem));
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    broken = Some(error);
                    break;
                }
            }
        }
        let last = calls.len() < CHUNK;
        if progress {
            let _ = write!(std::io::stderr(), "\r{} calls", lines.sent.len());
        }
        if sender.blocking_send(IngestCallsRequest { calls }).is_err() || last {
            return (lines, broken);
        }
    }
}

/// Returns whether calls were rejected.
fn print(report: &IngestCallsResponse, lines: &Lines) -> anyhow::Result<bool> {
    let mut rejected: Vec<(u64, String)> = lines.bad.clone();
    for call in &report.rejected_calls {
        let position = usize::try_from(call.position - 1)?;
        let line = lines.sent.get(position).copied().unwrap_or_default();
        rejected.push((line.into(), format!("{} (call {})", call.message, call.call_id)));
    }
    rejected.sort();
    for (line, problem) in &rejected {
        println!("line {line}: {problem}");
    }
    let count = lines.bad_count + usize::try_from(report.rejected)?;
    println!(
        "{} calls: {} stored, {} duplicates, {count} rejected; price {}, self-cost {}",
        lines.sent.len() + lines.bad_count,
        report.stored,
        report.duplicates,
        decimal(report.price.as_ref()),
        decimal(report.self_cost.as_ref()),
    );
    Ok(count > 0)
}
