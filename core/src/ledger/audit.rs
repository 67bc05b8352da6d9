//! The proof that the books are right.

use std::collections::{HashMap, HashSet};

use tollbook_proto::v1 as pb;

use super::{Entry, store};
use crate::{
    error::Result,
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    payments,
    store::Db,
};

const CHUNK: i64 = 5_000;
const MAX_FINDINGS: usize = 1_000;

/// Reads all accounts, entries and payments as of one moment and says what is wrong:
/// a balance that is not the sum of its entries, an entry whose balance does not follow
/// from the one before, a payment without its entry or with another amount.
pub(crate) async fn audit(db: &Db) -> Result<pb::AuditAccountsResponse> {
    let mut tx = db.snapshot().await?;
    let mut report = pb::AuditAccountsResponse::default();
    let mut books: HashMap<UserId, (Money, EntryId)> = HashMap::new();
    let mut paid: HashMap<PaymentId, Money> = HashMap::new();

    let mut position = (UserId(i64::MIN), EntryId(i64::MIN));
    loop {
        let entries = store::after(&mut tx, position, CHUNK).await?;
        let Some(last) = entries.last() else { break };
        position = (last.user, last.id);
        for entry in &entries {
            report.entries += 1;
            check_entry(entry, &mut books, &mut paid, &mut report);
        }
    }

    for (user, balance, last_entry) in store::accounts(&mut tx).await? {
        report.accounts += 1;
        let stored = (balance, last_entry);
        let summed = books.remove(&user).unwrap_or((Money::ZERO, EntryId(0)));
        if stored.0 != summed.0 {
            finding(
                &mut report,
                format!(
                    "user {user}: balance {} but entries sum to {}",
                    stored.0.value(),
                    summed.0.value()
                ),
            );
        }
        if stored.1 != summed.1 {
            finding(
                &mut report,
                format!("user {user}: newest entry {} but the account says {}", summed.1, stored.1),
            );
        }
    }
    for user in books.keys() {
        finding(&mut report, format!("user {user}: entries without an account"));
    }

    let mut seen = HashSet::new();
    for (id, amount) in payments::store::balance_changes(&mut tx).await? {
        report.payments += 1;
        seen.insert(id);
        if paid.get(&id) != Some(&amount) {
            finding(&mut report, format!("payment {id}: no entry of {}", amount.value()));
        }
    }
    for id in paid.keys().filter(|id| !seen.contains(id)) {
        finding(&mut report, format!("payment {id}: an entry, but no payment"));
    }
    Ok(report)
}

fn check_entry(
    entry: &Entry,
    books: &mut HashMap<UserId, (Money, EntryId)>,
    paid: &mut HashMap<PaymentId, Money>,
    report: &mut pb::AuditAccountsResponse,
) {
    let (sum, newest) = books.entry(entry.user).or_insert((Money::ZERO, entry.id));
    match sum.plus(entry.amount) {
        Ok(after) if after == entry.balance_after => *sum = after,
        Ok(after) => {
            finding(
                report,
                format!(
                    "entry {}: balance {} where {} follows",
                    entry.id,
                    entry.balance_after.value(),
                    after.value()
                ),
            );
            *sum = after;
        }
        Err(_) => finding(report, format!("entry {}: the sum is out of range", entry.id)),
    }
    *newest = entry.id;
    if let Some(payment) = entry.payment
        && paid.insert(payment, entry.amount).is_some()
    {
        finding(report, format!("payment {payment}: more than one entry"));
    }
}

fn finding(report: &mut pb::AuditAccountsResponse, finding: String) {
    if report.findings.len() < MAX_FINDINGS {
        report.findings.push(finding);
    }
}
