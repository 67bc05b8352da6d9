//! Imports of calls in the database.

use rust_decimal::Decimal;
use tollbook_proto::v1 as pb;

use super::{Locked, Progress, State, TakenBack, added, undo::Done};
use crate::{
    changes::Origin,
    clock,
    error::{Error, Result},
    ids::UserId,
    money,
    store::{Db, Insert, Query, Row, Sequence, Tx},
    stored,
};

const COLUMNS: &[&str] = &[
    "id",
    "state",
    "created_at",
    "actor_id",
    "credential",
    "address",
    "file_name",
    "file_sha256",
    "options",
    "received",
    "stored",
    "merged",
    "duplicates",
    "rejected",
    "conflicts",
    "unrated",
    "not_read",
    "undone_calls",
    "undone_unrated",
    "price",
    "self_cost",
    "undone_price",
    "undone_self_cost",
];

/// Stores an import that begins. Returns its id.
pub(super) async fn insert(
    tx: &mut Tx,
    origin: &Origin,
    start: &pb::CallImportStart,
) -> Result<i64> {
    let id = tx.next_id(Sequence::Imports).await?;
    let options = start.options.as_ref().map(stored::written).transpose()?;
    let mut row = vec![
        id.into(),
        State::Running.name().into(),
        clock::now().into(),
        origin.actor.map(|user| user.0).into(),
        origin.credential.to_string().into(),
        origin.address.map(|address| address.to_string()).unwrap_or_default().into(),
        start.name.as_str().into(),
        "".into(),
        options.unwrap_or_default().into(),
    ];
    row.extend([0_i64; 10].map(Into::into));
    row.extend([Decimal::ZERO; 4].map(Into::into));
    let insert =
        Insert { table: "call_imports", columns: COLUMNS, rows: vec![row], on_conflict: "" };
    tx.insert(insert).await?;
    Ok(id)
}

/// Says that no further call of an import comes, unless it is not running any more.
pub(super) async fn end(tx: &mut Tx, id: i64, end: Option<&pb::CallImportEnd>) -> Result<()> {
    let state = if end.is_some() { State::Complete } else { State::BrokenOff };
    let end = end.cloned().unwrap_or_default();
    let query = Query::new("UPDATE call_imports SET state = ")
        .value(state.name())
        .and(", ended_at = ")
        .value(clock::now())
        .and(", file_sha256 = ")
        .value(end.sha256)
        .and(", file_size = ")
        .value(end.size)
        .and(", not_read = ")
        .value(end.not_read)
        .and(" WHERE state = 'running' AND id = ")
        .value(id);
    tx.execute(query).await.map(drop)
}

/// Asks for imports that nobody else changes until the commit.
pub(super) fn locking(tx: &Tx, ids: impl IntoIterator<Item = i64>) -> Query {
    Query::new(
        "SELECT id, state, price, self_cost, undone_price, undone_self_cost FROM call_imports \
         WHERE id IN ",
    )
    .list(ids)
    .and(" ORDER BY id")
    .and(tx.lock_clause())
}

/// What [`locking`] found.
pub(super) fn read_locked(row: &Row) -> Result<Locked> {
    Ok(Locked {
        id: row.get(0)?,
        state: State::from_name(&row.get::<String>(1)?)?,
        price: row.get(2)?,
        self_cost: row.get(3)?,
        undone_price: row.get(4)?,
        undone_self_cost: row.get(5)?,
    })
}

/// An import that nobody else changes until the commit.
pub(super) async fn lock(tx: &mut Tx, id: i64) -> Result<Locked> {
    let row = tx.fetch_optional(locking(tx, [id])).await?;
    row.as_ref().map_or(Err(Error::CallImportNotFound), read_locked)
}

/// Counts calls that came.
pub(super) async fn count(tx: &mut Tx, import: &Locked, progress: &Progress) -> Result<()> {
    let query = Query::new("UPDATE call_imports SET received = received + ")
        .value(progress.received)
        .and(", stored = stored + ")
        .value(progress.stored)
        .and(", merged = merged + ")
        .value(progress.merged)
        .and(", duplicates = duplicates + ")
        .value(progress.duplicates)
        .and(", rejected = rejected + ")
        .value(progress.rejected)
        .and(", conflicts = conflicts + ")
        .value(progress.conflicts)
        .and(", unrated = unrated + ")
        .value(progress.unrated)
        .and(", price = ")
        .value(added(import.price, progress.price)?)
        .and(", self_cost = ")
        .value(added(import.self_cost, progress.self_cost)?)
        .and(" WHERE id = ")
        .value(import.id);
    tx.queue(query).await
}

/// Says that an import is being taken back, and by whom.
pub(super) async fn begin_undo(tx: &mut Tx, id: i64, actor: Option<UserId>) -> Result<()> {
    let now = clock::now();
    let query = Query::new("UPDATE call_imports SET ended_at = COALESCE(ended_at, ")
        .value(now)
        .and("), undo_created_at = ")
        .value(now)
        .and(", undo_actor_id = ")
        .value(actor.map(|user| user.0))
        .and(", state = ")
        .value(State::Undoing.name())
        .and(" WHERE id = ")
        .value(id);
    tx.execute(query).await.map(drop)
}

/// Counts what was taken back.
pub(super) async fn count_undone(tx: &mut Tx, import: &Locked, done: &Done) -> Result<()> {
    let query = Query::new("UPDATE call_imports SET undone_calls = undone_calls + ")
        .value(done.calls)
        .and(", undone_unrated = undone_unrated + ")
        .value(done.unrated)
        .and(", undone_price = ")
        .value(added(import.undone_price, done.price)?)
        .and(", undone_self_cost = ")
        .value(added(import.undone_self_cost, done.self_cost)?)
        .and(" WHERE id = ")
        .value(import.id);
    tx.queue(query).await
}

/// Says that an import was taken back.
pub(super) async fn end_undo(tx: &mut Tx, id: i64) -> Result<()> {
    let query = Query::new("UPDATE call_imports SET state = ")
        .value(State::Undone.name())
        .and(", undo_ended_at = ")
        .value(clock::now())
        .and(" WHERE id = ")
        .value(id);
    tx.execute(query).await.map(drop)
}

/// The imports that were taken back, or are being.
pub(crate) async fn taken_back(tx: &mut Tx) -> Result<Vec<TakenBack>> {
    let query = Query::new(
        "SELECT id, state, undone_price, undone_self_cost FROM call_imports WHERE state IN ",
    )
    .list([State::Undoing.name(), State::Undone.name()]);
    let read = |row: &Row| {
        Ok(TakenBack {
            id: row.get(0)?,
            is_done: State::from_name(&row.get::<String>(1)?)? == State::Undone,
            price: row.get(2)?,
            self_cost: row.get(3)?,
        })
    };
    tx.fetch_all(query).await?.iter().map(read).collect()
}

/// Imports, as [`read`] reads them.
fn select() -> Query {
    Query::new(
        "SELECT id, state, file_name, file_sha256, file_size, options, created_at, ended_at, \
         actor_id, credential, address, received, stored, merged, duplicates, rejected, conflicts, \
         unrated, not_read, price, self_cost, undo_created_at, undo_ended_at, undo_actor_id, \
         undone_calls, undone_unrated, undone_price, undone_self_cost FROM call_imports",
    )
}

fn read(row: &Row) -> Result<pb::CallImport> {
    let options: String = row.get(5)?;
    let amount = |column| Ok::<_, Error>(Some(money::to_proto(row.get(column)?)));
    let time = |column| Ok::<_, Error>(row.get::<Option<i64>>(column)?.map(clock::to_proto));
    let undo = match time(21)? {
        None => None,
        created_at => Some(pb::CallImportUndo {
            created_at,
            ended_at: time(22)?,
            actor_id: row.get(23)?,
            calls: row.get(24)?,
            unrated_calls: row.get(25)?,
            price: amount(26)?,
            self_cost: amount(27)?,
        }),
    };
    Ok(pb::CallImport {
        id: row.get(0)?,
        state: State::from_name(&row.get::<String>(1)?)?.to_proto().into(),
        files: Some(pb::CallFiles { name: row.get(2)?, sha256: row.get(3)?, size: row.get(4)? }),
        options: (!options.is_empty()).then(|| stored::read(&options)).transpose()?,
        created_at: time(6)?,
        ended_at: time(7)?,
        actor_id: row.get(8)?,
        credential: row.get(9)?,
        address: row.get(10)?,
        received: row.get(11)?,
        stored: row.get(12)?,
        merged: row.get(13)?,
        duplicates: row.get(14)?,
        rejected: row.get(15)?,
        conflicts: row.get(16)?,
        unrated: row.get(17)?,
        not_read: row.get(18)?,
        price: amount(19)?,
        self_cost: amount(20)?,
        undo,
    })
}

pub(super) async fn get(tx: &mut Tx, id: i64) -> Result<pb::CallImport> {
    let row = tx.fetch_optional(select().and(" WHERE id = ").value(id)).await?;
    row.as_ref().map_or(Err(Error::CallImportNotFound), read)
}

/// Imports below an id, the newest first: those that somebody made, or all.
pub(super) async fn list(
    db: &Db,
    actor: Option<UserId>,
    before: i64,
    limit: i64,
) -> Result<Vec<pb::CallImport>> {
    let mut query = select().and(" WHERE id < ").value(before);
    if let Some(actor) = actor {
        query = query.and(" AND actor_id = ").value(actor);
    }
    let rows = db.fetch_all(query.and(" ORDER BY id DESC LIMIT ").value(limit)).await?;
    rows.iter().map(read).collect()
}
