//! Uniquehashes: what a phone fetches its user's balance with, by a URL and without anything else
//! (`user_simple_balance_get`).
//!
//! A secret in a URL is a weak one: it opens this one number and nothing else (unless the setting
//! `uniquehash_as_hash` is on), it can be rotated, and whoever guesses is locked out. Only its SHA-256
//! is stored.

use sha2::{Digest, Sha256};
use tollbook_proto::v1 as pb;

use super::{ownership, store};
use crate::{
    access::Principal,
    changes::Change,
    context::Context,
    error::{Error, Result},
    ids::{self, UserId},
    resource::Resource,
};

/// The shortest one that is taken over from another system, whose own are as long.
const SHORTEST: usize = 10;
const LONGEST: usize = 64;

/// What is stored of a uniquehash.
pub(super) fn digest(uniquehash: &str) -> String {
    hex::encode(Sha256::digest(uniquehash))
}

/// Whether a text could be a uniquehash at all.
pub(super) fn is_possible(text: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Gives a user another uniquehash, or none.
pub(super) async fn rotate(
    context: &Context,
    caller: &Principal,
    request: pb::RotateUniquehashRequest,
) -> Result<String> {
    let id: UserId = ids::required("id", request.id)?;
    let user = caller.see(context.directory.by_id(id).await?)?;
    if user.id != caller.user()?.id {
        ownership::editable(caller, Some(user))?;
    }
    // Whoever may give one could ask which ones there are.
    if !request.uniquehash.is_empty() && !caller.user()?.role.is_staff() {
        return Err(Error::RoleDenied);
    }
    let (uniquehash, note) = match (request.revoke, request.uniquehash) {
        (true, _) => (None, "uniquehash revoked"),
        (false, given) if given.is_empty() => {
            (Some(hex::encode(rand::random::<[u8; 16]>())), "uniquehash rotated")
        }
        (false, given) if is_possible(&given) => (Some(given), "uniquehash rotated"),
        (false, _) => {
            return Err(Error::invalid("uniquehash", "must be 10 to 64 letters and digits"));
        }
    };
    let mut tx = context.begin_change(caller.origin()).await?;
    store::lock(&mut tx, id).await?.ok_or(Error::UserNotFound)?;
    store::set_uniquehash(&mut tx, id, uniquehash.as_deref().map(digest)).await?;
    tx.commit(Change::told(Resource::User(id), note)).await?;
    Ok(uniquehash.unwrap_or_default())
}
