//! Prints the compatibility report on a dialect: `dialect-report m4`.

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let report = tollbook_tests::report::of(&name);
    print!(
        "{}",
        report.unwrap_or_else(|| panic!("no dialect {name:?}: m4 and mor are documented"))
    );
}
