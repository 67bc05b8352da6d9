//! Files as data: each folder holds `input.*` (several: `input2.*`, …), what it is read with, and
//! what comes out, in `expected`. `BLESS=1` writes what comes out.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Runs each case in a folder of `tests`, and compares what it gives with what is expected.
pub(crate) fn cases(folder: &str, run: impl Fn(&Path) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut wrong = Vec::new();
    for case in sorted(&folder) {
        let found = run(&case);
        let expected = case.join("expected");
        if env::var_os("BLESS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        if expected != found {
            wrong.push(format!("{}\n--- found\n{found}--- expected\n{expected}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The inputs of a case, in the order of their names.
pub(crate) fn inputs(case: &Path) -> impl Iterator<Item = PathBuf> {
    let is_input =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("input");
    sorted(case).into_iter().filter(is_input)
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
