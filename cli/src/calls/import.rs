//! `tollbook import calls`: the calls of switches' files into the books.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use futures_util::stream;
use tokio::sync::mpsc;
use tollbook_import::{
    Part, Source,
    calls::{Call, CallFile, CallItem, CallOptions, Dialogs, Disposition, Format},
    sources,
    table::{Limits, Table, TableOptions},
};
use tollbook_proto::v1::{
    self as pb, CallRecord, IngestCallsRequest, IngestCallsResponse,
    calls_service_client::CallsServiceClient, import_profile,
};

use super::{flags::Flags, unrated};
use crate::{
    client::{connect, said},
    config::Config,
    out::say,
    profiles,
    values::{decimal, timestamp},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files: text or workbooks, plain or packed by gzip or zip; directories, for the files in them; -
    /// for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    profile: profiles::UseArgs,
    #[command(flatten)]
    flags: Flags,
}

/// Calls per message.
const CHUNK: usize = 500;
/// How many bad lines are described.
const MAX_BAD_LINES: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let core = connect(config).await?;
    let flags = match &args.profile.profile {
        Some(name) => args.flags.clone().over(profiles::of_calls(&core, name).await?),
        None => args.flags.clone(),
    };
    let options = flags.options()?;
    let files = sources(&args.files)?;
    let inputs = look_at(files, &options)?;
    let mut service = CallsServiceClient::new(core.clone());
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::new(inputs, options);
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
    let rejected = reader.print(&report)?;
    let understood = broken.is_none() && report.stored + report.duplicates + report.merged > 0;
    if let Some(name) = args.profile.save_profile.as_ref().filter(|_| understood) {
        let contents = import_profile::Contents::Calls(flags.to_proto()?);
        profiles::save(&core, name, contents).await?;
    }
    match broken {
        Some(error) => Err(error.context("the calls before the fault are in the books")),
        None if rejected => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// How many files are kept open between the look at them and their turn.
const KEPT_OPEN: usize = 64;

/// What calls are read from.
enum Input {
    /// A file that was opened, with its name.
    Open(String, Box<CallFile>),
    /// One that is opened again: of an archive there may be many, and of a folder.
    Again(Source),
}

/// Opens every file: nothing counts before all are known to be understood. What cannot be opened
/// again, such as a pipe, stays open, and so do the first files.
fn look_at(sources: Vec<Source>, options: &CallOptions) -> anyhow::Result<Vec<Input>> {
    let (mut inputs, mut kept) = (Vec::new(), 0);
    for source in sources {
        let again = source.can_be_opened_again();
        let mut files = Vec::new();
        let mut count = 0;
        for part in source.parts(Limits::default())? {
            let (name, file) = open(part?, options)?;
            count += 1;
            if !again || count == 1 && kept < KEPT_OPEN {
                files.push(Input::Open(name, Box::new(file)));
            }
        }
        if again && files.len() < count {
            inputs.push(Input::Again(source));
        } else {
            kept += files.len();
            inputs.extend(files);
        }
    }
    Ok(inputs)
}

/// Opens a file of calls. Returns its name as well.
fn open(part: Part, options: &CallOptions) -> anyhow::Result<(String, CallFile)> {
    let name = part.name().to_owned();
    let file = if part.is_workbook() {
        let table = Table::open(part, &TableOptions::default(), &|_| false)?;
        CallFile::rows(Box::new(table.into_cells()), options)
    } else {
        CallFile::read(part.into_reader(), options)
    };
    Ok((name.clone(), file.context(name)?))
}

/// Reads files one after the other, and keeps whence each call came.
struct Reader {
    inputs: Vec<Input>,
    options: CallOptions,
    /// The names of the files that were read, of which an archive has several.
    files: Vec<String>,
    /// The file and line of each call that was sent.
    sent: Vec<(u32, u32)>,
    bad: Vec<((u32, u32), String)>,
    bad_count: usize,
    chunk: Vec<CallRecord>,
}

impl Reader {
    fn new(inputs: Vec<Input>, options: CallOptions) -> Self {
        let (files, sent, bad) = (Vec::new(), Vec::new(), Vec::new());
        let chunk = Vec::with_capacity(CHUNK);
        Self { inputs, options, files, sent, bad, bad_count: 0, chunk }
    }

    /// Sends all calls, those before a fault as well, and shows on a terminal how far it is.
    fn run(&mut self, sender: &mpsc::Sender<IngestCallsRequest>) -> anyhow::Result<()> {
        let done = self.read(sender);
        self.send(sender);
        done
    }

    fn read(&mut self, sender: &mpsc::Sender<IngestCallsRequest>) -> anyhow::Result<()> {
        let mut dialogs = Dialogs::default();
        // Which files are among those whose dialogs go on.
        let mut with_dialogs = Vec::new();
        for input in std::mem::take(&mut self.inputs) {
            let (opened, source) = match input {
                Input::Open(name, file) => (Some(Ok((name, *file))), None),
                Input::Again(source) => (None, Some(source)),
            };
            let parts = source.map(|source| source.parts(Limits::default())).transpose()?;
            let options = self.options.clone();
            let opened_again = parts.into_iter().flatten().map(|part| open(part?, &options));
            for file in opened.into_iter().chain(opened_again) {
                let (name, file) = file?;
                if file.format() == Format::KamailioAcc {
                    with_dialogs.push(self.files.len());
                }
                let Some(open) = self.read_file(&name, file.with_dialogs(dialogs), sender)? else {
                    return Ok(());
                };
                dialogs = open;
            }
        }
        for (number, item) in dialogs.refused() {
            self.take(with_dialogs.get(number).copied().unwrap_or_default(), item, sender);
        }
        Ok(())
    }

    /// Returns the dialogs that are left open; `None` where the core does not listen any more.
    fn read_file(
        &mut self,
        name: &str,
        mut file: CallFile,
        sender: &mpsc::Sender<IngestCallsRequest>,
    ) -> anyhow::Result<Option<Dialogs>> {
        let number = self.files.len();
        self.files.push(name.to_owned());
        while let Some(item) = file.next_item().with_context(|| name.to_owned())? {
            if !self.take(number, item, sender) {
                return Ok(None);
            }
        }
        Ok(Some(file.into_dialogs()))
    }

    /// Returns whether the core still listens.
    fn take(
        &mut self,
        file: usize,
        item: CallItem,
        sender: &mpsc::Sender<IngestCallsRequest>,
    ) -> bool {
        let place = |line: u64| {
            (u32::try_from(file).unwrap_or(u32::MAX), u32::try_from(line).unwrap_or(u32::MAX))
        };
        match item {
            CallItem::Call(call) => {
                self.sent.push(place(call.span.first));
                self.chunk.push(record(*call));
            }
            CallItem::Refused { span, problem, .. } => {
                self.bad_count += 1;
                if self.bad.len() < MAX_BAD_LINES {
                    self.bad.push((place(span.first), problem.to_string()));
                }
            }
            CallItem::Idle => return !sender.is_closed(),
        }
        self.chunk.len() < CHUNK || self.send(sender)
    }

    fn send(&mut self, sender: &mpsc::Sender<IngestCallsRequest>) -> bool {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "\r{} calls", self.sent.len());
        }
        let calls = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        sender.blocking_send(IngestCallsRequest { calls, dry_run: false }).is_ok()
    }

    /// Returns whether calls were rejected.
    fn print(&self, report: &IngestCallsResponse) -> anyhow::Result<bool> {
        let mut rejected = self.bad.clone();
        for call in &report.rejected_calls {
            let position = usize::try_from(call.position - 1)?;
            let place = self.sent.get(position).copied().unwrap_or_default();
            rejected.push((place, format!("{} (call {})", call.message, call.call_id)));
        }
        rejected.sort();
        for ((file, line), problem) in &rejected {
            match self.files.as_slice() {
                [_] => say!("line {line}: {problem}")?,
                files => say!("{} line {line}: {problem}", files[usize::try_from(*file)?])?,
            }
        }
        let count = self.bad_count + usize::try_from(report.rejected)?;
        if rejected.len() < count {
            say!("… and {} more", count - rejected.len())?;
        }
        let merged = match report.merged {
            0 => String::new(),
            merged => format!(" {merged} further attempts of known calls,"),
        };
        say!(
            "{} calls: {} stored, {} duplicates,{merged} {count} rejected; price {}, self-cost {}",
            self.sent.len() + self.bad_count,
            report.stored,
            report.duplicates,
            decimal(report.price.as_ref()),
            decimal(report.self_cost.as_ref()),
        )?;
        if report.unrated > 0 {
            unrated::advice(report.unrated)?;
        }
        Ok(count > 0)
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
