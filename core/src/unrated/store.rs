//! Unrated calls in the database.

use std::collections::BTreeMap;

use prost::Message;
use tollbook_proto::v1::{self as pb, CallRecord, CallRejection, CallSide};

use super::{Brought, Kept, KeptCall, Refusal};
use crate::{
    access::Scope,
    calls::{Rejection, Side, reason_name, reason_of_name, record},
    clock,
    error::{Error, Result},
    ids::UserId,
    store::{self, Db, Insert, Query, Tx, Value},
};

/// A record to be kept, or counted where it is kept already.
pub(super) struct Row<'a> {
    pub(super) id: i64,
    pub(super) fingerprint: &'a str,
    pub(super) refusal: &'a Refusal<'a>,
    /// In this transaction; 0: it was only tried again.
    pub(super) deliveries: i64,
    pub(super) now: i64,
    pub(super) brought_by: Option<UserId>,
    pub(super) import: Option<i64>,
}

const COLUMNS: &[&str] = &[
    "id",
    "call_id",
    "fingerprint",
    "record",
    "reason",
    "message",
    "user_id",
    "account",
    "source",
    "destination",
    "start_time",
    "billsec",
    "first_seen",
    "last_seen",
    "deliveries",
    "brought_by",
    "side",
    "imports",
];

/// What was kept first stays as it is; only why, when last and how often is told anew. What an import
/// brought, and somebody else, too, is of that import alone no more; of hundreds nobody keeps count.
const AGAIN: &str = " ON CONFLICT (call_id, fingerprint) DO UPDATE SET reason = excluded.reason, \
     message = excluded.message, side = excluded.side, user_id = COALESCE(excluded.user_id, unrated_calls.user_id), \
     last_seen = CASE WHEN excluded.deliveries > 0 THEN excluded.last_seen \
     ELSE unrated_calls.last_seen END, \
     imports = CASE WHEN excluded.deliveries = 0 THEN unrated_calls.imports \
     WHEN excluded.imports = '' OR unrated_calls.imports = '' THEN '' \
     WHEN unrated_calls.imports LIKE '%' || excluded.imports || '%' THEN unrated_calls.imports \
     WHEN LENGTH(unrated_calls.imports) > 1000 THEN '' \
     ELSE unrated_calls.imports || SUBSTR(excluded.imports, 2) END, \
     deliveries = unrated_calls.deliveries + excluded.deliveries";

/// Keeps records, each with another call id or fingerprint.
pub(super) async fn keep(tx: &mut Tx, rows: Vec<Row<'_>>) -> Result<()> {
    let rows = rows.into_iter().map(|row| {
        let Refusal { brought: Brought { record, .. }, rejection, payer, .. } = row.refusal;
        let start_time = record.start_time.as_ref();
        let start_time = start_time.and_then(|time| clock::from_proto("start_time", time).ok());
        let read = record::read(record);
        vec![
            Value::from(row.id),
            record.call_id.as_str().into(),
            row.fingerprint.into(),
            record.encode_to_vec().into(),
            rejection.reason().into(),
            rejection.to_string().into(),
            payer.map(|user| user.0).into(),
            account(record).into(),
            readable(&record.source).into(),
            readable(&record.destination).into(),
            start_time.into(),
            read.map_or(0, |read| read.reported.billsec).into(),
            row.now.into(),
            row.now.into(),
            row.deliveries.into(),
            row.brought_by.map(|user| user.0).into(),
            rejection.side().map_or("", Side::name).into(),
            row.import.map(mark).unwrap_or_default().into(),
        ]
    });
    let rows = rows.collect();
    tx.queue(Insert { table: "unrated_calls", columns: COLUMNS, rows, on_conflict: AGAIN }).await
}

/// An import among those that brought a record.
fn mark(import: i64) -> String {
    format!(",{import},")
}

/// A record that an import brought.
pub(super) struct OfImport {
    pub(super) id: i64,
    pub(super) reason: CallRejection,
    /// Nobody else did.
    pub(super) is_of_one: bool,
}

/// The ids of some records that an import brought, ascending behind one.
pub(super) async fn ids_of_import(
    tx: &mut Tx,
    import: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let query = Query::new("SELECT id FROM unrated_calls WHERE id > ")
        .value(after)
        .and(" AND imports LIKE ")
        .value(format!("%{}%", mark(import)))
        .and(" ORDER BY id LIMIT ")
        .value(limit);
    tx.fetch_all(query).await?.iter().map(|row| row.get(0)).collect()
}

/// Those of some records that an import brought; they stay as they are until the commit.
pub(super) async fn lock_of_import(tx: &mut Tx, import: i64, ids: &[i64]) -> Result<Vec<OfImport>> {
    let query = Query::new("SELECT id, reason, imports FROM unrated_calls WHERE imports LIKE ")
        .value(format!("%{}%", mark(import)))
        .and(" AND id IN ")
        .list(ids.iter().copied())
        .and(" ORDER BY id")
        .and(tx.lock_clause());
    let read = |row: &store::Row| {
        let is_of_one = row.get::<String>(2)? == mark(import);
        Ok(OfImport { id: row.get(0)?, reason: reason(row, 1)?, is_of_one })
    };
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// How many records an import brought, and nobody else.
pub(super) async fn count_of_import(tx: &mut Tx, import: i64) -> Result<i64> {
    let query = Query::new("SELECT COUNT(*) FROM unrated_calls WHERE imports = ");
    let row = tx.fetch_optional(query.value(mark(import))).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// Leaves records to the others who brought them.
pub(super) async fn forget_import(
    tx: &mut Tx,
    import: i64,
    ids: impl IntoIterator<Item = i64>,
) -> Result<()> {
    let mut ids = ids.into_iter().peekable();
    if ids.peek().is_none() {
        return Ok(());
    }
    let query = Query::new("UPDATE unrated_calls SET imports = REPLACE(imports, ")
        .value(mark(import))
        .and(", ',') WHERE id IN ")
        .list(ids);
    tx.queue(query).await
}

/// What the accounts begin with that are no login name, and one that is and could be taken for another.
const MARKS: [&str; 3] = ["id ", "point ", "login "];

/// What is before the text of a point that could be taken for an id, or for such a text.
const NAMED: &str = "named ";

/// Who would pay, as a record names them. No two name the same: a login name that reads as another kind
/// of account is told as such, and so is the text of a point that reads as an id.
pub(super) fn account(record: &CallRecord) -> String {
    match (record.originator_id, record.originator.as_str(), record.origination_point_id) {
        (Some(id), ..) => format!("id {id}"),
        (None, "", 0) if record.origination_point.is_empty() => String::new(),
        (None, "", 0) => {
            let point = record.origination_point.as_str();
            let is_id = point.bytes().all(|byte| byte.is_ascii_digit());
            let mark = if is_id || point.starts_with(NAMED) { NAMED } else { "" };
            readable(&format!("point {mark}{point}"))
        }
        (None, "", point) => format!("point {point}"),
        (None, name, _) if MARKS.into_iter().any(|mark| name.starts_with(mark)) => {
            readable(&format!("login {name}"))
        }
        (None, name, _) => readable(name),
    }
}

/// An account without capitals, in which login names are alike. What is none stays as it is written, and
/// so does a login name that would be taken for it without them.
pub(super) fn folded(account: &str) -> String {
    let small = account.to_lowercase();
    match MARKS.into_iter().any(|mark| small.starts_with(mark)) {
        true => account.to_owned(),
        false => small,
    }
}

/// The spellings of an account that unrated calls have; itself, if none has it.
pub(super) async fn spellings(db: &Db, account: &str) -> Result<Vec<String>> {
    let rows = db.fetch_all(Query::new("SELECT DISTINCT account FROM unrated_calls")).await?;
    let all: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
    let asked = folded(account);
    let mut alike: Vec<String> = all.into_iter().filter(|one| folded(one) == asked).collect();
    // Others may come until it is asked for them.
    if !alike.iter().any(|one| one == account) {
        alike.push(account.to_owned());
    }
    Ok(alike)
}

/// A text without what no field may hold.
fn readable(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(255).collect()
}

fn reason(row: &store::Row, column: usize) -> Result<CallRejection> {
    // A later version may have had more reasons.
    Ok(reason_of_name(&row.get::<String>(column)?).unwrap_or(CallRejection::Unspecified))
}

fn side(row: &store::Row, column: usize) -> Result<CallSide> {
    let name = row.get::<String>(column)?;
    let side = Side::from_name(&name);
    Ok(side.map_or(CallSide::Unspecified, Side::to_proto))
}

fn decoded(bytes: &[u8]) -> Result<CallRecord> {
    CallRecord::decode(bytes).map_err(|_| Error::internal("an unrated call cannot be read"))
}

/// Asks whether there is any.
pub(crate) fn asking_for_any() -> Query {
    Query::new("SELECT id FROM unrated_calls ORDER BY id LIMIT 1")
}

/// Asks which of some are there, and keeps them as they are until the commit.
pub(crate) fn asking_for(tx: &Tx, ids: impl IntoIterator<Item = i64>) -> Query {
    Query::new("SELECT id, reason, imports FROM unrated_calls WHERE id IN ")
        .list(ids)
        .and(" ORDER BY id")
        .and(tx.lock_clause())
}

/// What [`asking_for`] found.
pub(crate) fn read_kept(rows: &[store::Row]) -> Result<Kept> {
    let read = |row: &store::Row| {
        let imports: String = row.get(2)?;
        let import = imports.split(',').find_map(|import| import.parse().ok());
        Ok((row.get(0)?, KeptCall { reason: reason(row, 1)?, import }))
    };
    rows.iter().map(read).collect()
}

/// An unrated call, as a batch has to know it.
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) call_id: String,
    pub(super) fingerprint: String,
    pub(super) reason: CallRejection,
    pub(super) record: CallRecord,
}

impl Found {
    pub(super) fn key(&self) -> (&str, &str) {
        (&self.call_id, &self.fingerprint)
    }
}

/// The unrated calls of some ids of switches.
pub(super) async fn of_calls<'a>(
    tx: &mut Tx,
    call_ids: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Found>> {
    let query = Query::new(
        "SELECT id, call_id, fingerprint, reason, record FROM unrated_calls WHERE call_id IN ",
    );
    let rows = tx.fetch_all(query.list(call_ids)).await?;
    let read = |row: &store::Row| {
        Ok(Found {
            id: row.get(0)?,
            call_id: row.get(1)?,
            fingerprint: row.get(2)?,
            reason: reason(row, 3)?,
            record: decoded(&row.get::<Vec<u8>>(4)?)?,
        })
    };
    rows.iter().map(read).collect()
}

pub(super) async fn delete(tx: &mut Tx, ids: impl IntoIterator<Item = i64>) -> Result<()> {
    let mut ids = ids.into_iter().peekable();
    if ids.peek().is_none() {
        return Ok(());
    }
    tx.queue(Query::new("DELETE FROM unrated_calls WHERE id IN ").list(ids)).await
}

/// How many there are of each reason.
pub(super) async fn counts(db: &Db) -> Result<BTreeMap<CallRejection, i64>> {
    let query = Query::new("SELECT reason, COUNT(*) FROM unrated_calls GROUP BY reason");
    let rows = db.fetch_all(query).await?;
    rows.iter().map(|row| Ok((reason(row, 0)?, row.get(1)?))).collect()
}

/// Which unrated calls are meant.
pub(super) struct Filter {
    pub(super) scope: Scope,
    pub(super) reason: Option<CallRejection>,
    pub(super) user: Option<UserId>,
    /// Of the beginning; `None` if it does not matter, and may be unknown.
    pub(super) period: Option<(i64, i64)>,
    /// As the records name it, in each spelling; none: any.
    pub(super) accounts: Vec<String>,
    /// Empty: any.
    pub(super) destination_prefix: String,
    /// On which something is missing.
    pub(super) side: Option<Side>,
}

impl Filter {
    /// Everything that a scope covers.
    pub(super) fn of(scope: Scope) -> Self {
        Self {
            scope,
            reason: None,
            user: None,
            period: None,
            accounts: Vec::new(),
            destination_prefix: String::new(),
            side: None,
        }
    }

    /// Whether something is asked for.
    pub(super) fn narrows(&self) -> bool {
        let Self { scope: _, reason, user, period, accounts, destination_prefix, side } = self;
        let has_text = !accounts.is_empty() || !destination_prefix.is_empty();
        reason.is_some() || user.is_some() || period.is_some() || has_text || side.is_some()
    }

    /// What is appended to a selection of `unrated_calls c LEFT JOIN users u`.
    fn conditions(&self, query: Query) -> Query {
        let mut query = self.scope.condition(query, "u");
        if let Some(reason) = self.reason {
            query = query.and(" AND c.reason = ").value(reason_name(reason));
        }
        if let Some(user) = self.user {
            query = query.and(" AND c.user_id = ").value(user);
        }
        if !self.accounts.is_empty() {
            query = query.and(" AND c.account IN ").list(self.accounts.iter().map(String::as_str));
        }
        if !self.destination_prefix.is_empty() {
            let length = self.destination_prefix.chars().count();
            query = query
                .and(" AND SUBSTR(c.destination, 1, CAST(")
                .value(i64::try_from(length).unwrap_or(i64::MAX))
                .and(" AS INTEGER)) = ")
                .value(self.destination_prefix.as_str());
        }
        if let Some(side) = self.side {
            query = query.and(" AND c.side = ").value(side.name());
        }
        match self.period {
            Some((from, till)) => query
                .and(" AND c.start_time >= ")
                .value(from)
                .and(" AND c.start_time <= ")
                .value(till),
            None => query,
        }
    }
}

/// A page of unrated calls, the newest first.
pub(super) async fn list(
    db: &Db,
    filter: &Filter,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<pb::UnratedCall>> {
    let query = Query::new(
        "SELECT c.id, c.record, c.reason, c.message, c.user_id, u.username, c.first_seen, \
         c.last_seen, c.deliveries, c.brought_by, c.side \
         FROM unrated_calls c LEFT JOIN users u ON u.id = c.user_id WHERE c.id < ",
    );
    let query = filter.conditions(query.value(before.unwrap_or(i64::MAX)));
    let query = query.and(" ORDER BY c.id DESC LIMIT ").value(limit);
    let rows = db.fetch_all(query).await?;
    let read = |row: &store::Row| {
        Ok(pb::UnratedCall {
            id: row.get(0)?,
            record: Some(decoded(&row.get::<Vec<u8>>(1)?)?),
            reason: reason(row, 2)?.into(),
            message: row.get(3)?,
            user_id: row.get(4)?,
            username: row.get::<Option<String>>(5)?.unwrap_or_default(),
            first_seen: Some(clock::to_proto(row.get(6)?)),
            last_seen: Some(clock::to_proto(row.get(7)?)),
            deliveries: row.get(8)?,
            brought_by: row.get(9)?,
            side: side(row, 10)?.into(),
        })
    };
    rows.iter().map(read).collect()
}

/// Groups of unrated calls, those with the most calls first.
pub(super) async fn groups(
    db: &Db,
    filter: &Filter,
    prefix_length: i64,
    limit: i64,
) -> Result<Vec<pb::UnratedCallGroup>> {
    let query = Query::new("SELECT c.reason, c.account, SUBSTR(c.destination, 1, CAST(")
        .value(prefix_length)
        .and(
            " AS INTEGER)), COUNT(*), CAST(SUM(c.billsec) AS BIGINT), c.side, MIN(c.message) \
             FROM unrated_calls c LEFT JOIN users u ON u.id = c.user_id WHERE TRUE",
        );
    let query = filter.conditions(query);
    let query = query.and(" GROUP BY 1, 2, 3, 6 ORDER BY 4 DESC, 1, 6, 2, 3 LIMIT ").value(limit);
    let rows = db.fetch_all(query).await?;
    let read = |row: &store::Row| {
        Ok(pb::UnratedCallGroup {
            reason: reason(row, 0)?.into(),
            account: row.get(1)?,
            destination_prefix: row.get(2)?,
            calls: row.get(3)?,
            billsec_ms: row.get(4)?,
            side: side(row, 5)?.into(),
            example: row.get(6)?,
        })
    };
    rows.iter().map(read).collect()
}

/// How many unrated calls a filter lets through.
pub(super) async fn count(db: &Db, filter: &Filter) -> Result<i64> {
    let query = Query::new(
        "SELECT COUNT(*) FROM unrated_calls c LEFT JOIN users u ON u.id = c.user_id WHERE TRUE",
    );
    let row = db.fetch_optional(filter.conditions(query)).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

/// The highest id; 0 if there is none.
pub(super) async fn last_id(db: &Db) -> Result<i64> {
    let query = Query::new("SELECT id FROM unrated_calls ORDER BY id DESC LIMIT 1");
    db.fetch_optional(query).await?.map_or(Ok(0), |row| row.get(0))
}

/// Unrated calls to be brought again, by ascending ids between two: no conflicts, which only a
/// person can decide.
pub(super) async fn page(
    db: &Db,
    filter: &Filter,
    after: i64,
    till: i64,
    limit: i64,
) -> Result<Vec<Brought>> {
    let query = Query::new(
        "SELECT c.id, c.fingerprint, c.record, c.user_id, c.first_seen \
         FROM unrated_calls c LEFT JOIN users u ON u.id = c.user_id WHERE c.id > ",
    )
    .value(after)
    .and(" AND c.id <= ")
    .value(till)
    .and(" AND c.reason <> ")
    .value(Rejection::Conflict("").reason());
    let query = filter.conditions(query).and(" ORDER BY c.id LIMIT ").value(limit);
    let rows = db.fetch_all(query).await?;
    let read = |row: &store::Row| {
        let again = Brought::again(row.get(0)?, row.get(1)?, decoded(&row.get::<Vec<u8>>(2)?)?);
        let payer = row.get::<Option<i64>>(3)?.map(UserId);
        Ok(Brought { payer, first_seen: Some(row.get(4)?), ..again })
    };
    rows.iter().map(read).collect()
}

/// How many of a reason a deletion concerns, and what they come to.
#[derive(Default)]
pub(super) struct Extent {
    pub(super) reasons: BTreeMap<CallRejection, i64>,
    /// The beginnings of the first and the last, as far as they are known.
    pub(super) start_times: Option<(i64, i64)>,
    /// Milliseconds.
    pub(super) billsec: i64,
}

impl Extent {
    /// Counts a call.
    pub(super) fn count(&mut self, call: &Doomed) {
        let times = call.start_time.map(|time| (time, time));
        self.add(call.reason, 1, times, call.billsec);
    }

    /// Counts calls of a reason.
    fn add(&mut self, reason: CallRejection, calls: i64, times: Option<(i64, i64)>, billsec: i64) {
        *self.reasons.entry(reason).or_default() += calls;
        self.start_times = match (self.start_times, times) {
            (Some((first, last)), Some((from, till))) => Some((first.min(from), last.max(till))),
            (known, new) => known.or(new),
        };
        self.billsec += billsec;
    }
}

/// What is appended to a selection, so that it has unrated calls of a filter, and of some ids if there
/// are any.
fn of_filter(query: Query, filter: &Filter, ids: &[i64]) -> Query {
    let query = query.and(" FROM unrated_calls c LEFT JOIN users u ON u.id = c.user_id WHERE TRUE");
    let query = match ids {
        [] => query,
        ids => query.and(" AND c.id IN ").list(ids.iter().copied()),
    };
    filter.conditions(query)
}

/// What there is of a filter, and of some ids if there are any.
pub(super) async fn extent(db: &Db, filter: &Filter, ids: &[i64]) -> Result<Extent> {
    let query = Query::new(
        "SELECT c.reason, COUNT(*), MIN(c.start_time), MAX(c.start_time), \
         CAST(SUM(c.billsec) AS BIGINT)",
    );
    let query = of_filter(query, filter, ids).and(" GROUP BY 1");
    let mut extent = Extent::default();
    for row in db.fetch_all(query).await? {
        let times = row.get::<Option<i64>>(2)?.zip(row.get(3)?);
        extent.add(reason(&row, 0)?, row.get(1)?, times, row.get(4)?);
    }
    Ok(extent)
}

/// A call that is to be deleted.
pub(super) struct Doomed {
    pub(super) id: i64,
    pub(super) record: CallRecord,
    pub(super) reason: CallRejection,
    start_time: Option<i64>,
    billsec: i64,
}

/// The first calls of a filter, and of some ids if there are any, after an id and up to another, with
/// the id up to which they were looked for; `None` if there are none. They are of the filter, and stay
/// as they are until the commit.
pub(super) async fn lock(
    tx: &mut Tx,
    filter: &Filter,
    ids: &[i64],
    (after, till): (i64, i64),
    limit: i64,
) -> Result<Option<(i64, Vec<Doomed>)>> {
    let query = of_filter(Query::new("SELECT c.id"), filter, ids);
    let query = query.and(" AND c.id > ").value(after).and(" AND c.id <= ").value(till);
    let query = query.and(" ORDER BY c.id LIMIT ").value(limit);
    let rows = tx.fetch_all(query).await?;
    let found = rows.iter().map(|row| row.get(0)).collect::<Result<Vec<i64>>>()?;
    let Some(last) = found.last().copied() else { return Ok(None) };
    tx.fetch_all(asking_for(tx, found.iter().copied())).await?;
    // One that changed before it was locked may be another now than the filter means.
    let query = "SELECT c.id, c.reason, c.record, c.start_time, c.billsec";
    let query = of_filter(Query::new(query), filter, &found).and(" ORDER BY c.id");
    let read = |row: &store::Row| {
        Ok(Doomed {
            id: row.get(0)?,
            reason: reason(row, 1)?,
            record: decoded(&row.get::<Vec<u8>>(2)?)?,
            start_time: row.get(3)?,
            billsec: row.get(4)?,
        })
    };
    let calls = tx.fetch_all(query).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Some((last, calls)))
}
