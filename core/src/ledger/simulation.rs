//! A simulation of the ledger and its writer: two cores on one database, clients that repeat
//! what was not answered or that have no key to repeat under, crashes between any two steps, even
//! between a commit and its answer, and commits of which nobody knows whether they were made. Everything that happens follows from a seed, which a failure prints; `SIMULATION_SEED`
//! runs that one again, and `SIMULATION_RUNS` says how many there are.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rust_decimal::Decimal;
use tollbook_proto::v1 as pb;

use super::{
    Kind, audit,
    posting::{IdempotencyKey, Posting},
    store,
};
use crate::{
    catalog::Catalog,
    changes::{Credential, Origin},
    currencies::{self, Currency},
    error::Error,
    ids::UserId,
    money::{ExchangeRate, Money},
    payments::{Direction, PaymentDraft, Said},
    settings::Settings,
    setup::{self, SetUp},
    store::{DatabaseUrl, Db, crash::Lost},
    unrated::Shelf,
    users::{self, Role, directory::Directory, taxes::TaxPlan},
    vault::Vault,
    writer::{self, Command, Outcome, Resources},
};

const USERS: i64 = 4;
const NOBODY: i64 = 99;
const REQUESTS: usize = 60;
/// More steps than any batch takes.
const STEPS: u32 = 16;

/// A core, as far as the ledger goes: it dies, and is started again on the same database.
struct Core {
    resources: Resources,
    /// Requests that have arrived, by their numbers.
    queue: Vec<usize>,
}

impl Core {
    async fn start(url: &DatabaseUrl) -> Self {
        Self { resources: resources(open(url).await).await, queue: Vec::new() }
    }
}

async fn open(url: &DatabaseUrl) -> Db {
    let timeout = std::time::Duration::from_secs(30);
    Db::open(url, Vault::default(), timeout).await.unwrap()
}

/// What a core that has just been started works with.
async fn resources(db: Db) -> Resources {
    Resources {
        catalog: Arc::new(Catalog::open(&db).await.unwrap()),
        directory: Arc::new(Directory::new(db.clone())),
        decks: Arc::default(),
        pools: Arc::default(),
        held: Arc::default(),
        unrated: Arc::new(Shelf::new(0)),
        db,
    }
}

struct Simulation {
    random: StdRng,
    cores: Vec<Core>,
    requests: Vec<Posting>,
    /// Which requests have been answered, and with what: the entry's id, or that it is refused.
    answers: BTreeMap<usize, Option<i64>>,
    /// Requests without a key that have been sent, and those of them that will never be answered.
    sent: BTreeSet<usize>,
    unknown: BTreeSet<usize>,
    crashes: u32,
    repeated: u32,
    lost: u32,
}

impl Simulation {
    async fn start(seed: u64, url: &DatabaseUrl) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let db = open(url).await;
        setup::first_start(&db, &SetUp::default()).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let currency =
            currencies::store::all(&mut tx).await.unwrap().default_currency().unwrap().clone();
        for id in 1..USERS {
            let user = pb::User { username: format!("user{id}"), ..Default::default() };
            let user = users::record::with_defaults(user, &Settings::default());
            users::store::insert(&mut tx, UserId(id), Role::User, &user, "").await.unwrap();
        }
        tx.commit().await.unwrap();
        let requests = (0..REQUESTS).map(|number| request(&mut random, number, &currency));
        let requests = requests.collect();
        let cores = vec![Core::start(url).await, Core::start(url).await];
        let answers = BTreeMap::new();
        let (sent, unknown) = (BTreeSet::new(), BTreeSet::new());
        Self { random, cores, requests, answers, sent, unknown, crashes: 0, repeated: 0, lost: 0 }
    }

    /// Until every request is answered, or never will be.
    async fn run(&mut self) {
        while self.answers.len() + self.unknown.len() < self.requests.len() {
            let core = self.random.random_range(0..self.cores.len());
            if self.random.random_range(0..3) > 0 {
                self.arrive(core);
            } else {
                self.commit(core).await;
            }
        }
    }

    /// A client sends a request, for the first time or again. One that waits for no answer any
    /// more may be on its way to the other core, too.
    fn arrive(&mut self, core: usize) {
        let open: Vec<usize> = (0..self.requests.len())
            .filter(|number| !self.answers.contains_key(number) && !self.sent.contains(number))
            .take(8)
            .collect();
        if !open.is_empty() {
            let number = open[self.random.random_range(0..open.len())];
            if self.requests[number].idempotency.is_none() {
                self.sent.insert(number);
            }
            self.cores[core].queue.push(number);
        }
    }

    /// A core commits what has arrived, and may die of it.
    async fn commit(&mut self, core: usize) {
        let dies = self.random.random_bool(0.5);
        let steps = self.random.random_range(0..STEPS);
        let core = &mut self.cores[core];
        if dies {
            core.resources.db.crash.after(steps);
        } else if self.random.random_bool(0.3) {
            let lost = self.random.random_bool(0.5);
            core.resources.db.crash.lose(if lost { Lost::Commit } else { Lost::Answer });
            self.lost += 1;
        }
        let numbers = std::mem::take(&mut core.queue);
        let commands: Vec<_> = numbers
            .iter()
            .map(|number| Command::Post(Box::new(self.requests[*number].clone())))
            .collect();
        let results = match commands.is_empty() {
            true => Vec::new(),
            false => writer::commit(&core.resources, &commands, None).await,
        };
        if core.resources.db.crash.restart() {
            // Nobody is answered by the dead, and what he knew is gone.
            core.resources = resources(core.resources.db.clone()).await;
            self.crashes += 1;
            let sent = &self.sent;
            self.unknown.extend(numbers.into_iter().filter(|number| sent.contains(number)));
            return;
        }
        for (number, result) in numbers.into_iter().zip(results) {
            let answer = match result {
                Ok(Outcome::Posted(posted)) => Some(posted.entry.id.0),
                Ok(_) => panic!("request {number}: another outcome"),
                Err(Error::UserNotFound) => None,
                // Who has a key asks again.
                Err(Error::CommitUnknown) => {
                    if self.sent.contains(&number) {
                        self.unknown.insert(number);
                    }
                    continue;
                }
                Err(error) => panic!("request {number}: {error}"),
            };
            if let Some(before) = self.answers.insert(number, answer) {
                // The same question has the same answer.
                assert_eq!(before, answer, "request {number} was answered twice");
                self.repeated += 1;
            }
        }
    }

    /// Each request took effect once, one that was never answered at most once, and the books
    /// are right.
    async fn check(&self) {
        let db = &self.cores[0].resources.db;
        let mut made: HashMap<String, i64> = HashMap::new();
        for user in 0..USERS {
            for entry in store::newest(db, UserId(user), None, 1_000).await.unwrap() {
                *made.entry(entry.note).or_default() += 1;
            }
        }
        for number in 0..self.requests.len() {
            let times = made.get(&number.to_string()).copied().unwrap_or_default();
            match self.answers.get(&number) {
                Some(entry) => assert_eq!(times, i64::from(entry.is_some()), "request {number}"),
                None => assert!(times <= 1, "request {number} took effect {times} times"),
            }
        }
        let audit = audit::audit(db).await.unwrap();
        assert_eq!(audit.findings, Vec::<String>::new());
    }
}

fn request(random: &mut StdRng, number: usize, currency: &Currency) -> Posting {
    // Some are for nobody, so that batches mix what is taken and what is refused.
    let user = UserId(match random.random_range(0..12) {
        0 => NOBODY,
        _ => random.random_range(0..USERS),
    });
    let amount = Money::new(Decimal::new(random.random_range(-50_000..50_000), 2)).unwrap();
    let pays = random.random_bool(0.3) && amount > Money::ZERO;
    let payment = pays.then(|| {
        let (taxes, rate) = (TaxPlan::default(), ExchangeRate::ONE);
        let said = Said::default();
        PaymentDraft::new(amount, false, &taxes, currency, rate, Direction::FromClient, said)
            .unwrap()
    });
    Posting {
        user,
        amount,
        kind: if payment.is_some() { Kind::Payment } else { Kind::Adjustment },
        origin: Some(Arc::new(Origin::operator(Credential::CommandLine))),
        note: number.to_string(),
        payment,
        idempotency: random.random_bool(0.7).then(|| IdempotencyKey {
            scope: "simulation".to_owned(),
            key: number.to_string(),
            fingerprint: number.to_string(),
            since: i64::MIN,
        }),
    }
}

#[test]
fn f01_every_request_takes_effect_once_whatever_dies_or_gets_lost_when() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let runs = number("SIMULATION_RUNS").unwrap_or(20);
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..runs,
    };
    let (mut crashes, mut repeated, mut lost) = (0, 0, 0);
    for seed in seeds.clone() {
        println!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = tempfile::tempdir().unwrap();
            let url = DatabaseUrl::Sqlite(directory.path().join("simulation.db"));
            let mut simulation = Simulation::start(seed, &url).await;
            simulation.run().await;
            simulation.check().await;
            crashes += simulation.crashes;
            repeated += simulation.repeated;
            lost += simulation.lost;
        });
    }
    println!("{crashes} crashes, {lost} lost commits, {repeated} requests answered more than once");
    let much = crashes > 100 && lost > 30 && repeated > 10;
    assert!(seeds.count() < 20 || much, "nothing much happened");
}
