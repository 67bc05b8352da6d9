//! Sums of a period, in groups.
//!
//! A period is cut into the whole days or hours whose sums are stored, and the parts of one
//! at its ends, which are counted from the calls. Either way the answer is exact.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{
    Sums, Total,
    rollup::{HOUR, day_of},
    store::{SUMMED, read_sums},
    whole_seconds,
};
use crate::{
    access::Scope,
    calls::{Disposition, payers::margins},
    error::{Error, Result},
    ids::{PointId, UserId},
    money::Money,
    store::{Db, Query, Row},
};
use jiff::tz::TimeZone;

/// How many calls are read at once.
const PAGE: i64 = 5_000;

/// What makes a group.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a grouping of its own")]
pub(super) struct Grouping {
    pub(super) originator: bool,
    pub(super) origination_point: bool,
    pub(super) terminator: bool,
    pub(super) termination_point: bool,
    pub(super) destination_group: bool,
    pub(super) destination: bool,
}

/// Which calls count.
pub(super) struct Filter<'a> {
    pub(super) scope: Scope,
    pub(super) originator: Option<UserId>,
    pub(super) terminator: Option<UserId>,
    pub(super) origination_point: Option<PointId>,
    pub(super) termination_point: Option<PointId>,
    /// Patterns, where `%` stands for anything; empty: any.
    pub(super) source: &'a str,
    pub(super) called_number: &'a str,
    pub(super) destination: &'a str,
    pub(super) destination_group: &'a str,
}

/// What the calls of a group have in common; what is not grouped by is 0 or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) originator: i64,
    pub(super) origination_point: i64,
    pub(super) terminator: i64,
    pub(super) termination_point: i64,
    /// Name of the destination.
    pub(super) destination: String,
    pub(super) prefix: String,
}

impl Group {
    /// From the first columns of a row.
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            originator: row.get(0)?,
            origination_point: row.get(1)?,
            terminator: row.get(2)?,
            termination_point: row.get(3)?,
            destination: row.get(4)?,
            prefix: row.get(5)?,
        })
    }
}

/// The sums of the calls that began in `from..till`, by group.
pub(super) async fn aggregate(
    db: &Db,
    (from, till): (i64, i64),
    grouping: Grouping,
    filter: &Filter<'_>,
    zone: &TimeZone,
) -> Result<BTreeMap<Group, Sums>> {
    let mut groups = BTreeMap::new();
    let by_destination = grouping.destination
        || grouping.destination_group
        || !filter.destination.is_empty()
        || !filter.destination_group.is_empty();
    let (table, start) = match by_destination {
        true => ("traffic_destinations t", "t.day"),
        false => ("traffic_hours t", "t.hour"),
    };
    let by_number = !filter.source.is_empty() || !filter.called_number.is_empty();
    let (first, last) = match (by_number, by_destination) {
        // Sums do not know who called whom.
        (true, _) => (till, till),
        (false, true) => whole_days(from, till, zone),
        (false, false) => {
            let first = from.div_euclid(HOUR) * HOUR;
            (if first < from { first + HOUR } else { first }, till.div_euclid(HOUR) * HOUR)
        }
    };
    if first < last {
        stored(db, (table, start), (first, last), grouping, filter, &mut groups).await?;
        counted(db, (from, first), grouping, filter, &mut groups).await?;
        counted(db, (last, till), grouping, filter, &mut groups).await?;
    } else {
        counted(db, (from, till), grouping, filter, &mut groups).await?;
    }
    // Calls may all have moved to another destination when they were rated again.
    groups.retain(|_, sums| *sums != Sums::default());
    Ok(groups)
}

/// The whole days within a period.
fn whole_days(from: i64, till: i64, zone: &TimeZone) -> (i64, i64) {
    let (start, next) = day_of(from, zone);
    (if start < from { next } else { start }, day_of(till, zone).0)
}

/// Adds what is stored as sums.
async fn stored(
    db: &Db,
    (table, start): (&'static str, &'static str),
    (first, last): (i64, i64),
    grouping: Grouping,
    filter: &Filter<'_>,
    groups: &mut BTreeMap<Group, Sums>,
) -> Result<()> {
    let query = select_group(grouping).and(SUMMED).and(" FROM ").and(table);
    let query = joins(query, grouping, filter)
        .and(" WHERE ")
        .and(start)
        .and(" >= ")
        .value(first)
        .and(" AND ")
        .and(start)
        .and(" < ")
        .value(last);
    let query = group_by(conditions(query, filter), grouping);
    for row in db.fetch_all(query).await? {
        *groups.entry(Group::read(&row)?).or_default() += read_sums(&row, 6)?;
    }
    Ok(())
}

/// Adds what is counted from the calls that began in `from..till`.
async fn counted(
    db: &Db,
    (from, till): (i64, i64),
    grouping: Grouping,
    filter: &Filter<'_>,
    groups: &mut BTreeMap<Group, Sums>,
) -> Result<()> {
    let mut after = (from, i64::MIN);
    loop {
        let query = select_group(grouping).and(
            "t.start_time, t.id, t.disposition, t.duration, t.billsec, t.billed_seconds, \
             t.self_cost_billed_seconds, t.price, t.self_cost, t.reseller_price, t.partner_price \
             FROM calls t",
        );
        let query = joins(query, grouping, filter)
            .and(" WHERE (t.start_time, t.id) > (")
            .value(after.0)
            .and(", ")
            .value(after.1)
            .and(") AND t.start_time < ")
            .value(till);
        let mut query = conditions(query, filter);
        if !filter.source.is_empty() {
            query = like(query.and(" AND t.source LIKE "), filter.source);
        }
        if !filter.called_number.is_empty() {
            query = like(query.and(" AND t.destination LIKE "), filter.called_number);
        }
        let query = query.and(" ORDER BY t.start_time, t.id LIMIT ").value(PAGE);
        let rows = db.fetch_all(query).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.get(6)?, last.get(7)?);
        for row in rows {
            *groups.entry(Group::read(&row)?).or_default() += read_call(&row)?;
        }
    }
}

fn read_call(row: &Row) -> Result<Sums> {
    let price = row.get::<Money>(13)?;
    let paid = |column| Ok::<_, Error>(row.get::<Option<Decimal>>(column)?.and_then(Money::new));
    let margins = margins(price, paid(15)?, paid(16)?);
    Ok(Sums {
        calls: 1,
        answered_calls: i64::from(row.get::<String>(8)? == Disposition::Answered.name()),
        duration: whole_seconds(row.get(9)?),
        billsec: whole_seconds(row.get(10)?),
        originator_billed: row.get(11)?,
        terminator_billed: row.get(12)?,
        price: price.into(),
        self_cost: Total::from(row.get::<Money>(14)?),
        reseller_margin: margins.reseller.unwrap_or_default(),
        partner_margin: margins.partner.unwrap_or_default(),
    })
}

const NO_ID: &str = "CAST(0 AS BIGINT)";
const GROUP_NAME: &str = "COALESCE(d.name, '')";

/// The six columns of a group, and a comma.
fn select_group(grouping: Grouping) -> Query {
    let mut query = Query::new("SELECT ");
    for (wanted, column, otherwise) in [
        (grouping.originator, "t.originator_id", NO_ID),
        (grouping.origination_point, "t.origination_point_id", NO_ID),
        (grouping.terminator, "t.terminator_id", NO_ID),
        (grouping.termination_point, "t.termination_point_id", NO_ID),
        (grouping.destination_group || grouping.destination, GROUP_NAME, "''"),
        (grouping.destination, "t.prefix", "''"),
    ] {
        query = query.and(if wanted { column } else { otherwise }).and(", ");
    }
    query
}

fn group_by(mut query: Query, grouping: Grouping) -> Query {
    let mut separator = " GROUP BY ";
    for (wanted, column) in [
        (grouping.originator, "t.originator_id"),
        (grouping.origination_point, "t.origination_point_id"),
        (grouping.terminator, "t.terminator_id"),
        (grouping.termination_point, "t.termination_point_id"),
        (grouping.destination_group || grouping.destination, GROUP_NAME),
        (grouping.destination, "t.prefix"),
    ] {
        if wanted {
            query = query.and(separator).and(column);
            separator = ", ";
        }
    }
    query
}

fn joins(mut query: Query, grouping: Grouping, filter: &Filter<'_>) -> Query {
    if grouping.destination || grouping.destination_group || !filter.destination_group.is_empty() {
        query = query.and(" LEFT JOIN destinations d ON d.prefix = t.prefix");
    }
    if !filter.scope.is_staff_wide() {
        query = query.and(" JOIN users o ON o.id = t.originator_id");
    }
    query
}

fn conditions(mut query: Query, filter: &Filter<'_>) -> Query {
    if !filter.scope.is_staff_wide() {
        query = filter.scope.condition(query, "o");
    }
    if let Some(user) = filter.originator {
        query = query.and(" AND t.originator_id = ").value(user);
    }
    if let Some(user) = filter.terminator {
        query = query.and(" AND t.terminator_id = ").value(user);
    }
    if let Some(point) = filter.origination_point {
        query = query.and(" AND t.origination_point_id = ").value(point);
    }
    if let Some(point) = filter.termination_point {
        query = query.and(" AND t.termination_point_id = ").value(point);
    }
    if !filter.destination.is_empty() {
        query = like(query.and(" AND t.prefix LIKE "), filter.destination);
    }
    if !filter.destination_group.is_empty() {
        query =
            like(query.and(" AND LOWER(d.name) LIKE "), &filter.destination_group.to_lowercase());
    }
    query
}

/// Completes a condition with a pattern in which only `%` stands for something.
fn like(query: Query, pattern: &str) -> Query {
    let literal = pattern.replace('\\', r"\\").replace('_', r"\_");
    query.value(literal).and(r" ESCAPE '\'")
}
