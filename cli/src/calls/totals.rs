//! `tollbook calls totals`: what calls brought and cost.

use std::io;

use clap::ValueEnum;
use tollbook_proto::v1::{
    Aggregate, AggregateCallsRequest, AggregateGrouping, Decimal, Traffic,
    statistics_service_client::StatisticsServiceClient,
};

use super::rerate::time;
use crate::{
    client::{connect, said, zone},
    config::Config,
    out::{inert, recorded, written},
    parties::user_meant,
    values::decimal,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls that began then or later, for example 2026-11-01 or 2026-11-01T08:00:00 [default: today]
    #[arg(long)]
    from: Option<String>,
    /// Calls that began before or in this second; a day alone counts to its end [default: today]
    #[arg(long)]
    till: Option<String>,
    /// The time zone of both [default: that of the settings]
    #[arg(long)]
    time_zone: Option<String>,
    /// Only calls that this user made: a login name or an id (`#42` where a login name reads like that, too)
    #[arg(long)]
    user: Option<String>,
    /// Only calls that this user terminated, likewise
    #[arg(long, value_name = "USER")]
    terminator: Option<String>,
    /// A line for each of these; several are separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_value = "originator")]
    by: Vec<By>,
    /// Code of the currency to show the amounts in, at the exchange rate of today [default: the default
    /// currency, in which they are kept]
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    currency: String,
    /// Write names as they are, also those that a spreadsheet program would calculate; without it such a
    /// name has an apostrophe before it
    #[arg(long)]
    raw: bool,
}

/// What makes a line.
#[derive(Clone, Copy, ValueEnum)]
enum By {
    Originator,
    OriginationPoint,
    Terminator,
    TerminationPoint,
    DestinationGroup,
    Destination,
}

impl By {
    fn to_proto(self) -> AggregateGrouping {
        match self {
            Self::Originator => AggregateGrouping::Originator,
            Self::OriginationPoint => AggregateGrouping::OriginationPoint,
            Self::Terminator => AggregateGrouping::Terminator,
            Self::TerminationPoint => AggregateGrouping::TerminationPoint,
            Self::DestinationGroup => AggregateGrouping::DestinationGroup,
            Self::Destination => AggregateGrouping::Destination,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Originator => "originator",
            Self::OriginationPoint => "origination_point",
            Self::Terminator => "terminator",
            Self::TerminationPoint => "termination_point",
            Self::DestinationGroup => "destination_group",
            Self::Destination => "prefix",
        }
    }

    fn of(self, group: &Aggregate) -> String {
        match self {
            Self::Originator => group.originator.clone(),
            Self::OriginationPoint => group.origination_point_id().to_string(),
            Self::Terminator => group.terminator.clone(),
            Self::TerminationPoint => group.termination_point_id().to_string(),
            Self::DestinationGroup => group.destination_group.clone(),
            Self::Destination => group.prefix.clone(),
        }
    }
}

/// The columns of figures.
const FIGURES: [&str; 9] = [
    "calls",
    "answered",
    "billsec",
    "originator_billed",
    "terminator_billed",
    "price",
    "self_cost",
    "profit",
    "margin_percent",
];

fn figures(traffic: Option<&Traffic>) -> [String; FIGURES.len()] {
    let traffic = traffic.cloned().unwrap_or_default();
    let amount = |amount: &Option<Decimal>| decimal(amount.as_ref()).to_owned();
    [
        traffic.calls.to_string(),
        traffic.answered_calls.to_string(),
        traffic.billsec.to_string(),
        traffic.originator_billed.to_string(),
        traffic.terminator_billed.to_string(),
        amount(&traffic.price),
        amount(&traffic.self_cost),
        amount(&traffic.profit),
        traffic.margin_percent.to_string(),
    ]
}

/// Prints CSV: the groups, and all calls together where there is more than one line.
pub(crate) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let core = connect(config).await?;
    let zone = zone(&core, args.time_zone.as_deref()).await?;
    let at =
        |text: &Option<String>, end| text.as_deref().map(|text| time(text, &zone, end)).transpose();
    let originator_id = match &args.user {
        Some(user) => Some(user_meant(&core, user).await?),
        None => None,
    };
    let terminator_id = match &args.terminator {
        Some(user) => Some(user_meant(&core, user).await?),
        None => None,
    };
    let request = AggregateCallsRequest {
        from: at(&args.from, false)?,
        till: at(&args.till, true)?,
        originator_id,
        terminator_id,
        group_by: args.by.iter().map(|by| by.to_proto().into()).collect(),
        currency: args.currency,
        ..Default::default()
    };
    let mut core = StatisticsServiceClient::new(core);
    let mut parts = core.aggregate_calls(request).await.map_err(said)?.into_inner();
    let mut lines = csv::Writer::from_writer(io::stdout().lock());
    let head = args.by.iter().map(|by| by.name()).chain(FIGURES).chain(["currency"]);
    recorded(lines.write_record(head))?;
    let (mut currency, mut totals) = (String::new(), None);
    while let Some(part) = parts.message().await.map_err(said)? {
        if !part.currency.is_empty() {
            (currency, totals) = (part.currency, part.totals);
        }
        for group in &part.aggregates {
            let names = args.by.iter().map(|by| inert(by.of(group), args.raw));
            let figures = figures(group.traffic.as_ref());
            recorded(lines.write_record(names.chain(figures).chain([currency.clone()])))?;
        }
    }
    let names =
        args.by.iter().enumerate().map(|(at, _)| if at == 0 { "all" } else { "" }.to_owned());
    recorded(lines.write_record(names.chain(figures(totals.as_ref())).chain([currency])))?;
    written(lines.flush())
}
