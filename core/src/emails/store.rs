//! Templates of e-mails in the database.

use tollbook_proto::v1 as pb;

use crate::{
    error::{Error, Result},
    ids::{EmailTemplateId, UserId},
    store::{Db, Query, Row, Tx},
};

const COLUMNS: &str = "SELECT id, name, subject, body FROM email_templates";

fn read(row: &Row) -> Result<pb::EmailTemplate> {
    Ok(pb::EmailTemplate {
        id: Some(row.get(0)?),
        name: row.get(1)?,
        subject: row.get(2)?,
        body: row.get(3)?,
    })
}

/// Templates of an account after an id, by ascending id.
pub(super) async fn list(
    db: &Db,
    account: UserId,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<pb::EmailTemplate>> {
    let query = Query::new(COLUMNS)
        .and(" WHERE owner_id = ")
        .value(account)
        .and(" AND id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" ORDER BY id LIMIT ")
        .value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// A template of an account by its name.
pub(crate) async fn by_name(db: &Db, account: UserId, name: &str) -> Result<pb::EmailTemplate> {
    let query = Query::new(COLUMNS)
        .and(" WHERE owner_id = ")
        .value(account)
        .and(" AND name = ")
        .value(name);
    read(&db.fetch_optional(query).await?.ok_or(Error::EmailTemplateNotFound)?)
}

/// A template of an account, which stays as it is until the end of the transaction.
///
/// # Errors
/// There is no such template.
pub(super) async fn lock(
    tx: &mut Tx,
    account: UserId,
    id: EmailTemplateId,
) -> Result<pb::EmailTemplate> {
    let lock = tx.lock_clause();
    let query = Query::new(COLUMNS)
        .and(" WHERE owner_id = ")
        .value(account)
        .and(" AND id = ")
        .value(id)
        .and(lock);
    read(&tx.fetch_optional(query).await?.ok_or(Error::EmailTemplateNotFound)?)
}

/// # Errors
/// Another template of the account has the name.
pub(super) async fn insert(
    tx: &mut Tx,
    account: UserId,
    template: &pb::EmailTemplate,
) -> Result<()> {
    let query = Query::new(
        "INSERT INTO email_templates (id, owner_id, name, subject, body) VALUES ",
    )
    .rows([vec![
        template.id().into(),
        account.into(),
        template.name.as_str().into(),
        template.subject.as_str().into(),
        template.body.as_str().into(),
    ]]);
    tx.execute(query).await.map(drop).map_err(taken)
}

/// # Errors
/// Another template of the account has the name.
pub(super) async fn update(tx: &mut Tx, template: &pb::EmailTemplate) -> Result<()> {
    let query =
        Query::new("UPDATE email_templates SET name = $1, subject = $2, body = $3 WHERE id = $4")
            .bind(template.name.as_str())
            .bind(template.subject.as_str())
            .bind(template.body.as_str())
            .bind(template.id());
    tx.execute(query).await.map(drop).map_err(taken)
}

pub(super) async fn delete(tx: &mut Tx, id: EmailTemplateId) -> Result<()> {
    tx.execute(Query::new("DELETE FROM email_templates WHERE id = ").value(id)).await.map(drop)
}

/// Counts a mail of an account in an hour. Returns whether it was no more than the limit, and else
/// counts nothing.
pub(super) async fn count_sent(
    tx: &mut Tx,
    account: UserId,
    hour: i64,
    limit: i64,
) -> Result<bool> {
    let query = Query::new("INSERT INTO sent_emails (owner_id, hour, sent) VALUES ")
        .rows([vec![account.into(), hour.into(), 1_i64.into()]])
        .and(
            " ON CONFLICT (owner_id, hour) DO UPDATE SET sent = sent_emails.sent + 1 \
             WHERE sent_emails.sent < ",
        )
        .value(limit);
    if tx.execute(query).await? == 0 {
        return Ok(false);
    }
    let query = Query::new("DELETE FROM sent_emails WHERE owner_id = $1 AND hour < $2");
    tx.execute(query.bind(account).bind(hour)).await?;
    Ok(true)
}

/// Deletes the templates of somebody who is deleted.
pub(crate) async fn delete_all(tx: &mut Tx, account: UserId) -> Result<()> {
    let query = Query::new("DELETE FROM email_templates WHERE owner_id = ").value(account);
    tx.execute(query).await.map(drop)
}

fn taken(error: Error) -> Error {
    match error {
        Error::Database(cause) if cause.is_unique_violation() => Error::EmailTemplateTaken,
        other => other,
    }
}
