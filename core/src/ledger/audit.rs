//! The proof that the books are right.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use tollbook_proto::v1 as pb;

use super::{Entry, Kind, posting, store};
use crate::{
    calls::{self, Side, imports},
    error::Result,
    ids::{EntryId, PaymentId, UserId},
    money::Money,
    payments, settings,
    stats::{
        self, Sums, Total,
        rollup::{Party, Rollup},
    },
    store::{Db, Tx},
};

const CHUNK: i64 = 5_000;
const MAX_FINDINGS: usize = 1_000;

/// Reads all accounts, entries and payments as of one moment and says what is wrong:
/// a balance that is not the sum of its entries, an entry whose balance does not follow
/// from the one before, a payment without its entry or with another amount, something that was
/// done twice under one idempotency key, calls that were not charged as they say, statistics
/// that are not those of the calls, an import of calls that was taken back and is still charged.
pub(crate) async fn audit(db: &Db) -> Result<pb::AuditAccountsResponse> {
    let mut tx = db.snapshot().await?;
    let mut report = pb::AuditAccountsResponse::default();
    let mut books: HashMap<UserId, (Money, EntryId)> = HashMap::new();
    let mut paid: HashMap<PaymentId, Money> = HashMap::new();
    let mut charged = Charged::new();
    let mut keyed = Keyed::default();
    let mut given_back = GivenBack::new();

    let mut position = (UserId(i64::MIN), EntryId(i64::MIN));
    loop {
        let entries = store::after(&mut tx, position, CHUNK).await?;
        let Some(last) = entries.last() else { break };
        position = (last.user, last.id);
        for entry in &entries {
            report.entries += 1;
            check_entry(entry, &mut books, &mut paid, &mut report);
            keyed.add(entry);
            if let Some(side) = side_of(entry.kind) {
                *charged.entry((entry.user, side)).or_default() += entry.amount.into();
                if entry.kind == side.reversed()
                    && let Some(import) = imports::import_of(&entry.note)
                {
                    *given_back.entry((import, side)).or_default() += entry.amount.into();
                }
            }
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
    keyed.check(&mut tx, &mut report).await?;
    let left = check_calls(&mut tx, &charged, &mut report).await?;
    check_taken_back(&mut tx, &given_back, &left, &mut report).await?;
    Ok(report)
}

/// Entries that were made under the keys of requests.
#[derive(Default)]
struct Keyed {
    /// Hashes of whom and what the keys are of: there are many.
    seen: HashSet<u64>,
    hasher: RandomState,
    /// What has come before, or looks like it.
    again: Vec<(String, String, EntryId)>,
}

impl Keyed {
    fn add(&mut self, entry: &Entry) {
        let Some(scope) = entry.actor.and_then(|actor| posting::scope(actor, entry.kind)) else {
            return;
        };
        let key = &entry.idempotency_key;
        if !key.is_empty() && !self.seen.insert(self.hasher.hash_one((&scope, key))) {
            self.again.push((scope, key.clone(), entry.id));
        }
    }

    /// Checks that nothing was done twice under one key of a client. What is a repetition of a
    /// legacy request for a while only may be done again after it.
    async fn check(self, tx: &mut Tx, report: &mut pb::AuditAccountsResponse) -> Result<()> {
        for again in self.again.chunks(500) {
            let keys = again.iter().map(|(scope, key, _)| (scope.as_str(), key.as_str()));
            let named = store::named_keys(tx, keys).await?;
            for (scope, key, entry) in again {
                if named.contains(&(scope.clone(), key.clone())) {
                    finding(report, format!("entry {entry}: key {key:?} was used before"));
                }
            }
        }
        Ok(())
    }
}

/// What the calls of somebody on a side add to his balance. Each of the calls of a reseller or partner has
/// him: what he pays is what is left of the price.
fn owed_by(side: Side, sums: &Sums) -> Total {
    let paid_up = sums.price - sums.reseller_margin;
    match side {
        Side::Originator => Total::default() - sums.price,
        Side::Reseller => Total::default() - paid_up,
        Side::Partner => Total::default() - (paid_up - sums.partner_margin),
        Side::Terminator => sums.self_cost,
    }
}

/// What the entries of calls add up to, by user and side.
type Charged = HashMap<(UserId, Side), Total>;

/// What the entries add up to that take imports of calls back, by import and side.
type GivenBack = HashMap<(i64, Side), Total>;

/// How many calls are in the books of each import.
type Left = HashMap<i64, i64>;

/// Checks that of an import that was taken back no call is left, and that as much was given back as its
/// calls were charged when they were taken out.
async fn check_taken_back(
    tx: &mut Tx,
    given_back: &GivenBack,
    left: &Left,
    report: &mut pb::AuditAccountsResponse,
) -> Result<()> {
    for import in imports::taken_back(tx).await? {
        let id = import.id;
        if let Some(calls) = left.get(&id).filter(|_| import.is_done) {
            finding(report, format!("import {id}: taken back, but {calls} of its calls are left"));
        }
        for (side, owed) in
            [(Side::Originator, import.price), (Side::Terminator, -import.self_cost)]
        {
            let entries = given_back.get(&(id, side)).copied().unwrap_or_default().value()?;
            if entries != owed {
                finding(
                    report,
                    format!(
                        "import {id} as {side}: entries that take it back sum to {} where its calls \
                         were {}",
                        entries,
                        owed.normalize()
                    ),
                );
            }
        }
    }
    Ok(())
}

/// Checks that users were charged for calls, and earned with them, what the calls say, and
/// that the statistics are those of the calls. Returns how many calls are of which import.
async fn check_calls(
    tx: &mut Tx,
    charged: &Charged,
    report: &mut pb::AuditAccountsResponse,
) -> Result<Left> {
    let mut left = Left::new();
    let zone = settings::store::system_time_zone(tx).await?;
    let mut counted = Rollup::new(zone);
    let mut position = (i64::MIN, i64::MIN);
    loop {
        let calls = calls::store::after(tx, position, CHUNK).await?;
        let Some(last) = calls.last() else { break };
        position = (last.reported.start_time, last.id);
        for call in &calls {
            report.calls += 1;
            counted.add_users(call);
            if let Some(import) = call.import {
                *left.entry(import).or_default() += 1;
            }
        }
    }

    let mut owed = Charged::new();
    for ((party, _), sums) in &counted.by_day {
        if let Party::Side(side, user) = party {
            *owed.entry((*user, *side)).or_default() += owed_by(*side, sums);
        }
    }
    let users: HashSet<&(UserId, Side)> = owed.keys().chain(charged.keys()).collect();
    for key in users {
        let of = |sums: &Charged| sums.get(key).copied().unwrap_or_default();
        let (entries, calls) = (of(charged), of(&owed));
        if entries != calls {
            let (user, side) = key;
            finding(
                report,
                format!(
                    "user {user} as {side}: entries of calls sum to {} but the calls to {}",
                    entries.value()?,
                    calls.value()?
                ),
            );
        }
    }

    compare(&counted.by_day, &stats::store::all_days(tx).await?, "a day", report);
    compare(&counted.by_hour, &stats::store::all_hours(tx).await?, "an hour", report);
    let all_calls = counted
        .by_day
        .into_iter()
        .filter_map(|((party, day), sums)| (party == Party::All).then_some((day, sums)));
    let destinations = stats::store::destinations_by_day(tx).await?;
    compare(&all_calls.collect(), &destinations, "the destinations of a day", report);
    Ok(left)
}

fn compare<K: Ord + std::fmt::Debug>(
    counted: &BTreeMap<K, Sums>,
    stored: &BTreeMap<K, Sums>,
    what: &str,
    report: &mut pb::AuditAccountsResponse,
) {
    let keys: BTreeSet<&K> = counted.keys().chain(stored.keys()).collect();
    for key in keys {
        let of = |sums: &BTreeMap<K, Sums>| sums.get(key).copied().unwrap_or_default();
        if of(counted) != of(stored) {
            finding(report, format!("the sums of {what}, {key:?}, are not those of the calls"));
        }
    }
}

/// The side of calls that an entry is about.
fn side_of(kind: Kind) -> Option<Side> {
    Side::ALL.into_iter().find(|side| kind == side.charged() || kind == side.reversed())
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
