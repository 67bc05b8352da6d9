//! `tollbook calls unrated`: what was brought and could not be billed.

mod delete;
pub(super) mod table;

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
};

use jiff::{Timestamp, tz::TimeZone};
use tollbook_proto::v1::{
    AggregateUnratedCallsRequest, CallRejection, CallSide, ListUnratedCallsRequest, UnratedCall,
    UnratedCallFilter, UnratedCallGroup, unrated_calls_service_client::UnratedCallsServiceClient,
};

use super::rerate::time;
use crate::{
    client::{Core, connect, said, zone},
    config::Config,
    out::{inert, recorded, say, written},
};

/// How many a list shows that nobody asked more of.
const SHOWN: u32 = 20;

#[allow(clippy::struct_excessive_bools, reason = "flags of a command")]
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: FilterArgs,
    /// How many, the newest first [default: 20, with --csv all]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Count them by reason, side, account and the beginning of the number called
    #[arg(long)]
    summary: bool,
    /// List them as CSV (RFC 4180), with all that is known of each
    #[arg(long, conflicts_with = "summary")]
    csv: bool,
    /// With --csv: write texts as they are, also those that a spreadsheet program would calculate, as for an
    /// import; without it such a cell has an apostrophe before it
    #[arg(long, requires = "csv")]
    raw: bool,
    /// How many digits of the number called a line of the summary shares
    #[arg(long, value_name = "DIGITS", default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=20))]
    prefix_length: i32,
    /// Delete what will never be billed: those with these ids, those that --reason, --side, --user,
    /// --account, --prefix, --from and --till let through, or both together. Without --yes it only
    /// says what would go
    #[arg(long, value_name = "ID", num_args = 0.., value_delimiter = ',', conflicts_with_all = ["summary", "csv", "limit"])]
    delete: Option<Vec<i64>>,
    /// Delete them indeed
    #[arg(long, requires = "delete")]
    yes: bool,
}

/// Which unrated calls are meant.
#[derive(clap::Args)]
struct FilterArgs {
    /// Only those with this reason, for example `NO_RATE`
    #[arg(long, value_parser = reason)]
    reason: Option<CallRejection>,
    /// Only calls of the user with this id
    #[arg(long)]
    user: Option<i64>,
    /// Only calls of this account, as the records name it: a login name, `id 42` or `point 7`
    #[arg(long)]
    account: Option<String>,
    /// Only those that miss something on this side
    #[arg(long, value_enum)]
    side: Option<Side>,
    /// Only calls to numbers that begin with this
    #[arg(long, value_name = "DIGITS")]
    prefix: Option<String>,
    /// Calls that began then or later, for example 2026-11-01 or 2026-11-01T08:00:00
    #[arg(long)]
    from: Option<String>,
    /// Calls that began before or in this second; a day alone counts to its end
    #[arg(long)]
    till: Option<String>,
    /// The time zone of both, and of the times in the list [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
}

impl FilterArgs {
    fn filter(&self, zone: &TimeZone) -> anyhow::Result<UnratedCallFilter> {
        let at = |text: &Option<String>, end| {
            text.as_deref().map(|text| time(text, zone, end)).transpose()
        };
        Ok(UnratedCallFilter {
            reason: self.reason.unwrap_or_default().into(),
            user_id: self.user,
            from: at(&self.from, false)?,
            till: at(&self.till, true)?,
            account: self.account.clone().unwrap_or_default(),
            destination_prefix: self.prefix.clone().unwrap_or_default(),
            side: self.side.map_or(CallSide::Unspecified, Side::to_proto).into(),
        })
    }
}

/// A side of a call.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Side {
    Originator,
    Reseller,
    Partner,
    Terminator,
}

impl Side {
    fn to_proto(self) -> CallSide {
        match self {
            Self::Originator => CallSide::Originator,
            Self::Reseller => CallSide::Reseller,
            Self::Partner => CallSide::Partner,
            Self::Terminator => CallSide::Terminator,
        }
    }
}

/// The name of a side; empty if it is neither.
fn side_name(side: CallSide) -> &'static str {
    match side {
        CallSide::Unspecified => "",
        CallSide::Originator => "originator",
        CallSide::Reseller => "reseller",
        CallSide::Partner => "partner",
        CallSide::Terminator => "terminator",
    }
}

/// What the names of reasons begin with in the contract.
const REASON: &str = "CALL_REJECTION_";

/// A reason by its name, in any case.
pub(super) fn reason(name: &str) -> Result<CallRejection, String> {
    let name = name.to_ascii_uppercase().replace('-', "_");
    CallRejection::from_str_name(&format!("{REASON}{name}"))
        .filter(|reason| *reason != CallRejection::Unspecified)
        .ok_or_else(|| {
            let known = (1..).map_while(|number| CallRejection::try_from(number).ok());
            let known: Vec<&str> = known.map(reason_name).collect();
            format!("there is no such reason; reasons are {}", known.join(", "))
        })
}

/// The name of a reason.
pub(super) fn reason_name(reason: CallRejection) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix(REASON).unwrap_or(name)
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let core = connect(config).await?;
    let zone = zone(&core, args.filter.time_zone.as_deref()).await?;
    let mut core = UnratedCallsServiceClient::new(core);
    if let Some(ids) = args.delete {
        let filter = args.filter.filter(&zone)?;
        return delete::delete(&mut core, ids, filter, args.yes, &zone).await;
    }
    match args.summary {
        true => summarise(&mut core, &args, &zone).await?,
        false => list(&mut core, &args, &zone).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(
    core: &mut UnratedCallsServiceClient<Core>,
    args: &Args,
    zone: &TimeZone,
) -> anyhow::Result<()> {
    let filter = Some(args.filter.filter(zone)?);
    let mut left = args.limit.unwrap_or(if args.csv { u32::MAX } else { SHOWN });
    let mut request = ListUnratedCallsRequest { filter, ..Default::default() };
    if args.csv {
        recorded(table::writer(io::stdout().lock()).write_record(table::COLUMNS))?;
    }
    while left > 0 {
        request.page_size = i32::try_from(left.min(1_000))?;
        let page = core.list_unrated_calls(request.clone()).await.map_err(said)?.into_inner();
        let mut out = io::stdout().lock();
        if args.csv {
            let mut table = table::writer(&mut out);
            for call in &page.calls {
                let row = table::row(call, zone, zone.iana_name().unwrap_or("UTC"));
                recorded(table.write_record(row.map(|cell| inert(cell, args.raw))))?;
            }
            written(table.flush())?;
        } else {
            for call in &page.calls {
                written(print(&mut out, call, zone))?;
            }
        }
        drop(out);
        left = left.saturating_sub(u32::try_from(page.calls.len())?);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
    // The list has an end that is not shown.
    if args.csv {
        return Ok(());
    }
    say!("… and more: --limit says how many are shown, --summary counts them")
}

/// A time as a list shows it.
pub(super) fn moment(time: Option<&prost_types::Timestamp>, zone: &TimeZone) -> String {
    let time = time.and_then(|time| Timestamp::from_second(time.seconds).ok());
    time.map_or_else(
        || "?".to_owned(),
        |time| time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn print(out: &mut impl Write, call: &UnratedCall, zone: &TimeZone) -> io::Result<()> {
    let time = |time: Option<&prost_types::Timestamp>| moment(time, zone);
    let record = call.record.clone().unwrap_or_default();
    let account = match (&*call.username, &*record.originator, record.originator_id) {
        ("", "", Some(id)) => format!("user {id}"),
        ("", "", None) if record.origination_point_id != 0 => {
            format!("point {}", record.origination_point_id)
        }
        ("", "", None) if !record.origination_point.is_empty() => {
            format!("point {}", shown(&record.origination_point))
        }
        ("", named, _) => format!("{named:?}"),
        (username, ..) => username.to_owned(),
    };
    writeln!(
        out,
        "{} {} {} -> {} of {account}, call {}",
        call.id,
        time(record.start_time.as_ref()),
        shown(&record.source),
        shown(&record.destination),
        shown(&record.call_id),
    )?;
    let brought = match call.deliveries {
        1 => format!("brought {}", time(call.first_seen.as_ref())),
        times => format!(
            "brought {times} times, {} to {}",
            time(call.first_seen.as_ref()),
            time(call.last_seen.as_ref())
        ),
    };
    writeln!(out, "  {}: {}; {brought}", reason_name(call.reason()), call.message)
}

/// A text of a record, which a terminal may be shown.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(255).collect()
}

async fn summarise(
    core: &mut UnratedCallsServiceClient<Core>,
    args: &Args,
    zone: &TimeZone,
) -> anyhow::Result<()> {
    let request = AggregateUnratedCallsRequest {
        filter: Some(args.filter.filter(zone)?),
        prefix_length: args.prefix_length,
    };
    let answer = core.aggregate_unrated_calls(request).await.map_err(said)?.into_inner();
    let mut kinds: BTreeMap<(CallRejection, CallSide), Vec<&UnratedCallGroup>> = BTreeMap::new();
    for group in &answer.groups {
        kinds.entry((group.reason(), group.side())).or_default().push(group);
    }
    for ((reason, side), groups) in kinds {
        let calls: i64 = groups.iter().map(|group| group.calls).sum();
        let side = match side {
            CallSide::Unspecified => String::new(),
            side => format!(" {}", side_name(side)),
        };
        say!("{}{side} {calls}", reason_name(reason))?;
        if let Some(group) = groups.first() {
            say!("  for example: {}", shown(&group.example))?;
        }
        for group in groups {
            let account = if group.account.is_empty() { "nobody" } else { &group.account };
            let minutes = group.billsec_ms.unsigned_abs().div_ceil(60_000);
            let prefix = &group.destination_prefix;
            say!("  {} of {account} to {prefix}…, {minutes} minutes", group.calls)?;
        }
    }
    let shown: i64 = answer.groups.iter().map(|group| group.calls).sum();
    if shown < answer.calls {
        say!("… and {} in smaller groups", answer.calls - shown)?;
    }
    say!("{} unrated calls", answer.calls)
}

/// What may be done about unrated calls, for those who have just seen that there are some.
pub(super) fn advice(count: i64) -> anyhow::Result<()> {
    let kept = if count == 1 { "1 is".to_owned() } else { format!("{count} are") };
    say!(
        "{kept} kept as unrated: `tollbook calls unrated --summary` says what is missing, `tollbook \
         rerate --unrated` bills them once it is there; conflicts are decided by a person, and come in \
         by importing their file again once what they differ from is gone"
    )
}

/// The same where all of them are conflicts; `import` is the one that brought them, 0: none is recorded.
pub(super) fn advice_on_conflicts(count: i64, import: i64) -> anyhow::Result<()> {
    let kept = if count == 1 { "1 is".to_owned() } else { format!("{count} are") };
    say!(
        "{kept} kept as unrated, and all are conflicts: under their call ids are others, in the books or among \
         the unrated. `tollbook calls unrated --reason CONFLICT` lists them with what they differ from."
    )?;
    if import > 0 {
        say!("  what was there is right: `tollbook import undo {import}` drops these")?;
    }
    say!(
        "  these are right: `tollbook import list --calls` and `tollbook import undo ID` take the import back \
         that brought the others; then import this file again"
    )
}
