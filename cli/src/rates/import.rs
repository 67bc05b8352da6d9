//! `tollbook import rates`: a rate deck into a tariff, all or nothing.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use futures_util::{StreamExt, stream};
use jiff::{Timestamp, tz::TimeZone};
use tokio::sync::mpsc;
use tollbook_import::{
    deck::{Deck, DeckItem, DeckLine, DeckOptions},
    profile::Steps,
    sources,
    table::Limits,
    values::{Days, Hours},
};
use tollbook_proto::v1::{
    GetSettingsRequest, ImportRatesOptions, ImportRatesRequest, ImportRatesResponse,
    ListTariffsRequest, RateLine, RateLines, RefusedLine, import_profile,
    import_rates_request::Part, settings_service_client::SettingsServiceClient,
    tariffs_service_client::TariffsServiceClient,
};

use super::flags::Flags;
use crate::{
    client::{Core, connect, said},
    config::Config,
    out::say,
    profiles,
    values::time_zone,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file: text, a workbook (XLSX, XLS, ODS), either packed by gzip or zip; - for standard input
    file: PathBuf,
    /// The tariff's id
    #[arg(long)]
    tariff: i64,
    #[command(flatten)]
    what: WhatArgs,
    #[command(flatten)]
    profile: profiles::UseArgs,
    #[command(flatten)]
    flags: Flags,
}

#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct WhatArgs {
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
}

/// Lines per message.
const CHUNK: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    if args.what.dry_run && args.profile.save_profile.is_some() {
        bail!("--save-profile saves what a deck was imported with: leave --dry-run out");
    }
    let core = connect(config).await?;
    let flags = match &args.profile.profile {
        Some(name) => args.flags.clone().over(profiles::of_rates(&core, name).await?),
        None => args.flags.clone(),
    };
    let options = DeckOptions {
        currency: Some(currency(&core, args.tariff).await?),
        time_zone: zone(&core).await?,
        limits: Limits::default(),
    };
    let sources = sources(&[&args.file])?;
    let [source] = sources.as_slice() else { bail!("a deck is one file") };
    let mut parts = source.parts(Limits::default())?;
    let part = parts.next().with_context(|| format!("nothing is in {}", source.name()))??;
    if parts.next().is_some() {
        bail!(
            "more than one table is in {}: unpack it, and import the one that is meant",
            source.name()
        );
    }
    let deck = Deck::open(part, &flags.profile(), options)?;
    let options = ImportRatesOptions {
        tariff_id: Some(args.tariff),
        dry_run: args.what.dry_run,
        delete_missing: args.what.delete_missing,
        skip_bad_lines: args.what.skip_bad_lines,
        use_destination_names: !args.what.keep_destinations,
    };
    let mut tariffs = TariffsServiceClient::new(core.clone());
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || Reader::new(sender).run(deck));
    let first = ImportRatesRequest { part: Some(Part::Options(options)) };
    let lines =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let imported = tariffs.import_rates(stream::iter([first]).chain(lines)).await;
    // A file that cannot be read to its end must not be imported up to there: the reader
    // sends a part that the core refuses.
    let remarks = reading.await??;
    let report = imported.map_err(said)?.into_inner();
    let done = print(&report, &remarks, args);
    if let Some(name) = args.profile.save_profile.as_ref().filter(|_| report.applied) {
        let contents = import_profile::Contents::Rates(flags.to_proto()?);
        profiles::save(&core, name, contents).await?;
    }
    done
}

/// The code of a tariff's currency.
async fn currency(core: &Core, tariff: i64) -> anyhow::Result<String> {
    let mut core = TariffsServiceClient::new(core.clone());
    let mut request = ListTariffsRequest { page_size: 1_000, page_token: String::new() };
    loop {
        let page = core.list_tariffs(request.clone()).await.map_err(said)?.into_inner();
        if let Some(tariff) = page.tariffs.into_iter().find(|known| known.id == tariff) {
            return Ok(tariff.currency);
        }
        if page.next_page_token.is_empty() {
            bail!("there is no tariff {tariff}");
        }
        request.page_token = page.next_page_token;
    }
}

/// The time zone of the settings.
async fn zone(core: &Core) -> anyhow::Result<TimeZone> {
    let mut core = SettingsServiceClient::new(core.clone());
    let settings = core.get_settings(GetSettingsRequest {}).await.map_err(said)?.into_inner();
    time_zone(&settings.settings.unwrap_or_default().time_zone)
}

/// Sends the lines of a deck, and shows on a terminal how far it is.
struct Reader {
    sender: mpsc::Sender<ImportRatesRequest>,
    read: usize,
    chunk: RateLines,
    now: Timestamp,
    /// From when which rates are, hashed; and those that end.
    starts: HashSet<u64>,
    ends: Vec<RateLine>,
    hasher: RandomState,
    remarks: Vec<(u64, String)>,
}

/// How many lines that hold no rate, or one that a person should look at, are shown.
const MAX_REMARKS: usize = 20;

impl Reader {
    fn new(sender: mpsc::Sender<ImportRatesRequest>) -> Self {
        Self {
            sender,
            read: 0,
            chunk: RateLines::default(),
            now: Timestamp::now(),
            starts: HashSet::new(),
            ends: Vec::new(),
            hasher: RandomState::new(),
            remarks: Vec::new(),
        }
    }

    /// Returns what a person should see.
    fn run(mut self, deck: Deck) -> anyhow::Result<Vec<(u64, String)>> {
        for item in deck {
            let goes_on = match item {
                Ok(DeckItem::Line(line)) => self.line(line),
                Ok(DeckItem::Refused { line, problem, prefixes }) => {
                    self.refuse(line, problem.to_string(), prefixes)
                }
                Ok(DeckItem::Idle { line, text, .. }) => {
                    self.remark(line, || format!("is no rate: {text}"));
                    true
                }
                Err(error) => {
                    // Nobody receives where the core has refused already.
                    let _ = self.sender.blocking_send(ImportRatesRequest { part: None });
                    return Err(error.into());
                }
            };
            if !goes_on {
                return Ok(self.remarks);
            }
        }
        for end in std::mem::take(&mut self.ends) {
            // Where the next rate begins there is nothing to end.
            if !self.starts.contains(&self.key(&end)) && !self.push(end) {
                return Ok(self.remarks);
            }
        }
        self.send();
        Ok(self.remarks)
    }

    fn key(&self, line: &RateLine) -> u64 {
        let RateLine { prefix, effective_from, start_time, day_type, .. } = line;
        self.hasher.hash_one((prefix, effective_from, start_time, day_type))
    }

    fn remark(&mut self, line: u64, text: impl FnOnce() -> String) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push((line, text()));
        }
    }

    /// Returns whether the core still listens.
    fn line(&mut self, line: DeckLine) -> bool {
        for note in &line.notes {
            self.remark(line.line, || format!("{}: {note}", line.prefix));
        }
        if line.steps == Steps::AfterMinimum {
            let problem = "steps that count from the end of the minimum time are not billed yet: say \
                           --steps zero if they count from the beginning of a call";
            return self.refuse(line.line, problem.to_owned(), vec![line.prefix]);
        }
        let until = line.effective_until;
        let line = rate_line(line, self.now);
        if let Some(until) = until {
            // The prefix is not offered from then on.
            let rate = "blocked".to_owned();
            self.ends.push(RateLine { rate, effective_from: until.to_string(), ..line.clone() });
        }
        let key = self.key(&line);
        self.starts.insert(key);
        self.push(line)
    }

    fn refuse(&mut self, line: u64, reason: String, prefixes: Vec<String>) -> bool {
        let number = i64::try_from(line).unwrap_or(i64::MAX);
        self.chunk.refused.push(RefusedLine { number, reason, prefixes });
        self.chunk.refused.len() < CHUNK || self.send()
    }

    fn push(&mut self, line: RateLine) -> bool {
        self.chunk.lines.push(line);
        self.chunk.lines.len() < CHUNK || self.send()
    }

    fn send(&mut self) -> bool {
        let lines = std::mem::take(&mut self.chunk);
        self.read += lines.lines.len() + lines.refused.len();
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r{} lines", self.read);
        }
        let part = Some(Part::Lines(lines));
        self.sender.blocking_send(ImportRatesRequest { part }).is_ok()
    }
}

/// A line as the core takes it.
pub(crate) fn rate_line(line: DeckLine, now: Timestamp) -> RateLine {
    let blocked = line.blocked || line.closed;
    let text = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let time = |part: jiff::civil::Time| part.strftime("%H:%M:%S").to_string();
    let effective_from = line.effective_from.or_else(|| line.closed.then_some(now));
    let (start_time, end_time) = match line.hours {
        Hours::DAY => (String::new(), String::new()),
        Hours { from, to } => (time(from), time(to)),
    };
    RateLine {
        number: i64::try_from(line.line).unwrap_or(i64::MAX),
        prefix: line.prefix,
        destination: line.destination,
        rate: match line.rate {
            Some(rate) if !line.closed => rate.to_string(),
            _ => "blocked".to_owned(),
        },
        connection_fee: line.connection_fee.map(|fee| fee.to_string()).unwrap_or_default(),
        increment: text(line.increment),
        min_time: text(line.minimum),
        effective_from: effective_from.map(|from| from.to_string()).unwrap_or_default(),
        start_time,
        end_time,
        day_type: match line.days {
            Days::All => "",
            Days::Work => "WD",
            Days::Free => "FD",
        }
        .to_owned(),
        blocked: if blocked { "blocked" } else { "" }.to_owned(),
    }
}

fn print(
    report: &ImportRatesResponse,
    remarks: &[(u64, String)],
    args: &Args,
) -> anyhow::Result<ExitCode> {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    for (line, remark) in remarks {
        say!("line {line} {remark}")?;
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
    if report.rejected > 0 && !args.what.skip_bad_lines && !args.what.dry_run {
        bail!("the file has bad lines: mend them, or import the rest with --skip-bad-lines");
    }
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
