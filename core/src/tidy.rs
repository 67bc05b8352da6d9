//! Forgets what has expired: sessions, nonces, keys of repeated requests, and what the store keeps of
//! past transactions. A little at a time, so that nobody waits for it.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{access, clock, context::Context, error::Result, ledger, settings, store::Db};

/// How often it is looked for.
const INTERVAL: Duration = Duration::from_secs(60);
/// How much is forgotten in a transaction, and how long there is a pause after it.
const AT_ONCE: i64 = 500;
const PAUSE: Duration = Duration::from_millis(20);

/// What can expire.
#[derive(Clone, Copy, Debug)]
enum Outdated {
    Sessions,
    Nonces,
    Replays,
    Transactions,
}

impl Outdated {
    const ALL: [Self; 4] = [Self::Sessions, Self::Nonces, Self::Replays, Self::Transactions];

    /// Forgets some. Returns how much.
    async fn forget_some(self, db: &Db, now: i64) -> Result<u64> {
        if matches!(self, Self::Transactions) {
            return db.forget_transactions(AT_ONCE).await;
        }
        let mut tx = db.begin().await?;
        let forgotten = match self {
            Self::Sessions => access::store::forget_sessions(&mut tx, now, AT_ONCE).await?,
            Self::Nonces => access::keys::store::forget_nonces(&mut tx, now, AT_ONCE).await?,
            Self::Replays | Self::Transactions => {
                // A longer window may be set at any time.
                let before = now - i64::from(settings::LONGEST_REPLAY_WINDOW) * 1_000_000;
                ledger::store::forget_replays(&mut tx, before, AT_ONCE).await?
            }
        };
        if forgotten > 0 {
            tx.commit().await?;
        }
        Ok(forgotten)
    }
}

/// Forgets what has expired, for as long as the context is in use.
pub(crate) async fn watch(context: Weak<Context>) {
    loop {
        let Some(context) = context.upgrade() else { return };
        tidy(&context.db).await;
        drop::<Arc<_>>(context);
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn tidy(db: &Db) {
    for outdated in Outdated::ALL {
        loop {
            match outdated.forget_some(db, clock::now()).await {
                Ok(forgotten) if forgotten < AT_ONCE.cast_unsigned() => break,
                Ok(_) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::warn!(error = ?error, ?outdated, "cannot forget what has expired");
                    break;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        setup::{self, SetUp},
        store::{DatabaseUrl, Query},
        vault::Vault,
    };

    const HOUR: i64 = 3_600_000_000;

    async fn insert(db: &Db, table: &str, rows: i64, row: impl Fn(i64) -> String) {
        let mut tx = db.begin().await.unwrap();
        for number in 0..rows {
            let sql = format!("INSERT INTO {table} VALUES ({})", row(number));
            tx.execute(Query::new(sql.leak())).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn count(db: &Db, table: &'static str) -> i64 {
        let query = Query::new("SELECT COUNT(*) FROM ").and(table);
        db.fetch_optional(query).await.unwrap().unwrap().get(0).unwrap()
    }

    #[tokio::test]
    async fn f12_what_has_expired_goes_and_the_rest_stays() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("tidy.db"));
        let db = Db::open(&url, Vault::default(), Duration::from_secs(30)).await.unwrap();
        setup::first_start(&db, &SetUp::default()).await.unwrap();
        let now = clock::now();
        // Of each, most have expired and one has not; of tokens only sessions go.
        let many = 2 * AT_ONCE + 1;
        let expiry = |number| now + if number == 0 { HOUR } else { -HOUR };
        insert(&db, "access_tokens", many, |n| {
            format!("{n}, 'session {n}', 'session', '', 0, 0, {}", expiry(n))
        })
        .await;
        insert(&db, "access_tokens", 1, |_| {
            format!("{many}, 'token', 'user', '', 0, 0, {}", now - HOUR)
        })
        .await;
        insert(&db, "api_nonces", many, |n| format!("1, 'nonce {n}', 0, {}", expiry(n))).await;
        insert(&db, "ledger_entries", 1, |_| {
            "1, 0, '0', '0', 'adjustment', NULL, NULL, '', '', 0".to_owned()
        })
        .await;
        insert(&db, "idempotency_keys", many, |n| {
            format!("'replay', '{n}', '', 1, {}", if n == 0 { now } else { now - 25 * HOUR })
        })
        .await;
        insert(&db, "idempotency_keys", 1, |_| "'0/AdjustBalance', 'key', '', 1, 0".to_owned())
            .await;
        tidy(&db).await;
        assert_eq!(count(&db, "access_tokens").await, 2);
        assert_eq!(count(&db, "api_nonces").await, 1);
        // What a client named has no end.
        assert_eq!(count(&db, "idempotency_keys").await, 2);
    }
}
