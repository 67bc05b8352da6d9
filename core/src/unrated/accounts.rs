//! Unrated calls that are rated as those of another account than the one that they name.

use std::{collections::HashMap, sync::Arc};

use super::{Brought, store};
use crate::{
    access::Principal,
    context::Context,
    error::{Error, Result},
    ids::UserId,
    text::check_text,
    users::{Identity, Role},
};

/// How many accounts a request may name.
const MOST: usize = 1_000;

/// Who pays instead, by the accounts as the records name them, in any capitals.
pub(super) struct Accounts(HashMap<String, UserId>);

impl Accounts {
    /// Looks up those who are to pay.
    ///
    /// # Errors
    /// One is no user whom the caller may see.
    pub(super) async fn of(
        context: &Context,
        caller: &Principal,
        named: &HashMap<String, String>,
    ) -> Result<Self> {
        if named.len() > MOST {
            return Err(Error::invalid("accounts", "has more than 1000 accounts"));
        }
        let mut accounts = HashMap::with_capacity(named.len());
        for (from, to) in named {
            check_text("accounts", from)?;
            check_text("accounts", to)?;
            if from.is_empty() || to.is_empty() {
                return Err(Error::invalid("accounts", "must not be empty on either side"));
            }
            let user = named_user(context, caller, to).await?;
            if user.role != Role::User {
                return Err(Error::UserNotFound.of_field("accounts"));
            }
            let other = accounts.insert(store::folded(from), user.id);
            if other.is_some_and(|other| other != user.id) {
                return Err(Error::invalid("accounts", "has one account twice, in other capitals"));
            }
        }
        Ok(Self(accounts))
    }

    /// Makes a call one of another account, if its own is given away. Returns whether it is.
    pub(super) fn reassign(&self, brought: &mut Brought) -> bool {
        let record = &mut brought.record;
        let Some(user) = self.0.get(&store::folded(&store::account(record))) else { return false };
        // The point was what named its owner: with another one it says nothing.
        if record.originator_id.is_none() && record.originator.is_empty() {
            record.origination_point.clear();
            record.origination_point_id = 0;
        }
        record.originator.clear();
        record.originator_id = Some(user.0);
        brought.payer = None;
        brought.reassigned = true;
        true
    }
}

/// The user that a text names: by id (`id 42`, `#42`) or by login name (`alice`, `login alice`).
///
/// # Errors
/// It names none whom the caller may see, or one in one way and another in another.
async fn named_user(context: &Context, caller: &Principal, text: &str) -> Result<Arc<Identity>> {
    let id = text.strip_prefix("id ").or_else(|| text.strip_prefix('#'));
    let mut candidates = vec![context.directory.by_username(text).await?];
    if let Some(id) = id.and_then(|id| id.parse().ok()) {
        candidates.push(context.directory.by_id(UserId(id)).await?);
    }
    if let Some(name) = text.strip_prefix("login ") {
        candidates.push(context.directory.by_username(name).await?);
    }
    let mut seen = candidates.into_iter().filter_map(|user| caller.see(user).ok());
    let user = seen.next().ok_or_else(|| Error::UserNotFound.of_field("accounts"))?;
    match seen.all(|other| other.id == user.id) {
        true => Ok(user),
        false => Err(Error::invalid("accounts", AMBIGUOUS)),
    }
}

/// What names each of two users of whom one has the id, and the other the login name.
const AMBIGUOUS: &str = "fits a user's id and another's login name: `id 8` or `#8` is the one with the id, \
     `login id 8` the one with the login name, each as long as nobody else is called so";
