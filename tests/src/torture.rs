//! Faults: a server under mixed load, parts of which are killed at random moments, and what
//! must be true after that whatever was killed when.
//!
//! Every client repeats a request until it is answered, with the same idempotency key or call
//! id, as real clients do. So it is known exactly what must be in the books in the end.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;
use tollbook_proto::v1::{
    AdjustBalanceRequest, AuditAccountsRequest, AuthorizeCallRequest, CallRecord,
    FinishCallRequest, GetBalanceRequest, GetUserRequest, IngestCallsRequest,
    ListLedgerEntriesRequest, RecordPaymentRequest, StartCallRequest,
    accounts_service_client::AccountsServiceClient, calls_service_client::CallsServiceClient,
    live_calls_service_client::LiveCallsServiceClient,
    payments_service_client::PaymentsServiceClient, users_service_client::UsersServiceClient,
};
use tonic::{Code, Status, codegen::tokio_stream, transport::Channel};

use crate::{
    books::{self, START},
    contract::{Fixture, decimal},
    legacy_hash,
    postgres::Postgres,
    server::{Authorized, Backend, Data, SECRET, Server, bearer},
};

/// What is to be done to whom.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Of the moments and the victims.
    pub seed: u64,
    /// How many processes are killed.
    pub kills: u32,
    /// SQLite: one process. PostgreSQL: two cores, two shims, and the database.
    pub backend: Backend,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Processes killed, by name.
    pub kills: BTreeMap<&'static str, u32>,
    /// Requests that were answered.
    pub answered: i64,
    /// Requests that were not answered and sent again.
    pub repeated: i64,
    /// What should not be.
    pub violations: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
}

/// How many kills there are between two looks at the books.
const ROUND: u32 = 25;
/// Users whom one client each changes: 20 and up.
const FIRST_USER: i64 = 20;
/// Clients that change balances, and that record payments.
const LEDGER_CLIENTS: i64 = 8;
/// Calls in a batch.
const BATCH: i64 = 40;
/// The calls that the fixture brings.
const FIXTURE_CALLS: i64 = 8;

/// How many violations of a round are described.
const MAX_VIOLATIONS: usize = 10;

/// A process that may be killed.
struct Part {
    name: &'static str,
    kind: &'static str,
    environment: Vec<(&'static str, String)>,
    server: Option<Server>,
}

impl Part {
    /// Starts it, as often as it takes: its database may be down.
    fn start(&mut self, data: &Data) {
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let started = (0..200).find_map(|attempt| {
            if attempt > 0 {
                std::thread::sleep(Duration::from_millis(100));
            }
            Server::try_start_part(data, self.kind, &environment)
        });
        self.server = Some(started.unwrap_or_else(|| panic!("{} does not start", self.name)));
    }

    fn kill(&mut self) {
        if let Some(server) = &mut self.server {
            server.kill();
        }
        self.server = None;
    }
}

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

/// Kills and looks, until all is done.
pub async fn run(options: Options) -> Option<Report> {
    let begun = Instant::now();
    let (data, postgres) = match options.backend {
        Backend::Sqlite => (Data::new(Backend::Sqlite)?, None),
        Backend::Postgres => {
            Data::on_own_postgres().map(|(data, postgres)| (data, Some(postgres)))?
        }
    };
    let (mut parts, grpc, shims) = topology(options.backend);
    let (token, shim_token) = fill(&mut parts, &data).await;
    for part in &mut parts {
        if part.kind == "shim" {
            part.environment.push(("TOLLBOOK_SHIM_TOKEN", shim_token.clone()));
        }
        if part.server.is_none() {
            part.start(&data);
        }
    }
    let cores = grpc.iter().map(|address| {
        let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
        bearer(channel, &token)
    });
    let mut random = StdRng::seed_from_u64(options.seed);
    let mut report = Report::default();
    let mut known = Known::default();
    let cores: Vec<_> = cores.collect();
    let mut left = options.kills;
    while left > 0 {
        let shared = Arc::new(Shared {
            cores: cores.clone(),
            shims: shims.clone(),
            stop: AtomicBool::new(false),
            answered: AtomicI64::new(0),
            repeated: AtomicI64::new(0),
            calls: AtomicI64::new(known.calls),
            violations: Mutex::default(),
        });
        let clients = start_clients(&shared, &known);
        for _ in 0..left.min(ROUND) {
            let pause = random.random_range(20..400);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let victim = random.random_range(0..parts.len() + usize::from(postgres.is_some()));
            kill(victim, &mut parts, postgres.as_ref(), &data, &mut report);
        }
        left -= left.min(ROUND);
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

/// The processes, and where they are: each keeps its address when it is started again.
fn topology(backend: Backend) -> (Vec<Part>, Vec<String>, Vec<String>) {
    let address = || {
        // Free now, and hardly taken by anybody else until it is used.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let quiet = ("TOLLBOOK_LOG", "off".to_owned());
    let update = |http: &str| format!("http://{http}/billing/api/user_balance_update");
    match backend {
        Backend::Sqlite => {
            let (http, grpc) = (address(), address());
            let environment = vec![
                ("TOLLBOOK_HTTP_ADDR", http.clone()),
                ("TOLLBOOK_GRPC_ADDR", grpc.clone()),
                quiet,
            ];
            let part = Part { name: "serve", kind: "serve", environment, server: None };
            (vec![part], vec![grpc], vec![update(&http)])
        }
        Backend::Postgres => {
            let cores = [address(), address()];
            let shims = [address(), address()];
            let mut parts = Vec::new();
            for grpc in &cores {
                let environment = vec![("TOLLBOOK_GRPC_ADDR", grpc.clone()), quiet.clone()];
                parts.push(Part { name: "core", kind: "core", environment, server: None });
            }
            for (http, grpc) in shims.iter().zip(&cores) {
                let environment = vec![
                    ("TOLLBOOK_HTTP_ADDR", http.clone()),
                    ("TOLLBOOK_CORE_URL", format!("http://{grpc}")),
                    quiet.clone(),
                ];
                parts.push(Part { name: "shim", kind: "shim", environment, server: None });
            }
            (parts, cores.into(), shims.iter().map(|http| update(http)).collect())
        }
    }
}

/// Starts the first part and fills the database. Returns a token of the admin, and one of a
/// shim.
async fn fill(parts: &mut [Part], data: &Data) -> (String, String) {
    parts[0].start(data);
    let server = parts[0].server.as_ref().unwrap();
    let fixture = Fixture::fill(server).await;
    fixture.settings(SECRET, &BTreeMap::new()).await;
    fixture.fill_calls().await;
    (data.token(&["torture"]), data.token(&["--shim", "torture shim"]))
}

fn kill(
    victim: usize,
    parts: &mut [Part],
    postgres: Option<&Postgres>,
    data: &Data,
    report: &mut Report,
) {
    let name = match (parts.get_mut(victim), postgres) {
        (Some(part), _) => {
            part.kill();
            part.start(data);
            part.name
        }
        (None, Some(postgres)) => {
            postgres.kill();
            "postgres"
        }
        (None, None) => return,
    };
    *report.kills.entry(name).or_default() += 1;
}

/// What must be in the books.
#[derive(Default)]
struct Known {
    /// What each client's user has had so far.
    balances: BTreeMap<i64, i64>,
    /// Of the user whom legacy requests change: how often at least, and at most.
    legacy: (i64, i64),
    calls: i64,
    /// Rounds so far, so that no key comes twice.
    rounds: i64,
}

/// What a client did in a round.
enum Done {
    Balance { user: i64, amount: i64 },
    Legacy { answered: i64, unknown: i64 },
    Calls,
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
                Done::Calls => {}
            }
        }
        self.calls = shared.calls.load(Ordering::Relaxed);
        self.rounds += 1;
    }
}

fn start_clients(shared: &Arc<Shared>, known: &Known) -> JoinSet<Done> {
    let mut clients = JoinSet::new();
    let round = known.rounds;
    for client in 0..LEDGER_CLIENTS {
        clients.spawn(adjust(shared.clone(), FIRST_USER + client, round));
        clients.spawn(pay(shared.clone(), FIRST_USER + LEDGER_CLIENTS + client, round));
    }
    for client in 0..3 {
        clients.spawn(ingest(shared.clone(), client, round));
        clients.spawn(live(shared.clone(), client, round));
    }
    clients.spawn(legacy(shared.clone(), FIRST_USER + 2 * LEDGER_CLIENTS));
    clients
}

async fn adjust(shared: Arc<Shared>, user: i64, round: i64) -> Done {
    let mut amount = 0;
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let request = AdjustBalanceRequest {
            user_id: user,
            amount: decimal(&(number % 7 + 1).to_string()),
            idempotency_key: format!("{user}-{round}-{number}"),
            note: format!("{user}"),
        };
        let request = &request;
        let send = |core| async move {
            AccountsServiceClient::new(core).adjust_balance(request.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            amount += number % 7 + 1;
        }
    }
    Done::Balance { user, amount }
}

async fn pay(shared: Arc<Shared>, user: i64, round: i64) -> Done {
    let mut amount = 0;
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let request = RecordPaymentRequest {
            user_id: user,
            amount: decimal("3"),
            currency: "USD".to_owned(),
            idempotency_key: format!("{user}-{round}-{number}"),
            ..Default::default()
        };
        let request = &request;
        let send = |core| async move {
            PaymentsServiceClient::new(core).record_payment(request.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            amount += 3;
        }
    }
    Done::Balance { user, amount }
}

fn call(id: String, number: i64) -> CallRecord {
    CallRecord {
        call_id: id,
        start_time: books::at(START + number % 40_000),
        ..books::call(5 * number)
    }
}

async fn ingest(shared: Arc<Shared>, client: i64, round: i64) -> Done {
    for batch in 0.. {
        if !shared.goes_on() {
            break;
        }
        let calls: Vec<_> = (0..BATCH)
            .map(|n| call(format!("batch-{client}-{round}-{batch}-{n}"), batch * BATCH + n))
            .collect();
        let calls = &calls;
        let send = |core| async move {
            let messages = tokio_stream::iter([IngestCallsRequest { calls: calls.clone() }]);
            CallsServiceClient::new(core).ingest_calls(messages).await
        };
        if let Some(taken) = shared.answered(send).await {
            let taken = taken.into_inner();
            if taken.stored + taken.duplicates != BATCH {
                shared.violation(format!("a batch was not taken whole: {taken:?}"));
            }
            shared.calls.fetch_add(BATCH, Ordering::Relaxed);
        }
    }
    Done::Calls
}

async fn live(shared: Arc<Shared>, client: i64, round: i64) -> Done {
    for number in 0.. {
        if !shared.goes_on() {
            break;
        }
        let call_id = format!("live-{client}-{round}-{number}");
        let authorize = AuthorizeCallRequest {
            call_id: call_id.clone(),
            source: "37060000001".to_owned(),
            destination: "37061234567".to_owned(),
            originator: "user6".to_owned(),
            terminator_ids: vec![5],
            max_duration: 60,
            ..Default::default()
        };
        let authorize = &authorize;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).authorize_call(authorize.clone()).await
        };
        let Some(answer) = shared.answered(send).await else { continue };
        if answer.get_ref().reject_code != 0 {
            shared.violation(format!("a call was refused: {answer:?}"));
            continue;
        }
        let start = StartCallRequest { call_id: call_id.clone(), answer_time: None };
        let start = &start;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).start_call(start.clone()).await.map(drop)
        };
        shared.answered(send).await;
        let record = CallRecord { call_id, billsec_ms: Some(7_000), ..Default::default() };
        let finish = FinishCallRequest { call: Some(record) };
        let finish = &finish;
        let send = |core| async move {
            LiveCallsServiceClient::new(core).finish_call(finish.clone()).await.map(drop)
        };
        if shared.answered(send).await.is_some() {
            shared.calls.fetch_add(1, Ordering::Relaxed);
        }
    }
    Done::Calls
}

/// A client that has no key to repeat under: what was not answered may or may not have been
/// done.
async fn legacy(shared: Arc<Shared>, user: i64) -> Done {
    let http = reqwest::Client::new();
    let user = user.to_string();
    let hash = legacy_hash(&format!("{user}1"), SECRET);
    let form = [("u", "admin"), ("user_id", &user), ("balance", "1"), ("hash", &hash)];
    let (mut answered, mut unknown) = (0, 0);
    for url in shared.shims.iter().cycle() {
        if !shared.goes_on() {
            break;
        }
        let answer = async { http.post(url).form(&form).send().await?.text().await };
        match answer.await {
            Ok(text) if text.contains("User balance updated") => answered += 1,
            Ok(text)
                if text.contains("Service is temporarily unavailable")
                    || text.contains("Internal error") =>
            {
                unknown += 1;
            }
            Ok(text) => shared.violation(format!("a legacy client was told: {text}")),
            Err(_) => unknown += 1,
        }
    }
    Done::Legacy { answered, unknown }
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
    let user = FIRST_USER + 2 * LEDGER_CLIENTS;
    let list = |core| async move {
        let request =
            ListLedgerEntriesRequest { user_id: user, page_size: 1, ..Default::default() };
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
