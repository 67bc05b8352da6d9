//! A few random faults under load, on each backend. `torture` does the same for as long as wanted.

use tollbook_tests::{
    server::Backend,
    torture::{Options, run},
};

async fn survives(backend: Backend) {
    let seed = u64::from(std::process::id());
    let Some(report) = run(Options { seed, faults: 20, backend }).await else { return };
    println!("seed {seed}: {report:?}");
    assert_eq!(report.violations, Vec::<String>::new(), "seed {seed}");
    assert_eq!(report.faults.values().sum::<u32>(), 20);
    assert!(report.answered > 100, "hardly any load: {report:?}");
    let lost = report.faults.get("lost answers to commits").copied().unwrap_or_default();
    assert!(lost > 0 || backend == Backend::Sqlite, "no commit was lost: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_is_killed_again_and_again() {
    survives(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_cores_two_shims_and_their_database_are_killed() {
    survives(Backend::Postgres).await;
}
