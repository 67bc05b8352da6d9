//! `tollbook calls list`: calls in the books, as lines or as CSV.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use tollbook_proto::v1::{
    Call, ChargedLeg, ListCallsRequest, calls_service_client::CallsServiceClient,
};

use super::{
    COLUMNS,
    rerate::time,
    unrated::{
        moment, shown,
        table::{disposition_name, seconds, time_of, writer},
    },
};
use crate::{
    client::{connect, said, zone},
    config::Config,
    out::{inert, recorded, say, written},
    parties::user_meant,
    values::decimal,
};

/// How many a list shows that nobody asked more of.
const SHOWN: u32 = 20;
/// How many are asked for at once.
const PAGE: u32 = 1_000;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only calls that this user pays for: a login name or an id (`#42` where a login name reads like
    /// that, too)
    #[arg(long)]
    user: Option<String>,
    /// Only calls that this user terminated, likewise
    #[arg(long, value_name = "USER")]
    terminator: Option<String>,
    /// Only calls to numbers that begin with this
    #[arg(long, value_name = "DIGITS")]
    prefix: Option<String>,
    /// Only the call with this unique id, whenever it was
    #[arg(long, value_name = "CALL_ID")]
    id: Option<String>,
    /// Calls that began then or later, for example 2026-11-01 or 2026-11-01T08:00:00
    #[arg(long)]
    from: Option<String>,
    /// Calls that began before or in this second; a day alone counts to its end
    #[arg(long)]
    till: Option<String>,
    /// The time zone of both, and of the times in the list [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
    /// How many, the newest first [default: 20, with --csv all, the oldest first]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// What a list before said of the page behind it, with all else the same
    #[arg(long, value_name = "TOKEN", conflicts_with = "csv")]
    page: Option<String>,
    /// List them as CSV (RFC 4180)
    #[arg(long)]
    csv: bool,
    /// With --csv: write texts as they are, also those that a spreadsheet program would calculate; without it
    /// such a cell has an apostrophe before it
    #[arg(long, requires = "csv")]
    raw: bool,
}

pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let zone = zone(&core, args.time_zone.as_deref()).await?;
    let at =
        |text: &Option<String>, end| text.as_deref().map(|text| time(text, &zone, end)).transpose();
    let (from, till) = (at(&args.from, false)?, at(&args.till, true)?);
    let mut ids = [None; 2];
    for (id, user) in ids.iter_mut().zip([&args.user, &args.terminator]) {
        if let Some(user) = user {
            *id = Some(user_meant(&core, user).await?);
        }
    }
    let [originator_id, terminator_id] = ids;
    let mut request = ListCallsRequest {
        from,
        till,
        originator_id,
        terminator_id,
        destination_prefix: args.prefix.unwrap_or_default(),
        call_id: args.id.unwrap_or_default(),
        descending: !args.csv,
        page_token: args.page.unwrap_or_default(),
        ..Default::default()
    };
    let mut left = args.limit.unwrap_or(if args.csv { u32::MAX } else { SHOWN });
    let mut core = CallsServiceClient::new(core);
    if args.csv {
        let more = ["prefix", "destination_name", "price", "self_cost", "currency"];
        let columns = COLUMNS.iter().copied().chain(more);
        recorded(writer(io::stdout().lock()).write_record(columns))?;
    }
    while left > 0 {
        request.page_size = i32::try_from(left.min(PAGE))?;
        let page = core.list_calls(request.clone()).await.map_err(said)?.into_inner();
        let mut out = io::stdout().lock();
        if args.csv {
            let mut table = writer(&mut out);
            for call in &page.calls {
                let cells = row(call, &zone, &page.currency).into_iter();
                recorded(table.write_record(cells.map(|cell| inert(cell, args.raw))))?;
            }
            written(table.flush())?;
        } else {
            for call in &page.calls {
                written(print(&mut out, call, &zone, &page.currency))?;
            }
        }
        drop(out);
        left = left.saturating_sub(u32::try_from(page.calls.len())?);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(());
        }
    }
    match args.csv {
        true => Ok(()),
        false => say!(
            "… and more: --limit says how many are shown, --page '{}' goes on",
            request.page_token
        ),
    }
}

fn amount(leg: Option<&ChargedLeg>) -> &str {
    decimal(leg.and_then(|leg| leg.amount.as_ref()))
}

fn row(call: &Call, zone: &TimeZone, currency: &str) -> Vec<String> {
    let time = |time: Option<&prost_types::Timestamp>| time_of(time, zone);
    let point = |id: i64| if id == 0 { String::new() } else { id.to_string() };
    vec![
        call.call_id.clone(),
        time(call.start_time.as_ref()),
        time(call.answer_time.as_ref()),
        time(call.end_time.as_ref()),
        seconds(call.duration_ms),
        seconds(call.billsec_ms),
        disposition_name(call.disposition()).to_owned(),
        call.hangup_cause.to_string(),
        call.source.clone(),
        call.destination.clone(),
        call.originator.clone(),
        call.terminator.clone(),
        point(call.origination_point_id),
        point(call.termination_point_id),
        call.prefix.clone(),
        call.destination_name.clone(),
        amount(call.price.as_ref()).to_owned(),
        amount(call.self_cost.as_ref()).to_owned(),
        currency.to_owned(),
    ]
}

fn print(out: &mut impl Write, call: &Call, zone: &TimeZone, currency: &str) -> io::Result<()> {
    let to = match call.terminator.as_str() {
        "" => String::new(),
        terminator => format!(" by {terminator}"),
    };
    writeln!(
        out,
        "{} {} -> {} ({}) of {}{to}, {} {} s, price {}, self-cost {} {currency}, call {}",
        moment(call.start_time.as_ref(), zone),
        shown(&call.source),
        shown(&call.destination),
        call.destination_name,
        call.originator,
        disposition_name(call.disposition()),
        seconds(call.billsec_ms),
        amount(call.price.as_ref()),
        amount(call.self_cost.as_ref()),
        shown(&call.call_id),
    )
}
