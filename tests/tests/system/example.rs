//! The example in Python, as its reader would run it: a client written from the documentation.

use std::process::Command;

use tollbook_tests::{
    books::Books,
    server::{SECRET, binary},
};

use crate::on_both;

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_day() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("NO PYTHON: the example in examples/ is not tested; install python3");
        return;
    }
    on_both(|data| async move {
        let books = Books::open(&data).await;
        for _ in 0..2 {
            let output = Command::new("python3")
                .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/operators_day.py"))
                .args(["--url", &format!("http://{}", books.server.http), "--secret", SECRET])
                .args(["--core", &format!("http://{}", books.server.grpc)])
                .arg("--tollbook")
                .arg(binary())
                .env("TOLLBOOK_TOKEN", &books.token)
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            let error = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success() && said.ends_with("done\n"), "{said}{error}");
        }
        books.check(8 + 20).await;
    })
    .await;
}
