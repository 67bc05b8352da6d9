//! System tests: the real binary, over real sockets, on both backends.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test, a panic is the report")]
#![allow(clippy::large_futures, reason = "a test has one, and a stack of megabytes")]

mod apart;
mod api_keys;
mod bad_input;
mod both_dialects;
mod break_ins;
mod call_files;
mod call_imports;
mod call_undo;
mod calls;
mod changes;
mod clis;
mod contract;
mod conventions;
mod crash;
mod credentials;
mod devices;
mod distance;
mod emails;
mod example;
mod faults;
mod first_customer;
mod grpc;
mod import_hints;
mod import_remarks;
mod lessons;
mod listings;
mod live_calls;
mod mor_active_calls;
mod moving;
mod observe;
mod owners;
mod payers;
mod points;
mod profiles;
mod rate_changes;
mod rate_ends;
mod rate_imports;
mod rates;
mod rerating;
mod restricted;
mod routing;
mod sealed;
mod secrets;
mod shared_rules;
mod tidy;
mod tls;
mod torture;
mod traces;
mod two_cores;
mod unrated;
mod unrated_disputes;
mod unrated_mended;
mod user_commands;
mod versions;
mod warnings;
mod whitelist;

use tollbook_tests::server::{Backend, Data};

/// Runs a test on each backend that is there.
async fn on_both<F: Future<Output = ()>>(test: impl Fn(Data) -> F) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(data) = Data::new(backend) {
            println!("on {backend:?}");
            test(data).await;
        }
    }
}
