//! `tollbook import rates`: a rate deck into a tariff, all or nothing.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::bail;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tollbook_proto::v1::{
    ImportRatesOptions, ImportRatesRequest, ImportRatesResponse, RateLines,
    import_rates_request::Part, tariffs_service_client::TariffsServiceClient,
};

use super::file::{Deck, Format};
use crate::{
    client::{connect, said},
    config::Config,
    out::say,
};

#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Args {
    /// The file: CSV in UTF-8, with a header or with --column
    file: PathBuf,
    /// The tariff's id
    #[arg(long)]
    tariff: i64,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete rates of prefixes that are not in the file
    #[arg(long)]
    delete_missing: bool,
    /// Import the good lines although there are bad ones
    #[arg(long)]
    skip_bad_lines: bool,
    /// Keep known names of destinations, whatever the file calls them
    #[arg(long)]
    keep_destinations: bool,
    /// The column separator [default: detected]
    #[arg(long)]
    delimiter: Option<char>,
    /// The decimal separator, . or , [default: detected]
    #[arg(long)]
    decimal: Option<char>,
    /// Where a column is, counted from 1, for example prefix=1; may be repeated
    #[arg(long = "column", value_name = "NAME=N", value_parser = column)]
    columns: Vec<(String, usize)>,
}

fn column(text: &str) -> Result<(String, usize), String> {
    let (name, position) = text.split_once('=').ok_or("a column is given as NAME=N")?;
    let position = position.parse().map_err(|_| format!("{position:?} is not a number"))?;
    Ok((name.to_owned(), position))
}

/// Lines per message.
const CHUNK: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let format =
        Format { delimiter: args.delimiter, decimal: args.decimal, columns: args.columns.clone() };
    let deck = Deck::open(&args.file, &format)?;
    let options = ImportRatesOptions {
        tariff_id: Some(args.tariff),
        dry_run: args.dry_run,
        delete_missing: args.delete_missing,
        skip_bad_lines: args.skip_bad_lines,
        use_destination_names: !args.keep_destinations,
    };
    let mut core = TariffsServiceClient::new(connect(config).await?);
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || read(deck, &sender));
    let first = ImportRatesRequest { part: Some(Part::Options(options)) };
    let lines =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let imported = core.import_rates(stream::iter([first]).chain(lines)).await;
    // A file that cannot be read to its end must not be imported up to there: the reader
    // sends a part that the core refuses.
    reading.await??;
    let report = imported.map_err(said)?.into_inner();
    print(&report, args)
}

/// Sends the file's lines, and shows on a terminal how far it is.
fn read(mut deck: Deck, sender: &mpsc::Sender<ImportRatesRequest>) -> anyhow::Result<()> {
    let progress = std::io::stderr().is_terminal();
    let mut read = 0;
    loop {
        let mut lines = Vec::with_capacity(CHUNK);
        while lines.len() < CHUNK {
            match deck.next() {
                Ok(Some(line)) => lines.push(line),
                Ok(None) => break,
                Err(error) => {
                    // Nobody receives where the core has refused already.
                    let _ = sender.blocking_send(ImportRatesRequest { part: None });
                    return Err(error);
                }
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        read += lines.len();
        if progress {
            let _ = write!(std::io::stderr(), "\r{read} lines");
        }
        let part = Some(Part::Lines(RateLines { lines }));
        if sender.blocking_send(ImportRatesRequest { part }).is_err() {
            return Ok(());
        }
    }
}

fn print(report: &ImportRatesResponse, args: &Args) -> anyhow::Result<ExitCode> {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    for line in &report.rejected_lines {
        say!("line {}: {}", line.number, line.reason)?;
    }
    say!(
        "{} lines: {} added, {} changed, {} unchanged, {} deleted, {} rejected{}",
        report.lines,
        report.added,
        report.changed,
        report.unchanged,
        report.deleted,
        report.rejected,
        if report.applied { "" } else { " - nothing was changed" }
    )?;
    if report.rejected > 0 && !args.skip_bad_lines && !args.dry_run {
        bail!("the file has bad lines: mend them, or import the rest with --skip-bad-lines");
    }
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
