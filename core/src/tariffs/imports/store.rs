//! Imports of rates in the database.

use tollbook_proto::v1 as pb;

use crate::{
    changes::Origin,
    clock,
    error::{Error, Result},
    ids::{TariffId, UserId},
    store::{Db, Insert, Query, Row, Tx},
    stored,
};

/// Stores what is known of a new import.
pub(super) async fn insert(
    tx: &mut Tx,
    id: i64,
    origin: &Origin,
    import: &pb::RateImport,
) -> Result<()> {
    let file = import.file.clone().unwrap_or_default();
    let options = import.options.as_ref().map(stored::written).transpose()?;
    let insert = Insert {
        table: "rate_imports",
        columns: &[
            "id",
            "tariff_id",
            "undoes_id",
            "applied",
            "kept_changes",
            "created_at",
            "actor_id",
            "credential",
            "address",
            "file_name",
            "file_sha256",
            "file_size",
            "options",
            "lines",
            "added",
            "changed",
            "unchanged",
            "deleted",
            "names",
            "rejected",
            "later_kept",
        ],
        rows: vec![vec![
            id.into(),
            import.tariff_id.into(),
            import.undoes_id.into(),
            import.applied.into(),
            import.applied.into(),
            clock::now().into(),
            origin.actor.map(|user| user.0).into(),
            origin.credential.to_string().into(),
            origin.address.map(|address| address.to_string()).unwrap_or_default().into(),
            file.name.into(),
            file.sha256.into(),
            file.size.into(),
            options.unwrap_or_default().into(),
            import.lines.into(),
            import.added.into(),
            import.changed.into(),
            import.unchanged.into(),
            import.deleted.into(),
            import.names.into(),
            import.rejected.into(),
            import.kept.into(),
        ]],
        on_conflict: "",
    };
    tx.insert(insert).await
}

/// Imports with those that took them back, as [`read`] reads them.
fn select() -> Query {
    Query::new(
        "SELECT i.id, i.tariff_id, i.undoes_id, i.applied, i.kept_changes, i.created_at, i.actor_id, \
         i.credential, i.address, i.file_name, i.file_sha256, i.file_size, i.options, i.lines, \
         i.added, i.changed, i.unchanged, i.deleted, i.names, i.rejected, i.later_kept, u.id, \
         u.created_at, u.actor_id FROM rate_imports i LEFT JOIN rate_imports u ON u.id = i.undone_by_id",
    )
}

fn read(row: &Row) -> Result<pb::RateImport> {
    let options: String = row.get(12)?;
    let undone = match row.get::<Option<i64>>(21)? {
        None => None,
        Some(import_id) => Some(pb::RateImportUndo {
            import_id,
            created_at: Some(clock::to_proto(row.get(22)?)),
            actor_id: row.get(23)?,
        }),
    };
    let (applied, kept): (bool, bool) = (row.get(3)?, row.get(4)?);
    Ok(pb::RateImport {
        id: row.get(0)?,
        tariff_id: row.get(1)?,
        undoes_id: row.get(2)?,
        applied,
        file: Some(pb::RateFile { name: row.get(9)?, sha256: row.get(10)?, size: row.get(11)? }),
        options: (!options.is_empty()).then(|| stored::read(&options)).transpose()?,
        created_at: Some(clock::to_proto(row.get(5)?)),
        actor_id: row.get(6)?,
        credential: row.get(7)?,
        address: row.get(8)?,
        lines: row.get(13)?,
        added: row.get(14)?,
        changed: row.get(15)?,
        unchanged: row.get(16)?,
        deleted: row.get(17)?,
        names: row.get(18)?,
        rejected: row.get(19)?,
        kept: row.get(20)?,
        can_be_undone: applied && kept && undone.is_none(),
        undone,
    })
}

pub(super) async fn get(tx: &mut Tx, id: i64) -> Result<pb::RateImport> {
    let row = tx.fetch_optional(select().and(" WHERE i.id = ").value(id)).await?;
    row.as_ref().map_or(Err(Error::RateImportNotFound), read)
}

/// Imports below an id, the newest first: into the tariffs of an owner, or into all.
pub(super) async fn list(
    db: &Db,
    owner: Option<UserId>,
    tariff: Option<i64>,
    before: i64,
    limit: i64,
) -> Result<Vec<pb::RateImport>> {
    let mut query = select().and(" WHERE i.id < ").value(before);
    if let Some(owner) = owner {
        query = query
            .and(" AND i.tariff_id IN (SELECT t.id FROM tariffs t WHERE t.owner_id = ")
            .value(owner)
            .and(")");
    }
    if let Some(tariff) = tariff {
        query = query.and(" AND i.tariff_id = ").value(tariff);
    }
    let rows = db.fetch_all(query.and(" ORDER BY i.id DESC LIMIT ").value(limit)).await?;
    rows.iter().map(read).collect()
}

/// The last import of a file into a tariff that was applied and not taken back.
pub(super) async fn last_of_file(
    tx: &mut Tx,
    tariff: TariffId,
    sha256: &str,
) -> Result<Option<pb::RateImport>> {
    let query = select()
        .and(" WHERE i.tariff_id = ")
        .value(tariff)
        .and(" AND i.file_sha256 = ")
        .value(sha256)
        .and(" AND i.applied AND i.undone_by_id IS NULL ORDER BY i.id DESC LIMIT 1");
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// Says which import took another one back; none: it is in effect.
pub(super) async fn set_undone(tx: &mut Tx, id: i64, by: Option<i64>) -> Result<()> {
    let query = Query::new("UPDATE rate_imports SET undone_by_id = $1 WHERE id = $2");
    tx.execute(query.bind(by).bind(id)).await.map(drop)
}

/// Stores some changes of an import.
pub(super) async fn insert_changes(
    tx: &mut Tx,
    import: i64,
    part: i64,
    what: &'static str,
    changes: String,
) -> Result<()> {
    let row = vec![import.into(), part.into(), what.into(), changes.into()];
    let columns = &["import_id", "part", "what", "changes"];
    let table = "rate_import_changes";
    tx.insert(Insert { table, columns, rows: vec![row], on_conflict: "" }).await
}

/// Gives all changes of an import to `take`, some at a time.
pub(super) async fn for_each_changes(
    tx: &mut Tx,
    import: i64,
    what: &'static str,
    mut take: impl FnMut(String) -> Result<()> + Send,
) -> Result<()> {
    let query = Query::new("SELECT changes FROM rate_import_changes WHERE import_id = ")
        .value(import)
        .and(" AND what = ")
        .value(what)
        .and(" ORDER BY part");
    tx.for_each(query, |row| take(row.get(0)?)).await
}

/// Forgets what the imports into a tariff changed that came before the newest `in_effect` decks
/// that changed something and were not taken back, or before the newest `all` of all that changed
/// something.
pub(super) async fn forget_changes(
    tx: &mut Tx,
    tariff: TariffId,
    in_effect: i64,
    all: i64,
) -> Result<()> {
    let first_forgotten = |which: &'static str, kept: i64| {
        let query = Query::new("SELECT id FROM rate_imports WHERE kept_changes AND tariff_id = ");
        let query = query.value(tariff).and(" AND added + changed + deleted + names > 0");
        query.and(which).and(" ORDER BY id DESC LIMIT 1 OFFSET ").value(kept)
    };
    for query in [
        first_forgotten(" AND undoes_id IS NULL AND undone_by_id IS NULL", in_effect),
        first_forgotten("", all),
    ] {
        if let Some(row) = tx.fetch_optional(query).await? {
            forget_changes_up_to(tx, tariff, row.get(0)?).await?;
        }
    }
    Ok(())
}

/// Forgets what the imports into a tariff changed, up to an id.
pub(super) async fn forget_changes_up_to(tx: &mut Tx, tariff: TariffId, last: i64) -> Result<()> {
    let imports = |query: Query| {
        query
            .and(" WHERE kept_changes AND tariff_id = ")
            .value(tariff)
            .and(" AND id <= ")
            .value(last)
    };
    let changes = Query::new(
        "DELETE FROM rate_import_changes WHERE import_id IN (SELECT id FROM rate_imports",
    );
    tx.execute(imports(changes).and(")")).await?;
    tx.execute(imports(Query::new("UPDATE rate_imports SET kept_changes = FALSE"))).await?;
    Ok(())
}
