//! `tollbook import rates`: a rate deck into a tariff, all or nothing.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::bail;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tollbook_import::{
    Error, Profile, Source,
    deck::{Deck, DeckItem, DeckLine, DeckOptions, Note},
    profile::Steps,
    sources,
    table::{ColumnRef, Limits, Parts},
    values::{Days, Hours},
};
use tollbook_proto::v1::{
    ImportRatesOptions, ImportRatesRequest, ImportRatesResponse, RateFile, RateLine, RateLines,
    RefusedLine, import_profile, import_rates_request::Part,
    tariffs_service_client::TariffsServiceClient,
};

use super::{
    answers::Answers,
    file::{Digest, names_of},
    flags::Flags,
    imports::{hint_of_past, on},
    listing,
    report::Report,
    report_file::ReportFile,
    tariff::name_tariff,
};
use crate::{
    client::{Core, connect, said, settings},
    config::Config,
    out::say,
    parties, profiles,
    values::time_zone,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files: text or workbooks (XLSX, XLS, ODS), plain or packed by gzip or zip; directories, for the
    /// files in them; - for standard input. All of them together are one deck
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The tariff: its name or id (`#7` where a name reads like that, too)
    #[arg(long, value_name = "TARIFF")]
    tariff: String,
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
    /// End prefixes that are in none of the files: from the first date to come in the files on, or at
    /// once where a line has no date
    #[arg(long)]
    delete_missing: bool,
    /// Remove rates of the files' prefixes that count later than those of the files; else they stay
    #[arg(long)]
    replace_later: bool,
    /// Import the good lines although there are bad ones
    #[arg(long)]
    skip_bad_lines: bool,
    /// Call destinations as the file does, in all tariffs; else known names stay
    #[arg(long)]
    rename_destinations: bool,
    /// Write what becomes of prices into this file, as a page of HTML; it must not exist
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write all changes into this file, as CSV; it must not exist
    #[arg(long, value_name = "FILE")]
    changes: Option<PathBuf>,
    /// With --changes: write texts as they are, also those that a spreadsheet program would calculate; without
    /// it such a cell has an apostrophe before it
    #[arg(long, requires = "changes")]
    raw: bool,
    /// How many of the largest raises and drops a dry run and a report show, at most 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 20,
        value_parser = clap::value_parser!(i32).range(0..=1_000))]
    largest: i32,
}

impl Args {
    /// What the core is told.
    fn options(&self, tariff: i64) -> ImportRatesOptions {
        let what = &self.what;
        let listed_changes = match (&what.changes, &what.report) {
            (Some(_), _) => listing::ALL,
            (None, Some(_)) => listing::ON_PAGE,
            (None, None) if what.dry_run => listing::ON_SCREEN,
            (None, None) => 0,
        };
        let shows_changes = what.dry_run || what.report.is_some();
        ImportRatesOptions {
            tariff_id: Some(tariff),
            dry_run: what.dry_run,
            delete_missing: what.delete_missing,
            skip_bad_lines: what.skip_bad_lines,
            use_destination_names: what.rename_destinations,
            // A real import names the largest raise and drop, too.
            largest_changes: Some(if shows_changes { what.largest } else { 1 }),
            replace_later: what.replace_later,
            listed_changes,
        }
    }
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
    let all = parties::tariffs::all(&core).await?;
    let tariff = parties::tariffs::among(&all, &args.tariff)?;
    let currency = tariff.currency.clone();
    let zone = time_zone(&settings(&core).await?.time_zone)?;
    let deck_options = DeckOptions {
        currency: Some(currency.clone()),
        time_zone: zone.clone(),
        limits: Limits::default(),
    };
    let (sources, passed_over) = sources(&args.files)?;
    for what in passed_over {
        eprintln!("{what}");
    }
    if sources.is_empty() {
        bail!("no file is in the directory");
    }
    let report_file = args.what.report.as_deref().map(ReportFile::create).transpose()?;
    let changes_file = args.what.changes.as_deref().map(ReportFile::create).transpose()?;
    // All changes of a large deck are a long answer.
    let mut tariffs = TariffsServiceClient::new(core.clone()).max_decoding_message_size(usize::MAX);
    let (read, imported) =
        send(&mut tariffs, sources, flags.profile(), deck_options, args.options(tariff.id)).await?;
    let report = Report {
        tariff: tariff.id,
        currency,
        zone,
        files: &read.files,
        replaces_later: args.what.replace_later,
        deletes_missing: args.what.delete_missing,
        imported: &imported,
    };
    if let Some(file) = report_file {
        file.finish(&report.html())?;
    }
    if let Some(file) = changes_file {
        file.finish(&report.csv(args.what.raw)?)?;
    }
    name_tariff(&mut tariffs, &tariff, all, &read.sha256).await?;
    let done = print(&report, &read, args);
    if let Some(name) = args.profile.save_profile.as_ref().filter(|_| imported.applied) {
        let flags = flags.with_places(&read.places);
        let contents = import_profile::Contents::Rates(flags.to_proto()?);
        profiles::save(&core, name, contents).await?;
    }
    done
}

/// Reads the files, and sends what is in them.
async fn send(
    tariffs: &mut TariffsServiceClient<Core>,
    sources: Vec<Source>,
    profile: Profile,
    deck_options: DeckOptions,
    options: ImportRatesOptions,
) -> anyhow::Result<(Read, ImportRatesResponse)> {
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || {
        Reader::new(sender).run(&sources, &profile, &deck_options)
    });
    let first = ImportRatesRequest { part: Some(Part::Options(options)) };
    let lines =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let imported = tariffs.import_rates(stream::iter([first]).chain(lines)).await;
    // A file that cannot be read to its end must not be imported up to there: the reader
    // sends a part that the core refuses.
    let read = reading.await??;
    let imported = imported.map_err(said)?.into_inner();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    Ok((read, imported))
}

/// Sends the lines of a deck, and shows on a terminal how far it is.
struct Reader {
    sender: mpsc::Sender<ImportRatesRequest>,
    read: usize,
    chunk: RateLines,
    now: Timestamp,
    /// From when which rates are, hashed; and those that end, each with its file.
    starts: HashSet<u64>,
    ends: Vec<(usize, RateLine)>,
    hasher: RandomState,
    /// The names of the files that were read, of which an archive has several.
    files: Vec<String>,
    remarks: Vec<Remark>,
    /// Lines whose prefix begins with 0: the first of them, and how many there are.
    with_zero: (Vec<u64>, usize),
    notes: Vec<String>,
    answers: Answers,
    places: Option<Vec<(String, ColumnRef)>>,
}

/// What a person should see: a file, a line, and what is with it.
type Remark = (usize, u64, String);

/// What is known of the files when they have been read.
struct Read {
    files: Vec<String>,
    remarks: Vec<Remark>,
    /// What was found out of each file as a whole.
    notes: Vec<String>,
    /// What would answer the lines that are refused.
    answers: Answers,
    /// Where the columns were found, those that are alike in all files.
    places: Vec<(String, ColumnRef)>,
    /// The digest of the files; empty if the core did not want to know it.
    sha256: String,
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
            files: Vec::new(),
            remarks: Vec::new(),
            with_zero: (Vec::new(), 0),
            notes: Vec::new(),
            answers: Answers::default(),
            places: None,
        }
    }

    /// Reads files one after the other: all of them together are one deck.
    fn run(
        mut self,
        sources: &[Source],
        profile: &Profile,
        options: &DeckOptions,
    ) -> anyhow::Result<Read> {
        let mut sha256 = String::new();
        match self.read_all(sources, profile, options) {
            Ok(Some(file)) => {
                sha256.clone_from(&file.sha256);
                // The answer says why nobody receives it.
                let part = Some(Part::File(file));
                let _ = self.sender.blocking_send(ImportRatesRequest { part });
            }
            Ok(None) => {}
            Err(error) => {
                // Nobody receives where the core has refused already.
                let _ = self.sender.blocking_send(ImportRatesRequest { part: None });
                return Err(error);
            }
        }
        let Self { files, remarks, notes, answers, places, .. } = self;
        let places = places.unwrap_or_default();
        Ok(Read { files, remarks, notes, answers, places, sha256 })
    }

    /// Returns what is known of the files; `None` where the core does not listen any more.
    fn read_all(
        &mut self,
        sources: &[Source],
        profile: &Profile,
        options: &DeckOptions,
    ) -> anyhow::Result<Option<RateFile>> {
        let digest = Digest::default();
        for source in sources {
            let before = self.files.len();
            digest.open(source.open()?);
            let reader = Box::new(digest.clone());
            let mut parts = Parts::new(source.name(), reader, Limits::default())?;
            while let Some(part) = parts.next() {
                parts.take_passed_over().iter().for_each(|what| eprintln!("{what}"));
                let part = part?;
                let name = part.name().to_owned();
                let deck = Deck::open(part, profile, options.clone());
                let mut deck = deck.map_err(|error| named(error, &name))?;
                let places =
                    deck.columns().places().map(|(field, place)| (field.to_owned(), place));
                let places: Vec<_> = places.collect();
                match &mut self.places {
                    Some(known) => known.retain(|place| places.contains(place)),
                    None => self.places = Some(places),
                }
                self.files.push(name);
                self.go_to(self.files.len() - 1);
                while let Some(item) = deck.next() {
                    let item =
                        item.map_err(|error| named(error, &self.files[self.files.len() - 1]))?;
                    if !self.take(item, &deck) {
                        return Ok(None);
                    }
                }
                let name = &self.files[self.files.len() - 1];
                self.notes.extend(deck.remarks().iter().map(|remark| format!("{name}: {remark}")));
                let with_zero = std::mem::take(&mut self.with_zero);
                self.notes.extend(note_of_zeros(name, &with_zero));
            }
            parts.take_passed_over().iter().for_each(|what| eprintln!("{what}"));
            if self.files.len() == before {
                bail!("nothing is in {}", source.name());
            }
            digest.read_to_end()?;
        }
        for (file, end) in std::mem::take(&mut self.ends) {
            self.go_to(file);
            // Where the next rate begins there is nothing to end.
            if !self.starts.contains(&self.key(&end)) && !self.push(end) {
                return Ok(None);
            }
        }
        if self.read + self.chunk.lines.len() + self.chunk.refused.len() == 0 {
            bail!("no line with a rate is in {}", self.files.join(", "));
        }
        let file = digest.finish(names_of(sources));
        Ok(self.send().then_some(file))
    }

    /// What follows is of this file.
    fn go_to(&mut self, file: usize) {
        let name = &self.files[file];
        if self.chunk.file != *name {
            let next = RateLines { file: name.clone(), ..RateLines::default() };
            if self.chunk.lines.len() + self.chunk.refused.len() > 0 {
                self.send();
            }
            self.chunk = next;
        }
    }

    /// Returns whether the core still listens.
    fn take(&mut self, item: DeckItem, deck: &Deck) -> bool {
        match item {
            DeckItem::Line(line) => self.line(line),
            DeckItem::Refused { line, problem, prefixes } => {
                self.answers.add(deck.answer(&problem));
                self.refuse(line, problem.to_string(), prefixes)
            }
            DeckItem::Idle { line, text, .. } => {
                self.remark(line, || format!("is no rate: {text}"));
                true
            }
        }
    }

    fn key(&self, line: &RateLine) -> u64 {
        let RateLine { prefix, effective_from, start_time, day_type, .. } = line;
        self.hasher.hash_one((prefix, effective_from, start_time, day_type))
    }

    fn remark(&mut self, line: u64, text: impl FnOnce() -> String) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push((self.files.len() - 1, line, text()));
        }
    }

    /// Returns whether the core still listens.
    fn line(&mut self, line: DeckLine) -> bool {
        for note in &line.notes {
            if *note == Note::LeadingZero {
                self.with_zero.1 += 1;
                if self.with_zero.0.len() < MAX_REMARKS {
                    self.with_zero.0.push(line.line);
                }
                continue;
            }
            self.remark(line.line, || format!("{}: {note}", line.prefix));
        }
        let until = line.effective_until;
        let line = rate_line(line, self.now);
        if let Some(until) = until {
            // The prefix is not offered from then on.
            let rate = "blocked".to_owned();
            let end = RateLine { rate, effective_from: until.to_string(), ..line.clone() };
            self.ends.push((self.files.len() - 1, end));
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
        let next = RateLines { file: self.chunk.file.clone(), ..RateLines::default() };
        let lines = std::mem::replace(&mut self.chunk, next);
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
            None if line.ended => "0".to_owned(),
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
        blocked: match (blocked, line.ended) {
            (true, _) => "blocked",
            (false, true) => "ended",
            (false, false) => "",
        }
        .to_owned(),
        steps: match line.steps {
            Steps::FromZero => "zero",
            Steps::AfterMinimum => "minimum",
        }
        .to_owned(),
    }
}

/// What is wrong with a file, with its name.
fn named(error: Error, name: &str) -> anyhow::Error {
    match error {
        Error::Columns(_) | Error::Profile(_) | Error::Lines { .. } | Error::Several(_) => {
            anyhow::Error::new(error).context(name.to_owned())
        }
        error => error.into(),
    }
}

/// What is said of the lines of a file whose prefixes begin with 0: the first ones, and how many there are.
fn note_of_zeros(file: &str, (lines, count): &(Vec<u64>, usize)) -> Option<String> {
    let more = if *count > lines.len() { ", …" } else { "" };
    let which = lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let what = match count {
        0 => return None,
        1 => "1 rate is for a prefix or area code that begins".to_owned(),
        count => format!("{count} rates are for prefixes or area codes that begin"),
    };
    Some(format!(
        "warning: {file}: {what} with 0 (line {which}{more}): numbers called come without it, with their \
         country code, so that such a rate counts for no call"
    ))
}

fn print(report: &Report<'_>, read: &Read, args: &Args) -> anyhow::Result<ExitCode> {
    for (file, line, remark) in &read.remarks {
        say!("{} {remark}", report.place(&report.files[*file], line))?;
    }
    for line in &report.imported.rejected_lines {
        say!("{}: {}", report.place(&line.file, &line.number), line.reason)?;
    }
    for answer in read.answers.texts() {
        say!("{answer}")?;
    }
    if args.what.dry_run {
        say!("{}", report.text())?;
    } else if let Some(line) = report.line() {
        say!("{line}")?;
    }
    for note in &read.notes {
        say!("{note}")?;
    }
    for note in report.notes() {
        say!("{note}")?;
    }
    let (tariff, report) = (report.tariff, report.imported);
    if report.destination_names_kept > 0 {
        say!(
            "{} destinations keep the names they have, of which the file has others: \
             --rename-destinations takes these, in all tariffs",
            report.destination_names_kept
        )?;
    }
    if let Some(earlier) = &report.earlier {
        say!("warning: this file was imported on {} (import {})", on(earlier), earlier.id)?;
    }
    say!(
        "{} lines: {} added, {} changed, {} unchanged, {} deleted, {} rejected{}{}",
        report.lines,
        report.added,
        report.changed,
        report.unchanged,
        report.deleted,
        report.rejected,
        if report.applied { "" } else { " - nothing was changed" },
        report.import_id.map(|id| format!("; import {id}")).unwrap_or_default()
    )?;
    if report.applied {
        hint_of_past(report, tariff)?;
    }
    if report.rejected > 0 && !args.what.skip_bad_lines && !args.what.dry_run {
        bail!("the file has bad lines: mend them, or import the rest with --skip-bad-lines");
    }
    Ok(if report.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
