//! Looks for balances to warn of, for as long as the context is in use.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use tollbook_proto::v1 as pb;

use super::{
    Recipient, Warning,
    due::{Verdict, local_time, set_warned, verdict},
    send, store,
};
use crate::{
    clock,
    context::Context,
    error::Result,
    ids::UserId,
    money::Money,
    store::{Db, Tx, retrying},
    users::{self, store::Watched},
};

/// As of when a user was last looked at: his balance, his version, and the quarter of an hour,
/// with which the hour may change in one time zone or another. While these stay, nothing new
/// is due.
type Seen = (Money, i64, i64);

/// In microseconds.
const QUARTER: i64 = 15 * 60 * 1_000_000;

/// Looks every `interval`.
pub(crate) async fn watch(context: Weak<Context>, interval: Duration) {
    let mut seen: HashMap<UserId, Seen> = HashMap::new();
    loop {
        tokio::time::sleep(interval).await;
        let Some(context) = context.upgrade() else { return };
        let Some(mail) = &context.mail else { return };
        if let Err(error) = look(&context, &mut seen).await {
            tracing::warn!(error = ?error, "cannot look for balances to warn of");
        }
        if let Err(error) = send::pending(&context, mail).await {
            tracing::warn!(error = ?error, "cannot send warnings of balances");
        }
    }
}

async fn look(context: &Arc<Context>, seen: &mut HashMap<UserId, Seen>) -> Result<()> {
    let watched = users::store::watched(&context.db).await?;
    let mut now = HashMap::with_capacity(watched.len());
    let quarter = clock::now() / QUARTER;
    for Watched { id, balance, version } in watched {
        let state = (balance, version, quarter);
        if seen.get(&id) != Some(&state) {
            retrying(|| decide(&context.db, id)).await?;
        }
        now.insert(id, state);
    }
    *seen = now;
    Ok(())
}

/// Writes down what is due of one user, and who was warned of him.
async fn decide(db: &Db, id: UserId) -> Result<()> {
    let mut tx = db.begin().await?;
    if users::store::lock(&mut tx, id).await?.is_none() {
        return Ok(());
    }
    let mut user = users::store::get(&mut tx, id).await?;
    let balance = Money::from_proto("balance", user.balance.as_ref())?;
    let now = local_time(&user.time_zone);
    let mut warning = user.balance_warning.clone().unwrap_or_default();
    for recipient in Recipient::ALL {
        let last = match warning.hour {
            0 => None,
            _ => store::last(&mut tx, id, recipient).await?,
        };
        match verdict(&warning, recipient, balance, &now, last) {
            Verdict::Quiet => {}
            Verdict::Recovered => set_warned(&mut warning, recipient, false),
            Verdict::Warn { threshold } => {
                // Whoever has no address is warned once he has one.
                let Some(address) = address(&mut tx, &user, recipient).await? else { continue };
                set_warned(&mut warning, recipient, true);
                let warning = Warning {
                    id: 0,
                    user: id,
                    username: user.username.clone(),
                    recipient,
                    address,
                    balance,
                    threshold,
                    above: warning.on_increase,
                    created_at: clock::now(),
                    sent_at: None,
                    attempts: 0,
                    next_attempt_at: clock::now(),
                    problem: String::new(),
                };
                store::insert(&mut tx, &warning).await?;
            }
        }
    }
    if user.balance_warning.as_ref() != Some(&warning) {
        user.balance_warning = Some(warning);
        users::store::set_profile(&mut tx, &user).await?;
    }
    tx.commit().await
}

/// Where a recipient gets mail; none: nowhere. A user gets it at his billing address, or else
/// at his main one, or the one for rates, or that of his NOC.
async fn address(tx: &mut Tx, user: &pb::User, recipient: Recipient) -> Result<Option<String>> {
    let main = |user: &pb::User| {
        user.address.as_ref().map(|address| address.email.clone()).unwrap_or_default()
    };
    let addresses = match recipient {
        Recipient::User => {
            let emails = user.emails.clone().unwrap_or_default();
            vec![emails.billing, main(user), emails.rates, emails.noc]
        }
        Recipient::Admin => vec![main(&users::store::get(tx, UserId::ADMIN).await?)],
        Recipient::Manager => match user.responsible_manager_id {
            0 => Vec::new(),
            manager => vec![main(&users::store::get(tx, UserId(manager)).await?)],
        },
    };
    Ok(addresses.into_iter().find(|address| !address.is_empty()))
}
