//! Sends what was written down.

use super::{ATTEMPTS, Warning, store};
use crate::{
    clock,
    context::Context,
    emails::{Mail, SendError},
    error::Result,
    measure,
};

/// Until then nobody else sends what a core has taken, in microseconds.
const CLAIM: i64 = 5 * 60 * 1_000_000;
/// The first wait after a failure; each further one is twice as long.
const FIRST_WAIT: i64 = 60 * 1_000_000;

/// Sends all warnings that wait for it.
pub(super) async fn pending(context: &Context, mail: &Mail) -> Result<()> {
    for warning in store::pending(&context.db, clock::now()).await? {
        if !store::claim(&context.db, &warning, clock::now() + CLAIM).await? {
            // Another core has it.
            continue;
        }
        let currency = context.catalog.load().currencies.default_currency()?.code.clone();
        let (subject, text) = write(&warning, &currency);
        match mail.send(&warning.address, &subject, text).await {
            Ok(()) => {
                measure::warning_mail("sent");
                store::set_sent(&context.db, warning.id, clock::now()).await?;
            }
            Err(SendError { is_permanent: true, problem, .. }) => {
                measure::warning_mail("refused");
                tracing::warn!(warning = warning.id, problem, "a warning cannot be sent");
                store::set_failed(&context.db, warning.id, ATTEMPTS, 0, &problem).await?;
            }
            Err(SendError { is_permanent: false, problem, .. }) => {
                measure::warning_mail("postponed");
                tracing::warn!(warning = warning.id, problem, "a warning was not sent");
                let attempts = warning.attempts + 1;
                let wait = FIRST_WAIT << warning.attempts.clamp(0, ATTEMPTS);
                let next = clock::now() + wait;
                store::set_failed(&context.db, warning.id, attempts, next, &problem).await?;
            }
        }
    }
    Ok(())
}

/// Subject and text of a warning.
fn write(warning: &Warning, currency: &str) -> (String, String) {
    let Warning { username, balance, threshold, .. } = warning;
    let direction = if warning.above { "risen above" } else { "fallen below" };
    let (balance, threshold) = (balance.value(), threshold.value());
    (
        format!("Balance of {username}: {balance} {currency}"),
        format!(
            "The balance of {username} has {direction} {threshold} {currency}.\n\n\
             It is now {balance} {currency}.\n"
        ),
    )
}
