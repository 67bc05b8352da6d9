//! Devices: connection points with credentials (`docs/rules/points-and-pools.md#devices`).
//!
//! What calls are known, priced and limited by is the point's, which the catalog keeps in memory. The
//! credentials are a table of their own, which nothing reads but what asks for them.

pub(crate) mod clis;
mod credentials;
mod legacy_columns;
mod record;
pub(crate) mod rules;
mod service;
pub(crate) mod store;

use std::sync::Arc;

pub(crate) use record::check_signaling;
pub(crate) use service::{Defaults, Service, insert, lock_managed, seen};

use crate::{
    error::Result,
    settings::Secret,
    store::Db,
    users::{Identity, directory::Directory},
};

/// Whose a device is, by its user name.
pub(crate) async fn user_by_username(
    db: &Db,
    directory: &Directory,
    username: &str,
) -> Result<Option<Arc<Identity>>> {
    match store::user_by_username(db, username).await? {
        Some(user) => directory.lately_by_id(user).await,
        None => Ok(None),
    }
}

/// Whose the devices are that have a password; `None` if several users' have it: nobody guesses which is
/// meant.
pub(crate) async fn user_by_password(
    db: &Db,
    directory: &Directory,
    key: Option<&Secret>,
    password: &str,
) -> Result<Option<Arc<Identity>>> {
    match store::user_by_password(db, key, password).await? {
        Some(user) => directory.lately_by_id(user).await,
        None => Ok(None),
    }
}
