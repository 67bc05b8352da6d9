//! Access tokens, sessions and shims' tokens in the database.

use super::{
    Scope,
    tokens::{NewToken, Token, TokenKind},
};
use crate::{
    clock,
    error::{Error, Result},
    ids::UserId,
    store::{Db, Query, Row, Sequence, Tx},
};

/// Stores a token by the hash of its secret or certificate.
pub(super) async fn insert(tx: &mut Tx, hash: &str, new: NewToken<'_>) -> Result<Token> {
    let token = Token {
        of_certificate: new.certificate.is_some(),
        id: tx.next_id(Sequence::AccessTokens).await?,
        kind: new.kind,
        name: new.name.to_owned(),
        user: new.user,
        created_at: clock::now(),
        expires_at: new.expires_at,
    };
    let query = Query::new(
        "INSERT INTO access_tokens (id, secret_hash, kind, name, user_id, created_at, expires_at) \
         VALUES ",
    )
    .rows([vec![
        token.id.into(),
        hash.into(),
        token.kind.name().into(),
        new.name.into(),
        token.user.into(),
        token.created_at.into(),
        token.expires_at.into(),
    ]]);
    tx.execute(query).await.map_err(certificate_known)?;
    Ok(token)
}

/// Random secrets do not meet; certificates are given.
fn certificate_known(error: Error) -> Error {
    match &error {
        Error::Database(cause) if cause.is_unique_violation() => {
            Error::invalid("certificate", "is admitted by another token")
        }
        _ => error,
    }
}

const COLUMNS: &str = "SELECT t.id, t.kind, t.name, t.user_id, t.created_at, t.expires_at, \
                       t.secret_hash LIKE 'certificate:%' FROM access_tokens t";

fn read(row: &Row) -> Result<Token> {
    Ok(Token {
        of_certificate: row.get(6)?,
        id: row.get(0)?,
        kind: TokenKind::from_name(&row.get::<String>(1)?)?,
        name: row.get(2)?,
        user: UserId(row.get(3)?),
        created_at: row.get(4)?,
        expires_at: row.get(5)?,
    })
}

pub(super) async fn by_hash(db: &Db, hash: &str) -> Result<Option<Token>> {
    let query = Query::new(COLUMNS).and(" WHERE t.secret_hash = ").value(hash);
    db.fetch_optional(query).await?.as_ref().map(read).transpose()
}

/// Asks for the tokens, but no sessions, of whom a scope covers. Those of shims act as nobody, and are
/// the operator's.
fn covered(scope: Scope) -> Query {
    let query = Query::new(COLUMNS).and(" JOIN users u ON u.id = t.user_id WHERE ");
    let kinds = if scope.is_staff() { "t.kind <> 'session'" } else { "t.kind = 'user'" };
    scope.condition(query.and(kinds), "u")
}

/// Tokens of whom a scope covers after an id, but no sessions, by ascending id.
pub(super) async fn list(
    db: &Db,
    scope: Scope,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<Token>> {
    let query = covered(scope)
        .and(" AND t.id > ")
        .value(after.unwrap_or(i64::MIN))
        .and(" ORDER BY t.id LIMIT ")
        .value(limit);
    db.fetch_all(query).await?.iter().map(read).collect()
}

/// Deletes a token of whom a scope covers that is not a session. Returns what it was, if there was
/// one.
pub(super) async fn delete(tx: &mut Tx, scope: Scope, id: i64) -> Result<Option<Token>> {
    let query = covered(scope).and(" AND t.id = ").value(id);
    let Some(row) = tx.fetch_optional(query).await? else { return Ok(None) };
    tx.execute(Query::new("DELETE FROM access_tokens WHERE id = $1").bind(id)).await?;
    read(&row).map(Some)
}

/// Forgets some sessions that have expired. Returns how many.
pub(crate) async fn forget_sessions(tx: &mut Tx, now: i64, limit: i64) -> Result<u64> {
    let query = Query::new(
        "DELETE FROM access_tokens WHERE id IN (SELECT id FROM access_tokens \
         WHERE kind = 'session' AND expires_at <= ",
    )
    .value(now)
    .and(" ORDER BY expires_at LIMIT ")
    .value(limit)
    .and(")");
    tx.execute(query).await
}

/// Deletes a user's sessions. Returns how many there were.
pub(super) async fn delete_sessions(tx: &mut Tx, user: UserId) -> Result<u64> {
    let own =
        Query::new("DELETE FROM access_tokens WHERE kind = 'session' AND user_id = ").value(user);
    tx.execute(own).await
}

/// Deletes everything that acts as a user, when they get another password or are deleted.
pub(crate) async fn delete_all_of(tx: &mut Tx, user: UserId) -> Result<()> {
    let query =
        Query::new("DELETE FROM access_tokens WHERE kind <> 'shim' AND user_id = ").value(user);
    tx.execute(query).await?;
    Ok(())
}
