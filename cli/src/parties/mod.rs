//! `tollbook currencies`, `tariffs`, `users` and `points`: what there must be before a call can be billed, and
//! `payments`. Everything else of them is changed over gRPC or the XML API.

pub(crate) mod countries;
pub(crate) mod currencies;
pub(crate) mod payments;
pub(crate) mod points;
pub(crate) mod tariffs;
mod uniquehash;
mod user_changes;
pub(crate) mod users;

use anyhow::{Context, bail};
use tollbook_proto::v1::{GetUserRequest, User, users_service_client::UsersServiceClient};

use tonic::{Code, Status};

use crate::client::{Core, said};

/// How many are asked for at once; the commands list all.
const PAGE: i32 = 1000;

/// The user with a login name.
pub(crate) async fn user_named(core: &Core, username: String) -> anyhow::Result<User> {
    let request = GetUserRequest { username, ..Default::default() };
    let found = UsersServiceClient::new(core.clone()).get_user(request).await.map_err(said)?;
    found.into_inner().user.context("the core knows no such user")
}

/// The id of the user whom a text means: a login name, or an id, which may be written `#42`. Where the
/// text is the name of one and the id of another, it is refused.
pub(crate) async fn user_meant(core: &Core, text: &str) -> anyhow::Result<i64> {
    if let Some(id) = text.strip_prefix('#') {
        return id.parse().with_context(|| format!("{text:?} is not # and an id"));
    }
    let id: Option<i64> = text.parse().ok();
    let named = GetUserRequest { username: text.to_owned(), ..Default::default() };
    let named = match find(core, named).await {
        Ok(named) => named,
        // Who may not look at users can still name them by their ids.
        Err(status) if status.code() == Code::PermissionDenied && id.is_some() => None,
        Err(status) => return Err(said(status)),
    };
    match (named, id) {
        (Some(named), Some(id)) if named.id() != id => {
            let other = find(core, GetUserRequest { id: Some(id), ..Default::default() });
            match other.await.map_err(said)? {
                Some(other) => bail!(
                    "{text:?} is the login name of user {} and the id of user {:?}: say '#{}' or '#{id}'",
                    named.id(),
                    other.username,
                    named.id()
                ),
                None => Ok(named.id()),
            }
        }
        (Some(named), _) => Ok(named.id()),
        (None, Some(id)) => Ok(id),
        (None, None) => bail!("there is no user with the login name {text:?}"),
    }
}

async fn find(core: &Core, request: GetUserRequest) -> Result<Option<User>, Status> {
    match UsersServiceClient::new(core.clone()).get_user(request).await {
        Ok(found) => Ok(found.into_inner().user),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status),
    }
}
