//! What is running, and what may happen to it.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};

use crate::{
    contract::Fixture,
    postgres::Postgres,
    proxy::{Proxy, Way},
    server::{Backend, Data, SECRET, Server},
};

/// How long a way to the database stays slow or deaf.
const WAY_FAULT: Duration = Duration::from_secs(2);
/// How long a disk stays full.
const FULL: Duration = Duration::from_millis(400);
/// How large files may be while the disk is full, in bytes: less than the database is.
const FULL_AT: &str = "200000";
/// How far a clock is put forward or back, in seconds.
const STEP: i64 = 3_600;

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

/// Something that may happen.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// `kill -9` of a process, which is started again.
    Kill(usize),
    /// `kill -9` of the database.
    KillDatabase,
    /// The way from a core to its database is slow, deaf or cut.
    Way(usize),
    /// The answers to a core's commits get lost.
    LostCommits(usize),
    /// The disk of the embedded database is full for a while.
    DiskFull,
    /// The clock of all processes is stepped.
    ClockStep,
}

/// Everything that is running.
pub(super) struct System {
    data: Data,
    postgres: Option<Postgres>,
    parts: Vec<Part>,
    /// In front of the database, one for each core.
    ways: Vec<Arc<Proxy>>,
    clock: Option<PathBuf>,
    /// Where the cores are.
    pub(super) grpc: Vec<String>,
    /// The URL of each shim's `user_balance_update`.
    pub(super) shims: Vec<String>,
    /// A token of the admin.
    pub(super) token: String,
    faults: Vec<Fault>,
    /// How much has happened.
    happened: usize,
}

/// Of how many faults one is lost answers to commits: also a short run has some.
const LOST_COMMITS: usize = 8;

impl System {
    /// Starts and fills everything; none: the backend is not there.
    pub(super) async fn start(backend: Backend) -> Option<Self> {
        let (data, postgres) = match backend {
            Backend::Sqlite => (Data::new(Backend::Sqlite)?, None),
            Backend::Postgres => {
                Data::on_own_postgres().map(|(data, postgres)| (data, Some(postgres)))?
            }
        };
        let mut system = Self {
            data,
            postgres,
            parts: Vec::new(),
            ways: Vec::new(),
            clock: None,
            grpc: Vec::new(),
            shims: Vec::new(),
            token: String::new(),
            faults: Vec::new(),
            happened: 0,
        };
        system.plan();
        system.fill().await;
        Some(system)
    }

    /// Which processes there are, and where: each keeps its address when it is started again.
    fn plan(&mut self) {
        let mut common = vec![
            ("TOLLBOOK_LOG", "off".to_owned()),
            ("TOLLBOOK_STATEMENT_TIMEOUT", "1".to_owned()),
        ];
        if let Some(library) = faketime() {
            let clock = self.data.directory().join("clock");
            step_clock(&clock, 0);
            common.extend([
                ("LD_PRELOAD", library.display().to_string()),
                ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
                ("FAKETIME_NO_CACHE", "1".to_owned()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ]);
            self.clock = Some(clock);
            self.faults.push(Fault::ClockStep);
        }
        let mut add = |name, own: Vec<(&'static str, String)>| {
            let environment = common.iter().cloned().chain(own).collect();
            self.parts.push(Part { name, kind: name, environment, server: None });
        };
        let update = |http: &str| format!("http://{http}/billing/api/user_balance_update");
        if let Some(postgres) = &self.postgres {
            let cores = [address(), address()];
            let shims = [address(), address()];
            for grpc in &cores {
                let way = Proxy::start(postgres.directory().to_owned());
                let url = way.url(self.data.database_url().unwrap_or_default());
                self.ways.push(Arc::new(way));
                add(
                    "core",
                    vec![("TOLLBOOK_GRPC_ADDR", grpc.clone()), ("TOLLBOOK_DATABASE_URL", url)],
                );
            }
            for (http, grpc) in shims.iter().zip(&cores) {
                let core = format!("http://{grpc}");
                add(
                    "shim",
                    vec![("TOLLBOOK_HTTP_ADDR", http.clone()), ("TOLLBOOK_CORE_URL", core)],
                );
            }
            self.grpc = cores.into();
            self.shims = shims.iter().map(|http| update(http)).collect();
            self.faults.push(Fault::KillDatabase);
            self.faults.extend((0..self.ways.len()).map(Fault::Way));
        } else {
            let (http, grpc) = (address(), address());
            add(
                "serve",
                vec![("TOLLBOOK_HTTP_ADDR", http.clone()), ("TOLLBOOK_GRPC_ADDR", grpc.clone())],
            );
            self.shims = vec![update(&http)];
            self.grpc = vec![grpc];
            self.faults.push(Fault::DiskFull);
        }
        self.faults.extend((0..self.parts.len()).map(Fault::Kill));
    }

    /// Starts the first part and fills the database, then starts the others.
    async fn fill(&mut self) {
        self.parts[0].start(&self.data);
        if let Some(server) = &self.parts[0].server {
            let fixture = Fixture::fill(server).await;
            fixture.settings(SECRET, &BTreeMap::new()).await;
            fixture.fill_calls().await;
        }
        self.token = self.data.token(&["torture"]);
        let shim_token = self.data.token(&["--shim", "torture shim"]);
        for part in &mut self.parts {
            if part.kind == "shim" {
                part.environment.push(("TOLLBOOK_SHIM_TOKEN", shim_token.clone()));
            }
            if part.server.is_none() {
                part.start(&self.data);
            }
        }
    }

    /// Lets something happen, and returns its name.
    pub(super) fn let_happen(&mut self, random: &mut StdRng) -> &'static str {
        let mut fault = self.faults[random.random_range(0..self.faults.len())];
        self.happened += 1;
        if self.happened.is_multiple_of(LOST_COMMITS) && !self.ways.is_empty() {
            fault = Fault::LostCommits(random.random_range(0..self.ways.len()));
        }
        match fault {
            Fault::Kill(victim) => {
                let part = &mut self.parts[victim];
                part.kill();
                part.start(&self.data);
                part.name
            }
            Fault::KillDatabase => {
                self.postgres.iter().for_each(Postgres::kill);
                "postgres"
            }
            Fault::Way(core) => {
                let (way, name) = match random.random_range(0..3) {
                    0 => (Way::Slow(Duration::from_millis(50)), "slow way to the database"),
                    1 => (Way::Deaf, "deaf way to the database"),
                    _ => (Way::Cut, "cut way to the database"),
                };
                self.set_way(core, way);
                name
            }
            Fault::LostCommits(core) => {
                self.set_way(core, Way::LosesCommits);
                "lost answers to commits"
            }
            Fault::DiskFull => {
                if let Some(server) = &self.parts[0].server {
                    limit_files(server.pid(), FULL_AT);
                    std::thread::sleep(FULL);
                    limit_files(server.pid(), "unlimited");
                }
                "disk full"
            }
            Fault::ClockStep => {
                if let Some(clock) = &self.clock {
                    step_clock(clock, random.random_range(-STEP..STEP));
                }
                "clock step"
            }
        }
    }

    /// Changes the way from a core to its database for a while.
    fn set_way(&self, core: usize, way: Way) {
        let proxy = self.ways[core].clone();
        proxy.set(way);
        tokio::spawn(async move {
            tokio::time::sleep(WAY_FAULT).await;
            proxy.set(Way::Open);
        });
    }

    /// Ends all faults that last, for a look at the books.
    pub(super) async fn calm(&self) {
        tokio::time::sleep(WAY_FAULT).await;
        self.ways.iter().for_each(|way| way.set(Way::Open));
    }
}

/// An address that is free now, and hardly taken by anybody else until it is used.
fn address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The library that shifts a process's clock, where it is installed (Debian: faketime).
fn faketime() -> Option<PathBuf> {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let library = libraries
        .map(|directory| directory.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    if library.is_none() {
        eprintln!("NO libfaketime WAS FOUND: clocks are not stepped; install faketime");
    }
    library
}

/// Shifts the clock of whoever goes by a file, in one step.
fn step_clock(file: &Path, seconds: i64) {
    // Never half-written.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}s\n")).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// Lets the files of a process grow to a size and no further, as a full disk would.
fn limit_files(pid: u32, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &pid.to_string(), &format!("--fsize={bytes}:unlimited")])
        .status();
    assert!(status.is_ok_and(|status| status.success()), "prlimit (util-linux) does not work");
}
