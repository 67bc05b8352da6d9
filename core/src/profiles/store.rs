//! Import profiles in the database.

use super::{Contents, Kind, Profile};
use crate::{
    error::{Error, Result},
    ids::ImportProfileId,
    store::{Db, Query, Row, Sequence, Tx},
    stored,
};

const COLUMNS: &str =
    "SELECT id, name, kind, contents, created_at, changed_at FROM import_profiles";

fn read(row: &Row) -> Result<Profile> {
    let (kind, contents): (String, String) = (row.get(2)?, row.get(3)?);
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
    let contents = match kind.ok_or_else(|| Error::internal("an import profile of no kind"))? {
        Kind::Rates => Contents::Rates(stored::read(&contents)?),
        Kind::Calls => Contents::Calls(stored::read(&contents)?),
    };
    Ok(Profile {
        id: ImportProfileId(row.get(0)?),
        name: row.get(1)?,
        contents,
        created_at: row.get(4)?,
        changed_at: row.get(5)?,
    })
}

/// Profiles of some kinds after an id, by ascending id.
pub(super) async fn list(
    db: &Db,
    kinds: &[Kind],
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Profile>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" AND kind IN ")
        .list(kinds.iter().map(|kind| kind.name()))
        .and(" ORDER BY id LIMIT ")
        .value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

pub(super) async fn by_id(db: &Db, id: ImportProfileId) -> Result<Option<Profile>> {
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id);
    db.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(super) async fn by_name(db: &Db, name: &str) -> Result<Option<Profile>> {
    let query = Query::new(COLUMNS).and(" WHERE name = ").value(name);
    db.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// A profile that nobody else changes until the end of the transaction.
pub(super) async fn lock(tx: &mut Tx, id: ImportProfileId) -> Result<Option<Profile>> {
    let lock = tx.lock_clause();
    let query = Query::new(COLUMNS).and(" WHERE id = ").value(id).and(lock);
    tx.fetch_optional(query).await?.as_ref().map(read).transpose()
}

pub(super) async fn next_id(tx: &mut Tx) -> Result<ImportProfileId> {
    Ok(ImportProfileId(tx.next_id(Sequence::ImportProfiles).await?))
}

pub(super) async fn insert(tx: &mut Tx, profile: &Profile) -> Result<()> {
    let query = Query::new(
        "INSERT INTO import_profiles (id, name, kind, contents, created_at, changed_at) VALUES ",
    )
    .rows([vec![
        profile.id.into(),
        profile.name.as_str().into(),
        profile.contents.kind().name().into(),
        written(&profile.contents)?.into(),
        profile.created_at.into(),
        profile.changed_at.into(),
    ]]);
    tx.execute(query).await.map_err(name_taken)?;
    Ok(())
}

/// Writes the name. The contents stay as they were written, by a later version perhaps.
pub(super) async fn rename(tx: &mut Tx, profile: &Profile) -> Result<()> {
    let query = Query::new("UPDATE import_profiles SET name = $1, changed_at = $2 WHERE id = $3")
        .bind(profile.name.as_str())
        .bind(profile.changed_at)
        .bind(profile.id);
    tx.execute(query).await.map_err(name_taken)?;
    Ok(())
}

pub(super) async fn replace_contents(tx: &mut Tx, profile: &Profile) -> Result<()> {
    let query = Query::new("UPDATE import_profiles SET contents = $1 WHERE id = $2")
        .bind(written(&profile.contents)?)
        .bind(profile.id);
    tx.execute(query).await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: ImportProfileId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM import_profiles WHERE id = ").value(id)).await?;
    Ok(())
}

fn written(contents: &Contents) -> Result<String> {
    match contents {
        Contents::Rates(rates) => stored::written(rates),
        Contents::Calls(calls) => stored::written(calls),
    }
}

fn name_taken(error: Error) -> Error {
    match &error {
        Error::Database(cause) if cause.is_unique_violation() => Error::ImportProfileTaken,
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tollbook_proto::v1 as pb;

    use super::*;
    use crate::{store::DatabaseUrl, vault::Vault};

    /// What a later version has written is read without what this one does not know, and stays
    /// where the profile gets another name.
    #[tokio::test]
    async fn what_a_later_version_wrote_survives() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("test.db"));
        let db = Db::open(&url, Vault::default(), Duration::from_secs(5)).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let contents = Contents::Rates(pb::RateFileProfile::default());
        let id = next_id(&mut tx).await.unwrap();
        let name = "carrier".to_owned();
        let mut profile = Profile { id, name, contents, created_at: 1, changed_at: 1 };
        insert(&mut tx, &profile).await.unwrap();
        let later = r#"{"separator":";","taxIncluded":true,"steps":"BILLING_STEPS_FOURTH"}"#;
        let query = Query::new("UPDATE import_profiles SET contents = $1").bind(later);
        tx.execute(query).await.unwrap();
        tx.commit().await.unwrap();

        let known = pb::RateFileProfile { separator: ";".to_owned(), ..Default::default() };
        let read = by_name(&db, "carrier").await.unwrap().unwrap();
        assert_eq!(read.contents, Contents::Rates(known));

        profile.name = "Carrier".to_owned();
        let mut tx = db.begin().await.unwrap();
        rename(&mut tx, &profile).await.unwrap();
        tx.commit().await.unwrap();
        let row = db.fetch_optional(Query::new("SELECT contents FROM import_profiles")).await;
        assert_eq!(row.unwrap().unwrap().get::<String>(0).unwrap(), later);
        assert!(by_name(&db, "carrier").await.unwrap().is_none());
    }
}
