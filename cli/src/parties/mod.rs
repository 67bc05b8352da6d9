//! `tollbook currencies`, `tariffs`, `users` and `points`: what there must be before a call can be billed, created and
//! listed. Everything else of them is changed over gRPC or the XML API.

pub(crate) mod currencies;
pub(crate) mod points;
pub(crate) mod tariffs;
pub(crate) mod users;

use anyhow::Context;
use tollbook_proto::v1::{GetUserRequest, User, users_service_client::UsersServiceClient};

use crate::client::{Core, said};

/// How many are asked for at once; the commands list all.
const PAGE: i32 = 1000;

/// The user with a login name.
pub(crate) async fn user_named(core: &Core, username: String) -> anyhow::Result<User> {
    let request = GetUserRequest { username, ..Default::default() };
    let found = UsersServiceClient::new(core.clone()).get_user(request).await.map_err(said)?;
    found.into_inner().user.context("the core knows no such user")
}
