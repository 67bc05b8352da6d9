//! `tollbook import calls`: the calls of switches' files into the books.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, bail};
use futures_util::stream;
use jiff::{Timestamp, tz::TimeZone};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tollbook_import::calls::{
    Call, CallFile, CallItem, CallOptions, Dialogs, Disposition, Format, LeftOut, Legs, Problem,
};
use tollbook_proto::v1::{
    self as pb, CallImportEnd, CallImportStart, CallRecord, IngestCallsRequest, RateFile,
    calls_service_client::CallsServiceClient, import_profile,
};

use super::{
    files::{Excluded, Input, look_at, open_all},
    flags::Flags,
    summary::{Summary, Zone},
};
use crate::{
    client::{connect, said, settings},
    config::Config,
    out::say,
    profiles,
    rates::file::Digest,
    values::{time_zone, timestamp},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files: text or workbooks, plain or packed by gzip or zip; directories, for the files in them; -
    /// for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave out files with such a name, in which * stands for any text and ? for a character, for
    /// example '*.log'; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Give calls of Asterisk's without a uniqueid an id that is made of when they began, of their channel and
    /// of the number called: two calls that have all of these in common are then taken for one
    #[arg(long)]
    make_call_ids: bool,
    #[command(flatten)]
    profile: profiles::UseArgs,
    #[command(flatten)]
    flags: Flags,
}

/// Up to so many digits have extensions and services, and no number of a country with its code.
pub(super) const SHORT: usize = 5;

/// Calls per message.
const CHUNK: usize = 500;
/// How many bad lines are described.
const MAX_BAD_LINES: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    if args.dry_run && args.profile.save_profile.is_some() {
        bail!("--save-profile saves what calls were imported with: leave --dry-run out");
    }
    let core = connect(config).await?;
    let flags = match &args.profile.profile {
        Some(name) => args.flags.clone().over(profiles::of_calls(&core, name).await?),
        None => args.flags.clone(),
    };
    let settings = settings(&core).await;
    let (zone, of_settings) = match (flags.zone(), &settings) {
        (Some(name), _) if args.flags.zone().is_some() => (Zone::Said(name.to_owned()), None),
        (Some(name), _) => (Zone::OfProfile(name.to_owned()), None),
        (None, Ok(settings)) => {
            (Zone::OfSettings(settings.time_zone.clone()), Some(time_zone(&settings.time_zone)?))
        }
        (None, Err(error)) => {
            bail!(
                "the time zone of the settings is not to be had, say one by --time-zone: {error:#}"
            )
        }
    };
    let options = CallOptions {
        make_ids: args.make_call_ids,
        ..flags.options(of_settings.unwrap_or(TimeZone::UTC))?
    };
    let excluded = Excluded::new(&args.exclude);
    let (inputs, name) = look_at(&args.files, &excluded, &options)?;
    let start = (!args.dry_run).then(|| start(name, &flags, &zone)).transpose()?;
    let mut service = CallsServiceClient::new(core.clone());
    let (sender, receiver) = mpsc::channel(4);
    let mut reader = Reader::new(inputs, excluded, options, start);
    let reading = tokio::task::spawn_blocking(move || {
        let broken = reader.run(&sender).err();
        (reader, broken)
    });
    let calls =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let taken = service.ingest_calls(calls).await;
    let (reader, broken) = reading.await?;
    let report = taken.map_err(said)?.into_inner();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let currency = settings.map(|settings| settings.currency).unwrap_or_default();
    let (dry_run, says_shortest) = (args.dry_run, flags.says_shortest());
    let summary =
        Summary { read: &reader.read, report: &report, zone, currency, dry_run, says_shortest };
    let rejected = summary.print()?;
    let understood = broken.is_none() && report.stored + report.duplicates + report.merged > 0;
    if let Some(name) = args.profile.save_profile.as_ref().filter(|_| understood) {
        if flags.takes_lone_legs() {
            say!("--take-lone-legs is not kept in the profile: it is given with each import")?;
        }
        let flags = flags.kept().with_format(reader.format());
        let contents = import_profile::Contents::Calls(flags.to_proto()?);
        profiles::save(&core, name, contents).await?;
    }
    match broken {
        Some(error) if args.dry_run => Err(error),
        Some(error) => Err(error.context("the calls before the fault are in the books")),
        None if rejected => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// What is recorded of an import before its first call.
fn start(name: String, flags: &Flags, zone: &Zone) -> anyhow::Result<CallImportStart> {
    let options = flags.to_proto()?;
    let options = pb::CallFileProfile { time_zone: zone.name().to_owned(), ..options };
    Ok(CallImportStart { name, options: Some(options) })
}

/// What is known of the files and their records when they have been read.
#[derive(Default)]
pub(super) struct Read {
    /// The names of the files that were read, of which an archive has several.
    pub(super) files: Vec<String>,
    /// Those in which there is nothing, and those without a record.
    pub(super) empty: Vec<usize>,
    pub(super) without_records: Vec<usize>,
    /// The file and line of each call that was sent.
    pub(super) sent: Vec<(u32, u32)>,
    /// Those of records that are refused, and why.
    pub(super) bad: Vec<((u32, u32), String)>,
    pub(super) bad_count: usize,
    /// How many of them have no id of Asterisk's, of which only the first is among these.
    pub(super) without_id: usize,
    /// When the first and the last of the calls that were sent began.
    pub(super) from: Option<Timestamp>,
    pub(super) till: Option<Timestamp>,
    /// Whether times did not say in which zone they are.
    pub(super) needed_zone: bool,
    /// How many calls began in an hour that comes twice, and may have begun in the other.
    pub(super) guessed_hours: usize,
    pub(super) left_out: LeftOut,
    /// How many calls to each internal number were left out.
    pub(super) internal: BTreeMap<String, usize>,
    /// Answered calls to numbers that are as short as those within a switch: which of the calls that were
    /// sent, from 1, and the number.
    pub(super) to_short: Vec<(usize, String)>,
    /// How many calls have one party on both sides.
    pub(super) to_themselves: usize,
}

/// Reads files one after the other, and keeps whence each call came.
struct Reader {
    inputs: Vec<Input>,
    excluded: Excluded,
    options: CallOptions,
    dry_run: bool,
    /// What is recorded of the import, until it was sent.
    start: Option<CallImportStart>,
    /// What is known of each source that was read.
    sources: Vec<RateFile>,
    read: Read,
    legs: Legs,
    chunk: Vec<CallRecord>,
    /// In which formats the files are.
    formats: Vec<Format>,
}

type Sender = mpsc::Sender<IngestCallsRequest>;

impl Reader {
    /// Without a `start` it is a dry run.
    fn new(
        inputs: Vec<Input>,
        excluded: Excluded,
        options: CallOptions,
        start: Option<CallImportStart>,
    ) -> Self {
        let (read, legs) = (Read::default(), Legs::default());
        let (chunk, formats) = (Vec::with_capacity(CHUNK), Vec::new());
        let (dry_run, sources) = (start.is_none(), Vec::new());
        Self { inputs, excluded, options, dry_run, start, sources, read, legs, chunk, formats }
    }

    /// The format of all files; `None` if they have several.
    fn format(&self) -> Option<Format> {
        match self.formats[..] {
            [format] => Some(format),
            _ => None,
        }
    }

    /// Sends all calls, those before a fault as well, and shows on a terminal how far it is.
    fn run(&mut self, sender: &Sender) -> anyhow::Result<()> {
        let done = self.read(sender);
        let (waited, left_out) = std::mem::take(&mut self.legs).finish(&self.options);
        self.read.left_out = left_out;
        for (file, item) in waited {
            self.put(file, item, sender);
        }
        let end = done.is_ok().then(|| self.end());
        self.send_with(end, sender);
        done
    }

    /// What is known of an import when all of its files were read.
    fn end(&self) -> CallImportEnd {
        let sha256 = match &self.sources[..] {
            [one] => one.sha256.clone(),
            several => {
                let mut all = Sha256::new();
                for one in several {
                    all.update(format!("{}\n", one.sha256));
                }
                hex::encode(all.finalize())
            }
        };
        let size = self.sources.iter().filter_map(|source| source.size).sum();
        let not_read = i64::try_from(self.read.bad_count).unwrap_or(i64::MAX);
        CallImportEnd { sha256, size: Some(size), not_read }
    }

    fn read(&mut self, sender: &Sender) -> anyhow::Result<()> {
        let mut dialogs = Dialogs::default();
        // Which files are among those whose dialogs go on.
        let mut with_dialogs = Vec::new();
        let (excluded, options) = (self.excluded.clone(), self.options.clone());
        for input in std::mem::take(&mut self.inputs) {
            let (opened, source, digest) = match input {
                Input::Open(files, digest) => (files, None, digest),
                Input::Again(source) => (Vec::new(), Some(source), Digest::default()),
            };
            let again = source.map(|source| open_all(&source, &excluded, &options, &digest));
            let again = again.transpose()?.into_iter().flatten();
            for file in opened.into_iter().map(Ok).chain(again) {
                let (name, file) = file?;
                if file.format() == Format::KamailioAcc {
                    with_dialogs.push(self.read.files.len());
                }
                let Some(open) = self.read_file(&name, file.with_dialogs(dialogs), sender)? else {
                    return Ok(());
                };
                dialogs = open;
            }
            self.sources.push(digest.finish(String::new()));
        }
        for (number, item) in dialogs.finish(&options) {
            let file = with_dialogs.get(number).copied().unwrap_or_default();
            if !self.put(file, item, sender) {
                break;
            }
        }
        Ok(())
    }

    /// Returns the dialogs so far; `None` where the core does not listen any more.
    fn read_file(
        &mut self,
        name: &str,
        mut file: CallFile,
        sender: &Sender,
    ) -> anyhow::Result<Option<Dialogs>> {
        let number = self.read.files.len();
        self.read.files.push(name.to_owned());
        let (has_legs, pairs) = (file.format().has_legs(), file.format() == Format::KamailioAcc);
        if !self.formats.contains(&file.format()) {
            self.formats.push(file.format());
        }
        let mut has_records = pairs;
        while let Some(item) = file.next_item().with_context(|| name.to_owned())? {
            has_records = has_records || item != CallItem::Idle;
            let listens = match has_legs {
                true => self.leg(number, item, sender),
                false => self.put(number, item, sender),
            };
            if !listens {
                return Ok(None);
            }
        }
        if file.is_empty() {
            self.read.empty.push(number);
        } else if !has_records {
            self.read.without_records.push(number);
        }
        Ok(Some(file.into_dialogs()))
    }

    /// Takes what may be one leg of a call of two. Returns whether the core still listens.
    fn leg(&mut self, file: usize, item: CallItem, sender: &Sender) -> bool {
        match item {
            CallItem::Call(call) => match self.legs.take(file, call) {
                Some(call) => self.put(file, CallItem::Call(call), sender),
                None => !sender.is_closed(),
            },
            item => self.put(file, item, sender),
        }
    }

    /// Returns whether the core still listens.
    fn put(&mut self, file: usize, item: CallItem, sender: &Sender) -> bool {
        let place = |line: u64| {
            (u32::try_from(file).unwrap_or(u32::MAX), u32::try_from(line).unwrap_or(u32::MAX))
        };
        let read = &mut self.read;
        match item {
            CallItem::Call(call) => {
                read.sent.push(place(call.span.first));
                let start = call.start_time;
                read.from = Some(read.from.map_or(start, |from| from.min(start)));
                read.till = Some(read.till.map_or(start, |till| till.max(start)));
                read.needed_zone |= !call.zone_said;
                read.guessed_hours += usize::from(call.guessed_hour);
                let number = &call.destination;
                let is_answered = call.billsec_ms.map_or(call.answer_time.is_some(), |ms| ms > 0);
                let is_short =
                    number.len() <= SHORT && number.bytes().all(|byte| byte.is_ascii_digit());
                if is_short && is_answered {
                    read.to_short.push((read.sent.len(), number.clone()));
                }
                let (from, to) = (&call.originator.name, &call.terminator.name);
                if !from.is_empty() && from.eq_ignore_ascii_case(to) {
                    read.to_themselves += 1;
                }
                self.chunk.push(record(*call));
            }
            CallItem::Refused { span, problem, outer, .. } => {
                if let Some(local) = outer {
                    self.legs.no_outer(&local, true);
                }
                read.bad_count += 1;
                // What is wrong with the switch's configuration is said once, of its first line.
                read.without_id += usize::from(problem == Problem::NoUniqueId);
                let again = problem == Problem::NoUniqueId && read.without_id > 1;
                if !again && read.bad.len() < MAX_BAD_LINES {
                    read.bad.push((place(span.first), problem.to_string()));
                }
            }
            CallItem::BLeg { id, of, .. } => self.legs.leave_out(&id, &of),
            CallItem::Internal { number, outer, .. } => {
                if let Some(local) = outer {
                    self.legs.no_outer(&local, false);
                }
                *read.internal.entry(number).or_default() += 1;
            }
            CallItem::Idle => return !sender.is_closed(),
        }
        self.chunk.len() < CHUNK || self.send(sender)
    }

    fn send(&mut self, sender: &Sender) -> bool {
        self.send_with(None, sender)
    }

    fn send_with(&mut self, import_end: Option<CallImportEnd>, sender: &Sender) -> bool {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r{} calls", self.read.sent.len());
        }
        let calls = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let import_start = self.start.take();
        let message = IngestCallsRequest {
            calls,
            dry_run: self.dry_run,
            import_start,
            import_end: import_end.filter(|_| !self.dry_run),
        };
        sender.blocking_send(message).is_ok()
    }
}

/// A call as the core takes it.
fn record(call: Call) -> CallRecord {
    let time = |time: jiff::Timestamp| timestamp(time.as_microsecond());
    let disposition = match call.disposition {
        Some(Disposition::Answered) => pb::Disposition::Answered,
        Some(Disposition::Busy) => pb::Disposition::Busy,
        Some(Disposition::NoAnswer) => pb::Disposition::NoAnswer,
        Some(Disposition::Failed) => pb::Disposition::Failed,
        None => pb::Disposition::Unspecified,
    };
    CallRecord {
        call_id: call.ids.key().unwrap_or_default(),
        record_id: call.ids.record_key().unwrap_or_default(),
        start_time: Some(time(call.start_time)),
        // Durations decide, where there are any.
        answer_time: call.answer_time.filter(|_| call.billsec_ms.is_none()).map(time),
        end_time: call.end_time.filter(|_| call.duration_ms.is_none()).map(time),
        duration_ms: call.duration_ms,
        billsec_ms: call.billsec_ms,
        disposition: disposition.into(),
        hangup_cause: call.hangup_cause,
        source: call.source,
        destination: call.destination,
        originator_id: None,
        originator: call.originator.name,
        terminator_id: None,
        terminator: call.terminator.name,
        origination_point_id: call.originator.point_id.unwrap_or_default(),
        termination_point_id: call.terminator.point_id.unwrap_or_default(),
        attempt: call.attempts,
        origination_point: call.originator.point,
        termination_point: call.terminator.point,
    }
}
