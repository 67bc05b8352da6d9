//! `tollbook`: the core, the legacy shim and the tools, in one binary.

mod api_groups;
mod audit;
mod backup;
mod calls;
mod changes;
mod client;
mod config;
#[cfg(fuzzing)]
pub mod fuzzing;
mod hash;
mod imports;
mod keys;
mod layers;
mod lock;
mod methods;
mod newcomers;
mod observe;
mod out;
mod parties;
mod profiles;
mod rate;
mod rates;
mod route;
mod serve;
mod settings;
mod tls;
mod token;
mod traces;
mod values;

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// The open billing core for `VoIP` operators.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(flatten)]
    flags: config::Flags,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the core and the legacy shim in one process
    Serve,
    /// Run the core alone
    Core,
    /// Run the legacy shim alone; its token is in `TOLLBOOK_SHIM_TOKEN`
    Shim,
    /// Show the settings of a running core, or change some
    Settings(settings::Args),
    /// Create, list and delete API keys of single clients of the XML API
    #[command(subcommand)]
    Keys(keys::Command),
    /// API permission groups: what restricted accounts may do with the methods of the XML API
    #[command(subcommand)]
    ApiGroups(api_groups::Command),
    /// List currencies, create one, or set an exchange rate
    #[command(subcommand)]
    Currencies(parties::currencies::Command),
    /// List the countries by the ids that addresses and requests of the XML API have
    Countries,
    /// List tariffs, or create one
    #[command(subcommand)]
    Tariffs(parties::tariffs::Command),
    /// List users, show, create, change, block or delete one: a customer, a carrier
    #[command(subcommand)]
    Users(parties::users::Command),
    /// List payments, or record one
    #[command(subcommand)]
    Payments(parties::payments::Command),
    /// List connection points, or create one: where calls come from and go to
    #[command(subcommand)]
    Points(parties::points::Command),
    /// Show who changed what, from where
    Changes(changes::Args),
    /// Create an access token, and print its secret
    Token(token::Args),
    /// Prove that balances equal the sums of their ledgers
    Audit,
    /// Write the embedded database into a file, beside a running server
    Backup(backup::BackupArgs),
    /// Make such a file the database of a server that is not running
    Restore(backup::RestoreArgs),
    /// Import a file into a running core, or take an import back
    #[command(subcommand)]
    Import(Import),
    /// List, show, save and delete what is kept of how files are read
    #[command(subcommand)]
    Profiles(Box<profiles::Command>),
    /// Export from a running core to standard output
    #[command(subcommand)]
    Export(Export),
    /// Make up data to try an installation with, on standard output
    #[command(subcommand)]
    Generate(Generate),
    /// Rate a call, and explain its price
    Rate(rate::Args),
    /// Say where a call of a device would go, and why
    Route(route::Args),
    /// List calls, show what they brought and cost, and those that could not be billed
    #[command(subcommand)]
    Calls(calls::Command),
    /// Price calls again, by the tariffs of today: stored ones, or those that could not be billed
    Rerate(calls::rerate::Args),
    /// Print the legacy methods of the dialect, as Markdown
    Methods,
    /// Print what the hash of a request of the XML API may be made of, and check one
    Hash(hash::Args),
    /// Measure ratios against bare servers and bare databases on this machine
    Bench(tollbook_bench::Args),
}

#[derive(Subcommand)]
enum Import {
    /// A rate deck, as carriers send it
    Rates(Box<rates::import::Args>),
    /// Calls, from the files of switches
    Calls(Box<calls::import::Args>),
    /// List the imports of rates and of calls
    List(imports::ListArgs),
    /// Take an import of rates or of calls back
    Undo(imports::UndoArgs),
}

#[derive(Subcommand)]
enum Generate {
    /// A day of calls, as CSV
    Calls(calls::generate::Args),
}

#[derive(Subcommand)]
enum Export {
    /// A tariff's rates, as CSV
    Rates(rates::export::Args),
}

/// The commands that use the flags of all commands: servers, and what reads the database itself.
const WITH_ALL_FLAGS: [&str; 9] =
    ["serve", "core", "shim", "token", "audit", "backup", "restore", "methods", "hash"];
/// Flags of all commands that those have a use for, too, which call a core.
const OF_CALLERS: [&str; 3] = ["config", "core_url", "log"];

/// The commands. The help of those that call a core names no flags of servers, which they take all the
/// same: a file of flags, or a script, may have them for all.
fn command() -> clap::Command {
    let command = Cli::command();
    let of_servers: Vec<Arg> = command
        .get_arguments()
        .filter(|flag| flag.is_global_set() && !OF_CALLERS.contains(&flag.get_id().as_str()))
        .map(|flag| flag.clone().hide(true))
        .collect();
    command.mut_subcommands(|one| match WITH_ALL_FLAGS.contains(&one.get_name()) {
        true => one,
        false => one
            .args(of_servers.clone())
            .after_help("The flags of servers are listed by `tollbook --help`."),
    })
}

fn parse() -> Cli {
    let found = Cli::from_arg_matches_mut(&mut command().get_matches());
    found.unwrap_or_else(|error| error.format(&mut command()).exit())
}

/// How long the process waits, at its end, for threads that compute.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// Runs the command that the arguments name, and says what came of it.
#[must_use]
pub fn main() -> ExitCode {
    let cli = parse();
    let done = tokio::runtime::Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let done = runtime.block_on(run(cli));
        // Whoever has not ended by now was given up: a thread that computes holds up nobody.
        runtime.shutdown_timeout(LAST_MOMENTS);
        done
    });
    match done {
        Ok(code) => code,
        Err(error) if error.is::<out::Unread>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tollbook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = config::load(&cli.flags)?;
    // Until the end: then it sends what it has left.
    let _traces = start_log(&config, &cli.command)?;
    for remark in &config.remarks {
        tracing::warn!("{remark}");
    }
    match cli.command {
        Command::Serve => serve::both(config).await,
        Command::Core => serve::core(config).await,
        Command::Shim => serve::shim(config).await,
        Command::Settings(args) => settings::run(&config, &args).await,
        Command::Keys(command) => keys::run(&config, command).await,
        Command::ApiGroups(command) => api_groups::run(&config, command).await,
        Command::Currencies(command) => parties::currencies::run(&config, command).await,
        Command::Countries => parties::countries::run(&config).await,
        Command::Tariffs(command) => parties::tariffs::run(&config, command).await,
        Command::Users(command) => parties::users::run(&config, command).await,
        Command::Payments(command) => parties::payments::run(&config, command).await,
        Command::Points(command) => parties::points::run(&config, command).await,
        Command::Changes(args) => changes::run(&config, args).await,
        Command::Token(args) => token::create(&config, &args).await,
        Command::Audit => return audit::run(&config).await,
        Command::Backup(args) => backup::backup(&config, &args).await,
        Command::Restore(args) => backup::restore(&config, &args).await,
        Command::Import(Import::Rates(args)) => return rates::import::run(&config, &args).await,
        Command::Import(Import::Calls(args)) => return calls::import::run(&config, &args).await,
        Command::Import(Import::List(args)) => imports::list(&config, &args).await,
        Command::Import(Import::Undo(args)) => return imports::undo(&config, &args).await,
        Command::Profiles(command) => profiles::run(&config, *command).await,
        Command::Calls(command) => return calls::run(&config, command).await,
        Command::Generate(Generate::Calls(args)) => calls::generate::run(&config, args).await,
        Command::Rerate(args) => calls::rerate::run(&config, &args).await,
        Command::Export(Export::Rates(args)) => rates::export::run(&config, &args).await,
        Command::Rate(args) => return rate::run(&config, args).await,
        Command::Route(args) => return route::run(&config, args).await,
        Command::Methods => methods::print(config.dialect),
        Command::Hash(args) => hash::run(&config, &args),
        Command::Bench(args) => tollbook_bench::run(args).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Logs go to standard error; standard output is for what a command prints. Traces of servers
/// go to a collector, where there is one.
fn start_log(config: &config::Config, command: &Command) -> anyhow::Result<Option<traces::Traces>> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| anyhow::anyhow!("log filter {:?}: {error}", config.log))?;
    let part = match command {
        Command::Serve => Some("tollbook"),
        Command::Core => Some("tollbook-core"),
        Command::Shim => Some("tollbook-shim"),
        _ => None,
    };
    let collected = match (&config.otlp_url, part) {
        (Some(url), Some(part)) => Some(traces::Traces::start(url, part)?),
        _ => None,
    };
    let (traces, source) = collected.unzip();
    // What is logged and what is traced are two things.
    let spans = source.map(|source| {
        let collected = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target(tollbook_core::RPC_IN_PROCESS, LevelFilter::DEBUG);
        tracing_opentelemetry::layer().with_tracer(source).with_filter(collected)
    });
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format {
        config::LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        config::LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry().with(spans).with(lines.with_filter(filter)).init();
    Ok(traces)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn help(of: &[&str]) -> String {
        let words = ["tollbook"].iter().chain(of).chain(&["--help"]);
        command().try_get_matches_from(words).unwrap_err().to_string()
    }

    #[test]
    fn the_help_of_commands_that_call_a_core_names_no_flags_of_servers() {
        command().debug_assert();
        for of in [&["import", "calls"][..], &["payments", "add"], &["changes"]] {
            let help = help(of);
            assert!(help.contains("--core") && !help.contains("--smtp"), "{help}");
            assert!(!help.contains("--tls-cert") && !help.contains("--http-addr"), "{help}");
        }
        for of in [&[][..], &["serve"], &["audit"]] {
            assert!(help(of).contains("--database-url"), "{of:?}");
        }
        // They are taken all the same, before and behind the command.
        for words in [
            ["tollbook", "--dialect", "mor", "changes"],
            ["tollbook", "changes", "--dialect", "mor"],
        ] {
            let mut found = command().try_get_matches_from(words).unwrap();
            Cli::from_arg_matches_mut(&mut found).unwrap();
        }
    }
}
