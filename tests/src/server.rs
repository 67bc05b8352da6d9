//! The real binary as a child process.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use tempfile::TempDir;
use tollbook_proto::{
    Bearer,
    v1::{CreateSessionRequest, sessions_service_client::SessionsServiceClient},
};
use tollbook_shim::Dialect;
use tonic::{service::interceptor::InterceptedService, transport::Channel};

use crate::{dialect, postgres};

/// The API secret key of test servers, unless a test sets another.
pub const SECRET: &str = "secret";

/// A database backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The embedded one.
    Sqlite,
    /// A PostgreSQL of the tests' own.
    Postgres,
}

/// Where a server keeps its data. Outlives the server, so that another can go on.
pub struct Data {
    directory: TempDir,
    database_url: Option<String>,
}

impl Data {
    /// New data; none: the backend is not there.
    #[must_use]
    pub fn new(backend: Backend) -> Option<Self> {
        let database_url = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(postgres::database()?),
        };
        Some(Self::at(database_url))
    }

    fn at(database_url: Option<String>) -> Self {
        // HTTP clients of this process need it once; all but the first are told so.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        Self { directory: tempfile::tempdir().unwrap(), database_url }
    }

    /// New data on a PostgreSQL of its own, which may be killed; none: it is not installed.
    #[must_use]
    pub fn on_own_postgres() -> Option<(Self, postgres::Postgres)> {
        let server = postgres::Postgres::own()?;
        let database_url = Some(server.new_database());
        Some((Self::at(database_url), server))
    }

    /// The data of a database that is there.
    #[must_use]
    pub fn of_database(url: String) -> Self {
        Self::at(Some(url))
    }

    /// New data on the same backend.
    #[must_use]
    pub fn like(&self) -> Option<Self> {
        Self::new(match self.database_url {
            None => Backend::Sqlite,
            Some(_) => Backend::Postgres,
        })
    }

    /// The same data once more. No server may run on them meanwhile.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::at(self.database_url().map(postgres::copy));
        for entry in std::fs::read_dir(self.directory()).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, copy.directory().join(path.file_name().unwrap())).unwrap();
        }
        copy
    }

    /// The URL of the database, where it is not the embedded one.
    #[must_use]
    pub fn database_url(&self) -> Option<&str> {
        self.database_url.as_deref()
    }

    /// The directory of the embedded database.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The secret of a new token, made by the command with some arguments.
    #[must_use]
    pub fn token(&self, args: &[&str]) -> String {
        let output = self.command().arg("token").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs a command against a running core; returns whether it succeeded, and all that it said.
    #[must_use]
    pub fn run(&self, core: &str, token: &str, args: &[&str]) -> (bool, String) {
        let mut command = self.command();
        command.env("TOLLBOOK_TOKEN", token).env("TOLLBOOK_CORE_URL", format!("http://{core}"));
        let Output { status, stdout, stderr } = command.args(args).output().unwrap();
        let said = [stdout, stderr].map(|output| String::from_utf8(output).unwrap()).concat();
        (status.success(), said)
    }

    /// The binary, with this data.
    #[must_use]
    pub fn command(&self) -> Command {
        // A process that may not write more is told so, and not killed.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(binary());
        command.env_clear().env("TOLLBOOK_DATA_DIR", self.directory.path());
        if let Some(url) = &self.database_url {
            command.env("TOLLBOOK_DATABASE_URL", url);
        }
        command
    }
}

/// The binary under test, next to this one, or a directory above where cargo keeps tests.
#[must_use]
pub fn binary() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    let mut places = this.ancestors().skip(1).take(2).map(|place| place.join("tollbook"));
    places.find(|binary| binary.exists()).expect("no tollbook: run `cargo build` first")
}

/// A running server.
pub struct Server {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    /// Where the XML API is, for example `127.0.0.1:40001`; empty for a core alone.
    pub http: String,
    /// Where the gRPC service is; empty for a shim alone.
    pub grpc: String,
    /// Where the metrics are, if they were asked for.
    pub metrics: String,
    /// The password of the admin, where this start created the database.
    pub admin_password: String,
    /// All that it said on standard output until it was ready.
    pub said: String,
}

impl Server {
    /// Starts `tollbook serve` and waits until it is ready.
    #[must_use]
    pub fn start(data: &Data) -> Self {
        Self::start_part(data, "serve", &[])
    }

    /// Starts `tollbook serve` with a dialect and waits until it is ready.
    #[must_use]
    pub fn start_for(data: &Data, dialect: Dialect) -> Self {
        Self::start_part(data, "serve", &[("TOLLBOOK_DIALECT", dialect::name(dialect))])
    }

    /// Starts `tollbook serve` with a log of everything that a filter lets through.
    #[must_use]
    pub fn start_logged(data: &Data, filter: &str, log: std::fs::File) -> Self {
        Self::spawn(data, "serve", &[("TOLLBOOK_LOG", filter)], log.into()).unwrap()
    }

    /// Starts a part of tollbook with some variables, and with its log in a file.
    #[must_use]
    pub fn start_part_logged(
        data: &Data,
        part: &str,
        environment: &[(&str, &str)],
        log: std::fs::File,
    ) -> Self {
        Self::spawn(data, part, environment, log.into()).unwrap()
    }

    /// Starts a part of tollbook and waits until it is ready.
    #[must_use]
    pub fn start_part(data: &Data, part: &str, environment: &[(&str, &str)]) -> Self {
        let server = Self::try_start_part(data, part, environment);
        server.unwrap_or_else(|| panic!("tollbook {part} ended before it was ready"))
    }

    /// The same; none: it ended before it was ready.
    #[must_use]
    pub fn try_start_part(data: &Data, part: &str, environment: &[(&str, &str)]) -> Option<Self> {
        Self::spawn(data, part, environment, Stdio::inherit())
    }

    fn spawn(data: &Data, part: &str, environment: &[(&str, &str)], log: Stdio) -> Option<Self> {
        let mut command = data.command();
        command
            .arg(part)
            .env("TOLLBOOK_HTTP_ADDR", "127.0.0.1:0")
            .env("TOLLBOOK_GRPC_ADDR", "127.0.0.1:0")
            .env("TOLLBOOK_LOG", "warn")
            .envs(environment.iter().copied());
        if !environment.iter().any(|(name, _)| name.starts_with("TOLLBOOK_API_SECRET")) {
            command.env("TOLLBOOK_API_SECRET", SECRET);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            child,
            output,
            http: String::new(),
            grpc: String::new(),
            metrics: String::new(),
            admin_password: String::new(),
            said: String::new(),
        };
        server.is_ready(part).then_some(server)
    }

    /// Reads what it says until it is ready; false: it has ended.
    fn is_ready(&mut self, part: &str) -> bool {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            self.said.push_str(&line);
            let line = line.trim_end();
            if let Some(address) = line.strip_prefix("XML API listening on ") {
                address.clone_into(&mut self.http);
                // A shim alone says nothing more.
                if part == "shim" {
                    return true;
                }
            } else if let Some(address) = line.strip_prefix("gRPC listening on ") {
                address.clone_into(&mut self.grpc);
            } else if let Some(address) = line.strip_prefix("Metrics listening on ") {
                address.clone_into(&mut self.metrics);
            } else if let Some((_, password)) = line.split_once("with password ") {
                password.clone_into(&mut self.admin_password);
            } else if line == "Ready" {
                return true;
            }
        }
    }

    /// Kills the process as the machine would: at once, with no chance to tidy up.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What a part of tollbook says that does not start.
    #[must_use]
    pub fn refuses_to_start(data: &Data, part: &str, environment: &[(&str, &str)]) -> String {
        let mut command = data.command();
        command.arg(part).env("TOLLBOOK_HTTP_ADDR", "127.0.0.1:0");
        command.env("TOLLBOOK_GRPC_ADDR", "127.0.0.1:0").envs(environment.iter().copied());
        let output = command.output().unwrap();
        assert!(!output.status.success(), "it started");
        String::from_utf8(output.stderr).unwrap()
    }

    /// A channel to the gRPC service.
    pub async fn channel(&self) -> Channel {
        let url = format!("http://{}", self.grpc);
        Channel::from_shared(url).unwrap().connect().await.unwrap()
    }

    /// The gRPC service, called as a user.
    pub async fn log_in(&self, username: &str, password: &str) -> Authorized {
        let request =
            CreateSessionRequest { username: username.to_owned(), password: password.to_owned() };
        let channel = self.channel().await;
        let session = SessionsServiceClient::new(channel.clone()).create_session(request).await;
        bearer(channel, &session.unwrap().into_inner().token)
    }

    /// The gRPC service, called as the admin. Works where this start created the database.
    pub async fn admin(&self) -> Authorized {
        self.log_in("admin", &self.admin_password).await
    }

    /// The URL of a legacy method.
    #[must_use]
    pub fn url(&self, method: &str) -> String {
        format!("http://{}/billing/api/{method}", self.http)
    }

    /// Sends a signed legacy request as a form and returns the body of the answer.
    pub async fn legacy(&self, method: &str, params: &[(&str, &str)], signed: &str) -> String {
        let hash = crate::legacy_hash(signed, SECRET);
        let mut form: HashMap<&str, &str> = params.iter().copied().collect();
        form.insert("hash", &hash);
        let response = reqwest::Client::new().post(self.url(method)).form(&form).send().await;
        response.unwrap().text().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The gRPC service behind a bearer token.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// A channel with a bearer token.
#[must_use]
pub fn bearer(channel: Channel, token: &str) -> Authorized {
    InterceptedService::new(channel, Bearer::new(token).unwrap())
}
