//! What the system tests stand on: the real binary as a child process, a PostgreSQL of the
//! tests' own, clients, and the legacy contract as data.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "in a test, a panic is the report"
)]

pub mod books;
pub mod contract;
pub mod dialect;
pub mod fill;
pub mod filled;
mod fixture;
pub mod listed;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod report;
pub mod samples;
pub mod server;
pub mod smtp;
pub mod torture;

use sha1::{Digest, Sha1};

/// A legacy hash: the hex SHA1 of what is signed and the API secret key.
#[must_use]
pub fn legacy_hash(signed: impl AsRef<[u8]>, secret: &str) -> String {
    hex::encode(Sha1::new().chain_update(signed).chain_update(secret).finalize())
}
