//! `tollbook audit`: proves that the books are right.

use std::process::ExitCode;

use anyhow::Context;

use crate::config::Config;
use crate::out::say;

pub(crate) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let report = tollbook_core::audit(&config.database()?).await.context("the audit stopped")?;
    for finding in &report.findings {
        say!("{finding}")?;
    }
    say!(
        "{} accounts, {} ledger entries, {} payments, {} calls: {}",
        report.accounts,
        report.entries,
        report.payments,
        report.calls,
        match report.findings.len() {
            0 => "the books are right".to_owned(),
            findings => format!("{findings} findings"),
        }
    )?;
    Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
