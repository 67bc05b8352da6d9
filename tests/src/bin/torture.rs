//! Lets things happen to a server under load at random moments, and looks at the books:
//!
//! ```sh
//! cargo build --release --workspace
//! target/release/torture [--faults N] [--seed N] [--postgres]
//! ```

use tollbook_tests::{
    server::Backend,
    torture::{Options, run},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut options =
        Options { seed: rand::random::<u32>().into(), faults: 1_000, backend: Backend::Sqlite };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let mut number = || args.next().ok_or_else(|| anyhow::anyhow!("{flag} takes a number"));
        match flag.as_str() {
            "--faults" => options.faults = number()?.parse()?,
            "--seed" => options.seed = number()?.parse()?,
            "--postgres" => options.backend = Backend::Postgres,
            _ => anyhow::bail!("usage: torture [--faults N] [--seed N] [--postgres]"),
        }
    }
    println!("{options:?}");
    let report = run(options).await.ok_or_else(|| anyhow::anyhow!("no PostgreSQL is installed"))?;
    println!("{report:#?}");
    anyhow::ensure!(report.violations.is_empty(), "there were violations");
    Ok(())
}
