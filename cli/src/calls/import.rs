//! `tollbook import calls`: the calls of switches' files into the books.

use std::{
    io::{BufReader, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use futures_util::stream;
use tokio::sync::mpsc;
use tollbook_import::{
    Part, Source,
    calls::{
        At, By, Call, CallFile, CallItem, CallOptions, Column, Dialogs, Disposition, Format,
        National, Numbers, Unit, Whose,
    },
    sources,
    table::{Limits, Table, TableOptions},
};
use tollbook_proto::v1::{
    self as pb, CallRecord, IngestCallsRequest, IngestCallsResponse,
    calls_service_client::CallsServiceClient,
};

use super::unrated;
use crate::{
    client::{connect, said},
    config::Config,
    out::say,
    values::{decimal, time_zone, timestamp},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files: text or workbooks, plain or packed by gzip or zip; directories, for the files in them; -
    /// for standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[arg(long, value_name = "NAME", help = formats())]
    format: Option<Format>,
    /// The template of FreeSWITCH's `mod_cdr_csv`, where it is one of your own
    #[arg(long)]
    template: Option<String>,
    /// What a column is, by its name or by its number from 1, for example billsec=Seconds or
    /// originator=3; may be repeated
    #[arg(long = "column", value_name = "WHAT=COLUMN", value_parser = column)]
    columns: Vec<(Column, At)>,
    /// The column separator [default: detected]
    #[arg(long)]
    delimiter: Option<char>,
    /// So many lines at the beginning of each file are not read
    #[arg(long, default_value_t = 0)]
    skip_lines: u64,
    /// A column that may stay unused; may be repeated
    #[arg(long = "ignore-column", value_name = "NAME")]
    ignored_columns: Vec<String>,
    /// All columns that are not known may stay unused
    #[arg(long)]
    ignore_unknown_columns: bool,
    /// The form of times, as strptime has it, for example %d/%m/%Y %H:%M:%S
    #[arg(long, value_name = "FORMAT")]
    date_format: Option<String>,
    /// The time zone of times that say none
    #[arg(long, default_value = "UTC")]
    time_zone: String,
    /// The unit of durations that are plain numbers
    #[arg(long, value_enum, default_value_t = DurationUnit::Seconds)]
    duration_unit: DurationUnit,
    /// The encoding of text that is not UTF-8, for example windows-1251 [default: windows-1252]
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    encoding: Option<&'static encoding_rs::Encoding>,
    /// Take a last line without its end, too: nobody writes to the file any more
    #[arg(long)]
    take_unfinished_line: bool,
    /// Take records of outgoing legs (FreeSWITCH's B legs) for calls of their own
    #[arg(long)]
    take_b_legs: bool,
    #[command(flatten)]
    whose: WhoseArgs,
    #[command(flatten)]
    numbers: NumberArgs,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Whose calls they are")]
struct WhoseArgs {
    /// Login name of who pays for calls that name nobody
    #[arg(long, default_value = "")]
    originator: String,
    /// What names who pays, the first that says something: the account code, the peer in the name of
    /// the channel, the origination point by its id, address or description
    #[arg(long, value_enum, value_delimiter = ',', default_value = "account,point")]
    originator_from: Vec<NamedBy>,
    /// Login name of the terminator of calls that name none
    #[arg(long, default_value = "")]
    terminator: String,
    /// What names the terminator, likewise, of the channel that the call went out on
    #[arg(long, value_enum, value_delimiter = ',', default_value = "account,point")]
    terminator_from: Vec<NamedBy>,
}

#[derive(clap::Args)]
#[command(next_help_heading = "How numbers are read")]
struct NumberArgs {
    /// A prefix that routes a call and is no part of the number; may be repeated
    #[arg(long = "tech-prefix", value_name = "PREFIX")]
    tech_prefixes: Vec<String>,
    /// What stands for + [default: 00]
    #[arg(long = "international-prefix", value_name = "PREFIX")]
    international_prefixes: Vec<String>,
    /// What numbers within the country begin with, for example 0
    #[arg(long, value_name = "PREFIX", requires = "country_code")]
    national_prefix: Option<String>,
    /// The digits that take the place of the national prefix; without one, they go before every
    /// number that is not international
    #[arg(long, value_name = "DIGITS")]
    country_code: Option<String>,
}

/// By what a party is named.
#[derive(Clone, Copy, clap::ValueEnum)]
enum NamedBy {
    Account,
    Peer,
    Point,
}

impl NamedBy {
    fn by(self) -> By {
        match self {
            Self::Account => By::Account,
            Self::Peer => By::Peer,
            Self::Point => By::Point,
        }
    }
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum DurationUnit {
    Seconds,
    Milliseconds,
    Minutes,
}

impl DurationUnit {
    fn unit(self) -> Unit {
        match self {
            Self::Seconds => Unit::Seconds,
            Self::Milliseconds => Unit::Milliseconds,
            Self::Minutes => Unit::Minutes,
        }
    }
}

fn formats() -> String {
    let names = Format::NAMES.map(|(_, name)| name).join(", ");
    format!("Who wrote them [default: detected]: {names}")
}

fn column(text: &str) -> Result<(Column, At), String> {
    let (what, column) = text.split_once('=').ok_or("a column is given as WHAT=COLUMN")?;
    let what = what.parse::<Column>().map_err(|unknown| unknown.to_string())?;
    let Ok(at) = column.parse::<At>();
    Ok((what, at))
}

fn encoding(name: &str) -> Result<&'static encoding_rs::Encoding, String> {
    encoding_rs::Encoding::for_label(name.as_bytes())
        .ok_or_else(|| format!("{name:?} is no encoding that the web knows"))
}

impl Args {
    fn options(&self) -> anyhow::Result<CallOptions> {
        let whose = |otherwise: &str, by: &[NamedBy]| Whose {
            by: by.iter().map(|by| by.by()).collect(),
            otherwise: otherwise.to_owned(),
        };
        Ok(CallOptions {
            format: self.format,
            template: self.template.clone(),
            columns: self.columns.clone(),
            separator: self.delimiter,
            skip_lines: self.skip_lines,
            ignore_columns: self.ignored_columns.clone(),
            ignore_unknown_columns: self.ignore_unknown_columns,
            date_format: self.date_format.clone(),
            zone: time_zone(&self.time_zone)?,
            duration_unit: self.duration_unit.unit(),
            numbers: self.numbers.numbers(),
            originator: whose(&self.whose.originator, &self.whose.originator_from),
            terminator: whose(&self.whose.terminator, &self.whose.terminator_from),
            take_unfinished_line: self.take_unfinished_line,
            take_b_legs: self.take_b_legs,
            encoding: self.encoding,
            ..CallOptions::default()
        })
    }
}

impl NumberArgs {
    fn numbers(&self) -> Numbers {
        let usual = Numbers::default();
        Numbers {
            tech_prefixes: self.tech_prefixes.clone(),
            international_prefixes: match self.international_prefixes.as_slice() {
                [] => usual.international_prefixes,
                given => given.to_vec(),
            },
            national: self.country_code.clone().map(|country_code| National {
                prefix: self.national_prefix.clone().unwrap_or_default(),
                country_code,
            }),
        }
    }
}

/// Calls per message.
const CHUNK: usize = 500;
/// How many bad lines are described.
const MAX_BAD_LINES: usize = 1_000;

pub(crate) async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let files = sources(&args.files)?;
    // Nothing counts before every file is known to be understood.
    for file in files.iter().filter(|file| **file != Source::Stdin) {
        for part in file.parts(Limits::default())? {
            open(part?, &options)?;
        }
    }
    let mut core = CallsServiceClient::new(connect(config).await?);
    let (sender, receiver) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::new(files, options);
        let broken = reader.run(&sender).err();
        (reader, broken)
    });
    let calls =
        stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let taken = core.ingest_calls(calls).await;
    let (reader, broken) = reading.await?;
    let report = taken.map_err(said)?.into_inner();
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let rejected = reader.print(&report)?;
    match broken {
        Some(error) => Err(error.context("the calls before the fault are in the books")),
        None if rejected => Ok(ExitCode::FAILURE),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Opens a file of calls. Returns its name as well.
fn open(part: Part, options: &CallOptions) -> anyhow::Result<(String, CallFile)> {
    let name = part.name().to_owned();
    let file = if part.is_workbook() {
        let table = Table::open(part, &TableOptions::default(), &|_| false)?;
        CallFile::rows(Box::new(table.into_cells()), options)
    } else {
        CallFile::read(Box::new(BufReader::new(part.into_reader())), options)
    };
    Ok((name.clone(), file.context(name)?))
}

/// Reads files one after the other, and keeps whence each call came.
struct Reader {
    sources: Vec<Source>,
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
    fn new(sources: Vec<Source>, options: CallOptions) -> Self {
        let (files, sent, bad) = (Vec::new(), Vec::new(), Vec::new());
        let chunk = Vec::with_capacity(CHUNK);
        Self { sources, options, files, sent, bad, bad_count: 0, chunk }
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
        for source in std::mem::take(&mut self.sources) {
            for part in source.parts(Limits::default())? {
                let (name, file) = open(part?, &self.options)?;
                let number = self.files.len();
                self.files.push(name.clone());
                if file.format() == Format::KamailioAcc {
                    with_dialogs.push(number);
                }
                let mut file = file.with_dialogs(dialogs);
                while let Some(item) = file.next_item().with_context(|| name.clone())? {
                    if !self.take(number, item, sender) {
                        return Ok(());
                    }
                }
                dialogs = file.into_dialogs();
            }
        }
        for (number, item) in dialogs.refused() {
            self.take(with_dialogs.get(number).copied().unwrap_or_default(), item, sender);
        }
        Ok(())
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
        sender.blocking_send(IngestCallsRequest { calls }).is_ok()
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
