//! A PostgreSQL server of the tests' own, from the binaries that are installed.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

/// A running PostgreSQL. It stops when the process that started it ends, however it ends:
/// a shell waits for its standard input to close.
pub struct Postgres {
    directory: TempDir,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    shell: Mutex<Child>,
    databases: AtomicU32,
}

static SHARED: LazyLock<Option<Postgres>> = LazyLock::new(|| {
    let found = binaries();
    if found.is_none() {
        let mut warning = String::new();
        let line = "*".repeat(78);
        let _ = writeln!(
            warning,
            "\n{line}\n* No PostgreSQL binaries were found: everything that runs on it is SKIPPED."
        );
        let _ = writeln!(
            warning,
            "* Install them (Debian: apt-get install postgresql) to test both backends.\n{line}"
        );
        // Past the capture of the test harness, so that it is seen.
        let _ = std::io::stderr().write_all(warning.as_bytes());
    }
    found.map(|binaries| Postgres::start(binaries, None))
});

/// A new database of the shared server, as a URL; none: no PostgreSQL is installed.
#[must_use]
pub fn database() -> Option<String> {
    SHARED.as_ref().map(Postgres::new_database)
}

/// A copy of a database of the shared server, as a URL. Nobody may be connected to it.
#[must_use]
pub fn copy(url: &str) -> String {
    SHARED.as_ref().expect("it has the database").copy(url)
}

fn binaries() -> Option<PathBuf> {
    let pg_config = Command::new("pg_config").arg("--bindir").output().ok();
    let told =
        pg_config.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    told.into_iter()
        .chain(packaged.map(|version| version.path().join("bin")))
        .find(|directory| directory.join("initdb").exists() && directory.join("postgres").exists())
}

fn id(args: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(args).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

impl Postgres {
    fn start(binaries: PathBuf, primary: Option<&Path>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // It refuses to run as root.
        let user = (id(&["-u"]) == Some(0)).then(|| {
            let name = if id(&["-u", "postgres"]).is_some() { "postgres" } else { "nobody" };
            (id(&["-u", name]).unwrap(), id(&["-g", name]).unwrap())
        });
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
        }
        let program = |name: &str| binaries.join(name).display().to_string();
        let create = match primary {
            None => format!(
                "{} -D data -U postgres --auth=trust --no-sync -E UTF8 --locale=C",
                program("initdb")
            ),
            // With what makes it a standby of the primary.
            Some(primary) => format!(
                "{} -h {} -U postgres -D data --no-sync --checkpoint=fast --write-recovery-conf",
                program("pg_basebackup"),
                primary.display()
            ),
        };
        let script = format!(
            "set -e\n\
             {create} >create.log 2>&1\n\
             start() {{\n\
               {postgres} -D data -k \"$PWD\" -c listen_addresses= -c fsync=off \
                 -c max_connections=200 >>postgres.log 2>&1 </dev/null 3<&- &\n\
               server=$!\n\
               echo $server >server.pid\n\
             }}\n\
             start\n\
             until {isready} -q -h \"$PWD\"; do kill -0 $server; sleep 0.05; done\n\
             echo ready\n\
             exec 3<&0\n\
             (cat <&3 >/dev/null || true; touch stop; kill -INT $(cat server.pid)) &\n\
             while [ ! -e stop ]; do\n\
               wait $server || true\n\
               [ -e stop ] || {{ sleep 0.1; start; }}\n\
             done\n\
             wait $server || true",
            postgres = program("postgres"),
            isready = program("pg_isready"),
        );
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(script)
            .current_dir(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "PostgreSQL did not start");
        Self { directory, binaries, user, shell: Mutex::new(shell), databases: AtomicU32::new(0) }
    }

    /// A server that nobody else uses; none: no PostgreSQL is installed.
    #[must_use]
    pub fn own() -> Option<Self> {
        binaries().map(|binaries| Self::start(binaries, None))
    }

    /// A hot standby of the server: it follows it, and takes no changes.
    #[must_use]
    pub fn standby(&self) -> Self {
        Self::start(self.binaries.clone(), Some(self.directory()))
    }

    /// The same database on this server, if `url` is that of one on another.
    #[must_use]
    pub fn url_of(&self, url: &str, of: &Self) -> String {
        url.replace(&of.directory().display().to_string(), &self.directory().display().to_string())
    }

    /// Runs a statement in a database.
    pub fn run(&self, url: &str, statement: &str) {
        let mut command = Command::new(self.binaries.join("psql"));
        command.args(["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, url]).current_dir("/");
        assert!(command.status().unwrap().success(), "{statement}");
    }

    /// Where its socket is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Kills the server as the machine would. It is started again at once.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.directory.path().join("server.pid")).unwrap();
        let _ = Command::new("kill").args(["-KILL", pid.trim()]).status();
    }

    /// Runs SQL in one of its databases, and returns what it says.
    #[must_use]
    pub fn sql(&self, url: &str, sql: &str) -> String {
        let mut command = Command::new(self.binaries.join("psql"));
        let output = command.args(["-qtA", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A new database, as a URL.
    #[must_use]
    pub fn new_database(&self) -> String {
        self.create(&[])
    }

    /// A copy of one of its databases, as a URL. Nobody may be connected to it.
    #[must_use]
    pub fn copy(&self, url: &str) -> String {
        let (_, name) = url.split_once(":///").unwrap();
        self.create(&["-T", name.split('?').next().unwrap()])
    }

    fn create(&self, args: &[&str]) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut command = Command::new(self.binaries.join("createdb"));
        command.arg("-h").arg(self.directory.path()).args(["-U", "postgres", &name]).args(args);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        assert!(command.current_dir("/").status().unwrap().success(), "createdb failed");
        format!("postgres:///{name}?host={}&user=postgres", self.directory.path().display())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let shell = self.shell.get_mut().unwrap();
        drop(shell.stdin.take());
        let _ = shell.wait();
    }
}
