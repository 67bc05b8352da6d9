//! Users in the database.

use std::collections::{HashMap, HashSet};

use tollbook_proto::v1 as pb;

use super::{Identity, Role, directory::Balance, record, taxes::TaxPlan};
use crate::{
    access::Scope,
    clock,
    error::{Error, Result},
    ids::{ApiPermissionGroupId, CurrencyId, EntryId, ManagerGroupId, PoolId, TariffId, UserId},
    live,
    money::Money,
    store::{Db, Query, Row, Tx, Value},
    stored,
};

const IDENTITY: &str = "SELECT id, username, role, responsible_manager_id, manager_group_id, \
                        show_only_assigned_users, currency_id, version, deleted_at, tariff_id, \
                        owner_id, COALESCE((SELECT o.owner_id FROM users o \
                        WHERE o.id = users.owner_id), 0), api_restricted, \
                        api_permission_group_id FROM users";

fn read_identity(row: &Row) -> Result<Identity> {
    let (restricted, group) = (row.get::<bool>(12)?, ApiPermissionGroupId(row.get(13)?));
    Ok(Identity {
        id: UserId(row.get(0)?),
        username: row.get(1)?,
        role: Role::from_name(&row.get::<String>(2)?)?,
        owner: UserId(row.get(10)?),
        owner_of_owner: UserId(row.get(11)?),
        responsible_manager: UserId(row.get(3)?),
        manager_group: ManagerGroupId(row.get(4)?),
        show_only_assigned_users: row.get(5)?,
        api_restriction: restricted.then_some(group),
        currency: CurrencyId(row.get(6)?),
        tariff: TariffId(row.get(9)?),
        version: row.get(7)?,
        deleted: row.get::<Option<i64>>(8)?.is_some(),
    })
}

/// Also of a deleted user.
pub(super) async fn identity_by_id(db: &Db, id: UserId) -> Result<Option<Identity>> {
    let row = db.fetch_optional(Query::new(IDENTITY).and(" WHERE id = ").value(id)).await?;
    row.as_ref().map(read_identity).transpose()
}

pub(super) async fn identity_by_username(db: &Db, username: &str) -> Result<Option<Identity>> {
    let query =
        Query::new(IDENTITY).and(" WHERE deleted_at IS NULL AND username = ").value(username);
    db.fetch_optional(query).await?.as_ref().map(read_identity).transpose()
}

/// The user with a uniquehash, by what is stored of it.
pub(super) async fn identity_by_uniquehash(db: &Db, digest: &str) -> Result<Option<Identity>> {
    let query = Query::new(IDENTITY)
        .and(" WHERE deleted_at IS NULL AND uniquehash_sha256 = ")
        .value(digest);
    db.fetch_optional(query).await?.as_ref().map(read_identity).transpose()
}

/// Stores what there is of a user's uniquehash.
pub(super) async fn set_uniquehash(tx: &mut Tx, id: UserId, digest: Option<String>) -> Result<()> {
    let query = match digest {
        Some(digest) => Query::new("UPDATE users SET uniquehash_sha256 = $1 WHERE id = $2")
            .bind(digest)
            .bind(id),
        None => Query::new("UPDATE users SET uniquehash_sha256 = NULL WHERE id = $1").bind(id),
    };
    tx.execute(query).await.map_err(uniquehash_taken)?;
    Ok(())
}

/// Random ones do not meet; those of other systems are given.
fn uniquehash_taken(error: Error) -> Error {
    match &error {
        Error::Database(cause) if cause.is_unique_violation() => {
            Error::invalid("uniquehash", "is that of another user")
        }
        _ => error,
    }
}

/// Users of some ids, also deleted ones.
pub(super) async fn identities(
    db: &Db,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<Vec<Identity>> {
    let ids: Vec<UserId> = ids.into_iter().collect();
    let mut identities = Vec::with_capacity(ids.len());
    for ids in ids.chunks(1000) {
        let query = Query::new(IDENTITY).and(" WHERE id IN ").list(ids.iter().copied());
        for row in db.fetch_all(query).await? {
            identities.push(read_identity(&row)?);
        }
    }
    Ok(identities)
}

/// Whom some login names mean.
#[derive(Default)]
pub(crate) struct Named {
    pub(crate) ids: HashMap<String, UserId>,
    /// Names that several users have but for capitals, with theirs, by what was asked for.
    pub(crate) ambiguous: HashMap<String, Vec<String>>,
}

/// Whom some login names mean: who is called so, or else the only one who is but for capitals.
pub(super) async fn ids_of(db: &Db, usernames: impl IntoIterator<Item = &str>) -> Result<Named> {
    let usernames: Vec<&str> = usernames.into_iter().collect();
    let mut ids = HashMap::with_capacity(usernames.len());
    for usernames in usernames.chunks(1000) {
        let query =
            Query::new("SELECT username, id FROM users WHERE deleted_at IS NULL AND username IN ")
                .list(usernames.iter().copied());
        for row in db.fetch_all(query).await? {
            ids.insert(row.get(0)?, UserId(row.get(1)?));
        }
    }
    let unknown: Vec<&str> =
        usernames.into_iter().filter(|username| !ids.contains_key(*username)).collect();
    let (mut several, mut names) = (HashMap::new(), HashMap::<String, Vec<String>>::new());
    for unknown in unknown.chunks(1000) {
        let mut found = in_any_case(db, unknown).await?;
        for name in unknown {
            match found.get(&name.to_lowercase()).map(Vec::as_slice) {
                None => {}
                Some([(id, _)]) => drop(ids.insert((*name).to_owned(), *id)),
                Some(_) => drop(several.insert((*name).to_owned(), name.to_lowercase())),
            }
        }
        for lower in several.values() {
            for (_, username) in found.remove(lower).into_iter().flatten() {
                names.entry(lower.clone()).or_default().push(username);
            }
        }
    }
    let names_of = |(name, lower): (String, String)| Some((name, names.get(&lower)?.clone()));
    Ok(Named { ids, ambiguous: several.into_iter().filter_map(names_of).collect() })
}

/// The users whose names are some names but for capitals, by these names in small letters.
pub(super) async fn in_any_case(
    db: &Db,
    names: &[&str],
) -> Result<HashMap<String, Vec<(UserId, String)>>> {
    let query = Query::new(
        "SELECT LOWER(username), id, username FROM users WHERE deleted_at IS NULL AND LOWER(username) IN ",
    )
    .list(names.iter().map(|name| name.to_lowercase()))
    .and(" ORDER BY id");
    let mut users: HashMap<String, Vec<(UserId, String)>> = HashMap::new();
    for row in db.fetch_all(query).await? {
        users.entry(row.get(0)?).or_default().push((UserId(row.get(1)?), row.get(2)?));
    }
    Ok(users)
}

/// Those of some users who are blocked.
pub(crate) async fn blocked(db: &Db, ids: impl Iterator<Item = UserId>) -> Result<HashSet<UserId>> {
    let mut blocked = HashSet::new();
    let ids: Vec<i64> = ids.map(|id| id.0).collect();
    for ids in ids.chunks(1000) {
        let query = Query::new("SELECT id FROM users WHERE blocked = ");
        let query = query.value(true).and(" AND id IN ").list(ids.iter().copied());
        for row in db.fetch_all(query).await? {
            blocked.insert(UserId(row.get(0)?));
        }
    }
    Ok(blocked)
}

/// The login names of some ids, also of deleted users.
pub(crate) async fn usernames(db: &Db, ids: HashSet<UserId>) -> Result<HashMap<UserId, String>> {
    let users = identities(db, ids).await?;
    Ok(users.into_iter().map(|user| (user.id, user.username)).collect())
}

/// The login name of a user, also of one who was deleted.
pub(crate) async fn username(tx: &mut Tx, id: UserId) -> Result<String> {
    let row = tx.fetch_optional(Query::new("SELECT username FROM users WHERE id = ").value(id));
    row.await?.ok_or(Error::UserNotFound)?.get(0)
}

/// The state of a user inside a transaction, which nobody else changes until its end.
pub(crate) async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<Identity>> {
    let lock = tx.lock_clause();
    let query = Query::new(IDENTITY).and(" WHERE deleted_at IS NULL AND id = ").value(id).and(lock);
    tx.fetch_optional(query).await?.as_ref().map(read_identity).transpose()
}

pub(super) async fn balance(db: &Db, id: UserId) -> Result<Option<Balance>> {
    let query =
        Query::new("SELECT balance, last_entry_id FROM accounts WHERE user_id = ").value(id);
    let Some(row) = db.fetch_optional(query).await? else {
        return Ok(None);
    };
    let amount = row.get(0)?;
    Ok(Some(Balance { amount, last_entry: EntryId(row.get(1)?) }))
}

/// Which users a list shows.
pub(super) struct Filter {
    pub(super) scope: Scope,
    pub(super) after: Option<UserId>,
    pub(super) id: Option<UserId>,
    pub(super) role: Option<Role>,
    pub(super) responsible_manager: Option<UserId>,
    pub(super) owner: Option<UserId>,
    pub(super) limit: i64,
}

impl Filter {
    fn one(id: UserId) -> Self {
        let scope = Scope::any();
        let (role, responsible_manager, owner) = (None, None, None);
        Self { scope, after: None, id: Some(id), role, responsible_manager, owner, limit: 1 }
    }
}

/// Full users, by ascending id.
pub(super) async fn list(db: &Db, filter: &Filter) -> Result<Vec<pb::User>> {
    let rows = db.fetch_all(select(filter)).await?;
    let mut users = rows.iter().map(read_user).collect::<Result<Vec<_>>>()?;
    let ids: Vec<UserId> = users.iter().map(|user| UserId(user.id())).collect();
    if !ids.is_empty() {
        let reserved = live::store::reserved(db, ids).await?;
        for user in &mut users {
            if let Some(reserved) = reserved.get(&UserId(user.id())) {
                user.frozen_balance = Some((*reserved).into());
            }
        }
    }
    Ok(users)
}

/// A full user inside a transaction.
pub(crate) async fn get(tx: &mut Tx, id: UserId) -> Result<pb::User> {
    let filter = Filter::one(id);
    let row = tx.fetch_optional(select(&filter)).await?.ok_or(Error::UserNotFound)?;
    read_user(&row)
}

/// The taxes of a user.
pub(crate) async fn taxes(db: &Db, id: UserId) -> Result<TaxPlan> {
    TaxPlan::from_proto(&by_id(db, id).await?.taxes.unwrap_or_default())
}

/// A full user.
pub(crate) async fn by_id(db: &Db, id: UserId) -> Result<pb::User> {
    list(db, &Filter::one(id)).await?.pop().ok_or(Error::UserNotFound)
}

/// Asks for full users by their ids.
pub(crate) fn these(ids: &[UserId]) -> Query {
    selection().and(" AND u.id IN ").list(ids.iter().copied())
}

fn select(filter: &Filter) -> Query {
    let mut query = filter.scope.condition(selection(), "u");
    if let Some(after) = filter.after {
        query = query.and(" AND u.id > ").value(after);
    }
    if let Some(id) = filter.id {
        query = query.and(" AND u.id = ").value(id);
    }
    if let Some(role) = filter.role {
        query = query.and(" AND u.role = ").value(role.name());
    }
    if let Some(manager) = filter.responsible_manager {
        query = query.and(" AND u.responsible_manager_id = ").value(manager);
    }
    if let Some(owner) = filter.owner {
        query = query.and(" AND u.owner_id = ").value(owner);
    }
    query.and(" ORDER BY u.id LIMIT ").value(filter.limit)
}

/// A query for full users, to which conditions may be appended.
fn selection() -> Query {
    Query::new(
        "SELECT u.id, u.username, u.role, u.first_name, u.last_name, u.blocked, u.hidden, \
         u.owner_id, u.tariff_id, u.currency_id, u.responsible_manager_id, u.manager_group_id, \
         u.show_only_assigned_users, u.password_changed_at, u.created_at, u.profile, a.balance, \
         u.reseller_group_id, u.api_restricted, u.api_permission_group_id, EXISTS (SELECT 1 FROM access_tokens t WHERE t.user_id = u.id AND t.kind = 'session' \
         AND t.expires_at > ",
    )
    .value(clock::now())
    .and(") FROM users u JOIN accounts a ON a.user_id = u.id WHERE u.deleted_at IS NULL")
}

/// A user as [`these`] finds him.
pub(crate) fn read_user(row: &Row) -> Result<pb::User> {
    let balance: Money = row.get(16)?;
    let mut user = pb::User {
        id: Some(row.get(0)?),
        username: row.get(1)?,
        role: Role::from_name(&row.get::<String>(2)?)?.to_proto().into(),
        first_name: row.get(3)?,
        last_name: row.get(4)?,
        blocked: row.get(5)?,
        hidden: row.get(6)?,
        owner_id: row.get(7)?,
        tariff_id: row.get(8)?,
        currency_id: row.get(9)?,
        responsible_manager_id: row.get(10)?,
        manager_group_id: row.get(11)?,
        show_only_assigned_users: row.get(12)?,
        password_changed_at: row.get::<Option<i64>>(13)?.map(clock::to_proto),
        created_at: Some(clock::to_proto(row.get(14)?)),
        balance: Some(balance.into()),
        reseller_group_id: row.get(17)?,
        api_restricted: row.get(18)?,
        api_permission_group_id: row.get(19)?,
        logged_in: row.get(20)?,
        ..stored::read(&row.get::<String>(15)?)?
    };
    record::complete(&mut user);
    Ok(user)
}

/// The part of a user that has no column of its own.
fn rest(user: &pb::User) -> pb::User {
    pb::User {
        id: None,
        username: String::new(),
        role: 0,
        first_name: String::new(),
        last_name: String::new(),
        blocked: false,
        hidden: false,
        owner_id: 0,
        tariff_id: 0,
        currency_id: 0,
        responsible_manager_id: 0,
        manager_group_id: 0,
        reseller_group_id: 0,
        api_restricted: false,
        api_permission_group_id: 0,
        show_only_assigned_users: false,
        password_changed_at: None,
        created_at: None,
        balance: None,
        frozen_balance: None,
        logged_in: false,
        ..user.clone()
    }
}

/// A user's profile, with what of the one that he has this version does not know.
async fn rewritten_profile(tx: &mut Tx, user: &pb::User) -> Result<String> {
    let query = Query::new("SELECT profile FROM users WHERE id = ").value(user.id());
    let row = tx.fetch_optional(query).await?.ok_or(Error::UserNotFound)?;
    stored::rewritten(&rest(user), &row.get::<String>(0)?)
}

/// The values that a new and a changed user share, in the order of both statements.
fn shared_values(user: &pb::User, profile: String) -> Vec<Value> {
    vec![
        user.username.as_str().into(),
        user.first_name.as_str().into(),
        user.last_name.as_str().into(),
        user.blocked.into(),
        user.hidden.into(),
        user.owner_id.into(),
        user.tariff_id.into(),
        user.currency_id.into(),
        user.responsible_manager_id.into(),
        user.manager_group_id.into(),
        user.show_only_assigned_users.into(),
        profile.into(),
        user.balance_warning.as_ref().is_some_and(|warning| warning.active).into(),
        user.reseller_group_id.into(),
        user.api_restricted.into(),
        user.api_permission_group_id.into(),
    ]
}

/// Stores a new user, and his account with a balance of zero.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: UserId,
    role: Role,
    user: &pb::User,
    password_hash: &str,
) -> Result<()> {
    let mut values = shared_values(user, stored::written(&rest(user))?);
    values.extend([
        id.into(),
        role.name().into(),
        password_hash.into(),
        Value::from(1),
        clock::now().into(),
    ]);
    let query = Query::new(
        "INSERT INTO users (username, first_name, last_name, blocked, hidden, owner_id, \
         tariff_id, currency_id, responsible_manager_id, manager_group_id, \
         show_only_assigned_users, profile, warns, reseller_group_id, api_restricted, \
         api_permission_group_id, id, role, password_hash, version, created_at) VALUES ",
    )
    .rows([values]);
    tx.execute(query).await.map_err(username_taken)?;
    let account = Query::new("INSERT INTO accounts (user_id, balance, last_entry_id) VALUES ")
        .rows([vec![id.into(), Money::ZERO.into(), Value::from(0)]]);
    tx.execute(account).await?;
    Ok(())
}

/// Stores a changed user.
pub(super) async fn update(tx: &mut Tx, user: &pb::User) -> Result<()> {
    let mut query = Query::new(
        "UPDATE users SET username = $1, first_name = $2, last_name = $3, blocked = $4, \
         hidden = $5, owner_id = $6, tariff_id = $7, currency_id = $8, \
         responsible_manager_id = $9, manager_group_id = $10, show_only_assigned_users = $11, \
         profile = $12, warns = $13, reseller_group_id = $14, api_restricted = $15, \
         api_permission_group_id = $16, version = version + 1 WHERE id = $17",
    );
    let profile = rewritten_profile(tx, user).await?;
    for value in shared_values(user, profile) {
        query = query.bind(value);
    }
    tx.execute(query.bind(user.id())).await.map_err(username_taken)?;
    Ok(())
}

/// Stores what the server itself noted about a user. Nobody's copy of him grows old by it.
pub(crate) async fn set_profile(tx: &mut Tx, user: &pb::User) -> Result<()> {
    let query = Query::new("UPDATE users SET profile = $1 WHERE id = $2");
    let profile = rewritten_profile(tx, user).await?;
    tx.execute(query.bind(profile).bind(user.id())).await?;
    Ok(())
}

/// A user whose balance is watched.
pub(crate) struct Watched {
    pub(crate) id: UserId,
    pub(crate) balance: Money,
    /// Grows when he is changed.
    pub(crate) version: i64,
}

/// The users who want warnings of balances.
pub(crate) async fn watched(db: &Db) -> Result<Vec<Watched>> {
    let query = Query::new(
        "SELECT u.id, a.balance, u.version FROM users u JOIN accounts a ON a.user_id = u.id \
         WHERE u.warns AND u.deleted_at IS NULL",
    );
    let rows = db.fetch_all(query).await?;
    rows.iter()
        .map(|row| {
            Ok(Watched { id: UserId(row.get(0)?), balance: row.get(1)?, version: row.get(2)? })
        })
        .collect()
}

/// Stores a new password; `changed` says that the user will know.
pub(crate) async fn set_password_hash(
    tx: &mut Tx,
    id: UserId,
    hash: &str,
    changed: bool,
) -> Result<()> {
    let query = if changed {
        Query::new("UPDATE users SET password_hash = $1, password_changed_at = $2 WHERE id = $3")
            .bind(hash)
            .bind(clock::now())
            .bind(id)
    } else {
        Query::new("UPDATE users SET password_hash = $1 WHERE id = $2").bind(hash).bind(id)
    };
    tx.execute(query).await?;
    Ok(())
}

/// What a login name's password is compared with.
pub(crate) struct StoredPassword {
    pub(crate) user: UserId,
    /// Empty if the user cannot log in.
    pub(crate) hash: String,
    /// When the user got it; `None` if they have had it from the beginning.
    pub(crate) changed_at: Option<i64>,
}

/// The stored password of a login name.
pub(crate) async fn password(db: &Db, username: &str) -> Result<Option<StoredPassword>> {
    let query = Query::new(
        "SELECT id, password_hash, password_changed_at FROM users \
         WHERE deleted_at IS NULL AND username = ",
    );
    let Some(row) = db.fetch_optional(query.value(username)).await? else {
        return Ok(None);
    };
    let stored =
        StoredPassword { user: UserId(row.get(0)?), hash: row.get(1)?, changed_at: row.get(2)? };
    Ok(Some(stored))
}

/// The login name of the one user with an e-mail address, which is in lower case; `None` if there is
/// none, or are several.
pub(crate) async fn username_by_email(db: &Db, email: &str) -> Result<Option<String>> {
    let query = Query::new("SELECT username FROM users WHERE deleted_at IS NULL AND email = ");
    let rows = db.fetch_all(query.value(email).and(" LIMIT 2")).await?;
    let [row] = rows.as_slice() else { return Ok(None) };
    row.get(0).map(Some)
}

/// When a user's password was last changed, inside a transaction.
pub(crate) async fn password_changed_at(tx: &mut Tx, id: UserId) -> Result<Option<i64>> {
    let query = Query::new("SELECT password_changed_at FROM users WHERE id = ").value(id);
    tx.fetch_optional(query).await?.ok_or(Error::UserNotFound)?.get(0)
}

/// Marks a user as deleted.
pub(super) async fn delete(tx: &mut Tx, id: UserId) -> Result<()> {
    let query = Query::new(
        "UPDATE users SET deleted_at = $1, uniquehash_sha256 = NULL, version = version + 1 \
         WHERE id = $2",
    );
    tx.execute(query.bind(clock::now()).bind(id)).await?;
    Ok(())
}

/// Whether the user is the responsible manager of others.
pub(super) async fn is_responsible(tx: &mut Tx, id: UserId) -> Result<bool> {
    let query =
        Query::new("SELECT id FROM users WHERE deleted_at IS NULL AND responsible_manager_id = ")
            .value(id)
            .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether there is an admin beside this one who is not blocked. None is blocked until the end of the
/// transaction.
pub(super) async fn has_other_admin(tx: &mut Tx, id: UserId) -> Result<bool> {
    let lock = tx.lock_clause();
    let query = Query::new("SELECT id FROM users WHERE deleted_at IS NULL AND role = ")
        .value(Role::Admin.name())
        .and(" AND blocked = ")
        .value(false)
        .and(" AND id <> ")
        .value(id)
        .and(lock);
    Ok(!tx.fetch_all(query).await?.is_empty())
}

/// Whether the user owns others.
pub(super) async fn is_owner(tx: &mut Tx, id: UserId) -> Result<bool> {
    let query = Query::new("SELECT id FROM users WHERE deleted_at IS NULL AND owner_id = ")
        .value(id)
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Says that those whom a user owns are other than they were, because he has another owner.
/// Returns them as they are now, also deleted ones.
pub(super) async fn touch_owned(tx: &mut Tx, owner: UserId) -> Result<Vec<Identity>> {
    let query = Query::new("UPDATE users SET version = version + 1 WHERE owner_id = ").value(owner);
    tx.execute(query).await?;
    let query = Query::new(IDENTITY).and(" WHERE owner_id = ").value(owner);
    tx.fetch_all(query).await?.iter().map(read_identity).collect()
}

/// Whether a user has a number pool as a list.
pub(crate) async fn uses_pool(tx: &mut Tx, pool: PoolId) -> Result<bool> {
    // The profile is JSON, in which 64-bit numbers are texts.
    let query = Query::new("SELECT id FROM users WHERE deleted_at IS NULL AND profile LIKE ")
        .value(format!("%\"numberPoolId\":\"{pool}\"%"))
        .and(" LIMIT 1");
    Ok(tx.fetch_optional(query).await?.is_some())
}

/// Whether there is no user yet: the database is new.
pub(crate) async fn none_exist(db: &Db) -> Result<bool> {
    Ok(db.fetch_optional(Query::new("SELECT id FROM users LIMIT 1")).await?.is_none())
}

fn username_taken(error: Error) -> Error {
    match &error {
        Error::Database(cause) if cause.is_unique_violation() => Error::UsernameTaken,
        _ => error,
    }
}
