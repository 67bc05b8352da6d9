//! Faults: a server under mixed load, to which things happen at random moments, and what must be
//! true after that whatever happened when. Processes are killed; the way to the database is
//! slow, deaf or cut, or loses the answers to commits; the disk is full; clocks are stepped.
//!
//! Every client repeats a request until it is answered, with the same idempotency key or call
//! id, as real clients do. So it is known exactly what must be in the books in the end.

mod clients;
mod faults;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tollbook_proto::v1::{
    AuditAccountsRequest, GetBalanceRequest, GetUserRequest, ListLedgerEntriesRequest,
    accounts_service_client::AccountsServiceClient, users_service_client::UsersServiceClient,
};
use tonic::{Code, Status, transport::Channel};

use clients::{CLIENTS, Done, FIRST_USER};
use faults::System;

use crate::server::{Authorized, Backend, bearer};

/// What is to be done to whom.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of the moments and the victims.
    pub seed: u64,
    /// How many things happen.
    pub faults: u32,
    /// SQLite: one process. PostgreSQL: two cores, two shims, and the database.
    pub backend: Backend,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// What happened, by name: processes that were killed, and other faults.
    pub faults: BTreeMap<&'static str, u32>,
    /// Requests that were answered.
    pub answered: i64,
    /// Requests that were not answered and sent again.
    pub repeated: i64,
    /// What should not be.
    pub violations: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How many faults there are between two looks at the books.
const ROUND: u32 = 25;
/// The calls that the fixture brings.
const FIXTURE_CALLS: i64 = 8;

/// How many violations of a round are described.
const MAX_VIOLATIONS: usize = 10;

/// What all clients share.
struct Shared {
    /// Each core, called as the admin.
    cores: Vec<Authorized>,
    /// The URL of each shim's `user_balance_update`.
    shims: Vec<String>,
    stop: AtomicBool,
    answered: AtomicI64,
    repeated: AtomicI64,
    calls: AtomicI64,
    violations: Mutex<Vec<String>>,
}

impl Shared {
    fn violation(&self, what: String) {
        let mut violations = self.violations.lock().unwrap();
        // The first ones say enough.
        if violations.len() < MAX_VIOLATIONS {
            violations.push(what);
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sends a request until it is answered, to one core after the other.
    async fn answered<T, F>(&self, send: impl Fn(Authorized) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, Status>> + Send,
    {
        for core in self.cores.iter().cycle().take(2_000) {
            match send(core.clone()).await {
                Ok(answer) => {
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    return Some(answer);
                }
                Err(status) => match status.code() {
                    Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Internal => {
                        self.repeated.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    _ => {
                        self.violation(format!("refused: {}", status.message()));
                        return None;
                    }
                },
            }
        }
        self.violation("a request was never answered".to_owned());
        None
    }
}

/// Lets things happen and looks, until all is done; none: the backend is not there.
pub async fn run(options: Options) -> Option<Report> {
    let begun = Instant::now();
    let mut system = System::start(options.backend).await?;
    let cores = system.grpc.iter().map(|address| {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        bearer(channel, &system.token)
    });
    let cores: Vec<_> = cores.collect();
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut report = Report::default();
    let mut known = Known::default();
    let mut left = options.faults;
    while left > 0 {
        let shared = Arc::new(Shared {
            cores: cores.clone(),
            shims: system.shims.clone(),
            stop: AtomicBool::new(false),
            answered: AtomicI64::new(0),
            repeated: AtomicI64::new(0),
            calls: AtomicI64::new(known.calls),
            violations: Mutex::default(),
        });
        let clients = clients::start(&shared, known.rounds);
        for _ in 0..left.min(ROUND) {
            let pause = random.random_range(20..400);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            *report.faults.entry(system.let_happen(&mut random)).or_default() += 1;
        }
        left -= left.min(ROUND);
        system.calm().await;
        shared.stop.store(true, Ordering::Relaxed);
        known.take(clients.join_all().await, &shared);
        check(&shared, &known).await;
        report.answered += shared.answered.load(Ordering::Relaxed);
        report.repeated += shared.repeated.load(Ordering::Relaxed);
        report.violations.append(&mut shared.violations.lock().unwrap());
    }
    report.elapsed = begun.elapsed();
    Some(report)
}

/// What must be in the books.
#[derive(Default)]
struct Known {
    /// What each client's user has had so far.
    balances: BTreeMap<i64, i64>,
    /// Of the user whom legacy requests change: how often at least, and at most.
    legacy: (i64, i64),
    /// Updates without a key, by user and note: whether they were answered.
    once: BTreeMap<i64, BTreeMap<String, bool>>,
    calls: i64,
    /// Rounds so far, so that no key comes twice.
    rounds: i64,
}

impl Known {
    fn take(&mut self, done: Vec<Done>, shared: &Shared) {
        for done in done {
            match done {
                Done::Balance { user, amount } => {
                    *self.balances.entry(user).or_default() += amount;
                }
                Done::Legacy { answered, unknown } => {
                    self.legacy.0 += answered;
                    self.legacy.1 += answered + unknown;
                }
                Done::Once { user, updates } => {
                    self.once.entry(user).or_default().extend(updates);
                }
                Done::Calls => {}
            }
        }
        self.calls = shared.calls.load(Ordering::Relaxed);
        self.rounds += 1;
    }
}

/// What was answered is there once, and what was not at most once.
async fn check_once(shared: &Shared, user: i64, updates: &BTreeMap<String, bool>) {
    let mut times: BTreeMap<String, i64> = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListLedgerEntriesRequest { user_id: Some(user), page_size: 1_000, page_token };
        let request = &request;
        let list = |core| async move {
            AccountsServiceClient::new(core).list_ledger_entries(request.clone()).await
        };
        let Some(page) = shared.answered(list).await else { return };
        let page = page.into_inner();
        for entry in page.entries {
            *times.entry(entry.note).or_default() += 1;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for (note, answered) in updates {
        let times = times.get(note).copied().unwrap_or_default();
        if times > 1 || (*answered && times == 0) {
            shared.violation(format!("update {note} of user {user} counts {times} times"));
        }
    }
}

/// All clients have stopped, and all parts are up: the books are as they must be.
async fn check(shared: &Shared, known: &Known) {
    let audit = |core| async move {
        AccountsServiceClient::new(core).audit_accounts(AuditAccountsRequest {}).await
    };
    if let Some(audit) = shared.answered(audit).await {
        let audit = audit.into_inner();
        for finding in audit.findings {
            shared.violation(format!("audit: {finding}"));
        }
        if audit.calls != known.calls + FIXTURE_CALLS {
            shared.violation(format!("{} calls, not {}", audit.calls, known.calls + FIXTURE_CALLS));
        }
    }
    for (user, expected) in &known.balances {
        let request = GetBalanceRequest { user_id: Some(*user), ..Default::default() };
        let request = &request;
        let get = |core| async move {
            AccountsServiceClient::new(core).get_balance(request.clone()).await
        };
        let Some(answer) = shared.answered(get).await else { continue };
        let balance = answer.into_inner().balance.unwrap().value;
        if balance != expected.to_string() {
            shared.violation(format!("user {user} has {balance}, not {expected}"));
        }
    }
    let user = FIRST_USER + 2 * CLIENTS;
    let list = |core| async move {
        let request =
            ListLedgerEntriesRequest { user_id: Some(user), page_size: 1, ..Default::default() };
        AccountsServiceClient::new(core).list_ledger_entries(request).await
    };
    if let Some(list) = shared.answered(list).await {
        let newest = list.into_inner().entries.into_iter().next();
        let balance = newest.map_or(0, |entry| entry.balance_after.unwrap().value.parse().unwrap());
        let (least, most) = known.legacy;
        if !(least..=most).contains(&balance) {
            shared.violation(format!("legacy updates: {balance}, not {least} to {most}"));
        }
    }
    for (user, updates) in &known.once {
        check_once(shared, *user, updates).await;
    }
    // All calls under way have ended: nothing is reserved.
    let get = |core| async move {
        let request = GetUserRequest { id: Some(6), ..Default::default() };
        UsersServiceClient::new(core).get_user(request).await
    };
    if let Some(user) = shared.answered(get).await {
        let frozen = user.into_inner().user.unwrap().frozen_balance.unwrap().value;
        if frozen != "0" {
            shared.violation(format!("{frozen} is reserved for calls that have ended"));
        }
    }
}
