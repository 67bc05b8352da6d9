//! Calls in the database.

use std::collections::HashMap;

use rust_decimal::Decimal;
use tollbook_proto::v1::CallOrder;

use super::{Call, Disposition, Exchange, Leg, Listed, Names, Owners, Reported, Share, Side};
use crate::{
    access::Scope,
    error::{Error, Result},
    ids::{CurrencyId, EntryId, PointId, TariffId, UserId},
    money::ExchangeRate,
    store::{Db, Insert, Query, Row, Tx, Value},
};

const COLUMNS: [&str; 46] = [
    "id",
    "call_id",
    "start_time",
    "duration",
    "billsec",
    "disposition",
    "hangup_cause",
    "source",
    "destination",
    "originator_id",
    "origination_point_id",
    "terminator_id",
    "termination_point_id",
    "prefix",
    "tariff_id",
    "rate",
    "billed_seconds",
    "price",
    "entry_id",
    "self_cost_tariff_id",
    "self_cost_rate",
    "self_cost_billed_seconds",
    "self_cost",
    "self_cost_entry_id",
    "record_id",
    "currency_id",
    "exchange_rate",
    "self_cost_currency_id",
    "self_cost_exchange_rate",
    "import_id",
    "reseller_id",
    "reseller_tariff_id",
    "reseller_rate",
    "reseller_billed_seconds",
    "reseller_price",
    "reseller_entry_id",
    "reseller_currency_id",
    "reseller_exchange_rate",
    "partner_id",
    "partner_tariff_id",
    "partner_rate",
    "partner_billed_seconds",
    "partner_price",
    "partner_entry_id",
    "partner_currency_id",
    "partner_exchange_rate",
];

/// Where the columns of names begin, behind those of a call.
const NAMES: usize = COLUMNS.len();

/// Stores new calls.
pub(super) async fn insert<'a>(tx: &mut Tx, calls: impl Iterator<Item = &'a Call>) -> Result<()> {
    let rows = calls.map(|call| {
        let reported = &call.reported;
        let (price, self_cost) = (&call.price, &call.self_cost);
        let [price_exchange, self_cost_exchange] = [price, self_cost].map(exchange_values);
        let mut row = vec![
            Value::from(call.id),
            reported.call_id.as_str().into(),
            reported.start_time.into(),
            reported.duration.into(),
            reported.billsec.into(),
            reported.disposition.name().into(),
            reported.hangup_cause.into(),
            reported.source.as_str().into(),
            reported.destination.as_str().into(),
            call.originator.into(),
            reported.origination_point.into(),
            call.terminator.map_or(0, |user| user.0).into(),
            reported.termination_point.into(),
            call.prefix.as_str().into(),
            price.tariff.into(),
            price.rate.into(),
            price.billed_seconds.into(),
            price.amount.into(),
            price.entry.into(),
            self_cost.tariff.into(),
            self_cost.rate.into(),
            self_cost.billed_seconds.into(),
            self_cost.amount.into(),
            self_cost.entry.into(),
            reported.record_id.as_str().into(),
        ];
        row.extend(price_exchange);
        row.extend(self_cost_exchange);
        row.push(call.import.into());
        row.extend(share_values(call.owners.reseller.as_deref()));
        row.extend(share_values(call.owners.partner.as_deref()));
        row
    });
    let rows = rows.collect();
    tx.queue(Insert { table: "calls", columns: &COLUMNS, rows, on_conflict: "" }).await
}

/// A selection of all that a call has, and what comes behind the columns.
macro_rules! select_calls {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.call_id, c.start_time, c.duration, c.billsec, c.disposition, \
             c.hangup_cause, c.source, c.destination, c.originator_id, c.origination_point_id, \
             c.terminator_id, c.termination_point_id, c.prefix, c.tariff_id, c.rate, \
             c.billed_seconds, c.price, c.entry_id, c.self_cost_tariff_id, c.self_cost_rate, \
             c.self_cost_billed_seconds, c.self_cost, c.self_cost_entry_id, c.record_id, \
             c.currency_id, c.exchange_rate, c.self_cost_currency_id, c.self_cost_exchange_rate, \
             c.import_id, c.reseller_id, c.reseller_tariff_id, c.reseller_rate, \
             c.reseller_billed_seconds, c.reseller_price, c.reseller_entry_id, \
             c.reseller_currency_id, c.reseller_exchange_rate, c.partner_id, c.partner_tariff_id, \
             c.partner_rate, c.partner_billed_seconds, c.partner_price, c.partner_entry_id, \
             c.partner_currency_id, c.partner_exchange_rate",
            $rest
        )
    };
}

/// The same with the names that go with a call.
macro_rules! listed_calls {
    ($rest:literal) => {
        concat!(
            select_calls!(
                ", o.username, t.username, d.name, r.username, p.username FROM calls c \
                 JOIN users o ON o.id = c.originator_id \
                 LEFT JOIN users r ON r.id = c.reseller_id \
                 LEFT JOIN users p ON p.id = c.partner_id \
                 LEFT JOIN users t ON t.id = c.terminator_id AND c.terminator_id <> 0 \
                 LEFT JOIN destinations d ON d.prefix = c.prefix"
            ),
            $rest
        )
    };
}

/// Asks for the stored calls of some ids.
pub(crate) fn asking_for_known<'a>(call_ids: impl IntoIterator<Item = &'a str>) -> Query {
    Query::new(select_calls!(" FROM calls c WHERE c.call_id IN ")).list(call_ids)
}

/// What [`asking_for_known`] found, by their ids.
pub(crate) fn read_known(rows: &[Row]) -> Result<HashMap<String, Call>> {
    let calls = rows.iter().map(read);
    calls.map(|call| call.map(|call| (call.reported.call_id.clone(), call))).collect()
}

/// Takes stored calls out: for others that come in their place, or with what they were charged.
pub(super) async fn take_out<'a>(
    tx: &mut Tx,
    call_ids: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    tx.queue(Query::new("DELETE FROM calls WHERE call_id IN ").list(call_ids)).await
}

fn read(row: &Row) -> Result<Call> {
    let disposition = Disposition::from_name(&row.get::<String>(5)?);
    let leg = |first: usize, exchange: usize| -> Result<Leg> {
        Ok(Leg {
            tariff: TariffId(row.get(first)?),
            rate: row.get(first + 1)?,
            billed_seconds: row.get(first + 2)?,
            amount: row.get(first + 3)?,
            entry: EntryId(row.get(first + 4)?),
            exchange: read_exchange(row, exchange)?,
        })
    };
    let terminator: i64 = row.get(11)?;
    Ok(Call {
        id: row.get(0)?,
        reported: Reported {
            call_id: row.get(1)?,
            record_id: row.get(24)?,
            start_time: row.get(2)?,
            duration: row.get(3)?,
            billsec: row.get(4)?,
            disposition: disposition
                .ok_or_else(|| Error::internal("a stored call has an unknown disposition"))?,
            hangup_cause: row.get(6)?,
            source: row.get(7)?,
            destination: row.get(8)?,
            origination_point: PointId(row.get(10)?),
            termination_point: PointId(row.get(12)?),
        },
        originator: UserId(row.get(9)?),
        terminator: (terminator != 0).then_some(UserId(terminator)),
        prefix: row.get(13)?,
        price: leg(14, 25)?,
        self_cost: leg(19, 27)?,
        import: row.get(29)?,
        owners: Owners { reseller: read_share(row, 30)?, partner: read_share(row, 38)? },
    })
}

/// What somebody above the user pays, from eight columns.
fn read_share(row: &Row, first: usize) -> Result<Option<Box<Share>>> {
    let Some(user) = row.get::<Option<i64>>(first)? else { return Ok(None) };
    let price = Leg {
        tariff: TariffId(row.get(first + 1)?),
        rate: row.get(first + 2)?,
        billed_seconds: row.get(first + 3)?,
        amount: row.get(first + 4)?,
        entry: EntryId(row.get(first + 5)?),
        exchange: read_exchange(row, first + 6)?,
    };
    Ok(Some(Box::new(Share { user: UserId(user), price })))
}

/// The columns that [`read_share`] reads.
fn share_values(share: Option<&Share>) -> [Value; 8] {
    let Some(Share { user, price }) = share else {
        const INT: Value = Value::Int(None);
        const DECIMAL: Value = Value::Decimal(None);
        return [INT, INT, DECIMAL, INT, DECIMAL, INT, INT, DECIMAL];
    };
    let [currency, exchange_rate] = exchange_values(price);
    [
        (*user).into(),
        price.tariff.into(),
        price.rate.into(),
        price.billed_seconds.into(),
        price.amount.into(),
        price.entry.into(),
        currency,
        exchange_rate,
    ]
}

/// How the price of a side was converted, from two columns.
fn read_exchange(row: &Row, first: usize) -> Result<Option<Exchange>> {
    let (currency, rate) = (CurrencyId(row.get(first)?), row.get::<Decimal>(first + 1)?);
    Ok(ExchangeRate::new(rate).map(|rate| Exchange { currency, rate }))
}

/// The columns that [`read_exchange`] reads.
fn exchange_values(leg: &Leg) -> [Value; 2] {
    leg.exchange.map_or([0.into(), Decimal::ZERO.into()], |Exchange { currency, rate }| {
        [currency.into(), rate.into()]
    })
}

/// Which calls a list shows.
pub(super) struct Filter<'a> {
    pub(super) scope: Scope,
    /// Of the beginning, both inclusive.
    pub(super) period: (i64, i64),
    pub(super) call_id: Option<&'a str>,
    pub(super) originator: Option<UserId>,
    /// Of him, or of those whom he owns.
    pub(super) owner: Option<UserId>,
    pub(super) terminator: Option<UserId>,
    pub(super) origination_point: Option<PointId>,
    pub(super) termination_point: Option<PointId>,
    pub(super) disposition: Option<Disposition>,
    pub(super) hangup_cause: Option<i64>,
    pub(super) destination_prefix: Option<&'a str>,
    pub(super) order: Order,
    pub(super) descending: bool,
    /// The call after which a page begins in the order of time: its beginning and its id.
    pub(super) after: Option<(i64, i64)>,
    pub(super) limit: i64,
}

/// What a list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Time,
    /// A column, or an expression.
    By(&'static str),
}

const TERMINATOR: &str = "t.username";
const SELF_COST_RATE: &str = "CAST(c.self_cost_rate AS REAL)";
const SELF_COST: &str = "CAST(c.self_cost AS REAL)";

impl Order {
    /// What the database sorts by. Money is text in SQLite; as a number it is near enough to be
    /// sorted.
    pub(super) fn of(order: CallOrder) -> Self {
        Self::By(match order {
            CallOrder::Unspecified => return Self::Time,
            CallOrder::Source => "c.source",
            CallOrder::Destination => "c.destination",
            CallOrder::Prefix => "c.prefix",
            CallOrder::Billsec => "c.billsec",
            CallOrder::HangupCause => "c.hangup_cause",
            CallOrder::Terminator => TERMINATOR,
            CallOrder::SelfCostRate => SELF_COST_RATE,
            CallOrder::SelfCost => SELF_COST,
            CallOrder::Originator => "o.username",
            CallOrder::Rate => "CAST(c.rate AS REAL)",
            CallOrder::Price => "CAST(c.price AS REAL)",
        })
    }

    /// Whether it is an order by what customers do not see of their calls.
    pub(super) fn is_hidden_from_customers(self) -> bool {
        matches!(self, Self::By(TERMINATOR | SELF_COST_RATE | SELF_COST))
    }
}

/// Calls with the names that go with them, in the order of time.
pub(super) async fn list(db: &Db, filter: &Filter<'_>) -> Result<Vec<Listed>> {
    let rows = db.fetch_all(select(filter)).await?;
    rows.iter().map(read_listed).collect()
}

/// Some calls, of which the beginning and the id are known, with the names that go with them, in
/// this order.
pub(super) async fn these(db: &Db, calls: &[(i64, i64)]) -> Result<Vec<Listed>> {
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    // One database finds them by the beginning, the other by the id.
    let query = Query::new(listed_calls!(" WHERE c.start_time IN "))
        .list(calls.iter().map(|(time, _)| *time))
        .and(" AND c.id IN ")
        .list(calls.iter().map(|(_, id)| *id));
    let rows = db.fetch_all(query).await?;
    let mut found = HashMap::with_capacity(rows.len());
    for row in &rows {
        let listed = read_listed(row)?;
        found.insert(listed.call.id, listed);
    }
    Ok(calls.iter().filter_map(|(_, id)| found.remove(id)).collect())
}

fn read_listed(row: &Row) -> Result<Listed> {
    let name = |column| Ok::<_, Error>(row.get::<Option<String>>(column)?.unwrap_or_default());
    Ok(Listed {
        call: read(row)?,
        names: Names {
            originator: row.get(NAMES)?,
            terminator: name(NAMES + 1)?,
            destination: name(NAMES + 2)?,
            reseller: name(NAMES + 3)?,
            partner: name(NAMES + 4)?,
        },
    })
}

/// How many calls a filter lets through on all pages.
pub(super) async fn count(db: &Db, filter: &Filter<'_>) -> Result<i64> {
    let query = Query::new(
        "SELECT COUNT(*) FROM calls c JOIN users o ON o.id = c.originator_id WHERE c.start_time >= ",
    );
    let row = db.fetch_optional(conditions(query, filter)).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

fn select(filter: &Filter<'_>) -> Query {
    let mut query = conditions(Query::new(listed_calls!(" WHERE c.start_time >= ")), filter);
    if let Some((time, id)) = filter.after {
        let beyond = if filter.descending {
            " AND (c.start_time, c.id) < ("
        } else {
            " AND (c.start_time, c.id) > ("
        };
        query = query.and(beyond).value(time).and(", ").value(id).and(")");
    }
    let direction = if filter.descending { " DESC" } else { "" };
    let query = query.and(" ORDER BY c.start_time").and(direction).and(", c.id").and(direction);
    query.and(" LIMIT ").value(filter.limit)
}

/// Selects the beginning and the id of all calls that a filter lets through, in its order.
pub(super) fn sorted(filter: &Filter<'_>) -> Query {
    let query = Query::new(
        "SELECT c.start_time, c.id FROM calls c JOIN users o ON o.id = c.originator_id \
         LEFT JOIN users t ON t.id = c.terminator_id AND c.terminator_id <> 0 \
         WHERE c.start_time >= ",
    );
    let direction = if filter.descending { " DESC" } else { "" };
    let mut query = conditions(query, filter).and(" ORDER BY ");
    if let Order::By(column) = filter.order {
        query = query.and(column).and(direction).and(", ");
    }
    query.and("c.start_time").and(direction).and(", c.id").and(direction)
}

/// Which calls are meant, behind `c.start_time >= `.
fn conditions(query: Query, filter: &Filter<'_>) -> Query {
    let mut query =
        query.value(filter.period.0).and(" AND c.start_time <= ").value(filter.period.1);
    query = filter.scope.condition(query, "o");
    if let Some(id) = filter.call_id {
        query = query.and(" AND c.call_id = ").value(id);
    }
    if let Some(user) = filter.originator {
        query = query.and(" AND c.originator_id = ").value(user);
    }
    if let Some(owner) = filter.owner {
        query = Scope::owned_by(owner).condition(query, "o");
    }
    if let Some(user) = filter.terminator {
        query = query.and(" AND c.terminator_id = ").value(user);
    }
    if let Some(point) = filter.origination_point {
        query = query.and(" AND c.origination_point_id = ").value(point);
    }
    if let Some(point) = filter.termination_point {
        query = query.and(" AND c.termination_point_id = ").value(point);
    }
    if let Some(disposition) = filter.disposition {
        query = query.and(" AND c.disposition = ").value(disposition.name());
    }
    if let Some(cause) = filter.hangup_cause {
        query = query.and(" AND c.hangup_cause = ").value(cause);
    }
    if let Some(prefix) = filter.destination_prefix {
        let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
        query =
            query.and(" AND SUBSTR(c.destination, 1, CAST(").value(length).and(" AS INTEGER)) = ");
        query = query.value(prefix);
    }
    query
}

/// A stored call with the names that go with it, by the switch's id.
pub(crate) async fn by_call_id(db: &Db, call_id: &str) -> Result<Option<Listed>> {
    let filter = Filter {
        scope: Scope::any(),
        period: (i64::MIN, i64::MAX),
        call_id: Some(call_id),
        originator: None,
        owner: None,
        terminator: None,
        origination_point: None,
        termination_point: None,
        disposition: None,
        hangup_cause: None,
        destination_prefix: None,
        order: Order::Time,
        descending: false,
        after: None,
        limit: 1,
    };
    Ok(list(db, &filter).await?.pop())
}

/// Answered calls of a period, to be rated again.
pub(super) struct Rerated<'a> {
    pub(super) period: (i64, i64),
    /// Only calls that this user has to do with, on one of these sides.
    pub(super) user: Option<UserId>,
    pub(super) sides: &'a [Side],
    /// The beginning and the id of the last call of the page before.
    pub(super) after: (i64, i64),
    pub(super) limit: i64,
}

/// A page of calls to be rated again, in the order of time.
pub(super) async fn answered(db: &Db, filter: &Rerated<'_>) -> Result<Vec<Call>> {
    let mut query = Query::new(select_calls!(" FROM calls c WHERE c.start_time >= "))
        .value(filter.period.0)
        .and(" AND c.start_time <= ")
        .value(filter.period.1)
        .and(" AND c.disposition = 'answered' AND c.billsec > 0 AND (c.start_time, c.id) > (")
        .value(filter.after.0)
        .and(", ")
        .value(filter.after.1)
        .and(")");
    if let Some(user) = filter.user {
        let mut separator = " AND (";
        for side in filter.sides {
            query = query.and(separator).and(match side {
                Side::Originator => "c.originator_id = ",
                Side::Reseller => "c.reseller_id = ",
                Side::Partner => "c.partner_id = ",
                Side::Terminator => "c.terminator_id = ",
            });
            query = query.value(user);
            separator = " OR ";
        }
        query = query.and(")");
    }
    let query = query.and(" ORDER BY c.start_time, c.id LIMIT ").value(filter.limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// A page of the calls of an import, in the order of their ids behind one.
pub(super) async fn of_import(
    tx: &mut Tx,
    import: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<Call>> {
    let query = Query::new(select_calls!(" FROM calls c WHERE c.import_id = "))
        .value(import)
        .and(" AND c.id > ")
        .value(after)
        .and(" ORDER BY c.id LIMIT ")
        .value(limit);
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// Some calls by the switch's ids, which nobody else changes until the commit.
pub(super) async fn lock(tx: &mut Tx, call_ids: &[&str]) -> Result<Vec<Call>> {
    let lock = tx.lock_clause();
    let query = Query::new(select_calls!(" FROM calls c WHERE c.call_id IN "))
        .list(call_ids.iter().copied())
        .and(" ORDER BY c.start_time, c.id")
        .and(lock);
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// Stores the new prices of calls in one statement. They are found by the switch's id, which
/// both databases have an index of.
pub(super) async fn reprice(tx: &mut Tx, calls: &[Call]) -> Result<()> {
    let rows = calls.iter().map(|call| {
        let (price, self_cost) = (&call.price, &call.self_cost);
        let [price_exchange, self_cost_exchange] = [price, self_cost].map(exchange_values);
        let mut row = vec![
            Value::from(call.reported.call_id.as_str()),
            call.prefix.as_str().into(),
            price.tariff.into(),
            price.rate.into(),
            price.billed_seconds.into(),
            price.amount.into(),
            price.entry.into(),
            self_cost.tariff.into(),
            self_cost.rate.into(),
            self_cost.billed_seconds.into(),
            self_cost.amount.into(),
            self_cost.entry.into(),
        ];
        row.extend(price_exchange);
        row.extend(self_cost_exchange);
        row.extend(share_values(call.owners.reseller.as_deref()));
        row.extend(share_values(call.owners.partner.as_deref()));
        row
    });
    let query = Query::new(
        "UPDATE calls SET prefix = changed.column2, tariff_id = changed.column3, \
         rate = changed.column4, billed_seconds = changed.column5, price = changed.column6, \
         entry_id = changed.column7, self_cost_tariff_id = changed.column8, \
         self_cost_rate = changed.column9, self_cost_billed_seconds = changed.column10, \
         self_cost = changed.column11, self_cost_entry_id = changed.column12, \
         currency_id = changed.column13, exchange_rate = changed.column14, \
         self_cost_currency_id = changed.column15, self_cost_exchange_rate = changed.column16, \
         reseller_id = changed.column17, reseller_tariff_id = changed.column18, \
         reseller_rate = changed.column19, reseller_billed_seconds = changed.column20, \
         reseller_price = changed.column21, reseller_entry_id = changed.column22, \
         reseller_currency_id = changed.column23, reseller_exchange_rate = changed.column24, \
         partner_id = changed.column25, partner_tariff_id = changed.column26, \
         partner_rate = changed.column27, partner_billed_seconds = changed.column28, \
         partner_price = changed.column29, partner_entry_id = changed.column30, \
         partner_currency_id = changed.column31, partner_exchange_rate = changed.column32 FROM (VALUES ",
    )
    .rows(rows)
    .and(") AS changed WHERE calls.call_id = changed.column1");
    tx.execute(query).await?;
    Ok(())
}

/// A page of all calls in the order in which they began, after a position.
pub(crate) async fn after(tx: &mut Tx, position: (i64, i64), limit: i64) -> Result<Vec<Call>> {
    let query = Query::new(select_calls!(" FROM calls c WHERE (c.start_time, c.id) > ("))
        .value(position.0)
        .and(", ")
        .value(position.1)
        .and(") ORDER BY c.start_time, c.id LIMIT ")
        .value(limit);
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// Whether a call came from a point of a user, ended or under way.
pub(crate) async fn came_from(tx: &mut Tx, user: UserId, point: PointId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM calls WHERE originator_id = ")
        .value(user)
        .and(" AND origination_point_id = ")
        .value(point)
        .and(" UNION ALL SELECT 1 FROM active_calls WHERE originator_id = ")
        .value(user)
        .and(" AND origination_point_id = ")
        .value(point)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether a user has calls, also under way.
pub(crate) async fn has_any(tx: &mut Tx, user: UserId) -> Result<bool> {
    let query = Query::new(
        "SELECT 1 FROM traffic_days WHERE calls <> 0 AND side IN ('originator', 'reseller', 'partner', 'terminator') \
         AND user_id = ",
    )
    .value(user)
    .and(" UNION ALL SELECT 1 FROM active_calls WHERE ")
    .value(user)
    .and(" IN (originator_id, terminator_id, reseller_id, partner_id) LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether calls went to a point of a user's, or are on their way to it.
pub(crate) async fn went_to(tx: &mut Tx, user: UserId, point: PointId) -> Result<bool> {
    let query = Query::new("SELECT 1 FROM calls WHERE terminator_id = ")
        .value(user)
        .and(" AND termination_point_id = ")
        .value(point)
        .and(" UNION ALL SELECT 1 FROM active_calls WHERE termination_point_id = ")
        .value(point)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}
