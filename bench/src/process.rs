//! Servers under measurement: this binary, as processes of their own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail};
use sha1::{Digest, Sha1};
use tempfile::TempDir;

/// The API secret key of the demo data set.
const SECRET: &str = "secret";

/// A legacy hash with the key of the demo data set.
pub(crate) fn legacy_hash(signed: &str) -> String {
    hex::encode(Sha1::digest(format!("{signed}{SECRET}")))
}

/// A running server. It is killed when this goes.
pub(crate) struct Process {
    child: Child,
    data: TempDir,
    http: Option<SocketAddr>,
    grpc: Option<SocketAddr>,
}

impl Process {
    /// `tollbook serve` with the demo data set, on SQLite or on another database.
    pub(crate) fn serve(database_url: Option<&str>) -> anyhow::Result<Self> {
        match database_url {
            Some(url) => Self::part("serve", &[("TOLLBOOK_DATABASE_URL", url)]),
            None => Self::part("serve", &[]),
        }
    }

    /// A part of tollbook with the demo data set.
    pub(crate) fn part(part: &str, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start(&[part, "--demo"], environment)
    }

    /// A bare server.
    pub(crate) fn bare(kind: &str) -> anyhow::Result<Self> {
        Self::start(&["bench", "--bare", kind], &[])
    }

    fn start(args: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let mut child = command(data.path())?
            .args(args)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a server to measure")?;
        let output = child.stdout.take().context("a child without output")?;
        let mut process = Self { child, data, http: None, grpc: None };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(address) = line.strip_prefix("XML API listening on ") {
                process.http = Some(address.parse()?);
                // A shim alone says nothing more.
                if args[0] == "shim" {
                    return Ok(process);
                }
            } else if let Some(address) = line.strip_prefix("gRPC listening on ") {
                process.grpc = Some(address.parse()?);
            } else if line == "Ready" {
                return Ok(process);
            }
        }
        bail!("a server to measure ended before it was ready: {}", args.join(" "))
    }

    /// Where the XML API is.
    pub(crate) fn http(&self) -> anyhow::Result<SocketAddr> {
        self.http.context("this server has no XML API")
    }

    /// Where the gRPC service is.
    pub(crate) fn grpc(&self) -> anyhow::Result<SocketAddr> {
        self.grpc.context("this server has no gRPC service")
    }

    /// Where the data is.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A new token for a shim of this core.
    pub(crate) fn shim_token(&self) -> anyhow::Result<String> {
        let output = command(self.data.path())?.args(["token", "--shim", "bench"]).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.context("no VmRSS in /proc")?.parse().context("VmRSS is no number")
    }
}

/// This binary, with free ports and a data directory of its own.
fn command(data: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .env_clear()
        .env("TOLLBOOK_HTTP_ADDR", "127.0.0.1:0")
        .env("TOLLBOOK_GRPC_ADDR", "127.0.0.1:0")
        .env("TOLLBOOK_LOG", "warn")
        .env("TOLLBOOK_DATA_DIR", data);
    Ok(command)
}

impl Drop for Process {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
