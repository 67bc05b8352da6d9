//! Unrated calls that are rated as those of another account than the one that they name.

use std::collections::HashMap;

use super::{Brought, store};
use crate::{
    access::Principal,
    context::Context,
    error::{Error, Result},
    ids::UserId,
    text::check_text,
    users::Role,
};

/// How many accounts a request may name.
const MOST: usize = 1_000;

/// Who pays instead, by the accounts as the records name them.
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
            let id = to.strip_prefix("id ").and_then(|id| id.parse().ok());
            let user = match id {
                Some(id) => context.directory.by_id(UserId(id)).await?,
                None => context.directory.by_username(to).await?,
            };
            let user = caller.see(user).map_err(|error| error.of_field("accounts"))?;
            if user.role != Role::User {
                return Err(Error::UserNotFound.of_field("accounts"));
            }
            accounts.insert(from.clone(), user.id);
        }
        Ok(Self(accounts))
    }

    /// Makes a call one of another account, if its own is given away. Returns whether it is.
    pub(super) fn reassign(&self, brought: &mut Brought) -> bool {
        let record = &mut brought.record;
        let Some(user) = self.0.get(&store::account(record)) else { return false };
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
